"""Narratives (ds002345): a story heard by many people, each with an onset of their own.

``derivatives/afni-nosmooth/sub-001/func/sub-001_task-pieman_run-1_space-fsaverage6_hemi-L_desc-clean.func.gii``
has an array a sample of 1.5 s; ``sub-001/func/..._events.tsv`` says when the story began in that run;
``stimuli/gentle/STORY/align.json`` has the words, aligned by gentle, on the story's own clock. Layout,
columns and the list of scans to leave out (``code/scan_exclude.json``) are those of the authors' code; no
true recording was seen.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from ...errors import UserError
from ...files import read_json
from ..formats.table import read_table
from ..imported import Imported
from ..published_recording import chosen, only
from ..read_options import ReadOptions
from ..timeseries.textgrid import check_words
from .gifti_series import Unpacked
from .series import Run, last_word_before_end, presentations, stacked, stories_table

_TR, _SLACK_S, _OFF_GRID = 1.5, 60.0, 0.25
_FILE = re.compile(r"(sub-[^_]+)_task-([^_]+)(?:_run-(\d+))?_space-([^_]+)_hemi-L_desc-clean\.func\.gii")
_LEFT, _RIGHT = "_hemi-L_", "_hemi-R_"


@dataclass(frozen=True)
class _Scan:
    """One person's run of the story: its files, and when the story began in it."""

    subject: str
    run: int
    left: Path
    right: Path
    onset_s: float
    story: str


def read(path: Path, options: ReadOptions, about: Mapping[str, str]) -> Imported:
    """One story as time series, people side by side.

    Parameters
    ----------
    path : Path
    options : ReadOptions
        ``task``, the story; ``subject``; ``space``; ``events``, which of several stories of a run, from 1; ``stimuli``,
        the ``align.json`` of its words; ``tr``.
    about : mapping
        What the card says.

    Raises
    ------
    UserError
        For what is missing, damaged, or does not fit.
    """
    pipeline = _pipeline(path)
    found = _found(pipeline)
    task = only(
        "stories", chosen("story", options.names("task"), sorted({one[1] for one in found}), "task"), "task"
    )
    spaces = sorted({one[3] for one in found if one[1] == task})
    space = only("spaces", chosen("space", options.names("space"), spaces, "space"), "space")
    tr = _tr(path, task, options)
    files = {(s, run): file for (s, t, run, where), file in found.items() if t == task and where == space}
    wanted = options.names("subject")
    asked = None if wanted is None else [f"sub-{one.removeprefix('sub-')}" for one in wanted]
    subjects = chosen("subject", asked, sorted({one for one, _ in files}), "subject")
    excluded = _excluded(path / "code" / "scan_exclude.json")
    files = {key: file for key, file in files.items() if key[0] in subjects}
    kept = {key: file for key, file in files.items() if not any(one in file.name for one in excluded)}
    if not kept:
        raise UserError(f"{path}: code/scan_exclude.json leaves out every scan of {task}")
    scans = [_scan(path, subject, task, run, file, options) for (subject, run), file in sorted(kept.items())]
    words, n_silent, words_said = _words(path, scans[0].story, options)
    runs, people, n_vertices, n_lost = _runs(scans, task, tr)
    last_word_before_end(words, runs[0], tr, f"the words of {scans[0].story}", _SLACK_S)
    left_out = {
        "scans that the authors leave out (code/scan_exclude.json)": len(files) - len(kept),
        "words that were not found in the sound": n_silent,
        **n_lost,
    }
    neuroids = pd.concat([_neuroids(one, *n_vertices) for one in people], ignore_index=True)
    onsets = sorted({one.onset_s for one in scans})
    return Imported(
        stimuli=stories_table({task: words}, runs, tr),
        values=stacked(runs, [sum(n_vertices)] * len(people)),
        presentations=presentations(runs, tr),
        neuroids=neuroids,
        modality="language",
        kind="series",
        tr=tr,
        blocks="run",
        about={**about, "space": space},
        said=[
            f"{task}: {len(people)} people, {len(runs)} runs, {sum(one.n for one in runs)} samples of {tr:g} s; "
            f"{pipeline.name}, {space}",
            f"the story began {' or '.join(f'{one:g}' for one in onsets)} s into the scans: subtracted from each",
            words_said,
        ],
        left_out={reason: n for reason, n in left_out.items() if n},
    )


def _pipeline(path: Path) -> Path:
    found = sorted(one.name for one in (path / "derivatives").glob("afni-*") if one.is_dir())
    name = "afni-nosmooth" if "afni-nosmooth" in found else found[0]
    return path / "derivatives" / name


