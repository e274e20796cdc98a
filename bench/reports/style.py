"""One look for all figures: colours that stay with a model, light and dark, one and two columns."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from math import ceil
from typing import TYPE_CHECKING, Any

from ...analysis.plotting import new_figure

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

_PALETTE = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#8C6D31", "#7F7F7F")
"""Okabe & Ito's colours, which people with any kind of colour vision tell apart; yellow and black left out."""
_MARKERS = ("o", "s", "^", "D", "v", "P", "X", "*")
_KNOWN = {"brain": "#7F7F7F"}
WIDTHS_MM = {"single": 85.0, "double": 180.0}
MM = 1 / 25.4


@dataclass(frozen=True)
class Style:
    """How figures look.

    Attributes
    ----------
    colors : mapping of str to str
        Model -> colour, the same in all figures.
    markers : mapping of str to str
        Model -> marker: with more models than colours, colours come again with another marker.
    dark : bool
    width : {"single", "double"}
        85 or 180 mm.
    """

    colors: Mapping[str, str] = field(default_factory=dict)
    markers: Mapping[str, str] = field(default_factory=dict)
    dark: bool = False
    width: str = "double"

    @property
    def ink(self) -> str:
        """Of text and axes."""
        return "#E8E8E8" if self.dark else "#1A1A1A"

    @property
    def paper(self) -> str:
        """Behind everything."""
        return "#16181D" if self.dark else "#FFFFFF"

    @property
    def faint(self) -> str:
        """Of ceilings and nulls."""
        return "#555B66" if self.dark else "#C8C8C8"

    def color(self, model: str) -> str:
        """Of a model."""
        return self.colors.get(model, _PALETTE[-1])

    def marker(self, model: str) -> str:
        """Of a model."""
        return self.markers.get(model, "o")

    @contextmanager
    def applied(self) -> Iterator[None]:
        """Matplotlib's settings, for as long as a figure is made."""
        import matplotlib as mpl

        settings: dict[Any, Any] = {
            "font.size": 7,
            "axes.labelsize": 7,
            "axes.titlesize": 8,
            "xtick.labelsize": 6,
            "ytick.labelsize": 6,
            "legend.fontsize": 6,
            "legend.frameon": False,
            "figure.facecolor": self.paper,
            "savefig.facecolor": self.paper,
            "axes.facecolor": self.paper,
            "text.color": self.ink,
            "axes.labelcolor": self.ink,
            "axes.edgecolor": self.ink,
            "xtick.color": self.ink,
            "ytick.color": self.ink,
            "axes.spines.top": False,
            "axes.spines.right": False,
            "svg.fonttype": "none",
            "svg.hashsalt": "brodmann",
            "pdf.fonttype": 42,
        }
        with mpl.rc_context(settings):
            yield

    def figure(self, height_mm: float, *, width_mm: float | None = None) -> "Figure":
        """An empty figure that no window shows.

        Parameters
        ----------
        height_mm : float
        width_mm : float, optional
            The style's column by default.
        """
        wide = WIDTHS_MM[self.width] if width_mm is None else width_mm
        return new_figure(wide * MM, height_mm * MM)


def style_for(models: Sequence[str], *, dark: bool = False, width: str = "double") -> Style:
    """The style in which every model has its colour and marker, by the order of the names.

    Parameters
    ----------
    models : sequence of str
    dark : bool
    width : {"single", "double"}
    """
    names = sorted(set(models) - set(_KNOWN))
    n = len(_PALETTE) - 1
    colors = {name: _PALETTE[i % n] for i, name in enumerate(names)} | _KNOWN
    markers = {name: _MARKERS[(i // n) % len(_MARKERS)] for i, name in enumerate(names)} | {"brain": "o"}
    return Style(colors, markers, dark, width)


def shortened(name: str, longest: int = 26) -> str:
    """The beginning and the end of a name that is too long."""
    if len(name) <= longest:
        return name
    head = (longest - 1) // 2
    return f"{name[:head]}…{name[len(name) - (longest - 1 - head) :]}"


def text_below(figure: "Figure", text: str) -> None:
    """The caption's facts under a figure: n, intervals, what was permuted."""
    import textwrap

    width = figure.get_figwidth()
    figure.supxlabel("\n".join(textwrap.wrap(text, int(width * 23))), fontsize=5.5)


def plain_axes(axes: "Axes") -> None:
    """No ticks, no frame."""
    axes.set_xticks([])
    axes.set_yticks([])
    for spine in axes.spines.values():
        spine.set_visible(False)


def panel_grid(style: Style, n: int, height_mm: float, *, columns: int) -> "tuple[Figure, list[Axes]]":
    """Panels, at most `columns` side by side; those that are not needed are hidden."""
    wide = min(columns if style.width == "double" else 1, max(n, 1))
    rows = ceil(max(n, 1) / wide)
    figure = style.figure(min(rows * height_mm + 8, 900))
    grid = [axes for row in figure.subplots(rows, wide, squeeze=False) for axes in row]
    for axes in grid[n:]:
        axes.set_visible(False)
    return figure, grid
