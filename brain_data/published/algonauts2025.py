"""Algonauts 2025: one HDF5 file a person and task, in it one array (sample, 1000 parcels) a film.

Its keys are ``ses-001_task-s01e02a``, and ``..._run-1`` where a film was seen twice. A sample comes every
1.49 s, the first with the film [known from the challenge's kit, not checked against a true clock]. Words,
where they are there, lie in ``stimuli/transcripts/*/*/*_s01e02a.tsv``: a row a sample with lists of words,
onsets and durations.
"""

import ast
import re
from collections.abc import Mapping
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from ...errors import UserError
from ..imported import Imported
from ..published_recording import chosen
from ..read_options import ReadOptions
from ..reading.arrays.hdf5_nodes import stored_array
from ..reading.tables.table import read_table
from ..timeseries.textgrid import check_words
from .arrays import hdf5
from .series import Run, presentations, stacked, stories_table

TR = 1.49
N_PARCELS = 1000
_FILE = re.compile(r"(sub-[^_]+)_task-([^_]+)_.*parcel-1000Par7Net.*_bold\.h5")
_KEY = re.compile(r"ses-([^_]+)_task-([^_]+)(?:_run-(\d+))?")
_CELL = 1 << 16
_MOST_APART = 20
"""Samples by which runs of a film differ between people at most: more is another film."""


def read(path: Path, options: ReadOptions, about: Mapping[str, str]) -> Imported:
    """Films as time series, people side by side.

    Parameters
    ----------
    path : Path
    options : ReadOptions
        ``subject``, ``task`` (``friends``, ``movie10``), ``run`` (films, such as ``s01e02a``); ``labels``, the table of
        Schaefer's parcels, and ``region``, networks of it; ``stimuli``, the folder of transcripts.
    about : mapping
        What the card says.

    Raises
    ------
    UserError
        For what is missing, damaged, or does not fit.
    """
    files = _files(path, options)
    subjects = list(files)
    stored = {subject: _films(paths) for subject, paths in files.items()}
    shared = [one for one in stored[subjects[0]] if all(one in stored[other] for other in subjects)]
    if not shared:
        raise UserError(f"{path}: {' and '.join(subjects)} saw no film in common: add them one by one")
    n_alone = len({one for films in stored.values() for one in films}) - len(shared)
    films = list(dict.fromkeys(film for film, _ in shared))
    wanted = chosen("film", options.names("run"), films, "run")
    shared = [one for one in shared if one[0] in wanted]
    parcels, region, said = _parcels(options)
    runs, n_cut = [], 0
    for film, repetition in shared:
        each = [stored[subject][film, repetition] for subject in subjects]
        n = min(shape for _, _, shape, _ in each)
        if max(shape for _, _, shape, _ in each) - n > _MOST_APART:
            raise UserError(
                f"{film} has {n} samples of one person and {max(one[2] for one in each)} of another: not one film"
            )
        n_cut += sum(shape - n for _, _, shape, _ in each)
        reads = [partial(_samples, file, key, parcels) for file, key, _, _ in each]
        session = f"ses-{each[0][3]}" if len(subjects) == 1 else ""
        runs.append(Run(f"{film}_run-{repetition + 1}", film, repetition, n, 0.0, reads, session))
    words, words_said = _words(path, options.stimuli, wanted, runs)
    left_out = {"films that not every subject saw": n_alone, "samples at the end of runs of others": n_cut}
    return Imported(
        stimuli=stories_table(words, runs, TR),
        values=stacked(runs, [len(parcels)] * len(subjects)),
        presentations=presentations(runs, TR),
        neuroids=pd.concat([_neuroids(one, parcels, region) for one in subjects], ignore_index=True),
        modality="language" if words else "vision",
        kind="series",
        tr=TR,
        blocks="run",
        about={**about, "space": "MNI152NLin2009cAsym"},
        said=[
            f"{', '.join(subjects)}: {len(runs)} runs of {len(wanted)} films, "
            f"{sum(one.n for one in runs)} samples of {TR} s",
            "the first sample of a run is at 0 s of its film",
            *said,
            words_said,
        ],
        left_out={reason: n for reason, n in left_out.items() if n},
    )


def _files(path: Path, options: ReadOptions) -> dict[str, list[Path]]:
    """Subject -> its files."""
    found: dict[str, dict[str, Path]] = {}
    for file in sorted(
        one for place in ("", "func/", "fmri/sub-*/func/") for one in path.glob(f"{place}sub-*_bold.h5")
    ):
        matched = _FILE.fullmatch(file.name)
        if matched:
            found.setdefault(matched[1], {})[matched[2]] = file
    asked = options.names("subject")
    wanted = None if asked is None else [f"sub-{one.removeprefix('sub-').zfill(2)}" for one in asked]
    subjects = chosen("subject", wanted, list(found), "subject")
    files = {}
    for subject in subjects:
        tasks = chosen(f"task of {subject}", options.names("task"), list(found[subject]), "task")
        files[subject] = [found[subject][task] for task in tasks]
    return files


