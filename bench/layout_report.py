"""How brain-like a layout is: selectivity, clustering and dimensionality of a layer or a region, against its nulls."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from ..analysis.clustering import gearys_c, morans_i_of_maps
from ..analysis.dimensionality import effective_dimensionality
from ..analysis.distance_curves import Correlogram, correlation_by_distance, smoothness
from ..analysis.grating_maps import PINWHEEL_DENSITY, grating_tuning, pinwheels
from ..analysis.layout_null import LayoutNull, layout_null
from ..analysis.neighbours import Kind, neighbours
from ..analysis.patch import patches
from ..analysis.resampling import benjamini_hochberg, p_value, permutations
from ..analysis.selectivity import (
    category_selectivity,
    fraction_selective,
    selectivity_reliability,
)
from ..analysis.smoothing import smooth
from ..brain_data.localizers import SCRAMBLED
from ..errors import UserError, unknown
from ..models.position_search import fitted_positions
from ..models.sheet import Sheet, grid_sheet
from ..progress import track
from .tissue import Tissue

Floats = npt.NDArray[np.float64]
Labels = npt.NDArray[np.object_]

VERSION = 1
_Q = 0.05
_FEW_NULLS = 99
"""Permuted layouts for the statistics that take long; Moran's I has as many as were asked for."""
_LABELLINGS, _FEW_LABELLINGS, _LARGE = 199, 49, 2_000_000
"""Permuted labels: fewer for responses of more numbers."""
_SELECTIVE_CV = 0.6
"""Circular variance below which a unit counts as selective for orientation (Margalit et al. 2024)."""
_MOST_FITTED = 30_000


@dataclass(frozen=True)
class Options:
    """What a report is made with.

    Attributes
    ----------
    weights : {"queen", "rook", "nearest", "band"}
    reach : float or None
        For ``nearest`` (units) and ``band`` (distance).
    fwhm : float
        Smoothing of the maps, in the unit of the positions, before everything that concerns space.
    permutations : int
        Layouts of the null of Moran's I.
    threshold : float or None
        Of t, for patches; by default the lowest t whose q is below 0.05.
    random_state : int
    """

    weights: Kind = "queen"
    reach: float | None = None
    fwhm: float = 0.0
    permutations: int = 999
    threshold: float | None = None
    random_state: int = 0


@dataclass(frozen=True)
class Contrast:
    """One kind of stimulus against others.

    Attributes
    ----------
    name : str
    target : str
    against : tuple of str
    """

    name: str
    target: str
    against: tuple[str, ...]


def contrasts_of(labels: Labels, targets: Sequence[str] = ()) -> list[Contrast]:
    """The contrasts of a set of labels.

    Parameters
    ----------
    labels : array
    targets : sequence of str
        ``face`` (against all others, scrambled left out) or ``face-house`` (against one); every category by default,
        scrambled against the others, and of two categories only the first.

    Raises
    ------
    UserError
        For one category only, or an unknown one.
    """
    kinds = sorted(set(labels.tolist()))
    if len(kinds) < 2:
        raise UserError(f"all stimuli are of one category, {str(kinds[0])!r}: a contrast needs two")
    wanted = list(targets) or (kinds if len(kinds) > 2 else kinds[:1])
    found = []
    for name in wanted:
        target, against = name, ""
        if name not in kinds:
            pairs = [(name[:i], name[i + 1 :]) for i in range(len(name)) if name[i] == "-"]
            target, against = next(((a, b) for a, b in pairs if a in kinds and b in kinds), (name, ""))
        if target not in kinds:
            raise unknown("category", name.split("-")[0] if "-" in name else name, kinds)
        others = (against,) if against else tuple(one for one in kinds if one not in (target, SCRAMBLED))
        found.append(Contrast(name, target, others))
    return found


