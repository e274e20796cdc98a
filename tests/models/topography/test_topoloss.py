"""TopoLoss: the values of its authors' package, smooth and random sheets, and the network they trained."""

import numpy as np
import pytest
import torch
from safetensors.torch import load_file
from torch import nn

from brodmann import UserError
from brodmann.models.sheet import grid_sheet
from brodmann.models.topography.topoloss import (
    TopoLoss,
    _blur,
    cosine_decay,
    incoming_weights,
    linear_warm_up,
    neighbor_similarity,
    spatial_correlation_loss,
    topographic_loss,
)

# printed by topoloss 0.0.2: factor, layer -> loss, norm of its gradient, one entry of it
REFERENCE = {
    (2.0, "fc1"): (0.559702814, 1.079759374e-02, 2.662296174e-05),
    (2.0, "fc2"): (0.547672391, 2.037397819e-03, -1.301907332e-06),
    (2.0, "conv"): (0.541442096, 1.326536480e-02, 2.422242324e-05),
    (3.0, "fc1"): (0.902076721, 1.558746211e-02, -5.604106627e-05),
    (3.0, "fc2"): (0.914530575, 3.019726602e-03, -2.402299742e-06),
    (3.0, "conv"): (0.943915009, 1.950739138e-02, 2.918699756e-04),
    (8.0, "fc1"): (0.967363894, 1.605882868e-02, 9.075574781e-06),
    (8.0, "fc2"): (0.971434057, 3.099892754e-03, -3.007606210e-06),
    (8.0, "conv"): (0.980746865, 1.882510446e-02, 2.594665566e-04),
}


def network():
    generator = torch.Generator().manual_seed(0)
    layers = nn.ModuleDict(
        {"fc1": nn.Linear(30, 256), "fc2": nn.Linear(256, 768), "conv": nn.Conv2d(3, 64, 5)}
    )
    with torch.no_grad():
        for layer in layers.values():
            layer.weight.copy_(torch.randn(layer.weight.shape, generator=generator))
    return layers


@pytest.mark.parametrize(("factor", "layer"), REFERENCE)
def test_value_and_gradient_are_those_of_the_topoloss_package(factor, layer):
    layers = network()
    loss = TopoLoss([layer], factor=factor)(layers)
    loss.backward()
    gradient = layers[layer].weight.grad
    value, norm, entry = REFERENCE[factor, layer]
    assert loss.item() == pytest.approx(value, abs=1e-6)
    assert gradient.norm().item() == pytest.approx(norm, rel=1e-4)
    assert gradient.flatten()[7].item() == pytest.approx(entry, rel=1e-3)
    assert layers[layer].bias.grad is None


def test_a_constant_sheet_is_smooth_and_a_gpt2_layer_is_read_transposed():
    from transformers.pytorch_utils import Conv1D

    assert topographic_loss(torch.ones(256, 5)).item() == pytest.approx(0, abs=1e-6)
    layer = Conv1D(64, 16)  # 16 inputs, 64 units
    assert incoming_weights(layer).shape == (64, 16)
    with pytest.raises(UserError, match="ReLU has no weights"):
        incoming_weights(nn.ReLU())


def test_training_with_it_smooths_the_sheet():
    torch.manual_seed(0)
    layers = network()
    loss = TopoLoss(["fc1", "fc2"], tau=2.0)
    optimizer = torch.optim.Adam(layers.parameters(), lr=0.05)
    before = {name: value.item() for name, value in loss.per_layer(layers).items()}
    for _ in range(40):
        optimizer.zero_grad()
        loss(layers).backward()
        optimizer.step()
    after = {name: value.item() for name, value in loss.per_layer(layers).items()}
    assert all(after[name] < 0.5 * before[name] for name in before)
    assert loss(layers).item() == pytest.approx(2.0 * sum(after.values()) / 2)


def test_the_authors_network_became_topographic(test_weights):
    """Cosine of incoming weights by sheet distance: flat before training, falling after; and the loss with it."""
    folder = test_weights / "topo-mlp-mnist"
    near, far, losses = {}, {}, {}
    for name in ("000_initial", "002_dataset-5x"):
        weights = load_file(folder / f"{name}.safetensors")["net.0.weight"]
        unit = nn.functional.normalize(weights).numpy()
        apart = grid_sheet("net.0", 256, layout="native").distances()
        cosine = unit @ unit.T
        near[name] = cosine[(apart > 0) & (apart <= 1)].mean()
        far[name] = cosine[apart > 8].mean()
        losses[name] = topographic_loss(weights).item()
    assert near["000_initial"] == pytest.approx(0, abs=0.02)
    assert near["002_dataset-5x"] == pytest.approx(0.872, abs=0.005)
    assert far["002_dataset-5x"] == pytest.approx(0, abs=0.02)
    assert losses["002_dataset-5x"] < 0.3 < 0.8 < losses["000_initial"]


