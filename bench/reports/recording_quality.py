"""How good a recording is, neuroid by neuroid: mean, spread, reliability, signal to noise, and what was shown when."""

from dataclasses import replace

import numpy as np
import numpy.typing as npt
import pandas as pd

from ...brain_data.dataset import Dataset
from ...brain_data.noise_ceiling import noise_variance
from ...brain_data.repetitions import mean_response
from ...brain_data.stored import column_blocks
from ...progress import track
from ..metrics.recording import recording

Floats = npt.NDArray[np.float64]
_BLOCK = 1 << 26
"""Bytes of a block of neuroids in double precision; some copies of it are made."""
PLACES = ("subject", "x", "y", "z", "hemisphere", "vertex")


def quality(dataset: Dataset) -> pd.DataFrame:
    """What there is to say of each neuroid.

    Of trials, with noise variance s^2 of one presentation, n_i presentations of stimulus i, and the variance v of the
    mean responses over stimuli: reliability of the mean response 1 - s^2 mean(1 / n_i) / v, and signal to noise of one
    presentation sqrt(max(v - s^2 mean(1 / n_i), 0)) / s (``ncsnr`` of Allen et al. 2022, Nat. Neurosci. 25:116). Of
    recordings in several sessions after z-scoring within them, as scores are. Of a series the mean over its standard
    deviation, per run, and the median of these (temporal SNR).

    Parameters
    ----------
    dataset : Dataset
        With responses; several time bins are averaged.

    Returns
    -------
    DataFrame
        ``neuroid_id``, ``region``, what is known of ``subject`` and place, ``mean``, ``sd``, ``reliability``, ``snr``;
        NaN where stimuli were not repeated. Memory holds a block of neuroids at a time.
    """
    assert dataset.responses is not None
    whole = dataset
    if dataset.responses.sizes.get("time_bin", 1) > 1:
        bins = dataset.responses["time_bin_start"].values, dataset.responses["time_bin_end"].values
        whole = dataset.window(float(bins[0].min()), float(bins[1].max()))
    responses = whole.responses
    assert responses is not None
    table = pd.DataFrame({name: responses[name].values for name in ("neuroid_id", "region")})
    for name in PLACES:
        if name in responses.coords and responses[name].dims == ("neuroid",):
            table[name] = responses[name].values
    measured = ["mean", "sd", "reliability", "snr"]
    table[measured] = np.nan
    for region in dict.fromkeys(table["region"]):
        members = np.flatnonzero(table["region"] == region)
        blocks = list(column_blocks((len(responses), len(members)), 8, _BLOCK))
        for block in track(blocks, f"quality of {region}"):
            some = members[block]
            part = replace(whole, responses=responses[:, some])
            found = _of_series(part) if dataset.kind == "series" else _of_trials(part, region)
            held = responses[:, some].values
            table.loc[some, measured[:2]] = np.stack(
                [np.nanmean(held, axis=0), np.nanstd(held, axis=0)], axis=1
            )
            # a neuroid that does not vary within a session has left the recording
            known = table["neuroid_id"].iloc[some].isin(found.index).to_numpy()
            table.loc[some[known], measured[2:]] = found.loc[table["neuroid_id"].iloc[some[known]]].to_numpy()
    return table


def _of_trials(part: Dataset, region: str) -> pd.DataFrame:
    recorded = recording(part, region).distinct
    cube = recorded.responses
    noise = noise_variance(cube)
    counted = (~np.isnan(cube)).any(axis=2).sum(axis=1)
    v = mean_response(cube).var(axis=0, ddof=1)
    shared = noise * np.mean(1 / counted)
    with np.errstate(invalid="ignore", divide="ignore"):
        measured = {"reliability": 1 - shared / v, "snr": np.sqrt(np.maximum(v - shared, 0)) / np.sqrt(noise)}
    return pd.DataFrame(measured, index=recorded.neuroids["neuroid_id"])


def _of_series(part: Dataset) -> pd.DataFrame:
    responses = part.responses
    assert responses is not None
    good = np.ones(len(responses), bool) if part.good is None else part.good
    runs = responses["run"].values
    ratios = []
    for run in dict.fromkeys(runs.tolist()):
        held = responses[np.flatnonzero((runs == run) & good)].values.astype(np.float64)
        known = np.isfinite(held).all(axis=0) & (len(held) > 1)
        ratio = np.full(held.shape[1], np.nan)
        with np.errstate(invalid="ignore", divide="ignore"):
            ratio[known] = np.abs(held[:, known].mean(axis=0)) / held[:, known].std(axis=0)
        ratios.append(ratio)
    middle = pd.DataFrame(np.array(ratios)).median(axis=0).to_numpy()
    ids = responses["neuroid_id"].values
    return pd.DataFrame({"reliability": np.full(len(ids), np.nan), "snr": middle}, index=ids)


def coverage(dataset: Dataset) -> pd.DataFrame:
    """How many presentations (of a series: samples) each run, else session, holds, and of how many stimuli."""
    assert dataset.responses is not None
    shown = pd.DataFrame({"stimulus_id": dataset.responses["stimulus_id"].values})
    for name in ("session", "run"):
        if name in dataset.responses.coords and dataset.responses[name].dims == ("presentation",):
            shown[name] = dataset.responses[name].values.astype(str)
    by = [name for name in ("session", "run") if name in shown]
    if not by:
        shown["run"], by = "all", ["run"]
    table = shown.groupby(by, sort=False)["stimulus_id"].agg(["size", "nunique"]).reset_index()
    return table.rename(columns={"size": "presentations", "nunique": "stimuli"})


def in_time(dataset: Dataset) -> pd.DataFrame:
    """Mean response and median reliability of every time bin, by region."""
    assert dataset.responses is not None
    rows = []
    for i, (start, end) in enumerate(
        zip(*(dataset.responses[f"time_bin_{side}"].values for side in ("start", "end")), strict=True)
    ):
        part = replace(dataset, responses=dataset.responses[:, :, [i]])
        for region in dataset.regions:
            members = part.region(region).sizes["neuroid"]
            some = np.linspace(0, members - 1, min(members, 100)).astype(int)
            of_region = part.region(region)[:, some]
            found = _of_trials(replace(part, responses=of_region), region)
            rows.append(
                (region, start, end, float(np.nanmean(of_region.values)), found["reliability"].median())
            )
    return pd.DataFrame(rows, columns=["region", "time_bin_start", "time_bin_end", "mean", "reliability"])
