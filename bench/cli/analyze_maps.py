"""Of analyze: maps of cortex on a mesh, without trials; and the meshes of a data set."""

import hashlib
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ...errors import UserError

if TYPE_CHECKING:
    from ...analysis.topography.contrasts import LayoutOptions
    from ...brain_data.dataset import Dataset
    from ...brain_data.meshes import Mesh
    from ..reports.cortex import Cortex

_MOST_DRAWN = 6


def is_map(name: str, surface: str | None) -> bool:
    """Whether a name is a file to be looked at on a mesh."""
    return surface is not None and Path(name).expanduser().is_file()


def report_of_maps(
    name: str, surface: str, mask: Path | None, options: "LayoutOptions"
) -> tuple[dict[str, Any], dict[str, Any]]:
    """The report of the maps in a file, and the maps on cortex, a :class:`..reports.cortex.Cortex` each."""
    import numpy as np

    from ...analysis.topography.mesh_maps import maps_report
    from ...brain_data.formats.surface_maps import read_surface_maps
    from ...brain_data.meshes import by_hemisphere, read_meshes
    from ..reports.cortex import Cortex

    paths = by_hemisphere(surface, "surface")
    meshes = read_meshes(paths)
    path = Path(name).expanduser()
    counts = {side: len(mesh) for side, mesh in meshes.items()}
    maps, said = read_surface_maps(path, counts)
    if mask is not None:
        held, more = read_surface_maps(mask, counts)
        inside = next(iter(held.values()))
        said += [f"mask: {one}" for one in more]
        maps = {
            kind: {
                side: np.where(inside[side] > 0, values, np.nan)
                for side, values in one.items()
                if side in inside
            }
            for kind, one in maps.items()
        }
    report, arrays = maps_report(maps, meshes, path.name, options)
    report["said"] = said
    report["provenance"] = {
        "map": _digest(path),
        "meshes": {side: _digest(one) for side, one in paths.items()},
    }
    drawn = {
        kind: Cortex(meshes, {side: one[side] for side in arrays["sides"]}, kind)
        for kind, one in list(maps.items())[:_MOST_DRAWN]
    }
    return report, drawn


def _digest(path: Path) -> str:
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def meshes_of(dataset: "Dataset", surface: str | None) -> "Mapping[str, Mesh] | None":
    """The meshes that ``--surface`` names, else those that the data set keeps; None where there are none."""
    from ...brain_data.meshes import by_hemisphere, read_meshes

    kept: Mapping[str, Path] = getattr(dataset, "surfaces", {})
    paths = by_hemisphere(surface, "surface") if surface is not None else kept
    return read_meshes(paths) if paths else None


def maps_text(report: Mapping[str, Any]) -> str:
    """A report of maps as lines for a terminal."""
    title = f"{report['maps_of']}: {report['n_units']} vertices ({_counted(report['hemispheres'])})"
    lines = [title, "─" * min(len(title), 100), *report["said"]]
    if report["left_out"]:
        lines.append("left out: " + ", ".join(f"{n} {reason}" for reason, n in report["left_out"].items()))
    reach = "" if report["reach"] is None else f" within {report['reach']:g} mm along the edges"
    kinds = {"mesh": "on the mesh" + (reach or ", sharing an edge")}
    smoothing = f"smoothed at FWHM {report['fwhm']:g} mm" if report["fwhm"] else "not smoothed"
    lines += [
        "",
        f"neighbours {kinds.get(report['weights'], report['weights'])}: {report['n_links']} links, "
        f"{report['n_without_neighbour']} without any; {smoothing}; null: vertices permuted, "
        f"{report['permutations']} times (Moran's I), "
        f"{report['permutations_of_smoothness_and_gearys_c']} times (the others)",
    ]
    size = max(len(name) for name in report["maps"])
    for name, one in report["maps"].items():
        if one is None:
            lines.append(f"  {name:<{size}}  the same everywhere")
            continue
        moran, geary, smooth = one["morans_i"], one["gearys_c"], one["smoothness"]
        lines.append(
            f"  {name:<{size}}  Moran's I {moran['I']:.8f}   null {moran['null_mean']:.4f} sd {moran['null_sd']:.4f}   "
            f"p {moran['p']:.2g}   {moran['verdict']}"
        )
        lines.append(
            f"  {'':<{size}}  Geary's C {geary['C']:.4f} (p {geary['p']:.2g})   smoothness {smooth['value']:.3f} (null "
            f"{smooth['null_mean']:.3f})   mean {one['mean']:.4g}, sd {one['sd']:.4g}"
        )
    lines += [
        "",
        "Permuted vertices say that a map is smooth, not that it is like another map: those need spun nulls.",
        "",
    ]
    return "\n".join(lines)


def _counted(hemispheres: Mapping[str, int]) -> str:
    return ", ".join(f"{side} {n}" for side, n in hemispheres.items())


def save_maps(report: dict[str, Any], drawn: Mapping[str, Any], folder: Path) -> list[Path]:
    """Write the report, and of each map a figure and a page that turns."""
    from ...brain_data.formats.surface_maps import map_name
    from ...files import file_name, write_json
    from ...source_digest import code_digest
    from ..results.provenance import provenance
    from ..results.store import finite

    stem = file_name(map_name(Path(report["maps_of"])))[-80:]
    paths = [folder / f"{stem}__on-mesh.json"]
    report["provenance"] = (
        provenance(code=code_digest(["analysis.topography.mesh_maps"])) | report["provenance"]
    )
    write_json(paths[0], finite(report))
    for name, cortex in drawn.items():
        paths += _drawn(cortex, folder / file_name(name)[-80:])
    return paths


def save_contrasts(
    maps: Mapping[str, Any], vertices: "tuple[Any, Any]", meshes: "Mapping[str, Mesh]", stem: Path
) -> list[Path]:
    """Of each contrast a figure and a page that turns: t on the mesh of the neuroids."""
    from ...files import file_name
    from ..reports.cortex import of_vertices

    paths = []
    for name, values in list(maps.items())[:_MOST_DRAWN]:
        cortex = of_vertices(values, *vertices, meshes, name, "t")
        paths += _drawn(cortex, stem.with_name(f"{stem.name}__cortex-{file_name(name)[-80:]}"))
    return paths


def _drawn(cortex: "Cortex", stem: Path) -> list[Path]:
    from ...files import write_bytes
    from ..reports.cortex import cortex_figure
    from ..reports.cortex_pages import cortex_page
    from ..reports.render import bytes_of_figure

    paths = [stem.with_name(f"{stem.name}.{ending}") for ending in ("png", "html")]
    write_bytes(paths[0], bytes_of_figure(cortex_figure(cortex), "png"))
    write_bytes(paths[1], cortex_page(cortex).encode())
    return paths


def check_map_options(given: Mapping[str, object]) -> None:
    """Refuse options that a map without trials has no use for."""
    wrong = next((option for option, value in given.items() if value), None)
    if wrong:
        raise UserError(f"{wrong} is for networks and data sets: a map has no stimuli")
