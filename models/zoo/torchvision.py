"""Pretrained networks of torchvision."""

from fnmatch import fnmatchcase
from typing import TYPE_CHECKING

from ...errors import missing_extra, unknown
from ..catalogue import fetched, scheme

if TYPE_CHECKING:
    from ..model import Model


def _names(pattern: str) -> list[str]:
    """None where torchvision is not installed."""
    try:
        import torchvision
    except (ImportError, RuntimeError):
        return []
    return [name for name in torchvision.models.list_models() if fnmatchcase(name, pattern)]


@scheme("torchvision", "NAME", names=_names)
def load_torchvision(name: str) -> "Model":
    """A network by torchvision's name for it."""
    from ..extraction.vision_model import VisionModel

    try:
        import torchvision
    except (ImportError, RuntimeError) as error:
        raise missing_extra("torchvision", "timm", why=f"torchvision:{name}") from error
    known = torchvision.models.list_models()
    if name not in known:
        raise unknown("torchvision model", name, known)
    weights = torchvision.models.get_model_weights(name).DEFAULT
    module = fetched(f"torchvision:{name}", lambda: torchvision.models.get_model(name, weights=weights))
    return VisionModel(module, identifier=f"torchvision:{name}", preprocess=weights.transforms())
