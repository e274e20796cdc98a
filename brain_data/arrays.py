"""Arrays in memory as labelled responses and stimuli: what a data set is made of."""

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, Literal

import numpy as np
import numpy.typing as npt
import pandas as pd
import xarray as xr

from ..errors import UserError
from .columns import unlike_neuroids
from .recorded import LABELS, check_filled, is_blank
from .stimulus_set import StimulusSet
from .text_columns import TEXT_COLUMNS

Columns = dict[str, npt.NDArray[Any]]

PICTURES = (".png", ".jpg", ".jpeg", ".bmp", ".gif", ".tif", ".tiff", ".webp")
"""How names of pictures end."""
_DIMS = ("presentation", "neuroid")


def stimulus_table(
    stimuli: "Sequence[str | Path] | pd.DataFrame", labels: "Sequence[Any] | Mapping[str, Any] | None"
) -> StimulusSet:
    """Texts, paths of pictures or a table as a stimulus set; `labels` become columns of it.

    Raises
    ------
    UserError
        For stimuli that are neither, that are given twice, pictures that are not there, labels of another number.
    """
    if isinstance(stimuli, str | bytes) or not isinstance(stimuli, Iterable):
        raise UserError(f"stimuli must be a list of texts or paths, or a table, not {stimuli!r}")
    table = _of_table(stimuli) if isinstance(stimuli, pd.DataFrame) else _of_list(list(stimuli))
    columns = labels if isinstance(labels, Mapping) else {} if labels is None else {"category": labels}
    for name, values in columns.items():
        if len(values) != len(table):
            raise UserError(f"{name} has {len(values)} values, but there are {len(table)} stimuli")
        check_filled({name: list(values)}, table["stimulus_id"].map(repr), "the labels", [name])
        table[name] = list(values)
    paths = table.stimulus_paths or {}
    absent = [path for path in paths.values() if not Path(path).is_file()]
    if absent:
        raise UserError(f"{len(absent)} of {len(paths)} pictures are not there (first: {absent[0]})")
    return table


def _of_table(stimuli: pd.DataFrame) -> StimulusSet:
    table = StimulusSet(stimuli.reset_index(drop=True))
    names = stimuli["stimulus_id"] if "stimulus_id" in stimuli.columns else stimuli.index
    table["stimulus_id"] = as_names(names.to_numpy())
    shown = next((name for name in (*TEXT_COLUMNS, "filename") if name in table.columns), "")
    check_filled(dict(table), table["stimulus_id"].map(repr), "the table of stimuli", (*LABELS, shown))
    table.stimulus_paths = getattr(stimuli, "stimulus_paths", None)
    if table.stimulus_paths is None and "filename" in table.columns:
        table.stimulus_paths = dict(zip(table["stimulus_id"], map(Path, table["filename"]), strict=True))
    return table


def _of_list(stimuli: list[str | Path]) -> StimulusSet:
    for place, one in enumerate(stimuli):
        if not isinstance(one, str | Path):
            raise UserError(
                f"stimuli must be texts, paths of pictures or a table, not {type(one).__name__} (stimulus {place})"
            )
    twice = pd.Series(list(map(str, stimuli)), dtype=object)
    twice = twice[twice.duplicated()]
    if len(twice):
        raise UserError(
            f"{twice.nunique()} stimuli are given more than once (first: {twice.iloc[0]!r}): give each once, and its "
            "repetitions as (stimulus, repetition, neuroid)"
        )
    ids = [f"stimulus{i:04d}" for i in range(len(stimuli))]
    if any(isinstance(one, str) and not one.lower().endswith(PICTURES) for one in stimuli):
        return StimulusSet({"stimulus_id": ids, "sentence": list(map(str, stimuli))})
    paths = [Path(one) for one in stimuli]
    table = StimulusSet({"stimulus_id": ids, "filename": [path.name for path in paths]})
    table.stimulus_paths = dict(zip(ids, paths, strict=True))
    return table


