"""Effective dimensionality against the score, over models; and a benchmark's score of every layer."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from ...analysis.statistics.paired_tests import rank_correlation
from ...analysis.topography.analyze import check_modality
from ...analysis.topography.report import dimensionality_of
from ...analysis.topography.unit_responses import layer_unit_responses
from ...brain_data.stimulus_set import StimulusSet
from ...errors import UserError
from ...models import load_model
from ...models.extraction.torch_model import Network
from ...progress import track
from ..scoring import score

_FEWEST_MODELS = 4


def layer_scores(model: Network, benchmark: str) -> Mapping[str, float]:
    """The raw score of every default layer."""
    scores: Mapping[str, float] = score(model, benchmark, n_bootstraps=0, n_permutations=0, beyond=()).attrs[
        "record"
    ]["layers"]
    return scores


def dimensions_against_scores(
    names: Sequence[str], benchmark: str, stimuli_for: Callable[[str], StimulusSet], random_state: int = 0
) -> dict[str, Any]:
    """Effective dimensionality of the layer that a benchmark chose, against the score, over models.

    Parameters
    ----------
    names : sequence of str
        Models.
    benchmark : str
    stimuli_for : callable
        -> the stimuli that a model's dimensionality is measured with, the same for all.
    random_state : int

    Returns
    -------
    dict
        ``models``, and ``rank``: Spearman's r over models, with p from permuting them; none for fewer than 4.
    """
    rows = []
    for name in track(list(dict.fromkeys(names)), "models"):
        model = load_model(name)
        if not isinstance(model, Network):
            raise UserError(f"{name!r} is no network: it has no layers of units to analyse")
        stimuli = stimuli_for(name)
        check_modality(model, stimuli)
        record = score(model, benchmark, seed=random_state, beyond=()).attrs["record"]
        found = dimensionality_of(layer_unit_responses(model, record["layer"], stimuli))
        low, high = found["interval"]
        rows.append(
            {
                "model": model.identifier,
                "layer": record["layer"],
                "score": record["score"],
                "ci": record["ci"],
                "corrected": found["corrected"],
                "low": low,
                "high": high,
                "why_none": found["why_none"],
                "participation_ratio": found["participation_ratio"],
                "estimator": found["estimator"],
                "n_samples": found["n_samples"],
                "stimuli": stimuli.identifier,
            }
        )
    return {"benchmark": benchmark, "models": rows, "rank": _rank(rows, random_state)}


def _rank(rows: Sequence[dict[str, Any]], random_state: int, permutations: int = 9999) -> dict[str, Any]:
    known = [row for row in rows if np.isfinite(row["corrected"])]
    n = len(known)
    x, y = ([row[key] for row in known] for key in ("corrected", "score"))
    if n < _FEWEST_MODELS or min(np.ptp(x), np.ptp(y)) == 0:
        return {"r": None, "p": None, "n": n, "permuted": "nothing"}
    r, p = rank_correlation(x, y, permutations=permutations, generator=np.random.default_rng(random_state))
    return {"r": r, "p": p, "n": n, "permuted": f"models, {permutations} times; two-sided"}
