"""The figure of what units prefer among gratings."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from matplotlib.figure import Figure

from ..plotting import COLORS, draw_map, draw_spectrum, finish, new_figure

_SMALL = 6.0


def grating_figure(report: Mapping[str, Any], arrays: Mapping[str, Any]) -> "Figure":
    """Maps of orientation, spatial frequency and colour with pinwheels, circular variance, and the spectrum.

    Parameters
    ----------
    report, arrays : mapping
        From :func:`brodmann.analysis.topography.grating_report.grating_report`.
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
