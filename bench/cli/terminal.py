"""What a person sees in the terminal: a score, its layer curve, lists and cards."""

import shutil
import textwrap
from collections.abc import Mapping, Sequence
from itertools import groupby
from math import log2, prod
from typing import Any

from ...errors import printable
from ..bibliography import cited
from ..metrics.registries import CEILING_KINDS, NORMALIZATIONS, words
from ..reports.layer_curve import best_raw, counted
from ..results.in_time import making, of_samples

_TOLD = {
    "read": "reading",
    "folds": "dependence",
    "sessions": "sessions",
    "alone": "alone",
    "fields": "fields",
    "drawn": "drawn",
    "held out": "held_out",
    "penalties": "penalties_told",
}
"""What a person must be told of how a score was made: the line's name, and where the record has it."""
_FEW_ORDERS = 0.01
_BAR = "█"
_PARTS = " ▏▎▍▌▋▊▉"


def score_text(record: Mapping[str, Any], *, width: int = 80) -> str:
    """A score as a block of lines, with its layer curve where there are several layers.

    Parameters
    ----------
    record : mapping
        As the results store keeps it.
    width : int
        Columns of the terminal.
    """
    rows = [
        ("score", f"{_number(record['score'])}   {_interval(record)}"),
        ("", words(NORMALIZATIONS, record["normalization"], "formula")),
        ("raw", _number(record["raw"])),
        ("ceiling", _ceiling(record)),
        ("p", _no_p(record) if record["p"] is None else _p(record)),
        *([] if record.get("beyond") is None else [("beyond", _beyond(record))]),
        ("layer", f"{record['layer']}{'   chosen on training stimuli' if len(record['layers']) > 1 else ''}"),
        *((name, record["methods"][key]) for name, key in _TOLD.items() if record["methods"].get(key)),
        *([("in time", made)] if (made := making(record)) else []),
        ("n", counted(record)),
        *(("left out", f"{count} {reason}") for reason, count in record["left_out"].items()),
        (
            "seconds",
            f"{record['seconds']:.1f}{'   (from the results store)' if record.get('cached') else ''}",
        ),
        *(("cite", work) for work in cited(record["bibtex"])),
    ]
    title = f"{record['model']}  on  {record['benchmark']} (version {record['benchmark_version']})"
    lines = [title, "─" * min(len(title), width)]
    if record["simulated"]:
        lines.insert(1, "SIMULATED data: made by a program, not recorded from a brain")
    for name, text in rows:
        lines += textwrap.wrap(
            of_samples(text, record),
            width,
            initial_indent=f"{name:<10}",
            subsequent_indent=" " * 10,
            break_on_hyphens=False,
        )
    lines.append(f"record    {record['file']}")  # on one line, so that it can be copied
    if len(record["layers"]) > 1:
        lines += ["", *layer_lines(record, width=width)]
    return "\n".join(lines)


def layer_lines(record: Mapping[str, Any], *, width: int = 80) -> list[str]:
    """The layer curve as bars: raw value of each layer in forward order, the ceiling as a mark."""
    layers = record["layers"]
    best = best_raw(record)
    name_width = min(max(len(name) for name in layers), 28)
    room = max(width - name_width - 12, 10)
    top = max([*(value or 0.0 for value in layers.values()), best or 0.0, 1e-9])
    lines = [of_samples("layer curve (raw value on held-out stimuli)", record)]
    for name, value in layers.items():
        shown = name if len(name) <= name_width else "…" + name[1 - name_width :]
        mark = "◆" if name == record["layer"] else " "
        lines.append(
            f"{mark} {shown:<{name_width}} {_number(value):>6} {_bar(value or 0.0, top, room)}".rstrip()
        )
    if best is not None:
        place = name_width + 10 + min(round(best / top * room), room - 1)
        lines.append(" " * max(place - 15, 0) + f"ceiling {_number(best)} ↑".rjust(16))
    return lines


def summary_rows(records: Sequence[Mapping[str, Any]]) -> list[tuple[str, ...]]:
    """Scores under one another, a heading a benchmark: name, score, interval, ceiling, p."""
    rows: list[tuple[str, ...]] = []
    for benchmark, group in groupby(records, key=lambda record: record["benchmark"]):
        rows.append((benchmark, "", "", "", ""))
        for record in group:
            low, high = record["ci"]
            rows.append(
                (
                    f"  {record['model']}",
                    _number(record["score"]),
                    "none" if low is None else f"{low:.3f} to {high:.3f}",
                    _number(record["ceiling"]),
                    "none" if record["p"] is None else f"{record['p']:.2g}",
                )
            )
    return rows


def width() -> int:
    """Columns of the terminal, at most 140."""
    return min(shutil.get_terminal_size((100, 24)).columns, 140)


