"""Layout reports of what has a name: a layer, all layers, a brain region, models against their scores."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import numpy.typing as npt

from ...brain_data.dataset import Dataset, stimuli_digest
from ...brain_data.meshes import Mesh
from ...brain_data.stimulus_set import StimulusSet
from ...errors import UserError
from ...models.extraction.torch_model import Network
from ...models.sheet import Sheet
from ...progress import track
from ..representation.selectivity import fraction_selective
from ..spatial.morans_i import morans_i_of_maps
from ..spatial.spatial_weights import SpatialWeights
from ..spatial.wiring import wiring_length
from ..statistics.paired_tests import paired_difference
from ..statistics.resampling import benjamini_hochberg
from .contrasts import Contrast, LayoutOptions, contrasts_of, table_of
from .controls import weights_for
from .grating_report import grating_report
from .mesh_maps import mesh_weights
from .report import dimensionality_of, layout_report
from .unit_responses import UnitResponses, layer_unit_responses, of_subject, region_unit_responses

_Q = 0.05
_ACTIVE, _FIBER = 0.05, 0.1
"""Share of the units that count as active, and how wide a fibre is, in widths of a sheet."""


def layer_report(
    model: Network,
    layer: str,
    stimuli: StimulusSet,
    targets: Sequence[str] = (),
    options: LayoutOptions | None = None,
    wired_to: str | None = None,
) -> tuple[dict[str, Any], dict[str, Any]]:
    """The layout of one layer; see :func:`.report.layout_report`.

    Parameters
    ----------
    model : Network
    layer : str
    stimuli : StimulusSet
        With a column ``category``, or gratings.
    targets : sequence of str
        As in :func:`.contrasts.contrasts_of`.
    options : LayoutOptions, optional
    wired_to : str, optional
        Another layer: adds the length of the fibres between both sheets.
    """
    chosen = options or LayoutOptions()
    of_gratings = "category" not in stimuli.columns
    model.sheet(layer)  # an unknown layer is said before anything is extracted
    check_modality(model, stimuli)
    if not of_gratings:
        contrasts_of(np.asarray(list(stimuli["category"]), dtype=object), targets)
    unit_responses = layer_unit_responses(model, layer, stimuli)
    control = (
        model.control_sheet(layer)
        if unit_responses.places is None or unit_responses.neuroids == "channels"
        else None
    )
    if control is not None and len(control) != unit_responses.responses.shape[1]:
        control = None
    if of_gratings:
        report, arrays = grating_report(unit_responses, stimuli, chosen, control)
    else:
        report, arrays = layout_report(
            unit_responses, contrasts_of(unit_responses.labels, targets), chosen, control
        )
    report |= {"model": model.identifier, "layer": layer, "stimuli": stimuli.identifier}
    report["provenance"] = {"model": model.digest, "stimuli": stimuli_digest(stimuli)}
    if wired_to is not None:
        other = layer_unit_responses(model, wired_to, stimuli)
        report["wiring"], arrays["wiring"] = _wiring(unit_responses, control, other, model, wired_to, chosen)
    return report, arrays


def _wiring(
    unit_responses: UnitResponses,
    control: Sheet | None,
    other: UnitResponses,
    model: Network,
    layer: str,
    options: LayoutOptions,
) -> tuple[dict[str, Any], dict[str, npt.NDArray[np.float64]]]:
    """The length of fibres between two sheets of width 1, as they are and with permuted layouts."""
    here = unit_responses.places if isinstance(unit_responses.places, Sheet) else control
    there = other.places if isinstance(other.places, Sheet) else model.control_sheet(layer)
    if (
        here is None
        or max(here.extent().max(), there.extent().max()) <= 0
        or len(there) != other.responses.shape[1]
    ):
        raise UserError(
            f"{layer!r} and the layer analysed need sheets with a place for every unit to be wired"
        )
    first, second = (replace(one.scaled(1 / float(one.extent().max())), unit="cell") for one in (here, there))
    lengths = {}
    for kind, pair in {
        "native": (first, second),
        "permuted": (first.permuted(options.random_state), second.permuted(options.random_state + 1)),
    }.items():
        lengths[kind] = wiring_length(
            unit_responses.responses, pair[0], other.responses, pair[1], active=_ACTIVE, within=_FIBER,
            random_state=options.random_state,
        )  # fmt: skip
    difference = paired_difference(lengths["native"], lengths["permuted"], random_state=options.random_state)
    said = {
        "to": layer,
        "unit": "widths of a sheet",
        "active": _ACTIVE,
        "native": float(lengths["native"].mean()),
        "permuted": float(lengths["permuted"].mean()),
        "difference": difference.mean,
        "interval": list(difference.interval),
        "p": difference.p,
        "n_stimuli": difference.n,
        "p_permuted": difference.permuted,
    }
    return said, lengths


def region_report(
    dataset: Dataset,
    region: str | None = None,
    subject: str | None = None,
    by: str = "",
    targets: Sequence[str] = (),
    options: LayoutOptions | None = None,
    meshes: Mapping[str, Mesh] | None = None,
) -> tuple[dict[str, Any], dict[str, Any]]:
    """The layout of recorded neuroids, of one region or of all.

    Parameters
    ----------
    dataset : Dataset
    region, subject : str, optional
    by : str
        The column of labels.
    targets, options
        As in :func:`layer_report`.
    meshes : mapping of str to Mesh, optional
        On whose vertices the neuroids lie, for the weights ``mesh``.
    """
    whole = dataset if subject is None else of_subject(dataset, subject)
    chosen = options or LayoutOptions()
    unit_responses = region_unit_responses(whole, region, by=by, on_mesh=_on_mesh(meshes, chosen))
    report, arrays = layout_report(unit_responses, _contrasts(unit_responses, targets), chosen)
    if isinstance(unit_responses.places, SpatialWeights):
        recorded = whole.responses if region is None else whole.region(region)
        assert recorded is not None
        arrays["vertices"] = recorded["hemisphere"].values.astype(str), recorded["vertex"].values
    report |= {
        "dataset": dataset.identifier,
        "region": region or whole.regions[0],
        "standard_space": unit_responses.space,
    }
    report["provenance"] = {"dataset": dataset.digest}
    return report, arrays


def _on_mesh(
    meshes: Mapping[str, Mesh] | None, options: LayoutOptions
) -> Callable[[npt.NDArray[Any], npt.NDArray[Any]], SpatialWeights] | None:
    if meshes is None or options.weights != "mesh":
        return None
    return lambda sides, vertices: mesh_weights(meshes, sides.tolist(), vertices, reach=options.reach)


def layers_report(
    model: Network,
    stimuli: StimulusSet,
    targets: Sequence[str] = (),
    options: LayoutOptions | None = None,
    benchmark: str | None = None,
    layer_scores: Callable[[Network, str], Mapping[str, float]] | None = None,
) -> dict[str, Any]:
    """Dimensionality, selectivity and clustering of every default layer; with a benchmark, each layer's raw score.

    Parameters
    ----------
    model : Network
    stimuli : StimulusSet
    targets, options
        As in :func:`layer_report`.
    benchmark : str, optional
    layer_scores : callable, optional
        Model and benchmark -> each layer's raw score.
    """
    chosen = options or LayoutOptions()
    if "category" not in stimuli.columns:
        raise UserError("gratings are analysed layer by layer: name one with --layer")
    check_modality(model, stimuli)
    contrasts = contrasts_of(np.asarray(list(stimuli["category"]), dtype=object), targets)
    scores: dict[str, float | None] = dict.fromkeys(model.layers)
    if benchmark is not None and layer_scores is not None:
        scores |= layer_scores(model, benchmark)
    rows = []
    for layer in track(list(model.layers), "layers"):
        unit_responses = layer_unit_responses(model, layer, stimuli)
        control = None if unit_responses.places is not None else model.control_sheet(layer)
        rows.append(_row(layer, unit_responses, contrasts, chosen, control) | {"score": scores[layer]})
    return {
        "model": model.identifier,
        "stimuli": stimuli.identifier,
        "benchmark": benchmark,
        "layers": _corrected(rows),
        "provenance": {"model": model.digest, "stimuli": stimuli_digest(stimuli)},
    } | _describe_options(chosen)


def regions_report(
    dataset: Dataset,
    subject: str | None = None,
    by: str = "",
    targets: Sequence[str] = (),
    options: LayoutOptions | None = None,
    meshes: Mapping[str, Mesh] | None = None,
) -> dict[str, Any]:
    """Dimensionality, selectivity and clustering of every region of a data set.

    Parameters
    ----------
    dataset, subject, by, targets, options, meshes
        As in :func:`region_report`.
    """
    chosen = options or LayoutOptions()
    whole = dataset if subject is None else of_subject(dataset, subject)
    rows = []
    for region in track(whole.regions, "regions"):
        unit_responses = region_unit_responses(whole, region, by=by, on_mesh=_on_mesh(meshes, chosen))
        rows.append(
            _row(region, unit_responses, _contrasts(unit_responses, targets), chosen, None) | {"score": None}
        )
    return {
        "model": dataset.identifier,
        "stimuli": f"{rows[0]['n_samples']} {rows[0]['samples']}",
        "benchmark": None,
        "layers": _corrected(rows),
        "provenance": {"dataset": dataset.digest},
    } | _describe_options(chosen)


def _row(
    name: str,
    unit_responses: UnitResponses,
    contrasts: Sequence[Contrast],
    options: LayoutOptions,
    control: Sheet | None,
) -> dict[str, Any]:
    """One layer or region: dimensionality, fraction selective and Moran's I by contrast."""
    places = unit_responses.places if unit_responses.places is not None else control
    tables = {one.name: table_of(unit_responses, one) for one in contrasts}
    varying = {kind: table["t"].to_numpy() for kind, table in tables.items() if table["t"].std() > 0}
    found: dict[str, Any] = {}
    if places is not None and len(places) == unit_responses.responses.shape[1] and varying:
        table = morans_i_of_maps(
            np.stack(list(varying.values())),
            weights_for(places, options),
            options.permutations,
            options.random_state,
            fwhm=options.fwhm,
        )
        found = {kind: row.to_dict() for kind, (_, row) in zip(varying, table.iterrows(), strict=True)}
    dimensionality = dimensionality_of(unit_responses)
    low, high = dimensionality["interval"]
    return {
        "layer": name,
        "n_units": unit_responses.responses.shape[1],
        "layout": "none" if places is None else getattr(places, "layout", "native"),
        "participation_ratio": dimensionality["participation_ratio"],
        "corrected": dimensionality["corrected"],
        "low": low,
        "high": high,
        "why_none": dimensionality["why_none"],
        "estimator": dimensionality["estimator"],
        "exponent": dimensionality["exponent"],
        "components": dimensionality["components"],
        "selective": {kind: fraction_selective(table) for kind, table in tables.items()},
        "morans_i": found,
        "n_samples": dimensionality["n_samples"],
        "samples": dimensionality["samples"],
    }


def _corrected(rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """The rows with q and ``clustered`` over all layers (or regions) and contrasts together."""
    entries = [one for row in rows for one in row["morans_i"].values()]
    for one, q in zip(entries, benjamini_hochberg([one["p"] for one in entries]), strict=True):
        one |= {"q": float(q), "clustered": bool(q < _Q)}
    return rows


def _contrasts(unit_responses: UnitResponses, targets: Sequence[str]) -> list[Contrast]:
    """The contrasts of a recording; none where its stimuli have no labels and nobody asked for one."""
    if set(unit_responses.labels.tolist()) == {""} and not targets:
        return []
    return contrasts_of(unit_responses.labels, targets)


def _describe_options(options: LayoutOptions) -> dict[str, Any]:
    return {
        "weights": options.weights,
        "fwhm": options.fwhm,
        "permutations": options.permutations,
        "random_state": options.random_state,
    }


def check_modality(model: Network, stimuli: StimulusSet) -> None:
    """Refuse stimuli of the other modality."""
    kind = "language" if "sentence" in stimuli.columns else "vision"
    if kind != model.modality:
        raise UserError(
            f"{model.identifier} is a {model.modality} model, and {stimuli.identifier} is for {kind} models"
        )
