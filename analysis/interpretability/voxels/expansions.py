"""What a layer's rows are turned into beside features: as wide, as sparse, but never trained.

Each takes rows (n, n_units), tokens or places, and gives rows (n, width); like features, they are pooled afterwards. With
x~ = (x - mean) / s, s^2 = mean |x - mean|^2 / n_units,

    rotated        x~ Q                  Q orthonormal: the same information, none of the axes
    random ReLU    max(W x~, 0)          rows of W evenly from the sphere
    at a rate      max(W x~ - theta, 0)  theta_i the quantile of unit i at which it fires as often as asked for
    untrained TopK the k largest of W x~, less those below 0
    principal      x~ V                  V the principal axes of the rows, the largest first

One threshold for all units of a random expansion would leave most of them silent or always on, which makes a control
that anything beats; so each has its own.
"""

from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from ....errors import UserError
from ...masks import unmasked

Floats = npt.NDArray[np.float64]
Rows = npt.NDArray[np.float32]


@dataclass(frozen=True)
class Scale:
    """Where rows are centred and by how much they are divided, the same for all units.

    Attributes
    ----------
    mean : array of shape (n_units,)
    scale : float
    """

    mean: Rows = field(repr=False)
    scale: float

    @classmethod
    def of(cls, rows: npt.ArrayLike) -> "Scale":
        """Of rows (n, n_units)."""
        values = np.asarray(rows, np.float64)
        if values.ndim != 2 or len(values) < 2 or not np.isfinite(values).all():
            raise UserError(
                f"rows of a layer are at least 2, finite, of shape (n, n_units), not {values.shape}"
            )
        mean = values.mean(axis=0)
        scale = float(np.sqrt(((values - mean) ** 2).mean()))
        if scale == 0:
            raise UserError("the rows of the layer are all the same: there is nothing to expand")
        return cls(mean.astype(np.float32), scale)

    def __call__(self, rows: npt.ArrayLike) -> Rows:
        """Rows in the common scale."""
        scaled: Rows = (np.asarray(rows, np.float32) - self.mean) / np.float32(self.scale)
        return scaled


@dataclass(frozen=True)
class Expansion:
    """A map of rows.

    Attributes
    ----------
    name : str
    width : int
    of : callable
        Rows (n, n_units) -> rows (n, width).
    seed : int or None
    """

    name: str
    width: int
    of: Callable[[npt.ArrayLike], Rows] = field(repr=False)
    seed: int | None = None

    def __call__(self, rows: npt.ArrayLike) -> Rows:
        """Rows (n, n_units) -> rows (n, width)."""
        return self.of(rows)


def _sphere(n: int, n_units: int, seed: int) -> Rows:
    rows = np.random.default_rng([seed, 51]).standard_normal((n, n_units)).astype(np.float32)
    unit: Rows = rows / np.linalg.norm(rows, axis=1, keepdims=True)
    return unit


@unmasked
def rotated(rows: npt.ArrayLike, *, seed: int = 0) -> Expansion:
    """A random orthonormal basis of the layer: what depends on its axes is lost.

    Parameters
    ----------
    rows : array of shape (n, n_units)
        For the scale.
    seed : int
    """
    scale = Scale.of(rows)
    n_units = len(scale.mean)
    drawn = np.random.default_rng([seed, 52]).standard_normal((n_units, n_units))
    basis, upper = np.linalg.qr(drawn)
    turned = (basis * np.sign(np.diag(upper))).astype(np.float32)
    return Expansion("rotated neurons", n_units, lambda given: scale(given) @ turned, seed)


@unmasked
def random_relu(rows: npt.ArrayLike, width: int, *, seed: int = 0) -> Expansion:
    """Random units that each fire on about half of the rows.

    Parameters
    ----------
    rows, seed
        As in :func:`rotated`.
    width : int
    """
    scale = Scale.of(rows)
    weights = _sphere(width, len(scale.mean), seed).T
    return Expansion("random ReLU", width, lambda given: np.maximum(scale(given) @ weights, 0), seed)


@unmasked
def random_relu_at_rate(rows: npt.ArrayLike, width: int, rate: float, *, seed: int = 0) -> Expansion:
    """Random units with a threshold each, at which it fires on a share `rate` of the rows.

    Parameters
    ----------
    rows : array of shape (n, n_units)
        For the scale and the thresholds; at least 10 / rate of them.
    width : int
    rate : float
        That of the features it stands beside: mean active ones of a row over their number.
    seed : int
    """
    if not 0 < rate < 1:
        raise UserError(f"the share of rows on which a unit fires lies between 0 and 1, and is {rate:g}")
    values = np.asarray(rows, np.float32)
    if len(values) < 10 / rate:
        raise UserError(
            f"{len(values)} rows are too few to find where a unit fires on {rate:.2g} of them: give {10 / rate:.0f}"
        )
    scale = Scale.of(values)
    weights = _sphere(width, len(scale.mean), seed).T
    scaled, step = scale(values), 512
    theta = np.concatenate(
        [
            np.quantile(scaled @ weights[:, start : start + step], 1 - rate, axis=0)
            for start in range(0, width, step)
        ]
    ).astype(np.float32)
    return Expansion(
        "random ReLU at the rate", width, lambda given: np.maximum(scale(given) @ weights - theta, 0), seed
    )


@unmasked
def untrained_topk(rows: npt.ArrayLike, width: int, k: int, *, seed: int = 0) -> Expansion:
    """What a TopK dictionary of the same width and sparsity gives before it is trained.

    Parameters
    ----------
    rows, width, seed
        As in :func:`random_relu`.
    k : int
        Units of a row that are kept.
    """
    if not 1 <= k <= width:
        raise UserError(f"of {width} units 1 to {width} are kept of a row, not {k}")
    scale = Scale.of(rows)
    weights = _sphere(width, len(scale.mean), seed).T

    def kept(given: npt.ArrayLike) -> Rows:
        values = np.maximum(scale(given) @ weights, 0)
        if k < width:
            least = np.argpartition(values, width - k, axis=1)[:, : width - k]
            np.put_along_axis(values, least, 0, axis=1)
        return values

    return Expansion("untrained TopK", width, kept, seed)


@unmasked
def principal(rows: npt.ArrayLike, width: int) -> Expansion:
    """Principal components of the rows, as many as asked for or as there are units.

    Parameters
    ----------
    rows, width
        As in :func:`random_relu`.
    """
    scale = Scale.of(rows)
    scaled = scale(rows).astype(np.float64)
    vectors = np.linalg.eigh(scaled.T @ scaled)[1][:, ::-1]
    axes = vectors[:, : min(width, vectors.shape[1])].astype(np.float32)
    return Expansion("principal components", axes.shape[1], lambda given: scale(given) @ axes)
