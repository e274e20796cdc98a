"""The layouts that a report sets side by side: the units' own, row by row, permuted, fitted."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from ...errors import UserError
from ...models.sheet import Sheet, grid_sheet
from ...models.topography.position_search import fitted_positions
from ..spatial.spatial_weights import Kind, neighbors
from .contrasts import LayoutOptions, map_again
from .unit_responses import UnitResponses

Floats = npt.NDArray[np.float64]
Labels = npt.NDArray[np.object_]
_MOST_FITTED = 30_000


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
        return found | {f"permuted({options.random_state})": own[order]}
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
    maps = []
    for name in names:
        maps.append(map_again(half, name, tables[name]))
    return np.stack(maps)


def weights_for(places: Any, options: LayoutOptions) -> tuple[Kind, float | None]:
    """The weights that were asked for; where queen or rook find no grid, the 8 nearest units."""
    if options.weights in ("queen", "rook"):
        try:
            neighbors(places, options.weights)
        except UserError:
            return "nearest", 8.0
    return options.weights, options.reach


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
