"""The process that generated the simulated recordings, as a model: it reaches the ceiling by construction."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Literal

import numpy as np
import numpy.typing as npt
import xarray as xr

from ...brain_data import load_dataset
from ...errors import UserError, unknown
from ...files import digest_of
from ..model import Context, Model

if TYPE_CHECKING:
    from ...brain_data.stimulus_set import StimulusSet


class SimulatedTruth(Model):
    """Its layers are the properties that each simulated region codes, looked up by stimulus.

    Parameters
    ----------
    dataset : str
        ``simulated-cortex`` or ``simulated-cortex-language``.
    """

    def __init__(self, identifier: str, dataset: str) -> None:
        data = load_dataset(dataset)
        self.identifier = identifier
        self.modality: Literal["vision", "language"] = data.modality
        self.digest = digest_of("simulated-truth", 1, data.digest)
        self._dataset = dataset
        self._place = {stimulus: row for row, stimulus in enumerate(data.stimuli["stimulus_id"])}
        self._features: dict[str, npt.NDArray[np.float64]] = data.truth["features"]

    @property
    def layers(self) -> list[str]:
        """The simulated regions."""
        return list(self._features)

    def sizes(self, stimuli: "StimulusSet", layers: Sequence[str] | None = None) -> dict[str, int]:
        """How many properties each region codes."""
        return {name: self._features[name].shape[1] for name in self._asked(layers)}

    def extract(
        self, stimuli: "StimulusSet", layers: Sequence[str] | None = None, *, context: Context = "none"
    ) -> dict[str, xr.DataArray]:
        """The properties of each stimulus; only those of its own data set are known."""
        del context  # a stimulus' properties do not depend on it
        ids = stimuli["stimulus_id"].tolist()
        foreign = [one for one in ids if one not in self._place]
        if foreign:
            raise UserError(
                f"{self.identifier} knows the stimuli of {self._dataset} alone; {len(foreign)} are not among them "
                f"(first: {foreign[0]!r})"
            )
        rows = [self._place[one] for one in ids]
        return {name: self._labeled(name, rows, ids) for name in self._asked(layers)}

    def _labeled(self, layer: str, rows: list[int], ids: list[object]) -> xr.DataArray:
        values = self._features[layer][rows].astype(np.float32)
        coordinates = {
            "stimulus_id": ("presentation", ids),
            "neuroid_id": ("neuroid", [f"{layer}.{i}" for i in range(values.shape[1])]),
            "layer": ("neuroid", [layer] * values.shape[1]),
        }
        return xr.DataArray(values, dims=("presentation", "neuroid"), coords=coordinates)

    def _asked(self, layers: Sequence[str] | None) -> list[str]:
        for name in layers or ():
            if name not in self._features:
                raise unknown(f"layer of {self.identifier}", name, self._features)
        return list(layers or self._features)


def vision() -> SimulatedTruth:
    """``simulated-truth``."""
    return SimulatedTruth("simulated-truth", "simulated-cortex")


def language() -> SimulatedTruth:
    """``simulated-truth-language``."""
    return SimulatedTruth("simulated-truth-language", "simulated-cortex-language")
