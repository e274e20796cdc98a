"""Reads betas in BIDS."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from ....errors import UserError
from ....progress import track
from ...imported import Imported, ReadOptions
from ..tables.table import read_table
from ..volumes.images import Image, check_grid, inside_of, open_image, voxels_at
from ..volumes.masked import Masked, WithMask, room
from ..volumes.voxels import neuroids_of, space_of
from .betas_writer import ABOUT, AXES, PLACE
from .files import (
    BidsFile,
    checked,
    description,
    inherited,
    of_space,
    of_subjects,
    of_task,
    parsed,
    read_sidecar,
    run_order,
)

_FUNC = ("sub-*/func", "sub-*/ses-*/func")
_STAT = "effect"
_NUMBERS = {"integer": np.int64, "number": np.float64, "boolean": np.bool_}
_TEXTS = ("stimulus_id", "run", "session", "neuroid_id", "region", "subject", "sentence", "word", "filename")
_TOLD = {
    "modality": str,
    "blocks": str,
    "simulated": bool,
    "about": dict,
    "left_out": dict,
    "said": list,
    "published_ceilings": dict,
}


@dataclass(frozen=True)
class _Person:
    """One subject's images, a run each, what was shown in them, and the voxels."""

    subject: str
    images: list[Image]
    shown: pd.DataFrame
    neuroids: pd.DataFrame
    voxels: npt.NDArray[np.intp]


def maps_of(root: Path) -> list[BidsFile]:
    """The maps of effects below ``sub-*/func`` and ``sub-*/ses-*/func``, in the order of subjects and runs."""
    found = [
        one
        for func in _FUNC
        for path in root.glob(f"{func}/*_statmap.nii*")
        if (one := parsed(path)) is not None
        and one.extension in (".nii", ".nii.gz")
        and "sub" in one.entities
    ]
    return sorted((one for one in found if one.entities.get("stat", _STAT) == _STAT), key=run_order)


def read(root: Path, options: ReadOptions) -> Imported:
    """What was recorded of the subjects that were asked for; they saw the same trials.

    Raises
    ------
    UserError
        In one line, for what is damaged, does not fit, or has to be said by an option.
    """
    told = _told(root)
    found = of_subjects(maps_of(root), subjects=options.names("subject"), sessions=None, runs=None)
    found = of_space(of_task(found, options.names("task")), options.space)
    if not found:
        raise UserError(
            f"{root} holds no maps such as sub-01/func/sub-01_task-view_stat-effect_statmap.nii.gz"
        )
    by_subject: dict[str, list[BidsFile]] = {}
    for one in found:
        by_subject.setdefault(one.entities["sub"], []).append(one)
    people = [_person(root, label, files) for label, files in by_subject.items()]
    first = people[0]
    for other in people[1:]:
        if not other.shown.equals(first.shown):
            raise UserError(
                f"sub-{other.subject} was shown other trials than sub-{first.subject}: say whose to take by --subject"
            )
        check_grid(other.images[0], first.images[0].grid, first.images[0].path.name)
    rows = _places(first.shown, f"the tables of trials of sub-{first.subject}")
    neuroids = pd.concat([one.neuroids for one in people], ignore_index=True)
    columns = (
        _places(neuroids, "the tables of voxels") if PLACE in neuroids and _all_there(neuroids) else None
    )
    if columns is None:
        columns = np.arange(len(neuroids))
    values = _values(people, rows, columns)
    return _imported(root, people, values, rows, columns, neuroids, told, options)


def _all_there(neuroids: pd.DataFrame) -> bool:
    """Whether voxels of all subjects that were written are here; of some, their order is that of the files."""
    return bool((np.sort(neuroids[PLACE].to_numpy()) == np.arange(len(neuroids))).all())


