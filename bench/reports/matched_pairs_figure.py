"""The figure of a study of twins: maps, layout, dimensionality, task, and what compression costs."""

from collections.abc import Callable, Mapping, Sequence
from pathlib import PurePath
from typing import TYPE_CHECKING, Any

import numpy as np

from ...analysis.plotting import new_figure

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

_COLORS = {"topographic": "#D55E00", "baseline": "#0072B2"}
_STYLES: dict[str, tuple[Any, str]] = {
    "nearest": ("-", "o"),
    "random layout": (":", "s"),
    "k-means": ("--", "^"),
    "L1": ("-.", "v"),
    "trained small": ((0, (1, 1)), "D"),
}
_SMALL = 6.5


def twins_figure(study: Mapping[str, Any]) -> "Figure":
    """Topographic networks beside their baseline twins.

    Parameters
    ----------
    study : mapping
        What ``brodmann twins`` writes: ``networks`` with their measures, ``seeds``, ``benchmark``, ``localizer``.

    Returns
    -------
    Figure
        180 mm wide. Dots are seeds, error bars 95 % intervals over seeds (t distribution).
    """
    networks = study["networks"]
    task = "accuracy" if "accuracy" in networks[0]["task"] else "loss"
    figure = new_figure(7.1, 5.8)
    rows = figure.subfigures(3, 1, height_ratios=[1, 1.2, 1.2])
    places = [row.subplots(1, 4) for row in np.asarray(rows)]
    _maps(places[0], networks)
    _layers(places[1][0], networks, "morans_i", "Moran's I of tuning\n(queen, d' maps)")
    _layers(places[1][1], networks, "smoothness", "smoothness of weights\n(cosine of neighbours)")
    _layers(places[1][2], networks, "participation_ratio_corrected", "participation ratio\n(corrected for n)")
    _seeds(places[1][3], networks, task)
    _curve(places[2][0], networks, lambda one: one["task"][task], f"held-out {_unit(task)}")
    _curve(places[2][1], networks, lambda one: one["brain"], _benchmark(study["benchmark"]))
    _curve(
        places[2][2],
        networks,
        lambda one: one["participation_ratio"],
        "participation ratio\nof block outputs",
    )
    _legend(places[2][3])
    n_stimuli = networks[0]["layers"][0]["n_stimuli"]
    n_units = {layer["n_units"] for layer in networks[0]["layers"]}
    sizes = f"{min(n_units)} to {max(n_units)}" if len(n_units) > 1 else f"{max(n_units)}"
    figure.suptitle(
        f"{study['modality']} twins: TopoLoss tau {study['tau']:g} against tau 0, n = {len(study['seeds'])} seeds",
        fontsize=9,
    )
    figure.supxlabel(
        f"tuning: {PurePath(study['localizer']).name}, {n_stimuli} stimuli; layers of {sizes} units; "
        "error bars: 95 % intervals over seeds; grey: 95 % of permuted layouts",
        fontsize=6,
    )
    return figure


def _maps(row: Sequence["Axes"], networks: Sequence[Mapping[str, Any]]) -> None:
    """The tuning of one layer, the largest sheet, as it lies: topographic and baseline, for up to two categories."""
    kinds = [next(one for one in networks if one["kind"] == kind) for kind in _COLORS]
    largest = max(range(len(kinds[0]["layers"])), key=lambda i: kinds[0]["layers"][i]["n_units"])
    targets = list(kinds[0]["layers"][largest]["maps"])[:2]
    shown = [(kind, target) for target in targets for kind in kinds][: len(row)]
    for axes in row:
        axes.set_axis_off()
    for axes, (one, target) in zip(row, shown, strict=False):
        layer = one["layers"][largest]
        values = np.reshape(layer["maps"][target], layer["shape"])
        limit = float(np.abs(values).max()) or 1.0
        image = axes.imshow(values, cmap="RdBu_r", vmin=-limit, vmax=limit)
        axes.set_title(f"{one['kind']}, seed {one['seed']}\n{target}, {_short(layer['layer'])}", fontsize=6)
        bar = axes.figure.colorbar(image, ax=axes, shrink=0.75, pad=0.03)
        bar.ax.tick_params(labelsize=5)
        bar.ax.set_title("d'", fontsize=6)


def _by_kind(networks: Sequence[Mapping[str, Any]]) -> dict[str, list[Mapping[str, Any]]]:
    return {kind: [one for one in networks if one["kind"] == kind] for kind in _COLORS}


