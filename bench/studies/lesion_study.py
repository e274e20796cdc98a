"""Localise units by a contrast, lesion them, and measure what task and brain score lose beside the controls."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from typing import Any, Literal

import numpy as np
import numpy.typing as npt
import pandas as pd

from ...analysis.representation.selectivity import category_selectivity
from ...analysis.topography.unit_responses import unit_responses, what_is_a_unit
from ...brain_data.stimulus_set import StimulusSet
from ...errors import UserError, unknown
from ...models.extraction.language_model import LanguageModel
from ...models.extraction.torch_model import Network
from ...models.interventions.lesions import Kind, Lesion, contiguous_units, lesioned, random_units
from ...models.training.loop import Data, evaluate
from ...models.training.recipe import Recipe
from ...progress import track
from ..scoring import score

Units = npt.NDArray[np.intp]
Task = Callable[[Network], dict[str, float]]
_Q = 0.05


@dataclass(frozen=True)
class Found:
    """Units that a contrast found in a layer.

    Attributes
    ----------
    layer, target : str
    units : array of int
        Most selective first.
    table : DataFrame
        t, d', p and q of every unit.
    reads : {"channel", "unit"}
        Whether a unit is a channel (or feature), or one place of the layer's output.
    """

    layer: str
    target: str
    units: Units
    table: pd.DataFrame
    reads: Literal["channel", "unit"] = "channel"


def localize(model: Network, stimuli: StimulusSet, layer: str, target: str, *, share: float = 0.05) -> Found:
    """The most selective units of a layer for one category against the others.

    Feature maps are averaged over space, texts over their tokens, so that a unit is a channel or a feature; unless the
    layer's sheet has a place for every unit of the map (TDANN, All-TNN).

    Parameters
    ----------
    model : Network
    stimuli : StimulusSet
        With a column ``category``.
    layer, target : str
    share : float
        Of the layer's units, how many are taken at most; all must have q < 0.05 and answer the target more.

    Raises
    ------
    UserError
        For an unknown target, or where no unit is selective.
    """
    if not 0 < share <= 1:
        raise UserError(f"the share of units to lesion lies above 0 and not above 1, and is {share:g}")
    kinds = stimuli["category"].to_numpy()
    if target not in set(kinds):
        raise unknown("category", target, {str(kind) for kind in kinds})
    reads = what_is_a_unit(model, layer)
    responses = unit_responses(model, stimuli, layer)
    table = category_selectivity(responses, kinds, target)
    order = np.argsort(-table["t"].to_numpy(), kind="stable")[: max(1, round(share * len(table)))]
    units = order[(table["q"].to_numpy()[order] < _Q) & (table["t"].to_numpy()[order] > 0)]
    if len(units) == 0:
        raise UserError(
            f"no unit of {layer!r} answers {target!r} more than the rest (q < {_Q}, n = {len(kinds)})"
        )
    return Found(layer, target, units, table, reads)


@dataclass(frozen=True)
class LesionDesign:
    """What is done to units, and to which others it is done for comparison.

    Attributes
    ----------
    kind, factor
        As in :class:`brodmann.models.interventions.lesions.Lesion`.
    n_controls : int
        Draws of each control; neither takes a localised unit.
    random_state : int
    """

    kind: Kind = "silence"
    factor: float = 0.0
    n_controls: int = 10
    random_state: int = 0


def lesion_study(
    model: Network,
    found: Found,
    design: LesionDesign | None = None,
    *,
    benchmark: str | None = None,
    stimuli: StimulusSet | None = None,
    task: Task | None = None,
) -> dict[str, Any]:
    """What the lesion of localised units changes, beside as many random and as many contiguous units.

    Parameters
    ----------
    model : Network
    found : Found
        From :func:`localize`.
    design : LesionDesign, optional
    benchmark : str, optional
        For the brain score, on the lesioned layer and those after it.
    stimuli : StimulusSet, optional
        Language: texts with a ``category`` whose mean surprisal is a task score.
    task : callable, optional
        The model with or without a lesion -> task scores by name.

    Returns
    -------
    dict
        ``units``, ``n_units``, ``whole`` (scores without a lesion), ``localized``, ``random``, ``contiguous``: for each
        condition the change of every score; for the controls its mean, standard deviation and n, and
        ``p``, the share of controls (and of the lesion itself) that change at least as much in the same direction.
    """
    design = design or LesionDesign()
    first = Lesion(found.layer, found.units, design.kind, design.factor, design.random_state, found.reads)
    whole = _scores(model, found, benchmark, stimuli, task)
    localized = _minus(_scores(lesioned(model, first), found, benchmark, stimuli, task), whole)
    result: dict[str, Any] = {
        "layer": found.layer,
        "target": found.target,
        "kind": design.kind,
        "n_units": len(found.table),
        "units": found.units.tolist(),
        "whole": whole,
        "localised": localized,
    }
    for name, draws in _controls(model, found, design).items():
        changes = []
        for units in track(list(draws), f"control: {name} units"):
            view = lesioned(model, replace(first, units=units))
            changes.append(_minus(_scores(view, found, benchmark, stimuli, task), whole))
        result[name] = {key: _against(localized[key], [one[key] for one in changes]) for key in localized}
    return result


def _controls(model: Network, found: Found, design: LesionDesign) -> dict[str, Iterator[Units]]:
    n_units, n = len(found.table), len(found.units)
    ways: dict[str, Iterator[Units]] = {
        "random": (
            random_units(n_units, n, besides=found.units, random_state=design.random_state + i)
            for i in range(design.n_controls)
        )
    }
    sheet = model.sheet(found.layer)
    if sheet is not None and len(sheet) == n_units:
        ways["contiguous"] = (
            contiguous_units(sheet, n, besides=found.units, random_state=design.random_state + i)
            for i in range(design.n_controls)
        )
    return ways


def _scores(
    model: Network,
    found: Found,
    benchmark: str | None,
    stimuli: StimulusSet | None,
    task: Task | None,
) -> dict[str, float]:
    scores = dict(task(model)) if task is not None else {}
    if stimuli is not None and isinstance(model, LanguageModel):
        surprisal = model.surprisal(stimuli)
        scores |= {
            f"surprisal of {kind}": float(np.nanmean(surprisal[(stimuli["category"] == kind).to_numpy()]))
            for kind in sorted(set(stimuli["category"]))
        }
    if benchmark is not None:
        after = (
            model.layers[model.layers.index(found.layer) :] if found.layer in model.layers else [found.layer]
        )
        scored = score(model, benchmark, after, n_bootstraps=0, n_permutations=0, beyond=(), run="lesions")
        scores[f"brain score ({benchmark})"] = float(scored)
    return scores


def _minus(scores: dict[str, float], whole: dict[str, float]) -> dict[str, float]:
    return {name: scores[name] - whole[name] for name in whole}


def _against(observed: float, controls: list[float]) -> dict[str, float]:
    values = np.array(controls)
    beyond = values <= observed if observed < 0 else values >= observed
    return {
        "mean": float(values.mean()),
        "sd": float(values.std(ddof=1)) if len(values) > 1 else float("nan"),
        "n": len(values),
        "p": float((beyond.sum() + 1) / (len(values) + 1)),
    }


def task_of(recipe: Recipe, data: Data) -> Task:
    """The held-out task of a network that ``brodmann train`` made: accuracy, also by class, or loss."""

    def task(model: Network) -> dict[str, float]:
        with model.running() as network:
            scores = evaluate(recipe, data, network)
        return {name: value for name, value in scores.items() if name != "n_test"}

    return task
