"""Every bin's responses as target columns of one ridge fit a layer, and what follows: r, intervals, nulls."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt

from ...analysis.encoding.gram_eigen import DualFeatures, PrimalFeatures, prepare
from ...analysis.encoding.nested_ridge import (
    Fit,
    NestedRidge,
    Targets,
    products_device,
    ridge_memory,
    widened,
)
from ...analysis.encoding.pooled import centered, predictions_without, ratio
from ...progress import track
from ..metrics.base import Floats, Layers
from ..metrics.ridge import Encoding
from .timed import Timed

Indices = npt.NDArray[np.intp]
Prepared = DualFeatures | PrimalFeatures

COLUMNS = 1 << 26
"""Most numbers of the responses that are fitted together; bins beyond them wait for another pass over a layer."""
_KEPT = 1 << 30
"""Bytes of bases from which on what is said without groups is found fold by fold."""


@dataclass(frozen=True)
class Fitted:
    """Held-out predictions of every bin by the layer that its training stimuli chose.

    Attributes
    ----------
    predictions : list of array of shape (n_bins, n_test, n_neuroids), single precision
        One a fold.
    alpha : array of shape (n_folds, n_bins, n_neuroids)
        Penalties.
    chosen : array of shape (n_folds, n_bins)
        Which of `names`.
    names : list of str
        Layers.
    features : mapping of int to features
        Of the layers that were chosen, prepared.
    penalties : mapping of int to array
        Those that were tried of each.
    by_layer : array of shape (n_layers, n_bins)
        The region's raw r of every layer.
    """

    predictions: list[npt.NDArray[np.float32]] = field(repr=False)
    alpha: Floats = field(repr=False)
    chosen: Indices
    names: list[str]
    features: Mapping[int, Prepared] = field(repr=False)
    penalties: Mapping[int, Floats] = field(repr=False)
    by_layer: Floats

    @property
    def layer_by_bin(self) -> list[str]:
        """The layer that most folds chose for each bin."""
        most = [np.bincount(column, minlength=len(self.names)).argmax() for column in self.chosen.T]
        return [self.names[i] for i in most]


def fitting_memory(metric: Encoding, n_bins: int, n_stimuli: int, n_neuroids: int, n_units: int) -> int:
    """Bytes that fitting every bin takes beside the features of the largest layer."""
    n_targets = n_bins * n_neuroids
    together = min(n_targets, max(COLUMNS // n_stimuli, n_neuroids))
    engine = ridge_memory(n_stimuli, n_units, together, len(metric.alphas), metric.sampling.n_splits)
    # responses and the predictions of the best layer in single precision, those of a pass in double, twice if widened
    return engine + n_stimuli * (8 * n_targets + 24 * together)


def fit_every_bin(
    layers: Layers, timed: Timed, metric: Encoding, each_bin: bool, steps: dict[str, Floats], tested: Indices
) -> Fitted:
    """Fit every layer to all bins at once.

    Parameters
    ----------
    layers : mapping of str to array
    timed : Timed
    metric : Encoding
        Whose folds and penalties hold in every bin.
    each_bin : bool
        Whether every bin chooses its own layer, by the inner explained variance, median over neuroids; else all share
        the one of the largest mean over bins of that value, where it is above 0.
    steps : dict
        Layer -> None, filled with the curve without each group of stimuli.
    tested : array of int
        Neuroids that this is computed for.
    """
    folds, device, names = metric.sampling.folds, products_device(), list(layers)
    n_bins, n_stimuli, n_neuroids = timed.mean.shape
    best = np.full((len(folds), n_bins), -np.inf)
    chosen = np.zeros((len(folds), n_bins), np.intp)
    kept = [np.zeros((n_bins, len(one.split.test), n_neuroids), np.float32) for one in folds]
    alpha = np.ones((len(folds), n_bins, n_neuroids))
    by_layer = np.empty((len(names), n_bins))
    features: dict[int, Prepared] = {}
    penalties: dict[int, Floats] = {}
    for number, layer in enumerate(track(names, "fitting every bin", total=len(names))):
        prepared = prepare(layers[layer])
        engine = NestedRidge(prepared, folds, metric.alphas, device)
        predictions = [np.empty_like(one) for one in kept]
        penalty, inner = np.empty((2, *alpha.shape))
        tried = metric.alphas
        for some in _together(n_bins, n_stimuli * n_neuroids):
            columns = Targets(_side_by_side(timed.mean[some]), device)
            fits = widened([engine.fit(one, columns) for one in folds], prepared, folds, columns, device)  # type: ignore[arg-type]
            for i, fit in enumerate(fits):
                parts = fit.prediction.reshape(len(fit.prediction), -1, n_neuroids)
                predictions[i][some] = parts.transpose(1, 0, 2)
                penalty[i, some] = fit.alpha.reshape(-1, n_neuroids)
                inner[i, some] = fit.inner_score.reshape(-1, n_neuroids)
            tried = max(tried, fits[0].penalties, key=len)
        by_layer[number] = timed.headline.raw(r_of_bins(timed, metric, predictions))
        if layer in steps:
            steps[layer] = without_groups(
                timed, metric, tested,
                Fitted(predictions, penalty, np.zeros_like(chosen), [layer], {0: prepared}, {0: tried}, by_layer),
            )  # fmt: skip
        quality = np.median(inner, axis=2)
        if not each_bin:
            quality = np.broadcast_to(np.maximum(quality, 0.0).mean(axis=1, keepdims=True), quality.shape)
        better = quality > best
        best = np.where(better, quality, best)
        for i, where in enumerate(better):
            kept[i][where], alpha[i, where], chosen[i, where] = (
                predictions[i][where],
                penalty[i, where],
                number,
            )
        features[number], penalties[number] = prepared, tried
        features = {one: features[one] for one in features if (chosen == one).any()}
    return Fitted(kept, alpha, chosen, names, features, penalties, by_layer)


def _together(n_bins: int, n_each: int) -> Iterator[slice]:
    step = max(1, COLUMNS // n_each)
    for start in range(0, n_bins, step):
        yield slice(start, min(start + step, n_bins))


def _side_by_side(values: npt.NDArray[np.float32]) -> Floats:
    """(n_bins, n_stimuli, n_neuroids) as (n_stimuli, n_bins * n_neuroids)."""
    n_bins, n_stimuli, n_neuroids = values.shape
    return values.transpose(1, 0, 2).reshape(n_stimuli, n_bins * n_neuroids).astype(np.float64)


def r_of_bins(
    timed: Timed,
    metric: Encoding,
    predictions: Sequence[npt.NDArray[np.float32]],
    rows: npt.NDArray[np.bool_] | None = None,
    tested: Indices | None = None,
) -> Floats:
    """Pearson's r pooled over folds, centred within each, ``(n_bins, n_neuroids)``.

    Parameters
    ----------
    timed, metric
    predictions : sequence of array of shape (n_bins, n_test, n_neuroids)
    rows : array of bool, optional
        Stimuli that count.
    tested : array of int, optional
        The neuroids that were predicted; all by default.
    """
    mean = timed.mean if tested is None else timed.mean[:, :, tested]
    sums = np.zeros((3, len(mean), mean.shape[2]))
    for test, found in zip(metric.sampling.tests, predictions, strict=True):
        known, weights = _known(timed, test, rows)
        if len(weights) < 2:
            continue  # one row has no deviation from its own mean
        for i, (y, p) in enumerate(zip(mean[:, test[known]], found[:, known], strict=True)):
            y, p = centered(y.astype(np.float64), weights), centered(p.astype(np.float64), weights)
            sums[:, i] += [(weights @ pair) for pair in (y * p, p * p, y * y)]
    return ratio(*sums)


def _known(
    timed: Timed, test: Indices, rows: npt.NDArray[np.bool_] | None = None
) -> tuple[npt.NDArray[np.bool_], Floats]:
    """Which held-out rows count, and their weights."""
    weights = timed.headline.weights[test]
    known = weights > 0 if rows is None else (weights > 0) & rows[test]
    return known, weights[known]


def without_groups(timed: Timed, metric: Encoding, tested: Indices, fitted: Fitted) -> Floats:
    """The r of every bin without each group of stimuli, neither fitted nor held out, penalties kept.

    Returns
    -------
    array of shape (n_groups, n_bins, n_tested)
    """
    groups = metric.sampling.jackknife_groups
    columns = _side_by_side(timed.mean[:, :, tested])
    n_bins, n_tested = len(timed.mean), len(tested)
    parts: list[tuple[int, npt.NDArray[np.bool_], Iterator[Floats]]] = []
    for i, fold in enumerate(metric.sampling.folds):
        for number in np.unique(fitted.chosen[i]):
            bins = fitted.chosen[i] == number
            found = fitted.predictions[i][bins][:, :, tested]
            fit = Fit(
                fold.split, fitted.features[int(number)], fitted.alpha[i, bins][:, tested].ravel(),
                _side_by_side(found), np.empty(0),
            )  # fmt: skip
            left = predictions_without(fit, columns[:, np.repeat(bins, n_tested)], groups)
            if 8 * len(metric.sampling.folds) * len(fold.split.train) ** 2 > _KEPT:
                left = iter(list(left))
                fit.__dict__.pop("basis", None)
            parts.append((i, bins, left))
    n_groups = int(groups.max()) + 1
    r = np.empty((n_groups, n_bins, n_tested))
    moved = [np.empty((n_bins, len(test), n_tested), np.float32) for test in metric.sampling.tests]
    for group in range(n_groups):
        for i, bins, left in parts:
            here = next(left)
            moved[i][bins] = here.reshape(len(here), -1, n_tested).transpose(1, 0, 2)
        r[group] = r_of_bins(timed, metric, moved, groups != group, tested)
    return r


def generalization(
    timed: Timed,
    tests: Sequence[Indices],
    predictions: Sequence[npt.NDArray[Any]],
    truths: Sequence[npt.NDArray[Any]],
) -> Floats:
    """R of what was fitted in bin a with the responses of bin b, pooled over folds and centred within each.

    Parameters
    ----------
    timed : Timed
    tests : sequence of array of int
    predictions, truths : sequence of array of shape (..., n_bins, n_test, n_neuroids)
        One a fold.

    Returns
    -------
    array of shape (..., n_bins, n_bins, n_neuroids)
    """
    shape = (*truths[0].shape[:-2], truths[0].shape[-1])
    products: Floats = np.zeros((*shape[:-2], shape[-1], shape[-2], shape[-2]))
    squares, sizes = np.zeros((2, *shape[:-2], shape[-1], shape[-2]))
    for test, p, y in zip(tests, predictions, truths, strict=True):
        known, weights = _known(timed, test)
        if len(weights) < 2:
            continue
        p, y = (_centered_last(one[..., known, :], weights) for one in (p, y))
        products += p @ np.swapaxes(y, -1, -2)
        squares += (p * p).sum(axis=-1)
        sizes += (y * y).sum(axis=-1)
    return np.moveaxis(ratio(products, squares[..., None], sizes[..., None, :]), -3, -1)


def _centered_last(values: npt.NDArray[Any], weights: Floats) -> Floats:
    """(..., n_bins, n_test, n_neuroids) as (..., n_neuroids, n_bins, n_test), centred and times sqrt(weight)."""
    moved = np.moveaxis(values, -1, -3)
    left: Floats = moved - (moved @ (weights / weights.sum()))[..., None]
    left[np.abs(left).max(axis=-1) <= 1e-7 * np.abs(moved).max(axis=-1)] = 0.0
    left *= np.sqrt(weights)
    return left


@dataclass(frozen=True)
class Null:
    """What there is with the responses in other orders, the same order in every bin.

    Attributes
    ----------
    curves : array of shape (n_orders, n_bins)
        The region's r.
    largest : array of shape (n_orders,)
        Of the region's r over all pairs of bins, with what was fitted in other orders and what is predicted as it is:
        predictions and responses may both be of the features, and are then alike by chance more often than what is
        permuted. Empty where codes were not generalized.
    neuroids : array of shape (n_orders, n_bins, n_tested), single precision
        R of each.
    said : str
    smallest : float
        The smallest p.
    """

    curves: Floats = field(repr=False)
    largest: Floats = field(repr=False)
    neuroids: npt.NDArray[np.float32] = field(repr=False)
    said: str
    smallest: float


def permuted_bins(
    timed: Timed,
    metric: Encoding,
    fitted: Fitted,
    tested: Indices,
    orders: tuple[Indices, str, float],
    generalized: bool,
) -> Null:
    """Fit what each fold and bin chose to responses in other orders, penalties chosen anew.

    Parameters
    ----------
    timed, metric, fitted
    tested : array of int
        Neuroids.
    orders : (array of shape (n_orders, n_stimuli), str, float)
        Of ``Sampling.orders``.
    generalized : bool
        Whether over all pairs of bins, too.
    """
    rows, what, smallest = orders
    values = timed.mean[:, :, tested]
    n_bins, _, n_tested = values.shape
    headline = timed.headline.only(tested)
    device = products_device()
    engines = {
        number: NestedRidge(features, metric.sampling.folds, fitted.penalties[number], device)
        for number, features in fitted.features.items()
    }
    curves, largest = np.empty((len(rows), n_bins)), np.full(len(rows) if generalized else 0, -np.inf)
    neuroids = np.empty((len(rows), n_bins, n_tested), np.float32)
    tests = metric.sampling.tests
    as_they_are = [values[:, test] for test in tests]
    step = max(1, COLUMNS // (2 * values.size))
    for start in track(range(0, len(rows), step), "responses in other orders"):
        some = slice(start, min(start + step, len(rows)))
        responses = values[:, rows[some]].transpose(1, 0, 2, 3)  # (n_orders, n_bins, n_stimuli, n_tested)
        found = [
            _of_fold(engines, fitted.chosen[i], metric, i, responses)
            for i in range(len(metric.sampling.folds))
        ]
        truths = [responses[:, :, test] for test in tests]
        for number in range(len(responses)):
            ps = [one[number] for one in found]
            neuroids[start + number] = _diagonal(timed, tests, ps, [one[number] for one in truths])
            if generalized:
                largest[start + number] = np.max(headline.raw(generalization(timed, tests, ps, as_they_are)))
        curves[some] = headline.raw(neuroids[some].astype(np.float64))
    said = f"{what}, {len(rows)} times, the same in every bin, penalties chosen anew"
    return Null(curves, largest, neuroids, said, smallest)


def _of_fold(
    engines: Mapping[int, NestedRidge],
    chosen: Indices,
    metric: Encoding,
    number: int,
    responses: npt.NDArray[np.float32],
) -> npt.NDArray[np.float32]:
    """Predictions of a fold's held-out stimuli in every order, (n_orders, n_bins, n_test, n_tested)."""
    fold = metric.sampling.folds[number]
    n_orders, n_bins, n_stimuli, n_tested = responses.shape
    found = np.empty((n_orders, n_bins, len(fold.split.test), n_tested), np.float32)
    for layer in np.unique(chosen):
        bins = np.flatnonzero(chosen == layer)
        columns = responses[:, bins].transpose(2, 0, 1, 3).reshape(n_stimuli, -1)
        predicted = engines[int(layer)].fit(fold, Targets(columns, products_device())).prediction
        found[:, bins] = predicted.reshape(-1, n_orders, len(bins), n_tested).transpose(1, 2, 0, 3)
    return found


def _diagonal(
    timed: Timed,
    tests: Sequence[Indices],
    predictions: Sequence[npt.NDArray[Any]],
    truths: Sequence[npt.NDArray[Any]],
) -> Floats:
    """R of every bin and neuroid."""
    sums = np.zeros((3, predictions[0].shape[0], predictions[0].shape[-1]))
    for test, p, y in zip(tests, predictions, truths, strict=True):
        known, weights = _known(timed, test)
        p, y = (_centered_last(one[..., known, :], weights) for one in (p, y))
        sums += np.array([(a * b).sum(axis=-1).T for a, b in ((p, y), (p, p), (y, y))])
    return ratio(*sums)


def only_tested(
    predictions: Sequence[npt.NDArray[np.float32]], tested: Indices
) -> list[npt.NDArray[np.float32]]:
    """Predictions of some neuroids."""
    return [one[:, :, tested] for one in predictions]
