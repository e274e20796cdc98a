"""The noise ceiling of every neuroid: what the r of held-out stimuli is measured against."""

import numpy as np

from ...analysis.encoding.cross_validation import Indices
from ...brain_data.noise_ceiling import reliability_within
from .base import Ceiling, Floats
from .headline import LEAST_RELIABILITY
from .recording import Recording
from .subjects import FEWEST, reliability_of, shared_between, shared_error


def neuroid_ceiling(
    recorded: Recording, parts: list[Indices], weights: Floats, kept: Indices | None = None
) -> Ceiling:
    """Published r_max, else the reliability of the variance within `parts`, else none.

    The value of several subjects is the square of the mean over subjects of sqrt(median reliability).

    Parameters
    ----------
    recorded : Recording
    parts : list of array of int
        The held-out rows of each fold: r is centred within them.
    weights : array of shape (n_stimuli,)
    kept : array of int, optional
        The neuroids that the score is about; all of them by default.

    Returns
    -------
    Ceiling
        ``none``, with a note, where no stimulus was repeated, or below a reliability of 0.1.
    """
    n_neuroids = recorded.responses.shape[2]
    if recorded.r_max is not None:
        return Ceiling("r_max", recorded.r_max, np.full(n_neuroids, recorded.r_max))
    if not np.isfinite(recorded.noise).any():
        return _between_subjects(recorded, parts)
    rows = [part[weights[part] > 0] for part in parts]
    each = reliability_within(recorded.mean, recorded.noise, recorded.counts, rows, weights)
    chosen = np.arange(n_neuroids) if kept is None else kept
    members = [one for one in (np.intersect1d(one, chosen) for one in recorded.members) if len(one)]
    typical = np.array([np.nanmedian(each[one]) if np.isfinite(each[one]).any() else 0.0 for one in members])
    value = float(np.sqrt(np.maximum(typical, 0.0)).mean() ** 2)
    if value < LEAST_RELIABILITY:
        found = float(np.mean(typical))
        note = (
            f"none: too noisy, reliability {found:.2f} of at least {LEAST_RELIABILITY}; the raw value stands"
        )
        return Ceiling("none", float("nan"), each, note=note)
    return Ceiling("reliability", value, each)


def _between_subjects(recorded: Recording, parts: list[Indices]) -> Ceiling:
    """What subjects share, where they are enough to tell it from noise."""
    if recorded.people is None or recorded.places is None:
        return Ceiling("none", float("nan"))
    people = recorded.people
    if len(people) < FEWEST:
        note = f"none: {len(people)} subjects are too few to tell what they share from noise; the raw value stands"
        return Ceiling("none", float("nan"), note=note)
    q, error = shared_between(people, parts), shared_error(people, parts)
    typical, wide = float(np.median(q)), float(np.median(error))
    each = reliability_of(people, parts, recorded.of_mean)
    if typical < 2 * wide:
        note = (
            f"none: what {len(people)} subjects share is not told from noise, mean r of two of them {typical:.3f} "
            f"(standard error {wide:.3f}); the raw value stands"
        )
        return Ceiling("none", float("nan"), each[recorded.places], note=note)
    return Ceiling("between_subjects", float(np.median(each)), each[recorded.places])
