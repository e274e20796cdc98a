"""A compact convolutional transformer (Hassani et al. 2021), with the names of its authors' weights."""

import torch
from torch import Tensor, nn
from torch.nn import functional


class Tokenizer(nn.Module):
    """Convolutions, each with a rectifier and a pooling, whose places are the tokens."""

    def __init__(self, widths: list[int], kernel: int) -> None:
        super().__init__()
        self.conv_layers = nn.Sequential(
            *(
                nn.Sequential(
                    nn.Conv2d(
                        before, after, kernel, max(1, kernel // 2 - 1), max(1, kernel // 2), bias=False
                    ),
                    nn.ReLU(),
                    nn.MaxPool2d(3, 2, 1),
                )
                for before, after in zip([3, *widths], widths, strict=False)
            )
        )

    def forward(self, x: Tensor) -> Tensor:
        """(batch, 3, size, size) -> (batch, tokens, width)."""
        tokens: Tensor = self.conv_layers(x).flatten(2).transpose(1, 2)
        return tokens


class Attention(nn.Module):
    """Attention between all tokens."""

    def __init__(self, width: int, n_heads: int) -> None:
        super().__init__()
        self.n_heads = n_heads
        self.qkv = nn.Linear(width, 3 * width, bias=False)
        self.proj = nn.Linear(width, width)

    def forward(self, x: Tensor) -> Tensor:
        """(batch, tokens, width) -> the same shape."""
        split = self.qkv(x).unflatten(2, (3, self.n_heads, -1)).permute(2, 0, 3, 1, 4)
        seen = functional.scaled_dot_product_attention(split[0], split[1], split[2])
        out: Tensor = self.proj(seen.transpose(1, 2).flatten(2))
        return out


class Block(nn.Module):
    """Attention, added to what it reads; a norm; a feed-forward part, added to the norm."""

    def __init__(self, width: int, n_heads: int, n_inner: int) -> None:
        super().__init__()
        self.pre_norm = nn.LayerNorm(width)
        self.self_attn = Attention(width, n_heads)
        self.norm1 = nn.LayerNorm(width)
        self.linear1 = nn.Linear(width, n_inner)
        self.activation = nn.GELU()
        self.linear2 = nn.Linear(n_inner, width)

    def forward(self, x: Tensor) -> Tensor:
        """(batch, tokens, width) -> the same shape."""
        x = self.norm1(x + self.self_attn(self.pre_norm(x)))
        out: Tensor = x + self.linear2(self.activation(self.linear1(x)))
        return out


class Classifier(nn.Module):
    """Positions, blocks, a norm, a mean of tokens by learned weights, a readout."""

    def __init__(
        self, n_tokens: int, width: int, n_layers: int, n_heads: int, n_inner: int, n_classes: int
    ) -> None:
        super().__init__()
        self.positional_emb = nn.Parameter(torch.empty(1, n_tokens, width).normal_(std=0.2))
        self.attention_pool = nn.Linear(width, 1)
        self.blocks = nn.ModuleList(Block(width, n_heads, n_inner) for _ in range(n_layers))
        self.norm = nn.LayerNorm(width)
        self.fc = nn.Linear(width, n_classes)

    def forward(self, x: Tensor) -> Tensor:
        """(batch, tokens, width) -> (batch, n_classes) logits."""
        x = x + self.positional_emb
        for block in self.blocks:
            x = block(x)
        x = self.norm(x)
        weights = self.attention_pool(x).softmax(dim=1)
        logits: Tensor = self.fc((weights * x).sum(dim=1))
        return logits


class CompactTransformer(nn.Module):
    """CCT: tokens by convolution, and a transformer whose tokens are pooled by learned weights.

    Parameters
    ----------
    n_tokens : int
        A picture of 32 pixels gives 256 by one convolution of 3 pixels.
    widths : list of int
        Of the convolutions; the last is that of the transformer.
    kernel : int
        Pixels a side of each convolution, whose stride is ``max(1, kernel // 2 - 1)``.
    n_layers, n_heads, n_inner, n_classes : int
    """

    def __init__(
        self,
        *,
        n_tokens: int = 256,
        widths: list[int],
        kernel: int = 3,
        n_layers: int = 7,
        n_heads: int = 4,
        n_inner: int = 512,
        n_classes: int = 10,
    ) -> None:
        super().__init__()
        self.tokenizer = Tokenizer(widths, kernel)
        self.classifier = Classifier(n_tokens, widths[-1], n_layers, n_heads, n_inner, n_classes)

    def forward(self, x: Tensor) -> Tensor:
        """(batch, 3, size, size) -> (batch, n_classes) logits."""
        logits: Tensor = self.classifier(self.tokenizer(x))
        return logits
