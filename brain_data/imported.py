"""What a file format gives of a recording: the contract between its readers and the data set that is written."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np
import numpy.typing as npt
import pandas as pd

from ..errors import UserError
from .read_options import ReadOptions as ReadOptions

if TYPE_CHECKING:
    from .dataset import Dataset, Kind, Modality


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
    simulated : bool
        True for data that a program made.
    said : sequence of str
        What was read and how, a line each, for people.
    left_out : mapping of str to int
        Reason -> how many.
    published_ceilings : mapping of str to mapping
        Region -> ``value`` (units of r) and ``source``, as :class:`.card.DatasetCard` has them.
    """

    stimuli: pd.DataFrame
    values: Numbers
    presentations: pd.DataFrame
    neuroids: pd.DataFrame
    time_bins: pd.DataFrame | None = None
    pictures: Mapping[str, Path] = field(default_factory=dict)
    modality: "Modality | None" = None
    kind: "Kind" = "trials"
    tr: float | None = None
    confounds: pd.DataFrame | None = None
    good: npt.NDArray[np.bool_] | None = None
    blocks: str = ""
    about: Mapping[str, str] = field(default_factory=dict)
    surfaces: Mapping[str, Path] = field(default_factory=dict)
    images: Mapping[str, Path] = field(default_factory=dict)
    simulated: bool = False
    said: Sequence[str] = ()
    left_out: Mapping[str, int] = field(default_factory=dict)
    published_ceilings: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        # numpy's numbers are no JSON and no TOML
        object.__setattr__(self, "left_out", {reason: int(count) for reason, count in self.left_out.items()})
        object.__setattr__(self, "tr", None if self.tr is None else float(self.tr))


def imported_of(dataset: "Dataset") -> Imported:
    """A data set as what a format would have read, its responses where they lie.

    Raises
    ------
    UserError
        For RDMs alone.
    """
    responses = dataset.responses
    if responses is None:
        raise UserError(f"{dataset.identifier} holds RDMs alone: there are no responses to convert")
    columns = {
        dim: pd.DataFrame(
            {str(name): one.values for name, one in responses.coords.items() if one.dims == (dim,)}
        )
        for dim in responses.dims
    }
    about = {
        "license": dataset.license, "bibtex": dataset.bibtex, "source": dataset.source, "units": dataset.units,
        "space": str(responses.attrs.get("space", "")),
    }  # fmt: skip
    return Imported(
        pd.DataFrame(dataset.stimuli),
        Computed(responses.shape, lambda rows, neuroids: responses[rows, neuroids].values, responses.dtype),
        columns["presentation"].drop(columns="good", errors="ignore"),
        columns["neuroid"],
        time_bins=columns.get("time_bin"),
        pictures={str(one): Path(path) for one, path in (dataset.stimuli.stimulus_paths or {}).items()},
        modality=dataset.modality,
        kind=dataset.kind,
        tr=dataset.tr,
        confounds=dataset.confounds,
        good=dataset.good,
        blocks=dataset.blocks,
        about={key: value for key, value in about.items() if value},
        surfaces=dataset.surfaces,
        images={} if dataset.mask is None else {"mask": dataset.mask},
        published_ceilings={
            region: {"value": one.value, "source": one.source}
            for region, one in dataset.published_ceilings.items()
        },
        simulated=dataset.simulated,
        said=tuple(responses.attrs.get("said", ())),
        left_out=dict(responses.attrs.get("left_out", {})),
    )
