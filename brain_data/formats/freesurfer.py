"""FreeSurfer: frames of every vertex of a hemisphere (``lh.betas_session01.mgz``), a file or a folder of them."""

from pathlib import Path
from typing import ClassVar

from ...errors import UserError
from ..imported import Imported, ReadOptions
from ..reading.surfaces.freesurfer_files import is_curvature
from ..reading.surfaces.mgh import is_surface, mgh_frames
from ..reading.surfaces.samples import TAKES, sampled_files
from ..reading.surfaces.shown import as_imported
from .recording import RecordingFormat, add_recording_format


@add_recording_format
class FreeSurfer(RecordingFormat):
    """FreeSurfer's surfaces: .mgz or .mgh with one frame a trial or sample in time, a hemisphere in each file."""

    name: ClassVar[str] = "freesurfer"
    takes: ClassVar[tuple[str, ...]] = TAKES

    def recognizes(self, path: Path) -> bool:
        """An MGH file of vertices (not of voxels), a map such as ``lh.thickness``, or a folder of the first."""
        if path.is_dir():
            return not (path / "dataset_description.json").exists() and any(
                is_surface(one) for one in _files(path)[:20]
            )
        return is_surface(path) or (path.is_file() and is_curvature(path))

    def read(self, path: Path, options: ReadOptions) -> Imported:
        """Trials, or a series: see :func:`.shown.as_imported`."""
        if path.is_file() and is_curvature(path):
            raise UserError(
                f"{path} holds one map: a static map is no recording of stimuli; look at it with brodmann analyze FILE "
                "--surface L=MESH"
            )
        files = [one for one in _files(path) if is_surface(one)]
        return as_imported(sampled_files(path, files, options, mgh_frames, "frame"), options)


def _files(folder: Path) -> list[Path]:
    return sorted([*folder.glob("*.mgz"), *folder.glob("*.mgh")])
