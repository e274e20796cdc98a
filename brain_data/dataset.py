"""The dataset contract: what was shown, what was recorded, where it comes from."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
import numpy.typing as npt
import pandas as pd
import xarray as xr

from ..errors import UserError, unknown
from ..files import digest_of
from .stimulus_set import StimulusSet

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
        ``subject`` and positions ``x``, ``y``, ``z`` in mm. Plain coordinates, no MultiIndex.
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

    def __post_init__(self) -> None:
        if not isinstance(self.identifier, str) or not self.identifier.strip():
            raise UserError(f"the identifier of a data set must be a name, not {self.identifier!r}")
        check_stimuli(self.stimuli, self.identifier)
        if self.responses is not None:
            check_responses(self.responses, self.stimuli, self.identifier)
        for region, rdm in self.rdms.items():
            check_rdms(rdm, len(self.stimuli), f"{self.identifier}.{region}")
        if self.responses is None and not self.rdms:
            raise UserError(f"data set {self.identifier!r} holds neither responses nor RDMs")

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
            lines.append(f"  {_recorded(self.responses)}")
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
        by_region = self.responses.attrs.get("left_out_by_region")
        if by_region is not None:
            everywhere = self.responses.attrs.get("left_out", {})
            counted = {reason for counts in by_region.values() for reason in counts}
            others = {reason: n for reason, n in everywhere.items() if reason not in counted}
            chosen.attrs["left_out"] = others | dict(by_region.get(name, {}))
        return chosen

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
        return digest_of(*parts)


def _recorded(responses: xr.DataArray) -> str:
    """Neuroids by region, repetitions and subjects, in a line."""
    regions = pd.Series(responses["region"].values).value_counts(sort=False)
    each = ", ".join(f"{region} {n}" for region, n in regions.items())
    repeated = pd.Series(responses["stimulus_id"].values).value_counts()
    least, most = int(repeated.min()), int(repeated.max())
    times = _counted(most, "repetition") if least == most else f"{least} to {most} repetitions"
    parts = [f"{_counted(responses.sizes['neuroid'], 'neuroid')} ({each})", times]
    if "subject" in responses.coords:
        parts.append(_counted(len(set(responses["subject"].values.tolist())), "subject"))
    return ", ".join(parts)


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
    return digest_of(coordinates, list(array.shape), np.ascontiguousarray(array.values).tobytes())


def check_stimuli(stimuli: StimulusSet, name: str) -> None:
    """Raise a UserError unless the table has unique, present stimulus ids."""
    if "stimulus_id" not in stimuli.columns:
        raise UserError(
            f"{name}: the stimulus table has no column 'stimulus_id' (it has: {', '.join(map(str, stimuli.columns))})"
        )
    if len(stimuli) == 0:
        raise UserError(f"{name}: the stimulus table is empty")
    missing = stimuli["stimulus_id"].isna() | (stimuli["stimulus_id"].astype(str).str.strip() == "")
    if missing.any():
        raise UserError(
            f"{name}: {int(missing.sum())} stimuli have no stimulus_id (first: row {int(missing.to_numpy().argmax())})"
        )
    twice = stimuli["stimulus_id"][stimuli["stimulus_id"].duplicated()]
    if len(twice):
        raise UserError(
            f"{name}: {twice.nunique()} stimulus ids appear more than once (first: {twice.iloc[0]!r})"
        )


def check_responses(responses: xr.DataArray, stimuli: StimulusSet, name: str) -> None:
    """Raise a UserError unless responses keep the contract and their ids are those of the stimuli."""
    if responses.dims != ("presentation", "neuroid"):
        raise UserError(f"{name}: responses must have dims (presentation, neuroid), not {responses.dims}")
    if 0 in responses.shape:
        raise UserError(f"{name}: the responses are empty (shape {responses.shape})")
    for dim, coordinate in (
        ("presentation", "stimulus_id"),
        ("neuroid", "neuroid_id"),
        ("neuroid", "region"),
    ):
        if coordinate not in responses.coords or responses[coordinate].dims != (dim,):
            raise UserError(f"{name}: the responses have no coordinate {coordinate!r} on {dim!r}")
    if not np.issubdtype(responses.dtype, np.number):
        raise UserError(f"{name}: the responses are not numbers (dtype {responses.dtype})")
    recorded, shown = set(responses["stimulus_id"].values.tolist()), set(stimuli["stimulus_id"].tolist())
    absent, silent = sorted(map(str, recorded - shown)), sorted(map(str, shown - recorded))
    if absent:
        raise UserError(
            f"{name}: {len(absent)} stimulus ids of the responses are not in the stimulus table (first: {absent[0]!r})"
        )
    if silent:
        raise UserError(f"{name}: {len(silent)} stimuli have no response (first: {silent[0]!r})")
    bad = ~np.isfinite(responses.values)
    if bad.any():
        row, column = np.argwhere(bad)[0]
        raise UserError(
            f"{name}: {int(bad.sum())} responses are NaN or infinite (first: stimulus "
            f"{responses['stimulus_id'].values[row]!r}, neuroid {responses['neuroid_id'].values[column]!r})"
        )


def check_rdms(rdms: xr.DataArray, n_stimuli: int, name: str) -> None:
    """Raise a UserError unless RDMs are finite, square and symmetric with a zero diagonal."""
    if rdms.dims != ("subject", "session", "stimulus", "stimulus_other"):
        raise UserError(
            f"{name}: RDMs must have dims (subject, session, stimulus, stimulus_other), not {rdms.dims}"
        )
    values = rdms.values
    if values.shape[-2:] != (n_stimuli, n_stimuli):
        raise UserError(
            f"{name}: RDMs are {values.shape[-2]} x {values.shape[-1]}, but there are {n_stimuli} stimuli"
        )
    if not np.isfinite(values).all():
        raise UserError(f"{name}: {int((~np.isfinite(values)).sum())} dissimilarities are NaN or infinite")
    if not np.allclose(values, np.swapaxes(values, -1, -2), atol=1e-6):
        raise UserError(f"{name}: an RDM is not symmetric")
    if not np.allclose(np.diagonal(values, axis1=-2, axis2=-1), 0, atol=1e-6):
        raise UserError(f"{name}: an RDM has a diagonal that is not zero")
