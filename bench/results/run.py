"""A run: a folder of records, one a score, with everything that the score stands on."""

import io
import math
import os
import re
import time
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from pydantic import ValidationError

from ...errors import UserError
from ...files import cannot_write, digest_of, read_json, sha256_file, write_bytes, write_json
from ...places import is_still, locked
from .field_types import reasons
from .record import FORMAT, Record, ScoreRecord

WAIT_S = 0.5


@dataclass(frozen=True)
class Run:
    """A folder of records."""

    folder: Path

    @property
    def place(self) -> str:
        """Where it is, as a person is told."""
        return str(self.folder)

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
        yield from self.records_of(sorted(self.opened().glob("*.json")))

    def opened(self) -> Path:
        """The folder, with everything of the run in it.

        Raises
        ------
        UserError
            Where it is not there.
        """
        if not self.folder.is_dir():
            raise self.absent()
        return self.folder

    def absent(self) -> UserError:
        """The one line for a run that is not there."""
        name = self.place if "://" in self.place else self.folder.name
        return UserError(f"no run at {self.place}: make one with brodmann score MODEL BENCHMARK --run {name}")

    @contextmanager
    def claim(self, name: str) -> Iterator[None]:
        """Work that two shall not do at once: it waits as long as somebody else holds what has that name.

        It ends with the process that holds it, however that ends. Where the disk has no locks, nobody waits.
        """
        path = self.folder / f".{name}.claim"
        handle = self._opened_claim(path)
        while (is_mine := locked(handle)) is False or not is_still(handle, path):
            if is_mine is False:
                time.sleep(WAIT_S)
            os.close(handle)
            handle = self._opened_claim(path)
        try:
            yield
        finally:
            path.unlink(missing_ok=True)
            os.close(handle)

    def _opened_claim(self, path: Path) -> int:
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
            return os.open(path, os.O_RDWR | os.O_CREAT)
        except OSError as error:
            raise cannot_write(self.folder, error) from None

    def fetch(self, path: Path) -> None:
        """Bring a file of the run up to date, which one in a folder always is."""

    def send(self, path: Path) -> None:
        """Keep a file that was written beside the records, which in a folder it is already."""

    def records_of(self, paths: Iterable[Path]) -> Iterator[Record]:
        """The records in some of the run's files."""
        for path in paths:
            yield _checked(path)


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
