"""How an interval was made, in words."""

import numpy as np

from ...analysis.statistics.replicates import Replicates
from .base import SAME, ScoringOptions


def said_of(replicates: Replicates, options: ScoringOptions, drawn: str = "stimuli") -> dict[str, object]:
    """How the interval was made, for the methods of a record; `drawn` is what a bootstrap draws."""
    if not np.isfinite(replicates.error_of_samples):
        few = f"none: {replicates.n_samples} groups of samples say too little about others"
        if replicates.n_samples >= 4 and len(replicates.samples):
            few = "none: without single groups of samples nothing is left to compare with, such as a ceiling"
        return {"interval": few if replicates.n_samples else "not asked for", "seed": options.seed}
    if not np.isfinite(replicates.interval(options.level)[0]):
        return {"interval": SAME, "seed": options.seed}
    level, n_subjects = f"{options.level:.0%}", len(replicates.subjects)
    over = f"{replicates.n_samples} groups of stimuli"
    if replicates.kind == "bootstrap":
        over = f"{replicates.n_samples} {drawn}, {len(replicates.samples)} draws"
    said = f"{level} {replicates.kind} over {over}"
    if n_subjects > 1:
        low, high = replicates.interval_of_samples(options.level)
        return {
            "interval": f"{said}, and t over {n_subjects} subjects: of other subjects and other stimuli",
            "interval_of_these_subjects": [low, high],
            "seed": options.seed,
        }
    about = "; one subject: says nothing about other people" if n_subjects == 1 else ""
    return {
        "interval": f"{said}, t with {replicates.error[1]:.1f} degrees of freedom{about}",
        "seed": options.seed,
    }
