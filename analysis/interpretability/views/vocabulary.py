"""What units and features write into the output of a language model, and how much the output depends on them."""

import numpy as np
import pandas as pd
import torch
from torch import Tensor

from ....errors import UserError
from ....models.extraction.language_model import LanguageModel
from ....models.extraction.rows import TokenWindows
from ..lenses.importance import gradient_importance
from ..lenses.passes import Indices, layer_in, predicting
from ..lenses.token_texts import shown, token_texts
from ..lenses.vocabulary import vocabulary, way_out
from .base import Inside, view

_N_TOKENS, _MOST_WINDOWS = 8, 256


@view("writes", "unit", "tokens that each unit promotes and suppresses, and how concentrated they are")
def of_units(inside: Inside) -> pd.DataFrame:
    """The direct way of each unit into the scores; see :func:`..lenses.vocabulary.vocabulary`.

    Parameters
    ----------
    inside : Inside
    """
    return _writes(inside, torch.eye(inside.n_units))


@view(
    "promotes", "feature", "tokens that each feature promotes and suppresses, and how concentrated they are"
)
def of_features(inside: Inside) -> pd.DataFrame:
    """The same of features.

    Parameters
    ----------
    inside : Inside
    """
    return _writes(inside, inside.features.directions)


def _writes(inside: Inside, directions: Tensor) -> pd.DataFrame:
    _check_reads(inside)
    whole, end, write = way_out(inside.model, inside.layer)
    found = vocabulary(directions, write, end, n_tokens=_N_TOKENS, seed=inside.seed)
    names = [_names(whole, tokens) for tokens in (found.promoted, found.suppressed)]
    table = pd.DataFrame({"promoted": names[0], "suppressed": names[1], "kurtosis": found.kurtosis})
    random = float(np.median(found.kurtosis_random))
    table.attrs["controls"] = [{"kind": "random directions", "kurtosis": random, "through": found.through}]
    return table


@view("matters", "unit", "how much the loss depends on each unit: activation x gradient, the mean over texts")
def importance_of_units(inside: Inside) -> pd.DataFrame:
    """Importance of each unit, and of the two halves of the texts; see :func:`..lenses.importance.gradient_importance`.

    Parameters
    ----------
    inside : Inside
    """
    return _matters(inside, features=False)


@view(
    "counts",
    "feature",
    "how much the loss depends on each feature: activation x gradient, the mean over texts",
)
def importance_of_features(inside: Inside) -> pd.DataFrame:
    """The same of features.

    Parameters
    ----------
    inside : Inside
    """
    return _matters(inside, features=True)


def _matters(inside: Inside, *, features: bool) -> pd.DataFrame:
    whole = _language(inside)
    assert isinstance(inside.shown, TokenWindows)
    n = len(inside.shown)
    chosen = np.sort(np.random.default_rng([inside.seed, 8]).permutation(n)[:_MOST_WINDOWS])
    found = gradient_importance(
        whole,
        layer_in(whole, inside.layer),
        inside.shown.taken(chosen).ids,
        dictionary=inside.features if features else None,
        seed=inside.seed,
    )
    mean = found.importance.mean(axis=0)
    halves = [found.importance[part::2].mean(axis=0) for part in (0, 1)]
    table = pd.DataFrame({"importance": mean, "first_order": found.first_order("zero").mean(axis=0)})
    agreement = float(np.corrcoef(*halves)[0, 1]) if len(found.importance) > 1 else float("nan")
    table.attrs["controls"] = [
        {"kind": "two halves of the texts", "r": agreement, "texts": len(found.importance)}
    ]
    return table


def _check_reads(inside: Inside) -> None:
    if not isinstance(inside.model, LanguageModel):
        raise UserError(f"{inside.model.identifier} looks at pictures: it promotes no tokens")


def _language(inside: Inside) -> LanguageModel:
    _check_reads(inside)
    return predicting(inside.model)


def _names(model: LanguageModel, tokens: Indices) -> list[str]:
    known = np.unique(tokens)
    text = dict(zip(known.tolist(), map(shown, token_texts(model.tokenizer, known)), strict=True))
    return [" ".join(text[int(one)] for one in row) for row in tokens]
