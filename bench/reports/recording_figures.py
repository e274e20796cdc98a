"""The figures of a recording's report."""

from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from ...analysis.plotting import draw_map
from ...brain_data.dataset import Dataset
from .style import Style, panel_grid, shortened

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

_BARS = "#0072B2"
_MOST_LINES, _MOST_PICTURES, _MOST_RUNS = 8, 24, 8


def histograms(table: pd.DataFrame, measure: str, title: str, style: Style) -> "Figure":
    """How a measure is spread over the neuroids of each region, with its median."""
    with style.applied():
        figure = style.figure(52)
        axes = figure.subplots()
        known = table[np.isfinite(table[measure])]
        low, high = known[measure].quantile([0.002, 0.998])
        edges = np.linspace(low, high if high > low else low + 1, 41)
        regions = list(dict.fromkeys(known["region"]))
        for region in regions[:_MOST_LINES]:
            values = known.loc[known["region"] == region, measure].clip(low, high)
            share = np.histogram(values, edges)[0] / len(values)
            color = style.color(region)
            label = f"{shortened(region)} (n {len(values)}, median {values.median():.2f})"
            axes.stairs(share, edges, color=color, label=label)
            axes.axvline(values.median(), color=color, linewidth=0.6, linestyle=":")
        axes.set_xlabel(title)
        axes.set_ylabel("share of neuroids")
        more = f"; {len(regions) - _MOST_LINES} more regions" if len(regions) > _MOST_LINES else ""
        axes.legend(title=f"dotted: medians{more}")
        return figure


def axes_of(table: pd.DataFrame) -> list[str]:
    """The axes along which neuroids differ in where they lie; none where some place is not known."""
    known = [name for name in "xyz" if name in table]
    places = table[known].apply(pd.to_numeric, errors="coerce")
    if not known or not np.isfinite(places.to_numpy(float)).all():
        return []
    return [name for name in known if np.ptp(places[name]) > 0]


def maps(table: pd.DataFrame, measure: str, title: str, style: Style) -> "Figure":
    """A measure where the neuroids lie, a panel a subject."""
    with style.applied():
        along = axes_of(table)
        people = table["subject"].astype(str) if "subject" in table else pd.Series("all", index=table.index)
        names = list(dict.fromkeys(people))
        if len(names) == 1:
            figure = style.figure(62, width_mm=90)
            grid = [figure.subplots()]
        else:
            figure, grid = panel_grid(style, min(len(names), 8), 48, columns=4)
        known = table[measure].to_numpy(float)
        low, high = (0.0, 1.0) if measure == "reliability" else np.nanquantile(known, [0.01, 0.99])
        image = None
        for axes, name in zip(grid, names, strict=False):
            here = ((people == name) & np.isfinite(known)).to_numpy()
            if here.any():
                places = table.loc[here, along].to_numpy(float)
                image = draw_map(
                    axes, known[here], places, colors="cividis", limits=(low, max(high, low + 1e-12))
                )
            axes.set_title(f"{shortened(name)} (n {int(here.sum())})", fontsize=6)
        if image is not None:
            figure.colorbar(image, ax=list(grid), shrink=0.7).set_label(title)
        return figure


def presentations(dataset: Dataset, covered: pd.DataFrame, style: Style) -> "Figure":
    """How often stimuli were shown, and how much each run holds."""
    assert dataset.responses is not None
    with style.applied():
        figure, (first, second) = panel_grid(style, 2, 48, columns=2)
        counts = pd.Series(dataset.responses["stimulus_id"].values).value_counts()
        times = counts.value_counts().sort_index()
        if dataset.kind == "series":
            names = [shortened(str(one)) for one in counts.index[:12]]
            first.barh(names, counts.to_numpy()[:12], color=_BARS, height=0.6)
            first.set_ylim(-1, max(len(names), 3))
            first.set_xlabel("samples of each story or film")
        else:
            first.bar(times.index.astype(str)[:40], times.to_numpy()[:40], color=_BARS, width=0.6)
            first.set_xlim(-1.5, max(len(times[:40]), 3) - 0.5)
            first.set_xlabel("presentations of a stimulus")
            first.set_ylabel("stimuli")
        second.bar(np.arange(len(covered)), covered["presentations"], color=_BARS, width=0.8)
        second.set_xlim(-1.5, max(len(covered), 4) + 0.5)
        second.set_xticks([])
        second.set_xlabel(
            f"{len(covered)} run{'s' * (len(covered) != 1)}, in order"
            if "run" in covered
            else "sessions, in order"
        )
        second.set_ylabel("samples" if dataset.kind == "series" else "presentations")
        return figure


