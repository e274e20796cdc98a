"""Any network whose architecture follows from the names and shapes of its weights."""

from pathlib import Path
from typing import TYPE_CHECKING

from ..catalogue import path_scheme
from .all_tnn import load_all_tnn

if TYPE_CHECKING:
    from ..model import Model


@path_scheme("weights", "FILE")
def load_weights(path: Path) -> "Model":
    """A recognised network, its units in their order as the control layout.

    Parameters
    ----------
    path : Path
        A state dict (.pt, .pth) or safetensors file of a known architecture, or the ``.npz`` of an All-TNN.
    """
    if path.suffix == ".npz":
        return load_all_tnn(path)
    from ..weights.recognized_model import model_of_weights

    return model_of_weights(path, identifier=f"weights:{path.name}", layout="row-major")
