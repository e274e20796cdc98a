"""Response tables as people keep them: .npz, .csv, netCDF and MATLAB, read into plain arrays."""

import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd
import scipy.io
import xarray as xr

from ..errors import UserError, unknown

Parts = dict[str, npt.NDArray[Any]]

PRESENTATION = ("stimulus_id", "repetition", "subject", "run", "session")
NEUROID = ("neuroid_id", "region", "subject_id", "x", "y", "z")
COORDINATES = (*PRESENTATION, *NEUROID)
_NOT_YET = {
    ".nii": "average it over regions or voxels first, e.g. with nilearn.maskers, and save responses.npz",
    ".gz": "average it over regions or voxels first, e.g. with nilearn.maskers, and save responses.npz",
    ".nwb": "take the responses out, e.g. with pynwb, and save responses.npz",
}


def read_responses(folder: Path) -> Parts:
    """The one response file of a folder.

    Returns
    -------
    dict of str to array
        ``responses`` (presentation, neuroid) as floats, and the coordinates that the file holds.

    Raises
    ------
    UserError
        For no file, several, one of an unknown kind, or one that cannot be read.
    """
    found = sorted(path for path in folder.glob("responses.*") if path.is_file())
    known = [path for path in found if path.suffix in _READERS]
    if len(known) > 1:
        raise UserError(
            f"{folder} holds several responses ({', '.join(path.name for path in known)}): keep one"
        )
    if not known:
        for path in found:
            if path.suffix in _NOT_YET:
                raise UserError(f"{path.name} is not read: {_NOT_YET[path.suffix]}")
        raise UserError(f"{folder} holds no responses.npz, responses.csv, responses.nc or responses.mat")
    path = known[0]
    parts = _READERS[path.suffix](path)
    if "responses" not in parts:
        raise unknown(f"array: {path.name} needs", "responses", parts)
    values = parts["responses"]
    if values.ndim != 2:
        raise UserError(
            f"{path.name}: responses must be (presentation, neuroid), not of shape {values.shape}"
        )
    if not np.issubdtype(values.dtype, np.number) or np.issubdtype(values.dtype, np.complexfloating):
        raise UserError(f"{path.name}: responses are {values.dtype}, not real numbers")
    return parts | {"responses": values.astype(np.float64)}


def _npz(path: Path) -> Parts:
    try:
        with path.open("rb") as stream, np.load(stream, allow_pickle=False) as stored:
            return {name: stored[name] for name in stored.files}
    except (zipfile.BadZipFile, EOFError, OSError) as error:
        raise UserError(f"{path} is damaged or not an .npz file ({error}): save it again") from error
    except ValueError as error:
        raise UserError(
            f"{path} holds Python objects, which could execute code when read: refused; save plain arrays "
            "(text as str, numbers as float)"
        ) from error


def _csv(path: Path) -> Parts:
    try:
        table = pd.read_csv(path, dtype={"stimulus_id": str})
    except (pd.errors.ParserError, pd.errors.EmptyDataError, UnicodeDecodeError) as error:
        raise UserError(f"{path} cannot be read as a table: {error}") from error
    if "stimulus_id" not in table.columns:
        raise unknown(f"column: {path.name} needs", "stimulus_id", list(map(str, table.columns)))
    neuroids = [column for column in table.columns if column not in PRESENTATION]
    for column in neuroids:
        numbers = pd.to_numeric(table[column], errors="coerce")
        wrong = numbers.isna() & table[column].notna()
        if wrong.any():
            row = int(wrong.to_numpy().argmax())
            raise UserError(
                f"{path.name}: {table[column].iloc[row]!r} in row {row + 2}, column {column!r} is not a number"
            )
        table[column] = numbers
    parts: Parts = {name: table[name].to_numpy() for name in PRESENTATION if name in table.columns}
    return parts | {
        "responses": table[neuroids].to_numpy(np.float64),
        "neuroid_id": np.array(neuroids, object),
    }


def _netcdf(path: Path) -> Parts:
    try:
        with xr.open_dataset(path, engine="netcdf4") as stored:
            loaded = stored.load()
    except (OSError, ValueError, RuntimeError) as error:
        raise UserError(f"{path} is damaged or not a netCDF file ({error}): save it again") from error
    tables = [name for name, values in loaded.data_vars.items() if values.dims == ("presentation", "neuroid")]
    if len(tables) != 1:
        raise UserError(
            f"{path.name} must hold one variable with dims (presentation, neuroid), not {len(tables)}"
        )
    plain = {
        str(name): loaded[name].values for name in (*loaded.coords, *loaded.data_vars) if name in COORDINATES
    }
    return plain | {"responses": loaded[tables[0]].values}


def _matlab(path: Path) -> Parts:
    try:
        content = scipy.io.loadmat(path, simplify_cells=True)
    except NotImplementedError as error:
        raise UserError(f"{path.name} is a MATLAB v7.3 file: save it again with save(..., '-v7')") from error
    except (OSError, ValueError, TypeError, EOFError, LookupError, scipy.io.matlab.MatReadError) as error:
        raise UserError(f"{path} is damaged or not a MATLAB file ({error}): save it again") from error
    parts = {name: np.asarray(value) for name, value in content.items() if not name.startswith("__")}
    return {name: value if name == "responses" else np.atleast_1d(value) for name, value in parts.items()}


_READERS = {".npz": _npz, ".csv": _csv, ".nc": _netcdf, ".mat": _matlab}
