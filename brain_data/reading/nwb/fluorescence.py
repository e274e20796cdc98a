"""Fluorescence of regions of interest in an NWB file, and where each of them lies."""

from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from ....bounded import require_for
from ....errors import UserError
from ...imported import Computed, ReadOptions
from ...timeseries.spikes import check_clock, shaped
from ...timeseries.trials import text_of
from ...timeseries.units import chosen_units
from ...timeseries.window_means import check_samples, samples_in, window_means
from ...timeseries.windows import Floats, inside
from .file import Table, array, children, kind_of, member, needed, opened, text, whole
from .places import with_region
from .presented import Presented

_SERIES = "RoiResponseSeries"
_MM = {"meters": 1e3, "meter": 1e3, "m": 1e3, "millimeters": 1.0, "mm": 1.0, "micrometers": 1e-3, "microns": 1e-3,
       "um": 1e-3}  # fmt: skip
"""mm of a unit."""


def fluorescence_series(file: Any) -> list[str]:
    """Paths of the series of responses of regions of interest."""
    found = []
    for module in children(member(file, "processing")):
        for name in children(member(file, f"processing/{module}")):
            here = f"processing/{module}/{name}"
            for path in (here, *(f"{here}/{inner}" for inner in children(member(file, here)))):
                if kind_of(member(file, path)) == _SERIES:
                    found.append(path)
    return found


def fluorescence_of(shown: Presented, name: str) -> tuple[Computed, pd.DataFrame, dict[str, str]]:
    """Means of one series in windows after onsets, the regions of interest, and what is known of them all."""
    path, file, options, said, left_out = shown.path, shown.file, shown.options, shown.said, shown.left_out
    onsets, invalid, windows = shown.onsets, shown.invalid, shown.windows
    place = f"{path.name}: {name}"
    series = member(file, name)
    stored = needed(series, "data", place)
    times = _times(series, stored, place)
    step = check_samples(times, windows, place)
    table, rows = _regions_of_interest(series, stored, place)
    neuroids = _neuroids(table, rows, options, said)
    labels = table.labels().iloc[rows].reset_index(drop=True)
    kept = chosen_units(labels, options.quality, table.place, said, left_out)
    kept = kept & with_region(neuroids, options.region, place, kept, said, left_out)
    columns = np.flatnonzero(kept)
    span = (float(times[0]), float(times[-1]) + step)
    heard = inside(onsets, windows, [span])
    check_clock(heard, onsets, span, place)
    for reason, lost in (("outside the recording", ~heard), ("in invalid_times", invalid & heard)):
        if n := int(lost.sum()):
            left_out[f"presentations {reason} (NaN)"] = n
    heard = heard & ~invalid
    bounds = samples_in(times, onsets, windows)
    scale, zero = (_number(stored, key, usual) for key, usual in (("conversion", 1.0), ("offset", 0.0)))

    def get(taken: slice, neuroids: slice) -> npt.NDArray[Any]:
        with opened(path) as again:
            found = window_means(needed(again, f"{name}/data", place), bounds[:, taken], columns[neuroids])
        found = found * scale + zero
        found[~heard[taken]] = np.nan
        return shaped(found.astype(np.float32), windows)

    shape = (len(onsets), len(columns), *shown.bins)
    said.append(
        f"{len(columns)} of {len(rows)} regions of interest, {1 / step:.4g} samples/s: mean, {windows}"
    )
    unit = text(stored.attrs.get("unit", ""))
    about = {"technique": "optical physiology"} | ({"units": unit} if unit else {})
    return Computed(shape, get), neuroids[kept].reset_index(drop=True), about


def _number(stored: Any, key: str, usual: float) -> float:
    """What data are multiplied by (``conversion``), or what is added (``offset``), to be in their unit."""
    value = float(np.asarray(stored.attrs.get(key, usual)))
    return value if np.isfinite(value) and (value or key == "offset") else usual


def _times(series: Any, stored: Any, place: str) -> Floats:
    """The time of each sample in s.

    Raises
    ------
    UserError
        Where they are not known, are not as many as the samples, or the array lies the other way round.
    """
    n = stored.shape[0]
    stamps = array(series, "timestamps")
    if stamps is not None:
        if len(stamps.shape) != 1 or stamps.shape[0] != n:
            turned = stored.ndim == 2 and stamps.shape == stored.shape[1:]
            raise UserError(
                f"{place}: data are of shape {stored.shape} and have {stamps.shape[0]} times: "
                + (
                    "they lie the other way round (NWB: time, region of interest)"
                    if turned
                    else "they do not fit"
                )
            )
        return whole(stamps).astype(np.float64)
    start = array(series, "starting_time")
    rate = float(np.asarray(start.attrs.get("rate", np.nan))) if start is not None else np.nan
    if not (np.isfinite(rate) and rate > 0):
        raise UserError(f"{place} has neither timestamps nor a rate: the times of its samples are not known")
    require_for(Path(stored.file.filename), 8 * n)
    times: Floats = float(start[()]) + np.arange(n) / rate
    return times


