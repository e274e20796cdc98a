"""Maps on the surface of cortex, out again: of scores and of any map, as still figures and GIFTI files."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from ...analysis.plotting import new_figure
from ...analysis.topography.cortex_figure import on_surface
from ...brain_data.meshes import HEMISPHERES, Mesh, read_mesh
from ...errors import UserError

if TYPE_CHECKING:
    from matplotlib.figure import Figure

Floats = npt.NDArray[np.float64]
SIDE_NAMES = {"L": "left", "R": "right"}
_VIEWS = {"L": ("lateral", "medial"), "R": ("medial", "lateral")}


@dataclass(frozen=True, eq=False)
class Cortex:
    """A map on one hemisphere or both.

    Attributes
    ----------
    meshes : mapping of str to Mesh
        Hemisphere -> the surface that is shown.
    values : mapping of str to array
        Hemisphere -> a number for every vertex, NaN where there is none.
    title : str
    quantity : str
        What the numbers are, with their unit.
    depths : mapping of str to array
        Hemisphere -> sulcal depth of every vertex, for shading; empty for none.
    """

    meshes: Mapping[str, Mesh] = field(repr=False)
    values: Mapping[str, Floats] = field(repr=False)
    title: str
    quantity: str = "value"
    depths: Mapping[str, Floats] = field(default_factory=dict, repr=False)

    def __post_init__(self) -> None:
        for side, values in self.values.items():
            if side not in self.meshes or np.shape(values) != (len(self.meshes[side]),):
                raise UserError(f"{self.title}: the numbers of {side} are not one a vertex of its mesh")
        if not self.sides or not any(np.isfinite(self.values[side]).any() for side in self.sides):
            raise UserError(f"{self.title}: no vertex has a number")

    @property
    def sides(self) -> list[str]:
        """The hemispheres with numbers, the left one first."""
        return [side for side in HEMISPHERES if side in self.values]

    @property
    def limits(self) -> tuple[float, float, str]:
        """The lowest and the highest number that have a color of their own, and the color map.

        Numbers of both signs are drawn around 0, others from their 2nd to their 98th percentile.
        """
        known = np.concatenate([self.values[side][np.isfinite(self.values[side])] for side in self.sides])
        low, high = (float(one) for one in np.quantile(known, [0.02, 0.98]))
        if low < 0 < high and min(-low, high) > 0.1 * max(-low, high):
            top = max(-low, high)
            return -top, top, "RdBu_r"
        return (low, high, "cividis") if high > low else (low - 0.5, high + 0.5, "cividis")


def fsaverage5(*, inflated: bool = True) -> tuple[dict[str, Mesh], dict[str, Floats]]:
    """The surfaces of fsaverage5 that come with nilearn, and their sulcal depth."""
    from nilearn.datasets import fetch_surf_fsaverage

    files: Any = fetch_surf_fsaverage("fsaverage5")
    kind = "infl" if inflated else "pial"
    meshes = {side: read_mesh(Path(files[f"{kind}_{name}"])) for side, name in SIDE_NAMES.items()}
    return meshes, {side: _numbers(Path(files[f"sulc_{name}"])) for side, name in SIDE_NAMES.items()}


def _numbers(path: Path) -> Floats:
    from ...brain_data.gifti_arrays import column_of, open_gifti

    return column_of(open_gifti(path), 0).astype(np.float64)


def of_voxels(values: npt.ArrayLike, positions: npt.ArrayLike, title: str, quantity: str) -> Cortex:
    """Numbers of voxels in MNI space on fsaverage5: the mean of those within 3 mm of a vertex, NaN without any.

    Parameters
    ----------
    values : array of shape (n_voxels,)
    positions : array of shape (n_voxels, 3)
        In mm.
    title, quantity : str
    """
    meshes, depths = fsaverage5()
    textures = on_surface(values, positions)
    found = {side: np.where(textures[name] == 0, np.nan, textures[name]) for side, name in SIDE_NAMES.items()}
    seen = {side: one for side, one in found.items() if np.isfinite(one).any()}
    if not seen:
        raise UserError(
            f"{title}: no vertex of fsaverage5 has a voxel within 3 mm: are the positions in MNI space?"
        )
    return Cortex({side: meshes[side] for side in seen}, seen, title, quantity, depths)


def of_vertices(
    values: npt.ArrayLike,
    hemispheres: npt.ArrayLike,
    vertices: npt.ArrayLike,
    meshes: Mapping[str, Mesh],
    title: str,
    quantity: str,
    depths: Mapping[str, Floats] | None = None,
) -> Cortex:
    """Numbers of neuroids that name their vertex, the mean where several name the same one.

    Parameters
    ----------
    values : array of shape (n_neuroids,)
    hemispheres : array of str, shape (n_neuroids,)
        ``L`` or ``R``; others lie on no surface and are left out.
    vertices : array of int, shape (n_neuroids,)
    meshes : mapping of str to Mesh
    title, quantity : str
    depths : mapping of str to array, optional

    Raises
    ------
    UserError
        For vertices that the mesh has not.
    """
    known, sides = np.asarray(values, np.float64), np.asarray(hemispheres, dtype=str)
    places, found = np.asarray(vertices), {}
    for side, mesh in meshes.items():
        here = (sides == side) & np.isfinite(known)
        if not here.any():
            continue
        chosen = places[here].astype(np.intp)
        if chosen.min() < 0 or chosen.max() >= len(mesh):
            raise UserError(
                f"{title}: a neuroid lies on vertex {chosen.max()} of {side}, and the mesh has {len(mesh)}: do they "
                "belong together?"
            )
        count = np.bincount(chosen, minlength=len(mesh))
        total = np.bincount(chosen, weights=known[here], minlength=len(mesh))
        found[side] = np.divide(total, count, out=np.full(len(mesh), np.nan), where=count > 0)
    return Cortex({side: meshes[side] for side in found}, found, title, quantity, depths or {})


def cortex_figure(cortex: Cortex, *, dark: bool = False) -> "Figure":
    """Both sides of each hemisphere, by nilearn; vertices without a number are grey.

    Parameters
    ----------
    cortex : Cortex
    dark : bool
    """
    from matplotlib.cm import ScalarMappable
    from matplotlib.colors import Normalize
    from nilearn.plotting import plot_surf_stat_map

    low, high, colors = cortex.limits
    figure = new_figure(1.8 * 2 * len(cortex.sides) + 0.4, 2.2)
    figure.set_layout_engine("none")
    shown = [(side, view) for side in cortex.sides for view in _VIEWS[side]]
    n = len(shown)
    ink = "white" if dark else "black"
    for i, (side, view) in enumerate(shown):
        axes = figure.add_axes((i * 0.88 / n, 0.02, 0.88 / n, 0.8), projection="3d")
        mesh, depth = cortex.meshes[side], cortex.depths.get(side)
        plot_surf_stat_map(
            [mesh.positions, mesh.faces], cortex.values[side], hemi=SIDE_NAMES[side], view=view, axes=axes,
            figure=figure, bg_map=depth, cmap=colors, vmin=low, vmax=high, symmetric_cbar=False, colorbar=False,
            bg_on_data=False,
        )  # fmt: skip
        axes.set_title(f"{SIDE_NAMES[side]}, {view}", fontsize=6, color=ink, y=0.98)
        axes.patch.set_alpha(0)
    bar = figure.colorbar(
        ScalarMappable(Normalize(low, high), colors), cax=figure.add_axes((0.91, 0.2, 0.012, 0.55))
    )
    bar.ax.tick_params(labelsize=5, colors=ink)
    bar.set_label(cortex.quantity, fontsize=6, color=ink)
    figure.suptitle(cortex.title, fontsize=8, color=ink)
    if dark:
        figure.set_facecolor("black")
    return figure


def gifti_bytes(cortex: Cortex, side: str) -> bytes:
    """A hemisphere's numbers as a GIFTI file (``.shape.gii``), NaN where a vertex has none."""
    import nibabel

    library: Any = nibabel.gifti
    about = {"Name": cortex.title, "Quantity": cortex.quantity}
    array = library.GiftiDataArray(
        np.asarray(cortex.values[side], np.float32), intent="NIFTI_INTENT_SHAPE", datatype="NIFTI_TYPE_FLOAT32",
        meta=library.GiftiMetaData(about),
    )  # fmt: skip
    image = library.GiftiImage(
        darrays=[array],
        meta=library.GiftiMetaData(
            about | {"AnatomicalStructurePrimary": f"Cortex{SIDE_NAMES[side].capitalize()}"}
        ),
    )
    return bytes(image.to_bytes())


