"""The border with Brain-Score: BrainIO assemblies and stimulus sets in and out, through brainscore-core."""

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
import xarray as xr
from brainscore_core.supported_data_standards.brainio.assemblies import (
    AssemblyLoader,
    NeuroidAssembly,
    get_metadata,
)
from brainscore_core.supported_data_standards.brainio.packaging import create_stimulus_zip, write_netcdf
from brainscore_core.supported_data_standards.brainio.stimuli import StimulusSet

from ..errors import UserError
from ..files import unpack_zip, whole_folder
from ..install import remember_folder
from .dataset import Dataset, Modality

if TYPE_CHECKING:
    from .catalogue import DatasetCard

_TEXT = ("sentence", "word", "stimulus")


def to_assembly(responses: xr.DataArray) -> NeuroidAssembly:
    """Responses with plain coordinates as a Brain-Score assembly, its coordinates in MultiIndexes."""
    coordinates = {
        name: (values.dims, values.values.astype(str) if values.dtype == object else values.values)
        for name, values in responses.coords.items()
    }
    return NeuroidAssembly(responses.values, coords=coordinates, dims=responses.dims)


def from_assembly(assembly: xr.DataArray, *, window_ms: tuple[float, float] | None = None) -> xr.DataArray:
    """A Brain-Score assembly as responses ``(presentation, neuroid)`` with plain coordinates.

    Parameters
    ----------
    assembly : DataArray
        Dims `presentation`, `neuroid` and, where it has them, time bins in ms.
    window_ms : (float, float), optional
        The bins inside this window are averaged. One bin alone is taken as it is.

    Raises
    ------
    UserError
        For other dims, or several time bins without a window, or a window without bins.
    """
    plain = {str(name): (dims, values) for name, dims, values in get_metadata(assembly)}
    if "time_bin" in assembly.dims:
        assembly = _over_time(assembly, plain, window_ms)
    if set(assembly.dims) != {"presentation", "neuroid"}:
        raise UserError(
            f"an assembly must have dims presentation and neuroid, not {', '.join(map(str, assembly.dims))}"
        )
    values = np.asarray(assembly.transpose("presentation", "neuroid").values)
    coordinates = {
        name: (dims[0], _texts(column))
        for name, (dims, column) in plain.items()
        if dims and dims[0] != "time_bin"
    }
    if "stimulus_id" not in coordinates and "image_id" in coordinates:
        coordinates["stimulus_id"] = coordinates["image_id"]
    for name in ("stimulus_id", "neuroid_id"):
        if name not in coordinates:
            raise UserError(
                f"the assembly has no coordinate {name!r} (it has: {', '.join(sorted(coordinates))})"
            )
    dim, ids = coordinates["stimulus_id"]
    coordinates["stimulus_id"] = (dim, np.asarray(ids).astype(str).astype(object))
    if "repetition" not in coordinates:
        counted = pd.Series(coordinates["stimulus_id"][1]).groupby(coordinates["stimulus_id"][1]).cumcount()
        coordinates["repetition"] = ("presentation", counted.to_numpy())
    return xr.DataArray(values, dims=("presentation", "neuroid"), coords=coordinates)


def _over_time(
    assembly: xr.DataArray, plain: Mapping[str, Any], window_ms: tuple[float, float] | None
) -> xr.DataArray:
    starts, ends = (np.atleast_1d(np.asarray(plain[f"time_bin_{side}"][1])) for side in ("start", "end"))
    if window_ms is None:
        if len(starts) > 1:
            raise UserError(
                f"the assembly has {len(starts)} time bins from {starts[0]} to {ends[-1]} ms: "
                "name the window to average, e.g. window_ms=(70, 170)"
            )
        return assembly.isel(time_bin=0)
    inside = (starts >= window_ms[0]) & (ends <= window_ms[1])
    if not inside.any():
        raise UserError(
            f"no time bin lies within {window_ms[0]} to {window_ms[1]} ms ({starts[0]} to {ends[-1]} ms are there)"
        )
    return assembly.isel(time_bin=np.flatnonzero(inside)).mean("time_bin")


def _texts(column: Any) -> Any:
    values = np.asarray(column)
    return values.astype(object) if values.dtype.kind in "US" else values


def to_brainio(dataset: Dataset, folder: Path) -> tuple[Path, Path, Path | None]:
    """Write a data set in Brain-Score's format.

    Parameters
    ----------
    dataset : Dataset
        With responses.
    folder : Path
        Receives ``assy_NAME.nc``, ``stimulus_NAME.csv`` and, for pictures, ``stimulus_NAME.zip``.

    Returns
    -------
    assembly, table, archive : Path
        The archive is None for texts.
    """
    if dataset.responses is None:
        raise UserError(f"{dataset.identifier} holds RDMs alone: an assembly needs responses")
    name = dataset.identifier.replace(".", "_")
    table = pd.DataFrame(dataset.stimuli)
    paths = getattr(dataset.stimuli, "stimulus_paths", None) or {}
    with whole_folder(folder) as temporary:
        write_netcdf(to_assembly(dataset.responses), temporary / f"assy_{name}.nc")
        if paths:
            table = table.assign(filename=[f"{one}{Path(paths[one]).suffix}" for one in table["stimulus_id"]])
            create_stimulus_zip(dataset.stimuli, str(temporary / f"stimulus_{name}.zip"))
        table.to_csv(temporary / f"stimulus_{name}.csv", index=False)
    archive = folder / f"stimulus_{name}.zip" if paths else None
    return folder / f"assy_{name}.nc", folder / f"stimulus_{name}.csv", archive


