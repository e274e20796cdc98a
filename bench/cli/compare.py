"""The command that compares stored results: figures and a report."""

import shlex
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from .common import Json, Runs, print_json, say


class Width(StrEnum):
    """Columns of a paper."""

    single = "single"
    double = "double"


def compare(
    runs: Runs,
    folder: Annotated[Path, typer.Option(help="Where report, figures and tables go.")] = Path(
        "brodmann-comparison"
    ),
    title: Annotated[str, typer.Option(help="Of the report.")] = "Comparison of models",
    width: Annotated[
        Width, typer.Option(help="Of the figures: one column (85 mm) or two (180 mm).")
    ] = Width.double,
    pdf: Annotated[bool, typer.Option("--pdf/--no-pdf", help="Figures as PDF, too.")] = True,
    as_json: Json = False,
) -> None:
    """Compare stored results: figures, tables and a report in one HTML file, without any model.

    For example:

      brodmann score gabor-pyramid simulated-cortex.V1-ridge --run mine

      brodmann score random-convnet simulated-cortex.V1-ridge --run mine

      brodmann compare mine
    """
    from ..reports.collect import compare as read
    from ..reports.html import write_report

    found = read(runs)
    command = shlex.join(["brodmann", "compare", *runs, "--folder", str(folder)])
    paths = write_report(found, folder, command, vector=pdf, title=title, width=width.value)
    if as_json:
        print_json(
            {
                "models": found.models,
                "scores": len(found.records),
                "layouts": len(found.layouts),
                "notes": found.notes,
                "files": [str(path) for path in paths],
            }
        )
        return
    n_figures = sum(path.suffix == ".png" for path in paths)
    say(f"report    {paths[0]}\nfigures   {n_figures} in {folder / 'figures'}, each with its numbers as CSV")
    for note in found.notes:
        say(f"note      {note}")
