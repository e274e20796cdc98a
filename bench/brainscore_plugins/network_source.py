"""How a network of brodmann's own architectures is made again from its source file and its weights."""

import inspect
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from safetensors.torch import save
from torch import nn

from ...errors import UserError
from ...models.architectures.cifar_resnet import CifarResNet
from ...models.architectures.mlp import MLP
from ...models.architectures.mobilenet import MobileNetV1, MobileNetV2, SamePadConv
from ...models.architectures.resnet import BlurPoolConv2d, Bottleneck, ResNet
from ...models.architectures.squeezenet import SqueezeNet


@dataclass(frozen=True)
class NetworkSource:
    """A network as files.

    Attributes
    ----------
    file : Path
        The module of its architecture, which needs torch alone.
    names : tuple of str
        What is imported from it.
    constructor : str
        The expression that makes the network.
    weights : bytes
        Its state dict as safetensors.
    """

    file: Path
    names: tuple[str, ...]
    constructor: str
    weights: bytes


def network_source(module: nn.Module, identifier: str) -> NetworkSource:
    """A network as files.

    Raises
    ------
    UserError
        For a network of another architecture.
    """
    constructor = _CONSTRUCTORS.get(type(module))
    if constructor is None:
        raise UserError(
            f"{identifier!r} is a {type(module).__name__}, whose source brodmann cannot copy: export a catalogue "
            "network, timm:, torchvision: or a causal hf: model, or write a file.py:factory of your own"
        )
    expression = constructor(module)
    names = tuple(name for name in _USED if name in expression.replace("(", " ").replace(",", " ").split())
    weights = {name: value.detach().cpu().contiguous().clone() for name, value in module.state_dict().items()}
    return NetworkSource(Path(inspect.getfile(type(module))), names, expression, save(weights))


def _cifar(module: Any) -> str:
    n_blocks, n_classes, width = len(module.layer1), module.linear.out_features, module.conv1.out_channels
    return f"CifarResNet({n_blocks}, n_classes={n_classes}, width={width})"


def _mlp(module: Any) -> str:
    linear = [layer for layer in module.net if isinstance(layer, nn.Linear)]
    return f"MLP({[linear[0].in_features, *(layer.out_features for layer in linear)]})"


def _mobilenet(module: Any) -> str:
    stages = [list(stage) for stage in module.blocks]
    last = [getattr(stage[-1], "conv_pwl", stage[-1].conv_pw).out_channels for stage in stages]
    head = [module.conv_head.out_channels] if isinstance(module, MobileNetV2) else []
    return (
        f"{type(module).__name__}({module.classifier.out_features}, {[module.conv_stem.out_channels, *last, *head]}, "
        f"{[len(stage) for stage in stages]}, same_padding={isinstance(module.conv_stem, SamePadConv)})"
    )


def _squeezenet(module: Any) -> str:
    version = "1.0" if module.features[0].out_channels == 96 else "1.1"
    return f"SqueezeNet(n_classes={module.classifier[1].out_channels}, version={version!r})"


def _resnet(module: Any) -> str:
    groups = [module.layer1, module.layer2, module.layer3, module.layer4]
    block = type(groups[0][0])
    outputs = [group[0].bn3 if block is Bottleneck else group[0].bn2 for group in groups]
    return (
        f"ResNet({block.__name__}, {[len(group) for group in groups]}, "
        f"widths={[norm.num_features // block.expansion for norm in outputs]}, n_classes={module.fc.out_features}, "
        f"blurred={any(isinstance(one, BlurPoolConv2d) for one in module.modules())}, "
        f"stem={'imagenet' if isinstance(module.maxpool, nn.MaxPool2d) else 'small'!r}, "
        f"inner={[group[0].bn1.num_features for group in groups]})"
    )


_CONSTRUCTORS: dict[type[nn.Module], Callable[[Any], str]] = {
    CifarResNet: _cifar,
    MLP: _mlp,
    MobileNetV1: _mobilenet,
    MobileNetV2: _mobilenet,
    ResNet: _resnet,
    SqueezeNet: _squeezenet,
}
_USED = (
    "BasicBlock", "Bottleneck", "CifarResNet", "MLP", "MobileNetV1", "MobileNetV2", "ResNet", "SqueezeNet",
)  # fmt: skip