def _found(pipeline: Path) -> dict[tuple[str, str, int, str], Path]:
    """(subject, task, run, space) -> the left hemisphere's file."""
    found = {}
    for file in sorted(pipeline.glob("sub-*/func/*_hemi-L_desc-clean.func.gii")):
        matched = _FILE.fullmatch(file.name)
        if matched:
            found[matched[1], matched[2], int(matched[3] or 1), matched[4]] = file
    if not found:
        raise UserError(f"{pipeline} holds no sub-001/func/..._space-fsaverage6_hemi-L_desc-clean.func.gii")
    return found


def _tr(path: Path, task: str, options: ReadOptions) -> float:
    said = options.numbers("tr", 1)
    sidecar = path / f"task-{task}_bold.json"
    held = read_json(sidecar) if sidecar.is_file() else {}
    written = held.get("RepetitionTime") if isinstance(held, dict) else None
    if written is not None and not isinstance(written, int | float):
        raise UserError(f"{sidecar}: RepetitionTime must be a number of seconds, not {written!r}")
    if said is not None and written is not None and abs(said[0] - written) > 1e-6:
        raise UserError(f"{sidecar} says {written:g} s from sample to sample, --tr says {said[0]:g}")
    tr = said[0] if said is not None else float(written) if written is not None else _TR
    if not 0.1 <= tr <= 20:
        raise UserError(f"{sidecar}: {tr:g} s from sample to sample: it must be in s")
    return tr


def _excluded(path: Path) -> list[str]:
    """The beginnings of the names of scans that the authors leave out."""
    if not path.is_file():
        return []
    held = read_json(path)
    try:
        return [str(scan) for people in held.values() for scans in people.values() for scan in scans]
    except AttributeError:
        raise UserError(f"{path} must list scans by task and subject") from None


def _scan(path: Path, subject: str, task: str, run: int, left: Path, options: ReadOptions) -> _Scan:
    right = left.with_name(left.name.replace(_LEFT, _RIGHT))
    if not right.is_file():
        raise UserError(f"{left} has no right hemisphere beside it ({right.name})")
    stem = left.name.partition("_space-")[0]
    events = path / subject / "func" / f"{stem}_events.tsv"
    if not events.is_file():
        raise UserError(f"{events} is missing: it says when the story began in {subject}'s scan")
    table = read_table(events, ("trial_type", "stim_file"), separator="\t")
    if not {"onset", "trial_type"} <= set(table.columns):
        raise UserError(
            f"{events} has no columns onset and trial_type (it has: {', '.join(map(str, table.columns))})"
        )
    stories = table[table["trial_type"].str.strip().str.lower() == "story"].reset_index(drop=True)
    if not len(stories):
        raise UserError(
            f"{events} has no row whose trial_type is 'story' ({', '.join(table['trial_type'].unique())})"
        )
    numbers = [str(one + 1) for one in range(len(stories))]
    picked = only(
        f"stories in {events.name}",
        chosen("story", options.names("events"), numbers, "events"),
        "events",
    )
    row = stories.iloc[int(picked) - 1]
    onset = float(pd.to_numeric(row["onset"], errors="coerce"))
    if not np.isfinite(onset) or onset < 0:
        raise UserError(f"{events}: the story's onset is {row['onset']!r}")
    name = (
        str(row["stim_file"]).removesuffix(".wav").removesuffix("_audio")
        if "stim_file" in table.columns
        else task
    )
    return _Scan(subject, run, left, right, onset, name)


def _words(path: Path, story: str, options: ReadOptions) -> tuple[pd.DataFrame, int, str]:
    """The words that gentle found in the sound, and how many it did not."""
    folder = path / "stimuli" / "gentle"
    file = Path(options.stimuli).expanduser() if options.stimuli else folder / story / "align.json"
    if not file.is_file():
        known = sorted(one.name for one in folder.iterdir() if (one / "align.json").is_file())
        raise UserError(
            f"no words at {file}: name the align.json by --stimuli (there are: {', '.join(known) or 'none'})"
        )
    held = read_json(file)
    listed = held.get("words") if isinstance(held, dict) else None
    if not isinstance(listed, list) or not all(isinstance(one, dict) for one in listed):
        raise UserError(f"{file} is no alignment of gentle: it has no list of words")
    rows = [
        (str(one["word"]), one["start"], one["end"])
        for one in listed
        if one.get("case") == "success" and all(isinstance(one.get(key), int | float) for key in ("start", "end"))
        and str(one.get("word", "")).strip()
    ]  # fmt: skip
    if not rows:
        raise UserError(f"{file} has no word that gentle found in the sound ('case': 'success')")
    words = pd.DataFrame(rows, columns=["word", "onset", "offset"])
    said = f"{len(words)} words of {file.relative_to(path) if file.is_relative_to(path) else file}"
    return check_words(words, str(file)), len(listed) - len(rows), said


