"""The noise ceiling of every neuroid: which neuroids a score stands on, and what their r is divided by."""

import numpy as np

from ...analysis.encoding.cross_validation import Indices
from ...brain_data.noise_ceiling import reliability
from ...errors import UserError
from .base import Ceiling, Floats
from .normalization import none, r_over_sqrt_reliability
from .recording import Recording
from .registries import Normalization


def neuroid_ceiling(recorded: Recording) -> Ceiling:
    """Published r_max, else split-half reliability over repetitions, else none."""
    n_neuroids = recorded.responses.shape[2]
    if recorded.r_max is not None:
        return Ceiling("r_max", recorded.r_max, np.full(n_neuroids, recorded.r_max))
    if recorded.responses.shape[1] < 2:
        return Ceiling("none", float("nan"))
    per_neuroid = reliability(recorded.responses)
    return Ceiling("reliability", float(np.nanmedian(per_neuroid)), per_neuroid)


def reliable_neuroids(recorded: Recording, ceiling: Ceiling, least: float) -> tuple[Indices, dict[str, int]]:
    """The neuroids whose reliability is at least `least`, and how many are left out, by reason.

    Raises
    ------
    UserError
        Where none is.
    """
    if ceiling.kind != "reliability" or ceiling.per_neuroid is None:
        return np.arange(recorded.responses.shape[2]), {}
    reliable = np.nan_to_num(ceiling.per_neuroid, nan=-1.0) >= least
    if not reliable.any():
        raise UserError(
            f"{recorded.name}: none of {len(reliable)} neuroids has a reliability of at least "
            f"{least}, so there is nothing that a model could explain"
        )
    unreliable = int((~reliable).sum())
    reason = f"neuroids with a reliability below {least}"
    return np.flatnonzero(reliable), {reason: unreliable} if unreliable else {}


def normalization_by(ceiling: Ceiling, kept: Indices) -> tuple[Normalization, Floats]:
    """The formula that fits a ceiling, and the best reachable r of the neuroids that are kept."""
    if ceiling.kind == "none" or ceiling.per_neuroid is None:
        return none, np.ones(len(kept))
    value = ceiling.per_neuroid[kept]
    return r_over_sqrt_reliability, np.sqrt(value) if ceiling.kind == "reliability" else value
