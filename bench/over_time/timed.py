"""One region of a data set in bins of time: every bin as a metric would see it alone."""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd
import xarray as xr

from ...brain_data import Dataset
from ...brain_data.dataset import described_bins
from ...brain_data.noise_ceiling import reliability_within
from ...brain_data.stored import walk
from ...errors import UserError
from ..metrics.base import Floats
from ..metrics.headline import Headline
from ..metrics.normalization import none
from ..metrics.recording import Recording, recording

_READ = 1 << 28
"""Bytes of responses in windows that are held at once."""
_NEAR = 1e-6
_LEAST_MS = 5.0
"""All bins together; shorter ones are taken for seconds."""
_WINDOW = re.compile(r"\s*(-?\d+(?:\.\d+)?)\s*-\s*(-?\d+(?:\.\d+)?)\s*")

Windows = Sequence[tuple[float, float]]


@dataclass(frozen=True)
class Timed:
    """What was recorded of one region, bin by bin.

    Attributes
    ----------
    windows : array of shape (n_bins, 2)
        From and to, in ms after onset; in the order of their starts.
    mean : array of shape (n_bins, n_stimuli, n_neuroids), single precision
        Mean responses, less a neuroid's mean over all bins and over its sd, so that volts and spikes weigh alike.
    headline : Headline
        From r of neuroids to the r of the region, without a ceiling.
    reliability : array of shape (n_bins, n_neuroids)
        Of the mean responses within the held-out folds; NaN where nothing was repeated, or nothing varies.
    neuroid_ids : array of shape (n_neuroids,)
    """

    windows: Floats
    mean: npt.NDArray[np.float32] = field(repr=False)
    headline: Headline = field(repr=False)
    reliability: Floats = field(repr=False)
    neuroid_ids: npt.NDArray[np.object_] = field(repr=False)

    @property
    def baseline(self) -> npt.NDArray[np.bool_]:
        """Bins that end at or before 0 ms."""
        found: npt.NDArray[np.bool_] = self.windows[:, 1] <= _NEAR
        return found

    @property
    def best(self) -> Floats:
        """The r that the noise of each bin allows, sqrt(median reliability), mean over subjects, ``(n_bins,)``."""
        known = np.isfinite(self.reliability).any(axis=1)
        typical = np.maximum(self.headline.medians(self.reliability), 0.0)
        found: Floats = np.where(known, np.sqrt(typical).mean(axis=-1), np.nan)
        return found

    @property
    def joined(self) -> npt.NDArray[np.bool_]:
        """Whether a bin touches, or overlaps, the next, ``(n_bins - 1,)``."""
        found: npt.NDArray[np.bool_] = self.windows[1:, 0] <= self.windows[:-1, 1] + _NEAR
        return found


def window_pairs(text: str) -> list[tuple[float, float]]:
    """``"70-170,170-270"`` as pairs of ms; ``"-100-0"`` begins before onset.

    Raises
    ------
    UserError
        For what reads otherwise.
    """
    found = []
    for one in text.split(","):
        match = _WINDOW.fullmatch(one)
        if match is None:
            raise UserError(
                f"--windows {text}: {one.strip()!r} is no window: write FROM-TO in ms after onset, "
                "such as 70-170,170-270"
            )
        found.append((float(match[1]), float(match[2])))
    return found


def chosen_windows(
    responses: xr.DataArray, name: str, windows: Windows | None, bins_of: float | None
) -> tuple[Floats, Floats]:
    """Windows of the bins that were recorded, and the weight of each bin in each window.

    Parameters
    ----------
    responses : DataArray
    name : str
        Of the data set, for messages.
    windows : sequence of (float, float), optional
        From and to, in ms; a window is the mean of the bins within, each as heavy as it is wide.
    bins_of : float, optional
        Neighbouring bins are joined to bins of this width in ms, beginning at 0 ms.

    Returns
    -------
    array of shape (n_windows, 2)
    array of shape (n_bins, n_windows)

    Raises
    ------
    UserError
        Where there are no bins, or one alone, or windows do not fit them.
    """
    if "time_bin" not in responses.dims:
        raise UserError(
            f"{name} has no time bins: score it without --over-time, or add it with --bins FIRST,LAST,WIDTH"
        )
    first, last = (responses[f"time_bin_{side}"].values.astype(np.float64) for side in ("start", "end"))
    if last.max() - first.min() < _LEAST_MS:
        raise UserError(
            f"{name} has time bins from {first.min():g} to {last.max():g} ms: time_bin_start and time_bin_end are in "
            "ms, and these look like seconds"
        )
    if windows is not None and bins_of is not None:
        raise UserError("windows and bins of a width are two ways to say the same: leave one of them out")
    if windows is None:
        windows = (
            list(zip(first, last, strict=True)) if bins_of is None else _joined(first, last, bins_of, name)
        )
    pairs = np.array(sorted({(float(start), float(end)) for start, end in windows}))
    weights = np.zeros((len(first), len(pairs)))
    for column, (start, end) in zip(weights.T, pairs, strict=True):
        if not end > start:
            raise UserError(f"the window {start:g}-{end:g} ms must end after it starts")
        inside = (first >= start - _NEAR) & (last <= end + _NEAR)
        if not inside.any():
            raise UserError(
                f"{name} has no time bin from {start:g} to {end:g} ms: it has {described_bins(responses)}"
            )
        column[inside] = (last - first)[inside] / (last - first)[inside].sum()
    if len(pairs) < 2:
        raise UserError(
            f"{name} has one time bin ({pairs[0, 0]:g} to {pairs[0, 1]:g} ms), over which nothing changes: score it "
            "without --over-time"
        )
    return pairs, weights


