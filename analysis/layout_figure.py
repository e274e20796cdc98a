"""Figures of a layout: maps as they lie beside their controls, clustering, correlation over distance, spectra."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from .neighbours import Floats, Places, positions_of

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

_COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#000000")
_NULL, _LABELS = "#BBBBBB", "#F0E442"
_SMALL = 6.0
_MOST_MAPS = 6


def layout_figure(report: Mapping[str, Any], arrays: Mapping[str, Any]) -> "Figure":
    """Maps of selectivity under every layout, Moran's I against its null, the correlogram, the spectrum, maps compared.

    Parameters
    ----------
    report, arrays : mapping
        From :func:`brodmann.bench.layout_report.layout_report`.

    Returns
    -------
    Figure
        180 mm wide; not shown and not saved.
    """
    names = list(report["selectivity"])[:_MOST_MAPS]
    layouts = list(arrays.get("layout_maps", {}))
    figure = _figure(7.1, 1.35 * len(layouts) + 2.3)
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
        row.suptitle(_layout_said(layout), fontsize=7, x=0.01, ha="left")
    n_more = int("wiring" in arrays)
    bottom = rows[-1].subplots(1, 4 + n_more, width_ratios=[1.5, 1, 1, 1] + [0.6] * n_more)
    if layouts:
        _clustering(bottom[0], report, names)
        _curve(bottom[1], arrays["correlogram"], report["space"]["unit"])
    else:
        bottom[0].set_axis_off()
        bottom[0].text(0, 0.5, report["space_missing"], fontsize=_SMALL, wrap=True)
        bottom[1].set_axis_off()
    _spectrum(bottom[2], arrays["eigenvalues"], report["dimensionality"])
    _alike(bottom[3], report, names)
    if n_more:
        _wiring(bottom[4], arrays["wiring"], report["wiring"])
    simulated = "SIMULATED  " if report["simulated"] else ""
    figure.suptitle(f"{simulated}{report['units']}", fontsize=9)
    figure.supxlabel(_caption(report), fontsize=5.5)
    return figure


def grating_figure(report: Mapping[str, Any], arrays: Mapping[str, Any]) -> "Figure":
    """Maps of orientation, spatial frequency and colour with pinwheels, circular variance, and the spectrum.

    Parameters
    ----------
    report, arrays : mapping
        From :func:`brodmann.bench.layout_report.grating_report`.
    """
    figure = _figure(7.1, 3.2)
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
        for axes, (name, values, colours, unit, limits) in zip(row, shown, strict=False):
            image = draw_map(axes, values, places, colours=colours, limits=limits)
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
    row[3].hist(tuning["circular_variance"], bins=np.linspace(0, 1, 21), color=_COLOURS[0])
    row[3].axvline(
        report["orientation"]["circular_variance_below"], color="black", linestyle="--", linewidth=0.7
    )
    _finish(row[3], "circular variance", "units")
    _spectrum(row[4], arrays["eigenvalues"], report["dimensionality"])
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


def layers_figure(rows: Sequence[Mapping[str, Any]], title: str) -> "Figure":
    """Dimensionality, selectivity, clustering and, where there is one, the score of every layer.

    Parameters
    ----------
    rows : sequence of mapping
        ``layer``, ``corrected``, ``low``, ``high``, ``participation_ratio``, ``selective`` and ``morans_i`` (by
        contrast, the latter may be empty), ``score`` (or None), ``n_samples``, ``layout``.
    title : str
    """
    scored = rows[0].get("score") is not None
    figure = _figure(7.1, 2.7)
    places = figure.subplots(1, 4 if scored else 3)
    x = np.arange(len(rows))
    names = [_short(row["layer"]) for row in rows]
    middle = np.array([row["corrected"] for row in rows], float)
    error = np.array(
        [[row["corrected"] - row["low"], row["high"] - row["corrected"]] for row in rows], float
    ).T
    places[0].errorbar(
        x,
        middle,
        np.maximum(np.nan_to_num(error), 0),
        marker="o",
        markersize=3,
        color=_COLOURS[0],
        label="corrected for n",
    )
    places[0].plot(
        x, [row["participation_ratio"] for row in rows], ":", color=_COLOURS[0], linewidth=1, label="raw"
    )
    places[0].legend(fontsize=5, frameon=False)
    _finish(places[0], "", "participation ratio")
    for i, contrast in enumerate(rows[0]["selective"]):
        colour = _COLOURS[i % len(_COLOURS)]
        places[1].plot(
            x,
            [100 * row["selective"][contrast] for row in rows],
            "o-",
            markersize=2.5,
            linewidth=1,
            color=colour,
            label=contrast,
        )
        if rows[0]["morans_i"]:
            values = [row["morans_i"].get(contrast, {}).get("I", np.nan) for row in rows]
            places[2].plot(x, values, "o-", markersize=2.5, linewidth=1, color=colour)
    if rows[0]["morans_i"]:
        null = np.array(
            [2 * np.nanmean([one["null_sd"] for one in row["morans_i"].values()] or [np.nan]) for row in rows]
        )
        places[2].fill_between(x, -null, null, color=_NULL, linewidth=0)
    _finish(places[1], "", "selective units (%, q < 0.05)")
    handles, labels = places[1].get_legend_handles_labels()
    if handles:
        figure.legend(
            handles, labels, loc="outside upper right", ncols=len(labels), fontsize=5, frameon=False
        )
    _finish(places[2], "", "Moran's I (grey: permuted, 2 sd)")
    for axes in places[:3]:
        axes.set_xticks(x, names, rotation=70, ha="right", fontsize=4.5)
    if scored:
        places[3].plot(middle, [row["score"] for row in rows], "o", color=_COLOURS[1], markersize=4)
        for row, value in zip(rows, middle, strict=True):
            places[3].annotate(
                _short(row["layer"], 12),
                (value, row["score"]),
                fontsize=4,
                xytext=(2, 2),
                textcoords="offset points",
            )
        _finish(places[3], "participation ratio (corrected)", "raw score of the layer")
    figure.suptitle(title, fontsize=8, x=0.01, ha="left")
    figure.supxlabel(
        f"n = {rows[0]['n_samples']} stimuli; error bars: 95 %, jackknife over stimuli; layouts: "
        + ", ".join(dict.fromkeys(row["layout"] for row in rows)),
        fontsize=5.5,
    )
    return figure


def dimensions_figure(rows: Sequence[Mapping[str, Any]], benchmark: str, rank: Mapping[str, Any]) -> "Figure":
    """Effective dimensionality against alignment with the brain, a point a model.

    Parameters
    ----------
    rows : sequence of mapping
        ``model``, ``layer``, ``corrected``, ``low``, ``high``, ``score``, ``ci``, ``n_samples``.
    benchmark : str
    rank : mapping
        ``r``, ``p``, ``n`` of Spearman's correlation over models.
    """
    figure = _figure(3.6, 3.2)
    axes = figure.add_subplot()
    for i, row in enumerate(rows):
        low, high = row["ci"]
        axes.errorbar(
            row["corrected"],
            row["score"],
            xerr=np.maximum([[row["corrected"] - row["low"]], [row["high"] - row["corrected"]]], 0),
            yerr=None if low is None else np.maximum([[row["score"] - low], [high - row["score"]]], 0),
            fmt="o", markersize=4, color=_COLOURS[i % len(_COLOURS)], elinewidth=0.6,
        )  # fmt: skip
        axes.annotate(
            row["model"],
            (row["corrected"], row["score"]),
            fontsize=5,
            xytext=(3, 3),
            textcoords="offset points",
        )
    axes.set_xscale("log")
    _finish(axes, "participation ratio (corrected for n)", f"score on {benchmark}")
    said = (
        f"Spearman r = {rank['r']:.2f}, p = {rank['p']:.2g}"
        if rank["r"] is not None
        else "too few models to correlate"
    )
    figure.suptitle(f"{said}, n = {rank['n']} models", fontsize=7)
    figure.supxlabel(
        f"n = {rows[0]['n_samples']} stimuli for the dimensionality; bars: 95 %; p: models permuted",
        fontsize=5.5,
    )
    return figure


def brain_figure(
    values: npt.ArrayLike, positions: npt.ArrayLike, title: str, *, spacing: float | None = None
) -> "Figure":
    """Values of voxels in a standard space, on nilearn's glass brain.

    Parameters
    ----------
    values : array of shape (n_voxels,)
    positions : array of shape (n_voxels, 3)
        In mm of MNI152.
    title : str
    spacing : float, optional
        Of the voxels, in mm; by default the smallest step of the positions.
    """
    import nibabel
    from nilearn.plotting import plot_glass_brain

    places = positions_of(positions)
    known = np.asarray(values, np.float64)
    step = spacing or float(min(np.diff(np.unique(places[:, axis])).min(initial=np.inf) for axis in range(3)))
    low = places.min(axis=0) - step
    index = np.round((places - low) / step).astype(int)
    volume = np.zeros(tuple(index.max(axis=0) + 2), np.float32)
    volume[tuple(index.T)] = known
    affine = np.diag([step, step, step, 1.0])
    affine[:3, 3] = low
    figure = _figure(7.1, 2.4)
    limit = float(np.abs(known).max()) or 1.0
    image: Any = nibabel.Nifti1Image
    plot_glass_brain(
        image(volume, affine), figure=figure, plot_abs=False, cmap="RdBu_r", vmin=-limit, vmax=limit,
        colorbar=True, title=title,
    )  # fmt: skip
    return figure


def surface_figure(
    values: npt.ArrayLike,
    mesh: tuple[npt.ArrayLike, npt.ArrayLike],
    title: str,
    *,
    view: str = "lateral",
    hemisphere: str = "left",
) -> "Figure":
    """Values of vertices on a surface, by nilearn.

    Parameters
    ----------
    values : array of shape (n_vertices,)
    mesh : (coordinates (n_vertices, 3), faces (n_faces, 3))
    title, view, hemisphere : str
        As nilearn's ``plot_surf_stat_map`` takes them.
    """
    from nilearn.plotting import plot_surf_stat_map

    known = np.asarray(values, np.float64)
    figure = _figure(3.6, 3.2)
    axes = figure.add_subplot(projection="3d")
    limit = float(np.abs(known).max()) or 1.0
    plot_surf_stat_map(
        [np.asarray(mesh[0]), np.asarray(mesh[1])], known, view=view, hemi=hemisphere, axes=axes, figure=figure,
        cmap="RdBu_r", vmin=-limit, vmax=limit, title=title,
    )  # fmt: skip
    return figure


def draw_map(
    axes: "Axes",
    values: npt.ArrayLike,
    places: Places,
    *,
    colours: str = "RdBu_r",
    limits: tuple[float, float] | None = None,
) -> Any:
    """Values where their units lie, as squares that fill the grid or as dots; around 0 unless limits are given.

    Parameters
    ----------
    axes : Axes
    values : array of shape (n_units,)
    places : array of shape (n_units, 2) or (n_units, 3), or Sheet
        Of three axes the two longest are shown, the strongest value in front.
    colours : str
    limits : (float, float), optional
    """
    known, positions = np.asarray(values, np.float64), positions_of(places)
    if positions.shape[1] == 3:
        positions = positions[:, np.sort(np.argsort(-np.ptp(positions, axis=0), kind="stable")[:2])]
        order = np.argsort(np.abs(known), kind="stable")
        known, positions = known[order], positions[order]
    top = float(np.abs(known).max()) or 1.0
    low, high = limits or (
        (-top, top) if colours == "RdBu_r" else (float(known.min()), float(known.max()) + 1e-12)
    )
    image = _as_image(known, positions)
    axes.set_axis_on()
    axes.set_xticks([])
    axes.set_yticks([])
    axes.set_aspect("equal")
    if image is not None:
        field, extent = image
        return axes.imshow(
            field, cmap=colours, vmin=low, vmax=high, extent=extent, origin="lower", interpolation="nearest"
        )
    size = 6000 / max(len(known), 60)
    return axes.scatter(
        positions[:, 0],
        positions[:, 1],
        c=known,
        s=min(size, 14),
        cmap=colours,
        vmin=low,
        vmax=high,
        linewidths=0,
    )


def _as_image(values: Floats, positions: Floats) -> tuple[Floats, tuple[float, float, float, float]] | None:
    """The values as a picture where the units lie on a grid, which may have holes."""
    steps, index = [], []
    for axis in (0, 1):
        known = np.unique(np.round(positions[:, axis], 6))
        gaps = np.diff(known)
        if len(gaps) == 0:
            return None
        step = float(gaps.min())
        cell = (positions[:, axis] - known[0]) / step
        if np.abs(cell - np.round(cell)).max() > 0.01 or np.ptp(cell) > 4 * len(values):
            return None
        steps.append(step)
        index.append(np.round(cell).astype(int))
    columns, rows = index
    if (columns.max() + 1) * (rows.max() + 1) > 20 * len(values):
        return None
    field = np.full((rows.max() + 1, columns.max() + 1), np.nan)
    field[rows, columns] = values
    low = positions.min(axis=0) - np.array(steps) / 2
    high = positions.max(axis=0) + np.array(steps) / 2
    return field, (float(low[0]), float(high[0]), float(low[1]), float(high[1]))


def _clustering(axes: "Axes", report: Mapping[str, Any], names: Sequence[str]) -> None:
    """Moran's I of every contrast by layout; grey bars are 95 % of permuted layouts."""
    layouts = report["space"]["layouts"]
    width = 0.8 / len(layouts)
    for i, (layout, found) in enumerate(layouts.items()):
        x = np.arange(len(names)) + (i - (len(layouts) - 1) / 2) * width
        entries = [found["morans_i"].get(name) for name in names]
        values = [np.nan if one is None else one["I"] for one in entries]
        axes.plot(x, values, "o", color=_COLOURS[i % len(_COLOURS)], markersize=3, label=layout.split("(")[0])
        for place, one in zip(x, entries, strict=True):
            if one is not None:
                middle, half = one["null_mean"], 1.96 * one["null_sd"]
                axes.plot(
                    [place, place],
                    [middle - half, middle + half],
                    color=_NULL,
                    linewidth=3,
                    solid_capstyle="butt",
                    zorder=0,
                )
    first = np.arange(len(names)) - (len(layouts) - 1) / 2 * width
    labelled = report["space"]["labels_permuted"]["contrasts"]
    for place, name in zip(first, names, strict=True):
        if name in labelled:
            one = labelled[name]
            half = 1.96 * one["null_sd"]
            box = [one["null_mean"] - half, one["null_mean"] + half]
            axes.plot([place, place], box, color=_LABELS, linewidth=3, solid_capstyle="butt", zorder=0)
    axes.axhline(0, color="black", linewidth=0.4)
    axes.set_xticks(range(len(names)), names, rotation=40, ha="right", fontsize=5)
    axes.legend(fontsize=4.5, frameon=False)
    _finish(axes, "", "Moran's I (95 % of permuted\nlayouts: grey, labels: yellow)")


