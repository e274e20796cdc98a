"""Figures of scores over time: curves, codes that generalize from bin to bin, steps of recurrent models."""

from collections.abc import Sequence
from itertools import pairwise
from typing import TYPE_CHECKING

import numpy as np

from ..over_time.result import OverTime
from .figures import _legend
from .style import Style, panel_grid, shortened, text_below

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

_SURE = 0.05
_ON_MAP = "#1A1A1A"
"""Lines on a map whose middle is white, on dark pages too."""
_ROW = 0.055
"""Height of a model's row of clusters and onset, as a share of the curves' height."""


def over_time_figure(results: Sequence[OverTime], style: Style) -> "Figure":
    """Held-out r in every bin, a panel a benchmark, a line a model.

    Bands: 95 % interval of each bin alone; dashed grey: noise ceiling; grey ground: baseline. Below the curves a row a
    model: bars where a cluster of bins is above chance, a triangle at the onset with its interval.

    Parameters
    ----------
    results : sequence of OverTime
    style : Style

    Returns
    -------
    Figure
        Not shown and not saved.
    """
    with style.applied():
        benchmarks = list(dict.fromkeys(one.benchmark for one in results))
        figure, grid = panel_grid(style, len(benchmarks), 58, columns=min(len(benchmarks), 2))
        for axes, benchmark in zip(grid, benchmarks, strict=False):
            here = [one for one in results if one.benchmark == benchmark]
            _curves(axes, here, style)
            title = shortened(benchmark, 44)
            axes.set_title(f"SIMULATED  {title}" if here[0].simulated else title)
        _legend(figure, list(dict.fromkeys(one.model for one in results)), style)
        text_below(
            figure,
            "bands: 95 % interval of each bin alone; dashed: noise ceiling; grey ground: baseline; bars below: "
            "clusters of bins above chance (p <= .05 over all bins); triangles: onset of the model's score, with its "
            f"interval; bins are no independent samples; n = {counted(results)}",
        )
        return figure


def counted(results: Sequence[OverTime]) -> str:
    """How many stimuli and neuroids curves stand on."""
    each = [(one.n_stimuli, one.methods["n_neuroids"], len(one.windows)) for one in results]
    words = ("stimuli", "neuroids", "bins")
    return ", ".join(
        f"{' to '.join(str(n) for n in sorted({min(column), max(column)}))} {word}"
        for column, word in zip(zip(*each, strict=True), words, strict=True)
    )


def _curves(axes: "Axes", results: Sequence[OverTime], style: Style) -> None:
    ends = np.concatenate([np.concatenate([one.r, one.low, one.high, one.ceiling]) for one in results])
    low, high = min(float(np.nanmin(ends)), 0.0), float(np.nanmax(ends))
    span = max(high - low, 0.05)
    before = [one.windows[one.baseline] for one in results if one.baseline.any()]
    if before:
        axes.axvspan(min(one.min() for one in before), 0, color=style.faint, alpha=0.25, linewidth=0)
    axes.axhline(0, color=style.ink, linewidth=0.4)
    for row, one in enumerate(results):
        color, at = style.color(one.model), one.middles
        axes.plot(at, one.ceiling, color=style.faint, linestyle="--", linewidth=1, zorder=1)
        for part in _stretches(one):
            if np.isfinite(one.low[part]).all():
                axes.fill_between(
                    at[part], one.low[part], one.high[part], color=color, alpha=0.18, linewidth=0
                )
            axes.plot(
                at[part],
                one.r[part],
                color=color,
                linewidth=1,
                marker=style.marker(one.model),
                markersize=2.2,
            )
        _below(axes, one, color, low - span * _ROW * (row + 1.4), style)
    axes.set_ylim(low - span * _ROW * (len(results) + 1.2), high + 0.05 * span)
    axes.set_xlabel("time after onset of the stimulus (ms)")
    axes.set_ylabel("held-out correlation (Pearson r)")


def _stretches(one: OverTime) -> list[slice]:
    """Bins that touch each other, which a line may join."""
    apart = np.flatnonzero(one.windows[1:, 0] > one.windows[:-1, 1] + 1e-6) + 1
    edges = [0, *apart.tolist(), len(one.windows)]
    return [slice(a, b) for a, b in pairwise(edges)]


def _below(axes: "Axes", one: OverTime, color: str, height: float, style: Style) -> None:
    """A model's row: clusters, onset and its interval."""
    for cluster in one.clusters:
        if cluster.p <= _SURE:
            ends = one.windows[cluster.first, 0], one.windows[cluster.last, 1]
            axes.plot(ends, [height, height], color=color, linewidth=3, alpha=0.35, solid_capstyle="butt")
    start, _, low, high = one.ms(one.onset)
    if np.isfinite(start):
        if np.isfinite(low):
            last = high if np.isfinite(high) else one.windows[-1, 1]
            axes.plot([low, last], [height, height], color=color, linewidth=1, solid_capstyle="butt")
        axes.plot(
            start, height, "^", color=color, markersize=4, markeredgecolor=style.ink, markeredgewidth=0.4
        )


