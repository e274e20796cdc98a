"""Recordings of one's own: a folder with a stimulus table and responses, by a documented layout."""

import shutil
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any, get_args

import numpy.typing as npt
import pandas as pd
import xarray as xr

from ...bounded import check_plain
from ...errors import UserError, unknown
from ...files import (
    home,
    parse_toml,
    read_json,
    read_toml,
    sha256_file,
    whole_folder,
    write_bytes,
    write_json,
)
from ...install import KnownFile, verify_installed
from ..arrays import as_names, ask_about_rdm, labeled
from ..card import check_name
from ..columns import ColumnMap, lacking
from ..dataset import Dataset, Kind, Modality, Published
from ..reading.tables.pictures import check_there, named_pictures
from ..reading.tables.table import line_of, read_table
from ..recorded import check_filled, per_subject, without_dead, without_unseen
from ..stimuli.pictures import check as check_picture
from ..stimulus_set import StimulusSet
from ..text_columns import TEXT_COLUMNS, text_column
from .base import COORDINATES, NEUROID, TIMED, read_responses
from .chunked import is_chunked, read_chunked
from .folder_writer import DESCRIPTION, quoted
from .rdms import IN_A_FOLDER, own_rdms

_AS_WRITTEN = ("stimulus_id", "filename", "neuroid_id", "region", "subject", "category", *TEXT_COLUMNS)
MANIFEST = "MANIFEST.json"
CONFOUNDS = "confounds.csv"
_ENDINGS = (".npz", ".csv", ".tsv", ".nc", ".mat")
_NOT_TEXT: Mapping[str, tuple[type, str]] = {
    "has_stimuli": (bool, "true or false"),
    "simulated": (bool, "true or false"),
    "n_stimuli": (int, "a whole number"),
    "n_subjects": (int, "a whole number"),
    "regions": (list, "a list of names"),
    "published_ceilings": (dict, "a table for each region"),
    "columns": (dict, 'a table of OURS = "THEIRS"'),
    "tr": (float, "a number of seconds, such as 2.0"),
}


@dataclass(frozen=True)
class Description:
    """What ``dataset.toml`` may say; everything is optional."""

    title: str = ""
    modality: Modality | None = None
    species: str = ""
    technique: str = ""
    region: str = "region"
    license: str = ""
    bibtex: str = ""
    source: str = ""
    units: str = ""
    space: str = ""
    rdms: str = ""
    simulated: bool = False
    has_stimuli: bool = True
    published_ceilings: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    regions: Sequence[str] = ()
    n_subjects: int | None = None
    n_stimuli: int | None = None
    columns: Mapping[str, str] = field(default_factory=dict)
    kind: Kind = "trials"
    tr: float | None = None
    blocks: str = ""


def is_own_layout(folder: Path) -> bool:
    """Whether a folder is in the layout of one's own recordings, or begins to be.

    A ``stimuli.csv`` may also lie beside betas, vertices or GLMsingle's results, which then are the recording.
    """
    if any((folder / f"responses{ending}").exists() for ending in _ENDINGS):
        return True
    if not (folder / "stimuli.csv").exists():
        return False
    if any(True for pattern in ("responses.*", "rdms.*") for _ in folder.glob(pattern)):
        return True
    from .recording import RECORDING_FORMATS

    return not any(one.recognizes(folder) for one in RECORDING_FORMATS.values())


def load_folder(folder: Path, identifier: str, columns: Mapping[str, str] | None = None) -> Dataset:
    """Load recordings of one's own.

    The folder holds ``stimuli.csv`` (``stimulus_id``, and ``filename`` or ``sentence``/``word``; further
    columns are labels), pictures under ``stimuli/``, ``responses`` in one of ``FORMATS`` (.npz, .csv, ...),
    and where wanted ``neuroids.csv`` and ``dataset.toml``: docs/your-own-data.md.

    Parameters
    ----------
    folder : Path
    identifier : str
        The name that the data set goes by.
    columns : mapping of str to str, optional
        Our name of a column, or array -> what the files call it; ``"ignore"`` leaves out a column of that name, and
        ``"neuroid"`` says that one of the responses is a neuroid.

    Raises
    ------
    UserError
        For anything that is missing, damaged or does not fit, with its place.
    """
    try:
        return _loaded(folder, identifier, columns or {})
    except OSError as error:
        raise UserError(f"cannot read {error.filename or folder}: {error.strerror or error}") from error


