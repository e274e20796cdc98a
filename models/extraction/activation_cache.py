"""The activations cache: one array file a layer, whole, verified when it is opened, written row by row."""

import os
import shutil
import time
import zlib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import ExitStack, contextmanager, suppress
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from ...errors import UserError
from ...files import cannot_write, home, parse_json, write_json
from ...places import is_still, locked

Values = npt.NDArray[Any]
"""float32, or float16 where a reading asks for half precision."""
Rows = npt.NDArray[np.intp]
_CHUNK = 1 << 22
_WRITERS = min(8, os.cpu_count() or 1)
_ABANDONED_S = 7 * 24 * 3600


def path_of(key: str) -> Path:
    """Where the activations of a key lie."""
    return home() / "activations" / key[:2] / f"{key}.npy"


def find(key: str) -> tuple[Values, dict[str, Any]] | None:
    """The activations of a key as a memory map with their notes, or None where absent or damaged."""
    path = path_of(key)
    sidecar = path.with_suffix(".json")
    if not path.exists() or not sidecar.exists():
        return None
    try:
        notes = parse_json(sidecar.read_bytes())
        known = notes["crc32"]
    except (ValueError, KeyError, TypeError):
        return None
    status = path.stat()
    if _digest(path, status.st_mtime_ns, status.st_size) != known:
        return None
    values: Values = np.load(path, mmap_mode="r", allow_pickle=False)
    return values, notes


@lru_cache(maxsize=1024)
def _digest(path: Path, _modified: int, _size: int) -> str:
    return crc32_file(path)


def crc32_file(path: Path) -> str:
    """The CRC-32 of a file's bytes, as 8 hexadecimal digits.

    Against damage, not against malice: activations are made here. It is read at more than twice the rate of sha256,
    which for wide layers is felt beside the forward pass.
    """
    crc = 0
    with path.open("rb") as stream:
        while chunk := stream.read(_CHUNK):
            crc = zlib.crc32(chunk, crc)
    return f"{crc:08x}"


class Held:
    """An array in memory that is filled batch by batch.

    Parameters
    ----------
    shape : (int, int)
        Stimuli and units.
    dtype : dtype
    """

    def __init__(self, shape: tuple[int, int], dtype: npt.DTypeLike) -> None:
        self.values: Values = np.empty(shape, dtype)

    def write(self, rows: Rows, values: Values) -> None:
        """The next batch."""
        if _contiguous(rows):
            self.values[int(rows[0]) : int(rows[0]) + len(rows)] = values
        else:
            self.values[rows] = values


