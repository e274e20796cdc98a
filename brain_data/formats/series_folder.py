"""A folder of time courses: one table a subject and run, the words or frames that were running, and a description."""

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from ...bounded import require_for
from ...errors import UserError, first_line, unknown
from ...files import read_toml
from ..imported import Imported, ReadOptions
from ..reading.tables.table import read_table
from ..reading.tables.words import read_words
from ..timeseries.textgrid import check_words, n_within
from .folder_writer import DESCRIPTION
from .recording import RecordingFormat, add_recording_format

_OF_RUN = ("responses", "columns", "first_sample", "confounds", "skip_confounds", "story")
_OF_WORDS = ("file", "tier", "column")
_OF_FRAMES = ("file", "folder")
_VIDEOS = (".mp4", ".avi", ".mov", ".mkv", ".webm", ".mpg", ".m4v")
_LONGEST_TR = 60.0
"""Seconds; what is longer is in ms."""
_ABOUT = ("title", "species", "technique", "license", "bibtex", "source", "units", "space")


@dataclass(frozen=True)
class _Run:
    """One run of everybody: (sample, neuroid) responses, and what lies beside them."""

    name: str
    story: str
    first_sample: float
    responses: Mapping[str, npt.NDArray[np.float64]]
    columns: list[str]
    confounds: Mapping[str, pd.DataFrame]


@add_recording_format
class SeriesFolder(RecordingFormat):
    """A folder of time courses: dataset.toml kind = "series", [words] or [frames], [runs.NAME]; a file a subject."""

    name = "series-folder"
    takes = ("subject", "run", "region", "tr", "events", "units")

    def recognizes(self, path: Path) -> bool:
        """By the runs that its description names."""
        try:
            content = read_toml(path / DESCRIPTION) if (path / DESCRIPTION).is_file() else {}
        except UserError:
            return False
        return isinstance(content.get("runs"), dict)

    def read(self, path: Path, options: ReadOptions) -> Imported:
        """The runs side by side, each subject's columns as neuroids; NaN where a subject has no such run."""
        about = read_toml(path / DESCRIPTION)
        if about.get("kind") != "series":
            raise UserError(f'{path / DESCRIPTION} names runs: it must say kind = "series"')
        tr = _seconds_between(about, options, path)
        runs = [
            _read_run(path, name, about["runs"][name], options)
            for name in _asked(options, "run", about["runs"])
        ]
        pictures: dict[str, Path] = {}
        stories = list(dict.fromkeys(run.story for run in runs))
        if "frames" in about and "words" not in about:
            words, pictures = _frames(path, about["frames"], stories)
        else:
            words = _words(path, about, options, stories)
        _check_times(runs, words, tr)
        people = list(dict.fromkeys(subject for run in runs for subject in run.responses))
        _asked(options, "subject", people)
        flat = [
            one
            for one in people
            if all(np.ptp(run.responses[one], axis=0).max() == 0 for run in runs if one in run.responses)
        ]
        people = [one for one in people if one not in flat]
        if not people:
            raise UserError(f"{path}: no subject has a time course that varies")
        columns = _asked(options, "region", runs[0].columns)
        other = next((run for run in runs if set(run.columns) != set(runs[0].columns)), None)
        if other is not None:
            raise UserError(
                f"{path / DESCRIPTION}: run {runs[0].name!r} has the columns {', '.join(runs[0].columns[:6])}, "
                f"and {other.name!r} {', '.join(other.columns[:6])}: they must be the same"
            )
        lengths = [len(next(iter(run.responses.values()))) for run in runs]
        values = np.full((sum(lengths), len(people) * len(columns)), np.nan)
        for start, n, run in zip(np.cumsum([0, *lengths[:-1]]), lengths, runs, strict=True):
            for i, subject in enumerate(people):
                if subject in run.responses:
                    place = slice(i * len(columns), (i + 1) * len(columns))
                    chosen = [run.columns.index(one) for one in columns]
                    values[start : start + n, place] = run.responses[subject][:, chosen]
        shown = pd.DataFrame(
            {
                "stimulus_id": np.repeat([run.story for run in runs], lengths),
                "run": np.repeat([run.name for run in runs], lengths),
                "time": np.concatenate(
                    [run.first_sample + tr * np.arange(n) for n, run in zip(lengths, runs, strict=True)]
                ),
            }
        )
        recorded = pd.DataFrame(
            {
                "neuroid_id": [f"{subject}-{column}" for subject in people for column in columns],
                "region": columns * len(people),
                "subject": np.repeat(people, len(columns)),
            }
        )
        named = {key: str(about[key]) for key in _ABOUT if about.get(key)}
        first = ", ".join(f"{run.name} at {run.first_sample:g} s" for run in runs[:4])
        return Imported(
            words,
            values,
            shown,
            recorded,
            pictures=pictures,
            modality=about.get("modality"),
            kind="series",
            tr=tr,
            confounds=_confounds(runs, people, lengths),
            blocks="run",
            about=named | ({"units": options.units} if options.units else {}),
            said=(
                f"time of the first sample on the words' clock: {first}{', ...' if len(runs) > 4 else ''}",
            ),
            left_out={f"subjects whose time courses never vary ({', '.join(flat)})": len(flat)}
            if flat
            else {},
        )


