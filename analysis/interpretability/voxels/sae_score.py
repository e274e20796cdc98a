"""The SAE score: what features predict of a recording less what as many, as sparse features predict that never learnt.

    SAE score = score(features) - mean_c score(untrained dictionary c).

Learnt and untrained features share stimuli, folds, subjects and neuroids, so replicates of the difference are
differences of replicates (:class:`~brodmann.analysis.statistics.replicates.Replicates`). Dictionaries are drawn,
too: with the standard deviation sd over n untrained ones, the variance sd^2 (1 + 1 / n) is added, 1 / n for their mean
and 1 for the learnt one, whose seed is as much a draw. Of one untrained dictionary there is no sd, and the interval is
that of other stimuli alone.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from ....errors import UserError
from ...statistics.paired_tests import t_quantile, t_tail
from ...statistics.replicates import Replicates


@dataclass(frozen=True)
class SaeScore:
    """What learning adds.

    Attributes
    ----------
    value : float
    ci : (float, float)
        95 %; NaN where scores have no interval.
    p : float
        Two-sided, that it is 0.
    score : float
        Of the features.
    control, control_sd : float
        Mean score of the untrained dictionaries, standard deviation over them (NaN of one).
    n_controls : int
    exceeded : int
        Untrained dictionaries whose score is at least that of the features.
    """

    value: float
    ci: tuple[float, float]
    p: float
    score: float
    control: float
    control_sd: float
    n_controls: int
    exceeded: int


def sae_score(features: Replicates, controls: Sequence[Replicates], level: float = 0.95) -> SaeScore:
    """The score of features less that of untrained dictionaries, with its interval and p.

    Parameters
    ----------
    features : Replicates
    controls : sequence of Replicates
        Of dictionaries as wide and as sparse, on the same recording with the same options.
    level : float

    Raises
    ------
    UserError
        Without a control: what features predict says nothing of learning by itself.
    """
    if not controls:
        raise UserError(
            "a score of features needs one of untrained dictionaries as wide and as sparse beside it, or it says "
            "nothing of what was learnt"
        )
    values = np.array([one.value for one in controls])
    difference = features - _mean(controls)
    n = len(controls)
    spread = float(values.std(ddof=1)) if n > 1 else float("nan")
    error, free = difference.error
    total = error
    if n > 1 and spread > 0 and np.isfinite(error) and error > 0:
        drawn = spread**2 * (1 + 1 / n)
        total = float(np.sqrt(error**2 + drawn))
        free = float(total**4 / (error**4 / free + drawn**2 / (n - 1)))
    known = np.isfinite(total) and free >= 1 and total > 0
    half = t_quantile((1 + level) / 2, free) * total if known else float("nan")
    return SaeScore(
        value=difference.value,
        ci=(difference.value - half, difference.value + half),
        p=2 * t_tail(abs(difference.value) / total, free) if known else float("nan"),
        score=features.value,
        control=float(values.mean()),
        control_sd=spread,
        n_controls=n,
        exceeded=int((values >= features.value).sum()),
    )


def _mean(controls: Sequence[Replicates]) -> Replicates:
    """Their mean, which has as replicates the mean of theirs."""
    first = controls[0]
    parts = {}
    for name in ("samples", "subjects", "units", "crossed", "both"):
        each = [getattr(one, name) for one in controls]
        same = all(np.shape(one) == np.shape(each[0]) for one in each)
        parts[name] = np.mean(each, axis=0) if same else np.empty((0,) * np.ndim(each[0]))
    n_samples = min(one.n_samples for one in controls)
    return Replicates(
        float(np.mean([one.value for one in controls])), kind=first.kind, n_samples=n_samples, **parts
    )
