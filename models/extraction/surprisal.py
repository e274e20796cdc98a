"""Surprisal of texts: how much each was to be expected by a network, given what stands before it."""

from bisect import bisect_right
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from ...errors import UserError
from ..model import Context
from .hooks import run
from .in_context import Passage, as_surprisal, in_context
from .next_token import check_predicts, next_token_scores
from .texts import WINDOWS, Encoder, TokenSequence, _common

if TYPE_CHECKING:
    import xarray as xr

    from ...brain_data.stimulus_set import StimulusSet

_BLOCK = 1 << 24
"""Most scores of next tokens that are made probabilities at once."""
_MOST_SCORES = 1 << 27
"""Most scores of next tokens that one pass gives, as far as one sequence allows: 0.5 GiB."""
_ALONE = "without a beginning-of-text token, a first token has no surprisal: texts' first tokens"


@dataclass(frozen=True)
class OwnedTokens:
    """The tokens of a passage, and whose they are.

    Attributes
    ----------
    given : list of int
        What stands before all of them, and is never predicted: what the tokenizer puts in front, else the token that
        begins a text, where there is one.
    ids : list of int
    owner : list of int
        The place of each token's text in the passage.
    """

    given: list[int]
    ids: list[int]
    owner: list[int]


@dataclass
class _Window:
    """Tokens that are read together, and those of the passage, from `first` on, that are predicted at their end."""

    ids: list[int]
    passage: int
    first: int
    told: list[int] = field(default_factory=list)


def surprisal_of(model: Any, stimuli: "StimulusSet", context: Context) -> "xr.DataArray":
    """Surprisal of every text; see :meth:`Model.surprisal_of`.

    Parameters
    ----------
    model : LanguageModel
    stimuli : StimulusSet
    context : {"none", "passage"} or int
    """
    check_predicts(model)
    texts = in_context(stimuli, context)
    tokens = [owned_tokens(model, one.parts) for one in texts]
    losses = [np.full(len(one.ids), np.nan) for one in tokens]
    windows = [w for i, one in enumerate(tokens) for w in _windows(i, one, model.max_tokens)]
    for window, told in _told(model, windows):
        losses[window.passage][window.first : window.first + len(told)] = told
    return _summed(model, stimuli, texts, tokens, losses)


