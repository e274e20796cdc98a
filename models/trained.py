"""The trained networks of the catalogue: architecture, weights, preprocessing and layers together."""

from pathlib import Path

from . import cifar_resnet, mobilenet, squeezenet
from .preprocessing import ImagePreprocessing
from .vision import VisionModel
from .weights import load_into, read_weights


def cifar10_resnet20(folder: Path) -> VisionModel:
    """ResNet-20 on 32 x 32 pictures."""
    return _cifar("cifar10-resnet20", folder / "resnet20-12fca82f.th", n_blocks=3)


def cifar10_resnet32(folder: Path) -> VisionModel:
    """ResNet-32 on 32 x 32 pictures."""
    return _cifar("cifar10-resnet32", folder / "resnet32-d509ac18.th", n_blocks=5)


def _cifar(identifier: str, path: Path, *, n_blocks: int) -> VisionModel:
    module = load_into(cifar_resnet.CifarResNet(n_blocks), read_weights(path), path)
    preprocess = ImagePreprocessing(32, interpolation="bicubic")
    return VisionModel(
        module, identifier=identifier, preprocess=preprocess, layers=cifar_resnet.layers(n_blocks)
    )


def squeezenet1_0(folder: Path) -> VisionModel:
    """SqueezeNet on 224 x 224 pictures."""
    path = folder / "torchvision_squeezenet1_0.safetensors"
    module = load_into(squeezenet.SqueezeNet(), read_weights(path), path)
    preprocess = ImagePreprocessing(224, resize=256)
    return VisionModel(module, identifier="squeezenet1_0", preprocess=preprocess, layers=squeezenet.LAYERS)


def mobilenetv2_100(folder: Path) -> VisionModel:
    """MobileNetV2 on 224 x 224 pictures scaled to [-1, 1]."""
    path = folder / "timm_mobilenetv2_100.safetensors"
    module = load_into(mobilenet.MobileNetV2(), read_weights(path), path)
    preprocess = ImagePreprocessing(224, resize=256, mean=(0.5, 0.5, 0.5), std=(0.5, 0.5, 0.5))
    return VisionModel(module, identifier="mobilenetv2_100", preprocess=preprocess, layers=mobilenet.LAYERS)
