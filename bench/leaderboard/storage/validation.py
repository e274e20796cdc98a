"""Whether a score fits its benchmark by itself: known, of a known version, and consistent."""

import math

import numpy as np

from ....errors import UserError
from ...benchmark import BenchmarkCard, benchmark_card, is_published
from ...metrics.normalization import Floats
from ...metrics.registries import CEILING_KINDS, METRICS, NORMALIZATIONS, Normalization
from ...score_key import BRAIN
from ..submission.errors import Refused
from ..submission.schema import SubmittedScore
from .models import BenchmarkRow

_SAME = 1e-6
_ROUNDED = 1e-3


def check_score(one: SubmittedScore) -> BenchmarkCard | None:
    """Check a score by itself and against its benchmark.

    Returns
    -------
    BenchmarkCard or None
        What the catalogue knows of the benchmark; None for one that only the board knows.

    Raises
    ------
    Refused
        With the reason.
    """
    card = _check_benchmark(one)
    _check_interval(one)
    _check_formula(one)
    return card


def _check_benchmark(one: SubmittedScore) -> BenchmarkCard | None:
    if one.model == BRAIN:
        raise Refused(f"{one.benchmark}: decoded from the {BRAIN} itself, which is no model and has no rank")
    if not is_published(one.benchmark):
        raise Refused(
            f"{one.model} on {one.benchmark}: other folds than the benchmark's make another benchmark"
        )
    try:
        card = benchmark_card(one.benchmark)
    except UserError as error:
        if BenchmarkRow.get_or_none(BenchmarkRow.benchmark == one.benchmark) is None:
            raise Refused(
                f"{one.model}: this board does not know the benchmark {one.benchmark!r} ({error})"
            ) from None
        return None
    if one.benchmark_version > card.version:
        raise Refused(
            f"{one.model} on {one.benchmark}: this board knows the benchmark up to version {card.version}, "
            f"not {one.benchmark_version}"
        )
    for name, said, known in (
        ("dataset", one.dataset, card.dataset),
        ("region", one.region, card.region),
        ("metric", one.metric, card.metric),
        ("domain", one.domain, card.modality),
    ):
        if said != known:
            raise Refused(f"{one.model} on {one.benchmark}: its {name} is {known!r}, not {said!r}")
    if one.simulated != card.simulated:
        raise Refused(
            f"{one.model} on {one.benchmark}: the data are {'' if card.simulated else 'not '}simulated, "
            "and the submission says otherwise"
        )
    return card


def _check_interval(one: SubmittedScore) -> None:
    low, high = one.ci
    if (low is None) != (high is None) or (low is not None and high is not None and low > high):
        raise Refused(f"{one.model} on {one.benchmark}: its interval {low} to {high} is none")
    if one.layer not in one.layers:
        raise Refused(f"{one.model} on {one.benchmark}: the layer {one.layer!r} is not among its layers")
    if (one.ceiling is None) != (one.ceiling_kind == "none"):
        raise Refused(f"{one.model} on {one.benchmark}: a ceiling has a kind and a value, or neither")
    least, greatest = getattr(METRICS.get(one.metric), "bounds", (-1.0, 1.0))
    if not least <= one.raw <= greatest:
        raise Refused(
            f"{one.model} on {one.benchmark}: the raw value {one.raw:.4g} of {one.metric} is not between {least:g} and "
            f"{greatest:g}"
        )


def _check_formula(one: SubmittedScore) -> None:
    """The headline again, from the raw value and the ceiling by the formula that it names."""
    normalize = NORMALIZATIONS.get(one.normalization)
    expected = None if normalize is None else _again(one, normalize)
    if normalize is None or expected is None:
        raise Refused(
            f"{one.model} on {one.benchmark}: unknown normalization {one.normalization!r}, or none for its ceiling: "
            "the board computes every score again, and needs the package that adds it"
        )
    tolerance = _ROUNDED if normalize.of_each else _SAME
    if not math.isclose(expected, one.score, rel_tol=tolerance, abs_tol=tolerance):
        raise Refused(
            f"{one.model} on {one.benchmark}: the score {one.score:.4f} does not follow from its raw values and its "
            f"ceiling by {one.normalization}, which give {expected:.4f}"
        )


def _again(one: SubmittedScore, normalize: Normalization) -> float | None:
    best = normalize.without_ceiling if one.ceiling is None else one.ceiling
    if best is None or best <= normalize.chance:
        return None
    if normalize.of_each:
        return float(normalize(*_neuroids(one)))
    return float(normalize(np.array([[one.raw]]), np.asarray(best, dtype=float)))


def _neuroids(one: SubmittedScore) -> tuple[Floats, Floats]:
    """The r of every neuroid, as one split, and its r_max; a neuroid without a raw value was left out."""
    said = f"{one.model} on {one.benchmark}"
    values = np.array(one.raw_values, dtype=float)
    limits = np.array(one.ceiling_values, dtype=float)
    if len(limits) not in (0, len(values)):
        raise Refused(f"{said}: {len(values)} raw values and {len(limits)} ceilings of neuroids")
    kept = np.isfinite(values)
    if kept.sum() != one.n_neuroids or not kept.any():
        raise Refused(f"{said}: it has raw values of {kept.sum()} neuroids, and says {one.n_neuroids}")
    best = (limits if len(limits) else np.full(len(values), one.ceiling, dtype=float))[kept]
    if (kind := CEILING_KINDS.get(one.ceiling_kind)) is not None:
        best = np.array([kind.best(value) for value in best])
    if not (best > 0).all():
        raise Refused(f"{said}: a neuroid's ceiling is not positive")
    if not math.isclose(float(np.median(values[kept])), one.raw, rel_tol=_ROUNDED, abs_tol=_ROUNDED):
        raise Refused(f"{said}: the raw score {one.raw:.4f} is not the median of its neuroids")
    return values[kept][None], best
