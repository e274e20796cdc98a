"""The board as files for programs and papers."""

import json

from . import tabular
from .ranking import Selection, table_of
from .snapshot import Snapshot

FILES = {
    "board.csv": "text/csv; charset=utf-8",
    "scores.csv": "text/csv; charset=utf-8",
    "board.json": "application/json",
    "references.bib": "application/x-bibtex; charset=utf-8",
}
"""Name -> kind."""
_EVERYONE = 10**9


def file_of(name: str, snapshot: Snapshot, chosen: Selection) -> str:
    """One of :data:`FILES`, for the domain or the table of a selection.

    ``board.csv``: the table as it is filtered and sorted, all pages; ``scores.csv``: a line a score;
    ``board.json``: models, benchmarks and scores; ``references.bib``: the citations.
    """
    if name == "board.csv":
        return tabular.table_csv(table_of(snapshot, chosen, page_size=_EVERYONE))
    if name == "scores.csv":
        return tabular.scores_csv(snapshot, chosen.domain)
    columns = snapshot.columns(chosen.domain)
    models = [one for one in snapshot.models.values() if one.domain == chosen.domain]
    if name == "references.bib":
        return tabular.bibtex(columns, models)
    content = {
        "revision": snapshot.revision,
        "domain": chosen.domain,
        "models": [tabular.model_said(one) for one in models],
        "benchmarks": [
            tabular.benchmark_said(one) for one in snapshot.benchmarks.values() if one.domain == chosen.domain
        ],
        "scores": tabular.scores_said(snapshot, chosen.domain),
    }
    return json.dumps(content, allow_nan=False)
