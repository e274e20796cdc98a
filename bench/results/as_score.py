"""A record as the ``Score`` that a user is handed: Brain-Score's class where it is installed."""

import warnings
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt
import pandas as pd
import xarray as xr

from .record import COLUMNS, Record, counts, public
from .store import arrays_of

if TYPE_CHECKING:
    from ..metrics.base import Ceiling

try:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", FutureWarning)  # brainscore-core's Score defines no __slots__
        from brainscore_core.metrics import Score as Score
except ImportError:

    class Score(xr.DataArray):  # type: ignore[no-redef, no-untyped-call]
        """A number with what it stands on in ``attrs``, as Brain-Score's class of this name."""

        __slots__ = ()


_ATTRIBUTES = [
    *dict.fromkeys(one.field.path[0] for one in COLUMNS.values() if one.field.path[0] != "score"), "layers"
]  # fmt: skip
"""Fields of a record that a score answers for by name."""


def as_score(record: Record, *, cached: bool) -> Score:
    """A record with its arrays as a score."""
    record = {**record, "cached": cached}
    arrays = arrays_of(record)
    result = Score(_number(record["score"]))
    result.attrs |= {
        "description": describe(record),
        "raw": _raw(record["unit"], arrays),
        "raw_value": record["raw"],
        "ceiling": _ceiling(record, arrays),
        "ci": tuple(map(_number, record["ci"])),
    }
    for name in _ATTRIBUTES:
        result.attrs.setdefault(name, record[name])
    return result.assign_attrs(normalisation=record["normalization"], cached=cached, record=record)


def neuroid_arrays(neuroids: pd.DataFrame) -> dict[str, npt.NDArray[Any]]:
    """Who and where the neuroids of a recording are (``neuroid_id``, ``subject``, ...), as a record's arrays."""
    columns = {str(name): values.to_numpy() for name, values in neuroids.items() if name != "neuroid"}
    return {
        f"neuroid_{name.removeprefix('neuroid_')}": values
        if values.dtype.kind in "biuf"
        else values.astype(str)
        for name, values in columns.items()
    }


def ceiling_score(noise_ceiling: "Ceiling") -> Score:
    """A ceiling as a ``Score``, its kind and parts in ``attrs``."""
    result = Score(noise_ceiling.value)
    result.attrs["kind"] = noise_ceiling.kind
    if noise_ceiling.per_neuroid is not None:
        result.attrs["raw"] = Score(noise_ceiling.per_neuroid, dims=("neuroid",))
    if noise_ceiling.lower is not None and noise_ceiling.upper is not None:
        result.attrs |= {"lower": noise_ceiling.lower, "upper": noise_ceiling.upper}
        result.attrs["subjects"] = {
            name: values.tolist() for name, values in noise_ceiling.per_subject.items()
        }
    return result


def describe(record: Mapping[str, Any]) -> str:
    """A score in one sentence."""
    low, high = record["ci"]
    interval = "" if low is None else f" (95 % interval {low:.3f} to {high:.3f})"
    return (
        f"{record['model']} on {record['benchmark']}: {_number(record['score']):.3f}{interval}, "
        f"layer {record['layer']}, over {', '.join(counts(public(record)))}"
    )


def _raw(unit: str, arrays: Mapping[str, npt.NDArray[Any]]) -> Score:
    """The raw values, each with who and where its neuroid is."""
    dim = unit if unit != "none" else "value"
    coordinates = {
        name if name == "neuroid_id" else name.removeprefix("neuroid_"): (dim, values)
        for name, values in arrays.items()
        if name.startswith("neuroid_") and len(values) == len(arrays["raw"])
    }
    return Score(arrays["raw"], dims=(dim,), coords=coordinates)


def _ceiling(record: Record, arrays: Mapping[str, npt.NDArray[np.float64]]) -> Score:
    from ..metrics.base import Ceiling

    return ceiling_score(
        Ceiling(
            record["ceiling_kind"],
            _number(record["ceiling"]),
            arrays.get("ceiling"),
            record["ceiling_lower"],
            record["ceiling_upper"],
        )
    )


def _number(value: float | None) -> float:
    return float("nan") if value is None else value
