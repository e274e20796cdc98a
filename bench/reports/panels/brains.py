"""Scores of voxels on the brain: the first records with positions in MNI space."""

from collections.abc import Mapping
from functools import partial
from typing import Any

import numpy as np
import numpy.typing as npt

from ....analysis.topography.cortex_figure import brain_figure, cortical_surface_figure
from ....errors import UserError
from ..collect import Comparison
from ..cortex import of_voxels
from ..cortex_pages import files_of, volume_page
from ..panel import Panel, Record, counts, panel
from ..tables import units_table

_MOST = 6


@panel(
    "brains", title="Voxels on the brain", order=70, sentence="Raw values on a glass brain and on fsaverage5."
)
def brains(comparison: Comparison) -> list[Panel]:
    """A glass brain and a surface for each of the first scores."""
    found: list[Panel] = []
    for record, kept in zip(comparison.records, comparison.arrays, strict=True):
        if str(record.get("space", "")).startswith("MNI") and len(found) < 2 * _MOST:
            found += _of_score(record, kept)
    return found


def _of_score(record: Record, kept: Mapping[str, Any]) -> list[Panel]:
    """The voxels of one score; nothing without positions."""
    table = units_table([record], [kept])
    if not {"x", "y", "z"} <= set(table.columns):
        return []
    table = table[np.isfinite(table["raw"])].reset_index(drop=True)
    name, title = f"{record['model']}-{record['benchmark']}", f"{record['model']} on {record['benchmark']}"
    values, places = table["raw"].to_numpy(float), table[["x", "y", "z"]].to_numpy(float)
    made = partial(Panel, table, n=counts([record], [kept]))
    return [
        made(
            lambda style: brain_figure(values, places, title, dark=style.dark),
            name=f"glass-brain-{name}",
            title=f"{title}, glass brain",
            alt=f"Raw value of {len(table)} voxels in MNI space.",
        ),
        made(
            lambda style: cortical_surface_figure(values, places, title),
            name=f"surface-{name}",
            title=f"{title}, fsaverage5",
            alt=f"Raw value of {len(table)} voxels on the cortical surface.",
            beside=lambda: _turning(values, places, title),
        ),
    ]


def _turning(
    values: npt.NDArray[np.float64], places: npt.NDArray[np.float64], title: str
) -> dict[str, bytes]:
    """The surface and the slices as pages that turn, and the surface as GIFTI."""
    pages = {"slices.html": volume_page(values, places, title).encode()}
    try:
        return files_of(of_voxels(values, places, title, "raw value")) | pages
    except UserError:  # no voxel lies near the cortex
        return pages
