"""BOLD as files hold it: volumes (NIfTI), vertices of hemispheres (GIFTI), both in one (CIFTI)."""

import zlib
from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from xml.parsers.expat import ExpatError

import numpy as np
import numpy.typing as npt
import pandas as pd

from ...errors import UserError, first_line, unknown
from ...memory import require

Floats32 = npt.NDArray[np.float32]
Floats = npt.NDArray[np.float64]
CLOSE_MM = 1e-3
"""How far affines may be apart that are the same."""
_BLOCK_BYTES = 1 << 26
_DENSEST = 1040
"""Bytes that a packed byte may unpack to."""
_UNITS = {"sec": 1.0, "msec": 1e-3, "usec": 1e-6}


class BoldImage(ABC):
    """The BOLD of one run: its shape is known, its numbers are read when they are asked for.

    Attributes
    ----------
    path : Path
    n_samples, n_neuroids : int
    tr : float or None
        Seconds from sample to sample by the file's header; None where it does not say.
    tr_has_unit : bool
        Whether the header names the unit.
    """

    path: Path
    n_samples: int
    n_neuroids: int
    tr: float | None = None
    tr_has_unit: bool = False

    @abstractmethod
    def series(self) -> Floats32:
        """An array of shape (n_samples, n_neuroids).

        Raises
        ------
        UserError
            Where the file is damaged.
        """

    @abstractmethod
    def neuroids(self) -> pd.DataFrame:
        """A row a neuroid: where it is."""


@contextmanager
def reading(path: Path, kind: str) -> Iterator[None]:
    """One line for whatever is wrong with an image."""
    from nibabel.filebasedimages import ImageFileError
    from nibabel.spatialimages import HeaderDataError
    from nibabel.wrapstruct import WrapStructError

    try:
        yield
    except UserError:
        raise
    except (
        OSError, EOFError, ValueError, KeyError, IndexError, TypeError, AttributeError, zlib.error, ExpatError,
        ImageFileError, HeaderDataError, WrapStructError, OverflowError,
    ) as error:  # fmt: skip
        raise UserError(f"{path} is not a readable {kind} ({first_line(error)})") from error


def _require(path: Path, n_bytes: int) -> None:
    """Refuse what memory would not hold, before it is read."""
    if n_bytes > _BLOCK_BYTES:
        require(n_bytes, f"reading {path.name}", remedy="take fewer voxels by --mask")


def _check_size(path: Path, image: Any) -> None:
    """Refuse an image that says it holds more than its file can."""
    n_bytes = int(np.prod([float(length) for length in image.shape]) * image.get_data_dtype().itemsize)
    size = path.stat().st_size
    if n_bytes > size * (_DENSEST if path.suffix == ".gz" else 1):
        raise UserError(
            f"{path} is not whole: it says that it holds {n_bytes:,} bytes of numbers, and has {size:,} bytes"
        )


