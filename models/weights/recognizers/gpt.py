"""GPTs with nanoGPT's names."""

from pathlib import Path

from ....errors import UserError
from ...architectures.gpt import GPT, GPTShape
from .base import Recognized, Weights, channel_sheets, count, filled, matrix

KIND = "GPT"
_NOT_OURS = r"(^|\.)attn\.(masked_)?bias$"  # causal masks that some files store
_HEAD_WIDTH = 64


def fits(weights: Weights) -> bool:
    """Whether the names are its own."""
    return "transformer.h.0.mlp.c_fc.weight" in weights


def recognize(weights: Weights, path: Path) -> Recognized:
    """A GPT with one head for 64 channels, which weights do not tell."""
    network = network_of(weights, path)
    expanded = network.feed_forward_layers()
    return Recognized(
        network,
        [name for layer in expanded for name in (layer, layer.removesuffix(".mlp.c_fc"))],
        lambda layout: channel_sheets(network, expanded, layout),
    )


def network_of(weights: Weights, path: Path, n_head: int | None = None) -> GPT:
    """The network, of any number of heads."""
    vocabulary, width = matrix(weights, "transformer.wte.weight")
    n_layer = count(weights, "transformer.h.{}.mlp.c_fc.weight")
    shape = GPTShape(
        n_layer=n_layer,
        n_head=n_head or max(1, width // _HEAD_WIDTH),
        n_embd=width,
        vocab_size=vocabulary,
        block_size=len(weights["transformer.wpe.weight"]),
        bias="transformer.ln_f.bias" in weights,
        n_inner=tuple(len(weights[f"transformer.h.{i}.mlp.c_fc.weight"]) for i in range(n_layer)),
    )
    if shape.n_head < 1 or width % shape.n_head:
        raise UserError(
            f"{path} has a width of {width}, which {shape.n_head} heads do not divide: give n_head"
        )
    shared = {"lm_head.weight": weights["transformer.wte.weight"]} | dict(weights)
    return filled(lambda: GPT(shape), shared, path, without=_NOT_OURS)
