"""One region of a data set, as arrays: what a metric compares a model with."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd
import xarray as xr

from ...brain_data.dataset import Dataset
from ...brain_data.near_duplicates import Alike, n_shared
from ...brain_data.noise_ceiling import noise_variance, repetition_weights
from ...brain_data.recorded import SESSIONS, of_presentations, per_subject, within_sessions, without_still
from ...brain_data.repetitions import mean_response, repetition_cube
from ...errors import UserError, unknown
from .samples import Series

Floats = npt.NDArray[np.float64]
Labels = npt.NDArray[np.object_]
_FEWEST_NEUROIDS = 3


@dataclass(frozen=True)
class Recording:
    """Responses (or RDMs) of one region, stimuli sorted by their id.

    Attributes
    ----------
    name : str
        ``DATASET.REGION``, for messages.
    stimulus_ids : array of shape (n_stimuli,)
    cube : array of shape (n_stimuli, n_repetitions, n_neuroids) or None
        NaN where a repetition is missing.
    rdms : array of shape (n_subjects, n_sessions, n_stimuli, n_stimuli) or None
    neuroids : DataFrame
        One row a neuroid: ``neuroid_id``, ``region`` and what else is known.
    columns : mapping of str to array
        The stimulus table's columns, in the order of the stimuli.
    r_max : float or None
        A published ceiling, in units of r.
    n_left_out : mapping of str to int
        What the data set's own reading left out, by reason.
    sessions : str
        What was done about sessions; empty where there are none.
    position : array of shape (n_stimuli,)
        When each stimulus was first shown, among them; rows of published RDMs as they are.
    blocks : str
        The column within which samples depend on each other, ``"none"``, or empty where it is looked for.
    dataset : Dataset or None
        Where the region comes from.
    series : Series or None
        Of a recording in time, whose stimuli are samples: how words become samples.
    training : array of shape (n_stimuli, n_neuroids) or None
        What is fitted, where it is not what is predicted.
    people : array of shape (n_subjects, n_stimuli, n_places) or None
        Responses of each subject, where those of one place correspond.
    places : array of shape (n_neuroids,) or None
        The place of each neuroid in `people`.
    of_mean : bool
        Whether responses are the mean over `people`.
    """

    name: str
    stimulus_ids: Labels
    cube: Floats | None
    rdms: Floats | None
    neuroids: pd.DataFrame
    columns: Mapping[str, Labels] = field(repr=False)
    r_max: float | None = None
    n_left_out: Mapping[str, int] = field(default_factory=dict)
    position: npt.NDArray[np.intp] = field(default_factory=lambda: np.empty(0, np.intp), repr=False)
    blocks: str = ""
    dataset: Dataset | None = field(default=None, repr=False)
    sessions: str = ""
    series: Series | None = None
    training: Floats | None = field(default=None, repr=False)
    people: Floats | None = field(default=None, repr=False)
    places: npt.NDArray[np.intp] | None = field(default=None, repr=False)
    of_mean: bool = False

    @property
    def n_stimuli(self) -> int:
        """How many stimuli were shown."""
        return len(self.stimulus_ids)

    @cached_property
    def mean(self) -> Floats:
        """The mean response, ``(n_stimuli, n_neuroids)``; of what was shown once, the cube's own numbers."""
        cube = self.responses
        return cube[:, 0] if cube.shape[1] == 1 else mean_response(cube)

    @property
    def fitted(self) -> Floats:
        """What is fitted, ``(n_stimuli, n_neuroids)``: the mean response unless it was said otherwise."""
        return self.mean if self.training is None else self.training

    @cached_property
    def counts(self) -> Floats:
        """Presentations of each stimulus, ``(n_stimuli,)``."""
        counted: Floats = (~np.isnan(self.responses)).any(axis=2).sum(axis=1).astype(np.float64)
        return counted

    @cached_property
    def noise(self) -> Floats:
        """Variance of one presentation, ``(n_neuroids,)``: of repetitions, else by a published ``ncsnr``, else NaN."""
        noise = noise_variance(self.responses)
        if np.isfinite(noise).any() or "ncsnr" not in self.neuroids:
            return noise
        ratio = self.neuroids["ncsnr"].to_numpy(np.float64)
        published: Floats = self.mean.var(axis=0, ddof=1) / (ratio**2 + (1 / self.counts).mean())
        return published

    @cached_property
    def weights(self) -> Floats:
        """Of the stimuli, by how often each was shown, ``(n_stimuli,)``."""
        return repetition_weights(self.responses)

    @cached_property
    def alike(self) -> Alike:
        """Which stimuli are the same, and which nearly."""
        if self.dataset is None:
            return Alike()
        found, order = self.dataset.alike, _order(self.dataset)
        return Alike(*(None if groups is None else groups[order] for groups in (found.same, found.near)))

    @cached_property
    def kept(self) -> npt.NDArray[np.intp]:
        """The first of the stimuli that are the same, and all others."""
        everyone = np.arange(self.n_stimuli)
        same = self.alike.same
        return everyone if same is None else np.sort(np.unique(same, return_index=True)[1]).astype(np.intp)

    @cached_property
    def distinct(self) -> "Recording":
        """The same with one row for stimuli that are the same: their presentations are its repetitions."""
        same, rows = self.alike.same, self.kept
        if same is None:
            return self
        groups = [np.flatnonzero(same == same[row]) for row in rows]
        cube, rdms = self.cube, self.rdms
        if cube is not None:
            shown = [cube[one].reshape(-1, cube.shape[2]) for one in groups]
            shown = [one[~np.isnan(one).all(axis=1)] for one in shown]
            cube = np.full((len(rows), max(map(len, shown)), cube.shape[2]), np.nan)
            for row, one in zip(cube, shown, strict=True):
                row[: len(one)] = one
        if rdms is not None:
            share = np.array([np.isin(np.arange(self.n_stimuli), one) / len(one) for one in groups])
            rdms = (share @ rdms @ share.T) * (1 - np.eye(len(rows)))
        position = self.position[rows] if len(self.position) else self.position
        made = replace(
            self, stimulus_ids=self.stimulus_ids[rows], cube=cube, rdms=rdms, position=np.argsort(np.argsort(position)),
            columns={name: values[rows] for name, values in self.columns.items()}, dataset=None,
        )  # fmt: skip
        near = None if self.alike.near is None else self.alike.near[rows]
        vars(made)["alike"] = Alike(None, near if n_shared(near) else None)
        return made

    @cached_property
    def members(self) -> list[npt.NDArray[np.intp]]:
        """The neuroids of each subject; all of them where nobody is named."""
        everyone = np.arange(self.responses.shape[2])
        if "subject" not in self.neuroids:
            return [everyone]
        subjects = self.neuroids["subject"].to_numpy().astype(str)
        return [everyone[subjects == one] for one in dict.fromkeys(subjects.tolist())]

    @property
    def responses(self) -> Floats:
        """The cube, for metrics that need single responses."""
        if self.cube is None:
            raise UserError(
                f"{self.name} was published as RDMs only: it can be compared with rsa, not predicted"
            )
        return self.cube

    def column(self, name: str | None) -> Labels | None:
        """A column of the stimulus table by name, or None for no name."""
        if name is None:
            return None
        if name not in self.columns:
            raise unknown(f"stimulus column of {self.name}", name, self.columns)
        return self.columns[name]