def _summed(
    model: Any,
    stimuli: "StimulusSet",
    texts: Sequence[Passage],
    tokens: Sequence[OwnedTokens],
    losses: Sequence[npt.NDArray[np.float64]],
) -> "xr.DataArray":
    values, n_known = np.zeros(len(stimuli)), np.zeros(len(stimuli), np.intp)
    n_first = 0
    for one, owned, loss in zip(texts, tokens, losses, strict=True):
        known = np.isfinite(loss)
        place = np.asarray(owned.owner, np.intp)
        total = np.bincount(place[known], loss[known], len(one.parts))
        counted = np.bincount(place[known], minlength=len(one.parts))
        lacking = np.bincount(place[~known], minlength=len(one.parts))
        for part, row in enumerate(one.rows):
            if row is not None:
                values[row], n_known[row] = total[part], counted[part]
                n_first += bool(lacking[part] and counted[part])
    values[n_known == 0] = np.nan
    said = "after the token that begins a text" if tokens[0].given else "the first token of all has none"
    if model.max_tokens:
        step = max(1, model.max_tokens // WINDOWS)
        said += (
            f"; of longer passages in windows of {model.max_tokens} tokens, each begun in the same way, so that a "
            f"token is predicted from at least {model.max_tokens - step} before it"
        )
    first = {_ALONE: n_first} if n_first else {}
    return as_surprisal(stimuli, values, first, f"sum over a text's own tokens, {said}")


def owned_tokens(model: Any, parts: Sequence[str]) -> OwnedTokens:
    """A passage's tokens, each the text's in which its first letter stands; spaces before a text are its own.

    Parameters
    ----------
    model : LanguageModel
    parts : sequence of str
        The texts, between which a space stands.
    """
    encoder: Encoder = model._encoder("last")
    encoder._offsets = encoder._offsets or _gives_offsets(model.tokenizer)
    whole = " ".join(parts)
    ids, offsets = encoder._ids(whole)
    if not ids:
        raise UserError(f"{model.identifier}: the tokenizer gives no tokens for {whole[:80]!r}")
    if offsets is None:
        return _without_offsets(model, encoder, parts)
    starts = np.cumsum([0, *(len(part) + 1 for part in parts[:-1])]).tolist()
    added = getattr(model.tokenizer, "all_special_ids", None)
    empty = [
        right <= left and (added is None or one in added)
        for one, (left, right) in zip(ids, offsets, strict=True)
    ]
    first = next((i for i, one in enumerate(empty) if not one), len(ids))
    last = next((i for i in range(len(ids), first, -1) if not empty[i - 1]), first)
    owner = [_owner(whole, starts, *offsets[i]) for i in range(first, last)]
    return OwnedTokens(ids[:first] or _beginning(model), ids[first:last], owner)


def _owner(whole: str, starts: Sequence[int], left: int, right: int) -> int:
    letters = whole[left:right]
    at = left + len(letters) - len(letters.lstrip())
    if at < len(whole) and whole[at].isspace():
        at += 1  # a space alone: the text behind it
    return max(bisect_right(starts, at) - 1, 0)


def _gives_offsets(tokenizer: Any) -> bool:
    """Whether a callable that names no argument for offsets gives them all the same."""
    try:
        answer = tokenizer("a", return_offsets_mapping=True)
        return answer.get("offset_mapping") is not None
    except Exception:  # a person's own callable
        return False


def _without_offsets(model: Any, encoder: Encoder, parts: Sequence[str]) -> OwnedTokens:
    """Whose tokens they are by what is common with the tokens of the text before."""
    ids = encoder._ids(" ".join(parts))[0]
    starts = [0]
    for place in range(1, len(parts)):
        starts.append(_common(encoder._ids(" ".join(parts[:place]))[0], ids))
    try:
        added = encoder._ids_of(model.tokenizer(""))
    except Exception:  # a person's own callable, which may not know an empty text
        added = []
    n_before = _common(added, ids)
    n_behind = len(added) - n_before if added[n_before:] == ids[len(ids) - len(added) + n_before :] else 0
    own = ids[n_before : len(ids) - n_behind]
    owner = [bisect_right(starts, n_before + i) - 1 for i in range(len(own))]
    return OwnedTokens(ids[:n_before] or _beginning(model), own, owner)


def _beginning(model: Any) -> list[int]:
    """The token that begins a text, as the tokenizer knows it."""
    begin = getattr(model.tokenizer, "bos_token_id", None)
    return [begin] if isinstance(begin, int) and not isinstance(begin, bool) else []


def _windows(passage: int, tokens: OwnedTokens, most: int | None) -> Iterator[_Window]:
    """A passage in one window, or in several that move on by a quarter; each token is predicted in one of them."""
    n, n_given = len(tokens.ids), len(tokens.given)
    room = n if most is None else max(most - n_given, 1) + 1  # the last token that is predicted is not read
    step = max(1, (most or room) // WINDOWS)
    start, done = 0, 0 if n_given else 1
    while done < n:
        end = min(n, start + room)
        if end > done:
            read = [*tokens.given, *tokens.ids[start : end - 1]]
            yield _Window(read, passage, done, tokens.ids[done:end])
            done = end
        start += step


def _told(model: Any, windows: Sequence[_Window]) -> Iterator[tuple[_Window, npt.NDArray[np.float64]]]:
    """Each window, and the surprisal of the tokens that it predicts."""
    sequences = [TokenSequence(window.ids, [i]) for i, window in enumerate(windows)]
    width = _MOST_SCORES  # not known before the first sequence, which is run alone
    for planned in model._planned_sequences(sequences):
        rest = planned
        while rest:
            fits = max(1, _MOST_SCORES // (width * max(len(one.ids) for one in rest)))
            some, rest = rest[:fits], rest[fits:]
            batch = model._padded(some, model.manner.multiple)
            output = run(model.module, partial(model._forward, batch), model.lesions)
            logits = next_token_scores(model.identifier, output, batch.ids.shape[1])
            width = logits.shape[2]
            for scores, one in zip(logits, some, strict=True):
                window = windows[one.rows[0]]
                yield window, _losses(model.identifier, scores, window)


def _losses(name: str, scores: Tensor, window: _Window) -> npt.NDArray[np.float64]:
    """-ln p of the tokens that a window predicts, a block of them at a time."""
    told = torch.tensor(window.told, device=scores.device)
    if scores.shape[1] <= int(told.max()):
        raise UserError(f"{name} gives no scores for the next token: load it with its language head")
    own = scores[len(window.ids) - len(told) : len(window.ids)]
    losses = np.empty(len(told))
    size = max(1, _BLOCK // scores.shape[1])
    for start in range(0, len(told), size):
        some, right = own[start : start + size].float(), told[start : start + size, None]
        of_right = some.gather(1, right)[:, 0]
        losses[start : start + size] = (some.logsumexp(dim=1) - of_right).double().cpu().numpy()
    return losses
