"""The rows of a layer: what it answers at each token of texts, or at each place of pictures, batch by batch."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from ...errors import UserError
from ...progress import track
from .hooks import record, run
from .language_model import LanguageModel, TextBatch
from .next_token import check_predicts, next_token_scores
from .texts import TokenSequence
from .torch_model import Network
from .vision_model import VisionModel

if TYPE_CHECKING:
    from ...brain_data.stimulus_set import StimulusSet

Indices = npt.NDArray[np.intp]
_LONGEST = 256
"""Tokens of a window where a network has no limit of its own."""
_BLOCK = 1 << 24
"""Most scores of next tokens that are made probabilities at once."""


@dataclass(frozen=True)
class TokenWindows:
    """Token ids that are read together, and the text that each token is of.

    Attributes
    ----------
    ids, document : list of int arrays
        Of each window, one entry a token.
    """

    ids: list[Indices]
    document: list[Indices]

    def __len__(self) -> int:
        return len(self.ids)

    @property
    def n_tokens(self) -> int:
        """How many tokens there are."""
        return sum(map(len, self.ids))

    def taken(self, windows: Iterable[int]) -> "TokenWindows":
        """Some of the windows.

        Parameters
        ----------
        windows : iterable of int
        """
        places = list(windows)
        return TokenWindows([self.ids[i] for i in places], [self.document[i] for i in places])


@dataclass(frozen=True)
class LayerRows:
    """Rows of a layer.

    Attributes
    ----------
    values : Tensor of shape (n_rows, n_units)
        float32, on the processor.
    stimulus, place, token : int arrays of shape (n_rows,)
        The window or picture; the token in it, or the place of the map counted row by row; the token's id, -1 of
        pictures.
    """

    values: Tensor
    stimulus: Indices
    place: Indices
    token: Indices

    def __len__(self) -> int:
        return len(self.values)


def token_windows(
    model: LanguageModel, texts: Sequence[str], *, length: int | None = None, apart: bool | None = None
) -> TokenWindows:
    """Texts as windows of tokens.

    Parameters
    ----------
    model : LanguageModel
    texts : sequence of str
        Documents.
    length : int, optional
        Tokens of a window; the most that the model reads by default.
    apart : bool, optional
        No window holds two texts. By default so for a network that sees later tokens; causal ones read the texts as one
        stream, as they were trained.

    Raises
    ------
    UserError
        Without a text that has tokens.
    """
    most = length or model.max_tokens or _LONGEST
    if most < 2:
        raise UserError(f"windows of {most} tokens hold nothing to read: give at least 2")
    apart = not model.manner.causal if apart is None else apart
    encoder = model._encoder("last")
    parts = [(i, part) for i, text in enumerate(texts) for part in _paragraphs(model, text) if part.strip()]
    each = [np.asarray(encoder._ids(part)[0], np.intp) for _, part in parts]
    owners = [np.full(len(ids), i, np.intp) for (i, _), ids in zip(parts, each, strict=True)]
    if not sum(map(len, each)):
        raise UserError(f"{model.identifier}: the texts have no tokens")
    streams = zip(each, owners, strict=True) if apart else [(np.concatenate(each), np.concatenate(owners))]
    windows = TokenWindows([], [])
    for ids, owner in streams:
        for start in range(0, len(ids), most):
            if len(ids) - start > 1 or len(ids) == 1:
                windows.ids.append(ids[start : start + most])
                windows.document.append(owner[start : start + most])
    return windows


def _paragraphs(model: LanguageModel, text: str) -> list[str]:
    """A text, or its lines where the tokenizer begins each anew."""
    lines = getattr(model.tokenizer, "one_paragraph", False) is True
    return [line.strip() for line in text.splitlines()] if lines else [text]


def layer_rows(
    model: Network,
    layer: str,
    shown: "TokenWindows | StimulusSet",
    *,
    batch_size: int | None = None,
    first: bool = False,
) -> Iterator[LayerRows]:
    """The rows of a layer, in order; lesions and splices of the model hold.

    Parameters
    ----------
    model : Network
    layer : str
        ``MODULE#in`` for what a module is given.
    shown : TokenWindows or StimulusSet
        Windows for a language model, pictures for a vision model.
    batch_size : int, optional
        Windows or pictures a pass.
    first : bool
        Keep the first token of every window, whose row is often many times as long as all others.

    Raises
    ------
    UserError
        For an unknown layer, one without a row a token, values that are not finite.
    """
    model._asked([layer])
    if isinstance(shown, TokenWindows):
        if not isinstance(model, LanguageModel):
            raise UserError(f"{model.identifier} reads no texts: give it pictures")
        return _token_rows(model, layer, shown, batch_size or model.batch_size, first)
    if not isinstance(model, VisionModel):
        raise UserError(f"{model.identifier} looks at no pictures: give it texts")
    view = model if batch_size is None else model.replaced(batch_size=batch_size)
    return _place_rows(view, layer, shown)


def count_rows(model: Network, layer: str, shown: "TokenWindows | StimulusSet") -> tuple[int, int]:
    """How many rows there are and how many units, from one window or picture.

    Parameters
    ----------
    model, layer, shown
        As in :func:`layer_rows`.
    """
    if isinstance(shown, TokenWindows):
        one = next(layer_rows(model, layer, shown.taken([0]), first=True))
        return sum(max(len(ids) - 1, 0) for ids in shown.ids), one.values.shape[1]
    one = next(layer_rows(model, layer, shown.iloc[:1]))
    return len(one) * len(shown), one.values.shape[1]


def drawn_part(
    model: Network, layer: str, shown: "TokenWindows | StimulusSet", most_rows: int, seed: int
) -> "TokenWindows | StimulusSet":
    """All that is shown, or whole windows or pictures drawn from it that have about so many rows, in their order.

    Parameters
    ----------
    model, layer, shown
        As in :func:`layer_rows`.
    most_rows, seed : int
    """
    n_rows, _ = count_rows(model, layer, shown)
    if n_rows <= most_rows:
        return shown
    n = max(1, len(shown) * most_rows // n_rows)
    chosen = np.sort(np.random.default_rng([seed, 7]).permutation(len(shown))[:n])
    return shown.taken(chosen) if isinstance(shown, TokenWindows) else shown.iloc[chosen]


def rows_by_document(
    model: Network, layer: str, shown: "TokenWindows | StimulusSet"
) -> tuple[Tensor, Indices, Indices]:
    """All rows of a layer, the text or picture that each is of, and its token's id.

    Parameters
    ----------
    model, layer, shown
        As in :func:`layer_rows`.
    """
    parts = list(layer_rows(model, layer, shown))
    stimulus, place, token = (
        np.concatenate([getattr(one, name) for one in parts]) for name in ("stimulus", "place", "token")
    )
    if isinstance(shown, TokenWindows):
        pairs = zip(stimulus, place, strict=True)
        stimulus = np.array([shown.document[window][at] for window, at in pairs], np.intp)
    return torch.cat([one.values for one in parts]), stimulus, token


def _token_rows(
    model: LanguageModel, layer: str, windows: TokenWindows, size: int, first: bool
) -> Iterator[LayerRows]:
    for places, batch in _token_batches(model, windows, size, f"reading {layer}"):
        output = token_vectors(model, layer, batch)
        real = batch.attention.bool()
        if not first:
            real[:, 0] = False
        window, place = (one.cpu().numpy() for one in torch.nonzero(real, as_tuple=True))
        yield LayerRows(
            finite_rows(output[real], model, layer), places[window], place, batch.ids[real].cpu().numpy()
        )


def _place_rows(model: VisionModel, layer: str, stimuli: "StimulusSet") -> Iterator[LayerRows]:
    plan = model._plan(stimuli, "none")
    batches = model._batches(stimuli, "none")
    for rows, batch in track(batches, f"reading {layer}", total=len(plan)):
        output = _answer(model, layer, batch)
        if output.ndim not in (2, 3, 4) or len(output) != len(batch):
            raise UserError(
                f"layer {layer!r} of {model.identifier} gives {tuple(output.shape)} for {len(batch)} pictures: "
                "choose a layer of maps, tokens or vectors"
            )
        if output.ndim == 2:
            output = output[:, None]
        elif output.ndim == 4:
            output = output.flatten(2).transpose(1, 2)
        n_places = output.shape[1]
        yield LayerRows(
            finite_rows(output.flatten(0, 1), model, layer),
            np.repeat(rows, n_places),
            np.tile(np.arange(n_places), len(rows)),
            np.full(len(rows) * n_places, -1, np.intp),
        )


def token_losses(
    model: LanguageModel, windows: TokenWindows, *, batch_size: int | None = None
) -> npt.NDArray[np.float64]:
    """-ln p of every token but the first of each window, given those before it in the window.

    Parameters
    ----------
    model : LanguageModel
        With its lesions and splices.
    windows : TokenWindows
    batch_size : int, optional

    Returns
    -------
    array of shape (n_predicted,)
        In nats, in the order of :func:`predicted_tokens`.

    Raises
    ------
    UserError
        For a network that predicts no next token.
    """
    model = model.predicting()
    check_predicts(model)
    losses = [np.empty(0)] * len(windows)
    for places, batch in _token_batches(
        model, windows, batch_size or model.batch_size, f"{model.identifier} predicts"
    ):
        output = run(model.module, partial(model._forward, batch), model.lesions)
        logits = next_token_scores(model.identifier, output, batch.ids.shape[1])
        step = max(1, _BLOCK // (logits.shape[1] * logits.shape[2]))
        for start in range(0, len(places), step):
            scores = logits[start : start + step, :-1].float()
            right = batch.ids[start : start + step, 1:, None]
            loss = (scores.logsumexp(dim=2) - scores.gather(2, right)[:, :, 0]).double().cpu().numpy()
            for row, window in enumerate(places[start : start + step]):
                losses[window] = loss[row, : len(windows.ids[window]) - 1]
    return np.concatenate(losses)


def predicted_tokens(windows: TokenWindows) -> tuple[Indices, Indices]:
    """The window and the place of every token that :func:`token_losses` is of.

    Parameters
    ----------
    windows : TokenWindows
    """
    lengths = [max(len(ids) - 1, 0) for ids in windows.ids]
    place = np.concatenate([np.arange(1, n + 1) for n in lengths])
    return np.repeat(np.arange(len(windows)), lengths), place


def _token_batches(
    model: LanguageModel, windows: TokenWindows, size: int, label: str
) -> Iterator[tuple[Indices, TextBatch]]:
    """Windows in their order, those of one batch padded to one length; of one length where padding tells."""
    groups: list[list[int]] = []
    for i, ids in enumerate(windows.ids):
        last = groups[-1] if groups else []
        same = bool(last) and (model.manner.pads or len(windows.ids[last[0]]) == len(ids))
        if same and len(last) < size:
            last.append(i)
        else:
            groups.append([i])
    for group in track(groups, label):
        sequences = [TokenSequence(windows.ids[i].tolist()) for i in group]
        yield np.array(group, np.intp), model._padded(sequences, model.manner.multiple)


def token_vectors(model: LanguageModel, layer: str, batch: TextBatch) -> Tensor:
    """What a layer gives for a batch of texts, (sequences, tokens, units).

    Parameters
    ----------
    model : LanguageModel
    layer : str
    batch : TextBatch

    Raises
    ------
    UserError
        For a layer that never answers, or has no vector a token.
    """
    output = _answer(model, layer, batch)
    if output.ndim == 3 and model._is_token_first(output, batch, layer):
        output = output.transpose(0, 1)
    if output.ndim == 2 and len(output) == batch.ids.numel():
        output = output.reshape(*batch.ids.shape, -1)
    if output.ndim != 3 or output.shape[:2] != batch.ids.shape:
        raise UserError(
            f"layer {layer!r} of {model.identifier} gives {tuple(output.shape)} for {tuple(batch.ids.shape)} tokens: "
            "choose a layer that has a vector a token"
        )
    return output


def _answer(model: Network, layer: str, batch: Any) -> Tensor:
    """A layer's output as it gave it, whatever overwrites it later."""
    call = partial(model._forward, batch)
    found = record(model.module, [layer], call, copied=[layer], interventions=model.lesions).tensors
    if layer not in found:
        raise UserError(f"layer {layer!r} of {model.identifier} never answered")
    return found[layer]


def finite_rows(values: Tensor, model: Any, layer: str) -> Tensor:
    """Rows in float32 on the processor; a UserError for values that are not finite.

    Parameters
    ----------
    values : Tensor of shape (n_rows, n_units)
    model, layer
        For the message.
    """
    rows = values.detach().float().cpu()
    if not bool(torch.isfinite(rows.sum(dtype=torch.float64))):
        raise UserError(f"layer {layer!r} of {model.identifier} gives values that are NaN or infinite")
    return rows
