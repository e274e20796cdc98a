"""How few units, features or random expansions predict voxels: curves over their number, beside full ridge regression.

Units are chosen by orthogonal matching pursuit (:mod:`...encoding.sparse`) on the training rows of every fold; r is
pooled over held-out rows and centred within folds, as everywhere. How many are needed is asked of the *full ridge* r,
not of the curve's own maximum, which is chosen on the very rows that it is read from:

    k90 = the fewest k with r(k) >= .9 r(ridge).

Expansions of one width share stimuli, folds and noise, so that they are compared by a paired bootstrap over stimuli, or
whole groups of them.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from ....errors import UserError, unknown
from ...encoding.cross_validation import Fold, Indices, Splitter, nested_folds
from ...encoding.nested_ridge import NestedRidge, Targets, products_device, widened
from ...encoding.pooled import PooledFolds
from ...encoding.sparse import sparse_predictions
from ...masks import unmasked
from ...statistics.resampling import bootstrap_weights, percentile_interval

Floats = npt.NDArray[np.float64]
Held = list[npt.NDArray[np.float32]]
"""Held-out predictions, one array of shape (n_sizes, n_test, n_targets) a fold."""
SIZES = (1, 2, 3, 4, 6, 8, 12, 16, 24, 32, 48, 64, 96, 128)
SHARES = (0.5, 0.9)
_INNER = 3


@dataclass(frozen=True)
class VoxelCurve:
    """What one set of columns (neurons, features, an expansion) predicts.

    Attributes
    ----------
    sizes : tuple of int
    width : int
        Columns there are.
    r : array of shape (n_seeds, n_sizes, n_targets)
        Held-out r by the seed of the folds.
    ridge : array of shape (n_seeds, n_targets)
        Of ridge regression on all columns.
    chosen : array of shape (n_seeds, n_targets)
        Held-out r at the number that inner folds of the training rows chose.
    chosen_k : array of shape (n_seeds, n_targets)
        That number, the mean over folds.
    units : array of shape (n_seeds * n_folds, n_targets, largest size)
        The chosen columns in their order, -1 for none.
    held : list of list of array
        By seed and fold: predictions at every size, then at the number that inner folds chose, then of ridge.
    """

    sizes: tuple[int, ...]
    width: int
    r: Floats
    ridge: Floats
    chosen: Floats
    chosen_k: Floats
    units: Indices = field(repr=False)
    held: list[Held] = field(repr=False)

    def row(self, at: int | str) -> int:
        """Where predictions of so many columns, ``"chosen"`` or ``"ridge"``, stand in `held`."""
        places: dict[int | str, int] = {size: i for i, size in enumerate(self.sizes)}
        places |= {"chosen": len(self.sizes), "ridge": len(self.sizes) + 1}
        if at not in places:
            raise unknown("point of a curve", str(at), [str(one) for one in places])
        return places[at]


@dataclass(frozen=True)
class Difference:
    """Of two curves at one point.

    Attributes
    ----------
    value : float
        r of the first less r of the second, median over targets, mean over seeds of folds.
    low, high : float
        95 % of the bootstrap.
    p : float
        Two-sided: twice the smaller share of draws on one side of 0; never 0.
    n_draws : int
    """

    value: float
    low: float
    high: float
    p: float
    n_draws: int


@dataclass(frozen=True)
class VoxelCurves:
    """Several sets of columns on the same folds.

    Attributes
    ----------
    curves : mapping of str to VoxelCurve
    targets : array of shape (n_stimuli, n_targets)
    folds : list of list of Fold
        By seed.
    members : list of array of int
        Targets of each subject: the region's value is the mean over subjects of the median over their targets.
    groups : array of shape (n_stimuli,) or None
        What is drawn together.
    weights : array of shape (n_stimuli,)
        Of the stimuli in r.
    """

    curves: Mapping[str, VoxelCurve]
    targets: Floats = field(repr=False)
    folds: list[list[Fold]] = field(repr=False)
    members: list[Indices] = field(repr=False)
    groups: npt.ArrayLike | None = field(repr=False)
    weights: Floats = field(repr=False)

    def region(self, r: Floats) -> Floats:
        """Over the last axis, the targets: the mean over subjects of their median."""
        value: Floats = np.mean([np.median(r[..., one], axis=-1) for one in self.members], axis=0)
        return value

    def units_needed(
        self, name: str, share: float, *, of: Floats | None = None, targets: bool = False
    ) -> Floats:
        """The fewest columns that reach a share of the full ridge r; NaN where none of the sizes does.

        Parameters
        ----------
        name : str
        share : float
        of : array of shape (n_targets,), optional
            Instead of the ridge r of the same columns: a ceiling, or the ridge r of neurons.
        targets : bool
            Of every target, (n_targets,), and not of the region, ().
        """
        curve = self.curves[name]
        r, full = curve.r.mean(axis=0), curve.ridge.mean(axis=0) if of is None else np.asarray(of, float)
        if not targets:
            r, full = self.region(r), self.region(full)
        return _fewest(curve.sizes, r, share * full)

    def table(self, *, ceiling: npt.ArrayLike | None = None, against: str = "neurons") -> pd.DataFrame:
        """The region's values, a row a set of columns.

        Parameters
        ----------
        ceiling : array of shape (n_targets,), optional
            The r that noise allows.
        against : str
            The columns whose full ridge is a second measure of how many are needed.

        Returns
        -------
        DataFrame
            ``width``; ``k=1`` and so on: r at so many columns; ``ridge``; ``seed_sd`` of ridge over seeds of folds;
            ``chosen`` and ``chosen_k``: r at the number that inner folds chose, and that number; ``k50`` and
            ``k90`` of the row's own ridge; ``k50 of AGAINST``, ``k90 of AGAINST``; ``k50 of the ceiling``, ``k90 of
            the ceiling`` where there is one. NaN where none of the sizes is enough.
        """
        rows = []
        for name, curve in self.curves.items():
            ridge = self.region(curve.ridge)
            row: dict[str, Any] = {"columns": name, "width": curve.width}
            row |= {
                f"k={size}": float(value)
                for size, value in zip(curve.sizes, self.region(curve.r.mean(axis=0)), strict=True)
            }
            row |= {
                "chosen": float(self.region(curve.chosen).mean()),
                "chosen_k": float(self.region(curve.chosen_k).mean()),
                "ridge": float(self.region(curve.ridge.mean(axis=0))),
                "seed_sd": float(ridge.std(ddof=1)) if len(ridge) > 1 else np.nan,
            }
            for share in SHARES:
                row[f"k{100 * share:.0f}"] = float(self.units_needed(name, share))
            others = {} if against not in self.curves else {against: self.curves[against].ridge.mean(axis=0)}
            if ceiling is not None:
                others["the ceiling"] = np.broadcast_to(
                    np.asarray(ceiling, np.float64), curve.ridge.shape[1:]
                )
            for what, full in others.items():
                for share in SHARES:
                    row[f"k{100 * share:.0f} of {what}"] = float(self.units_needed(name, share, of=full))
            rows.append(row)
        return pd.DataFrame(rows).set_index("columns")

    def draws(self, name: str, at: int | str, n_draws: int = 1000, random_state: int = 0) -> Floats:
        """The region's r with stimuli (or groups) drawn anew, the same for all sets of columns, (n_draws,).

        Models are not fitted again.
        """
        curve, total = self.curves[name], np.zeros(n_draws)
        row = curve.row(at)
        for folds, held in zip(self.folds, curve.held, strict=True):
            tests = [fold.split.test for fold in folds]
            r = weighted_r(
                tests, self.targets, [one[row] for one in held], self._drawn(n_draws, random_state)
            )
            total += self.region(r)
        return total / len(self.folds)

    def needed_interval(
        self, name: str, share: float, n_draws: int = 1000, random_state: int = 0
    ) -> tuple[float, float]:
        """95 % of how many columns are needed; inf where no size is enough in so many draws."""
        curve = self.curves[name]
        full = self.draws(name, "ridge", n_draws, random_state)
        r = np.stack([self.draws(name, size, n_draws, random_state) for size in curve.sizes])
        found = np.nan_to_num(_fewest(curve.sizes, r, share * full), nan=np.inf)
        low, high = np.quantile(found, [0.025, 0.975], method="nearest")
        return float(low), float(high)

    def difference(
        self, first: str, second: str, at: int | str = "ridge", n_draws: int = 1000, random_state: int = 0
    ) -> Difference:
        """The r of the first columns less that of the second, with a paired bootstrap over stimuli or groups.

        Models are not fitted again, which leaves out what other training stimuli would change; of ridge on a
        benchmark, :mod:`brodmann.bench.studies.feature_scores` has an interval that counts it.

        Parameters
        ----------
        first, second : str
        at : int or str
            A size, ``"chosen"`` or ``"ridge"``.
        n_draws, random_state : int
        """
        drawn = [self.draws(name, at, n_draws, random_state) for name in (first, second)]
        difference = drawn[0] - drawn[1]
        value = self._value(first, at) - self._value(second, at)
        low, high = percentile_interval(difference)
        tail = min(int((difference <= 0).sum()), int((difference >= 0).sum()))
        return Difference(value, low, high, min(1.0, 2 * (1 + tail) / (1 + n_draws)), n_draws)

    def _value(self, name: str, at: int | str) -> float:
        curve = self.curves[name]
        row = curve.row(at)
        every = np.concatenate([curve.r, curve.chosen[:, None], curve.ridge[:, None]], axis=1)
        return float(self.region(every[:, row]).mean())

    def _drawn(self, n_draws: int, random_state: int) -> Floats:
        return self.weights * bootstrap_weights(
            len(self.targets), n_draws, random_state=random_state, groups=self.groups
        )

    @cached_property
    def n_held_out(self) -> int:
        """Stimuli that are held out by any fold."""
        return len(np.unique(np.concatenate([fold.split.test for fold in self.folds[0]])))


def _fewest(sizes: Sequence[int], r: Floats, wanted: npt.ArrayLike) -> Floats:
    """The smallest size, along the first axis, whose r is as wanted; NaN where none is, or where that is not > 0."""
    goal = np.asarray(wanted, np.float64)
    reached = (r >= goal) & (goal > 0)
    found: Floats = np.where(
        reached.any(axis=0), np.asarray(sizes, np.float64)[reached.argmax(axis=0)], np.nan
    )
    return found


@unmasked
def voxel_curves(
    columns: Mapping[str, npt.ArrayLike],
    targets: npt.ArrayLike,
    folds: Sequence[Sequence[Fold]] | None = None,
    *,
    groups: npt.ArrayLike | None = None,
    members: Sequence[Indices] | None = None,
    weights: npt.ArrayLike | None = None,
    sizes: Sequence[int] = SIZES,
    n_seeds: int = 3,
    device: str | None = None,
) -> VoxelCurves:
    """Curves of several sets of columns on the same targets and folds.

    Parameters
    ----------
    columns : mapping of str to array of shape (n_stimuli, width)
        Neurons, features, expansions of the same width.
    targets : array of shape (n_stimuli, n_targets)
    folds : sequence of sequence of Fold, optional
        By seed; :func:`seeded_folds` by default.
    groups : array of shape (n_stimuli,), optional
        What is never torn apart, by folds or draws.
    members : sequence of array of int, optional
        The targets of each subject; one by default.
    weights : array of shape (n_stimuli,), optional
        Of the stimuli in r.
    sizes : sequence of int
        Those that exceed the width of a set, or half of the smallest training set, are left out there.
    n_seeds : int
    device : str, optional
        A CUDA device where there is one.

    Raises
    ------
    UserError
        For columns that do not fit the targets.
    """
    y = np.asarray(targets, np.float64)
    if y.ndim != 2 or not columns:
        raise UserError(
            f"targets have the shape (n_stimuli, n_targets), not {y.shape}, beside one set of columns"
        )
    made = [list(one) for one in folds] if folds is not None else seeded_folds(len(y), n_seeds, groups)
    counted = np.ones(len(y)) if weights is None else np.asarray(weights, np.float64)
    everyone = [np.arange(y.shape[1])] if members is None else [np.asarray(one, np.intp) for one in members]
    where = products_device() if device is None else device
    curves = {
        name: _curve(name, np.asarray(values), y, made, counted, tuple(sorted(set(sizes))), where)
        for name, values in columns.items()
    }
    return VoxelCurves(curves, y, made, everyone, groups, counted)


def seeded_folds(
    n_stimuli: int, n_seeds: int = 3, groups: npt.ArrayLike | None = None, n_splits: int = 5
) -> list[list[Fold]]:
    """Nested folds of several seeds, the first as a benchmark has them.

    Parameters
    ----------
    n_stimuli, n_seeds : int
    groups : array of shape (n_stimuli,), optional
    n_splits : int
        At most as many as there are groups.
    """
    if n_seeds < 1:
        raise UserError(f"folds are drawn with at least 1 seed, not {n_seeds}")
    n = n_splits if groups is None else min(n_splits, len(np.unique(np.asarray(groups))))
    inner = n if groups is None else max(2, n - 1)
    return [
        nested_folds(
            n_stimuli,
            outer=Splitter(n, seed=1 + 10 * seed),
            inner=Splitter(inner, seed=2 + 10 * seed),
            groups=groups,
        )
        for seed in range(n_seeds)
    ]


def _curve(
    name: str,
    x: npt.NDArray[Any],
    y: Floats,
    folds: list[list[Fold]],
    weights: Floats,
    sizes: tuple[int, ...],
    device: str,
) -> VoxelCurve:
    if x.ndim != 2 or len(x) != len(y) or not np.isfinite(x).all():
        raise UserError(f"{name}: finite columns of {len(y)} stimuli are needed, not of shape {x.shape}")
    fewest = min(len(part.train) for one in folds for fold in one for part in fold.parts())
    kept = tuple(size for size in sizes if size <= min(x.shape[1], fewest // 2))
    if not kept:
        raise UserError(
            f"{name}: none of the sizes {list(sizes)} fits {x.shape[1]} columns and {fewest} stimuli"
        )
    parts, units, held = [], [], []
    for some in folds:
        predictions, chosen, ks = _sparse(x, y, some, kept, device)
        ridge = _ridge(x, y, some, device)
        for fold, one in enumerate(ridge):
            predictions[fold] = np.concatenate([predictions[fold], one[None].astype(np.float32)])
        pooled = PooledFolds([fold.split.test for fold in some], y, weights)
        every = np.stack(
            [pooled.r([one[row].astype(np.float64) for one in predictions]) for row in range(len(kept) + 2)]
        )
        parts.append((every, ks))
        units.append(chosen)
        held.append(predictions)
    r = np.stack([every for every, _ in parts])
    return VoxelCurve(
        kept, x.shape[1], r[:, : len(kept)], r[:, -1], r[:, -2],
        np.stack([ks for _, ks in parts]), np.concatenate(units), held,
    )  # fmt: skip


def _sparse(
    x: npt.NDArray[Any], y: Floats, folds: list[Fold], sizes: tuple[int, ...], device: str
) -> tuple[Held, Indices, Floats]:
    """Held-out predictions at every size and at the one that inner folds choose; the units; the mean number chosen."""
    splits = [fold.split for fold in folds]
    held, units = _followed(x, y, splits, sizes, device)
    ks = np.zeros(y.shape[1])
    for i, fold in enumerate(folds):
        inner = fold.parts()[:_INNER]
        inside, _ = _followed(x, y, inner, sizes, device)
        pooled = PooledFolds([part.test for part in inner], y)
        best = np.stack(
            [pooled.r([one[row].astype(np.float64) for one in inside]) for row in range(len(sizes))]
        ).argmax(axis=0)
        ks += np.asarray(sizes)[best] / len(folds)
        own = held[i][best, :, np.arange(y.shape[1])].T
        held[i] = np.concatenate([held[i], own[None]])
    return held, units, ks


def _followed(
    x: npt.NDArray[Any], y: Floats, splits: Sequence[Any], sizes: tuple[int, ...], device: str
) -> tuple[Held, Indices]:
    held = [np.zeros((len(sizes), len(split.test), y.shape[1]), np.float32) for split in splits]
    units = np.full((len(splits), y.shape[1], sizes[-1]), -1, np.intp)
    for one in sparse_predictions(x, y, splits, sizes=sizes, device=device):
        units[one.split, one.block] = one.units
        for row, prediction in enumerate(one.predictions):
            held[one.split][row][:, one.block] = prediction
    return held, units


def _ridge(x: npt.NDArray[Any], y: Floats, folds: list[Fold], device: str) -> list[Floats]:
    columns, engine = Targets(y, device), NestedRidge(x, folds, device=device)
    fits = [engine.fit(fold, columns) for fold in folds]
    return [fit.prediction for fit in widened(fits, x, folds, columns, device)]


def weighted_r(
    tests: Sequence[Indices], targets: Floats, predictions: Sequence[npt.ArrayLike], weights: Floats
) -> Floats:
    """Pearson's r pooled over folds and centred within each, under many sets of weights of the stimuli.

    Parameters
    ----------
    tests : sequence of array of int
        The held-out rows of each fold.
    targets : array of shape (n_stimuli, n_targets)
    predictions : sequence of array of shape (n_test, n_targets)
    weights : array of shape (n_draws, n_stimuli)

    Returns
    -------
    array of shape (n_draws, n_targets)
        0 where nothing varies.
    """
    products, squares, sizes = np.zeros((3, len(weights), targets.shape[1]))
    for test, given in zip(tests, predictions, strict=True):
        y, p = targets[test], np.asarray(given, np.float64)
        y, p = y - y.mean(axis=0), p - p.mean(axis=0)
        w = weights[:, test]
        total = np.maximum(w.sum(axis=1, keepdims=True), 1e-300)
        mean_y, mean_p = w @ y / total, w @ p / total
        products += w @ (y * p) - total * mean_y * mean_p
        squares += w @ (p * p) - total * mean_p**2
        sizes += w @ (y * y) - total * mean_y**2
    below = np.sqrt(np.maximum(squares, 0) * np.maximum(sizes, 0))
    r: Floats = np.divide(products, below, out=np.zeros_like(below), where=below > 1e-12)
    return r
