"""Figures as the bytes of files."""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from matplotlib.figure import Figure


def figure_bytes(record: dict[str, object], suffix: str) -> bytes:
    """A layer curve as the bytes of a PNG, PDF or SVG file."""
    from .layer_curve import layer_curve

    return bytes_of_figure(layer_curve(record), suffix)


def bytes_of_figure(figure: "Figure", suffix: str, **options: Any) -> bytes:
    """A figure as the bytes of a PNG, PDF or SVG file."""
    from io import BytesIO

    stream = BytesIO()
    figure.savefig(stream, format=suffix, **options)
    return stream.getvalue()
