"""Any torch module that reads text."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import TYPE_CHECKING, Any, Self

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor, nn

from ...errors import UserError
from ..model import Context
from ..sheet import Sheet
from .hooks import forward_order, run
from .layer_names import first_tensor
from .next_token import check_predicts, next_token_scores
from .reading_manner import Manner, manner_of, same_draws
from .readout import EVERYTHING, Readout
from .signature import call_by_name
from .texts import PASSAGE_COLUMNS as PASSAGE_COLUMNS
from .texts import POOLINGS, WINDOWS, Encoder, Pooling, Shown, TokenSequence, left_out, passages
from .texts import text_of as text_of
from .torch_model import Network

if TYPE_CHECKING:
    import xarray as xr

    from ...brain_data.stimulus_set import StimulusSet

_NO_LIMIT = 10**9  # tokenizers without a limit give a huge number
_PROBE = "The dog saw a ball."
_SHIFTED = (
    "layers of the decoder read the text shifted by one token, each token before the one that it predicts"
)


@dataclass(frozen=True)
class TextBatch:
    """Token ids that are run together, padded on the right, and where each text's vector is read.

    Attributes
    ----------
    ids, attention : Tensor of shape (sequences, tokens)
        Token ids (0 as padding), 1 for real tokens.
    source : Tensor of shape (texts,)
        The sequence that each text is in.
    places, counted : Tensor of shape (texts, most tokens of a text)
        The tokens that make the vector, and which of these entries count.
    """

    ids: Tensor
    attention: Tensor
    source: Tensor
    places: Tensor
    counted: Tensor


class LanguageModel(Network):
    """A torch module over token ids, one vector a word or a sentence.

    Parameters
    ----------
    module : torch.nn.Module
        Called as ``module(input_ids=..., attention_mask=...)``.
    tokenizer : callable
        A Hugging Face tokenizer, or any callable that gives token ids, or a mapping with ``input_ids``, for a text.
    identifier : str
        The name under which its scores are kept.
    layers : sequence of str, optional
        Dotted module names; by default the modules down to two levels, in forward order.
    pooling : {"last", "mean", "word-end"}, optional
        How a text becomes one vector: its last token's, the mean over its tokens, or the last token of each word
        (the mean over words where a text has several). By default the last token where no token sees a later one
        (causal and recurrent networks), the mean elsewhere (bidirectional networks, encoders with a decoder); which
        of them a network is shows in what it does with a few tokens. Tokens that the tokenizer adds (``[CLS]``) count
        as the text's, though not as words; padding never counts.
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
    head : callable, optional
        The module -> a network that holds it and predicts the next token, where it does not itself.

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
        pooling: Pooling | None = None,
        batch_size: int = 32,
        max_tokens: int | None = None,
        device: str | None = None,
        cache: bool = True,
        sheets: Sequence[Sheet] = (),
        readout: Readout = EVERYTHING,
        head: Callable[[nn.Module], nn.Module] | None = None,
    ) -> None:
        self.tokenizer = tokenizer
        self._pooling = pooling
        self._manner: dict[str, Manner] = {}  # looked at when it is needed, and shared by all views
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
        self.head = head

    def _known(self) -> set[str]:
        return super()._known() | {"pooling"}

    def _checked(self, settings: dict[str, Any]) -> dict[str, Any]:
        kept = super()._checked(settings)
        name, tokenizer, most = kept["identifier"], kept["tokenizer"], kept["max_tokens"]
        if "pooling" in settings:
            kept["_pooling"] = kept.pop("pooling")
        if {"module", "tokenizer", "layers", "lesions"} & set(settings):
            kept["_manner"] = {}
        if "module" in settings:  # another network's head would be the old one's
            kept["head"] = settings.get("head")
        if kept["_pooling"] is not None and kept["_pooling"] not in POOLINGS:
            raise UserError(f"{name}: pooling must be 'last', 'mean' or 'word-end', not {kept['_pooling']!r}")
        if not callable(tokenizer):
            raise UserError(f"{name}: the tokenizer must be callable, not {type(tokenizer).__name__}")
        if most is not None and most < 1:
            raise UserError(f"{name}: max_tokens must be at least 1, not {most}")
        return kept | {"max_tokens": most or _own_limit(kept["module"], tokenizer)}

    @property
    def pooling(self) -> Pooling:
        """How a text becomes one vector: as it was said, else by the kind of network."""
        if self._pooling is not None:
            return self._pooling
        return "last" if self.manner.kind in ("causal", "recurrent") else "mean"

    @property
    def manner(self) -> Manner:
        """How the network reads: whether later tokens change earlier ones, whether padding changes anything."""
        if "manner" not in self._manner:
            encoder = self._encoder("last")
            encoder.check_unpadded(_PROBE)
            ids = self._probe_ids(encoder)
            try:
                self._manner["manner"] = manner_of(
                    self.module, self._answers, ids, self.max_tokens, self._layers
                )
            except UserError:  # it cannot run: who asks for a layer is told why
                return Manner()
        return self._manner["manner"]

    @property
    def methods(self) -> dict[str, Any]:
        """See :attr:`Model.methods`: how a text becomes a vector, and what is lost of a long one."""
        manner = self.manner
        words = (
            f"{POOLINGS[self.pooling]} ({'as asked' if self._pooling else 'default'}; {manner.kind} network)"
        )
        if self.max_tokens:
            words += f"; of longer texts the last {self.max_tokens} tokens"
        if manner.kind == "encoder-decoder":
            words += f"; {_SHIFTED}"
        once = (
            "in one pass"
            if manner.causal
            else "each text in a pass of its own, for later texts would change it"
        )
        if manner.causal and self.max_tokens:
            once += (
                f", in windows of {self.max_tokens} tokens where it is longer, so that a text sees at least the "
                f"{self.max_tokens - max(1, self.max_tokens // WINDOWS) + 1} tokens that end with it"
            )
        return super().methods | {"text": words, "passages": once}

    def _read_as(self) -> str:
        return replace(self.readout, pool="none").describe()  # a text has no space to pool over

    def _answers(self, sequences: Sequence[Sequence[int]], multiple: int) -> Mapping[str, Tensor]:
        """The outputs of the layers for token ids, random numbers the same every time."""
        batch = self._padded([TokenSequence(list(ids), [], []) for ids in sequences], multiple)
        given: list[Any] = []  # by the network itself, the layer of no name
        order = forward_order(self.module, lambda: given.append(self._forward(batch)), depth=2)
        own = [""] if first_tensor(given[0]) else []
        names = dict.fromkeys([*order, *self._layers, *own])
        found: Mapping[str, Tensor] = same_draws(lambda: self._tensors(list(names), batch))
        return found

    def _tensors(self, names: Sequence[str], batch: TextBatch) -> Mapping[str, Tensor]:
        """What each layer gives in one pass."""
        return self._recorded(list(names), batch).tensors

    def _encoder(self, pooling: Pooling | None = None) -> Encoder:
        return Encoder(self.tokenizer, self.identifier, pooling or self.pooling, self.max_tokens)

    def _shown(self, stimuli: "StimulusSet", context: Context) -> Shown:
        texts = text_of(stimuli)
        if context == "none" or context == 0:
            return self._encoder().alone(texts)
        if context != "passage":
            return self._encoder().after(texts, passages(stimuli), int(context))
        return self._encoder().in_passages(texts, passages(stimuli), together=self.manner.causal)

    def _planned(self, shown: Shown) -> list[list[TokenSequence]]:
        return self._planned_sequences(shown.sequences)

    def _planned_sequences(self, sequences: Sequence[TokenSequence]) -> list[list[TokenSequence]]:
        """Sequences of about one length together, so that little is padded; of one length where padding tells."""
        lengths = [len(one.ids) for one in sequences]
        order = [sequences[place] for place in np.argsort(lengths, kind="stable")]
        batches: list[list[TokenSequence]] = []
        for one in order:
            last = batches[-1] if batches else []
            fits = 0 < len(last) < self.batch_size and (self.manner.pads or len(last[0].ids) == len(one.ids))
            if fits:
                last.append(one)
            else:
                batches.append([one])
        return batches

    def _plan(self, stimuli: "StimulusSet", context: Context) -> list[npt.NDArray[np.intp]]:
        return [_rows(batch) for batch in self._planned(self._shown(stimuli, context))]

    def _batches(
        self, stimuli: "StimulusSet", context: Context, *, skip: int = 0
    ) -> Iterator[tuple[npt.NDArray[np.intp], TextBatch]]:
        for sequences in self._planned(self._shown(stimuli, context))[skip:]:
            yield _rows(sequences), self._padded(sequences, self.manner.multiple)

    def _backwards(self, batch: TextBatch, n_most: int) -> tuple[TextBatch, npt.NDArray[np.intp]]:
        chosen = np.unique(np.linspace(0, len(batch.ids) - 1, n_most).astype(np.intp))[::-1].tolist()
        source = batch.source.tolist()
        texts = [i for i, one in enumerate(source) if one in chosen]
        at, kept = torch.tensor(chosen, device=self.device), torch.tensor(texts, device=self.device)
        new_source = torch.tensor([chosen.index(source[i]) for i in texts], device=self.device)
        part = TextBatch(
            batch.ids[at], batch.attention[at], new_source, batch.places[kept], batch.counted[kept]
        )
        return part, np.array(texts, dtype=np.intp)

    def _left_out(self, stimuli: "StimulusSet", context: Context) -> dict[str, Any]:
        """How many texts, with what stands before them, were longer than the model can read."""
        return left_out(self._shown(stimuli, context), self.max_tokens)

    def _padded(self, sequences: Sequence[TokenSequence], multiple: int) -> TextBatch:
        self._check_ids(sequences)
        longest = max(len(one.ids) for one in sequences)
        ids = torch.zeros((len(sequences), -(-longest // multiple) * multiple), dtype=torch.long)
        attention = torch.zeros_like(ids)
        for row, one in enumerate(sequences):
            ids[row, : len(one.ids)] = torch.tensor(one.ids)
            attention[row, : len(one.ids)] = 1
        read = [(row, places) for row, one in enumerate(sequences) for places in one.places]
        most = max((len(places) for _, places in read), default=0)
        places = torch.zeros((len(read), most), dtype=torch.long)
        counted = torch.zeros((len(read), most), dtype=torch.bool)
        for text, (_, some) in enumerate(read):
            places[text, : len(some)] = torch.tensor(some)
            counted[text, : len(some)] = True
        source = torch.tensor([row for row, _ in read], dtype=torch.long)
        return TextBatch(*(one.to(self.device) for one in (ids, attention, source, places, counted)))

    def _check_ids(self, sequences: Sequence[TokenSequence]) -> None:
        """Refuse a tokenizer of another network, whose ids have no embedding: a graphics card would not recover."""
        try:
            embedding = self.module.get_input_embeddings()  # type: ignore[operator]
        except (AttributeError, NotImplementedError, TypeError):
            return
        highest = max(max(one.ids) for one in sequences)
        if isinstance(embedding, nn.Embedding) and highest >= embedding.num_embeddings:
            raise UserError(
                f"{self.identifier}: the tokenizer gives token {highest}, but the network has "
                f"{embedding.num_embeddings} of them: it is another network's tokenizer"
            )

    def _inputs(self, batch: TextBatch) -> dict[str, Tensor]:
        """What the network is called with; a decoder behind an encoder reads the text shifted by one token."""
        given = {"input_ids": batch.ids, "attention_mask": batch.attention}
        config: Any = getattr(self.module, "config", None)
        if getattr(config, "is_encoder_decoder", False) is not True:
            return given
        start = next(
            (one for one in (getattr(config, name, None) for name in _STARTS) if isinstance(one, int)), 0
        )
        shifted = batch.ids.roll(1, dims=1)
        shifted[:, 0] = start
        return given | {"decoder_input_ids": shifted, "decoder_attention_mask": batch.attention}

    def _forward(self, batch: TextBatch) -> Any:
        return call_by_name(self.module, self._inputs(batch))

    def _read(self, output: Tensor, batch: TextBatch, layer: str) -> Tensor:
        n_sequences, n_tokens = batch.ids.shape
        if output.ndim == 2 and len(output) == n_sequences:
            if len(batch.source) > n_sequences:
                raise UserError(
                    f"layer {layer!r} of {self.identifier} gives one vector for a whole passage, in which each text "
                    "is read: choose a layer that gives a vector a token"
                )
            return output
        if self._is_token_first(output, batch, layer):
            output = output.transpose(0, 1)
        if output.ndim != 3 or output.shape[:2] != (n_sequences, n_tokens):
            raise UserError(
                f"layer {layer!r} of {self.identifier} gives {tuple(output.shape)} "
                f"for {tuple(batch.ids.shape)} tokens: expected (batch, tokens, units); choose a layer that has them"
            )
        own = output[
            batch.source[:, None], batch.places
        ].float()  # half precision would overflow in a long sum
        counted = batch.counted[:, :, None]
        return torch.where(counted, own, 0).sum(dim=1) / counted.sum(dim=1)

    def _is_token_first(self, output: Tensor, batch: TextBatch, layer: str) -> bool:
        """Whether a layer gives (tokens, batch, units); where both are as many, a pass of one text tells."""
        if output.ndim != 3 or output.shape[:2] != batch.ids.shape[::-1] or not self.manner.token_first:
            return False
        if output.shape[0] != output.shape[1]:
            return True
        alone = self._padded([TokenSequence([int(batch.ids[0, 0])] * 3, [], [])], self.manner.multiple)
        shape = self._tensors([layer], alone)[layer].shape
        return shape[:2] == alone.ids.shape[::-1]

    def surprisal(self, stimuli: "StimulusSet") -> npt.NDArray[np.float64]:
        """Mean surprisal of a text's tokens given those before them, -ln p in nats, over real tokens alone.

        Returns
        -------
        array of shape (n_stimuli,)
            NaN for a text of one token, which has none before it.

        Raises
        ------
        UserError
            For a network that gives no score for every token of its vocabulary (one without a language head), and for
            one that sees the tokens that it predicts.
        """
        check_predicts(self)
        values = np.full(len(stimuli), np.nan)
        for rows, batch in self._batches(stimuli, "none"):
            output = run(self.module, partial(self._forward, batch), self.lesions)
            logits = next_token_scores(self.identifier, output, batch.ids.shape[1])
            if logits.shape[2] <= int(batch.ids.max()):
                raise UserError(
                    f"{self.identifier} gives no scores for the next token: load it with its language head"
                )
            scores = logits[:, :-1].float().log_softmax(dim=2)
            losses = -scores.gather(2, batch.ids[:, 1:, None])[:, :, 0]
            real = batch.attention[:, 1:].bool()
            total = torch.where(real, losses, 0).sum(dim=1)
            values[rows] = (total / real.sum(dim=1)).cpu().numpy()
        return values

    def predicting(self) -> Self:
        """See :meth:`Model.predicting`: with the head of the network, and its lesions inside."""
        if self.head is None:
            return self
        whole = self.head(self.module)
        inside = next((name for name, one in whole.named_modules() if one is self.module), "")
        lesions = tuple(replace(one, layer=f"{inside}.{one.layer}".strip(".")) for one in self.lesions)  # type: ignore[type-var]
        return self.replaced(module=whole, layers=(), sheets=(), lesions=lesions)

    def surprisal_of(self, stimuli: "StimulusSet", *, context: Context = "none") -> "xr.DataArray":
        """See :meth:`Model.surprisal_of`: the sum over a text's own tokens, which offsets tell."""
        from .surprisal import surprisal_of

        return surprisal_of(self.predicting(), stimuli, context)

    def _probe_ids(self, encoder: Encoder) -> list[int]:
        """Those of a short sentence, or any where the tokenizer knows other words only."""
        try:
            return encoder.tokens("", _PROBE).ids
        except UserError:
            return [1, 2, 1, 1, 2]

    def _probe(self) -> TextBatch:
        ids = self._probe_ids(self._encoder())[-(self.max_tokens or 0) :]
        return self._padded([TokenSequence(ids, [0], [[len(ids) - 1]])], self.manner.multiple)

    def _reading(self) -> list[object]:
        return [self.tokenizer, self.pooling, self.max_tokens]


_STARTS = ("decoder_start_token_id", "bos_token_id", "pad_token_id")


def _rows(sequences: Sequence[TokenSequence]) -> npt.NDArray[np.intp]:
    return np.array([row for one in sequences for row in one.rows], dtype=np.intp)


_LIMITS = ("max_position_embeddings", "max_encoder_position_embeddings", "max_seq_len")


def _own_limit(module: nn.Module, tokenizer: Any) -> int | None:
    """The most tokens that a model reads: some count positions that the tokenizer never uses."""
    config = getattr(module, "config", None)
    limits = [getattr(config, name, None) for name in _LIMITS]
    skipped = [  # positions begin behind that of padding
        one.padding_idx + 1
        for name, one in module.named_modules()
        if isinstance(one, nn.Embedding) and "position" in name and one.padding_idx is not None
        and one.num_embeddings in limits
    ]  # fmt: skip
    known = [limit for limit in limits if isinstance(limit, int) and 0 < limit < _NO_LIMIT]
    own = [limit - max(skipped, default=0) for limit in known]
    theirs = getattr(tokenizer, "model_max_length", None)
    if isinstance(theirs, int) and 0 < theirs < _NO_LIMIT:
        own.append(theirs)
    return min(own, default=None)
