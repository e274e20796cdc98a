"""Trials of a BIDS recording: one beta a trial, subject by subject and run by run."""

from collections import Counter
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pandas as pd

from ....errors import UserError, unknown
from ....progress import track
from ...imported import Imported, ReadOptions
from ...text_columns import TEXT_COLUMNS
from ...timeseries.beta_series import Method, Sampling, beta_series, check_hrf, seen_trials
from ..tables.stimuli import stimuli_beside
from .events import check_inside, pictures_of, stimuli_of, stimulus_column, trials_of
from .images import Floats32
from .neuroids import Neuroids, neuroids_of
from .responses import empty_responses, living, means_of, samples_of
from .runs import Recording, Run

_KEYS = ["stimulus_id", "run", "shown"]
"""What makes presentations of two subjects the same: the stimulus, the run, and how often it came in it before."""
_TAKEN = (
    "subject",
    "run",
    "session",
    "repetition",
    "time",
    "story",
    "filename",
    "stimulus_id",
    "shown",
    "seen",
)
_HAS_MEAN = 1.0
"""Where the median mean is below it, images are taken to be centered: nothing is a % of it."""


def read_trials(recording: Recording, options: ReadOptions) -> Imported:
    """One response a trial, by :func:`..timeseries.beta_series.beta_series`.

    Raises
    ------
    UserError
        For runs without events, and for what does not fit together.
    """
    method, hrf = _method(options), check_hrf(options.hrf or "glover")
    left_out: Counter[str] = Counter()
    column = stimulus_column(_tables(recording), options.stimulus_column)
    trials = {id(run): _trials(run, recording, column, hrf, left_out) for run in recording.runs}
    presentations, rows = _matched(recording, trials, left_out)
    n_impulses = sum(int((one["duration"] == 0).sum()) for one in trials.values())
    if n_impulses:
        recording.said.append(f"{n_impulses} trials have no duration, and are modeled as impulses")
    stimuli, pictures = _stimuli(recording, trials, presentations, options)
    if column in TEXT_COLUMNS and column not in stimuli:
        stimuli.insert(1, column, stimuli["stimulus_id"])
    neuroids = neuroids_of(recording, options, left_out)
    values = empty_responses((len(presentations), len(neuroids.table)))
    scaled, dead = _fill(values, recording, trials, rows, neuroids, hrf, method)
    numbers, table, images = living(values, dead, recording, neuroids, left_out)
    drop = [name for name in stimuli.columns if name in presentations and name != "stimulus_id"]
    units = "% signal change" if scaled else "as in the images"
    columns = "a column" if method == "all" else "a GLM"
    drifts = "fMRIPrep's cosines" if recording.strategy.has_drifts else "cosines up to 1/128 Hz"
    return Imported(
        stimuli=stimuli,
        values=numbers,
        presentations=presentations.drop(columns=["shown", *drop]),
        neuroids=table,
        pictures=pictures,
        about=recording.about | {"units": options.units or units},
        surfaces=neuroids.surfaces,
        images=images,
        said=[
            *recording.said,
            f"{len(presentations)} presentations of {len(stimuli)} stimuli, which {column!r} names",
            f"betas by nilearn's GLM, {columns} a trial (--betas {method}), response {hrf!r}, {drifts}, AR(1), {units}",
        ],
        left_out={reason: number for reason, number in left_out.items() if number},
    )


def _method(options: ReadOptions) -> Method:
    said = options.betas or "all"
    if said == "all":
        return "all"
    if said == "separate":
        return "separate"
    raise unknown("kind of --betas", said, ("all", "separate"))


def _tables(recording: Recording) -> dict[str, pd.DataFrame]:
    tables = {}
    for run in recording.runs:
        if run.events is None:
            raise UserError(
                f"there are no events of {run.files.first.path} (..._events.tsv): name the raw BIDS folder, or a "
                "table, by --events; or keep the samples in time by --series yes"
            )
        tables[f"sub-{run.files.subject} {run.name}"] = run.events
    return tables


def sampling_of(run: Run, recording: Recording) -> Sampling:
    """When a run was sampled, and what is modeled beside its trials."""
    return Sampling(
        run.times, run.confounds.kept, run.confounds.table, drifts=not recording.strategy.has_drifts
    )


def _trials(run: Run, recording: Recording, column: str, hrf: str, left_out: Counter[str]) -> pd.DataFrame:
    """The trials of a run, in the order of their onsets; `seen` where its samples show them."""
    events, path = run.events, run.events_path
    if events is None or path is None:
        raise AssertionError("runs without events were refused before")
    found = trials_of(events, column)
    left_out["events without a stimulus"] += len(events) - len(found)
    if found.empty:
        raise UserError(
            f"{path}: no row names a stimulus in column {column!r}: say which does by --stimulus-column"
        )
    check_inside(found, run.start + run.tr * run.image.n_samples, path)
    found["seen"] = seen_trials(found, sampling_of(run, recording), hrf)
    left_out["trials too early or late in their run to be seen"] += int((~found["seen"]).sum())
    found["run"], found["session"] = run.name, run.session
    found["shown"] = found.groupby("stimulus_id").cumcount()
    return found