def layout_report(
    tissue: Tissue, contrasts: Sequence[Contrast], options: Options, control: Sheet | None = None
) -> tuple[dict[str, Any], dict[str, Any]]:
    """Selectivity, clustering against the nulls, patches and dimensionality of some units.

    Every spatial number stands beside the same one on layouts that were permuted, at the same smoothing. Three layouts
    besides the units' own: row by row, permuted, and fitted to half of the stimuli and measured with the other half.

    Parameters
    ----------
    tissue : Tissue
    contrasts : sequence of Contrast
    options : Options
    control : Sheet, optional
        The layout of units in their order, for tissue without places.

    Returns
    -------
    report : dict
        JSON-able.
    arrays : dict
        What figures need besides: ``maps``, ``places``, ``layouts``, ``correlogram``, ``eigenvalues``.
    """
    tables = {one.name: _table(tissue, one) for one in contrasts}
    report: dict[str, Any] = {
        "version": VERSION,
        "units": tissue.name,
        "n_units": tissue.responses.shape[1],
        "unit_kind": tissue.neuroids,
        "simulated": tissue.simulated,
        "left_out": tissue.left_out,
        "samples": _samples_said(tissue),
        "presentations": {
            kind: int((tissue.labels == kind).sum()) for kind in sorted(set(tissue.labels.tolist()))
        },
        "selectivity": {one.name: _selectivity(tissue, one, tables[one.name], options) for one in contrasts},
        "dimensionality": dimensionality_of(tissue),
    }
    arrays: dict[str, Any] = {"tables": tables}
    arrays["eigenvalues"] = np.asarray(report["dimensionality"].pop("eigenvalues"))
    if not tables:
        report |= {
            "space": None,
            "space_missing": "the stimuli have no labels to contrast: there are no maps to lay out",
        }
        return report, arrays
    maps = np.stack([table["t"].to_numpy() for table in tables.values()])
    arrays["maps"] = dict(zip(tables, maps, strict=True))
    if len(maps) > 1:
        r = np.corrcoef(maps) if maps.std(axis=1).min() > 0 else np.full((len(maps), len(maps)), np.nan)
        report["map_correlations"] = {"contrasts": list(tables), "r": r.tolist()}
    layouts = _layouts(tissue, control, options)
    if not layouts:
        report["space"] = None
        report["space_missing"] = "these units have no positions, so nothing is said about their layout"
        return report, arrays
    own = next(iter(layouts))
    report["space"] = _space(tissue, list(tables), maps, tables, layouts, options)
    places = layouts[own]
    correlogram = _correlogram(tissue, places, options)
    arrays |= {"places": places, "layouts": layouts, "correlogram": correlogram}
    arrays["layout_maps"] = report["space"].pop("maps")
    report["space"]["length_scale"] = _said_correlogram(correlogram)
    return report, arrays


def dimensionality_of(tissue: Tissue) -> dict[str, Any]:
    """Effective dimensionality of the responses, of means over repetitions where there are enough stimuli."""
    values = _means(tissue) if tissue.samples == "stimuli" else tissue.responses
    found = effective_dimensionality(values)
    return {
        "participation_ratio": found.participation_ratio,
        "corrected": found.corrected,
        "interval": list(found.interval),
        "exponent": found.exponent,
        "fit_range": list(found.fit_range),
        "components": {f"{share:g}": n for share, n in found.components.items()},
        "n_samples": found.n_samples,
        "samples": tissue.samples,
        "eigenvalues": found.eigenvalues.tolist(),
    }


