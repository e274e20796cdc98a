"""The figure of a study inside networks: one question a panel, a dot a network, lines between what is compared."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from ...analysis.plotting import new_figure

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

_COLORS = {"topographic": "#D55E00", "baseline": "#0072B2"}
_MARKS = {"topographic": "o", "baseline": "s"}
_SMALL = 6.5
_PANELS: tuple[tuple[str, str, dict[str, str]], ...] = (
    (
        "match: found again in a network\nof another seed (held-out r)",
        "match",
        {"networks_units": "units", "networks_features": "features", "networks_untrained": "untrained\nfeatures"},
    ),
    (
        "match: two seeds of a dictionary\n(mean of highest cosines)",
        "match",
        {
            "mmcs": "features",
            "mmcs_floor_covariance_matched": "covariance-\nmatched",
            "mmcs_floor_isotropic": "isotropic",
        },
    ),
    (
        "mixed: token classes of the\nmedian unit or feature",
        "mixed",
        {"classes_of_units": "units", "classes_of_features": "features", "classes_of_untrained": "untrained\nfeatures"},
    ),
    (
        "sheet: Moran's I of\nwhere features write",
        "sheet",
        {"mass_I_features": "features", "mass_I_matched": "covariance-\nmatched", "mass_I_isotropic": "isotropic"},
    ),
    (
        "brain: r of ridge regression\non the recording",
        "brain",
        {"brain_units": "units", "brain_features": "features", "brain_untrained": "untrained\nfeatures"},
    ),
)  # fmt: skip


def inside_figure(study: Mapping[str, Any]) -> "Figure":
    """What features are worth in topographic networks and their baseline twins.

    Parameters
    ----------
    study : mapping
        What ``brodmann features study`` writes: ``networks`` with their measures, ``answers``, ``study``.

    Returns
    -------
    Figure
        180 mm wide. A dot is a network; black bars are means with 95 % intervals over networks (t distribution).
    """
    networks = study["networks"]
    shown = [one for one in _PANELS if all(networks[0].get(name) is not None for name in one[2])]
    n_columns = 3
    n_rows = -(-(len(shown) + 1) // n_columns)
    figure = new_figure(7.1, 2.5 * n_rows)
    axes = np.atleast_1d(figure.subplots(n_rows, n_columns)).ravel()
    _frontiers(axes[0], networks)
    for place, (title, _, measures) in zip(axes[1:], shown, strict=False):
        _columns(place, networks, title, measures)
    for place in axes[len(shown) + 1 :]:
        place.set_axis_off()
    n = len({one["pair"] for one in networks})
    figure.suptitle(
        f"{study['study']['n_features']} features of {study['study']['layer']}, {n} pairs of networks",
        fontsize=9,
    )
    figure.supxlabel(
        "orange circles: topographic; blue squares: baseline; a dot is a network; bars: mean, 95 % interval over them",
        fontsize=6,
    )
    return figure


def _frontiers(axes: "Axes", networks: Sequence[Mapping[str, Any]]) -> None:
    from matplotlib.ticker import LogLocator, NullLocator

    for one in networks:
        points = sorted(one["frontier"], key=lambda point: float(point["fvu"]))
        axes.plot(
            [point["fvu"] for point in points],
            [point["l0"] for point in points],
            color=_COLORS[one["kind"]], marker=_MARKS[one["kind"]], ms=2.5, lw=0.8, alpha=0.8,
        )  # fmt: skip
    axes.set(xscale="log", yscale="log")
    for axis in (axes.xaxis, axes.yaxis):
        axis.set_major_locator(LogLocator(subs=(1.0, 2.0, 5.0)))
        axis.set_major_formatter("{x:g}")
        axis.set_minor_locator(NullLocator())
    axes.set_xlabel("variance left (FVU)", fontsize=_SMALL)
    axes.set_ylabel("active features", fontsize=_SMALL)
    axes.set_title("mixed: active features\nagainst error", fontsize=_SMALL + 0.5)
    _plain(axes)


def _columns(
    axes: "Axes", networks: Sequence[Mapping[str, Any]], title: str, measures: Mapping[str, str]
) -> None:
    for kind, shift in (("topographic", -0.13), ("baseline", 0.13)):
        values = np.array(
            [
                [np.nan if one.get(name) is None else float(one[name]) for name in measures]
                for one in networks
                if one["kind"] == kind
            ]
        )
        x = np.arange(len(measures)) + shift
        axes.plot(x, values.T, color=_COLORS[kind], marker=_MARKS[kind], ms=2.5, lw=0.4, alpha=0.6)
        _bars(axes, x, values)
    axes.set_xticks(range(len(measures)), list(measures.values()), fontsize=_SMALL)
    axes.set_xlim(-0.5, len(measures) - 0.5)
    axes.set_title(title, fontsize=_SMALL + 0.5)
    _plain(axes)


def _bars(axes: "Axes", x: "np.ndarray[Any, Any]", values: "np.ndarray[Any, Any]") -> None:
    from ...analysis.statistics.paired_tests import t_interval

    for place, column in zip(x, values.T, strict=True):
        known = column[np.isfinite(column)]
        if len(known) > 1:
            low, high = t_interval(known)
            axes.plot([place, place], [low, high], color="black", lw=1.2, zorder=4)
            axes.plot(place, known.mean(), marker="_", ms=7, color="black", zorder=5)


def _plain(axes: "Axes") -> None:
    axes.tick_params(labelsize=_SMALL)
    axes.spines[["top", "right"]].set_visible(False)
