"""What several feature spaces explain of the brain, alone and together."""

from textwrap import fill
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np
import numpy.typing as npt

from ...analysis.plotting import new_figure, short
from ...analysis.statistics.resampling import Floats, bootstrap_weights, percentile_interval

if TYPE_CHECKING:
    from matplotlib.figure import Figure

_UNIQUE, _SHAPLEY, _SHARED, _FULL = "#0072B2", "#56B4E9", "#BBBBBB", "#777777"


class Partition(Protocol):
    """What the figure reads: explained variance per neuroid, (n_neuroids,) or (n_spaces, n_neuroids)."""

    @property
    def names(self) -> tuple[str, ...]: ...  # noqa: D102
    @property
    def unique(self) -> Floats: ...  # noqa: D102
    @property
    def shapley(self) -> Floats: ...  # noqa: D102
    @property
    def shared(self) -> Floats: ...  # noqa: D102
    @property
    def full(self) -> Floats: ...  # noqa: D102
    @property
    def n_stimuli(self) -> int: ...  # noqa: D102


def variance_partition_figure(
    partition: Partition, *, title: str = "", n_draws: int = 1000, random_state: int = 0
) -> "Figure":
    """Mean over neuroids of each space's unique and Shapley explained variance, the shared part, and all.

    Parameters
    ----------
    partition : Partition
        E.g. of ``brodmann.analysis.variance_partitioning``.
    title : str
    n_draws : int
        Bootstraps over neuroids for the 95 % intervals.
    random_state : int

    Returns
    -------
    Figure
        85 mm wide; not shown and not saved. Means, so that Shapley bars add up to the bar of all spaces.
    """
    n_neuroids = len(partition.full)
    weights = bootstrap_weights(n_neuroids, n_draws, random_state=random_state) / n_neuroids
    names = [short(name, 24) for name in partition.names]
    figure = new_figure(3.35, 1.5 + 0.42 * (len(names) + 2), dpi=150)
    axes = figure.add_subplot()
    rows = np.arange(len(names))
    _bars(axes, rows - 0.2, partition.unique, weights, _UNIQUE, "unique", 0.38)
    _bars(axes, rows + 0.2, partition.shapley, weights, _SHAPLEY, "Shapley share", 0.38)
    _bars(axes, [len(names)], partition.shared[None], weights, _SHARED, "in no space alone", 0.5)
    _bars(axes, [len(names) + 1], partition.full[None], weights, _FULL, "all spaces", 0.5)
    from matplotlib import rcParams

    axes.axvline(0, color=rcParams["axes.edgecolor"], linewidth=0.6)
    axes.set_yticks(range(len(names) + 2), [*names, "shared", "all"], fontsize=6)
    axes.invert_yaxis()
    axes.set_xlabel("explained variance (held-out R$^2$)", fontsize=7)
    axes.tick_params(axis="x", labelsize=6)
    axes.spines[["top", "right"]].set_visible(False)
    axes.set_title(fill(title, 40), fontsize=8, x=0.4)
    figure.legend(loc="outside lower center", ncols=2, fontsize=5.5, frameon=False)
    note = f"mean over n = {n_neuroids} neuroids, {partition.n_stimuli} stimuli; lines: 95 % bootstrap over neuroids"
    figure.suptitle(note, fontsize=5.5, color="#555555")
    return figure


def _bars(
    axes: Any, rows: npt.ArrayLike, values: Floats, weights: Floats, color: str, label: str, height: float
) -> None:
    from matplotlib import rcParams

    mean = values.mean(axis=1)
    ends = np.array([percentile_interval(draws) for draws in values @ weights.T])
    axes.barh(rows, mean, height, color=color, label=label)
    axes.hlines(rows, ends[:, 0], ends[:, 1], color=rcParams["axes.edgecolor"], linewidth=0.8)
