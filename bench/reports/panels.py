"""Every figure that a comparison allows, each with its numbers and what it shows in words."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from ...analysis.encoding.banded import VariancePartition
from ...analysis.topography.cortex_figure import brain_figure, cortical_surface_figure
from . import figures as draw
from . import map_figures as draw_maps
from . import tables as tables
from .collect import Comparison, maps_of
from .style import Style

if TYPE_CHECKING:
    from matplotlib.figure import Figure

Record = dict[str, Any]
_MOST_BRAINS, _FEWEST = 6, 4


@dataclass(frozen=True)
class Panel:
    """A figure with its numbers.

    Attributes
    ----------
    name : str
        Of its files.
    title, alt : str
        What it shows; what a person who does not see it should know.
    table : DataFrame
        All that the figure draws.
    figure : callable
        Style -> Figure.
    """

    name: str
    title: str
    alt: str
    table: pd.DataFrame = field(repr=False)
    figure: "Callable[[Style], Figure]" = field(repr=False)


def panels(comparison: Comparison) -> list[Panel]:
    """Every figure that the stored results allow.

    Parameters
    ----------
    comparison : Comparison
    """
    records, arrays = comparison.records, comparison.arrays
    found: list[Panel] = []
    if records:
        scores, pairs = comparison.scores, comparison.differences
        best = scores.sort_values("score", ascending=False).groupby("benchmark").first()
        first = "; ".join(f"{name}: {row['model']} ({row['score']:.3f})" for name, row in best.iterrows())
        n_models, n_benchmarks = scores["model"].nunique(), scores["benchmark"].nunique()
        alt = f"Bars of {n_models} models on {n_benchmarks} benchmarks. Highest: {first}."
        found.append(
            Panel(
                "ranked",
                "Scores, ranked",
                alt,
                scores,
                lambda style: draw.ranked_figure(scores, pairs, style),
            )
        )
        if n_models > 1 and n_benchmarks > 1:
            found.append(
                Panel(
                    "heat-map", "Models by benchmarks", "The same scores as a heat map, similar models side by side.",
                    scores[["model", "benchmark", "score"]], lambda style: draw.heat_map_figure(scores, style),
                )
            )  # fmt: skip
        found += _of_layers(records, arrays)
        found.append(
            Panel(
                "ceilings", "Ceilings and raw scores", "The best that noise allows on each benchmark, and raw "
                "scores below it.",
                scores[["benchmark", "model", "raw", "ceiling", "ceiling_kind", "best_raw"]], lambda style:
                draw.ceilings_figure(scores, style),
            )
        )  # fmt: skip
        found += _of_units(records, arrays)
        found += _of_cortex(records, arrays)
        found += _of_rdms(records, arrays)
        found += _against(scores, comparison.layouts)
    maps = tables.maps_table(comparison.layouts, [maps_of(one) for one in comparison.layouts])
    if not maps.empty:
        alt = f"Maps of selectivity of {maps['model'].nunique()} models, each beside a permuted layout."
        found.append(
            Panel(
                "selectivity-maps",
                "Selectivity maps",
                alt,
                maps,
                lambda style: draw_maps.selectivity_maps_figure(maps, style),
            )
        )
    found += [_of_partition(name, one) for name, one in comparison.partitions.items()]
    found += [_of_twins(one) for one in comparison.twins]
    return found + [panel for panel in map(_of_task, comparison.twins) if panel is not None]


def _of_layers(records: Sequence[Record], arrays: Sequence[Mapping[str, Any]]) -> list[Panel]:
    table = tables.layers_table(records, arrays)
    if table.empty:
        return []
    models = table["model"].nunique()
    alt = f"Raw score against depth, {models} models of several layers, {table['benchmark'].nunique()} benchmarks."
    return [
        Panel(
            "layer-curves", "Layer curves", alt, table, lambda style: draw.layer_curves_figure(table, style)
        )
    ]


def _of_units(records: Sequence[Record], arrays: Sequence[Mapping[str, Any]]) -> list[Panel]:
    table = tables.units_table(records, arrays)
    if table.empty:
        return []
    found = [
        Panel(
            "units", "Neuroids and subjects", "The raw value of every neuroid or subject, by model.", table,
            lambda style: draw.units_figure(table, style),
        )
    ]  # fmt: skip
    if {"x", "y", "z"} <= set(table.columns) and np.isfinite(table["x"]).any():
        placed = table[np.isfinite(table["x"])].reset_index(drop=True)
        found.append(
            Panel(
                "unit-maps", "Scores where they were recorded", "The raw value of every neuroid at its place.", placed,
                lambda style: draw_maps.unit_maps_figure(placed, style),
            )
        )  # fmt: skip
    return found


def _of_cortex(records: Sequence[Record], arrays: Sequence[Mapping[str, Any]]) -> list[Panel]:
    """Voxels with positions in MNI space, of the first records that have them."""
    found: list[Panel] = []
    for one, kept in zip(records, arrays, strict=True):
        if str(one.get("space", "")).startswith("MNI") and len(found) < 2 * _MOST_BRAINS:
            found += _of_brain(one, kept)
    return found


def _of_brain(record: Record, kept: Mapping[str, Any]) -> list[Panel]:
    """The voxels of one score on a glass brain and on fsaverage5; nothing without positions."""
    table = tables.units_table([record], [kept])
    if not {"x", "y", "z"} <= set(table.columns):
        return []
    table = table[np.isfinite(table["raw"])].reset_index(drop=True)
    name, title = f"{record['model']}-{record['benchmark']}", f"{record['model']} on {record['benchmark']}"
    values, places = table["raw"].to_numpy(float), table[["x", "y", "z"]].to_numpy(float)
    return [
        Panel(
            f"glass-brain-{name}", f"{title}, glass brain",
            f"Raw value of {len(table)} voxels in MNI space.", table,
            lambda style: brain_figure(values, places, title, dark=style.dark),
        ),
        Panel(
            f"surface-{name}", f"{title}, fsaverage5",
            f"Raw value of {len(table)} voxels on the cortical surface.", table,
            lambda style: cortical_surface_figure(values, places, title),
        ),
    ]  # fmt: skip


def _of_task(study: Record) -> Panel | None:
    """Brain score against task score, a point a network of a study of twins."""
    task = "accuracy" if "accuracy" in study["networks"][0]["task"] else "loss"
    rows = [
        {
            "benchmark": study["benchmark"],
            "model": one["kind"],
            "seed": one["seed"],
            "score": one["compressed"][0]["brain"],
            "low": np.nan,
            "high": np.nan,
            task: one["task"][task],
        }
        for one in study["networks"]
    ]
    table = pd.DataFrame(rows)
    if len(table) < _FEWEST:
        return None
    alt = f"{len(table)} networks of a study of twins: brain score against held-out {task}."
    label = f"held-out {task}" + (" (nats a token)" if task == "loss" else "")
    return Panel(
        f"against-task-{study['modality']}", f"Alignment against held-out {task}", alt, table,
        lambda style: draw.against_figure(table, task, label, style),
    )  # fmt: skip


def _of_partition(name: str, partition: VariancePartition) -> Panel:
    from .variance_figure import variance_partition_figure

    parts = {
        f"unique {space}": values for space, values in zip(partition.names, partition.unique, strict=True)
    }
    parts |= {
        f"Shapley {space}": values for space, values in zip(partition.names, partition.shapley, strict=True)
    }
    table = pd.DataFrame(parts | {"shared": partition.shared, "all": partition.full})
    alt = f"Explained variance of {len(partition.names)} spaces ({', '.join(partition.names)}), unique and shared."
    return Panel(
        f"variance-{name}", f"Variance partition {name}", alt, table,
        lambda style: variance_partition_figure(partition, title=name),
    )  # fmt: skip


def _of_twins(study: Record) -> Panel:
    from .matched_pairs_figure import twins_figure

    rows = [
        {"measure": measure, "kind": kind, **{key: entry[kind][key] for key in ("mean", "low", "high", "n")}}
        for measure, entry in study["summary"].items()
        for kind in ("topographic", "baseline", "difference")
    ]
    alt = f"{len(study['seeds'])} topographic {study['modality']} networks and their twins: layout, task, compression."
    return Panel(
        f"twins-{study['modality']}",
        f"Twins of {study['modality']}",
        alt,
        pd.DataFrame(rows),
        lambda style: twins_figure(study),
    )


def _of_rdms(records: Sequence[Record], arrays: Sequence[Mapping[str, Any]]) -> list[Panel]:
    benchmarks = dict.fromkeys(one["benchmark"] for one in records)
    kept = {benchmark: tables.rdms_table(records, arrays, benchmark) for benchmark in benchmarks}
    return [_rdm_panel(benchmark, table) for benchmark, table in kept.items() if not table.empty]


def _rdm_panel(benchmark: str, table: pd.DataFrame) -> Panel:
    n = len(table.attrs["stimulus_ids"])
    alt = f"Dissimilarities of {n} stimuli in the brain and in the chosen layers, and MDS."
    return Panel(
        f"rdms-{benchmark}", f"RDMs of {benchmark}", alt, table,
        lambda style: draw_maps.rdms_figure(table, benchmark, style),
    )  # fmt: skip


def _against(scores: pd.DataFrame, layouts: Sequence[Record]) -> list[Panel]:
    measured = tables.layouts_table(layouts)
    labels = {
        "dimensionality": "participation ratio (corrected for n)",
        "morans_i": "Moran's I of selectivity",
    }
    known = {measure: tables.against_table(scores, measured, measure) for measure in labels}
    return [
        _against_panel(table, measure, labels[measure]) for measure, table in known.items() if not table.empty
    ]


def _against_panel(table: pd.DataFrame, measure: str, label: str) -> Panel:
    return Panel(
        f"against-{measure.replace('_', '-')}", f"Alignment against {label}",
        f"{table['model'].nunique()} models: score against {label}.", table,
        lambda style: draw.against_figure(table, measure, label, style),
    )  # fmt: skip