def recording(dataset: Dataset, region: str) -> Recording:
    """Take one region out of a data set.

    Raises
    ------
    UserError
        For a region that was not recorded.
    """
    if region not in dataset.regions:
        raise unknown(f"region of {dataset.identifier}", region, dataset.regions)
    order = _order(dataset)
    table = pd.DataFrame(dataset.stimuli).iloc[order]
    ids = table["stimulus_id"].to_numpy(object)
    columns = {str(name): table[name].to_numpy(object) for name in table.columns}
    published = dataset.published_ceilings.get(region)
    name = f"{dataset.identifier}.{region}"
    if region in dataset.rdms:
        rdms = dataset.rdms[region].values[..., order, :][..., order].astype(np.float64)
        return Recording(
            name, ids, None, rdms, pd.DataFrame(), columns,
            r_max=None if published is None else published.value, blocks=dataset.blocks, dataset=dataset,
        )  # fmt: skip
    responses = per_subject(dataset.trials(region), name)
    sessions = str(responses.attrs.get(SESSIONS, ""))
    session = of_presentations(responses, "session")
    if session is not None and not sessions and len(np.unique(session.astype(str))) > 1:
        values, sessions = within_sessions(responses.values, session, responses["stimulus_id"].values, name)
        responses = without_still(responses.copy(data=values), name, np.isnan(values).any(axis=0))
    left_out = responses.attrs.get("left_out", {})
    neuroids = pd.DataFrame(
        {str(name): values.values for name, values in responses.coords.items() if values.dims == ("neuroid",)}
    )
    shown = pd.Index(responses["stimulus_id"].values)
    columns |= _of_presentations(responses, shown, ids, columns)
    return Recording(
        name,
        ids,
        repetition_cube(responses, ids.tolist()),
        None,
        neuroids,
        columns,
        r_max=None if published is None else published.value,
        n_left_out=dict(left_out) if isinstance(left_out, Mapping) else {},
        position=np.argsort(np.argsort(pd.Index(shown.unique()).get_indexer(pd.Index(ids)))),
        blocks=dataset.blocks,
        dataset=dataset,
        sessions=sessions,
    )


def one_column(name: str, n_columns: int, what: str) -> None:
    """Refuse answers in several columns, of which nobody knows which one holds them.

    Parameters
    ----------
    name : str
    n_columns : int
    what : str
        What the answers say.

    Raises
    ------
    UserError
        For more than one.
    """
    if n_columns > 1:
        raise UserError(
            f"{name}: one column must say {what}, not {n_columns}: leave the others out by --columns NAME=ignore"
        )


def few_neuroids(name: str, n_neuroids: int) -> None:
    """Refuse correlations over neuroids of which there are fewer than 3: they are -1, 1, or nothing at all.

    Raises
    ------
    UserError
    """
    if n_neuroids < _FEWEST_NEUROIDS:
        raise UserError(
            f"{name}: the correlation of two stimuli's patterns needs at least {_FEWEST_NEUROIDS} neuroids (of every "
            f"subject), not {n_neuroids}: predict them instead, by ridge"
        )


def _order(dataset: Dataset) -> npt.NDArray[np.intp]:
    return np.argsort(dataset.stimuli["stimulus_id"].astype(str).to_numpy(), kind="stable")


def _of_presentations(
    responses: xr.DataArray, shown: "pd.Index[Any]", ids: Labels, columns: Mapping[str, Labels]
) -> dict[str, Labels]:
    """Coordinates of the presentations of which every stimulus has one value, such as its story or session."""
    found = {}
    for name, values in responses.coords.items():
        if values.dims == ("presentation",) and str(name) not in {*columns, "stimulus_id", "repetition"}:
            of_stimulus = pd.Series(values.values, index=shown).groupby(level=0)
            if (of_stimulus.nunique(dropna=False) == 1).all():
                found[str(name)] = of_stimulus.first().reindex(ids).to_numpy(object)
    return found
