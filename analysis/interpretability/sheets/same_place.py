"""Whether the same feature lies at the same place in two networks that were trained with other seeds.

Nothing ties the sheet of one seed to that of another but its shape, so that B's sheet may lie over A's in any of its
flips and rotations. One of them is taken for all features, the one under which matched features lie closest. Alike is
what matched features have in common beyond any two of them,

    d(g, t) = mean_i corr(S m_i, S g m'_j(i)) - mean_ij corr(S m_i, S g m'_j),   observed: max_g d(g, 0),

with S the smoothing of the maps, and the null is max_g d(g, t) over shifts t of B's sheet against A's, each over the
cells where both lie, half of them at least. A shift leaves it to the features which of them share units; permuted pairs
take pairs for independent, and find a common place for units that were dealt at random. Few cells vary more, so that p
errs on the high side. Features must have been matched by what they answer: two that were matched by their decoder rows
lie at the same place by construction.
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
    others : float
        The same over all pairs of features.
    turns, flipped : int, bool
        Which that is: quarter turns of B's sheet, after a flip of its rows.
    null_mean, null_sd : float
        Of the difference of both over shifts, each under its own best flip and rotation.
    p : float
        Share of shifts, and of the sheet where it lies, that are as alike; never 0.
    by_pair : array of shape (n_pairs,)
        The correlation of every pair under that flip and rotation.
    by_symmetry : array of shape (n_symmetries,)
        The difference under each.
    n_pairs, n_shifts, random_state : int
    fwhm : float
    """

    r: float
    others: float
    turns: int
    flipped: bool
    null_mean: float
    null_sd: float
    p: float
    by_pair: Floats
    by_symmetry: Floats
    n_pairs: int
    n_shifts: int
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
    most_shifts: int = 999,
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
    most_shifts, random_state : int
        All shifts of a grid that has no more than so many, else as many drawn at random.

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
    if most_shifts < 2:
        raise UserError(f"a null needs at least 2 shifts, not {most_shifts}")
    both = [np.asarray(mass, np.float64) for mass in (mass_a, mass_b)]
    for mass, side in zip(both, matched.T, strict=True):
        if mass.ndim != 2 or mass.shape[1] != len(sheet) or side.min() < 0 or side.max() >= len(mass):
            raise UserError(f"mass of shape {mass.shape} does not fit {len(sheet)} units and these pairs")
    a = smooth(both[0][matched[:, 0]], sheet, fwhm)
    other = smooth(both[1][matched[:, 1]], sheet, fwhm)
    orders = symmetries(sheet.shape) if turned else [(0, False, np.arange(len(sheet)))]
    grids = [other[:, order].reshape(-1, *sheet.shape) for _, _, order in orders]
    ours = a.reshape(-1, *sheet.shape)
    alike = [_alike(ours, theirs) for theirs in grids]
    by_symmetry = np.array([matched.mean() - everyone for matched, everyone in alike])
    best = int(by_symmetry.argmax())
    null = np.array([_shifted(ours, grids, step) for step in _shifts(sheet.shape, most_shifts, random_state)])
    p = (1 + int((null >= by_symmetry[best] - 1e-12).sum())) / (1 + len(null))
    pairs_alike, everyone = alike[best]
    return SamePlace(
        float(pairs_alike.mean()), everyone, orders[best][0], orders[best][1], float(null.mean()),
        float(null.std(ddof=1)), p, pairs_alike, by_symmetry, len(matched), len(null), random_state, fwhm,
    )  # fmt: skip


def _alike(a: Floats, b: Floats) -> tuple[Floats, float]:
    """Correlation of each map with the one of its place in the other stack, and the mean over all pairs."""
    one, other = (_standardized(maps.reshape(len(maps), -1)) for maps in (a, b))
    return np.einsum("iu,iu->i", one, other), float(one.mean(axis=0) @ other.mean(axis=0))


def _shifted(ours: Floats, grids: list[Floats], step: tuple[int, int]) -> float:
    """The highest difference where B's sheet lies some cells further, over the cells of both."""
    here = tuple(slice(max(n, 0), size + min(n, 0)) for n, size in zip(step, ours.shape[1:], strict=True))
    there = tuple(slice(max(-n, 0), size + min(-n, 0)) for n, size in zip(step, ours.shape[1:], strict=True))
    found = [_alike(ours[:, *here], theirs[:, *there]) for theirs in grids]
    return max(float(matched.mean()) - everyone for matched, everyone in found)


def _shifts(shape: tuple[int, int], most: int, random_state: int) -> list[tuple[int, int]]:
    """Steps along both axes that leave half of the cells to both sheets, but for none; so many at most."""
    rows, columns = shape
    steps = [
        (down, right)
        for down in range(1 - rows, rows)
        for right in range(1 - columns, columns)
        if (down or right) and 2 * (rows - abs(down)) * (columns - abs(right)) >= rows * columns
    ]
    if len(steps) <= most:
        return steps
    chosen = np.random.default_rng([random_state, 48]).choice(len(steps), most, replace=False)
    return [steps[i] for i in np.sort(chosen)]


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
