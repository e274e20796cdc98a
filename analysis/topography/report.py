"""How brain-like a layout is: selectivity, clustering and dimensionality of a layer or a region, against its nulls."""

from collections.abc import Callable, Mapping, Sequence
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from ...errors import UserError
from ...files import write_bytes
from ...models.sheet import Sheet
from ...progress import track
from ..representation.dimensionality import effective_dimensionality
from ..representation.recorded_dimensionality import recorded_dimensionality
from ..representation.selectivity import fraction_selective, selectivity_reliability
from ..spatial.correlogram import Correlogram, correlation_by_distance, smoothness_of
from ..spatial.gearys_c import gearys_c
from ..spatial.morans_i import morans_i_of_maps
from ..spatial.patches import largest_patch, patches
from ..spatial.permutation_null import LayoutNull, layout_null
from ..spatial.smoothing import smooth
from ..spatial.spatial_weights import SpatialWeights, positions_of
from .contrasts import Contrast, LayoutOptions, table_of
from .controls import held_out_maps, labels_permuted, layouts_of, samples_redrawn, weights_for
from .unit_responses import Floats, UnitResponses, means

VERSION = 2
_Q = 0.05


def layout_report(
    unit_responses: UnitResponses,
    contrasts: Sequence[Contrast],
    options: LayoutOptions,
    control: Sheet | None = None,
) -> tuple[dict[str, Any], dict[str, Any]]:
    """Selectivity, clustering against the nulls, patches and dimensionality of some units.

    Every spatial number stands beside the same one on layouts that were permuted, at the same smoothing. Three layouts
    besides the units' own: row by row, permuted, and fitted to half of the stimuli and measured with the other half.

    Parameters
    ----------
    unit_responses : UnitResponses
    contrasts : sequence of Contrast
    options : LayoutOptions
    control : Sheet, optional
        The layout of units in their order, for tissue without places.

    Returns
    -------
    report : dict
        JSON-able.
    arrays : dict
        What figures need besides: ``maps``, ``places``, ``layouts``, ``correlogram``, ``eigenvalues``.
    """
    tables = {one.name: table_of(unit_responses, one) for one in contrasts}
    report: dict[str, Any] = {
        "version": VERSION,
        "units": unit_responses.name,
        "n_units": unit_responses.responses.shape[1],
        "unit_kind": unit_responses.neuroids,
        "simulated": unit_responses.simulated,
        "left_out": unit_responses.left_out,
        "samples": _describe_samples(unit_responses),
        "presentations": {
            kind: int((unit_responses.labels == kind).sum())
            for kind in sorted(set(unit_responses.labels.tolist()))
        },
        "selectivity": {
            one.name: _selectivity(unit_responses, one, tables[one.name], options) for one in contrasts
        },
        "dimensionality": dimensionality_of(unit_responses),
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
    layouts = layouts_of(unit_responses, control, options)
    if not layouts:
        report["space"] = None
        report["space_missing"] = "these units have no positions, so nothing is said about their layout"
        return report, arrays
    places = next(iter(layouts.values()))
    report["space"], layout_maps = _space(unit_responses, tables, layouts, options)
    correlogram = _correlogram(unit_responses, places, options)
    report["space"]["length_scale"] = _describe_correlogram(correlogram)
    arrays |= {"places": places, "layouts": layouts, "layout_maps": layout_maps, "correlogram": correlogram}
    return report, arrays


def write_maps(arrays: Mapping[str, Any], path: Path) -> None:
    """Keep the maps of every layout with their positions, for comparison figures.

    Parameters
    ----------
    arrays : mapping
        From :func:`layout_report`.
    path : Path
        Of the ``.npz`` file: ``layout``, ``contrast`` and ``t`` (a row a map), ``positions`` by layout.
    """
    rows = [
        (layout, contrast, values, positions_of(arrays["layouts"][layout]))
        for layout, maps in arrays["layout_maps"].items()
        for contrast, values in maps.items()
    ]
    stream = BytesIO()
    np.savez_compressed(
        stream,
        layout=np.array([row[0] for row in rows]),
        contrast=np.array([row[1] for row in rows]),
        t=np.array([row[2] for row in rows], np.float32),
        positions=np.array([row[3] for row in rows], np.float32),
    )
    write_bytes(path, stream.getvalue())


def dimensionality_of(unit_responses: UnitResponses) -> dict[str, Any]:
    """Effective dimensionality of the responses; of recordings that of what repetitions of the stimuli share."""
    if unit_responses.blocks is None:
        found = effective_dimensionality(means(unit_responses))
    else:
        found = recorded_dimensionality(
            unit_responses.responses, unit_responses.stimulus_ids, blocks=unit_responses.blocks
        )
    return {
        "participation_ratio": found.participation_ratio,
        "corrected": found.corrected,
        "interval": list(found.interval),
        "why_none": found.why_none,
        "estimator": found.estimator,
        "interval_of_these": list(found.interval_of_these),
        "exponent": found.exponent,
        "fit_range": list(found.fit_range),
        "components": {f"{share:g}": n for share, n in found.components.items()},
        "n_samples": found.n_samples,
        "n_units": found.n_units,
        "samples": "stimuli",
        "eigenvalues": found.eigenvalues.tolist(),
    }


def _selectivity(
    unit_responses: UnitResponses, contrast: Contrast, table: pd.DataFrame, options: LayoutOptions
) -> dict[str, Any]:
    reliability = None
    counts = [int((unit_responses.labels == kind).sum()) for kind in (contrast.target, *contrast.against)]
    if min(counts) >= 4 and len(table) >= 3:
        found = selectivity_reliability(
            unit_responses.responses,
            unit_responses.labels,
            contrast.target,
            against=contrast.against,
            random_state=options.random_state,
            stimuli=unit_responses.averaged_over,
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
    unit_responses: UnitResponses,
    tables: Mapping[str, pd.DataFrame],
    layouts: Mapping[str, Any],
    options: LayoutOptions,
) -> tuple[dict[str, Any], dict[str, dict[str, Floats]]]:
    """What concerns the places of the units; and the smoothed maps, by layout and contrast."""
    maps = {name: table["t"].to_numpy() for name, table in tables.items() if table["t"].to_numpy().std() > 0}
    if not maps:
        raise UserError(
            f"no unit of {unit_responses.name} answers any contrast differently: its maps are constant"
        )
    names, own = list(maps), next(iter(layouts))
    weights = {layout: weights_for(places, options) for layout, places in layouts.items()}
    clustering, smoothed = {}, {}
    for layout, here in track(list(weights.items()), "clustering of each layout"):
        unseen = "fitted" in layout and layout != own
        shown = held_out_maps(unit_responses, names, tables) if unseen else np.stack(list(maps.values()))
        clustering[layout] = _clustering(names, shown, here, options)
        smoothed[layout] = dict(zip(names, smooth(shown, here, options.fwhm), strict=True))
    smoothness = smoothness_of(weights[own])
    contrasts = {
        name: _contrast(maps[name], tables[name], weights[own], smoothness, options)
        for name in track(names, "smoothness and patches of each contrast")
    }
    native = clustering[own]["morans_i"]
    return {
        "layouts": clustering,
        "contrasts": contrasts,
        "constant": [name for name in tables if name not in maps],
        "labels_permuted": labels_permuted(unit_responses, names, tables, native, weights[own], options),
        "samples_redrawn": samples_redrawn(unit_responses, names, tables, weights[own], options),
        "layout": own,
        "permuted": f"the places of the units, {options.permutations} times, smoothed alike",
        "permutations": options.permutations,
        "permutations_of_smoothness_and_gearys_c": options.few_permutations,
        "fwhm": options.fwhm,
        "unit": unit_responses.unit,
        "random_state": options.random_state,
    }, smoothed


def _clustering(
    names: Sequence[str], maps: Floats, weights: SpatialWeights, options: LayoutOptions
) -> dict[str, Any]:
    """Moran's I of every contrast on one layout."""
    table = morans_i_of_maps(maps, weights, options.permutations, options.random_state, fwhm=options.fwhm)
    keys = ["I", "p", "q", "z", "null_mean", "null_sd", "exact_z", "exact_p"]
    return {
        "weights": weights.kernel,
        "reach": weights.reach,
        "n_without_neighbour": len(weights.isolates),
        "morans_i": {
            name: {key: float(row[key]) for key in keys}
            | {"verdict": "clustered" if row["clustered"] else "not clustered"}
            for name, (_, row) in zip(names, table.iterrows(), strict=True)
        },
    }


def _contrast(
    values: Floats,
    table: pd.DataFrame,
    weights: SpatialWeights,
    smoothness: Callable[[npt.ArrayLike], float],
    options: LayoutOptions,
) -> dict[str, Any]:
    """Smoothness, Geary's C and patches of one map on the units' own layout."""
    few = options.few_permutations
    geary = gearys_c(values, weights, few, options.random_state, fwhm=options.fwhm)
    null = layout_null(
        smoothness, values, weights, fwhm=options.fwhm, permutations=few, random_state=options.random_state
    )
    return {
        "smoothness": describe(null),
        "gearys_c": {key: getattr(geary, key) for key in ("C", "p", "z", "null_mean", "null_sd")},
        "patches": _patches(values, table, weights, options),
    }


def _patches(
    values: Floats, table: pd.DataFrame, weights: SpatialWeights, options: LayoutOptions
) -> dict[str, Any]:
    threshold = options.threshold
    if threshold is None:
        selective = table["t"][(table["q"] < _Q) & (table["t"] > 0)]
        if len(selective) == 0:
            return {"threshold": None, "n": 0, "why_none": f"no unit has q < {_Q}"}
        threshold = float(selective.min()) - 1e-12
    found = patches(values, weights, threshold, fwhm=options.fwhm)
    null = layout_null(
        lambda one: largest_patch(one, weights, threshold), values, weights, fwhm=options.fwhm,
        permutations=options.few_permutations, random_state=options.random_state,
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
        "largest_against_permuted": describe(null),
    }


def _correlogram(unit_responses: UnitResponses, places: Any, options: LayoutOptions) -> Correlogram | None:
    try:
        return correlation_by_distance(means(unit_responses), places, random_state=options.random_state)
    except UserError:
        return None


def _describe_correlogram(found: Correlogram | None) -> dict[str, Any] | None:
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


def describe(null: LayoutNull) -> dict[str, Any]:
    """A null as JSON."""
    return {
        "value": null.observed,
        "null_mean": null.mean,
        "null_sd": null.sd,
        "z": null.z,
        "p": null.p,
        "permutations": null.n,
        "tail": null.tail,
    }


def _describe_samples(unit_responses: UnitResponses) -> str:
    n_stimuli = len(set(unit_responses.stimulus_ids.tolist()))
    n = len(unit_responses.labels)
    if unit_responses.samples == "stimuli":
        return f"{n_stimuli} stimuli" + ("" if n == n_stimuli else f", means of {n} presentations")
    return (
        f"{n} presentations of {n_stimuli} stimuli, each a sample: too few stimuli a category to count them"
    )
