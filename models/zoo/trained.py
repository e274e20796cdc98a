"""What ``brodmann train`` wrote, and the twins of it that come with brodmann."""

from pathlib import Path
from typing import TYPE_CHECKING

from ..catalogue import ModelCard, loads, path_scheme

if TYPE_CHECKING:
    from ..model import Model

_VISION = tuple(f"layer{group}.0{part}" for group in (1, 2, 3, 4) for part in (".conv1", ".conv2", ""))
_LANGUAGE = tuple(f"transformer.h.{i}{part}" for i in range(3) for part in (".mlp.c_fc", ""))


@path_scheme("trained", "FOLDER")
def trained(folder: Path) -> "Model":
    """What a training wrote into a folder."""
    from ..training.load import load_trained

    return load_trained(folder)


@loads(
    ModelCard(
        "twin-vision-topographic",
        "small ResNet trained on drawn pictures with TopoLoss",
        "vision",
        "twin",
        _VISION,
    ),
    ModelCard(
        "twin-language-topographic",
        "small GPT trained on wikitext-2 with TopoLoss",
        "language",
        "twin",
        _LANGUAGE,
    ),
    ModelCard(
        "twin-vision-baseline",
        "small ResNet trained on drawn pictures without TopoLoss, otherwise the same",
        "vision",
        "twin",
        _VISION,
    ),
    ModelCard(
        "twin-language-baseline",
        "small GPT trained on wikitext-2 without TopoLoss, otherwise the same",
        "language",
        "twin",
        _LANGUAGE,
    ),
)
def twin(card: ModelCard) -> "Model":
    """One of the trained networks that come with brodmann."""
    from ..training.load import PACKAGED, load_trained

    return load_trained(PACKAGED / card.identifier, card.identifier)
