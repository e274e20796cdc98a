"""What the figures of layouts share: a map as its units lie, a spectrum, the look of an axis."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from .spatial.spatial_weights import Floats, Places, positions_of

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

COLORS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#000000")
NULL = "#BBBBBB"
_SMALL = 6.0


def new_figure(width: float, height: float, *, dpi: float = 200) -> "Figure":
    """An empty figure, width and height in inches, that no window shows."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(width, height), layout="constrained", dpi=dpi)
    FigureCanvasAgg(figure)
    return figure


def draw_map(
    axes: "Axes",
    values: npt.ArrayLike,
    places: Places,
    *,
    colors: str = "RdBu_r",
    limits: tuple[float, float] | None = None,
) -> Any:
    """Values where their units lie, as squares that fill the grid or as dots; around 0 unless limits are given.

    Parameters
    ----------
    axes : Axes
    values : array of shape (n_units,)
    places : array of shape (n_units, 2) or (n_units, 3), or Sheet
        Of three axes the two longest are shown, the strongest value in front.
    colors : str
    limits : (float, float), optional
    """
    known, positions = np.asarray(values, np.float64), positions_of(places)
    if positions.shape[1] == 3:
        positions = positions[:, np.sort(np.argsort(-np.ptp(positions, axis=0), kind="stable")[:2])]
        order = np.argsort(np.abs(known), kind="stable")
        known, positions = known[order], positions[order]
    top = float(np.abs(known).max()) or 1.0
    low, high = limits or (
        (-top, top) if colors == "RdBu_r" else (float(known.min()), float(known.max()) + 1e-12 * top)
    )
    image = _as_image(known, positions)
    axes.set_axis_on()
    axes.set_xticks([])
    axes.set_yticks([])
    axes.set_aspect("equal")
    if image is not None:
        field, extent = image
        return axes.imshow(
            field, cmap=colors, vmin=low, vmax=high, extent=extent, origin="lower", interpolation="nearest"
        )
    size = 6000 / max(len(known), 60)
    return axes.scatter(
        positions[:, 0],
        positions[:, 1],
        c=known,
        s=min(size, 14),
        cmap=colors,
        vmin=low,
        vmax=high,
        linewidths=0,
    )


def _as_image(values: Floats, positions: Floats) -> tuple[Floats, tuple[float, float, float, float]] | None:
    """The values as a picture where the units lie on a grid, which may have holes."""
    steps, index = [], []
    for axis in (0, 1):
        known = np.unique(np.round(positions[:, axis], 6))
        gaps = np.diff(known)
        if len(gaps) == 0:
            return None
        step = float(gaps.min())
        cell = (positions[:, axis] - known[0]) / step
        if np.abs(cell - np.round(cell)).max() > 0.01 or np.ptp(cell) > 4 * len(values):
            return None
        steps.append(step)
        index.append(np.round(cell).astype(int))
    columns, rows = index
    if (columns.max() + 1) * (rows.max() + 1) > 20 * len(values):
        return None
    field = np.full((rows.max() + 1, columns.max() + 1), np.nan)
    field[rows, columns] = values
    low = positions.min(axis=0) - np.array(steps) / 2
    high = positions.max(axis=0) + np.array(steps) / 2
    return field, (float(low[0]), float(high[0]), float(low[1]), float(high[1]))


def draw_spectrum(axes: "Axes", eigenvalues: Floats, found: Mapping[str, Any]) -> None:
    """Eigenvalues as shares of the variance, the fitted power law, participation ratio and exponent."""
    if not len(eigenvalues):
        axes.set_title(found["why_none"], fontsize=5)
        finish(axes, "component", "share of variance")
        return
    rank = np.arange(1, len(eigenvalues) + 1)
    kept = eigenvalues > 1e-9 * eigenvalues[0]
    axes.loglog(rank[kept], eigenvalues[kept] / eigenvalues.sum(), color=COLORS[0], linewidth=1)
    first, last = found["fit_range"]
    if np.isfinite(found["exponent"]):
        k = np.arange(first, last + 1)
        logs = np.log(eigenvalues[first - 1 : last] / eigenvalues.sum()) + found["exponent"] * np.log(k)
        axes.loglog(k, np.exp(logs.mean()) * k ** -found["exponent"], "--", color=COLORS[1], linewidth=1)
    low, high = found["interval"]
    corrected = "" if found["why_none"] else f"{found['corrected']:.3g} ({low:.3g} to {high:.3g}), "
    axes.set_title(
        f"PR {corrected}{found['participation_ratio']:.3g} of these {found['n_samples']}\n"
        f"exponent {found['exponent']:.2f} over ranks {first} to {last}",
        fontsize=5,
    )
    finish(axes, "component", "share of variance")


def finish(axes: "Axes", x: str, y: str) -> None:
    """Labels and small type, without the upper and right spine."""
    axes.set_xlabel(x, fontsize=_SMALL)
    axes.set_ylabel(y, fontsize=_SMALL)
    axes.tick_params(labelsize=5)
    axes.spines[["top", "right"]].set_visible(False)


def name_point(axes: "Axes", x: float, y: float, name: str, *, size: float = 5, apart: float = 3) -> None:
    """A name beside a point, `apart` points of type up and to the right."""
    axes.annotate(name, (x, y), fontsize=size, xytext=(apart, apart), textcoords="offset points")


def short(name: str, longest: int = 22) -> str:
    """The end of a name that is too long."""
    return name if len(name) <= longest else "…" + name[1 - longest :]
