"""Maps of fsaverage5 on its flat patches: all of cortex at a glance, cut open and laid out."""

from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from ...analysis.plotting import new_figure
from ...brain_data.reading.surfaces.gifti_arrays import open_gifti
from ...brain_data.reading.surfaces.meshes import Mesh
from .cortex import SIDE_NAMES, Cortex

if TYPE_CHECKING:
    from matplotlib.figure import Figure

Floats = npt.NDArray[np.float64]
_NOTHING = ("#D9D9D9", "#BDBDBD")
"""Gyri and sulci without a number."""


def flat_fsaverage5() -> dict[str, Mesh]:
    """The flat patches that come with nilearn; vertices that were cut away are in no triangle."""
    from nilearn.datasets import fetch_surf_fsaverage

    files: Any = fetch_surf_fsaverage("fsaverage5")
    found = {}
    for side, name in SIDE_NAMES.items():
        file = open_gifti(Path(files[f"flat_{name}"]))
        positions, faces = file.read(file.of("POINTSET")[0], file.of("TRIANGLE")[0])
        found[side] = Mesh(positions.astype(np.float64), faces.astype(np.int64))
    return found


def of_faces(values: Floats, faces: npt.NDArray[np.int64]) -> Floats:
    """The mean over those corners of a triangle that have a number; NaN where none has one."""
    corners = values[faces]
    known = np.isfinite(corners)
    n = known.sum(axis=1)
    total = np.where(known, corners, 0.0).sum(axis=1)
    found: Floats = np.divide(total, n, out=np.full(len(faces), np.nan), where=n > 0)
    return found


def flat_figure(cortex: Cortex, *, dark: bool = False) -> "Figure":
    """Each hemisphere on its flat patch; what has no number is grey, sulci darker.

    Parameters
    ----------
    cortex : Cortex
        Of vertices of fsaverage5.
    dark : bool
    """
    from matplotlib.cm import ScalarMappable
    from matplotlib.collections import PolyCollection
    from matplotlib.colors import Normalize, to_rgba

    low, high, colors = cortex.limits
    ink = "white" if dark else "black"
    shades = ScalarMappable(Normalize(low, high), colors)
    figure = new_figure(2.9 * len(cortex.sides) + 0.7, 2.9)
    grid = figure.subplots(1, len(cortex.sides), squeeze=False)[0]
    meshes = flat_fsaverage5()
    for axes, side in zip(grid, cortex.sides, strict=True):
        mesh = meshes[side]
        values = of_faces(cortex.values[side], mesh.faces)
        deep = of_faces(np.asarray(cortex.depths.get(side, np.zeros(len(mesh)))), mesh.faces) > 0
        painted = np.array([to_rgba(_NOTHING[int(one)]) for one in deep])
        known = np.isfinite(values)
        painted[known] = shades.to_rgba(values[known])
        corners = mesh.positions[mesh.faces][:, :, :2]
        axes.add_collection(
            PolyCollection(
                list(corners), facecolors=painted, edgecolors="face", linewidths=0.1, rasterized=True
            )
        )
        axes.set_xlim(corners[..., 0].min(), corners[..., 0].max())
        axes.set_ylim(corners[..., 1].min(), corners[..., 1].max())
        axes.set_aspect("equal")
        axes.set_axis_off()
        axes.set_title(f"{SIDE_NAMES[side]}, flat", fontsize=6, color=ink)
    bar = figure.colorbar(shades, ax=list(grid), shrink=0.6, pad=0.01)
    bar.ax.tick_params(labelsize=5, colors=ink)
    bar.set_label(cortex.quantity, fontsize=6, color=ink)
    figure.suptitle(cortex.title, fontsize=8, color=ink)
    if dark:
        figure.set_facecolor("black")
    return figure
