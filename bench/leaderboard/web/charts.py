"""Small pictures of the pages: drawn as SVG, or as one PNG a map, from numbers alone."""

import base64
import io
import math
from collections.abc import Sequence
from html import escape

import numpy as np
from PIL import Image

from ..submission.schema import Map

WIDTH, HEIGHT = 640, 200
_LEFT, _RIGHT, _TOP, _BOTTOM = 46, 12, 12, 30
_N_TICKS = 5
_COOL, _WARM, _NONE = (33, 102, 172), (178, 82, 24), (128, 128, 128)


def layer_curve(layers: Sequence[tuple[str, float | None]], chosen: str) -> str:
    """The score of every layer in forward order, the chosen one marked.

    Parameters
    ----------
    layers : sequence of (str, float or None)
    chosen : str

    Returns
    -------
    str
        An ``<svg>``; empty for fewer than two values.
    """
    there = [(i, name, value) for i, (name, value) in enumerate(layers) if value is not None]
    if len(there) < 2:
        return ""
    low, high, ticks = _nice(min(0.0, *(one[2] for one in there)), max(one[2] for one in there))

    def x(place: int) -> float:
        return _LEFT + (WIDTH - _LEFT - _RIGHT) * place / max(len(layers) - 1, 1)

    def y(value: float) -> float:
        return _y(value, low, high)

    line = " ".join(f"{x(i):.1f},{y(value):.1f}" for i, _, value in there)
    dots = "".join(
        f'<circle cx="{x(i):.1f}" cy="{y(value):.1f}" r="{6 if name == chosen else 3}"'
        f' class="{"chosen" if name == chosen else "dot"}"><title>{escape(name or "all")}: {value:.3f}</title></circle>'
        for i, name, value in there
    )
    ends = (
        f'<text x="{_LEFT}" y="{HEIGHT - 8}">{escape(_short(layers[0][0]))}</text>'
        f'<text x="{WIDTH - _RIGHT}" y="{HEIGHT - 8}" text-anchor="end">{escape(_short(layers[-1][0]))}</text>'
    )
    return _svg(
        f'{_grid(low, high, ticks)}<polyline points="{line}" class="line"/>{dots}{ends}',
        "Score of every layer",
    )


def distribution(values: Sequence[float], ceiling: float | None = None, mark: float | None = None) -> str:
    """How the scores of all models lie: a bar a bin.

    Returns
    -------
    str
        An ``<svg>``; empty without values.
    """
    finite = [value for value in values if math.isfinite(value)]
    if not finite:
        return ""
    low, high, ticks = _nice(min(0.0, *finite), max(finite))
    counts, edges = np.histogram(finite, bins=20, range=(low, high))
    top = max(int(counts.max()), 1)

    def x(value: float) -> float:
        return _LEFT + (WIDTH - _LEFT - _RIGHT) * (value - low) / (high - low)

    bars = []
    for count, left, right in zip(counts.tolist(), edges[:-1].tolist(), edges[1:].tolist(), strict=True):
        if count:
            tall = (HEIGHT - _TOP - _BOTTOM) * count / top
            bars.append(
                f'<rect x="{x(left) + 1:.1f}" y="{HEIGHT - _BOTTOM - tall:.1f}" width="{x(right) - x(left) - 2:.1f}"'
                f' height="{tall:.1f}" class="bar"><title>{left:.2f} to {right:.2f}: {count}</title></rect>'
            )
    below = "".join(
        f'<text x="{x(value):.1f}" y="{HEIGHT - 8}" text-anchor="middle">{value:.3g}</text>'
        for value in ticks
    )
    sides = f'<text x="{_LEFT - 6}" y="{_TOP + 8}" text-anchor="end">{top}</text>'
    lines = "".join(
        f'<line x1="{x(value):.1f}" x2="{x(value):.1f}" y1="{_TOP}" y2="{HEIGHT - _BOTTOM}" class="{name}"/>'
        for value, name in ((ceiling, "ceiling"), (mark, "chosen"))
        if value is not None and low <= value <= high
    )
    return _svg("".join(bars) + lines + below + sides, f"Scores of {len(finite)} models")


