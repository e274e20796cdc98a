"""What brodmann measures at export: a few stimuli, and every committed layer's activations to them."""

import inspect
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd
import torch
from PIL import Image

from ....brain_data.stimulus_set import StimulusSet
from ....models.extraction.readout import EVERYTHING
from ....models.extraction.torch_model import Network

Floats = npt.NDArray[np.float32]

SENTENCES = (
    "The dog saw a ball in the garden.",
    "Nobody in the small town knew why the old mill had stopped.",
)
_KEPT = 12


def draw_pixels() -> list[Any]:
    """Two small pictures, drawn with a seed: noise of 48 x 64 and stripes of 90 x 40 pixels."""
    noise = np.random.RandomState(0).randint(0, 256, (48, 64, 3)).astype(np.uint8)
    rows, columns = np.mgrid[:90, :40]
    stripes = [(rows * 2) % 256, (columns * 6) % 256, (rows + columns) % 256]
    return [noise, np.stack(stripes, axis=-1).astype(np.uint8)]


def drawing_source() -> str:
    """The source of :func:`draw_pixels`, for a plugin's own test."""
    return inspect.getsource(draw_pixels).replace("list[Any]", "list")


def picture_set(folder: Path) -> StimulusSet:
    """Pictures in a folder: those of :func:`draw_pixels`, a grey one and one with transparency."""
    drawn = draw_pixels()
    alpha = np.dstack([drawn[0], drawn[0][..., :1]])
    modes = {"noise": drawn[0], "stripes": drawn[1], "grey": drawn[1][..., 1], "transparent": alpha}
    paths = {name: folder / f"{name}.png" for name in modes}
    for name, pixels in modes.items():
        Image.fromarray(pixels).save(paths[name])
    stimuli = StimulusSet(pd.DataFrame({"stimulus_id": list(paths)}))
    stimuli.stimulus_paths = paths
    stimuli.identifier = "export-pictures"
    return stimuli


def sentence_set(sentences: Sequence[str] = SENTENCES) -> StimulusSet:
    """Sentences as stimuli."""
    rows = {"stimulus_id": [f"s{i}" for i in range(len(sentences))], "sentence": list(sentences)}
    stimuli = StimulusSet(pd.DataFrame(rows))
    stimuli.identifier = "export-sentences"
    return stimuli


def measured(model: Network, stimuli: StimulusSet, layers: Sequence[str]) -> dict[str, Floats]:
    """Every unit of the layers, (n_stimuli, n_units), as brodmann extracts them on the processor, without its cache.

    Graphics cards round convolutions to 10 bits (TF32), which would hide a plugin that differs a little.
    """
    with _exact(model) as view:
        found = view.extract(stimuli, layers)
    return {name: np.asarray(found[name].values, np.float32) for name in layers}


@contextmanager
def _exact(model: Network) -> Iterator[Network]:
    view = model.replaced(cache=False, readout=EVERYTHING, device=torch.device("cpu"))
    view.module.to(view.device)
    try:
        yield view
    finally:
        model.module.to(model.device)


def noted(activations: Mapping[str, Floats]) -> dict[str, Any]:
    """A few units of each layer, for a plugin's own test."""
    return {layer: _noted(values) for layer, values in activations.items()}


def _noted(values: Floats) -> dict[str, Any]:
    n_units = values.shape[1]
    units = np.unique(np.linspace(0, n_units - 1, min(_KEPT, n_units)).astype(int))
    shown = values[:, units]
    return {
        "n_units": n_units,
        "largest": float(np.abs(values).max()),
        "units": units.tolist(),
        "values": [[float(f"{value:.7g}") for value in row] for row in shown],
    }
