"""What a file format gives of a recording: the contract between its readers and the data set that is written."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, Protocol

import numpy as np
import numpy.typing as npt
import pandas as pd

from ..errors import UserError

if TYPE_CHECKING:
    from .dataset import Modality

Kind = Literal["trials", "series"]


class Numbers(Protocol):
    """Responses that need not be in memory: an array, a ``numpy.memmap``, an ``h5py.Dataset``, or :class:`Computed`."""

    @property
    def shape(self) -> tuple[int, ...]:
        """(presentation, neuroid), or (presentation, neuroid, time bin)."""

    @property
    def dtype(self) -> np.dtype[Any]:
        """Of the numbers."""

    def __getitem__(self, key: Any, /) -> Any:
        """``numbers[rows, neuroids]`` of two slices, an array in memory."""


@dataclass(frozen=True)
class Computed:
    """Responses that are made a block at a time.

    Attributes
    ----------
    shape : tuple of int
    get : callable
        ``get(rows, neuroids)`` of two slices gives the block, with all of its time bins.
    dtype : dtype
    """

    shape: tuple[int, ...]
    get: Callable[[slice, slice], npt.NDArray[Any]]
    dtype: np.dtype[Any] = field(default_factory=lambda: np.dtype(np.float32))

    def __getitem__(self, key: tuple[slice, slice], /) -> npt.NDArray[Any]:
        return self.get(*key)


@dataclass(frozen=True)
class Imported:
    """A recording as a reader found it; what is wrong with it is looked for where it is written.

    Attributes
    ----------
    stimuli : DataFrame
        One row a stimulus: ``stimulus_id``, ``filename``, ``sentence`` or ``word`` where it is known, labels. Of a
        series one row a word or frame, with ``story``, ``onset`` and ``offset`` in s.
    values : Numbers
        (presentation, neuroid), or (presentation, neuroid, time bin). NaN where nothing was recorded.
    presentations : DataFrame
        One row a presentation (`trials`) or a sample in time (`series`): ``stimulus_id`` (of a series the story or
        film that was running) and, where they are known, ``repetition``, ``run``, ``session``, ``time`` in s, and any
        labels. A run's name is unique over the whole recording (``ses-01_run-2``). Never ``subject``.
    neuroids : DataFrame
        One row a neuroid: ``neuroid_id`` and, where they are known, ``region``, ``subject``, positions ``x``, ``y``,
        ``z`` in mm, ``hemisphere``, ``vertex``, ``ncsnr``, and any labels.
    time_bins : DataFrame or None
        ``time_bin_start`` and ``time_bin_end`` in ms after onset.
    pictures : mapping of str to Path
        Stimulus id -> picture, copied into the data set.
    modality : {"vision", "language"} or None
        None: by the columns of `stimuli`; where they name neither a picture nor a text, models can be shown nothing.
    kind : {"trials", "series"}
    tr : float or None
        Of a series, seconds from sample to sample.
    confounds : DataFrame or None
        Of a series, one row a row of `presentations`.
    good : array of bool or None
        Of a series, the rows to keep; the others stay in place, so that delays stay right.
    blocks : str
        The column within whose values samples depend on each other, as in :class:`.dataset.Dataset`.
    about : mapping of str to str
        ``title``, ``species``, ``technique``, ``license``, ``bibtex``, ``source``, ``units``, ``space``.
    surfaces : mapping of str to Path
        Hemisphere (``L``, ``R``) -> the mesh (GIFTI) whose vertices `neuroids` name, copied into the data set.
    images : mapping of str to Path
        ``mask``: the NIfTI image whose voxels the neuroids are, in C order, copied into the data set.
    said : sequence of str
        What was read and how, a line each, for people.
    left_out : mapping of str to int
        Reason -> how many.
    """

    stimuli: pd.DataFrame
    values: Numbers
    presentations: pd.DataFrame
    neuroids: pd.DataFrame
    time_bins: pd.DataFrame | None = None
    pictures: Mapping[str, Path] = field(default_factory=dict)
    modality: "Modality | None" = None
    kind: Kind = "trials"
    tr: float | None = None
    confounds: pd.DataFrame | None = None
    good: npt.NDArray[np.bool_] | None = None
    blocks: str = ""
    about: Mapping[str, str] = field(default_factory=dict)
    surfaces: Mapping[str, Path] = field(default_factory=dict)
    images: Mapping[str, Path] = field(default_factory=dict)
    said: Sequence[str] = ()
    left_out: Mapping[str, int] = field(default_factory=dict)


def _option(words: str, metavar: str = "TEXT") -> Any:
    return field(default=None, metadata={"help": words, "metavar": metavar})


@dataclass(frozen=True)
class ReadOptions:
    """What a person may say of a recording; each is an option of ``brodmann data add`` and ``data check``.

    A format names in :attr:`.formats.recording.RecordingFormat.takes` those that it understands.
    """

    task: str | None = _option("Of BIDS: the task.")
    space: str | None = _option(
        "Of BIDS: the space of the images, e.g. MNI152NLin2009cAsym, fsaverage5, T1w."
    )
    subject: str | None = _option("The subjects to take.", "NAME,...")
    session: str | None = _option("The sessions to take.", "NAME,...")
    run: str | None = _option("The runs to take.", "NAME,...")
    mask: str | None = _option(
        "The voxels to take: an image, or 'brain' for the recording's own mask.", "FILE"
    )
    atlas: str | None = _option(
        "Regions by number: an image, or a name of nilearn, e.g. schaefer_2018.", "FILE"
    )
    labels: str | None = _option(
        "The names of the atlas' numbers, and whatever a table says of them.", "FILE"
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

    def given(self) -> dict[str, str]:
        """Those that were said."""
        named = {one.name: getattr(self, one.name) for one in fields(self)}
        return {name: value for name, value in named.items() if value is not None}

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
        if len(read) != n or not np.isfinite(read).all():
            flag = option.replace("_", "-")
            kind = "a number" if n == 1 else f"{n} numbers with commas between them"
            raise UserError(f"--{flag} must be {kind}, not {said!r}")
        return read
