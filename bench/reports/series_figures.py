"""Figures of recordings in time: each a function of a table (:mod:`.series_tables`) and a style, to a Figure."""

from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from .series_tables import canonical_at
from .style import MM, Style, panel_grid, shortened, text_below

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

_WORD_ROWS, _WORD_SIZE = 8, 4.6
_FEWEST_PLACED = 0.9
"""Share of the words that must find room, or none is written."""
_CURVES = 3
"""Models whose layers are shown."""


def courses_figure(table: pd.DataFrame, model: str, title: str, style: Style) -> "Figure":
    """Prediction against recording for a minute, a row a neuroid; above, where it lies among folds and cut ends.

    Parameters
    ----------
    table : DataFrame
        From :func:`.series_tables.courses_table`.
    model, title : str
    style : Style
    """
    neuroids = list(dict.fromkeys(table["neuroid"]))
    words = table.attrs["words"] if style.width == "double" else []
    with style.applied():
        heights = [7, *[19] * len(neuroids), *([3.0 * _WORD_ROWS] if words else [])]
        figure = style.figure(sum(heights) + 24)
        rows = figure.subplots(len(heights), 1, gridspec_kw={"height_ratios": heights})
        _strip(rows[0], table, style)
        start, end, trim = table.attrs["start"], table.attrs["end"], table.attrs["trim"][0]
        shown = table[table["shown"]]
        of_story = table[(table["story"] == shown["story"].iloc[0]) & (table["neuroid"] == neuroids[0])]
        first = of_story["time"].min() >= start and trim > 0
        left = start - min(trim, 10.0) if first else start
        folds = shown[shown["neuroid"] == neuroids[0]]
        borders = folds["time"].to_numpy()[1:][np.diff(folds["fold"]) != 0] - table.attrs["tr"] / 2
        most = 1.08 * float(shown[["recorded", "predicted"]].abs().to_numpy().max())
        for axes, neuroid in zip(rows[1:], neuroids, strict=False):
            here = shown[shown["neuroid"] == neuroid]
            for _, part in here.groupby("fold"):
                axes.plot(part["time"], part["recorded"], color=style.ink, linewidth=0.9)
                axes.plot(part["time"], part["predicted"], color=style.color(model), linewidth=1.4)
            axes.axhline(0, color=style.faint, linewidth=0.4, zorder=0)
            for border in borders:
                axes.axvline(border, color=style.ink, linestyle=":", linewidth=0.8)
            if first:
                axes.axvspan(left, start - table.attrs["tr"] / 2, color=style.faint, alpha=0.5, linewidth=0)
            axes.set_xlim(left, end)
            axes.set_ylim(-most, most)
            quantile, r = here["quantile"].iloc[0], here["r"].iloc[0]
            axes.set_title(
                f"{shortened(neuroid, 30)}: r {r:.2f}, nearest to the {quantile:.0%} point",
                loc="left",
                fontsize=6,
            )
            axes.tick_params(labelbottom=axes is rows[len(neuroids)])
        rows[len(neuroids)].set_xlabel(f"time in {shortened(str(shown['story'].iloc[0]), 40)} (s)")
        rows[(len(neuroids) + 1) // 2].set_ylabel("standardized", fontsize=6)
        handles = [_line(style.ink, 0.9), _line(style.color(model), 1.4)]
        figure.legend(
            handles, ["recorded", f"predicted by {shortened(model, 30)}"], loc="outside upper right", ncols=2
        )
        rows[0].set_title(shortened(title, 100 if words else 48), fontsize=8, loc="left")
        missing = _write_words(figure, rows[-1], rows[1], table, left, style) if words else ""
        text_below(
            figure,
            "held-out predictions and responses, less their mean in each fold, of sd 1 over all that was held out; "
            "dotted: another fold; grey: cut from the ends; neuroids nearest to points of the distribution of "
            f"r{missing}",
        )
        return figure


def _strip(axes: "Axes", table: pd.DataFrame, style: Style) -> None:
    """The story from end to end: folds in two greys, cut ends hatched, the stretch outlined."""
    shown = table[table["shown"]]
    one = table[(table["neuroid"] == shown["neuroid"].iloc[0]) & (table["story"] == shown["story"].iloc[0])]
    tr, (before, after) = table.attrs["tr"], table.attrs["trim"]
    time, fold = one["time"].to_numpy(), one["fold"].to_numpy()
    edges = np.flatnonzero((np.diff(fold) != 0) | (np.diff(time) > 1.5 * tr)) + 1
    for i, rows in enumerate(np.split(np.arange(len(time)), edges)):
        axes.axvspan(
            time[rows[0]] - tr / 2, time[rows[-1]] + tr / 2, color=style.faint, alpha=0.9 if i % 2 else 0.45,
            linewidth=0,
        )  # fmt: skip
    low, high = time[0] - tr / 2, time[-1] + tr / 2
    for start, end in ((low - before, low), (high, high + after)):
        if end > start:
            axes.axvspan(start, end, facecolor="none", edgecolor=style.faint, hatch="//////", linewidth=0)
    axes.axvspan(table.attrs["start"], table.attrs["end"], fill=False, edgecolor=style.ink, linewidth=1)
    axes.set_xlim(low - before, high + after)
    axes.set_yticks([])
    axes.spines[["left", "bottom"]].set_visible(False)
    axes.tick_params(length=2, labelsize=5)
    axes.set_ylabel("folds", fontsize=6, rotation=0, ha="right", va="center")


def _write_words(
    figure: "Figure", axes: "Axes", above: "Axes", table: pd.DataFrame, left: float, style: Style
) -> str:
    """Each word at its onset, in the first row that has room; none where too many have no room. What is missing."""
    from matplotlib.textpath import TextPath

    axes.set_axis_off()
    axes.set_xlim(left, table.attrs["end"])
    axes.set_ylim(_WORD_ROWS, 0)
    figure.canvas.draw()
    inches = above.get_position().width * figure.get_figwidth()
    per_second = inches * 72 / (table.attrs["end"] - left)
    free, placed = np.full(_WORD_ROWS, -np.inf), []
    for word, onset in zip(table.attrs["words"], table.attrs["onsets"], strict=True):
        width = (TextPath((0, 0), word, size=_WORD_SIZE).get_extents().width + _WORD_SIZE / 2) / per_second
        row = int(np.argmax(free <= onset))
        if free[row] > onset or onset + width > table.attrs["end"] + 1.5:
            continue
        free[row] = onset + width
        placed.append((word, onset, row))
    n = len(table.attrs["words"])
    if len(placed) < _FEWEST_PLACED * n:
        return ""
    for word, onset, row in placed:
        axes.text(onset, row + 0.5, word, fontsize=_WORD_SIZE, va="center", ha="left", color=style.ink)
    lost = n - len(placed)
    return f"; {lost} of {n} words had no room" if lost else ""


def _line(color: str, width: float) -> Any:
    from matplotlib.lines import Line2D

    return Line2D([], [], color=color, linewidth=width)


def delays_figure(table: pd.DataFrame, style: Style) -> "Figure":
    """The course over delays of every model, a panel a benchmark, beside the canonical haemodynamic response.

    From :func:`.series_tables.delays_table`.
    """
    with style.applied():
        benchmarks = list(dict.fromkeys(table["benchmark"]))
        figure, grid = panel_grid(style, len(benchmarks), 55, columns=3)
        for axes, benchmark in zip(grid, benchmarks, strict=False):
            here = table[table["benchmark"] == benchmark]
            last = here["delay"].max()
            seconds = np.linspace(min(0.0, here["delay"].min()), last + 2, 200)
            scale = float(here["scale"].iloc[0])
            if scale > 0:
                axes.plot(seconds, canonical_at(seconds) / scale, color=style.faint, linewidth=2.5, zorder=0)
            models = list(dict.fromkeys(here["model"]))
            apart = 0.12 * (np.arange(len(models)) - (len(models) - 1) / 2)
            for shift, model in zip(apart, models, strict=True):
                one, color = here[here["model"] == model], style.color(model)
                x = one["delay"] + shift
                axes.plot(
                    x, one["share"], color=color, marker=style.marker(model), markersize=3.5, linewidth=1
                )
                known = np.isfinite(one["low"]) & np.isfinite(one["high"])
                axes.vlines(x[known], one["low"][known], one["high"][known], color=color, linewidth=0.8)
            axes.axhline(0, color=style.ink, linewidth=0.4)
            axes.set_xticks(sorted(set(here["delay"])))
            axes.set_xlabel("delay (s)")
            axes.set_ylabel("share of the course")
            parts = here.drop_duplicates("model")
            axes.set_title(
                f"{shortened(benchmark, 38)}\none course explains {_between(parts['explained'])}", fontsize=6
            )
        handles = [_line(style.color(one), 1) for one in dict.fromkeys(table["model"])]
        names = [shortened(one, 28) for one in dict.fromkeys(table["model"])]
        columns = 1 if style.width == "single" else 4
        figure.set_figheight(figure.get_figheight() + 4 * MM * -(-(len(names) + 1) // columns))
        figure.legend(
            [*handles, _line(style.faint, 2.5)], [*names, "canonical response"], loc="outside upper center",
            ncols=columns,
        )  # fmt: skip
        text_below(
            figure,
            "the course h for which h(delay) times one pattern of weights comes nearest to what the weights of each "
            "delay say, all neuroids together; sum of its absolute values 1; lines: 95 % jackknife over "
            f"{' or '.join(sorted(set(table['over'])))}",
        )
        return figure


def _between(shares: "pd.Series[float]") -> str:
    low, high = f"{shares.min():.0%}", f"{shares.max():.0%}"
    return low if low == high else f"{low} to {high}"


def regions_figure(table: pd.DataFrame, title: str, style: Style) -> "Figure":
    """Regions in rows: r by layer, r of each model with interval and ceiling, and what it adds to nuisance spaces.

    Parameters
    ----------
    table : DataFrame
        From :func:`.series_tables.regions_table`, of one data set and metric.
    title : str
    style : Style
    """
    with style.applied():
        scores = table[table["layer"] == ""]
        regions, models = list(dict.fromkeys(scores["region"])), list(dict.fromkeys(scores["model"]))
        several = table[table["layer"] != ""].groupby("model")["layer"].nunique()
        of_best = scores.groupby("model")["raw"].mean().sort_values(ascending=False).index
        curves = [one for one in of_best if several.get(one, 0) > 1][:_CURVES]
        beyond = scores["beyond"].notna().any()
        widths = [*[1.0] * len(curves), 1.6, *([1.2] if beyond else [])]
        height = max(6.0, 2.6 * len(models) + 2) * len(regions)
        stacked = style.width == "single" and len(widths) > 1
        figure = style.figure((height + 22) * (len(widths) if stacked else 1) + 24)
        shape = (len(widths), 1) if stacked else (1, len(widths))
        grid = figure.subplots(
            *shape, squeeze=False, gridspec_kw=None if stacked else {"width_ratios": widths}
        ).ravel()
        for axes, model in zip(grid, curves, strict=False):
            _layers(figure, axes, table[table["model"] == model], regions, style)
            axes.set_title(shortened(model, 24), fontsize=7)
        _bars(grid[len(curves)], scores, regions, models, "raw", ("low", "high"), style)
        for y, region in enumerate(regions):
            best = scores["best"][scores["region"] == region].max()
            if np.isfinite(best):
                grid[len(curves)].vlines(
                    best, y - 0.45, y + 0.45, color=style.ink, linestyle="--", linewidth=0.9
                )
        grid[len(curves)].set_xlabel("r (dashed: ceiling)")
        if beyond:
            _bars(grid[-1], scores, regions, models, "beyond", ("beyond_low", "beyond_high"), style)
            grid[-1].set_xlabel("variance beyond")
        for i, axes in enumerate(grid):
            named = i == 0 or stacked
            axes.set_yticks(
                *((range(len(regions)), [shortened(one, 20) for one in regions]) if named else ([],))
            )
            axes.set_ylim(len(regions) - 0.5, -0.5)
        from matplotlib.patches import Patch

        columns = 1 if style.width == "single" else min(4, len(models))
        figure.set_figheight(figure.get_figheight() + 4 * MM * -(-len(models) // columns))
        handles = [Patch(color=style.color(one)) for one in models]
        figure.legend(
            handles, [shortened(one, 28) for one in models], loc="outside upper center", ncols=columns
        )
        spaces = sorted(set(filter(None, scores["beyond_spaces"].dropna())))
        added = f"; beyond: variance added to {' or '.join(spaces)}, over the reliability" if beyond else ""
        more = sum(several > 1) - len(curves)
        left = f"; layers of {more} more models are in the table" if more > 0 else ""
        text_below(
            figure,
            f"{title}: held-out r; lines: 95 % interval; diamonds: layer chosen on training samples{added}{left}",
        )
        return figure


def _layers(figure: "Figure", axes: "Axes", table: pd.DataFrame, regions: list[str], style: Style) -> None:
    """A row a region, a column a layer."""
    of_layers = table[table["layer"] != ""]
    names = list(dict.fromkeys(of_layers["layer"]))
    values = np.full((len(regions), len(names)), np.nan)
    for _, row in of_layers.iterrows():
        values[regions.index(row["region"]), names.index(row["layer"])] = row["raw"]
        if row["chosen"]:
            axes.plot(
                names.index(row["layer"]),
                regions.index(row["region"]) - 0.28,
                "D",
                color="#D55E00",
                markersize=3,
            )
    top = max(float(np.nanmax(values, initial=0.0)), 1e-9)
    axes.imshow(values, cmap="cividis", vmin=0, vmax=top, aspect="auto")
    if len(names) <= 8:
        for (y, x), value in np.ndenumerate(values):
            if np.isfinite(value):
                dark = value < 0.6 * top
                axes.text(
                    x, y + 0.12, f"{value:.2f}".replace("0.", "."), ha="center", va="center", fontsize=5,
                    color="white" if dark else "black",
                )  # fmt: skip
    ticks = range(len(names)) if len(names) <= 12 else [0, len(names) // 2, len(names) - 1]
    axes.set_xticks(
        list(ticks), [shortened(names[i], 12) for i in ticks], rotation=60, ha="right", fontsize=5
    )
    axes.set_xlabel("layer (numbers: r)")


def _bars(
    axes: "Axes",
    scores: pd.DataFrame,
    regions: list[str],
    models: list[str],
    column: str,
    bounds: tuple[str, str],
    style: Style,
) -> None:
    """Grouped bars: a group a region, a bar a model."""
    height = 0.8 / len(models)
    for i, model in enumerate(models):
        one = scores[(scores["model"] == model) & scores[column].notna()]
        y = np.array([regions.index(name) for name in one["region"]]) + (i - (len(models) - 1) / 2) * height
        axes.barh(y, one[column], height * 0.9, color=style.color(model))
        axes.hlines(y, one[bounds[0]], one[bounds[1]], color=style.ink, linewidth=0.7)
    axes.axvline(0, color=style.ink, linewidth=0.4)
