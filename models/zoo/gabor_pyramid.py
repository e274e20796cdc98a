"""V1-like filters: a vision baseline without weights."""

from typing import TYPE_CHECKING

from ..catalogue import ModelCard, loads

if TYPE_CHECKING:
    from ..model import Model


@loads(
    ModelCard(
        "gabor-pyramid",
        "V1-like: quadrature Gabor filters at 4 scales x 8 orientations",
        "vision",
        "baseline",
        ("simple", "complex", "pooled"),
    )
)
def gabor_pyramid(card: ModelCard) -> "Model":
    """The pyramid on 64 x 64 pictures."""
    from ..architectures.gabor_pyramid import GaborPyramid
    from ..extraction.preprocessing import ImagePreprocessing
    from ..extraction.vision_model import VisionModel

    preprocess = ImagePreprocessing(64, mean=(0.0, 0.0, 0.0), std=(1.0, 1.0, 1.0))
    return VisionModel(GaborPyramid(), identifier=card.identifier, preprocess=preprocess, layers=card.layers)
