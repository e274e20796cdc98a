"""The numbers behind comparison figures, as tables: from stored records to DataFrames, and nothing else.

Figures draw these tables and no other numbers, so that a CSV beside a figure holds all that it shows.
"""

from collections.abc import Mapping, Sequence
from itertools import combinations
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from ...analysis.statistics.paired_tests import rank_correlation
from ...analysis.statistics.replicates import Replicates
from ...analysis.statistics.resampling import Floats, benjamini_hochberg, percentile_interval
from ..results.record import COLUMNS, cells, public
from ..score_key import BRAIN
from .layer_curve import best_raw

Record = Mapping[str, Any]
Arrays = Mapping[str, npt.NDArray[Any]]

_DRAWS = 1000
SHOWN = {
    name: title
    for one in COLUMNS.values()
    if one.field.main
    for name, title in ({one.name: one.title} | ({"q": "q"} if one.name == "p" else {})).items()
}
"""The columns of scores that a page has room for, and their heads."""


def scores_table(records: Sequence[Record]) -> pd.DataFrame:
    """A row a score: model, benchmark, score, interval, raw, ceiling, p, q over models, layer, n, what was left out.

    What the brain tells of itself is a reference: the last of its benchmark.

    Parameters
    ----------
    records : sequence of mapping
        As the results store keeps them.
    """
    if not records:
        return pd.DataFrame(columns=list(dict.fromkeys(("model", "benchmark", *SHOWN))))
    rows = [cells(public(one)) | {"best_raw": best_raw(one)} for one in records]
    table = (
        pd.DataFrame(rows)
        .apply(_floats)
        .assign(reference=lambda one: one["model"] == BRAIN)
        .sort_values(["benchmark", "reference", "score"], ascending=[True, True, False], ignore_index=True)
    )
    of_models = table["p"].where(~table.pop("reference"))
    table.insert(list(table.columns).index("p") + 1, "q", benjamini_hochberg(of_models))
    return table


def layers_table(records: Sequence[Record], arrays: Sequence[Arrays]) -> pd.DataFrame:
    """A row a layer of every score: depth (0 to 1), raw value, and its 95 % interval over neuroids or subjects.

    Parameters
    ----------
    records, arrays
        Scores with more than one layer count.
    """
    rows = []
    for one, kept in zip(records, arrays, strict=True):
        names = list(one["layers"])
        if len(names) < 2:
            continue
        units = kept.get("layer_units")
        for i, name in enumerate(names):
            low, high = (np.nan, np.nan)
            if units is not None and len(units) == len(names) and units.shape[1] > 1:
                low, high = _over_units(units[i], median=one["unit"] == "neuroid")
            rows.append(
                {
                    "benchmark": one["benchmark"],
                    "model": one["model"],
                    "layer": name,
                    "depth": i / (len(names) - 1),
                    "raw": _number(one["layers"][name]),
                    "low": low,
                    "high": high,
                    "chosen": name == one["layer"],
                    "ceiling_low": _bound(one, "ceiling_lower"),
                    "ceiling_high": _bound(one, "ceiling_upper"),
                    "n_units": 0 if units is None else int(np.atleast_2d(units).shape[1]),
                    "unit": one["unit"],
                }
            )
    return pd.DataFrame(rows)


