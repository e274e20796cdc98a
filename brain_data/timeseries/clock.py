"""Whether the samples of a series and its words are on one clock, by the rate of words."""

from collections.abc import Mapping

import numpy as np
import numpy.typing as npt
import pandas as pd

from ..imported import Imported
from ..stored import column_blocks
from .regressors import standardized, timing

_WORDS, _SAMPLES, _REACH = 50, 60, 4
"""Fewest words and samples of a run that say anything, and the largest shift, in samples."""


def shifts(imported: Imported) -> dict[int, float]:
    """Shift in samples -> r of the rate of words and the mean response, mean over runs; empty where too short.

    Parameters
    ----------
    imported : Imported
        A series with words.
    """
    words, shown = imported.stimuli, imported.presentations
    if imported.kind != "series" or imported.tr is None or "word" not in words or "time" not in shown:
        return {}
    found = []
    mean = None
    for run in dict.fromkeys(shown["run"].tolist()):
        rows = np.flatnonzero((shown["run"] == run).to_numpy())
        heard = words[words["story"].astype(str) == str(shown["stimulus_id"].iloc[rows[0]])]
        if len(heard) < _WORDS or len(rows) < _SAMPLES:
            continue
        mean = _mean_response(imported) if mean is None else mean
        ends = heard["offset"] if "offset" in heard else heard["onset"]
        times = shown["time"].to_numpy(np.float64)[rows]
        known = np.isfinite(mean[rows])
        if known.sum() >= _SAMPLES:
            found.append(timing(mean[rows][known], heard["onset"], ends, times[known], imported.tr, _REACH))
    if not found:
        return {}
    means = pd.DataFrame(found).mean().dropna()
    return {int(str(shift)): float(r) for shift, r in means.items()}


def _mean_response(imported: Imported) -> npt.NDArray[np.float64]:
    """Mean over neuroids of their standardized responses; a neuroid that has gaps or never varies takes no part."""
    shape = imported.values.shape
    runs = imported.presentations["run"].to_numpy()
    total, n = np.zeros(shape[0]), 0
    for block in column_blocks(shape, 8):
        held = np.asarray(imported.values[slice(0, shape[0]), block], np.float64)
        whole = np.isfinite(held).all(axis=0)
        total += standardized(held[:, whole], runs).sum(axis=1)
        n += int(whole.sum())
    return total / n if n else np.full(shape[0], np.nan)


def described_clock(found: Mapping[int, float], tr: float, first: float) -> str:
    """A line on the clock: that it holds, or by how much it seems to be off; none where nothing is known.

    Parameters
    ----------
    found : mapping of int to float
        Of :func:`shifts`.
    tr, first : float
        Seconds from sample to sample, and the time of the first sample.
    """
    if not found:
        return ""
    best = max(found, key=found.__getitem__)
    at = f"r {found[best]:.2f}"
    if best == 0:
        return f"clock: the rate of words agrees best with the mean response as it is ({at})"
    return (
        f"CLOCK: the rate of words agrees best with the mean response {abs(best)} samples "
        f"{'later' if best > 0 else 'earlier'} ({at}, as it is {found.get(0, float('nan')):.2f}): the first sample "
        f"seems to be at {first + best * tr:g} s, not {first:g} s"
    )
