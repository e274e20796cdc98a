"""Fewer weight columns: exact folding, lattices on the sheet, and the network that TopoLoss trained."""

import numpy as np
import pytest
import torch
from safetensors.torch import load_file
from sklearn.datasets import load_digits
from torch import nn

from brodmann import UserError
from brodmann.models.compression import groups_by_weights, nearest_on_sheet, shrunk, smallest_removed
from brodmann.models.sheet import grid_sheet


def test_units_that_are_kept_lie_evenly_and_the_others_copy_the_nearest():
    sheet = grid_sheet("fc", 256)
    sharing = nearest_on_sheet(sheet, 0.2)
    assert sharing.share == pytest.approx(0.2, abs=0.02)
    apart = sheet.distances()
    copied = apart[np.arange(256), sharing.kept[sharing.source]]
    np.testing.assert_array_equal(copied, apart[:, sharing.kept].min(axis=1))
    assert copied.max() < 2.3
    np.testing.assert_array_equal(sharing.kept[sharing.source[sharing.kept]], sharing.kept)
    np.testing.assert_array_equal(nearest_on_sheet(sheet, 1.0).kept, np.arange(256))


@pytest.mark.parametrize("bias", [True, False])
def test_folding_into_the_next_layer_is_exact(bias):
    torch.manual_seed(0)
    first, second = nn.Linear(20, 64, bias=bias), nn.Linear(64, 5, bias=bias)
    sharing = nearest_on_sheet(grid_sheet("fc", 64), 0.25)
    small, reader = shrunk(first, second, sharing)
    x = torch.randn(10, 20)
    hidden = nn.functional.gelu(first(x))[:, torch.from_numpy(sharing.kept[sharing.source])]
    torch.testing.assert_close(reader(nn.functional.gelu(small(x))), second(hidden), atol=1e-5, rtol=1e-5)
    assert small.weight.shape[0] == reader.weight.shape[1] == len(sharing.kept)


def test_groups_of_equal_units_lose_nothing():
    rng = np.random.default_rng(0)
    kinds = rng.normal(size=(8, 12))
    weights = kinds[rng.permutation(np.repeat(np.arange(8), 8))]
    sharing = groups_by_weights(weights, 8 / 64)
    np.testing.assert_allclose(weights[sharing.kept[sharing.source]], weights)


def test_pruning_keeps_the_largest():
    weights = torch.tensor([[1.0, -5.0], [0.5, 3.0]])
    torch.testing.assert_close(smallest_removed(weights, 0.5), torch.tensor([[0.0, -5.0], [0.0, 3.0]]))


def test_mistakes_are_named():
    with pytest.raises(UserError, match="and is 0"):
        nearest_on_sheet(grid_sheet("fc", 16), 0.0)
    with pytest.raises(UserError, match="do not fit a sharing of 16"):
        shrunk(nn.Linear(3, 8), nn.Linear(8, 2), nearest_on_sheet(grid_sheet("fc", 16), 0.5))


def digits():
    """scikit-learn's digits, blown up to the size of the network's own: another data set than it was trained on."""
    found = load_digits()
    pictures = torch.from_numpy(found.images / 16).float()[:, None]
    pictures = nn.functional.interpolate(pictures, size=(20, 20), mode="bilinear", align_corners=False)
    pictures = nn.functional.pad(pictures, (4, 4, 4, 4)).flatten(1)
    return (pictures - 0.1307) / 0.3081, torch.from_numpy(found.target)


def test_the_authors_network_loses_less_where_neighbours_on_its_sheet_are_copied(test_weights):
    """80 % of both hidden layers' columns removed: nearest copies on its sheet against ten random layouts."""
    state = load_file(test_weights / "topo-mlp-mnist" / "002_dataset-5x.safetensors")
    layers = [nn.Linear(784, 256), nn.Linear(256, 256), nn.Linear(256, 10)]
    for layer, name in zip(layers, ("net.0", "net.2", "net.4"), strict=True):
        layer.load_state_dict({"weight": state[f"{name}.weight"], "bias": state[f"{name}.bias"]})
    x, y = digits()

    def accuracy(sharings):
        first, second, last = layers
        if sharings is not None:
            first, second = shrunk(first, second, sharings[0])
            second, last = shrunk(second, last, sharings[1])
        with torch.no_grad():
            return float((last(second(first(x).relu()).relu()).argmax(dim=1) == y).float().mean())

    sheet = grid_sheet("net.0", 256, layout="native")
    whole = accuracy(None)
    native = accuracy([nearest_on_sheet(sheet, 0.2)] * 2)
    shuffled = [accuracy([nearest_on_sheet(sheet.permuted(seed), 0.2)] * 2) for seed in range(10)]
    grouped = accuracy([groups_by_weights(layer.weight.detach(), 0.2) for layer in layers[:2]])
    print(
        f"accuracy: whole {whole:.3f}, nearest copies {native:.3f}, random layouts {np.mean(shuffled):.3f} "
        f"(at most {np.max(shuffled):.3f}), k-means groups {grouped:.3f}"
    )
    assert whole > 0.55
    assert native > max(shuffled)
    assert native > 1.5 * np.mean(shuffled)
