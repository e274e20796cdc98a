"""NIfTI images as files: their header checked before anything is allocated, their volumes one at a time."""

import gzip
import zlib
from collections.abc import Iterable, Iterator
from contextlib import closing
from dataclasses import dataclass
from math import prod
from pathlib import Path
from typing import IO, Any, cast

import numpy as np
import numpy.typing as npt

from ....bounded import check_ends, require_for
from ....errors import UserError, first_line

Floats = npt.NDArray[np.floating[Any]]

SUFFIXES = (".nii", ".nii.gz")
SAME_PLACE = 1e-3
"""Affines that differ by no more than this, in mm, are the same."""
_OFF = 0.05
"""Of a voxel: as far may a neuroid's position be from a voxel's."""
_LONGEST_HEADER = 540
_LARGE, _DENSEST = 1 << 28, 200
"""From this many bytes on, a file that is packed more than so many times is no recording."""
_SPARE = 1 << 24
_TO_MM = {"unknown": 1.0, "mm": 1.0, "meter": 1e3, "micron": 1e-3}
_TO_S = {"unknown": 1.0, "sec": 1.0, "msec": 1e-3, "usec": 1e-6}
_OF_CIFTI = range(3000, 3100)
_MNI, _TALAIRACH = 4, 3
_LONGEST_OF_1 = 32767
"""Volumes that NIfTI-1 can count."""


