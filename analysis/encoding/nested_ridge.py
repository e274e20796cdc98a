"""Ridge regression with its penalty chosen per target by nested cross-validation.

For centred features X and centred targets Y of a training set,

    B = argmin_B |Y - X B|^2 + alpha |B|^2.

Predictions of held-out rows are linear in the training targets. The linear maps are made in double
precision (:mod:`.dual_solver`), few of them serve all penalties (:mod:`.penalty_grid`), and they are multiplied
with the targets in single precision, in blocks, without keeping a prediction.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from ...correlation import pearson
from ...device import devices
from ..masks import unmasked
from .cross_validation import Fold, Indices
from .dual_solver import KEPT_BYTES, LeaveOut, Predicted, PredictionMap, squared_errors, through_eigenvectors
from .fit import ALPHAS as ALPHAS
from .fit import Fit as Fit
from .gram_eigen import DualFeatures, Features, prepare, through_gram
from .on_card.ridge import card_ridge
from .on_card.targets import columns_on, reordered_on
from .shared_residuals import TARGETS, SharedResiduals, n_products

if TYPE_CHECKING:
    import torch

    from .on_card.ridge import CardRidge
    from .on_card.ridge import Targets as OnCard

Floats = npt.NDArray[np.float64]

LOWER: Floats = np.logspace(-13, -5.5, 16)
"""Penalties that are tried as well where many targets choose the lowest; 1e-13 is as good as none."""
_TARGETS = 1024
STREAMED = 1 << 30
"""Bytes of a fold's maps from which on only what they say of the targets is kept."""
_TOGETHER = 1 << 28
"""Most bytes of what is kept for all folds at once."""
_MANY, _GAIN = 0.05, 1e-3
_NO_SHRINKAGE, _HIDDEN = 1e-4, 0.1
"""Penalties, as shares of the smallest eigenvalue, below which there is linear regression, and above which what it
belongs to may go unseen."""


class Targets:
    """Responses to predict, transposed and in single precision where the products run.

    Parameters
    ----------
    values : array of shape (n_stimuli, n_targets)
    device : str
    """

    def __init__(self, values: npt.ArrayLike, device: str = "cpu") -> None:
        self._given, self._device = values, device

    @cached_property
    def values(self) -> Floats:
        """As they were given, in double precision."""
        return np.asarray(self._given, np.float64)

    @cached_property
    def mean(self) -> Floats:
        """Of each target."""
        mean: Floats = self.values.mean(axis=0)
        return mean

    @cached_property
    def columns(self) -> torch.Tensor:
        """Less their mean, ``(n_targets, n_stimuli)``."""
        import torch

        centered = np.empty(self.values.shape[::-1], np.float32)
        np.subtract(self.values.T, self.mean[:, None], out=centered, casting="same_kind")
        return torch.from_numpy(centered).to(self._device)

    @cached_property
    def on_card(self) -> OnCard:
        """For :mod:`.on_card`, a block at a time."""
        return columns_on(self._given, self._device)


class Reordered(Targets):
    """The same targets in many orders of the stimuli: column ``k n_targets + j`` is target j in order k.

    Parameters
    ----------
    values : array of shape (n_stimuli, n_targets)
    orders : array of int of shape (n_orders, n_stimuli)
    device : str
    """

    def __init__(self, values: Floats, orders: Indices, device: str = "cpu") -> None:
        super().__init__(values, device)
        self._orders = orders

    @cached_property
    def values(self) -> Floats:
        """One order beside the other, ``(n_stimuli, n_orders n_targets)``."""
        given = np.asarray(self._given, np.float64)
        return given[self._orders].transpose(1, 0, 2).reshape(len(given), -1)

    @cached_property
    def on_card(self) -> OnCard:
        """Put in order there, a block at a time."""
        return reordered_on(self._given, self._orders, self._device)


