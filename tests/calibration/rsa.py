"""RSA against recordings with known truth: what a flawless model scores, and how wide its interval is.

Plain functions from seeds to rows of measured figures; the generator of recordings stands beside the repository, or
where BRODMANN_TEST_SIGNALS says.
"""

from __future__ import annotations

import importlib.util
import os
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from brodmann.bench.metrics.base import ScoringOptions
from brodmann.bench.metrics.recording import Recording
from brodmann.bench.metrics.registries import METRICS

NOISE = {"low": 0.85, "middle": 0.5, "high": 0.3}
"""Reliability of a neuroid's mean response."""
N_SUBJECTS = (2, 4, 12, 20)
NONE = ScoringOptions(n_bootstraps=0, n_permutations=0)
INTERVAL = ScoringOptions(n_bootstraps=300, n_permutations=0)


def trials(seed, **design):
    """The generator's recording; skips where there is none."""
    folder = Path(
        os.environ.get("BRODMANN_TEST_SIGNALS", Path(__file__).resolve().parents[2] / "../shared/signals")
    )
    file = folder / "generator.py"
    if not file.exists():
        pytest.skip(f"no generator of recordings at {file}: set BRODMANN_TEST_SIGNALS")
    spec = importlib.util.spec_from_file_location("signals_generator", file)
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module.trials(seed, **design)


def recorded_of(made, columns=None):
    """A recording of what the generator made, one neuroid table with its subjects."""
    n_stimuli, n_repetitions = len(made.signal), int(made.repetition.max()) + 1
    cube = np.full((n_stimuli, n_repetitions, made.responses.shape[1]), np.nan)
    cube[made.stimulus, made.repetition] = made.responses
    neuroids = pd.DataFrame({"subject": made.neuroid_subject.astype(str)})
    return Recording(
        "made.region",
        np.arange(n_stimuli).astype(object),
        cube,
        None,
        neuroids,
        columns or {},
        position=np.arange(n_stimuli),
        blocks="none",
    )


def scored(features, recorded, options=NONE, metric="rsa", **given):
    """The result and the ceiling of one layer."""
    made = METRICS[metric].make(recorded, given)
    ceiling = made.ceiling(recorded)
    return made.evaluate({"layer": features}, recorded, ceiling, options), ceiling


def flawless(seeds, metric="rsa", n_subjects=N_SUBJECTS, noise=NOISE, n_features=50, options=NONE):
    """Subjects who share a representation, and the noise-free representation as the model: must be .98-1.02."""
    rows = []
    for level, reliability in noise.items():
        for n in n_subjects:
            found = []
            for seed in seeds:
                made = trials(
                    seed,
                    n_stimuli=60,
                    n_features=n_features,
                    n_subjects=n,
                    n_neuroids=100,
                    reliability=reliability,
                )
                result, ceiling = scored(
                    made.signal[:, made.neuroid_subject == 0], recorded_of(made), options, metric
                )
                bounds = (np.nan, np.nan) if ceiling.lower is None else (ceiling.lower, ceiling.upper)
                found.append(
                    (
                        result.value,
                        ceiling.value,
                        result.raw / bounds[1],
                        result.raw / bounds[0],
                        *ends(result),
                    )
                )
            made = row(found, f"{metric}, {n} subjects, {level} noise, {n_features} features")
            off = abs(made["score"] - 1) - 3 * made["sd"] / np.sqrt(len(found))
            rows.append(made | {"must": ".98-1.02", "holds": off < 0.02})
    return rows


def ends(result):
    """The interval's half-width as a standard error, and its ends."""
    found = result.replicates
    return found.error[0] if len(found.samples) else np.nan, *result.ci


def row(found, design, truth=1.0):
    """Figures of many recordings of one design."""
    value, ceiling, upper, lower, error, low, high = np.array(found).T
    spread = value.std(ddof=1)
    return {
        "design": design,
        "score": float(value.mean()),
        "sd": float(spread),
        "ceiling": float(ceiling.mean()),
        "over the upper bound": float(upper.mean()),
        "over the lower bound": float(lower.mean()),
        "sd of the interval / true sd": float(error.mean() / spread),
        "covers": float(((low <= truth) & (truth <= high)).mean()),
    }


def intervals(seeds, metric="rsa", n_subjects=(4, 8, 12, 20), noise=NOISE, unexplained=True):
    """A model that has half of what subjects share: sd of the interval over that of scores of new people and stimuli.

    The brain's weights are the same in all recordings: stimuli, people's own weights and noise are new.
    """
    rows = []
    for level, reliability in noise.items():
        for n in n_subjects:
            made = [halfway(seed, n, reliability, half=unexplained) for seed in seeds]
            found = []
            for features, recorded in made:
                result, ceiling = scored(features, recorded, INTERVAL, metric)
                found.append((result.value, ceiling.value, np.nan, np.nan, *ends(result)))
            truth = float(np.mean([one[0] for one in found]))
            what = "half of a model" if unexplained else "flawless"
            one = row(found, f"{metric}, {what}, {n} subjects, {level} noise", truth)
            ratio = one["sd of the interval / true sd"]
            error = 3 / np.sqrt(2 * len(found))
            holds = 1 - error < ratio < 1.4 + 1.4 * error
            rows.append(one | {"must": "sd of the interval 1-1.4 of the true one", "holds": holds})
    return rows


