"""Fewer weight columns: exact folding, lattices on the sheet, and the network that TopoLoss trained."""

import numpy as np
import pytest
import torch
from safetensors.torch import load_file
from sklearn.datasets import load_digits
from torch import nn

from brodmann import UserError
from brodmann.models.architectures.gpt import GPT, GPTShape
from brodmann.models.architectures.mlp import MLP
from brodmann.models.architectures.resnet import BasicBlock, Bottleneck, ResNet
from brodmann.models.architectures.vit import VisionTransformer
from brodmann.models.interventions.compression import (
    groups_by_weights,
    links,
    nearest_on_sheet,
    pruned,
    shrink,
    shrunk,
    smallest_removed,
)
from brodmann.models.sheet import grid_sheet
from brodmann.models.topography.topoloss import incoming_weights


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


def resnet(block, blurred):
    torch.manual_seed(0)
    made = ResNet(
        block, (2, 1, 2, 1), widths=(16, 16, 16, 16), n_classes=5, blurred=blurred, inner=(16, 25, 16, 20)
    )
    for module in made.modules():  # as if trained: norms that do something
        if isinstance(module, nn.BatchNorm2d):
            for value in (module.weight, module.bias, module.running_mean):
                nn.init.normal_(value)
            nn.init.uniform_(module.running_var, 0.5, 2)
    return made.eval()


NETWORKS = {
    "basic": (lambda: resnet(BasicBlock, False), 6, (2, 3, 32, 32)),
    "blurred": (lambda: resnet(BasicBlock, True), 6, (2, 3, 32, 32)),
    "bottleneck": (lambda: resnet(Bottleneck, True), 12, (2, 3, 32, 32)),
    "gpt": (lambda: GPT(GPTShape(3, 2, 16, 40, 12)).eval(), 3, (2, 12)),
    "vit": (
        lambda: VisionTransformer(
            size=32, patch=8, n_layers=2, n_heads=2, width=16, n_inner=36, n_classes=4
        ).eval(),
        2,
        (2, 3, 32, 32),
    ),
    "mlp": (lambda: MLP((49, 36, 25, 10)), 2, (3, 1, 7, 7)),
}


@pytest.mark.parametrize("kind", NETWORKS)
def test_shrinking_a_network_is_exact(kind):
    """The small network answers as the whole one does when its units are overwritten by those that they copy."""
    make, n_links, shape = NETWORKS[kind]
    torch.manual_seed(1)
    network = make()
    found = links(network)
    assert len(found) == n_links
    x = torch.randint(0, 40, shape) if kind == "gpt" else torch.randn(shape)
    sharings, handles = {}, []
    for link in found:
        n_units = len(incoming_weights(network.get_submodule(link.layer)))
        sharing = nearest_on_sheet(grid_sheet(link.layer, n_units), 0.3)
        sharings[link.layer] = sharing
        assert len(sharing.kept) < n_units
        copied = torch.from_numpy(sharing.kept[sharing.source])

        def overwrite(_module, inputs, copied=copied):  # what the reader is given, unit by unit
            (given,) = inputs
            return (given[:, copied] if given.ndim == 4 else given[..., copied],)

        handles.append(network.get_submodule(link.reader).register_forward_pre_hook(overwrite))
    with torch.no_grad():
        expected = network(x)
        for handle in handles:
            handle.remove()
        small = shrink(network, sharings)
        torch.testing.assert_close(small(x), expected, atol=2e-4, rtol=2e-4)
        assert not torch.allclose(network(x), expected, atol=1e-3)
    count = [sum(value.numel() for value in one.parameters()) for one in (network, small)]
    assert count[1] < count[0]


def test_shrinking_leaves_the_network_as_it_was():
    network = MLP((49, 36, 10))
    before = {name: value.clone() for name, value in network.state_dict().items()}
    shrink(network, {"net.0": nearest_on_sheet(grid_sheet("net.0", 36), 0.2)})
    for name, value in network.state_dict().items():
        torch.testing.assert_close(value, before[name], rtol=0, atol=0)


def test_pruned_layers_have_the_share_of_weights_that_was_asked_for():
    network = resnet(BasicBlock, True)
    sparser = pruned(network, ["layer2.0.conv1", "layer1.0.conv1"], 0.2)
    for name in ("layer2.0.conv1", "layer1.0.conv1"):
        weight = incoming_weights(sparser.get_submodule(name))
        assert float((weight != 0).float().mean()) == pytest.approx(0.2, abs=0.01)
    torch.testing.assert_close(sparser.layer1[0].conv2.weight, network.layer1[0].conv2.weight)


def test_what_cannot_shrink_is_named():
    network = MLP((49, 36, 10))
    with pytest.raises(UserError, match="unknown layer that can shrink 'net.2': .*net.0"):
        shrink(network, {"net.2": nearest_on_sheet(grid_sheet("net.2", 10), 0.5)})
    with pytest.raises(UserError, match="layer 'net.0' has 36 units, the sharing 49"):
        shrink(network, {"net.0": nearest_on_sheet(grid_sheet("net.0", 49), 0.5)})
