"""What was shown while vertices were sampled: a trial a sample, or samples in time of stories and films."""

import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from ...errors import UserError, unknown
from ..imported import Imported, ReadOptions
from .surface_samples import Sampled, in_region, picked
from .table import read_table

_BESIDE = ("filename", "stim_file", "sentence", "word", "category")


def as_imported(sampled: Sampled, options: ReadOptions) -> Imported:
    """The samples with what was shown: a trial each, or a series.

    Raises
    ------
    UserError
        Where it is not said which, or the table does not fit.
    """
    series = options.series is not None and options.series.lower() not in ("no", "false", "0")
    if series:
        return _series(sampled, options)
    if options.events is None and not sampled.names:
        raise UserError(
            f"{sampled.path} holds {sampled.n} {sampled.what}s and does not say what they are: say --events FILE (a "
            "row of the table for each, with stimulus_id), or --series yes with --stimuli FILE (samples in time)"
        )
    return _trials(sampled, options)


def _made(sampled: Sampled, options: ReadOptions, said: Sequence[str], **parts: Any) -> Imported:
    columns = in_region(sampled.neuroids, options)
    neuroids = sampled.neuroids.iloc[columns].reset_index(drop=True)
    about = dict(sampled.about) | ({"units": options.units} if options.units else {})
    return Imported(
        values=picked(sampled.values, columns),
        neuroids=neuroids,
        about=about,
        surfaces=sampled.surfaces,
        said=[*sampled.said, *said],
        left_out=dict(sampled.left_out),
        **parts,
    )


def _trials(sampled: Sampled, options: ReadOptions) -> Imported:
    if options.events is None:
        table = pd.DataFrame({"stimulus_id": list(sampled.names)})
        column, source = "stimulus_id", f"the names of the {sampled.what}s"
    else:
        path = Path(options.events).expanduser()
        table, column = _events(path, options), options.stimulus_column or "stimulus_id"
        source = path.name
    if column not in table:
        raise UserError(
            f"{source} has no column {column!r} (it has: {', '.join(map(str, table.columns))}): say which names the "
            "stimulus by --stimulus-column"
        )
    if len(table) != sampled.n:
        raise UserError(
            f"{source} has {len(table)} rows, and {sampled.path} holds {sampled.n} {sampled.what}s: one row for each "
            "is needed (samples in time are read with --series yes)"
        )
    if len(table) < 2:
        raise UserError(
            f"{sampled.path} holds one {sampled.what}: a static map is no recording of stimuli; look at it with "
            "brodmann analyze FILE --surface L=MESH"
        )
    empty = table[column].isna() | (table[column].astype(str).str.strip() == "")
    if empty.any():
        raise UserError(
            f"{source}: {int(empty.sum())} rows name no stimulus (first: row {int(empty.to_numpy().argmax())})"
        )
    table = table.rename(columns={column: "stimulus_id"}).drop(columns="subject", errors="ignore")
    table["stimulus_id"] = table["stimulus_id"].astype(str)
    if len(sampled.runs) > 1:
        table = _with_runs(table, sampled, source)
    stimuli, kept = _stimuli_of(table, options)
    pictures = _pictures(stimuli, options)
    said = [f"{sampled.n} {sampled.what}s, a trial each, of {len(stimuli)} stimuli by {source}"]
    return _made(sampled, options, said, stimuli=stimuli, presentations=kept, pictures=pictures)


def _events(path: Path, options: ReadOptions) -> pd.DataFrame:
    if not path.is_file():
        raise UserError(f"--events: there is no file {path}")
    texts = ("stimulus_id", options.stimulus_column or "stimulus_id", "run", "session", "story", "run_name")
    separator = "\t" if path.suffix in (".tsv", ".txt") else ","
    return read_table(path, texts, separator=separator, missing=("n/a",))


