"""Encoding scores: intervals of few groups, ceilings of noisy and unequal repetitions, p of dependent samples."""

import os
from collections.abc import Sequence
from functools import cache, partial
from pathlib import Path
from typing import Any

import numpy as np
from designs import Floats, Row, Study, benchmark, coverage, dataset, evaluate, generator, row, texts

from brodmann.analysis.encoding.pooled import PooledFolds
from brodmann.analysis.statistics.replicates import Replicates
from brodmann.bench import make_benchmark
from brodmann.bench.metrics.headline import Headline
from brodmann.bench.metrics.neuroid_ceiling import neuroid_ceiling
from brodmann.bench.metrics.sampling import sampling
from brodmann.brain_data import Dataset
from brodmann.brain_data.noise_ceiling import repetition_weights
from brodmann.brain_data.simulated_cortex import simulated_language

_DRAWS = 199


def intervals(
    seeds: Sequence[int], *, groups: int, size: int, between: float, unexplained: float
) -> list[Row]:
    """Stimuli in groups: does the interval hold the mean score of the design?"""
    scores, ends = [], []
    for seed in seeds:
        made = generator().trials(
            seed, n_stimuli=groups * size, n_groups=groups, between=between, unexplained=unexplained
        )
        found = evaluate(benchmark(dataset(made, story=[f"story{one}" for one in made.group])), made.features)
        scores.append(found.value)
        ends.append(found.ci)
    measured = coverage(scores, ends)
    least = 0.88 if groups == 5 else 0.92
    holds = measured["covers"] >= least and measured["own inside"] == 1
    holds &= 0.88 <= measured["score"] <= 1.03 if unexplained == 0 else measured["half-width/sd"] <= 3
    what = "score .88 to 1.03" if unexplained == 0 else "half-width/sd at most 3"
    name = f"{groups} groups of {size}, {between:.0%} between, {'half-right' if unexplained else 'flawless'}"
    return [row(name, measured, f"covers {least:.0%}, own inside, {what}", holds)]


def ceilings(seeds: Sequence[int], *, reliability: float, n: int, repetitions: int) -> list[Row]:
    """The noise-free signal as the prediction: is its score 1?"""
    scores = []
    for seed in seeds:
        made = generator().trials(
            seed, n_stimuli=n, repetitions=repetitions, reliability=reliability, n_neuroids=100
        )
        scores.append(_unfitted(dataset(made), made.signal))
    measured = {"score": float(np.nanmedian(scores)), "no ceiling": float(np.isnan(scores).mean())}
    holds = 0.97 <= measured["score"] <= 1.05
    return [row(f"reliability {reliability}, n {n}, R {repetitions}", measured, "score .97 to 1.05", holds)]


def unequal(seeds: Sequence[int], *, once: float, reliability: float) -> list[Row]:
    """A share of the stimuli shown once, the others six times; `reliability` of one presentation."""
    scores = []
    for seed in seeds:
        counts = np.where(np.random.default_rng([seed, 8]).random(150) < once, 1, 6)
        made = generator().trials(
            seed, n_stimuli=150, repetitions=counts, reliability=reliability, n_neuroids=100
        )
        scores.append(_unfitted(dataset(made), made.signal))
    measured = {"score": float(np.median(scores)), "sd": float(np.std(scores))}
    holds = 0.97 <= measured["score"] <= 1.03
    return [
        row(f"{once:.0%} shown once, reliability of one {reliability}", measured, "score .97 to 1.03", holds)
    ]


def _unfitted(data: Dataset, signal: Floats) -> float:
    recorded = benchmark(data).recording
    how = sampling(recorded)
    weights = repetition_weights(recorded.responses)
    ceiling = neuroid_ceiling(recorded, how.tests, weights)
    if ceiling.kind == "none":
        return float("nan")
    headline = Headline.of(recorded, ceiling, how.tests, weights)
    r = PooledFolds(how.tests, recorded.mean, weights).r([signal[test] for test in how.tests])
    return headline.value(r)


def unrelated(seeds: Sequence[int], *, design: str) -> list[Row]:
    """Features and responses that have nothing to do with each other: how often is p at most .05?"""
    p = np.array([_p_of_nothing(design, seed) for seed in seeds])
    measured = {"p <= .05": float((p <= 0.05).mean()), "p <= .01": float((p <= 0.01).mean())}
    return [
        row(f"unrelated: {design}", measured, "p <= .05 in 2 to 8 %", 0.02 <= measured["p <= .05"] <= 0.08)
    ]


