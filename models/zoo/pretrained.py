"""The trained networks of the catalogue: architecture, weights, preprocessing and layers together."""

from pathlib import Path

from ..architectures import cifar_resnet, mlp, mobilenet, squeezenet
from ..extraction.preprocessing import ImagePreprocessing
from ..extraction.vision_model import VisionModel
from ..model import Model
from ..sheet import grid_sheet
from ..training.load import PACKAGED, load_trained
from ..weights.state_dict import load_into, read_weights


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


def topo_mlp_mnist_initial(folder: Path) -> VisionModel:
    """The network of the TopoNets authors before training."""
    return _topo_mlp("initial", folder / "000_initial.safetensors", layout="row-major")


def topo_mlp_mnist_1x(folder: Path) -> VisionModel:
    """The same after one pass over MNIST with TopoLoss."""
    return _topo_mlp("1x", folder / "001_dataset-1x.safetensors", layout="native")


def topo_mlp_mnist_5x(folder: Path) -> VisionModel:
    """The same after five passes."""
    return _topo_mlp("5x", folder / "002_dataset-5x.safetensors", layout="native")


def _topo_mlp(stage: str, path: Path, *, layout: str) -> VisionModel:
    module = load_into(mlp.MLP((784, 256, 256, 10)), read_weights(path), path)
    gray, spread = (0.1307,) * 3, (0.3081,) * 3
    return VisionModel(
        module,
        identifier=f"topo-mlp-mnist-{stage}",
        preprocess=ImagePreprocessing(28, mean=gray, std=spread),
        layers=[f"net.{i}" for i in range(5)],
        sheets=[
            grid_sheet(f"net.{i}", 256, layout=layout) for i in range(4)
        ],  # a ReLU's units lie where those that it rectifies lie
    )


def twin_vision_topographic() -> Model:
    """The small ResNet trained with TopoLoss."""
    return _twin("twin-vision-topographic")


def twin_vision_baseline() -> Model:
    """The small ResNet trained without."""
    return _twin("twin-vision-baseline")


def twin_language_topographic() -> Model:
    """The small GPT trained with TopoLoss."""
    return _twin("twin-language-topographic")


def twin_language_baseline() -> Model:
    """The small GPT trained without."""
    return _twin("twin-language-baseline")


def _twin(name: str) -> Model:
    return load_trained(PACKAGED / name, name)
