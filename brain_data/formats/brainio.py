"""The border with Brain-Score: BrainIO assemblies and stimulus sets in and out, through brainscore-core."""

import tempfile
from collections.abc import Mapping
from importlib import import_module
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
import xarray as xr

from ...errors import NotAvailableError, UserError, first_line, unknown
from ...files import cannot_write, sha256_file, unpack_zip
from ...install import remember_folder
from ..arrays import as_names
from ..dataset import Dataset, Modality
from ..reading.tables.table import read_table
from ..recorded import SESSIONS
from ..stimulus_set import StimulusSet
from ..text_columns import text_column
from .netcdf import contents, is_nwb, opened

if TYPE_CHECKING:
    from brainscore_core.supported_data_standards.brainio.assemblies import NeuroidAssembly

    from ..card import DatasetCard

_TEXT = ("sentence", "word", "stimulus")
_AS_WRITTEN = ("stimulus_id", "image_id", "filename", *_TEXT)


def _brainio(module: str) -> Any:
    """A module of Brain-Score's that reads or writes its files."""
    try:
        return import_module(f"brainscore_core.supported_data_standards.brainio.{module}")
    except ImportError as error:
        raise NotAvailableError(
            "Brain-Score's files need the package brainscore-core: pip install 'brainscore-core>=2.5'"
        ) from error


def to_assembly(responses: xr.DataArray) -> "NeuroidAssembly":
    """Responses with plain coordinates as a Brain-Score assembly, its coordinates in MultiIndexes.

    Presentations without ``repetition`` are numbered per stimulus: an index of ``stimulus_id`` alone would
    lose its name.
    """
    responses = _with_repetition(responses)
    coordinates = {
        name: (values.dims, values.values.astype(str) if values.dtype == object else values.values)
        for name, values in responses.coords.items()
    }
    kind = _brainio("assemblies").NeuroidAssembly
    return kind(responses.values, coords=coordinates, dims=responses.dims)


def from_assembly(
    assembly: xr.DataArray, *, window_ms: tuple[float, float] | None = None, in_time: bool = False
) -> xr.DataArray:
    """A Brain-Score assembly as responses ``(presentation, neuroid)`` with plain coordinates.

    Parameters
    ----------
    assembly : DataArray
        Dims `presentation`, `neuroid` and, where it has them, time bins in ms.
    window_ms : (float, float), optional
        The bins inside this window are averaged. One bin alone is taken as it is.
    in_time : bool
        Keep the bins, as a third dimension ``time_bin``.

    Raises
    ------
    UserError
        For other dims, or several time bins without a window, or a window without bins.
    """
    plain = {
        str(name): (dims, values) for name, dims, values in _brainio("assemblies").get_metadata(assembly)
    }
    if in_time:
        return _in_time(assembly, plain)
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
    responses = xr.DataArray(values, dims=("presentation", "neuroid"), coords=coordinates)
    return _with_repetition(responses)


def _in_time(assembly: xr.DataArray, plain: Mapping[str, Any]) -> xr.DataArray:
    """Responses (presentation, neuroid, time_bin), bin by bin as they are without time."""
    if "time_bin" not in assembly.dims or not {"time_bin_start", "time_bin_end"} <= set(plain):
        raise UserError("the assembly has no time bins with time_bin_start and time_bin_end")
    first = from_assembly(assembly.isel(time_bin=[0]))
    values = np.asarray(assembly.transpose("presentation", "neuroid", "time_bin").values)
    coordinates = {str(name): (one.dims, one.values) for name, one in first.coords.items() if one.dims}
    for side in ("time_bin_start", "time_bin_end"):
        coordinates[side] = (("time_bin",), np.atleast_1d(np.asarray(plain[side][1])))
    return xr.DataArray(values, dims=("presentation", "neuroid", "time_bin"), coords=coordinates)