def as_responses(responses: Any, stimuli: StimulusSet) -> tuple[npt.NDArray[Any], Columns, Columns]:
    """Responses in one of the forms that people keep as values, coordinates of presentations and of neuroids.

    Parameters
    ----------
    responses : array, DataFrame or DataArray
        (stimulus, neuroid) or (stimulus, repetition, neuroid) in the order of the stimuli; a repetition that is all NaN
        was not recorded. A table whose index names stimuli (any but the default one), or a DataArray (presentation,
        neuroid) with ``stimulus_id``, holds a row a presentation, in any order.
    stimuli : StimulusSet

    Raises
    ------
    UserError
        For another shape or number of stimuli, an index that may be read in two ways, neuroids of one name, or what are
        no real numbers.
    """
    recorded: Columns = {}
    shown: Columns = {}
    if isinstance(responses, pd.DataFrame):
        recorded = {"neuroid_id": as_names(responses.columns.to_numpy())}
        holds = dict(zip(map(str, responses.columns), responses.dtypes, strict=True))
        odd = unlike_neuroids(holds, set(map(str, stimuli.columns)))
        if odd:
            raise UserError(
                f"columns {', '.join(map(repr, odd))} of the responses look like what was noted of the trials, not "
                "like neuroids: drop them, or rename what is a neuroid (stimulus ids are the index: set_index)"
            )
        if responses.index.nlevels > 1 or responses.columns.nlevels > 1:
            raise UserError(
                "the index and the columns of the responses must have one level, ids of stimuli and names of neuroids: "
                "drop the other levels (droplevel), or give a DataArray with coordinates on presentation"
            )
        shown = _named_by(responses.index, stimuli)
        responses = responses.to_numpy()
    elif isinstance(responses, xr.DataArray):
        if "neuroid" in responses.dims:
            responses = responses.transpose(..., "neuroid")
        recorded = _coordinates(responses, "neuroid")
        if "stimulus_id" in responses.coords:
            if responses.dims != _DIMS or responses["stimulus_id"].dims != _DIMS[:1]:
                raise UserError(
                    f"stimulus_id must be on 'presentation', beside 'neuroid', not on dims {responses.dims}"
                )
            shown = _coordinates(responses, "presentation")
        responses = responses.values
    values = real_numbers(responses, "the responses")
    twice = pd.Index(recorded.get("neuroid_id", []))
    if twice.has_duplicates:
        raise UserError(f"{twice[twice.duplicated()][0]!r} names several neuroids")
    if not shown:
        values, shown = _presentations(values, stimuli)
    return values, shown, recorded


def _named_by(index: "pd.Index[Any]", stimuli: StimulusSet) -> Columns:
    """The stimuli that an index names; nothing where it is the default one, 0 ... n - 1, which says their order."""
    if not isinstance(index, pd.RangeIndex) or not index.equals(pd.RangeIndex(len(index))):
        return {"stimulus_id": index.to_numpy()}
    ids, numbers = stimuli["stimulus_id"].tolist(), [str(i) for i in index]
    if ids != numbers and sorted(ids) == sorted(numbers):
        raise UserError(
            f"the stimuli have the ids 0 to {len(ids) - 1} in another order than the default index of the responses: "
            "name the stimuli in that index (set_index), or give an array for responses in the stimuli's order"
        )
    return {}


def real_numbers(values: Any, what: str) -> npt.NDArray[np.float64]:
    """In double precision; NaN where an array is masked.

    Raises
    ------
    UserError
        For texts, complex numbers, rows of different lengths.
    """
    try:
        array = np.ma.asarray(values)  # type: ignore[no-untyped-call]
    except ValueError:
        raise UserError(f"{what} are rows of different lengths, not an array") from None
    if array.dtype.kind not in "fiub":
        raise UserError(f"{what} are {array.dtype}, not real numbers")
    numbers: npt.NDArray[np.float64] = array.astype(np.float64).filled(np.nan)
    return numbers


def _coordinates(responses: xr.DataArray, dim: str) -> Columns:
    return {str(name): one.values for name, one in responses.coords.items() if one.dims == (dim,)}


