"""A dictionary finds what was planted, and goes on after a kill as if there had been none."""

import json

import numpy as np
import pytest
import torch
from planted_rows import correlated, of_each, superposed, unexplained

from brodmann.analysis.interpretability.dictionary import Dictionary
from brodmann.analysis.interpretability.learning.learner import Learner
from brodmann.analysis.interpretability.learning.revival import resample, revival_loss
from brodmann.analysis.interpretability.learning.rows import rows_of, write_rows
from brodmann.analysis.interpretability.learning.settings import (
    Seeds,
    Settings,
    bytes_needed,
    number_of_features,
)
from brodmann.analysis.interpretability.learning.training import train_dictionary
from brodmann.analysis.interpretability.variants.base import Batch
from brodmann.errors import UserError


@pytest.mark.slow
def test_superposed_features_are_found_and_seeds_agree():
    """320 features in 96 units, 512 asked for: 1.6 M rows."""
    n = 1_600_000
    rows, truth = superposed(n + 20_000)
    held_out, learnt = rows[n:], []
    for init in (12, 14):
        one = train_dictionary(rows[:n], Settings(512, 6, seeds=Seeds(init, 13, 11), n_rows=n))
        codes = one.encode(held_out)
        firing = torch.bincount(codes.indices[codes.values > 0], minlength=512) > 0
        assert unexplained(one, held_out) == pytest.approx(0.16, abs=0.02)
        assert 1 - firing.float().mean() < 0.1
        cosines = of_each(truth, one.weights.decoder)
        assert of_each(one.weights.decoder[firing], truth).mean() >= 0.84
        assert cosines.mean() >= 0.84
        assert (cosines > 0.9).float().mean() >= 0.7
        learnt.append(one.weights.decoder[firing])
    assert of_each(learnt[0], learnt[1]).mean() >= 0.72
    untrained = torch.randn(512, 96, generator=torch.Generator().manual_seed(5))
    assert of_each(truth, untrained).mean() < 0.4


def test_features_that_come_together_with_heavy_tails_are_found():
    rows, truth = correlated(310_000)
    settings = Settings(192, 5, seeds=Seeds(1, 2, 21), n_rows=600_000, batch_size=512, learning_rate=3e-3)
    one = train_dictionary(rows[:300_000], settings)
    cosines = of_each(truth, one.weights.decoder)
    assert unexplained(one, rows[300_000:]) < 0.12
    assert cosines.mean() > 0.9
    assert (cosines > 0.9).float().mean() > 0.75
    assert of_each(truth, torch.randn(192, 48, generator=torch.Generator().manual_seed(5))).mean() < 0.5


def test_data_and_weights_of_one_seed_are_refused():
    with pytest.raises(UserError, match="begins at the truth"):
        Settings(64, 2, seeds=Seeds(11, 13, 11))
    rows, _ = superposed(1000)
    with pytest.raises(UserError, match="begins at the truth"):
        train_dictionary(rows_of(rows, data_seed=11), Settings(64, 2, seeds=Seeds(11, 13), n_rows=1000))


@pytest.fixture(scope="module")
def small():
    return superposed(20_000, n_features=48, n_units=24, p=0.04)[0]


@pytest.mark.parametrize("variant", ["topk", "batchtopk", "relu", "jumprelu", "gated", "skip", "sheeted"])
def test_a_training_that_is_killed_goes_on_to_the_same_digits(small, tmp_path, variant):
    settings = Settings(64, 3, variant, Seeds(1, 2), n_rows=40 * 500, batch_size=500, dead_after=3000)
    targets = {"targets": small.roll(1, 1)} if variant == "skip" else {}
    whole = train_dictionary(small, settings, **targets)

    def killed(step, seen):
        if step == 23:
            raise KeyboardInterrupt

    keep = {"checkpoint": tmp_path / "state", "seconds_between": 0.0}
    with pytest.raises(KeyboardInterrupt):
        train_dictionary(small, settings, watch=killed, **keep, **targets)
    assert json.loads((tmp_path / "state" / "state.json").read_text())["step"] == 22
    steps = []
    resumed = train_dictionary(small, settings, watch=lambda step, _: steps.append(step), **keep, **targets)
    assert steps == list(range(23, 41))
    assert resumed.digest == whole.digest
    assert resumed.facts == whole.facts


def test_a_state_of_another_training_or_a_damaged_one_is_refused(small, tmp_path):
    settings = Settings(64, 3, n_rows=5000, batch_size=500)
    keep = {"checkpoint": tmp_path / "state", "seconds_between": 0.0}
    train_dictionary(small, settings, **keep)
    with pytest.raises(UserError, match="other settings or other rows"):
        train_dictionary(small, Settings(64, 4, n_rows=5000, batch_size=500), **keep)
    with pytest.raises(UserError, match="other settings or other rows"):
        train_dictionary(small + 1, settings, **keep)
    path = tmp_path / "state" / "state.safetensors"
    path.write_bytes(path.read_bytes()[:-8] + b"12345678")
    with pytest.raises(UserError, match="damaged"):
        train_dictionary(small, settings, **keep)


