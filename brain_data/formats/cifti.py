"""CIFTI-2: vertices of both hemispheres and voxels below in one file (``dtseries``, ``dscalar``, ``ptseries``)."""

from pathlib import Path
from typing import ClassVar

from ..imported import Imported, ReadOptions
from ..reading.surfaces.cifti import MAGIC, sampled
from ..reading.surfaces.samples import TAKES
from ..reading.surfaces.shown import as_imported
from .recording import RecordingFormat, add_recording_format

_ENDINGS = (".dtseries.nii", ".dscalar.nii", ".ptseries.nii", ".pscalar.nii")


@add_recording_format
class Cifti(RecordingFormat):
    """CIFTI-2: one map or time point a row; vertices of the cortex without the medial wall, and voxels."""

    name: ClassVar[str] = "cifti"
    takes: ClassVar[tuple[str, ...]] = TAKES

    def recognizes(self, path: Path) -> bool:
        """By the ending of the name, and the mark of NIfTI-2."""
        if not (path.is_file() and path.name.endswith(_ENDINGS)):
            return False
        with path.open("rb") as stream:
            return stream.read(12)[4:] == MAGIC

    def read(self, path: Path, options: ReadOptions) -> Imported:
        """Trials, or a series: see :func:`.shown.as_imported`."""
        return as_imported(sampled(path, options), options)
