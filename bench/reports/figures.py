"""Comparison figures: each a function of a table (:mod:`.tables`) and a style, to a matplotlib Figure."""

from math import ceil
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from ...analysis.plotting import name_point
from ..score_key import BRAIN
from .style import MM, Style, panel_grid, shortened, text_below
from .tables import correlation_over_models

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

_LEGEND_ROW_MM = 3.6
_NAMED = 14
"""Models up to which every one is named beside its point or in the legend."""


def layer_curves_figure(table: pd.DataFrame, style: Style) -> "Figure":
    """Raw score against depth, a panel a benchmark, a line a model; bands over neuroids or subjects; ceilings in grey.

    From :func:`.tables.layers_table`.
    """
    with style.applied():
        benchmarks = list(dict.fromkeys(table["benchmark"]))
        models = list(dict.fromkeys(table["model"]))
        figure, grid = panel_grid(style, len(benchmarks), 52, columns=3)
        for axes, benchmark in zip(grid, benchmarks, strict=False):
            here = table[table["benchmark"] == benchmark]
            _ceiling(axes, here, style)
            for model, one in here.groupby("model", sort=True):
                name, color = str(model), style.color(str(model))
                axes.plot(
                    one["depth"],
                    one["raw"],
                    color=color,
                    linewidth=1,
                    marker=style.marker(name),
                    markersize=2.2,
                )
                if one["low"].notna().all():
                    axes.fill_between(
                        one["depth"], one["low"], one["high"], color=color, alpha=0.18, linewidth=0
                    )
                chosen = one[one["chosen"]]
                axes.plot(
                    chosen["depth"],
                    chosen["raw"],
                    "D",
                    color=color,
                    markersize=4.5,
                    markeredgecolor=style.ink,
                    markeredgewidth=0.5,
                )
            axes.axhline(0, color=style.ink, linewidth=0.4)
            axes.set_title(shortened(benchmark, 40))
            axes.set_xlabel("depth (first to last layer)")
            axes.set_ylabel("raw score on held-out stimuli")
        _legend(figure, models, style)
        units = sorted({f"{n} {u}s" for n, u in zip(table["n_units"], table["unit"], strict=True) if n > 1})
        bands = f"bands: 95 % over {', '.join(units)}; " if units else ""
        text_below(figure, f"diamonds: layer chosen on training stimuli; {bands}grey: ceiling")
        return figure


def heat_map_figure(table: pd.DataFrame, style: Style) -> "Figure":
    """Scores of models on benchmarks; models that score alike stand together; a cell without a number was not scored.

    From :func:`.tables.scores_table`.
    """
    with style.applied():
        values = table[table["model"] != BRAIN].pivot_table(
            index="model", columns="benchmark", values="score", sort=True, dropna=False
        )
        values = values.iloc[_clustered(values.to_numpy())]
        n_models, n_benchmarks = values.shape
        figure = style.figure(min(30 + 5.0 * n_models, 240))
        axes = figure.add_subplot()
        top = float(np.nanmax(np.abs(values.to_numpy()), initial=1e-9))
        image = axes.imshow(
            values.to_numpy(),
            cmap="cividis",
            vmin=min(0.0, float(np.nanmin(values.to_numpy(), initial=0))),
            vmax=top,
            aspect="auto",
        )
        axes.set_facecolor(style.faint)
        axes.set_xticks(
            range(n_benchmarks),
            [shortened(str(name), 34) for name in values.columns],
            rotation=30,
            ha="right",
        )
        axes.set_yticks(range(n_models), [shortened(str(name), 34) for name in values.index])
        axes.spines[:].set_visible(False)
        if n_models * n_benchmarks <= 200:
            for (row, column), value in np.ndenumerate(values.to_numpy()):
                if np.isfinite(value):
                    light = value < 0.55 * top
                    axes.text(
                        column,
                        row,
                        f"{value:.2f}",
                        ha="center",
                        va="center",
                        fontsize=5.5,
                        color="#FFFFFF" if light else "#000000",
                    )
        bar = figure.colorbar(image, ax=axes, shrink=0.8, pad=0.01)
        bar.set_label("score")
        text_below(
            figure,
            f"{n_models} models, {n_benchmarks} benchmarks; grey cells were not scored; rows by average linkage",
        )
        return figure


