"""Writes a data set of voxels as betas in BIDS."""

import re
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from ....errors import UserError
from ....files import whole_folder, write_json
from ....progress import track
from ...dataset import Dataset
from ...imported import Imported, imported_of
from ...stored import row_blocks
from ..volumes.images import Image, open_image, voxels_at, write_image, write_volumes

ABOUT, PLACE = "Brodmann", "brodmann_place"
"""What is said of the data set in its description; the row of the data set that a row of a table is."""
AXES = ("x", "y", "z")
_BIDS = "1.10.0"
_FORMATS = {"i": "integer", "u": "integer", "f": "number", "b": "boolean"}
_SINGLE = ("float16", "float32", "int8", "uint8", "int16", "uint16", "bool")


def write(dataset: Dataset, path: Path) -> None:
    """Write a data set as a folder in BIDS: :class:`.bids_betas.BidsBetas`.

    Raises
    ------
    UserError
        For what has no place there.
    """
    imported = imported_of(dataset)
    mask = _checked(dataset, imported)
    people = _people(imported.neuroids)
    with whole_folder(path) as folder:
        write_json(folder / "dataset_description.json", _description(dataset, imported))
        _write_stimuli(folder, imported)
        for label, columns in people.items():
            _write_person(folder / f"sub-{label}" / "func", label, columns, dataset, imported, mask)


def _checked(dataset: Dataset, imported: Imported) -> Image:
    """The mask of the voxels, where the data set is one that can be written so."""
    name = dataset.identifier
    if dataset.kind == "series":
        raise UserError(f"{name} is a series: betas in BIDS are responses to trials (use folder)")
    if imported.time_bins is not None:
        raise UserError(
            f"{name} has time bins, and a volume holds one number a voxel: take a window first, or use folder"
        )
    if dataset.mask is None or any(axis not in imported.neuroids for axis in AXES):
        raise UserError(f"{name} keeps no image of its voxels (mask, with x, y, z of each): use folder")
    for table, called in ((imported.presentations, "presentation"), (imported.neuroids, "neuroid")):
        if PLACE in table:
            raise UserError(f"{name} has a column {PLACE!r} of each {called}, which is taken: rename it")
    return open_image(dataset.mask)


def _people(neuroids: pd.DataFrame) -> dict[str, npt.NDArray[np.intp]]:
    """Label of a subject, as BIDS spells it -> columns of the responses."""
    if "subject" not in neuroids:
        return {"01": np.arange(len(neuroids))}
    names = neuroids["subject"].astype(str)
    found: dict[str, npt.NDArray[np.intp]] = {}
    for name in dict.fromkeys(names):
        label = alphanumeric(name.removeprefix("sub-"))
        if not label or label in found:
            raise UserError(
                f"subject {name!r} would be {label!r} in BIDS, which is no name or another's: rename it"
            )
        found[label] = np.flatnonzero(names == name)
    return found


def alphanumeric(text: str) -> str:
    """What BIDS allows in a label."""
    return re.sub(r"[^A-Za-z0-9]", "", text)


def _description(dataset: Dataset, imported: Imported) -> dict[str, Any]:
    from .... import __version__

    about = dict(imported.about)
    said = {
        "Name": about.get("title") or dataset.identifier,
        "BIDSVersion": _BIDS,
        "DatasetType": "derivative",
        "GeneratedBy": [{"Name": "brodmann", "Version": __version__}],
    }
    if about.get("license"):
        said["License"] = about["license"]
    return said | {
        ABOUT: {
            "modality": dataset.modality,
            "blocks": imported.blocks,
            "simulated": imported.simulated,
            "about": about,
            "left_out": dict(imported.left_out),
            "said": list(imported.said),
            "published_ceilings": {key: dict(one) for key, one in imported.published_ceilings.items()},
        }
    }


def _write_stimuli(folder: Path, imported: Imported) -> None:
    (folder / "stimuli").mkdir()
    table = imported.stimuli
    if imported.pictures:
        names = [
            f"{i:06d}{imported.pictures[one].suffix.lower()}" for i, one in enumerate(table["stimulus_id"])
        ]
        for one, name in zip(table["stimulus_id"], names, strict=True):
            shutil.copyfile(imported.pictures[one], folder / "stimuli" / name)
        table = table.assign(filename=names)
    write_table(folder / "stimuli" / "stimuli.tsv", _first(table, "stimulus_id"))