def _joined(first: Floats, last: Floats, width: float, name: str) -> list[tuple[float, float]]:
    """Windows of a width whose borders are multiples of it, where bins fill them."""
    if not width > 0:
        raise UserError(f"--bins-of {width:g}: a bin must be longer than 0 ms")
    narrow = float((last - first).max())
    if width < narrow - _NEAR:
        raise UserError(
            f"--bins-of {width:g}: {name} was recorded in bins of {narrow:g} ms, which cannot be parted"
        )
    found = []
    for number in range(int(np.floor(first.min() / width)), int(np.ceil(last.max() / width))):
        start, end = number * width, (number + 1) * width
        inside = (first >= start - _NEAR) & (last <= end + _NEAR)
        if abs((last - first)[inside].sum() - width) < _NEAR:
            found.append((start, end))
    if not found:
        raise UserError(
            f"--bins-of {width:g}: no bins of {name} fill one that begins at a multiple of {width:g} ms: say --windows"
        )
    return found


def whole_of(dataset: Dataset, windows: Floats) -> Dataset:
    """The same with one response a trial, the mean over all windows: what folds and groups are found from."""
    averaged = dataset.window(float(windows[:, 0].min()) - _NEAR, float(windows[:, 1].max()) + _NEAR)
    return replace(averaged, published_ceilings={})


def timed(
    dataset: Dataset,
    region: str,
    whole: Recording,
    parts: list[npt.NDArray[np.intp]],
    windows: Floats,
    weights: Floats,
) -> Timed:
    """Read every window of a region.

    Parameters
    ----------
    dataset : Dataset
    region : str
    whole : Recording
        Of the mean over all windows, whose stimuli, neuroids and weights of stimuli hold for every bin.
    parts : list of array of int
        The held-out rows of each fold.
    windows, weights
        Of :func:`chosen_windows`.
    """
    n_neuroids = whole.responses.shape[2]
    middle, scale = whole.mean.mean(axis=0), whole.mean.std(axis=0)
    scale[scale == 0] = 1.0
    mean = np.zeros((len(windows), whole.n_stimuli, n_neuroids), np.float32)
    reliability = np.full((len(windows), n_neuroids), np.nan)
    names = _names(whole.neuroids)
    for number, responses in enumerate(_windows_of(dataset.region(region), weights)):
        one = replace(dataset, responses=responses, rdms={}, published_ceilings={})
        recorded = recording(one, region)
        place = names.get_indexer(_names(recorded.neuroids))
        mean[number][:, place] = (recorded.mean - middle[place]) / scale[place]
        if np.isfinite(recorded.noise).any():
            kept = [part[whole.weights[part] > 0] for part in parts]
            reliability[number, place] = reliability_within(
                recorded.mean, recorded.noise, recorded.counts, kept, whole.weights
            )
    nothing = np.empty((0, n_neuroids))
    headline = Headline(
        whole.members,
        _subjects(whole),
        none,
        None,
        nothing,
        np.empty(n_neuroids),
        whole.counts,
        parts,
        whole.weights,
    )
    return Timed(windows, mean, headline, reliability, whole.neuroids["neuroid_id"].to_numpy(object))


def _windows_of(responses: xr.DataArray, weights: Floats) -> Iterator[xr.DataArray]:
    """Responses (presentation, neuroid) of each window; many are read in one go, as far as memory is bounded."""
    n_rows, n_neuroids, _ = responses.shape
    step = max(1, _READ // max(1, 4 * n_rows * n_neuroids))
    flat = responses.isel(time_bin=0, drop=True)
    kept: dict[Any, Any] = {
        name: one for name, one in flat.coords.items() if not str(name).startswith("time_bin")
    }
    for start in range(0, weights.shape[1], step):
        some = weights[:, start : start + step].T
        values = np.empty((len(some), n_rows, n_neuroids), responses.dtype)
        for rows, held in walk(responses):
            for one, weight in zip(values, some, strict=True):
                inside = weight > 0
                one[rows] = held[..., inside] @ weight[inside]
        for one in values:
            yield xr.DataArray(one, dims=flat.dims, coords=kept, attrs=responses.attrs)


def _names(neuroids: pd.DataFrame) -> "pd.Index[Any]":
    """What tells a neuroid from the others."""
    subject = (
        neuroids["subject"].astype(str) if "subject" in neuroids else pd.Series("", index=neuroids.index)
    )
    return pd.MultiIndex.from_arrays([subject, neuroids["neuroid_id"].astype(str)])


def _subjects(whole: Recording) -> tuple[str, ...]:
    return (
        () if "subject" not in whole.neuroids else tuple(dict.fromkeys(whole.neuroids["subject"].astype(str)))
    )
