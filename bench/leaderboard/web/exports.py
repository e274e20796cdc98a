"""The board as files: CSV, JSON, BibTeX."""

import csv
import io
import json
from collections.abc import Iterable, Sequence
from typing import Any

from ....files import no_formula
from ...bibliography import joined
from ...results.record import COLUMNS
from ..storage.snapshot import BenchmarkEntry, ModelEntry, ScoreEntry, Snapshot
from .ranking import Selection, Table, table_of

FILES = {
    "board.csv": "text/csv; charset=utf-8",
    "scores.csv": "text/csv; charset=utf-8",
    "board.json": "application/json",
    "references.bib": "application/x-bibtex; charset=utf-8",
}
"""Name -> kind."""
_EVERYONE = 10**9
_OWN = ("ceiling", "ceiling_kind", "ceiling_lower", "ceiling_upper", "data_digest")


def table_csv(table: Table) -> str:
    """The shown table: a line a model, a column a benchmark or average."""
    stream = io.StringIO()
    writer = csv.writer(stream, lineterminator="\n")
    writer.writerow(
        [
            "rank",
            "rank_low",
            "rank_high",
            "model",
            "family",
            "parameters",
            "topographic",
            *[one.key for one in table.columns],
        ]
    )
    for row in table.rows:
        cells = [_number(row.values.get(one.key)) for one in table.columns]
        model = row.model
        writer.writerow(
            [
                row.rank or "",
                *(row.between or ("", "")),
                *map(no_formula, (model.name, model.family)),
                model.parameters or "",
                _yes(model.topographic),
                *cells,
            ]
        )
    return stream.getvalue()


def scores_csv(snapshot: Snapshot, domain: str) -> str:
    """Every score of a domain with what it stands on, a line each."""
    stream = io.StringIO()
    writer: csv.DictWriter[str] | None = None
    for line in describe_scores(snapshot, domain):
        if writer is None:
            writer = csv.DictWriter(stream, list(line), lineterminator="\n")
            writer.writeheader()
        writer.writerow({name: _cell(value) for name, value in line.items()})
    return stream.getvalue()


def describe_scores(snapshot: Snapshot, domain: str | None = None) -> list[dict[str, Any]]:
    """Every score as a JSON-able line, best-ordered by benchmark and model."""
    lines = [
        describe_score(snapshot.models[model], snapshot.benchmarks[benchmark], one)
        for (model, benchmark), one in snapshot.scores.items()
        if domain is None or snapshot.models[model].domain == domain
    ]
    return sorted(lines, key=lambda line: (line["benchmark"], -line["version"], line["model"]))


def describe_score(model: ModelEntry, benchmark: BenchmarkEntry, one: ScoreEntry) -> dict[str, Any]:
    """One score with what it stands on."""
    known = {
        name: getattr(benchmark, name) if hasattr(benchmark, name) else one.shown.get(name)
        for name in COLUMNS
    }
    if not benchmark.declared:  # each stands on what it says itself
        known |= {name: one.shown[name] for name in _OWN if one.shown.get(name) is not None}
    return {
        "id": one.id,
        **known,
        "model": model.name,
        "benchmark": benchmark.identifier,
        "score": one.value,
        "error": one.error,
        "ranked": one.ranked and benchmark.declared,
        "marks": "; ".join(f"{name}: {why}" for name, why in one.marks.items()),
        "reproduced": one.agreed,
        "submission": one.submission,
        "time": None if one.at is None else f"{one.at:%Y-%m-%dT%H:%M:%SZ}",
    }


def describe_model(model: ModelEntry) -> dict[str, Any]:
    """A model's card."""
    return {"name": model.name} | {name: value for name, value in model if name not in ("id", "identifier")}


def describe_benchmark(one: BenchmarkEntry) -> dict[str, Any]:
    """A version of a benchmark."""
    return {name: value for name, value in vars(one).items() if name != "id"}


def describe_table(table: Table) -> dict[str, Any]:
    """The shown table as JSON."""
    return {
        "scale": table.scale,
        "columns": [
            {
                "key": one.key,
                "group": one.group,
                "version": one.benchmark.version if one.benchmark else None,
                "scale": one.benchmark.scale if one.benchmark else table.scale,
                "n_scored": one.n_scored if one.benchmark else None,
                "averaged": one.averaged,
            }
            for one in table.columns
        ],
        "n_models": table.n_models,
        "n_pages": table.n_pages,
        "page": table.selection.page,
        "models": [
            {
                "rank": row.rank,
                "rank_interval": row.between,
                "tied": row.tied,
                **describe_model(row.model),
                "n_scored": row.n_scored,
                "values": {one.key: row.values.get(one.key) for one in table.columns},
            }
            for row in table.rows
        ],
    }


def bibtex(benchmarks: Iterable[BenchmarkEntry], models: Sequence[ModelEntry] = ()) -> str:
    """The citations of benchmarks and models, each once."""
    text = joined([*(one.citation for one in benchmarks), *(one.citation for one in models)])
    return text + "\n" if text else ""


def _cell(value: Any) -> Any:
    return _number(value) if isinstance(value, float) else no_formula(value)


def _number(value: float | None) -> str:
    return "" if value is None else f"{value:.10g}"


def _yes(value: bool | None) -> str:
    return "" if value is None else ("yes" if value else "no")


def file_of(name: str, snapshot: Snapshot, chosen: Selection) -> str:
    """One of :data:`FILES`, for the domain or the table of a selection.

    ``board.csv``: the table as it is filtered and sorted, all pages; ``scores.csv``: a line a score;
    ``board.json``: models, benchmarks and scores; ``references.bib``: the citations.
    """
    if name == "board.csv":
        return table_csv(table_of(snapshot, chosen, page_size=_EVERYONE))
    if name == "scores.csv":
        return scores_csv(snapshot, chosen.domain)
    columns = snapshot.columns(chosen.domain)
    models = [one for one in snapshot.models.values() if one.domain == chosen.domain]
    if name == "references.bib":
        return bibtex(columns, models)
    content = {
        "revision": snapshot.revision,
        "domain": chosen.domain,
        "models": [describe_model(one) for one in models],
        "benchmarks": [
            describe_benchmark(one) for one in snapshot.benchmarks.values() if one.domain == chosen.domain
        ],
        "scores": describe_scores(snapshot, chosen.domain),
    }
    return json.dumps(content, allow_nan=False)
