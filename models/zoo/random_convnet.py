"""An untrained convolutional network: a vision baseline without weights."""

from typing import TYPE_CHECKING

from ..catalogue import ModelCard, loads

if TYPE_CHECKING:
    from ..model import Model


@loads(
    ModelCard(
        "random-convnet",
        "untrained convolutional network, 5 layers, seeded",
        "vision",
        "baseline",
        tuple(f"conv{index}" for index in range(1, 6)),
    )
)
def random_convnet(card: ModelCard) -> "Model":
    """The network on 64 x 64 pictures."""
    from ..architectures.random_convnet import RandomConvNet
    from ..extraction.preprocessing import ImagePreprocessing
    from ..extraction.vision_model import VisionModel

    preprocess = ImagePreprocessing(64, mean=(0.5, 0.5, 0.5), std=(0.25, 0.25, 0.25))
    return VisionModel(RandomConvNet(), identifier=card.identifier, preprocess=preprocess, layers=card.layers)
