"""The luminance of a picture: a vision baseline without weights."""

from typing import TYPE_CHECKING

from ..catalogue import ModelCard, loads

if TYPE_CHECKING:
    from ..model import Model


@loads(ModelCard("pixels", "luminance of a picture, 32 x 32", "vision", "baseline", ("pixels",)))
def pixels(card: ModelCard) -> "Model":
    """The luminance of a picture, 32 x 32."""
    from ..architectures.pixels import Pixels
    from ..extraction.preprocessing import ImagePreprocessing
    from ..extraction.vision_model import VisionModel

    preprocess = ImagePreprocessing(32, mean=(0.0, 0.0, 0.0), std=(1.0, 1.0, 1.0))
    return VisionModel(Pixels(), identifier=card.identifier, preprocess=preprocess, layers=card.layers)
