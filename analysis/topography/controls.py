"""What a report sets beside a map as it is: other layouts, permuted labels, stimuli drawn anew."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from ...errors import UserError
from ...models.sheet import Sheet, grid_sheet
from ...models.topography.position_search import fitted_positions
from ..spatial.morans_i import morans_i_of_maps
from ..spatial.spatial_weights import SpatialWeights
from ..statistics.resampling import benjamini_hochberg, p_value, percentile_interval, permutations
from .contrasts import LayoutOptions, map_again
from .unit_responses import Floats, UnitResponses, means

_MOST_FITTED = 30_000
_Q = 0.05
_DRAWS, _FEW_DRAWS, _LARGE = 199, 49, 2_000_000
"""Maps that are made again: fewer for responses of more numbers."""


def layouts_of(
    unit_responses: UnitResponses, control: Sheet | None, options: LayoutOptions
) -> dict[str, Any]:
    """The units' own places first, then the controls."""
    own = unit_responses.places if unit_responses.places is not None else control
    if own is None:
        return {}
    found: dict[str, Any] = {layout_name(own): own}
    if not isinstance(own, Sheet):
        order = np.random.default_rng(options.random_state).permutation(len(own))
        dealt = own.permuted(order) if isinstance(own, SpatialWeights) else own[order]
        return found | {f"permuted({options.random_state})": dealt}
    plain = control or grid_sheet(own.layer, len(own), reads=own.reads)
    if not np.array_equal(_order_of(plain), _order_of(own)):
        found["row-major"] = plain
    shuffled = own.permuted(options.random_state)
    found[shuffled.layout] = shuffled
    if len(own) <= _MOST_FITTED and unit_responses.samples == "stimuli":
        fit, _ = _halves(unit_responses)
        fitted = fitted_positions(own, unit_responses.responses[fit], random_state=options.random_state)
        found[fitted.layout] = fitted
    return found


def held_out_maps(
    unit_responses: UnitResponses, names: Sequence[str], tables: Mapping[str, pd.DataFrame]
) -> Floats:
    """The t maps of the half of the stimuli that the layout was not fitted to."""
    _, held = _halves(unit_responses)
    half = replace(
        unit_responses,
        responses=unit_responses.responses[held],
        labels=unit_responses.labels[held],
        stimulus_ids=unit_responses.stimulus_ids[held],
    )
    return np.stack([map_again(half, name, tables[name]) for name in names])


def weights_for(places: Any, options: LayoutOptions) -> SpatialWeights:
    """The weights that were asked for; where queen or rook find no grid, the 8 nearest units."""
    if isinstance(places, SpatialWeights):
        return places
    if options.weights == "mesh":
        raise UserError("these units lie on no mesh: name it by --surface, or use other weights than 'mesh'")
    try:
        return SpatialWeights.from_positions(places, options.weights, reach=options.reach, isolates="keep")
    except UserError:
        if options.weights not in ("queen", "rook"):
            raise
        return SpatialWeights.from_positions(places, "nearest", reach=8.0, isolates="keep")


def layout_name(places: Any) -> str:
    """What a layout is called; positions that were recorded are ``native``."""
    return places.layout if isinstance(places, Sheet) else "native"


def _order_of(sheet: Sheet) -> npt.NDArray[np.intp]:
    order: npt.NDArray[np.intp] = np.lexsort(
        (np.round(sheet.positions[:, 0], 9), np.round(sheet.positions[:, 1], 9))
    )
    return order


def _halves(unit_responses: UnitResponses) -> tuple[npt.NDArray[np.intp], npt.NDArray[np.intp]]:
    """Alternate stimuli of every category: the even ones, the odd ones."""
    first = np.zeros(len(unit_responses.labels), bool)
    for kind in set(unit_responses.labels.tolist()):
        first[np.flatnonzero(unit_responses.labels == kind)[::2]] = True
    return np.flatnonzero(first), np.flatnonzero(~first)