class Growing:
    """An array on disk that grows batch by batch; after a kill the batches that are whole are known again.

    The file is written, not mapped, so that memory does not grow with it. Beside it lies a journal: the plan of the
    batches, and after every batch the CRC-32 of the header and of all batches so far.

    Parameters
    ----------
    key : str
    shape : (int, int)
        Stimuli and units.
    dtype : dtype
    plan : str
        A digest of which rows come in which batch; rows written under another plan count for nothing.
    """

    def __init__(self, key: str, shape: tuple[int, int], dtype: npt.DTypeLike, plan: str) -> None:
        self.key, self.shape, self.dtype = key, shape, np.dtype(dtype)
        path = path_of(key)
        path.parent.mkdir(parents=True, exist_ok=True)
        self.partial, self._file = _opened(path)
        self._is_open = True
        self.journal = self.partial.with_suffix(".journal")
        self._header = _header(shape, self.dtype)
        self._plan = plan
        self._crc = zlib.crc32(self._header)
        self._in_order, self._next_row = True, 0
        self._known = self._read_journal()
        if not self._known:
            os.ftruncate(self._file, 0)
            os.pwrite(self._file, self._header, 0)
        os.ftruncate(self._file, len(self._header) + shape[0] * shape[1] * self.dtype.itemsize)
        self._log = self.journal.open("a")
        if not self._known:
            self._log.truncate(0)
            print(plan, file=self._log, flush=True)

    @property
    def missing_bytes(self) -> int:
        """About how much is still to be written."""
        return 0 if self._known else self.shape[0] * self.shape[1] * self.dtype.itemsize

    def peek(self, rows: Rows) -> int | None:
        """The running checksum with the next batch, where the file holds it as the journal says; else None."""
        if not self._known:
            return None
        crc = zlib.crc32(self._read(rows), self._crc)
        return crc if f"{crc:08x}" == self._known[0] else None

    def accept(self, rows: Rows, crc: int) -> None:
        """Take the batch that was peeked at as done."""
        self._passed.append(self._known.pop(0))
        self._take(crc, rows)

    def begin_here(self) -> None:
        """From here on batches are written; what the journal says of later ones counts for nothing."""
        if self._known:
            self._known = []
            self._start_journal_again()

    def write(self, rows: Rows, values: Values) -> None:
        """The next batch."""
        raw = np.ascontiguousarray(values, self.dtype)
        whole = raw.data.cast("B")
        width = self.shape[1] * self.dtype.itemsize
        if _contiguous(rows):
            _write_all(self._file, whole, len(self._header) + int(rows[0]) * width)
        else:
            for i, row in enumerate(rows):
                part = whole[i * width : (i + 1) * width]
                _write_all(self._file, part, len(self._header) + int(row) * width)
        self._take(zlib.crc32(whole, self._crc), rows)
        self._passed.append(f"{self._crc:08x}")
        print(self._passed[-1], file=self._log, flush=True)

    def finish(self, notes: Mapping[str, Any]) -> None:
        """Make the file appear in the cache, with its checksum."""
        # not forced onto the disk, which takes as long as writing: what a power failure loses, the checksum tells
        path = path_of(self.key)
        whole = self._in_order and self._next_row == self.shape[0]
        digest = f"{self._crc:08x}" if whole else crc32_file(self.partial)
        write_json(path.with_suffix(".json"), {**notes, "crc32": digest, "shape": list(self.shape)})
        self.journal.unlink(missing_ok=True)
        self.partial.replace(path)  # the last step: a kill before it leaves what the next run finishes
        self._let_go()

    def close(self, *, keep: bool) -> None:
        """Let go of the files; what is not kept for a later run is removed."""
        if self._is_open and not keep:
            for path in (self.journal, self.partial):
                path.unlink(missing_ok=True)
        self._let_go()

    def _let_go(self) -> None:
        if self._is_open:
            self._is_open = False
            self._log.close()
            os.close(self._file)

    def _take(self, crc: int, rows: Rows) -> None:
        self._crc = crc
        self._in_order = self._in_order and _contiguous(rows) and int(rows[0]) == self._next_row
        self._next_row += len(rows)

    def _read(self, rows: Rows) -> bytes:
        width = self.shape[1] * self.dtype.itemsize
        if _contiguous(rows):
            return os.pread(self._file, len(rows) * width, len(self._header) + int(rows[0]) * width)
        return b"".join(os.pread(self._file, width, len(self._header) + int(row) * width) for row in rows)

    def _read_journal(self) -> list[str]:
        self._passed: list[str] = []
        try:
            lines = self.journal.read_text().split("\n")[:-1]  # a line that was cut off has no end
            with self.partial.open("rb") as stream:
                header = stream.read(len(self._header))
        except OSError:
            return []
        if not lines or lines[0] != self._plan or header != self._header:
            return []
        return lines[1:]

    def _start_journal_again(self) -> None:
        """Only what was verified so far stays in the journal."""
        self._log.close()
        self._log = self.journal.open("w")
        print(self._plan, *self._passed, sep="\n", file=self._log, flush=True)


@contextmanager
def writing(
    shapes: Mapping[str, tuple[int, int]],
    notes: Mapping[str, Mapping[str, Any]],
    *,
    plan: str = "",
    dtype: npt.DTypeLike = np.float32,
) -> Iterator[dict[str, Growing]]:
    """Arrays on disk to be filled batch by batch, which appear in the cache when the block ends without an error.

    After an interrupt or a kill the same call goes on after the last whole batch; after a mistake nothing is kept.

    Parameters
    ----------
    shapes : mapping of str to (int, int)
        Key -> (n_stimuli, n_units).
    notes : mapping of str to mapping
        Key -> what is written beside the checksum and given back by :func:`find`.
    plan : str
        Digest of which rows come in which batch.
    dtype : dtype

    Raises
    ------
    UserError
        Where the disk has no room, before anything is computed.
    """
    folder = home() / "activations"
    growing: dict[str, Growing] = {}
    keep = True
    try:
        folder.mkdir(parents=True, exist_ok=True)
        _forget_abandoned(folder)
        with ExitStack() as opened:
            for key, shape in shapes.items():
                growing[key] = one = Growing(key, shape, dtype, plan)
                opened.callback(lambda one=one: one.close(keep=keep))  # type: ignore[misc]
            try:
                _check_room(folder, sum(one.missing_bytes for one in growing.values()))
                yield growing
                for key, one in growing.items():
                    one.finish(notes[key])
            except (UserError, OSError):
                keep = False
                raise
    except OSError as error:
        raise cannot_write(folder, error) from error


