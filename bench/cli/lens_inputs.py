"""What the lens commands work on: a network with its head, a dictionary, directions, texts."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ...errors import UserError

if TYPE_CHECKING:
    from ...analysis.interpretability.dictionary import Dictionary
    from ...analysis.interpretability.lenses.passes import Indices
    from ...models.extraction.language_model import LanguageModel

_OWN = 64
"""Windows that a network writes itself where no texts are given."""
_MOST = 2000
"""Windows of a corpus that are used."""


def opened(model: Any, layer: str, features: Path | None) -> "tuple[LanguageModel, str, Dictionary | None]":
    """The network with its head, the layer as it is called there, and the dictionary where one is named."""
    from ...analysis.interpretability.lenses.passes import layer_in, predicting
    from ...models import load_model

    whole = predicting(load_model(model) if isinstance(model, str) else model)
    layer = layer_in(whole, layer)
    return whole, layer, dictionary_of(features, whole, layer)


def dictionary_of(
    features: Path | None, model: "LanguageModel | None" = None, layer: str = ""
) -> "Dictionary | None":
    """A dictionary of any layout; one of other software must fit rows of the layer."""
    if features is None:
        return None
    from ...analysis.interpretability.formats.base import read_dictionary

    if model is None or (features / "features.json").is_file():
        return read_dictionary(features)
    from ...analysis.interpretability.lenses.own_texts import own_windows
    from ...analysis.interpretability.lenses.passes import rows_of_layer

    return read_dictionary(features, rows_of_layer(model, layer, own_windows(model, 32, length=48)))


def chosen_of(unit: int | None, feature: int | None, dictionary: Any, n: int | None) -> list[int] | None:
    """The one direction that was asked for; None for all."""
    if dictionary is None and feature is not None:
        raise UserError(f"feature {feature} of which dictionary? add --features FOLDER")
    if dictionary is not None and unit is not None:
        raise UserError(f"unit {unit} of the layer, or a feature of the dictionary? leave one out")
    one = unit if dictionary is None else feature
    if one is not None and n is not None and one >= n:
        what = "unit" if dictionary is None else "feature"
        raise UserError(f"there is no {what} {one}: there are {n}")
    return None if one is None else [one]


def directions_of(model: "LanguageModel", layer: str, dictionary: Any) -> Any:
    """All directions of a layer: its units' axes, or what its features add."""
    import torch

    from ...analysis.interpretability.lenses.passes import layer_width

    n_units = layer_width(model, layer)
    if dictionary is None:
        return torch.eye(n_units)
    if dictionary.directions.shape[1] != n_units:
        raise UserError(
            f"the dictionary is of {dictionary.directions.shape[1]} units, layer {layer!r} has {n_units}"
        )
    return dictionary.directions


def sheet_of(model: "LanguageModel", layer: str, dictionary: Any) -> Any:
    """The sheet of a layer's units, which may belong to the layer before the nonlinearity."""
    if dictionary is not None:
        return None
    for one in (layer, f"{layer.rpartition('.')[0]}.c_fc"):
        if one in dict(model.module.named_modules()) and model.sheet(one) is not None:
            return model.sheet(one)
    return None


def texts_of(
    model: "LanguageModel", source: Path | None, seed: int
) -> "tuple[list[Indices], list[Indices], str]":
    """Windows to learn from, others to judge by, and in words what they are."""
    if source is None:
        from ...analysis.interpretability.lenses.own_texts import own_windows

        windows = own_windows(model, _OWN, length=min(model.max_tokens or 64, 64), seed=seed)
        cut = max(1, round(0.7 * len(windows)))
        return windows[:cut], windows[cut:], "texts that the network wrote itself"
    from ...brain_data.stimuli.corpora import text_corpus
    from ...models.extraction.rows import token_windows

    corpus = text_corpus(source, share_held_out=0.3)
    length = min(model.max_tokens or 256, 256)
    training, held_out = (
        token_windows(model, list(part), length=length).ids for part in (corpus.training, corpus.held_out)
    )
    return training[:_MOST], held_out[:_MOST], f"{source}, whole documents held out"


def both_halves(model: "LanguageModel", source: Path | None, seed: int) -> "tuple[list[Indices], str]":
    """Windows, the second half of which are of other texts than the first."""
    training, held_out, said = texts_of(model, source, seed)
    if source is None:
        return training + held_out, said
    n = min(len(training), len(held_out), 100)
    return training[:n] + held_out[:n], said


def array_of(ids: Sequence[int]) -> Any:
    """Token ids as an array."""
    import numpy as np

    return np.asarray(ids, np.intp)


def middle(values: Any) -> float | None:
    """The median; None of nothing."""
    import numpy as np

    return float(np.median(values)) if len(values) else None