def _layers(axes: "Axes", networks: Sequence[Mapping[str, Any]], measure: str, label: str) -> None:
    names = [layer["layer"] for layer in networks[0]["layers"]]
    x = np.arange(len(names))
    if measure == "morans_i":
        sd = np.mean([[layer["morans_i_null_sd"] for layer in one["layers"]] for one in networks], axis=0)
        n_units = np.array([layer["n_units"] for layer in networks[0]["layers"]])
        middle = -1 / (n_units - 1)
        axes.fill_between(x, middle - 1.96 * sd, middle + 1.96 * sd, color="#BBBBBB", linewidth=0)
    for kind, group in _by_kind(networks).items():
        values = np.array([[layer[measure] for layer in one["layers"]] for one in group], float)
        axes.errorbar(
            x, values.mean(axis=0), _half(values), color=_COLORS[kind], marker="o", markersize=3, linewidth=1
        )
    axes.set_xticks(x, [_short(name) for name in names], rotation=70, ha="right", fontsize=5)
    _finish(axes, label, bottom=0.0 if measure != "morans_i" else None)


def _seeds(axes: "Axes", networks: Sequence[Mapping[str, Any]], task: str) -> None:
    """The task score of every seed, twins joined."""
    groups = _by_kind(networks)
    for pair in zip(*groups.values(), strict=True):
        axes.plot([0, 1], [one["task"][task] for one in pair], color="#999999", linewidth=0.7, zorder=1)
    for place, (kind, group) in enumerate(groups.items()):
        values = np.array([one["task"][task] for one in group])
        axes.plot(np.full(len(values), place), values, "o", color=_COLORS[kind], markersize=4)
    axes.set_xticks([0, 1], list(groups), fontsize=6)
    axes.set_xlim(-0.5, 1.5)
    _finish(axes, f"held-out {_unit(task)}")


def _curve(
    axes: "Axes",
    networks: Sequence[Mapping[str, Any]],
    measure: Callable[[Mapping[str, Any]], float],
    label: str,
) -> None:
    for kind, group in _by_kind(networks).items():
        methods = list(dict.fromkeys(c["method"] for one in group for c in one["compressed"]))
        for method in methods[1:]:
            shares = sorted({c["share"] for c in group[0]["compressed"] if c["method"] in (method, "whole")})
            values = np.array(
                [
                    [measure(_small(one, method, share)) for share in shares]
                    for one in group
                ]
            )  # fmt: skip
            style, marker = _STYLES.get(method, _STYLES["trained small"])
            axes.errorbar(
                100 * np.array(shares),
                values.mean(axis=0),
                _half(values),
                color=_COLORS[kind],
                linestyle=style,
                marker=marker,
                markersize=2.5,
                linewidth=0.9,
                elinewidth=0.5,
            )
    axes.set_xlabel("units kept (%)", fontsize=_SMALL)
    axes.set_xscale("log")
    shares = sorted({c["share"] for c in networks[0]["compressed"]})
    axes.set_xticks([100 * share for share in shares], [f"{100 * share:.0f}" for share in shares])
    axes.minorticks_off()
    _finish(axes, label)


def _benchmark(name: str) -> str:
    dataset, _, metric = name.partition(".")
    simulated = "SIMULATED " if dataset.startswith("simulated") else ""
    return f"{simulated}brain score\n{dataset}\n{metric}"


def _small(one: Mapping[str, Any], method: str, share: float) -> Mapping[str, Any]:
    return next(c for c in one["compressed"] if c["method"] in (method, "whole") and c["share"] == share)


def _legend(axes: "Axes") -> None:
    from matplotlib import rcParams
    from matplotlib.lines import Line2D

    ink = rcParams["text.color"]
    kinds = [Line2D([], [], color=color, label=kind) for kind, color in _COLORS.items()]
    ways = [
        Line2D([], [], color=ink, linestyle=style, marker=marker, markersize=3, linewidth=0.9, label=method)
        for method, (style, marker) in _STYLES.items()
    ]
    axes.legend(handles=[*kinds, *ways], fontsize=6, frameon=False, loc="center")
    axes.set_axis_off()


def _half(values: "np.ndarray[Any, np.dtype[Any]]") -> "np.ndarray[Any, np.dtype[Any]] | None":
    """Half the width of a 95 % interval over the rows."""
    if len(values) < 2:
        return None
    from scipy.stats import t

    half: np.ndarray[Any, np.dtype[Any]] = (
        t.ppf(0.975, len(values) - 1) * values.std(axis=0, ddof=1) / len(values) ** 0.5
    )
    return half


def _finish(axes: "Axes", label: str, *, bottom: float | None = None) -> None:
    axes.set_ylabel(label, fontsize=_SMALL)
    axes.tick_params(labelsize=5.5)
    axes.spines[["top", "right"]].set_visible(False)
    if bottom is not None:
        axes.set_ylim(bottom=bottom)


def _unit(task: str) -> str:
    return "accuracy" if task == "accuracy" else "loss (nats a token)"


def _short(name: str) -> str:
    return (
        name.removeprefix("transformer.")
        .replace("layer", "l")
        .replace(".mlp.c_fc", " c_fc")
        .replace("conv", "c")
    )
