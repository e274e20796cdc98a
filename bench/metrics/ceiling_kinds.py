"""The kinds of noise ceiling: what each says, and the raw value that the best model would reach."""

import math

from .registries import ceiling_kind


@ceiling_kind(
    "reliability",
    "the median reliability of the neuroids' mean responses, whose square root is the best reachable r",
)
def reliability(value: float) -> float:
    """The root: a mean response correlates no better with anything than with its own noiseless part."""
    return math.sqrt(max(value, 0.0))


@ceiling_kind(
    "internal_consistency",
    "the split-half internal consistency of Brain-Score, whose square root is the best reachable r",
)
def internal_consistency(value: float) -> float:
    """As of a reliability."""
    return math.sqrt(max(value, 0.0))


@ceiling_kind(
    "between_subjects",
    "what subjects who were shown the same share: the mean correlation of two of them, or the reliability of their "
    "mean that follows from it, whose square root is the best reachable r",
)
def between_subjects(value: float) -> float:
    """As of a reliability."""
    return math.sqrt(max(value, 0.0))


@ceiling_kind("r_max", "the best r that a model could reach")
def r_max(value: float) -> float:
    """The ceiling itself."""
    return value


@ceiling_kind("rdm", "the mean r of each subject's RDM with that of all subjects, an upper bound")
def rdm(value: float) -> float:
    """The ceiling itself."""
    return value


@ceiling_kind(
    "rdm_pairwise", "the r of the RDM that subjects share, estimated from the mean r of two of them"
)
def rdm_pairwise(value: float) -> float:
    """The ceiling itself: the best model is what subjects share."""
    return value


@ceiling_kind("accuracy", "the accuracy of a model that errs only by the noise of the recording")
def accuracy(value: float) -> float:
    """The ceiling itself."""
    return value


@ceiling_kind("none", "no ceiling")
def none(value: float) -> float:
    """No raw value is known to be out of reach."""
    del value
    return math.nan
