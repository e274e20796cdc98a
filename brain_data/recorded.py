"""What was recorded, made fit to be scored: whole labels, no dead neuroids, subjects and sessions kept apart."""

import warnings
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd
import xarray as xr

from ..errors import UserError
from .stimulus_set import StimulusSet

LABELS = ("repetition", "run", "session", "subject", "group")
"""Columns of which every cell must be filled in, since folds, halves and intervals follow them."""
LEFT_OUT, BY_REGION, SESSIONS = "left_out", "left_out_by_region", "sessions"
"""Attributes of responses: counts by reason, the same by region, and what was done about sessions."""
UNSEEN = "stimuli that not every subject was shown"
STILL_IN_SESSION = "neuroids that do not vary within a session"
_LEAST_IN_SESSION, _LEAST_DISTINCT = 4, 15
_GO_ON = "join sessions, or leave the column out (--columns session=ignore)"
ROUNDING = 8 * np.finfo(np.float64).eps
"""By how much of its largest response a neuroid may vary that does not vary."""


def is_blank(values: Any) -> npt.NDArray[np.bool_]:
    """Where a label is missing: NaN, None, or a text without letters."""
    # of a list, so that NaN among texts stays NaN
    listed = np.asarray(values, object) if isinstance(values, list) else np.asarray(values)
    blank = np.asarray(pd.isna(listed)).astype(bool)
    if listed.dtype.kind in "OU":
        texts = [isinstance(one, str) and not one.strip() for one in listed.ravel().tolist()]
        blank |= np.array(texts, bool).reshape(listed.shape)
    return blank


def check_filled(
    columns: Mapping[str, Any], rows: Iterable[str], where: str, names: Iterable[str] = LABELS
) -> None:
    """Raise a UserError where a cell of the columns `names` is missing; `rows` are what a person calls each row."""
    called = list(rows)
    for name in names:
        blank = is_blank(columns[name]) if name in columns else np.zeros(1, bool)
        if blank.any():
            raise UserError(
                f"{where}: column {name!r} is empty in {int(blank.sum())} of {len(called)} rows "
                f"(first: {called[int(blank.argmax())]}): fill it in, or leave the column out"
            )


def without_dead(responses: xr.DataArray, name: str) -> xr.DataArray:
    """The same without neuroids that never vary or have gaps, and without presentations of which nothing is there
    while the stimulus has others.

    How many were left out is in ``attrs["left_out"]``, by region in ``attrs["left_out_by_region"]``.

    Raises
    ------
    UserError
        Where no neuroid would be left.
    """
    if not all(responses.shape):
        return responses
    known = np.isfinite(responses.values)
    ids = responses["stimulus_id"].values
    empty = ~known.any(axis=1)
    empty &= np.isin(ids, ids[~empty])  # a stimulus that was never recorded is not passed over
    responses, known = responses[~empty], known[~empty]
    values = responses.values
    gaps = ~known.all(axis=0)
    if gaps.all():
        return responses  # the contract's own line says where
    with np.errstate(invalid="ignore"):
        still = ~gaps & (np.ptp(values, axis=0) <= ROUNDING * np.abs(values).max(axis=0))
    if (still | gaps).all():
        first = responses["neuroid_id"].values[int(still.argmax())]
        why = "the others have missing responses" if gaps.any() else "they cannot be predicted"
        raise UserError(
            f"{name}: {int(still.sum())} of {len(still)} neuroids never vary (first: {first!r}): {why}, so "
            "that nothing is left"
        )
    whole = {"presentations without any response": int(empty.sum())} if empty.any() else {}
    if not (whole or still.any() or gaps.any()):
        return responses
    counts = left_out_of(responses["region"].values, still, gaps, whole | responses.attrs.get(LEFT_OUT, {}))
    kept = responses[:, ~(still | gaps)]
    kept.attrs |= counts
    return kept


def left_out_of(
    regions: npt.NDArray[Any],
    still: npt.NDArray[np.bool_],
    gaps: npt.NDArray[np.bool_],
    whole: Mapping[str, int],
) -> dict[str, Any]:
    """The attributes that count what was left out, of all neuroids and by region; nothing where nothing was.

    Parameters
    ----------
    regions : array of shape (n_neuroids,)
    still, gaps : array of shape (n_neuroids,), bool
        Neuroids that never vary, and those without a response to every presentation.
    whole : mapping of str to int
        What is of no single region.
    """
    if not (whole or still.any() or gaps.any()):
        return {}
    reasons = {"neuroids that never vary": still, "neuroids without a response to every presentation": gaps}
    everywhere = {why: int(dead.sum()) for why, dead in reasons.items() if dead.any()} | dict(whole)
    by_region = {
        str(region): {why: int(n) for why, dead in reasons.items() if (n := dead[regions == region].sum())}
        | dict(whole)
        for region in dict.fromkeys(regions.tolist())
    }
    return {LEFT_OUT: everywhere, BY_REGION: by_region}


