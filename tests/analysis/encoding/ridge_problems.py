"""Ridge problems, and their answers in plain double precision, one penalty at a time."""

import numpy as np

from brodmann.analysis.encoding.cross_validation import Fold, Splitter
from brodmann.analysis.encoding.nested_ridge import ALPHAS


def problem(n, p, decay=0.0, noise=1.5, n_targets=60, seed=0):
    """Features whose variances fall as k^-decay, and targets of which every fifth is noise alone."""
    rng = np.random.default_rng(seed)
    x = (rng.standard_normal((n, p)) * np.arange(1.0, p + 1) ** (-decay / 2)).astype(np.float32)
    y = x @ rng.standard_normal((p, n_targets))
    y /= y.std(axis=0)
    y[:, ::5] = 0
    return x, y + noise * rng.standard_normal((n, n_targets)) + 3


def folds_of(n, n_outer=4, n_inner=4, **options):
    outer, inner = Splitter(n_splits=n_outer), Splitter(n_splits=n_inner, seed=2)
    groups = options.get("groups")
    return [
        Fold(split, inner.split(len(split.train), groups=None if groups is None else groups[split.train]))
        for split in outer.split(n, **options)
    ]


def predictions(x, y, train, test):
    """At every penalty, ``(n_alphas, n_test, n_targets)``."""
    mean, mean_y = x[train].mean(axis=0), y[train].mean(axis=0)
    left, size, right = np.linalg.svd(x[train] - mean, full_matrices=False)
    scale = (size**2).sum() / min(len(train) - 1, x.shape[1])
    to_test, inside = (x[test] - mean) @ right.T, left.T @ (y[train] - mean_y)
    shrunk = [
        to_test @ ((size / (size**2 + max(alpha * scale, 1e-300)))[:, None] * inside) for alpha in ALPHAS
    ]
    return np.array(shrunk) + mean_y


def exact(x, y, fold):
    """Explained variance of inner rows at every penalty, and predictions of the outer rows at every penalty."""
    x = x.astype(float)
    errors, variance = np.zeros((len(ALPHAS), y.shape[1])), np.zeros(y.shape[1])
    for part in fold.parts():
        errors += np.square(predictions(x, y, part.train, part.test) - y[part.test]).sum(axis=1)
        variance += np.square(y[part.test] - y[part.train].mean(axis=0)).sum(axis=0)
    return 1 - errors / variance, predictions(x, y, fold.split.train, fold.split.test)