def labels_permuted(
    unit_responses: UnitResponses,
    names: list[str],
    tables: Mapping[str, pd.DataFrame],
    observed: Mapping[str, Mapping[str, float]],
    weights: SpatialWeights,
    options: LayoutOptions,
) -> dict[str, Any]:
    """Moran's I of maps made with permuted labels: what any labelling gives, with smooth noise or smooth tuning.

    Units that lie together and answer alike give a clustered map for any contrast. Labels of stimuli are permuted where
    stimuli are the samples, else those of presentations within runs.
    """
    samples = _samples(unit_responses)
    n = _n_draws(unit_responses, options)
    orders = permutations(
        len(samples.labels),
        n,
        random_state=options.random_state,
        blocks=None if samples.blocks is None else samples.blocks.astype(str),
    )
    drawn = _values(
        (replace(samples, labels=samples.labels[order]) for order in orders), names, tables, weights, options
    )
    found: dict[str, dict[str, Any]] = {}
    for name, null in drawn.items():
        found[name] = {
            "null_mean": float(null.mean()),
            "null_sd": float(null.std(ddof=1)),
            "z": float((observed[name]["I"] - null.mean()) / null.std(ddof=1)),
            "p": p_value(observed[name]["I"], null),
        }
    for name, q in zip(found, benjamini_hochberg([one["p"] for one in found.values()]), strict=True):
        found[name] |= {"q": float(q), "verdict": "more than" if q < _Q else "like"}
    n_blocks = 1 if samples.blocks is None else len(set(samples.blocks.tolist()))
    within = f" within {n_blocks} runs or repetitions" if n_blocks > 1 else ""
    return {"contrasts": found, "permuted": f"the labels of {_what(unit_responses)}{within}, {n} times"}


def samples_redrawn(
    unit_responses: UnitResponses,
    names: list[str],
    tables: Mapping[str, pd.DataFrame],
    weights: SpatialWeights,
    options: LayoutOptions,
) -> dict[str, Any]:
    """Intervals of Moran's I: stimuli (or presentations) of every category are drawn anew, with replacement.

    A map from redrawn stimuli is noisier than the map itself, so the interval lies low where a category has few.
    """
    samples = _samples(unit_responses)
    n = _n_draws(unit_responses, options)
    generator = np.random.default_rng([options.random_state, 43])
    members = [np.flatnonzero(samples.labels == kind) for kind in sorted(set(samples.labels.tolist()))]
    draws = (np.concatenate([generator.choice(rows, len(rows)) for rows in members]) for _ in range(n))
    again = (
        replace(samples, responses=samples.responses[rows], labels=samples.labels[rows]) for rows in draws
    )
    drawn = _values(again, names, tables, weights, options)
    return {
        "intervals": {name: list(percentile_interval(values)) for name, values in drawn.items()},
        "resampled": f"{_what(unit_responses)} of every category, with replacement, {n} times",
    }


def _values(
    all_responses: Iterable[UnitResponses],
    names: list[str],
    tables: Mapping[str, pd.DataFrame],
    weights: SpatialWeights,
    options: LayoutOptions,
) -> dict[str, Floats]:
    """Moran's I of every contrast's map, made from each of the responses."""
    found: dict[str, list[float]] = {name: [] for name in names}
    for one in all_responses:
        maps = np.stack([map_again(one, name, tables[name]) for name in names])
        varying = np.flatnonzero(maps.std(axis=1) > 0)
        if len(varying) == 0:
            continue
        values = morans_i_of_maps(maps[varying], weights, 0, fwhm=options.fwhm)["I"]
        for i, value in zip(varying, values, strict=True):
            found[names[i]].append(float(value))
    return {
        name: np.array(values) if len(values) > 1 else np.full(2, np.nan) for name, values in found.items()
    }


def _samples(unit_responses: UnitResponses) -> UnitResponses:
    """One row a sample: stimuli, averaged, with nothing to exchange them within; or presentations, as they are."""
    if unit_responses.samples == "trials":
        return unit_responses
    ids, first = np.unique(unit_responses.stimulus_ids.astype(str), return_index=True)
    return replace(
        unit_responses,
        responses=means(unit_responses),
        labels=unit_responses.labels[first],
        stimulus_ids=ids.astype(object),
        samples="trials",
        blocks=None,
    )


def _n_draws(unit_responses: UnitResponses, options: LayoutOptions) -> int:
    return min(_DRAWS if unit_responses.responses.size < _LARGE else _FEW_DRAWS, options.permutations)


def _what(unit_responses: UnitResponses) -> str:
    return "stimuli" if unit_responses.samples == "stimuli" else "presentations"
