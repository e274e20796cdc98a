"""The process that generated the simulated recordings, as a model: it reaches the ceiling by construction."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Literal

import numpy as np
import numpy.typing as npt

from ...errors import UserError
from ...files import digest_of
from ..catalogue import ModelCard, loads
from ..model import Context, Model

if TYPE_CHECKING:
    import xarray as xr

    from ...brain_data.stimulus_set import StimulusSet


class SimulatedTruth(Model):
    """Its layers are the properties that each simulated region codes, looked up by stimulus.

    Parameters
    ----------
    dataset : str
        ``simulated-cortex`` or ``simulated-cortex-language``.
    """

    def __init__(self, identifier: str, dataset: str) -> None:
        from ...brain_data import load_dataset

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
    ) -> "dict[str, xr.DataArray]":
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

    def _labeled(self, layer: str, rows: list[int], ids: list[object]) -> "xr.DataArray":
        import xarray as xr

        values = self._features[layer][rows].astype(np.float32)
        coordinates = {
            "stimulus_id": ("presentation", ids),
            "neuroid_id": ("neuroid", [f"{layer}.{i}" for i in range(values.shape[1])]),
            "layer": ("neuroid", [layer] * values.shape[1]),
        }
        return xr.DataArray(values, dims=("presentation", "neuroid"), coords=coordinates)


_WHAT = "SIMULATED: the process that generated"


@loads(
    ModelCard("simulated-truth", f"{_WHAT} simulated-cortex", "vision", "simulated", ("V1", "IT")),
    ModelCard(
        "simulated-truth-language",
        f"{_WHAT} simulated-cortex-language",
        "language",
        "simulated",
        ("language",),
    ),
)
def simulated_truth(card: ModelCard) -> Model:
    """The process behind the simulated recordings of the card's modality."""
    return SimulatedTruth(card.identifier, card.identifier.replace("truth", "cortex"))
