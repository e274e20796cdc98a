"""One region of a data set, as arrays: what a metric compares a model with."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property

import numpy as np
import numpy.typing as npt
import pandas as pd

from ...brain_data.dataset import Dataset
from ...brain_data.repetitions import mean_response, repetition_cube
from ...errors import UserError, unknown

Floats = npt.NDArray[np.float64]
Labels = npt.NDArray[np.object_]


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
    """

    name: str
    stimulus_ids: Labels
    cube: Floats | None
    rdms: Floats | None
    neuroids: pd.DataFrame
    columns: Mapping[str, Labels] = field(repr=False)
    r_max: float | None = None
    n_left_out: Mapping[str, int] = field(default_factory=dict)

    @property
    def n_stimuli(self) -> int:
        """How many stimuli were shown."""
        return len(self.stimulus_ids)

    @cached_property
    def mean(self) -> Floats:
        """The mean response, ``(n_stimuli, n_neuroids)``."""
        return mean_response(self.responses)

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
    order = np.argsort(dataset.stimuli["stimulus_id"].astype(str).to_numpy(), kind="stable")
    table = pd.DataFrame(dataset.stimuli).iloc[order]
    ids = table["stimulus_id"].to_numpy(object)
    columns = {str(name): table[name].to_numpy(object) for name in table.columns}
    published = dataset.published_ceilings.get(region)
    name = f"{dataset.identifier}.{region}"
    if region in dataset.rdms:
        rdms = dataset.rdms[region].values[..., order, :][..., order].astype(np.float64)
        return Recording(name, ids, None, rdms, pd.DataFrame(), columns)
    responses = dataset.region(region)
    neuroids = pd.DataFrame(
        {str(name): values.values for name, values in responses.coords.items() if values.dims == ("neuroid",)}
    )
    left_out = responses.attrs.get("left_out", {})
    return Recording(
        name,
        ids,
        repetition_cube(responses, ids.tolist()),
        None,
        neuroids,
        columns,
        r_max=None if published is None else published.value,
        n_left_out=dict(left_out) if isinstance(left_out, Mapping) else {},
    )
