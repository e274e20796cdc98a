"""How a network reads a text, seen from what it does: does a later token change earlier ones, does padding."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import torch
from torch import Tensor, nn

Kind = Literal["causal", "bidirectional", "encoder-decoder", "recurrent"]
Answers = Callable[[Sequence[Sequence[int]], int], Mapping[str, Tensor]]
"""Runs sequences of ids, padded to a multiple of a number, and gives the output of each layer."""

_RECURRENT = ("rwkv", "mamba", "mamba2", "falcon_mamba", "xlstm")
_SAME = 1e-5  # of the largest value


@dataclass(frozen=True)
class Manner:
    """How a network reads a text.

    Attributes
    ----------
    kind : {"causal", "bidirectional", "encoder-decoder", "recurrent"}
    causal : bool
        No token changes what an earlier one gives, and every layer gives a value a token.
    pads : bool
        Padding changes nothing, so that texts of several lengths may be run together.
    multiple : int
        The network reads this many tokens, or a multiple.
    token_first : frozenset of str
        Layers that give (tokens, batch, units).
    """

    kind: Kind = "causal"
    causal: bool = False
    pads: bool = True
    multiple: int = 1
    token_first: frozenset[str] = frozenset()


def manner_of(module: nn.Module, answers: Answers, ids: Sequence[int], most: int | None) -> Manner:
    """Look at a network while it reads a few tokens.

    Parameters
    ----------
    module : torch.nn.Module
    answers : callable
    ids : sequence of int
        Tokens of a text.
    most : int, optional
        Tokens that the network reads.
    """
    n = min(7, most or 7)
    some = (list(ids) * n)[:n]
    other = next((one for one in [*ids, *(abs(one - 1) for one in ids)] if one != some[-1]), some[-1])
    longer = (some * 2)[: min(n + 4, most or n + 4)]
    alone = answers([some], 1)
    multiple = max((out.shape[1] for out in alone.values() if out.ndim == 3 and len(out) == 1), default=1)
    multiple = multiple if multiple > n else 1
    if multiple > 1:
        alone = answers([some], multiple)
    width = -(-n // multiple) * multiple
    first = frozenset(
        name for name, out in alone.items() if out.ndim > 2 and out.shape[:2] == (width, 1) != (1, 1)
    )
    before = _by_text(alone, first, 1, width, n)
    changed = _by_text(answers([[*some[:-1], other]], multiple), first, 1, width, n)
    whole = len(before) == len(alone)  # every layer gives values a token
    causal = n > 1 and all(_same(before[name][0, :-1], changed[name][0, :-1]) for name in before)
    width = -(-len(longer) // multiple) * multiple
    both = answers([some, longer], multiple)
    padded = _by_text(both, first, 2, width, n)
    pads = all(_same(before[name][0], padded[name][0]) for name in before if name in padded) and all(
        _same(alone[name][0], both[name][0]) for name in alone if name not in before and len(both[name]) == 2
    )
    return Manner(_kind(module, causal), causal and whole, pads, multiple, first)


def _by_text(
    found: Mapping[str, Tensor], first: frozenset[str], n_texts: int, width: int, n: int
) -> dict[str, Tensor]:
    """The first n tokens of the layers that give values a token."""
    turned = {name: out.transpose(0, 1) if name in first else out for name, out in found.items()}
    return {
        name: out[:, :n].float()
        for name, out in turned.items()
        if out.ndim == 3 and out.shape[:2] == (n_texts, width)
    }


def _same(one: Tensor, other: Tensor) -> bool:
    if one.shape != other.shape or one.numel() == 0:
        return one.shape == other.shape
    largest = max(float(one.abs().max()), 1e-30)
    return float((one.float() - other.float()).abs().max()) <= _SAME * largest


def _kind(module: nn.Module, causal: bool) -> Kind:
    config: Any = getattr(module, "config", None)
    if getattr(config, "is_encoder_decoder", False) is True:
        return "encoder-decoder"
    if not causal:
        return "bidirectional"
    steps = any(isinstance(one, nn.RNNBase | nn.RNNCellBase) for one in module.modules())
    return "recurrent" if steps or getattr(config, "model_type", "") in _RECURRENT else "causal"


def same_draws(call: Callable[[], Any]) -> Any:
    """What a call gives when its random numbers start from one seed."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        return call()
