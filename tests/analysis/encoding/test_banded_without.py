"""Banded predictions without groups of training rows, beside plain refits of the weighted features."""

import numpy as np

from brodmann.analysis.encoding.banded import draw_weightings, fit_fold
from brodmann.analysis.encoding.banded_spaces import Spaces
from brodmann.analysis.encoding.banded_without import without_each_group
from brodmann.analysis.encoding.cross_validation import Fold, Split, Splitter

N_NEUROIDS = 6


def test_predictions_without_a_group_are_those_of_a_refit_at_the_same_penalties():
    """With the power -1/2 of Bell & McCaffrey the change is between none and that of the refit."""
    draw, n = np.random.default_rng(5), 120
    nuisance, layer = draw.normal(size=(n, 3)), draw.normal(size=(n, 40))
    y = nuisance @ draw.normal(size=(3, N_NEUROIDS)) + layer[:, :3] @ draw.normal(size=(3, N_NEUROIDS))
    y += 2 * draw.normal(size=(n, N_NEUROIDS))
    spaces = Spaces.of({"nuisance": nuisance, "layer": layer}, n)
    train, test = np.arange(90), np.arange(90, n)
    weightings = draw_weightings(2, 10, 0)
    fold = Fold(Split(train, test), Splitter(n_splits=4).split(90))
    fit = fit_fold(spaces, y, fold, weightings)
    groups = np.arange(n) % 10
    moved = without_each_group(spaces, fit, y, weightings, groups)
    assert moved.shape == (10, 30, N_NEUROIDS)
    # the refit keeps the scale that the kernels have on all training rows
    scales, changes = spaces.scales(train), []
    for group in range(10):
        rows = train[groups[train] != group]
        for target in range(N_NEUROIDS):
            shares = weightings[fit.weighting[target]] / scales
            x = np.hstack([np.sqrt(s) * one for s, one in zip(shares, (nuisance, layer), strict=True)])
            inside = x[rows] - x[rows].mean(axis=0)
            on = np.linalg.solve(
                inside.T @ inside + fit.alpha[target] * np.eye(43), inside.T @ y[rows, target]
            )
            refit = (x[test] - x[rows].mean(axis=0)) @ on + y[rows, target].mean()
            whole = fit.prediction[:, target] + y[train, target].mean()
            half = moved[group][:, target] - whole
            changes.append((half @ (refit - whole)) / ((refit - whole) @ (refit - whole)))
    assert 0.5 < np.median(changes) < 1.0
    assert np.min(changes) > 0.3
