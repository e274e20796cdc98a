"""Forward passes of a language model for lenses: with gradients, with the streams between its blocks."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor, nn

from ....errors import UserError
from ....models.extraction.language_model import LanguageModel
from ....models.extraction.layer_names import check_layers
from ....models.extraction.next_token import check_predicts, next_token_scores
from ....models.extraction.signature import call_by_name

Indices = npt.NDArray[np.intp]


def predicting(model: Any) -> LanguageModel:
    """The model with its language head, whose scores of the next token lenses read.

    Parameters
    ----------
    model : Model

    Raises
    ------
    UserError
        For a model without an output vocabulary.
    """
    if not isinstance(model, LanguageModel):
        raise UserError(f"{model.identifier} is no network that reads text: it has no output vocabulary")
    whole = model.predicting()
    try:
        check_predicts(whole)
    except UserError as error:
        raise UserError(f"no lens: {error}") from None
    return whole


def layer_in(whole: LanguageModel, layer: str) -> str:
    """What a layer of a network is called inside the one that holds it with its head.

    Parameters
    ----------
    whole : LanguageModel
        As :func:`predicting` gives it.
    layer : str
        The name in either; ``MODULE#in`` for what a module is given.
    """
    modules: list[str] = [name for name, _ in whole.module.named_modules() if name]
    asked: str = layer.partition("#")[0]
    if asked not in modules:
        longer = [name for name in modules if name.endswith(f".{asked}")]
        if len(longer) == 1:
            return longer[0] + layer[len(asked) :]
    check_layers(whole.module, [layer], whole.identifier)
    return layer


def token_batches(
    windows: Sequence[Indices], size: int, *, device: Any = "cpu"
) -> Iterator[tuple[Indices, Tensor]]:
    """Windows of one length together, so that nothing is padded: their places, and their ids (batch, tokens).

    Parameters
    ----------
    windows : sequence of int arrays
        Of at least 2 tokens, since one alone predicts nothing; shorter ones are left out.
    size : int
        Windows a batch.
    device : str or torch.device
    """
    lengths = np.array([len(one) for one in windows], np.intp)
    for length in np.unique(lengths[lengths > 1]):
        same = np.flatnonzero(lengths == length)
        for start in range(0, len(same), size):
            places = same[start : start + size]
            yield places, torch.from_numpy(np.stack([windows[i] for i in places])).long().to(device)


def scores_of(model: LanguageModel, module: nn.Module, ids: Tensor) -> Tensor:
    """Scores of the next token, (batch, tokens, vocabulary), in float32.

    Parameters
    ----------
    model : LanguageModel
    module : torch.nn.Module
        As ``model.running()`` gives it.
    ids : Tensor of shape (batch, tokens)
    """
    output = call_by_name(module, {"input_ids": ids, "attention_mask": torch.ones_like(ids)})
    return next_token_scores(model.identifier, output, ids.shape[1]).float()


def scored(model: LanguageModel, ids: Tensor, *, gradients: bool = False) -> Tensor:
    """The same in one pass of its own, with the lesions of the model.

    Parameters
    ----------
    model : LanguageModel
    ids : Tensor of shape (batch, tokens)
    gradients : bool
        Keep what gradients need.
    """
    with model.running() as module, nullcontext() if gradients else torch.no_grad():
        return scores_of(model, module, ids)


@contextmanager
def inputs_kept(module: nn.Module, names: Sequence[str]) -> Iterator[dict[str, Tensor]]:
    """While the block runs, what each of some modules was given last: the first tensor of real numbers.

    Parameters
    ----------
    module : torch.nn.Module
    names : sequence of str
    """
    kept: dict[str, Tensor] = {}

    def keeper(name: str) -> Any:
        def keep(_module: nn.Module, inputs: Any, named: dict[str, Any]) -> None:
            given = (*inputs, *named.values())
            first = next((x for x in given if isinstance(x, Tensor) and x.is_floating_point()), None)
            if first is not None:
                kept[name] = first

        return keep

    handles = [
        module.get_submodule(name).register_forward_pre_hook(keeper(name), with_kwargs=True) for name in names
    ]
    try:
        yield kept
    finally:
        for handle in handles:
            handle.remove()


@dataclass(frozen=True)
class Tap:
    """Cuts the graph at a layer, so that gradients are taken with respect to what it gives.

    Attributes
    ----------
    layer : str
    seen : list of Tensor
        What the layer gave, a leaf of the graph, one entry a pass.
    """

    layer: str
    seen: list[Tensor] = field(default_factory=list, repr=False, compare=False)

    def applied(self, output: Tensor) -> Tensor:
        """The same values, as a leaf."""
        leaf = output.detach().requires_grad_()
        self.seen.append(leaf)
        return leaf


def rows_of_layer(model: LanguageModel, layer: str, windows: Sequence[Indices]) -> Tensor:
    """What a layer gives at every token but the first of each window, (n_rows, n_units).

    Parameters
    ----------
    model : LanguageModel
    layer : str
    windows : sequence of int arrays
    """
    found = []
    for _, ids in token_batches(windows, model.batch_size, device=model.device):
        tap = Tap(layer)
        scored(model.with_lesions(tap), ids)
        found.append(tap.seen[-1].detach()[:, 1:].flatten(0, 1).float().cpu())
    return torch.cat(found)


def token_loss(scores: Tensor, ids: Tensor) -> Tensor:
    """-ln p of every token but the first of each window, (batch, tokens - 1), in nats.

    Parameters
    ----------
    scores : Tensor of shape (batch, tokens, vocabulary)
    ids : Tensor of shape (batch, tokens)
    """
    before = scores[:, :-1]
    return before.logsumexp(dim=2) - before.gather(2, ids[:, 1:, None])[:, :, 0]


def layer_width(model: LanguageModel, layer: str) -> int:
    """How many units a layer has a token.

    Parameters
    ----------
    model : LanguageModel
    layer : str
    """
    tap = Tap(layer)
    scored(model.with_lesions(tap), model._probe().ids[:1])
    if not tap.seen or tap.seen[-1].ndim != 3:
        raise UserError(f"layer {layer!r} of {model.identifier} has no vector a token: choose another layer")
    return int(tap.seen[-1].shape[-1])
