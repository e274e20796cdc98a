"""How a network reads a text, seen from what it does: does a later token change earlier ones, does padding."""

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import torch
from torch import Tensor, nn

from ...errors import UserError

Kind = Literal["causal", "bidirectional", "encoder-decoder", "recurrent"]
Answers = Callable[[Sequence[Sequence[int]], int], Mapping[str, Tensor]]
"""Runs sequences of ids, padded to a multiple of a number, and gives the output of each layer."""

_RECURRENT = ("rwkv", "mamba", "mamba2", "falcon_mamba", "xlstm")
_SAME = 1e-5  # of the largest value
_ABOUT = 2e-2  # the same in half precision, in another batch


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


def manner_of(
    module: nn.Module,
    answers: Answers,
    ids: Sequence[int],
    most: int | None,
    read: Collection[str] = (),
) -> Manner:
    """Look at a network while it reads a few tokens.

    Parameters
    ----------
    module : torch.nn.Module
    answers : callable
    ids : sequence of int
        Tokens of a text.
    most : int, optional
        Tokens that the network reads.
    read : collection of str
        The layers that must give a value a token where texts are read in one pass; by default all but the network's
        own output, the layer of no name.
    """
    n = min(7, most or 7)
    some = (list(ids) * n)[:n]
    other = next((one for one in [*ids, *(abs(one - 1) for one in ids)] if one != some[-1]), some[-1])
    longer = (some * 2)[: min(n + 4, most or n + 4)]
    alone = answers([some], 1)
    multiple = _multiple_of(alone, answers, some)
    if multiple > 1:
        alone = answers([some], multiple)
    width = -(-n // multiple) * multiple
    first = frozenset(
        name for name, out in alone.items() if out.ndim > 2 and out.shape[:2] == (width, 1) != (1, 1)
    )
    before = _by_text(alone, first, 1, width, n)
    changed = _by_text(answers([[*some[:-1], other]], multiple), first, 1, width, n)
    whole = set(before) >= (set(read) or set(alone) - {""})  # every layer gives values a token
    causal = n > 1 and bool(before) and all(
        _same(before[name][0, :-1], changed[name][0, :-1]) for name in before
    )  # fmt: skip
    width = -(-len(longer) // multiple) * multiple
    both = answers([some, longer], multiple)
    padded = _by_text(both, first, 2, width, n)
    second, by_itself = _by_text(both, first, 2, width, width), answers([longer], multiple)
    unpadded = _by_text(by_itself, first, 1, width, width)
    pads = (
        all(_same(before[name][0], padded[name][0], about=True) for name in before if name in padded)
        and all(_same(unpadded[name][0], second[name][1], about=True) for name in unpadded if name in second)
        and all(
            _same(one[name][0], both[name][place], about=True)
            for place, one in enumerate((alone, by_itself))
            for name in one
            if name and name not in before and len(both[name]) == 2
        )
    )
    return Manner(_kind(module, causal), causal and whole, pads, multiple, first)


def _by_text(
    found: Mapping[str, Tensor], first: frozenset[str], n_texts: int, width: int, n: int
) -> dict[str, Tensor]:
    """The first n tokens of the layers that give values a token."""
    turned = {name: out.transpose(0, 1) if name in first else out for name, out in found.items()}
    return {
        name: out[:, :n]
        for name, out in turned.items()
        if out.ndim == 3 and out.shape[:2] == (n_texts, width)
    }


def _multiple_of(alone: Mapping[str, Tensor], answers: Answers, some: Sequence[int]) -> int:
    """The number of tokens that a network fills a text up to, believed where it does so for other texts, too."""
    widths = {name: out.shape[1] for name, out in alone.items() if out.ndim == 3 and len(out) == 1}
    for found in sorted({width for width in widths.values() if width > len(some)}):
        wide = [name for name, width in widths.items() if width == found]
        try:
            shorter = answers([some[:-1] or some], 1)
            longer = answers([(list(some) * found)[: found + 1]], 1)
        except UserError:  # there are no more tokens than that: a table of positions
            continue
        if all(shorter[name].shape[1] == found and longer[name].shape[1] == 2 * found for name in wide):
            return found
    return 1


def _same(one: Tensor, other: Tensor, *, about: bool = False) -> bool:
    """Whether two answers are one; `about` where sums were taken in another order, which tells in half precision."""
    if one.shape != other.shape or one.numel() == 0:
        return one.shape == other.shape
    largest = max(float(one.abs().max()), 1e-30)
    rounded = about and other.dtype in (torch.float16, torch.bfloat16)
    return float((one.float() - other.float()).abs().max()) <= (_ABOUT if rounded else _SAME) * largest


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
