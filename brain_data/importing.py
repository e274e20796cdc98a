"""From what a format read of a recording to a data set in the home: checked, and written a block at a time."""

import re
import shutil
from collections.abc import Callable, Collection, Mapping
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd
import xarray as xr

from ..errors import UserError, unknown
from ..files import home, sha256_file, whole_folder, write_bytes, write_json
from .arrays import labeled, modality_of
from .card import check_name
from .dataset import Dataset
from .formats.chunked import write_chunked
from .formats.folder import CONFOUNDS, MANIFEST, is_own_layout, load_folder
from .formats.folder_writer import DESCRIPTION, ceiling_lines, quoted
from .imported import Imported
from .recorded import check_filled
from .stimuli.pictures import check as check_picture
from .stimulus_set import StimulusSet
from .text_columns import text_column
from .timeseries.clock import described_clock, shifts

_OF_FILE = ("responses", "presentation", "neuroid", "time_bin", "time_bin_start", "time_bin_end")
_OF_NEUROIDS = ("neuroid_id", "region", "x", "y", "z", "hemisphere", "vertex", "voxel", "ncsnr", "good")
"""What no column of presentations can be called, for it says something of responses or neuroids."""
_SUBJECTS_ARE_OF_NEUROIDS = "subjects are of neuroids, not of presentations"


def install_recording(
    name: str, imported: Imported, check: Callable[[Dataset], object] = lambda dataset: None
) -> Path:
    """Write a recording as a data set of one's own; one that had the name is replaced once this one is whole.

    Memory holds a block of the responses at a time (64 MiB); the disk needs room for them twice.

    Parameters
    ----------
    name : str
        Letters, digits, ``-`` and ``_``.
    imported : Imported
        What a format read.
    check : callable
        May refuse the data set before it takes its place.

    Returns
    -------
    Path
        The folder, with the sha256 of every file.

    Raises
    ------
    UserError
        For what does not fit together, and where no neuroid would be left.
    """
    check_name(name)
    columns = _columns(imported, name)
    stimuli, n_unseen = _stimuli(imported, columns, name)
    target = home() / "data" / name
    target.parent.mkdir(parents=True, exist_ok=True)
    _check_room(imported, target.parent)
    with whole_folder(target) as folder:
        _write(folder, name, imported, columns, stimuli, n_unseen)
        dataset = load_folder(folder, name)
        dataset.described_duplicates()
        check(dataset)
        written = sorted(path for path in folder.rglob("*") if path.is_file())
        write_json(
            folder / MANIFEST, {path.relative_to(folder).as_posix(): sha256_file(path) for path in written}
        )
    return target


def without_columns(imported: Imported, names: Collection[str]) -> Imported:
    """The recording without what was noted of its presentations under these names.

    Raises
    ------
    UserError
        For a name that was not noted, or without which it is no recording.
    """
    needed = {"stimulus_id", imported.blocks} | ({"time"} if imported.kind == "series" else set())
    there = [str(name) for name in imported.presentations if name not in needed]
    for name in names:
        if name not in there:
            raise unknown("column of trials that can be left out", name, there)
    if not names:
        return imported
    said = f"left out, as was said: {', '.join(names)} of the presentations"
    kept = imported.presentations.drop(columns=list(names))
    return replace(imported, presentations=kept, said=[*imported.said, said])


def write_recording(imported: Imported, folder: Path, name: str) -> None:
    """Write a recording as a folder in the layout of one's own, which is there when it is whole.

    Raises
    ------
    UserError
        As :func:`install_recording`, and for a folder that holds something else.
    """
    if folder.exists() and not (folder.is_dir() and (is_own_layout(folder) or not any(folder.iterdir()))):
        raise UserError(f"{folder} is not empty and holds no saved data set: give a new folder")
    columns = _columns(imported, name)
    stimuli, n_unseen = _stimuli(imported, columns, name)
    with whole_folder(folder) as temporary:
        _write(temporary, name, imported, columns, stimuli, n_unseen)


