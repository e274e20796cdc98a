"""Scores in every bin of time."""

import pandas as pd

from ...over_time.result import OverTime
from .. import over_time_figures as draw
from ..collect import Comparison
from ..panel import Panel, panel


@panel(
    "over-time",
    title="Scores over time",
    order=35,
    sentence="Held-out r in bins of time after onset, with onsets and clusters.",
    needs="over_time",
)
def over_time(comparison: Comparison) -> list[Panel]:
    """All curves in one figure, all matrices of generalization in another, recurrent steps in a third."""
    results = comparison.over_time
    made = [
        Panel(
            pd.concat([one.table for one in results], ignore_index=True),
            lambda style: draw.over_time_figure(results, style),
            alt=" ".join(map(_begins, results)),
            n=draw.counted(results),
        )
    ]
    across = [one for one in results if one.generalization.size]
    if across:
        made.append(
            Panel(
                pd.concat(map(_pairs, across), ignore_index=True),
                lambda style: draw.generalization_figure(across, style),
                name="over-time-generalization",
                title="Generalization over time",
                alt="Held-out r of weights that were fitted in one bin with responses in another: a square says that "
                "what is coded stays, a diagonal that it changes.",
                n=draw.counted(across),
            )
        )
    recurrent = [one for one in results if one.steps]
    if recurrent:
        made.append(
            Panel(
                pd.concat(map(_steps, recurrent), ignore_index=True),
                lambda style: draw.steps_figure(recurrent, style),
                name="over-time-steps",
                title="Steps of recurrent models over time",
                alt=" ".join(f"{one.model}: {draw.monotony_words(one)}." for one in recurrent),
                n=draw.counted(recurrent),
            )
        )
    return made


def _begins(one: OverTime) -> str:
    start, end, low, high = one.ms(one.onset)
    if start != start:  # NaN
        return f"{one.model} on {one.benchmark}: {one.onset.said}."
    between = f", 95 % interval {low:g} to {high:g} ms" if low == low and high == high else ""
    return f"{one.model} on {one.benchmark}: onset in the bin from {start:g} to {end:g} ms{between}."


def _pairs(one: OverTime) -> pd.DataFrame:
    n = len(one.windows)
    starts = one.windows[:, 0]
    return pd.DataFrame(
        {
            "model": one.model,
            "benchmark": one.benchmark,
            "fitted_from_ms": starts.repeat(n),
            "predicted_from_ms": [*starts] * n,
            "r": one.generalization.ravel(),
            "p": one.generalization_p.ravel(),
        }
    )


def _steps(one: OverTime) -> pd.DataFrame:
    rows = [(f"{one.steps['layer']}@{number}", number) for number in one.steps["numbers"]]
    return pd.concat(
        pd.DataFrame(
            {
                "model": one.model,
                "benchmark": one.benchmark,
                "step": number,
                "from_ms": one.windows[:, 0],
                "r": one.by_layer[one.layers.index(layer)],
            }
        )
        for layer, number in rows
    )