def _p_of_nothing(design: str, seed: int) -> float:
    draw, n, q = np.random.default_rng([seed, 12]), 150, 30
    columns: dict[str, Any] = {}
    options: dict[str, Any] = {}
    if design.startswith("AR"):
        features, target = (generator().ar1((n, k), 0.8, draw) for k in (10, q))
    elif design.startswith("triples"):
        of = np.repeat(np.arange(n // 3), 3)
        if design.endswith("apart"):
            of = draw.permutation(of)
        features, target = (draw.normal(size=(n // 3, k))[of] for k in (10, q))
        features = features + 0.01 * draw.normal(size=features.shape)
        columns["sentence"] = texts(n // 3, of=of, seed=seed)
    elif design.startswith("runs"):
        _, n_runs, rho = design.split()[:3]
        length = 40
        n = int(n_runs) * length
        blocks = [
            [generator().ar1((length, k), float(rho), draw) for k in (10, q)] for _ in range(int(n_runs))
        ]
        features, target = (np.concatenate([block[i] for block in blocks]) for i in (0, 1))
        columns["run"] = [f"run{one:02d}" for one in np.repeat(np.arange(int(n_runs)), length)]
    elif design.startswith("categories"):
        kind = np.arange(n) % 12
        features, target = (draw.normal(size=(12, k))[kind] for k in (10, q))
        columns["category"] = [f"category{one:02d}" for one in kind]
        options = {"folds": "leave-category-out"}
    else:
        raise ValueError(design)
    data = _of_mean(target + draw.normal(size=(n, q)) * target.std(), columns)
    return evaluate(benchmark(data, **options), features, seed=seed, n_permutations=_DRAWS).p


def _of_mean(responses: Floats, columns: dict[str, Any]) -> Dataset:
    import pandas as pd

    n = len(responses)
    table = pd.DataFrame({"stimulus_id": [f"s{i:04d}" for i in range(n)], "sentence": texts(n)} | columns)
    return Dataset.from_arrays("generated", responses, table)


def equal_models(seeds: Sequence[int], *, subjects: int, alike: bool) -> list[Row]:
    """Two models that are equal in the population: how often does their difference have p < .05?"""
    p, intervals_hold = [], []
    for seed in seeds:
        made = generator().trials(
            seed, n_stimuli=150, n_subjects=subjects, subject_spread=0.0 if alike else 1.0
        )
        scored = benchmark(dataset(made))
        first, second = (evaluate(scored, made.features[:, half]) for half in (slice(0, 5), slice(5, 10)))
        assert isinstance(first.replicates, Replicates)
        assert isinstance(second.replicates, Replicates)
        difference = first.replicates - second.replicates
        p.append(difference.p())
        low, high = difference.interval()
        intervals_hold.append(low <= difference.value <= high)
    measured = {"p < .05": float((np.array(p) < 0.05).mean()), "own inside": float(np.mean(intervals_hold))}
    most = 0.12 if subjects < 5 else 0.06
    name = f"equal models, {subjects} subjects {'alike' if alike else 'unlike'}"
    return [row(name, measured, f"p < .05 in at most {most:.0%}", measured["p < .05"] <= most)]


def alice_folder() -> Path:
    """Where the recordings of people who heard a story lie."""
    data = os.environ.get("BRODMANN_TEST_DATA") or Path(__file__).parents[3] / "shared" / "data"
    return Path(data) / "brennan2016-alice" / "data" / "6mm"


@cache
def alice() -> Floats:
    """Mean over people of six regions' responses to a chapter of Alice, from the 11th sample on, (352, 6).

    Cubic trends are taken out and every series is z-scored; a person whose series never varies is left out.
    """
    found = []
    for file in sorted(alice_folder().glob("*-timecourses.txt")):
        series = np.loadtxt(file)
        trend = np.polynomial.legendre.legvander(np.linspace(-1, 1, len(series)), 3)
        left = series - trend @ np.linalg.lstsq(trend, series, rcond=None)[0]
        if (left.std(axis=0) > 1e-9).all():
            found.append(left / left.std(axis=0))
    return np.mean(found, axis=0)[10:]


def same_spectrum(series: Floats, seed: int) -> Floats:
    """The same series with random phases: as smooth, and about nothing."""
    draw = np.random.default_rng([seed, 13])
    spectrum = np.fft.rfft(series - series.mean(axis=0), axis=0)
    turned = np.exp(2j * np.pi * draw.random(spectrum.shape))
    return np.fft.irfft(np.abs(spectrum) * turned, len(series), axis=0)


def real_series(seeds: Sequence[int]) -> list[Row]:
    """Real responses to a story, and features as smooth as they are that have nothing to do with it."""
    if not alice_folder().is_dir():
        return []
    responses, p = alice(), []
    for seed in seeds:
        scored = benchmark(_of_mean(responses, {}))
        assert scored.metric.sampling.kind == "serial"
        p.append(evaluate(scored, same_spectrum(responses, seed), n_permutations=400, seed=seed).p)
    measured = {
        "p <= .05": float((np.array(p) <= 0.05).mean()),
        "p <= .01": float((np.array(p) <= 0.01).mean()),
    }
    name = "unrelated: Alice, features of the same spectrum (rotation)"
    return [row(name, measured, "p <= .05 in at most 11 %, warned of", measured["p <= .05"] <= 0.11)]


def of_simulated_language(seeds: Sequence[int], *, knows: str, reliability: float) -> list[Row]:
    """The other generator: sentences of two grammars, maps on a sheet, noise that units share.

    Maps are smooth, so that a sheet is but a few independent neuroids and every seed has a truth of its own: the r of
    the noise-free signal, fitted to the features. What has to be covered is that truth less what training costs on
    average.
    """
    scores, ends, truths, p = [], [], [], []
    for seed in seeds:
        data = simulated_language(seed=seed, n_stimuli=200, n_repetitions=4, reliability=reliability)
        features = data.truth["features"]["language"]
        if knows == "half":
            features = features[:, :2]
        elif knows == "nothing":
            features = np.random.default_rng(10**6 + seed).normal(size=(200, 12))
        draws = _DRAWS if knows == "nothing" else 0
        found = evaluate(make_benchmark(data, "language"), features, seed=seed, n_permutations=draws)
        scores.append(found.value)
        ends.append(found.ci)
        truths.append(0.0 if knows == "nothing" else _typical_r(features, data.truth["signal"]["language"]))
        p.append(found.p)
    measured = coverage(scores, ends, truths)
    must, holds = "covers 92 %, own inside", measured["covers"] >= 0.92 and measured["own inside"] == 1
    if knows == "all":
        must, holds = f"{must}, score .97 to 1.03", holds and 0.97 <= measured["score"] <= 1.03
    if knows == "nothing":
        measured["p <= .05"] = float((np.array(p) <= 0.05).mean())
        must, holds = f"{must}, p <= .05 in 2 to 8 %", holds and 0.02 <= measured["p <= .05"] <= 0.08
    return [
        row(
            f"simulated language, reliability {reliability}, a model that knows {knows}",
            measured,
            must,
            holds,
        )
    ]


def _typical_r(features: Floats, signal: Floats) -> float:
    """Median r of the noise-free signal and its least squares on the features."""
    x, y = features - features.mean(axis=0), signal - signal.mean(axis=0)
    fitted = x @ np.linalg.lstsq(x, y, rcond=None)[0]
    return float(np.median(np.linalg.norm(fitted, axis=0) / np.linalg.norm(y, axis=0)))


STUDIES: dict[str, Study] = {"real series": real_series}
for _knows in ("all", "half", "nothing"):
    for _reliability in (0.4, 0.7):
        STUDIES[f"simulated language {_knows} {_reliability}"] = partial(
            of_simulated_language, knows=_knows, reliability=_reliability
        )
for _groups, _size in ((5, 40), (6, 40), (8, 30), (10, 24), (20, 12), (60, 4)):
    for _between in (0.0, 0.5, 0.8):
        for _unexplained in (0.0, 0.6):
            STUDIES[f"intervals {_groups} {_between} {_unexplained}"] = partial(
                intervals, groups=_groups, size=_size, between=_between, unexplained=_unexplained
            )
for _reliability in (0.1, 0.15, 0.2, 0.3, 0.5):
    for _n in (100, 300, 1000):
        for _repetitions in (2, 4):
            STUDIES[f"ceiling {_reliability} {_n} {_repetitions}"] = partial(
                ceilings, reliability=_reliability, n=_n, repetitions=_repetitions
            )
for _once in (0.3, 0.5, 0.8):
    for _reliability in (0.1, 0.3):
        STUDIES[f"unequal {_once} {_reliability}"] = partial(unequal, once=_once, reliability=_reliability)
for _design in (
    "AR(.8) in order", "triples of near-duplicates", "triples of near-duplicates apart", "runs 7 0.8",
    "runs 10 0", "runs 10 0.8", "runs 10 0.95", "categories, leave-category-out",
):  # fmt: skip
    STUDIES[f"unrelated {_design}"] = partial(unrelated, design=_design)
for _subjects in (3, 5, 8):
    for _alike in (True, False):
        STUDIES[f"equal models {_subjects} {_alike}"] = partial(
            equal_models, subjects=_subjects, alike=_alike
        )
