"""Algonauts 2023: an array (picture, vertex) a hemisphere, a folder of pictures, and masks of regions.

Rows are in the order of the names of ``training_images/train-0001_nsd-00013.png``; columns are the vertices that are 1
in ``roi_masks/lh.all-vertices_fsaverage_space.npy``; ``lh.streams_challenge_space.npy`` has a number a column, which
``mapping_streams.npy``, a pickled dictionary, names. [Known from the challenge's tutorial, not checked against its
files.] Of pickles only numbers and texts are read, by a reader that runs nothing.
"""

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from ...errors import UserError, first_line
from ...pickles import read_plain_pickle
from ..imported import Computed, Imported
from ..published_recording import chosen, only
from ..read_options import ReadOptions

_SIDES = {"lh": "L", "rh": "R"}
_STREAMS = "streams"
_PICTURE = re.compile(r"train-(\d+)_nsd-(\d+)")
_PICTURES = (".png", ".jpg", ".jpeg")
_N_FSAVERAGE = 163842


def read(path: Path, options: ReadOptions, about: Mapping[str, str]) -> Imported:
    """One person's responses to the pictures of the training split.

    Parameters
    ----------
    path : Path
        The folder of one person, or the one above ``subj01``.
    options : ReadOptions
        ``subject``; ``region``: kinds of masks (``streams``, ``prf-visualrois``, ...), regions of them, or ``all``.
    about : mapping
        What the card says.

    Raises
    ------
    UserError
        For what is missing, damaged, or does not fit.
    """
    folder, subject = _person(path, options)
    arrays = {
        side: numbers(file)
        for side in _SIDES
        if (file := folder / "training_split" / "training_fmri" / f"{side}_training_fmri.npy").is_file()
    }
    counts = {side: one.shape[0] for side, one in arrays.items()}
    if len(set(counts.values())) > 1:
        raise UserError(
            f"{folder}: lh has {counts['lh']} rows, and rh {counts['rh']}: a row a picture is needed"
        )
    stimuli, pictures = _stimuli(folder / "training_split" / "training_images", next(iter(counts.values())))
    masks = {side: _masks(folder / "roi_masks", side, one.shape[1]) for side, one in arrays.items()}
    taken, neuroids, said = _vertices(folder, subject, arrays, masks, options)
    spans = [arrays[side].shape[1] for side in arrays]

    def get(rows: slice, which: slice) -> npt.NDArray[Any]:
        columns, start, parts = taken[which], 0, []
        for side, n in zip(arrays, spans, strict=True):
            here = columns[(columns >= start) & (columns < start + n)] - start
            if len(here):
                low, high = int(here.min()), int(here.max()) + 1
                parts.append(np.asarray(arrays[side][rows, low:high])[:, here - low])
            start += n
        return np.concatenate(parts, axis=1)

    return Imported(
        stimuli=stimuli,
        values=Computed((len(stimuli), len(taken)), get, np.result_type(*arrays.values())),
        presentations=pd.DataFrame({"stimulus_id": stimuli["stimulus_id"], "repetition": 0}),
        neuroids=neuroids,
        pictures=pictures,
        modality="vision",
        about={**about, "space": "fsaverage"},
        said=[
            f"{subject}: {len(stimuli)} pictures in the order of their names, each once (the mean of its trials)",
            *said,
            "the pictures of the test split have no responses: left where they are",
        ],
    )


def _person(path: Path, options: ReadOptions) -> tuple[Path, str]:
    if (path / "training_split").is_dir():
        name = path.resolve().name
        subject = name if re.fullmatch(r"subj\d+", name) else ""
        wanted = options.names("subject")
        return path, only("subjects", wanted, "subject") if wanted else subject or "subj"
    known = sorted(one.name for one in path.glob("subj*") if (one / "training_split").is_dir())
    wanted = options.names("subject")
    asked = None if wanted is None else [f"subj{one.removeprefix('subj').zfill(2)}" for one in wanted]
    subject = only("subjects", chosen("subject", asked, known, "subject"), "subject")
    return path / subject, subject


def numbers(path: Path) -> npt.NDArray[Any]:
    """An array (row, column) of an ``.npy``, which stays in the file.

    Raises
    ------
    UserError
        For anything else.
    """
    try:
        found: npt.NDArray[Any] = np.load(path, mmap_mode="r", allow_pickle=False)
    except (OSError, ValueError, EOFError) as error:
        raise UserError(
            f"{path} is no array of numbers, or cut off ({first_line(error)}): fetch it again"
        ) from error
    if found.ndim != 2 or found.dtype.kind not in "fiu" or 0 in found.shape:
        raise UserError(
            f"{path} has shape {found.shape} of {found.dtype}: it must be numbers (picture, vertex)"
        )
    return found


def _stimuli(folder: Path, n: int) -> tuple[pd.DataFrame, dict[str, Path]]:
    """The pictures in the order of their names, which is that of the rows."""
    at_hand = sorted(folder.iterdir()) if folder.is_dir() else []
    files = [one for one in at_hand if one.suffix.lower() in _PICTURES]
    if not files:
        raise UserError(f"{folder} holds no pictures: their names say what each row of the responses shows")
    if len(files) != n:
        raise UserError(
            f"{folder} holds {len(files)} pictures, and the responses {n} rows: a row a picture is needed"
        )
    ids = []
    for row, one in enumerate(files, start=1):
        matched = _PICTURE.fullmatch(one.stem)
        if matched is None or int(matched[1]) != row:
            raise UserError(
                f"{one} is picture {row} by the order of names: expected train-{row:04d}_nsd-NUMBER.png"
            )
        ids.append(f"nsd-{matched[2]}")
    table = pd.DataFrame({"stimulus_id": ids, "filename": [one.name for one in files]})
    return table, dict(zip(ids, files, strict=True))


