"""Recordings of one's own: a folder with a stimulus table and responses, by a documented layout."""

import json
import shutil
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, get_args

import numpy as np
import numpy.typing as npt
import pandas as pd
import xarray as xr
from brainscore_core.supported_data_standards.brainio.stimuli import StimulusSet

from ..errors import UserError, unknown
from ..files import home, whole_folder, write_bytes
from .dataset import Dataset, Modality, Published
from .tables import COORDINATES, NEUROID, PRESENTATION, read_responses

_TEXT = ("sentence", "word", "text")
_DESCRIPTION = "dataset.toml"


@dataclass(frozen=True)
class Description:
    """What ``dataset.toml`` may say; everything is optional."""

    title: str = ""
    modality: Modality | None = None
    region: str = "region"
    license: str = ""
    bibtex: str = ""
    source: str = ""
    units: str = ""
    simulated: bool = False
    published_ceilings: Mapping[str, Mapping[str, Any]] | None = None
    regions: tuple[str, ...] = ()
    n_stimuli: int | None = None


def load_folder(folder: Path, identifier: str) -> Dataset:
    """Load recordings of one's own.

    The folder holds ``stimuli.csv`` (``stimulus_id``, and ``filename`` or ``sentence``/``word``; further
    columns are labels), pictures under ``stimuli/``, one of ``responses.npz``, ``.csv``, ``.nc``, ``.mat``,
    and where wanted ``neuroids.csv`` and ``dataset.toml``: docs/your-own-data.md.

    Parameters
    ----------
    folder : Path
    identifier : str
        The name that the data set goes by.

    Raises
    ------
    UserError
        For anything that is missing, damaged or does not fit, with its place.
    """
    if not folder.is_dir():
        raise UserError(f"no folder at {folder}")
    about = _described(folder / _DESCRIPTION)
    stimuli, modality = _stimuli(folder, about.modality)
    stimuli.identifier = identifier
    parts = read_responses(folder)
    neuroids = _neuroids(folder / "neuroids.csv", parts)
    responses = _labelled(parts, neuroids, about.region, folder)
    _no_constants(responses, identifier)
    ceilings = {
        region: Published(float(entry["value"]), str(entry.get("source", "")))
        for region, entry in (about.published_ceilings or {}).items()
    }
    return Dataset(
        identifier=identifier,
        modality=modality,
        stimuli=stimuli,
        responses=responses,
        simulated=about.simulated,
        license=about.license,
        bibtex=about.bibtex,
        source=about.source or str(folder),
        units=about.units,
        published_ceilings=ceilings,
    )


def install_folder(name: str, folder: Path) -> Path:
    """Check recordings of one's own by loading them, then copy them into the home.

    Parameters
    ----------
    name : str
        What they will go by.
    folder : Path

    Returns
    -------
    Path
        Where they lie now.
    """
    dataset = load_folder(folder, name)
    target = home() / "data" / name
    with whole_folder(target) as temporary:
        shutil.copytree(folder, temporary, dirs_exist_ok=True, symlinks=False)
        if not (temporary / _DESCRIPTION).exists():
            regions = ", ".join(f'"{region}"' for region in dataset.regions)
            text = f'modality = "{dataset.modality}"\nregions = [{regions}]\nn_stimuli = {len(dataset.stimuli)}\n'
            write_bytes(temporary / _DESCRIPTION, text.encode())
    return target


def save_folder(dataset: Dataset, folder: Path) -> None:
    """Write a data set in the layout that :func:`load_folder` reads.

    Parameters
    ----------
    dataset : Dataset
        With responses; RDMs alone have no place in this layout.
    folder : Path
        Made anew; one that was there is replaced.
    """
    if dataset.responses is None:
        raise UserError(f"{dataset.identifier} holds RDMs alone: only responses can be written as a folder")
    paths = getattr(dataset.stimuli, "stimulus_paths", None) or {}
    table = pd.DataFrame(dataset.stimuli)
    with whole_folder(folder) as temporary:
        if paths:
            (temporary / "stimuli").mkdir()
            names = [f"{i:05d}{Path(paths[one]).suffix}" for i, one in enumerate(table["stimulus_id"])]
            for one, name in zip(table["stimulus_id"], names, strict=True):
                shutil.copyfile(paths[one], temporary / "stimuli" / name)
            table = table.assign(filename=names)
        table.to_csv(temporary / "stimuli.csv", index=False)
        arrays = {"responses": dataset.responses.values}
        for coordinate in COORDINATES:
            if coordinate in dataset.responses.coords:
                values = dataset.responses[coordinate].values
                arrays[coordinate] = values.astype(str) if values.dtype == object else values
        np.savez_compressed(temporary / "responses.npz", **arrays)
        write_bytes(temporary / _DESCRIPTION, _description_of(dataset).encode())


def _description_of(dataset: Dataset) -> str:
    said = {
        "modality": dataset.modality,
        "license": dataset.license,
        "bibtex": dataset.bibtex,
        "source": dataset.source,
        "units": dataset.units,
    }
    lines = [f"{key} = {_quoted(value)}" for key, value in said.items() if value]
    lines.append(f"simulated = {str(dataset.simulated).lower()}")
    for region, published in dataset.published_ceilings.items():
        lines += [f"[published_ceilings.{_quoted(region)}]", f"value = {published.value!r}"]
        lines.append(f"source = {_quoted(published.source)}")
    return "\n".join(lines) + "\n"