def grating_report(
    tissue: Tissue, gratings: pd.DataFrame, options: Options, control: Sheet | None = None
) -> tuple[dict[str, Any], dict[str, Any]]:
    """What units prefer among gratings, how smooth the maps are against their nulls, and pinwheels.

    Parameters
    ----------
    tissue, options, control
        As in :func:`layout_report`.
    gratings : DataFrame
        The stimuli, in the order of the responses.
    """
    tuning = grating_tuning(tissue.responses, gratings)
    selective = tuning["circular_variance"].to_numpy() < _SELECTIVE_CV
    report: dict[str, Any] = {
        "version": VERSION,
        "units": tissue.name,
        "n_units": len(tuning),
        "unit_kind": tissue.neuroids,
        "simulated": tissue.simulated,
        "left_out": tissue.left_out,
        "samples": f"{len(gratings)} gratings",
        "orientation": {
            "fraction_selective": float(selective.mean()),
            "circular_variance_below": _SELECTIVE_CV,
            "circular_variance_median": float(tuning["circular_variance"].median()),
        },
        "frequency": {f"{level:g}": float(share) for level, share in _shares(tuning["frequency"]).items()},
        "dimensionality": dimensionality_of(tissue),
    }
    if "colour" in tuning.columns:
        report["colour"] = {str(level): float(share) for level, share in _shares(tuning["colour"]).items()}
    arrays: dict[str, Any] = {"tuning": tuning}
    arrays["eigenvalues"] = np.asarray(report["dimensionality"].pop("eigenvalues"))
    places = tissue.places if tissue.places is not None else control
    if places is None:
        report["space"] = None
        report["space_missing"] = "these units have no positions, so nothing is said about their layout"
        return report, arrays
    arrays["places"] = places
    few = min(_FEW_NULLS, options.permutations)
    maps = {
        "orientation": (tuning["orientation"].to_numpy(), 180.0),
        "frequency": (np.log2(tuning["frequency"].to_numpy(np.float64)), None),
    }
    if "colour" in tuning.columns:
        levels = sorted(set(tuning["colour"]))
        maps["colour"] = (np.array([levels.index(one) for one in tuning["colour"]], np.float64), None)
    report["space"] = {"layout": _layout_name(places), "smoothness": {}}
    for name, (values, period) in maps.items():
        if np.ptp(values) == 0:
            continue
        found = layout_null(
            lambda one, period=period: smoothness(one, places, period=period),  # type: ignore[misc]
            values, places, permutations=few, random_state=options.random_state,
        )  # fmt: skip
        report["space"]["smoothness"][name] = _said(found)
    if isinstance(places, Sheet):
        try:
            found_pinwheels = pinwheels(tuning["orientation"], places, fwhm=options.fwhm)
        except UserError as reason:
            report["space"]["pinwheels_missing"] = str(reason)
        else:
            arrays["pinwheels"] = found_pinwheels
            report["space"]["pinwheels"] = {
                "count": found_pinwheels.count,
                "density": found_pinwheels.density,
                "spacing": found_pinwheels.spacing,
                "density_in_cortex": PINWHEEL_DENSITY,
                "null": _said(
                    layout_null(
                        lambda one: float(pinwheels(one, places, fwhm=options.fwhm).count),
                        tuning["orientation"], places, permutations=few, random_state=options.random_state,
                        tail="lower",
                    )
                ),
            }  # fmt: skip
    return report, arrays


def _table(tissue: Tissue, contrast: Contrast) -> pd.DataFrame:
    return category_selectivity(
        tissue.responses,
        tissue.labels,
        contrast.target,
        against=contrast.against,
        stimuli=tissue.averaged_over,
    )


def _selectivity(tissue: Tissue, contrast: Contrast, table: pd.DataFrame, options: Options) -> dict[str, Any]:
    reliability = None
    counts = [int((tissue.labels == kind).sum()) for kind in (contrast.target, *contrast.against)]
    if min(counts) >= 4 and len(table) >= 3:
        found = selectivity_reliability(
            tissue.responses,
            tissue.labels,
            contrast.target,
            against=contrast.against,
            random_state=options.random_state,
            stimuli=tissue.averaged_over,
        )
        reliability = found.corrected
    best = int(table["t"].argmax())
    return {
        "against": list(contrast.against),
        "n_on": table.attrs["n_on"],
        "n_off": table.attrs["n_off"],
        "fraction_selective": fraction_selective(table, q=_Q),
        "q_below": _Q,
        "highest_t": float(table["t"].max()),
        "highest_dprime": float(table["dprime"][best]),
        "highest_unit": best,
        "reliability": reliability,
    }