def of_presentations(responses: xr.DataArray, name: str) -> npt.NDArray[Any] | None:
    """A coordinate of presentations; None where there is none, or where it is one of neuroids."""
    if name not in responses.coords or responses[name].dims != ("presentation",):
        return None
    values: npt.NDArray[Any] = responses[name].values
    return values


def per_subject(responses: xr.DataArray, name: str) -> xr.DataArray:
    """Presentations of several subjects as neuroids of each, so that people are never averaged as repetitions.

    A row is then a stimulus and its how-manieth presentation, of every subject; what not every subject was shown as
    often is left out, and counted. Responses are z-scored within the sessions of each first, since a row is of several.

    Raises
    ------
    UserError
        Where no stimulus was shown to all.
    """
    named = of_presentations(responses, "subject")
    if named is None:
        return responses
    subjects = named.astype(str)
    people = list(dict.fromkeys(subjects.tolist()))
    if len(people) < 2:
        return responses
    if of_presentations(responses, "session") is not None:
        of_each = np.char.add(np.char.add(responses["session"].values.astype(str), " of subject "), subjects)
        recorded = np.isfinite(responses.values)
        values, said = within_sessions(responses.values, of_each, responses["stimulus_id"].values, name)
        flat = recorded & np.isnan(values)
        responses = responses.copy(data=values).drop_vars("session")
        responses.attrs[SESSIONS] = said
    else:
        flat = np.zeros(responses.shape, bool)
    rows = _rows_of(responses, subjects)
    shared = [key for key in rows[people[0]] if all(key in rows[one] for one in people)]
    if not shared:
        raise UserError(
            f"{name}: subjects {people[0]!r} and {people[1]!r} were shown no stimulus in common: make a data set of "
            "each, or name the subject of each neuroid"
        )
    taken = [np.array([rows[one][key] for key in shared]) for one in people]
    ids = responses["neuroid_id"].values
    columns = _shared_columns(responses, taken) | {
        "neuroid_id": (
            "neuroid",
            np.array([f"{one}-{neuroid}" for one in people for neuroid in ids], object),
        ),
        "subject": ("neuroid", np.repeat(np.array(people, object), len(ids))),
        "repetition": ("presentation", np.array([number for _, number in shared])),
    }
    values = np.concatenate([responses.values[one] for one in taken], axis=1)
    split = xr.DataArray(values, dims=responses.dims, coords=columns, attrs=responses.attrs)
    n_lost = len(subjects) - len(people) * len(shared)
    if n_lost:
        split.attrs[LEFT_OUT] = {"presentations that not every subject has": n_lost}
    n_unseen = len(set(responses["stimulus_id"].values.tolist()) - {stimulus for stimulus, _ in shared})
    if n_unseen:
        split.attrs[LEFT_OUT] |= {UNSEEN: n_unseen}
    return without_still(split, name, np.concatenate([flat[subjects == one].any(axis=0) for one in people]))


def without_unseen(stimuli: StimulusSet, responses: xr.DataArray) -> StimulusSet:
    """The stimuli that every subject was shown; all of them where others have no response either."""
    shown = stimuli["stimulus_id"].isin(responses["stimulus_id"].values)
    n_unseen = responses.attrs.get(LEFT_OUT, {}).get(UNSEEN, 0)
    return stimuli[shown].reset_index(drop=True) if 0 < n_unseen == (~shown).sum() else stimuli


def _rows_of(responses: xr.DataArray, subjects: npt.NDArray[Any]) -> dict[str, dict[tuple[Any, int], int]]:
    """Subject -> (stimulus, how-manieth presentation of it to this subject) -> row."""
    ids = pd.Series(responses["stimulus_id"].values)
    order = pd.Series(np.arange(len(ids)))
    named = of_presentations(responses, "repetition")
    if named is not None:
        order = pd.Series(pd.factorize(named, sort=True)[0])
    numbers = order.groupby([ids, subjects]).rank(method="first").astype(int) - 1
    rows: dict[str, dict[tuple[Any, int], int]] = {one: {} for one in dict.fromkeys(subjects.tolist())}
    for row, (one, key) in enumerate(zip(subjects.tolist(), zip(ids, numbers, strict=True), strict=True)):
        rows[one][key] = row
    return rows