def _films(paths: list[Path]) -> dict[tuple[str, int], tuple[Path, str, int, str]]:
    """(film, repetition) -> file, key, samples and session."""
    found: dict[tuple[str, int], tuple[Path, str, int, str]] = {}
    for path in paths:
        with hdf5(path) as file:
            for key in sorted(file):
                matched = _KEY.fullmatch(key)
                if matched is None:
                    raise UserError(
                        f"{path}: {key!r} names no film: expected ses-001_task-s01e02a or the like"
                    )
                stored = stored_array(file, key, (2,))
                if stored.shape[1] != N_PARCELS:
                    raise UserError(f"{path}: {key!r} has shape {stored.shape}: not {N_PARCELS} parcels")
                repetition = sum(film == matched[2] for film, _ in found)
                found[matched[2], repetition] = (path, key, stored.shape[0], matched[1])
    if not found:
        raise UserError(f"{paths[0]} holds no film")
    return found


def _samples(
    path: Path, key: str, parcels: npt.NDArray[np.int64], first: int, last: int, which: slice
) -> Any:
    with hdf5(path) as file:
        return stored_array(file, key, (2,))[first:last][:, parcels[which]]


def _parcels(options: ReadOptions) -> tuple[npt.NDArray[np.int64], npt.NDArray[Any], list[str]]:
    """The parcels that are taken, the region of each, and what was done."""
    if options.labels is None:
        if options.region is not None:
            raise UserError(
                "the files do not name the parcels: --region needs --labels, the table of Schaefer's atlas"
            )
        everywhere = np.full(N_PARCELS, "cortex", object)
        return (
            np.arange(N_PARCELS),
            everywhere,
            ["parcels have no names here (--labels names them): region 'cortex'"],
        )
    path = Path(options.labels).expanduser()
    if not path.is_file():
        raise UserError(f"no labels at {path}")
    names = re.findall(r"7Networks_[LR]H_([A-Za-z]+)", path.read_text(encoding="utf-8", errors="replace"))
    if len(names) != N_PARCELS:
        raise UserError(f"{path} names {len(names)} parcels (7Networks_LH_Vis_1, ...), not {N_PARCELS}")
    networks = list(dict.fromkeys(names))
    wanted = chosen("network", options.names("region"), networks, "region")
    region = np.array(names, object)
    keep = np.flatnonzero(np.isin(region.astype(str), wanted))
    return keep, region[keep], [f"{len(keep)} parcels of the networks {', '.join(wanted)}"]


def _neuroids(subject: str, parcels: npt.NDArray[np.int64], region: npt.NDArray[Any]) -> pd.DataFrame:
    """In Schaefer's atlas the first half of the parcels is of the left hemisphere."""
    return pd.DataFrame(
        {
            "neuroid_id": [f"{subject}-parcel{number + 1:04d}" for number in parcels],
            "region": region,
            "subject": subject,
            "hemisphere": np.where(parcels < N_PARCELS // 2, "L", "R"),
            "parcel": parcels + 1,
        }
    )


def _words(
    path: Path, folder: str | None, films: list[str], runs: list[Run]
) -> tuple[dict[str, pd.DataFrame], str]:
    """Film -> its words, where there are transcripts of all."""
    root = Path(folder).expanduser() if folder else path / "stimuli" / "transcripts"
    found = {one.stem.rpartition("_")[2]: one for one in sorted(root.rglob("*.tsv"))} if root.is_dir() else {}
    missing = [film for film in films if film not in found]
    if not found and folder is None:
        return {}, "no stimuli/transcripts: the films are listed without their words"
    if missing:
        raise UserError(
            f"{root} has no transcript of {len(missing)} of {len(films)} films (first: {missing[0]})"
        )
    words = {film: _transcript(found[film]) for film in films}
    return words, f"{sum(map(len, words.values()))} words of {root}"


def _transcript(path: Path) -> pd.DataFrame:
    columns = ("words_per_tr", "onsets_per_tr", "durations_per_tr")
    table = read_table(path, columns, separator="\t")
    absent = [name for name in columns if name not in table.columns]
    if absent:
        raise UserError(
            f"{path} has no column {absent[0]!r} (it has: {', '.join(map(str, table.columns[:8]))})"
        )
    rows: list[tuple[str, float, float]] = []
    for number, cells in enumerate(zip(*(table[name] for name in columns), strict=True), start=2):
        said, onsets, durations = (_listed(cell, f"{path}, row {number}") for cell in cells)
        if not len(said) == len(onsets) == len(durations):
            raise UserError(
                f"{path}, row {number}: {len(said)} words, {len(onsets)} onsets, {len(durations)} durations"
            )
        times = [(float(a), float(a) + float(b)) for a, b in zip(onsets, durations, strict=True)]
        rows += [(str(word), a, b) for word, (a, b) in zip(said, times, strict=True)]
    if not rows:
        raise UserError(f"{path} holds no words")
    return check_words(pd.DataFrame(rows, columns=["word", "onset", "offset"]), str(path))


def _listed(cell: str, place: str) -> list[Any]:
    """A list of texts or numbers as Python writes it; nothing in it is run."""
    try:
        found = ast.literal_eval(cell) if cell.strip() and len(cell) <= _CELL else []
        if isinstance(found, list) and all(isinstance(one, str | int | float) for one in found):
            return found
    except (ValueError, SyntaxError, RecursionError, MemoryError):
        pass
    raise UserError(f"{place}: {cell[:40]!r} is no list of words or numbers")