def _asked(options: ReadOptions, option: str, there: Iterable[str]) -> list[str]:
    """Those that are asked for, in their own order; all where it is not said."""
    known = list(there)
    wanted = options.names(option) or known
    for one in wanted:
        if one not in known:
            raise unknown(option, one, known)
    return [one for one in known if one in wanted]


def _seconds_between(about: Mapping[str, Any], options: ReadOptions, path: Path) -> float:
    said = options.numbers("tr", 1)
    tr = about.get("tr") if said is None else said[0]
    if not isinstance(tr, int | float) or isinstance(tr, bool) or not 0 < tr < 3600:
        raise UserError(
            f"{path / DESCRIPTION}: tr must be the seconds from sample to sample, not {tr!r} (or --tr S)"
        )
    if tr > _LONGEST_TR:
        raise UserError(f"{path / DESCRIPTION}: tr is in s: {tr:g} s from sample to sample, or are these ms?")
    return float(tr)


def _read_run(path: Path, name: str, entry: Any, options: ReadOptions) -> _Run:
    where = f"{DESCRIPTION}: [runs.{name}]"
    if not isinstance(entry, dict) or not isinstance(entry.get("responses"), str):
        raise UserError(f'{where} needs responses = "FILE", with * for the subject where there are several')
    for key in entry:
        if key not in _OF_RUN:
            raise unknown(f"entry of [runs.{name}]", key, _OF_RUN)
    first = entry.get("first_sample")
    if not isinstance(first, int | float) or isinstance(first, bool):
        raise UserError(f"{where} needs first_sample = the time of row 0 on the words' clock, in s")
    wanted = options.names("subject")
    files = {
        one: file
        for one, file in _by_subject(path, entry["responses"], where).items()
        if one in (wanted or [one])
    }
    if not files:
        raise unknown("subject", options.subject or "", _by_subject(path, entry["responses"], where))
    tables = {subject: _numbers(file) for subject, file in files.items()}
    sizes = {subject: table.shape for subject, table in tables.items()}
    usual = max(set(sizes.values()), key=list(sizes.values()).count)
    odd = next((subject for subject, size in sizes.items() if size != usual), None)
    if odd is not None:
        raise UserError(
            f"{where}: {odd} has {sizes[odd][0]} samples of {sizes[odd][1]} columns, others {usual[0]} of {usual[1]}"
        )
    columns = entry.get("columns") or [str(one) for one in next(iter(tables.values())).columns]
    if not isinstance(columns, list) or len(columns) != usual[1]:
        raise UserError(f"{where} names {len(columns)} columns, but the tables have {usual[1]}")
    columns = [str(one) for one in columns]
    tables = {subject: _in_order(table, columns, files[subject]) for subject, table in tables.items()}
    confounds = {}
    if "confounds" in entry:
        skip = entry.get("skip_confounds", 0)
        if not isinstance(skip, int) or skip < 0:
            raise UserError(f"{where}: skip_confounds must be how many rows come first, not {skip!r}")
        for subject, file in _by_subject(path, str(entry["confounds"]), where).items():
            if subject in files:
                table = _numbers(file).iloc[skip:]
                if len(table) != usual[0]:
                    raise UserError(
                        f"{where}: the confounds of {subject} have {len(table) + skip} rows, its responses {usual[0]}: "
                        "say by skip_confounds how many of them come before the first sample"
                    )
                confounds[subject] = table
    return _Run(
        name,
        str(entry.get("story", name)),
        float(first),
        {subject: table.to_numpy(np.float64) for subject, table in tables.items()},
        columns,
        confounds,
    )