def scatter(points: Sequence[tuple[str, float, float]], x_name: str, y_name: str) -> str:
    """Two models' scores against each other, a dot a benchmark, with the line where they are alike."""
    if not points:
        return ""
    values = [value for _, a, b in points for value in (a, b)]
    low, high, _ = _nice(min(0.0, *values), max(values))
    side = 320

    def place(value: float) -> float:
        return 40 + (side - 60) * (value - low) / (high - low)

    dots = "".join(
        f'<circle cx="{place(a):.1f}" cy="{side - place(b):.1f}" r="4" class="dot">'
        f"<title>{escape(name)}: {a:.3f}, {b:.3f}</title></circle>"
        for name, a, b in points
    )
    ends = "".join(
        f'<text x="{place(v):.1f}" y="{side - 24}" text-anchor="middle">{v:.3g}</text>'
        f'<text x="34" y="{side - place(v) + 4:.1f}" text-anchor="end">{v:.3g}</text>'
        for v in (low, high)
    )
    names = (
        f'<text x="{side / 2}" y="{side - 8}" text-anchor="middle">{escape(_short(x_name, 40))}</text>'
        f'<text x="12" y="{side / 2}" text-anchor="middle" transform="rotate(-90 12 {side / 2})">'
        f"{escape(_short(y_name, 40))}</text>"
    )
    diagonal = (
        f'<line x1="{place(low):.1f}" y1="{side - place(low):.1f}" x2="{place(high):.1f}" y2="{side - place(high):.1f}"'
        ' class="ceiling"/>'
    )
    return (
        f'<svg viewBox="0 0 {side} {side}" class="square" role="img" aria-label="{escape(x_name)} against '
        f'{escape(y_name)}">{diagonal}{dots}{ends}{names}</svg>'
    )


def map_address(found: Map) -> str:
    """A map of a sheet as a ``data:`` address of a PNG, one pixel a unit; blue below zero, orange above."""
    values = np.array([np.nan if one is None else one for one in found.values], dtype=float)
    values = values[: found.rows * found.columns].reshape(found.rows, found.columns)
    finite = np.isfinite(values)
    reach = float(np.abs(values[finite]).max()) if finite.any() else 1.0
    share = np.clip(np.nan_to_num(values) / (reach or 1.0), -1, 1)[..., None]
    white = np.full(3, 247.0)
    ends = np.where(share < 0, np.array(_COOL, float), np.array(_WARM, float))
    colors = white + np.abs(share) * (ends - white)
    colors[~finite] = _NONE
    stream = io.BytesIO()
    Image.fromarray(colors.round().astype(np.uint8)).save(stream, "PNG", optimize=True)
    return f"data:image/png;base64,{base64.b64encode(stream.getvalue()).decode()}"


def _svg(content: str, said: str) -> str:
    return f'<svg viewBox="0 0 {WIDTH} {HEIGHT}" role="img" aria-label="{escape(said)}">{content}</svg>'


def _grid(low: float, high: float, ticks: Sequence[float]) -> str:
    return "".join(
        f'<line x1="{_LEFT}" x2="{WIDTH - _RIGHT}" y1="{_y(v, low, high):.1f}"'
        f' y2="{_y(v, low, high):.1f}" class="grid"/>'
        f'<text x="{_LEFT - 6}" y="{_y(v, low, high) + 4:.1f}" text-anchor="end">{v:.3g}</text>'
        for v in ticks
    )


def _y(value: float, low: float, high: float) -> float:
    return HEIGHT - _BOTTOM - (HEIGHT - _TOP - _BOTTOM) * (value - low) / (high - low)


def _nice(low: float, high: float) -> tuple[float, float, list[float]]:
    """Ends of an axis that are round numbers around a range, and the ticks between them."""
    span = max(high - low, 1e-9)
    power = 10.0 ** math.floor(math.log10(span / _N_TICKS))
    step = next(power * factor for factor in (1, 2, 2.5, 5, 10) if span / (power * factor) <= _N_TICKS)
    first, last = math.floor(low / step + 1e-9), math.ceil(high / step - 1e-9)
    last = max(last, first + 1)
    return first * step, last * step, [i * step for i in range(first, last + 1)]


def _short(text: str, most: int = 28) -> str:
    return text if len(text) <= most else f"{text[: most - 1]}…"
