"""What a network would predict if it stopped after a layer: softmax(W_U norm(h_l)).

nostalgebraist (2020), interpreting GPT: the logit lens; Belrose et al. (2023), arXiv 2303.08112, for the translators
that :mod:`.tuned_lens` trains.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd
import torch
from torch import Tensor

from ....errors import UserError
from ....models.extraction.language_model import LanguageModel
from .passes import Indices, token_batches
from .unembedding import Unembedding, streams_of, unembedding_of

Floats = npt.NDArray[np.float64]
Read = Callable[[int, Tensor], Tensor]
"""(place of the stream, stream (..., width)) -> scores of tokens."""

_BLOCK = 1 << 24
"""Most scores that are held at once."""
MEASURES = ("kl", "agreement", "ce", "rank_true", "rank_final", "entropy")


def kl_to_final(final: Tensor, lens: Tensor) -> Tensor:
    """KL(final || lens) = sum_v p_v (ln p_v - ln q_v), p the network's own prediction; (...,), in nats.

    Parameters
    ----------
    final, lens : Tensor of shape (..., vocabulary)
        Scores, whose softmax is meant.
    """
    own, other = final.log_softmax(dim=-1), lens.log_softmax(dim=-1)
    return (own.exp() * (own - other)).sum(dim=-1)


def entropy(scores: Tensor) -> Tensor:
    """-sum_v p_v ln p_v, (...,), in nats."""
    log = scores.log_softmax(dim=-1)
    return -(log.exp() * log).sum(dim=-1)


def rank_of(scores: Tensor, tokens: Tensor) -> Tensor:
    """How many tokens have a higher score than a given one, (...,); 0 for the best.

    Parameters
    ----------
    scores : Tensor of shape (..., vocabulary)
    tokens : Tensor of int, shape (...,)
    """
    return (scores > scores.gather(-1, tokens[..., None])).sum(dim=-1)


def measures(final: Tensor, lens: Tensor, true: Tensor) -> dict[str, Tensor]:
    """What a lens shows at each token.

    Parameters
    ----------
    final, lens : Tensor of shape (n_tokens, vocabulary)
        Scores of the network and of the lens.
    true : Tensor of int, shape (n_tokens,)
        The token that follows.

    Returns
    -------
    dict of str to Tensor of shape (n_tokens,)
        ``kl`` (final || lens, nats), ``agreement`` (the same best token), ``ce`` (-ln q of the true token, nats),
        ``rank_true`` and ``rank_final`` (0 is best), ``entropy`` (nats).
    """
    best = final.argmax(dim=-1)
    return {
        "kl": kl_to_final(final, lens),
        "agreement": (lens.argmax(dim=-1) == best).float(),
        "ce": lens.logsumexp(dim=-1) - lens.gather(-1, true[:, None])[:, 0],
        "rank_true": rank_of(lens, true).float(),
        "rank_final": rank_of(lens, best).float(),
        "entropy": entropy(lens),
    }


def direct(end: Unembedding, *, normed: bool = True) -> Read:
    """The logit lens itself.

    Parameters
    ----------
    end : Unembedding
    normed : bool
        Through the last norm. Without it, early streams give small scores, hence flat predictions that look near to
        the final one, and the last one is wrong.
    """
    return lambda _place, stream: end.logits(stream, normed=normed)


def lens_profile(
    model: LanguageModel,
    windows: Sequence[Indices],
    read: Read | None = None,
    *,
    end: Unembedding | None = None,
    batch_size: int | None = None,
) -> pd.DataFrame:
    """How a network's prediction comes about, layer by layer.

    Parameters
    ----------
    model : LanguageModel
        With its language head, as :func:`.passes.predicting` gives it; its lesions hold.
    windows : sequence of int arrays
        Token ids; every token but the first of each window is predicted.
    read : callable, optional
        The logit lens by default.
    end : Unembedding, optional
    batch_size : int, optional
        Windows a pass.

    Returns
    -------
    DataFrame
        A row a stream (``input`` of the first block, then behind each block): means over tokens of ``kl``,
        ``agreement``, ``ce`` and ``entropy``, medians of ``rank_true`` and ``rank_final``. In ``attrs`` ``n_tokens``.

    Raises
    ------
    UserError
        Without a window of two tokens.
    """
    end = end or unembedding_of(model)
    read = read or direct(end)
    found: list[dict[str, list[Floats]]] = [{name: [] for name in MEASURES} for _ in end.names]
    for streams, final, true in predicted_streams(end, model, windows, batch_size or model.batch_size):
        with torch.no_grad():
            for place, stream in enumerate(streams):
                for name, values in measures(final, read(place, stream), true).items():
                    found[place][name].append(values.double().cpu().numpy())
    joined = [{name: np.concatenate(values) for name, values in one.items()} for one in found]
    table = pd.DataFrame(
        [{name: float(_middle(name)(values)) for name, values in one.items()} for one in joined],
        index=pd.Index(end.names, name="layer"),
    )
    table.attrs["n_tokens"] = len(joined[0]["kl"])
    return table


def predicted_streams(
    end: Unembedding, model: LanguageModel, windows: Sequence[Indices], batch_size: int
) -> Iterator[tuple[list[Tensor], Tensor, Tensor]]:
    """The streams where a token is predicted, the network's scores there, and the tokens that follow.

    Parameters
    ----------
    end, model, windows
        As in :func:`lens_profile`.
    batch_size : int
        Windows a pass.

    Yields
    ------
    list of Tensor of shape (n_tokens, width)
    Tensor of shape (n_tokens, vocabulary)
    Tensor of int, shape (n_tokens,)
    """
    any_window = False
    for _, ids in token_batches(windows, batch_size, device=model.device):
        any_window = True
        streams, scores = streams_of(end, model, ids)
        step = max(1, _BLOCK // (scores.shape[1] * scores.shape[2]))
        for start in range(0, len(ids), step):
            part = slice(start, start + step)
            yield (
                [one[part, :-1].flatten(0, 1) for one in streams],
                scores[part, :-1].flatten(0, 1),
                ids[part, 1:].flatten(),
            )
    if not any_window:
        raise UserError(f"{model.identifier}: no text has two tokens, so nothing is predicted")


@dataclass(frozen=True)
class LensGrid:
    """The lens over one text, a row a stream and a column a token.

    Attributes
    ----------
    layers : list of str
    tokens : array of int, shape (n_tokens,)
        The text's.
    best : array of int, shape (n_layers, n_tokens)
        The token that the lens holds likeliest to follow.
    probability : array of shape (n_layers, n_tokens)
        Of that token.
    top, top_probability : array of shape (n_layers, n_tokens, n_top)
        The likeliest ones, and how likely each is.
    values : mapping of str to array of shape (n_layers, n_tokens)
        As in :func:`measures`; the last column has NaN where it asks for the token that follows.
    """

    layers: list[str]
    tokens: Indices
    best: Indices
    probability: Floats
    top: Indices
    top_probability: Floats
    values: Mapping[str, Floats]


def lens_grid(
    model: LanguageModel,
    ids: Indices,
    read: Read | None = None,
    *,
    end: Unembedding | None = None,
    n_top: int = 3,
) -> LensGrid:
    """The lens at every token of a text.

    Parameters
    ----------
    model : LanguageModel
        With its language head.
    ids : array of int, shape (n_tokens,)
    read : callable, optional
        The logit lens by default.
    end : Unembedding, optional
    n_top : int
        Of the likeliest tokens that are kept.
    """
    if len(ids) < 1:
        raise UserError(f"{model.identifier}: the text has no tokens")
    end = end or unembedding_of(model)
    read = read or direct(end)
    shown = torch.from_numpy(np.asarray(ids)).long().to(model.device)[None]
    streams, scores = streams_of(end, model, shown)
    final, true = scores[0], torch.cat([shown[0, 1:], shown[0, :1]])
    top, probability = [], []
    values: dict[str, list[Floats]] = {name: [] for name in MEASURES}
    with torch.no_grad():
        for place, stream in enumerate(streams):
            lens = read(place, stream[0])
            most = lens.softmax(dim=-1).topk(min(n_top, lens.shape[-1]), dim=-1)
            top.append(most.indices.cpu().numpy())
            probability.append(most.values.double().cpu().numpy())
            for name, one in measures(final, lens, true).items():
                numbers = one.double().cpu().numpy()
                if name in ("ce", "rank_true"):
                    numbers[-1] = np.nan
                values[name].append(numbers)
    tokens, shares = np.stack(top), np.stack(probability)
    return LensGrid(
        end.names, np.asarray(ids), tokens[..., 0], shares[..., 0], tokens, shares,
        {name: np.stack(one) for name, one in values.items()},
    )  # fmt: skip


def _middle(name: str) -> Callable[[Floats], Any]:
    return np.median if name.startswith("rank") else np.mean
