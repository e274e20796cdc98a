"""Figures of features: curves over how many are taken, beside neurons and controls; SAE scores with intervals."""

import io
from collections.abc import Mapping
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from .style import Style, panel_grid, shortened, text_below

if TYPE_CHECKING:
    from matplotlib.figure import Figure
    from matplotlib.lines import Line2D

_LOOKS = {
    "features": ("#D55E00", "o", "-"),
    "neurons": ("#0072B2", "s", "-"),
    "untrained TopK": ("#7F7F7F", "^", "--"),
    "reconstruction": ("#E69F00", "P", ":"),
    "rotated neurons": ("#56B4E9", "D", "--"),
    "random ReLU": ("#009E73", "v", "--"),
    "random ReLU at the rate": ("#8C6D31", "X", "--"),
    "principal components": ("#CC79A7", "*", ":"),
    "frozen": ("#7F7F7F", "h", ":"),
}
"""Colour, marker and line of every set of columns: what never learnt is dashed."""


def voxel_curves_figure(tables: Mapping[str, pd.DataFrame], style: Style) -> "Figure":
    """Held-out r against the number of columns, a panel a benchmark; marks at the right: ridge on all columns.

    Parameters
    ----------
    tables : mapping of str to DataFrame
        By benchmark: ``columns``, ``k=1`` and so on, ``ridge``, ``k90``.
    style : Style
    """
    with style.applied():
        wide = style.width == "double"
        figure, grid = panel_grid(style, len(tables), 62 if wide else 75, columns=2)
        drawn: dict[str, Line2D] = {}
        for axes, (benchmark, table) in zip(grid, tables.items(), strict=False):
            named = [name for name in table.columns if str(name).startswith("k=")]
            sizes = np.array([int(name[2:]) for name in named])
            right = sizes.max() * 1.6
            for _, row in table.iterrows():
                name = str(row["columns"])
                color, marker, line = _LOOKS.get(name, (style.faint, ".", ":"))
                (drawn[name],) = axes.plot(
                    sizes, row[named].to_numpy(float), line, color=color, marker=marker, markersize=2.4,
                    linewidth=1.3 if name in ("features", "neurons") else 0.8,
                )  # fmt: skip
                axes.plot([right], [row["ridge"]], marker, color=color, markersize=4.5)
            axes.axvline(sizes.max() * 1.25, color=style.faint, linewidth=0.5)
            axes.axhline(0, color=style.ink, linewidth=0.4)
            axes.set_xscale("log", base=2)
            ticks = [size for size in (1, 4, 16, 64, 256) if size <= sizes.max()]
            axes.set_xticks([*ticks, right], [*map(str, ticks), "all"])
            axes.minorticks_off()
            axes.set_title(shortened(benchmark, 40))
            axes.set_xlabel("columns chosen on training stimuli")
            axes.set_ylabel("r on held-out stimuli")
        figure.legend(list(drawn.values()), list(drawn), loc="outside upper center", ncols=4 if wide else 2)
        text_below(figure, "all: ridge regression on every column; dashed: never learnt")
        return figure


def sae_scores_figure(table: pd.DataFrame, style: Style) -> "Figure":
    """Score of features less that of untrained dictionaries, with its interval, a line a model and benchmark.

    Parameters
    ----------
    table : DataFrame
        ``model``, ``benchmark``, ``sae_score``, ``low``, ``high``.
    style : Style
    """
    with style.applied():
        figure, grid = panel_grid(style, 1, 14 + 6 * len(table), columns=1)
        axes = grid[0]
        place = np.arange(len(table))[::-1]
        value = table["sae_score"].to_numpy(float)
        bounds = table[["low", "high"]].to_numpy(float)
        error = np.nan_to_num(np.abs(bounds - value[:, None])).T
        axes.errorbar(value, place, xerr=error, fmt="o", color="#D55E00", markersize=4, elinewidth=0.8)
        axes.axvline(0, color=style.ink, linewidth=0.5)
        longest = 48 if style.width == "double" else 22
        names = [f"{shortened(str(one.model), longest)}\n{one.benchmark}" for one in table.itertuples()]
        axes.set_yticks(place, names, fontsize=5.5)
        axes.set_ylim(-0.6, len(table) - 0.4)
        axes.set_xlabel("SAE score: features less untrained dictionaries")
        text_below(figure, "as wide and as sparse; bars: 95 %, over stimuli, subjects, dictionaries")
        return figure


def as_png(figure: "Figure") -> bytes:
    """A figure as the bytes of a PNG."""
    stream = io.BytesIO()
    figure.savefig(stream, format="png", dpi=200)
    return stream.getvalue()
