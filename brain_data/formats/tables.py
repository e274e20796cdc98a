"""Response tables as people keep them: .npz, .csv, netCDF and MATLAB, read into plain arrays."""

import zipfile
import zlib
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd
import scipy.io
import xarray as xr

from ...errors import UserError, unknown

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
    with path.open("rb") as stream:
        try:
            stored = np.load(stream, allow_pickle=False)
            if isinstance(stored, np.ndarray):
                raise UserError(
                    f"{path} holds one array, as np.save writes it: save it with np.savez, by name"
                )
            return {name: stored[name] for name in stored.files}
        except (zipfile.BadZipFile, zlib.error, EOFError, OSError, NotImplementedError) as error:
            raise UserError(f"{path} is damaged or not an .npz file ({error}): save it again") from error
        except UserError:
            raise
        except ValueError as error:
            if "allow_pickle" not in str(error):
                raise UserError(f"{path} is damaged ({error}): save it again") from error
            raise UserError(
                f"{path} holds Python objects, which could execute code when read: refused; save plain arrays "
                "(text as str, numbers as float)"
            ) from error


def _csv(path: Path) -> Parts:
    try:
        header = pd.read_csv(path, header=None, nrows=1, dtype=str, keep_default_na=False).iloc[0]
        table = pd.read_csv(
            path, converters={"stimulus_id": str}, float_precision="round_trip", low_memory=False
        )
    except (pd.errors.ParserError, pd.errors.EmptyDataError, UnicodeDecodeError) as error:
        raise UserError(f"{path} cannot be read as a table: {' '.join(str(error).split())}") from error
    _check_header(path, header.tolist())
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


def _check_header(path: Path, names: list[str]) -> None:
    if len(names) == 1 and {";", "\t"} & set(names[0]):
        raise UserError(
            f"{path} is not separated by commas (its first line is {names[0]!r}): save it with commas"
        )
    twice = [name for i, name in enumerate(names) if name in names[:i]]
    if twice:
        raise UserError(f"{path.name}: {len(twice)} columns appear more than once (first: {twice[0]!r})")
    if "" in names:
        raise UserError(
            f"{path.name}: column {names.index('') + 1} has no name: a row number that pandas wrote? "
            "Save it with to_csv(..., index=False)"
        )


def _netcdf(path: Path) -> Parts:
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
        str(name): loaded[name].values for name in (*loaded.coords, *loaded.data_vars) if name in COORDINATES
    }
    return plain | {"responses": loaded[tables[0]].transpose("presentation", "neuroid").values}


def _matlab(path: Path) -> Parts:
    try:
        content = scipy.io.loadmat(path, simplify_cells=True)
        shapes = {name: shape for name, shape, _ in scipy.io.whosmat(path)}
    except NotImplementedError as error:
        raise UserError(f"{path.name} is a MATLAB v7.3 file: save it again with save(..., '-v7')") from error
    except (OSError, ValueError, TypeError, EOFError, LookupError, scipy.io.matlab.MatReadError) as error:
        raise UserError(f"{path} is damaged or not a MATLAB file ({error}): save it again") from error
    parts = {name: np.asarray(value) for name, value in content.items() if not name.startswith("__")}
    columns = {name: _column(value) for name, value in parts.items() if name != "responses"}
    if "responses" not in parts:
        return columns
    values = parts["responses"]  # of one neuroid loadmat makes a list
    return columns | {"responses": values.reshape(shapes["responses"]) if values.ndim == 1 else values}


def _column(values: npt.NDArray[Any]) -> npt.NDArray[Any]:
    """A list; rows of a character matrix lose the spaces that MATLAB fills them up with."""
    listed = np.atleast_1d(values)
    return np.char.rstrip(listed) if listed.dtype.kind == "U" else listed


_READERS = {".npz": _npz, ".csv": _csv, ".nc": _netcdf, ".mat": _matlab}