def differences_table(records: Sequence[Record], arrays: Sequence[Arrays]) -> pd.DataFrame:
    """A row a pair of models on a benchmark: the difference of scores on the same recording.

    Scores of the same recording, seed and version stand on the same samples, subjects and neuroids, so that what moves
    them is paired. p is two-sided, by t on the difference's own replicates; for metrics that draw, twice the share of
    draws on the other side of 0 (and the observed one). q is Benjamini-Hochberg over all pairs of the table.

    Parameters
    ----------
    records, arrays
        Pairs without comparable draws (another seed, number or version) are there without p, and those of two versions
        without a difference; ``n_draws`` is how many draws, or groups left out, they have in common.
    """
    rows = []
    by_benchmark: dict[str, list[int]] = {}
    for i, one in enumerate(records):
        if one["model"] == BRAIN:  # a reference, no model
            continue
        by_benchmark.setdefault(one["benchmark"], []).append(i)
    for benchmark, members in by_benchmark.items():
        ordered = sorted(members, key=lambda i: (-_number(records[i]["score"]), records[i]["model"]))
        for a, b in combinations(ordered, 2):
            first, second = (np.asarray(arrays[i].get("draws", []), np.float64) for i in (a, b))
            row = {
                "benchmark": benchmark,
                "better": records[a]["model"],
                "other": records[b]["model"],
                "difference": _number(records[a]["score"]) - _number(records[b]["score"]),
            }
            if records[a]["benchmark_version"] != records[b]["benchmark_version"]:
                row["difference"] = np.nan  # of two formulas
            low, high, p, n_draws = np.nan, np.nan, np.nan, 0
            kept = [Replicates.of(_number(records[i]["score"]), arrays[i]) for i in (a, b)]
            if kept[0] is not None and kept[1] is not None and _same_draws(records[a], records[b]):
                apart = kept[0] - kept[1]
                low, high, p, n_draws = *apart.interval(), apart.p(), len(apart.samples)
            elif len(first) and len(first) == len(second) and _same_draws(records[a], records[b]):
                drawn = first - second
                low, high = percentile_interval(drawn)
                tail = min((drawn <= 0).sum(), (drawn >= 0).sum())
                p, n_draws = min(1.0, 2 * (int(tail) + 1) / (len(drawn) + 1)), len(drawn)
            rows.append(row | {"low": low, "high": high, "p": p, "n_draws": n_draws})
    table = pd.DataFrame(
        rows, columns=["benchmark", "better", "other", "difference", "low", "high", "p", "n_draws"]
    )
    table["q"] = benjamini_hochberg(table["p"]) if len(table) else []
    return table


_OF_UNITS = (
    "ceiling",
    *(f"neuroid_{name}" for name in ("id", "subject", "x", "y", "z", "hemisphere", "vertex")),
)


def units_table(records: Sequence[Record], arrays: Sequence[Arrays]) -> pd.DataFrame:
    """A row a neuroid or subject of every score: raw value, ceiling, place in mm where it is known.

    Parameters
    ----------
    records, arrays
    """
    parts = []
    for one, kept in zip(records, arrays, strict=True):
        raw = np.asarray(kept.get("raw", []), np.float64)
        if one["unit"] == "none" or raw.ndim != 1 or len(raw) == 0 or one["model"] == BRAIN:
            continue
        part = pd.DataFrame(
            {
                "benchmark": one["benchmark"],
                "model": one["model"],
                "unit": one["unit"],
                "index": range(len(raw)),
                "raw": raw,
            }
        )
        for name in _OF_UNITS:
            if len(kept.get(name, [])) == len(raw):
                part[name if name == "neuroid_id" else name.removeprefix("neuroid_")] = kept[name]
        parts.append(part)
    return (
        pd.concat(parts, ignore_index=True)
        if parts
        else pd.DataFrame(columns=["benchmark", "model", "unit", "raw"])
    )