def _with_runs(table: pd.DataFrame, sampled: Sampled, source: str) -> pd.DataFrame:
    """The table with the runs of the files; where it names runs of its own, they must be as many rows each."""
    names = np.repeat(list(sampled.runs), list(sampled.runs.values()))
    if "run" in table:
        pairs = pd.DataFrame({"file": names, "said": table["run"].astype(str)}).drop_duplicates()
        if pairs["file"].duplicated().any():
            first = pairs["file"][pairs["file"].duplicated()].iloc[0]
            raise UserError(
                f"{source}: the rows of the file of {first} name several runs: the rows must stand in the order of the "
                f"files ({', '.join(f'{run}: {n}' for run, n in sampled.runs.items())})"
            )
    return table.assign(run=names)


def _stimuli_of(table: pd.DataFrame, options: ReadOptions) -> tuple[pd.DataFrame, pd.DataFrame]:
    """The stimuli, with the columns that are the same whenever one is shown; and the presentations with the others."""
    constant = [
        name
        for name in table.columns
        if name not in ("stimulus_id", "run", "session", "repetition", "onset", "duration", "time")
        and (table.groupby("stimulus_id")[name].nunique(dropna=False) == 1).all()
        and (name in _BESIDE or table["stimulus_id"].duplicated().any() or table[name].dtype == object)
    ]
    stimuli = table[["stimulus_id", *constant]].drop_duplicates("stimulus_id").reset_index(drop=True)
    path = None if options.stimuli is None else Path(options.stimuli).expanduser()
    if path is not None and path.is_file():
        separator = "\t" if path.suffix in (".tsv", ".txt") else ","
        described = read_table(path, ("stimulus_id",), separator=separator, missing=("n/a",))
        if "stimulus_id" not in described:
            raise UserError(
                f"{path} has no column 'stimulus_id' (it has: {', '.join(map(str, described.columns))})"
            )
        absent = sorted(set(stimuli["stimulus_id"]) - set(described["stimulus_id"]))
        if absent:
            raise UserError(
                f"{path} does not describe {len(absent)} stimuli that were shown (first: {absent[0]!r})"
            )
        more = described[[name for name in described if name == "stimulus_id" or name not in stimuli]]
        stimuli = stimuli.merge(more.drop_duplicates("stimulus_id"), on="stimulus_id", how="left")
    elif path is not None and not path.is_dir():
        raise UserError(f"--stimuli: there is no file or folder {path}")
    return stimuli, table.drop(columns=constant)


def _pictures(stimuli: pd.DataFrame, options: ReadOptions) -> dict[str, Path]:
    """Stimulus -> picture, of the folder that ``--stimuli`` names; nothing that lies outside of it."""
    folder = None if options.stimuli is None else Path(options.stimuli).expanduser()
    if folder is None or not folder.is_dir():
        return {}
    column = next((name for name in ("filename", "stim_file") if name in stimuli), "stimulus_id")
    root, found = folder.resolve(), {}
    for name, file in zip(stimuli["stimulus_id"], stimuli[column], strict=True):
        path = (root / str(file)).resolve()
        if not path.is_relative_to(root):
            raise UserError(f"the picture {file!r} of {name!r} lies outside of {folder}: refused")
        if not path.is_file():
            beside = sorted(root.glob(f"{re.sub(r'[^A-Za-z0-9_-]', '?', str(file))}.*"))
            if len(beside) != 1:
                raise UserError(f"{folder} holds no picture {file!r} of the stimulus {name!r}")
            path = beside[0]
        found[str(name)] = path
    return found


def _series(sampled: Sampled, options: ReadOptions) -> Imported:
    tr = _tr(sampled, options)
    if options.stimuli is None or not Path(options.stimuli).expanduser().is_file():
        raise UserError(
            "a series needs --stimuli FILE, a row a word or frame with story, onset and offset (or duration) in s"
        )
    path = Path(options.stimuli).expanduser()
    table = _stimulus_times(path)
    stories = list(dict.fromkeys(table["story"]))
    shown = _stories_of_runs(sampled, stories, options, path)
    rows = [
        pd.DataFrame({"stimulus_id": shown[run], "run": run, "time": sampled.start + np.arange(n) * tr})
        for run, n in sampled.runs.items()
    ]
    for run, n in sampled.runs.items():
        late = float(table.loc[table["story"] == shown[run], "onset"].max())
        if late > (n + 1) * tr:
            raise UserError(
                f"{path.name}: {shown[run]!r} goes on until {late:g} s, and {run} ends at {n * tr:g} s ({n} "
                f"{sampled.what}s, TR {tr:g} s): onsets outside the run"
            )
    said = [
        f"{sampled.n} samples in time of {len(sampled.runs)} runs, TR {tr:g} s, the first one of a run at "
        f"{sampled.start:g} s"
    ]
    return _made(
        sampled, options, said, stimuli=table, presentations=pd.concat(rows, ignore_index=True), kind="series", tr=tr,
        blocks="run",
    )  # fmt: skip


