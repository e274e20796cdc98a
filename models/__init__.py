"""What is compared with the brain: adapters over networks, baselines, and the catalogue of both."""

from typing import TYPE_CHECKING

from ..lazy import attach

if TYPE_CHECKING:
    from .catalogue import ModelCard, add_model, list_models, model_card
    from .language import LanguageModel
    from .loading import load_model
    from .model import Model
    from .preprocessing import ImagePreprocessing
    from .vision import VisionModel

_WHERE = {
    "ImagePreprocessing": ".preprocessing",
    "LanguageModel": ".language",
    "Model": ".model",
    "ModelCard": ".catalogue",
    "VisionModel": ".vision",
    "add_model": ".catalogue",
    "list_models": ".catalogue",
    "load_model": ".loading",
    "model_card": ".catalogue",
}
__all__ = [
    "ImagePreprocessing",
    "LanguageModel",
    "Model",
    "ModelCard",
    "VisionModel",
    "add_model",
    "list_models",
    "load_model",
    "model_card",
]
__getattr__, __dir__ = attach(__name__, _WHERE)