@dataclass(frozen=True)
class Grid:
    """The voxels of a volume, and where they are.

    Attributes
    ----------
    shape : tuple of int
        (x, y, z)
    affine : array of shape (4, 4)
        From voxel indices to mm.
    """

    shape: tuple[int, int, int]
    affine: npt.NDArray[np.float64]

    def places(self, voxels: npt.NDArray[np.intp]) -> npt.NDArray[np.float64]:
        """Positions in mm, ``(n, 3)``, of voxels by their indices, ``(n, 3)``."""
        found: npt.NDArray[np.float64] = voxels @ self.affine[:3, :3].T + self.affine[:3, 3]
        return found

    def voxels(self, places: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
        """Voxel indices, not rounded, of positions in mm."""
        back: npt.NDArray[np.float64] = np.linalg.inv(self.affine)
        found: npt.NDArray[np.float64] = places @ back[:3, :3].T + back[:3, 3]
        return found


@dataclass(frozen=True)
class Image:
    """A NIfTI image of which only the header was read.

    Attributes
    ----------
    path : Path
    grid : Grid
    n_volumes : int
    tr : float
        Seconds from volume to volume, as the header says; 0 where it says nothing.
    space : str
        ``MNI152`` or ``Talairach``, where the header says that its mm are of that space.
    placed : bool
        Whether the header says at all where the voxels are.
    timed : bool
        Whether the header names the unit of its TR.
    dtype, slope, inter, before
        How a number is stored, what it is scaled by, and where the first one is.
    """

    path: Path
    grid: Grid
    n_volumes: int
    tr: float
    space: str
    placed: bool
    dtype: np.dtype[Any]
    slope: float | None
    inter: float
    before: int
    timed: bool = False

    @property
    def is_packed(self) -> bool:
        """Whether it must be unpacked to be read."""
        return self.path.name.lower().endswith(".gz")

    @property
    def n_voxels(self) -> int:
        """Of one volume."""
        return prod(self.grid.shape)

    @property
    def kind(self) -> np.dtype[Any]:
        """Of the numbers once they are scaled."""
        is_small = self.dtype.itemsize <= (4 if self.dtype.kind == "f" else 2)
        return np.dtype(np.float32 if is_small else np.float64)

    def scaled(self, stored: npt.NDArray[Any]) -> Floats:
        """What stored numbers mean."""
        if self.slope is None:
            return stored.astype(self.kind)
        return (stored * np.float64(self.slope) + self.inter).astype(self.kind)

    def volumes(self, numbers: Iterable[int] | None = None) -> Iterator[Floats]:
        """Each volume in turn, (voxel,), with x the fastest; or some, by number, of an image that is not packed.

        Raises
        ------
        UserError
            Where the file ends too early, or is damaged.
        """
        n_bytes = self.n_voxels * self.dtype.itemsize
        with closing(_opened(self.path)) as stream:
            try:
                stream.seek(self.before)
                for number in range(self.n_volumes) if numbers is None else numbers:
                    if numbers is not None:
                        stream.seek(self.before + int(number) * n_bytes)
                    raw = stream.read(n_bytes)
                    if len(raw) < n_bytes:
                        raise UserError(
                            f"{self.path} ends within volume {number + 1} of {self.n_volumes}: it is cut off, "
                            "copy it again"
                        )
                    yield self.scaled(np.frombuffer(raw, self.dtype))
                if (
                    self.is_packed and len(stream.read(_SPARE)) == _SPARE
                ):  # at its end the checksum is looked at
                    raise UserError(f"{self.path} holds more than its header says: refused; save it again")
            except (OSError, EOFError, zlib.error) as error:
                raise UserError(f"{self.path} is damaged ({_said(error)}): copy it again") from error

    def volume(self) -> Floats:
        """The only volume, (x, y, z)."""
        if self.n_volumes != 1:
            raise UserError(f"{self.path} has {self.n_volumes} volumes: one is needed here")
        (only,) = self.volumes()
        return only.reshape(self.grid.shape, order="F")


def is_image(path: Path) -> bool:
    """Whether a file is a NIfTI image of volumes, by its name and its first bytes."""
    if not path.name.lower().endswith(SUFFIXES) or not path.is_file():
        return False
    try:
        header = _header(_head(path))
    except (OSError, EOFError, zlib.error, ValueError):
        return True  # it is named as one: the reader says what is wrong with it
    return int(header["intent_code"]) not in _OF_CIFTI


def open_image(path: Path) -> Image:
    """A NIfTI image; its numbers stay where they are.

    Raises
    ------
    UserError
        For anything else, and for one whose numbers could not be as many as its header says.
    """
    from nibabel.spatialimages import HeaderDataError

    try:
        if not path.name.lower().endswith(SUFFIXES):
            raise ValueError("it is named neither .nii nor .nii.gz")
        check_ends(path)
        header = _header(_head(path))
        image = _of_header(path, header)
    except (OSError, EOFError, ValueError, TypeError, zlib.error, HeaderDataError) as error:
        if isinstance(error, UserError):
            raise
        raise UserError(f"{path} is not a readable NIfTI image ({_said(error)})") from error
    _check_size(image)
    return image


def check_grid(image: Image, grid: Grid, of: str, *, remedy: str = "") -> None:
    """Raise a UserError unless an image has the voxels of another one, named `of`."""
    hint = f": {remedy}" if remedy else ""
    if image.grid.shape != grid.shape:
        raise UserError(
            f"{image.path.name} is of shape {_by(image.grid.shape)}, and {of} of {_by(grid.shape)}{hint}"
        )
    apart = float(np.abs(image.grid.affine - grid.affine).max())
    if not apart <= SAME_PLACE:
        raise UserError(
            f"{image.path.name} lies elsewhere than {of}: their affines differ by up to {apart:.4g}{hint}"
        )


def inside_of(image: Image) -> npt.NDArray[np.bool_]:
    """The voxels of a mask, (x, y, z).

    Raises
    ------
    UserError
        For an image that is no mask, or an empty one.
    """
    values = image.volume()
    if np.isnan(values).any():
        values = np.nan_to_num(values)
    kinds = np.unique(values)
    if len(kinds) > 2 or (len(kinds) == 2 and 0 not in kinds):
        what = "cut it off somewhere first" if (kinds % 1).any() else "regions by number are given by --atlas"
        raise UserError(
            f"{image.path.name} holds {len(kinds)} different numbers, and a mask only 0 and another: {what}"
        )
    inside: npt.NDArray[np.bool_] = values != 0
    if not inside.any():
        raise UserError(f"{image.path.name} is an empty mask: no voxel of it is above 0")
    return inside


def voxels_at(image: Image, places: npt.NDArray[np.float64]) -> tuple[npt.NDArray[np.intp], ...]:
    """The voxel (x, y, z) of a mask at each position in mm.

    Raises
    ------
    UserError
        For a position where there is none, and for two of one voxel.
    """
    exact = image.grid.voxels(places)
    with np.errstate(invalid="ignore"):
        nearest = np.rint(exact).astype(np.intp)
        off = ~(np.abs(exact - nearest).max(axis=1) <= _OFF)
    held = ((nearest >= 0) & (nearest < image.grid.shape)).all(axis=1) & ~off
    inside = inside_of(image)
    held[held] = inside[tuple(nearest[held].T)]
    if not held.all():
        first = ", ".join(f"{one:g}" for one in places[int((~held).argmax())])
        raise UserError(
            f"{int((~held).sum())} of {len(places)} neuroids lie on no voxel of {image.path.name} (first: at {first} "
            "mm): is it their mask?"
        )
    if len(np.unique(nearest, axis=0)) < len(nearest):
        raise UserError(f"several neuroids lie on one voxel of {image.path.name}: is it their mask?")
    return tuple(nearest.T)


def write_image(path: Path, volume: npt.NDArray[Any], like: Image, words: str = "") -> None:
    """Write a volume (x, y, z) on the voxels of another image, whole or not at all."""
    write_volumes(path, [volume], like, volume.dtype, words=words)


def write_volumes(
    path: Path,
    volumes: Iterable[npt.NDArray[Any]],
    like: Image,
    kind: np.dtype[Any],
    n: int = 0,
    words: str = "",
) -> None:
    """Write volumes (x, y, z) one after the other on the voxels of another image, whole or not at all.

    Parameters
    ----------
    path : Path
        ``.nii`` or ``.nii.gz``.
    volumes : iterable of array
    like : Image
    kind : dtype
        Of the numbers.
    n : int
        How many there are; 0 for one that has no fourth dimension.
    words : str
        What they are.
    """
    from ....places import temporary_place

    shape = (*like.grid.shape, *((n,) if n else ()))
    with temporary_place(path) as temporary:
        with temporary.open("wb") as plain, closing(_packed(plain, path)) as stream:
            stream.write(_header_of(shape, kind, like, words))
            for volume in volumes:
                stream.write(np.asarray(volume, kind).tobytes(order="F"))
        temporary.chmod(0o644)
        temporary.replace(path)


def _packed(plain: IO[bytes], path: Path) -> IO[bytes]:
    """What takes bytes and packs them, where the name says so; the same bytes make the same file."""
    if not path.name.lower().endswith(".gz"):
        return plain
    return cast("IO[bytes]", gzip.GzipFile("", "wb", 6, plain, 0))


def _header_of(shape: tuple[int, ...], kind: np.dtype[Any], like: Image, words: str) -> bytes:
    import nibabel

    made: Any = nibabel.Nifti1Header if max(shape) <= _LONGEST_OF_1 else nibabel.Nifti2Header
    header = made()
    header.set_data_shape(shape)
    header.set_data_dtype(kind)
    code = {"MNI152": _MNI, "Talairach": _TALAIRACH}.get(like.space, 2 if like.placed else 0)
    header.set_sform(like.grid.affine, code=code)
    header.set_qform(like.grid.affine, code=code, strip_shears=True)
    header.set_xyzt_units("mm")
    header["descrip"] = words.encode("ascii", "replace")[:79]
    header["magic"] = header.single_magic
    header["vox_offset"] = header.single_vox_offset
    return bytes(header.binaryblock) + bytes(4)


def _opened(path: Path) -> IO[bytes]:
    return cast("IO[bytes]", gzip.open(path)) if path.name.lower().endswith(".gz") else path.open("rb")


def _head(path: Path) -> bytes:
    with closing(_opened(path)) as stream:
        return stream.read(_LONGEST_HEADER)


def _header(head: bytes) -> Any:
    import nibabel

    for kind, magic in ((nibabel.Nifti1Header, head[344:348]), (nibabel.Nifti2Header, head[4:8])):
        if magic == kind.single_magic + b"\0" and len(head) >= kind.sizeof_hdr:
            made: Any = kind
            return made(head[: kind.sizeof_hdr], check=False)
    if head[344:348] == b"ni1\0":
        raise ValueError("it is half of a pair of .hdr and .img: save it as one .nii")
    raise ValueError("it does not begin as one")


def _of_header(path: Path, header: Any) -> Image:
    if int(header["intent_code"]) in _OF_CIFTI:
        raise ValueError("it is CIFTI, of surfaces, and not of volumes")
    shape = [int(length) for length in header.get_data_shape()]
    while len(shape) > 3 and shape[-1] == 1:
        shape.pop()
    if len(shape) not in (3, 4):
        raise UserError(
            f"{path.name} has {len(shape)} dims ({_by(shape)}): 3 are needed, or 4 with trials or samples in the last"
        )
    if min(shape) < 1:
        raise ValueError(f"its header is damaged: shape {_by(shape)}")
    try:
        dtype = np.dtype(header.get_data_dtype())
    except (KeyError, TypeError):
        raise ValueError(f"numbers of kind {header['datatype']} are not known") from None
    if dtype.kind not in "iuf":
        raise ValueError("its numbers are colors or complex")
    before = float(header["vox_offset"]) or float(header.sizeof_hdr + 4)
    affine = np.asarray(header.get_best_affine(), np.float64)
    across, along = _units(header)
    affine[:3] *= _TO_MM.get(across, 1.0)
    if not np.isfinite(affine).all() or abs(np.linalg.det(affine[:3, :3])) < 1e-12:
        raise ValueError("its affine is damaged: voxels of no size")
    if not header.sizeof_hdr <= before < 1 << 62:
        raise ValueError("its header is damaged: numbers begin nowhere")
    slope, inter = header.get_slope_inter()
    codes = (int(header["sform_code"]), int(header["qform_code"]))
    code = codes[0] or codes[1]
    step = float(header["pixdim"][4]) * _TO_S.get(along, 0.0)
    return Image(
        path=path,
        grid=Grid((shape[0], shape[1], shape[2]), affine),
        n_volumes=shape[3] if len(shape) == 4 else 1,
        tr=step if np.isfinite(step) else 0.0,
        space={_MNI: "MNI152", _TALAIRACH: "Talairach"}.get(code, ""),
        placed=bool(code),
        dtype=dtype,
        slope=None if slope is None or (slope == 1 and not inter) else float(slope),
        inter=float(inter or 0.0),
        before=int(before),
        timed=along in _TO_S and along != "unknown",
    )


def _units(header: Any) -> tuple[str, str]:
    try:
        across, along = header.get_xyzt_units()
    except KeyError:
        raise ValueError(f"its header is damaged: units {int(header['xyzt_units'])} are not known") from None
    return str(across), str(along)


def _check_size(image: Image) -> None:
    """Raise a UserError where a file does not hold what its header says, or packs more than any recording does."""
    stored = image.before + image.n_voxels * image.n_volumes * image.dtype.itemsize
    size = image.path.stat().st_size
    if not image.is_packed and size < stored:
        raise UserError(
            f"{image.path} is cut off: its header says {stored:,} bytes, and it has {size:,}; copy it again"
        )
    if image.is_packed and stored > _LARGE and stored > _DENSEST * size:
        raise UserError(
            f"{image.path} would unpack from {size:,} to {stored:,} bytes, which no recording does: refused; "
            "unpack it yourself (gunzip) if you trust it"
        )
    require_for(image.path, 3 * image.n_voxels * 8)


def _said(error: BaseException) -> str:
    if isinstance(error, EOFError):
        return "it is cut off"
    return first_line(error)


def _by(shape: Any) -> str:
    return " x ".join(map(str, shape))