class NestedRidge:
    """One layer on every fold.

    Parameters
    ----------
    features : array of shape (n_stimuli, n_features), or what is prepared of them
        May be a memory map larger than memory.
    folds : sequence of Fold
    alphas : array
        Penalties, relative to the mean eigenvalue of each training set.
    device : str
        Where the products run: ``"cpu"`` or ``"cuda"``.
    keep : bool
        Keep the maps of all folds for the next targets, where they are not large; a card keeps nothing.
    """

    def __init__(
        self,
        features: npt.ArrayLike | Features,
        folds: Sequence[Fold],
        alphas: Floats = ALPHAS,
        device: str = "cpu",
        *,
        keep: bool = False,
    ) -> None:
        self.folds = folds
        self._kept: dict[int, Sequence[PredictionMap | Predicted]] | None = {} if keep else None
        self._card: CardRidge | None = card_ridge(features, folds, alphas, device)
        if self._card is not None:
            return
        self._features, self._alphas, self._device = prepare(features), np.asarray(alphas), device
        self._leave_out: LeaveOut | None = None
        self._streamed: tuple[torch.Tensor, Sequence[Sequence[PredictionMap | Predicted]]] | None = None
        self._errors: tuple[torch.Tensor, list[tuple[Floats, Floats]]] | None = None
        # inverses at penalties far below the spectrum lose digits: those are taken from eigenvectors
        if isinstance(self._features, DualFeatures) and (self._alphas >= ALPHAS[0]).all():
            sets = [part.train for fold in folds for part in (fold.split, *fold.parts())]
            self._leave_out = LeaveOut(self._features, sets, self._alphas, device)

    @property
    def n_bytes(self) -> int:
        """Most of what it keeps for the next targets, beside the features."""
        if self._card is not None or self._leave_out is None:
            return 0
        inverses = 8 * self._leave_out.n_nodes * self._leave_out.n_stimuli**2
        return min(inverses, KEPT_BYTES) + (0 if self._kept is None else min(self._maps_of_all, _TOGETHER))

    @property
    def _maps_of_all(self) -> int:
        """Bytes of the maps of all folds."""
        assert self._leave_out is not None
        splits = [split for fold in self.folds for split in (fold.split, *fold.parts())]
        return sum(maps_bytes(self._leave_out.n_nodes, len(one.test), len(one.train)) for one in splits)

    def forget(self) -> None:
        """Let go of what was found of the last targets."""
        if self._card is None:
            self._streamed = self._errors = None

    def fit(self, fold: Fold, targets: Targets) -> Fit:
        """Choose each target's penalty on the inner splits of the training rows, then predict the test rows.

        Parameters
        ----------
        fold : Fold
            One of those that the features were prepared for.
        targets : Targets
        """
        if self._card is not None:
            return self._card.fit(fold, targets.on_card)
        outer, errors, variance = self._compared(fold, targets.columns)
        blocks = _blocks(targets.columns)
        chosen = errors.argmin(axis=1)
        score = 1 - errors.min(axis=1) / np.maximum(variance, 1e-300)
        prediction = np.empty((len(fold.split.test), len(chosen)))
        for block in blocks:
            prediction[:, block] = _predict(outer, targets.columns, block, chosen[block])
        alphas, whole = self._alphas, prediction + targets.mean
        return Fit(fold.split, self._features, alphas[chosen], whole, score, alphas)

    def _compared(
        self, fold: Fold, columns: torch.Tensor
    ) -> tuple[PredictionMap | Predicted, Floats, Floats]:
        """The map of the outer split; squared errors of the inner rows at every penalty, and their squares."""
        import torch

        which = self._number(fold)
        if self._shared is not None and which is not None:
            if self._errors is None or self._errors[0] is not columns:
                self._errors = columns, self._shared.errors(columns)
            return self._shared.outer[which], *self._errors[1][which]
        n_targets, blocks = len(columns), _blocks(columns)
        errors, variance = np.zeros((n_targets, len(self._alphas))), np.zeros(n_targets)
        parts = self._maps(fold, columns)
        outer = next(parts)
        workspace = torch.empty(0, device=self._device)
        for part in parts:
            most = min(n_targets, _TARGETS) * (part.weights.shape[1] + 1) * len(part.test)
            if len(workspace) < most:
                workspace = torch.empty(most, device=self._device)
            for block in blocks:
                more, spread = _errors(part, columns, block, workspace)
                errors[block] += more
                variance[block] += spread
        return outer, errors, variance

    @cached_property
    def _shared(self) -> SharedResiduals | None:
        """Where that is far fewer products, holds no more than kept inverses and maps would, and loses no digits."""
        if self._leave_out is None:
            return None
        n = self._leave_out.n_stimuli
        shared, own = n_products(n, self.folds)
        outer = sum(len(one.split.test) * len(one.split.train) for one in self.folds)
        held = self._leave_out.n_compared * (shared + n * TARGETS) + self._leave_out.n_nodes * outer
        inverses = 8 * len(self._alphas) * n**2
        if 1.5 * shared > own or 4 * held > min(STREAMED, 1.5 * inverses) or inverses > KEPT_BYTES:
            return None
        residuals = SharedResiduals(self._leave_out, self.folds)
        return residuals if residuals.accurate else None

    def _maps(self, fold: Fold, columns: torch.Tensor) -> Iterator[PredictionMap | Predicted]:
        """The map of the outer split, then of the inner ones; or what they say of the targets, if that is less."""
        splits = (fold.split, *fold.parts())
        n_reduced = min(len(fold.split.train), self._features.n_features)
        n_maps = len(self._alphas) if self._leave_out is None else self._leave_out.n_nodes
        large = maps_bytes(n_maps, sum(len(one.test) for one in splits), n_reduced) > STREAMED
        asked = columns if large and len(columns) < n_reduced else None
        if self._leave_out is not None:
            yield from self._of_fold(self._leave_out, fold, asked)
            return
        for split in splits:
            yield through_eigenvectors(self._features, split, self._alphas, self._device, asked)

    def _of_fold(
        self, leave_out: LeaveOut, fold: Fold, asked: torch.Tensor | None
    ) -> Sequence[PredictionMap | Predicted]:
        """Of one fold; what is said of few targets is found for all folds at once, from one inverse each."""
        n_values, which = leave_out.n_nodes * len(self.folds) * leave_out.n_stimuli, self._number(fold)
        if asked is None and which is not None and self._kept is not None and self._maps_of_all <= _TOGETHER:
            if which not in self._kept:
                self._kept[which] = leave_out.maps([(fold.split, fold.parts())])[0]
            return self._kept[which]
        if asked is None or which is None or 4 * n_values * len(asked) > _TOGETHER:
            return leave_out.maps([(fold.split, fold.parts())], asked)[0]
        if self._streamed is None or self._streamed[0] is not asked:
            pairs = [(one.split, one.parts()) for one in self.folds]
            self._streamed = asked, leave_out.maps(pairs, asked)
        return self._streamed[1][which]

    def _number(self, fold: Fold) -> int | None:
        return next((i for i, one in enumerate(self.folds) if one is fold), None)