def _with_repetition(responses: xr.DataArray) -> xr.DataArray:
    if "repetition" in responses.coords:
        return responses
    ids = pd.Series(responses["stimulus_id"].values)
    counted = ids.groupby(ids).cumcount().to_numpy()
    return _with_coordinate(responses, "repetition", "presentation", counted)


def _with_coordinate(responses: xr.DataArray, name: str, dim: str, values: object) -> xr.DataArray:
    coordinates = {**responses.coords, name: (dim, values)}
    return xr.DataArray(responses.values, dims=responses.dims, coords=coordinates)


def _over_time(
    assembly: xr.DataArray, plain: Mapping[str, Any], window_ms: tuple[float, float] | None
) -> xr.DataArray:
    n_bins = assembly.sizes["time_bin"]
    if n_bins == 1 and window_ms is None:
        only: xr.DataArray = assembly.isel(time_bin=0)
        return only
    if not {"time_bin_start", "time_bin_end"} <= set(plain):
        raise UserError(f"the assembly has {n_bins} time bins without time_bin_start and time_bin_end")
    starts, ends = (np.atleast_1d(np.asarray(plain[f"time_bin_{side}"][1])) for side in ("start", "end"))
    if window_ms is None:
        raise UserError(
            f"the assembly has {n_bins} time bins from {starts[0]} to {ends[-1]} ms: "
            "name the window to average, e.g. window_ms=(70, 170)"
        )
    inside = (starts >= window_ms[0]) & (ends <= window_ms[1])
    if not inside.any():
        raise UserError(
            f"no time bin lies within {window_ms[0]} to {window_ms[1]} ms ({starts[0]} to {ends[-1]} ms are there)"
        )
    mean: xr.DataArray = assembly.isel(time_bin=np.flatnonzero(inside)).mean("time_bin")
    return mean


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
        Receives ``assy_NAME.nc``, ``stimulus_NAME.csv`` and, for pictures, ``stimulus_NAME.zip``; what else it
        holds stays.

    Returns
    -------
    assembly, table, archive : Path
        The archive is None for texts.
    """
    if dataset.responses is None:
        raise UserError(f"{dataset.identifier} holds RDMs alone: an assembly needs responses")
    name = dataset.identifier.replace(".", "_")
    written = [folder / f"assy_{name}.nc", folder / f"stimulus_{name}.csv", folder / f"stimulus_{name}.zip"]
    paths = getattr(dataset.stimuli, "stimulus_paths", None) or {}
    packaging = _brainio("packaging")
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(prefix=".brainio.", dir=folder) as scratch:
            assembly, table, archive = (Path(scratch) / path.name for path in written)
            packaging.write_netcdf(to_assembly(dataset.responses), assembly)
            rows = pd.DataFrame(dataset.stimuli)
            if paths:
                stored = StimulusSet(
                    rows.assign(stimulus_path_within_store=_names_in_zip(rows["stimulus_id"]))
                )
                stored.stimulus_paths = paths
                _, names = packaging.create_stimulus_zip(stored, str(archive))
                rows = rows.assign(filename=names)
            rows.to_csv(table, index=False)
            for path in (assembly, table, archive)[: 3 if paths else 2]:
                path.replace(folder / path.name)
    except OSError as error:
        raise cannot_write(folder, error) from error
    return written[0], written[1], written[2] if paths else None


def _names_in_zip(ids: "pd.Series[Any]") -> list[str]:
    """The ids as Brain-Score names the files of its zips; numbers where an id is not a plain file name."""
    names = ids.astype(str).tolist()
    if all(len(PurePosixPath(name).parts) == 1 and "\\" not in name and name != ".." for name in names):
        return names
    return [f"{number:06d}" for number in range(len(names))]


def from_brainio(
    assembly: Path,
    table: Path | None = None,
    archive: Path | None = None,
    *,
    identifier: str,
    modality: Modality = "vision",
    region: str = "region",
    window_ms: tuple[float, float] | None = None,
    in_time: bool = False,
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
        The zip of the pictures, unpacked beside it. Without one, only the conditions are known.
    identifier, modality : str
    region : str
        For neuroids without a region.
    window_ms : (float, float), optional
        Time bins to average.
    in_time : bool
        Keep the time bins.
    selection : mapping, optional
        Presentation coordinate -> the value to keep; neuroids without values for them are left out.
    about : mapping, optional
        ``license``, ``bibtex``, ``source``, ``units``, ``blocks``.

    Raises
    ------
    UserError
        For a file that is absent, damaged, or does not fit the others.
    """
    responses = from_assembly(_opened(assembly), window_ms=window_ms, in_time=in_time)
    for name, value in (selection or {}).items():
        responses = _selected(responses, name, value)
    dead = ~np.isfinite(responses.values).all(axis=(0, *range(2, responses.ndim)))
    if dead.all():
        raise UserError(f"{assembly}: no neuroid has a response to every stimulus ({len(dead)} neuroids)")
    left_out = {"neuroids without a response to every stimulus": int(dead.sum())} if dead.any() else {}
    responses = responses[:, ~dead]
    if "region" not in responses.coords:
        of_all = np.full(responses.sizes["neuroid"], region, object)
        responses = _with_coordinate(responses, "region", "neuroid", of_all)
    if table is None:
        stimuli = _from_presentations(responses, modality)
    else:
        stimuli, n_silent = _from_table(table, responses)
        left_out |= {"stimuli without a response": n_silent} if n_silent else {}
        if archive is not None:
            stimuli.stimulus_paths = _pictures(stimuli, table, archive)
    stimuli.identifier = identifier
    responses.attrs["left_out"] = left_out
    return Dataset(
        identifier=identifier,
        modality=modality,
        stimuli=stimuli,
        responses=responses,
        has_stimuli=modality == "language" or archive is not None,
        **(about or {}),
    )


