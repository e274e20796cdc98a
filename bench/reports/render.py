"""Figures as the bytes of files."""

from pathlib import Path
from typing import TYPE_CHECKING, Any

from ...files import write_bytes

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from ..results.as_score import Score


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


def draw(found: "list[Score]", folder: Path) -> list[Path]:
    """Save the layer curve of every score as a PNG.

    Parameters
    ----------
    found : list of Score
    folder : Path
        Made where absent.
    """
    paths = []
    for one in found:
        record = one.attrs["record"]
        if len(record["layers"]) > 1:
            paths.append(folder / f"{record['model']}__{record['benchmark']}.png")
            write_bytes(paths[-1], figure_bytes(record, "png"))
    return paths
