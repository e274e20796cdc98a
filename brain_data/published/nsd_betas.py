"""The betas of the Natural Scenes Dataset as they are stored: a file a session, two on a surface."""

from collections.abc import Callable
from functools import lru_cache, partial
from math import prod
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from ...errors import UserError
from ..reading.arrays.hdf5_nodes import stored_array
from .arrays import Floats, from_image, hdf5, opened_image, steps

N_TRIALS, _SCALE = 750, 300
_KEPT = 128 << 20


def trial_shape(path: Path, n_dims: int) -> tuple[int, ...]:
    """The shape of one trial of a file, x first.

    Raises
    ------
    UserError
        For another number of dimensions or trials.
    """
    if path.name.endswith(".hdf5"):
        with hdf5(path) as file:
            if "betas" not in file:
                raise UserError(f"{path} holds {', '.join(file) or 'nothing'}, not 'betas'")
            shape = tuple(stored_array(file, "betas", (n_dims + 1,)).shape[::-1])
    else:
        image = opened_image(path)
        shape = tuple(image.shape)
        if n_dims == 1:
            shape = (shape[0], *shape[3:])
    if len(shape) != n_dims + 1 or shape[-1] != N_TRIALS:
        n_trials = shape[-1] if len(shape) == n_dims + 1 else 0
        raise UserError(f"{path} has {n_trials} trials (shape {shape}): a session of NSD has {N_TRIALS}")
    return shape[:-1]


def reader(
    files: list[Path], on_surface: bool, flat: npt.NDArray[np.int64], shape: tuple[int, ...]
) -> Callable[[int, int], Floats]:
    """``read(first, last)`` of a session; one that is small enough stays in memory until the next is read."""
    if on_surface:
        sizes = [trial_shape(path, 1)[0] for path in files]
        if sum(sizes) != shape[0]:
            raise UserError(
                f"{files[0]} has {sum(sizes)} vertices with its other hemisphere, the others {shape[0]}"
            )
        parts = [flat[flat < sizes[0]], flat[flat >= sizes[0]] - sizes[0]]

        def plain(first: int, last: int) -> Floats:
            read = [_of_surface(*one, first, last) for one in zip(files, parts, strict=True)]
            return np.concatenate(read, axis=1)
    else:
        if (found := trial_shape(files[0], 3)) != shape:
            raise UserError(f"{files[0]} has shape {found}, the first session {shape}: another space")
        plain = partial(_of_volume, files[0], np.stack(np.unravel_index(flat, shape)))
    if N_TRIALS * len(flat) * 4 > _KEPT:
        return plain
    return lambda first, last: _whole(plain)[first:last]


@lru_cache(maxsize=1)
def _whole(plain: Callable[[int, int], Floats]) -> Floats:
    return plain(0, N_TRIALS)


def _percent(values: npt.NDArray[Any]) -> Floats:
    """Whole numbers are 300 times the percent signal change."""
    return values.astype(np.float32) / (_SCALE if values.dtype.kind in "iu" else 1)


def _of_volume(path: Path, at: npt.NDArray[np.int64], first: int, last: int) -> Floats:
    """Rows first to last of (trial, place), through the least box that holds the places."""
    low, high = at.min(axis=1), at.max(axis=1) + 1
    inside = tuple(at - low[:, None])
    box = tuple(slice(int(a), int(b)) for a, b in zip(low, high, strict=True))
    taken = np.empty((last - first, at.shape[1]), np.float32)
    each = prod(int(one) for one in high - low) * 4
    if path.name.endswith(".hdf5"):
        with hdf5(path) as file:
            stored = stored_array(file, "betas", (4,))
            for start, stop in steps(first, last, each):
                block = stored[(slice(start, stop), *box[::-1])].transpose(0, 3, 2, 1)
                taken[start - first : stop - first] = _percent(block[(slice(None), *inside)])
        return taken
    image = opened_image(path)
    for start, stop in steps(first, last, each):
        block = from_image(image, *box, slice(start, stop))
        taken[start - first : stop - first] = _percent(block[inside].T)
    return taken


def _of_surface(path: Path, vertices: npt.NDArray[np.int64], first: int, last: int) -> Floats:
    taken = np.empty((last - first, len(vertices)), np.float32)
    for start, stop in steps(first, last, trial_shape(path, 1)[0] * 4):
        if path.name.endswith(".hdf5"):
            with hdf5(path) as file:
                block = stored_array(file, "betas", (2,))[start:stop].T
        else:
            block = from_image(opened_image(path), slice(None), slice(None), slice(None), slice(start, stop))[
                :, 0, 0
            ]
        taken[start - first : stop - first] = _percent(block[vertices].T)
    return taken