def _masks(folder: Path, side: str, n: int) -> dict[str, npt.NDArray[np.object_]]:
    """Kind of regions -> the region of each vertex, empty where it is in none."""
    found = {}
    for file in sorted(folder.glob(f"{side}.*_challenge_space.npy")):
        kind = file.name.removeprefix(f"{side}.").removesuffix("_challenge_space.npy")
        names = _names(folder / f"mapping_{kind}.npy")
        held = _flat(file)
        if len(held) != n:
            raise UserError(f"{file} has {len(held)} vertices, and the responses {n}")
        unknown = sorted(set(np.unique(held).tolist()) - set(names) - {0})
        if unknown:
            raise UserError(f"{file} has the number {unknown[0]}, which mapping_{kind}.npy does not name")
        named = {number: name for number, name in names.items() if number}
        found[kind] = np.array([named.get(one, "") for one in held.tolist()], object)
    return found


def _flat(path: Path) -> npt.NDArray[np.int64]:
    try:
        held = np.load(path, mmap_mode="r", allow_pickle=False)
    except (OSError, ValueError, EOFError) as error:
        raise UserError(
            f"{path} is no array of numbers, or cut off ({first_line(error)}): fetch it again"
        ) from error
    if held.ndim != 1 or held.dtype.kind not in "iuf" or len(held) > _N_FSAVERAGE:
        raise UserError(f"{path} has shape {held.shape} of {held.dtype}: it must have a number a vertex")
    return np.asarray(held).astype(np.int64)


def _names(path: Path) -> dict[int, str]:
    """Number -> region, of a pickled dictionary."""
    if not path.is_file():
        raise UserError(f"{path} is missing: it names the regions of the masks beside it")
    named = read_plain_pickle(path, keys=int)
    if not all(isinstance(name, str) for name in named.values()):
        raise UserError(f"{path} must name a region for each number")
    return named


def _vertices(
    folder: Path,
    subject: str,
    arrays: Mapping[str, npt.NDArray[Any]],
    masks: Mapping[str, Mapping[str, npt.NDArray[np.object_]]],
    options: ReadOptions,
) -> tuple[npt.NDArray[np.intp], pd.DataFrame, list[str]]:
    """Columns that are taken, of both hemispheres side by side; what is known of each; what to say."""
    kinds = sorted(set.intersection(*(set(one) for one in masks.values())))
    sides = np.concatenate([np.full(one.shape[1], side, object) for side, one in arrays.items()])
    columns = {kind: np.concatenate([masks[side][kind] for side in arrays]) for kind in kinds}
    numbered = [_numbers_of(folder, side, one.shape[1]) for side, one in arrays.items()]
    known = [name for kind in kinds for name in dict.fromkeys(columns[kind].tolist()) if name]
    wanted = options.names("region")
    if wanted is None:
        raise UserError(
            f"{subject} has the masks {', '.join(kinds) or 'none'}, with the regions {', '.join(known) or 'none'}: say "
            f"which by --region; 'all' takes all {len(sides)} vertices"
        )
    region = np.full(len(sides), "", object)
    n_twice = 0
    for name in [] if wanted == ["all"] else chosen("region", wanted, [*kinds, *known], "region"):
        found = columns.get(name)
        if found is None:
            found = np.full(len(sides), "", object)
            for one in columns.values():
                found[one == name] = name
        n_twice += int(((found != "") & (region != "")).sum())
        region = np.where(region == "", found, region)
    if wanted == ["all"]:
        streams = columns.get(_STREAMS, region)
        region = np.where(streams == "", "cortex", streams)
    taken = np.flatnonzero(region != "")
    table = pd.DataFrame(
        {"region": region, "subject": subject, "hemisphere": [_SIDES[side] for side in sides]}
    )
    place = np.concatenate([np.arange(one.shape[1]) for one in arrays.values()])
    table["neuroid_id"] = [f"{subject}-{side}-{n}" for side, n in zip(sides, place, strict=True)]
    said = [f"{len(taken)} of {len(sides)} vertices: {', '.join(wanted)}"]
    if n_twice:
        said.append(f"{n_twice} vertices are in several of these regions and count for the first")
    if all(one is not None for one in numbered):
        table["vertex"] = np.concatenate([one for one in numbered if one is not None])
        said.append("vertices by their numbers in fsaverage")
    else:
        said.append(
            "vertices without their numbers in fsaverage (roi_masks/lh.all-vertices_fsaverage_space.npy)"
        )
    table = table.assign(**{kind.replace("-", "_"): columns[kind] for kind in kinds})
    return taken, table.iloc[taken].reset_index(drop=True), said


def _numbers_of(folder: Path, side: str, n: int) -> npt.NDArray[np.intp] | None:
    """The vertices of fsaverage that the columns are; None where no file says it."""
    file = folder / "roi_masks" / f"{side}.all-vertices_fsaverage_space.npy"
    if not file.is_file():
        return None
    inside = np.flatnonzero(_flat(file))
    if len(inside) != n:
        raise UserError(f"{file} takes {len(inside)} vertices, and the responses have {n}")
    return inside
