"""The rows of a layer by stimulus, as a benchmark shows them: of pictures their places, of texts their tokens."""

from collections.abc import Iterator
from functools import partial
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from ...errors import UserError
from ...progress import track
from ..model import Context
from .hooks import record
from .language_model import LanguageModel
from .rows import layer_rows
from .torch_model import Network
from .vision_model import VisionModel

if TYPE_CHECKING:
    from ...brain_data.stimulus_set import StimulusSet


def stimulus_rows(
    model: Network, layer: str, stimuli: "StimulusSet", *, context: Context = "none"
) -> Iterator[tuple[Tensor, npt.NDArray[np.intp]]]:
    """Rows (n, n_units) with the position of each row's stimulus, in batches.

    Of texts all tokens of their own, read after whatever the context says; but for the first token of what is read in
    one go, whose row is often many times as long as all others, where the text has another.

    Parameters
    ----------
    model : Network
        With its lesions and splices.
    layer : str
        ``MODULE#in`` for what a module is given.
    stimuli : StimulusSet
    context : {"none", "passage"} or int
        What is read before a text.

    Raises
    ------
    UserError
        For an unknown layer, or one without a row a token or place.
    """
    model._asked([layer])
    if isinstance(model, VisionModel):
        for part in layer_rows(model, layer, stimuli):
            yield part.values, part.stimulus
        return
    if not isinstance(model, LanguageModel):
        raise UserError(f"{model.identifier} has no rows of tokens or places: take a network")
    reader = model.replaced(pooling="mean")
    plan = reader._plan(stimuli, context)
    for rows, batch in track(reader._batches(stimuli, context), f"reading {layer}", total=len(plan)):
        call = partial(reader._forward, batch)
        output = record(
            reader.module, [layer], call, copied=[layer], interventions=reader.lesions
        ).tensors.get(layer)
        if output is not None and output.ndim == 3 and reader._is_token_first(output, batch, layer):
            output = output.transpose(0, 1)
        if output is not None and output.ndim == 2 and len(output) == batch.ids.numel():
            output = output.reshape(*batch.ids.shape, -1)
        if output is None or output.ndim != 3 or output.shape[:2] != batch.ids.shape:
            shape = None if output is None else tuple(output.shape)
            raise UserError(
                f"layer {layer!r} of {model.identifier} gives {shape} for {tuple(batch.ids.shape)} tokens: choose a "
                "layer that has a vector a token"
            )
        later = batch.counted & (batch.places > 0)
        counted = torch.where(later.any(dim=1, keepdim=True), later, batch.counted)
        text, entry = torch.nonzero(counted, as_tuple=True)
        values = output[batch.source[text], batch.places[text, entry]].detach().float().cpu()
        if not bool(torch.isfinite(values.sum(dtype=torch.float64))):
            raise UserError(f"layer {layer!r} of {model.identifier} gives values that are NaN or infinite")
        yield values, rows[text.cpu().numpy()]