class Volumes(BoldImage):
    """A 4D NIfTI image.

    Attributes
    ----------
    grid : tuple of int
    affine : array of shape (4, 4)
        From voxel indices to mm.
    mask : array of bool
        The voxels that are neuroids, in C order; at first all.
    """

    def __init__(self, path: Path) -> None:
        import nibabel

        self.path = path
        with reading(path, "NIfTI image"):
            image: Any = nibabel.load(path)
            header: Any = image.header
            if not isinstance(image, (nibabel.Nifti1Image, nibabel.Nifti2Image)):
                raise ValueError("it is of another kind")
            if len(image.shape) != 4 or image.shape[3] < 2:
                raise UserError(f"{path} is no series of volumes: its shape is {_shape(image.shape)}")
            _check_size(path, image)
            self.grid: tuple[int, ...] = image.shape[:3]
            self.affine: Floats = np.asarray(image.affine, dtype=np.float64)
            self.n_samples = image.shape[3]
            unit = header.get_xyzt_units()[1]
            step = float(header.get_zooms()[3])
        if not np.isfinite(self.affine).all() or abs(np.linalg.det(self.affine[:3, :3])) < 1e-9:
            raise UserError(f"{path} does not say where its voxels are: its affine cannot be turned around")
        self.tr = step * _UNITS.get(unit, 1.0) if step > 0 else None
        self.tr_has_unit = unit in _UNITS
        _require(path, 8 * int(np.prod(self.grid)))
        self.take(np.ones(self.grid, dtype=bool))

    def take(self, mask: npt.NDArray[np.bool_]) -> None:
        """Let the voxels of a mask be the neuroids."""
        self.mask = mask
        self.n_neuroids = int(mask.sum())

    def series(self) -> Floats32:
        """The series of the voxels of the mask."""
        _require(self.path, 4 * self.n_samples * self.n_neuroids)
        out = np.empty((self.n_samples, self.n_neuroids), np.float32)
        for samples, volumes in self._blocks():
            out[samples] = volumes[self.mask].T
        return out

    def mean(self) -> Floats:
        """The mean over samples, an array of the shape of the grid."""
        total = np.zeros(self.grid)
        for _, volumes in self._blocks():
            total += volumes.sum(axis=3, dtype=np.float64)
        return total / self.n_samples

    def neuroids(self) -> pd.DataFrame:
        """Positions in mm."""
        positions = np.argwhere(self.mask) @ self.affine[:3, :3].T + self.affine[:3, 3]
        return pd.DataFrame(positions, columns=list("xyz"))

    def check_like(self, other: "Volumes") -> None:
        """Refuse an image on another grid.

        Raises
        ------
        UserError
            With what differs.
        """
        check_grid(self.path, self.grid, self.affine, other)

    def _blocks(self) -> Iterator[tuple[slice, npt.NDArray[Any]]]:
        step = max(1, _BLOCK_BYTES // (8 * int(np.prod(self.grid))))
        with reading(self.path, "NIfTI image"), _to_the_end(self.path) as image:
            for start in range(0, self.n_samples, step):
                samples = slice(start, min(start + step, self.n_samples))
                yield samples, np.asanyarray(image.dataobj[..., samples])


@contextmanager
def _to_the_end(path: Path) -> Iterator[Any]:
    """A NIfTI image whose file is read once and to its end, where packed files have their check sum."""
    import nibabel
    from nibabel.openers import ImageOpener

    kind: Any = type(nibabel.load(path))
    with ImageOpener(path) as stream:
        yield kind.from_file_map(kind.make_file_map({"image": stream}))
        while stream.read(1 << 20):
            pass


def check_grid(path: Path, shape: tuple[int, ...], affine: Floats, image: Volumes) -> None:
    """Refuse an image or mask on another grid than that of some BOLD.

    Raises
    ------
    UserError
        With what differs.
    """
    if shape != image.grid:
        raise UserError(
            f"{path} has a grid of {_shape(shape)} voxels and {image.path.name} one of {_shape(image.grid)}"
        )
    apart = float(np.abs(affine - image.affine).max())
    if not apart <= CLOSE_MM:
        raise UserError(
            f"{path} lies elsewhere than {image.path.name}: their affines differ by up to {apart:.4g} mm; bring them "
            "to one grid first"
        )


def read_mask(path: Path, image: Volumes) -> npt.NDArray[np.bool_]:
    """The voxels of a mask on the grid of some BOLD.

    Raises
    ------
    UserError
        For one on another grid, and one without a voxel.
    """
    with reading(path, "NIfTI image"), _to_the_end(path) as stored:
        shape = stored.shape[:3] if stored.shape[3:] in ((), (1,)) else stored.shape
        check_grid(path, shape, np.asarray(stored.affine, dtype=np.float64), image)
        _check_size(path, stored)
        mask: npt.NDArray[np.bool_] = np.asanyarray(stored.dataobj).reshape(shape) > 0
    if not mask.any():
        raise UserError(f"{path} is a mask without a voxel")
    return mask


class Vertices(BoldImage):
    """GIFTI files of one or two hemispheres, with an array a sample.

    Parameters
    ----------
    paths : mapping of str to Path
        By hemisphere, ``L`` and ``R``.
    """

    def __init__(self, paths: Mapping[str, Path]) -> None:
        self.paths = dict(sorted(paths.items()))
        self.path = next(iter(self.paths.values()))
        shapes = {name: self._hemisphere(path).shape for name, path in self.paths.items()}
        lengths = {shape[0] for shape in shapes.values()}
        if len(lengths) > 1:
            raise UserError(
                f"{self.path} has {shapes['L'][0]} samples and its right hemisphere {shapes['R'][0]}"
            )
        self.n_samples = lengths.pop()
        self.n_vertices = {name: shape[1] for name, shape in shapes.items()}
        self.n_neuroids = sum(self.n_vertices.values())
        if self.n_samples < 2:
            raise UserError(f"{self.path} is no series: it holds one sample")

    def series(self) -> Floats32:
        """The series of the left and then of the right vertices."""
        _require(self.path, 8 * self.n_samples * self.n_neuroids)
        return np.concatenate([self._hemisphere(path) for path in self.paths.values()], axis=1)

    def neuroids(self) -> pd.DataFrame:
        """``hemisphere`` and ``vertex``."""
        return pd.concat(
            [
                pd.DataFrame({"hemisphere": name, "vertex": np.arange(n)})
                for name, n in self.n_vertices.items()
            ],
            ignore_index=True,
        )

    def _hemisphere(self, path: Path) -> Floats32:
        import nibabel

        _require(path, 4 * path.stat().st_size)
        with reading(path, "GIFTI image"):
            image: Any = nibabel.load(path)
            if not isinstance(image, nibabel.GiftiImage) or not image.darrays:
                raise ValueError("it holds no array")
            if len({one.data.shape for one in image.darrays}) > 1:
                raise ValueError("its arrays are of unlike lengths")
            arrays = np.array([one.data for one in image.darrays], dtype=np.float32)
        return arrays if arrays.ndim == 2 else arrays.reshape(-1, arrays.shape[-1]).T


class Grayordinates(BoldImage):
    """A CIFTI file of vertices and voxels, ``.dtseries.nii``."""

    def __init__(self, path: Path) -> None:
        import nibabel
        from nibabel.cifti2.cifti2_axes import BrainModelAxis, SeriesAxis

        self.path = path
        with reading(path, "CIFTI image"):
            image: Any = nibabel.load(path)
            header: Any = image.header
            if not isinstance(image, nibabel.Cifti2Image) or len(image.shape) != 2:
                raise ValueError("it is of another kind")
            time, self._brain = header.get_axis(0), header.get_axis(1)
            if not isinstance(time, SeriesAxis) or not isinstance(self._brain, BrainModelAxis):
                raise ValueError("it is no series of vertices and voxels")
            if (len(time), len(self._brain)) != image.shape:
                raise ValueError("its axes and its numbers are of unlike lengths")
            _check_size(path, image)
        self.n_samples, self.n_neuroids = image.shape
        self._taken = slice(0, self.n_neuroids)
        if self.n_samples < 2:
            raise UserError(f"{path} is no series: it holds one sample")
        self.tr_has_unit = time.unit == "SECOND"
        self.tr = float(time.step) if self.tr_has_unit and time.step > 0 else None

    def take(self, region: str) -> None:
        """Let the vertices or voxels of one structure be the neuroids.

        Raises
        ------
        UserError
            For one that is not there.
        """
        structures = {_structure(name): place for name, place, _ in self._brain.iter_structures()}
        if region not in structures:
            raise unknown(f"structure of {self.path.name}", region, structures)
        start, stop, _ = structures[region].indices(len(self._brain))
        self._taken, self.n_neuroids = slice(start, stop), stop - start

    def series(self) -> Floats32:
        """The series of the vertices and voxels, in the order of the file."""
        import nibabel

        _require(self.path, 4 * self.n_samples * self.n_neuroids)
        out = np.empty((self.n_samples, self.n_neuroids), np.float32)
        step = max(1, _BLOCK_BYTES // (8 * self.n_samples))
        with reading(self.path, "CIFTI image"):
            numbers = nibabel.load(self.path).dataobj  # type: ignore[attr-defined]
            for start in range(0, self.n_neuroids, step):  # numbers of one neuroid lie together
                neuroids = slice(start, min(start + step, self.n_neuroids))
                first = self._taken.start
                out[:, neuroids] = np.asanyarray(numbers[:, first + start : first + neuroids.stop])
        return out

    def neuroids(self) -> pd.DataFrame:
        """``region`` (the structure), ``hemisphere``, ``vertex`` (-1: a voxel), positions in mm (NaN: a vertex)."""
        brain = self._brain[self._taken]
        names = [_structure(name) for name in brain.name]
        sides = {"LEFT": "L", "RIGHT": "R"}
        table = pd.DataFrame(
            {
                "region": names,
                "hemisphere": [sides.get(name.rpartition("_")[2], "") for name in names],
                "vertex": np.asarray(brain.vertex, dtype=int),
            }
        )
        positions = np.full((len(table), 3), np.nan)
        inside = ~np.asarray(brain.surface_mask)
        if brain.affine is not None:
            positions[inside] = brain.voxel[inside] @ brain.affine[:3, :3].T + brain.affine[:3, 3]
        table[list("xyz")] = positions
        return table


def _structure(name: Any) -> str:
    return str(name).removeprefix("CIFTI_STRUCTURE_")


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


def _shape(shape: tuple[int, ...]) -> str:
    return " x ".join(map(str, shape))