def _space(
    tissue: Tissue,
    names: list[str],
    maps: Floats,
    tables: Mapping[str, pd.DataFrame],
    layouts: Mapping[str, Any],
    options: Options,
) -> dict[str, Any]:
    varying = [i for i in range(len(maps)) if maps[i].std() > 0]
    if not varying:
        raise UserError(f"no unit of {tissue.name} answers any contrast differently: its maps are constant")
    own, places = next(iter(layouts.items()))
    found: dict[str, Any] = {
        "layouts": {},
        "maps": {},
        "contrasts": {},
        "constant": [names[i] for i in range(len(maps)) if i not in varying],
    }
    kept = [names[i] for i in varying]
    for kind, those in track(list(layouts.items()), "clustering of each layout"):
        shown = maps[varying] if "fitted" not in kind or kind == own else _held_out_maps(tissue, kept, tables)
        weights, reach = weights_for(those, options)
        table = morans_i_of_maps(
            shown, those, weights, options.permutations, options.random_state, reach=reach, fwhm=options.fwhm,
            islands="keep",
        )  # fmt: skip
        found["maps"][kind] = dict(zip(kept, smooth(shown, those, options.fwhm), strict=True))
        found["layouts"][kind] = {
            "weights": weights,
            "reach": reach,
            "n_without_neighbour": table.attrs["n_islands"],
            "morans_i": {
                name: {
                    key: float(row[key])
                    for key in ("I", "p", "q", "z", "null_mean", "null_sd", "exact_z", "exact_p")
                }
                | {"verdict": "clustered" if row["clustered"] else "not clustered"}
                for name, (_, row) in zip(kept, table.iterrows(), strict=True)
            },
        }
    weights, reach = weights_for(places, options)
    few = min(_FEW_NULLS, options.permutations)
    for i, name in track(list(zip(varying, kept, strict=True)), "smoothness and patches of each contrast"):
        geary = gearys_c(
            maps[i],
            places,
            weights,
            few,
            options.random_state,
            reach=reach,
            fwhm=options.fwhm,
            islands="keep",
        )
        found["contrasts"][name] = {
            "smoothness": _said(
                layout_null(
                    lambda one: smoothness(one, places),
                    maps[i], places, fwhm=options.fwhm, permutations=few, random_state=options.random_state,
                )
            ),
            "gearys_c": {key: getattr(geary, key) for key in ("C", "p", "z", "null_mean", "null_sd")},
            "patches": _patches(maps[i], tables[name], places, weights, reach, options),
        }  # fmt: skip
    native = found["layouts"][own]["morans_i"]
    found["labels_permuted"] = _labels_permuted(tissue, kept, tables, native, places, options)
    found |= {
        "layout": own,
        "permuted": f"the places of the units, {options.permutations} times, smoothed alike",
        "permutations": options.permutations,
        "permutations_of_smoothness_and_gearys_c": few,
        "fwhm": options.fwhm,
        "unit": tissue.unit,
        "random_state": options.random_state,
    }
    return found


