"""A causal transformer (Radford et al. 2019), with the names of nanoGPT's weights."""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional as F


@dataclass(frozen=True)
class GPTShape:
    """The sizes of a network.

    Attributes
    ----------
    n_layer, n_head, n_embd, vocab_size : int
    block_size : int
        The most tokens that it reads.
    bias : bool
        In linear layers and norms.
    n_inner : sequence of int or None
        Units of each block's feed-forward layer, 4 x `n_embd` by default.
    """

    n_layer: int = 12
    n_head: int = 12
    n_embd: int = 768
    vocab_size: int = 50304
    block_size: int = 1024
    bias: bool = False
    n_inner: Sequence[int] | None = None

    def inner(self, layer: int) -> int:
        """Units of a block's feed-forward layer."""
        return 4 * self.n_embd if self.n_inner is None else self.n_inner[layer]


class LayerNorm(nn.Module):
    """With or without a bias."""

    def __init__(self, width: int, bias: bool) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.ones(width))
        self.bias = nn.Parameter(torch.zeros(width)) if bias else None

    def forward(self, x: Tensor) -> Tensor:
        """Normalised over the last axis."""
        return F.layer_norm(x, self.weight.shape, self.weight, self.bias, 1e-5)


class Attention(nn.Module):
    """Causal self-attention."""

    def __init__(self, shape: GPTShape) -> None:
        super().__init__()
        self.c_attn = nn.Linear(shape.n_embd, 3 * shape.n_embd, bias=shape.bias)
        self.c_proj = nn.Linear(shape.n_embd, shape.n_embd, bias=shape.bias)
        self.n_head = shape.n_head

    def forward(self, x: Tensor) -> Tensor:
        """(batch, tokens, n_embd) -> the same shape."""
        batch, tokens, width = x.shape
        query, key, value = (
            part.view(batch, tokens, self.n_head, width // self.n_head).transpose(1, 2)
            for part in self.c_attn(x).split(width, dim=2)
        )
        seen = F.scaled_dot_product_attention(query, key, value, is_causal=True)
        out: Tensor = self.c_proj(seen.transpose(1, 2).reshape(batch, tokens, width))
        return out


class FeedForward(nn.Module):
    """Two linear layers around a GELU; ``c_fc`` is the layer that TopoNets lay on a sheet."""

    def __init__(self, shape: GPTShape, layer: int) -> None:
        super().__init__()
        self.c_fc = nn.Linear(shape.n_embd, shape.inner(layer), bias=shape.bias)
        self.gelu = nn.GELU()
        self.c_proj = nn.Linear(shape.inner(layer), shape.n_embd, bias=shape.bias)

    def forward(self, x: Tensor) -> Tensor:
        """(batch, tokens, n_embd) -> the same shape."""
        out: Tensor = self.c_proj(self.gelu(self.c_fc(x)))
        return out


class Block(nn.Module):
    """Attention and feed-forward, each added to what it reads."""

    def __init__(self, shape: GPTShape, layer: int) -> None:
        super().__init__()
        self.ln_1 = LayerNorm(shape.n_embd, shape.bias)
        self.attn = Attention(shape)
        self.ln_2 = LayerNorm(shape.n_embd, shape.bias)
        self.mlp = FeedForward(shape, layer)

    def forward(self, x: Tensor) -> Tensor:
        """(batch, tokens, n_embd) -> the same shape."""
        x = x + self.attn(self.ln_1(x))
        out: Tensor = x + self.mlp(self.ln_2(x))
        return out


class _Inside(nn.Module):
    """Embeddings, blocks and the last norm, under the name ``transformer``."""

    def __init__(self, shape: GPTShape) -> None:
        super().__init__()
        self.wte = nn.Embedding(shape.vocab_size, shape.n_embd)
        self.wpe = nn.Embedding(shape.block_size, shape.n_embd)
        self.h = nn.ModuleList(Block(shape, layer) for layer in range(shape.n_layer))
        self.ln_f = LayerNorm(shape.n_embd, shape.bias)


class GPT(nn.Module):
    """Token ids to logits; the readout shares the token embedding.

    Parameters
    ----------
    shape : GPTShape
    """

    def __init__(self, shape: GPTShape) -> None:
        super().__init__()
        self.shape = shape
        self.transformer = _Inside(shape)
        self.lm_head = nn.Linear(shape.n_embd, shape.vocab_size, bias=False)
        self.lm_head.weight = self.transformer.wte.weight
        for name, value in self.named_parameters():
            if name.endswith("c_proj.weight"):
                nn.init.normal_(value, std=0.02 / (2 * shape.n_layer) ** 0.5)
            elif value.ndim == 2:
                nn.init.normal_(value, std=0.02)

    def forward(self, input_ids: Tensor, attention_mask: Tensor | None = None) -> Tensor:
        """(batch, tokens) ids -> (batch, tokens, vocab_size) logits.

        A causal network never looks at what stands on the right, so padding there needs no mask.
        """
        del attention_mask
        inside = self.transformer
        places = torch.arange(input_ids.shape[1], device=input_ids.device)
        x = inside.wte(input_ids) + inside.wpe(places)
        for block in inside.h:
            x = block(x)
        logits: Tensor = self.lm_head(inside.ln_f(x))
        return logits

    def feed_forward_layers(self) -> list[str]:
        """The first layer of every block's feed-forward part, in forward order."""
        return [f"transformer.h.{i}.mlp.c_fc" for i in range(len(self.transformer.h))]
