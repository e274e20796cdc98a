"""The kinds of noise ceiling: what each says, and the raw value that the best model would reach."""

import math

from .registries import ceiling_kind


@ceiling_kind(
    "reliability",
    "reliability of the mean response (median over neuroids); the best r is its square root",
)
def reliability(value: float) -> float:
    """The root: a mean response correlates no better with anything than with its own noiseless part."""
    return math.sqrt(max(value, 0.0))


@ceiling_kind("internal_consistency", "split-half internal consistency (Brain-Score)")
def internal_consistency(value: float) -> float:
    """As of a reliability."""
    return math.sqrt(max(value, 0.0))


@ceiling_kind("r_max", "best reachable r")
def r_max(value: float) -> float:
    """The ceiling itself."""
    return value


@ceiling_kind("rdm", "upper bound over subjects")
def rdm(value: float) -> float:
    """The ceiling itself."""
    return value


@ceiling_kind("rdm_pairwise", "r of the RDM that subjects share, from the mean r of two of them")
def rdm_pairwise(value: float) -> float:
    """The ceiling itself: the best model is what subjects share."""
    return value


@ceiling_kind("accuracy", "accuracy of a model that is right but for the noise of the recording")
def accuracy(value: float) -> float:
    """The ceiling itself."""
    return value


@ceiling_kind("none", "no ceiling")
def none(value: float) -> float:
    """No raw value is known to be out of reach."""
    del value
    return math.nan