def _labels_permuted(
    tissue: Tissue,
    names: list[str],
    tables: Mapping[str, pd.DataFrame],
    observed: Mapping[str, Mapping[str, float]],
    places: Any,
    options: Options,
) -> dict[str, Any]:
    """Moran's I of maps made with permuted labels: what any labelling gives, with smooth noise or smooth tuning.

    Units that lie together and answer alike give a clustered map for any contrast. Labels of stimuli are permuted where
    stimuli are the samples, else those of presentations within runs.
    """
    weights, reach = weights_for(places, options)
    n = min(_LABELLINGS if tissue.responses.size < _LARGE else _FEW_LABELLINGS, options.permutations)
    whole, blocks = tissue, tissue.blocks
    if tissue.samples == "stimuli":
        ids, first = np.unique(tissue.stimulus_ids.astype(str), return_index=True)
        whole = replace(
            tissue, responses=_means(tissue), labels=tissue.labels[first], stimulus_ids=ids.astype(object)
        )
        blocks = None
    orders = permutations(
        len(whole.labels),
        n,
        random_state=options.random_state,
        blocks=None if blocks is None else blocks.astype(str),
    )
    null: dict[str, list[float]] = {name: [] for name in names}
    for order in orders:
        shuffled = replace(whole, labels=whole.labels[order], samples="trials")
        maps = np.stack([_again(shuffled, name, tables[name]) for name in names])
        varying = np.flatnonzero(maps.std(axis=1) > 0)
        values = morans_i_of_maps(
            maps[varying], places, weights, 0, reach=reach, fwhm=options.fwhm, islands="keep"
        )["I"]  # fmt: skip
        for i, value in zip(varying, values, strict=True):
            null[names[i]].append(float(value))
    found = {}
    for name, drawn in null.items():
        known = np.array(drawn)
        found[name] = {
            "null_mean": float(known.mean()),
            "null_sd": float(known.std(ddof=1)),
            "z": float((observed[name]["I"] - known.mean()) / known.std(ddof=1)),
            "p": p_value(observed[name]["I"], known),
        }
    for name, q in zip(found, benjamini_hochberg([one["p"] for one in found.values()]), strict=True):
        found[name] |= {"q": float(q), "verdict": "more than" if q < _Q else "like"}
    n_blocks = 1 if blocks is None else len(set(blocks.tolist()))
    within = f" within {n_blocks} runs or repetitions" if n_blocks > 1 else ""
    what = "stimuli" if tissue.samples == "stimuli" else "presentations"
    return {"contrasts": found, "permuted": f"the labels of {what}{within}, {n} times"}


def _again(tissue: Tissue, name: str, table: pd.DataFrame) -> Floats:
    return _table(tissue, Contrast(name, table.attrs["target"], table.attrs["against"]))["t"].to_numpy()


def _patches(
    values: Floats, table: pd.DataFrame, places: Any, weights: Kind, reach: float | None, options: Options
) -> dict[str, Any]:
    threshold = options.threshold
    if threshold is None:
        selective = table["t"][(table["q"] < _Q) & (table["t"] > 0)]
        if len(selective) == 0:
            return {"threshold": None, "n": 0, "why_none": f"no unit has q < {_Q}"}
        threshold = float(selective.min()) - 1e-12

    def largest(one: Floats) -> float:
        # the largest component, without the areas: those need not be known for the null
        from scipy.sparse.csgraph import connected_components

        above = np.flatnonzero(one > threshold)
        if len(above) == 0:
            return 0.0
        return float(np.bincount(connected_components(matrix[above][:, above], directed=False)[1]).max())

    matrix = neighbours(places, weights, reach=reach)
    found = patches(values, places, threshold, weights, reach=reach, fwhm=options.fwhm)
    null = layout_null(
        largest, values, places, fwhm=options.fwhm, permutations=min(_FEW_NULLS, options.permutations),
        random_state=options.random_state,
    )  # fmt: skip
    rows = found.drop(columns="units").head(20)
    return {
        "threshold": threshold,
        "n": len(found),
        "area_unit": found.attrs["area_unit"],
        "share_of_units": found.attrs["share"],
        "largest": [
            {
                key: (int(value) if key in ("n_units", "peak_unit") else float(value))
                for key, value in row.items()
            }
            for row in rows.to_dict("records")
        ],
        "largest_against_permuted": _said(null),
    }


