"""Texts that a network writes itself, for one whose training texts are not at hand."""

from typing import Any

import numpy as np
import torch

from ....errors import UserError
from ....models.extraction.language_model import LanguageModel
from ....progress import track
from .passes import Indices, scored

_LONGEST = 256
_AT_ONCE = 256


def own_windows(
    model: LanguageModel,
    n_windows: int,
    *,
    length: int | None = None,
    temperature: float = 1.0,
    seed: int = 0,
) -> list[Indices]:
    """Windows of tokens drawn from the network's own predictions, each token given those before it.

    What is measured on them holds where the network is at home, and says nothing of other texts.

    Parameters
    ----------
    model : LanguageModel
        With its language head, as :func:`.passes.predicting` gives it.
    n_windows : int
    length : int, optional
        Tokens; the most that the network reads by default, at most 256.
    temperature : float
        Scores are divided by it.
    seed : int

    Returns
    -------
    list of int arrays
        Each begins with the token that the tokenizer puts before every text; where there is none, with any token.
    """
    length = length or min(model.max_tokens or _LONGEST, _LONGEST)
    if n_windows < 1 or length < 2 or not temperature > 0:
        raise UserError(
            f"texts are drawn as at least 1 window of 2 tokens at a temperature above 0, not {n_windows} of {length} "
            f"at {temperature:g}"
        )
    generator = torch.Generator().manual_seed(seed)
    found: list[Indices] = []
    for start in range(0, n_windows, _AT_ONCE):
        n = min(_AT_ONCE, n_windows - start)
        ids = _beginnings(model, n, generator).to(model.device)
        for _ in track(range(length - 1), f"{model.identifier} writes"):
            scores = scored(model, ids)[:, -1].cpu() / temperature
            drawn = torch.multinomial(scores.softmax(dim=-1), 1, generator=generator)
            ids = torch.cat([ids, drawn.to(ids)], dim=1)
        found += list(ids.cpu().numpy().astype(np.intp))
    return found


def first_token(model: LanguageModel) -> int | None:
    """The token that the tokenizer puts before every text; None where it puts none."""
    encoder: Any = model._encoder("last")
    first = {tuple(encoder._ids(text)[0][:1]) for text in ("a", "the", "b c")}
    return int(first.pop()[0]) if len(first) == 1 and () not in first else None


def _beginnings(model: LanguageModel, n: int, generator: torch.Generator) -> torch.Tensor:
    first = first_token(model)
    if first is not None:
        return torch.full((n, 1), first)
    vocabulary = scored(model, model._probe().ids[:1]).shape[-1]
    return torch.randint(vocabulary, (n, 1), generator=generator)
