"""What is compared with the brain: adapters over networks, baselines, and the catalogue of both."""

from typing import TYPE_CHECKING

from ..lazy import attach

if TYPE_CHECKING:
    from .catalogue import ModelCard, add_model, list_models, model_card
    from .language import LanguageModel
    from .lesion import Lesion, contiguous_units, lesioned, random_units
    from .loading import load_model
    from .model import Model
    from .preprocessing import ImagePreprocessing
    from .reading import Reading
    from .sheet import Sheet, grid_sheet, interleaved_sheet, tdann_sheet
    from .topoloss import TopoLoss, spatial_correlation_loss, topographic_loss
    from .training.loop import train
    from .training.recipe import Recipe
    from .vision import VisionModel

_WHERE = {
    "ImagePreprocessing": ".preprocessing",
    "LanguageModel": ".language",
    "Lesion": ".lesion",
    "Model": ".model",
    "ModelCard": ".catalogue",
    "Reading": ".reading",
    "Recipe": ".training.recipe",
    "Sheet": ".sheet",
    "TopoLoss": ".topoloss",
    "VisionModel": ".vision",
    "add_model": ".catalogue",
    "contiguous_units": ".lesion",
    "grid_sheet": ".sheet",
    "interleaved_sheet": ".sheet",
    "lesioned": ".lesion",
    "list_models": ".catalogue",
    "load_model": ".loading",
    "model_card": ".catalogue",
    "random_units": ".lesion",
    "spatial_correlation_loss": ".topoloss",
    "tdann_sheet": ".sheet",
    "topographic_loss": ".topoloss",
    "train": ".training.loop",
}
__all__ = [
    "ImagePreprocessing",
    "LanguageModel",
    "Lesion",
    "Model",
    "ModelCard",
    "Reading",
    "Recipe",
    "Sheet",
    "TopoLoss",
    "VisionModel",
    "add_model",
    "contiguous_units",
    "grid_sheet",
    "interleaved_sheet",
    "lesioned",
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
