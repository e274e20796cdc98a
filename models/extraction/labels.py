"""A layer's numbers with the names of their rows and columns."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt
import xarray as xr

if TYPE_CHECKING:
    from ...brain_data.stimulus_set import StimulusSet

_PLACES = {3: ("channel", "row", "column"), 2: ("token", "channel"), 1: ("channel",)}


def labeled(values: npt.NDArray[Any], notes: Mapping[str, Any], stimuli: "StimulusSet") -> xr.DataArray:
    """Activations, ``(presentation, neuroid)``, from numbers and what was noted beside them.

    Parameters
    ----------
    values : array of shape (n_stimuli, n_units)
    notes : mapping
        ``layer``, ``unit_shape`` and ``left_out``.
    stimuli : StimulusSet
    """
    n_units, layer, shape = values.shape[1], notes["layer"], tuple(notes["unit_shape"])
    place = _PLACES.get(len(shape), ())
    index = np.unravel_index(np.arange(n_units), shape) if place else ()
    coordinates: dict[str, Any] = {name: ("neuroid", where) for name, where in zip(place, index, strict=True)}
    coordinates["neuroid_id"] = ("neuroid", [f"{layer}.{i}" for i in range(n_units)])
    coordinates["layer"] = ("neuroid", np.full(n_units, layer))
    coordinates["stimulus_id"] = ("presentation", stimuli["stimulus_id"].to_numpy())
    return xr.DataArray(
        values, dims=("presentation", "neuroid"), coords=coordinates, attrs=dict(notes["left_out"])
    )
