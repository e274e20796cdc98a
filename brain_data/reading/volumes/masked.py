"""The voxels of volumes as a table (volume, voxel): looked through once, what is broken left out and counted."""

import os
import shutil
import tempfile
import weakref
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from ....errors import UserError
from ....files import home
from ....progress import track
from ...imported import Computed, Numbers
from .images import Floats, Grid, Image, inside_of, write_image

_IN_MEMORY = 1 << 26
"""Unpacked voxels up to so many bytes stay in memory; more go to a file without a name."""
_NAN, _ZERO = "nothing but NaN", "nothing but 0"


@dataclass(frozen=True)
class Masked:
    """Volumes at the voxels that are kept.

    Attributes
    ----------
    values : Numbers
        (volume, voxel)
    voxels : array of shape (n_voxels, 3)
        Voxel indices, in C order.
    left_out : dict of str to int
    """

    values: Numbers
    voxels: npt.NDArray[np.intp]
    left_out: dict[str, int]


def mask_voxels(mask: Image | None, grid: Grid) -> npt.NDArray[np.intp]:
    """Indices (n, 3) of the voxels of a mask, or of all, in C order."""
    inside = np.ones(grid.shape, bool) if mask is None else inside_of(mask)
    return np.argwhere(inside)


def read_masked(
    images: Sequence[Image], voxels: npt.NDArray[np.intp], taken: npt.NDArray[np.bool_], *, varying: bool
) -> Masked:
    """The volumes of images of one grid at some voxels.

    Every volume is looked at once. What is packed, or in many files, is unpacked by that into a file that has no name
    (or memory, where it is small); one file that is not packed stays where it is.

    Parameters
    ----------
    images : sequence of Image
    voxels : array of shape (n, 3)
    taken : array of bool of shape (n_volumes,)
        The volumes to read, over all images.
    varying : bool
        Whether voxels that never vary are left out, too; for images without a mask.

    Raises
    ------
    UserError
        For volumes that hold nothing, files that are cut off, voxels of which none is left.
    """
    shape, kind = (int(taken.sum()), len(voxels)), np.result_type(*(one.kind for one in images))
    flat = np.ravel_multi_index(tuple(voxels.T), images[0].grid.shape, order="F")
    stays = len(images) == 1 and not images[0].is_packed
    kept_rows = None if stays else room(shape, kind)
    tally = _Tally(len(voxels))
    numbers = np.flatnonzero(taken)
    for row, volume in enumerate(track(_volumes(images, taken), "reading volumes", total=shape[0])):
        values = volume[flat]
        tally.add(values, int(numbers[row]))
        if kept_rows is not None:
            kept_rows[row] = values
    where = images[0].path.name if len(images) == 1 else f"{images[0].path.name} and {len(images) - 1} more"
    columns, left_out = tally.kept(where, varying=varying)
    if kept_rows is None:
        return Masked(_on_disk(images[0], numbers, flat[columns]), voxels[columns], left_out)
    return Masked(_chosen(kept_rows, columns), voxels[columns], left_out)


def good_of(table: npt.NDArray[Any], voxels: npt.NDArray[np.intp], where: str, *, varying: bool) -> Masked:
    """The same of a table (volume, voxel) that is at hand."""
    tally = _Tally(len(voxels))
    for number, row in enumerate(table):
        tally.add(row, number)
    columns, left_out = tally.kept(where, varying=varying)
    return Masked(_chosen(table, columns), voxels[columns], left_out)


def _volumes(images: Sequence[Image], taken: npt.NDArray[np.bool_]) -> Iterator[Floats]:
    place = 0
    for image in images:
        for volume in image.volumes():
            if taken[place]:
                yield volume
            place += 1


def room(shape: tuple[int, int], kind: np.dtype[Any]) -> npt.NDArray[Any]:
    """An empty table, on disk where it is large; the file goes when nobody uses it any more, even after a kill."""
    n_bytes = shape[0] * shape[1] * kind.itemsize
    if n_bytes <= _IN_MEMORY:
        return np.empty(shape, kind)
    place = home()
    place.mkdir(parents=True, exist_ok=True)
    free = shutil.disk_usage(place).free
    if n_bytes > free:
        raise UserError(
            f"unpacking takes {n_bytes / 2**30:.1f} GiB, and {free / 2**30:.1f} GiB are free in {place}: "
            "free some space, or point BRODMANN_HOME elsewhere"
        )
    with tempfile.TemporaryFile(dir=place) as stream:
        stream.truncate(n_bytes)
        if hasattr(os, "posix_fallocate"):  # else a disk that fills up later ends the process
            os.posix_fallocate(stream.fileno(), 0, n_bytes)
        return np.memmap(stream, kind, "r+", 0, shape)


