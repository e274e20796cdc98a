"""What the stimuli and recordings of every data set keep to."""

from typing import Literal

import numpy as np
import pandas as pd
import xarray as xr

from ..errors import UserError
from .stimulus_set import StimulusSet
from .stored import walk

Kind = Literal["trials", "series"]
_DIMS = ("presentation", "neuroid")
_APART = 0.1
"""Share of a TR by which the time between two samples may differ from it."""


def check_stimuli(stimuli: StimulusSet, name: str) -> None:
    """Raise a UserError unless the table has unique, present stimulus ids."""
    if "stimulus_id" not in stimuli.columns:
        raise UserError(
            f"{name}: the stimulus table has no column 'stimulus_id' (it has: {', '.join(map(str, stimuli.columns))})"
        )
    if len(stimuli) == 0:
        raise UserError(f"{name}: the stimulus table is empty")
    missing = stimuli["stimulus_id"].isna() | (stimuli["stimulus_id"].astype(str).str.strip() == "")
    if missing.any():
        raise UserError(
            f"{name}: {int(missing.sum())} stimuli have no stimulus_id (first: row {int(missing.to_numpy().argmax())})"
        )
    twice = stimuli["stimulus_id"][stimuli["stimulus_id"].duplicated()]
    if len(twice):
        raise UserError(
            f"{name}: {twice.nunique()} stimulus ids appear more than once (first: {twice.iloc[0]!r})"
        )


def check_responses(responses: xr.DataArray, stimuli: StimulusSet, name: str, kind: Kind = "trials") -> None:
    """Raise a UserError unless responses keep the contract and their ids are those of the stimuli."""
    if responses.dims not in (_DIMS, (*_DIMS, "time_bin")):
        raise UserError(f"{name}: responses must have dims (presentation, neuroid), not {responses.dims}")
    if 0 in responses.shape:
        raise UserError(f"{name}: the responses are empty (shape {responses.shape})")
    for dim, coordinate in _needed(responses, kind):
        if coordinate not in responses.coords or responses[coordinate].dims != (dim,):
            raise UserError(f"{name}: the responses have no coordinate {coordinate!r} on {dim!r}")
    if not np.issubdtype(responses.dtype, np.number):
        raise UserError(f"{name}: the responses are not numbers (dtype {responses.dtype})")
    if kind == "series" and not {"story", "onset"} <= set(stimuli.columns):
        raise UserError(f"{name} is a series: its stimuli need columns 'story' and 'onset' (s)")
    shown_as = "story" if kind == "series" else "stimulus_id"
    recorded, shown = set(responses["stimulus_id"].values.tolist()), set(stimuli[shown_as].tolist())
    absent, silent = sorted(map(str, recorded - shown)), sorted(map(str, shown - recorded))
    thing = "story" if kind == "series" else "stimulus id"
    if absent:
        raise UserError(
            f"{name}: {len(absent)} {thing}s of the responses are not in the stimulus table (first: {absent[0]!r})"
        )
    if silent:
        raise UserError(f"{name}: {len(silent)} stimuli have no response (first: {silent[0]!r})")
    _check_numbers(responses, name, kind)


def _needed(responses: xr.DataArray, kind: Kind) -> list[tuple[str, str]]:
    """The coordinates that responses must have, each with its dim."""
    needed = [("presentation", "stimulus_id"), ("neuroid", "neuroid_id"), ("neuroid", "region")]
    if kind == "series":
        needed += [("presentation", "run"), ("presentation", "time")]
    if "time_bin" in responses.dims:
        needed += [("time_bin", "time_bin_start"), ("time_bin", "time_bin_end")]
    return needed


def _check_numbers(responses: xr.DataArray, name: str, kind: Kind) -> None:
    """Refuse what is infinite and, of trials, what is missing."""
    n_bad, first = 0, ""
    for rows, held in walk(responses):
        bad = np.isinf(held) if kind == "series" else ~np.isfinite(held)
        if bad.any() and not first:
            row, column = np.argwhere(bad)[0][:2]
            first = (
                f"stimulus {responses['stimulus_id'].values[rows.start + row]!r}, "
                f"neuroid {responses['neuroid_id'].values[column]!r}"
            )
        n_bad += int(bad.sum())
    if n_bad:
        raise UserError(f"{name}: {n_bad} responses are NaN or infinite (first: {first})")


def check_clock(responses: xr.DataArray, tr: float, name: str) -> None:
    """Raise a UserError unless the samples of each run and story are `tr` apart, whatever their order."""
    time = responses["time"].values.astype(np.float64)
    if not np.isfinite(time).all():
        raise UserError(f"{name}: {int((~np.isfinite(time)).sum())} samples have no time")
    keys = (time, *(pd.factorize(responses[one].values)[0] for one in ("stimulus_id", "run")))
    order = np.lexsort(keys)
    within = np.all([np.diff(one[order]) == 0 for one in keys[1:]], axis=0)
    steps = np.diff(time[order])
    wrong = np.flatnonzero(within & (np.abs(steps - tr) > _APART * tr))
    if len(wrong):
        first = order[wrong[0]]
        raise UserError(
            f"{name}: run {responses['run'].values[first]!r} has samples {steps[wrong[0]]:g} s apart (at "
            f"{time[first]:g} s), but tr is {tr:g} s: what was not recorded stays in place as NaN, and "
            "runs have names of their own"
        )


def check_words(stimuli: StimulusSet, name: str) -> None:
    """Raise a UserError unless each word or frame of a series has an onset, and none ends before it begins."""
    onset = pd.to_numeric(stimuli["onset"], errors="coerce")
    if onset.isna().any():
        first = stimuli["stimulus_id"][onset.isna()].iloc[0]
        raise UserError(f"{name}: {int(onset.isna().sum())} words or frames have no onset (first: {first!r})")
    if "offset" not in stimuli:
        return
    lasts = pd.to_numeric(stimuli["offset"], errors="coerce") - onset
    if not (lasts >= 0).all():
        first = stimuli["stimulus_id"][~(lasts >= 0)].iloc[0]
        raise UserError(f"{name}: {first!r} has no offset, or ends before it begins")


def check_rdms(rdms: xr.DataArray, n_stimuli: int, name: str) -> None:
    """Raise a UserError unless RDMs are finite, square and symmetric with a zero diagonal."""
    if rdms.dims != ("subject", "session", "stimulus", "stimulus_other"):
        raise UserError(
            f"{name}: RDMs must have dims (subject, session, stimulus, stimulus_other), not {rdms.dims}"
        )
    values = rdms.values
    if values.shape[-2:] != (n_stimuli, n_stimuli):
        raise UserError(
            f"{name}: RDMs are {values.shape[-2]} x {values.shape[-1]}, but there are {n_stimuli} stimuli"
        )
    if not np.isfinite(values).all():
        raise UserError(f"{name}: {int((~np.isfinite(values)).sum())} dissimilarities are NaN or infinite")
    if not np.allclose(values, np.swapaxes(values, -1, -2), atol=1e-6):
        raise UserError(f"{name}: an RDM is not symmetric")
    if not np.allclose(np.diagonal(values, axis1=-2, axis2=-1), 0, atol=1e-6):
        raise UserError(f"{name}: an RDM has a diagonal that is not zero")
