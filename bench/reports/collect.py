"""Compare stored results: gather records and reports from folders, and make every figure from them alone."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from operator import itemgetter
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from ...analysis.encoding.banded import VariancePartition
from ...analysis.statistics.replicates import Replicates
from ...bounded import read_npz
from ...errors import UserError
from ...files import parse_json
from ..metrics.registries import METRICS, NORMALIZATIONS
from ..over_time.result import SUFFIX as OVER_TIME
from ..over_time.result import OverTime
from ..results.store import Run, arrays_of, open_run
from . import tables as tables
from .methods import citations, methods, warnings
from .style import Style, style_for

if TYPE_CHECKING:
    from ..results.as_score import Score

Record = dict[str, Any]
Arrays = dict[str, np.ndarray[Any, Any]]
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
    over_time : list of OverTime
        ``NAME.overtime.npz`` files, one a model, benchmark and windows: of several, the newest by the file's time.
    """

    records: list[Record]
    arrays: list[dict[str, np.ndarray[Any, Any]]] = field(repr=False)
    layouts: list[Record] = field(default_factory=list, repr=False)
    twins: list[Record] = field(default_factory=list, repr=False)
    partitions: dict[str, VariancePartition] = field(default_factory=dict, repr=False)
    sources: list[str] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    over_time: list[OverTime] = field(default_factory=list, repr=False)

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
        """Every model that has a score, a layout or a curve over time."""
        return sorted(
            {one["model"] for one in [*self.records, *self.layouts]} | {one.model for one in self.over_time}
        )


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
    newest: dict[tuple[str, str], tuple[float, Record, Arrays]] = {}
    layouts: list[Record] = []
    twins: list[Record] = []
    partitions: dict[str, VariancePartition] = {}
    curves: dict[tuple[str, str, bytes], tuple[float, OverTime]] = {}
    notes: list[str] = []
    scored = [dict(one.attrs["record"]) for one in runs if hasattr(one, "attrs")]
    newest |= {(one["model"], one["benchmark"]): (0.0, one, arrays_of(one)) for one in scored}
    for given in runs:
        if hasattr(given, "attrs"):
            continue
        run = open_run(given)
        folder = run.opened()
        found, failed = 0, list[tuple[str, UserError]]()
        for path in sorted(folder.glob("*.json")):
            try:
                if path.with_suffix(".npz").exists():
                    record, arrays = _sound(run, path)
                    key = record["model"], record["benchmark"]
                    time = path.stat().st_mtime
                    if key in newest:
                        notes.append(
                            f"{key[0]} on {key[1]} was scored more than once: the newest record counts"
                        )
                    if key not in newest or time > newest[key][0]:
                        newest[key] = time, record, arrays
                elif (report := _report(path)) is not None:
                    (twins if "networks" in report else layouts).append(report)
                elif b'"benchmark_version"' in path.read_bytes():
                    raise UserError(f"{path}: the arrays of this record are not beside it")
                else:
                    continue
                found += 1
            except UserError as error:
                failed.append((path.name, error))
        for path in sorted(folder.glob(f"*{_PARTITION}")):
            try:
                partitions[path.name.removesuffix(_PARTITION)] = VariancePartition.load(path)
                found += 1
            except UserError as error:
                failed.append((path.name, error))
        for path in sorted(folder.glob(f"*{OVER_TIME}")):
            try:
                one, time = OverTime.load(path), path.stat().st_mtime
                at = one.model, one.benchmark, one.windows.tobytes()
                if at not in curves or time > curves[at][0]:
                    curves[at] = time, one
                found += 1
            except UserError as error:
                failed.append((path.name, error))
        if not found:
            empty = UserError(f"{run.place} holds no results: score or analyze a model into it first")
            raise failed[0][1] if failed else empty
        notes += [f"{name} is left out: {error}" for name, error in failed]
    kept = [(record, arrays) for _, (_, record, arrays) in sorted(newest.items(), key=itemgetter(0))]
    records = [record for record, _ in kept]
    return Comparison(
        records,
        [arrays for _, arrays in kept],
        layouts,
        twins,
        partitions,
        [str(one) for one in runs],
        [*sorted(set(notes)), *_unknown(records)],
        [one for _, (_, one) in sorted(curves.items(), key=itemgetter(0))],
    )


def _sound(run: Run, path: Path) -> tuple[Record, Arrays]:
    """A record and its arrays.

    Raises
    ------
    UserError
        Where one of the two cannot be read, or is not what tables and words are made of.
    """
    (record,) = run.records_of([path])
    try:
        arrays = arrays_of(record)
        one = [record], [arrays]
        tables.scores_table([record])
        for made in (tables.layers_table, tables.units_table, tables.differences_table):
            made(*one)
        tables.rdms_table(*one, record["benchmark"])
        for said in (methods, warnings, citations):
            said([record])
        Replicates.of(0.0 if record["score"] is None else record["score"], arrays)
    except Exception as error:  # whatever a file of others holds
        raise UserError(f"{path} cannot be shown: {reason(error)}") from None
    return record, arrays


def reason(error: Exception) -> str:
    """What went wrong, in a line."""
    said = " ".join(str(error).split())[:160]
    return f"{type(error).__name__}: {said}" if said else type(error).__name__


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
        content = parse_json(path.read_bytes())
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
    return read_npz(kept)
