"""What pictures are called by a network's classifier, and by what its layers would give it."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pandas as pd

from .....analysis.interpretability.lenses.class_lens import Pooled, class_lens, pooled_layers
from .....brain_data.stimulus_set import StimulusSet
from .....errors import UserError
from .....models.extraction.vision_model import VisionModel
from ..looked import Looked

Indices = npt.NDArray[np.intp]
_SHARE = 0.6
_FEWEST = 10


@dataclass(frozen=True)
class Classes:
    """Pictures of which some teach translators.

    Attributes
    ----------
    training, held_out : Pooled
    pictures : array of int
        The places of those held out in what is looked at.
    labels : list of str
        Of those pictures.
    names : list of str
        Of the classes: their number, with the category of most pictures that the network calls so.
    table : DataFrame
        See :func:`.class_lens.class_lens`.
    """

    training: Pooled
    held_out: Pooled
    pictures: Indices
    labels: list[str]
    names: list[str]
    table: pd.DataFrame


def classes_of(looked: Looked, layers: Sequence[str]) -> Classes:
    """Read some layers of the pictures that are looked at.

    Parameters
    ----------
    looked : Looked
    layers : sequence of str

    Raises
    ------
    UserError
        For a network without a classifier, or too few pictures.
    """
    model, part = looked.inside.model, looked.inside.part
    if not isinstance(model, VisionModel) or not isinstance(part, StimulusSet):
        raise UserError(f"{model.identifier} looks at no pictures: it names none")
    if len(part) < _FEWEST:
        raise UserError(
            f"{len(part)} pictures are too few to learn from some what others are called: {_FEWEST}"
        )
    pooled = pooled_layers(model, part, layers)
    order = np.random.default_rng([looked.inside.seed, 43]).permutation(len(part))
    cut = round(_SHARE * len(order))
    training, held_out = pooled.taken(order[:cut]), pooled.taken(order[cut:])
    label = "category" if "category" in part.columns else "stimulus_id"
    said = part[label].astype(str).to_numpy()
    called = pooled.scores.argmax(axis=1)
    names = [
        _name(i, said[called == i] if label == "category" else said[:0])
        for i in range(pooled.scores.shape[1])
    ]
    table = class_lens(training, held_out, seed=looked.inside.seed)
    return Classes(training, held_out, order[cut:], said[order[cut:]].tolist(), names, table)


def _name(number: int, said: npt.NDArray[np.object_]) -> str:
    kinds, counts = np.unique(said.astype(str), return_counts=True)
    if len(kinds) and counts.max() > len(said) / 2:
        return f"class {number} ({kinds[counts.argmax()]})"
    return f"class {number}"
