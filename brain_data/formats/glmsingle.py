"""Single-trial betas as GLMsingle writes them: HDF5 of its Python, v7.3 of its MATLAB."""

from dataclasses import dataclass
from math import prod
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from ...errors import UserError, first_line
from ..imported import Imported, Numbers, ReadOptions
from ..reading.arrays.hdf5_nodes import stored_array
from ..reading.tables.table import needed_file
from ..reading.tables.trials import shown_in, subject_of
from ..reading.volumes.atlases import regions_of
from ..reading.volumes.condition_order import GLMSINGLE_FILE, trials_of
from ..reading.volumes.images import Grid, Image, inside_of, open_image
from ..reading.volumes.masked import Masked, WithMask, good_of, room
from ..reading.volumes.voxels import neuroids_of, space_of
from .recording import RecordingFormat, add_recording_format

if TYPE_CHECKING:
    import h5py

_BEST = "TYPED"
_PYTHON, _MATLAB = "betasmd", "modelmd"
_BLOCK = 1 << 26
_WHICH = "TYPED_FITHRF_GLMDENOISE_RR is its best"


@add_recording_format
class GLMsingle(RecordingFormat):
    """GLMsingle's folder of results, or one of its files: ``TYPED_*.hdf5`` (Python) or ``.mat`` v7.3 (MATLAB).

    In Python's files ``betasmd`` is (x, y, z, trial). MATLAB's ``modelmd`` is read as the same transposed, and its
    ``stimorder`` as counted from 1, by its documentation: no such file was at hand here. Both are checked against
    the table of trials and the mask.
    """

    name = "glmsingle"
    takes = (
        "events", "stimulus_column", "stimuli", "mask", "atlas", "labels", "region", "resample", "subject", "array",
        "space", "units",
    )  # fmt: skip

    def recognizes(self, path: Path) -> bool:
        """A file named as GLMsingle names them, or a folder with one."""
        if path.is_dir():
            return any(GLMSINGLE_FILE.fullmatch(one.name) and one.is_file() for one in path.iterdir())
        return path.is_file() and GLMSINGLE_FILE.fullmatch(path.name) is not None

    def read(self, path: Path, options: ReadOptions) -> Imported:
        """Betas in the order of the trials, at the voxels of the mask."""
        import h5py

        folder = path if path.is_dir() else path.parent
        chosen, said = _file(path, options.array)
        try:
            with h5py.File(chosen, "r") as file:
                return _read(_betas(file, chosen), chosen, folder, options, said)
        except UserError:
            raise
        except (OSError, RuntimeError, KeyError, ValueError, TypeError) as error:  # what h5py says of damage
            raise UserError(
                f"{chosen} is not a readable HDF5 file ({first_line(error)}): copy it again"
            ) from error