def _write_person(
    folder: Path,
    label: str,
    columns: npt.NDArray[np.intp],
    dataset: Dataset,
    imported: Imported,
    mask: Image,
) -> None:
    """One subject's mask and voxels, and for each run the volumes and what was shown in them."""
    folder.mkdir(parents=True)
    neuroids = imported.neuroids.iloc[columns].reset_index(drop=True)
    voxels = voxels_at(mask, neuroids[list(AXES)].to_numpy(np.float64))
    task = alphanumeric(dataset.identifier) or "trials"
    space = alphanumeric(str(imported.about.get("space", "")))
    start, where = f"sub-{label}_task-{task}", f"_space-{space}" if space else ""
    inside = np.zeros(mask.grid.shape, np.uint8)
    inside[voxels] = 1
    write_image(folder / f"{start}{where}_desc-brain_mask.nii.gz", inside, mask, "voxels of the neuroids")
    if len(columns) < len(imported.neuroids):
        neuroids = neuroids.assign(**{PLACE: columns})
    write_table(folder / f"{start}{where}_voxels.tsv", _first(neuroids, "neuroid_id"))
    runs = _runs(imported.presentations)
    in_order = np.array_equal(np.concatenate(list(runs.values())), np.arange(len(imported.presentations)))
    for run, rows in runs.items():
        shown = imported.presentations.iloc[rows].reset_index(drop=True)
        if not in_order:
            shown = shown.assign(**{PLACE: rows})
        write_table(folder / f"{start}{run}_events.tsv", _with_times(shown))
        write_volumes(
            folder / f"{start}{run}{where}_stat-effect_statmap.nii.gz",
            _volumes(imported, rows, columns, voxels, mask.grid.shape),
            mask,
            _kind(imported),
            n=len(rows),
            words=f"{dataset.identifier}: a volume a trial"[:79],
        )


def _kind(imported: Imported) -> np.dtype[Any]:
    return np.dtype(np.float32 if imported.values.dtype.name in _SINGLE else np.float64)


def _runs(presentations: pd.DataFrame) -> dict[str, npt.NDArray[np.intp]]:
    """What a file's name says of the run -> rows; the run's own name stays in the table."""
    if "run" not in presentations:
        return {"": np.arange(len(presentations))}
    names = presentations["run"].astype(str)
    return {
        f"_run-{number}": np.flatnonzero(names == name)
        for number, name in enumerate(dict.fromkeys(names), start=1)
    }


def _volumes(
    imported: Imported,
    rows: npt.NDArray[np.intp],
    columns: npt.NDArray[np.intp],
    voxels: tuple[npt.NDArray[np.intp], ...],
    shape: tuple[int, ...],
) -> Iterator[npt.NDArray[Any]]:
    """A volume a trial, 0 outside of the voxels; rows that follow each other are read together."""
    first, last = int(columns[0]), int(columns[-1]) + 1
    values, kind = imported.values, _kind(imported)
    starts = np.flatnonzero(np.diff(rows, prepend=rows[0] - 2) != 1)
    for start, stop in zip(starts, [*starts[1:], len(rows)], strict=True):
        for block in row_blocks((stop - start, last - first), values.dtype.itemsize):
            span = slice(int(rows[start]) + block.start, int(rows[start]) + block.stop)
            held = np.asarray(values[span, slice(first, last)])[:, columns - first]
            for row in track(held, "volumes"):
                volume = np.zeros(shape, kind)
                volume[voxels] = row
                yield volume


def _first(table: pd.DataFrame, name: str) -> pd.DataFrame:
    return table[[name, *(column for column in table if column != name)]]


def _with_times(shown: pd.DataFrame) -> pd.DataFrame:
    """Onset and duration come first in BIDS; n/a where they are not known."""
    table = shown.copy()
    for place, name in enumerate(("onset", "duration")):
        known = table.pop(name) if name in table else pd.Series("n/a", index=table.index)
        table.insert(place, name, known)
    return table


def write_table(path: Path, table: pd.DataFrame) -> None:
    """A table separated by tabs, and beside it what kind of value each column holds."""
    kinds, written = {}, {}
    for column in table:
        values = table[column].to_numpy()
        kinds[str(column)] = {"Format": _FORMATS.get(values.dtype.kind, "string")}
        if values.dtype.kind == "f":
            values = values.astype(np.float64)
        elif values.dtype.kind not in _FORMATS:
            values = np.array(["" if pd.isna(one) else str(one) for one in values.tolist()], object)
        written[str(column)] = values
    unknown = [name for name in ("onset", "duration") if name in table and (table[name] == "n/a").all()]
    pd.DataFrame(written).to_csv(path, sep="\t", index=False, na_rep="n/a")
    write_json(path.with_suffix(".json"), {name: one for name, one in kinds.items() if name not in unknown})