def _quoted(text: str) -> str:
    """A TOML basic string: JSON's escapes are a part of TOML's."""
    return json.dumps(text, ensure_ascii=False).replace("\x7f", "\\u007f")


def _described(path: Path) -> Description:
    if not path.exists():
        return Description()
    try:
        content = tomllib.loads(path.read_text(encoding="utf-8"))
    except (OSError, tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise UserError(f"{path} is not valid TOML: {error}") from error
    known = Description.__dataclass_fields__
    for key in content:
        if key not in known:
            raise unknown(f"entry of {path.name}", key, known)
    modality = content.get("modality")
    if modality is not None and modality not in get_args(Modality):
        raise UserError(f"{path}: modality must be 'vision' or 'language', not {modality!r}")
    return Description(**content)


def _stimuli(folder: Path, said: Modality | None) -> tuple[StimulusSet, Literal["vision", "language"]]:
    path = folder / "stimuli.csv"
    if not path.is_file():
        raise UserError(
            f"{folder} holds no stimuli.csv: a table with a column stimulus_id, one row a stimulus"
        )
    try:
        table = pd.read_csv(path, dtype={"stimulus_id": str, "filename": str, **dict.fromkeys(_TEXT, str)})
    except (pd.errors.ParserError, pd.errors.EmptyDataError, UnicodeDecodeError) as error:
        raise UserError(f"{path} cannot be read as a table: {error}") from error
    if "stimulus_id" not in table.columns:
        raise unknown(f"column: {path.name} needs", "stimulus_id", list(map(str, table.columns)))
    stimuli = StimulusSet(table)
    has_text = any(column in table.columns for column in _TEXT)
    modality: Modality = said or ("language" if has_text and "filename" not in table.columns else "vision")
    if modality == "language":
        if not has_text:
            raise UserError(f"{path} has no column 'sentence', 'word' or 'text' for a language data set")
        return stimuli, modality
    if "filename" not in table.columns:
        raise UserError(f"{path} has neither a column 'filename' (pictures) nor 'sentence' or 'word' (texts)")
    stimuli.stimulus_paths = _pictures(table, folder / "stimuli")
    return stimuli, modality


def _pictures(table: pd.DataFrame, folder: Path) -> dict[str, Path]:
    root = folder.resolve()
    paths = {}
    for stimulus, name in zip(table["stimulus_id"], table["filename"], strict=True):
        path = folder / str(name)
        if not path.resolve().is_relative_to(root):
            raise UserError(f"stimulus {stimulus!r}: {name!r} would leave the folder {folder.name}/: refused")
        paths[stimulus] = path
    missing = [path for path in paths.values() if not path.is_file()]
    if missing:
        raise UserError(
            f"{len(missing)} of {len(paths)} pictures are not in {folder} (first: {missing[0].name})"
        )
    return paths


def _neuroids(path: Path, parts: dict[str, npt.NDArray[Any]]) -> dict[str, npt.NDArray[Any]]:
    n_neuroids = parts["responses"].shape[1]
    known = {name: parts[name] for name in NEUROID if name in parts}
    if not path.exists():
        return known
    table = pd.read_csv(path, dtype={"neuroid_id": str, "region": str})
    if "neuroid_id" not in table.columns:
        raise unknown(f"column: {path.name} needs", "neuroid_id", list(map(str, table.columns)))
    names = known.get("neuroid_id")
    if names is not None and set(names.astype(str)) != set(table["neuroid_id"]):
        odd = sorted(set(names.astype(str)) ^ set(table["neuroid_id"]))
        raise UserError(
            f"{path.name} and the responses name different neuroids: {len(odd)} differ (first: {odd[0]!r})"
        )
    if names is None and len(table) != n_neuroids:
        raise UserError(f"{path.name} lists {len(table)} neuroids, but the responses have {n_neuroids}")
    if names is not None:
        table = table.set_index("neuroid_id").loc[names.astype(str)].reset_index()
    return known | {column: table[column].to_numpy() for column in NEUROID if column in table.columns}


def _labelled(
    parts: dict[str, npt.NDArray[Any]], neuroids: dict[str, npt.NDArray[Any]], region: str, folder: Path
) -> xr.DataArray:
    values = parts["responses"]
    if "stimulus_id" not in parts:
        raise UserError(f"the responses in {folder} have no stimulus_id, one for each presentation")
    coordinates: dict[str, Any] = {
        name: ("presentation", parts[name]) for name in PRESENTATION if name in parts
    }
    coordinates["stimulus_id"] = ("presentation", parts["stimulus_id"].astype(str).astype(object))
    neuroids = {
        "neuroid_id": np.array([f"n{i}" for i in range(values.shape[1])], object),
        "region": np.full(values.shape[1], region, object),
    } | neuroids
    coordinates |= {name: ("neuroid", column) for name, column in neuroids.items()}
    for name, (dim, column) in coordinates.items():
        expected = values.shape[0 if dim == "presentation" else 1]
        if len(column) != expected:
            raise UserError(
                f"{name} has {len(column)} values, but there are {expected} {dim}s in the responses"
            )
    return xr.DataArray(values, dims=("presentation", "neuroid"), coords=coordinates)


def _no_constants(responses: xr.DataArray, name: str) -> None:
    constant = np.ptp(responses.values, axis=0) == 0
    if constant.any():
        first = responses["neuroid_id"].values[int(constant.argmax())]
        raise UserError(
            f"{name}: {int(constant.sum())} of {len(constant)} neuroids never vary (first: {first!r}): "
            "they cannot be predicted; leave them out of the responses"
        )
