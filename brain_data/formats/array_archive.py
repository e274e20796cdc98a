"""Responses that somebody kept as arrays in one ``.npz``, under names of their own, without a table of stimuli."""

import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from ...errors import UserError, unknown
from ..arrays import as_names
from ..imported import Imported, ReadOptions
from .npz import Npz
from .recording import RecordingFormat, add_recording_format

_OF_STIMULI = ("stimulus_id", "stimulus", "stimuli", "conds", "conditions", "condition", "labels")
_OF_REGIONS = ("region", "regions", "roi", "rois")
_OTHERS = ("repetition", "run", "session")
_RESPONSES = "responses"
_POSITIONS = ("x", "y", "z")
_OF_OTHERS = {".nii", ".gz", ".gii", ".nwb", ".fif", ".h5", ".hdf5", ".hf5", ".npy", ".vhdr", ".edf"}
_OWN = ("stimuli.csv", "dataset.toml")


@add_recording_format
class ArrayArchive(RecordingFormat):
    """One .npz with responses (presentation, neuroid), and arrays that name their rows and columns."""

    name = "arrays"
    takes = ("array", "stimulus_column", "region_column", "region", "subject", "space", "units")

    def recognizes(self, path: Path) -> bool:
        """An ``.npz`` under names of its own, or a folder with one that is not laid out as recordings of one's own."""
        if path.is_file():
            return path.suffix.lower() == ".npz" and _RESPONSES not in _names(path)
        if not path.is_dir() or any((path / one).exists() for one in _OWN):
            return False
        endings = [one.suffix.lower() for one in path.iterdir()]
        return endings.count(".npz") == 1 and not _OF_OTHERS & set(endings)

    def read(self, path: Path, options: ReadOptions) -> Imported:
        """The arrays, each by the option that names it, else by the only one that fits."""
        if path.is_dir():
            path = next(one for one in path.iterdir() if one.suffix.lower() == ".npz")
        held = Npz().read(path)
        name = _responses(held, options, path)
        values = held[name]
        lists = {one: np.ravel(array) for one, array in held.items() if one != name and _is_list(array)}
        of_rows = {one: array for one, array in lists.items() if len(array) == values.shape[0]}
        of_columns = {one: array for one, array in lists.items() if len(array) == values.shape[1]}
        rows = _chosen(of_rows, options.stimulus_column, _OF_STIMULI, "--stimulus-column", "rows", path)
        if rows is None:
            raise UserError(
                f"{path.name} names no stimuli: an array of {len(values)} names is needed (it has "
                f"{', '.join(held)}): say which by --stimulus-column"
            )
        regions = _chosen(of_columns, options.region_column, _OF_REGIONS, "--region-column", "columns", path)
        if rows == regions:
            raise UserError(
                f"{path.name}: {rows!r} may name rows or columns: say by --stimulus-column and --region-column"
            )
        presentations = _presentations(of_rows, rows)
        neuroids, keep = _neuroids(of_columns, regions, values.shape[1], options, path)
        used = {name, rows, regions, *_OTHERS, *_POSITIONS, "neuroid_id"}
        unread = [one for one in held if one not in used]
        said = [
            f"{path.name}: {name}, {values.shape[0]} rows of {values.shape[1]} columns",
            f"stimuli: the array {rows}",
        ]
        said += [f"regions: the array {regions}"] if regions else []
        said += [f"not read: {', '.join(unread)}"] if unread else []
        about = {"units": options.units or "", "space": options.space or ""}
        return Imported(
            stimuli=pd.DataFrame({"stimulus_id": list(dict.fromkeys(presentations["stimulus_id"]))}),
            values=values if len(keep) == values.shape[1] else values[:, keep],
            presentations=presentations,
            neuroids=neuroids,
            about={one: words for one, words in about.items() if words},
            said=said,
        )


def _names(path: Path) -> list[str]:
    """The arrays of an archive; none where it is none."""
    try:
        with zipfile.ZipFile(path) as archive:
            return [one.removesuffix(".npy") for one in archive.namelist()]
    except (OSError, zipfile.BadZipFile):
        return []


def _presentations(of_rows: dict[str, npt.NDArray[Any]], rows: str) -> pd.DataFrame:
    ids = pd.Series(as_names(of_rows[rows])).astype(str).str.strip()
    table = pd.DataFrame({"stimulus_id": ids, "repetition": ids.groupby(ids).cumcount()})
    for one in _OTHERS:
        if one in of_rows:
            table[one] = of_rows[one] if one == "repetition" else of_rows[one].astype(str)
    return table


def _neuroids(
    of_columns: dict[str, npt.NDArray[Any]], regions: str | None, n: int, options: ReadOptions, path: Path
) -> tuple[pd.DataFrame, npt.NDArray[np.intp]]:
    """What is known of each column, and the columns to take."""
    names = (
        of_columns["neuroid_id"].astype(str)
        if "neuroid_id" in of_columns
        else [f"n{i:05d}" for i in range(n)]
    )
    table = pd.DataFrame({"neuroid_id": names})
    for axis in _POSITIONS:
        if axis in of_columns:
            table[axis] = of_columns[axis]
    if options.subject:
        table["subject"] = options.subject
    keep = np.arange(n)
    if regions is None:
        if options.region is not None:
            table["region"] = options.region
        return table, keep
    table["region"] = of_columns[regions].astype(str)
    wanted = options.names("region")
    if wanted is None:
        return table, keep
    known = dict.fromkeys(table["region"])
    absent = [one for one in wanted if one not in known]
    if absent:
        raise unknown(f"region of {path.name}", absent[0], known)
    keep = np.flatnonzero(table["region"].isin(wanted).to_numpy())
    return table.iloc[keep].reset_index(drop=True), keep


def _responses(held: dict[str, npt.NDArray[Any]], options: ReadOptions, path: Path) -> str:
    numbers = {one: array for one, array in held.items() if array.ndim == 2 and array.dtype.kind in "fiu"}
    if options.array is not None:
        if options.array not in numbers:
            known = ", ".join(f"{one} ({' x '.join(map(str, array.shape))})" for one, array in held.items())
            raise UserError(f"{path.name} holds no matrix of numbers {options.array!r}: it has {known}")
        return options.array
    wide = {one: array for one, array in numbers.items() if min(array.shape) > 1} or numbers
    found = [one for one in (_RESPONSES,) if one in wide] or list(wide)
    if len(found) != 1:
        what = (
            f"several matrices ({', '.join(found)}): say by --array which"
            if found
            else "no matrix of numbers"
        )
        raise UserError(f"{path.name} holds {what}")
    return found[0]


def _is_list(array: npt.NDArray[Any]) -> bool:
    return array.ndim == 1 or (array.ndim == 2 and 1 in array.shape)


def _chosen(
    found: dict[str, npt.NDArray[Any]],
    said: str | None,
    usual: tuple[str, ...],
    flag: str,
    of: str,
    path: Path,
) -> str | None:
    """The array that names rows, or columns: as was said, by a usual name, or the only one with texts."""
    if said is not None:
        if said not in found:
            known = ", ".join(found) or "none"
            raise UserError(
                f"{path.name} has no array {said!r} as long as its {of} ({flag}); as long are: {known}"
            )
        return said
    named = [one for one in usual if one in found]
    if named:
        return named[0]
    texts = [one for one, array in found.items() if array.dtype.kind in "UO" and one != "neuroid_id"]
    if len(texts) > 1:
        raise UserError(f"{path.name}: {', '.join(texts)} may name its {of}: say which by {flag}")
    return texts[0] if texts else None
