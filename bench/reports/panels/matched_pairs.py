"""Studies of matched pairs: topographic networks and their twins."""

import numpy as np
import pandas as pd

from ..collect import Comparison
from ..figures import against_figure
from ..matched_pairs_figure import twins_figure
from ..panel import Panel, Record, between, panel

_FEWEST = 4


@panel(
    "twins",
    title="Twins",
    order=120,
    sentence="Topographic networks and their twins: layout, task, compression.",
    needs="twins",
)
def twins(comparison: Comparison) -> list[Panel]:
    """One a study."""
    return [_of_study(one) for one in comparison.twins]


@panel(
    "against-task",
    title="Alignment against the task",
    order=130,
    sentence="Brain score against task score, a point a network of a study of twins.",
    needs="twins",
)
def against_task(comparison: Comparison) -> list[Panel]:
    """Studies of four networks or more."""
    return [_of_task(one) for one in comparison.twins if len(one["networks"]) >= _FEWEST]


def _n(study: Record) -> str:
    n_stimuli = between(layer["n_stimuli"] for one in study["networks"] for layer in one["layers"])
    return f"{len(study['networks'])} networks of {len(study['seeds'])} seeds, {n_stimuli} stimuli"


def _of_study(study: Record) -> Panel:
    rows = [
        {"measure": measure, "kind": kind, **{key: entry[kind][key] for key in ("mean", "low", "high", "n")}}
        for measure, entry in study["summary"].items()
        for kind in ("topographic", "baseline", "difference")
    ]
    return Panel(
        pd.DataFrame(rows),
        lambda style: twins_figure(study),
        name=f"twins-{study['modality']}",
        title=f"Twins of {study['modality']}",
        alt=f"{len(study['seeds'])} topographic {study['modality']} networks and their twins: "
        "layout, task, compression.",
        n=_n(study),
    )


def _of_task(study: Record) -> Panel:
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
    label = f"held-out {task}" + (" (nats a token)" if task == "loss" else "")
    return Panel(
        table,
        lambda style: against_figure(table, task, label, style),
        name=f"against-task-{study['modality']}",
        title=f"Alignment against held-out {task}",
        alt=f"{len(table)} networks of a study of twins: brain score against held-out {task}.",
        n=_n(study),
    )
