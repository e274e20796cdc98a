"""A model from a file of weights alone: its architecture, the preprocessing of its kind, a grid for its units."""

from pathlib import Path

from ..architectures.gpt import GPT
from ..extraction.language_model import LanguageModel
from ..extraction.precision import stored_in
from ..extraction.vision_model import VisionModel
from ..model import Model
from .detect_architecture import recognized
from .state_dict import read_weights
from .tokenizer_file import read_tokenizer


def model_of_weights(path: Path, *, identifier: str, layout: str) -> Model:
    """A network recognised from its weights, with the preprocessing of its kind and a grid sheet a layer.

    Parameters
    ----------
    path : Path
    identifier : str
    layout : str
        Of the sheets: ``native`` for a network trained with TopoLoss, ``row-major`` for any other.
    """
    weights = read_weights(path)
    found = recognized(weights, path)
    network, sheets = found.network, found.sheets(layout)
    if found.preprocess is not None:
        model: LanguageModel | VisionModel = VisionModel(
            network, identifier=identifier, preprocess=found.preprocess, layers=found.layers, sheets=sheets
        )
        return model.replaced(stored_in=stored_in(weights.values()))
    assert isinstance(network, GPT)
    tokenizer = read_tokenizer(path.parent, identifier, network.shape.block_size)
    model = LanguageModel(network, tokenizer, identifier=identifier, layers=found.layers, sheets=sheets)
    return model.replaced(stored_in=stored_in(weights.values()))
