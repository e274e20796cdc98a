"""Where a network turns its residual stream into scores of tokens: its blocks, its last norm, its unembedding."""

from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from ....errors import UserError
from ....models.extraction.hooks import record
from ....models.extraction.language_model import LanguageModel
from .passes import inputs_kept, scores_of

_SAME = 1e-4
"""Relative distance under which two tensors are the same values."""
_LONG = 1e3
"""Length beside which the small number that norms add to the variance does not count."""


@dataclass(frozen=True)
class Unembedding:
    """The end of a network: logits = head(norm(h)), h the residual stream behind the last block.

    Attributes
    ----------
    identifier : str
        The model's.
    blocks : tuple of str
        In forward order.
    norm, head : str
        Dotted names; no norm is "".
    module : torch.nn.Module
        That holds them.
    """

    identifier: str
    blocks: tuple[str, ...]
    norm: str
    head: str
    module: nn.Module

    def logits(self, stream: Tensor, *, normed: bool = True) -> Tensor:
        """Scores of tokens that a residual stream would give if it were the last, (..., vocabulary).

        Parameters
        ----------
        stream : Tensor of shape (..., width)
        normed : bool
            Through the last norm.
        """
        head = self.module.get_submodule(self.head)
        if normed and self.norm:
            stream = self.module.get_submodule(self.norm)(stream)
        out: Tensor = head(stream)
        return out.float()

    @property
    def weight(self) -> Tensor:
        """W_U, (vocabulary, width)."""
        head = self.module.get_submodule(self.head)
        return matrix_of(head)

    @property
    def gain(self) -> Tensor:
        """g, the factor of the last norm for each direction of the stream, (width,); ones without a norm.

        Read off what the norm does with +-x, which holds for norms that store 1 + g, too.
        """
        width = self.weight.shape[1]
        if not self.norm:
            return torch.ones(width)
        norm = self.module.get_submodule(self.norm)
        weight: Any = getattr(norm, "weight", None)
        signs = torch.ones(width, dtype=torch.float64)
        signs[1::2] = -1
        probe = (_LONG * signs).to(next(norm.parameters(), torch.ones(1)))
        with torch.no_grad():
            seen: Tensor = ((norm(probe) - norm(-probe)) / 2 * signs.to(probe)).float()
        for known in () if not isinstance(weight, Tensor) else (weight, 1 + weight):
            if torch.allclose(known.float(), seen, rtol=2 / width, atol=1e-4):
                return known.detach().float()
        return seen

    @property
    def names(self) -> list[str]:
        """What the streams are called: ``input`` of the first block, then behind each block."""
        return ["input", *self.blocks]


def unembedding_of(model: LanguageModel) -> Unembedding:
    """Find the end of a network by what it computes, not by its names.

    The head is the last linear map whose output is the scores; the last norm is what gives its input, if that is a
    norm: a module whose answer stays the same when what it is given is doubled.

    Parameters
    ----------
    model : LanguageModel
        With its language head, as :func:`.passes.predicting` gives it.

    Raises
    ------
    UserError
        For a network whose scores are not such a map of what stands behind its last block.
    """
    ids = model._probe().ids[:1]
    module = model.module
    calls: list[tuple[str, Tensor | None, Tensor]] = []
    leaves = {name: one for name, one in module.named_modules() if name and not any(one.children())}

    def noting(name: str) -> Any:
        def note(_module: nn.Module, inputs: Any, named: dict[str, Any], output: Any) -> None:
            given = next((x for x in (*inputs, *named.values()) if isinstance(x, Tensor)), None)
            if isinstance(output, Tensor):
                calls.append((name, given, output))

        return note

    with model.running() as running, torch.no_grad():
        handles = [one.register_forward_hook(noting(name), with_kwargs=True) for name, one in leaves.items()]
        try:
            scores = scores_of(model, running, ids)
        finally:
            for handle in handles:
                handle.remove()
    head = next(
        (
            (name, given)
            for name, given, output in reversed(calls)
            if given is not None and given.is_floating_point() and given.ndim == 3 and same(output, scores)
        ),
        None,
    )
    if head is None or head[1] is None:
        raise UserError(
            f"{model.identifier}: its scores of tokens are not what a linear map gives: no lens reads its layers"
        )
    name, given = head
    maker = next((one for one, _, output in calls if same(output, given)), "")
    norm = maker if maker and _is_norm(leaves[maker], given) else ""
    found = Unembedding(model.identifier, tuple(blocks_of(model)), norm, name, module)
    check_end(found, model, ids, scores)
    return found


