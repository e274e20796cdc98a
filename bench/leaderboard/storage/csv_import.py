"""Published tables of scores become a board: a CSV file of layer, benchmark, model, score, error."""

import csv
import io
import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any, Literal

from pydantic import Field, TypeAdapter, ValidationError

from ....errors import UserError
from ....files import digest_of, read_toml
from ....progress import track
from ...results.card import Card
from ...results.field_types import Domain, Identifier, Large, LayerName, Part, Text, reasons
from ...results.field_types import Line as Words
from ..submission.errors import Refused
from .accounts import Person, audit
from .board import Board, Receipt
from .declaration import current
from .migrations import declare_as_it_is, now
from .models import CeilingRow, SubmissionRow
from .models import database_models as brainscore
from .regions import place_of
from .repository import (
    add_model,
    average_of,
    benchmark_type,
    engineering_of,
    enter,
)

_COLUMNS = ("benchmark", "model", "score")
_MAX_BYTES = 64 << 20
_UNTRAINED = "-untrained"
_CHOSEN = "the best of its layers on the same data, as published"


class Benchmark(Part):
    """What a benchmark of the file is."""

    region: Words = ""
    kind: Literal["neural", "behavior", "engineering"] = "neural"
    dataset: Words = ""
    metric: Words = ""
    description: Words = ""
    unit: Words = ""
    lower_is_better: bool = False
    license: Words = ""

    @property
    def brain(self) -> bool:
        """Whether it compares with a brain or with behaviour."""
        return self.kind != "engineering"


class Family(Part):
    """The family of models whose name fits a pattern."""

    pattern: str
    family: Words


class About(Part):
    """What the benchmarks and models of a file are."""

    domain: Domain = "vision"
    citation: Text = ""
    benchmarks: dict[Identifier, Benchmark] = Field(default={})
    families: list[Family] = Field(default=[])
    parameters: dict[Identifier, Large] = Field(default={})

    def benchmark(self, name: str) -> Benchmark:
        """What is said of a benchmark; a neural one where nothing is."""
        return self.benchmarks.get(name, Benchmark())


@dataclass(frozen=True)
class Line:
    """One line of the file."""

    benchmark: str
    model: str
    layer: str
    score: float | None
    error: float | None


def import_scores(board: Board, path: Path, who: Person, *, about: Path | None = None) -> Receipt:
    """Put the scores of a CSV file on a board, all or none.

    A model's score on a benchmark is that of its best layer, as such tables are read; every layer is kept beside it.

    Parameters
    ----------
    board : Board
    path : Path
        Columns ``benchmark``, ``model``, ``score``, and where there are ``layer``, ``error``.
    who : Person
        To whom the models then belong.
    about : Path, optional
        A TOML file that says what the benchmarks and models are, in the layout of ``published.toml``.

    Raises
    ------
    UserError
        For a file that cannot be read, with the line.
    """
    content = _content(path)
    lines = read_lines(content, path.name)
    known = _about(about)
    digest = digest_of(content)
    with board.change():
        earlier = SubmissionRow.get_or_none(SubmissionRow.digest == digest)
        if earlier is not None:
            return Receipt(
                earlier.submission_id, digest, True, 0, len({(one.model, one.benchmark) for one in lines}), 0
            )
        entry = brainscore.Submission.create(
            jenkins_id=0, submitter=who.id, timestamp=now(), model_type="published", status="successful"
        )
        document = json.dumps({"file": path.name, "lines": len(lines), "digest": digest})
        SubmissionRow.create(
            submission=entry, digest=digest, title=f"published: {path.name}"[:300], document=document
        )
        counted = _add(lines, known, entry, who, digest)
        audit(who, "imported", entry.id, f"{path.name}, {len(lines)} lines, digest {digest[:16]}")
    return Receipt(entry.id, digest, False, counted["new"], 0, counted["replaced"])


def read_lines(content: bytes, name: str) -> list[Line]:
    """The lines of a CSV file of scores; a byte-order mark is passed over.

    Raises
    ------
    UserError
        For missing columns, a name or a number that is none, or a line that stands twice, with its place.
    """
    try:
        reader = csv.DictReader(io.StringIO(content.decode("utf-8-sig")))
        header = reader.fieldnames or []
        missing = [column for column in _COLUMNS if column not in header]
        if missing:
            raise UserError(f"{name} has no column {missing[0]!r}; it has {', '.join(header[:8]) or 'none'}")
        found: dict[tuple[str, str, str], Line] = {}
        for number, row in enumerate(reader, 2):
            line = _line(row, f"{name}, line {number}")
            key = line.model, line.benchmark, line.layer
            if key in found:
                raise UserError(f"{name}, line {number}: {line.model} on {line.benchmark} stands there twice")
            found[key] = line
    except (UnicodeDecodeError, csv.Error) as error:
        raise UserError(f"{name} is not a readable CSV file: {error}") from error
    if not found:
        raise UserError(f"{name} holds no scores")
    return list(found.values())


_names: TypeAdapter[str] = TypeAdapter(Identifier)
_layers: TypeAdapter[str] = TypeAdapter(LayerName)


