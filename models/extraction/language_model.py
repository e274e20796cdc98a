"""Any torch module that reads text."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor, nn

from ...errors import UserError
from ..model import Context
from ..sheet import Sheet
from .hooks import run
from .readout import EVERYTHING, Readout
from .signature import call_by_name
from .torch_model import Network

if TYPE_CHECKING:
    from ...brain_data.stimulus_set import StimulusSet

Pooling = Literal["last", "mean"]

TEXT_COLUMNS = ("sentence", "word", "text")
PASSAGE_COLUMNS = ("passage", "story")
_NO_LIMIT = 10**9  # tokenizers without a limit give a huge number


@dataclass(frozen=True)
class TextBatch:
    """A batch of token ids, padded on the right.

    Attributes
    ----------
    ids, attention, pooled : Tensor of shape (batch, tokens)
        Token ids (0 as padding), 1 for real tokens, 1 for the tokens that make the vector.
    """

    ids: Tensor
    attention: Tensor
    pooled: Tensor


class LanguageModel(Network):
    """A torch module over token ids, one vector a word or a sentence.

    Parameters
    ----------
    module : torch.nn.Module
        Called as ``module(input_ids=..., attention_mask=...)``.
    tokenizer : callable
        A Hugging Face tokenizer, or any callable that gives a mapping with ``input_ids`` for a text.
    identifier : str
        The name under which its scores are kept.
    layers : sequence of str, optional
        Dotted module names; by default the modules down to two levels, in forward order.
    pooling : {"last", "mean"}
        The last token's vector, or the mean over the text's tokens. Tokens that the tokenizer adds
        (``[CLS]``) count as the text's; padding never does.
    batch_size : int
        Texts a forward pass.
    max_tokens : int, optional
        Longer inputs lose tokens on the left; how many texts did stands in ``attrs["truncated"]`` of the
        activations. The module's or the tokenizer's own limit by default, whichever is lower.
    device : str, optional
    cache : bool
        Keep activations on disk.
    sheets : sequence of Sheet
        Where units lie, for the layers that have a sheet.
    readout : Readout
        Projection of wide layers, half precision; tokens are pooled by `pooling`.

    Raises
    ------
    UserError
        For a layer that the module does not have, or an unknown pooling.
    """

    modality = "language"

    def __init__(
        self,
        module: nn.Module,
        tokenizer: Any,
        *,
        identifier: str,
        layers: Sequence[str] | None = None,
        pooling: Pooling = "last",
        batch_size: int = 32,
        max_tokens: int | None = None,
        device: str | None = None,
        cache: bool = True,
        sheets: Sequence[Sheet] = (),
        readout: Readout = EVERYTHING,
    ) -> None:
        self.tokenizer = tokenizer
        self.pooling = pooling
        self.max_tokens = max_tokens
        super().__init__(
            module,
            identifier=identifier,
            layers=layers,
            batch_size=batch_size,
            device=device,
            cache=cache,
            sheets=sheets,
            readout=readout,
        )

    def _checked(self, settings: dict[str, Any]) -> dict[str, Any]:
        kept = super()._checked(settings)
        name, tokenizer, most = kept["identifier"], kept["tokenizer"], kept["max_tokens"]
        if kept["pooling"] not in ("last", "mean"):
            raise UserError(f"{name}: pooling must be 'last' or 'mean', not {kept['pooling']!r}")
        if not callable(tokenizer):
            raise UserError(f"{name}: the tokenizer must be callable, not {type(tokenizer).__name__}")
        if most is not None and most < 1:
            raise UserError(f"{name}: max_tokens must be at least 1, not {most}")
        return kept | {"max_tokens": most or _own_limit(kept["module"], tokenizer)}

    def _plan(self, stimuli: "StimulusSet", context: Context) -> list[npt.NDArray[np.intp]]:
        """Texts of about one length together, so that little is padded."""
        lengths = [len(self._cut(*one)[0]) for one in self._encoded(stimuli, context)]
        by_length = np.argsort(lengths, kind="stable")
        return [
            by_length[start : start + self.batch_size] for start in range(0, len(lengths), self.batch_size)
        ]

    def _batches(
        self, stimuli: "StimulusSet", context: Context, *, skip: int = 0
    ) -> Iterator[tuple[npt.NDArray[np.intp], TextBatch]]:
        encoded = [self._cut(*one)[:2] for one in self._encoded(stimuli, context)]
        for rows in self._plan(stimuli, context)[skip:]:
            yield rows, self._padded([encoded[row] for row in rows])

    def _left_out(self, stimuli: "StimulusSet", context: Context) -> dict[str, int]:
        """How many texts, with what stands before them, were longer than the model can read."""
        cut = [self._cut(*one)[2] for one in self._encoded(stimuli, context)]
        return {"truncated": sum(n_dropped > 0 for n_dropped in cut)}

    def _encoded(self, stimuli: "StimulusSet", context: Context) -> list[tuple[list[int], int]]:
        texts = text_of(stimuli)
        before = passages(stimuli, texts) if context == "passage" else [""] * len(texts)
        return [self._encode(prefix, text) for prefix, text in zip(before, texts, strict=True)]

    def _encode(self, prefix: str, text: str) -> tuple[list[int], int]:
        """Token ids of the text after its prefix, and how many of them are the prefix's."""
        if not prefix:
            ids = list(self.tokenizer(text)["input_ids"])
            n_before = 0
        else:
            whole = self.tokenizer(f"{prefix} {text}", return_offsets_mapping=True)
            if "offset_mapping" not in whole:
                raise UserError(
                    f"{self.identifier}: reading in context needs a fast tokenizer, which knows offsets"
                )
            ids = list(whole["input_ids"])
            first = len(prefix) + 1
            n_before = next(
                (i for i, (_, end) in enumerate(whole["offset_mapping"]) if end > first), len(ids) - 1
            )
        if not ids:
            raise UserError(f"{self.identifier}: the tokenizer gives no tokens for {text!r}")
        return ids, n_before

    def _cut(self, ids: list[int], n_before: int) -> tuple[list[int], int, int]:
        """The last tokens that the model can read, how many are the prefix's, and how many were dropped."""
        n_dropped = max(0, len(ids) - self.max_tokens) if self.max_tokens else 0
        return ids[n_dropped:], max(0, n_before - n_dropped), n_dropped

    def _padded(self, encoded: list[tuple[list[int], int]]) -> TextBatch:
        longest = max(len(ids) for ids, _ in encoded)
        ids = torch.zeros((len(encoded), longest), dtype=torch.long)
        attention, pooled = torch.zeros_like(ids), torch.zeros_like(ids)
        for row, (tokens, n_before) in enumerate(encoded):
            ids[row, : len(tokens)] = torch.tensor(tokens)
            attention[row, : len(tokens)] = 1
            pooled[row, len(tokens) - 1 if self.pooling == "last" else n_before : len(tokens)] = 1
        return TextBatch(ids.to(self.device), attention.to(self.device), pooled.to(self.device))

    def _forward(self, batch: TextBatch) -> Any:
        return call_by_name(self.module, {"input_ids": batch.ids, "attention_mask": batch.attention})

    def _read(self, output: Tensor, batch: TextBatch, layer: str) -> Tensor:
        if output.ndim == 2 and len(output) == len(batch.ids):
            return output
        if output.ndim != 3 or output.shape[:2] != batch.ids.shape:
            raise UserError(
                f"layer {layer!r} of {self.identifier} gives {tuple(output.shape)} "
                f"for {tuple(batch.ids.shape)} tokens: expected (batch, tokens, units)"
            )
        weights = batch.pooled.float()[:, :, None]  # half precision would overflow in a long sum
        return torch.where(weights > 0, output.float(), 0).sum(dim=1) / weights.sum(dim=1)

    def surprisal(self, stimuli: "StimulusSet") -> npt.NDArray[np.float64]:
        """Mean surprisal of a text's tokens given those before them, -ln p in nats, over real tokens alone.

        Returns
        -------
        array of shape (n_stimuli,)
            NaN for a text of one token, which has none before it.

        Raises
        ------
        UserError
            For a network that gives no score for every token of its vocabulary (one without a language head).
        """
        values = np.full(len(stimuli), np.nan)
        for rows, batch in self._batches(stimuli, "none"):
            output = run(self.module, partial(self._forward, batch), self.lesions)
            logits = output if isinstance(output, Tensor) else getattr(output, "logits", None)
            if not isinstance(logits, Tensor) or logits.ndim != 3 or logits.shape[2] <= int(batch.ids.max()):
                raise UserError(
                    f"{self.identifier} gives no scores for the next token: load it with its language head"
                )
            scores = logits[:, :-1].float().log_softmax(dim=2)
            losses = -scores.gather(2, batch.ids[:, 1:, None])[:, :, 0]
            real = batch.attention[:, 1:].bool()
            total = torch.where(real, losses, 0).sum(dim=1)
            values[rows] = (total / real.sum(dim=1)).cpu().numpy()
        return values

    def _probe(self) -> TextBatch:
        return self._padded([self._cut(*self._encode("", "The dog saw a ball."))[:2]])

    def _reading(self) -> list[object]:
        return [self.tokenizer, self.pooling, self.max_tokens]