def _presentations(values: npt.NDArray[Any], stimuli: StimulusSet) -> tuple[npt.NDArray[Any], Columns]:
    if values.ndim not in (2, 3):
        raise UserError(
            "the responses must be (stimulus, neuroid) or (stimulus, repetition, neuroid), "
            f"not of shape {values.shape}"
        )
    if len(values) != len(stimuli):
        advice = ": transpose them" if values.shape[-1] == len(stimuli) else ""
        raise UserError(
            f"there are {len(stimuli)} stimuli, but the responses are to {len(values)} (shape {values.shape}){advice}"
        )
    n_repetitions = values.shape[1] if values.ndim == 3 else 1
    flat = values.reshape(len(stimuli) * n_repetitions, values.shape[-1])
    there = ~np.isnan(flat).all(axis=1) if values.ndim == 3 else np.ones(len(flat), bool)
    shown = {
        "stimulus_id": np.repeat(stimuli["stimulus_id"].to_numpy(object), n_repetitions)[there],
        "repetition": np.tile(np.arange(n_repetitions), len(stimuli))[there],
    }
    return flat[there], shown


def modality_of(stimuli: StimulusSet, has_stimuli: bool) -> Literal["vision", "language"]:
    """What kind of models can be shown the stimuli."""
    if stimuli.stimulus_paths:
        return "vision"
    if set(TEXT_COLUMNS) & set(stimuli.columns):
        return "language"
    if has_stimuli:
        raise UserError(
            f"the stimulus table has no column filename, {', '.join(TEXT_COLUMNS)} (it has: "
            f"{', '.join(map(str, stimuli.columns))}): name one so, or say has_stimuli=False"
        )
    return "vision"


def neuroid_columns(
    n_neuroids: int,
    region: str | Sequence[str] | None,
    subject: str | Sequence[str] | None,
    positions: npt.ArrayLike | None,
) -> Columns:
    """Region and subject, each for all neuroids or one by one, and positions (neuroid, 2 or 3) in mm."""
    columns: Columns = {}
    if region is not None and not isinstance(region, str):
        columns["region"] = np.array(region, object)
    if subject is not None:
        names = [subject] * n_neuroids if isinstance(subject, str) else subject
        columns["subject"] = np.array(names, object)
    if positions is not None:
        places = real_numbers(positions, "positions")
        if places.ndim != 2 or places.shape[1] not in (2, 3):
            raise UserError(f"positions must be (neuroid, 2 or 3) in mm, not of shape {places.shape}")
        columns |= dict(zip("xyz", places.T, strict=False))
    return columns


def labeled(values: npt.NDArray[Any], shown: Columns, recorded: Columns, region: str) -> xr.DataArray:
    """Responses with their coordinates, their names as texts.

    Parameters
    ----------
    values : array of shape (n_presentations, n_neuroids)
    shown : mapping of str to array
        Coordinates of presentations, ``stimulus_id`` among them. A ``subject`` that has as many values as neuroids is
        taken as theirs.
    recorded : mapping of str to array
        Coordinates of neuroids. Neuroids without names are numbered.
    region : str
        Of neuroids without a region.

    Raises
    ------
    UserError
        For a coordinate of another length, a neuroid without a region, a position that is no number.
    """
    n_presentations, n_neuroids = values.shape
    shown = dict(shown)
    recorded = {
        "neuroid_id": np.array([f"n{i}" for i in range(n_neuroids)], object),
        "region": np.full(n_neuroids, region, object),
        **recorded,
    }
    if "subject" in shown and np.shape(shown["subject"]) == (n_neuroids,) != (n_presentations,):
        recorded["subject"] = shown.pop("subject")  # each neuroid is of one subject, not each presentation
    both = [name for name in shown if name in recorded]
    if both:
        raise UserError(
            f"{both[0]} is given of the presentations and of the neuroids: keep one, or call the other something else"
        )
    coordinates = {}
    for dim, size, columns in ((_DIMS[0], n_presentations, shown), (_DIMS[1], n_neuroids, recorded)):
        for name, column in columns.items():
            if np.shape(column) != (size,):
                found = str(len(column)) if np.ndim(column) == 1 else f"{np.shape(column)}"
                advice = (
                    ": are these transposed?"
                    if np.shape(column) == (n_presentations + n_neuroids - size,)
                    else ""
                )
                raise UserError(
                    f"{name} has {found} values, but there are {size} {dim}s in the responses{advice}"
                )
            coordinates[name] = (dim, column)
    coordinates["stimulus_id"] = (_DIMS[0], as_names(shown["stimulus_id"]))
    for name in ("neuroid_id", "region"):
        coordinates[name] = (_DIMS[1], as_names(recorded[name]))
    named = [f"{i} (stimulus {one!r})" for i, one in enumerate(coordinates["stimulus_id"][1], start=1)]
    check_filled(shown, (f"presentation {one}" for one in named), "the responses")
    check_filled(recorded, (f"neuroid {one!r}" for one in coordinates["neuroid_id"][1]), "the neuroids")
    responses = xr.DataArray(values, dims=_DIMS, coords=coordinates)
    _check_neuroids(responses)
    return responses