def time_courses(table: pd.DataFrame, style: Style) -> "Figure":
    """Mean response and reliability of every time bin."""
    with style.applied():
        figure, grid = panel_grid(style, 2, 48, columns=2)
        for axes, measure, words in zip(
            grid, ("mean", "reliability"), ("mean response", "median reliability"), strict=True
        ):
            for region in list(dict.fromkeys(table["region"]))[:_MOST_LINES]:
                here = table[table["region"] == region]
                middle = (here["time_bin_start"] + here["time_bin_end"]) / 2
                axes.plot(
                    middle, here[measure], color=style.color(region), label=shortened(region), linewidth=1
                )
            axes.axvline(0, color=style.faint, linewidth=0.6)
            axes.set_xlabel("ms after onset")
            axes.set_ylabel(words)
        grid[0].legend()
        return figure


def series(dataset: Dataset, style: Style) -> "Figure":
    """The mean over neuroids and the confounds, run by run; samples that are left out are shaded."""
    assert dataset.responses is not None
    with style.applied():
        runs = dataset.responses["run"].values
        names = list(dict.fromkeys(runs.tolist()))[:_MOST_RUNS]
        figure = style.figure(26 * len(names) + 8)
        rows = figure.subplots(len(names), 1, squeeze=False)[:, 0]
        for axes, name in zip(rows, names, strict=True):
            _one_run(axes, dataset, np.flatnonzero(runs == name), style)
            axes.set_title(shortened(str(name), 60), fontsize=6)
        rows[-1].set_xlabel("s")
        return figure


def _one_run(
    axes: "Axes", dataset: Dataset, members: "np.ndarray[tuple[int], np.dtype[np.intp]]", style: Style
) -> None:
    assert dataset.responses is not None
    time = dataset.responses["time"].values[members].astype(float)
    held = dataset.responses[members].values.astype(np.float64)
    with np.errstate(invalid="ignore", divide="ignore"):
        scaled = (held - np.nanmean(held, axis=0)) / np.nanstd(held, axis=0)
    known = np.isfinite(scaled).any(axis=1)
    mean = np.full(len(scaled), np.nan)
    mean[known] = np.nanmean(scaled[known], axis=1)
    if dataset.confounds is not None:
        moved = dataset.confounds.select_dtypes("number").to_numpy(float)[members]
        for column in moved.T[:6]:
            spread = np.nanstd(column)
            axes.plot(
                time, (column - np.nanmean(column)) / (spread or 1) / 3, color=style.faint, linewidth=0.4
            )
    axes.plot(time, mean, color=_BARS, linewidth=0.8)
    if dataset.good is not None:
        for left in time[~dataset.good[members]]:
            axes.axvspan(left, left + (dataset.tr or 0), color=style.faint, alpha=0.5, linewidth=0)
    axes.set_ylabel("z")


def thumbnails(dataset: Dataset, style: Style) -> "Figure":
    """Some of the pictures, drawn by a seed."""
    from PIL import Image

    paths = dataset.stimuli.stimulus_paths or {}
    ids = dataset.stimuli["stimulus_id"].tolist()
    some = np.sort(np.random.default_rng(0).permutation(len(ids))[:_MOST_PICTURES])
    with style.applied():
        figure, grid = panel_grid(style, len(some), 22, columns=8)
        for axes, i in zip(grid, some, strict=False):
            with Image.open(paths[ids[i]]) as picture:
                picture.thumbnail((160, 160))
                axes.imshow(np.asarray(picture.convert("RGB")))
            axes.set_title(shortened(str(ids[i]), 16), fontsize=5)
            axes.set_axis_off()
        return figure
