"""A model from a file of weights alone: its architecture, the preprocessing of its kind, a grid for its units."""

from pathlib import Path
from typing import Literal

from torch import nn

from ...errors import NotAvailableError, UserError
from ..architectures.gpt import GPT
from ..architectures.resnet import ResNet
from ..architectures.vit import VisionTransformer
from ..extraction.language_model import LanguageModel
from ..extraction.preprocessing import ImagePreprocessing
from ..extraction.vision_model import VisionModel
from ..model import Model
from ..sheet import Sheet, grid_sheet
from ..topography.topoloss import incoming_weights
from .detect_architecture import network_from

GPT2_TOKENIZER = "tokenizer.json"


def model_of_weights(path: Path, *, identifier: str, layout: str) -> Model:
    """A network recognised from its weights, with the preprocessing of its kind and a grid sheet a layer.

    Parameters
    ----------
    path : Path
    identifier : str
    layout : str
        Of the sheets: ``native`` for a network trained with TopoLoss, ``row-major`` for any other.
    """
    network = network_from(path)
    layers = topographic_layers(network)
    sheets = channel_sheets(network, layers, layout)
    if isinstance(network, GPT):
        from transformers import PreTrainedTokenizerFast

        stored = path.with_name(GPT2_TOKENIZER)
        if not stored.is_file():
            raise NotAvailableError(
                f"{identifier} needs GPT-2's {GPT2_TOKENIZER} beside its weights: put it into {path.parent}"
            )
        tokenizer = PreTrainedTokenizerFast(  # type: ignore[no-untyped-call]
            tokenizer_file=str(stored), model_max_length=network.shape.block_size
        )
        blocks = [name for i in range(network.shape.n_layer) for name in (layers[i], f"transformer.h.{i}")]
        return LanguageModel(network, tokenizer, identifier=identifier, layers=blocks, sheets=sheets)
    size = 224
    if isinstance(network, VisionTransformer):
        size = round((network.encoder.pos_embedding.shape[1] - 1) ** 0.5) * network.conv_proj.kernel_size[0]
        blocks = [name for name in layers for name in (name, name.removesuffix(".mlp.0"))]
    else:
        assert isinstance(network, ResNet)
        blocks = network.blocks_and_convolutions()
    return VisionModel(
        network,
        identifier=identifier,
        preprocess=ImagePreprocessing(size, resize=round(size * 256 / 224)),
        layers=blocks,
        sheets=sheets,
    )


def topographic_layers(network: nn.Module) -> list[str]:
    """Where TopoNets have their sheets: the convolutions of the blocks, or the first feed-forward layers."""
    if isinstance(network, ResNet):
        return network.block_convolutions()
    if isinstance(network, (GPT, VisionTransformer)):
        return network.feed_forward_layers()
    raise UserError(f"{type(network).__name__} is no architecture of TopoNets")


def channel_sheets(network: nn.Module, layers: list[str], layout: str) -> list[Sheet]:
    """A grid sheet a layer; a convolution's is of its channels, and a blurred one is read at its wrapper."""
    sheets = []
    for name in layers:
        module = network.get_submodule(name)
        module = getattr(module, "conv", module)
        reads: Literal["unit", "channel"] = "channel" if isinstance(module, nn.Conv2d) else "unit"
        sheets.append(grid_sheet(name, len(incoming_weights(module)), reads=reads, layout=layout))
    return sheets
