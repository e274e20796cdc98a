"""Feature spaces that are fitted together: few features as they are, many as a Gram matrix."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import numpy.typing as npt

from ...errors import UserError
from ..representation.gram import gram
from .band_kernels import Bands
from .cross_validation import Indices
from .gram_eigen import DualFeatures

Floats = npt.NDArray[np.float64]

_NOTHING = 1e-300


@dataclass(frozen=True)
class Spaces:
    """Several feature spaces of the same rows.

    Attributes
    ----------
    names : tuple of str
    features : tuple of array of shape (n_stimuli, n_features) or None
        Less their means, of spaces with fewer features than rows.
    products : tuple of array of shape (n_stimuli, n_stimuli) or None
        The Gram matrices of the others.
    """

    names: tuple[str, ...]
    features: tuple[Floats | None, ...]
    products: tuple[Floats | None, ...]

    @classmethod
    def of(cls, spaces: Mapping[str, npt.ArrayLike], n_stimuli: int) -> Spaces:
        """Prepare spaces, each of shape ``(n_stimuli, n_features)``.

        Raises
        ------
        UserError
            Where there is none, one has other rows, or a value is not finite.
        """
        if not spaces:
            raise UserError("no feature space was given: name at least one, e.g. {'layer1': activations}")
        features: list[Floats | None] = []
        products: list[Floats | None] = []
        for name, given in spaces.items():
            shape = np.shape(given)
            if len(shape) != 2 or shape[0] != n_stimuli:
                raise UserError(
                    f"space {name!r} has shape {shape}, the targets ({n_stimuli}, ...): give one row a stimulus"
                )
            few = shape[1] < n_stimuli
            values = np.asarray(given, np.float64) if few else gram(given)
            if not np.isfinite(values).all():
                raise UserError(
                    f"space {name!r} has values that are not finite: replace them, or leave them out"
                )
            features.append(values - values.mean(axis=0) if few else None)
            products.append(None if few else values)
        return cls(tuple(spaces), tuple(features), tuple(products))

    def __len__(self) -> int:
        return len(self.names)

    def only(self, names: Sequence[str]) -> Spaces:
        """Some of the spaces."""
        places = [self.names.index(name) for name in names]
        chosen = ([of[i] for i in places] for of in (self.names, self.features, self.products))
        return Spaces(*map(tuple, chosen))  # type: ignore[arg-type]

    def scales(self, train: Indices) -> Floats:
        """Of each space the mean eigenvalue of the training rows' X X', over one less than there are rows."""
        found = []
        for features, products in zip(self.features, self.products, strict=True):
            if features is not None:
                total = float(np.square(features[train] - features[train].mean(axis=0)).sum())
            else:
                assert products is not None
                inside = products[np.ix_(train, train)]
                total = float(np.trace(inside) - inside.mean(axis=0).sum())
            found.append(max(total / (len(train) - 1), _NOTHING))
        return np.array(found)

    def bands(self, train: Indices) -> Bands:
        """Kernels of the training rows, centred, with a mean eigenvalue of 1."""
        kernels: list[Floats | None] = []
        factors: list[Floats | None] = []
        for features, products, scale in zip(self.features, self.products, self.scales(train), strict=True):
            if features is not None:
                inside = features[train]
                factors.append((inside - inside.mean(axis=0)) / np.sqrt(scale))
                kernels.append(None)
                continue
            assert products is not None
            block = products[np.ix_(train, train)]
            means = block.mean(axis=0)
            block -= means
            block -= means[:, None]
            block += means.mean()
            block /= scale
            kernels.append(block)
            factors.append(None)
        return Bands(tuple(kernels), tuple(factors))

    def across(self, train: Indices, test: Indices) -> list[Callable[[Floats], Floats]]:
        """What takes dual weights, ``(n_train, n_targets)``, to what each space says of the test rows."""
        found: list[Callable[[Floats], Floats]] = []
        for features, products, scale in zip(self.features, self.products, self.scales(train), strict=True):
            if features is not None:
                mean = features[train].mean(axis=0)
                parts = (features[test] - mean) / scale, features[train] - mean
                found.append(lambda dual, parts=parts: parts[0] @ (parts[1].T @ dual))  # type: ignore[misc]
                continue
            assert products is not None
            means = products[np.ix_(train, train)].mean(axis=0)
            block = products[np.ix_(test, train)]
            block = (block - block.mean(axis=1, keepdims=True) - means + means.mean()) / scale
            found.append(lambda dual, block=block: block @ dual)  # type: ignore[misc]
        return found

    def primal(self, spaces: Mapping[str, npt.ArrayLike], shares: Floats, dual: Floats) -> dict[str, Floats]:
        """Weights of the features, ``(n_features, n_targets)``, less their means over all rows."""
        found = {}
        scales = self.scales(np.arange(len(dual)))
        for name, share, scale in zip(self.names, shares, scales, strict=True):
            features = np.asarray(spaces[name], np.float64)
            found[name] = (features - features.mean(axis=0)).T @ (share * dual / scale)
        return found

    @cached_property
    def grams(self) -> list[Floats]:
        """X X' of every space, less their means over all rows."""
        found = []
        for features, products in zip(self.features, self.products, strict=True):
            if features is not None:
                found.append(features @ features.T)
            else:
                assert products is not None
                found.append(products)
        return found

    def mixed(self, train: Indices, weighting: Floats) -> WeightedFeatures:
        """All spaces under the weights that they have on a training set: a mean eigenvalue of 1 there."""
        return WeightedFeatures(self.grams, weighting / self.scales(train))


class WeightedFeatures(DualFeatures):
    """Several spaces under weights, from their Gram matrices.

    Parameters
    ----------
    grams : sequence of array of shape (n_stimuli, n_stimuli)
    weights : array of shape (n_spaces,)
    """

    def __init__(self, grams: Sequence[Floats], weights: Floats) -> None:
        self._grams, self._weights, self.n_features = grams, weights, len(grams[0])

    @property
    def gram(self) -> Floats:  # type: ignore[override]
        """Added when it is asked for, so that many mixtures need no more memory than one."""
        mixed: Floats = self._weights[0] * self._grams[0]
        for weight, one in zip(self._weights[1:], self._grams[1:], strict=True):
            mixed += weight * one
        return mixed
