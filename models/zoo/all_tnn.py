"""All-TNN (Lu et al. 2025): locally connected layers, whose channels are a small square at every place.

The authors' weights are Keras 2 files, whose layer (``LocallyConnected2D``) Keras 3 no longer has; so they are ported
once to an ``.npz`` file, for which docs/sheets.md gives the few lines.
"""

from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from ...errors import UserError, first_line
from ..catalogue import path_scheme
from ..sheet import interleaved_sheet

if TYPE_CHECKING:
    from ..architectures.locally_connected import LocalShape
    from ..model import Model


@path_scheme("all-tnn", "FILE")
def load_all_tnn(path: Path) -> "Model":
    """An All-TNN from its ported weights.

    Parameters
    ----------
    path : Path
        An ``.npz`` file with, for every layer i from 0: ``kernel_i`` (rows * columns, kernel^2 * channels in, channels
        out), ``bias_i`` (rows, columns, channels out), both as Keras keeps them; ``geometry`` (n_layers, 3): kernel
        side, stride, side of the pooling before the layer; ``size``: pixels a side; ``readout`` (units, classes)
        and ``readout_bias``, where there is a readout.

    Raises
    ------
    UserError
        For a file that cannot be read, or whose shapes disagree.
    """
    import torch

    from ..architectures.locally_connected import AllTNN
    from ..extraction.preprocessing import ImagePreprocessing
    from ..extraction.vision_model import VisionModel
    from ..weights.checkpoint import read_npz

    try:
        arrays = read_npz(path)
        n_layers = len(arrays["geometry"])
        shapes = [_shape(arrays, i) for i in range(n_layers)]
        readout = arrays.get("readout")
        network = AllTNN(shapes, 0 if readout is None else readout.shape[1])
        state = {}
        for i in range(n_layers):
            state[f"layers.{i}.weight"] = torch.from_numpy(np.asarray(arrays[f"kernel_{i}"], np.float32))
            state[f"layers.{i}.bias"] = torch.from_numpy(np.asarray(arrays[f"bias_{i}"], np.float32))
        if readout is not None:
            state["readout.weight"] = torch.from_numpy(np.asarray(readout.T, np.float32))
            state["readout.bias"] = torch.from_numpy(np.asarray(arrays["readout_bias"], np.float32))
        network.load_state_dict(state)
        size = int(arrays["size"])
    except UserError:
        raise
    except (OSError, KeyError, ValueError, RuntimeError, IndexError, TypeError, ArithmeticError) as error:
        raise UserError(f"{path} does not hold the weights of an All-TNN ({first_line(error)})") from error
    layers = [f"layers.{i}" for i in range(n_layers)]
    return VisionModel(
        network,
        identifier=f"all-tnn:{path.stem}",
        preprocess=ImagePreprocessing(size, mean=(0.5, 0.5, 0.5), std=(0.5, 0.5, 0.5)),
        layers=layers,
        sheets=[
            interleaved_sheet(name, (shape.n_out, shape.rows, shape.columns))
            for name, shape in zip(layers, shapes, strict=True)
        ],
    )


def _shape(arrays: dict[str, Any], i: int) -> "LocalShape":
    from ..architectures.locally_connected import LocalShape

    rows, columns, n_out = arrays[f"bias_{i}"].shape
    kernel, stride, pool = (int(one) for one in arrays["geometry"][i])
    n_in = arrays[f"kernel_{i}"].shape[1] // kernel**2
    return LocalShape(rows, columns, kernel, n_in, n_out, stride, pool)
