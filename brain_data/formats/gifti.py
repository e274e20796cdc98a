"""GIFTI: one array a sample of every vertex of a hemisphere (``hemi-L_bold.func.gii``), a file or a folder of them."""

from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import numpy.typing as npt

from ...errors import UserError
from ..gifti_arrays import GiftiFile, is_gifti, open_gifti, side_inside
from ..imported import Computed, Imported, Numbers, ReadOptions
from .recording import RecordingFormat, add_recording_format
from .surface_samples import TAKES, sampled_files
from .surface_shown import as_imported

_NO_SAMPLES = {"POINTSET", "TRIANGLE", "LABEL"}


@add_recording_format
class Gifti(RecordingFormat):
    """GIFTI surfaces: one array a trial or sample in time, left and right hemisphere in a file each."""

    name: ClassVar[str] = "gifti"
    takes: ClassVar[tuple[str, ...]] = TAKES

    def recognizes(self, path: Path) -> bool:
        """A ``.gii`` file, or a folder of which some lie directly in it; a BIDS folder is another format."""
        if path.is_dir():
            return not (path / "dataset_description.json").exists() and any(
                is_gifti(one) for one in sorted(path.glob("*.gii*"))[:20]
            )
        return is_gifti(path)

    def read(self, path: Path, options: ReadOptions) -> Imported:
        """Trials, or a series: see :func:`.surface_samples.as_imported`."""
        files = [one for one in sorted(path.glob("*.gii*")) if is_gifti(one) and _is_data(one)]
        return as_imported(sampled_files(path, files, options, open_samples, "array", side_inside), options)


def _is_data(path: Path) -> bool:
    """Whether a file of a folder is a recording, by its name or by what it holds."""
    if any(mark in path.name for mark in (".surf.", ".label.")):
        return False
    return ".func." in path.name or not {one.intent for one in open_gifti(path).arrays} & _NO_SAMPLES


def open_samples(path: Path) -> Numbers:
    """(arrays, vertices) of a file whose arrays are a number a vertex each, all of the same surface."""
    file = open_gifti(path)
    kinds = {one.intent for one in file.arrays} & _NO_SAMPLES
    if kinds:
        what = "labels (--atlas)" if "LABEL" in kinds else "a mesh (--surface)"
        raise UserError(f"{path} holds {what}, not a recording")
    shapes = {one.shape if one.shape[1:] != (1,) else one.shape[:1] for one in file.arrays}
    if len(shapes) > 1:
        raise UserError(f"{path} holds arrays of unlike surfaces: {', '.join(map(str, sorted(shapes)))}")
    if len(next(iter(shapes))) != 1:
        raise UserError(
            f"{path} holds an array of the shape {next(iter(shapes))}: one array a sample is read, "
            "a number a vertex each"
        )
    return _lazy(file)


def _lazy(file: GiftiFile) -> Numbers:
    """(arrays, vertices), an array read when it is asked for."""

    def get(rows: slice, neuroids: slice) -> npt.NDArray[Any]:
        wanted = range(*rows.indices(len(file.arrays)))
        here = len(range(*neuroids.indices(file.arrays[0].shape[0])))
        found = np.empty((len(wanted), here), np.float32)
        for i, values in enumerate(file.each(wanted)):
            found[i] = values.reshape(-1)[neuroids]
        return found

    return Computed((len(file.arrays), file.arrays[0].shape[0]), get)
