"""The numbers behind figures of recordings in time, as tables: from stored records and their arrays alone."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from ...analysis.encoding.haemodynamic_peak import haemodynamic_peak
from ...analysis.statistics.paired_tests import t_quantile
from ...analysis.statistics.replicates import Replicates
from ...brain_data.timeseries.regressors import haemodynamic_response
from ..results.in_time import in_time
from .layer_curve import best_raw

Record = Mapping[str, Any]
Arrays = Mapping[str, npt.NDArray[Any]]
Floats = npt.NDArray[np.float64]
_STEP = 0.1
_PARTS = {"folds": "delay_without_fold", "subjects": "delay_without_subject"}


def courses_table(record: Record, kept: Arrays) -> pd.DataFrame:
    """A row a sample of each neuroid that was kept: recorded and predicted, both of sd 1, and the words until the next.

    Parameters
    ----------
    record, kept
        One score; without courses the table is empty.

    Returns
    -------
    DataFrame
        ``shown`` are the samples of the stretch; ``attrs`` hold its ``start`` and ``end``, the ``words`` with their
        ``onsets``, ``tr`` and ``trim`` (s, from start and end).
    """
    if "course_observed" not in kept:
        return pd.DataFrame()
    time, story = np.asarray(kept["course_time"], np.float64), kept["course_stories"][kept["course_story"]]
    start, end = (float(one) for one in kept["course_stretch"])
    tr = float(record["methods"]["tr"])
    shown = (story == kept["course_stretch_of"][0]) & (time >= start) & (time < end)
    words, onsets = kept.get("course_word", np.array([], str)), kept.get("course_onset", np.empty(0))
    said = [
        " ".join(words[(onsets >= one) & (onsets < one + tr)]) if here else ""
        for one, here in zip(time, shown, strict=True)
    ]
    parts = []
    for i, neuroid in enumerate(kept["course_neuroid"]):
        part = {
            "neuroid": str(kept["neuroid_id"][neuroid]) if "neuroid_id" in kept else f"neuroid {neuroid}",
            "quantile": float(kept["course_quantile"][i]),
            "r": float(kept["raw"][neuroid]),
            "story": story,
            "time": time,
            "fold": kept["course_fold"],
            "shown": shown,
            "recorded": np.asarray(kept["course_observed"][i], np.float64),
            "predicted": np.asarray(kept["course_predicted"][i], np.float64),
            "words": said,
        }
        parts.append(pd.DataFrame(part))
    table = pd.concat(parts, ignore_index=True)
    trim = [float(one) for one in record["methods"].get("trim_s", (0.0, 0.0))]
    table.attrs |= {
        "start": start, "end": end, "words": [str(one) for one in words], "onsets": [float(one) for one in onsets],
        "tr": tr, "trim": trim,
    }  # fmt: skip
    return table


def delays_table(records: Sequence[Record], arrays: Sequence[Arrays]) -> pd.DataFrame:
    """A row a delay of every score: its share of the course over delays, with a jackknife interval.

    Parameters
    ----------
    records, arrays
        Those with several delays count.

    Returns
    -------
    DataFrame
        ``over`` is what was left out for the interval, part by part, ``explained`` how much one course explains,
        ``canonical`` the haemodynamic response of SPM at the delays, scaled alike; ``peak`` (s) where the course is
        highest between the delays, ``peak_low`` and ``peak_high`` its interval over folds.
    """
    rows = []
    for one, kept in zip(records, arrays, strict=True):
        if "delay_profile" not in kept:
            continue
        seconds = np.asarray(kept["delay_s"], np.float64)
        canonical = canonical_at(seconds)
        scale = np.abs(canonical).sum()
        parts = {what: name for what, name in _PARTS.items() if name in kept}
        without = kept.get("delay_without_fold", np.empty((0, len(seconds))))
        peak, ends = haemodynamic_peak(kept["delay_profile"], without, seconds.tolist())
        for i, share in enumerate(kept["delay_profile"]):
            half = _half_width([kept[name][:, i] for name in parts.values()])
            rows.append(
                {
                    "benchmark": one["benchmark"],
                    "model": one["model"],
                    "delay": float(seconds[i]),
                    "share": float(share),
                    "low": float(share) - half,
                    "high": float(share) + half,
                    "canonical": float(canonical[i] / scale) if scale else np.nan,
                    "scale": float(scale),
                    "peak": peak,
                    "peak_low": ends[0],
                    "peak_high": ends[1],
                    "explained": float(kept["delay_explained"][0]),
                    "over": " and ".join(f"{len(kept[name])} {what}" for what, name in parts.items()),
                }
            )
    return pd.DataFrame(rows)


def _half_width(without: Sequence[Floats]) -> float:
    """Of the interval t se: squared errors of the jackknives are added, and the fewest parts give the freedom."""
    errors = [
        Replicates(0.0, np.asarray(one, np.float64), n_samples=len(one)).error_of_samples for one in without
    ]
    return t_quantile(0.975, min(map(len, without)) - 1) * float(np.linalg.norm(errors))


def canonical_at(seconds: npt.ArrayLike) -> Floats:
    """The haemodynamic response of SPM at some times; 0 before the word and after 32 s."""
    response = haemodynamic_response(_STEP)
    found: Floats = np.interp(
        np.asarray(seconds, np.float64), _STEP * np.arange(len(response)), response, left=0.0, right=0.0
    )
    return found


def regions_table(records: Sequence[Record]) -> pd.DataFrame:
    """A row a layer of every score in time, and one a score: r, interval, best reachable r, what is beyond.

    Parameters
    ----------
    records : sequence of mapping

    Returns
    -------
    DataFrame
        ``layer`` is empty in the row of a score, which alone has ``low``, ``high`` and ``beyond``; the interval is that
        of the headline, in units of r.
    """
    rows = []
    for one in records:
        if not in_time(one) or one["raw"] is None:
            continue
        score, best = one["score"], best_raw(one)
        scale = one["raw"] / score if score else np.nan
        place = {
            "dataset": one["dataset"],
            "metric": one["metric"],
            "region": one["region"],
            "model": one["model"],
        }
        place |= {"best": np.nan if best is None else best, "benchmark": one["benchmark"]}
        low, high = (np.nan if bound is None else bound * scale for bound in one["ci"])
        beyond = one.get("beyond")
        of_beyond = [
            np.nan if bound is None else float(bound) for bound in one.get("beyond_ci") or (None, None)
        ]
        rows.append(
            place
            | {
                "layer": "", "chosen": False, "depth": np.nan, "raw": float(one["raw"]), "low": min(low, high),
                "high": max(low, high), "beyond": np.nan if beyond is None else float(beyond),
                "beyond_low": of_beyond[0], "beyond_high": of_beyond[1],
                "beyond_spaces": " + ".join(one.get("beyond_spaces") or []),
            }
        )  # fmt: skip
        names = list(one["layers"])
        for i, name in enumerate(names):
            value = one["layers"][name]
            rows.append(
                place
                | {
                    "layer": name,
                    "chosen": name == one["layer"],
                    "depth": i / max(len(names) - 1, 1),
                    "raw": np.nan if value is None else float(value),
                }
            )
    return pd.DataFrame(rows)