def maps_bytes(n_maps: int, n_rows: int, n_columns: int) -> int:
    """Of single-precision maps."""
    return 4 * n_maps * n_rows * n_columns


def _blocks(columns: torch.Tensor) -> list[slice]:
    return [slice(start, start + _TARGETS) for start in range(0, len(columns), _TARGETS)]


def _errors(
    part: PredictionMap | Predicted, columns: torch.Tensor, block: slice, workspace: torch.Tensor
) -> tuple[Floats, Floats]:
    """Squared error of every target at every penalty, (n_targets, n_alphas), and its squares, (n_targets,)."""
    import torch

    truth = columns[block]
    rank, n_test = part.weights.shape[1], len(part.test)
    room = workspace[: len(truth) * (rank + 1) * n_test].view(len(truth), rank + 1, n_test)
    mean = part.each(columns, block, room[:, :rank])
    torch.sub(truth.index_select(1, torch.from_numpy(part.test).to(truth.device)), mean, out=room[:, rank])
    weights = torch.cat([part.weights, part.weights.new_full((len(part.weights), 1), -1.0)], dim=1)
    return squared_errors(room, weights)


def _predict(
    outer: PredictionMap | Predicted, columns: torch.Tensor, block: slice, chosen: Indices
) -> Floats:
    """Predictions of the test rows, each target at its own penalty, (n_test, n_targets)."""
    import torch

    at = outer.at(columns, block)
    prediction = torch.empty(len(outer.test), len(chosen), device=columns.device)
    for penalty in np.unique(chosen):
        members = torch.from_numpy(np.flatnonzero(chosen == penalty)).to(columns.device)
        prediction[:, members] = at(int(penalty), members)
    return prediction.double().cpu().numpy()


