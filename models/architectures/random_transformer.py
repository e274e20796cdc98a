"""An untrained causal transformer over bytes."""

import torch
from torch import Tensor, nn


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
