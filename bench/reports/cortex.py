"""Maps on the surface of cortex, out again: still figures, pages that turn, GIFTI files; of scores and of any map."""

import base64
import html
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from ...analysis.plotting import new_figure
from ...analysis.topography.cortex_figure import on_surface, voxel_image
from ...brain_data.meshes import HEMISPHERES, Mesh, by_hemisphere, read_mesh
from ...errors import UserError, unknown

if TYPE_CHECKING:
    from matplotlib.figure import Figure
    from xarray import DataArray

Floats = npt.NDArray[np.float64]
_NAMES = {"L": "left", "R": "right"}
_VIEWS = {"L": ("lateral", "medial"), "R": ("medial", "lateral")}
_APART_MM = 8.0
_NOTHING = (190, 190, 190)
_STOPS = 33
_POLICY = (
    "<meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; script-src 'unsafe-inline'; "
    "style-src 'unsafe-inline'; img-src data:; base-uri 'none'; form-action 'none'\">"
)


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
    meshes = {side: read_mesh(Path(files[f"{kind}_{name}"])) for side, name in _NAMES.items()}
    return meshes, {side: _numbers(Path(files[f"sulc_{name}"])) for side, name in _NAMES.items()}


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
    found = {side: np.where(textures[name] == 0, np.nan, textures[name]) for side, name in _NAMES.items()}
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
            [mesh.positions, mesh.faces], cortex.values[side], hemi=_NAMES[side], view=view, axes=axes, figure=figure,
            bg_map=depth, cmap=colors, vmin=low, vmax=high, symmetric_cbar=False, colorbar=False,
            bg_on_data=False,
        )  # fmt: skip
        axes.set_title(f"{_NAMES[side]}, {view}", fontsize=6, color=ink, y=0.98)
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


def cortex_page(cortex: Cortex) -> str:
    """A page with the map on surfaces that turn: one file that fetches nothing and runs without a network.

    (nilearn's ``view_surf`` does the same with plotly, which is no part of this; its page asks for an icon on the
    network and takes a title as it is.)
    """
    from jinja2 import Environment, PackageLoader, StrictUndefined

    low, high, colors = cortex.limits
    shelf = Environment(loader=PackageLoader(__package__), autoescape=True, undefined=StrictUndefined)
    return shelf.get_template("cortex.html").render(
        title=cortex.title,
        quantity=cortex.quantity,
        low=f"{low:.3g}",
        high=f"{high:.3g}",
        stops=_stops(colors),
        policy=_POLICY,
        n={_NAMES[side]: int(np.isfinite(cortex.values[side]).sum()) for side in cortex.sides},
        data={
            side: {
                "name": _NAMES[side],
                "positions": _packed(places, "<f4"),
                "faces": _packed(cortex.meshes[side].faces, "<u4"),
                "colors": _packed(_colors(cortex, side), "u1"),
                "values": _packed(cortex.values[side], "<f4"),
            }
            for side, places in _apart(cortex).items()
        },
    )


def _apart(cortex: Cortex) -> dict[str, Floats]:
    """Positions around 0; hemispheres that would lie in each other are moved apart."""
    places = {side: cortex.meshes[side].positions.copy() for side in cortex.sides}
    if len(places) == 2 and places["L"][:, 0].max() > places["R"][:, 0].min() + _APART_MM:
        places["L"][:, 0] -= places["L"][:, 0].max() + _APART_MM / 2
        places["R"][:, 0] -= places["R"][:, 0].min() - _APART_MM / 2
    every = np.concatenate(list(places.values()))
    middle = (every.min(axis=0) + every.max(axis=0)) / 2
    return {side: one - middle for side, one in places.items()}


def _colors(cortex: Cortex, side: str) -> npt.NDArray[np.uint8]:
    """Red, green and blue of every vertex."""
    from matplotlib import colormaps

    low, high, colors = cortex.limits
    values = cortex.values[side]
    share = np.clip((np.nan_to_num(values) - low) / (high - low), 0, 1)
    found: npt.NDArray[np.uint8] = colormaps[colors](share, bytes=True)[:, :3]
    grey = np.tile(np.array(_NOTHING, np.float64), (len(values), 1))
    if side in cortex.depths:
        grey -= 45 * (np.asarray(cortex.depths[side]) > 0)[:, None]
    found[~np.isfinite(values)] = grey[~np.isfinite(values)].astype(np.uint8)
    return found


def _stops(colors: str) -> str:
    """The color map for CSS, from low to high."""
    from matplotlib import colormaps
    from matplotlib.colors import to_hex

    return ", ".join(to_hex(colormaps[colors](place)) for place in np.linspace(0, 1, _STOPS))


def _packed(values: npt.ArrayLike, kind: str) -> str:
    return base64.b64encode(np.ascontiguousarray(values, dtype=kind).tobytes()).decode()


