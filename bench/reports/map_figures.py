"""Comparison figures that show maps: scores where they were recorded, RDMs with MDS, selectivity on the sheet."""

from math import ceil
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from ...analysis.plotting import draw_map
from .style import Style, panel_grid, plain_axes, shortened, text_below

if TYPE_CHECKING:
    from matplotlib.figure import Figure


_COLUMNS = 6


def unit_maps_figure(table: pd.DataFrame, style: Style) -> "Figure":
    """Raw value of every neuroid where it lies, a panel a model and benchmark (those with positions).

    From :func:`.tables.units_table`, with ``x`` and ``y``.
    """
    with style.applied():
        known = table[np.isfinite(table["raw"]) & np.isfinite(table["x"])]
        every = list(known.groupby(["benchmark", "model"], sort=True).groups)
        pairs = every[:24]
        figure, grid = panel_grid(style, len(pairs), 38, columns=4)
        top = float(np.nanquantile(known["raw"], 0.99)) or 1.0
        image: Any = None
        for axes, (benchmark, model) in zip(grid, pairs, strict=False):
            here = known[(known["benchmark"] == benchmark) & (known["model"] == model)]
            axis = [name for name in "xyz" if np.ptp(here[name]) > 0][:3]
            image = draw_map(
                axes, here["raw"], here[axis].to_numpy(float), colors="cividis", limits=(0.0, top)
            )
            axes.set_title(f"{shortened(str(model), 24)}\n{shortened(str(benchmark), 28)}", fontsize=6)
        if image is not None:
            bar = figure.colorbar(image, ax=list(grid), shrink=0.6)
            bar.set_label("raw value")
        text_below(
            figure,
            f"positions in mm; {_of(len(pairs), len(every))} pairs of model and benchmark with positions",
        )
        return figure


def rdms_figure(table: pd.DataFrame, benchmark: str, style: Style) -> "Figure":
    """RDMs of the brain and of every model, stimuli ordered by category, above the stimuli in two dimensions (MDS).

    From :func:`.tables.rdms_table`.
    """
    with style.applied():
        names = [name for name in table.columns if name not in ("first", "second")]
        categories = table.attrs["categories"]
        n = len(categories)
        n_columns = min(len(names), _COLUMNS)
        n_lines = ceil(len(names) / n_columns)
        figure = style.figure(72 * n_lines)
        grid = np.atleast_2d(figure.subplots(2 * n_lines, n_columns, squeeze=False))
        for axes in grid[-2:, (len(names) - 1) % n_columns + 1 :].ravel():
            axes.set_visible(False)
        kinds = sorted(set(categories))
        row, column = np.triu_indices(n, k=1)
        for i, name in enumerate(names):
            above, below = grid[2 * (i // n_columns) : 2 * (i // n_columns) + 2, i % n_columns]
            square = np.zeros((n, n))
            ranks = pd.Series(table[name]).rank(pct=True).to_numpy()
            square[row, column] = square[column, row] = ranks
            image = above.imshow(square, cmap="cividis", vmin=0, vmax=1, interpolation="nearest")
            above.set_title(shortened(str(name), 20 if style.width == "double" else 11), fontsize=6)
            plain_axes(above)
            plain_axes(below)
            for j in range(1, n):
                if categories[j] != categories[j - 1]:
                    above.axhline(j - 0.5, color=style.paper, linewidth=0.3)
                    above.axvline(j - 0.5, color=style.paper, linewidth=0.3)
            values = table[name].to_numpy(float)
            if not np.isfinite(values).all():
                below.text(0.5, 0.5, "not defined", ha="center", fontsize=6, transform=below.transAxes)
                continue
            places = _mds(values, n)
            for k, kind in enumerate(kinds):
                member = [j for j, one in enumerate(categories) if one == kind]
                below.plot(
                    places[member, 0],
                    places[member, 1],
                    ".",
                    color=_category_color(k),
                    markersize=3,
                    label=shortened(kind or "stimuli", 18),
                )
            below.set_aspect("equal", "datalim")
        figure.colorbar(image, ax=list(grid[::2].ravel()), shrink=0.8 / n_lines).set_label(
            "rank of dissimilarity", fontsize=6
        )
        if len(kinds) > 1:
            handles, labels = grid[1, 0].get_legend_handles_labels()
            figure.legend(
                handles, labels, loc="outside lower center", ncols=min(len(kinds), 6), markerscale=2
            )
        figure.suptitle(f"{benchmark}: {n} stimuli", fontsize=8)
        return figure


def selectivity_maps_figure(table: pd.DataFrame, style: Style) -> "Figure":
    """Maps of selectivity, a row a model's layer and below it the same under a permuted layout; a column a contrast.

    From :func:`.tables.maps_table`.
    """
    with style.applied():
        contrasts = sorted(set(table["contrast"]))[:6]
        keys = ["model", "layer", "layout"]
        every = [tuple(map(str, row)) for row in table[keys].drop_duplicates().sort_values(keys).to_numpy()]
        rows = every[:16]
        figure = style.figure(min(12 + 30 * len(rows), 480))
        grid = figure.subplots(len(rows), len(contrasts), squeeze=False)
        for line, (model, layer, layout) in zip(grid, rows, strict=True):
            here = table[(table["model"] == model) & (table["layer"] == layer) & (table["layout"] == layout)]
            for axes, contrast in zip(line, contrasts, strict=True):
                one = here[here["contrast"] == contrast]
                plain_axes(axes)
                if len(one) == 0:
                    continue
                draw_map(axes, one["t"], one[["x", "y"]].to_numpy(float))
                top = float(one["t"].abs().max())
                value, z = float(one["morans_i"].iloc[0]), float(one["z"].iloc[0])
                axes.set_title(f"{contrast} (t to {top:.0f})\nI {value:.2f}, z {z:.1f}", fontsize=5.5)
            said = "as it lies" if layout == "own" else "permuted"
            line[0].set_ylabel(
                f"{shortened(str(model), 22)}\n{shortened(str(layer), 22)}\n{said}", fontsize=5.5
            )
        text_below(
            figure,
            "t maps, red above 0; I: Moran's, z against permuted layouts; every second row: a permuted layout"
            + (f"; {_of(len(rows), len(every))} rows" if len(rows) < len(every) else ""),
        )
        return figure


def _of(shown: int, there: int) -> str:
    return f"the first {shown} of {there}" if shown < there else f"the first {shown}"


def _mds(dissimilarities: "np.typing.NDArray[np.float64]", n: int) -> "np.typing.NDArray[np.float64]":
    """Classical scaling to two dimensions, with the signs of the axes settled."""
    squared = np.zeros((n, n))
    row, column = np.triu_indices(n, k=1)
    squared[row, column] = squared[column, row] = dissimilarities**2
    centered = squared - squared.mean(axis=0) - squared.mean(axis=1)[:, None] + squared.mean()
    values, vectors = np.linalg.eigh(-centered / 2)
    places: np.typing.NDArray[np.float64] = vectors[:, ::-1][:, :2] * np.sqrt(np.maximum(values[::-1][:2], 0))
    flipped: np.typing.NDArray[np.float64] = places * np.where(
        places[np.abs(places).argmax(axis=0), [0, 1]] < 0, -1, 1
    )
    return flipped


def _category_color(index: int) -> str:
    from ...analysis.plotting import COLORS

    return COLORS[index % (len(COLORS) - 1)]
