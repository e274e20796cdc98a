"""MobileNetV2 (Sandler et al. 2018)."""

from typing import TYPE_CHECKING

from ...install import KnownFile
from ..catalogue import ModelCard, loads

if TYPE_CHECKING:
    from ..model import Model

_SANDLER2018 = """\
@inproceedings{sandler2018,
  author = {Sandler, Mark and Howard, Andrew and Zhu, Menglong and Zhmoginov, Andrey and Chen, Liang-Chieh},
  title = {{MobileNetV2}: Inverted Residuals and Linear Bottlenecks},
  booktitle = {Proceedings of the IEEE Conference on Computer Vision and Pattern Recognition},
  year = {2018}
}"""
_FILE = KnownFile(
    "timm_mobilenetv2_100.safetensors", "5d82b74ce8cb049b3ce48bfb4f6acf3735c08a34e18712622fc53716c1a9f69f"
)
_BLOCKS = tuple(f"blocks.{stage}.{i}" for stage, n in enumerate((1, 2, 3, 4, 3, 3, 1)) for i in range(n))


@loads(
    ModelCard(
        "mobilenetv2_100",
        "MobileNetV2 1.0 trained on ImageNet, quantised after training",
        "vision",
        "network",
        layers=("conv_stem", *_BLOCKS, "global_pool", "classifier"),
        files=(_FILE,),
        license="Apache-2.0",
        source="github.com/google-coral/test_data, commit 104342d2d3480b3e66203073dac24f4e2dbb4c41, converted",
        bibtex=_SANDLER2018,
    )
)
def mobilenetv2_100(card: ModelCard) -> "Model":
    """MobileNetV2 on 224 x 224 pictures scaled to [-1, 1]."""
    from ..architectures.mobilenet import MobileNetV2
    from ..extraction.preprocessing import ImagePreprocessing
    from ..extraction.vision_model import VisionModel
    from ..weights.state_dict import load_into, read_weights

    path = card.folder / _FILE.name
    module = load_into(MobileNetV2(), read_weights(path), path)
    preprocess = ImagePreprocessing(224, resize=256, mean=(0.5, 0.5, 0.5), std=(0.5, 0.5, 0.5))
    return VisionModel(module, identifier=card.identifier, preprocess=preprocess, layers=card.layers)
