"""What a person may say of a laboratory's recording; light, since the command line's help is made of it."""

from dataclasses import dataclass, field, fields
from math import isfinite
from typing import Any

from ..errors import UserError


def _option(words: str, metavar: str = "TEXT") -> Any:
    return field(default=None, metadata={"help": words, "metavar": metavar})


@dataclass(frozen=True)
class ReadOptions:
    """What a person may say of a recording; each is an option of ``brodmann data add`` and ``data check``.

    A format names in :attr:`.formats.recording.RecordingFormat.takes` those that it understands.
    """

    task: str | None = _option("Of BIDS: the task.")
    space: str | None = _option(
        "The space of the images: which to take of BIDS, else where they lie, e.g. MNI152NLin2009cAsym, fsaverage5."
    )
    subject: str | None = _option("The subjects to take.", "NAME,...")
    session: str | None = _option("The sessions to take.", "NAME,...")
    run: str | None = _option("The runs to take.", "NAME,...")
    mask: str | None = _option(
        "The voxels to take: an image, or 'brain' for the recording's own mask.", "FILE"
    )
    atlas: str | None = _option(
        "Regions: images by number, masks of one region each, a folder of these, or a name of nilearn, e.g. "
        "schaefer_2018:n_rois=100; of surfaces L=FILE,R=FILE.",
        "FILE,...",
    )
    labels: str | None = _option(
        "The names of the atlas' numbers, and whatever a table says of them.", "FILE"
    )
    resample: str | None = _option(
        "Take masks and atlases on another grid to the recording's own: the voxel that is nearest.", "nearest"
    )
    region: str | None = _option(
        "The region to take of those that there are; else the name of the one there is."
    )
    region_column: str | None = _option("The column that names the region of a neuroid.", "NAME")
    events: str | None = _option("The table of trials inside the recording, or a file.", "NAME")
    stimuli: str | None = _option("The table of stimuli, or the folder that holds their pictures.", "PATH")
    stimulus_column: str | None = _option("The column of trials that names the stimulus.", "NAME")
    where: str | None = _option("The trials to take, by what their columns say.", "COLUMN=VALUE,...")
    channels: str | None = _option("The kinds or names of channels to take, e.g. eeg,grad.", "NAME,...")
    quality: str | None = _option("The units to take by what was said of them, e.g. good,mua.", "NAME,...")
    window: str | None = _option("One response a trial: the mean from A to B ms after onset.", "A,B")
    bins: str | None = _option("Responses in time: bins of WIDTH ms from A to B ms after onset.", "A,B,WIDTH")
    band: str | None = _option(
        "Of field potentials: the amplitude in a band, e.g. high-gamma or 70,150.", "A,B"
    )
    line: str | None = _option("The frequency of the mains, filtered out with its harmonics.", "HZ")
    confounds: str | None = _option(
        "Strategies of fMRIPrep's confounds, e.g. motion,wm_csf; 'none'.", "NAME,..."
    )
    betas: str | None = _option("Of runs: one GLM a run ('all') or one a trial ('separate').", "all|separate")
    hrf: str | None = _option("The haemodynamic response of the GLM, a name of nilearn.", "NAME")
    series: str | None = _option("Keep the samples in time rather than one response a trial.", "yes")
    tr: str | None = _option("Seconds from sample to sample, where the files do not say it.", "S")
    array: str | None = _option("The array inside a file, such as /group/name or struct.field.", "NAME")
    surface: str | None = _option("The mesh of a hemisphere's vertices.", "L=FILE,R=FILE")
    units: str | None = _option("What a response value is.")
    zscore: str | None = _option("Of betas: each neuroid's mean and sd taken out.", "session|none")
    pickles: str | None = _option(
        "Of pickled arrays, which are refused: read numbers and texts alone, by a reader that runs nothing.",
        "plain",
    )

    def given(self) -> dict[str, str]:
        """Those that were said."""
        named = {one.name: getattr(self, one.name) for one in fields(self)}
        return {name: value for name, value in named.items() if value is not None}

    def is_series(self) -> bool:
        """Whether to keep the samples in time.

        Raises
        ------
        UserError
            For anything but yes and no.
        """
        if self.series not in (None, "yes", "no"):
            raise UserError(f"--series must be 'yes' or 'no', not {self.series!r}")
        return self.series == "yes"

    def names(self, option: str) -> list[str] | None:
        """A list of names with commas between them; None where it was not said."""
        said = getattr(self, option)
        return None if said is None else [one.strip() for one in said.split(",") if one.strip()]

    def numbers(self, option: str, n: int) -> list[float] | None:
        """`n` numbers with commas between them; None where it was not said.

        Raises
        ------
        UserError
            For anything else.
        """
        said = getattr(self, option)
        if said is None:
            return None
        try:
            read = [float(one) for one in said.split(",")]
        except ValueError:
            read = []
        if len(read) != n or not all(map(isfinite, read)):
            flag = option.replace("_", "-")
            kind = "a number" if n == 1 else f"{n} numbers with commas between them"
            raise UserError(f"--{flag} must be {kind}, not {said!r}")
        return read
