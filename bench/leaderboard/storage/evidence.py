"""A submitted score held against its benchmark's declaration: what cannot be is refused, what is doubtful marked."""

import math
import re
from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np
import numpy.typing as npt

from ....analysis.statistics.replicates import Replicates
from ....analysis.statistics.resampling import percentile_interval
from ...metrics.registries import METRICS
from ..submission.errors import Refused
from ..submission.schema import Draws, SubmittedScore
from .declaration import Arrays, Declaration, aggregated

_SAME = 1e-6
_ROUNDED = 2e-5
"""Of values with 7 digits that another machine computed."""
_LOOSE = 0.05
"""Between a raw score and the middle of its neuroids, where a metric takes medians before means."""
_MOST_PERMUTATIONS = 1_000_000
_PERMUTED = re.compile(r"permuted ([0-9]{1,9}) times")
"""As records said it before they had a number for it."""
HELD, ABOVE, SAME, UNFIT, ACCEPTED = "held", "above", "same", "unfit", "accepted"
"""Marks of a score. Held and unfit ones have no rank; the others stand beside a score that has one."""


def check_declared(one: SubmittedScore, declared: Declaration, arrays: Arrays) -> dict[str, str]:
    """Hold a score against a declaration.

    Returns
    -------
    dict of str to str
        Its marks, each with the reason.

    Raises
    ------
    Refused
        For what the data do not allow, in one line.
    """
    if not declared.checked:
        raise Refused(
            f"{one.model} on {one.benchmark}: this column holds {declared.origin} scores, with nothing to hold others "
            "against: whoever runs the board declares the benchmark first",
            409,
        )
    found = (
        *_facts(one, declared),
        *_values(one, declared, arrays),
        *_uncertainty(one, declared),
        *_features(one),
    )
    for problem in found:
        raise Refused(f"{one.model} on {one.benchmark}: {problem}", 409)
    return _doubts(one, declared)


def _facts(one: SubmittedScore, declared: Declaration) -> Iterator[str]:
    """What the submission says of the benchmark is what was declared."""
    if one.data_digest != declared.data_digest:
        yield (
            f"it was scored on other recordings (digest {one.data_digest[:12]}) than those of this board "
            f"({declared.data_digest[:12]}): install the data set again, or raise the benchmark's version"
        )
    if one.ceiling_kind != declared.ceiling_kind:
        yield f"its ceiling is {one.ceiling_kind!r}, not {declared.ceiling_kind!r}"
    for name in ("ceiling", "ceiling_lower", "ceiling_upper"):
        said, known = getattr(one, name), getattr(declared, name)
        if not _close(said, known):
            yield f"its {name.replace('_', ' ')} is {said}, and this board has {known}"
    for name in ("normalization", "unit"):
        said, known = getattr(one, name), getattr(declared, name)
        if said != known:
            yield f"its {name} is {said!r}, not {known!r}"
    for name in ("n_stimuli", "n_neuroids", "n_subjects"):
        said, known = getattr(one, name), getattr(declared, name)
        if known is not None and said is not None and said != known:
            yield f"it stands on {said} {name[2:]}, and the benchmark has {known}"


def _values(one: SubmittedScore, declared: Declaration, arrays: Arrays) -> Iterator[str]:
    """Its neuroids are those of the benchmark, with their ceilings, and the raw score is theirs."""
    raw = np.array(one.raw_values, dtype=float)
    if len(raw) != declared.n_values:
        yield f"it has {len(raw)} raw values, and the benchmark {declared.n_values}"
    elif (np.isfinite(raw) != np.array(arrays["kept"], dtype=bool)).any():
        yield "other neuroids are left out than those of the benchmark"
    limits, known = (np.array(values, dtype=float) for values in (one.ceiling_values, arrays["ceiling"]))
    if len(limits) != len(known):
        yield f"it has {len(limits)} ceilings of neuroids, and the benchmark {len(known)}"
    elif not np.allclose(limits, known, rtol=_ROUNDED, atol=_ROUNDED, equal_nan=True):
        apart = int((~np.isclose(limits, known, rtol=_ROUNDED, atol=_ROUNDED, equal_nan=True)).sum())
        yield f"the ceilings of {apart} of its {len(limits)} neuroids are not those of the benchmark"
    least, greatest = getattr(METRICS.get(one.metric), "bounds", (-1.0, 1.0))
    for what, values in (("neuroid", raw), ("layer", np.array(list(one.layers.values()), dtype=float))):
        wild = values[np.isfinite(values) & ((values < least - _SAME) | (values > greatest + _SAME))]
        if len(wild):
            yield f"the raw value {wild[0]:.4g} of a {what} is not between {least:g} and {greatest:g}"
    yield from _middle(one, declared, arrays, raw)
    if getattr(METRICS.get(one.metric), "jointly", False):
        return
    curve = np.array(list(one.layers.values()), dtype=float)
    slack = _SAME if len(curve) == 1 else 2 * _LOOSE * (greatest - least) / 2
    if not curve.min() - slack <= one.raw <= curve.max() + slack:
        yield f"the raw score {one.raw:.4f} is not that of its layers, {curve.min():.4f} to {curve.max():.4f}"


