"""Banded ridge beside himalaya's random search: the same weightings, penalties and folds."""

from functools import partial

import numpy as np
import pytest
from harness import Work, compare

from brodmann.analysis.encoding.banded import draw_weightings, fit_fold
from brodmann.analysis.encoding.banded_spaces import Spaces
from brodmann.analysis.encoding.cross_validation import Fold, Splitter
from brodmann.analysis.encoding.nested_ridge import ALPHAS

pytestmark = pytest.mark.perf
N_DRAWS = 100


def data(n, sizes, n_targets, n_test):
    """Samples that depend on their neighbours; features whose variance falls off; an outer fold, five inner ones."""
    rng = np.random.default_rng(0)
    spaces, y = {}, 2 * rng.standard_normal((n + n_test, n_targets))
    for number, size in enumerate(sizes):
        x = rng.standard_normal((n + n_test, size)) * np.arange(1, size + 1) ** -0.5
        for row in range(1, len(x)):
            x[row] += 0.5 * x[row - 1]
        spaces[f"space {number}"] = x
        y += x @ rng.standard_normal((size, n_targets)) * rng.choice([0, 0.3, 0.6], n_targets)
    outer = np.arange(n), np.arange(n, n + n_test)
    inner = Splitter(5, "blocks").split(n)
    return spaces, y, Fold(type(inner[0])(*outer), inner), draw_weightings(len(sizes), N_DRAWS, 0)


def ours(made):
    spaces, y, fold, weightings = made
    found = fit_fold(Spaces.of(spaces, len(y)), y, fold, weightings, kind=np.float32)
    return r_of(found.parts.sum(axis=0), y[fold.split.test]), found.inner_score


def r_of(predicted, truth):
    p, t = (one - one.mean(axis=0) for one in (predicted, truth))
    return (p * t).sum(axis=0) / np.sqrt((p**2).sum(axis=0) * (t**2).sum(axis=0))


def himalaya(made, n_weightings, backend):
    """Of some of the weightings; without the refitting where it is not all of them, which only favours it."""
    from himalaya.backend import set_backend
    from himalaya.kernel_ridge import solve_multiple_kernel_ridge_random_search as search

    set_backend(backend)
    spaces, y, fold, weightings = made
    kind = np.float32 if backend == "torch" else np.float64
    train, test = fold.split.train, fold.split.test
    kernels, across = [], []
    for x in spaces.values():
        x = x - x[train].mean(axis=0)
        scale = (x[train] ** 2).sum() / (len(train) - 1)
        kernels.append((x[train] @ x[train].T / scale).astype(kind))
        across.append(x[test] @ x[train].T / scale)
    mean, spread = y[train].mean(axis=0), y[train].std(axis=0)
    whole = n_weightings == len(weightings)
    deltas, dual, scores = search(
        np.array(kernels), ((y[train] - mean) / spread).astype(kind), n_iter=weightings[-n_weightings:].astype(kind),
        alphas=ALPHAS.astype(kind), cv=[(part.train, part.test) for part in fold.inner],
        return_weights="dual" if whole else None, n_targets_batch=1000, n_targets_batch_refit=1000,
        progress_bar=False,
    )  # fmt: skip
    best = 1 + np.asarray(scores).max(axis=0)
    if not whole:
        return None, best
    dual = np.asarray(dual, np.float64)
    parts = [np.exp(np.asarray(d)) * (k @ dual) for d, k in zip(deltas, across, strict=True)]
    return r_of(sum(parts), y[test]), best


def difference(found, expected):
    """Of r; of a peer that tried only some of the weightings, by how much its best score is above ours."""
    if expected[0] is None:
        return float(np.maximum(expected[1] - found[1], 0).max())
    return float(np.abs(found[0] - expected[0]).max())


@pytest.mark.parametrize(
    ("shape", "tried", "backend", "goal"),
    [
        ((3000, (3072, 156, 8, 4), 10_000, 300), 2, "torch", 5),
        ((350, (3072, 12, 4, 4), 6, 40), N_DRAWS + 5, "numpy", 5),
        ((2000, (3072, 1200), 5000, 200), 2, "torch", 2),
    ],
    ids=["a voxelwise recipe", "a small recording", "two large spaces"],
)
def test_banded_ridge(shape, tried, backend, goal, table):
    n, sizes, n_targets, _ = shape
    spaces = " + ".join(map(str, sizes))
    n_weightings = N_DRAWS + len(sizes) + 1
    work = Work(
        f"banded ridge, n {n}, {spaces} features, {n_targets} targets, 5 inner folds, 20 penalties, {n_weightings} "
        "weightings",
        f"himalaya random search, {backend}",
        partial(data, *shape),
        ours,
        partial(himalaya, n_weightings=min(tried, n_weightings), backend=backend),
        goal,
        share=min(tried, n_weightings) / n_weightings,
        agreement=difference,
    )
    done = compare(work)
    table(done)
    assert done.difference < 1e-4