def table(title: str, columns: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    """Print a table that fits the terminal's width; the first column, the names, is never broken."""
    from rich.console import Console
    from rich.table import Table

    grid = Table(title=title, title_justify="left", box=None, pad_edge=False, header_style="bold")
    for i, column in enumerate(columns):
        grid.add_column(column, overflow="fold", no_wrap=i == 0)
    for row in rows:
        grid.add_row(*map(printable, row))
    Console(width=width(), highlight=False, markup=False).print(grid)


def layers_text(rows: Sequence[Mapping[str, Any]], *, width: int = 80) -> str:
    """A picture of a model's layers in forward order: shape, a bar as long as the logarithm of the units, sheet.

    Parameters
    ----------
    rows : sequence of mapping
        ``layer``, ``shape`` and ``sheet`` (words, or None).
    width : int
    """
    sizes = [prod(row["shape"]) for row in rows]
    names = max(len(str(row["layer"])) for row in rows)
    shapes = [" x ".join(map(str, row["shape"])) for row in rows]
    shape_width = max(map(len, shapes))
    room = max(min(width - names - shape_width - 40, 30), 6)
    top = max(log2(size + 1) for size in sizes)
    lines = [f"{len(rows)} layers in forward order (units of one stimulus; bar: logarithm; sheet)"]
    for row, shape, size in zip(rows, shapes, sizes, strict=True):
        bar = _bar(log2(size + 1), top, room)
        sheet = f"  {row['sheet']}" if row["sheet"] else ""
        lines.append(f"  {row['layer']:<{names}}  {shape:>{shape_width}}  {bar:<{room}}{sheet}".rstrip())
    return "\n".join(lines)


def interval_text(entry: Mapping[str, Any]) -> str:
    """``0.734 (0.712 to 0.756)``."""
    if entry["low"] is None:
        return f"{entry['mean']:.3g}"
    return f"{entry['mean']:.3g} ({entry['low']:.3g} to {entry['high']:.3g})"


def lesion_rows(result: Mapping[str, Any]) -> list[tuple[str, ...]]:
    """A lesion and its controls, a row a score: whole, change by the lesion, change by each control and p."""
    rows = []
    for name, whole in result["whole"].items():
        cells = [name, f"{whole:.3f}", f"{result['localised'][name]:+.3f}"]
        for control in ("random", "contiguous"):
            entry = result.get(control, {}).get(name)
            cells += ["no sheet", ""] if entry is None else [_change(entry), f"{entry['p']:.2g}"]
        rows.append(tuple(cells))
    return rows


def _change(entry: Mapping[str, Any]) -> str:
    return f"{entry['mean']:+.3f} (sd {entry['sd']:.3f})"


def card_text(card: Mapping[str, Any]) -> str:
    """A card's fields, one a line; empty ones are left out."""
    lines = []
    for name, value in card.items():
        if value in (None, "", [], {}, ()):
            continue
        shown = ", ".join(map(str, value)) if isinstance(value, (list, tuple)) else value
        if isinstance(value, Mapping):
            shown = ", ".join(f"{key} = {item}" for key, item in value.items())
        elif isinstance(value, bool):
            shown = "yes" if value else "no"
        elif isinstance(value, float):
            shown = _number(value)
        lines.append(f"{name.replace('_', ' '):<20} {shown}".replace("\n", "\n" + " " * 21))
    return "\n".join(lines)


def _number(value: float | None) -> str:
    return "none" if value is None else f"{value:.3f}"


def _no_p(record: Mapping[str, Any]) -> str:
    why = str(record["methods"].get("p", ""))
    return why if why.startswith("none") else "not asked for"


def _p(record: Mapping[str, Any]) -> str:
    """P, how it was found, and what it could be at best where that is not small."""
    smallest = record["methods"].get("smallest_p")
    least = f"; at best {smallest:.2g}" if smallest is not None and smallest > _FEW_ORDERS else ""
    return f"{record['p']:.2g}   {record['methods'].get('p', '')}{least}"


def _interval(record: Mapping[str, Any]) -> str:
    low, high = record["ci"]
    if low is not None and high is not None:
        return f"95 % interval {low:.3f} to {high:.3f}"
    why = str(record["methods"].get("interval", ""))
    return f"no interval ({why.removeprefix('none: ')})" if why.startswith("none: ") else "no interval"


def _beyond(record: Mapping[str, Any]) -> str:
    """The variance added to nuisance spaces, its interval and p, and which spaces."""
    low, high = record["beyond_ci"]
    interval = "" if low is None else f"   95 % interval {low:.3f} to {high:.3f}"
    p = "" if record["beyond_p"] is None else f"   p {record['beyond_p']:.2g}"
    return f"{_number(record['beyond'])}{interval}{p}   added to {', '.join(record['beyond_spaces'])}"


def _ceiling(record: Mapping[str, Any]) -> str:
    kind = words(CEILING_KINDS, record["ceiling_kind"])
    if record["ceiling"] is None:
        return str(record["methods"].get("ceiling", kind))
    low, high = record.get("ceiling_lower"), record.get("ceiling_upper")
    bounds = "" if low is None or high is None else f", bounds {low:.3f} to {high:.3f}"
    return f"{record['ceiling']:.3f}   {kind}{bounds}"


def _bar(value: float, top: float, room: int) -> str:
    eighths = max(round(value / top * room * 8), 0)
    whole, part = divmod(eighths, 8)
    return _BAR * whole + (_PARTS[part] if part else "")
