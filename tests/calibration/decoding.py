"""Decoding: ceilings of few and unequal repetitions and of shared noise, intervals, and what noise alone gives."""

from collections.abc import Sequence
from functools import partial
from typing import Any

import numpy as np
import pandas as pd
from designs import Floats, Row, Study, coverage, generator, row

from brodmann.bench.metrics.base import ScoringOptions
from brodmann.bench.metrics.decoding import decoding
from brodmann.bench.metrics.identification import Patterns, pairs_of
from brodmann.bench.metrics.recording import Recording

_INTERVAL = ScoringOptions(n_permutations=0)
_ONLY_P = ScoringOptions(n_bootstraps=0, n_permutations=199)
_NEUROIDS = 100


def recorded(cube: Floats, **columns: Any) -> Recording:
    """Independent stimuli, by their responses."""
    ids = np.array([f"s{i:04d}" for i in range(len(cube))], object)
    return Recording("generated.IT", ids, cube, None, pd.DataFrame(), columns, blocks="none")


def cube_of(trials: Any) -> Floats:
    """The generator's presentations as stimulus x repetition x neuroid."""
    counts = np.bincount(trials.stimulus, minlength=len(trials.features))
    cube = np.full((len(counts), counts.max(), trials.responses.shape[1]), np.nan)
    cube[trials.stimulus, trials.repetition] = trials.responses
    return cube


def design(seed: int, n: int, repetitions: int | str, reliability: float, **more: Any) -> Any:
    """Recordings whose mean responses have about this reliability."""
    counts: Any = repetitions
    if repetitions == "unequal":
        counts = np.random.default_rng([seed, 8]).integers(1, 9, n)
        often = 1 / np.mean(1 / counts)
        reliability = reliability / (reliability + often * (1 - reliability))
    return generator().trials(
        seed, n_stimuli=n, repetitions=counts, reliability=reliability, **({"n_neuroids": _NEUROIDS} | more)
    )


def ceilings(
    seeds: Sequence[int], *, n: int, repetitions: int | str, reliability: float, shared: float
) -> list[Row]:
    """The noise-free patterns as predictions: do they reach the ceiling? A share of the noise is common to neuroids."""
    scores = []
    for seed in seeds:
        made = design(seed, n, repetitions, reliability)
        draw = np.random.default_rng([seed, 9])
        noise = made.responses - made.signal[made.stimulus]
        common = draw.normal(size=(len(noise), 2)) @ draw.normal(size=(2, _NEUROIDS)) / np.sqrt(2)
        made.responses[:] = made.signal[made.stimulus] + np.sqrt(1 - shared) * noise
        made.responses[:] += np.sqrt(shared * made.noise_variance) * common
        one = recorded(cube_of(made))
        ceiling = decoding(one).ceiling(one)
        rows = np.arange(n)
        raw = Patterns.of(one).accuracy([made.signal], one.mean, pairs_of([rows], rows)).mean()
        scores.append((raw - 0.5) / (ceiling.value - 0.5))
    measured = {
        "share of ceiling": float(np.nanmedian(scores)) if np.isfinite(scores).any() else float("nan"),
        "sd": float(np.nanstd(scores)),
        "no ceiling": float(np.isnan(scores).mean()),
    }
    holds = 0.97 <= measured["share of ceiling"] <= 1.03 or measured["no ceiling"] > 0.5
    name = f"n {n}, R {repetitions}, reliability {reliability}, {shared:.0%} of noise shared"
    return [row(name, measured, "share .97 to 1.03, or no ceiling in most", holds)]


def intervals(
    seeds: Sequence[int], *, n: int, repetitions: int | str, reliability: float, unexplained: float
) -> list[Row]:
    """A fitted model: does the interval hold the mean score of the design?"""
    scores, ends = [], []
    for seed in seeds:
        made = design(seed, n, repetitions, reliability, unexplained=unexplained, n_neuroids=40)
        one = recorded(cube_of(made))
        metric = decoding(one)
        ceiling = metric.ceiling(one)
        if ceiling.kind == "accuracy":
            found = metric.evaluate({"features": made.features}, one, ceiling, _INTERVAL)
            scores.append(found.value)
            ends.append(found.ci)
    measured = coverage(scores, ends)
    kind = f"{unexplained:.0%} of the signal not in the features"
    name = f"model, n {n}, R {repetitions}, reliability {reliability}, {kind}"
    return [
        row(
            name,
            measured,
            "covers 90%, own inside",
            measured["covers"] >= 0.9 and measured["own inside"] == 1,
        )
    ]