def generalization_figure(results: Sequence[OverTime], style: Style) -> "Figure":
    """R of weights fitted in one bin (row) with the responses of another (column); outlined where p <= .05.

    Parameters
    ----------
    results : sequence of OverTime
        Those that have a matrix are drawn.
    style : Style
    """
    shown = [one for one in results if one.generalization.size]
    with style.applied():
        figure, grid = panel_grid(style, len(shown), 54, columns=min(max(len(shown), 1), 3))
        limit = max((float(np.abs(one.generalization).max()) for one in shown), default=1.0)
        for axes, one in zip(grid, shown, strict=False):
            edges = _edges(one)
            image = axes.pcolormesh(
                edges, edges, one.generalization, cmap="RdBu_r", vmin=-limit, vmax=limit, rasterized=True
            )
            _outline(axes, edges, one.generalization_p <= _SURE)
            for line in (axes.axhline, axes.axvline):
                line(0, color=_ON_MAP, linewidth=0.4, linestyle=":")
            axes.set_aspect("equal")
            axes.set_title(f"{shortened(one.model, 30)}\n{shortened(one.benchmark, 34)}", fontsize=7)
            axes.set_xlabel("predicted in (ms)")
            axes.set_ylabel("fitted in (ms)")
        if shown:
            bar = figure.colorbar(image, ax=grid[: len(shown)], fraction=0.03, pad=0.02)
            bar.set_label("held-out correlation (Pearson r)")
        text_below(
            figure, f"outlined: p <= .05 against the maximum over all pairs of bins; n = {counted(shown)}"
        )
        return figure


def _outline(
    axes: "Axes", edges: "np.typing.NDArray[np.float64]", inside: "np.typing.NDArray[np.bool_]"
) -> None:
    """A line between cells that are inside and those that are not."""
    from matplotlib.collections import LineCollection

    rows, columns = np.nonzero(inside[1:] != inside[:-1])
    lines = [
        ((edges[c], edges[r + 1]), (edges[c + 1], edges[r + 1])) for r, c in zip(rows, columns, strict=True)
    ]
    rows, columns = np.nonzero(inside[:, 1:] != inside[:, :-1])
    lines += [
        ((edges[c + 1], edges[r]), (edges[c + 1], edges[r + 1])) for r, c in zip(rows, columns, strict=True)
    ]
    axes.add_collection(LineCollection(lines, colors=_ON_MAP, linewidths=0.7))


def _edges(one: OverTime) -> "np.typing.NDArray[np.float64]":
    """Borders of bins; those of windows that overlap or leave gaps lie between their middles."""
    if np.allclose(one.windows[1:, 0], one.windows[:-1, 1]):
        return np.append(one.windows[:, 0], one.windows[-1, 1])
    middles = one.middles
    between = (middles[1:] + middles[:-1]) / 2
    return np.concatenate([[one.windows[0, 0]], between, [one.windows[-1, 1]]])


def steps_figure(results: Sequence[OverTime], style: Style) -> "Figure":
    """R of every step of a recurrent model in every bin, the best step of each bin marked.

    Parameters
    ----------
    results : sequence of OverTime
        Those whose layers are steps are drawn.
    style : Style
    """
    shown = [one for one in results if one.steps]
    with style.applied():
        figure, grid = panel_grid(style, len(shown), 58, columns=min(max(len(shown), 1), 2))
        for axes, one in zip(grid, shown, strict=False):
            numbers = one.steps["numbers"]
            rows = [one.layers.index(f"{one.steps['layer']}@{number}") for number in numbers]
            values = one.by_layer[rows]
            limit = float(np.abs(values).max())
            borders = np.arange(len(numbers) + 1) - 0.5
            image = axes.pcolormesh(_edges(one), borders, values, cmap="RdBu_r", vmin=-limit, vmax=limit)
            compared = one.steps["bins"]
            best = [numbers.index(one.steps["best"][i]) for i in compared]
            axes.plot(
                one.middles[compared], best, "o", color=style.paper, markeredgecolor=style.ink, markersize=3,
                markeredgewidth=0.6,
            )  # fmt: skip
            axes.set_yticks(range(len(numbers)), [str(number) for number in numbers])
            axes.axvline(0, color=_ON_MAP, linewidth=0.4, linestyle=":")
            axes.set_xlabel("time after onset of the stimulus (ms)")
            axes.set_ylabel(f"step of {shortened(one.steps['layer'], 20)}")
            axes.set_title(
                f"{shortened(one.model, 30)}  {shortened(one.benchmark, 34)}\n{monotony_words(one)}",
                fontsize=7,
            )
            figure.colorbar(image, ax=axes, fraction=0.046, pad=0.03).set_label("held-out r")
        text_below(figure, f"circles: best step of each bin above chance; n = {counted(shown)}")
        return figure


def monotony_words(one: OverTime) -> str:
    """Spearman's rho of best step against bin, with its interval."""
    steps = one.steps
    if steps["rho"] is None:
        return str(steps["said"])
    ends = "" if steps["low"] is None else f" ({steps['low']:.2f} to {steps['high']:.2f})"
    return f"best step against bin: Spearman's rho {steps['rho']:.2f}{ends}"