def _in_order(table: pd.DataFrame, columns: list[str], file: Path) -> pd.DataFrame:
    """A table whose header names the columns in another order, in theirs; names of its own stay where they are."""
    header = [str(one) for one in table.columns]
    if header == columns or table.columns.dtype.kind in "iu" or not set(header) & set(columns):
        return table
    if set(header) != set(columns):
        raise UserError(
            f"{file}: its header names {', '.join(header[:6])}, and the columns are {', '.join(columns[:6])}"
        )
    return table.set_axis(header, axis=1)[columns]


def _by_subject(path: Path, pattern: str, where: str) -> dict[str, Path]:
    """Subject -> file; what the first ``*`` of a pattern stands for names the subject."""
    if Path(pattern).is_absolute() or ".." in Path(pattern).parts:
        raise UserError(f"{where}: {pattern!r} would leave the folder: refused")
    try:
        files = sorted(path.glob(pattern))
    except ValueError as error:
        raise UserError(f"{where}: {pattern!r} is no name of files ({error})") from error
    if not files:
        raise UserError(f"{where}: there is no file {pattern!r} in {path}")
    if "*" not in pattern:
        return {"1": files[0]}
    first, *others = (re.escape(one) for one in pattern.split("*"))
    told = re.compile(f"{first}([^/]*?){'[^/]*'.join(others)}")
    named: dict[str, Path] = {}
    for file in files:
        match = told.fullmatch(file.relative_to(path).as_posix())
        subject = file.stem if match is None else match[1]
        if subject in named:
            raise UserError(f"{where}: {named[subject].name} and {file.name} are both of subject {subject!r}")
        named[subject] = file
    return named


def _numbers(file: Path) -> pd.DataFrame:
    """A table of samples and columns: .npy, .csv or .tsv with a header, else numbers with blanks between them."""
    require_for(file, 8 * file.stat().st_size)
    kind = file.suffix.lower()
    try:
        if kind == ".npy":
            table = pd.DataFrame(np.load(file, allow_pickle=False))
        elif kind in (".csv", ".tsv"):
            table = read_table(file, is_label=lambda name: False)
            if any(
                re.fullmatch(r"\s*-?\d*\.\d+(e[+-]?\d+)?\s*", str(one), re.IGNORECASE)
                for one in table.columns
            ):
                raise UserError(f"{file} has no header: its first line must name the columns")
        else:
            table = pd.DataFrame(np.loadtxt(file, ndmin=2))
    except UserError:
        raise
    except ValueError as error:
        said = (
            "a pickle by another name: refused"
            if "allow_pickle" in str(error)
            else f"no table of numbers ({first_line(error)})"
        )
        raise UserError(f"{file} is {said}") from error
    odd = [str(name) for name in table.columns if table[name].dtype.kind not in "fiu"]
    if odd or not len(table):
        raise UserError(f"{file}: column {odd[0]!r} holds no numbers" if odd else f"{file} is empty")
    return table


def _words(path: Path, about: Mapping[str, Any], options: ReadOptions, stories: list[str]) -> pd.DataFrame:
    """The words of the stories, with the number of their phonemes where these are named."""
    entry = about.get("words", {})
    if not isinstance(entry, dict) or not isinstance(entry.get("file"), str):
        raise UserError(
            f'{path / DESCRIPTION} needs [words] with file = "words.csv", or "*.TextGrid" named as the stories, or '
            "[frames] of a film"
        )
    tier = options.events or entry.get("tier")
    words = _told(path, "words", entry, ("word",), tier, stories)
    words = check_words(words, entry["file"])
    if "phonemes" in about:
        given = about["phonemes"] if isinstance(about["phonemes"], dict) else {}
        beside = (
            {"file": entry["file"]}
            if entry["file"].lower().endswith(".textgrid") and given.get("tier")
            else {}
        )
        sounds = _told(path, "phonemes", beside | given, (), given.get("tier"), stories)
        for story, rows in words.groupby("story", sort=False).groups.items():
            words.loc[rows, "phonemes"] = n_within(words.loc[rows], sounds[sounds["story"] == story])
    return words