def _curve(axes: "Axes", found: Any, unit: str) -> None:
    if found is None:
        axes.set_axis_off()
        return
    filled = found.curve.n_pairs > 0
    axes.plot(found.curve.distance[filled], found.curve.value[filled], "o", color=_COLOURS[0], markersize=3)
    at = np.linspace(0, float(found.curve.distance[filled].max()), 100)
    ratio = at / found.length_scale
    fitted = found.height * np.exp(-ratio if found.shape == "exponential" else -(ratio**2)) + found.floor
    axes.plot(at, fitted, color=_COLOURS[1], linewidth=1)
    low, high = found.interval
    axes.set_title(f"length scale {found.length_scale:.2g} ({low:.2g} to {high:.2g}) {unit}", fontsize=5.5)
    axes.axhline(0, color="black", linewidth=0.4)
    _finish(axes, f"distance ({unit})", "correlation of responses (r)")


def _spectrum(axes: "Axes", eigenvalues: Floats, found: Mapping[str, Any]) -> None:
    rank = np.arange(1, len(eigenvalues) + 1)
    kept = eigenvalues > 1e-9 * eigenvalues[0]
    axes.loglog(rank[kept], eigenvalues[kept] / eigenvalues.sum(), color=_COLOURS[0], linewidth=1)
    first, last = found["fit_range"]
    if np.isfinite(found["exponent"]):
        k = np.arange(first, last + 1)
        logs = np.log(eigenvalues[first - 1 : last] / eigenvalues.sum()) + found["exponent"] * np.log(k)
        axes.loglog(k, np.exp(logs.mean()) * k ** -found["exponent"], "--", color=_COLOURS[1], linewidth=1)
    low, high = found["interval"]
    axes.set_title(
        f"PR {found['corrected']:.3g} ({low:.3g} to {high:.3g}), raw {found['participation_ratio']:.3g}\n"
        f"exponent {found['exponent']:.2f} over ranks {first} to {last}",
        fontsize=5,
    )
    _finish(axes, "component", "share of variance")