def cortex_of_scores(
    table: pd.DataFrame,
    space: str,
    title: str,
    surfaces: Mapping[str, Path] | None = None,
    *,
    column: str = "raw",
    quantity: str = "raw value",
) -> Cortex | None:
    """The neuroids of one score on cortex; None where they have no place on one.

    Parameters
    ----------
    table : DataFrame
        Of :func:`.tables.units_table`, one score.
    space : str
        Of the record.
    title : str
    surfaces : mapping of str to Path, optional
        The meshes that the data set keeps.
    column, quantity : str
    """
    known = table[np.isfinite(table[column].astype(float))]
    if {"hemisphere", "vertex"} <= set(known.columns):
        known = known[known["hemisphere"].isin(HEMISPHERES)]
        if known.empty:
            return None
        if space == "fsaverage5":
            meshes, depths = fsaverage5()
        elif surfaces:
            meshes, depths = {side: read_mesh(path) for side, path in surfaces.items()}, {}
        else:
            return None
        found = of_vertices(
            known[column], known["hemisphere"], known["vertex"], meshes, title, quantity, depths
        )
        return found if found.sides else None
    if space.startswith("MNI") and {"x", "y", "z"} <= set(known.columns):
        places = known[["x", "y", "z"]].to_numpy(float)
        inside = np.isfinite(places).all(axis=1)
        return of_voxels(known[column].to_numpy(float)[inside], places[inside], title, quantity)
    return None


def surfaces_of(record: Mapping[str, Any]) -> Mapping[str, Path]:
    """The meshes of a score's data set, where it is installed here and keeps them."""
    from ...brain_data.catalogue import is_installed, list_datasets, load_dataset

    name = record["dataset"]
    if name not in {card.identifier for card in list_datasets()} or not is_installed(name):
        return {}
    kept: Mapping[str, Path] = getattr(load_dataset(name), "surfaces", {})
    return kept
