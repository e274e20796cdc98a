"""How maps lie on a mesh of cortex: neighbours along its edges, clustering and smoothness against permuted vertices."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from ...brain_data.reading.surfaces.meshes import Mesh
from ...errors import UserError
from ..spatial.correlogram import smoothness_of
from ..spatial.gearys_c import gearys_c
from ..spatial.morans_i import morans_i_of_maps
from ..spatial.permutation_null import layout_null
from ..spatial.spatial_weights import Floats, SpatialWeights
from .contrasts import LayoutOptions
from .controls import weights_for
from .report import describe

VERSION = 1


def mesh_weights(
    meshes: Mapping[str, Mesh],
    hemispheres: Sequence[str],
    vertices: npt.ArrayLike,
    *,
    reach: float | None = None,
) -> SpatialWeights:
    """Weights of units that lie on vertices of one or two hemispheres, along the edges of their meshes.

    Parameters
    ----------
    meshes : mapping of str to Mesh
    hemispheres : sequence of str
        Of every unit.
    vertices : array of int, shape (n_units,)
    reach : float, optional
        Distance along the edges, in mm; without it vertices that share an edge are neighbours.

    Raises
    ------
    UserError
        For a unit on no vertex, or on a hemisphere without a mesh.
    """
    sides, places = np.asarray(hemispheres, dtype=str), np.asarray(vertices)
    faces, positions, chosen, start = [], [], np.full(len(sides), -1, np.intp), 0
    for side, mesh in meshes.items():
        here = sides == side
        known = (
            np.isfinite(places[here].astype(np.float64)) & (places[here] >= 0) & (places[here] < len(mesh))
        )
        if not known.all():
            raise UserError(
                f"{int((~known).sum())} units of {side} lie on no vertex of its mesh, which has {len(mesh)}: do they "
                "belong together?"
            )
        chosen[here] = places[here].astype(np.intp) + start
        faces.append(mesh.faces + start)
        positions.append(mesh.positions)
        start += len(mesh)
    if (chosen < 0).any():
        first = str(sides[np.flatnonzero(chosen < 0)[0]])
        raise UserError(
            f"{int((chosen < 0).sum())} units lie on no mesh (first: hemisphere {first!r}; meshes of "
            f"{', '.join(meshes) or 'none'}): choose a region on the cortex, or name the mesh by --surface"
        )
    return SpatialWeights.from_mesh(
        np.concatenate(faces), np.concatenate(positions), reach=reach, vertices=chosen, isolates="keep"
    )


def maps_report(
    maps: Mapping[str, Mapping[str, npt.ArrayLike]],
    meshes: Mapping[str, Mesh],
    name: str,
    options: LayoutOptions | None = None,
) -> tuple[dict[str, Any], dict[str, Any]]:
    """Moran's I, Geary's C and smoothness of maps on a mesh, beside those of permuted vertices.

    Parameters
    ----------
    maps : mapping of str to mapping of str to array
        Map -> hemisphere -> a number for every vertex; vertices where any map has none are left out.
    meshes : mapping of str to Mesh
    name : str
    options : LayoutOptions, optional
        Of its `weights`, ``mesh``, ``nearest`` and ``band`` make sense here.

    Returns
    -------
    report : dict
        JSON-able.
    arrays : dict
        ``maps`` by name and ``weights``, of the vertices that were kept.
    """
    chosen = options or LayoutOptions("mesh")
    sides = [side for side in meshes if all(side in one for one in maps.values())]
    if not sides:
        raise UserError(f"{name}: no hemisphere has both a mesh and a number in every map")
    whole = {
        kind: np.concatenate([np.asarray(one[side], np.float64) for side in sides])
        for kind, one in maps.items()
    }
    hemispheres = np.concatenate([np.full(len(meshes[side]), side) for side in sides])
    vertices = np.concatenate([np.arange(len(meshes[side])) for side in sides])
    kept = np.isfinite(np.stack(list(whole.values()))).all(axis=0)
    if kept.sum() < 4:
        raise UserError(f"{name}: {int(kept.sum())} vertices have a number in every map: a map needs more")
    known = {kind: values[kept] for kind, values in whole.items()}
    if chosen.weights == "mesh":
        used = {side: meshes[side] for side in sides}
        weights = mesh_weights(used, hemispheres[kept].tolist(), vertices[kept], reach=chosen.reach)
    else:
        places = np.concatenate([meshes[side].positions for side in sides])[kept]
        weights = weights_for(places, chosen)
    n_out = int((~kept).sum())
    report = {
        "version": VERSION,
        "maps_of": name,
        "n_units": len(weights),
        "unit_kind": "vertices",
        "hemispheres": {side: int((hemispheres[kept] == side).sum()) for side in sides},
        "left_out": {"vertices without a number": n_out} if n_out else {},
        "weights": weights.kernel,
        "reach": weights.reach,
        "n_links": int(weights.matrix.nnz),
        "n_without_neighbour": len(weights.isolates),
        "fwhm": chosen.fwhm,
        "unit": "mm",
        "permutations": chosen.permutations,
        "permutations_of_smoothness_and_gearys_c": chosen.few_permutations,
        "random_state": chosen.random_state,
        "maps": _maps(known, weights, chosen),
    }
    return report, {"maps": known, "weights": weights, "kept": kept, "sides": sides}


def _maps(known: Mapping[str, Floats], weights: SpatialWeights, options: LayoutOptions) -> dict[str, Any]:
    """The statistics of every map; one that does not vary has none."""
    varying = {name: values for name, values in known.items() if np.ptp(values) > 0}
    if not varying:
        raise UserError("all numbers of the map are the same: there is nothing to cluster")
    table = morans_i_of_maps(
        np.stack(list(varying.values())),
        weights,
        options.permutations,
        options.random_state,
        fwhm=options.fwhm,
    )
    few, smoothness = options.few_permutations, smoothness_of(weights)
    keys = ("I", "p", "q", "z", "null_mean", "null_sd", "exact_z", "exact_p")
    found: dict[str, Any] = {}
    for (name, values), (_, row) in zip(varying.items(), table.iterrows(), strict=True):
        geary = gearys_c(values, weights, few, options.random_state, fwhm=options.fwhm)
        null = layout_null(
            smoothness,
            values,
            weights,
            fwhm=options.fwhm,
            permutations=few,
            random_state=options.random_state,
        )
        found[name] = {
            "mean": float(values.mean()),
            "sd": float(values.std()),
            "least": float(values.min()),
            "most": float(values.max()),
            "morans_i": {key: float(row[key]) for key in keys}
            | {"verdict": "clustered" if row["clustered"] else "not clustered"},
            "gearys_c": {key: getattr(geary, key) for key in ("C", "p", "z", "null_mean", "null_sd")},
            "smoothness": describe(null),
        }
    return found | {name: None for name in known if name not in varying}
