"""Figures over layers, regions and models: dimensionality, selectivity, clustering, scores."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from matplotlib.figure import Figure

from ..plotting import COLORS, NULL, finish, name_point, new_figure, short


def layers_figure(rows: Sequence[Mapping[str, Any]], title: str) -> "Figure":
    """Dimensionality, selectivity, clustering and, where there is one, the score of every layer.

    Parameters
    ----------
    rows : sequence of mapping
        ``layer``, ``corrected``, ``low``, ``high``, ``participation_ratio``, ``estimator``, ``selective`` and
        ``morans_i`` (by contrast, the latter may be empty), ``score`` (or None), ``n_samples``, ``layout``.
    title : str
    """
    scored = rows[0].get("score") is not None
    figure = new_figure(7.1, 2.7)
    places = figure.subplots(1, 4 if scored else 3)
    x = np.arange(len(rows))
    names = [short(row["layer"]) for row in rows]
    middle = np.array([row["corrected"] for row in rows], float)
    error = np.array(
        [[row["corrected"] - row["low"], row["high"] - row["corrected"]] for row in rows], float
    ).T
    places[0].errorbar(
        x,
        middle,
        np.maximum(np.nan_to_num(error), 0),
        marker="o",
        markersize=3,
        color=COLORS[0],
        label="corrected for n",
    )
    places[0].plot(
        x,
        [row["participation_ratio"] for row in rows],
        ":",
        color=COLORS[0],
        linewidth=1,
        label="of these stimuli",
    )
    places[0].legend(fontsize=5, frameon=False)
    finish(places[0], "", "participation ratio")
    for i, contrast in enumerate(rows[0]["selective"]):
        color = COLORS[i % len(COLORS)]
        places[1].plot(
            x,
            [100 * row["selective"][contrast] for row in rows],
            "o-",
            markersize=2.5,
            linewidth=1,
            color=color,
            label=contrast,
        )
        if rows[0]["morans_i"]:
            values = [row["morans_i"].get(contrast, {}).get("I", np.nan) for row in rows]
            places[2].plot(x, values, "o-", markersize=2.5, linewidth=1, color=color)
    if rows[0]["morans_i"]:
        null = np.array(
            [2 * np.nanmean([one["null_sd"] for one in row["morans_i"].values()] or [np.nan]) for row in rows]
        )
        places[2].fill_between(x, -null, null, color=NULL, linewidth=0)
    finish(places[1], "", "selective units (%, q < 0.05)")
    handles, labels = places[1].get_legend_handles_labels()
    if handles:
        figure.legend(
            handles, labels, loc="outside upper right", ncols=len(labels), fontsize=5, frameon=False
        )
    finish(places[2], "", "Moran's I (grey: permuted, 2 sd)")
    for axes in places[:3]:
        axes.set_xticks(x, names, rotation=70, ha="right", fontsize=4.5)
    if scored:
        places[3].plot(middle, [row["score"] for row in rows], "o", color=COLORS[1], markersize=4)
        for row, value in zip(rows, middle, strict=True):
            name_point(places[3], value, row["score"], short(row["layer"], 12), size=4, apart=2)
        finish(places[3], "participation ratio (corrected)", "raw score of the layer")
    figure.suptitle(title, fontsize=8, x=0.01, ha="left")
    figure.supxlabel(
        f"n = {rows[0]['n_samples']} stimuli; {rows[0]['estimator']}; bars: 95 %, jackknife over stimuli; layouts: "
        + ", ".join(dict.fromkeys(row["layout"] for row in rows)),
        fontsize=5.5,
    )
    return figure


def dimensions_figure(rows: Sequence[Mapping[str, Any]], benchmark: str, rank: Mapping[str, Any]) -> "Figure":
    """Effective dimensionality against alignment with the brain, a point a model.

    Parameters
    ----------
    rows : sequence of mapping
        ``model``, ``layer``, ``corrected``, ``low``, ``high``, ``score``, ``ci``, ``n_samples``.
    benchmark : str
    rank : mapping
        ``r``, ``p``, ``n`` of Spearman's correlation over models.
    """
    figure = new_figure(3.6, 3.2)
    axes = figure.add_subplot()
    for i, row in enumerate(rows):
        low, high = row["ci"]
        axes.errorbar(
            row["corrected"],
            row["score"],
            xerr=np.maximum([[row["corrected"] - row["low"]], [row["high"] - row["corrected"]]], 0),
            yerr=None if low is None else np.maximum([[row["score"] - low], [high - row["score"]]], 0),
            fmt="o", markersize=4, color=COLORS[i % len(COLORS)], elinewidth=0.6,
        )  # fmt: skip
        name_point(axes, row["corrected"], row["score"], row["model"])
    values = [row["corrected"] for row in rows if np.isfinite(row["corrected"])] or [1.0]
    if max(values) > 8 * min(values):
        axes.set_xscale("log")
    finish(axes, "participation ratio (corrected for n)", f"score on {benchmark}")
    said = (
        f"Spearman r = {rank['r']:.2f}, p = {rank['p']:.2g}"
        if rank["r"] is not None
        else "too few models to correlate"
    )
    figure.suptitle(f"{said}, n = {rank['n']} models", fontsize=7)
    figure.supxlabel(
        f"n = {rows[0]['n_samples']} stimuli for the dimensionality; bars: 95 %; p: models permuted",
        fontsize=5.5,
    )
    return figure