def _runs(
    scans: list[_Scan], task: str, tr: float
) -> tuple[list[Run], list[str], tuple[int, int], dict[str, int]]:
    """The runs on the story's clock, the people, vertices of the hemispheres, and what was left out.

    Sample k of a person is at k tr - onset. People whose stories began at other times are shifted by whole samples.
    """
    unpacked = Unpacked()
    by_run, people = _shared(scans)
    n_cut, runs = 0, list[Run]()
    sizes = _sizes(unpacked, [held[one] for held in by_run.values() for one in people], task)
    n_vertices = next(iter(sizes.values()))[1:]
    reference = by_run[min(by_run)][people[0]].onset_s
    for run, held in sorted(by_run.items()):
        shift = {one: _shift(held[one], people[0], reference, tr) for one in people}
        lengths = {one: sizes[held[one].left][0] for one in people}
        first = max(-shift[one] for one in people)
        last = min(lengths[one] - shift[one] for one in people)
        if last <= first:
            raise UserError(f"the scans of {task} have no sample of the story in common")
        n_cut += sum(lengths[one] - (last - first) for one in people)
        reads = [partial(_samples, unpacked, held[one], first + shift[one]) for one in people]
        runs.append(Run(f"{task}_run-{run}", task, len(runs), last - first, first * tr - reference, reads))
    left_out = {
        "samples at the ends that not every subject has": n_cut,
        "scans of runs that not every subject has": len(scans) - len(runs) * len(people),
    }
    return runs, people, n_vertices, left_out


def _shared(scans: list[_Scan]) -> tuple[dict[int, dict[str, _Scan]], list[str]]:
    """Run -> person -> scan, of the runs that all people have; else of the run that most people have."""
    by_run: dict[int, dict[str, _Scan]] = {}
    for one in scans:
        by_run.setdefault(one.run, {})[one.subject] = one
    everybody = {one.subject for one in scans}
    whole = {run: held for run, held in by_run.items() if set(held) == everybody}
    if not whole:
        most = max(sorted(by_run), key=lambda run: len(by_run[run]))
        whole = {most: by_run[most]}
    return whole, sorted(next(iter(whole.values())))


def _sizes(unpacked: Unpacked, scans: list[_Scan], task: str) -> dict[Path, tuple[int, int, int]]:
    """Samples and vertices of both hemispheres of each scan."""
    sizes = {}
    for one in scans:
        left, right = unpacked.series(one.left), unpacked.series(one.right)
        if len(left) != len(right):
            raise UserError(f"{one.left} has {len(left)} samples, the right hemisphere {len(right)}")
        sizes[one.left] = (len(left), left.shape[1], right.shape[1])
    meshes = {size[1:] for size in sizes.values()}
    if len(meshes) > 1:
        listed = " and ".join(str(sum(one)) for one in sorted(meshes))
        raise UserError(f"scans of {task} have {listed} vertices: one mesh is needed")
    return sizes


def _shift(scan: _Scan, first: str, reference: float, tr: float) -> int:
    """Whole samples by which a person's story began later than the first one's."""
    samples = (scan.onset_s - reference) / tr
    if abs(samples - round(samples)) > _OFF_GRID:
        raise UserError(
            f"{scan.subject}'s story began {scan.onset_s:g} s into the scan, {first}'s {reference:g} s: "
            "not whole samples apart: add them one by one (--subject)"
        )
    return round(samples)


def _samples(unpacked: Unpacked, scan: _Scan, start: int, first: int, last: int, vertices: slice) -> Any:
    rows = slice(start + first, start + last)
    left, right = unpacked.series(scan.left), unpacked.series(scan.right)
    n = left.shape[1]
    begin, end, _ = vertices.indices(n + right.shape[1])
    return np.concatenate(
        [left[rows, min(begin, n) : min(end, n)], right[rows, max(begin - n, 0) : max(end - n, 0)]], axis=1
    )


def _neuroids(subject: str, n_left: int, n_right: int) -> pd.DataFrame:
    vertex = np.r_[np.arange(n_left), np.arange(n_right)]
    side = np.repeat(["L", "R"], [n_left, n_right])
    ids = [f"{subject}-{one}{number}" for one, number in zip(side, vertex, strict=True)]
    return pd.DataFrame(
        {"neuroid_id": ids, "region": "cortex", "subject": subject, "hemisphere": side, "vertex": vertex}
    )
