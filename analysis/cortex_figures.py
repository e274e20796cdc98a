"""Maps of recorded cortex in a standard space, by nilearn: on a glass brain, on a surface."""

from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from .neighbours import positions_of
from .panels import new_figure

if TYPE_CHECKING:
    from matplotlib.figure import Figure


def brain_figure(
    values: npt.ArrayLike, positions: npt.ArrayLike, title: str, *, spacing: float | None = None
) -> "Figure":
    """Values of voxels in a standard space, on nilearn's glass brain.

    Parameters
    ----------
    values : array of shape (n_voxels,)
    positions : array of shape (n_voxels, 3)
        In mm of MNI152.
    title : str
    spacing : float, optional
        Of the voxels, in mm; by default the smallest step of the positions.
    """
    import nibabel
    from nilearn.plotting import plot_glass_brain

    places = positions_of(positions)
    known = np.asarray(values, np.float64)
    step = spacing or float(min(np.diff(np.unique(places[:, axis])).min(initial=np.inf) for axis in range(3)))
    low = places.min(axis=0) - step
    index = np.round((places - low) / step).astype(int)
    volume = np.zeros(tuple(index.max(axis=0) + 2), np.float32)
    volume[tuple(index.T)] = known
    affine = np.diag([step, step, step, 1.0])
    affine[:3, 3] = low
    figure = new_figure(7.1, 2.4)
    limit = float(np.abs(known).max()) or 1.0
    image: Any = nibabel.Nifti1Image
    plot_glass_brain(
        image(volume, affine), figure=figure, plot_abs=False, cmap="RdBu_r", vmin=-limit, vmax=limit,
        colorbar=True, title=title,
    )  # fmt: skip
    return figure


def surface_figure(
    values: npt.ArrayLike,
    mesh: tuple[npt.ArrayLike, npt.ArrayLike],
    title: str,
    *,
    view: str = "lateral",
    hemisphere: str = "left",
) -> "Figure":
    """Values of vertices on a surface, by nilearn.

    Parameters
    ----------
    values : array of shape (n_vertices,)
    mesh : (coordinates (n_vertices, 3), faces (n_faces, 3))
    title, view, hemisphere : str
        As nilearn's ``plot_surf_stat_map`` takes them.
    """
    from nilearn.plotting import plot_surf_stat_map

    known = np.asarray(values, np.float64)
    figure = new_figure(3.6, 3.2)
    axes = figure.add_subplot(projection="3d")
    limit = float(np.abs(known).max()) or 1.0
    plot_surf_stat_map(
        [np.asarray(mesh[0]), np.asarray(mesh[1])], known, view=view, hemi=hemisphere, axes=axes, figure=figure,
        cmap="RdBu_r", vmin=-limit, vmax=limit, title=title,
    )  # fmt: skip
    return figure
