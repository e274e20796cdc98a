"""Pretrained networks of timm."""

from typing import TYPE_CHECKING

from ...errors import missing_extra, unknown
from ..catalogue import fetched, scheme

if TYPE_CHECKING:
    from ..model import Model


def _names(pattern: str) -> list[str]:
    """Those that have weights, none where timm is not installed."""
    try:
        import timm
    except (ImportError, RuntimeError):
        return []
    return list(timm.list_models(pattern, pretrained=True))


@scheme("timm", "NAME", names=_names)
def load_timm(name: str) -> "Model":
    """A network by timm's name for it."""
    from ..extraction.vision_model import VisionModel

    try:
        import timm
        from timm.data import create_transform, resolve_model_data_config
    except (ImportError, RuntimeError) as error:
        raise missing_extra("timm", "timm", why=f"timm:{name}") from error
    if name not in timm.list_models():
        raise unknown("timm model", name, timm.list_models(f"*{name.split('_')[0]}*") or timm.list_models())
    module = fetched(f"timm:{name}", lambda: timm.create_model(name, pretrained=True))
    transform = create_transform(**resolve_model_data_config(module), is_training=False)
    return VisionModel(module, identifier=f"timm:{name}", preprocess=transform)
