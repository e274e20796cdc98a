"""One region of a recording in time, as rows of samples: what a metric compares a model with, word after word.

Responses lose their drifts run by run, are standardized within each run and cut at its ends; the runs in which a story
was heard are the repetitions of its samples. Features of words are put at the times of samples, delayed within their
story and cut alike. From there on a sample is what a stimulus is elsewhere.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd
import xarray as xr

from ...brain_data.dataset import Dataset
from ...brain_data.timeseries.drifts import drifts, without
from ...brain_data.timeseries.regressors import delays_of, standardized
from ...errors import UserError, unknown
from .recording import Labels, Recording
from .samples import Series, Story
from .series_options import SeriesOptions
from .subjects import corresponding, people_of

Floats = npt.NDArray[np.float64]
Indices = npt.NDArray[np.intp]
Flags = npt.NDArray[np.bool_]

_KNOWN = ("stimulus_id", "run", "repetition", "session")
_OF_WORDS = ("story", "word", "onset", "offset", "filename")
_COLUMNS = 4096
"""Neuroids that are cleaned at once."""
_APART = 0.1
"""Share of a TR by which the samples of a story that is heard again may lie elsewhere."""


def series_recording(dataset: Dataset, region: str, options: SeriesOptions) -> Recording:
    """Take one region out of a recording in time.

    Raises
    ------
    UserError
        For a region that was not recorded, runs of a story that were not sampled alike, confounds that are not there,
        subjects whose neuroids do not correspond where some are to be predicted from others.
    """
    if region not in dataset.regions:
        raise unknown(f"region of {dataset.identifier}", region, dataset.regions)
    name = f"{dataset.identifier}.{region}"
    responses, tr = dataset.region(region), float(dataset.tr or 0)
    runs = _runs(responses, dataset.good)
    words = _in_time(pd.DataFrame(dataset.stimuli), {run.story for run in runs})
    stories, places = _stories(name, runs, words, tr, options)
    neuroids = pd.DataFrame(
        {str(key): one.values for key, one in responses.coords.items() if one.dims == ("neuroid",)}
    )
    cube = _stacked(responses, stories, places, tr, options, dataset.confounds, name)
    cube, neuroids, left_out = _whole(cube, neuroids, name)
    columns = _columns(responses, stories, places, words)
    confounds = None
    if dataset.confounds is not None and "run" in columns:
        confounds = dataset.confounds.iloc[_rows(stories, places)].reset_index(drop=True)
    recorded = Recording(
        name,
        np.array([f"{a}@{b:.3f}" for a, b in zip(columns["story"], columns["time"], strict=True)], object),
        cube,
        None,
        neuroids,
        columns,
        n_left_out=dict(responses.attrs.get("left_out", {})) | left_out,
        position=np.arange(len(cube)),
        blocks="none",
        series=Series(words, tuple(stories), tr, tuple(delays_of(options.delays, tr)), options, confounds),
    )
    return _trained(recorded, options, str(responses.attrs.get("space", "")))


@dataclass(frozen=True)
class _Run:
    """One run: its rows in the data set, in the order of time."""

    name: str
    story: str
    rows: Indices
    times: Floats
    good: Flags


def _runs(responses: xr.DataArray, good: Flags | None) -> list[_Run]:
    names, stories = responses["run"].values.astype(str), responses["stimulus_id"].values.astype(str)
    time = responses["time"].values.astype(np.float64)
    keep = np.ones(len(names), bool) if good is None else np.asarray(good, bool)
    found = []
    for name in dict.fromkeys(names.tolist()):
        of_run = np.flatnonzero(names == name)
        for story in dict.fromkeys(stories[of_run].tolist()):  # a run may hold several stories
            rows = of_run[stories[of_run] == story]
            rows = rows[np.argsort(time[rows], kind="stable")]
            found.append(_Run(name, story, rows, time[rows], keep[rows]))
    return found


def _in_time(stimuli: pd.DataFrame, stories: set[str]) -> pd.DataFrame:
    """Stories in the order of the table, each in the order of time; a word's offset where only onsets are known."""
    if "onset" not in stimuli or "story" not in stimuli:
        raise UserError("the words of a series need the columns story and onset (s)")
    table = stimuli[stimuli["story"].astype(str).isin(stories)].reset_index(drop=True)
    if "offset" not in table:
        table["offset"] = table["onset"]
    order = np.lexsort((table["onset"], pd.factorize(table["story"].astype(str))[0]))
    in_order: pd.DataFrame = table.iloc[order].reset_index(drop=True)
    return in_order


def _of_stories(words: pd.DataFrame) -> dict[str, dict[str, Any]]:
    """Columns of the words that have one value a story, such as the part of a data set that it belongs to."""
    told = words.groupby(words["story"].astype(str), sort=False)
    found = {}
    for name in words.columns.difference([*_KNOWN, *_OF_WORDS]):
        if (told[name].nunique(dropna=False) == 1).all() and told.ngroups > 1:
            found[str(name)] = {str(story): value for story, value in told[name].first().items()}
    return found