def _loaded(folder: Path, identifier: str, said: Mapping[str, str]) -> Dataset:
    if not folder.is_dir():
        raise UserError(f"no folder at {folder}")
    check_plain(folder)
    _verify(folder, identifier)
    about = _described(folder / DESCRIPTION)
    columns = ColumnMap(_merged(about.columns, said))
    stimuli, modality = _stimuli(folder, about, columns)
    stimuli.identifier = identifier
    columns.of_stimuli = set(columns.seen) | set(map(str, stimuli.columns))
    rdms = own_rdms(folder, about.rdms, about.region, stimuli["stimulus_id"].to_numpy(object), columns)
    responses = None if rdms else _responses(folder, identifier, about, columns)
    n_listed = len(stimuli)
    if responses is not None:
        stimuli = without_unseen(stimuli, responses)
    if about.n_stimuli not in (None, n_listed, len(stimuli)):
        raise UserError(f"{DESCRIPTION}: n_stimuli is {about.n_stimuli}, but stimuli.csv lists {n_listed}")
    regions = list(rdms) if responses is None else list(dict.fromkeys(responses["region"].values.tolist()))
    if about.regions and set(about.regions) != set(regions):
        raise UserError(
            f"{DESCRIPTION} lists the regions {', '.join(map(str, about.regions))}, "
            f"but the {'RDMs' if rdms else 'responses'} are of {', '.join(regions)}"
        )
    return Dataset(
        identifier=identifier,
        modality=modality,
        stimuli=stimuli,
        responses=responses,
        rdms=rdms,
        has_stimuli=about.has_stimuli,
        simulated=about.simulated,
        license=about.license,
        bibtex=about.bibtex,
        source=about.source or str(folder),
        units=about.units,
        published_ceilings=_ceilings(about, regions),
        blocks=about.blocks,
        kind=about.kind,
        tr=about.tr,
        confounds=_confounds(folder / CONFOUNDS),
        good=None
        if responses is None or "good" not in responses.coords
        else responses["good"].values.astype(bool),
        surfaces={path.name.partition(".")[0]: path for path in sorted((folder / "surfaces").glob("[LR].*"))},
        mask=next(iter(sorted(folder.glob("mask.nii*"))), None),
    )


def _confounds(path: Path) -> pd.DataFrame | None:
    return read_table(path) if path.is_file() else None


def _responses(folder: Path, identifier: str, about: Description, columns: ColumnMap) -> xr.DataArray:
    if is_chunked(folder / "responses.nc"):
        return read_chunked(folder / "responses.nc")
    parts = read_responses(folder, columns)
    neuroids = _neuroids(folder / "neuroids.csv", parts, columns)
    columns.check()
    if about.rdms != "none":
        ask_about_rdm(parts["responses"], IN_A_FOLDER)
    responses = _labeled(parts, neuroids, about.region, folder)
    responses = without_dead(per_subject(responses, identifier), identifier)
    if about.space:
        responses.attrs["space"] = about.space
    return responses


def _merged(described: Mapping[str, str], said: Mapping[str, str]) -> dict[str, str]:
    """What columns are called by the description and by the person who adds the data."""
    for ours, theirs in said.items():
        if described.get(ours, theirs) != theirs:
            raise UserError(
                f"{DESCRIPTION} says that {ours!r} is the column {described[ours]!r}, not {theirs!r}: change it there"
            )
    return {**described, **said}


def install_folder(
    name: str,
    folder: Path,
    columns: Mapping[str, str] | None = None,
    check: Callable[[Dataset], object] = lambda dataset: None,
) -> Path:
    """Check recordings of one's own by loading them, then copy them into the home.

    Parameters
    ----------
    name : str
        What they will go by: letters, digits, ``-`` and ``_``.
    folder : Path
    columns : mapping of str to str, optional
        As for :func:`load_folder`; the description of the copy keeps it.
    check : callable
        May refuse the data set before anything is copied.

    Returns
    -------
    Path
        Where they lie now, with a description and the sha256 of every file.
    """
    check_name(name)
    dataset = load_folder(folder, name, columns)
    for stimulus, picture in (dataset.stimuli.stimulus_paths or {}).items():
        check_picture(picture, f"stimulus {stimulus!r}")
    dataset.described_duplicates()
    check(dataset)
    if home().resolve().is_relative_to(folder.resolve()):
        raise UserError(
            f"{folder} holds {home()}, where data sets are copied to: give the recordings' own folder"
        )
    target = home() / "data" / name
    with whole_folder(target) as temporary:
        _copy_all(folder, temporary)
        _complete(temporary / DESCRIPTION, dataset, columns or {})
        copied = sorted(path for path in temporary.rglob("*") if path.is_file() and path.name != MANIFEST)
        checksums = {path.relative_to(temporary).as_posix(): sha256_file(path) for path in copied}
        write_json(temporary / MANIFEST, checksums)
    return target


