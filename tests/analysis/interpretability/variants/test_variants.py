"""Every variant learns what was planted, says at inference what its definition says, and keeps what it needs."""

from dataclasses import replace

import pytest
import torch
from planted_rows import of_each, superposed, unexplained

from brodmann.analysis.interpretability.codes import Weights
from brodmann.analysis.interpretability.dictionary import Dictionary
from brodmann.analysis.interpretability.learning.settings import Seeds, Settings
from brodmann.analysis.interpretability.learning.training import train_dictionary
from brodmann.analysis.interpretability.variants.base import VARIANTS, Batch
from brodmann.analysis.interpretability.variants.batchtopk import largest_of_batch
from brodmann.analysis.interpretability.variants.matryoshka import prefixes
from brodmann.analysis.interpretability.variants.sheeted import blocks, sheet_of

N = 200_000
LEAST = {  # cosine of the true features with the nearest learnt one, and the most variance left
    "topk": (0.95, 0.22), "batchtopk": (0.93, 0.12), "matryoshka": (0.85, 0.25), "sheeted": (0.92, 0.25),
    "jumprelu": (0.93, 0.12), "gated": (0.85, 0.45), "relu": (0.85, 0.9), "transcoder": (0.8, 0.4),
    "skip": (0.55, 0.35),
}  # fmt: skip


@pytest.fixture(scope="module")
def planted():
    rows, truth = superposed(N + 10_000, n_features=64, n_units=48, p=0.03)
    return rows[:N], rows[N:], truth


@pytest.fixture(scope="module")
def learnt(planted):
    """Each variant once. A transcoder makes of each feature another direction, of another number of units."""
    rows, _, truth = planted
    found = {}

    def of(variant):
        if variant not in found:
            settings = Settings(
                128,
                2,
                variant,
                Seeds(12, 13, 11),
                n_rows=300_000,
                batch_size=512,
                learning_rate=3e-3,
                precision="fp32",
            )
            transcodes = VARIANTS[variant].learning.transcodes
            given = {"targets": made_of(rows, truth)} if transcodes else {}
            found[variant] = train_dictionary(rows, settings, **given)
        return found[variant]

    return of


def turned(truth):
    return torch.randn(len(truth), 40, generator=torch.Generator().manual_seed(99)) / 40**0.5


def made_of(rows, truth):
    """What a block would make: each feature read off by its direction, its size saturating, written elsewhere."""
    return torch.tanh((rows @ truth.T - 0.35).relu() * 2) @ turned(truth)


def test_all_variants_are_there():
    wanted = {
        "topk",
        "batchtopk",
        "relu",
        "jumprelu",
        "gated",
        "matryoshka",
        "frozen",
        "sheeted",
        "transcoder",
        "skip",
    }
    assert wanted <= set(VARIANTS)


@pytest.mark.parametrize("variant", sorted(LEAST))
def test_what_was_planted_is_found(variant, planted, learnt):
    _rows, held_out, truth = planted
    one, (cosine, left) = learnt(variant), LEAST[variant]
    transcodes = VARIANTS[variant].learning.transcodes
    made = made_of(held_out, truth) if transcodes else None
    assert of_each(turned(truth) if transcodes else truth, one.weights.decoder).mean() > cosine
    assert unexplained(one, held_out, made) < left


def test_a_frozen_decoder_finds_nothing_and_still_explains_some(planted, learnt):
    _, held_out, truth = planted
    frozen, topk = learnt("frozen"), learnt("topk")
    begun = torch.nn.functional.normalize(
        torch.randn(128, 48, generator=torch.Generator().manual_seed(12)), dim=1
    )
    assert torch.allclose(frozen.weights.decoder, begun, atol=1e-6)
    assert of_each(truth, frozen.weights.decoder).mean() < 0.5
    assert unexplained(topk, held_out) + 0.3 < unexplained(frozen, held_out) < 0.95


@pytest.mark.parametrize("variant", sorted({*LEAST, "frozen"}))
def test_a_row_has_the_code_that_it_has_among_others(variant, planted, learnt):
    one, rows = learnt(variant), planted[1][:50]
    together = one.encode(rows).dense()
    alone = torch.cat([one.encode(row[None]).dense() for row in rows])
    assert torch.allclose(together, alone, atol=1e-4)
    assert together.min() >= 0