@dataclass(frozen=True)
class _Betas:
    """The array of betas in its file.

    Attributes
    ----------
    array : h5py.Dataset
    is_matlab : bool
        Then it is (trial, z, y, x), else (x, y, z, trial).
    beside : mapping of str to h5py.Dataset
        One number a voxel.
    """

    array: "h5py.Dataset"
    is_matlab: bool
    beside: "dict[str, h5py.Dataset]"

    @property
    def n_trials(self) -> int:
        return int(self.array.shape[0 if self.is_matlab else -1])

    @property
    def shape(self) -> tuple[int, ...]:
        """Of a volume, as GLMsingle was given it."""
        return tuple(self.array.shape[:0:-1] if self.is_matlab else self.array.shape[:-1])

    def fill(self, table: npt.NDArray[Any], flat: npt.NDArray[np.intp]) -> None:
        """Put the betas of some voxels (places in C order) into a table (trial, voxel), a block at a time."""
        if self.is_matlab:
            for trial in range(self.n_trials):
                table[trial] = np.asarray(self.array[trial]).T.ravel()[flat]
            return
        each = max(1, prod(self.shape[1:]))
        step = max(1, _BLOCK // max(1, each * self.n_trials * self.array.dtype.itemsize))
        for start in range(0, self.shape[0], step):
            first, last = np.searchsorted(flat, (start * each, min(start + step, self.shape[0]) * each))
            if first < last:
                block = self.array[start : start + step].reshape(-1, self.n_trials)
                table[:, first:last] = block[flat[first:last] - start * each].T

    def map_of(self, name: str, flat: npt.NDArray[np.intp]) -> npt.NDArray[np.float64] | None:
        """One number a voxel, where the file has it."""
        stored = self.beside.get(name)
        if stored is None:
            return None
        values = np.asarray(stored[()], np.float64)
        return (values.T if self.is_matlab else values).ravel()[flat]


def _file(path: Path, wanted: str | None) -> tuple[Path, list[str]]:
    """The file of betas that was asked for, else the best of a folder."""
    if path.is_file():
        found = [path]
    else:
        found = sorted(one for one in path.iterdir() if GLMSINGLE_FILE.fullmatch(one.name) and one.is_file())
    readable = [one for one in found if one.suffix.lower() != ".npy"]
    if not readable:
        raise UserError(
            f"{found[0]} is a pickled dictionary, which may run any code: refused; run GLMsingle with wanthdf5 = 1"
        )
    if wanted is not None:
        fitting = [
            one for one in readable if one.name.upper().startswith(wanted.upper()) or one.stem == wanted
        ]
        if len(fitting) != 1:
            raise UserError(f"--array {wanted}: {path} has {', '.join(one.name for one in readable)}")
        return fitting[0], []
    if len(readable) == 1:
        return readable[0], []
    best = [one for one in readable if one.name.upper().startswith(_BEST)]
    if len(best) != 1:
        raise UserError(
            f"{path} holds {', '.join(one.name for one in readable)}: say by --array which ({_WHICH})"
        )
    return best[0], [f"{best[0].name} of {len(readable)} models (--array chooses another)"]


def _betas(file: "h5py.File", path: Path) -> _Betas:
    """The array of betas, once it was seen to be one."""
    import h5py

    names = [one for one in (_PYTHON, _MATLAB) if one in file]
    if not names:
        has = ", ".join(sorted(file)[:8]) or "nothing"
        raise UserError(
            f"{path.name} holds no {_PYTHON} (Python) or {_MATLAB} (MATLAB), but {has}: is it GLMsingle's?"
        )
    array = stored_array(file, names[0])
    is_matlab = path.suffix.lower() == ".mat"
    if array.ndim not in (2, 4):
        by = " x ".join(map(str, array.shape))
        raise UserError(f"{path.name}: {names[0]} is {by}, and (x, y, z, trial) or (voxel, trial) is needed")
    shape = array.shape[:0:-1] if is_matlab else array.shape[:-1]
    beside = {}
    for name in ("R2", "HRFindex"):
        if name in file and isinstance(file[name], h5py.Dataset):
            one = stored_array(file, name)
            if (one.shape[::-1] if is_matlab else one.shape) == shape:
                beside[name] = one
    return _Betas(array, is_matlab, beside)


def _read(betas: _Betas, path: Path, folder: Path, options: ReadOptions, said: list[str]) -> Imported:
    trials, more = trials_of(betas.n_trials, 1 if betas.is_matlab else 0, folder, options)
    said = [
        f"{path.name}: {betas.n_trials} trials of {' x '.join(map(str, betas.shape))} voxels; trials: {trials.name}",
        *said,
        *more,
    ]
    mask = _mask(folder, options)
    flat, voxels, grid, lines = _voxels(betas, mask, path)
    regions = regions_of(options, voxels, grid, path.name, folder)
    flat, voxels = flat[regions.inside], voxels[regions.inside]
    table = room(
        (betas.n_trials, len(flat)), np.dtype(np.float32 if betas.array.dtype.itemsize <= 4 else np.float64)
    )
    order = np.argsort(flat, kind="stable")
    if (np.diff(order) == 1).all():
        betas.fill(table, flat)
    else:
        betas.fill(table, flat[order])
        back = np.argsort(order, kind="stable")
        for trial in range(len(table)):
            table[trial] = table[trial][back]
    taken = trials.taken.to_numpy()
    rows = table if taken.all() else _rows(table, np.flatnonzero(taken))
    places = np.column_stack([voxels, np.arange(len(voxels))])
    masked = good_of(rows, places, path.name, varying=mask is None)
    kept, masked = masked.voxels[:, 3], Masked(masked.values, masked.voxels[:, :3], masked.left_out)
    columns = regions.columns[regions.inside].iloc[kept].reset_index(drop=True)
    for name in betas.beside:
        if name == "R2":
            columns[name] = betas.map_of(name, flat[kept])
    shown = shown_in(trials, options, folder)
    ratio = ncsnr_of(masked.values, shown.presentations["stimulus_id"].to_numpy())
    if ratio is not None:
        columns["ncsnr"] = ratio
    left_out = dict(regions.left_out) | masked.left_out
    if not taken.all():
        left_out["trials without a stimulus in the table"] = int((~taken).sum())
    said += [*lines, *regions.said, f"{len(kept)} of {len(flat)} voxels kept", *shown.said]
    if ratio is not None:
        said.append("ncsnr: by the repetitions, of single trials")
    subject = subject_of(trials, options, path)
    about = {"technique": "fMRI", "units": options.units or "percent signal change"}
    parts: dict[str, Any] = {
        "stimuli": shown.stimuli,
        "presentations": shown.presentations,
        "pictures": shown.pictures,
    }
    if mask is None:
        neuroids = _without_places(masked, columns, subject)
        return Imported(
            values=masked.values, neuroids=neuroids, about=about, said=said, left_out=left_out, **parts
        )
    values = WithMask(masked.values, masked.voxels, mask)
    space, line = space_of(mask, options)
    return Imported(
        values=values, neuroids=neuroids_of(masked, columns, subject, mask), images={"mask": values.mask},
        about=about | ({"space": space} if space else {}), said=[*said, line], left_out=left_out, **parts,
    )  # fmt: skip


def _rows(table: npt.NDArray[Any], taken: npt.NDArray[np.intp]) -> npt.NDArray[Any]:
    rows = room((len(taken), table.shape[1]), table.dtype)
    for row, number in enumerate(taken):
        rows[row] = table[number]
    return rows


def _without_places(masked: Masked, columns: pd.DataFrame, subject: str) -> pd.DataFrame:
    """Voxels of which only the indices are known."""
    grid = np.eye(4)
    like: Any = type("Like", (), {"grid": Grid((1, 1, 1), grid)})
    return neuroids_of(masked, columns, subject, like).drop(columns=["x", "y", "z"])


def _mask(folder: Path, options: ReadOptions) -> Image | None:
    if options.mask is None:
        path = next((one for one in (folder / "mask.nii.gz", folder / "mask.nii") if one.is_file()), None)
    else:
        path = needed_file("mask", options.mask, folder)
    return None if path is None else open_image(path)


def _voxels(
    betas: _Betas, mask: Image | None, path: Path
) -> tuple[npt.NDArray[np.intp], npt.NDArray[np.intp], Grid, list[str]]:
    """Places of voxels in the array, their indices (n, 3), the grid, and what to say."""
    shape = betas.shape
    is_grid = len(shape) == 3 and min(shape[1:]) > 1
    size = prod(shape)
    if mask is None:
        flat = np.arange(size, dtype=np.intp)
        grid = Grid((shape[0], shape[1], shape[2]) if is_grid else (size, 1, 1), np.eye(4))
        voxels = np.column_stack(np.unravel_index(flat, grid.shape))
        return flat, voxels, grid, ["no mask: all voxels that vary; without positions (--mask gives them)"]
    inside = inside_of(mask)
    voxels = np.argwhere(inside)
    said = [f"mask: {mask.path.name}, {len(voxels)} voxels"]
    if is_grid:
        if mask.grid.shape != shape:
            raise UserError(
                f"{mask.path.name} is of shape {' x '.join(map(str, mask.grid.shape))}, and {path.name} of "
                f"{' x '.join(map(str, shape))}"
            )
        return np.flatnonzero(inside.ravel()), voxels, mask.grid, said
    if size != len(voxels):
        raise UserError(f"{mask.path.name} has {len(voxels)} voxels, and {path.name} {size}: which are they?")
    flat = np.arange(size, dtype=np.intp)
    if not betas.is_matlab:
        return flat, voxels, mask.grid, [*said, "voxels in the order of numpy (C), as data[mask] gives them"]
    by_column = np.argsort(np.ravel_multi_index(tuple(voxels.T), mask.grid.shape, order="F"))
    places = np.empty(size, np.intp)
    places[by_column] = flat
    return places, voxels, mask.grid, [*said, "voxels in the order of MATLAB, as data(mask) gives them"]


def ncsnr_of(values: Numbers, stimuli: npt.NDArray[Any]) -> npt.NDArray[np.float64] | None:
    """The ratio of the standard deviations of signal and noise of single trials; None without repetitions.

    The noise is the pooled variance within stimuli, the signal what is left of the variance over all trials
    (Allen et al. 2022).
    """
    _, member, counts = np.unique(stimuli.astype(str), return_inverse=True, return_counts=True)
    n_spare = int((counts - 1).sum())
    if n_spare < 1 or len(counts) < 2:
        return None
    n_trials, n_voxels = values.shape
    found = np.empty(n_voxels)
    step = max(1, _BLOCK // (8 * n_trials))
    for start in range(0, n_voxels, step):
        block = np.asarray(values[slice(0, n_trials), slice(start, min(start + step, n_voxels))], np.float64)
        sums = np.zeros((len(counts), block.shape[1]))
        np.add.at(sums, member, block)
        within = block - (sums / counts[:, None])[member]
        noise = (within**2).sum(axis=0) / n_spare
        signal = np.maximum(block.var(axis=0, ddof=1) - noise, 0)
        found[start : start + step] = np.sqrt(
            np.divide(signal, noise, out=np.zeros_like(noise), where=noise > 0)
        )
    return found
