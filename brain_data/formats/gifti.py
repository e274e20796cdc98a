"""GIFTI: one array a sample of every vertex of a hemisphere (``hemi-L_bold.func.gii``), a file or a folder of them."""

from pathlib import Path
from typing import ClassVar

from ..imported import Imported, ReadOptions
from ..reading.surfaces.gifti_arrays import NO_SAMPLES, is_gifti, open_gifti, open_samples, side_inside
from ..reading.surfaces.samples import TAKES, sampled_files
from ..reading.surfaces.shown import as_imported
from .recording import RecordingFormat, add_recording_format


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
        """Trials, or a series: see :func:`.shown.as_imported`."""
        files = [one for one in sorted(path.glob("*.gii*")) if is_gifti(one) and _is_data(one)]
        return as_imported(sampled_files(path, files, options, open_samples, "array", side_inside), options)


def _is_data(path: Path) -> bool:
    """Whether a file of a folder is a recording, by its name or by what it holds."""
    if any(mark in path.name for mark in (".surf.", ".label.")):
        return False
    return ".func." in path.name or not {one.intent for one in open_gifti(path).arrays} & NO_SAMPLES
