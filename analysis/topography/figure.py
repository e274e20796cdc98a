"""Figures of layouts: maps beside their controls, clustering, correlation over distance, spectra; maps of gratings."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from ..plotting import COLORS, NULL, draw_map, draw_spectrum, finish, new_figure, short
from ..spatial.spatial_weights import Floats

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

_LABELS = "#F0E442"
_SMALL = 6.0
_MOST_MAPS = 6


def layout_figure(report: Mapping[str, Any], arrays: Mapping[str, Any]) -> "Figure":
    """Maps of selectivity under every layout, Moran's I against its null, the correlogram, the spectrum, maps compared.

    Parameters
    ----------
    report, arrays : mapping
        From :func:`.report.layout_report`.

    Returns
    -------
    Figure
        180 mm wide; not shown and not saved.
    """
    names = list(report["selectivity"])[:_MOST_MAPS]
    layouts = list(arrays.get("layout_maps", {}))
    figure = new_figure(7.1, 1.35 * len(layouts) + 2.3)
    heights = [1.35] * len(layouts) + [2.1]
    rows = np.atleast_1d(np.asarray(figure.subfigures(len(heights), 1, height_ratios=heights)))
    for row, layout in zip(rows, layouts, strict=False):
        places = np.atleast_1d(row.subplots(1, max(len(names), 3)))
        for axes in places:
            axes.set_axis_off()
        for axes, name in zip(places, names, strict=False):
            known = arrays["layout_maps"][layout].get(name)
            if known is None:
                continue
            draw_map(axes, known, arrays["layouts"][layout])
            found = report["space"]["layouts"][layout]["morans_i"][name]
            top = float(np.abs(known).max())
            axes.set_title(
                f"{name} (t to {top:.0f})\nI = {found['I']:.2f}, z = {found['z']:.1f}", fontsize=_SMALL
            )
        row.suptitle(_describe_layout(layout), fontsize=7, x=0.01, ha="left")
    n_more = int("wiring" in arrays)
    bottom = rows[-1].subplots(1, 4 + n_more, width_ratios=[1.5, 1, 1, 1] + [0.6] * n_more)
    if layouts:
        _clustering(bottom[0], report, names)
        _curve(bottom[1], arrays["correlogram"], report["space"]["unit"])
    else:
        bottom[0].set_axis_off()
        bottom[0].text(0, 0.5, report["space_missing"], fontsize=_SMALL, wrap=True)
        bottom[1].set_axis_off()
    draw_spectrum(bottom[2], arrays["eigenvalues"], report["dimensionality"])
    _alike(bottom[3], report, names)
    if n_more:
        _wiring(bottom[4], arrays["wiring"], report["wiring"])
    simulated = "SIMULATED  " if report["simulated"] else ""
    figure.suptitle(f"{simulated}{report['units']}", fontsize=9)
    figure.supxlabel(_caption(report), fontsize=5.5)
    return figure


def _clustering(axes: "Axes", report: Mapping[str, Any], names: Sequence[str]) -> None:
    """Moran's I of every contrast by layout; grey bars are 95 % of permuted layouts."""
    layouts = report["space"]["layouts"]
    width = 0.8 / len(layouts)
    for i, (layout, found) in enumerate(layouts.items()):
        x = np.arange(len(names)) + (i - (len(layouts) - 1) / 2) * width
        entries = [found["morans_i"].get(name) for name in names]
        values = [np.nan if one is None else one["I"] for one in entries]
        axes.plot(x, values, "o", color=COLORS[i % len(COLORS)], markersize=3, label=layout.split("(")[0])
        for place, one in zip(x, entries, strict=True):
            if one is not None:
                middle, half = one["null_mean"], 1.96 * one["null_sd"]
                axes.plot(
                    [place, place],
                    [middle - half, middle + half],
                    color=NULL,
                    linewidth=3,
                    solid_capstyle="butt",
                    zorder=0,
                )
    first = np.arange(len(names)) - (len(layouts) - 1) / 2 * width
    labeled = report["space"]["labels_permuted"]["contrasts"]
    for place, name in zip(first, names, strict=True):
        if name in labeled:
            one = labeled[name]
            half = 1.96 * one["null_sd"]
            box = [one["null_mean"] - half, one["null_mean"] + half]
            axes.plot([place, place], box, color=_LABELS, linewidth=3, solid_capstyle="butt", zorder=0)
    axes.axhline(0, color="black", linewidth=0.4)
    axes.set_xticks(range(len(names)), names, rotation=40, ha="right", fontsize=5)
    axes.legend(fontsize=4.5, frameon=False)
    finish(axes, "", "Moran's I (95 % of permuted\nlayouts: grey, labels: yellow)")


def _curve(axes: "Axes", found: Any, unit: str) -> None:
    if found is None:
        axes.set_axis_off()
        return
    filled = found.curve.n_pairs > 0
    axes.plot(found.curve.distance[filled], found.curve.value[filled], "o", color=COLORS[0], markersize=3)
    if np.isfinite(found.length_scale):
        ratio = (at := np.linspace(0, float(found.curve.distance[filled].max()), 100)) / found.length_scale
        fitted = found.height * np.exp(-ratio if found.shape == "exponential" else -(ratio**2)) + found.floor
        axes.plot(at, fitted, color=COLORS[1], linewidth=1)
        low, high = found.interval
        axes.set_title(
            f"length scale {found.length_scale:.2g} ({low:.2g} to {high:.2g}) {unit}", fontsize=5.5
        )
    else:
        axes.set_title("no length scale found", fontsize=5.5)
    axes.axhline(0, color="black", linewidth=0.4)
    finish(axes, f"distance ({unit})", "correlation of responses (r)")