def _write(
    folder: Path, name: str, imported: Imported, columns: xr.Dataset, stimuli: StimulusSet, n_unseen: int
) -> None:
    paths = stimuli.stimulus_paths or {}
    table = pd.DataFrame(stimuli)
    if paths:
        (folder / "stimuli").mkdir()
        names = [f"{i:06d}{Path(paths[one]).suffix.lower()}" for i, one in enumerate(table["stimulus_id"])]
        for one, copy in zip(table["stimulus_id"], names, strict=True):
            check_picture(Path(paths[one]), f"stimulus {one!r}")
            shutil.copyfile(paths[one], folder / "stimuli" / copy)
        table = table.assign(filename=names)
    table.to_csv(folder / "stimuli.csv", index=False)
    for hemisphere, mesh in imported.surfaces.items():
        (folder / "surfaces").mkdir(exist_ok=True)
        shutil.copyfile(mesh, folder / "surfaces" / f"{hemisphere}{''.join(mesh.suffixes[-2:])}")
    if "mask" in imported.images:
        mask = imported.images["mask"]
        shutil.copyfile(mask, folder / ("mask.nii.gz" if mask.name.endswith(".gz") else "mask.nii"))
    left_out = dict(imported.left_out)
    if n_unseen:
        left_out["stimuli of the table that were not shown"] = n_unseen
    write_chunked(folder / "responses.nc", imported, columns, name, left_out)
    if imported.confounds is not None:
        imported.confounds.to_csv(folder / CONFOUNDS, index=False)
    write_bytes(folder / DESCRIPTION, _description(imported, columns, stimuli).encode())


def _columns(imported: Imported, name: str) -> xr.Dataset:
    """The coordinates of responses, each of the length that it must have, their names as texts."""
    shape = imported.values.shape
    expected = (len(imported.presentations), len(imported.neuroids))
    bins = imported.time_bins
    if (
        len(shape) != 2 + (bins is not None)
        or shape[:2] != expected
        or (bins is not None and shape[2] != len(bins))
    ):
        said = f"{expected[0]} presentations, {expected[1]} neuroids" + (
            "" if bins is None else f", {len(bins)} bins"
        )
        raise UserError(f"{name}: responses of shape {shape} do not fit {said}")
    if 0 in shape:
        raise UserError(f"{name}: nothing was recorded (responses of shape {shape})")
    if "subject" in imported.presentations:
        raise UserError(f"{name}: {_SUBJECTS_ARE_OF_NEUROIDS}")
    recorded = _named(imported.neuroids, "neuroid", _OF_FILE)
    shown = _named(imported.presentations, "trial", {*_OF_FILE, *_OF_NEUROIDS, *recorded})
    if imported.good is not None:
        shown["good"] = np.asarray(imported.good, bool)
    described = labeled(np.broadcast_to(np.int8(0), shape[:2]), shown, recorded, "all")
    twice = pd.Index(described["neuroid_id"].values)
    if twice.has_duplicates:
        raise UserError(f"{name}: {twice[twice.duplicated()][0]!r} names several neuroids")
    return described.coords.to_dataset()


def _named(table: pd.DataFrame, side: str, taken: Collection[str]) -> dict[str, npt.NDArray[Any]]:
    """Columns under names that netCDF has a place for, ``trial_x`` where ``x`` has a meaning of its own."""
    named: dict[str, npt.NDArray[Any]] = {}
    for column in table:
        plain = re.sub(r"[/\x00-\x1f\x7f]", "_", str(column).strip())
        plain = plain if re.match(r"\w", plain) else f"_{plain}"
        name = f"{side}_{plain}" if plain in taken else plain
        while name in named:
            name += "_"
        named[name] = table[column].to_numpy()
    return named


