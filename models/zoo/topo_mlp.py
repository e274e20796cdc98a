"""The two layers that the TopoNets authors (Deb, Deb & Murty 2025) trained on MNIST, at three times of training."""

from typing import TYPE_CHECKING

from ...install import KnownFile
from ..catalogue import ModelCard, loads

if TYPE_CHECKING:
    from ..model import Model

DEB2025 = """\
@inproceedings{deb2025,
  author = {Deb, Mayukh and Deb, Mainak and Murty, N. Apurva Ratan},
  title = {{TopoNets}: High performing vision and language models with brain-like topography},
  booktitle = {International Conference on Learning Representations},
  year = {2025}
}"""
_UNTRAINED = "topo-mlp-mnist-initial"


def _card(identifier: str, when: str, file: str, digest: str) -> ModelCard:
    what = "two layers of 256 units that the TopoNets authors trained on MNIST with TopoLoss"
    return ModelCard(
        identifier,
        f"{what}, {when}",
        "vision",
        "network",
        layers=tuple(f"net.{i}" for i in range(5)),
        files=(KnownFile(file, digest),),
        license="none stated",
        source="github.com/toponets/visualize, commit 6033edf8485b4122be7f80638acd289d09e7de75, converted",
        bibtex=DEB2025,
    )


@loads(
    _card(
        _UNTRAINED,
        "before training",
        "000_initial.safetensors",
        "026c7ea43f41741284d667da866073063bcc147d714ca02d0ea110836b14bd9a",
    ),
    _card(
        "topo-mlp-mnist-1x",
        "after 1 pass",
        "001_dataset-1x.safetensors",
        "e332cf9d7fc67e3c956e7f2836aff436b9770bf8a1bce5417970e8a903798be2",
    ),
    _card(
        "topo-mlp-mnist-5x",
        "after 5 passes",
        "002_dataset-5x.safetensors",
        "ac3f12afa0bf9a02883763544fb247ba8bb9996229ade09883f7db8900ff1848",
    ),
)
def topo_mlp(card: ModelCard) -> "Model":
    """The network of the TopoNets authors; before training its layout is only an order."""
    from ..architectures.mlp import MLP
    from ..extraction.preprocessing import ImagePreprocessing
    from ..extraction.vision_model import VisionModel
    from ..sheet import grid_sheet
    from ..weights.state_dict import load_into, read_weights

    path = card.folder / card.files[0].name
    layout = "row-major" if card.identifier == _UNTRAINED else "native"
    # a ReLU's units lie where those that it rectifies lie
    sheets = [grid_sheet(f"net.{i}", 256, layout=layout) for i in range(4)]
    return VisionModel(
        load_into(MLP((784, 256, 256, 10)), read_weights(path), path),
        identifier=card.identifier,
        preprocess=ImagePreprocessing(28, mean=(0.1307,) * 3, std=(0.3081,) * 3),
        layers=card.layers,
        sheets=sheets,
    )
