"""Maps of recorded cortex in a standard space, by nilearn: on a glass brain, on surfaces."""

import warnings
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from ...errors import UserError
from ..masks import unmasked
from ..plotting import new_figure
from ..spatial.spatial_weights import positions_of

if TYPE_CHECKING:
    from matplotlib.figure import Figure


_RADIUS_MM, _LEAST_HELD, _MARGIN = 3.0, 1 / 3, 4
_VIEWS = (("left", "lateral"), ("left", "medial"), ("right", "medial"), ("right", "lateral"))


@unmasked
def brain_figure(
    values: npt.ArrayLike,
    positions: npt.ArrayLike,
    title: str,
    *,
    spacing: float | None = None,
    dark: bool = False,
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
    dark : bool
    """
    from nilearn.plotting import plot_glass_brain

    image, limit = voxel_image(values, positions, spacing)
    figure = new_figure(7.1, 2.4)
    figure.set_layout_engine("none")  # nilearn places its panels itself
    plot_glass_brain(
        image, figure=figure, plot_abs=False, cmap="RdBu_r", vmin=-limit, vmax=limit, colorbar=True,
        black_bg=dark, threshold=1e-9,
    )  # fmt: skip
    figure.suptitle(title, fontsize=8, color="white" if dark else "black")
    if dark:
        figure.set_facecolor("black")
    return figure


@unmasked
def cortical_surface_figure(
    values: npt.ArrayLike, positions: npt.ArrayLike, title: str, *, spacing: float | None = None
) -> "Figure":
    """Values of voxels in a standard space, on the inflated surfaces of fsaverage5, which comes with nilearn.

    A vertex shows the mean of the voxels within 3 mm of the pial surface; those without any are grey.

    Parameters
    ----------
    values, positions, title, spacing
        As in :func:`brain_figure`.
    """
    from nilearn.datasets import fetch_surf_fsaverage
    from nilearn.plotting import plot_surf_stat_map

    limit = voxel_image(values, positions, spacing)[1]
    meshes = fetch_surf_fsaverage("fsaverage5")
    textures = on_surface(values, positions, spacing=spacing)
    figure = new_figure(7.1, 2.2)
    for place, (hemisphere, view) in enumerate(_VIEWS):
        axes = figure.add_subplot(1, 4, place + 1, projection="3d")
        plot_surf_stat_map(
            meshes[f"infl_{hemisphere}"], textures[hemisphere], hemi=hemisphere, view=view, axes=axes, figure=figure,
            bg_map=meshes[f"sulc_{hemisphere}"], cmap="RdBu_r", vmin=-limit, vmax=limit, threshold=1e-9,
            colorbar=place == 3,
        )  # fmt: skip
        axes.set_title(f"{hemisphere}, {view}", fontsize=6)
    figure.suptitle(title, fontsize=8)
    return figure


def on_surface(
    values: npt.ArrayLike, positions: npt.ArrayLike, *, spacing: float | None = None
) -> dict[str, npt.NDArray[np.float64]]:
    """Voxels on the pial surfaces of fsaverage5: ``left`` and ``right``, (10242,) each; 0 where there is no voxel.

    nilearn's mean over the 3 mm around a vertex, divided by the part of that neighbourhood that holds voxels; vertices
    with less than a third are left at 0.

    Parameters
    ----------
    values, positions, spacing
        As in :func:`brain_figure`.
    """
    from nilearn.datasets import fetch_surf_fsaverage
    from nilearn.surface import vol_to_surf

    meshes = fetch_surf_fsaverage("fsaverage5")
    image = voxel_image(values, positions, spacing)[0]
    held = voxel_image(np.ones(len(np.asarray(values))), positions, spacing)[0]
    found = {}
    for hemisphere in ("left", "right"):
        parts = []
        with warnings.catch_warnings():
            warnings.filterwarnings(
                "ignore", "Mean of empty slice", RuntimeWarning
            )  # vertices outside the volume
            for one in (image, held):
                texture = vol_to_surf(one, meshes[f"pial_{hemisphere}"], radius=_RADIUS_MM)
                parts.append(np.nan_to_num(np.asarray(texture, np.float64).ravel()))
        total, share = parts
        found[hemisphere] = np.divide(total, share, out=np.zeros_like(total), where=share > _LEAST_HELD)
    return found


def voxel_image(values: npt.ArrayLike, positions: npt.ArrayLike, spacing: float | None) -> tuple[Any, float]:
    """The voxels as a NIfTI image, 0 elsewhere, and the largest absolute value."""
    import nibabel

    places = positions_of(positions)
    known = np.asarray(values, np.float64)
    if places.shape[1] != 3 or known.shape != (len(places),):
        raise UserError(
            f"{known.shape} values do not fit positions of shape {places.shape}: x, y and z are needed"
        )
    step = spacing or _smallest_step(places)
    low = (
        places.min(axis=0) - _MARGIN * step
    )  # nilearn extrapolates beyond the edge: what it finds there is 0
    index = np.round((places - low) / step).astype(int)
    volume = np.zeros(tuple(index.max(axis=0) + _MARGIN + 1), np.float32)
    volume[tuple(index.T)] = known
    affine = np.diag([step, step, step, 1.0])
    affine[:3, 3] = low
    image: Any = nibabel.Nifti1Image
    return image(volume, affine), float(np.abs(known).max(initial=0.0)) or 1.0


def _smallest_step(places: npt.NDArray[np.float64]) -> float:
    gaps = [np.diff(np.unique(np.round(places[:, axis], 3))) for axis in range(3)]
    return float(min((gap.min() for gap in gaps if len(gap)), default=1.0))


@unmasked
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