def _stimuli(imported: Imported, columns: xr.Dataset, name: str) -> tuple[StimulusSet, int]:
    """The stimuli that were shown, and how many others there are in the table."""
    table = StimulusSet(imported.stimuli.reset_index(drop=True))
    if "stimulus_id" not in table:
        raise UserError(
            f"{name}: the table of stimuli has no column stimulus_id (it has: {', '.join(table.columns)})"
        )
    table["stimulus_id"] = table["stimulus_id"].astype(str)
    check_filled(dict(table), table["stimulus_id"].map(repr), f"{name}: the table of stimuli")
    shown = "story" if imported.kind == "series" else "stimulus_id"
    if shown not in table:
        raise UserError(f"{name}: the table of words or frames has no column {shown!r}")
    kept = table[table[shown].astype(str).isin(columns["stimulus_id"].values)].reset_index(drop=True)
    n_unseen = len(table) - len(kept)
    paths = {key: path for key, path in imported.pictures.items() if key in set(kept["stimulus_id"])}
    if paths and len(paths) < len(kept):
        absent = next(one for one in kept["stimulus_id"] if one not in paths)
        raise UserError(
            f"{name}: {len(kept) - len(paths)} of {len(kept)} stimuli have no picture (first: {absent!r})"
        )
    if paths:
        kept.stimulus_paths = paths
    return kept, n_unseen


def _description(imported: Imported, columns: xr.Dataset, stimuli: StimulusSet) -> str:
    """What ``dataset.toml`` says."""
    has_stimuli = bool(stimuli.stimulus_paths) or text_column(stimuli) is not None
    modality = imported.modality or modality_of(stimuli, has_stimuli)
    people = set(columns["subject"].values.tolist()) if "subject" in columns else set()
    said: dict[str, Any] = {
        **{key: str(value) for key, value in imported.about.items() if value},
        "modality": modality,
        "kind": imported.kind,
        "blocks": imported.blocks,
        "has_stimuli": has_stimuli,
        "simulated": imported.simulated or None,
        "n_stimuli": len(stimuli),
        "tr": imported.tr,
        "n_subjects": len(people) or None,
        "regions": list(dict.fromkeys(columns["region"].values.tolist())),
    }
    lines = [f"{key} = {_toml(value)}" for key, value in said.items() if value not in (None, "")]
    return "\n".join([*lines, *ceiling_lines(imported.published_ceilings)]) + "\n"


def _toml(value: Any) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, list):
        return f"[{', '.join(map(_toml, value))}]"
    return quoted(value) if isinstance(value, str) else repr(value)


def _check_room(imported: Imported, place: Path) -> None:
    values = imported.values
    needed = 2 * int(np.prod(values.shape, dtype=np.int64)) * max(4, values.dtype.itemsize)
    free = shutil.disk_usage(place).free
    if needed > free:
        raise UserError(
            f"the responses take {needed / 2**30:.1f} GiB while they are written, and {free / 2**30:.1f} GiB are free "
            f"in {home()}"
        )


def described(imported: Imported) -> Mapping[str, Any]:
    """What is known of a recording before it is written, as JSON has it."""
    shown, recorded = imported.presentations, imported.neuroids
    said: dict[str, Any] = {
        "kind": imported.kind,
        "shape": [int(size) for size in imported.values.shape],
        "n_stimuli": len(imported.stimuli),
        "columns": [str(one) for one in imported.stimuli],
        "n_pictures": len(imported.pictures),
        "n_presentations": len(shown),
        "n_neuroids": len(recorded),
        "tr": imported.tr,
    }
    if imported.kind == "trials" and len(shown):
        counts = shown["stimulus_id"].value_counts()
        said["repetitions"] = [int(counts.min()), int(counts.max())]
    for name in ("run", "session"):
        if name in shown:
            said[f"n_{name}s"] = int(shown[name].nunique())
    for name in ("subject", "region"):
        if name in recorded:
            said[f"{name}s"] = {
                str(one): int(n) for one, n in recorded[name].value_counts(sort=False).items()
            }
    if imported.time_bins is not None:
        first, last = imported.time_bins["time_bin_start"], imported.time_bins["time_bin_end"]
        said["time_bins"] = {"n": len(first), "from_ms": float(first.min()), "to_ms": float(last.max())}
    if "time" in shown:
        with suppress(TypeError):
            said["time_s"] = [float(shown["time"].min()), float(shown["time"].max())]
    lines = list(imported.said)
    if imported.kind == "series" and imported.tr is not None and "time" in shown and len(shown):
        clock = described_clock(shifts(imported), imported.tr, float(shown["time"].iloc[0]))
        lines += [clock] if clock else []
    return said | {"left_out": dict(imported.left_out), "said": lines}