def from_brainio(
    assembly: Path,
    table: Path | None = None,
    archive: Path | None = None,
    *,
    identifier: str,
    modality: Modality = "vision",
    region: str = "region",
    window_ms: tuple[float, float] | None = None,
    selection: Mapping[str, str] | None = None,
    about: Mapping[str, Any] | None = None,
) -> Dataset:
    """Read a data set in Brain-Score's format.

    Parameters
    ----------
    assembly : Path
        The netCDF file.
    table : Path, optional
        The stimulus CSV. Without it the stimuli are the assembly's own presentation coordinates (texts).
    archive : Path, optional
        The zip of the pictures, unpacked beside it.
    identifier, modality : str
    region : str
        For neuroids without a region.
    window_ms : (float, float), optional
        Time bins to average.
    selection : mapping, optional
        Presentation coordinate -> the value to keep; neuroids without values for them are left out.
    about : mapping, optional
        ``license``, ``bibtex``, ``source``, ``units``.

    Raises
    ------
    UserError
        For a file that is absent, damaged, or does not fit the others.
    """
    responses = from_assembly(_opened(assembly), window_ms=window_ms)
    for name, value in (selection or {}).items():
        responses = responses[(responses[name] == value).values]
    dead = ~np.isfinite(responses.values).all(axis=0)
    left_out = {"neuroids without a response to every stimulus": int(dead.sum())} if dead.any() else {}
    responses = responses[:, ~dead]
    responses.attrs["left_out"] = left_out
    if "region" not in responses.coords:
        responses = responses.assign_coords(
            region=("neuroid", np.full(responses.sizes["neuroid"], region, object))
        )
    stimuli = _from_table(table, archive, responses) if table is not None else _from_presentations(responses)
    stimuli.identifier = identifier
    return Dataset(
        identifier=identifier, modality=modality, stimuli=stimuli, responses=responses, **(about or {})
    )


def load_brainscore(card: "DatasetCard", folder: Path) -> Dataset:
    """A Brain-Score data set of the catalogue; its options name the time window and what to select."""
    by_suffix = {Path(file.name).suffix: folder / file.name for file in card.files}
    window = card.options.get("window_ms")
    return from_brainio(
        by_suffix[".nc"],
        by_suffix.get(".csv"),
        by_suffix.get(".zip"),
        identifier=card.identifier,
        modality=card.modality,
        region=card.regions[0],
        window_ms=None if window is None else (window[0], window[1]),
        selection=card.options.get("selection"),
        about={
            key: value
            for key, value in card.about().items()
            if key in ("license", "bibtex", "source", "units")
        },
    )


def _opened(path: Path) -> xr.DataArray:
    if not path.is_file():
        raise UserError(f"no assembly at {path}")
    try:
        return AssemblyLoader(cls=NeuroidAssembly, file_path=path).load().load()
    except (OSError, ValueError, RuntimeError, KeyError) as error:
        first = (str(error).strip().splitlines() or ["no message"])[0]
        raise UserError(
            f"{path} is damaged or not a BrainIO netCDF file ({first}): fetch it again"
        ) from error


def _from_table(table: Path, archive: Path | None, responses: xr.DataArray) -> StimulusSet:
    try:
        rows = pd.read_csv(table)
    except (OSError, pd.errors.ParserError, pd.errors.EmptyDataError, UnicodeDecodeError) as error:
        raise UserError(f"{table} cannot be read as a table: {error}") from error
    if "stimulus_id" not in rows.columns and "image_id" in rows.columns:
        rows["stimulus_id"] = rows["image_id"]
    if "stimulus_id" not in rows.columns:
        raise UserError(f"{table} has neither a column 'stimulus_id' nor 'image_id'")
    rows["stimulus_id"] = rows["stimulus_id"].astype(str)
    shown = rows["stimulus_id"].isin(set(responses["stimulus_id"].values.tolist()))
    stimuli = StimulusSet(rows[shown].reset_index(drop=True))
    if archive is not None:
        folder = remember_folder(archive.with_suffix(""), lambda target: _unpack(archive, target))
        names = stimuli["filename"].astype(str)
        missing = [name for name in names if not (folder / name).is_file()]
        if missing:
            raise UserError(
                f"{archive} lacks {len(missing)} of {len(names)} pictures of {table.name} (first: {missing[0]})"
            )
        stimuli.stimulus_paths = {
            one: folder / name for one, name in zip(stimuli["stimulus_id"], names, strict=True)
        }
    return stimuli


def _unpack(archive: Path, target: Path) -> None:
    unpack_zip(archive, target)


def _from_presentations(responses: xr.DataArray) -> StimulusSet:
    columns = {
        str(name): values.values
        for name, values in responses.coords.items()
        if values.dims == ("presentation",)
    }
    rows = (
        pd.DataFrame(columns).drop_duplicates("stimulus_id").drop(columns="repetition").reset_index(drop=True)
    )
    text = next((name for name in _TEXT if name in rows.columns), None)
    if text is None:
        raise UserError(f"the assembly holds no texts: expected a coordinate {' or '.join(map(repr, _TEXT))}")
    return StimulusSet(rows.assign(sentence=rows[text].astype(str)) if text != "word" else rows)