def check_end(found: Unembedding, model: LanguageModel, ids: Tensor, scores: Tensor) -> None:
    """Refuse an end that does not begin at the last block, or does not give the scores of the network itself."""
    last = found.blocks[-1]
    block = record(
        model.module, [last], lambda: scores_of(model, model.module, ids), interventions=model.lesions
    )
    with torch.no_grad():
        stream = streams_of(found, model, ids)[0][-1]
        given = found.logits(stream)
    if last not in block.tensors or not same(block.tensors[last], stream) or not same(given, scores):
        raise UserError(
            f"{model.identifier}: between its last block and its scores stands more than a norm and a linear map: "
            "no lens reads its layers"
        )


def streams_of(found: Unembedding, model: LanguageModel, ids: Tensor) -> tuple[list[Tensor], Tensor]:
    """The residual stream before the first block and behind each, and the scores of the network.

    Parameters
    ----------
    found : Unembedding
    model : LanguageModel
        With its lesions.
    ids : Tensor of shape (batch, tokens)

    Returns
    -------
    list of Tensor of shape (batch, tokens, width)
        One more than there are blocks. The last is what the last norm is given.
    Tensor of shape (batch, tokens, vocabulary)
    """
    names = [*found.blocks, found.norm or found.head]
    with model.running() as module, torch.no_grad(), inputs_kept(module, names) as kept:
        scores = scores_of(model, module, ids)
        missing = [name for name in names if name not in kept]
        if missing:
            raise UserError(f"{model.identifier}: {missing[0]!r} is given no stream of numbers: no lens")
        streams = [kept[name].float() for name in names]
    wrong = next((one for one in streams if one.shape != streams[-1].shape), None)
    if wrong is not None:
        raise UserError(
            f"{model.identifier}: its blocks read {tuple(wrong.shape[1:])} and its head {tuple(streams[-1].shape[1:])} "
            "numbers: no lens reads its layers"
        )
    return streams, scores


def blocks_of(model: LanguageModel) -> list[str]:
    """The blocks of a transformer: the members of its longest outer list of modules that answer.

    Parameters
    ----------
    model : LanguageModel

    Raises
    ------
    UserError
        For a network without blocks.
    """
    lists = [
        (name, one)
        for name, one in model.module.named_modules()
        if isinstance(one, (nn.ModuleList, nn.Sequential)) and len(one)
    ]
    outer = [
        (name, one) for name, one in lists if not any(name.startswith(f"{other}.") for other, _ in lists)
    ]
    if not outer:
        raise UserError(f"{model.identifier} has no list of blocks: no lens reads its layers")
    name, longest = max(outer, key=lambda pair: len(pair[1]))
    return [f"{name}.{i}" for i in range(len(longest))]


def matrix_of(module: nn.Module) -> Tensor:
    """The matrix (outputs, inputs) of a linear map, however it stores it.

    Parameters
    ----------
    module : torch.nn.Module

    Raises
    ------
    UserError
        For a module that is none.
    """
    weight: Any = getattr(module, "weight", None)
    if isinstance(module, nn.Linear):
        return weight.detach().float()  # type: ignore[no-any-return]
    if isinstance(weight, Tensor) and weight.ndim == 2 and type(module).__name__ == "Conv1D":
        return weight.detach().float().T  # as OpenAI's GPT-2 stores it
    raise UserError(f"a {type(module).__name__} is no linear map, whose columns would be what units write")


def is_linear(module: nn.Module) -> bool:
    """Whether :func:`matrix_of` knows its matrix."""
    return isinstance(module, nn.Linear) or type(module).__name__ == "Conv1D"


def same(one: Tensor, other: Tensor) -> bool:
    """Whether two tensors hold the same values, whatever their precision."""
    if one.shape != other.shape or not one.is_floating_point():
        return False
    apart = (one.float() - other.float()).norm()
    return bool(apart <= _SAME * other.float().norm())


def _is_norm(module: nn.Module, like: Tensor) -> bool:
    with torch.no_grad():
        probe = _LONG * torch.linspace(-1, 1, like.shape[-1]).to(like).expand_as(like[:1, :1])
        try:
            return same(module(2 * probe), module(probe))
        except (RuntimeError, TypeError, ValueError):  # it needs something else besides
            return False
