"""One variable with its coordinates, as xarray writes it."""

from pathlib import Path

import xarray as xr

from ...errors import UserError
from .base import COORDINATES, PRESENTATION, Format, Parts, add_format


@add_format
class NetCdf(Format):
    """One variable with dims ``presentation`` and ``neuroid``, and its coordinates."""

    name, suffixes = "netcdf", (".nc",)

    def read(self, path: Path) -> Parts:
        """The arrays of the file."""
        try:
            with xr.open_dataset(path, engine="netcdf4") as stored:  # type: ignore[no-untyped-call]
                loaded = stored.load()
        except (OSError, ValueError, RuntimeError) as error:
            raise UserError(f"{path} is damaged or not a netCDF file ({error}): save it again") from error
        dims = {"presentation", "neuroid"}
        tables = [name for name, values in loaded.data_vars.items() if set(values.dims) == dims]
        if len(tables) != 1:
            raise UserError(
                f"{path.name} must hold one variable with dims (presentation, neuroid), not {len(tables)}"
            )
        plain = {
            str(name): loaded[name].values
            for name in (*loaded.coords, *loaded.data_vars)
            if name in COORDINATES
        }
        return plain | {"responses": loaded[tables[0]].transpose("presentation", "neuroid").values}

    def write(self, path: Path, parts: Parts) -> None:
        """The responses with their coordinates."""
        dims = ("presentation", "neuroid")
        coords = {
            name: (dims[0] if name in PRESENTATION else dims[1], values)
            for name, values in parts.items()
            if name != "responses"
        }
        xr.DataArray(parts["responses"], dims=dims, coords=coords, name="responses").to_netcdf(
            path, engine="netcdf4"
        )