def all_hold(arrays: Mapping[str, Growing], rows: Rows) -> bool:
    """Whether every file has a batch; all move on by one, or all begin to be written here."""
    checksums = {name: one.peek(rows) for name, one in arrays.items()}
    known = {name: crc for name, crc in checksums.items() if crc is not None}
    if len(known) < len(arrays):
        for one in arrays.values():
            one.begin_here()
        return False
    for name, crc in known.items():
        arrays[name].accept(rows, crc)
    return True


def fill(
    arrays: Mapping[str, Growing] | Mapping[str, Held],
    batches: Iterable[tuple[Rows, Mapping[str, Values]]],
    *,
    overlap: bool,
) -> None:
    """Write files, or arrays in memory, batch by batch, the layers side by side.

    Parameters
    ----------
    arrays : mapping of str to Growing or Held
    batches : iterable of (rows, mapping of str to array)
    overlap : bool
        Compute the next batch meanwhile, as a graphics card can; processors would only take time from one another.
    """
    writing: list[Future[None]] = []
    with ThreadPoolExecutor(_WRITERS) as writers:
        for rows, batch in batches:
            _finish(writing)
            writing = [writers.submit(arrays[name].write, rows, values) for name, values in batch.items()]
            if not overlap:
                _finish(writing)
        _finish(writing)


def _finish(writing: Sequence[Future[None]]) -> None:
    for one in writing:
        one.result()


def _check_room(folder: Path, needed: int) -> None:
    free = shutil.disk_usage(folder).free
    if needed > free:
        raise UserError(
            f"the activations would take {needed / 2**30:.1f} GiB and {free / 2**30:.1f} GiB are free in {folder}: "
            "ask for fewer or smaller layers, pool or project them, or point BRODMANN_HOME elsewhere"
        )


def _forget_abandoned(folder: Path) -> None:
    """Remove what an interrupted extraction left and nobody went on with for a week, or will ever go on with."""
    for path in folder.glob("*/.*.partial"):
        with suppress(OSError):
            if time.time() - path.stat().st_mtime > _ABANDONED_S or _was_beside(path):
                path.unlink()
    for path in folder.glob("*/.*.journal"):
        if not path.with_suffix(".partial").exists():
            path.unlink(missing_ok=True)


def _was_beside(partial: Path) -> bool:
    """Whether it is of a process that worked beside another one, and is gone."""
    if partial.stem.count(".") < 2:
        return False
    file = os.open(partial, os.O_RDWR)
    try:
        return locked(file) is True
    finally:
        os.close(file)


def _header(shape: tuple[int, int], dtype: np.dtype[Any]) -> bytes:
    """What stands before the numbers of an ``.npy`` file."""
    from io import BytesIO

    stream = BytesIO()
    about = {"descr": dtype.str, "fortran_order": False, "shape": shape}
    np.lib.format.write_array_header_1_0(stream, about)  # type: ignore[no-untyped-call]
    return stream.getvalue()


def _contiguous(rows: Sequence[int] | Rows) -> bool:
    return (
        len(rows) > 0 and int(rows[-1]) - int(rows[0]) == len(rows) - 1 and bool(np.all(np.diff(rows) == 1))
    )


def _write_all(file: int, view: memoryview, place: int) -> None:
    while len(view):
        written = os.pwrite(file, view, place)
        view, place = view[written:], place + written


def _opened(path: Path) -> tuple[Path, int]:
    """The file that becomes `path`, locked; one of its own for a process beside which another makes the same."""
    while True:
        for beside in ("", f".{os.urandom(4).hex()}"):
            partial = path.with_name(f".{path.stem}{beside}.partial")
            file = os.open(partial, os.O_RDWR | os.O_CREAT, 0o644)
            lock = locked(file)
            if (lock or (lock is None and beside)) and is_still(file, partial):
                return partial, file
            os.close(file)  # of another one, finished meanwhile, or taken for a stray