def _frames(path: Path, entry: Any, stories: list[str]) -> tuple[pd.DataFrame, dict[str, Path]]:
    """The frames of the films, and the picture of each."""
    if not isinstance(entry, dict) or not isinstance(entry.get("file"), str):
        raise UserError(f'{path / DESCRIPTION}: [frames] needs file = "frames.csv" (filename, onset, offset)')
    if Path(entry["file"]).suffix.lower() in _VIDEOS:
        raise UserError(_no_video(entry["file"]))
    frames = check_words(_told(path, "frames", entry, ("filename",), None, stories), entry["file"])
    folder = path / str(entry.get("folder", "."))
    pictures = {}
    for stimulus, name in zip(frames["stimulus_id"].astype(str), frames["filename"].astype(str), strict=True):
        file = folder / name
        if Path(name).suffix.lower() in _VIDEOS:
            raise UserError(_no_video(name))
        if not file.resolve().is_relative_to(path.resolve()):
            raise UserError(f"{entry['file']}: {name!r} would leave the folder: refused")
        if not file.is_file():
            raise UserError(
                f"{entry['file']} names the frame {name!r}, which is not in {folder}: say where by folder"
            )
        pictures[stimulus] = file
    return frames, pictures


def _no_video(name: str) -> str:
    return (
        f"{name} is a video, which is not read: make pictures of it (ffmpeg -i {name} -vf fps=8 frames/%06d.png) and a "
        "table of their filename, onset and offset"
    )


def _told(
    path: Path, section: str, entry: Mapping[str, Any], needed: Sequence[str], tier: Any, stories: list[str]
) -> pd.DataFrame:
    """What was told or shown in the stories, from one table, or one file a story."""
    for key in entry:
        if key not in (_OF_FRAMES if section == "frames" else _OF_WORDS):
            raise unknown(f"entry of [{section}]", key, _OF_FRAMES if section == "frames" else _OF_WORDS)
    if not isinstance(entry.get("file"), str):
        raise UserError(f"{path / DESCRIPTION}: [{section}] needs a file, or a tier of the words' TextGrid")
    files = _by_subject(path, entry["file"], f"{DESCRIPTION}: [{section}]")
    tables = []
    for story, file in files.items():
        table = read_words(file, needed, tier)
        if "story" not in table:
            table["story"] = stories[0] if len(files) == len(stories) == 1 else story
        tables.append(table)
    found = pd.concat(tables, ignore_index=True)
    found["story"] = found["story"].astype(str)
    absent = [one for one in stories if one not in set(found["story"])]
    if absent:
        named = ", ".join(dict.fromkeys(found["story"]))
        raise UserError(f"there are no {section} of the story {absent[0]!r}: {entry['file']} names {named}")
    found = found[found["story"].isin(stories)].reset_index(drop=True)
    if "stimulus_id" not in found:
        found.insert(0, "stimulus_id", [f"{story}-{i:05d}" for i, story in enumerate(found["story"])])
    return found


def _check_times(runs: list[_Run], words: pd.DataFrame, tr: float) -> None:
    ends = [(run.first_sample + tr * (len(next(iter(run.responses.values()))) - 1), run) for run in runs]
    latest = {
        run.story: (last, run) for last, run in sorted(ends, key=lambda one: one[0])
    }  # of parts, the last one
    for last, run in latest.values():
        late = words[(words["story"] == run.story) & (words["onset"] > last + tr)]
        if len(late):
            what, many = ("word", "words") if "word" in words else ("filename", "frames")
            raise UserError(
                f"run {run.name!r} ends at {last:g} s, but {len(late)} {many} of {run.story!r} begin later "
                f"(first: {late[what].iloc[0]!r} at {late['onset'].iloc[0]:g} s): look at tr, first_sample and units"
            )


def _confounds(runs: list[_Run], people: list[str], lengths: list[int]) -> pd.DataFrame | None:
    """The confounds of everybody side by side, ``SUBJECT:NAME``; None where there are none."""
    if not any(run.confounds for run in runs):
        return None
    parts = []
    for n, run in zip(lengths, runs, strict=True):
        beside = {
            f"{subject}:{name}": run.confounds[subject][name].to_numpy()
            for subject in people
            if subject in run.confounds
            for name in run.confounds[subject]
        }
        parts.append(pd.DataFrame(beside, index=range(n)))
    return pd.concat(parts, ignore_index=True)
