"""Scores over time in the terminal, and their figures."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from .common import print_json, say

if TYPE_CHECKING:
    from ..over_time.result import OverTime

_MOST_NEUROIDS = 20
"""Rows of neuroids that are printed; the figure's record has all."""


def show(
    model: Any,
    benchmark: str,
    layers: Sequence[str] | None,
    timed: Mapping[str, Any],
    figure: Path | None,
    suffix: str,
    as_json: bool,
    **options: Any,
) -> None:
    """Score, draw, and print a row a bin.

    Parameters
    ----------
    model, benchmark, layers, options
        As of ``score_over_time``.
    timed : mapping
        ``bins_of``, ``windows`` (as text), ``layer``, ``every_neuroid``.
    figure : Path, optional
        Of the curve; beside the record by default, where matrices go in any case.
    suffix : str
        Of `figure`.
    as_json : bool
    """
    from ..over_time.scoring import score_over_time
    from ..over_time.timed import window_pairs

    text = timed["windows"]
    windows = None if text is None else window_pairs(text)
    found = score_over_time(
        model, benchmark, layers, windows=windows, bins_of=timed["bins_of"], layer=timed["layer"],
        every_neuroid=timed["every_neuroid"], **options,
    )  # fmt: skip
    drawn = _draw(found, figure, suffix)
    if as_json:
        print_json(found.as_dict() | {"figures": [str(path) for path in drawn]})
        return
    _print(found)
    for path in drawn:
        say(f"figure    {path}")


def _draw(found: "OverTime", figure: Path | None, suffix: str) -> list[Path]:
    """The curve, and the matrices that there are."""
    from ...files import write_bytes
    from ..over_time.result import SUFFIX
    from ..reports import over_time_figures as draw
    from ..reports.render import bytes_of_figure
    from ..reports.style import style_for

    base = Path(found.file.removesuffix(SUFFIX))
    wanted = {figure or Path(f"{base}.overtime.png"): draw.over_time_figure}
    if found.generalization.size:
        wanted[Path(f"{base}.generalization.png")] = draw.generalization_figure
    if found.steps:
        wanted[Path(f"{base}.steps.png")] = draw.steps_figure
    for path, make in wanted.items():
        if not (found.cached and path.exists()):
            kind = suffix if path == figure else "png"
            write_bytes(path, bytes_of_figure(make([found], style_for([found.model])), kind))
    return list(wanted)


def _print(found: "OverTime") -> None:
    from .terminal import table

    title = f"{found.model}  on  {found.benchmark}, {len(found.windows)} bins"
    columns = (found.windows, found.r, found.low, found.high, found.ceiling, found.p)
    rows = [
        (
            f"{window[0]:g} to {window[1]:g}",
            f"{r:.3f}",
            "none" if low != low else f"{low:.3f} to {high:.3f}",
            "none" if ceiling != ceiling else f"{ceiling:.3f}",
            "none" if p != p else f"{p:.2g}",
            layer,
        )
        for (window, r, low, high, ceiling, p), layer in zip(
            zip(*(one.tolist() for one in columns), strict=True), found.layer_by_bin, strict=True
        )
    ]
    if found.simulated:
        say("SIMULATED data: made by a program, not recorded from a brain")
    table(title, ("ms", "r", "95 % interval", "ceiling", "p (all bins)", "layer"), rows)
    for name in ("onset", "peak"):
        say(f"{name:<10}{_latency(found, name)}")
    for one in found.clusters:
        ends = found.windows[one.first, 0], found.windows[one.last, 1]
        say(f"cluster   {ends[0]:g} to {ends[1]:g} ms, mass {one.mass:.1f}, p {one.p:.2g}")
    if found.steps:
        from ..reports.over_time_figures import monotony_words

        say(f"steps     {found.steps['layer']}: {monotony_words(found)}")
    if found.neuroids:
        first = sorted(found.neuroids, key=lambda row: row["q"])[:_MOST_NEUROIDS]
        more = f" of {len(found.neuroids)}, by q" if len(found.neuroids) > len(first) else ""
        table(
            f"{len(first)} neuroids{more}",
            ("neuroid", "peak r", "at ms", "onset ms", "q"),
            [
                (
                    row["neuroid_id"], f"{row['peak_r']:.3f}", f"{row['peak_ms']:g}",
                    "none" if row["onset_ms"] is None else f"{row['onset_ms']:g}", f"{row['q']:.2g}",
                )
                for row in first
            ],
        )  # fmt: skip
    methods = found.methods
    if methods.get("dependence"):
        say(f"held out  {methods['dependence']}")
    say(f"n         {found.n_stimuli} stimuli, {methods['n_neuroids']} neuroids; {methods['bins']}")
    say(f"seconds   {methods['seconds']:.1f}{'   (from the results store)' if found.cached else ''}")
    say(f"record    {found.file}")


def _latency(found: "OverTime", name: str) -> str:
    """``60 to 80 ms   95 % interval 40 to 80 ms``, or why there is none."""
    latency = getattr(found, name)
    start, end, low, high = found.ms(latency)
    if start != start:
        return str(latency.said)
    if low != low:
        return f"{start:g} to {end:g} ms   {latency.said}"
    last = "open: some draws have none" if high != high else f"{high:g} ms"
    return f"{start:g} to {end:g} ms   95 % interval {low:g} to {last}"