@pytest.mark.parametrize("variant", ["batchtopk", "matryoshka"])
def test_a_threshold_keeps_the_number_of_active_features(variant, planted, learnt):
    codes = learnt(variant).encode(planted[1])
    counts = (codes.values > 0).sum(1).float()
    assert counts.mean().item() == pytest.approx(2, rel=0.05)
    assert counts.std() > 0.5


@pytest.mark.parametrize("variant", ["relu", "gated", "jumprelu"])
def test_a_penalty_leads_to_the_number_of_active_features(variant, planted, learnt):
    codes = learnt(variant).encode(planted[1])
    assert (codes.values > 0).sum(1).float().mean().item() == pytest.approx(2, rel=0.4)


@pytest.mark.parametrize("variant", ["relu", "gated"])
def test_a_penalty_that_is_given_stays(variant, planted):
    few, many = (
        train_dictionary(
            planted[0][:50_000],
            Settings(128, 2, variant, n_rows=60_000, batch_size=512, learning_rate=3e-3, penalty=penalty),
        )
        for penalty in (0.06, 0.004)
    )
    counts = [(one.encode(planted[1]).values > 0).sum(1).float().mean() for one in (few, many)]
    assert counts[0] < 0.7 * counts[1]


@pytest.mark.parametrize("variant", sorted({*LEAST, "frozen"}))
def test_each_is_written_and_read(variant, planted, learnt, tmp_path):
    one = learnt(variant)
    again = Dictionary.load(one.save(tmp_path / "a.features"))
    assert again.digest == one.digest
    assert torch.equal(again.reconstruct(planted[1][:20]), one.reconstruct(planted[1][:20]))


def random_batch(n_features=64, **beside):
    generator = torch.Generator().manual_seed(0)
    x = torch.randn(100, 16, generator=generator)
    shapes = ((n_features, 16), (n_features, 16), (n_features,), (16,))
    leaves = [torch.randn(shape, generator=generator).requires_grad_() for shape in shapes]
    return Batch(x, x, Weights(*leaves, k=3), 3, **beside)


def dense_batch_code(batch):
    w = batch.weights
    answers = (batch.x - w.bias) @ w.encoder.T + w.encoder_bias
    least = answers.detach().flatten().topk(batch.active * len(batch.x)).values[-1]
    return torch.where(answers >= least, answers, 0.0).relu(), least


def gradients(batch, loss):
    w = batch.weights
    return torch.autograd.grad(loss, [w.encoder, w.decoder, w.encoder_bias, w.bias], retain_graph=True)


def same(ours, dense):
    return all(((a - b).norm() / b.norm()).item() < 1e-4 for a, b in zip(ours, dense, strict=True))


def test_batchtopk_takes_the_largest_of_the_batch():
    batch = random_batch()
    with torch.no_grad():
        batch.weights.encoder[:] *= torch.linspace(0.1, 3, 64)[:, None]
        batch.x[:4] *= 10  # rows that take far more than their share
    code, least = dense_batch_code(batch)
    values, chosen, _indices, _ = largest_of_batch(batch)
    assert chosen.sum().item() == 300
    assert chosen.sum(1).max() > 4 * 3
    assert values[chosen].min().item() == pytest.approx(least.item(), rel=1e-5)
    outcome = VARIANTS["batchtopk"].learning.run(batch)
    made = code @ batch.weights.decoder + batch.weights.bias
    loss = (batch.x - made).square().sum() / (batch.x - batch.x.mean(0)).square().sum()
    assert outcome.loss.item() == pytest.approx(loss.item(), rel=1e-5)
    assert same(gradients(batch, outcome.loss), gradients(batch, loss))


def test_matryoshka_is_the_mean_over_prefixes_of_one_choice():
    batch = random_batch()
    code, _ = dense_batch_code(batch)
    outcome = VARIANTS["matryoshka"].learning.run(batch)
    assert prefixes(64) == [4, 8, 16, 32, 64]
    spread = (batch.x - batch.x.mean(0)).square().sum()
    each = [
        (batch.x - code[:, :end] @ batch.weights.decoder[:end] - batch.weights.bias).square().sum() / spread
        for end in prefixes(64)
    ]
    loss = torch.stack(each).mean()
    assert outcome.loss.item() == pytest.approx(loss.item(), rel=1e-5)
    assert same(gradients(batch, outcome.loss), gradients(batch, loss))


