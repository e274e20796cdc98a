"""Compare stored results: gather records and reports from folders, and make every figure from them alone."""

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from ...analysis.encoding.banded import VariancePartition
from ...errors import UserError
from ..metrics.registries import METRICS, NORMALIZATIONS
from ..results.store import Run, arrays_of, open_run
from . import tables as tables
from .style import Style, style_for

if TYPE_CHECKING:
    from ..results.as_score import Score

Record = dict[str, Any]
_PARTITION = ".partition.npz"


@dataclass(frozen=True)
class Comparison:
    """What was stored, read once.

    Attributes
    ----------
    records : list of mapping
        Scores, one a model and benchmark: of several, the newest by the file's time.
    arrays : list of mapping
        In the order of the records.
    layouts : list of mapping
        Layout reports of layers (``brodmann analyze``).
    twins : list of mapping
        Studies of twins (``brodmann twins``).
    partitions : mapping of str to VariancePartition
        ``NAME.partition.npz`` files, by name.
    sources : list of str
        The folders, as they were given.
    notes : list of str
        What was passed over, and why; what is not known here.
    """

    records: list[Record]
    arrays: list[dict[str, np.ndarray[Any, Any]]] = field(repr=False)
    layouts: list[Record] = field(default_factory=list, repr=False)
    twins: list[Record] = field(default_factory=list, repr=False)
    partitions: dict[str, VariancePartition] = field(default_factory=dict, repr=False)
    sources: list[str] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)

    @cached_property
    def scores(self) -> pd.DataFrame:
        """A row a score."""
        return tables.scores_table(self.records)

    @cached_property
    def differences(self) -> pd.DataFrame:
        """All pairs of models on each benchmark, with intervals and p of paired replicates."""
        return tables.differences_table(self.records, self.arrays)

    @property
    def models(self) -> list[str]:
        """Every model that has a score or a layout."""
        return sorted({one["model"] for one in [*self.records, *self.layouts]})


def compare(runs: "Sequence[str | Path | Run | Score]") -> Comparison:
    """Read the scores and layout reports of runs; :func:`panels` and ``write_report`` draw them.

    Parameters
    ----------
    runs : sequence of str, Path, Run or Score
        Names of runs, folders of records, folders that ``brodmann analyze`` or ``brodmann twins`` filled; or scores.

    Raises
    ------
    UserError
        For a run that is not there, is damaged, or holds nothing to compare.
    """
    if not runs:
        raise UserError("nothing to compare: name a run, or a folder of results")
    newest: dict[tuple[str, str], tuple[float, Record]] = {}
    layouts: list[Record] = []
    twins: list[Record] = []
    partitions: dict[str, VariancePartition] = {}
    notes: list[str] = []
    scored = [dict(one.attrs["record"]) for one in runs if hasattr(one, "attrs")]
    newest |= {(one["model"], one["benchmark"]): (0.0, one) for one in scored}
    for given in runs:
        if hasattr(given, "attrs"):
            continue
        run = given if isinstance(given, Run) else open_run(given)
        if not run.folder.is_dir():
            raise UserError(
                f"no run at {run.folder}: make one with brodmann score MODEL BENCHMARK --run NAME"
            )
        found = 0
        scored_here: list[Path] = []
        for path in sorted(run.folder.glob("*.json")):
            if path.with_suffix(".npz").exists():
                scored_here.append(path)
            elif (report := _report(path)) is not None:
                (twins if "networks" in report else layouts).append(report)
                found += 1
            elif b'"benchmark_version"' in path.read_bytes():
                notes.append(f"{path.name} is left out: the arrays of this record are not beside it")
        for path in sorted(run.folder.glob(f"*{_PARTITION}")):
            partitions[path.name.removesuffix(_PARTITION)] = VariancePartition.load(path)
            found += 1
        for record in run.records_of(scored_here):
            key = record["model"], record["benchmark"]
            time = Path(record["file"]).stat().st_mtime
            if key in newest:
                notes.append(f"{key[0]} on {key[1]} was scored more than once: the newest record counts")
            if key not in newest or time > newest[key][0]:
                newest[key] = time, record
            found += 1
        if not found:
            raise UserError(f"{run.folder} holds no results: score or analyze a model into it first")
    records = [one for _, (_, one) in sorted(newest.items())]
    return Comparison(
        records,
        [arrays_of(one) for one in records],
        layouts,
        twins,
        partitions,
        [str(one) for one in runs],
        [*sorted(set(notes)), *_unknown(records)],
    )


def _unknown(records: Sequence[Record]) -> Iterator[str]:
    """What scores stand on and no registry here knows, a line a name."""
    for field_name, registry in (("metric", METRICS), ("normalization", NORMALIZATIONS)):
        for name in sorted({record[field_name] for record in records} - set(registry)):
            yield (
                f"the {field_name} {name!r} is not known here (a function of one's own, or of a package that is not "
                "installed): its sentence and formula are missing"
            )


def _report(path: Path) -> Record | None:
    """A layout report of a layer or a study of twins; None for anything else."""
    try:
        content = json.loads(path.read_bytes())
    except (OSError, ValueError):
        return None
    if not isinstance(content, dict):
        return None
    keys = set(content)
    known = {"selectivity", "dimensionality", "model", "layer"} <= keys or {
        "networks",
        "summary",
        "tau",
    } <= keys
    return {**content, "file": str(path)} if known else None


def style_of(comparison: Comparison, *, dark: bool = False, width: str = "double") -> Style:
    """The style in which this comparison's models keep their colours."""
    return style_for(comparison.models, dark=dark, width=width)


def maps_of(report: Record) -> dict[str, np.ndarray[Any, Any]]:
    """The maps that lie beside a layout report; nothing where none were kept."""
    path = Path(report["file"])
    kept = path.with_name(f"{path.stem}.maps.npz")
    if not kept.is_file():
        return {}
    with np.load(kept, allow_pickle=False) as stored:
        return {name: stored[name] for name in stored.files}