def _selected(responses: xr.DataArray, name: str, value: str) -> xr.DataArray:
    known = [str(other) for other, values in responses.coords.items() if values.dims == ("presentation",)]
    if name not in known:
        raise unknown("presentation coordinate", name, known)
    values = as_names(np.asarray(responses[name].values))  # 1, 1.0 and "1" are one value
    if not (values == str(value)).any():
        raise unknown(f"value of {name}", str(value), set(values.tolist()))
    return responses[values == str(value)]


def load_brainscore(card: "DatasetCard", folder: Path) -> Dataset:
    """A Brain-Score data set of the catalogue.

    Its options name the time window, what to select, and columns of the stimuli that we call otherwise.
    """
    by_suffix = {Path(file.name).suffix: folder / file.name for file in card.files}
    window = card.options.get("window_ms")
    dataset = from_brainio(
        by_suffix[".nc"],
        by_suffix.get(".csv"),
        by_suffix.get(".zip"),
        identifier=card.identifier,
        modality=card.modality,
        region=card.regions[0],
        window_ms=None if window is None else (window[0], window[1]),
        in_time=bool(card.options.get("in_time")),
        selection=card.options.get("selection"),
        about={
            key: value
            for key, value in card.about().items()
            if key in ("license", "bibtex", "source", "units", "blocks", "published_ceilings")
        },
    )
    for name, source in card.options.get("columns", {}).items():
        if source not in dataset.stimuli.columns:
            raise unknown(f"stimulus column of {card.identifier}", source, map(str, dataset.stimuli.columns))
        dataset.stimuli[name] = dataset.stimuli[source]
    if (
        dataset.responses is not None and "session" in dataset.responses.coords
    ):  # Brain-Score's scores are of the responses as they are
        dataset.responses.attrs[SESSIONS] = "sessions as Brain-Score published them"
    return dataset