def _shared_columns(responses: xr.DataArray, taken: Sequence[npt.NDArray[np.intp]]) -> dict[str, Any]:
    """Coordinates of the neuroids, once a subject, and those of presentations that are the same for all."""
    columns: dict[str, Any] = {}
    for label, held in responses.coords.items():
        if held.dims == ("neuroid",):
            columns[str(label)] = ("neuroid", np.tile(held.values, len(taken)))
        elif held.dims == ("presentation",):
            of_each = [held.values[rows] for rows in taken]
            if all((one.astype(str) == of_each[0].astype(str)).all() for one in of_each):
                columns[str(label)] = ("presentation", of_each[0])
    return columns


def within_sessions(
    values: npt.NDArray[Any], sessions: npt.NDArray[Any], stimuli: npt.NDArray[Any], name: str
) -> tuple[npt.NDArray[np.float64], str]:
    """Responses z-scored within each session, per neuroid, and the words for it.

    Parameters
    ----------
    values : array of shape (n_presentations, n_neuroids)
        NaN where nothing was recorded.
    sessions, stimuli : array of shape (n_presentations,)
        The session and the stimulus of each.
    name : str
        For messages.

    Returns
    -------
    scored : array of shape (n_presentations, n_neuroids)
        A neuroid that does not vary within a session is NaN there.
    words : str

    Raises
    ------
    UserError
        For a session of fewer than 4 presentations, or of fewer than 15 stimuli that are repeated inside it, or never
        shown among others: their mean, which is taken off, is then a good part of what was to be predicted.
    """
    labels, member = np.unique(np.asarray(sessions).astype(str), return_inverse=True)
    counts = np.bincount(member)
    if counts.min() < _LEAST_IN_SESSION:
        raise UserError(
            f"{name}: session {str(labels[counts.argmin()])!r} has {counts.min()} presentations, too few to z-score "
            f"within it ({_LEAST_IN_SESSION}): {_GO_ON}"
        )
    shown = pd.crosstab(pd.factorize(np.asarray(stimuli).astype(str))[0], member).to_numpy()
    _check_mixed(shown, labels, name)
    scored = np.array(values, np.float64)
    for one in range(len(labels)):
        rows = scored[member == one]
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", RuntimeWarning)  # nothing was recorded of a neuroid
            spread, middle = np.nanstd(rows, axis=0), np.nanmean(rows, axis=0)
            range_of = np.nanmax(rows, axis=0) - np.nanmin(rows, axis=0)
            varies = range_of > ROUNDING * np.nanmax(np.abs(rows), axis=0)
        scored[member == one] = (rows - middle) / np.where(varies, spread, np.nan)
    words = f"responses z-scored within each of {len(labels)} sessions"
    if ((shown > 0) != (shown[:, :1] > 0)).any():
        words += "; sessions hold different stimuli: what differs between them is removed, too"
    return scored, words


def _check_mixed(shown: npt.NDArray[Any], labels: npt.NDArray[Any], name: str) -> None:
    """Refuse few stimuli, repeated in a session or with the same ones everywhere; `shown` is (stimulus, session)."""
    for label, column in zip(labels, shown.T, strict=True):
        n_stimuli = int((column > 0).sum())
        others = (shown[:, (shown[column > 0] > 0).any(axis=0)] > 0).any(axis=1).sum()
        if n_stimuli < _LEAST_DISTINCT and (column.max() > 1 or others < _LEAST_DISTINCT):
            raise UserError(
                f"{name}: session {str(label)!r} holds {n_stimuli} different stimul{'us' if n_stimuli == 1 else 'i'}, "
                f"too few to z-score within it ({_LEAST_DISTINCT}), as what they share would be removed: {_GO_ON}"
            )


def without_still(responses: xr.DataArray, name: str, still: npt.NDArray[np.bool_]) -> xr.DataArray:
    """The same without the neuroids that are `still` within a session, where z-scores are NaN; counted.

    Raises
    ------
    UserError
        Where no neuroid would be left.
    """
    if not still.any():
        return responses
    if still.all():
        raise UserError(f"{name}: every neuroid is constant within a session: {_GO_ON}")
    kept = responses[:, ~still]
    kept.attrs[LEFT_OUT] = {**responses.attrs.get(LEFT_OUT, {}), STILL_IN_SESSION: int(still.sum())}
    return kept
