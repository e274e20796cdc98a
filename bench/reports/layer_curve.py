"""Figures: functions from stored results to a matplotlib Figure."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from ..metrics.registries import CEILING_KINDS, METRICS
from ..results.in_time import of_samples

if TYPE_CHECKING:
    from matplotlib.figure import Figure

_MODEL = "#0072B2"
_CHOSEN = "#D55E00"
_CEILING = "#999999"


def layer_curve(record: Mapping[str, Any]) -> "Figure":
    """Raw score of every layer in forward order, with the ceiling and the chosen layer.

    Parameters
    ----------
    record : mapping
        A stored record of a score.

    Returns
    -------
    Figure
        Not shown and not saved; 85 mm wide (one column) up to 12 layers, wider beyond.
    """
    # not at the top: the terminal reads this module, and needs no arrays
    from ...analysis.plotting import new_figure, short

    names, values = list(record["layers"]), list(record["layers"].values())
    width = 3.35 if len(names) <= 12 else min(3.35 + 0.16 * (len(names) - 12), 12)
    figure = new_figure(width, 3.2, dpi=150)
    axes = figure.add_subplot()
    axes.axhline(0, color="black", linewidth=0.6)
    _draw_ceiling(axes, record)
    axes.plot(range(len(names)), values, color=_MODEL, marker="o", markersize=4, linewidth=1.2)
    if record["layer"] in names:
        chosen = names.index(record["layer"])
        label = f"{of_samples('chosen on training stimuli', record)}: {short(record['layer'], 28)}"
        axes.plot(chosen, values[chosen], "D", color=_CHOSEN, markersize=7, label=label)
    axes.set_xticks(
        range(len(names)), [short(name, 28) for name in names], rotation=60, ha="right", fontsize=6
    )
    axes.set_xlabel("layer", fontsize=7)
    axes.set_ylabel(_unit(record), fontsize=7)
    axes.tick_params(axis="y", labelsize=6)
    axes.spines[["top", "right"]].set_visible(False)
    if axes.get_legend_handles_labels()[0]:
        axes.legend(fontsize=5.5, frameon=False, loc="best")
    source = "SIMULATED  " if record["simulated"] else ""
    axes.set_title(f"{source}{record['model']}\n{record['benchmark']}", fontsize=8)
    figure.supxlabel(f"n = {counted(record)}", fontsize=6)
    return figure


def counted(record: Mapping[str, Any]) -> str:
    """How many stimuli (or samples), neuroids and subjects a score stands on."""
    parts = [of_samples(f"{record['n_stimuli']} stimuli", record)]
    if record["n_neuroids"]:
        parts.append(f"{record['n_neuroids']} neuroids")
    n_subjects = record["methods"].get("n_subjects")
    if n_subjects:
        parts.append(f"{n_subjects} subjects" if n_subjects > 1 else "1 RDM")
    return ", ".join(parts)


def best_raw(record: Mapping[str, Any]) -> float | None:
    """The ceiling in the units of the raw value: what the noise lets a model reach; None where there is none.

    The root of a reliability or of Brain-Score's internal consistency; similarities of representations have none.

    Parameters
    ----------
    record : mapping
        A stored record of a score.
    """
    value: float | None = record["ceiling"]
    metric, kind = METRICS.get(record["metric"]), CEILING_KINDS.get(record["ceiling_kind"])
    if value is None or kind is None or (metric is not None and metric.ceilings == ("none",)):
        return None
    return float(kind.best(value))


def _draw_ceiling(axes: Any, record: Mapping[str, Any]) -> None:
    if record["ceiling"] is None:
        return
    if record["ceiling_lower"] is not None:
        axes.axhspan(
            record["ceiling_lower"],
            record["ceiling_upper"],
            color=_CEILING,
            alpha=0.35,
            linewidth=0,
            label="ceiling",
        )
        return
    best = best_raw(record)
    if best is not None:
        axes.axhline(best, color=_CEILING, linestyle="--", linewidth=1, label="ceiling")


def _unit(record: Mapping[str, Any]) -> str:
    metric = METRICS.get(record["metric"])
    return metric.axis if metric is not None else "raw value"