def _own_limit(module: nn.Module, tokenizer: Any) -> int | None:
    """The most tokens that a model reads: some count positions that the tokenizer never uses."""
    limits = (
        getattr(getattr(module, "config", None), "max_position_embeddings", None),
        getattr(tokenizer, "model_max_length", None),
    )
    known = [limit for limit in limits if isinstance(limit, int) and 0 < limit < _NO_LIMIT]
    return min(known, default=None)


def text_of(stimuli: "StimulusSet") -> list[str]:
    """The texts of a stimulus set, from its column ``sentence``, ``word`` or ``text``.

    Raises
    ------
    UserError
        Without such a column, or for a text that is missing or empty.
    """
    column = next((name for name in TEXT_COLUMNS if name in stimuli.columns), None)
    if column is None:
        raise UserError(
            f"the stimulus set has no text: expected a column {' or '.join(map(repr, TEXT_COLUMNS))}"
        )
    texts = [text if isinstance(text, str) else "" for text in stimuli[column]]
    empty = [
        stimulus for stimulus, text in zip(stimuli["stimulus_id"], texts, strict=True) if not text.strip()
    ]
    if empty:
        raise UserError(f"{len(empty)} stimuli have no text in column {column!r} (first: {empty[0]!r})")
    return texts


def passages(stimuli: "StimulusSet", texts: list[str]) -> list[str]:
    """What stands before each text in its passage (or story), in the order of the table.

    Raises
    ------
    UserError
        Without a column ``passage`` or ``story``.
    """
    column = next((name for name in PASSAGE_COLUMNS if name in stimuli.columns), None)
    if column is None:
        raise UserError("reading in context needs a column 'passage' or 'story' in the stimulus set")
    so_far: dict[object, list[str]] = {}
    before = []
    for passage, text in zip(stimuli[column], texts, strict=True):
        earlier = so_far.setdefault(passage, [])
        before.append(" ".join(earlier))
        earlier.append(text)
    return before