def _wiring(axes: "Axes", lengths: Mapping[str, Floats], found: Mapping[str, Any]) -> None:
    parts = axes.boxplot(list(lengths.values()), widths=0.6, showfliers=False, patch_artist=True)
    for box, colour in zip(parts["boxes"], _COLOURS, strict=False):
        box.set_facecolor(colour)
    axes.set_xticks([1, 2], list(lengths), rotation=40, ha="right", fontsize=5)
    axes.set_title(f"to {_short(found['to'], 18)}", fontsize=5)
    _finish(axes, "", f"length of fibres ({found['unit']})")


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


def _layout_said(layout: str) -> str:
    if layout.startswith("fitted"):
        return f"{layout} to half of the stimuli, shown for the other half"
    return {"row-major": "row by row (units in their order)"}.get(layout, layout)


def _figure(width: float, height: float) -> "Figure":
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(width, height), layout="constrained", dpi=200)
    FigureCanvasAgg(figure)
    return figure


def _finish(axes: "Axes", x: str, y: str) -> None:
    axes.set_xlabel(x, fontsize=_SMALL)
    axes.set_ylabel(y, fontsize=_SMALL)
    axes.tick_params(labelsize=5)
    axes.spines[["top", "right"]].set_visible(False)


def _short(name: str, longest: int = 22) -> str:
    return name if len(name) <= longest else "…" + name[1 - longest :]