def ranked_figure(table: pd.DataFrame, differences: pd.DataFrame, style: Style) -> "Figure":
    """Models by score with intervals, a panel a benchmark; a star: below the best (q < 0.05, paired).

    From :func:`.tables.scores_table` and :func:`.tables.differences_table`.
    """
    with style.applied():
        benchmarks = list(dict.fromkeys(table["benchmark"]))
        most = int(table.groupby("benchmark").size().max())
        figure, grid = panel_grid(style, len(benchmarks), 16 + 3.4 * most, columns=2)
        for axes, benchmark in zip(grid, benchmarks, strict=False):
            here = table[table["benchmark"] == benchmark].sort_values(
                "score", ascending=True, na_position="first"
            )
            for reference in here["score"][here["model"] == BRAIN]:
                axes.axvline(reference, color=style.color(BRAIN), linestyle="--", linewidth=1)
                axes.set_title("- - brain", loc="right", fontsize=5.5, color=style.color(BRAIN))
            simulated = "SIMULATED  " if bool(here["simulated"].iloc[0]) else ""
            axes.set_title(f"{simulated}{shortened(benchmark, 40)}")
            here = here[here["model"] != BRAIN]
            if here.empty:
                axes.set_yticks([])
                continue
            y = np.arange(len(here))
            colors = [style.color(str(name)) for name in here["model"]]
            axes.barh(y, here["score"], color=colors, height=0.7)
            error = np.array([here["score"] - here["low"], here["high"] - here["score"]], float)
            known = np.isfinite(error).all(axis=0)
            axes.errorbar(
                here["score"][known],
                y[known],
                xerr=np.maximum(error[:, known], 0),
                fmt="none",
                ecolor=style.ink,
                elinewidth=0.7,
                capsize=1.5,
            )
            best = str(here["model"].iloc[-1])
            below = differences[(differences["benchmark"] == benchmark) & (differences["better"] == best)]
            starred = set(below["other"][below["q"] < 0.05])
            labels = [
                f"{'* ' if name in starred else ''}{shortened(str(name), 30)}" for name in here["model"]
            ]
            axes.set_yticks(y, labels)
            axes.axvline(0, color=style.ink, linewidth=0.5)
            axes.set_xlabel("score")
        text_below(
            figure,
            "bars: 95 % interval of other stimuli (and subjects); * below the best model: q < 0.05 over all pairs, "
            "differences on the same stimuli, subjects and neuroids",
        )
        return figure


def against_figure(table: pd.DataFrame, measure: str, label: str, style: Style) -> "Figure":
    """Score against another measure, a point a model, a panel a benchmark, with Spearman's r over models.

    Parameters
    ----------
    table : DataFrame
        From :func:`.tables.against_table`.
    measure : str
        Its column.
    label : str
        Of the axis, with its unit.
    style : Style
    """
    with style.applied():
        benchmarks = list(dict.fromkeys(table["benchmark"]))
        figure, grid = panel_grid(style, len(benchmarks), 55, columns=3)
        for axes, benchmark in zip(grid, benchmarks, strict=False):
            here = table[table["benchmark"] == benchmark]
            for _, row in here.iterrows():
                name = str(row["model"])
                error = None
                if np.isfinite([row["low"], row["high"]]).all():
                    error = np.maximum([[row["score"] - row["low"]], [row["high"] - row["score"]]], 0)
                axes.errorbar(
                    row[measure],
                    row["score"],
                    yerr=error,
                    color=style.color(name),
                    marker=style.marker(name),
                    markersize=4,
                    elinewidth=0.6,
                )
                if len(here) <= _NAMED:
                    name_point(axes, row[measure], row["score"], shortened(name, 22))
            found = correlation_over_models(here[measure], here["score"])
            said = (
                f"r {found['r']:.2f} ({found['low']:.2f} to {found['high']:.2f}), p {found['p']:.2g}"
                if np.isfinite(found["r"])
                else "too few models to correlate"
            )
            axes.set_title(f"{shortened(benchmark, 38)}\n{said}, n {len(here)}", fontsize=6)
            axes.set_xlabel(label)
            axes.set_ylabel("score")
        text_below(
            figure,
            "Spearman's r over models, 95 % with models drawn anew, p with models permuted; bars: 95 % over stimuli",
        )
        return figure


