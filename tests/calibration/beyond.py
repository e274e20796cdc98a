"""What a layer adds to nuisance spaces: nothing where it codes the categories alone, and the variance that it has."""

from collections.abc import Sequence
from functools import partial

import numpy as np
import pandas as pd
from designs import Floats, Row, Study, benchmark, coverage, evaluate, row, texts

from brodmann.bench import Benchmark, ScoringOptions
from brodmann.bench.layer_comparison import Spaces
from brodmann.bench.metrics.base import Beyond
from brodmann.bench.nuisance_spaces import open_space
from brodmann.brain_data import Dataset

_DRAWS = 99


def added(
    scored: Benchmark, features: Floats, spaces: Sequence[str], *, seed: int = 0, n_permutations: int = 0
) -> Beyond:
    """What features add to spaces of the benchmark."""
    opened: Spaces = {name: open_space(name, scored).features for name in spaces}
    options = ScoringOptions(seed, 1, n_permutations)
    folds = ["features"] * scored.metric.sampling.n_splits
    made = {name: make() for name, make in opened.items()}
    return scored.metric.beyond(
        {"features": features}, folds, made, scored.recording, scored.noise_ceiling, options
    )


def recorded(responses: Floats, **columns: object) -> Benchmark:
    """A ridge benchmark of responses (n_stimuli[, n_repetitions], n_neuroids)."""
    n = len(responses)
    table = pd.DataFrame({"stimulus_id": [f"s{i:04d}" for i in range(n)], "sentence": texts(n)} | columns)
    return benchmark(Dataset.from_arrays("generated", responses, table))


def categories(seed: int, n: int = 150, q: int = 10) -> tuple[Benchmark, Floats]:
    """A random code of 12 categories on both sides, and noise."""
    draw, kind = np.random.default_rng([seed, 12]), np.arange(n) % 12
    features, target = (draw.normal(size=(12, k))[kind] for k in (10, q))
    noisy = target + draw.normal(size=(n, q)) * target.std()
    return recorded(noisy, category=[f"category{one:02d}" for one in kind]), features


def random_code(seeds: Sequence[int]) -> list[Row]:
    """How often p is at most .05, without and beyond the category."""
    alone, beyond = [], []
    for seed in seeds:
        scored, features = categories(seed)
        alone.append(evaluate(scored, features, seed=seed, n_permutations=_DRAWS).p)
        beyond.append(added(scored, features, ["category"], seed=seed, n_permutations=_DRAWS).beyond_p)
    measured = {
        "p <= .05": float((np.array(alone) <= 0.05).mean()),
        "beyond, p <= .05": float((np.array(beyond) <= 0.05).mean()),
    }
    holds = measured["p <= .05"] == 1 and 0.02 <= measured["beyond, p <= .05"] <= 0.08
    return [row("random code of 12 categories", measured, "100 %; beyond 2 to 8 %", holds)]


def mixture(
    seed: int, variance: float, *, n: int = 200, q: int = 20, reliability: float = 1.0
) -> tuple[Benchmark, Floats]:
    """Nuisance of 3 numbers with .4 of the variance; a layer that holds it, and others with some variance more."""
    draw = np.random.default_rng([seed, 13])
    nuisance, own = draw.normal(size=(n, 3)), draw.normal(size=(n, 10))
    code = nuisance @ draw.normal(size=(3, 10))
    weights = [draw.normal(size=(k, q)) for k in (3, 10)]
    weights = [one / np.linalg.norm(one, axis=0) for one in weights]
    rest = np.sqrt(0.6 - variance) * draw.normal(size=(n, q))
    signal = np.sqrt(0.4) * nuisance @ weights[0] + np.sqrt(variance) * own @ weights[1] + rest
    columns = {f"nuisance{i}": nuisance[:, i] for i in range(3)}
    features = np.hstack([code, own]) if variance else code
    if reliability == 1:
        return recorded(signal, **columns), features
    noise = np.sqrt(4 * (1 / reliability - 1)) * draw.normal(size=(n, 4, q))
    return recorded(signal[:, None] + noise, **columns), features


def variance_added(seeds: Sequence[int], *, variance: float, reliability: float) -> list[Row]:
    """Is the added variance found, and covered by the interval?"""
    found = []
    for seed in seeds:
        n = 200 if reliability == 1 else 600  # estimating weights from noise costs variance
        scored, features = mixture(seed, variance, n=n, reliability=reliability)
        found.append(added(scored, features, [f"nuisance{i}" for i in range(3)], seed=seed))
    measured = coverage([one.beyond for one in found], [one.beyond_ci for one in found])
    low, high = (-0.03, 0.03) if variance == 0 else (variance - 0.05, variance + 0.05)
    holds = low <= measured["score"] <= high and measured["covers"] >= 0.92
    name = f"adds {variance}, reliability {reliability}"
    return [row(name, measured, f"beyond {low:.2f} to {high:.2f}, covers 92 %", holds)]


STUDIES: dict[str, Study] = {"random code of 12 categories": random_code}
for _variance in (0.0, 0.2):
    for _reliability in (1.0, 0.5):
        STUDIES[f"adds {_variance} {_reliability}"] = partial(
            variance_added, variance=_variance, reliability=_reliability
        )