def _person(root: Path, label: str, files: Sequence[BidsFile]) -> _Person:
    images = [open_image(checked(one.path, root)) for one in files]
    for one in images[1:]:
        check_grid(one, images[0].grid, images[0].path.name)
    tables = [_trials(root, one, image) for one, image in zip(files, images, strict=True)]
    mask = _beside(root, files[0], "mask", ".nii.gz", desc="brain")
    if mask is None:
        raise UserError(
            f"{files[0].path.name} has no mask of its voxels beside it (..._desc-brain_mask.nii.gz)"
        )
    opened = open_image(checked(mask, root))
    check_grid(opened, images[0].grid, images[0].path.name)
    listed = _beside(root, files[0], "voxels", ".tsv")
    if listed is None:
        voxels = np.argwhere(inside_of(opened))
        empty = pd.DataFrame(index=range(len(voxels)))
        neuroids = neuroids_of(Masked(np.empty((0, 0)), voxels, {}), empty, label, opened)
    else:
        neuroids, voxels = _voxels(listed, root, opened)
    return _Person(label, images, pd.concat(tables, ignore_index=True), neuroids, voxels)


def _beside(root: Path, one: BidsFile, suffix: str, extension: str, **more: str) -> Path | None:
    found = inherited(root, one.path.parent, suffix, extension, {**one.entities, **more})
    return found[-1] if found else None


def _trials(root: Path, one: BidsFile, image: Image) -> pd.DataFrame:
    path = _beside(root, one, "events", ".tsv")
    if path is None:
        raise UserError(
            f"{one.path.name} has no table of trials beside it (..._events.tsv: a row a volume, a column stimulus_id)"
        )
    table = _table(path, root)
    if "stimulus_id" not in table:
        raise UserError(
            f"{path.name} has no column stimulus_id; it has {', '.join(map(str, table.columns[:8]))}"
        )
    if len(table) != image.n_volumes:
        raise UserError(
            f"{path.name} has {len(table)} rows, and {one.path.name} {image.n_volumes} volumes: a row each is needed"
        )
    unknown = [name for name in ("onset", "duration") if name in table and table[name].isna().all()]
    return table.drop(columns=unknown)


def _voxels(path: Path, root: Path, mask: Image) -> tuple[pd.DataFrame, npt.NDArray[np.intp]]:
    table = _table(path, root)
    absent = [name for name in ("neuroid_id", *AXES) if name not in table]
    if absent:
        raise UserError(
            f"{path.name} has no column {absent[0]!r}: it must name each voxel and its place in mm"
        )
    try:
        places = table[list(AXES)].to_numpy(np.float64)
    except ValueError as error:
        raise UserError(f"{path.name}: x, y, z must be numbers, in mm ({error})") from error
    voxels = np.column_stack(voxels_at(mask, places))
    n_inside = int(inside_of(mask).sum())
    if n_inside != len(voxels):
        raise UserError(f"{path.name} lists {len(voxels)} voxels, and {mask.path.name} has {n_inside}")
    return table, voxels


def _table(path: Path, root: Path) -> pd.DataFrame:
    """A table, each column of the kind that the file beside it says."""
    beside = path.with_suffix(".json")
    said = read_sidecar(beside, root) if beside.is_file() else {}
    kinds = {name: one.get("Format") for name, one in said.items() if isinstance(one, dict)}
    texts = [
        *(name for name in _TEXTS if name not in kinds),
        *(n for n, kind in kinds.items() if kind == "string"),
    ]
    table = read_table(checked(path, root), texts, separator="\t", missing=("n/a",))
    for name, kind in kinds.items():
        if name in table and kind in _NUMBERS:
            try:
                table[name] = table[name].astype(_NUMBERS[kind])
            except (ValueError, TypeError) as error:
                raise UserError(
                    f"{path.name}: column {name!r} must hold values of the kind {kind!r} ({error})"
                ) from error
    return table


def _places(table: pd.DataFrame, what: str) -> npt.NDArray[np.intp]:
    """The row of the data set that each row of tables one below the other is."""
    if PLACE not in table:
        return np.arange(len(table))
    given = table[PLACE].to_numpy()
    if given.dtype.kind not in "iu" or not np.array_equal(np.sort(given), np.arange(len(table))):
        raise UserError(f"{what}: {PLACE} must number the {len(table)} rows from 0, each once")
    return given.astype(np.intp)


def _values(
    people: Sequence[_Person], rows: npt.NDArray[np.intp], columns: npt.NDArray[np.intp]
) -> npt.NDArray[Any]:
    """Responses (presentation, neuroid), unpacked a volume at a time."""
    kind = np.result_type(*(image.kind for one in people for image in one.images))
    values = room((len(rows), len(columns)), kind)
    start = 0
    for one in people:
        where = columns[start : start + len(one.voxels)]
        flat = np.ravel_multi_index(tuple(one.voxels.T), one.images[0].grid.shape, order="F")
        volumes = (volume for image in one.images for volume in image.volumes())
        for row, volume in zip(rows, track(volumes, "reading volumes", total=len(rows)), strict=True):
            values[row, where] = volume[flat]
        start += len(one.voxels)
    return values


