"""Sparse encoding: how few units of a layer predict a neuroid.

Orthogonal matching pursuit (Pati, Rezaiifar & Krishnaprasad 1993): the unit that correlates most with what
is not yet explained is added, and all chosen units are fitted again. With z the centred training columns of
unit length, q_k the chosen ones orthonormalised, c = Z'(residual), D_k = Z'q_k and R_jk = q_j'z_k = D_j[k],

    D_k = (Z'z_k - sum_j R_jk D_j) / R_kk,   c <- c - (q_k'y) D_k,   q_k'y = c[k] / R_kk,

and the held-out rows follow the same recursion, so that one fit to the largest number of units gives every
smaller one.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from ...correlation import Floats, pearson
from ...errors import UserError
from ...progress import track
from ..masks import unmasked
from .cross_validation import Indices, Split

SIZES = (1, 2, 4, 8, 16, 32, 64, 128, 256)
_ENTRIES = 1 << 25
_GRAM_FEATURES = 8192
_NOTHING = 1e-9


@dataclass(frozen=True)
class SparseCurve:
    """The curve of score against number of units.

    Attributes
    ----------
    sizes : tuple of int
    r : array of shape (n_sizes, n_targets)
        Held-out Pearson r, averaged over splits; a constant prediction counts as 0.
    units : array of shape (n_splits, n_targets, largest size)
        The chosen units in their order; -1 where no other unit explains anything.
    """

    sizes: tuple[int, ...]
    r: Floats
    units: Indices

    def units_needed(self, share: float = 0.9) -> Indices:
        """The fewest units, among `sizes`, that reach a share of the best r; 0 where nothing is predicted."""
        best = self.r.max(axis=0)
        reached = np.asarray(self.sizes)[(self.r >= share * best).argmax(axis=0)]
        return np.where(best > 0, reached, 0)


@unmasked
def sparse_encoding(
    features: npt.ArrayLike,
    targets: npt.ArrayLike,
    splits: Sequence[Split],
    *,
    sizes: Sequence[int] = SIZES,
    device: str = "cpu",
) -> SparseCurve:
    """Predict every target from few units, chosen on the training rows of each split.

    Parameters
    ----------
    features : array of shape (n_stimuli, n_features)
    targets : array of shape (n_stimuli, n_targets)
    splits : sequence of Split
    sizes : sequence of int
        Numbers of units at which the score is taken.
    device : str

    Raises
    ------
    UserError
        Where a size exceeds the number of units, or leaves no training row over; where a value is not finite.
    """
    y = np.asarray(targets, np.float64)
    wanted = tuple(sorted(set(sizes)))
    found = sparse_predictions(features, y, splits, sizes=sizes, device=device)
    r = np.zeros((len(splits), len(wanted), y.shape[1]))
    units = np.full((len(splits), y.shape[1], wanted[-1]), -1, np.intp)
    for one in found:
        units[one.split, one.block] = one.units
        test = y[splits[one.split].test, one.block]
        mean, spread = _scale(y[splits[one.split].train, one.block])
        for row, prediction in enumerate(one.predictions):
            r[one.split, row, one.block] = np.nan_to_num(
                pearson((prediction - mean) / spread, (test - mean) / spread)
            )
    return SparseCurve(wanted, r.mean(axis=0), units)


@dataclass(frozen=True)
class SparsePredictions:
    """Some targets on one split.

    Attributes
    ----------
    split : int
    block : slice
        Of the targets.
    units : array of shape (n_targets, largest size)
        Chosen on the training rows, in their order; -1 where no other unit explains anything.
    predictions : list of array of shape (n_test, n_targets)
        Of the held-out rows, one a size, in the unit of the targets.
    """

    split: int
    block: slice
    units: Indices
    predictions: list[Floats]


def sparse_predictions(
    features: npt.ArrayLike,
    targets: npt.ArrayLike,
    splits: Sequence[Split],
    *,
    sizes: Sequence[int] = SIZES,
    device: str = "cpu",
) -> Iterator[SparsePredictions]:
    """What few units predict of the held-out rows, split by split and some targets at a time.

    Parameters
    ----------
    features, targets, splits, sizes, device
        As in :func:`sparse_encoding`.

    Raises
    ------
    UserError
        As there, at once.
    """
    x, y = np.asarray(features), np.asarray(targets, np.float64)
    for what, values in (("features", x), ("targets", y)):
        if values.ndim != 2 or len(values) != len(y):
            raise UserError(f"{what} have shape {values.shape}: give two dimensions, one row a stimulus")
        if not np.isfinite(values).all():
            bad = int((~np.isfinite(values)).any(axis=0).sum())
            raise UserError(f"{bad} columns of the {what} have values that are not finite: leave them out")
    wanted = tuple(sorted(set(sizes)))
    most = min(x.shape[1], min(len(split.train) for split in splits) - 2)
    if not wanted or wanted[0] < 1 or wanted[-1] > most:
        raise UserError(
            f"sizes {list(wanted)} do not fit {x.shape[1]} units and the smallest training set: "
            f"choose numbers of units from 1 to {most}"
        )
    return _predictions(x, y, splits, wanted, device)


def _predictions(
    x: npt.NDArray[np.floating[Any]], y: Floats, splits: Sequence[Split], wanted: tuple[int, ...], device: str
) -> Iterator[SparsePredictions]:
    per_target = wanted[-1] * (x.shape[1] + max(len(split.test) for split in splits))
    step = max(1, _ENTRIES // per_target)
    blocks = [slice(start, start + step) for start in range(0, y.shape[1], step)]
    work = [(i, block) for i in range(len(splits)) for block in blocks]
    pursuit = None
    for i, block in track(work, "choosing units"):
        if pursuit is None or block.start == 0:
            many = wanted[-1] * y.shape[1] > x.shape[1]  # else few rows of the Gram matrix are asked for
            pursuit = _Pursuit(x[splits[i].train], x[splits[i].test], device, gram=many)
        train = y[splits[i].train, block]
        mean, spread = _scale(train)
        chosen, predictions = pursuit.follow((train - mean) / spread, wanted)
        yield SparsePredictions(i, block, chosen, [one * spread + mean for one in predictions])


def _scale(train: Floats) -> tuple[Floats, Floats]:
    """Mean and spread of targets, in any unit of measurement; 1 for those that do not vary."""
    mean, spread = train.mean(axis=0), train.std(axis=0)
    return mean, np.where(spread > 1e-12 * np.abs(train).max(axis=0), spread, 1.0)


class _Pursuit:
    """The units of one training set."""

    def __init__(self, train: npt.ArrayLike, test: npt.ArrayLike, device: str, *, gram: bool) -> None:
        import torch

        x = torch.from_numpy(np.asarray(train, np.float64)).to(device)
        mean = x.mean(dim=0)
        length = (x - mean).norm(dim=0)
        scale = torch.where(length > _NOTHING * x.abs().amax(dim=0) * len(x) ** 0.5, 1 / length, 0.0)
        self._columns = (x - mean) * scale
        self._test = (torch.from_numpy(np.asarray(test, np.float64)).to(device) - mean) * scale
        whole = gram and x.shape[1] <= _GRAM_FEATURES
        self._gram = self._columns.T @ self._columns if whole else None

    def follow(self, targets: Floats, sizes: tuple[int, ...]) -> tuple[Indices, list[Floats]]:
        """Chosen units (n_targets, largest size), and the held-out predictions at every size."""
        import torch

        y = torch.from_numpy(np.ascontiguousarray(targets)).to(self._columns.device)
        c = y.T @ self._columns
        n_targets, n_units = c.shape
        start = c.abs().amax(dim=1)
        along = c.new_zeros(n_targets, sizes[-1], n_units)
        along_test = c.new_zeros(n_targets, sizes[-1], len(self._test))
        chosen = torch.full((n_targets, sizes[-1]), -1, device=c.device)
        prediction = c.new_zeros(n_targets, len(self._test))
        each = torch.arange(n_targets, device=c.device)
        predictions = []
        for k in range(sizes[-1]):
            left, unit = c.abs().max(dim=1)
            mixing = along[each, :k, unit]
            square = 1 - mixing.square().sum(dim=1)
            alive = (left > _NOTHING * start) & (square > _NOTHING)
            scale = torch.where(alive, square.clamp_min(_NOTHING).rsqrt(), 0.0)
            row = self._columns[:, unit].T @ self._columns if self._gram is None else self._gram[unit]
            along[:, k] = (row - torch.bmm(mixing[:, None], along[:, :k])[:, 0]) * scale[:, None]
            mixed = torch.bmm(mixing[:, None], along_test[:, :k])[:, 0]
            along_test[:, k] = (self._test[:, unit].T - mixed) * scale[:, None]
            weight = (c[each, unit] * scale)[:, None]
            c -= weight * along[:, k]
            c[each, unit] = 0.0
            prediction += weight * along_test[:, k]
            chosen[:, k] = torch.where(alive, unit, -1)
            if k + 1 in sizes:
                predictions.append(prediction.T.cpu().numpy().copy())
        return chosen.cpu().numpy(), predictions
