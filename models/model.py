"""The contract: what every model offers, network or not."""

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from copy import copy
from typing import TYPE_CHECKING, Any, Literal, Self

if TYPE_CHECKING:
    import xarray as xr

    from ..brain_data.stimulus_set import StimulusSet
    from .sheet import Sheet

Context = Literal["none", "passage"]


class Model(ABC):
    """Something that answers stimuli with activations, layer by layer.

    Attributes
    ----------
    identifier : str
        The name under which its scores are kept.
    modality : {"vision", "language"}
    digest : str
        sha256 over what the model is: weights, architecture, preprocessing, readout.
    numerics : mapping of str to str
        What else its numbers depend on: device class, precision, versions of packages.
    made_by : tuple of str
        The modules of this package that built it.
    """

    identifier: str
    modality: Literal["vision", "language"]
    digest: str
    numerics: Mapping[str, str] = {}
    made_by: tuple[str, ...] = ()

    @property
    @abstractmethod
    def layers(self) -> list[str]:
        """The layers that are scored when none are named, in forward order."""

    @abstractmethod
    def sizes(self, stimuli: "StimulusSet", layers: Sequence[str] | None = None) -> dict[str, int]:
        """How many units each layer has, found on one stimulus."""

    @abstractmethod
    def extract(
        self, stimuli: "StimulusSet", layers: Sequence[str] | None = None, *, context: Context = "none"
    ) -> "dict[str, xr.DataArray]":
        """Activations to a stimulus set.

        Parameters
        ----------
        stimuli : StimulusSet
            Images (``stimulus_paths``), or texts in a column ``sentence``, ``word`` or ``text``.
        layers : sequence of str, optional
            The model's ``layers`` by default.
        context : {"none", "passage"}
            Language only: each text alone, or after the earlier ones of its passage.

        Returns
        -------
        dict of str to DataArray
            ``(presentation, neuroid)``, float32, rows in the order of `stimuli`; ``stimulus_id`` on
            `presentation`; ``neuroid_id``, ``layer`` and the unit's place in its feature map on `neuroid`.
        """

    def sheet(self, layer: str) -> "Sheet | None":
        """Where the layer's units lie on the model's cortical sheet; None where the model has none."""
        del layer
        return None

    def replaced(self, **attributes: Any) -> Self:
        """A view: the same model, sharing its weights, with other values of some attributes."""
        view = copy(self)
        vars(view).update(attributes)
        return view

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.identifier!r}, {self.modality}, {describe_layers(self.layers)})"


def describe_layers(layers: Sequence[str]) -> str:
    """How many, the first and the last."""
    return f"{len(layers)} layers {layers[0]} ... {layers[-1]}" if len(layers) > 1 else f"layer {layers[0]}"
