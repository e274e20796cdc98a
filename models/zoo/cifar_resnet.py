"""Residual networks for CIFAR-10 (He et al. 2016), trained by Yerlan Idelbayev."""

from typing import TYPE_CHECKING

from ...install import KnownFile
from ..catalogue import ModelCard, loads

if TYPE_CHECKING:
    from ..model import Model

_COMMIT = "d5489e8995e81e91ce6b1d69dcc98ad579b0b153"
_HE2016 = """\
@inproceedings{he2016,
  author = {He, Kaiming and Zhang, Xiangyu and Ren, Shaoqing and Sun, Jian},
  title = {Deep Residual Learning for Image Recognition},
  booktitle = {Proceedings of the IEEE Conference on Computer Vision and Pattern Recognition},
  year = {2016}
}"""


def _card(depth: int, title: str, file: str, digest: str) -> ModelCard:
    blocks = [f"layer{group}.{i}" for group in (1, 2, 3) for i in range((depth - 2) // 6)]
    url = f"https://raw.githubusercontent.com/akamaster/pytorch_resnet_cifar10/{_COMMIT}/pretrained_models/{file}"
    return ModelCard(
        f"cifar10-resnet{depth}",
        title,
        "vision",
        "network",
        layers=("relu", *blocks, "avgpool", "linear"),
        files=(KnownFile(file, digest, url),),
        license="BSD-2-Clause",
        source=f"github.com/akamaster/pytorch_resnet_cifar10, commit {_COMMIT}",
        bibtex=_HE2016,
    )


@loads(
    _card(
        20,
        "ResNet-20 trained on CIFAR-10 (91.8 % top-1)",
        "resnet20-12fca82f.th",
        "12fca82f0bebc4135bf1f32f6e3710e61d5108578464b84fd6d7f5c1b04036c8",
    ),
    _card(
        32,
        "ResNet-32 trained on CIFAR-10",
        "resnet32-d509ac18.th",
        "d509ac1820d7f25398913559d7e81a13229b1e7adc5648e3bfa5e22dc137f850",
    ),
)
def cifar10_resnet(card: ModelCard) -> "Model":
    """A ResNet on 32 x 32 pictures."""
    from ..architectures.cifar_resnet import CifarResNet
    from ..extraction.preprocessing import ImagePreprocessing
    from ..extraction.vision_model import VisionModel
    from ..weights.state_dict import load_into, read_weights

    path = card.folder / card.files[0].name
    n_blocks = sum(name.startswith("layer1.") for name in card.layers)
    module = load_into(CifarResNet(n_blocks), read_weights(path), path)
    preprocess = ImagePreprocessing(32, interpolation="bicubic")
    return VisionModel(module, identifier=card.identifier, preprocess=preprocess, layers=card.layers)
