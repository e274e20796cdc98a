"""Which embedding tokens go through, and whether what a network gives are scores of the next token."""

from collections.abc import Mapping
from functools import partial
from typing import Any

import torch
from torch import Tensor, nn

from ...errors import UserError, first_line
from .hooks import Placed, _evaluation, alone, run
from .reading_manner import _same, same_draws
from .texts import TokenSequence


def embedding_of_tokens(model: Any) -> str | None:
    """The layer that turns the tokens of a text into vectors, as a few tokens show; None where there is none.

    A network whose decoder uses the same embedding again is read at the call that got the text itself.

    Parameters
    ----------
    model : LanguageModel
    """
    batch = model._padded([TokenSequence(model._probe().ids[0].tolist()[::-1], [], [])], 1)
    ids = batch.ids.reshape(-1).cpu()
    named = {name: one for name, one in model.module.named_modules() if name and _is_table(one)}
    calls: dict[str, list[bool]] = {name: [] for name in named}

    def look(name: str, _module: nn.Module, inputs: Any, _output: Any) -> None:
        given = inputs[0] if inputs and isinstance(inputs[0], Tensor) else None
        flat = ids[:0] if given is None or given.is_floating_point() else given.reshape(-1).cpu()[: len(ids)]
        calls[name].append(torch.equal(flat.long(), ids))

    reading = [Placed(one, partial(look, name)) for name, one in named.items()]
    try:
        with alone(model.module, reading=reading), _evaluation(model.module):
            same_draws(partial(model._forward, batch))
    except UserError:
        raise
    except Exception as error:  # a person's own network fails in any way
        raise UserError(
            f"{model.identifier}: the forward pass of {type(model.module).__name__} failed: {first_line(error)}"
        ) from error
    found = [name for name, saw in calls.items() if any(saw)]
    own = getattr(_own_embedding(model.module), "weight", None)
    first = next((name for name in found if named[name].weight is own), next(iter(found), None))
    if first is None or calls[first].index(True) == len(calls[first]) - 1:
        return first
    return f"{first}@{calls[first].index(True) + 1}"


def check_predicts(model: Any) -> None:
    """Refuse a network that gives no scores of the next token, or that has seen it.

    Parameters
    ----------
    model : LanguageModel

    Raises
    ------
    UserError
        For a network without a language head, a masked model, an encoder with a decoder.
    """
    name = model.identifier
    if getattr(getattr(model.module, "config", None), "is_encoder_decoder", False) is True:
        raise UserError(
            f"{name} has an encoder, which sees the tokens that its decoder predicts: no surprisal"
        )
    some = (model._probe().ids[0].tolist() * 4)[:4]
    other = next((one for one in some if one != some[-1]), abs(some[-1] - 1))
    first, second = (
        same_draws(partial(_output, model, ids)) for ids in (some, [*some[:-1], other])
    )  # of a causal network the scores after earlier tokens are the same
    before, after = next_token_scores(name, first, 4), next_token_scores(name, second, 4)
    _check_head(model, first, before)
    if not _same(before[0, :-1], after[0, :-1]):
        raise UserError(f"{name} sees the tokens behind a token, as masked models do: no surprisal")


def next_token_scores(name: str, output: Any, n_tokens: int) -> Tensor:
    """What a network gives for (batch, tokens, vocabulary): a tensor, ``logits``, or the first of several."""
    logits = output.get("logits") if isinstance(output, Mapping) else getattr(output, "logits", output)
    if isinstance(logits, (tuple, list)) and logits:
        logits = logits[0]
    if not isinstance(logits, Tensor) or logits.ndim != 3:
        raise _without_head(name)
    if logits.shape[1] != n_tokens:
        raise UserError(
            f"{name} gives scores at {logits.shape[1]} of {n_tokens} tokens, not after each: no surprisal"
        )
    return logits


def _output(model: Any, ids: list[int]) -> Any:
    batch = model._padded([TokenSequence(ids, [], [])], 1)
    return run(model.module, partial(model._forward, batch), model.lesions)


def _check_head(model: Any, output: Any, logits: Tensor) -> None:
    """Hidden states may be as wide as a vocabulary: scores are named so, or as many as there are tokens."""
    layer = embedding_of_tokens(model)
    table: Any = None if layer is None else dict(model.module.named_modules())[layer.partition("@")[0]].weight
    named = isinstance(output, Mapping) or hasattr(output, "logits")
    width = logits.shape[2]
    if table is None:
        if not named and not _ends_in(model.module, width):
            raise _without_head(model.identifier)
        return
    vocabulary, hidden = table.shape
    exact = width == vocabulary and (width != hidden or _ends_in(model.module, width))
    wider = width > vocabulary and width != hidden and _ends_in(model.module, width)
    if width < vocabulary or not (named or exact or wider):
        raise _without_head(model.identifier)


def _ends_in(module: nn.Module, width: int) -> bool:
    """Whether some linear map gives as many values."""
    return any(isinstance(one, nn.Linear) and one.out_features == width for one in module.modules())


def _without_head(name: str) -> UserError:
    return UserError(f"{name} gives no scores for the next token: load it with its language head")


def _own_embedding(module: Any) -> Any:
    try:
        return module.get_input_embeddings()
    except (AttributeError, NotImplementedError, TypeError):
        return None


def _is_table(module: nn.Module) -> bool:
    weight = getattr(module, "weight", None)
    return isinstance(module, nn.Embedding) or (
        isinstance(weight, Tensor) and weight.ndim == 2 and "embed" in type(module).__name__.lower()
    )
