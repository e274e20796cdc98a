"""Betas of trials as a derivative in BIDS: one image a run of a person, with its trials, voxels and stimuli."""

from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

from ...errors import UserError
from ..read_options import ReadOptions
from .recording import RecordingFormat, add_recording_format

if TYPE_CHECKING:
    from ..dataset import Dataset
    from ..imported import Imported


@add_recording_format
class BidsBetas(RecordingFormat):
    """Betas in BIDS: sub-01/func/..._stat-effect_statmap.nii.gz, one volume a trial, and ..._events.tsv beside it."""

    name, takes, writes = "bids-betas", ("subject", "task", "space", "units"), True

    def recognizes(self, path: Path) -> bool:
        """A derivative with maps of trials and without BOLD images, by its description and its names."""
        from ..reading.bids.betas import maps_of
        from ..reading.bids.files import description, has_bold, image_folders

        with suppress(OSError, UserError):
            return (
                path.is_dir()
                and description(path).get("DatasetType") == "derivative"
                and bool(maps_of(path))
                and not has_bold(path)
                and not image_folders(path)
            )
        return False

    def read(self, path: Path, options: ReadOptions) -> "Imported":
        """What was recorded; the responses are unpacked to a file without a name.

        Raises
        ------
        UserError
            In one line, for what is damaged, does not fit, or has to be said by an option.
        """
        from ..reading.bids.betas import read

        return read(path, options)

    def write(self, dataset: "Dataset", path: Path) -> None:
        """A folder that is there when it is whole; some volumes are in memory at a time.

        Raises
        ------
        UserError
            For a data set whose neuroids are no voxels, a series, and several time bins.
        """
        from ..reading.bids.betas_writer import write

        if path.exists() and not (self.recognizes(path) or (path.is_dir() and not any(path.iterdir()))):
            raise UserError(f"{path} is not empty and holds no betas in BIDS: give a new folder")
        write(dataset, path)