def _stories(
    name: str, runs: Sequence[_Run], words: pd.DataFrame, tr: float, options: SeriesOptions
) -> tuple[list[Story], list[list[_Run]]]:
    """The stories with their words and samples, and the runs in which each was heard."""
    told = words["story"].astype(str).to_numpy()
    places: dict[tuple[str, str], list[_Run]] = {}
    for run in runs:
        again = next(
            (key for key, heard in places.items() if key[0] == run.story and _alike(heard[0], run, tr)), None
        )
        places.setdefault(again or (run.story, run.name), []).append(run)
    cut = [round(one / tr) for one in options.trim_s]
    stories = []
    for (story, first), heard in places.items():
        run = heard[0]
        n = len(run.times)
        kept = np.zeros(n, bool)
        kept[cut[0] : n - cut[1]] = True
        kept &= np.any([one.good for one in heard], axis=0)
        if max(map(abs, delays_of(options.delays, tr))) >= n:
            raise UserError(
                f"{name}: run {first!r} of {n * tr:g} s holds no samples {max(map(abs, options.delays)):g} s apart: "
                "set delays_s"
            )
        if not any(one.good.any() for one in heard):
            raise UserError(f"{name}: none of the {n} samples of run {first!r} are good: leave the run out")
        if kept.sum() < 2:
            raise UserError(
                f"{name}: of the {n} samples of run {first!r} none are left without the first {options.trim_s[0]:g} s "
                f"and the last {options.trim_s[1]:g} s: set trim_s"
            )
        of_story = np.flatnonzero(told == story)
        if not len(of_story):
            raise UserError(f"{name}: there are no words or frames of the story {story!r}")
        stories.append(Story(story, of_story, run.times, kept))
    return stories, list(places.values())


def _alike(one: _Run, other: _Run, tr: float) -> bool:
    """Whether two runs sampled the same story at the same times."""
    return len(one.times) == len(other.times) and bool(np.abs(one.times - other.times).max() <= _APART * tr)


def _blocks(n: int) -> list[slice]:
    return [slice(start, min(start + _COLUMNS, n)) for start in range(0, n, _COLUMNS)]


def _stacked(
    responses: xr.DataArray,
    stories: Sequence[Story],
    places: Sequence[Sequence[_Run]],
    tr: float,
    options: SeriesOptions,
    confounds: pd.DataFrame | None,
    name: str,
) -> Floats:
    """The samples of all stories in each of the runs in which they were heard, (n_rows, n_repetitions, n_neuroids)."""
    n_rows = sum(int(one.kept.sum()) for one in stories)
    cube = np.full((n_rows, max(len(one) for one in places), responses.shape[1]), np.nan)
    first = 0
    for story, heard in zip(stories, places, strict=True):
        rows = slice(first, first + int(story.kept.sum()))
        first = rows.stop
        for repetition, run in enumerate(heard):
            beside = None if confounds is None else confounds.iloc[run.rows]
            for some in _blocks(responses.shape[1]):
                cleaned = _cleaned(responses[run.rows, some], run, tr, options, beside, name)
                cube[rows, repetition, some] = _standard(cleaned, story.kept & run.good)[story.kept]
    return cube


def _rows(stories: Sequence[Story], places: Sequence[Sequence[_Run]]) -> Indices:
    """The data set's rows of the samples, in the first run of each story."""
    return np.concatenate([heard[0].rows[one.kept] for one, heard in zip(stories, places, strict=True)])


def _columns(
    responses: xr.DataArray, stories: Sequence[Story], places: Sequence[Sequence[_Run]], words: pd.DataFrame
) -> dict[str, Labels]:
    """What is known of each sample: story, time, its run where there is one, and what its story or the file says."""
    sizes = [int(one.kept.sum()) for one in stories]
    columns: dict[str, Labels] = {
        "story": np.repeat(np.array([one.name for one in stories], object), sizes),
        "time": np.concatenate([one.times[one.kept] for one in stories]).astype(object),
    }
    if all(len(heard) == 1 for heard in places):
        columns["run"] = np.repeat(np.array([heard[0].name for heard in places], object), sizes)
    for name, values in responses.coords.items():
        if values.dims == ("presentation",) and str(name) not in {*columns, *_KNOWN}:
            columns[str(name)] = values.values[_rows(stories, places)].astype(object)
    for name, values_of in _of_stories(words).items():
        if name not in columns:
            columns[name] = np.array([values_of[one] for one in columns["story"]], object)
    return columns


