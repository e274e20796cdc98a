"""What is compared with the brain: adapters over networks, baselines, and the catalogue of both."""

from typing import TYPE_CHECKING

from ..lazy import attach

if TYPE_CHECKING:
    from .catalogue import ModelCard, add_model, list_models, model_card
    from .language import LanguageModel
    from .loading import load_model
    from .model import Model
    from .preprocessing import ImagePreprocessing
    from .sheet import Sheet, grid_sheet, interleaved_sheet, tdann_sheet
    from .topoloss import TopoLoss, spatial_correlation_loss, topographic_loss
    from .vision import VisionModel

_WHERE = {
    "ImagePreprocessing": ".preprocessing",
    "LanguageModel": ".language",
    "Model": ".model",
    "ModelCard": ".catalogue",
    "Sheet": ".sheet",
    "TopoLoss": ".topoloss",
    "VisionModel": ".vision",
    "add_model": ".catalogue",
    "grid_sheet": ".sheet",
    "interleaved_sheet": ".sheet",
    "list_models": ".catalogue",
    "load_model": ".loading",
    "model_card": ".catalogue",
    "spatial_correlation_loss": ".topoloss",
    "tdann_sheet": ".sheet",
    "topographic_loss": ".topoloss",
}
__all__ = [
    "ImagePreprocessing",
    "LanguageModel",
    "Model",
    "ModelCard",
    "Sheet",
    "TopoLoss",
    "VisionModel",
    "add_model",
    "grid_sheet",
    "interleaved_sheet",
    "list_models",
    "load_model",
    "model_card",
    "spatial_correlation_loss",
    "tdann_sheet",
    "topographic_loss",
]
__getattr__, __dir__ = attach(__name__, _WHERE)
