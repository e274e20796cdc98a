"""The table and the report of a study."""

from pathlib import Path

from ...files import no_formula, write_bytes
from ..results.record import Record
from ..results.store import arrays_of
from ..studies.summary import Summary
from .collect import Comparison
from .html import write_report


def study_comparison(summary: Summary) -> Comparison:
    """A study's scores for tables, figures and a submission; ``MODEL@VARIANT`` where a model is there more than once.

    Parameters
    ----------
    summary : Summary
    """
    scored = [one.cell for one in summary.ends if one.record]
    plain = [(cell.model, cell.benchmark) for cell in scored]
    named: list[Record] = []
    for cell, record in zip(scored, summary.records, strict=True):
        several = plain.count((cell.model, cell.benchmark)) > 1 and cell.variant
        named.append({**record, "model": f"{record['model']}@{cell.variant}"} if several else record)
    records = sorted(named, key=lambda one: (one["model"], one["benchmark"]))
    notes = [f"{one.cell.model} on {one.cell.benchmark} failed: {one.error}" for one in summary.failed]
    sources = [f"the study {summary.name}"]
    return Comparison(records, [arrays_of(one) for one in records], sources=sources, notes=notes)


def write_study(
    summary: Summary, folder: Path, *, command: str = "brodmann run", vector: bool = True
) -> list[Path]:
    """Write ``study.csv``, and the report with its figures where there are scores.

    Parameters
    ----------
    summary : Summary
    folder : Path
    command : str
        Shown at the end of the report.
    vector : bool
        Whether figures are made as PDF, too.

    Returns
    -------
    list of Path
        ``study.csv``, then ``report.html``, then the rest.
    """
    path = folder / "study.csv"
    write_bytes(path, summary.table().map(no_formula).to_csv(index=False).encode())
    if not summary.records:
        return [path]
    title = f"Study {summary.name}"
    return [path, *write_report(study_comparison(summary), folder, command, vector=vector, title=title)]
