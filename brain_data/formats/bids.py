"""BIDS: a raw folder with or without fMRIPrep's derivatives, as betas of trials or as samples in time."""

from contextlib import suppress
from pathlib import Path

from ...errors import UserError
from ..imported import Imported, ReadOptions
from .recording import RecordingFormat, add_recording_format


@add_recording_format
class Bids(RecordingFormat):
    """fMRI in BIDS: raw, or with the images, masks and confounds of fMRIPrep.

    Images are volumes (``desc-preproc_bold.nii.gz``), vertices (``hemi-L_..._bold.func.gii``) or both
    (``_bold.dtseries.nii``). One run of one subject is in memory at a time; responses go to a file in brodmann's home
    which is removed when nobody holds them any more.

    Written from the specification of BIDS and fMRIPrep's documents, and not checked against such a folder: ``res-`` and
    ``den-`` in names, ``StartTime`` missing in files of old versions, images of tedana and ICA-AROMA.
    """

    name = "bids"
    takes = (
        "task",
        "space",
        "subject",
        "session",
        "run",
        "mask",
        "atlas",
        "labels",
        "resample",
        "region",
        "events",
        "stimuli",
        "stimulus_column",
        "confounds",
        "betas",
        "hrf",
        "series",
        "tr",
        "surface",
        "units",
    )

    def recognizes(self, path: Path) -> bool:
        """Whether there are BOLD images below ``sub-*/func``, here or in a folder of ``derivatives``."""
        from ..reading.bids.files import has_bold, image_folders

        with suppress(OSError):
            return path.is_dir() and (has_bold(path) or bool(image_folders(path)))
        return False

    def read(self, path: Path, options: ReadOptions) -> Imported:
        """What was recorded.

        Raises
        ------
        UserError
            In one line, for what is damaged, does not fit, or has to be said by an option.
        """
        from ..reading.bids.runs import open_recording
        from ..reading.bids.series import read_series
        from ..reading.bids.trials import read_trials

        if options.is_series():
            for name in ("betas", "hrf"):
                if getattr(options, name) is not None:
                    raise UserError(
                        f"--{name} is of responses to trials: leave it out, or leave out --series yes"
                    )
        if not self.recognizes(path):
            raise UserError(
                f"{path} holds no BOLD image in sub-*/func or sub-*/ses-*/func, nor in its derivatives"
            )
        recording = open_recording(path, options)
        return (read_series if options.is_series() else read_trials)(recording, options)