def _line(row: Mapping[str, str | None], place: str) -> Line:
    layer = (row.get("layer") or "").strip()
    return Line(
        _fit(_names, row.get("benchmark"), f"{place}: the benchmark"),
        _fit(_names, row.get("model"), f"{place}: the model"),
        _fit(_layers, layer, f"{place}: the layer") if layer else "",
        _number(row.get("score"), f"{place}: the score"),
        _number(row.get("error"), f"{place}: the error"),
    )


def _fit(kind: TypeAdapter[str], value: str | None, place: str) -> str:
    try:
        return kind.validate_python((value or "").strip())
    except ValidationError:
        raise UserError(f"{place} is no name: {(value or '')[:60]!r}") from None


def _number(value: str | None, place: str) -> float | None:
    text = (value or "").strip()
    try:
        number = float(text) if text else math.nan
    except ValueError:
        raise UserError(f"{place} is no number: {text[:60]!r}") from None
    if math.isinf(number):
        raise UserError(f"{place} is infinite")
    return None if math.isnan(number) else number


def _content(path: Path) -> bytes:
    try:
        if path.stat().st_size > _MAX_BYTES:
            raise UserError(f"{path} is larger than {_MAX_BYTES >> 20} MiB")
        return path.read_bytes()
    except OSError as error:
        raise UserError(f"cannot read {path}: {error.strerror}") from error


def _about(path: Path | None) -> About:
    source = path or Path(__file__).with_name("published.toml")
    content = read_toml(source)
    try:
        return About.model_validate(content)
    except ValidationError as error:
        raise UserError(f"{source} does not fit: {reasons(error)}") from None


def _add(
    lines: Sequence[Line], known: About, entry: brainscore.Submission, who: Person, digest: str
) -> dict[str, int]:
    grouped: dict[tuple[str, str], list[Line]] = {}
    for line in lines:
        grouped.setdefault((line.model, line.benchmark), []).append(line)
    models = {name: add_model(_card(name, known), entry, who) for name, _ in grouped}
    instances = {name: _instance(name, known, who) for _, name in grouped}
    counted = {"new": 0, "replaced": 0}
    for (model, benchmark), layers in track(list(grouped.items()), "importing"):
        best = _best(layers, known.benchmark(benchmark).lower_is_better)
        if best is None:
            continue
        theirs = {"benchmark": instances[benchmark], "model": models[model]}
        counted[_score(best, layers, theirs, known, entry, who, digest)] += 1
    return counted


def _best(layers: Sequence[Line], lower: bool) -> Line | None:
    there = [(one.score, -place, one) for place, one in enumerate(layers) if one.score is not None]
    if not there:
        return None
    return (min if lower else max)(there, key=lambda found: found[0])[2]


def _score(
    best: Line,
    layers: Sequence[Line],
    theirs: Mapping[str, Any],
    known: About,
    entry: brainscore.Submission,
    who: Person,
    digest: str,
) -> str:
    brain = known.benchmark(best.benchmark).brain
    theirs = {
        **theirs,
        "score_raw": None if brain else best.score,
        "score_ceiled": best.score if brain else None,
        "error": best.error,
        "comment": f"layers: {best.layer or 'none'}; {_CHOSEN}" if len(layers) > 1 else None,
    }
    ours = {
        "submission": entry,
        "key": digest_of(digest, best.model, best.benchmark),
        "value": best.score,
        "error": best.error,
        "shown": {"layer": best.layer, "normalization": "as published"},
        "provenance": {"methods": {"layer": _CHOSEN} if len(layers) > 1 else {}},
    }
    return enter(theirs, ours, [(one.layer, one.score, one.error) for one in layers], who, "imported")


def _instance(name: str, known: About, who: Person) -> brainscore.BenchmarkInstance:
    made = brainscore.BenchmarkType.get_or_none(brainscore.BenchmarkType.identifier == name)
    if made is None:
        said = known.benchmark(name)
        made = benchmark_type(
            name,
            domain=known.domain,
            place=place_of(known.domain, said.region or ("other" if said.brain else "")),
            owner=who.id,
            root=(average_of if said.brain else engineering_of)(known.domain),
            kind=said.kind,
            dataset=said.dataset or name,
            metric=said.metric,
            description=said.description,
            unit=said.unit,
            lower_is_better=said.lower_is_better,
            license=said.license,
            citation=known.citation.strip(),
        )
    elif made.domain != known.domain:
        raise Refused(f"{name!r} is a {made.domain} benchmark here, not {known.domain}", 409)
    instance, new = brainscore.BenchmarkInstance.get_or_create(benchmark=made, version=1)
    if new:
        CeilingRow.create(instance=instance, kind="none")
    declared = current(instance)
    if declared is None:
        declare_as_it_is(instance.id, "published")
    elif declared[0].checked:
        raise Refused(
            f"{name!r} is declared on this board, and a published table cannot be held against it", 409
        )
    return instance


def _card(name: str, known: About) -> Card:
    base = name.removesuffix(_UNTRAINED)
    return Card(
        identifier=name,
        domain=known.domain,
        family=next((one.family for one in known.families if fnmatchcase(base, one.pattern)), ""),
        parameters=known.parameters.get(base),
        training_data="none (untrained)" if base != name else "",
        citation=known.citation.strip(),
    )
