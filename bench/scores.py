"""Brain-Score's ``Score``, and a ceiling as one."""

import warnings

with warnings.catch_warnings():
    warnings.simplefilter("ignore", FutureWarning)  # brainscore-core's Score defines no __slots__
    from brainscore_core.metrics import Score

from .outcome import Ceiling

__all__ = ["Score", "ceiling_score"]


def ceiling_score(limit: Ceiling) -> Score:
    """A ceiling as a Brain-Score ``Score``, its kind and parts in ``attrs``."""
    result = Score(limit.value)
    result.attrs["kind"] = limit.kind
    if limit.per_neuroid is not None:
        result.attrs["raw"] = Score(limit.per_neuroid, dims=("neuroid",))
    if limit.lower is not None and limit.upper is not None:
        result.attrs |= {"lower": limit.lower, "upper": limit.upper}
        result.attrs["subjects"] = {name: values.tolist() for name, values in limit.per_subject.items()}
    return result
