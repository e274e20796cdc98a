"""Lesions: known answers on every shape of output, and their controls."""

import numpy as np
import pytest
import torch
from torch import nn

from brodmann.errors import UserError
from brodmann.models import (
    ImagePreprocessing,
    Lesion,
    VisionModel,
    contiguous_units,
    grid_sheet,
    lesioned,
    lesions_in,
    random_units,
)


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        torch.manual_seed(0)
        self.conv = nn.Conv2d(3, 6, 3)
        self.head = nn.Linear(6, 4)

    def forward(self, x):
        return self.head(self.conv(x).mean((2, 3)))


X = torch.randn(5, 3, 8, 8, generator=torch.Generator().manual_seed(0))


def output(net, layer):
    kept = []
    handle = net.get_submodule(layer).register_forward_hook(lambda *args: kept.append(args[2]))
    with torch.no_grad():
        final = net(X)
    handle.remove()
    return kept[0], final


def test_silenced_channels_are_zero_and_what_follows_feels_it():
    net = Net()
    before, whole = output(net, "conv")
    with lesions_in(net, Lesion("conv", [1, 4])):
        during, changed = output(net, "conv")
    expected = before.clone()
    expected[:, [1, 4]] = 0
    torch.testing.assert_close(during, expected)
    torch.testing.assert_close(changed, net.head(expected.mean((2, 3))))
    torch.testing.assert_close(output(net, "conv")[1], whole)  # nothing is left behind


def test_scaled_and_shuffled_units():
    net = Net()
    before, _ = output(net, "conv")
    with lesions_in(net, Lesion("conv", [0, 2, 5], "scale", factor=3.0)):
        scaled, _ = output(net, "conv")
    torch.testing.assert_close(scaled[:, [0, 2, 5]], 3 * before[:, [0, 2, 5]])
    with lesions_in(net, Lesion("conv", [0, 2, 5], "shuffle", seed=1)):
        shuffled, _ = output(net, "conv")
    torch.testing.assert_close(shuffled[:, [1, 3, 4]], before[:, [1, 3, 4]])
    places = [next(i for i in (0, 2, 5) if torch.equal(shuffled[:, j], before[:, i])) for j in (0, 2, 5)]
    assert sorted(places) == [0, 2, 5]
    assert all(i != j for i, j in zip(places, (0, 2, 5), strict=True))


def test_single_units_of_a_feature_map():
    net = Net()
    before, _ = output(net, "conv")
    with lesions_in(net, Lesion("conv", [0, 40], reads="unit")):
        during, _ = output(net, "conv")
    expected = before.flatten(1).clone()
    expected[:, [0, 40]] = 0
    torch.testing.assert_close(during.flatten(1), expected)


def test_features_of_tokens_and_outputs_in_tuples():
    class Block(nn.Module):
        def forward(self, x):
            return (2 * x, None)

    class Reader(nn.Module):
        def __init__(self):
            super().__init__()
            self.block = Block()

        def forward(self, x):
            return self.block(x)[0]

    net, x = Reader(), torch.ones(2, 5, 3)
    with lesions_in(net, Lesion("block", [1])):
        found = net(x)
    torch.testing.assert_close(found[..., 1], torch.zeros(2, 5))
    torch.testing.assert_close(found[..., [0, 2]], torch.full((2, 5, 2), 2.0))


def test_activations_of_a_lesioned_model_are_kept_apart(pictures):
    model = VisionModel(
        Net(), identifier="net", preprocess=ImagePreprocessing(8), layers=["conv", "head"], batch_size=3
    )
    whole, digest = model.extract(pictures)["head"].values, model.digest
    second = lesioned(model, Lesion("conv", [2]))
    assert second.digest != digest
    during = second.extract(pictures)
    assert not during["conv"].values.reshape(7, 6, -1)[:, 2].any()
    both = lesioned(second, Lesion("conv", [3]))
    assert both.digest not in (digest, second.digest)
    assert not both.extract(pictures)["conv"].values.reshape(7, 6, -1)[:, 2:4].any()
    assert not np.allclose(during["head"], whole)
    assert model.digest == digest
    np.testing.assert_array_equal(model.extract(pictures)["head"], whole)


def test_a_lesion_ends_also_when_the_block_fails():
    net = Net()
    with pytest.raises(RuntimeError), lesions_in(net, Lesion("conv", [2])):
        raise RuntimeError
    assert output(net, "conv")[0][:, 2].any()


def test_random_controls_are_others_and_seeded():
    chosen = random_units(50, 10, besides=range(20), random_state=3)
    assert len(set(chosen)) == 10
    assert chosen.min() >= 20
    np.testing.assert_array_equal(chosen, random_units(50, 10, besides=range(20), random_state=3))
    assert set(chosen) != set(random_units(50, 10, besides=range(20), random_state=4))


def test_contiguous_controls_are_the_nearest_around_a_place():
    sheet = grid_sheet("l", 100)
    for seed in range(5):
        chosen = contiguous_units(sheet, 9, random_state=seed)
        apart = sheet.distances(chosen)
        assert len(chosen) == 9
        assert apart.max() <= 6  # a corner's nine: 0 ... 3 along an edge
        assert (np.sort(apart, axis=1)[:, 1] == 1).all()
    torus = grid_sheet("l", 100, periodic=True)
    assert all(torus.distances(contiguous_units(torus, 9, random_state=seed)).max() < 3 for seed in range(10))


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: Lesion("conv", []), "names no units"),
        (lambda: Lesion("conv", [-1]), "negative"),
        (lambda: Lesion("conv", [1], "cut"), "'silence', 'scale' or 'shuffle', not 'cut'"),
        (lambda: Lesion("conv", [1], "shuffle"), "shuffles one unit"),
        (lambda: random_units(5, 6), "6 units cannot be drawn from 5"),
        (lambda: contiguous_units(grid_sheet("l", 9), 9, besides=[1]), "9 units cannot be drawn from 8"),
    ],
)
def test_mistakes(make, message):
    with pytest.raises(UserError, match=message):
        make()


def test_a_unit_or_layer_that_is_not_there():
    net = Net()
    with pytest.raises(UserError, match="unknown layer of Net 'convv': did you mean 'conv'"), lesions_in(
        net, Lesion("convv", [1])
    ):  # fmt: skip
        pass
    with pytest.raises(UserError, match="names unit 6 of layer 'conv', which has 6"), lesions_in(
        net, Lesion("conv", [6])
    ):  # fmt: skip
        net(X)
