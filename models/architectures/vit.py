"""A vision transformer (Dosovitskiy et al. 2021), with the names of torchvision's weights."""

from collections import OrderedDict

import torch
from torch import Tensor, nn


class EncoderBlock(nn.Module):
    """Attention and a feed-forward part, each added to what it reads."""

    def __init__(self, width: int, n_heads: int, n_inner: int) -> None:
        super().__init__()
        self.ln_1 = nn.LayerNorm(width, eps=1e-6)
        self.self_attention = nn.MultiheadAttention(width, n_heads, batch_first=True)
        self.dropout = nn.Identity()
        self.ln_2 = nn.LayerNorm(width, eps=1e-6)
        self.mlp = nn.Sequential(
            nn.Linear(width, n_inner), nn.GELU(), nn.Identity(), nn.Linear(n_inner, width), nn.Identity()
        )

    def forward(self, x: Tensor) -> Tensor:
        """(batch, tokens, width) -> the same shape."""
        seen = self.ln_1(x)
        x = x + self.dropout(self.self_attention(seen, seen, seen, need_weights=False)[0])
        out: Tensor = x + self.mlp(self.ln_2(x))
        return out


class Encoder(nn.Module):
    """Positions, blocks and the last norm."""

    def __init__(self, n_tokens: int, n_layers: int, width: int, n_heads: int, n_inner: int) -> None:
        super().__init__()
        self.pos_embedding = nn.Parameter(torch.empty(1, n_tokens, width).normal_(std=0.02))
        self.dropout = nn.Identity()
        self.layers = nn.Sequential(
            OrderedDict(
                (f"encoder_layer_{i}", EncoderBlock(width, n_heads, n_inner)) for i in range(n_layers)
            )
        )
        self.ln = nn.LayerNorm(width, eps=1e-6)

    def forward(self, x: Tensor) -> Tensor:
        """(batch, tokens, width) -> the same shape."""
        out: Tensor = self.ln(self.layers(self.dropout(x + self.pos_embedding)))
        return out


class VisionTransformer(nn.Module):
    """Patches, a class token, an encoder, a readout of the class token.

    Parameters
    ----------
    size, patch : int
        Pixels a side of a picture, and of a patch.
    n_layers, n_heads, width, n_inner, n_classes : int
    """

    def __init__(
        self,
        *,
        size: int = 224,
        patch: int = 32,
        n_layers: int = 12,
        n_heads: int = 12,
        width: int = 768,
        n_inner: int = 3072,
        n_classes: int = 1000,
    ) -> None:
        super().__init__()
        self.conv_proj = nn.Conv2d(3, width, patch, patch)
        self.class_token = nn.Parameter(torch.zeros(1, 1, width))
        self.encoder = Encoder((size // patch) ** 2 + 1, n_layers, width, n_heads, n_inner)
        self.heads = nn.Sequential(OrderedDict(head=nn.Linear(width, n_classes)))

    def forward(self, x: Tensor) -> Tensor:
        """(batch, 3, size, size) -> (batch, n_classes) logits."""
        patches = self.conv_proj(x).flatten(2).transpose(1, 2)
        tokens = torch.cat([self.class_token.expand(len(x), -1, -1), patches], dim=1)
        logits: Tensor = self.heads(self.encoder(tokens)[:, 0])
        return logits

    def feed_forward_layers(self) -> list[str]:
        """The first layer of every block's feed-forward part, in forward order."""
        return [f"encoder.layers.encoder_layer_{i}.mlp.0" for i in range(len(self.encoder.layers))]
