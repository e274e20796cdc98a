"""Whether the same feature lies at the same place in two networks that were trained with other seeds.

Nothing ties the sheet of one seed to that of another but its shape, so that B's sheet may lie over A's in any of its
flips and rotations. One of them is taken for all features, the one under which matched features lie closest, and the
null takes the best of them for every permuted matching, too:

    r = max_g mean_i corr(S m_i, S g m'_j(i)),   null: j permuted,

with S the smoothing of the maps. Features must have been matched by what they answer: two that were matched by their
decoder rows lie at the same place by construction.
"""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from ....errors import UserError
from ....models.sheet import Sheet
from ...masks import unmasked
from ...spatial.smoothing import smooth
from .feature_mass import Floats, Indices

_FEWEST = 3


@dataclass(frozen=True)
class SamePlace:
    """How alike the places of matched features are.

    Attributes
    ----------
    r : float
        Mean correlation of the smoothed mass of matched features, under the best flip and rotation.
    turns, flipped : int, bool
        Which that is: quarter turns of B's sheet, after a flip of its rows.
    null_mean, null_sd : float
        Of permuted matchings, each under its own best flip and rotation.
    p : float
        Share of permuted matchings, and of the observed one, that are as alike; never 0.
    by_pair : array of shape (n_pairs,)
        The correlation of every pair under that flip and rotation.
    by_symmetry : array of shape (n_symmetries,)
        The mean under each.
    n_pairs, permutations, random_state : int
    fwhm : float
    """

    r: float
    turns: int
    flipped: bool
    null_mean: float
    null_sd: float
    p: float
    by_pair: Floats
    by_symmetry: Floats
    n_pairs: int
    permutations: int
    random_state: int
    fwhm: float


@unmasked
def same_place(
    mass_a: npt.ArrayLike,
    mass_b: npt.ArrayLike,
    pairs: npt.ArrayLike,
    sheet: Sheet,
    *,
    turned: bool = True,
    fwhm: float = 3.0,
    permutations: int = 999,
    random_state: int = 0,
) -> SamePlace:
    """Compare the places of matched features on two sheets of the same shape.

    Parameters
    ----------
    mass_a, mass_b : array of shape (n_features, n_units)
        Mass (:func:`.decoder_mass`) of the features of either network.
    pairs : array of int, shape (n_pairs, 2)
        Feature of A, feature of B; each at most once, matched by activations.
    sheet : Sheet
        A grid.
    turned : bool
        Whether B's sheet may be flipped and turned; not for two dictionaries of the same network.
    fwhm : float
        Of the smoothing, in the sheet's unit: features need not lie at the very same units.
    permutations, random_state : int

    Raises
    ------
    UserError
        For a sheet that is no grid, or fewer than 3 pairs.
    """
    if sheet.shape is None:
        raise UserError(f"layer {sheet.layer!r} is no grid: places of two seeds are compared on one")
    matched = np.asarray(pairs, np.intp)
    if matched.ndim != 2 or matched.shape[1] != 2 or len(matched) < _FEWEST:
        raise UserError(f"pairs have the shape (n_pairs, 2), at least {_FEWEST} of them, not {matched.shape}")
    if any(len(np.unique(side)) < len(side) for side in matched.T):
        raise UserError("a feature is matched twice: give every feature one partner")
    if permutations < 2:
        raise UserError(f"a null needs at least 2 permutations, not {permutations}")
    both = [np.asarray(mass, np.float64) for mass in (mass_a, mass_b)]
    for mass, side in zip(both, matched.T, strict=True):
        if mass.ndim != 2 or mass.shape[1] != len(sheet) or side.min() < 0 or side.max() >= len(mass):
            raise UserError(f"mass of shape {mass.shape} does not fit {len(sheet)} units and these pairs")
    a = _standardized(smooth(both[0][matched[:, 0]], sheet, fwhm))
    other = smooth(both[1][matched[:, 1]], sheet, fwhm)
    orders = symmetries(sheet.shape) if turned else [(0, False, np.arange(len(sheet)))]
    alike = np.stack([a @ _standardized(other[:, order]).T for _, _, order in orders])
    everyone = np.arange(len(matched))
    by_symmetry = alike[:, everyone, everyone].mean(axis=1)
    best = int(by_symmetry.argmax())
    generator = np.random.default_rng([random_state, 48])
    null = np.array(
        [
            alike[:, everyone, generator.permutation(len(matched))].mean(axis=1).max()
            for _ in range(permutations)
        ]
    )
    observed = float(by_symmetry[best])
    p = (1 + int((null >= observed - 1e-12).sum())) / (1 + permutations)
    return SamePlace(
        observed, orders[best][0], orders[best][1], float(null.mean()), float(null.std(ddof=1)), p,
        alike[best, everyone, everyone], by_symmetry, len(matched), permutations, random_state, fwhm,
    )  # fmt: skip


def symmetries(shape: tuple[int, int]) -> list[tuple[int, bool, Indices]]:
    """Flips and rotations that lay a grid over itself: (quarter turns, flipped, order of the units), 8 of a square.

    Values in the new order, ``values[order]``, are those of the grid after its rows were flipped and it was turned.

    Parameters
    ----------
    shape : (int, int)
        Rows and columns.
    """
    grid = np.arange(shape[0] * shape[1]).reshape(shape)
    turns = range(4) if shape[0] == shape[1] else (0, 2)
    return [
        (turn, flipped, np.rot90(grid[::-1] if flipped else grid, turn).ravel())
        for flipped in (False, True)
        for turn in turns
    ]


def _standardized(maps: Floats) -> Floats:
    centered = maps - maps.mean(axis=1, keepdims=True)
    lengths = np.linalg.norm(centered, axis=1, keepdims=True)
    scaled: Floats = np.divide(centered, lengths, out=np.zeros_like(centered), where=lengths > 0)
    return scaled
