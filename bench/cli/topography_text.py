"""Layout reports as lines for a terminal."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

_MOST_COLUMNS = 6


def report_text(report: Mapping[str, Any], *, width: int = 100) -> str:
    """A report of one layer or region.

    Parameters
    ----------
    report : mapping
        From :mod:`brodmann.analysis.topography.report`.
    width : int
        Columns of the terminal.
    """
    title = f"{report['units']}: {report['n_units']} {report['unit_kind']}, {report['samples']}"
    lines = [title, "─" * min(len(title), width)]
    if report["simulated"]:
        lines.insert(1, "SIMULATED data: made by a program, not recorded from a brain")
    if report["left_out"]:
        lines.append("left out: " + ", ".join(f"{n} {reason}" for reason, n in report["left_out"].items()))
    if "orientation" in report:
        lines += _gratings(report)
    else:
        lines += _selectivity(report) + _clustering(report)
    if "wiring" in report:
        lines += ["", _wiring(report["wiring"])]
    return "\n".join([*lines, "", *_dimensionality(report["dimensionality"]), ""])


def layers_rows(found: Mapping[str, Any]) -> tuple[tuple[str, ...], list[tuple[str, ...]]]:
    """Heading and rows of the table of all layers.

    Parameters
    ----------
    found : mapping
        From :func:`.analyze.layers_report`.
    """
    rows = found["layers"]
    contrasts = list(rows[0]["selective"])[:_MOST_COLUMNS]
    header = ["layer", "layout", "dimensions", *(f"I {name}" for name in contrasts)]
    header += ["raw score"] if found["benchmark"] else []
    shown = []
    for row in rows:
        cells = [row["layer"], row["layout"], _dimensions(row)]
        for name in contrasts:
            one = row["morans_i"].get(name)
            cells.append("-" if one is None else f"{one['I']:.2f}{'*' if one['clustered'] else ''}")
        if found["benchmark"]:
            cells.append("-" if row["score"] is None else f"{row['score']:.3f}")
        shown.append(tuple(cells))
    return tuple(header), shown


def _dimensions(row: Mapping[str, Any]) -> str:
    these = "-" if np.isnan(row["participation_ratio"]) else f"({row['participation_ratio']:.3g})"
    return these if row["why_none"] else f"{row['corrected']:.3g} {these}"


def _selectivity(report: Mapping[str, Any]) -> list[str]:
    names = list(report["selectivity"])
    if not names:
        return []
    size = max(len(name) for name in names)
    lines = ["", "selectivity (Welch t against the other categories)"]
    for name, found in report["selectivity"].items():
        again = "-" if found["reliability"] is None else f"{found['reliability']:.2f}"
        lines.append(
            f"  {name:<{size}}  {100 * found['fraction_selective']:5.1f} % of units selective (q < 0.05)   highest t "
            f"{found['highest_t']:5.1f}, d' {found['highest_dprime']:5.2f}   reliability {again}   n "
            f"{found['n_on']} against "
            f"{found['n_off']}"
        )
    return lines


def _clustering(report: Mapping[str, Any]) -> list[str]:
    space = report["space"]
    if space is None:
        return ["", report["space_missing"]]
    smoothing = f"smoothed at FWHM {space['fwhm']:g} {space['unit']}" if space["fwhm"] else "not smoothed"
    lines = [
        "",
        f"clustering: Moran's I, {smoothing}; null: {space['permutations']} permuted layouts, smoothed alike",
    ]
    for layout, found in space["layouts"].items():
        weights = found["weights"] + (f" {found['reach']:g}" if found["reach"] else "")
        islands = (
            f", {found['n_without_neighbour']} units without a neighbour"
            if found["n_without_neighbour"]
            else ""
        )
        said = (
            " (to half of the stimuli, measured with the other half)" if layout.startswith("fitted") else ""
        )
        lines.append(f"  layout {layout}{said}: {weights} neighbours{islands}")
        size = max(len(name) for name in found["morans_i"])
        for name, one in found["morans_i"].items():
            lines.append(
                f"    {name:<{size}}  I {one['I']:6.3f}   null {one['null_mean']:6.3f} sd {one['null_sd']:.3f}  "
                f" z {one['z']:6.1f}   "
                f"p {one['p']:.2g}   {one['verdict']}"
            )
    if "labels_permuted" in space:
        labels, own = space["labels_permuted"], space["layouts"][space["layout"]]["morans_i"]
        lines.append(f"  {space['layout']} against maps of permuted labels ({labels['permuted']})")
        size = max(len(name) for name in labels["contrasts"])
        for name, one in labels["contrasts"].items():
            low, high = space["samples_redrawn"]["intervals"][name]
            observed = f"I {own[name]['I']:6.3f} ({low:.2f} to {high:.2f})"
            null = (
                f"null {one['null_mean']:6.3f} sd {one['null_sd']:.3f}   z {one['z']:6.1f}   p {one['p']:.2g}"
            )
            lines.append(f"    {name:<{size}}  {observed}   {null}   {one['verdict']} any labelling")
    if space["constant"]:
        lines.append(f"  no unit differs for: {', '.join(space['constant'])}")
    lines += ["", f"on the layout {space['layout']}"]
    for name, found in space["contrasts"].items():
        smooth, geary, patch = found["smoothness"], found["gearys_c"], found["patches"]
        lines.append(
            f"  {name}: smoothness {smooth['value']:.2f} (null {smooth['null_mean']:.2f}, z {smooth['z']:.1f})   "
            f"Geary's C {geary['C']:.2f} (z {geary['z']:.1f})   {_patch(patch)}"
        )
    scale = space.get("length_scale")
    if scale is not None:
        low, high = scale["interval"]
        if np.isnan(scale["length_scale"]):
            lines.append(
                "  tuning: no length scale found: the correlation does not fall, or within no distance here"
            )
            return lines
        lines.append(
            f"  tuning: correlation falls to 1/e within {scale['length_scale']:.3g} {space['unit']} ({low:.3g} "
            f"to {high:.3g}; "
            f"{scale['shape']} fit, {scale['resampled']})"
        )
    return lines


def _patch(found: Mapping[str, Any]) -> str:
    if not found["n"]:
        return "no patches" + (f" ({found['why_none']})" if "why_none" in found else "")
    first = found["largest"][0]
    null = found["largest_against_permuted"]
    return (
        f"{found['n']} {'patch' if found['n'] == 1 else 'patches'} above t {found['threshold']:.1f}, the "
        f"largest {first['n_units']} units, {first['area']:.4g} "
        f"{found['area_unit']} (permuted: {null['null_mean']:.1f} units, z {null['z']:.1f})"
    )


def _gratings(report: Mapping[str, Any]) -> list[str]:
    tuned = report["orientation"]
    lines = [
        "",
        f"orientation: {100 * tuned['fraction_selective']:.1f} % of units selective (circular variance below "
        f"{tuned['circular_variance_below']:g}), median {tuned['circular_variance_median']:.2f}",
        "frequency: " + _levels(report["frequency"]) + " cycles a picture",
    ]
    if "colour" in report:
        lines.append("colour: " + _levels(report["colour"]))
    space = report["space"]
    if space is None:
        return [*lines, "", report["space_missing"]]
    for name, one in space["smoothness"].items():
        lines.append(
            f"  smoothness of {name}: {one['value']:.3f}   null {one['null_mean']:.3f} sd {one['null_sd']:.3f}  "
            f" z {one['z']:.1f}   "
            f"p {one['p']:.2g} ({one['permutations']} permuted layouts)"
        )
    wheels = space.get("pinwheels")
    if wheels is not None:
        lines.append(
            f"  pinwheels: {wheels['count']} (permuted {wheels['null']['null_mean']:.0f}, p "
            f"{wheels['null']['p']:.2g} for as few), "
            f"density {wheels['density']:.2f} a hypercolumn^2 (cortex {wheels['density_in_cortex']:.2f})"
        )
    return lines


def _wiring(found: Mapping[str, Any]) -> str:
    low, high = found["interval"]
    return (
        f"wiring to {found['to']}: {found['native']:.3g} {found['unit']}, permuted layouts "
        f"{found['permuted']:.3g}; difference "
        f"{found['difference']:.3g} ({low:.3g} to {high:.3g}), p {found['p']:.2g} ({found['p_permuted']})"
    )


def _levels(found: Mapping[str, float]) -> str:
    return ", ".join(f"{level} ({100 * share:.0f} %)" for level, share in found.items())


def _dimensionality(found: Mapping[str, Any]) -> Sequence[str]:
    title = f"dimensionality of {found['n_samples']} {found['samples']} ({found['estimator']})"
    if not found["components"]:
        return [title, f"  {found['why_none']}"]
    low, high = found["interval"]
    first, last = found["fit_range"]
    components = ", ".join(f"{100 * float(share):g} %: {n}" for share, n in found["components"].items())
    corrected = found["why_none"] or f"{found['corrected']:.3g} (95 % {low:.3g} to {high:.3g}, jackknife)"
    lowest, highest = found["interval_of_these"]
    repeated = "" if np.isnan(lowest) else f"95 % {lowest:.3g} to {highest:.3g} over repetitions, "
    return [
        title,
        f"  participation ratio corrected for n: {corrected}",
        f"  of these very {found['samples']} {found['participation_ratio']:.3g} ({repeated}at most "
        f"{found['n_samples'] - 1}), of {found['n_units']} units",
        f"  eigenspectrum exponent {found['exponent']:.2f} over ranks {first} to {last}; components for "
        f"{components} of variance",
    ]
