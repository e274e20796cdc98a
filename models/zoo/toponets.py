"""TopoNets (Deb, Deb & Murty 2025): trained with TopoLoss; unit k of a layer lies at (k // w, k % w) on its grid."""

from pathlib import Path
from typing import TYPE_CHECKING

from ...errors import UserError
from ...install import KnownFile
from ..catalogue import ModelCard, loads
from .topo_mlp import DEB2025

if TYPE_CHECKING:
    from ..model import Model

_HUB = "huggingface.co"
_TOKENIZER = KnownFile(
    "tokenizer.json", url=f"https://{_HUB}/openai-community/gpt2/resolve/main/tokenizer.json"
)


def _residual(depths: tuple[int, ...], *parts: str) -> tuple[str, ...]:
    return tuple(
        f"layer{group}.{i}{part}"
        for group, n in enumerate(depths, 1)
        for i in range(n)
        for part in (*parts, "")
    )


def _blocks(prefix: str, part: str) -> tuple[str, ...]:
    return tuple(name for i in range(12) for name in (f"{prefix}{i}{part}", f"{prefix}{i}"))


_RESNET18 = _residual((2, 2, 2, 2), ".conv1", ".conv2")
_RESNET50 = _residual((3, 4, 6, 3), ".conv1", ".conv2", ".conv3")
_VIT = _blocks("encoder.layers.encoder_layer_", ".mlp.0")
_GPT = _blocks("transformer.h.", ".mlp.c_fc")


def _vision(
    name: str, what: str, tau: float, layers: tuple[str, ...], prefix: str = "all_topo_"
) -> ModelCard:
    title = f"{what}, ImageNet, TopoLoss of strength {tau:g}"
    place = f"topo-{name.replace('_', '-')}-imagenet"
    return _card(f"toponet-{name}-tau{tau:g}", title, "vision", layers, place, f"{prefix}tau_{tau:.1f}.pt")


def _language(tau: float) -> ModelCard:
    title = f"nanoGPT (124 M), FineWeb-Edu 10 B tokens, TopoLoss of strength {tau:g}"
    place, file = "topo-nanogpt-fineweb10B", f"tau_{tau:.1f}.pt"
    return _card(f"toponet-nanogpt-tau{tau:g}", title, "language", _GPT, place, file, _TOKENIZER)


def _card(
    identifier: str,
    title: str,
    modality: str,
    layers: tuple[str, ...],
    place: str,
    file: str,
    *more: KnownFile,
) -> ModelCard:
    source = f"{_HUB}/murtylab/{place}"
    return ModelCard(
        identifier,
        title,
        modality,
        "network",
        layers,
        files=(KnownFile(file, url=f"https://{source}/resolve/main/{file}?download=true"), *more),
        license="see its page",
        source=source,
        bibtex=DEB2025,
    )


@loads(
    *(_vision("resnet18", "ResNet-18 with BlurPool", tau, _RESNET18) for tau in (0.5, 1, 5, 10, 20, 50)),
    _vision("resnet50", "ResNet-50 with BlurPool", 30, _RESNET50),
    _vision("vit_b_32", "ViT-B/32", 10, _VIT, prefix=""),
    *map(_language, (0.5, 1, 3, 50)),
)
def toponet(card: ModelCard) -> "Model":
    """A published TopoNet from the folder of its installed weights."""
    return load_toponet(card.folder)


def load_toponet(folder: Path) -> "Model":
    """A TopoNet from a folder.

    Parameters
    ----------
    folder : Path
        Holds one ``.pt`` file; for the language networks also GPT-2's ``tokenizer.json``.
    """
    from ..weights.recognized_model import model_of_weights

    files = sorted(folder.glob("*.pt"))
    if len(files) != 1:
        raise UserError(f"{folder} holds {len(files)} .pt files, not one")
    return model_of_weights(files[0], identifier=folder.name, layout="native")