def rdms_table(records: Sequence[Record], arrays: Sequence[Arrays], benchmark: str) -> pd.DataFrame:
    """A row a pair of stimuli: the dissimilarity in the brain and in the chosen layer of every model.

    Parameters
    ----------
    records, arrays
    benchmark : str
        Whose RDMs were kept.

    Returns
    -------
    DataFrame
        ``first`` and ``second`` stimulus, ordered by category, ``brain``, and a column a model; ``attrs`` hold the
        ``stimulus_ids`` and ``categories`` in their order, and in ``left_out`` which model is not there, and why.
        Empty where nothing was kept.
    """
    here = [pair for pair in zip(records, arrays, strict=True) if pair[0]["benchmark"] == benchmark]
    found = [(one, kept) for one, kept in here if "model_rdm" in kept]
    if not found:
        return pd.DataFrame()
    sets = [frozenset(kept["stimulus_id"].astype(str)) for _, kept in found]
    of_most = found[sets.index(max(sets, key=sets.count))][1]
    ids, category = of_most["stimulus_id"].astype(str), of_most["category"].astype(str)
    n = len(ids)
    order = np.lexsort((np.arange(n), category))
    row, column = np.triu_indices(n, k=1)
    first, second = order[row], order[column]
    table = pd.DataFrame(
        {
            "first": ids[first],
            "second": ids[second],
            "brain": _pairs_of(of_most, "brain_rdm", ids[first], ids[second]),
        }
    )
    left_out = [f"{one['model']}: its RDM was not kept" for one, kept in here if "model_rdm" not in kept]
    for (one, kept), stimuli in zip(found, sets, strict=True):
        if stimuli == set(ids):
            table[one["model"]] = _pairs_of(kept, "model_rdm", ids[first], ids[second])
        else:
            left_out.append(f"{one['model']}: of other stimuli")
    table.attrs |= {
        "stimulus_ids": ids[order].tolist(),
        "categories": category[order].tolist(),
        "left_out": left_out,
    }
    return table


