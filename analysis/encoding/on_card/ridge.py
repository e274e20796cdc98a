"""Nested ridge that stays on a card, from features to predictions of held-out rows."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Protocol

import numpy as np
import numpy.typing as npt

from ..cross_validation import Fold, Indices
from ..fit import ALPHAS
from ..gram_eigen import DualFeatures, Features, PrimalFeatures, check_finite
from .dual import DualLayer
from .features import CardColumns, CardGram
from .fit import CardFit
from .gram import centered_columns, gram
from .memory import free_bytes, in_blocks, require_on, too_little
from .prepared import Layer, PreparedFold
from .primal import PrimalLayer
from .products import Products, products

if TYPE_CHECKING:
    import torch
    from torch import Tensor

Floats = npt.NDArray[np.float64]

_LARGEST_BLOCK = 8192
"""Targets; more at once make no product faster."""
_FOR_FOLDS = 0.6
"""Share of the free memory for what is prepared; the rest is for targets."""


class Targets(Protocol):
    """Responses that come a block at a time."""

    shape: tuple[int, int]

    def block(self, columns: slice) -> tuple[Tensor, Tensor]:
        """Less their mean, ``(n_stimuli, n)`` in single precision, and the mean, ``(n,)`` in double."""


class CardRidge:
    """One layer on every fold.

    Parameters
    ----------
    features : array of shape (n_stimuli, n_features), or what is prepared of them
    folds : sequence of Fold
        All that will be asked for.
    alphas : array
        Positive penalties, relative to the mean eigenvalue of each training set.
    device : torch.device
    with_products : Products, optional
        The fastest exact ones of the device by default.

    Raises
    ------
    NotEnoughMemory
        Before anything is computed, where the device would not hold what it takes.
    """

    def __init__(
        self,
        features: npt.ArrayLike | Features,
        folds: Sequence[Fold],
        alphas: Floats,
        device: torch.device,
        with_products: Products | None = None,
    ) -> None:
        self.products = with_products or products(device)
        self._device, self._alphas, self._folds = device, np.asarray(alphas, np.float64), folds
        sets = [part.train for fold in folds for part in (fold.split, *fold.parts())]
        with self.products.in_force():
            self._layer, self._features = _layer(features, sets, self._alphas, device, self.products)
        self._ready: tuple[tuple[int, ...], Sequence[PreparedFold]] | None = None

        self._made: tuple[Targets, dict[int, CardFit]] | None = None

    def fit(self, fold: Fold, targets: Targets) -> CardFit:
        """One of the folds; those of the same targets are made together when the first is asked for."""
        if self._made is None or self._made[0] is not targets:
            made = zip(self._folds, self.fits(self._folds, targets), strict=True)
            self._made = targets, {id(one): fit for one, fit in made}
        return self._made[1][id(fold)]

    def fits(self, folds: Sequence[Fold], targets: Targets) -> Iterator[CardFit]:
        """One fit a fold, in order, made together: products that folds share are made once.

        Parameters
        ----------
        folds : sequence of Fold
            Some of those that the features were prepared for.
        targets : Columns or Reordered
        """
        waiting = list(self._groups(folds))
        while waiting:
            group, keep = waiting.pop(0)
            with self.products.in_force():
                if not self._prepare(group, keep):
                    half = len(group) // 2
                    waiting[:0] = [(group[:half], False), (group[half:], False)]
                    continue
                made = self._together(group, targets)
            yield from made

    def _groups(self, folds: Sequence[Fold]) -> Iterator[tuple[Sequence[Fold], bool]]:
        """As many folds at a time as memory holds, and whether what they share may be kept."""
        layer, free = self._layer, self._room()
        sizes = [layer.fold_bytes(one) for one in folds]
        start = 0
        while start < len(folds):
            stop = start + 1
            while stop < len(folds) and sum(sizes[start : stop + 1]) <= free:
                stop += 1
            yield folds[start:stop], sum(sizes[start:stop]) + layer.kept_bytes() <= free
            start = stop

    def _room(self) -> float:
        """Bytes for prepared folds; what is prepared already counts, since it would be let go."""
        held = 0
        if self._ready is not None:
            held = sum(map(self._layer.fold_bytes, (one for one in self._folds if id(one) in self._ready[0])))
        return _FOR_FOLDS * (free_bytes(self._device) + held - self._layer.solving_bytes())

    def _prepare(self, folds: Sequence[Fold], keep: bool) -> bool:
        """Whether memory held it; of one fold alone it has to."""
        import torch

        key = tuple(map(id, folds))
        if self._ready is not None and self._ready[0] == key:
            return True
        self._ready = None  # let go first
        try:
            self._ready = key, self._layer.prepare(folds, keep=keep)
        except torch.OutOfMemoryError:
            lacking = True
        else:
            lacking = False
        if lacking and len(folds) == 1:
            raise too_little(self._device, "nested ridge", sum(map(self._layer.fold_bytes, folds)))
        return not lacking

    def _together(self, folds: Sequence[Fold], targets: Targets) -> list[CardFit]:
        import torch

        assert self._ready is not None
        prepared, n_targets = self._ready[1], targets.shape[1]
        results = [_Result(len(one.split.test), n_targets, self._device) for one in folds]

        def work(block: slice) -> None:
            centered, mean = targets.block(block)
            shared = self._layer.shared(centered)
            for fold, result in zip(prepared, results, strict=True):
                errors, variance = _errors(fold, shared, centered, len(self._alphas))
                best, chosen = errors.min(dim=0)
                result.chosen[block], result.score[block] = chosen, 1 - best / variance.clamp(min=1e-300)
                result.held_out[:, block] = _predicted(fold, centered, chosen, self.products)
                result.offset[block] = centered[fold.train].mean(dim=0, dtype=torch.float64) + mean

        size, one = self._block(folds, n_targets)
        in_blocks(n_targets, size, work, self._device, "nested ridge", one)
        return [self._fit(*pair) for pair in zip(folds, results, strict=True)]

    def _fit(self, fold: Fold, result: _Result) -> CardFit:
        alpha, score = self._alphas[result.chosen.cpu().numpy()], result.score.cpu().numpy()
        found = result.held_out, result.offset
        return CardFit(
            fold.split, self._features, alpha, *found, score, self._alphas, self._device, self.products.name
        )

    def _block(self, folds: Sequence[Fold], n_targets: int) -> tuple[int, int]:
        """Targets at once, and the bytes of one."""
        tested = max(len(one.test) for fold in folds for one in (fold.split, *fold.inner))
        n_stimuli = max(len(one.split.train) + len(one.split.test) for one in folds)
        one = self._layer.target_bytes(folds) + 4 * (len(self._alphas) * tested + 3 * n_stimuli)
        size = int(free_bytes(self._device) * (1 - _FOR_FOLDS) // one)
        return max(1, min(size, _LARGEST_BLOCK, n_targets)), one


def card_ridge(
    features: npt.ArrayLike | Features, folds: Sequence[Fold], alphas: Floats, device: str
) -> CardRidge | None:
    """The engine, where there is a card and every penalty leaves an inverse its digits."""
    import torch

    where = torch.device(device)
    # lower penalties than those of the usual grid are taken from eigenvectors
    if not serves(where) or (np.asarray(alphas) < ALPHAS[0]).any():
        return None
    return CardRidge(features, folds, alphas, where)


def serves(device: torch.device) -> bool:
    """Whether a device is a card with double precision."""
    return device.type == "cuda"


class _Result:
    """Of one fold, filled block by block; predictions stay on the device where it holds them well."""

    def __init__(self, n_test: int, n_targets: int, device: torch.device) -> None:
        import torch

        there = device if 4 * n_test * n_targets * 10 < free_bytes(device) else torch.device("cpu")
        self.held_out = torch.empty(n_test, n_targets, device=there)
        self.offset = torch.empty(n_targets, dtype=torch.float64, device=there)
        self.chosen = torch.empty(n_targets, dtype=torch.int64, device=device)
        self.score = torch.empty(n_targets, dtype=torch.float64, device=device)


def _errors(fold: PreparedFold, shared: Tensor, targets: Tensor, n_alphas: int) -> tuple[Tensor, Tensor]:
    """Squared error of every inner held-out row at every penalty, added, ``(n_alphas, n_targets)``; and its squares."""
    import torch

    n_targets = targets.shape[1]
    errors = torch.zeros(n_alphas, n_targets, dtype=torch.float64, device=targets.device)
    variance = errors.new_zeros(n_targets)
    for part, at_nodes in zip(fold.parts, fold.at_nodes(shared, targets), strict=True):
        truth = targets[part.test]
        truth -= targets[part.train].mean(dim=0, dtype=torch.float64).float()
        missed = part.mixing[:, :-1] @ at_nodes.flatten(1)
        missed.addr_(part.mixing[:, -1], truth.flatten())
        errors += missed.view(n_alphas, *truth.shape).square_().sum(dim=1)
        variance += truth.square_().sum(dim=0)
    return errors, variance


def _predicted(fold: PreparedFold, targets: Tensor, chosen: Tensor, multiplied: Products) -> Tensor:
    """The held-out rows, each target at its own penalty, less the training mean, ``(n_test, n_targets)``."""
    import torch

    order = chosen.argsort()
    rows = multiplied.right(fold.rows(targets)[:, order])
    found = targets.new_empty(fold.maps.shape[1], targets.shape[1])
    start = 0
    for penalty, count in enumerate(torch.bincount(chosen, minlength=len(fold.maps)).tolist()):
        if count:
            members = slice(start, start + count)
            multiplied.multiply(multiplied.left(fold.maps[penalty]), rows[:, members], found[:, members])
            start += count
    back = torch.empty_like(found)
    back[:, order] = found
    return back


def _layer(
    features: npt.ArrayLike | Features,
    training_sets: Sequence[Indices],
    alphas: Floats,
    device: torch.device,
    multiplied: Products,
) -> tuple[Layer, CardGram | CardColumns]:
    """The cheaper of the two forms, and what diagonalises it where that is asked for."""
    import torch

    if isinstance(features, DualFeatures):
        product = torch.from_numpy(np.array(features.gram)).to(device)
        n_features = features.n_features
        return DualLayer(product, n_features, training_sets, alphas, multiplied), CardGram(
            product, n_features
        )
    given = features.features if isinstance(features, PrimalFeatures) else np.asarray(features)
    n_stimuli, n_features = given.shape
    if 2 * n_features < n_stimuli:
        require_on(device, 8 * 4 * n_stimuli * n_features + 32 * n_features**2, "nested ridge")
        columns = centered_columns(given, device)
        check_finite(columns.square().sum(dim=0).cpu().numpy())
        return PrimalLayer(columns, alphas, multiplied), CardColumns(columns)
    require_on(device, 8 * 5 * n_stimuli**2, "nested ridge")
    product = gram(given, device)
    check_finite(product.diagonal().cpu().numpy())
    return DualLayer(product, n_features, training_sets, alphas, multiplied), CardGram(product, n_features)
