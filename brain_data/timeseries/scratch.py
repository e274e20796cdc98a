"""Numbers too many for memory, in a file that goes when nobody has them any more."""

import os
import shutil
import weakref
from contextlib import ExitStack
from math import prod
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from ...errors import UserError
from ...files import cannot_write, home
from ...places import temporary_place


def scratch(shape: tuple[int, ...]) -> tuple["np.memmap[Any, np.dtype[np.float32]]", Path]:
    """Float32 numbers on the disk, NaN at first, and a folder beside them for what belongs to them.

    Both are removed when the numbers are no longer held, at the latest when the process ends; what a kill leaves is
    removed by the next one.

    Raises
    ------
    UserError
        Where the disk has no room for them.
    """
    stack = ExitStack()
    place = home() / "temporary" / "recording"
    n_bytes = max(prod(shape), 1) * 4
    try:
        folder = stack.enter_context(temporary_place(place, is_folder=True))
        free = shutil.disk_usage(folder).free
        if n_bytes > free:
            raise UserError(
                f"the responses take {n_bytes / 2**30:.1f} GiB in {place.parent} and {free / 2**30:.1f} GiB are free: "
                "take fewer subjects, runs or voxels, or point BRODMANN_HOME elsewhere"
            )
        path = folder / "responses"
        with path.open("wb") as stream:
            if hasattr(os, "posix_fallocate"):
                os.posix_fallocate(
                    stream.fileno(), 0, n_bytes
                )  # a full disk is an error here, and a crash later
            else:
                stream.truncate(n_bytes)
        values: Any = np.memmap(path, np.float32, "r+", shape=shape)
    except OSError as error:
        stack.close()
        raise cannot_write(place, error) from error
    except BaseException:
        stack.close()
        raise
    weakref.finalize(values, stack.close)
    fill_with_nan(values)
    return values, folder


def fill_with_nan(values: npt.NDArray[np.float32]) -> None:
    """A block of rows at a time."""
    step = max(1, (1 << 24) // max(prod(values.shape[1:]) * 4, 1))
    for start in range(0, len(values), step):
        values[start : start + step] = np.nan