def _layouts(tissue: Tissue, control: Sheet | None, options: Options) -> dict[str, Any]:
    """The units' own places first, then the controls."""
    own = tissue.places if tissue.places is not None else control
    if own is None:
        return {}
    found: dict[str, Any] = {_layout_name(own): own}
    if not isinstance(own, Sheet):
        order = np.random.default_rng(options.random_state).permutation(len(own))
        return found | {f"permuted({options.random_state})": own[order]}
    plain = control or grid_sheet(own.layer, len(own), reads=own.reads)
    if not np.array_equal(_order_of(plain), _order_of(own)):
        found["row-major"] = plain
    shuffled = own.permuted(options.random_state)
    found[shuffled.layout] = shuffled
    if len(own) <= _MOST_FITTED and tissue.samples == "stimuli":
        fit, _ = _halves(tissue)
        fitted = fitted_positions(own, tissue.responses[fit], random_state=options.random_state)
        found[fitted.layout] = fitted
    return found


def _order_of(sheet: Sheet) -> npt.NDArray[np.intp]:
    order: npt.NDArray[np.intp] = np.lexsort(
        (np.round(sheet.positions[:, 0], 9), np.round(sheet.positions[:, 1], 9))
    )
    return order


def _layout_name(places: Any) -> str:
    return places.layout if isinstance(places, Sheet) else "native"


def _halves(tissue: Tissue) -> tuple[npt.NDArray[np.intp], npt.NDArray[np.intp]]:
    """Alternate stimuli of every category: the even ones, the odd ones."""
    first = np.zeros(len(tissue.labels), bool)
    for kind in set(tissue.labels.tolist()):
        first[np.flatnonzero(tissue.labels == kind)[::2]] = True
    return np.flatnonzero(first), np.flatnonzero(~first)


def _held_out_maps(tissue: Tissue, names: Sequence[str], tables: Mapping[str, pd.DataFrame]) -> Floats:
    """The t maps of the half of the stimuli that the layout was not fitted to."""
    _, held = _halves(tissue)
    half = replace(
        tissue,
        responses=tissue.responses[held],
        labels=tissue.labels[held],
        stimulus_ids=tissue.stimulus_ids[held],
    )
    maps = []
    for name in names:
        maps.append(_again(half, name, tables[name]))
    return np.stack(maps)


def weights_for(places: Any, options: Options) -> tuple[Kind, float | None]:
    """The weights that were asked for; where queen or rook find no grid, the 8 nearest units."""
    if options.weights in ("queen", "rook"):
        try:
            neighbours(places, options.weights)
        except UserError:
            return "nearest", 8.0
    return options.weights, options.reach


def _correlogram(tissue: Tissue, places: Any, options: Options) -> Correlogram | None:
    try:
        return correlation_by_distance(_means(tissue), places, random_state=options.random_state)
    except UserError:
        return None


def _said_correlogram(found: Correlogram | None) -> dict[str, Any] | None:
    if found is None:
        return None
    return {
        "length_scale": found.length_scale,
        "interval": list(found.interval),
        "shape": found.shape,
        "height": found.height,
        "floor": found.floor,
        "resampled": "stimuli, with replacement, 200 times",
    }


def _said(null: LayoutNull) -> dict[str, Any]:
    return {
        "value": null.observed,
        "null_mean": null.mean,
        "null_sd": null.sd,
        "z": null.z,
        "p": null.p,
        "permutations": null.n,
        "tail": null.tail,
    }


def _means(tissue: Tissue) -> Floats:
    """The mean response to every stimulus, (n_stimuli, n_units)."""
    _, member = np.unique(tissue.stimulus_ids.astype(str), return_inverse=True)
    sums = np.zeros((member.max() + 1, tissue.responses.shape[1]))
    np.add.at(sums, member, tissue.responses)
    return sums / np.bincount(member)[:, None]


def _samples_said(tissue: Tissue) -> str:
    n_stimuli = len(set(tissue.stimulus_ids.tolist()))
    n = len(tissue.labels)
    if tissue.samples == "stimuli":
        return f"{n_stimuli} stimuli" + ("" if n == n_stimuli else f", means of {n} presentations")
    return (
        f"{n} presentations of {n_stimuli} stimuli, each a sample: too few stimuli a category to count them"
    )


def _shares(levels: "pd.Series[Any]") -> "pd.Series[float]":
    return levels.value_counts(normalize=True).sort_index()