def test_rows_on_disk_give_the_dictionary_of_rows_in_memory(small, tmp_path):
    settings = Settings(64, 3, n_rows=20_000, batch_size=500)
    filed = write_rows(small.split(999), tmp_path / "rows", precision="fp32")
    assert train_dictionary(filed, settings).digest == train_dictionary(small.numpy(), settings).digest


def test_where_rows_lie_and_how_long_they_are_changes_nothing(small):
    """Features are found in the centred and scaled space; what is kept takes and gives the layer's own rows."""
    settings = Settings(64, 3, n_rows=40_000, batch_size=500, precision="fp32")
    plain, moved = train_dictionary(small, settings), train_dictionary(small * 40 + 7, settings)
    assert unexplained(moved, small * 40 + 7) == pytest.approx(unexplained(plain, small), rel=0.02)
    assert of_each(plain.weights.decoder, moved.weights.decoder).mean() > 0.98


def test_a_dictionary_is_written_and_read(small, tmp_path):
    one = train_dictionary(small, Settings(64, 3, seeds=Seeds(4, 5, 11), n_rows=5000, batch_size=500))
    again = Dictionary.load(one.save(tmp_path / "a.features"))
    assert again.digest == one.digest
    assert again.facts["seeds"] == {"init": 4, "batch": 5, "data": 11}
    assert again.facts["rows"]["seen"] == 5000


def test_decoders_stay_at_norm_one_and_steps_never_go_along_them(small):
    learner = Learner(Settings(64, 3, n_rows=10_000, batch_size=500), 24, 24, len(small))
    rows = rows_of(small)
    for _ in range(5):
        x = rows.scaled(np.arange(500))
        learner.step(x, x)
        assert torch.allclose(learner.weights.decoder.detach().norm(dim=1), torch.ones(64), atol=1e-6)


def test_a_step_is_that_of_dense_autograd(small):
    """One whole step: loss, projection, clipping, Adam, against plain products and a dense code."""
    settings = Settings(64, 3, seeds=Seeds(3, 4), n_rows=10_000, batch_size=500, precision="fp32", warm_up=1)
    learner = Learner(settings, 24, 24, len(small))
    encoder, decoder = (
        one.detach().clone().requires_grad_() for one in (learner.weights.encoder, learner.weights.decoder)
    )
    encoder_bias, bias = torch.zeros(64, requires_grad=True), torch.zeros(24, requires_grad=True)
    x = rows_of(small).scaled(np.arange(500))
    learner.step(x, x)
    answers = (x - bias) @ encoder.T + encoder_bias
    values, indices = answers.topk(3)
    made = torch.zeros_like(answers).scatter(1, indices, values.relu()) @ decoder + bias
    loss = (x - made).square().sum(1).mean() / (x - x.mean(0)).square().sum(1).mean()
    loss.backward()
    decoder.grad -= (decoder.grad * decoder.detach()).sum(1, keepdim=True) * decoder.detach()
    leaves = [encoder, decoder, encoder_bias, bias]
    torch.nn.utils.clip_grad_norm_(leaves, 1.0)
    torch.optim.Adam(leaves, lr=settings.rate(0), betas=(0.9, 0.999), eps=6e-10).step()
    with torch.no_grad():
        decoder /= decoder.norm(dim=1, keepdim=True)
    w = learner.weights
    for ours, dense in zip((w.encoder, w.decoder, w.encoder_bias, w.bias), leaves, strict=True):
        moved = (ours - dense).abs() > 1e-4 * dense.abs().mean()
        assert (
            moved.float().mean() < 0.01
        )  # Adam's first step is a sign: it turns where a gradient is about zero


def test_dead_features_are_counted_in_rows_and_revived(small):
    """Biases far below zero kill features; AuxK brings them back, and without it they stay dead."""
    never = {}
    for revival in (0.0, 1 / 32):
        settings = Settings(
            64, 3, n_rows=150_000, batch_size=500, dead_after=5000, revival=revival, learning_rate=3e-3
        )
        learner = Learner(settings, 24, 24, len(small))
        with torch.no_grad():
            learner.weights.encoder_bias[:30] = -6.0
        rows = rows_of(small)
        x = rows.scaled(np.arange(500))
        for _ in range(9):
            learner.step(x, x)
        assert len(learner.dead) == 0
        learner.step(x, x)
        assert set(range(30)) <= set(learner.dead.tolist())
        for step in range(200):
            x = rows.scaled(np.arange(500) + 500 * (step % 40))
            learner.step(x, x)
        never[revival] = len(learner.dead)
    assert never[0.0] >= 25
    assert never[1 / 32] <= 16


