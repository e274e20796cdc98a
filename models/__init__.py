"""What is compared with the brain: adapters over networks, baselines, and the catalogue of both."""

from typing import TYPE_CHECKING

from ..lazy import attach

if TYPE_CHECKING:
    from .catalogue import ModelCard, add_model, list_models, model_card
    from .extraction.language_model import LanguageModel
    from .extraction.preprocessing import ImagePreprocessing
    from .extraction.readout import Readout
    from .extraction.vision_model import VisionModel
    from .interventions.lesions import Lesion, contiguous_units, lesioned, lesions_in, random_units
    from .loading import load_model
    from .model import Model
    from .sheet import Sheet, grid_sheet, interleaved_sheet, tdann_sheet
    from .topography.topoloss import TopoLoss, spatial_correlation_loss, topographic_loss
    from .training.loop import train
    from .training.recipe import Recipe

_WHERE = {
    "ImagePreprocessing": ".extraction.preprocessing",
    "LanguageModel": ".extraction.language_model",
    "Lesion": ".interventions.lesions",
    "Model": ".model",
    "ModelCard": ".catalogue",
    "Readout": ".extraction.readout",
    "Recipe": ".training.recipe",
    "Sheet": ".sheet",
    "TopoLoss": ".topography.topoloss",
    "VisionModel": ".extraction.vision_model",
    "add_model": ".catalogue",
    "contiguous_units": ".interventions.lesions",
    "grid_sheet": ".sheet",
    "interleaved_sheet": ".sheet",
    "lesioned": ".interventions.lesions",
    "lesions_in": ".interventions.lesions",
    "list_models": ".catalogue",
    "load_model": ".loading",
    "model_card": ".catalogue",
    "random_units": ".interventions.lesions",
    "spatial_correlation_loss": ".topography.topoloss",
    "tdann_sheet": ".sheet",
    "topographic_loss": ".topography.topoloss",
    "train": ".training.loop",
}
__all__ = [
    "ImagePreprocessing",
    "LanguageModel",
    "Lesion",
    "Model",
    "ModelCard",
    "Readout",
    "Recipe",
    "Sheet",
    "TopoLoss",
    "VisionModel",
    "add_model",
    "contiguous_units",
    "grid_sheet",
    "interleaved_sheet",
    "lesioned",
    "lesions_in",
    "list_models",
    "load_model",
    "model_card",
    "random_units",
    "spatial_correlation_loss",
    "tdann_sheet",
    "topographic_loss",
    "train",
]
__getattr__, __dir__ = attach(__name__, _WHERE)
