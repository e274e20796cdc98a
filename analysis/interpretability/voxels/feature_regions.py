"""Which feature answers as a region does: chosen on half of the stimuli, reported on the other.

The best of many features is biased: of 2048 columns of noise and 1000 stimuli, the largest |r| with any voxel is about
.11. So every region's feature is chosen by one half of the stimuli, or of their groups, and its r taken from the other,
both ways; beside it stands what the same choice finds where stimuli were shuffled.
"""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pandas as pd

from ....correlation import Floats
from ....errors import UserError
from ...masks import unmasked

Indices = npt.NDArray[np.intp]
_FEWEST = 8


@unmasked
def region_bars(
    features: npt.ArrayLike, targets: npt.ArrayLike, regions: Mapping[str, Indices]
) -> pd.DataFrame:
    """Pearson's r of every feature with every region, over all stimuli: for looking at, not for choosing.

    Parameters
    ----------
    features : array of shape (n_stimuli, n_features)
    targets : array of shape (n_stimuli, n_targets)
    regions : mapping of str to array of int
        The targets of each region, whose median r is taken.

    Returns
    -------
    DataFrame
        A row a feature, a column a region; 0 for features that do not vary. ``attrs["se"]``: 1 / sqrt(n - 3), which
        the r of a single feature would have by chance.
    """
    x, y = _checked(features, targets)
    r = correlations(x, y)
    table = pd.DataFrame({name: np.median(r[:, of], axis=1) for name, of in regions.items()})
    table.index.name = "feature"
    table.attrs["se"] = 1 / np.sqrt(max(len(x) - 3, 1))
    return table


@dataclass(frozen=True)
class BestFeature:
    """The feature that stands for a region.

    Attributes
    ----------
    features : tuple of int
        Chosen on the first half, on the second.
    selected_r : float
        |r| on the halves that chose them, which is biased.
    r : float
        r on the other halves, signed as it was chosen, mean of both.
    null_mean, null_sd : float
        The same for stimuli that were shuffled.
    p : float
        Share of shuffled orders, and of the observed one, with r at least as high; never 0.
    n_stimuli, n_features, n_shuffles : int
    """

    features: tuple[int, int]
    selected_r: float
    r: float
    null_mean: float
    null_sd: float
    p: float
    n_stimuli: int
    n_features: int
    n_shuffles: int


@unmasked
def best_features(
    features: npt.ArrayLike,
    targets: npt.ArrayLike,
    regions: Mapping[str, Indices],
    *,
    groups: npt.ArrayLike | None = None,
    n_shuffles: int = 199,
    random_state: int = 0,
) -> dict[str, BestFeature]:
    """The feature of every region, chosen on one half of the stimuli and reported on the other.

    Parameters
    ----------
    features, targets, regions
        As in :func:`region_bars`.
    groups : array of shape (n_stimuli,), optional
        What stands in one half together; shuffled as a whole where all groups are of one size, and within them else.
    n_shuffles, random_state : int

    Raises
    ------
    UserError
        For fewer than 8 stimuli or fewer than 4 groups.
    """
    x, y = _checked(features, targets)
    if len(x) < _FEWEST:
        raise UserError(
            f"{len(x)} stimuli are too few to choose on one half and report on the other: {_FEWEST}"
        )
    generator = np.random.default_rng([random_state, 53])
    first = _half(len(x), groups, generator)
    halves = [first, np.setdiff1d(np.arange(len(x)), first)]
    scaled = [_unit(x[half]) for half in halves]
    observed = {name: _both_ways(scaled, y[:, of], halves) for name, of in regions.items()}
    null: dict[str, list[float]] = {name: [] for name in regions}
    for _ in range(n_shuffles):
        order = _shuffled(len(x), groups, generator)
        for name, of in regions.items():
            null[name].append(_both_ways(scaled, y[order][:, of], halves)[2])
    found = {}
    for name, (chosen, selected, r) in observed.items():
        drawn = np.array(null[name])
        p = (1 + int((drawn >= r - 1e-12).sum())) / (1 + n_shuffles)
        spread = float(drawn.std(ddof=1)) if n_shuffles > 1 else float("nan")
        mean = float(drawn.mean()) if n_shuffles else float("nan")
        found[name] = BestFeature(chosen, selected, r, mean, spread, p, len(x), x.shape[1], n_shuffles)
    return found


def correlations(features: Floats, targets: Floats) -> Floats:
    """Pearson's r of every feature with every target, (n_features, n_targets); 0 where either does not vary."""
    return _unit(features).T @ _unit(targets)


def _unit(values: Floats) -> Floats:
    centered = values - values.mean(axis=0)
    lengths = np.linalg.norm(centered, axis=0)
    floor = 1e-12 * np.sqrt(len(values)) * np.abs(values).max(axis=0, initial=0.0)
    scaled: Floats = np.divide(centered, lengths, out=np.zeros_like(centered), where=lengths > floor)
    return scaled


def _both_ways(
    scaled: list[Floats], y: Floats, halves: list[Indices]
) -> tuple[tuple[int, int], float, float]:
    """Of one region: features chosen by median r over its targets, their |r| there, and r on the other half."""
    r = [np.median(x.T @ _unit(y[half]), axis=1) for x, half in zip(scaled, halves, strict=True)]
    best = [int(np.abs(one).argmax()) for one in r]
    selected = [float(abs(one[i])) for one, i in zip(r, best, strict=True)]
    held_out = [float(np.sign(r[i][best[i]]) * r[1 - i][best[i]]) for i in (0, 1)]
    return (best[0], best[1]), float(np.mean(selected)), float(np.mean(held_out))


def _half(n: int, groups: npt.ArrayLike | None, generator: np.random.Generator) -> Indices:
    member = np.arange(n) if groups is None else np.unique(np.asarray(groups), return_inverse=True)[1]
    n_groups = int(member.max()) + 1
    if n_groups < 4:
        raise UserError(
            f"{n_groups} groups are too few to choose on one half and report on the other: at least 4"
        )
    return np.flatnonzero(np.isin(member, generator.permutation(n_groups)[: n_groups // 2]))


def _shuffled(n: int, groups: npt.ArrayLike | None, generator: np.random.Generator) -> Indices:
    """Stimuli in another order; whole groups where they are of one size, else those within each."""
    if groups is None:
        return generator.permutation(n)
    member = np.unique(np.asarray(groups), return_inverse=True)[1]
    order, sizes = np.argsort(member, kind="stable"), np.bincount(member)
    if (sizes == sizes[0]).all():
        target = order.reshape(len(sizes), sizes[0])[generator.permutation(len(sizes))].ravel()
    else:
        target = np.lexsort((generator.random(n), member))
    moved = np.empty(n, np.intp)
    moved[order] = target
    return moved


def _checked(features: npt.ArrayLike, targets: npt.ArrayLike) -> tuple[Floats, Floats]:
    x, y = np.asarray(features, np.float64), np.asarray(targets, np.float64)
    if x.ndim != 2 or y.ndim != 2 or len(x) != len(y):
        raise UserError(f"features {x.shape} and targets {y.shape} need two dimensions, one row a stimulus")
    if not (np.isfinite(x).all() and np.isfinite(y).all()):
        raise UserError("features and targets must be finite: leave out what is not")
    return x, y