def _opened(path: Path) -> xr.DataArray:
    if not path.is_file():
        raise UserError(f"no assembly at {path}")
    if is_nwb(path):
        raise UserError(f"{path} is an NWB file, not a BrainIO assembly: give it to data add by itself")
    kinds = _brainio("assemblies")
    stored = opened(path, "BrainIO netCDF", "fetch it again")
    arrays = [
        name for name, values in stored.data_vars.items() if {"presentation", "neuroid"} <= set(values.dims)
    ]
    if len(arrays) != 1 or len(stored.data_vars) != 1:
        raise UserError(
            f"{path} is a netCDF file, but not a BrainIO assembly, which is one variable with dims presentation and "
            f"neuroid; it holds {contents(stored)}"
        )
    try:
        loaded: xr.DataArray = kinds.NeuroidAssembly(stored[arrays[0]])
    except (ValueError, KeyError, TypeError) as error:
        raise UserError(
            f"{path} is a netCDF file, but not a BrainIO assembly ({first_line(error)})"
        ) from error
    return loaded


def _from_table(table: Path, responses: xr.DataArray) -> tuple[StimulusSet, int]:
    """The stimuli that have a response, and how many have none."""
    try:
        rows = read_table(table, _AS_WRITTEN)
    except OSError as error:
        raise UserError(f"cannot read {table}: {error.strerror or error}") from error
    if "stimulus_id" not in rows.columns and "image_id" in rows.columns:
        rows["stimulus_id"] = rows["image_id"]
    if "stimulus_id" not in rows.columns:
        raise UserError(f"{table} has neither a column 'stimulus_id' nor 'image_id'")
    shown = rows["stimulus_id"].isin(set(responses["stimulus_id"].values.tolist()))
    if not shown.any():
        raise UserError(
            f"{table} has none of the assembly's stimuli (first of the assembly: "
            f"{responses['stimulus_id'].values[0]!r}, of the table: {rows['stimulus_id'].head(1).tolist()})"
        )
    return StimulusSet(rows[shown].reset_index(drop=True)), int((~shown).sum())


def _pictures(stimuli: StimulusSet, table: Path, archive: Path) -> dict[str, Path]:
    if not archive.is_file():
        raise UserError(f"no zip of the pictures at {archive}")
    if "filename" not in stimuli.columns:
        raise UserError(f"{table} has no column 'filename', the name of each picture in {archive.name}")
    # Named by the zip's content: a zip that was replaced must not show the pictures of the old one.
    unpacked = archive.with_name(f"{archive.stem}-{sha256_file(archive)[:12]}")
    folder = remember_folder(unpacked, lambda target: unpack_zip(archive, target))
    paths = {}
    for one, name in zip(stimuli["stimulus_id"], stimuli["filename"], strict=True):
        if PurePosixPath(name).is_absolute() or ".." in PurePosixPath(name).parts:
            raise UserError(f"{table}: stimulus {one!r} has the picture {name!r}, outside the zip: refused")
        paths[one] = folder / name
    missing = [path.name for path in paths.values() if not path.is_file()]
    if missing:
        raise UserError(
            f"{archive} lacks {len(missing)} of {len(paths)} pictures of {table.name} (first: {missing[0]})"
        )
    return paths


def _from_presentations(responses: xr.DataArray, modality: Modality) -> StimulusSet:
    """The stimuli as the assembly's own presentation coordinates describe them."""
    columns = {
        str(name): values.values
        for name, values in responses.coords.items()
        if values.dims == ("presentation",)
    }
    rows = (
        pd.DataFrame(columns).drop_duplicates("stimulus_id").drop(columns="repetition").reset_index(drop=True)
    )
    if modality == "vision":
        return StimulusSet(rows)
    said = {name: rows[name] for name in _TEXT if name in rows.columns}
    text = text_column(said) or next(iter(said), None)
    if text is None:
        raise UserError(f"the assembly holds no texts: expected a coordinate {' or '.join(map(repr, _TEXT))}")
    return StimulusSet(rows.assign(sentence=rows[text].astype(str)) if text != "word" else rows)