def units_figure(table: pd.DataFrame, style: Style) -> "Figure":
    """Raw value of every neuroid or subject, a panel a benchmark: median, quartiles, and the units themselves.

    From :func:`.tables.units_table`.
    """
    with style.applied():
        benchmarks = list(dict.fromkeys(table["benchmark"]))
        most = int(table.groupby("benchmark")["model"].nunique().max())
        figure, grid = panel_grid(style, len(benchmarks), 16 + 3.6 * most, columns=2)
        generator = np.random.default_rng(0)
        for axes, benchmark in zip(grid, benchmarks, strict=False):
            here = table[(table["benchmark"] == benchmark) & np.isfinite(table["raw"])]
            order = here.groupby("model")["raw"].median().sort_values().index.tolist()
            for y, model in enumerate(order):
                values = here["raw"][here["model"] == model].to_numpy()
                shown = values if len(values) <= 400 else generator.choice(values, 400, replace=False)
                axes.plot(
                    shown,
                    y + generator.uniform(-0.28, 0.28, len(shown)),
                    ".",
                    color=style.color(model),
                    markersize=1.6 if len(shown) > 20 else 4,
                    alpha=0.5,
                )
                low, middle, high = np.quantile(values, [0.25, 0.5, 0.75])
                axes.plot([low, high], [y, y], color=style.ink, linewidth=1.4)
                axes.plot(middle, y, "|", color=style.ink, markersize=7)
            axes.axvline(0, color=style.ink, linewidth=0.4)
            axes.set_yticks(range(len(order)), [shortened(str(name), 30) for name in order])
            unit = here["unit"].iloc[0] if len(here) else "unit"
            counts = here.groupby("model").size()
            axes.set_title(f"{shortened(benchmark, 36)}: {int(counts.max()) if len(counts) else 0} {unit}s")
            axes.set_xlabel(f"raw value of a {unit}")
        text_below(
            figure, "lines: quartiles; bars: medians; of more than 400 units 400 are shown, drawn by a seed"
        )
        return figure


def ceilings_figure(table: pd.DataFrame, style: Style) -> "Figure":
    """The ceiling of every benchmark, and the raw scores below it.

    From :func:`.tables.scores_table`.
    """
    with style.applied():
        benchmarks = list(dict.fromkeys(table["benchmark"]))
        figure = style.figure(24 + 5 * len(benchmarks))
        axes = figure.add_subplot()
        for y, benchmark in enumerate(reversed(benchmarks)):
            here = table[table["benchmark"] == benchmark]
            kind, value = str(here["ceiling_kind"].iloc[0]), float(here["ceiling"].iloc[0])
            best = float(here["best_raw"].iloc[0])
            if np.isfinite(best):
                axes.barh(y, best, color=style.faint, height=0.7)
                axes.text(best, y, f" {kind} {value:.2f}", va="center", fontsize=5.5)
            for _, row in here.iterrows():
                name = str(row["model"])
                if name == BRAIN:
                    axes.plot(
                        [row["raw"]] * 2, [y - 0.4, y + 0.4], "--", color=style.color(BRAIN), linewidth=1
                    )
                    continue
                axes.plot(row["raw"], y, style.marker(name), color=style.color(name), markersize=4)
        axes.set_yticks(range(len(benchmarks)), [shortened(name, 40) for name in reversed(benchmarks)])
        axes.axvline(0, color=style.ink, linewidth=0.4)
        axes.set_xlabel("raw score; grey: the best that the noise allows")
        _legend(figure, sorted(set(table["model"]) - {BRAIN}), style)
        text_below(
            figure,
            ("dashed: the brain, decoded from itself; " if BRAIN in set(table["model"]) else "")
            + "of a reliability the best r is its square root; no bar: these recordings allow no ceiling",
        )
        return figure


def _legend(figure: "Figure", models: list[str], style: Style) -> None:
    from matplotlib.lines import Line2D

    shown = models[:40]
    handles = [
        Line2D([], [], color=style.color(name), marker=style.marker(name), markersize=3.5, linewidth=1)
        for name in shown
    ]
    columns = 1 if style.width == "single" else min(len(shown), 4)
    figure.set_figheight(figure.get_figheight() + _LEGEND_ROW_MM * MM * ceil(len(shown) / columns))
    names = [shortened(name, 28) for name in shown]
    if len(models) > len(shown):
        handles.append(Line2D([], [], linestyle="none"))
        names.append(f"and {len(models) - len(shown)} more")
    figure.legend(handles, names, loc="outside upper center", ncols=columns)


def _ceiling(axes: "Axes", here: pd.DataFrame, style: Style) -> None:
    low, high = float(here["ceiling_low"].iloc[0]), float(here["ceiling_high"].iloc[0])
    if not np.isfinite([low, high]).all():
        return
    if high > low:
        axes.axhspan(low, high, color=style.faint, alpha=0.5, linewidth=0)
    else:
        axes.axhline(high, color=style.faint, linestyle="--", linewidth=1)


def _clustered(values: "np.typing.NDArray[np.float64]") -> list[int]:
    """The order of rows by average linkage; what is missing counts as the column's mean."""
    from scipy.cluster.hierarchy import leaves_list, linkage

    if len(values) < 3:
        return list(range(len(values)))
    mean = np.nanmean(values, axis=0)
    filled = np.where(np.isfinite(values), values, mean)
    if not np.ptp(filled, axis=0).any():
        return list(range(len(values)))
    return [int(i) for i in leaves_list(linkage(np.nan_to_num(filled), "average", optimal_ordering=True))]
