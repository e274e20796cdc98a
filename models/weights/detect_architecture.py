"""A network from a file of weights alone: which architecture it is follows from names and shapes."""

from collections.abc import Mapping
from pathlib import Path

from torch import Tensor, nn

from ...errors import UserError
from ..architectures.gpt import GPT, GPTShape
from ..architectures.resnet import BasicBlock, Bottleneck, ResNet
from ..architectures.vit import VisionTransformer
from .state_dict import load_into, read_weights

_NOT_OURS = r"(^|\.)attn\.(masked_)?bias$"  # causal masks that some files store
_HEAD_WIDTH = 64
_OLD_VIT = {"mlp.linear_1.": "mlp.0.", "mlp.linear_2.": "mlp.3."}


def network_from(path: Path, *, n_head: int | None = None) -> nn.Module:
    """A residual network (of any depth, with or without BlurPool), a vision transformer or a GPT, from its weights.

    Parameters
    ----------
    path : Path
        A safetensors or torch file with the names of torchvision or nanoGPT.
    n_head : int, optional
        Attention heads, which weights do not tell; one for 64 channels by default.

    Raises
    ------
    UserError
        For a file that cannot be read, or whose names belong to another architecture.
    """
    return network_of(read_weights(path), path, n_head=n_head)


def network_of(weights: Mapping[str, Tensor], path: Path, *, n_head: int | None = None) -> nn.Module:
    """The same from weights that were read."""
    weights = {_renamed(name): value for name, value in weights.items()}
    if "transformer.h.0.mlp.c_fc.weight" in weights:
        return _gpt(weights, path, n_head)
    if "encoder.layers.encoder_layer_0.mlp.0.weight" in weights:
        return _vit(weights, path, n_head)
    if "layer4.0.bn1.weight" in weights:
        return _resnet(weights, path)
    raise UserError(
        f"{path} holds weights of an architecture that is not known here (its first name is {next(iter(weights))!r}): "
        "load it into a module of your own, and give path/to/file.py:factory"
    )


def _renamed(name: str) -> str:
    for old, new in _OLD_VIT.items():
        name = name.replace(old, new)
    return name


def _resnet(weights: Mapping[str, Tensor], path: Path) -> ResNet:
    block = Bottleneck if "layer1.0.conv3.weight" in weights else BasicBlock
    depths = [_count(weights, f"layer{group}.{{}}.bn1.weight") for group in (1, 2, 3, 4)]
    widths = [len(weights[f"layer{group}.0.bn1.weight"]) for group in (1, 2, 3, 4)]
    blurred = any(name.endswith("blur_filter") for name in weights)
    n_classes = len(weights["fc.weight"]) if "fc.weight" in weights else 0
    network = ResNet(block, depths, widths=widths, blurred=blurred, n_classes=max(n_classes, 1))
    if not n_classes:
        network.fc = nn.Identity()  # type: ignore[assignment]
    load_into(network, weights, path)
    return network


def _vit(weights: Mapping[str, Tensor], path: Path, n_head: int | None) -> VisionTransformer:
    width, _, patch, _ = weights["conv_proj.weight"].shape
    n_tokens = weights["encoder.pos_embedding"].shape[1]
    network = VisionTransformer(
        size=round((n_tokens - 1) ** 0.5) * patch,
        patch=patch,
        n_layers=_count(weights, "encoder.layers.encoder_layer_{}.ln_1.weight"),
        n_heads=n_head or max(1, width // _HEAD_WIDTH),
        width=width,
        n_inner=len(weights["encoder.layers.encoder_layer_0.mlp.0.weight"]),
        n_classes=len(weights["heads.head.weight"]),
    )
    load_into(network, weights, path)
    return network


def _gpt(weights: Mapping[str, Tensor], path: Path, n_head: int | None) -> GPT:
    vocabulary, width = weights["transformer.wte.weight"].shape
    n_layer = _count(weights, "transformer.h.{}.mlp.c_fc.weight")
    shape = GPTShape(
        n_layer=n_layer,
        n_head=n_head or max(1, width // _HEAD_WIDTH),
        n_embd=width,
        vocab_size=vocabulary,
        block_size=len(weights["transformer.wpe.weight"]),
        bias="transformer.ln_f.bias" in weights,
        n_inner=tuple(len(weights[f"transformer.h.{i}.mlp.c_fc.weight"]) for i in range(n_layer)),
    )
    if width % shape.n_head:
        raise UserError(
            f"{path} has a width of {width}, which {shape.n_head} heads do not divide: give n_head"
        )
    shared = {"lm_head.weight": weights["transformer.wte.weight"]} | dict(weights)
    network = GPT(shape)
    load_into(network, shared, path, without=_NOT_OURS)
    return network


def _count(weights: Mapping[str, Tensor], pattern: str) -> int:
    return next(i for i in range(len(weights) + 1) if pattern.format(i) not in weights)