def of_recordings(seeds: Sequence[int], *, n: int, repetitions: int, reliability: float) -> list[Row]:
    """A recording decoded from itself; `reliability` of one presentation."""
    scores, ends = [], []
    for seed in seeds:
        counts = np.full(n, repetitions)
        made = generator().trials(
            seed, n_stimuli=n, repetitions=counts, reliability=reliability, unexplained=1.0, n_neuroids=50
        )
        one = recorded(cube_of(made))
        found = decoding(one).evaluate_recording(one, _INTERVAL)
        scores.append(found.value)
        ends.append(found.ci)
    measured = coverage(scores, ends)
    name = f"itself, n {n}, R {repetitions}, reliability of one presentation {reliability}"
    return [
        row(
            name,
            measured,
            "covers 90%, own inside",
            measured["covers"] >= 0.9 and measured["own inside"] == 1,
        )
    ]


def noise(seeds: Sequence[int], *, n: int, repetitions: int, neuroids: int) -> list[Row]:
    """Responses that know nothing of their stimuli, decoded from themselves and by unrelated features."""
    found = []
    for seed in seeds:
        draw = np.random.default_rng(seed)
        one = recorded(draw.normal(size=(n, repetitions, neuroids)) * np.exp(draw.normal(size=neuroids)))
        metric = decoding(one)
        itself = metric.evaluate_recording(one, _ONLY_P)
        none = metric.ceiling(one).kind == "none"
        model = itself
        if n >= 20:
            model = metric.evaluate({"layer": draw.normal(size=(n, 10))}, one, metric.ceiling(one), _ONLY_P)
        found.append((itself.raw, itself.p <= 0.05, model.p <= 0.05, none))
    raw, of_itself, of_model, none = np.mean(found, axis=0)
    error = float(np.std([one[0] for one in found]) / np.sqrt(len(found)))
    measured = {
        "accuracy": float(raw), "p<.05": float(of_itself), "p<.05, model": float(of_model), "no ceiling": float(none)
    }  # fmt: skip
    holds = abs(raw - 0.5) <= 3 * error and none >= 0.98 and max(of_itself, of_model) <= 0.08
    must = "accuracy .5, no ceiling, p < .05 in at most 8%"
    return [row(f"noise, n {n}, R {repetitions}, {neuroids} neuroids", measured, must, holds)]


def _named() -> dict[str, Study]:
    made: dict[str, Study] = {}
    for n in (30, 100):
        for repetitions in (2, 3, 4, 10, "unequal"):
            for reliability in (0.1, 0.3, 0.6):
                for shared in (0.0, 0.3):
                    how = {"n": n, "repetitions": repetitions, "reliability": reliability, "shared": shared}
                    made[f"ceiling {n} {repetitions} {reliability} {shared}"] = partial(ceilings, **how)
    for n in (60, 100):
        for repetitions in (2, 4, "unequal"):
            for reliability, unexplained in ((0.3, 0.0), (0.6, 0.0), (0.3, 0.6), (0.6, 0.6)):
                how = {
                    "n": n,
                    "repetitions": repetitions,
                    "reliability": reliability,
                    "unexplained": unexplained,
                }
                made[f"interval {n} {repetitions} {reliability} {unexplained}"] = partial(intervals, **how)
    for n in (8, 20, 60):
        for repetitions in (2, 4, 12):
            for reliability in (0.05, 0.15):
                how = {"n": n, "repetitions": repetitions, "reliability": reliability}
                made[f"itself {n} {repetitions} {reliability}"] = partial(of_recordings, **how)
    for n, repetitions, neuroids in ((4, 2, 400), (8, 12, 400), (40, 2, 50), (40, 4, 50)):
        made[f"noise {n} {repetitions}"] = partial(noise, n=n, repetitions=repetitions, neuroids=neuroids)
    return made


STUDIES: dict[str, Study] = _named()
