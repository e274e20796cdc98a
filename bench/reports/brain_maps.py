"""Scores of voxels as images of the brain, in the space of the recording's own mask."""

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from ...brain_data.dataset import Dataset
from ...brain_data.reading.volumes.images import SUFFIXES, Image, open_image, voxels_at, write_image
from ...errors import UserError
from ..results.store import Run, arrays_of, record_of

if TYPE_CHECKING:
    from xarray import DataArray

_AXES = ("x", "y", "z")


def record_at(path: Path) -> dict[str, Any]:
    """The record of a score by its file.

    Raises
    ------
    UserError
        For a file that is not there, damaged, or no record.
    """
    if not path.is_file():
        raise UserError(f"no record at {path}: a run keeps one a score, as a .json")
    return next(Run(path.parent).records_of([path]))


def scores_to_nifti(
    score: "DataArray | Mapping[str, Any]",
    dataset: Dataset,
    path: Path | str,
    *,
    subject: str | None = None,
    mask: Path | None = None,
) -> list[Path]:
    """Write the score of each voxel, and its ceiling, as NIfTI images.

    Parameters
    ----------
    score : Score or mapping
        What :func:`brodmann.bench.score` gave, or its record.
    dataset : Dataset
        That it was computed on; it keeps the mask of its voxels.
    path : Path
        ``.nii`` or ``.nii.gz``; the ceilings go beside it, as ``..._ceiling``.
    subject : str, optional
        Whose voxels, where the score has those of several.
    mask : Path, optional
        An image whose voxels the neuroids are, instead of the data set's own.

    Returns
    -------
    list of Path
        The images written: raw scores (r), then ceilings (r) where there are some. NaN where no voxel was scored.

    Raises
    ------
    UserError
        Where the score is not of voxels, they have no positions, or the mask has none there.
    """
    record = dict(score) if isinstance(score, Mapping) else record_of(score)
    target = Path(path).expanduser()
    ending = next((one for one in reversed(SUFFIXES) if target.name.lower().endswith(one)), None)
    if ending is None:
        raise UserError(f"a map of voxels is saved as .nii or .nii.gz, not {target.name!r}")
    if record["dataset"] != dataset.identifier:
        raise UserError(f"the score is of {record['dataset']}, and the data set is {dataset.identifier}")
    image = _mask_of(dataset, mask)
    arrays = arrays_of(record)
    raw = np.asarray(arrays.get("raw", []), np.float64)
    if record["unit"] != "neuroid" or raw.ndim != 1 or not len(raw):
        raise UserError(
            f"{record['benchmark']} has no score of its own for each neuroid ({record['metric']}): a map needs one, "
            "as ridge gives it"
        )
    chosen = _of_subject(arrays, subject, len(raw))
    places = _places(arrays, dataset, chosen)
    voxels = voxels_at(image, places)
    words = f"{record['model']} {record['benchmark']}"
    written = [target]
    _write(target, raw[chosen], voxels, image, f"r: {words}")
    ceiling = arrays.get("ceiling")
    if ceiling is not None and np.shape(ceiling) == raw.shape:
        written.append(
            target.with_name(f"{target.name[: -len(ending)]}_ceiling{target.name[-len(ending) :]}")
        )
        _write(written[1], np.asarray(ceiling, np.float64)[chosen], voxels, image, f"ceiling of r: {words}")
    return written


def _mask_of(dataset: Dataset, mask: Path | None) -> Image:
    path = mask or dataset.mask
    if path is None:
        raise UserError(
            f"{dataset.identifier} keeps no image of its voxels: give one by --mask, e.g. the mask they were taken with"
        )
    if not path.is_file():
        raise UserError(f"no mask at {path}")
    return open_image(path)


def _of_subject(arrays: Mapping[str, npt.NDArray[Any]], subject: str | None, n: int) -> npt.NDArray[np.intp]:
    people = arrays.get("neuroid_subject")
    known = [] if people is None else list(dict.fromkeys(people.tolist()))
    if subject is None:
        if len(known) > 1:
            raise UserError(
                f"the score has voxels of the subjects {', '.join(known)}: say whose by --subject"
            )
        return np.arange(n)
    if people is None or subject not in known:
        raise UserError(f"the score has no subject {subject!r}, but {', '.join(known) or 'names none'}")
    return np.flatnonzero(people == subject)


def _places(
    arrays: Mapping[str, npt.NDArray[Any]], dataset: Dataset, chosen: npt.NDArray[np.intp]
) -> npt.NDArray[np.float64]:
    """Positions in mm, of the record, else of the data set by the names of its neuroids."""
    held = [arrays.get(f"neuroid_{axis}") for axis in _AXES]
    if all(one is not None for one in held):
        return np.column_stack([np.asarray(one, np.float64)[chosen] for one in held])
    responses = dataset.responses
    if responses is None or any(axis not in responses.coords for axis in _AXES) or "neuroid_id" not in arrays:
        raise UserError(
            f"{dataset.identifier} has no positions of its neuroids (x, y, z): no map can be made"
        )
    row = {name: place for place, name in enumerate(responses["neuroid_id"].values.tolist())}
    rows = [row.get(name, -1) for name in arrays["neuroid_id"][chosen].tolist()]
    if min(rows) < 0:
        raise UserError(f"{dataset.identifier} has other neuroids than the score: was it added anew?")
    return np.column_stack([responses[axis].values[rows].astype(np.float64) for axis in _AXES])


def _write(
    path: Path,
    values: npt.NDArray[np.float64],
    voxels: tuple[npt.NDArray[np.intp], ...],
    like: Image,
    words: str,
) -> None:
    volume = np.full(like.grid.shape, np.nan)
    volume[voxels] = values
    write_image(path, volume, like, words)
