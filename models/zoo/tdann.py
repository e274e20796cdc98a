"""TDANN (Margalit et al. 2024): ResNet-18 whose units, every one of a block's output, have a place in mm."""

import re
from pathlib import Path
from typing import TYPE_CHECKING

from ...errors import UserError
from ..catalogue import path_scheme
from ..sheet import Sheet, tdann_sheet

if TYPE_CHECKING:
    from torch import Tensor

    from ..model import Model

LAYERS = tuple(f"layer{group}.{block}" for group in (1, 2, 3, 4) for block in (0, 1))
_FIRST_VERSION = dict(zip(LAYERS, (0.6, 0.6, 1.5, 1.5, 1.75, 1.4, 7.0, 7.0), strict=True))
_SUFFIXES = (".torch", ".pt", ".pth", ".safetensors")


@path_scheme("tdann", "FOLDER")
def load_tdann(folder: Path, *, first_version: bool = False) -> "Model":
    """A TDANN from a folder with its checkpoint and its positions.

    Parameters
    ----------
    folder : Path
        Holds ``model_final_checkpoint_phase199.torch`` (VISSL's layout) or a plain state dict, and
        ``layer1.0.npz`` ... ``layer4.1.npz`` with ``coordinates`` and ``dims``, here or in a folder inside.
    first_version : bool
        Positions of the first release, which are scaled to mm by a factor a layer.

    Raises
    ------
    UserError
        Where either is absent, or they do not fit one another.
    """
    from ..extraction.precision import stored_in
    from ..extraction.preprocessing import ImagePreprocessing
    from ..extraction.vision_model import VisionModel
    from ..weights.recognizers import resnet
    from ..weights.recognizers.base import told_of
    from ..weights.state_dict import read_weights

    if not folder.is_dir():
        raise UserError(f"no folder {folder}: tdann: takes the folder of a checkpoint and its positions")
    checkpoints = sorted(path for path in folder.iterdir() if path.suffix in _SUFFIXES)
    if len(checkpoints) != 1:
        raise UserError(
            f"{folder} holds {len(checkpoints)} checkpoints ({', '.join(_SUFFIXES)}), and tdann: needs one"
        )
    path = checkpoints[0]
    weights = trunk(read_weights(path))
    if not resnet.fits(weights):
        raise UserError(f"{path} holds no ResNet, so it is no TDANN")
    with told_of(resnet.KIND, path):
        network = resnet.network_of(weights, path)
    sheets = [_sheet(folder, layer, first_version) for layer in LAYERS]
    found = [sheet for sheet in sheets if sheet is not None]
    if not found:
        raise UserError(
            f"{folder} holds no positions (layer1.0.npz ... layer4.1.npz): without them the network has no sheet"
        )
    model = VisionModel(
        network,
        identifier=f"tdann:{folder.resolve().name}",
        preprocess=ImagePreprocessing(224, resize=256),
        layers=LAYERS,
        sheets=found,
    )
    return model.replaced(stored_in=stored_in(weights.values()))


def trunk(weights: "dict[str, Tensor]") -> "dict[str, Tensor]":
    """VISSL's names as torchvision's: without ``base_model.`` and the readout; ``layer1_0`` is ``layer1.0``."""
    prefix = "base_model."
    if any(name.startswith(prefix) for name in weights):
        weights = {name.removeprefix(prefix): w for name, w in weights.items() if name.startswith(prefix)}
    return {
        re.sub(r"^layer(\d)_(\d)", r"layer\1.\2", name): value
        for name, value in weights.items()
        if not name.startswith("fc.")
    }


def _sheet(folder: Path, layer: str, first_version: bool) -> Sheet | None:
    found = sorted(folder.rglob(f"{layer}.npz"))
    if len(found) > 1:
        raise UserError(f"{folder} holds {len(found)} files {layer}.npz: keep one set of positions in it")
    if not found:
        return None
    sheet = tdann_sheet(found[0], layer)
    return sheet.scaled(_FIRST_VERSION[layer]) if first_version else sheet
