"""The activations cache: one array file a layer, whole, verified when it is opened."""

import json
import os
import shutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from ..errors import UserError
from ..files import cannot_write, home, sha256_file, write_json

Values = npt.NDArray[np.float32]


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
        notes = json.loads(sidecar.read_bytes())
        known = notes["sha256"]
    except (ValueError, KeyError, TypeError):
        return None
    status = path.stat()
    if _digest(path, status.st_mtime_ns, status.st_size) != known:
        return None
    values: Values = np.load(path, mmap_mode="r", allow_pickle=False)
    return values, notes


@lru_cache(maxsize=1024)
def _digest(path: Path, _modified: int, _size: int) -> str:
    return sha256_file(path)


@contextmanager
def writing(
    shapes: Mapping[str, tuple[int, int]], notes: Mapping[str, Mapping[str, Any]]
) -> Iterator[dict[str, Values]]:
    """Arrays on disk to be filled row by row, which appear in the cache when the block ends without an error.

    Parameters
    ----------
    shapes : mapping of str to (int, int)
        Key -> (n_stimuli, n_units).
    notes : mapping of str to mapping
        Key -> what is written beside the checksum and given back by :func:`find`.

    Raises
    ------
    UserError
        Where the disk has no room, before anything is computed.
    """
    needed = 4 * sum(rows * columns for rows, columns in shapes.values())
    folder = home() / "activations"
    partial = {key: path_of(key).with_name(f".{key}.{os.getpid()}.partial") for key in shapes}
    try:
        folder.mkdir(parents=True, exist_ok=True)
        free = shutil.disk_usage(folder).free
        if needed > free:
            raise UserError(
                f"the activations would take {needed / 2**30:.1f} GiB and {free / 2**30:.1f} GiB are free in {folder}: "
                "ask for fewer or smaller layers, or point BRODMANN_HOME elsewhere"
            )
        arrays = {}
        for key, shape in shapes.items():
            partial[key].parent.mkdir(parents=True, exist_ok=True)
            arrays[key] = np.lib.format.open_memmap(partial[key], "w+", np.float32, shape)  # type: ignore[no-untyped-call]
        yield arrays
        for key, array in arrays.items():
            array.flush()
            with partial[key].open("rb") as stream:
                os.fsync(stream.fileno())
            path = path_of(key)
            path.with_suffix(".json").unlink(missing_ok=True)
            digest = sha256_file(partial[key])
            partial[key].replace(path)
            write_json(
                path.with_suffix(".json"), {**notes[key], "sha256": digest, "shape": list(shapes[key])}
            )
    except OSError as error:
        raise cannot_write(folder, error) from error
    finally:
        for path in partial.values():
            with suppress(OSError):  # whatever stopped the writing is already being reported
                path.unlink(missing_ok=True)
