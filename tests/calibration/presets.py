"""Brain-Score's metrics, named test stimuli, and penalties: p, ceilings, intervals where the truth is known."""

from collections.abc import Sequence
from functools import partial
from typing import Any

import numpy as np
from designs import Row, Study, benchmark, coverage, dataset, evaluate, generator, row

_DRAWS = 99


def nothing(seeds: Sequence[int], *, metric: str, n: int, rho: float) -> list[Row]:
    """Features that have nothing to do with the responses: how often is p at most .05?"""
    p = []
    for seed in seeds:
        draw = np.random.default_rng([seed, 21])
        made = generator().trials(seed, n_stimuli=n, n_neuroids=10)
        features, slow = (
            np.concatenate([generator().ar1((10, 10), rho, draw) for _ in range(n // 10)]) for _ in "xy"
        )
        made.responses += 2 * made.responses.std() * slow[made.stimulus]
        columns: dict[str, Any] = {"story": [f"s{i // 10:02d}" for i in range(n)]} if rho else {}
        tested = evaluate(benchmark(dataset(made, **columns), metric), features, n_permutations=_DRAWS)
        p.append(tested.p)
    measured = {"p <= .05": float((np.array(p) <= 0.05).mean())}
    name = f"{metric}, {n} stimuli{f', AR({rho}) in stories of 10' if rho else ''}, unrelated"
    return [row(name, measured, "p <= .05 in at most 8 %", measured["p <= .05"] <= 0.08)]


def few(seeds: Sequence[int], *, metric: str, n: int) -> list[Row]:
    """A flawless model of few stimuli: how often is p at most .05?"""
    p = []
    for seed in seeds:
        made = generator().trials(seed, n_stimuli=n, reliability=0.9, n_neuroids=10)
        tested = evaluate(benchmark(dataset(made), metric), made.features[:, :5], n_permutations=_DRAWS)
        p.append(tested.p)
    measured = {"p <= .05": float((np.array(p) <= 0.05).mean())}
    return [row(f"{metric}, {n} stimuli, half-right", measured, "told", True)]


def noise(seeds: Sequence[int]) -> list[Row]:
    """Recordings without signal: is the sign of the score ever another than that of r?"""
    turned, none = [], []
    for seed in seeds:
        made = generator().trials(seed, n_stimuli=100, repetitions=2, reliability=0.5, n_neuroids=10)
        made.responses = np.random.default_rng([seed, 22]).normal(size=made.responses.shape)
        scored = benchmark(dataset(made), "pls")
        found = evaluate(scored, made.features, n_bootstraps=0)
        turned.append(np.sign(found.value) != np.sign(found.raw))
        none.append(scored.noise_ceiling.kind == "none")
    measured = {"sign turned": float(np.mean(turned)), "no ceiling": float(np.mean(none))}
    return [row("pls, noise", measured, "no sign turned", measured["sign turned"] == 0)]


def there(seeds: Sequence[int], *, n_test: int, groups: int, unexplained: float) -> list[Row]:
    """Train here, test there: does the interval hold the mean score of the design?"""
    scores, ends = [], []
    for seed in seeds:
        made = generator().trials(
            seed, n_stimuli=200, n_groups=groups or 1, between=0.5 if groups else 0, unexplained=unexplained
        )
        columns: dict[str, Any] = {"story": [f"story{one}" for one in made.group]} if groups else {}
        last = made.group >= groups - n_test if groups else np.arange(200) >= 200 - n_test
        split = np.where(last, "test", "train")
        scored = benchmark(dataset(made, split=split, **columns), test="split=test")
        found = evaluate(scored, made.features)
        scores.append(found.value)
        ends.append(found.ci)
    measured = coverage(scores, ends)
    of = f"{n_test} of {groups} groups" if groups else f"{n_test} of 200 stimuli"
    name = f"tested on {of}, {'half-right' if unexplained else 'flawless'}"
    holds = measured["covers"] >= 0.88 and measured["own inside"] == 1
    return [row(name, measured, "covers 88 %, own inside", holds)]


def hidden(seeds: Sequence[int], *, smaller: float) -> list[Row]:
    """Useful features many times smaller than 60 useless ones: ridge beside least squares."""
    found: dict[str, list[float]] = {"ridge": [], "linear": []}
    for seed in seeds:
        made = generator().trials(seed, n_stimuli=200, reliability=0.9)
        useless = np.random.default_rng([seed, 23]).normal(size=(200, 60))
        features = np.concatenate([made.features / smaller, useless], axis=1)
        for name, values in found.items():
            values.append(evaluate(benchmark(dataset(made), name), features, n_bootstraps=0).raw)
    measured = {name: float(np.median(values)) for name, values in found.items()}
    holds = measured["ridge"] > measured["linear"] - 0.02
    return [row(f"useful features {smaller:g} times smaller", measured, "ridge as linear", holds)]


STUDIES: dict[str, Study] = {"noise": noise}
for _metric, _n in (("ridge1", 100), ("pls", 40), ("pls", 150), ("ridgecv", 100), ("neuron_to_neuron", 100)):
    STUDIES[f"nothing {_metric} {_n}"] = partial(nothing, metric=_metric, n=_n, rho=0.0)
for _metric in ("ridge1", "linear_predictivity", "language_ridge"):
    STUDIES[f"nothing {_metric} slow"] = partial(nothing, metric=_metric, n=150, rho=0.8)
for _metric in ("pls", "ridge1"):
    for _n in (12, 20):
        STUDIES[f"few {_metric} {_n}"] = partial(few, metric=_metric, n=_n)
for _n_test, _groups in ((40, 0), (100, 0), (6, 12), (10, 20)):
    for _unexplained in (0.0, 0.6):
        STUDIES[f"there {_n_test} {_groups} {_unexplained}"] = partial(
            there, n_test=_n_test, groups=_groups, unexplained=_unexplained
        )
for _smaller in (1e3, 1e5):
    STUDIES[f"hidden {_smaller:g}"] = partial(hidden, smaller=_smaller)
