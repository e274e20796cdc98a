"""Ridge of a layer that was fitted before: on the same folds and targets the same fits, of whatever benchmark."""

from collections.abc import Callable, Sequence
from functools import cached_property
from hashlib import blake2b
from typing import Any, TypeVar

import numpy as np
import numpy.typing as npt

from ...analysis.encoding.cross_validation import Fold
from ...analysis.encoding.nested_ridge import Fit, NestedRidge, Targets, widened
from ...analysis.shelf import Shelved, once
from .base import Floats

T = TypeVar("T")


class KeptRidge:
    """Nested ridge that looks first on the shelf of its features, where they have one.

    Parameters
    ----------
    features : array of shape (n_stimuli, n_features)
    folds, alphas, device
        As of :class:`~brodmann.analysis.encoding.nested_ridge.NestedRidge`.
    targets : Targets
    """

    def __init__(
        self, features: npt.ArrayLike, folds: Sequence[Fold], alphas: Floats, device: str, targets: Targets
    ) -> None:
        self._features, self._folds, self._alphas, self._device = features, folds, alphas, device
        self._targets = targets

    def fit(self, i: int) -> Fit:
        """Of one fold."""
        return self._once(("fit", i), lambda: self._fitted(i), _bytes_of)

    def widened(self, fits: Sequence[Fit]) -> Sequence[Fit]:
        """The fits of all folds, with lower penalties where targets ask for them."""

        def made() -> list[Fit]:
            return list(widened(fits, self._features, self._folds, self._targets, self._device))

        return self._once("widened", made, lambda lower: sum(map(_bytes_of, lower)))

    def _once(self, what: object, make: Callable[[], T], size: Callable[[T], int]) -> T:
        return once(self._features, (what, self._about), make, size) if self._is_kept else make()

    @property
    def _is_kept(self) -> bool:
        # what lies on a card would fill it
        return isinstance(self._features, Shelved) and self._device == "cpu"

    def _fitted(self, i: int) -> Fit:
        fit = self._engine.fit(self._engine.folds[i], self._targets)
        if i == len(self._folds) - 1:
            self._engine.forget()
        return fit

    @cached_property
    def _engine(self) -> NestedRidge:
        """One for all targets on the same folds, whose maps are made once."""
        kept = self._is_kept

        def make() -> NestedRidge:
            return NestedRidge(self._features, self._folds, self._alphas, self._device, keep=kept)

        return (
            once(self._features, ("engine", self._rows), make, lambda made: made.n_bytes) if kept else make()
        )

    @cached_property
    def _rows(self) -> str:
        """A digest of folds, penalties and device."""
        splits = [split for fold in self._folds for split in (fold.split, *fold.parts())]
        rows = [part for split in splits for part in (split.train, split.test)]
        n_parts = [len(fold.parts()) for fold in self._folds]
        return _digest(self._device.encode(), self._alphas, np.array(n_parts), *rows)

    @cached_property
    def _about(self) -> str:
        """A digest of all that fits depend on beside the features."""
        return _digest(self._rows.encode(), self._targets.values)


def _digest(start: bytes, *arrays: npt.NDArray[Any]) -> str:
    digest = blake2b(start)
    for one in arrays:
        digest.update(one.nbytes.to_bytes(8, "little"))
        digest.update(_bytes(one).data)
    return digest.hexdigest()


def _bytes(values: npt.NDArray[Any]) -> npt.NDArray[np.uint8]:
    return np.ascontiguousarray(values).reshape(-1).view(np.uint8)


def _bytes_of(fit: Fit) -> int:
    return fit.prediction.nbytes + fit.alpha.nbytes + fit.inner_score.nbytes