class _Tally:
    """What was seen of each voxel, over the volumes."""

    def __init__(self, n: int) -> None:
        self.n_missing, self.is_zero = np.zeros(n, int), np.ones(n, bool)
        self.low, self.high = np.full(n, np.inf), np.full(n, -np.inf)
        self.n_volumes = 0
        self.empty: dict[str, list[int]] = {_NAN: [], _ZERO: []}

    def add(self, values: Floats, number: int) -> None:
        missing = ~np.isfinite(values)
        self.n_volumes += 1
        self.n_missing += missing
        if missing.all():
            self.empty[_NAN].append(number)
            return
        plain = np.where(missing, 0, values)
        if not plain.any():
            self.empty[_ZERO].append(number)
        self.is_zero &= plain == 0
        np.fmin(self.low, np.where(missing, np.nan, values), out=self.low)
        np.fmax(self.high, np.where(missing, np.nan, values), out=self.high)

    def kept(self, where: str, *, varying: bool) -> tuple[npt.NDArray[np.intp], dict[str, int]]:
        """The places of the voxels to keep, and how many others there are by reason."""
        self._check(where)
        never = self.n_missing == self.n_volumes
        gaps = ~never & (self.n_missing > 0)
        zero = ~never & ~gaps & self.is_zero
        reasons = {
            "voxels without a number (NaN) in any volume": never,
            "voxels without a number (NaN) in some volumes": gaps,
            "voxels that are 0 in every volume": zero,
        }
        if varying:
            reasons["voxels that never vary"] = ~never & ~gaps & ~zero & (self.low == self.high)
        lost = np.any(list(reasons.values()), axis=0)
        left_out = {why: int(one.sum()) for why, one in reasons.items() if one.any()}
        if lost.all():
            why = ", ".join(f"{n} {reason}" for reason, n in left_out.items())
            raise UserError(f"{where}: no voxel is left ({why})")
        return np.flatnonzero(~lost), left_out

    def _check(self, where: str) -> None:
        for what, numbers in self.empty.items():
            if len(numbers) == self.n_volumes:
                raise UserError(f"{where}: every volume holds {what} inside the mask")
            if numbers:
                raise UserError(
                    f"{where}: {len(numbers)} of {self.n_volumes} volumes hold {what} inside the mask (first: volume "
                    f"{numbers[0] + 1}): leave them out by a blank stimulus in the table of trials"
                )


def _on_disk(image: Image, numbers: npt.NDArray[np.intp], flat: npt.NDArray[np.intp]) -> Computed:
    """Of one image that is not packed: volumes and voxels as they are asked for."""

    def get(rows: slice, neuroids: slice) -> Floats:
        volumes, places = numbers[rows], flat[neuroids]
        found = np.empty((len(volumes), len(places)), image.kind)
        for row, volume in enumerate(image.volumes(volumes.tolist())):
            found[row] = volume[places]
        return found

    return Computed((len(numbers), len(flat)), get, image.kind)


def _chosen(held: npt.NDArray[Any], columns: npt.NDArray[np.intp]) -> Numbers:
    if len(columns) == held.shape[1]:
        return held

    def get(rows: slice, neuroids: slice) -> Floats:
        found: Floats = held[rows][:, columns[neuroids]]
        return found

    return Computed((held.shape[0], len(columns)), get, held.dtype)


class WithMask:
    """Values with the mask of exactly their voxels, an image that lasts as long as they do."""

    def __init__(self, values: Numbers, voxels: npt.NDArray[np.intp], like: Image) -> None:
        self._values = values
        folder = Path(tempfile.mkdtemp(prefix="brodmann-mask-"))
        weakref.finalize(self, shutil.rmtree, folder, ignore_errors=True)
        volume = np.zeros(like.grid.shape, np.uint8)
        volume[tuple(voxels.T)] = 1
        self.mask = folder / "mask.nii.gz"
        write_image(self.mask, volume, like, "voxels of the neuroids, in C order")

    @property
    def shape(self) -> tuple[int, ...]:
        """The numbers of volumes and of voxels."""
        return self._values.shape

    @property
    def dtype(self) -> np.dtype[Any]:
        """Of the numbers."""
        return self._values.dtype

    def __getitem__(self, key: Any, /) -> Any:
        return self._values[key]
