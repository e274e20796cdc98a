"""The dataset contract: what was shown, what was recorded, where it comes from."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
import numpy.typing as npt
import pandas as pd
import xarray as xr

from ..errors import UserError, unknown
from ..files import digest_of
from .checks import Kind as Kind
from .checks import check_clock, check_rdms, check_responses, check_stimuli, check_words
from .stimulus_set import StimulusSet
from .stored import walk

if TYPE_CHECKING:
    from .near_duplicates import Alike

Modality = Literal["vision", "language"]


@dataclass(frozen=True)
class Published:
    """A ceiling that the authors published, for data whose repetitions were not released.

    Attributes
    ----------
    value : float
        The best reachable score, in units of Pearson r (kind ``r_max``).
    source : str
        Where the number stands.
    """

    value: float
    source: str


@dataclass(frozen=True)
class Dataset:
    """Stimuli and the brain responses (or dissimilarities) that were recorded to them.

    Attributes
    ----------
    identifier : str
        The catalogue name, e.g. ``"tuckute2024"``.
    modality : {"vision", "language"}
        Which models can be shown the stimuli.
    stimuli : StimulusSet
        One row a stimulus, with ``stimulus_id`` and ``filename``, ``sentence`` or ``word`` and any labels.
        ``stimuli.stimulus_paths`` maps ids to files for images. Where the recordings came without their
        stimuli it still lists the conditions, and ``has_stimuli`` is False.
    responses : DataArray or None
        ``(presentation, neuroid)``; on `presentation` ``stimulus_id`` and, where they apply,
        ``repetition``, ``run``, ``subject``; on `neuroid` ``neuroid_id``, ``region`` and, where known,
        ``subject`` and positions ``x``, ``y``, ``z`` in mm. Plain coordinates, no MultiIndex. Of trials in time
        ``(presentation, neuroid, time_bin)``, with ``time_bin_start`` and ``time_bin_end`` in ms after onset. They
        may lie in a file, of which only what is asked for is read.
    rdms : mapping of str to DataArray
        Region -> ``(subject, session, stimulus, stimulus_other)`` dissimilarities, for data published as RDMs.
        Stimuli are in the order of `stimuli`.
    has_stimuli : bool
        Whether models can be shown the stimuli.
    simulated : bool
        True for data that a program made; said wherever the data set is shown.
    license, bibtex, source : str
        From the catalogue's data files.
    published_ceilings : mapping of str to Published
        Region -> published ceiling.
    units : str
        What a response value is, e.g. ``"spikes/s"``.
    truth : mapping
        For simulated data: what is true by construction.
    blocks : str
        Column of the stimuli, or of `presentation`, within whose values samples depend on each other (``story``,
        ``run``); ``"none"`` where they are known not to. Empty: looked for.
    kind : {"trials", "series"}
        What a row of `responses` is: one presentation of one stimulus, or one sample in time of one run. In a series
        ``stimulus_id`` is the story or film that was running, a value of the column ``story`` of `stimuli`; there are
        ``run`` and ``time`` (s, on the clock of the stimuli's ``onset``); and what was not recorded of a neuroid,
        such as a run, is NaN.
    tr : float or None
        Of a series, seconds from sample to sample.
    confounds : DataFrame or None
        Of a series, one row a row of `responses`.
    good : array of bool or None
        Of a series, the rows to keep. The others stay in place, so that delays stay right.
    surfaces : mapping of str to Path
        Hemisphere (``L``, ``R``) -> the mesh whose vertices the neuroids name (``hemisphere``, ``vertex``).
    mask : Path or None
        The NIfTI image whose voxels the neuroids are; each says which by ``voxel``, its place in C order.
    """

    identifier: str
    modality: Modality
    stimuli: StimulusSet
    responses: xr.DataArray | None = None
    rdms: Mapping[str, xr.DataArray] = field(default_factory=dict)
    has_stimuli: bool = True
    simulated: bool = False
    license: str = ""
    bibtex: str = ""
    source: str = ""
    published_ceilings: Mapping[str, Published] = field(default_factory=dict)
    units: str = ""
    truth: Mapping[str, Any] = field(default_factory=dict)
    blocks: str = ""
    kind: Kind = "trials"
    tr: float | None = None
    confounds: pd.DataFrame | None = None
    good: npt.NDArray[np.bool_] | None = None
    surfaces: Mapping[str, Path] = field(default_factory=dict)
    mask: Path | None = None

    def __post_init__(self) -> None:
        if not isinstance(self.identifier, str) or not self.identifier.strip():
            raise UserError(f"the identifier of a data set must be a name, not {self.identifier!r}")
        check_stimuli(self.stimuli, self.identifier)
        if self.responses is not None:
            check_responses(self.responses, self.stimuli, self.identifier, self.kind)
        if self.kind == "series":
            self._check_series()
        for region, rdm in self.rdms.items():
            check_rdms(rdm, len(self.stimuli), f"{self.identifier}.{region}")
        if self.responses is None and not self.rdms:
            raise UserError(f"data set {self.identifier!r} holds neither responses nor RDMs")

    def _check_series(self) -> None:
        if self.responses is None:
            raise UserError(f"{self.identifier} is a series, and needs responses")
        if not isinstance(self.tr, float | int | np.number) or not 0 < self.tr < 3600:
            raise UserError(
                f"{self.identifier} is a series: tr must be its seconds from sample to sample, not {self.tr!r}"
            )
        check_clock(self.responses, float(self.tr), self.identifier)
        check_words(self.stimuli, self.identifier)
        n = len(self.responses)
        for name, beside in (("confounds", self.confounds), ("good", self.good)):
            if beside is not None and len(beside) != n:
                raise UserError(
                    f"{self.identifier}: there are {len(beside)} rows of {name}, but {n} of responses"
                )

    @classmethod
    def from_arrays(
        cls,
        identifier: str,
        responses: npt.NDArray[Any] | pd.DataFrame | xr.DataArray,
        stimuli: Sequence[str | Path] | pd.DataFrame,
        *,
        region: str | Sequence[str] = "region",
        subject: str | Sequence[str] | None = None,
        positions: npt.ArrayLike | None = None,
        labels: Sequence[Any] | Mapping[str, Sequence[Any]] | None = None,
        **about: Any,
    ) -> "Dataset":
        """A data set of what is in memory.

        Parameters
        ----------
        identifier : str
        responses : array, DataFrame or DataArray
            (stimulus, neuroid) or (stimulus, repetition, neuroid), in the order of the stimuli; a repetition that is
            all NaN was not recorded; what is masked is NaN. Or a row a presentation, in any order: a DataFrame whose
            index names stimuli and whose columns name neuroids, or a DataArray (presentation, neuroid) with
            ``stimulus_id``. The default index of a DataFrame, 0 ... n - 1, names none: its rows are in the order of
            the stimuli, and it is refused where these have the same numbers as ids in another order.
        stimuli : sequence or DataFrame
            Texts, paths of pictures, or a table with ``sentence``, ``word`` or ``text``, or ``filename`` (paths); its
            ``stimulus_id``, else its index, names them.
        region, subject : str or sequence of str
            Of all neuroids, or of each.
        positions : array of shape (n_neuroids, 2 or 3), optional
            In mm.
        labels : sequence or mapping of str to sequence, optional
            The category of each stimulus, or several columns of labels by name.
        **about
            Further attributes, such as ``units``, ``license``, ``published_ceilings``; ``has_stimuli=False`` for a
            table of conditions that no model can be shown.

        Raises
        ------
        UserError
            For shapes that do not fit, no neuroid that varies and has every response, stimuli that appear twice.
        """
        from .arrays import as_responses, ask_about_rdm, labeled, modality_of, neuroid_columns, stimulus_table
        from .recorded import per_subject, without_dead, without_unseen

        table = stimulus_table(stimuli, labels)
        check_stimuli(table, identifier)
        table.identifier = identifier
        about = {"modality": modality_of(table, about.get("has_stimuli", True))} | about
        values, shown, recorded = as_responses(responses, table)
        if "rdms" not in about:
            ask_about_rdm(
                values, "make Dataset(..., rdms={region: ...}) of it, or add rdms={} if these are responses"
            )
        recorded |= neuroid_columns(values.shape[1], region, subject, positions)
        array = labeled(values, shown, recorded, region if isinstance(region, str) else "")
        array = without_dead(per_subject(array, identifier), identifier)
        return cls(identifier, stimuli=without_unseen(table, array), responses=array, **about)

    def __repr__(self) -> str:
        """What it is, in a few lines."""
        kind = f"{self.modality}, SIMULATED" if self.simulated else self.modality
        shown = "stimuli" if self.has_stimuli else "conditions, whose stimuli are not included"
        lines = [f"Dataset {self.identifier!r}: {kind}", f"  {len(self.stimuli)} {shown}"]
        if self.responses is not None:
            lines.append(f"  {_recorded(self.responses, self.tr)}")
        for region, rdm in self.rdms.items():
            lines.append(
                f"  RDMs of {region}: {', '.join(_counted(rdm.sizes[dim], str(dim)) for dim in rdm.dims[:2])}"
            )
        return "\n".join(lines)

    @property
    def regions(self) -> list[str]:
        """The regions that were recorded, in the data's order."""
        recorded = (
            [] if self.responses is None else list(dict.fromkeys(self.responses["region"].values.tolist()))
        )
        return recorded + [region for region in self.rdms if region not in recorded]

    def region(self, name: str) -> xr.DataArray:
        """The responses of one region, ``(presentation, neuroid)``."""
        if self.responses is None or name not in set(self.responses["region"].values.tolist()):
            raise unknown(f"region of {self.identifier}", name, self.regions)
        chosen = self.responses[:, (self.responses["region"] == name).values]
        chosen.attrs = dict(chosen.attrs)
        by_region = self.responses.attrs.get("left_out_by_region")
        if by_region is not None:
            everywhere = self.responses.attrs.get("left_out", {})
            counted = {reason for counts in by_region.values() for reason in counts}
            others = {reason: n for reason, n in everywhere.items() if reason not in counted}
            chosen.attrs["left_out"] = others | dict(by_region.get(name, {}))
        return chosen

    def trials(self, region: str | None = None) -> xr.DataArray:
        """The responses of one region, or of all, where there is one number a trial and neuroid.

        Raises
        ------
        UserError
            For a series, several time bins, RDMs alone.
        """
        if self.responses is None:
            raise UserError(f"{self.identifier} holds RDMs alone, no responses")
        if self.kind == "series":
            raise UserError(
                f"{self.identifier} is a series, samples in time of a run: this needs responses to trials"
            )
        found = self.responses if region is None else self.region(region)
        if "time_bin" not in found.dims:
            return found
        if found.sizes["time_bin"] > 1:
            raise UserError(
                f"{self.identifier} has {described_bins(found)}, which are not averaged unasked: add it with "
                f"--window A,B, or take Dataset.window(A, B)"
            )
        return found.isel(time_bin=0, drop=True)

    def window(self, start: float, end: float) -> "Dataset":
        """The same with one response a trial: the mean of the time bins that lie from `start` to `end`, in ms.

        Each bin weighs as much as it is wide.

        Raises
        ------
        UserError
            Without time bins, or where none lies within.
        """
        if self.responses is None or "time_bin" not in self.responses.dims:
            raise UserError(f"{self.identifier} has no time bins")
        first, last = (self.responses[f"time_bin_{side}"].values for side in ("start", "end"))
        inside = (first >= start) & (last <= end)
        if not inside.any():
            raise UserError(
                f"{self.identifier} has no time bin from {start:g} to {end:g} ms: {described_bins(self.responses)}"
            )
        widths = (last - first)[inside].astype(np.float64)
        values = np.empty(
            self.responses.shape[:2], np.float32 if self.responses.dtype == np.float32 else np.float64
        )
        for rows, held in walk(self.responses):
            values[rows] = held[..., inside] @ (widths / widths.sum())
        flat = self.responses.isel(time_bin=0, drop=True)
        kept = {name: one for name, one in flat.coords.items() if not str(name).startswith("time_bin")}
        averaged = xr.DataArray(values, dims=flat.dims, coords=kept, attrs=self.responses.attrs)
        return replace(self, responses=averaged)

    @cached_property
    def alike(self) -> "Alike":
        """Which stimuli are the same, and which nearly, in the order of `stimuli`; looked for once."""
        from .near_duplicates import Alike, alike

        beside = () if self.responses is None else map(str, self.responses.coords)
        return alike(self.stimuli, tuple(beside)) if self.has_stimuli else Alike()

    def described_duplicates(self) -> list[str]:
        """Lines for people on stimuli that are the same, or nearly; none where there are none."""
        from .near_duplicates import described

        return described(self.alike, self.stimuli["stimulus_id"].tolist())

    @cached_property
    def digest(self) -> str:
        """sha256 over the stimuli (ids, texts, pixels) and every recorded number."""
        parts: list[object] = [self.identifier, stimuli_digest(self.stimuli)]
        if self.responses is not None:
            parts += [_array_digest(self.responses)]
        parts += [(region, _array_digest(rdm)) for region, rdm in self.rdms.items()]
        if self.kind == "series":
            beside = None if self.confounds is None else self.confounds.to_csv(index=False)
            parts += [self.kind, self.tr, beside, None if self.good is None else self.good.tobytes()]
        return digest_of(*parts)


def _recorded(responses: xr.DataArray, tr: float | None) -> str:
    """Neuroids by region, repetitions (or runs and samples) and subjects, in a line."""
    regions = pd.Series(responses["region"].values).value_counts(sort=False)
    each = ", ".join(f"{region} {n}" for region, n in regions.items())
    repeated = pd.Series(responses["stimulus_id"].values).value_counts()
    least, most = int(repeated.min()), int(repeated.max())
    times = _counted(most, "repetition") if least == most else f"{least} to {most} repetitions"
    if tr is not None:
        n_runs = len(set(responses["run"].values.tolist()))
        times = f"{_counted(n_runs, 'run')}, {len(responses)} samples {tr:g} s apart"
    parts = [f"{_counted(responses.sizes['neuroid'], 'neuroid')} ({each})", times]
    if "time_bin" in responses.dims:
        parts.append(described_bins(responses))
    if "subject" in responses.coords:
        parts.append(_counted(len(set(responses["subject"].values.tolist())), "subject"))
    return ", ".join(parts)


def described_bins(responses: xr.DataArray) -> str:
    """The time bins of responses, in words."""
    first, last = (responses[f"time_bin_{side}"].values for side in ("start", "end"))
    listed = ", ".join(f"{a:g} to {b:g}" for a, b in zip(first[:3], last[:3], strict=True))
    more = "" if len(first) <= 3 else f", ... {first[-1]:g} to {last[-1]:g}"
    return f"{_counted(len(first), 'time bin')} ({listed}{more} ms)"


def _counted(number: int, noun: str) -> str:
    return f"{number} {noun}{'s' * (number != 1)}"


def stimuli_digest(stimuli: StimulusSet) -> str:
    """sha256 over a stimulus set: its table and, for images, the bytes of every file."""
    from ..files import sha256_file

    columns = sorted(column for column in stimuli.columns if column != "filename")
    paths = getattr(stimuli, "stimulus_paths", None) or {}
    shown = [Path(paths[key]) for key in stimuli["stimulus_id"]] if paths else []
    absent = [path for path in shown if not path.is_file()]
    if absent:
        raise UserError(f"{len(absent)} of {len(shown)} stimulus files are not there (first: {absent[0]})")
    files = [sha256_file(path) for path in shown]
    return digest_of(columns, [[str(value) for value in stimuli[column]] for column in columns], files)


def _array_digest(array: xr.DataArray) -> str:
    coordinates = [
        (str(name), str(values.dims), [str(v) for v in values.values.ravel()])
        for name, values in sorted(array.coords.items(), key=lambda item: str(item[0]))
    ]
    return digest_of(coordinates, list(array.shape), _numbers(array))


def _numbers(array: xr.DataArray) -> Iterator[bytes]:
    """The bytes of an array, the number of them first, a block at a time."""
    yield array.nbytes.to_bytes(8, "little")
    for _, held in walk(array):
        yield np.ascontiguousarray(held).tobytes()