def _regions_of_interest(series: Any, stored: Any, place: str) -> tuple[Table, npt.NDArray[np.int64]]:
    """The table of regions of interest, and which of its rows each column of the data is."""
    rows = whole(needed(series, "rois", place))
    if rows.dtype.kind not in "iu":
        raise UserError(f"{place}: rois are {rows.dtype}, not whole numbers")
    reference = series["rois"].attrs.get("table")
    if not reference:
        raise UserError(f"{place}: rois name no table of regions of interest (PlaneSegmentation)")
    table = Table(series.file[reference], f"{place}: regions of interest")
    n = stored.shape[1] if stored.ndim == 2 else 1
    if stored.ndim != 2 or len(rows) != n:
        raise UserError(
            f"{place}: data are of shape {stored.shape}, and {len(rows)} regions of interest are named (NWB: time, "
            "region of interest)"
        )
    if len(rows) and (rows.min() < 0 or rows.max() >= len(table)):
        raise UserError(f"{place}: rois name row {rows.max()}, and the table has {len(table)} (from 0)")
    return table, rows.astype(np.int64)


def _neuroids(
    table: Table, rows: npt.NDArray[np.int64], options: ReadOptions, said: list[str]
) -> pd.DataFrame:
    labels = table.labels().iloc[rows].reset_index(drop=True)
    neuroids = pd.DataFrame({"neuroid_id": [text_of(one) for one in table.ids[rows].tolist()]})
    plane = member(table.group, "imaging_plane")
    column = options.region_column
    if column is not None:
        if column not in labels:
            raise UserError(
                f"{table.place} have no column {column} (--region-column): {', '.join(map(str, labels)) or 'none'}"
            )
        neuroids["region"] = labels[column].map(text_of).replace("", "unknown")
    else:
        location = array(plane, "location")
        named = "" if location is None else text(location[()])
        if named and named != "unknown":
            neuroids["region"] = named
            said.append(f"the region {named} is that of the imaging plane")
    centers = _centers(table, rows)
    if centers is not None:
        neuroids = pd.concat([neuroids, _positions(centers, plane, said)], axis=1)
    for name in labels:
        if name not in neuroids and name not in ("subject", "id"):
            neuroids[name] = labels[name]
    return neuroids


def _centers(table: Table, rows: npt.NDArray[np.int64]) -> Floats | None:
    """The weighted centroid of each mask in pixels; None without masks."""
    if "image_mask" in table:
        masks = needed(table.group, "image_mask", table.place)
        if masks.shape[0] != len(table) or masks.ndim not in (3, 4):
            raise UserError(
                f"{table.place}: image_mask is of shape {masks.shape}, and there are {len(table)}"
            )
        require_for(Path(masks.file.filename), 16 * int(np.prod(masks.shape[1:])))
        return np.array([_centroid_of(masks[int(row)]) for row in rows]).reshape(len(rows), -1)
    for name in ("pixel_mask", "voxel_mask"):
        if name in table and table.is_ragged(name):
            stored, ends = table.group[name], table.ends(name)
            starts = np.r_[0, ends[:-1]]
            axes = [axis for axis in "xyz" if axis in (stored.dtype.names or ())]
            found = []
            for row in rows:
                points = stored[int(starts[row]) : int(ends[row])]
                at = np.stack([points[axis] for axis in axes], axis=1).astype(np.float64)
                weights = np.asarray(points["weight"], np.float64)
                found.append(weights @ at / weights.sum() if weights.sum() else np.full(len(axes), np.nan))
            return np.array(found).reshape(len(rows), len(axes))
    return None


def _centroid_of(mask: npt.NDArray[Any]) -> Floats:
    weights = np.nan_to_num(mask.astype(np.float64))
    total = weights.sum()
    if not total:
        return np.full(mask.ndim, np.nan)
    axes = range(mask.ndim)
    return np.array(
        [
            np.arange(mask.shape[axis]) @ weights.sum(axis=tuple(one for one in axes if one != axis)) / total
            for axis in axes
        ]
    )


def _positions(centers: Floats, plane: Any, said: list[str]) -> pd.DataFrame:
    """``x``, ``y`` and ``z`` in mm where the size of a pixel is known, else pixels as labels."""
    spacing = array(plane, "grid_spacing")
    scale = None if spacing is None else _MM.get(text(spacing.attrs.get("unit", "meters")).lower())
    n = centers.shape[1]
    sizes = np.ones(0) if spacing is None else np.atleast_1d(whole(spacing)).astype(np.float64)
    if scale is None or len(sizes) < n or not (sizes[:n] > 0).all():
        said.append(
            "positions are in pixels (x_pixel, y_pixel): the imaging plane does not say how large a pixel is"
        )
        return pd.DataFrame(centers, columns=[f"{axis}_pixel" for axis in "xyz"[:n]])
    at = np.zeros((len(centers), 3))
    at[:, :n] = centers * sizes[:n] * scale
    origin = array(plane, "origin_coords")
    shift = None if origin is None else _MM.get(text(origin.attrs.get("unit", "meters")).lower())
    if origin is not None and shift is not None:
        at[:, : origin.shape[0]] += whole(origin).astype(np.float64) * shift
    said.append(
        f"positions are centroids of masks (first axis x) x pixels of {sizes[0] * scale * 1000:g} micrometers"
        + ("" if origin is None else ", from the plane's origin")
    )
    return pd.DataFrame(at, columns=list("xyz"))
