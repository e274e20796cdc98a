"""One variable with its coordinates, as xarray writes it."""

from pathlib import Path
from typing import Any

import numpy as np
import xarray as xr

from ...bounded import require_for, require_for_hdf5
from ...errors import UserError, first_line
from ...memory import NotEnoughMemory
from ..columns import ColumnMap
from .base import COORDINATES, PRESENTATION, Format, Parts, add_format

AS_STORED: dict[str, Any] = {"engine": "netcdf4", "decode_times": False, "decode_timedelta": False}
"""Numbers stay numbers whatever their units: xarray makes nanoseconds of responses in "seconds" or "days"."""
_DIMS = ("presentation", "neuroid")


@add_format
class NetCdf(Format):
    """One variable with dims ``presentation`` and ``neuroid``, and its coordinates."""

    name, suffixes = "netcdf", (".nc",)

    def read(self, path: Path) -> Parts:
        """The arrays of the file."""
        return self.read_mapped(path, ColumnMap())

    def read_mapped(self, path: Path, columns: ColumnMap) -> Parts:
        """The arrays of the file under our names."""
        stored = opened(path)
        tables = [name for name, values in stored.data_vars.items() if set(values.dims) == set(_DIMS)]
        if len(tables) != 1:
            raise UserError(
                f"{path.name} must hold one variable with dims (presentation, neuroid), not {len(tables)}; "
                f"it holds {contents(stored)}"
            )
        wanted = {*COORDINATES, *columns.columns.values()}
        plain: Parts = {
            str(name): np.asarray(stored[name].values)
            for name in (*stored.coords, *stored.data_vars)
            if name in wanted and name != tables[0]
        }
        values = np.asarray(stored[tables[0]].transpose(*_DIMS).values)
        return columns.of_arrays(plain, path.name) | {"responses": values}

    def write(self, path: Path, parts: Parts) -> None:
        """The responses with their coordinates."""
        coords = {
            name: (_DIMS[0] if name in PRESENTATION else _DIMS[1], values)
            for name, values in parts.items()
            if name != "responses"
        }
        xr.DataArray(parts["responses"], dims=_DIMS, coords=coords, name="responses").to_netcdf(
            path, engine="netcdf4"
        )


def opened(path: Path, kind: str = "netCDF", advice: str = "save it again") -> xr.Dataset:
    """Everything in a netCDF file, as it is stored; numbers that were packed by the convention are unpacked.

    Raises
    ------
    UserError
        For a file that is damaged, or of another kind, which is named where it is known.
    """
    require_for_hdf5(path)
    try:
        try:
            return _whole(path)
        except NotEnoughMemory:
            raise
        except (
            ValueError,
            TypeError,
            AttributeError,
            KeyError,
        ):  # "scale_factor" may be a word for something else
            return _whole(path, mask_and_scale=False)
    except NotEnoughMemory:
        raise
    except (
        Exception
    ) as error:  # decoding trusts the attributes that a file has, and ends in errors of any kind
        other = _other_kind(path)
        if other:
            raise UserError(f"{path} is {other}") from error
        raise UserError(f"{path} is damaged or not a {kind} file ({first_line(error)}): {advice}") from error


def _whole(path: Path, **options: Any) -> xr.Dataset:
    with xr.open_dataset(path, **AS_STORED, **options) as stored:  # type: ignore[no-untyped-call]
        require_for(path, 2 * sum(one.size * max(one.dtype.itemsize, 8) for one in stored.variables.values()))
        loaded: xr.Dataset = stored.load()
    return loaded


def contents(stored: xr.Dataset) -> str:
    """The variables of a netCDF file with their dims, in words."""
    if not stored.variables:
        return "no variable"
    names = [
        f"{name} ({', '.join(map(str, one.dims)) or 'one value'})" for name, one in stored.variables.items()
    ]
    return ", ".join(names[:6]) + (f" and {len(names) - 6} more" if len(names) > 6 else "")


def is_nwb(path: Path) -> bool:
    """Whether a file is Neurodata Without Borders, by what stands at its root."""
    import netCDF4

    try:
        with netCDF4.Dataset(path) as stored:
            return "nwb_version" in stored.ncattrs() or {"acquisition", "stimulus"} <= set(stored.groups)
    except (OSError, RuntimeError, ValueError):
        return path.suffix == ".nwb"


def _other_kind(path: Path) -> str:
    if is_nwb(path):
        return "an NWB file, not netCDF: give it to data add by itself"
    return ""