def _wiring(axes: "Axes", lengths: Mapping[str, Floats], found: Mapping[str, Any]) -> None:
    parts = axes.boxplot(list(lengths.values()), widths=0.6, showfliers=False, patch_artist=True)
    for box, color in zip(parts["boxes"], COLORS, strict=False):
        box.set_facecolor(color)
    axes.set_xticks([1, 2], list(lengths), rotation=40, ha="right", fontsize=5)
    axes.set_title(f"to {short(found['to'], 18)}", fontsize=5)
    finish(axes, "", f"length of fibres ({found['unit']})")


def _alike(axes: "Axes", report: Mapping[str, Any], names: Sequence[str]) -> None:
    if "map_correlations" not in report:
        axes.set_axis_off()
        return
    known = report["map_correlations"]
    keep = [known["contrasts"].index(name) for name in names]
    r = np.asarray(known["r"])[np.ix_(keep, keep)]
    image = axes.imshow(r, cmap="RdBu_r", vmin=-1, vmax=1)
    axes.set_xticks(range(len(names)), names, rotation=60, ha="right", fontsize=4.5)
    axes.set_yticks(range(len(names)), names, fontsize=4.5)
    for i in range(len(names)):
        for j in range(i):
            axes.text(j, i, f"{r[i, j]:.2f}", fontsize=3.8, ha="center", va="center")
    axes.set_title("correlation of maps (r)", fontsize=5.5)
    bar = axes.figure.colorbar(image, ax=axes, shrink=0.6)
    bar.ax.tick_params(labelsize=4)


def _caption(report: Mapping[str, Any]) -> str:
    parts = [f"t maps; n = {report['n_units']} {report['unit_kind']}, {report['samples']}"]
    if report["space"] is not None:
        space = report["space"]
        smoothing = f"smoothed, FWHM {space['fwhm']:g} {space['unit']}" if space["fwhm"] else "not smoothed"
        parts.append(f"{smoothing}; null: {space['permutations']} permuted layouts, smoothed alike")
        parts.append(f"seed {space['random_state']}")
    return "; ".join(parts)


def _describe_layout(layout: str) -> str:
    if layout.startswith("fitted"):
        return f"{layout} to half of the stimuli, shown for the other half"
    return {"row-major": "row by row (units in their order)"}.get(layout, layout)


def grating_figure(report: Mapping[str, Any], arrays: Mapping[str, Any]) -> "Figure":
    """Maps of orientation, spatial frequency and colour with pinwheels, circular variance, and the spectrum.

    Parameters
    ----------
    report, arrays : mapping
        From :func:`.grating_report.grating_report`.
    """
    figure = new_figure(7.1, 3.2)
    places = arrays.get("places")
    tuning = arrays["tuning"]
    row = figure.subplots(1, 5)
    for axes in row[:3]:
        axes.set_axis_off()
    if places is not None:
        shown: list[tuple[str, Any, str, str, tuple[float, float] | None]] = [
            ("orientation", tuning["orientation"].to_numpy(), "hsv", "degrees", (0.0, 180.0))
        ]
        shown.append(("frequency", tuning["frequency"].to_numpy(float), "viridis", "cycles a picture", None))
        if "colour" in tuning.columns:
            levels = sorted(set(tuning["colour"]))
            coded = np.array([levels.index(one) for one in tuning["colour"]], float)
            shown.append(
                ("colour", coded, "cividis", " / ".join(f"{i}: {one}" for i, one in enumerate(levels)), None)
            )
        for axes, (name, values, colors, unit, limits) in zip(row, shown, strict=False):
            image = draw_map(axes, values, places, colors=colors, limits=limits)
            smooth = report["space"]["smoothness"].get(name)
            said = f"\nS = {smooth['value']:.2f}, z = {smooth['z']:.1f}" if smooth else ""
            axes.set_title(f"{name}{said}", fontsize=_SMALL)
            bar = figure.colorbar(image, ax=axes, orientation="horizontal", pad=0.04, shrink=0.9)
            bar.ax.tick_params(labelsize=4.5)
            bar.set_label(unit, fontsize=5)
        if "pinwheels" in arrays:
            found = arrays["pinwheels"]
            for sign, marker in ((1, "o"), (-1, "s")):
                here = found.places[found.sign == sign]
                row[0].plot(
                    here[:, 0], here[:, 1], marker, color="white", markeredgecolor="black", markersize=2.5
                )
    row[3].hist(tuning["circular_variance"], bins=np.linspace(0, 1, 21), color=COLORS[0])
    row[3].axvline(
        report["orientation"]["circular_variance_below"], color="black", linestyle="--", linewidth=0.7
    )
    finish(row[3], "circular variance", "units")
    draw_spectrum(row[4], arrays["eigenvalues"], report["dimensionality"])
    figure.suptitle(report["units"], fontsize=9)
    wheels = report["space"].get("pinwheels") if report["space"] else None
    said = (
        f"; {wheels['count']} pinwheels (permuted {wheels['null']['null_mean']:.0f}), {wheels['density']:.2f} a "
        f"hypercolumn^2 (cortex {wheels['density_in_cortex']:.2f})"
        if wheels
        else ""
    )
    figure.supxlabel(
        f"n = {report['n_units']} {report['unit_kind']}, {report['samples']}; circles and squares: pinwheels of either "
        f"sign{said}",
        fontsize=5.5,
    )
    return figure