def _copy_all(folder: Path, target: Path) -> None:
    needed = sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())
    free = shutil.disk_usage(target).free
    if needed > free:
        raise UserError(
            f"{folder} takes {needed / 2**30:.1f} GiB and {free / 2**30:.1f} GiB are free in {home()}"
        )
    try:
        shutil.copytree(folder, target, dirs_exist_ok=True)
    except shutil.Error as error:
        failed = error.args[0]
        raise UserError(f"cannot copy {failed[0][0]} ({len(failed)} in all): {failed[0][2]}") from error


def _complete(path: Path, dataset: Dataset, columns: Mapping[str, str]) -> None:
    """Add what a listing shows to the description, before its first table, and how columns are called."""
    said = path.read_text(encoding="utf-8") if path.exists() else ""
    known = {
        "modality": quoted(dataset.modality),
        "regions": f"[{', '.join(map(quoted, dataset.regions))}]",
        "n_stimuli": str(len(dataset.stimuli)),
    }
    described = parse_toml(said)
    missing = [f"{key} = {value}\n" for key, value in known.items() if key not in described]
    pairs = [
        f"{quoted(ours)} = {quoted(theirs)}"
        for ours, theirs in columns.items()
        if ours not in described.get("columns", {})
    ]
    if pairs and "columns" in described:
        raise UserError(
            f"{DESCRIPTION} has columns already: say there that {', '.join(pairs)}, instead of by --columns"
        )
    table = [f"columns = {{ {', '.join(pairs)} }}\n"] if pairs else []
    write_bytes(path, ("".join([*missing, *table]) + said).encode())


def _verify(folder: Path, name: str) -> None:
    """Raise a UserError where a file is not what it was when the folder was installed."""
    manifest = folder / MANIFEST
    if manifest.exists():
        content = read_json(manifest)
        if not isinstance(content, dict):
            raise UserError(f"{manifest} is damaged: delete it to go on without checksums")
        files = [KnownFile(str(file), str(digest)) for file, digest in content.items()]
        hint = f"brodmann data add {name} --from FOLDER"
        verify_installed(f"data set {name!r}", files, folder, hint=hint)


def _described(path: Path) -> Description:
    if not path.exists():
        return Description()
    content = read_toml(path)
    known = [entry.name for entry in fields(Description)]
    for key, value in content.items():
        if key not in known:
            raise unknown(f"entry of {path.name}", key, known)
        kind, words = _NOT_TEXT.get(key, (str, 'text in quotes ("...")'))
        if kind is float and type(value) is int:
            content[key] = value = float(value)
        if not isinstance(value, kind) or (kind is int and isinstance(value, bool)):
            raise UserError(f"{path}: {key} must be {words}, not {value!r}")
    modality = content.get("modality")
    if modality is not None and modality not in get_args(Modality):
        raise UserError(f"{path}: modality must be 'vision' or 'language', not {modality!r}")
    if content.get("kind", "trials") not in get_args(Kind):
        raise UserError(f"{path}: kind must be 'trials' or 'series', not {content['kind']!r}")
    for ours, theirs in content.get("columns", {}).items():
        if not isinstance(theirs, str):
            raise UserError(f'{path}: columns.{ours} must be text in quotes ("..."), not {theirs!r}')
    return Description(**content)


def _ceilings(about: Description, regions: Sequence[str]) -> dict[str, Published]:
    ceilings = {}
    for region, entry in about.published_ceilings.items():
        if region not in regions:
            raise unknown("region in published_ceilings", region, regions)
        value = entry.get("value") if isinstance(entry, Mapping) else entry
        if not isinstance(entry, Mapping) or not isinstance(value, int | float) or not 0 < value <= 1:
            raise UserError(
                f"{DESCRIPTION}: [published_ceilings.{region}] needs value = a number above 0 and up to 1 "
                f"(units of r), not {value!r}"
            )
        ceilings[region] = Published(float(value), str(entry.get("source", "")))
    return ceilings


def _table(path: Path, needed: str, columns: ColumnMap, *texts: str) -> pd.DataFrame:
    """A CSV whose ids, texts and labels stay as they are written, such as ``001`` and ``null``."""
    table = columns.of_table(read_table(path, columns.as_written((*_AS_WRITTEN, *texts))), path.name)
    names = [str(name) for name in table.columns]
    if needed not in names:
        raise lacking(needed, names, path.name)
    return table


