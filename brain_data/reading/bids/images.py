"""BOLD as files of BIDS hold it: volumes (NIfTI), vertices of hemispheres (GIFTI), both in one (CIFTI)."""

from abc import ABC, abstractmethod
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import numpy.typing as npt

from ....errors import UserError
from ....memory import require
from ...imported import Numbers
from ..surfaces.cifti import open_cifti, read_rows
from ..surfaces.gifti_arrays import open_samples, side_inside
from ..volumes.images import Grid, Image, check_grid, open_image

Floats32 = npt.NDArray[np.float32]
Floats = npt.NDArray[np.float64]
Places = npt.NDArray[np.intp]
_BLOCK_BYTES = 1 << 26


class BoldImage(ABC):
    """The BOLD of one run: its shape is known, its numbers are read when they are asked for.

    Attributes
    ----------
    path : Path
    shape : tuple of int
        (samples, places): voxels in C order, or vertices and voxels in the order of the file.
    tr : float or None
        Seconds from sample to sample by the file's header; None where it does not say.
    tr_has_unit : bool
        Whether the header names the unit.
    """

    path: Path
    shape: tuple[int, int]
    tr: float | None = None
    tr_has_unit: bool = False

    @property
    def n_samples(self) -> int:
        """Samples in time."""
        return self.shape[0]

    def series(self, places: Places) -> Floats32:
        """The series of some places, an array of shape (n_samples, len(places)).

        Raises
        ------
        UserError
            Where the file is damaged, or memory would not hold them.
        """
        n_bytes = 4 * self.n_samples * len(places)
        if n_bytes > _BLOCK_BYTES:
            require(n_bytes, f"reading {self.path.name}", remedy="take fewer voxels by --mask or --atlas")
        return self._series(places)

    @abstractmethod
    def _series(self, places: Places) -> Floats32: ...


class Volumes(BoldImage):
    """A 4D NIfTI image.

    Attributes
    ----------
    image : Image
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.image: Image = open_image(path)
        if self.image.n_volumes < 2:
            raise UserError(f"{path} is no series of volumes: it holds one")
        self.shape = self.image.n_volumes, self.image.n_voxels
        self.tr_has_unit = self.image.timed
        self.tr = self.image.tr or None

    @property
    def grid(self) -> Grid:
        """Its voxels."""
        return self.image.grid

    def _series(self, places: Places) -> Floats32:
        flat = np.ravel_multi_index(np.unravel_index(places, self.grid.shape), self.grid.shape, order="F")
        found = np.empty((self.n_samples, len(places)), np.float32)
        for row, volume in enumerate(self.image.volumes()):
            found[row] = volume[flat]
        return found

    def mean(self) -> Floats:
        """The mean over samples, (x, y, z)."""
        total = np.zeros(self.image.n_voxels)
        for volume in self.image.volumes():
            total += volume
        return (total / self.n_samples).reshape(self.grid.shape, order="F")

    def check_like(self, first: "Volumes") -> None:
        """Refuse an image on another grid.

        Raises
        ------
        UserError
            With what differs.
        """
        check_grid(self.image, first.grid, first.path.name, remedy="bring the runs to one grid first")


class Vertices(BoldImage):
    """GIFTI files of one or two hemispheres, with an array a sample.

    Attributes
    ----------
    counts : dict of str to int
        Hemisphere -> vertices, the left one first.
    """

    def __init__(self, paths: Mapping[str, Path]) -> None:
        for side, path in paths.items():
            if side_inside(path) not in (None, side):
                raise UserError(
                    f"{path.name} is {side} by its name, and of the other hemisphere by what it says inside"
                )
        self._sides: dict[str, Numbers] = {side: open_samples(paths[side]) for side in sorted(paths)}
        self.path = paths[min(paths)]
        lengths = {side: one.shape[0] for side, one in self._sides.items()}
        if len(set(lengths.values())) > 1:
            raise UserError(
                f"{self.path} has {lengths['L']} samples and that of the right hemisphere {lengths['R']}"
            )
        self.counts = {side: one.shape[1] for side, one in self._sides.items()}
        self.shape = next(iter(lengths.values())), sum(self.counts.values())
        if self.n_samples < 2:
            raise UserError(f"{self.path} is no series: it holds one sample")

    def _series(self, places: Places) -> Floats32:
        found = np.empty((self.n_samples, len(places)), np.float32)
        start = 0
        for numbers in self._sides.values():
            n = numbers.shape[1]
            here = (places >= start) & (places < start + n)
            for row in range(self.n_samples):
                found[row, here] = numbers[row : row + 1, 0:n][0, places[here] - start]
            start += n
        return found


class Grayordinates(BoldImage):
    """A CIFTI file of vertices and voxels, ``.dtseries.nii``."""

    def __init__(self, path: Path) -> None:
        from nibabel.cifti2.cifti2_axes import BrainModelAxis, SeriesAxis

        self.path = path
        image, time, self.brain = open_cifti(path)
        if not isinstance(time, SeriesAxis) or not isinstance(self.brain, BrainModelAxis):
            raise UserError(f"{path} is no series of vertices and voxels (.dtseries.nii)")
        self._numbers = read_rows(image, path)
        self.shape = image.shape[0], image.shape[1]
        if self.n_samples < 2:
            raise UserError(f"{path} is no series: it holds one sample")
        self.tr_has_unit = time.unit == "SECOND"
        self.tr = float(time.step) if self.tr_has_unit and time.step > 0 else None

    def _series(self, places: Places) -> Floats32:
        found = np.empty((self.n_samples, len(places)), np.float32)
        step = max(1, _BLOCK_BYTES // (4 * self.n_samples))
        for start in range(0, self.shape[1], step):  # the numbers of one place lie together
            here = (places >= start) & (places < start + step)
            if here.any():
                block = self._numbers[0 : self.n_samples, start : min(start + step, self.shape[1])]
                found[:, here] = block[:, places[here] - start]
        return found


def open_bold(files: Mapping[str, Path]) -> BoldImage:
    """The image of a run, by the ending of its name.

    Parameters
    ----------
    files : mapping of str to Path
        By hemisphere; one that is not of a hemisphere under any name.
    """
    path = next(iter(files.values()))
    if path.name.endswith(".func.gii"):
        return Vertices(files)
    return Grayordinates(path) if path.name.endswith(".dtseries.nii") else Volumes(path)
