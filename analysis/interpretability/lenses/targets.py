"""What a dream makes large: a unit or a feature of a network, as a function of token vectors or of pixels."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor, nn

from ....errors import UserError
from ....models.extraction.language_model import LanguageModel
from ....models.extraction.next_token import embedding_of_tokens
from ....models.extraction.precision import own_dtype
from ....models.extraction.preprocessing import ImagePreprocessing
from ....models.extraction.signature import call_by_name
from ....models.extraction.vision_model import VisionModel
from ....models.interventions.splice import as_rows
from ..dictionary import Dictionary
from .dream import Value
from .passes import Tap, scores_of, token_loss

Read = Callable[[Tensor], Tensor]
"""Rows (..., n_units) -> (...), the value of each."""


def unit_read(unit: int) -> Read:
    """The value of one unit."""

    def read(rows: Tensor) -> Tensor:
        if not 0 <= unit < rows.shape[-1]:
            raise UserError(f"there is no unit {unit}: the layer has {rows.shape[-1]}")
        return rows[..., unit]

    return read


def feature_read(dictionary: Dictionary, feature: int) -> Read:
    """What the encoder answers for one feature, before features compete: it has a slope where the feature is silent.

    Parameters
    ----------
    dictionary : Dictionary
    feature : int
    """
    if not 0 <= feature < dictionary.n_features:
        raise UserError(f"there is no feature {feature}: the dictionary has {dictionary.n_features}")

    def read(rows: Tensor) -> Tensor:
        w = dictionary.weights
        scaled = dictionary._scaled(rows.reshape(-1, rows.shape[-1]))[0]
        found: Tensor = (scaled - w.bias) @ w.encoder[feature] + w.encoder_bias[feature]
        return found.reshape(rows.shape[:-1])

    return read


def feature_activation(dictionary: Dictionary, feature: int) -> Read:
    """The activation of one feature as it is, 0 where it loses."""

    def read(rows: Tensor) -> Tensor:
        codes = dictionary.encode(rows.reshape(-1, rows.shape[-1])).dense()
        return codes[:, feature].reshape(rows.shape[:-1])

    return read


@contextmanager
def text_value(
    model: LanguageModel, layer: str, read: Read, *, at: str = "last", fluency: float = 0.0
) -> Iterator[tuple[Value, Tensor]]:
    """While the block runs: the value of a text as :func:`.dream.dream_text` asks for it, and the table of vectors.

    Parameters
    ----------
    model : LanguageModel
        With its language head where `fluency` counts.
    layer : str
        With a vector a token.
    read : callable
    at : {"last", "max"}
        The value at the last token, or the highest of all.
    fluency : float
        mu: the mean of ln p of the text's tokens is added mu times.
    """
    if at not in ("last", "max"):
        raise UserError(f"a dream reads the 'last' token or the 'max' over tokens, not {at!r}")
    name = embedding_of_tokens(model)
    if name is None:
        raise UserError(f"{model.identifier} has no table of token vectors that a dream could swap")
    embedding: Any = dict(model.module.named_modules())[name.partition("@")[0]]
    table: Tensor = embedding.weight.detach()
    tap = Reading(layer)
    view = model.with_lesions(tap)
    factor = _factor(embedding, table)

    def value(ids: Tensor, vectors: Tensor) -> Tensor:
        def put(_module: nn.Module, _inputs: Any, _output: Tensor) -> Tensor:
            return vectors * factor

        with view.running() as module:
            handle = embedding.register_forward_hook(put)
            try:
                scores = _answered(view, module, ids, wanted=fluency != 0)
            finally:
                handle.remove()
        rows = tap.seen.pop()
        if rows.ndim != 3 or rows.shape[:2] != ids.shape:
            raise UserError(
                f"layer {layer!r} of {model.identifier} gives {tuple(rows.shape)}, no vector for each of "
                f"{tuple(ids.shape)} tokens"
            )
        values = read(rows)
        found = values[:, -1] if at == "last" else values.amax(dim=1)
        if fluency and scores is not None and ids.shape[1] > 1:
            found = found - fluency * token_loss(scores, ids).mean(dim=1)
        return found

    yield value, table


def _factor(embedding: nn.Module, table: Tensor) -> float:
    """What an embedding multiplies its rows by, as Gemma's does."""
    with torch.no_grad():
        row = embedding(torch.zeros(1, 1, dtype=torch.long, device=table.device))[0, 0].float()
    size = float(table[0].float().square().sum())
    return float(row @ table[0].float()) / size if size > 0 else 1.0


def _answered(model: LanguageModel, module: nn.Module, ids: Tensor, *, wanted: bool) -> Tensor | None:
    if wanted:
        return scores_of(model, module, ids)
    call_by_name(module, {"input_ids": ids, "attention_mask": torch.ones_like(ids)})
    return None


class Reading(Tap):
    """Keeps what a layer gives, and leaves the graph as it is."""

    def applied(self, output: Tensor) -> Tensor:
        """The same tensor; a copy is kept, since what follows may write into it."""
        self.seen[:] = [output.clone()]
        return output


@contextmanager
def picture_value(model: VisionModel, layer: str, read: Read) -> Iterator[Callable[[Tensor], Tensor]]:
    """While the block runs: the mean over places of a channel or feature, as :func:`.dream.dream_picture` asks for it.

    Parameters
    ----------
    model : VisionModel
        Whose preprocessing ends in subtracting a mean and dividing by a standard deviation.
    layer : str
    read : callable
    """
    preprocess = model.preprocess
    if not isinstance(preprocess, ImagePreprocessing):
        raise UserError(
            f"{model.identifier}: pictures are dreamt for networks whose pixels are scaled by a mean and a standard "
            f"deviation, not by {type(preprocess).__name__}"
        )
    mean, std = (
        torch.tensor(one)[:, None, None].to(model.device) for one in (preprocess.mean, preprocess.std)
    )
    tap = Reading(layer)
    view = model.with_lesions(tap)

    def value(pictures: Tensor) -> Tensor:
        pixels = ((pictures.to(model.device) - mean) / std).to(own_dtype(model.module))
        with view.running() as module:
            call_by_name(module, {"pixel_values": pixels})
        values = read(as_rows(tap.seen.pop()).float())
        return values.flatten(1).mean(dim=1).cpu() if values.ndim > 1 else values.cpu()

    yield value