def _stimuli(folder: Path, about: Description, columns: ColumnMap) -> tuple[StimulusSet, Modality]:
    path = folder / "stimuli.csv"
    if not path.is_file():
        raise UserError(
            f"{folder} holds no stimuli.csv: a table with a column stimulus_id, one row a stimulus"
        )
    table = _table(path, "stimulus_id", columns, *(["story"] if about.kind == "series" else []))
    _filled(table, "stimulus_id", path)
    check_filled(dict(table), (f"row {line}" for line in range(2, len(table) + 2)), path.name)
    stimuli = StimulusSet(table)
    is_text, is_picture = bool(set(TEXT_COLUMNS) & set(table.columns)), "filename" in table.columns
    is_language = is_text and not is_picture
    modality: Modality = about.modality or ("language" if is_language else "vision")
    if not about.has_stimuli:
        return stimuli, modality
    if modality == "language":
        text = text_column(table)
        if text is None:
            columns.check_of(table, path.name)
            raise UserError(f"{path} has no column 'sentence', 'word' or 'text' for a language data set")
        _filled(table, text, path)
        return stimuli, modality
    if "filename" not in table.columns:
        columns.check_of(table, path.name)
        raise UserError(
            f"{path} has neither a column 'filename' (pictures) nor 'sentence' or 'word' (texts); it has "
            f"{', '.join(map(str, table.columns[:8]))}: say which it is by --columns sentence=NAME"
        )
    _filled(table, "filename", path)
    stimuli.stimulus_paths = _pictures(table, folder / "stimuli")
    return stimuli, modality


def _filled(table: pd.DataFrame, column: str, path: Path) -> None:
    blank = (table[column].str.strip() == "").to_numpy()
    if blank.any():
        raise UserError(
            f"{path.name}: {int(blank.sum())} rows have no {column} (first: row {line_of(path, int(blank.argmax()))})"
        )


def _pictures(table: pd.DataFrame, folder: Path) -> dict[str, Path]:
    paths = named_pictures(
        dict(zip(table["stimulus_id"], table["filename"].astype(str), strict=True)), folder
    )
    check_there(paths, folder)
    return paths


def _neuroids(
    path: Path, parts: Mapping[str, npt.NDArray[Any]], columns: ColumnMap
) -> dict[str, npt.NDArray[Any]]:
    """What is known of each neuroid: from the responses, and from the table beside them where there is one."""
    known = {name: parts[name] for name in NEUROID if name in parts}
    if not path.exists():
        return known
    table = _table(path, "neuroid_id", columns)
    n_neuroids = parts["responses"].shape[1]
    if "neuroid_id" not in known:
        if len(table) != n_neuroids:
            raise UserError(f"{path.name} lists {len(table)} neuroids, but the responses have {n_neuroids}")
        return known | {str(column): table[column].to_numpy() for column in table.columns}
    if known["neuroid_id"].shape != (n_neuroids,):
        shape = known["neuroid_id"].shape
        raise UserError(
            f"neuroid_id is of shape {shape}, but there are {n_neuroids} neuroids in the responses"
        )
    names = as_names(known["neuroid_id"]).tolist()
    if names != table["neuroid_id"].tolist():
        twice = table["neuroid_id"][table["neuroid_id"].duplicated()]
        if len(twice):
            raise UserError(
                f"{path.name}: {twice.nunique()} neuroids appear more than once (first: {twice.iloc[0]!r})"
            )
        odd = sorted(set(names) ^ set(table["neuroid_id"]))
        if odd:
            raise UserError(
                f"{path.name} and the responses name different neuroids: {len(odd)} differ (first: {odd[0]!r})"
            )
        table = table.set_index("neuroid_id").loc[names].reset_index()
    return known | {str(column): table[column].to_numpy() for column in table.columns}


def _labeled(
    parts: Mapping[str, npt.NDArray[Any]],
    neuroids: dict[str, npt.NDArray[Any]],
    region: str,
    folder: Path,
) -> xr.DataArray:
    if "stimulus_id" not in parts:
        raise UserError(f"the responses in {folder} have no stimulus_id, one for each presentation")
    for name in parts:
        if name not in ("responses", *COORDINATES, "time"):
            raise unknown("array of the responses", name, COORDINATES)
    shown = {name: parts[name] for name in TIMED if name in parts}
    return labeled(parts["responses"], shown, neuroids, region)
