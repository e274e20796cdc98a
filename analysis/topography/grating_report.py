"""What the units of a layer prefer among gratings, how smooth the maps are, and their pinwheels."""

from typing import Any

import numpy as np
import pandas as pd

from ...errors import UserError
from ...models.sheet import Sheet
from ..spatial.correlogram import smoothness_of
from ..spatial.permutation_null import layout_null
from ..spatial.pinwheels import PINWHEEL_DENSITY, grating_tuning, pinwheels
from .contrasts import LayoutOptions
from .controls import layout_name
from .report import VERSION, describe, dimensionality_of
from .unit_responses import UnitResponses

_SELECTIVE_CV = 0.6
"""Circular variance below which a unit counts as selective for orientation (Margalit et al. 2024)."""


def grating_report(
    unit_responses: UnitResponses,
    gratings: pd.DataFrame,
    options: LayoutOptions,
    control: Sheet | None = None,
) -> tuple[dict[str, Any], dict[str, Any]]:
    """What units prefer among gratings, how smooth the maps are against their nulls, and pinwheels.

    Parameters
    ----------
    unit_responses, options, control
        As in :func:`layout_report`.
    gratings : DataFrame
        The stimuli, in the order of the responses.
    """
    tuning = grating_tuning(unit_responses.responses, gratings)
    selective = tuning["circular_variance"].to_numpy() < _SELECTIVE_CV
    report: dict[str, Any] = {
        "version": VERSION,
        "units": unit_responses.name,
        "n_units": len(tuning),
        "unit_kind": unit_responses.neuroids,
        "simulated": unit_responses.simulated,
        "left_out": unit_responses.left_out,
        "samples": f"{len(gratings)} gratings",
        "orientation": {
            "fraction_selective": float(selective.mean()),
            "circular_variance_below": _SELECTIVE_CV,
            "circular_variance_median": float(tuning["circular_variance"].median()),
        },
        "frequency": {f"{level:g}": float(share) for level, share in _shares(tuning["frequency"]).items()},
        "dimensionality": dimensionality_of(unit_responses),
    }
    if "colour" in tuning.columns:
        report["colour"] = {str(level): float(share) for level, share in _shares(tuning["colour"]).items()}
    arrays: dict[str, Any] = {"tuning": tuning}
    arrays["eigenvalues"] = np.asarray(report["dimensionality"].pop("eigenvalues"))
    places = unit_responses.places if unit_responses.places is not None else control
    if places is None:
        report["space"] = None
        report["space_missing"] = "these units have no positions, so nothing is said about their layout"
        return report, arrays
    arrays["places"] = places
    few = options.few_permutations
    maps = {
        "orientation": (tuning["orientation"].to_numpy(), 180.0),
        "frequency": (np.log2(tuning["frequency"].to_numpy(np.float64)), None),
    }
    if "colour" in tuning.columns:
        levels = sorted(set(tuning["colour"]))
        maps["colour"] = (np.array([levels.index(one) for one in tuning["colour"]], np.float64), None)
    report["space"] = {"layout": layout_name(places), "smoothness": {}}
    for name, (values, period) in maps.items():
        if np.ptp(values) == 0:
            continue
        found = layout_null(
            smoothness_of(places, period=period),
            values, places, permutations=few, random_state=options.random_state,
        )  # fmt: skip
        report["space"]["smoothness"][name] = describe(found)
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
                "null": describe(
                    layout_null(
                        lambda one: float(pinwheels(one, places, fwhm=options.fwhm).count),
                        tuning["orientation"], places, permutations=few, random_state=options.random_state,
                        tail="lower",
                    )
                ),
            }  # fmt: skip
    return report, arrays


def _shares(levels: "pd.Series[Any]") -> "pd.Series[float]":
    return levels.value_counts(normalize=True).sort_index()
