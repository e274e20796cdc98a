"""SqueezeNet 1.0 (Iandola et al. 2016)."""

from typing import TYPE_CHECKING

from ...install import KnownFile
from ..catalogue import ModelCard, loads

if TYPE_CHECKING:
    from ..model import Model

_IANDOLA2016 = """\
@article{iandola2016,
  author = {Iandola, Forrest N. and Han, Song and Moskewicz, Matthew W. and Ashraf, Khalid and Dally, William J. and Keutzer, Kurt},
  title = {{SqueezeNet}: {AlexNet}-level accuracy with 50x fewer parameters and <0.5{MB} model size},
  journal = {arXiv},
  year = {2016},
  eprint = {1602.07360}
}"""  # noqa: E501
_FILE = KnownFile(
    "torchvision_squeezenet1_0.safetensors",
    "6db7ae0e435e7296b99886e64b31ddafff98e08e83f9f1ae709e37105d92b0d8",
)


@loads(
    ModelCard(
        "squeezenet1_0",
        "SqueezeNet 1.0 trained on ImageNet, pruned and quantised (Deep Compression)",
        "vision",
        "network",
        layers=(*(f"features.{i}" for i in (1, 3, 4, 5, 7, 8, 9, 10, 12)), "classifier.3"),
        files=(_FILE,),
        license="BSD-2-Clause",
        source="github.com/songhan/SqueezeNet-Deep-Compression, commit fb13faa2cf121ced9999f8a9d538ec6c56084733, "
        "converted",
        bibtex=_IANDOLA2016,
    )
)
def squeezenet1_0(card: ModelCard) -> "Model":
    """SqueezeNet on 224 x 224 pictures."""
    from ..architectures.squeezenet import SqueezeNet
    from ..extraction.preprocessing import ImagePreprocessing
    from ..extraction.vision_model import VisionModel
    from ..weights.state_dict import load_into, read_weights

    path = card.folder / _FILE.name
    module = load_into(SqueezeNet(), read_weights(path), path)
    preprocess = ImagePreprocessing(224, resize=256)
    return VisionModel(module, identifier=card.identifier, preprocess=preprocess, layers=card.layers)
