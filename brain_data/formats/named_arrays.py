"""Responses that somebody kept as arrays in one ``.npz``, under names of their own, without a table of stimuli."""

from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from ...errors import UserError
from ..arrays import as_names
from ..imported import Imported, ReadOptions
from .npz import Npz
from .recording import RecordingFormat, add_recording_format

_OF_STIMULI = ("stimulus_id", "stimulus", "stimuli", "conds", "conditions", "condition", "labels")
_OF_REGIONS = ("region", "regions", "roi", "rois")
_OTHERS = ("repetition", "run", "session")
_POSITIONS = ("x", "y", "z")
_OWN = ("stimuli.csv", "dataset.toml")


@add_recording_format
class NamedArrays(RecordingFormat):
    """One .npz with responses (presentation, neuroid), and arrays that name their rows and columns."""

    name = "arrays"
    takes = ("array", "stimulus_column", "region_column", "region", "subject", "space", "units")

    def recognizes(self, path: Path) -> bool:
        """An ``.npz``, or a folder with one that is not laid out as recordings of one's own."""
        if path.is_file():
            return path.suffix.lower() == ".npz"
        if not path.is_dir() or any((path / one).exists() for one in _OWN):
            return False
        return sum(one.suffix.lower() == ".npz" for one in path.iterdir()) == 1

    def read(self, path: Path, options: ReadOptions) -> Imported:
        """The arrays, each by the option that names it, else by the only one that fits."""
        if path.is_dir():
            path = next(one for one in path.iterdir() if one.suffix.lower() == ".npz")
        held = {
            name: np.squeeze(array) if array.ndim > 2 else array for name, array in Npz().read(path).items()
        }
        name = _responses(held, options, path)
        values, said = (
            held[name],
            [f"{path.name}: {name}, {held[name].shape[0]} rows of {held[name].shape[1]} columns"],
        )
        others = {one: np.ravel(array) for one, array in held.items() if one != name and _is_list(array)}
        n_rows, n_columns = values.shape
        of_rows = {one: array for one, array in others.items() if len(array) == n_rows}
        of_columns = {one: array for one, array in others.items() if len(array) == n_columns}
        rows = _chosen(of_rows, options.stimulus_column, _OF_STIMULI, "--stimulus-column", "rows", path)
        if rows is None:
            raise UserError(
                f"{path.name} names no stimuli: an array of {n_rows} names is needed (it has "
                f"{', '.join(held)}): say which by --stimulus-column"
            )
        regions = _chosen(of_columns, options.region_column, _OF_REGIONS, "--region-column", "columns", path)
        if rows == regions:
            raise UserError(
                f"{path.name}: {rows!r} may name rows or columns: say by --stimulus-column and --region-column"
            )
        ids = pd.Series(as_names(of_rows[rows])).astype(str).str.strip()
        said.append(f"stimuli: the array {rows}")
        presentations = pd.DataFrame({"stimulus_id": ids})
        for one in _OTHERS:
            if one in of_rows:
                presentations[one] = of_rows[one] if one == "repetition" else of_rows[one].astype(str)
        if "repetition" not in presentations:
            presentations["repetition"] = ids.groupby(ids).cumcount()
        neuroids = pd.DataFrame({"neuroid_id": [f"n{i:05d}" for i in range(n_columns)]})
        if "neuroid_id" in of_columns:
            neuroids["neuroid_id"] = of_columns["neuroid_id"].astype(str)
        for one in _POSITIONS:
            if one in of_columns:
                neuroids[one] = of_columns[one]
        if options.subject:
            neuroids["subject"] = options.subject
        keep: slice | npt.NDArray[np.intp] = slice(None)
        if regions is not None:
            neuroids["region"] = of_columns[regions].astype(str)
            said.append(f"regions: the array {regions}")
            if options.region is not None:
                wanted = set(options.names("region") or [])
                known = list(dict.fromkeys(neuroids["region"]))
                absent = wanted - set(known)
                if absent:
                    raise UserError(
                        f"{path.name} has no region {sorted(absent)[0]!r}, but {', '.join(known)}"
                    )
                keep = np.flatnonzero(neuroids["region"].isin(wanted).to_numpy())
                neuroids = neuroids.iloc[keep].reset_index(drop=True)
        elif options.region is not None:
            neuroids["region"] = options.region
        about = {"units": options.units or "", "space": options.space or ""}
        used = {name, rows, regions, *_OTHERS, *_POSITIONS, "neuroid_id"}
        unread = [one for one in held if one not in used]
        if unread:
            said.append(f"not read: {', '.join(unread)}")
        return Imported(
            stimuli=pd.DataFrame({"stimulus_id": list(dict.fromkeys(ids))}),
            values=values[:, keep],
            presentations=presentations,
            neuroids=neuroids,
            about={one: words for one, words in about.items() if words},
            said=said,
        )


def _responses(held: dict[str, npt.NDArray[Any]], options: ReadOptions, path: Path) -> str:
    numbers = {one: array for one, array in held.items() if array.ndim == 2 and array.dtype.kind in "fiu"}
    if options.array is not None:
        if options.array not in numbers:
            known = ", ".join(f"{one} ({' x '.join(map(str, array.shape))})" for one, array in held.items())
            raise UserError(f"{path.name} holds no matrix of numbers {options.array!r}: it has {known}")
        return options.array
    wide = {one: array for one, array in numbers.items() if min(array.shape) > 1} or numbers
    found = [one for one in ("responses",) if one in wide] or list(wide)
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