def test_revival_leaves_the_living_alone_and_equals_its_definition(small):
    learner = Learner(Settings(64, 3, n_rows=5000), 24, 24, len(small))
    w, x = learner.weights, rows_of(small).scaled(np.arange(400))
    residual = (x * 0.5 + 0.1).requires_grad_()
    dead = torch.arange(40, 64)
    loss = revival_loss(w, x, residual, dead)
    answers = (x - w.bias.detach()) @ w.encoder.T
    hidden = torch.full_like(answers, -torch.inf)
    hidden[:, 40:] = answers[:, 40:]
    values, indices = hidden.topk(12)
    made = torch.zeros_like(answers).scatter(1, indices, values) @ w.decoder
    exact = residual.detach()
    wanted = (exact - made).square().sum() / (exact - exact.mean(0)).square().sum()
    assert loss.item() == pytest.approx(wanted.item(), rel=1e-5)
    few = revival_loss(w, x, residual, dead[:3])
    assert few.item() <= 3 / 12 * 1.5
    loss.backward()
    assert residual.grad is None
    assert w.decoder.grad[:40].abs().sum() == 0
    assert w.decoder.grad[40:].abs().sum() > 0
    assert w.bias.grad is None


def test_resampling_takes_badly_explained_rows_and_clears_their_moments(small):
    learner = Learner(Settings(64, 3, "relu", n_rows=50_000, batch_size=500), 24, 24, len(small))
    x = rows_of(small).scaled(np.arange(500))
    learner.step(x, x)
    losses = torch.zeros(500)
    losses[[7, 90]] = torch.tensor([1.0, 3.0])
    dead = torch.tensor([0, 5, 9, 11, 20, 21, 22, 23, 24, 25])
    moments = learner._moments()
    resample(learner.weights, moments, x, losses, dead, torch.Generator().manual_seed(0))
    centred = torch.nn.functional.normalize(x - learner.weights.bias.detach(), dim=1)
    likeness = learner.weights.decoder[dead].detach() @ centred[[7, 90]].T
    assert torch.allclose(likeness.max(1).values, torch.ones(10))
    assert likeness[:, 0].min() < 0.9
    assert (likeness.argmax(1) == 1).sum() >= 6  # drawn nine times as often
    living = [i for i in range(64) if i not in dead.tolist()]
    size = learner.weights.encoder[living].detach().norm(dim=1).mean()
    assert torch.allclose(learner.weights.encoder[dead].detach().norm(dim=1), 0.2 * size, rtol=1e-5)
    for name in ("encoder", "decoder", "encoder_bias"):
        assert all(float(one[dead].abs().sum()) == 0 < float(one.abs().sum()) for one in moments[name])


def test_the_rate_rises_stays_and_falls():
    settings = Settings(4096, 16, n_rows=2048 * 1000)
    rates = [settings.rate(step) for step in range(1000)]
    assert max(rates) == pytest.approx(2e-4 * 2)
    assert rates[0] == pytest.approx(max(rates) / 100)
    assert rates[99] == max(rates) == rates[799]
    assert rates[900] == pytest.approx(max(rates) / 2, rel=0.01)
    assert 0 < rates[999] < max(rates) / 100


@pytest.mark.parametrize(("text", "number"), [("4096", 4096), ("8x", 2048), ("256X", 65536), (" 1x", 256)])
def test_the_number_of_features_is_a_number_or_a_multiple(text, number):
    assert number_of_features(text, 256) == number


@pytest.mark.parametrize("text", ["", "x", "0", "0x", "257x", "-3", "1e4", "8 x", "9999999999"])
def test_other_numbers_of_features_are_refused(text):
    with pytest.raises(UserError):
        number_of_features(text, 256)


def test_what_would_not_fit_is_refused_before_it_starts(small, monkeypatch):
    settings = Settings(1 << 17, 3, n_rows=5000)
    needed = bytes_needed(settings, 24, 24, dense=False)
    assert needed > 4 * 2 * (1 << 17) * 24 * 4
    assert bytes_needed(settings, 24, 24, dense=True) > 4 * needed
    monkeypatch.setenv("BRODMANN_MEMORY_GB", "0.1")
    with pytest.raises(UserError, match="fewer --features"):
        train_dictionary(small, settings)


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"active": 100}, "ask for fewer"),
        ({"n_features": 0}, "at least 1"),
        ({"precision": "fp8"}, "not one of"),
        ({"seeds": Seeds(3, 1, None), "decay": 2}, "a share"),
        ({"learning_rate": -1.0}, "learning_rate"),
        ({"penalty": -1.0}, "penalty"),
        ({"revival": float("nan")}, "revival"),
        ({"dead_after": -5}, "dead_after"),
        ({"warm_up": -3}, "warm_up"),
        ({"batch_size": 1}, "at least 2"),
    ],
)
def test_mistakes_are_named(change, says):
    with pytest.raises(UserError, match=says):
        Settings(**{"n_features": 64, "active": 3, **change})


def test_targets_belong_to_transcoders(small):
    with pytest.raises(UserError, match="needs targets"):
        train_dictionary(small, Settings(64, 3, "transcoder", n_rows=500))
    with pytest.raises(UserError, match="takes no targets"):
        train_dictionary(small, Settings(64, 3, n_rows=500), targets=small)
    with pytest.raises(UserError, match="one target a row"):
        train_dictionary(small, Settings(64, 3, "skip", n_rows=500), targets=small[:-1])


def test_a_batch_of_one_row_repeated_has_no_variance_and_is_no_trouble():
    x = torch.ones(4, 3)
    batch = Batch(x, x, Learner(Settings(8, 2), 3, 3, 10).weights, 2)
    assert batch.spread.item() == 0