def _pairs_of(kept: Arrays, name: str, first: npt.NDArray[Any], second: npt.NDArray[Any]) -> Floats:
    """The dissimilarities of pairs of stimuli, in whatever order they were kept."""
    place = pd.Index(kept["stimulus_id"].astype(str))
    n, (a, b) = len(place), (place.get_indexer(pd.Index(one)) for one in (first, second))
    low, high = np.minimum(a, b), np.maximum(a, b)
    values: Floats = np.asarray(kept[name], np.float64)
    if values.shape != (n * (n - 1) // 2,):
        raise ValueError(f"{name} holds {values.shape}, not the pairs of {n} stimuli")
    found: Floats = values[low * n - low * (low + 1) // 2 + (high - low - 1)]
    return found


def layouts_table(reports: Sequence[Mapping[str, Any]]) -> pd.DataFrame:
    """A row a model (its layer, its mean over contrasts): dimensionality, Moran's I and its null, from layout reports.

    Parameters
    ----------
    reports : sequence of mapping
        What ``brodmann analyze MODEL --layer LAYER`` wrote.
    """
    rows = []
    for one in reports:
        found = one["dimensionality"]
        row = {
            "model": one["model"],
            "layer": one["layer"],
            "stimuli": one["stimuli"],
            "dimensionality": _number(found["corrected"]),
            "dimensionality_low": _number(found["interval"][0]),
            "dimensionality_high": _number(found["interval"][1]),
            "n_samples": found["n_samples"],
            "layout": "",
            "morans_i": np.nan,
            "morans_i_null": np.nan,
        }
        if one.get("space") and "layouts" in one["space"]:
            own = one["space"]["layout"]
            values = one["space"]["layouts"][own]["morans_i"].values()
            row |= {
                "layout": own,
                "morans_i": float(np.mean([value["I"] for value in values])),
                "morans_i_null": float(np.mean([value["null_mean"] for value in values])),
            }
        rows.append(row)
    return pd.DataFrame(rows)


def maps_table(reports: Sequence[Mapping[str, Any]], maps: Sequence[Arrays]) -> pd.DataFrame:
    """A row a unit, map and layout: the t value of a contrast where the unit lies; own layouts and permuted ones.

    Parameters
    ----------
    reports : sequence of mapping
        Layout reports.
    maps : sequence of mapping
        ``layout``, ``contrast``, ``t`` and ``positions`` of each; empty where none were kept.
    """
    parts = []
    for one, kept in zip(reports, maps, strict=True):
        if "t" not in kept:
            continue
        own = one["space"]["layout"]
        for layout, contrast, t, places in zip(
            kept["layout"], kept["contrast"], kept["t"], kept["positions"], strict=True
        ):
            shown = "own" if layout == own else "permuted" if str(layout).startswith("permuted") else ""
            if shown:
                found = one["space"]["layouts"][str(layout)]["morans_i"][str(contrast)]
                parts.append(
                    pd.DataFrame(
                        {
                            "model": one["model"],
                            "layer": one["layer"],
                            "stimuli": one["stimuli"],
                            "contrast": str(contrast),
                            "layout": shown,
                            "x": places[:, 0],
                            "y": places[:, 1],
                            "t": t,
                            "morans_i": found["I"],
                            "z": found["z"],
                        }
                    )
                )
    return pd.concat(parts, ignore_index=True) if parts else pd.DataFrame()


def against_table(scores: pd.DataFrame, layouts: pd.DataFrame, measure: str) -> pd.DataFrame:
    """A row a model and benchmark: score against a measure of its layout; several layers of a model are averaged.

    Parameters
    ----------
    scores : DataFrame
        From :func:`scores_table`.
    layouts : DataFrame
        From :func:`layouts_table`.
    measure : str
        A column of `layouts`.
    """
    if layouts.empty:
        return pd.DataFrame()
    mean = layouts.groupby("model", as_index=False)[measure].mean()
    joined = scores.merge(mean, on="model")[["benchmark", "model", "score", "low", "high", measure]]
    known: pd.DataFrame = joined[np.isfinite(joined[measure])].reset_index(drop=True)
    return known


def correlation_over_models(x: npt.ArrayLike, y: npt.ArrayLike, random_state: int = 0) -> dict[str, float]:
    """Spearman's r over models, its interval (models drawn anew) and p (models permuted); NaN for fewer than 4.

    Parameters
    ----------
    x, y : array of shape (n_models,)
    random_state : int
    """
    from scipy.stats import rankdata

    first, second = np.asarray(x, np.float64), np.asarray(y, np.float64)
    n = len(first)
    nothing = {"r": np.nan, "low": np.nan, "high": np.nan, "p": np.nan, "n": n}
    if n < 4 or np.ptp(first) == 0 or np.ptp(second) == 0:
        return nothing

    def r(a: Floats, b: Floats) -> float:
        if np.ptp(a) == 0 or np.ptp(b) == 0:
            return float("nan")
        return float(np.corrcoef(rankdata(a), rankdata(b))[0, 1])

    generator = np.random.default_rng(random_state)
    draws = [r(first[rows], second[rows]) for rows in generator.integers(n, size=(_DRAWS, n))]
    observed, p = rank_correlation(first, second, permutations=_DRAWS, generator=generator)
    low, high = percentile_interval(np.array(draws))
    return {"r": observed, "low": low, "high": high, "p": p, "n": n}


def _over_units(values: npt.NDArray[Any], *, median: bool, random_state: int = 0) -> tuple[float, float]:
    known = np.asarray(values, np.float64)
    rows = np.random.default_rng(random_state).integers(len(known), size=(_DRAWS // 4, len(known)))
    drawn = np.median(known[rows], axis=1) if median else known[rows].mean(axis=1)
    return percentile_interval(drawn)


def _same_draws(a: Record, b: Record) -> bool:
    keys = ("seed", "n_bootstraps", "data_digest")
    same = all(a["provenance"].get(key) == b["provenance"].get(key) for key in keys)
    return same and a["benchmark_version"] == b["benchmark_version"] and a["n_stimuli"] == b["n_stimuli"]


def _bound(record: Record, bound: str) -> float:
    """A bound over subjects, or the best raw value where there are none."""
    return _number(best_raw(record) if record[bound] is None else record[bound])


def _floats(column: "pd.Series[Any]") -> "pd.Series[Any]":
    """Numbers of which some, or all, do not exist: NaN stands for them."""
    return column.astype(float) if all(one is None or isinstance(one, float) for one in column) else column


def _number(value: Any) -> float:
    return float("nan") if value is None else float(value)
