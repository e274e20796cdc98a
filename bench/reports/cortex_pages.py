"""Maps of cortex as pages that turn: one file each, that fetches nothing; and whatever is written of a score."""

import base64
import html
import re
import warnings
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from ...analysis.topography.cortex_figure import voxel_image
from ...brain_data.meshes import by_hemisphere
from ...errors import UserError, unknown
from .cortex import SIDE_NAMES, Cortex, cortex_of_scores, gifti_bytes, surfaces_of

if TYPE_CHECKING:
    from xarray import DataArray

Floats = npt.NDArray[np.float64]
_STOPS = 33
_NOTHING = (190, 190, 190)
_APART_MM = 8.0
_POLICY = (
    "<meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; script-src 'unsafe-inline'; "
    "style-src 'unsafe-inline'; img-src data:; base-uri 'none'; form-action 'none'\">"
)


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
        n={SIDE_NAMES[side]: int(np.isfinite(cortex.values[side]).sum()) for side in cortex.sides},
        data={
            side: {
                "name": SIDE_NAMES[side],
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
    surfaces = surfaces or surfaces_of(record)
    space = "" if surface else str(record.get("space", ""))
    title = f"{record['model']} on {record['benchmark']}"
    shown = cortex_of_scores(table, space, title, surfaces)
    if shown is None:
        raise UserError(
            f"{record['benchmark']} has no places on cortex: vertices with their mesh (--surface), or voxels in MNI "
            "space are needed"
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
