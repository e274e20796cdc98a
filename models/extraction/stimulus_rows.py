"""The rows of a layer by stimulus, as a benchmark shows them: of pictures their places, of texts their tokens."""

from collections.abc import Iterator
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from ...errors import UserError
from ...progress import track
from ..model import Context
from .language_model import LanguageModel
from .rows import finite_rows, layer_rows, token_vectors
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
        output = token_vectors(reader, layer, batch)
        later = batch.counted & (batch.places > 0)
        counted = torch.where(later.any(dim=1, keepdim=True), later, batch.counted)
        text, entry = torch.nonzero(counted, as_tuple=True)
        values = finite_rows(output[batch.source[text], batch.places[text, entry]], model, layer)
        yield values, rows[text.cpu().numpy()]