def test_early_features_of_a_matryoshka_explain_more_on_their_own(planted, learnt):
    held_out = planted[1]

    def by_the_first(one, n):
        codes = one.encode(held_out).only(torch.arange(n))
        return (
            (held_out - one.decode(codes)).square().sum() / (held_out - held_out.mean(0)).square().sum()
        ).item()

    nested, flat = learnt("matryoshka"), learnt("batchtopk")
    assert by_the_first(nested, 32) < by_the_first(flat, 32) - 0.05


def test_blocks_are_sums_of_three_by_three_on_a_sheet_that_closes():
    maps = torch.arange(20.0).view(1, 4, 5)
    rolled = sum(maps.roll((i, j), (1, 2)) for i in (-1, 0, 1) for j in (-1, 0, 1))
    assert torch.allclose(blocks(maps), rolled)
    assert sheet_of(128) == (8, 16)
    assert sheet_of(2048) == (32, 64)
    assert sheet_of(7) == (1, 7)


def test_the_penalty_of_a_sheet_has_the_gradient_of_its_definition():
    batch = random_batch()
    learning = VARIANTS["sheeted"].learning
    outcome = learning.run(batch)
    w = batch.weights
    values, indices = ((batch.x - w.bias) @ w.encoder.T + w.encoder_bias).topk(3)
    code = torch.zeros(100, 64).scatter(1, indices, values.relu())
    error = batch.error(code @ w.decoder + w.bias)
    apart = ((blocks(code.square().view(-1, 8, 8)) + 1e-6).sqrt() - 1e-3).sum()
    loss = error + 0.1 * apart / (9 * code.detach().sum())
    assert outcome.loss.item() == pytest.approx(loss.item(), rel=1e-5)
    assert same(gradients(batch, outcome.loss), gradients(batch, loss))


def test_neighbours_on_a_learnt_sheet_are_active_together(planted, learnt):
    """Correlation of activations between places next to each other, against the same sheet with places exchanged."""

    def neighbours(one, order):
        code = (one.encode(planted[1]).dense() > 0).float()[:, order]
        together = torch.nan_to_num(torch.corrcoef(code.T), 0.0)
        at = torch.arange(128).view(sheet_of(128))
        return torch.cat([together[at, at.roll(1, 0)], together[at, at.roll(1, 1)]]).mean().item()

    plain, generator = torch.arange(128), torch.Generator().manual_seed(0)
    exchanged = [neighbours(learnt("sheeted"), torch.randperm(128, generator=generator)) for _ in range(50)]
    assert neighbours(learnt("sheeted"), plain) > max(exchanged)


def test_a_gate_decides_and_a_magnitude_says_how_much():
    weights = Weights(
        torch.zeros(3, 2), torch.zeros(3, 2), torch.tensor([0.5, 0.0, 0.0]), torch.zeros(2),
        extra={
            "log_magnitude": torch.tensor([0.0, 2.0, 0.0]).exp().log(),
            "magnitude_bias": torch.tensor([1.0, 0.0, -9.0]),
        },
    )  # fmt: skip
    pre = torch.tensor([[0.7, 0.1, 2.0], [-0.1, -1.0, 10.0]])
    code = VARIANTS["gated"].codes(pre, weights).dense()
    e = torch.tensor(2.0).exp()
    assert torch.allclose(code, torch.tensor([[1.2, 0.1 * e, 0.0], [0.0, 0.0, 1.0]]))


def test_jumps_are_at_each_features_threshold():
    weights = Weights(
        torch.zeros(3, 2),
        torch.zeros(3, 2),
        torch.zeros(3),
        torch.zeros(2),
        threshold=torch.tensor([0.5, 1.0, 0.0]),
    )
    pre = torch.tensor([[0.6, 0.9, -1.0], [0.5, 1.1, 0.1]])
    for variant in ("jumprelu", "batchtopk"):
        code = VARIANTS[variant].codes(pre, weights).dense()
        assert torch.allclose(code, torch.tensor([[0.6, 0, 0], [0, 1.1, 0.1]]))
    assert VARIANTS["jumprelu"].codes(pre, replace(weights, threshold=None)).dense()[0, 1] == 0.9
