from .catalogue import (
    ModelCard as ModelCard,
    add_model as add_model,
    list_models as list_models,
    model_card as model_card,
)
from .extraction.language_model import LanguageModel as LanguageModel
from .extraction.preprocessing import ImagePreprocessing as ImagePreprocessing
from .extraction.readout import Readout as Readout
from .extraction.vision_model import VisionModel as VisionModel
from .interventions.lesions import (
    Lesion as Lesion,
    contiguous_units as contiguous_units,
    lesioned as lesioned,
    lesions_in as lesions_in,
    random_units as random_units,
)
from .loading import load_model as load_model
from .model import Model as Model
from .sheet import (
    Sheet as Sheet,
    grid_sheet as grid_sheet,
    interleaved_sheet as interleaved_sheet,
    tdann_sheet as tdann_sheet,
)
from .topography.topoloss import (
    TopoLoss as TopoLoss,
    spatial_correlation_loss as spatial_correlation_loss,
    topographic_loss as topographic_loss,
)
from .training.loop import train as train
from .training.recipe import Recipe as Recipe
