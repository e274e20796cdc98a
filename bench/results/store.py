"""The results store: a folder a run, one record a score, with everything that the score stands on."""

import io
import math
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from pydantic import ValidationError

from ...bounded import read_npz
from ...errors import UserError
from ...files import digest_of, home, read_json, sha256_file, write_bytes, write_json
from .field_types import reasons
from .record import FORMAT, Record, ScoreRecord

if TYPE_CHECKING:
    from xarray import DataArray

DEFAULT_RUN = "scores"


@dataclass(frozen=True)
class Run:
    """A folder of records."""

    folder: Path

    def path(self, model: str, benchmark: str, key: str) -> Path:
        """Where the record of a score lies."""
        return self.folder / f"{_plain(benchmark)}__{_plain(model)}__{key[:12]}.json"

    def find(self, model: str, benchmark: str, key: str) -> Record | None:
        """The record of a score that was computed with this very key, or None.

        A record that is damaged, or whose arrays are, counts as not there and will be written anew.
        """
        path = self.path(model, benchmark, key)
        if not path.exists():
            return None
        try:
            record = _checked(path)
        except UserError:
            return None
        return record if record.get("key") == key else None

    def keep(self, record: Mapping[str, Any], arrays: Mapping[str, np.ndarray[Any, Any]]) -> Path:
        """Write a record and its arrays, each whole; the record last, so that a record is never without them."""
        path = self.path(record["model"], record["benchmark"], record["key"])
        stream = io.BytesIO()
        np.savez(stream, **{name: np.asarray(values) for name, values in arrays.items()})
        write_bytes(path.with_suffix(".npz"), stream.getvalue())
        content = ScoreRecord.model_validate(finite(record)).model_dump() | {
            "format": FORMAT,
            "arrays": sha256_file(path.with_suffix(".npz")),
        }
        write_json(path, content | {"checksum": digest_of(content)})
        return path

    def records(self) -> Iterator[Record]:
        """Every record of the run, in the order of the file names.

        Raises
        ------
        UserError
            For a folder that is not there or a damaged record, with its name.
        """
        if not self.folder.is_dir():
            raise UserError(
                f"no run at {self.folder}: make one with brodmann score MODEL BENCHMARK --run {self.folder.name}"
            )
        yield from self.records_of(sorted(self.folder.glob("*.json")))

    def records_of(self, paths: Iterable[Path]) -> Iterator[Record]:
        """The records in some of the run's files."""
        for path in paths:
            yield _checked(path)


def open_run(name: str | Path | None = None) -> Run:
    """A run by its folder, or by a plain name under ``$BRODMANN_HOME/results``."""
    if name is None:
        return Run(home() / "results" / DEFAULT_RUN)
    given = str(name)
    if not given.strip():
        raise UserError("the run has an empty name: give a name or a folder, or leave it out")
    if re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9_.-]*", given) and not Path(given).is_dir():
        return Run(home() / "results" / given)
    folder = Path(given).expanduser()
    if folder.exists() and not folder.is_dir():
        raise UserError(f"{folder} is a file: a run is a folder")
    return Run(folder)


def arrays_of(record: Mapping[str, Any]) -> dict[str, np.ndarray[Any, Any]]:
    """The arrays of a record: ``raw`` per neuroid or subject, ``ceiling`` per neuroid."""
    return read_npz(Path(record["file"]).with_suffix(".npz"))


def record_of(score: "DataArray") -> Record:
    """The JSON-able record that a score was stored as."""
    record: Record = score.attrs["record"]
    return record


def _checked(path: Path) -> Record:
    record = read_json(path)
    if not isinstance(record, dict) or "checksum" not in record:
        raise UserError(f"{path} is not a record of a score: move it out of the run")
    checksum = record.pop("checksum")
    arrays = path.with_suffix(".npz")
    if checksum != digest_of(record) or not arrays.exists() or sha256_file(arrays) != record.get("arrays"):
        raise UserError(f"{path} is damaged (its checksum does not match): delete it and score again")
    written = record.get("format", 1)
    if not isinstance(written, int) or written > FORMAT:
        raise UserError(
            f"{path} was written in the format {written!r}, newer than this brodmann reads ({FORMAT})"
        )
    try:
        return {**ScoreRecord.model_validate(record).model_dump(), "file": str(path)}
    except ValidationError as error:
        raise UserError(f"{path} is not a record of a score: {reasons(error)}") from None


def _plain(name: str) -> str:
    return re.sub(r"[^A-Za-z0-9._-]+", "-", name).strip("-.")[:80] or "unnamed"


def finite(value: Any) -> Any:
    """JSON has no NaN: None stands for a number that does not exist."""
    if isinstance(value, Mapping):
        return {str(key): finite(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [finite(item) for item in value]
    if isinstance(value, np.generic):
        return finite(value.item())
    return None if isinstance(value, float) and not math.isfinite(value) else value