def _middle(
    one: SubmittedScore, declared: Declaration, arrays: Arrays, raw: npt.NDArray[Any]
) -> Iterator[str]:
    if not np.isfinite(raw).any():
        return
    if declared.aggregate:
        expected = aggregated(declared.aggregate, raw, arrays["subject"])
        if expected is not None and not math.isclose(expected, one.raw, abs_tol=_ROUNDED):
            yield f"the raw score {one.raw:.4f} is not that of its values, which give {expected:.4f}"
    elif min(abs(float(middle) - one.raw) for middle in (np.nanmedian(raw), np.nanmean(raw))) > _LOOSE:
        yield f"the raw score {one.raw:.4f} is far from the middle of its values, {np.nanmedian(raw):.4f}"


def _uncertainty(one: SubmittedScore, declared: Declaration) -> Iterator[str]:
    """Its interval lies around it and follows from its draws; its p is one that so many permutations can give."""
    low, high = one.ci
    clipped = abs(one.score) < _SAME or abs(one.score - 1) < _SAME
    if low is not None and high is not None:
        slack = 0.5 * (high - low) + _SAME  # a percentile interval need not hold its estimate
        if not low - slack <= one.score <= high + slack:
            yield f"its interval {low:.3f} to {high:.3f} does not lie around its score {one.score:.3f}"
        if high - low < _SAME and not clipped:
            yield "its interval has no width"
    elif one.draws is not None:
        yield "it has draws and no interval"
    if one.draws is not None and low is not None and high is not None:
        yield from _drawn(one, one.draws, (low, high), declared)
    if one.p is None:
        return
    n = one.n_permutations
    if n is None and (said := _PERMUTED.search(str(one.methods.get("p", "")))):
        n = int(said[1])
    if not n:
        yield "it has a p, and does not say from how many permutations (n_permutations)"
        return
    if n > _MOST_PERMUTATIONS:
        yield f"nobody permutes {n:,} times; at most {_MOST_PERMUTATIONS:,} are believed"
    smallest = 1 / (n + 1)
    if one.p < smallest * (1 - _ROUNDED):
        yield f"p = {one.p:.2g} is below {smallest:.2g}, the smallest that {n} permutations give"


def _drawn(
    one: SubmittedScore, draws: Draws, interval: tuple[float, float], declared: Declaration
) -> Iterator[str]:
    if draws.n > max(declared.n_stimuli, one.n_bootstraps or 0):
        yield f"its interval is over {draws.n} samples, and the benchmark has {declared.n_stimuli} stimuli"
    if draws.kind == "draws":
        found = percentile_interval(np.array(draws.samples))
    else:
        found = replicates_of(one.score, draws).interval()
    width = max(interval[1] - interval[0], _ROUNDED)
    without_neuroids = one.unit == "neuroid" and not draws.units and not draws.crossed
    for said, known in zip(interval, found, strict=True):
        if math.isfinite(known) and abs(said - known) > 0.01 * width + _ROUNDED and not without_neuroids:
            yield f"its interval does not follow from its draws, which give {found[0]:.3f} to {found[1]:.3f}"
            return
    if without_neuroids and found[1] - found[0] > width * 1.01 + _ROUNDED:
        yield f"its interval is narrower than its draws, which give {found[0]:.3f} to {found[1]:.3f}"


def _features(one: SubmittedScore) -> Iterator[str]:
    """The SAE score is the score less that of its control, and lies in its interval."""
    if one.sae_score is None or one.sae_control is None:
        return
    expected = one.score - one.sae_control
    if not math.isclose(one.sae_score, expected, abs_tol=_ROUNDED):
        yield f"its SAE score {one.sae_score:.4f} is not its score less that of its control, {expected:.4f}"
    low, high = one.sae_ci
    if low is not None and high is not None and not low - _SAME <= one.sae_score <= high + _SAME:
        yield f"the interval {low:.3f} to {high:.3f} does not hold its SAE score {one.sae_score:.3f}"


def replicates_of(value: float, draws: Draws) -> Replicates:
    """The draws of a submission as what an interval is made of."""
    kept: Mapping[str, npt.NDArray[np.float64]] = {
        name: np.array(getattr(draws, name), dtype=float) for name in ("samples", "subjects", "both")
    }
    tables = {
        name: np.array(values, dtype=float)
        for name in ("units", "crossed")
        if (values := getattr(draws, name))
    }
    kind: Any = draws.kind
    return Replicates(value, kind=kind, n_samples=draws.n, **kept, **tables)


def _doubts(one: SubmittedScore, declared: Declaration) -> dict[str, str]:
    """What the data allow, and a reader should know."""
    bound = declared.bound
    if bound is None or one.raw <= bound:
        return {}
    low = one.ci[0]
    if declared.ceiling is None:
        return {HELD: f"raw {one.raw:.3f} of recordings without a ceiling, above {bound:.3f}"}
    said = f"raw {one.raw:.3f} is above {bound:.3f}, the best that the noise allows"
    if low is None or low > 1:
        return {HELD: said + (", with its whole interval" if low is not None else "")}
    return {ABOVE: said + ", within its interval"}


def _close(a: float | None, b: float | None) -> bool:
    if a is None or b is None:
        return a is b
    return math.isclose(a, b, rel_tol=_SAME, abs_tol=_SAME)