def test_schedules_begin_and_end_where_they_should():
    layers = network()
    start, full = TopoLoss(["fc1"], schedule=linear_warm_up), TopoLoss(["fc1"])
    assert start(layers, 0.0).item() == 0
    assert start(layers, 0.5).item() == pytest.approx(full(layers).item() / 2)
    assert [cosine_decay(x) for x in (0.0, 0.5, 1.0)] == pytest.approx([1, 0.5, 0])


def test_the_spatial_correlation_loss_prefers_close_units_that_answer_alike():
    apart = torch.from_numpy(grid_sheet("fc", 36).distances()).float()
    generator = torch.Generator().manual_seed(0)
    smooth = torch.linalg.cholesky(torch.exp(-apart) + 1e-4 * torch.eye(36)) @ torch.randn(
        36, 500, generator=generator
    )
    noise = torch.randn(500, 36, generator=generator)
    assert spatial_correlation_loss(smooth.T, apart).item() < 0.05
    assert spatial_correlation_loss(noise, apart).item() == pytest.approx(0.5, abs=0.05)
    similarity = np.corrcoef(noise.numpy().T)[np.tril_indices(36, -1)]
    nearness = 1 / (1 + apart.numpy()[np.tril_indices(36, -1)])
    expected = (1 - np.corrcoef(similarity, nearness)[0, 1]) / 2
    assert spatial_correlation_loss(noise, apart).item() == pytest.approx(expected, abs=1e-6)


def test_mistakes_are_one_line():
    with pytest.raises(UserError, match="unknown layer 'fc3'"):
        TopoLoss(["fc3"])(network())
    with pytest.raises(UserError, match="do not fill a sheet of 3 x 3"):
        topographic_loss(torch.ones(8, 2), (3, 3))
    with pytest.raises(UserError, match="cannot be downsampled by 3"):
        topographic_loss(torch.ones(97, 2))
    with pytest.raises(UserError, match="do not fit 4 units"):
        spatial_correlation_loss(torch.ones(5, 4), torch.ones(3, 3))


@pytest.mark.parametrize("factor", [2.0, 3.0, 4.0])
@pytest.mark.parametrize(("n_units", "n_inputs"), [(64, 9), (128, 27), (96, 50), (768, 64), (1000, 8)])
def test_value_and_gradient_beside_the_package_itself(factor, n_units, n_inputs):
    """In an environment of its own (tox -e topoloss), because the package pins typeguard < 3."""
    topoloss = pytest.importorskip("topoloss", reason="topoloss is not installed: tox -e topoloss")
    torch.manual_seed(0)
    net = nn.Sequential(nn.Linear(n_inputs, n_units))
    term = topoloss.LaplacianPyramid.from_layer(net, net[0], factor_h=factor, factor_w=factor, scale=1.0)
    theirs = topoloss.TopoLoss([term]).compute(net)
    theirs.backward()
    gradient = net[0].weight.grad.clone()
    net.zero_grad()
    ours = TopoLoss(["0"], factor=factor)(net)
    ours.backward()
    assert ours.item() == pytest.approx(theirs.item(), abs=1e-6)
    torch.testing.assert_close(net[0].weight.grad, gradient, atol=1e-6, rtol=1e-4)


def test_schedules_and_neighbour_similarity():
    sheet = grid_sheet("l", 64)
    smooth = torch.from_numpy(np.stack([np.ones(64), 0.1 * sheet.positions[:, 0]], axis=1))
    assert float(neighbor_similarity(smooth)) > 0.98
    assert abs(float(neighbor_similarity(torch.randn(64, 500)))) < 0.02
    checked = torch.tensor([[1.0], [-1.0]]).repeat(32, 1).reshape(8, 8, 1)
    checked[1::2] *= -1
    assert float(neighbor_similarity(checked.reshape(64, 1))) == pytest.approx(-1)


def test_the_blur_is_bilinear_down_and_up_again_by_hand():
    """6 cells by 3: means of the middle cells 1 and 4, then back at -1/3, 0, 1/3, 2/3, 1 between them, ends held."""
    down = np.zeros((2, 6))
    down[0, 1] = down[1, 4] = 1.0
    share = np.array([0, 0, 1 / 3, 2 / 3, 1, 1])
    expected = np.stack([1 - share, share], axis=1) @ down
    np.testing.assert_allclose(_blur(6, 3.0).numpy(), expected, atol=1e-12)
    np.testing.assert_allclose(_blur(5, 1.0).numpy(), np.eye(5), atol=1e-12)


def test_the_loss_is_1_less_the_mean_cosine_to_the_blurred_sheet():
    weights = torch.from_numpy(np.random.default_rng(0).normal(size=(24, 3)))
    blurred = torch.einsum("ab,cd,bdk->ack", _blur(4, 2.0), _blur(6, 2.0), weights.reshape(4, 6, 3)).reshape(
        24, 3
    )
    cosines = (weights * blurred).sum(dim=1) / weights.norm(dim=1) / blurred.norm(dim=1)
    assert float(topographic_loss(weights, (4, 6), 2.0)) == pytest.approx(1 - float(cosines.mean()))
    assert float(topographic_loss(weights)) == pytest.approx(float(topographic_loss(weights, (4, 6), 3.0)))
    for factor in (0.9, 4.1):
        with pytest.raises(UserError, match=f"a sheet of 4 x 6 cannot be downsampled by {factor:g}"):
            topographic_loss(weights, (4, 6), factor)
    with pytest.raises(UserError, match="24 units do not fill a sheet of 5 x 5"):
        topographic_loss(weights, (5, 5))
    assert np.isfinite(float(topographic_loss(weights, (4, 6), 4.0)))
    assert float(topographic_loss(weights, (4, 6), 1.0)) == pytest.approx(0, abs=1e-12)