def _tr(sampled: Sampled, options: ReadOptions) -> float:
    said = options.numbers("tr", 1)
    if said is None and sampled.tr is None:
        raise UserError(f"{sampled.path} does not say how far apart its samples are: say --tr S")
    tr = sampled.tr if said is None else said[0]
    assert tr is not None
    if not 0 < tr < 3600:
        raise UserError(f"the time from sample to sample must be above 0 s, not {tr:g}: say --tr S")
    if sampled.tr is not None and abs(tr - sampled.tr) > 1e-3 * sampled.tr:
        raise UserError(f"--tr {tr:g} is not what {sampled.path} says: {sampled.tr:g} s")
    return float(tr)


def _stimulus_times(path: Path) -> pd.DataFrame:
    table = read_table(
        path, ("stimulus_id", "story", "word"), separator="\t" if path.suffix == ".tsv" else ","
    )
    if "offset" not in table and {"onset", "duration"} <= set(table.columns):
        table["offset"] = table["onset"] + table["duration"]
    lacking = [name for name in ("story", "onset", "offset") if name not in table]
    if lacking:
        raise UserError(
            f"{path} has no column {lacking[0]!r} (it has: {', '.join(map(str, table.columns))}): a series needs "
            "story, onset and offset (or duration)"
        )
    for name in ("onset", "offset"):
        numbers = pd.to_numeric(table[name], errors="coerce")
        if not np.isfinite(numbers.to_numpy(float)).all():
            raise UserError(
                f"{path}: {name} is no number on row {int((~np.isfinite(numbers)).to_numpy().argmax())}"
            )
        table[name] = numbers.astype(float)
    if (table["offset"] < table["onset"]).any():
        raise UserError(
            f"{path}: row {int((table['offset'] < table['onset']).to_numpy().argmax())} ends before it begins"
        )
    if "stimulus_id" not in table:
        count = table.groupby("story").cumcount()
        table.insert(
            0, "stimulus_id", [f"{story}-{i:05d}" for story, i in zip(table["story"], count, strict=True)]
        )
    return table


def _stories_of_runs(
    sampled: Sampled, stories: Sequence[str], options: ReadOptions, path: Path
) -> dict[str, str]:
    """Run -> the story that it heard."""
    runs = list(sampled.runs)
    if options.events is not None:
        table = _events(Path(options.events).expanduser(), options)
        column = options.stimulus_column or "story"
        if not {"run", column} <= set(table.columns):
            raise UserError(f"{options.events}: of a series, --events has the columns run and {column}")
        said = dict(zip(table["run"].astype(str), table[column].astype(str), strict=True))
        absent = next((run for run in runs if run not in said), None)
        if absent is not None:
            raise unknown(f"run in {options.events}", absent, said)
        strange = next((said[run] for run in runs if said[run] not in stories), None)
        if strange is not None:
            raise unknown(f"story in {path}", strange, stories)
        return {run: said[run] for run in runs}
    if len(stories) == 1:
        return dict.fromkeys(runs, stories[0])
    by_name = {run: [one for one in stories if one in run] for run in runs}
    if all(len(found) == 1 for found in by_name.values()):
        return {run: found[0] for run, found in by_name.items()}
    raise UserError(
        f"{path} tells of {len(stories)} stories ({', '.join(stories[:3])}), and it is not said which one the run "
        f"{runs[0]!r} heard: say --events FILE with the columns run and story"
    )
