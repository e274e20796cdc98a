"""Language baselines that need no weights: word length and frequency, an untrained transformer."""

from collections import Counter
from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
import torch
import xarray as xr
from torch import Tensor, nn

from ...errors import unknown
from ...files import digest_of
from ..extraction.language_model import LanguageModel, text_of
from ..model import Context, Model

if TYPE_CHECKING:
    from ...brain_data.stimulus_set import StimulusSet

FEATURES = (
    "n_words",
    "n_characters",
    "mean_word_length",
    "longest_word",
    "mean_log_frequency",
    "least_log_frequency",
)


class WordLengthFrequency(Model):
    """How long a text and its words are, and how frequent its words are within the stimulus set."""

    identifier = "word-length-frequency"
    modality = "language"
    digest = digest_of("word-length-frequency", FEATURES)

    @property
    def layers(self) -> list[str]:
        """One layer, ``features``."""
        return ["features"]

    def sizes(self, stimuli: "StimulusSet", layers: Sequence[str] | None = None) -> dict[str, int]:
        """Six units."""
        return {name: len(FEATURES) for name in self._asked(layers)}

    def extract(
        self, stimuli: "StimulusSet", layers: Sequence[str] | None = None, *, context: Context = "none"
    ) -> dict[str, xr.DataArray]:
        """Six numbers a text; logarithms are natural, of a word's count in the stimulus set."""
        del context  # a text's own words are all that counts
        words = [text.lower().split() for text in text_of(stimuli)]
        counts = Counter(word for text in words for word in text)
        rows = []
        for text in words:
            lengths = [len(word) for word in text]
            frequency = [np.log(counts[word]) for word in text]
            rows.append(
                [len(text), sum(lengths), np.mean(lengths), max(lengths), np.mean(frequency), min(frequency)]
            )
        features = xr.DataArray(
            np.array(rows, np.float32),
            dims=("presentation", "neuroid"),
            coords={
                "stimulus_id": ("presentation", stimuli["stimulus_id"].to_numpy()),
                "neuroid_id": ("neuroid", list(FEATURES)),
                "layer": ("neuroid", np.full(len(FEATURES), "features")),
            },
        )
        return dict.fromkeys(self._asked(layers), features)

    def _asked(self, layers: Sequence[str] | None) -> list[str]:
        for name in layers or ():
            if name != "features":
                raise unknown(f"layer of {self.identifier}", name, self.layers)
        return self.layers


class ByteTokenizer:
    """Every byte of a text's UTF-8 is a token; 0 is kept for padding."""

    def __call__(self, text: str, *, return_offsets_mapping: bool = False) -> dict[str, list[object]]:
        """Token ids, and the characters that each comes from."""
        ids: list[object] = []
        offsets: list[object] = []
        for position, character in enumerate(text):
            for byte in character.encode():
                ids.append(byte + 1)
                offsets.append((position, position + 1))
        return {"input_ids": ids} | ({"offset_mapping": offsets} if return_offsets_mapping else {})


class RandomTransformer(nn.Module):
    """An untrained causal transformer over bytes, with seeded weights and sinusoidal positions."""

    def __init__(self, *, width: int = 128, n_layers: int = 4, n_heads: int = 4, seed: int = 0) -> None:
        super().__init__()
        self.embed = nn.Embedding(257, width)
        self.blocks = nn.ModuleList(
            nn.TransformerEncoderLayer(
                width, n_heads, 4 * width, dropout=0.0, batch_first=True, norm_first=True
            )
            for _ in range(n_layers)
        )
        generator = torch.Generator().manual_seed(seed)
        with torch.no_grad():
            for name, parameter in sorted(self.named_parameters()):
                if parameter.ndim > 1:
                    scale = 1.0 if name.startswith("embed") else parameter.shape[1] ** -0.5
                    parameter.normal_(0, scale, generator=generator)
                elif name.endswith("bias"):
                    parameter.zero_()

    def forward(self, input_ids: Tensor, attention_mask: Tensor) -> Tensor:
        """(batch, tokens) -> (batch, tokens, width)."""
        x: Tensor = self.embed(input_ids) + _positions(
            input_ids.shape[1], self.embed.embedding_dim, input_ids.device
        )
        ahead = torch.ones(input_ids.shape[1], input_ids.shape[1], dtype=torch.bool, device=x.device).triu(1)
        for block in self.blocks:
            x = block(x, src_mask=ahead, src_key_padding_mask=attention_mask == 0)
        return x


def _positions(n_tokens: int, width: int, device: torch.device) -> Tensor:
    rate = torch.exp(torch.arange(0, width, 2, device=device) * (-9.21 / width))
    angle = torch.arange(n_tokens, device=device)[:, None] * rate
    return torch.stack([angle.sin(), angle.cos()], dim=-1).flatten(1)


def random_transformer() -> LanguageModel:
    """The baseline ``random-transformer``."""
    layers = ["embed", *(f"blocks.{index}" for index in range(4))]
    return LanguageModel(
        RandomTransformer(), ByteTokenizer(), identifier="random-transformer", layers=layers, pooling="mean"
    )


def word_length_frequency() -> WordLengthFrequency:
    """The baseline ``word-length-frequency``."""
    return WordLengthFrequency()