def halfway(seed, n_subjects, reliability, *, half, n_stimuli=60, n_features=50, n_neuroids=100, own=0.3):
    """Features and the recording of people whose weights are partly their own."""
    population = np.random.default_rng(99).normal(size=(n_features, n_neuroids))
    rng = np.random.default_rng(seed)
    features = rng.normal(size=(n_stimuli, n_features))
    cubes, owner = [], []
    for subject in range(n_subjects):
        weights = np.sqrt(1 - own) * population + np.sqrt(own) * rng.normal(size=population.shape)
        signal = features @ weights
        noise = np.sqrt((1 - reliability) / reliability) * signal.std(axis=0) * rng.normal(size=signal.shape)
        cubes.append(signal + noise)
        owner += [str(subject)] * n_neuroids
    shared = np.hstack([np.sqrt(1 - own) * features @ population, np.sqrt(own * n_neuroids) * features])
    recorded = Recording(
        "made.region",
        np.arange(n_stimuli).astype(object),
        np.hstack(cubes)[:, None],
        None,
        pd.DataFrame({"subject": owner}),
        {},
        position=np.arange(n_stimuli),
        blocks="none",
    )
    return (features[:, : n_features // 2] if half else shared), recorded


def one_subject(
    seeds, metric="rsa", repetitions=(2, 3, 4, 10), reliabilities=(0.15, 0.3, 0.6), n_features=20
):
    """One subject with repetitions (reliability of one presentation given), noise-free signal as the model."""
    rows = []
    for n in repetitions:
        for single in reliabilities:
            found, without = [], 0
            for seed in seeds:
                mean = n * single / (1 + (n - 1) * single)
                made = trials(
                    seed, n_stimuli=60, n_features=n_features, n_neuroids=100, repetitions=n, reliability=mean
                )
                features = like_distances(made) if metric == "rsa_crossnobis" else made.signal
                result, ceiling = scored(features, recorded_of(made), NONE, metric)
                without += ceiling.kind == "none"
                found.append((result.raw, ceiling.value))
            raw, ceiling = np.array(found).T
            known = np.isfinite(ceiling)
            ratio = raw[known] / ceiling[known]
            off = abs(raw[known].mean() / ceiling[known].mean() - 1) if known.any() else 0.0
            allowed = 0.02 + 3 * ratio.std(ddof=1) / np.sqrt(known.sum()) if known.sum() > 1 else np.inf
            rows.append(
                {
                    "design": f"{metric}, one subject, {n} repetitions, reliability of one {single}",
                    "must": ".98-1.02 where 95 % of recordings have a ceiling",
                    "holds": known.mean() < 0.95 or off < allowed,
                    "score": float(raw[known].mean() / ceiling[known].mean()) if known.any() else np.nan,
                    "ceiling": float(ceiling[known].mean()) if known.any() else np.nan,
                    "without a ceiling": without / len(found),
                }
            )
    return rows


def like_distances(made):
    """Features whose correlation distances are proportional to squared distances of the signal over its noise."""
    scaled = made.signal / np.sqrt(made.noise_variance)
    distances = ((scaled[:, None] - scaled) ** 2).sum(axis=2)
    values, vectors = np.linalg.eigh(1e4 * distances.max() - distances / 2)
    features = vectors * np.sqrt(np.maximum(values, 0))
    return np.hstack([features, -features])


def noise_alone(seeds, metric="rsa"):
    """Recordings without signal: how many have a ceiling (at most 8 %)."""
    rows = []
    for n_subjects, n_repetitions in ((1, 2), (1, 4), (2, 1), (6, 1)):
        kinds = []
        for seed in seeds:
            made = trials(seed, n_stimuli=40, n_subjects=n_subjects, repetitions=n_repetitions)
            noise = np.random.default_rng(seed).normal(size=made.responses.shape)
            recorded = recorded_of(replace(made, responses=noise))
            kinds.append(METRICS[metric].make(recorded, {}).ceiling(recorded).kind != "none")
        design = f"{metric}, noise alone, {n_subjects} subjects, {n_repetitions} repetitions"
        share = float(np.mean(kinds))
        allowed = 0.05 + 3 * np.sqrt(0.05 * 0.95 / len(kinds))
        rows.append(
            {"design": design, "must": "at most .05", "with a ceiling": share, "holds": share <= allowed}
        )
    return rows


def flawless_intervals(seeds):
    """As :func:`intervals`, of the model that people share."""
    return intervals(seeds, unexplained=False)


STUDIES = {
    "a flawless model of several subjects": flawless,
    "the same, ten features": lambda seeds: flawless(seeds, n_subjects=(2, 12), n_features=10),
    "the same, whitened": lambda seeds: flawless(seeds, "rsa_whitened", (2, 12)),
    "intervals of half of a model": intervals,
    "intervals of a flawless model": flawless_intervals,
    "one subject with repetitions": one_subject,
    "the same, whitened correlation": lambda seeds: one_subject(seeds, "rsa_whitened"),
    "the same, crossnobis": lambda seeds: one_subject(seeds, "rsa_crossnobis", (4, 10)),
    "noise alone": noise_alone,
}
"""What is run, by name: seeds -> rows."""
