"""The report of a comparison: one HTML file that needs nothing else, and a folder of figures and CSV files."""

import base64
from collections.abc import Mapping, Sequence
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from ...errors import UserError
from ...files import file_name, no_formula, write_bytes
from ...progress import track
from ..results.in_time import in_time
from ..score_key import BRAIN
from .collect import Comparison, style_of
from .methods import citations, methods, warnings
from .panel import Panel, ordered_cards
from .render import bytes_of_figure
from .style import Style
from .survival import without_what_fails
from .tables import SHOWN

if TYPE_CHECKING:
    from jinja2 import Environment

Drawn = tuple[Panel, dict[str, bytes], bytes | None]
_DIFFERENCES = {
    "benchmark": "benchmark",
    "better": "first",
    "other": "second",
    "difference": "difference",
    "low": "95 % from",
    "high": "to",
    "p": "p",
    "q": "q",
}


def write_report(
    comparison: Comparison,
    folder: Path,
    command: str,
    *,
    vector: bool = True,
    title: str = "Comparison of models",
    width: str = "double",
) -> list[Path]:
    """Write ``report.html``, and for every figure a PNG, a PDF and the CSV of all that it shows.

    The figures are made again from the CSV-able tables alone; the same results give the same files.

    Parameters
    ----------
    comparison : Comparison
    folder : Path
    command : str
        Shown at the end of the report.
    vector : bool
        Whether PDF files are made, too.
    title : str
    width : {"single", "double"}
        Of the figures: 85 or 180 mm.

    Returns
    -------
    list of Path
        The report first.

    Raises
    ------
    UserError
        Where there is no score to report.
    """
    if not comparison.records and not comparison.over_time:
        raise UserError("there are no scores to compare: add a run of brodmann score")
    light, dark = style_of(comparison, width=width), style_of(comparison, dark=True, width=width)
    paths, figures, notes = [folder / "report.html"], [], []

    def draw(given: Comparison) -> list[Drawn]:
        return [(panel, *_drawn(panel, light, dark, vector=vector)) for panel in card.panels(given)]

    for card in track(ordered_cards(), "figures"):
        drawn, said = without_what_fails(draw, comparison, card.title)
        notes += said
        for panel, pictures, pdf in drawn:
            files_of = {
                kind: folder / "figures" / f"{file_name(panel.name)[:80]}.{kind}"
                for kind in ("png", "csv", "pdf")
            }
            write_bytes(files_of["png"], pictures["light"])
            write_bytes(files_of["csv"], csv_of(panel.table))
            paths += [files_of["png"], files_of["csv"]]
            if pdf is not None:
                write_bytes(files_of["pdf"], pdf)
                paths.append(files_of["pdf"])
            beside = {
                f"figures/{file_name(panel.name)[:80]}.{ending}": content
                for ending, content in (panel.beside() if panel.beside else {}).items()
            }
            for name, content in beside.items():
                write_bytes(folder / name, content)
                paths.append(folder / name)
            figures.append(_shown(panel, pictures) | {"beside": list(beside)})
    comparison.notes.extend(notes)
    write_bytes(folder / "scores.csv", csv_of(comparison.scores))
    write_bytes(folder / "differences.csv", csv_of(comparison.differences))
    write_bytes(folder / "citations.bib", citations(comparison.records).encode())
    write_bytes(paths[0], _page(comparison, figures, command, title).encode())
    return [*paths, folder / "scores.csv", folder / "differences.csv", folder / "citations.bib"]


def csv_of(table: pd.DataFrame) -> bytes:
    """A table as CSV: numbers with 10 digits, so that a file is the same wherever it is made, and no formulas."""
    return table.map(no_formula).to_csv(index=False, float_format="%.10g", lineterminator="\n").encode()


def environment(package: str = __package__, folder: str = "templates") -> "Environment":
    """Where the templates of pages are found, and how numbers are shown in them.

    Parameters
    ----------
    package, folder : str
        The package's folder that holds them.
    """
    from jinja2 import Environment, PackageLoader, StrictUndefined

    shelf = Environment(
        loader=PackageLoader(package, folder),
        autoescape=True,
        undefined=StrictUndefined,
        keep_trailing_newline=True,
    )
    shelf.filters |= {"exact": _exact, "short": _short}
    return shelf


def _page(comparison: Comparison, figures: Sequence[Mapping[str, Any]], command: str, title: str) -> str:
    records, scores = comparison.records, comparison.scores
    benchmarks = list(dict.fromkeys(scores["benchmark"]))
    summary = (
        f"{len(set(scores['model']) - {BRAIN})} models, {len(benchmarks)} benchmarks, {len(scores)} scores"
    )
    return (
        environment()
        .get_template("report.html")
        .render(
            version=version("brodmann"),
            title=title,
            summary=f"{summary}, from {', '.join(map(str, comparison.sources))}",
            simulated=sum(bool(one["simulated"]) for one in records),
            n_scores=len(records),
            benchmarks=benchmarks,
            scores=_table(scores, _heads(records)),
            differences=_table(comparison.differences, _DIFFERENCES),
            figures=figures,
            methods=methods(records),
            warnings=warnings(records, comparison.notes),
            citations=citations(records),
            command=command,
        )
    )


def _table(table: pd.DataFrame, columns: Mapping[str, str]) -> dict[str, Any]:
    rows = zip(table["benchmark"], table[list(columns)].itertuples(index=False, name=None), strict=True)
    return {
        "heads": list(columns.values()),
        "rows": [{"benchmark": benchmark, "cells": cells} for benchmark, cells in rows],
    }


def _heads(records: Sequence[Mapping[str, Any]]) -> dict[str, str]:
    """The heads of the columns of scores: what is counted are samples where all recordings are in time."""
    named = {True: "samples", False: SHOWN["n_stimuli"]}
    return SHOWN | {
        "n_stimuli": " or ".join(named[kind] for kind in sorted({in_time(one) for one in records}))
    }


def _exact(value: float) -> str:
    """A number for sorting; empty where there is none."""
    return f"{value:.10g}" if np.isfinite(value) else ""


def _short(value: float) -> str:
    if isinstance(value, (int, np.integer)):
        return str(value)
    return f"{value:.3g}" if np.isfinite(value) else ""


def _shown(panel: Panel, pictures: Mapping[str, bytes]) -> dict[str, Any]:
    """A panel as the page shows it."""
    encoded = {
        kind: f"data:image/png;base64,{base64.b64encode(content).decode()}"
        for kind, content in pictures.items()
    }
    return {"panel": panel, "name": file_name(panel.name)[:80], **encoded}


def _drawn(panel: Panel, light: Style, dark: Style, *, vector: bool) -> tuple[dict[str, bytes], bytes | None]:
    """A panel as PNG in both styles, and the light figure as PDF, too."""
    with dark.applied():
        pictures = {"dark": bytes_of_figure(panel.figure(dark), "png")}
    with light.applied():
        figure = panel.figure(light)
        pictures["light"] = bytes_of_figure(figure, "png")
        # without the date, so that the same results give the same bytes
        pdf = bytes_of_figure(figure, "pdf", metadata={"CreationDate": None}) if vector else None
    return pictures, pdf