def as_names(values: npt.NDArray[Any]) -> npt.NDArray[Any]:
    """Names as text, empty where missing; whole numbers without a point, as MATLAB and pandas make floats of them."""
    if values.dtype.kind == "f" and np.isfinite(values).all() and (values == np.round(values)).all():
        values = values.astype(np.int64)
    names: npt.NDArray[Any] = np.where(pd.isna(values), "", values.astype(str)).astype(object)
    return names


def _check_neuroids(responses: xr.DataArray) -> None:
    names = responses["neuroid_id"].values
    unnamed = np.array([not name.strip() for name in names])
    if unnamed.any():
        raise UserError(f"{int(unnamed.sum())} neuroids have no name (first: column {int(unnamed.argmax())})")
    blank = np.array([region.strip() in ("", "nan") for region in responses["region"].values])
    if blank.any():
        raise UserError(f"{int(blank.sum())} neuroids have no region (first: {names[int(blank.argmax())]!r})")
    ratios = responses["ncsnr"].values if "ncsnr" in responses.coords else np.empty(0)
    for name, value in zip(names, ratios, strict=False):
        number = pd.to_numeric(value, errors="coerce")
        if not (is_blank([value]).all() or (np.isfinite(number) and number >= 0)):
            raise UserError(
                f"ncsnr of neuroid {name!r} is {str(value)!r}: a ratio of standard deviations is a finite number from "
                "0 on, or blank where it is not known"
            )
    if len(ratios):
        known = [pd.to_numeric(value, errors="coerce") for value in ratios]
        responses["ncsnr"] = ("neuroid", np.array(known, np.float64))
    for axis in ("x", "y", "z"):
        if axis in responses.coords and responses[axis].dtype.kind not in "fiu":
            for name, value in zip(names, responses[axis].values, strict=True):
                if pd.isna(pd.to_numeric(value, errors="coerce")):
                    raise UserError(f"position {axis} of neuroid {name!r} is {value!r}, not a number (mm)")


def is_symmetric(matrix: npt.NDArray[Any]) -> bool:
    """Whether both triangles hold the same, to a millionth of the largest number outside the diagonal."""
    apart = ~np.eye(len(matrix), dtype=bool)
    size = float(np.abs(matrix[apart]).max(initial=0.0))
    return bool(np.allclose(matrix[apart], matrix.T[apart], rtol=0, atol=1e-6 * size))


def ask_about_rdm(responses: npt.NDArray[Any], ways: str) -> None:
    """Raise a UserError for responses that look like an RDM: square, symmetric, with a constant diagonal.

    Parameters
    ----------
    responses : array of shape (n_presentations, n_neuroids)
    ways : str
        How to say which they are.
    """
    n = len(responses)
    if n < 3 or responses.shape != (n, n) or not is_symmetric(responses):
        return
    diagonal, apart = np.diagonal(responses), responses[~np.eye(n, dtype=bool)]
    size = float(np.abs(apart).max())
    blank = bool(np.isnan(diagonal).all())
    if np.ptp(apart) > 1e-6 * size and (blank or np.ptp(diagonal) <= 1e-6 * size):
        shown = "nothing" if blank else f"{diagonal[0]:.3g}"
        raise UserError(
            f"the responses are {n} x {n}, symmetric and with a diagonal of {shown}, as an RDM is: {ways}"
        )