def volume_page(values: npt.ArrayLike, positions: npt.ArrayLike, title: str) -> str:
    """Voxels in MNI space on slices of the template that follow the pointer, by nilearn; nothing is fetched.

    Parameters
    ----------
    values : array of shape (n_voxels,)
    positions : array of shape (n_voxels, 3)
    title : str
    """
    import re
    import warnings

    from nilearn.plotting import view_img

    image, _ = voxel_image(values, positions, None)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        page = str(view_img(image, threshold=1e-9, title=None).get_standalone())
    page = re.sub(r"<link\b[^>]*\bicon\b[^>]*>", '<link rel="icon" href="data:,">', page)
    shown = html.escape(title)
    page = re.sub(r"<title>.*?</title>", lambda _: f"<title>{shown}</title>", page, count=1, flags=re.DOTALL)
    page = page.replace("<head>", f"<head>{_POLICY}", 1)
    return re.sub(r"<body([^>]*)>", lambda found: f"<body{found[1]}><h1>{shown}</h1>", page, count=1)


def gifti_bytes(cortex: Cortex, side: str) -> bytes:
    """A hemisphere's numbers as a GIFTI file (``.shape.gii``), NaN where a vertex has none."""
    import nibabel
    from nibabel.gifti import GiftiDataArray, GiftiImage, GiftiMetaData

    about = {"Name": cortex.title, "Quantity": cortex.quantity}
    array: Any = GiftiDataArray(
        np.asarray(cortex.values[side], np.float32), intent="NIFTI_INTENT_SHAPE", datatype="NIFTI_TYPE_FLOAT32",
        meta=GiftiMetaData(about),
    )  # fmt: skip
    image: Any = GiftiImage(
        darrays=[array],
        meta=GiftiMetaData(about | {"AnatomicalStructurePrimary": f"Cortex{_NAMES[side].capitalize()}"}),
    )
    assert isinstance(image, nibabel.GiftiImage)
    return bytes(image.to_bytes())


def files_of(cortex: Cortex) -> dict[str, bytes]:
    """Ending -> content of what goes beside a figure: the page that turns, and a GIFTI file a hemisphere."""
    found = {"html": cortex_page(cortex).encode()}
    return found | {f"{side}.shape.gii": gifti_bytes(cortex, side) for side in cortex.sides}


def scores_on_cortex(
    score: "DataArray | Mapping[str, Any]",
    path: Path | str,
    *,
    subject: str | None = None,
    surface: str | None = None,
) -> list[Path]:
    """Write the score of each neuroid on cortex: ``.shape.gii``, a file a hemisphere, or ``.html``, a page that turns.

    Parameters
    ----------
    score : Score or mapping
        What :func:`brodmann.bench.score` gave, or its record.
    path : Path
        Of GIFTI, ``NAME.shape.gii`` becomes ``NAME.L.shape.gii`` and ``NAME.R.shape.gii``.
    subject : str, optional
        Whose neuroids, where the score has those of several.
    surface : str, optional
        ``L=FILE,R=FILE``: the meshes, instead of those of the data set.

    Raises
    ------
    UserError
        Where the score is not of neuroids, or they have no place on cortex.
    """
    from ...brain_data.catalogue import is_installed, load_dataset
    from ...files import write_bytes
    from ..results.store import arrays_of, record_of
    from .tables import units_table

    record = dict(score) if isinstance(score, Mapping) else record_of(score)
    target = Path(path).expanduser()
    table = units_table([record], [arrays_of(record)])
    if record["unit"] != "neuroid" or table.empty:
        raise UserError(
            f"{record['benchmark']} has no score of its own for each neuroid: a map needs one, as ridge gives it"
        )
    people = sorted(set(table["subject"])) if "subject" in table else []
    if subject is not None and subject not in people:
        raise unknown("subject of the score", subject, people)
    if len(people) > 1:
        if subject is None:
            raise UserError(
                f"the score has neuroids of the subjects {', '.join(people)}: say whose by --subject"
            )
        table = table[table["subject"] == subject]
    surfaces: Mapping[str, Path] = by_hemisphere(surface, "surface")
    if not surfaces and is_installed(record["dataset"]):
        surfaces = getattr(load_dataset(record["dataset"]), "surfaces", {})
    space = "" if surface else str(record.get("space", ""))
    title = f"{record['model']} on {record['benchmark']}"
    shown = cortex_of_scores(table, space, title, surfaces)
    if shown is None:
        raise UserError(
            f"{record['benchmark']} has no places on cortex: vertices with a mesh (--surface), or voxels in MNI space, "
            "are needed"
        )
    if target.name.endswith(".html"):
        content = {target: cortex_page(shown).encode()}
    else:
        stem = target.name.removesuffix(".shape.gii")
        content = {
            target.with_name(f"{stem}.{side}.shape.gii"): gifti_bytes(shown, side) for side in shown.sides
        }
    for one, written in content.items():
        write_bytes(one, written)
    return list(content)


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
