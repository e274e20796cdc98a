"""The report of a comparison: one HTML file that needs nothing else, and a folder of figures and CSV files."""

import base64
import html
from collections.abc import Sequence
from importlib.metadata import version
from importlib.resources import files
from pathlib import Path
from string import Template
from typing import Any

import numpy as np
import pandas as pd

from ...errors import UserError
from ...files import file_name, write_bytes
from ...progress import track
from .collect import Comparison, style_of
from .methods import citations, methods, warnings
from .panels import Panel, panels
from .render import bytes_of_figure
from .style import Style
from .tables import SHOWN

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
    if not comparison.records:
        raise UserError("there are no scores to compare: add a run of brodmann score")
    light, dark = style_of(comparison, width=width), style_of(comparison, dark=True, width=width)
    paths, figures = [folder / "report.html"], []
    for panel in track(panels(comparison), "figures"):
        files_of = {
            kind: folder / "figures" / f"{file_name(panel.name)[:80]}.{kind}"
            for kind in ("png", "csv", "pdf")
        }
        pictures, pdf = _drawn(panel, light, dark, vector=vector)
        write_bytes(files_of["png"], pictures["light"])
        write_bytes(files_of["csv"], csv_of(panel.table))
        paths += [files_of["png"], files_of["csv"]]
        if pdf is not None:
            write_bytes(files_of["pdf"], pdf)
            paths.append(files_of["pdf"])
        figures.append(_figure_html(panel, pictures))
    scores, pairs = comparison.scores, comparison.differences
    write_bytes(folder / "scores.csv", csv_of(scores))
    write_bytes(folder / "differences.csv", csv_of(pairs))
    write_bytes(folder / "citations.bib", citations(comparison.records).encode())
    page = _page(comparison, scores, pairs, figures, command, title)
    write_bytes(paths[0], page.encode())
    return [*paths, folder / "scores.csv", folder / "differences.csv", folder / "citations.bib"]


def csv_of(table: pd.DataFrame) -> bytes:
    """A table as CSV: numbers with 10 digits, so that a file is the same wherever it is made."""
    return table.to_csv(index=False, float_format="%.10g", lineterminator="\n").encode()


def _page(
    comparison: Comparison,
    scores: pd.DataFrame,
    pairs: pd.DataFrame,
    figures: Sequence[str],
    command: str,
    title: str,
) -> str:
    records = comparison.records
    simulated = sum(bool(one["simulated"]) for one in records)
    banner = (
        f'<p class="simulated">{simulated} of {len(records)} scores stand on SIMULATED data, made by a program.</p>'
        if simulated
        else ""
    )
    benchmarks = list(dict.fromkeys(scores["benchmark"]))
    summary = f"{scores['model'].nunique()} models, {len(benchmarks)} benchmarks, {len(scores)} scores"
    said = warnings(records, comparison.notes)
    template = Template((files(__package__) / "report.html").read_text(encoding="utf-8"))
    return template.substitute(
        version=html.escape(version("brodmann")),
        title=html.escape(title),
        summary=html.escape(f"{summary}, from {', '.join(map(str, comparison.sources))}"),
        banner=banner,
        options="".join(
            f'<option value="{html.escape(one)}">{html.escape(one)}</option>' for one in benchmarks
        ),
        scores=_table_html(scores, SHOWN, "score-table"),
        differences=_table_html(pairs, _DIFFERENCES, "difference-table")
        if len(pairs)
        else "<p>One model only.</p>",
        figures="\n".join(figures),
        methods="\n".join(f"<p>{html.escape(one)}</p>" for one in methods(records)),
        warnings="<ul>" + "".join(f"<li>{html.escape(one)}</li>" for one in said) + "</ul>"
        if said
        else "<p>None.</p>",
        citations=html.escape(citations(records) or "No data set here asks to be cited."),
        command=html.escape(command),
    )


def _table_html(table: pd.DataFrame, columns: dict[str, str], name: str) -> str:
    heads = "".join(
        f'<th scope="col"><button type="button">{html.escape(said)}</button></th>'
        for said in columns.values()
    )
    rows = []
    for _, row in table.iterrows():
        cells = "".join(_cell(row[column]) for column in columns)
        rows.append(f'<tr data-benchmark="{html.escape(str(row["benchmark"]))}">{cells}</tr>')
    return f'<table id="{name}"><thead><tr>{heads}</tr></thead><tbody>{"".join(rows)}</tbody></table>'


def _cell(value: Any) -> str:
    if isinstance(value, (float, np.floating)):
        if not np.isfinite(value):
            return '<td class="number" data-value=""></td>'
        return f'<td class="number" data-value="{value:.10g}">{value:.3g}</td>'
    if isinstance(value, (int, np.integer)):
        return f'<td class="number" data-value="{value}">{value}</td>'
    return f"<td>{html.escape(str(value))}</td>"


def _figure_html(panel: Panel, shown: dict[str, bytes]) -> str:
    light, dark = (
        f"data:image/png;base64,{base64.b64encode(shown[kind]).decode()}" for kind in ("light", "dark")
    )
    return (
        f'<figure id="figure-{html.escape(file_name(panel.name)[:80])}"><picture>'
        f'<source srcset="{dark}" media="screen and (prefers-color-scheme: dark)">'
        f'<img src="{light}" alt="{html.escape(panel.alt)}"></picture>'
        f"<figcaption><strong>{html.escape(panel.title)}.</strong> {html.escape(panel.alt)}</figcaption></figure>"
    )


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
