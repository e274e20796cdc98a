"""From presentations to stimuli: the repetitions of each stimulus side by side, and their mean."""

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
import pandas as pd
import xarray as xr

from .recorded import of_presentations

Floats = npt.NDArray[np.float64]


def repetition_cube(responses: xr.DataArray, stimulus_ids: Sequence[object]) -> Floats:
    """The responses as stimulus x repetition x neuroid.

    Parameters
    ----------
    responses : DataArray
        ``(presentation, neuroid)`` with ``stimulus_id`` on `presentation`. Presentations of a stimulus count as its
        repetitions in the order of ``repetition``, where it is known and unique, else in the order recorded; which
        numbers they have does not matter, so that those of sessions in which others were shown leave no holes.
    stimulus_ids : sequence
        The order of the stimuli.

    Returns
    -------
    array of shape (n_stimuli, n_repetitions, n_neuroids)
        NaN where a stimulus has fewer repetitions than the most repeated one.
    """
    shown = pd.Index(list(stimulus_ids))
    ids = pd.Series(responses["stimulus_id"].values)
    row = shown.get_indexer(pd.Index(ids))
    keep = row >= 0
    repetition = np.asarray(ids.groupby(ids).cumcount(), np.intp)
    numbers = of_presentations(responses, "repetition")
    if numbers is not None:
        named = np.asarray(pd.factorize(numbers, sort=True)[0], np.intp)
        if not pd.DataFrame({"id": ids, "repetition": named}).duplicated().any():
            repetition = pd.Series(named).groupby(ids).rank().to_numpy().astype(np.intp) - 1
    cube = np.full((len(shown), int(repetition.max()) + 1, responses.sizes["neuroid"]), np.nan)
    cube[row[keep], repetition[keep]] = responses.values[keep]
    return cube


def mean_response(cube: Floats) -> Floats:
    """The mean over repetitions, ``(n_stimuli, n_neuroids)``, of the repetitions that there are; NaN where none is."""
    if not np.isnan(cube).any():
        mean: Floats = cube.mean(axis=1)
        return mean
    return known_mean(cube)


def known_mean(cube: Floats) -> Floats:
    """As :func:`mean_response`, summed without what is NaN whether or not anything is."""
    counted = (~np.isnan(cube)).sum(axis=1)
    with np.errstate(invalid="ignore", divide="ignore"):
        mean: Floats = np.nansum(cube, axis=1) / counted
    return mean
