"""A model without weights that gives a text a few numbers with names."""

from abc import abstractmethod
from collections.abc import Sequence
from typing import TYPE_CHECKING, ClassVar

import numpy as np
import numpy.typing as npt

from ..model import Context, Model

if TYPE_CHECKING:
    import xarray as xr

    from ...brain_data.stimulus_set import StimulusSet


class TextFeatures(Model):
    """One layer of numbers that are found from the texts alone.

    Attributes
    ----------
    layer : str
    features : tuple of str
        The names of its units.
    """

    modality = "language"
    layer: ClassVar[str] = "features"
    features: ClassVar[tuple[str, ...]]

    @abstractmethod
    def values(self, stimuli: "StimulusSet") -> npt.NDArray[np.float64]:
        """The numbers, (n_stimuli, n_features)."""

    @property
    def layers(self) -> list[str]:
        """The only one."""
        return [self.layer]

    def sizes(self, stimuli: "StimulusSet", layers: Sequence[str] | None = None) -> dict[str, int]:
        """As many units as there are names."""
        return {name: len(self.features) for name in self._asked(layers)}

    def extract(
        self, stimuli: "StimulusSet", layers: Sequence[str] | None = None, *, context: Context = "none"
    ) -> "dict[str, xr.DataArray]":
        """The numbers of every text; see :meth:`Model.extract`."""
        import xarray as xr

        del context  # a text's own words are all that counts
        found = xr.DataArray(
            self.values(stimuli).astype(np.float32),
            dims=("presentation", "neuroid"),
            coords={
                "stimulus_id": ("presentation", stimuli["stimulus_id"].to_numpy()),
                "neuroid_id": ("neuroid", list(self.features)),
                "layer": ("neuroid", np.full(len(self.features), self.layer)),
            },
        )
        return dict.fromkeys(self._asked(layers), found)