def _cleaned(
    values: xr.DataArray, run: _Run, tr: float, options: SeriesOptions, beside: pd.DataFrame | None, name: str
) -> Floats:
    """Responses of one run without drifts and confounds, fitted over its good samples."""
    found: Floats = np.array(values.values, np.float64)
    basis = drifts(len(run.rows), tr, options.detrend)
    if not options.confounds:
        return without(found, basis, run.good)
    if beside is None:
        raise UserError(f"{name}: confounds = true, but the data set holds none")
    subjects = (
        values["subject"].values.astype(str) if "subject" in values.coords else np.full(found.shape[1], "")
    )
    for subject in dict.fromkeys(subjects.tolist()):
        columns = np.flatnonzero(subjects == subject)
        if not np.isnan(found[:, columns]).all():
            both = np.hstack([basis, _moved(beside, subject, run, name)])
            if both.shape[1] >= run.good.sum():
                raise UserError(
                    f"{name}: drifts and confounds of run {run.name!r} are {both.shape[1]} columns, which leave "
                    f"nothing of its {run.good.sum()} samples: take fewer confounds"
                )
            found[:, columns] = without(found[:, columns], both, run.good)
    return found


def _moved(beside: pd.DataFrame, subject: str, run: _Run, name: str) -> Floats:
    """One subject's confounds in one run, standardized; a sample that is not good may lack them."""
    own = [one for one in beside.columns if ":" not in str(one) or str(one).startswith(f"{subject}:")]
    table = beside[own].astype(np.float64).dropna(axis=1, how="all")
    if table.empty:
        raise UserError(
            f"{name}: confounds = true, but there are none of subject {subject!r} in run {run.name!r}: they are called "
            "SUBJECT:NAME"
        )
    for column, n in table[run.good].isna().sum().items():
        if n:
            raise UserError(
                f"{name}: the confound {column!r} has no number in {n} of {run.good.sum()} samples of run "
                f"{run.name!r}: fill them in, leave it out, or mark the samples as not good"
            )
    return standardized(table.fillna(table.mean()).to_numpy())


def _standard(values: Floats, kept: Flags) -> Floats:
    """Standardized over the samples that are kept; the others are gaps."""
    found = np.full(values.shape, np.nan)
    part = values[kept] - values[kept].mean(axis=0)
    spread = part.std(axis=0)
    scale = np.abs(values[kept]).max(axis=0, initial=0.0)
    found[kept] = np.divide(part, spread, out=np.full_like(part, np.nan), where=spread > 1e-12 * scale)
    return found


def _whole(cube: Floats, neuroids: pd.DataFrame, name: str) -> tuple[Floats, pd.DataFrame, dict[str, int]]:
    """Without neuroids that lack samples or do not vary in a run."""
    there = np.empty(cube.shape[2], bool)
    for columns in _blocks(cube.shape[2]):
        there[columns] = (~np.isnan(cube[:, :, columns])).any(axis=1).all(axis=0)
    if there.all():
        return cube, neuroids, {}
    if not there.any():
        raise UserError(
            f"{name}: no neuroid varies in every run and was recorded in all of them: add fewer runs (--run), or "
            "subjects that have the same"
        )
    reason = "neuroids that lack a run, or do not vary in one"
    return cube[:, :, there], neuroids[there].reset_index(drop=True), {reason: int((~there).sum())}


def _trained(recorded: Recording, options: SeriesOptions, space: str) -> Recording:
    """With what is fitted, what is predicted, and what subjects share."""
    matched = corresponding(recorded.neuroids, space)
    if options.train == "own":
        if matched is None:
            return recorded
        places = np.empty(len(recorded.neuroids), np.intp)
        for one in matched:
            places[one] = np.arange(len(one))
        return replace(recorded, people=people_of(recorded.mean, matched), places=places)
    if matched is None or len(matched) < 2:
        n = 0 if matched is None else len(matched)
        raise UserError(
            f"{recorded.name}: train = {options.train!r} needs at least 2 subjects whose neuroids correspond "
            f"(regions, vertices or places of one space), and there are {n}: take train = 'own'"
        )
    people = people_of(recorded.mean, matched)
    if options.train == "group":
        kept = matched[0]
        cube = np.nanmean([recorded.responses[:, :, one] for one in matched], axis=0)
        neuroids = recorded.neuroids.iloc[kept].drop(columns="subject").reset_index(drop=True)
        neuroids["neuroid_id"] = [f"mean-{i}" for i in range(len(kept))]
        return replace(
            recorded, cube=cube, neuroids=neuroids, people=people, places=np.arange(len(kept)), of_mean=True
        )
    order = np.concatenate(matched)
    total = people.sum(axis=0)
    others = np.hstack([(total - one) / (len(people) - 1) for one in people])
    return replace(
        recorded,
        cube=recorded.responses[:, :, order],
        neuroids=recorded.neuroids.iloc[order].reset_index(drop=True),
        people=people,
        places=np.tile(np.arange(people.shape[2]), len(people)),
        training=others,
    )
