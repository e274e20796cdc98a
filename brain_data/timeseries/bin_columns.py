"""Time bins as columns: a response of a neuroid in each bin, for what takes (presentation, neuroid)."""

from dataclasses import replace

import numpy as np
import xarray as xr

from ..dataset import Dataset
from ..stored import walk


def bins_as_columns(dataset: Dataset) -> Dataset:
    """The same with a column for every neuroid and time bin, bin by bin.

    ``neuroid_id`` is followed by ``@`` and the start of the bin in ms; ``time_bin_start`` and ``time_bin_end`` are
    columns of the neuroids. Without time bins, the data set as it is.
    """
    responses = dataset.responses
    if responses is None or "time_bin" not in responses.dims:
        return dataset
    n_rows, n_neuroids, n_bins = responses.shape
    starts, ends = (responses[f"time_bin_{side}"].values for side in ("start", "end"))
    values = np.empty((n_rows, n_bins * n_neuroids), responses.dtype)
    for rows, held in walk(responses):
        values[rows] = np.moveaxis(held, 2, 1).reshape(len(held), -1)
    coordinates = {
        str(name): (one.dims[0], np.tile(one.values, n_bins) if one.dims == ("neuroid",) else one.values)
        for name, one in responses.coords.items()
        if one.dims in (("neuroid",), ("presentation",))
    }
    ids = [f"{name}@{start:g}" for start in starts for name in responses["neuroid_id"].values]
    coordinates |= {
        "neuroid_id": ("neuroid", np.array(ids, object)),
        "time_bin_start": ("neuroid", np.repeat(starts, n_neuroids)),
        "time_bin_end": ("neuroid", np.repeat(ends, n_neuroids)),
    }
    made = xr.DataArray(values, dims=("presentation", "neuroid"), coords=coordinates, attrs=responses.attrs)
    return replace(dataset, responses=made)