def _matched(
    recording: Recording, trials: dict[int, pd.DataFrame], left_out: Counter[str]
) -> tuple[pd.DataFrame, dict[int, npt.NDArray[np.intp]]]:
    """The presentations that every subject has, and of each run the row of each of its trials (-1: of none)."""
    people = [
        pd.concat([trials[id(run)] for run in runs], ignore_index=True)
        for runs in recording.by_subject.values()
    ]
    people = [one[one["seen"].astype(bool)] for one in people]
    keys = [pd.MultiIndex.from_frame(one[_KEYS]) for one in people]
    common = keys[0]
    for other in keys[1:]:
        common = common[common.isin(other)]
    if not len(common):
        raise UserError(
            "there is no presentation that every subject has (of the same stimulus, in a run of the same name): add "
            "one subject at a time by --subject"
            if len(people) > 1
            else "no trial is seen by the samples of its run: are the onsets in seconds?"
        )
    alone = sum(len(one) - len(common) for one in keys)
    if alone:
        left_out["presentations of single subjects that not every subject has"] += alone
    shared = [one.set_index(_KEYS).loc[common].reset_index() for one in people]
    first = shared[0]
    same = [name for name in first.columns if all((one[name] == first[name]).all() for one in shared[1:])]
    names = [name for name in same if name not in _TAKEN]
    presentations = first[["stimulus_id", "run", "session", "shown"]].copy()
    if not first["session"].any():
        presentations = presentations.drop(columns="session")
    presentations.insert(2, "repetition", presentations.groupby("stimulus_id").cumcount())
    presentations[names] = first[names]
    rows = {}
    for run in recording.runs:
        table = trials[id(run)]
        found = common.get_indexer(pd.MultiIndex.from_frame(table[_KEYS]))
        rows[id(run)] = np.where(table["seen"], found, -1)
    return presentations, rows


def _fill(
    values: Floats32,
    recording: Recording,
    trials: dict[int, pd.DataFrame],
    rows: dict[int, npt.NDArray[np.intp]],
    neuroids: Neuroids,
    hrf: str,
    method: Method,
) -> tuple[bool, npt.NDArray[np.bool_]]:
    """Write the betas of one run after the other; whether they are % signal change, and who has none in some run."""
    scaled: bool | None = None
    silent = np.zeros(values.shape[1], dtype=bool)
    for run in track(recording.runs, "GLM of each run"):
        series = samples_of(run, neuroids)
        means, varies = means_of(series, run.confounds.kept)
        here = bool(np.median(means[varies]) >= _HAS_MEAN) if varies.any() else bool(scaled)
        if scaled is not None and here != scaled:
            raise UserError(
                f"{run.image.path} {'has' if here else 'lacks'} the mean of its signal, unlike the runs before: a "
                "response in % needs it in all"
            )
        scaled = here
        start = neuroids.columns[run.files.subject].start
        dead = ~varies | ~((means > 0) | (not scaled))
        silent[neuroids.columns[run.files.subject]] |= dead
        series[:, dead] = 1.0
        table, wanted = trials[id(run)], rows[id(run)]
        seen = table["seen"].to_numpy(bool)
        table, wanted = table[seen].reset_index(drop=True), wanted[seen]
        if table.empty:
            continue
        there = wanted >= 0
        sampling = sampling_of(run, recording)
        try:
            for part, betas in beta_series(series, table, sampling, hrf=hrf, method=method, scaled=scaled):
                values[wanted[there], start + part.start : start + part.stop] = betas[there]
        except UserError as error:
            raise UserError(f"sub-{run.files.subject} {run.name}: {error}") from error
    return bool(scaled), silent


def _stimuli(
    recording: Recording, trials: dict[int, pd.DataFrame], presentations: pd.DataFrame, options: ReadOptions
) -> tuple[pd.DataFrame, dict[str, Path]]:
    together = pd.concat([trials[id(run)] for run in recording.runs], ignore_index=True)
    together = together[together["stimulus_id"].isin(presentations["stimulus_id"])]
    stimuli = stimuli_of(
        together.drop(columns=[name for name in _TAKEN if name in together and name != "stimulus_id"])
    )
    if options.stimuli is not None and Path(options.stimuli).is_file():
        return _listed(stimuli, options.stimuli, recording)
    folder = stimulus_folder(recording, options)
    pictures, absent = pictures_of(list(stimuli["stimulus_id"]), folder)
    if pictures and absent:
        raise UserError(
            f"{len(absent)} of {len(pictures) + len(absent)} pictures are not in {folder} (first: {absent[0]}): put "
            "them there, or name their folder by --stimuli"
        )
    if absent:
        recording.said.append(
            f"the {len(absent)} pictures are not in {folder}: name their folder by --stimuli"
        )
    if pictures and len(pictures) == len(stimuli):
        stimuli.insert(1, "filename", stimuli["stimulus_id"])
    return stimuli, pictures if len(pictures) == len(stimuli) else {}


def _listed(stimuli: pd.DataFrame, listed: str, recording: Recording) -> tuple[pd.DataFrame, dict[str, Path]]:
    """What a table of stimuli says of those that were shown, before what the events say of them."""
    found = stimuli_beside(list(stimuli["stimulus_id"]), listed)
    new = [name for name in stimuli if name == "stimulus_id" or name not in found.stimuli]
    recording.said.append(f"stimuli: {Path(listed).name}")
    table = found.stimuli.merge(stimuli[new], on="stimulus_id")
    return table, {one: found.pictures[one] for one in table["stimulus_id"] if one in found.pictures}


def stimulus_folder(recording: Recording, options: ReadOptions) -> Path:
    """Where ``stim_file`` names files: ``stimuli`` of the raw folder, or what ``--stimuli`` says.

    Raises
    ------
    UserError
        Where there is no such folder.
    """
    if options.stimuli is None:
        return recording.raw / "stimuli"
    folder = Path(options.stimuli)
    if not folder.is_dir():
        what = "is no folder of pictures" if folder.exists() else "there is no such folder"
        raise UserError(f"--stimuli {folder}: {what}")
    return folder