def _imported(
    root: Path,
    people: Sequence[_Person],
    values: npt.NDArray[Any],
    rows: npt.NDArray[np.intp],
    columns: npt.NDArray[np.intp],
    neuroids: pd.DataFrame,
    told: Mapping[str, Any],
    options: ReadOptions,
) -> Imported:
    first = people[0]
    shown = first.shown.iloc[np.argsort(rows)].reset_index(drop=True).drop(columns=PLACE, errors="ignore")
    neuroids = neuroids.iloc[np.argsort(columns)].reset_index(drop=True).drop(columns=PLACE, errors="ignore")
    stimuli, pictures = _stimuli(root, shown)
    every = np.unique(np.concatenate([one.voxels for one in people]), axis=0)
    held = WithMask(values, every, first.images[0])
    said = list(told.get("said", []))
    about = dict(told.get("about", {}))
    if not told:
        space, line = space_of(first.images[0], options)
        about = {"technique": "fMRI", "space": space}
        n_runs = len(first.images)
        said = [f"{len(people)} subjects, {n_runs} runs, {len(shown)} trials of {len(stimuli)} stimuli", line]
    if options.units is not None:
        about["units"] = options.units
    return Imported(
        stimuli=stimuli,
        values=held,
        presentations=shown,
        neuroids=neuroids,
        pictures=pictures,
        modality=told.get("modality"),
        blocks=told.get("blocks", ""),
        about={key: text for key, text in about.items() if text},
        images={"mask": held.mask},
        simulated=told.get("simulated", False),
        said=said,
        left_out=told.get("left_out", {}),
        published_ceilings=told.get("published_ceilings", {}),
    )


def _stimuli(root: Path, shown: pd.DataFrame) -> tuple[pd.DataFrame, dict[str, Path]]:
    folder = root / "stimuli"
    path = folder / "stimuli.tsv"
    if not path.is_file():
        return pd.DataFrame({"stimulus_id": list(dict.fromkeys(shown["stimulus_id"]))}), {}
    table = _table(path, root)
    if "stimulus_id" not in table:
        raise UserError(f"{path} has no column stimulus_id")
    lacking = [one for one in dict.fromkeys(shown["stimulus_id"]) if one not in set(table["stimulus_id"])]
    if lacking:
        raise UserError(f"{path} lacks {len(lacking)} stimuli of the trials (first: {lacking[0]!r})")
    if "filename" not in table:
        return table, {}
    inside = {one.name: one for one in folder.iterdir() if one.name != path.name}
    pictures = {
        stimulus: checked(inside[name], root)
        for stimulus, name in zip(table["stimulus_id"], table["filename"], strict=True)
        if name in inside
    }
    return table, pictures


def _told(root: Path) -> dict[str, Any]:
    """What the description says of the data set, where brodmann wrote it."""
    said = description(root).get(ABOUT)
    if said is None:
        return {}
    where = f"{root / 'dataset_description.json'}: {ABOUT}"
    if not isinstance(said, dict):
        raise UserError(f"{where} must hold an object in braces")
    for name, kind in _TOLD.items():
        if not isinstance(said.get(name), kind):
            raise UserError(
                f"{where}: {name} must be of the kind {kind.__name__}, not {said.get(name)!r:.60}"
            )
    if said["modality"] not in ("vision", "language"):
        raise UserError(f"{where}: modality must be 'vision' or 'language', not {said['modality']!r:.60}")
    counts, about, ceilings = said["left_out"], said["about"], said["published_ceilings"]
    if (
        not all(type(one) is int for one in counts.values())
        or not all(isinstance(one, str) for one in [*about.values(), *said["said"]])
        or not all(isinstance(one, dict) and isinstance(one.get("value"), float) for one in ceilings.values())
    ):
        raise UserError(f"{where} is damaged: counts, texts and ceilings are of other kinds; write it again")
    return {name: said[name] for name in _TOLD}