def test_neighbours_are_alike_by_the_mean_cosine_along_rows_and_columns():
    """2 x 3 units of angle 0, 60, 60 / 90, 90, 150 degrees and any length: seven pairs."""
    angle = torch.deg2rad(torch.tensor([0.0, 60.0, 60.0, 90.0, 90.0, 150.0], dtype=torch.float64))
    length = torch.tensor([1.0, 5.0, 0.1, 2.0, 3.0, 7.0], dtype=torch.float64)
    weights = length[:, None] * torch.stack([torch.cos(angle), torch.sin(angle)], dim=1)
    apart = np.array([60, 0, 0, 60, 90, 30, 90])
    expected = np.cos(np.deg2rad(apart)).mean()
    assert float(neighbor_similarity(weights, (2, 3))) == pytest.approx(expected)
    assert float(neighbor_similarity(weights)) == pytest.approx(expected)


def test_tau_times_the_mean_over_layers_by_the_schedule():
    torch.manual_seed(0)
    network = nn.Sequential(nn.Linear(5, 16), nn.Conv2d(2, 9, 3)).requires_grad_(requires_grad=False)
    each = TopoLoss(["0", "1"]).per_layer(network)
    assert list(each) == ["0", "1"]
    for name, module in zip("01", network, strict=True):
        assert each[name] == topographic_loss(incoming_weights(module))
    mean = float((each["0"] + each["1"]) / 2)
    assert float(TopoLoss(["0", "1"])(network)) == pytest.approx(mean)
    assert float(TopoLoss(["0", "1"], tau=7.0)(network, 0.25)) == pytest.approx(7 * mean)
    assert float(TopoLoss(["0", "1"], 2.0, schedule=linear_warm_up)(network, 0.25)) == pytest.approx(mean / 2)
    assert float(TopoLoss(["0", "1"], 2.0, schedule=linear_warm_up)(network)) == 0
    softer = TopoLoss(["0"], factor=2.0)(network)
    assert float(softer) == pytest.approx(float(topographic_loss(network[0].weight, factor=2.0)))
    with pytest.raises(UserError, match="layer '2'"):
        TopoLoss(["0", "2"])(network)


def test_schedules_are_held_at_their_ends():
    assert [linear_warm_up(x) for x in (-1.0, 0.0, 0.25, 1.0, 3.0)] == [0, 0, 0.25, 1, 1]
    assert [cosine_decay(x) for x in (-1.0, 0.0, 0.5, 1.0, 3.0)] == pytest.approx([1, 1, 0.5, 0, 0])


def test_the_spatial_loss_by_hand():
    rng = np.random.default_rng(0)
    responses, places = rng.normal(size=(12, 4)), rng.uniform(0, 3, (4, 2))
    distances = np.linalg.norm(places[:, None] - places, axis=-1)
    rows = np.tril_indices(4, -1)
    r = np.corrcoef(np.corrcoef(responses.T)[rows], 1 / (1 + distances[rows]))[0, 1]
    found = spatial_correlation_loss(torch.from_numpy(responses), torch.from_numpy(distances))
    assert float(found) == pytest.approx((1 - r) / 2)
    three = spatial_correlation_loss(torch.from_numpy(responses[:, :3]), torch.from_numpy(distances[:3, :3]))
    assert np.isfinite(float(three))
    for n, shape in ((2, (2, 2)), (4, (3, 4))):
        with pytest.raises(
            UserError, match=rf"distances of shape \({shape[0]}, {shape[1]}\) do not fit {n} units"
        ):
            spatial_correlation_loss(torch.ones(5, n), torch.ones(shape))


def test_weights_of_a_wrapped_convolution_and_of_gpt2_lie_in_rows_of_units():
    class Blurred(nn.Module):
        def __init__(self):
            super().__init__()
            self.conv = nn.Conv2d(2, 4, 3)

    class Conv1D(nn.Module):
        def __init__(self):
            super().__init__()
            self.weight = nn.Parameter(torch.arange(6.0).reshape(2, 3))

    wrapped = Blurred()
    torch.testing.assert_close(incoming_weights(wrapped), wrapped.conv.weight.reshape(4, 18))
    torch.testing.assert_close(incoming_weights(Conv1D()), torch.arange(6.0).reshape(2, 3).T)
    for module in (nn.ReLU(), nn.LayerNorm(4)):
        with pytest.raises(UserError, match=f"{type(module).__name__} has no weights to lay on a sheet"):
            incoming_weights(module)
