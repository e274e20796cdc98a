"""A trained twin as a model: its network, its layers, its sheets."""

from pathlib import Path

from torch import nn

from ...errors import UserError
from ..architectures.resnet import ResNet
from ..extraction.language_model import LanguageModel
from ..extraction.preprocessing import ImagePreprocessing
from ..extraction.vision_model import VisionModel
from ..model import Model
from ..weights.recognizers.base import filled
from ..weights.state_dict import read_weights
from .recipe import CARD, TOKENIZER, WEIGHTS, Card, Recipe
from .texts import TextTokenizer

PACKAGED = Path(__file__).parents[1] / "twins"
"""The trained twins that come with brodmann, a folder each."""
_GREY, _SPREAD = (0.5, 0.5, 0.5), (0.25, 0.25, 0.25)


def load_trained(folder: Path, identifier: str | None = None) -> Model:
    """What a training wrote into a folder, as a model.

    Raises
    ------
    UserError
        For a folder that no training wrote, or one that is damaged.
    """
    card = Card.read(folder / CARD)
    network = read_network(folder, card.recipe)
    name = identifier or f"trained:{folder.resolve().name}"
    return as_model(card.recipe, network, name, _tokenizer(folder, card.recipe))


def card_of(name: str) -> Card | None:
    """The card of a model that ``brodmann train`` made, by the name that load_model takes; None for any other."""
    scheme, _, rest = name.partition(":")
    folder = Path(rest).expanduser() if scheme == "trained" else PACKAGED / name
    return Card.read(folder / CARD) if (folder / CARD).is_file() else None


def read_network(folder: Path, recipe: Recipe) -> nn.Module:
    """The trained network of a folder, in evaluation mode."""
    path = folder / WEIGHTS
    weights = read_weights(path)
    if recipe.modality == "language" and "transformer.wte.weight" in weights:
        weights["lm_head.weight"] = weights["transformer.wte.weight"]
    return filled(recipe.network, weights, path)


def as_model(
    recipe: Recipe,
    network: nn.Module,
    identifier: str,
    tokenizer: TextTokenizer | None,
    *,
    cache: bool = True,
) -> Model:
    """A network that was made by a recipe, as a model.

    Parameters
    ----------
    recipe : Recipe
    network : Module
    identifier : str
    tokenizer : TextTokenizer or None
        Needed for language.
    cache : bool
        Keep activations on disk.
    """
    sheets = recipe.sheets(network)
    if recipe.modality == "vision":
        assert isinstance(network, ResNet)
        return VisionModel(
            network,
            identifier=identifier,
            preprocess=ImagePreprocessing(recipe.size, mean=_GREY, std=_SPREAD),
            layers=network.blocks_and_convolutions(),
            sheets=sheets,
            cache=cache,
        )
    if tokenizer is None:
        raise UserError(f"{identifier} reads text and has no tokenizer")
    layers = [
        name for one in recipe.topographic_layers(network) for name in (one, one.removesuffix(".mlp.c_fc"))
    ]
    return LanguageModel(
        network, tokenizer, identifier=identifier, layers=layers, pooling="mean", sheets=sheets, cache=cache
    )


def _tokenizer(folder: Path, recipe: Recipe) -> TextTokenizer | None:
    if recipe.modality == "vision":
        return None
    try:
        return TextTokenizer((folder / TOKENIZER).read_text(encoding="utf-8"), recipe.size)
    except FileNotFoundError as error:
        raise UserError(f"{folder} holds no {TOKENIZER}: train it again") from error
    except Exception as error:  # the tokenizers library raises bare exceptions for damaged files
        raise UserError(f"{folder / TOKENIZER} is no tokenizer ({str(error)[:80]})") from error
