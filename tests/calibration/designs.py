"""Recordings with known truth for the calibration studies, from two generators that know nothing of each other."""

import importlib.util
import os
import sys
from collections.abc import Callable, Mapping, Sequence
from functools import cache
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from brodmann.bench import Benchmark, MetricResult, ScoringOptions, make_benchmark
from brodmann.brain_data import Dataset

Floats = npt.NDArray[np.float64]
Row = dict[str, Any]
Study = Callable[[Sequence[int]], list[Row]]


def signals_folder() -> Path:
    """Where the independent generator lies."""
    return Path(os.environ.get("BRODMANN_TEST_SIGNALS") or Path(__file__).parents[3] / "shared" / "signals")


@cache
def generator() -> ModuleType:
    """The module of the independent generator."""
    spec = importlib.util.spec_from_file_location("signals_generator", signals_folder() / "generator.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module


def texts(n: int, *, of: Sequence[int] | None = None, seed: int = 0) -> list[str]:
    """Sentences of random words; where two have the same number in `of` they differ by one letter."""
    draw = np.random.default_rng(seed)
    letters = np.array(list("abcdefghijklmnoprstuvwxyz"))
    made = [" ".join("".join(draw.choice(letters, 6)) for _ in range(7)) for _ in range(n)]
    if of is None:
        return made
    return [made[number] + letters[i % len(letters)] for i, number in enumerate(of)]


def dataset(trials: Any, **columns: Any) -> Dataset:
    """The generator's trials as a data set; `columns` of the stimuli."""
    n = len(trials.features)
    table = pd.DataFrame({"stimulus_id": [f"s{i:04d}" for i in range(n)]} | {"sentence": texts(n)} | columns)
    counts = np.bincount(trials.stimulus, minlength=n)
    cube = np.full((n, counts.max(), trials.responses.shape[1]), np.nan)
    cube[trials.stimulus, trials.repetition] = trials.responses
    subjects = [f"subject{one}" for one in trials.neuroid_subject]
    return Dataset.from_arrays("generated", cube, table, subject=subjects)


def evaluate(
    benchmark: Benchmark,
    features: npt.ArrayLike,
    *,
    seed: int = 0,
    n_bootstraps: int = 1,
    n_permutations: int = 0,
) -> MetricResult:
    """What the benchmark's metric finds for features in the order of its stimuli."""
    options = ScoringOptions(seed=seed, n_bootstraps=n_bootstraps, n_permutations=n_permutations)
    return benchmark.metric.evaluate(
        {"features": features}, benchmark.recording, benchmark.noise_ceiling, options
    )


def benchmark(data: Dataset, metric: str = "ridge", **options: Any) -> Benchmark:
    """Of the data set's only region."""
    return make_benchmark(data, metric=metric, **options)


def coverage(
    values: npt.ArrayLike, intervals: npt.ArrayLike, truths: npt.ArrayLike = 0.0
) -> dict[str, float]:
    """How often intervals hold the mean of the values and their own value, and how wide they are.

    Where seeds differ in their truth, it is the mean of what values lack of it that counts.
    """
    score, (low, high) = np.asarray(values), np.asarray(intervals).T
    truth = np.asarray(truths) + (score - np.asarray(truths)).mean()
    return {
        "score": float(np.median(score)),
        "covers": float(((low <= truth) & (truth <= high)).mean()),
        "own inside": float(((low <= score) & (score <= high)).mean()),
        "half-width/sd": float(((high - low) / 2).mean() / (score - truth).std(ddof=1)),
    }


def row(design: str, measured: Mapping[str, float], must: str, holds: bool) -> Row:
    """A line of the table."""
    return {"design": design, **measured, "must": must, "holds": holds}