@unmasked
def nested_ridge(
    features: npt.ArrayLike,
    targets: npt.ArrayLike,
    folds: Sequence[Fold],
    alphas: Floats = ALPHAS,
    *,
    device: str = "cpu",
) -> Iterator[Fit]:
    """Fit one layer on every fold.

    Parameters
    ----------
    features : array of shape (n_stimuli, n_features)
    targets : array of shape (n_stimuli, n_targets)
    folds : sequence of Fold
    alphas : array
        Penalties, relative to the mean eigenvalue of each training set.
    device : str

    Yields
    ------
    Fit
        One a fold, in order.
    """
    columns, engine = Targets(targets, device), NestedRidge(features, folds, alphas, device)
    for fold in folds:
        yield engine.fit(fold, columns)


def widened(
    fits: Sequence[Fit], features: npt.ArrayLike, folds: Sequence[Fold], targets: Targets, device: str = "cpu"
) -> Sequence[Fit]:
    """The same fits, with lower penalties where more than 5 % of the targets ask for them.

    Features whose useful part is far smaller than the rest want penalties below any grid. Lower ones, down to none in
    effect, are tried where more than 5 % of the targets choose the lowest and it shrinks anything, or choose the
    highest while the lowest hides part of the features; they are kept where more than 5 % gain a thousandth of the
    inner explained variance.

    Parameters
    ----------
    fits : sequence of Fit
        One a fold.
    features, folds, targets, device
        What they were made of.
    """
    lowest = float(fits[0].penalties[0])
    if len(fits[0].penalties) == 1 or lowest <= LOWER[-1]:
        return fits
    many = [np.mean([one.alpha == one.penalties[end] for one in fits]) > _MANY for end in (0, -1)]
    if not any(many):
        return fits
    basis = fits[0].basis
    least = _NO_SHRINKAGE if many[0] else _HIDDEN
    if len(basis.eigenvalues) == 0 or lowest * basis.mean_eigenvalue < least * basis.eigenvalues[0]:
        return fits
    engine = NestedRidge(features, folds, np.concatenate([LOWER, fits[0].penalties]), device)
    lower = [engine.fit(fold, targets) for fold in folds]
    gains = [
        (new.alpha < lowest) & (new.inner_score - old.inner_score > _GAIN)
        for new, old in zip(lower, fits, strict=True)
    ]
    return lower if np.mean(gains) > _MANY else fits


def products_devices() -> list[str]:
    """Where products with targets run by default: the devices in force, else a card where there is one."""
    return ["cpu" if one == "mps" else one for one in devices()]  # mps has no float64


def products_device() -> str:
    """One of them."""
    return products_devices()[0]


def ridge_memory(n_stimuli: int, n_features: int, n_targets: int, n_alphas: int, n_splits: int) -> int:
    """Bytes that nested ridge takes beside the features: Gram matrix, inverses or eigenvectors, maps, targets.

    As if every penalty needed a map of its own, which is the most that can happen; maps that would be large are
    multiplied with the targets as they are made.
    """
    squares = 8 * n_stimuli**2
    n_reduced = min(n_stimuli, n_features)
    if through_gram(n_stimuli, n_features):
        kept = n_alphas * squares if n_alphas * squares <= KEPT_BYTES else 0
        solving, n_reduced = 3.5 * squares + kept, n_stimuli
        basis, held = squares, squares
    else:
        held = 8 * n_features * (n_stimuli + n_features)
        solving = held + 8 * (4 * n_features**2 + 2 * n_features * n_stimuli)
        basis = 8 * n_features * (n_stimuli + n_features)
    maps = maps_bytes(n_alphas, n_stimuli, n_reduced)
    if maps > STREAMED and n_targets < n_reduced:
        maps = maps_bytes(n_alphas, n_stimuli, n_targets)
    many = n_splits * basis > STREAMED
    diagonalizing = held + 3.5 * basis + (0 if many else n_splits * basis)
    blocks = 8 * min(n_targets, _TARGETS) * (n_alphas + 2) * n_stimuli // n_splits
    return int(max(solving + maps, held + 1.25 * maps + blocks, diagonalizing)) + 12 * n_stimuli * n_targets


def held_out_r(fits: Sequence[Fit], targets: Floats) -> Floats:
    """Pearson r of predictions and targets on the held-out rows, ``(n_splits, n_targets)``."""
    return np.array([pearson(one.prediction, targets[one.split.test]) for one in fits])
