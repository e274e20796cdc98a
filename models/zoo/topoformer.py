"""Topoformer (Binhuraib et al. 2024): one attention head, whose queries, keys and values lie on a torus.

No weights were published; a network that was trained with the authors' code is read from its Hugging Face folder.
"""

from math import isqrt
from pathlib import Path
from typing import TYPE_CHECKING

from ...errors import UserError
from ..catalogue import path_scheme
from ..sheet import Sheet, grid_sheet

if TYPE_CHECKING:
    from torch import nn

    from ..model import Model

_PARTS = ("query", "key", "value")


@path_scheme("topoformer", "FOLDER")
def load_topoformer(folder: Path) -> "Model":
    """A Topoformer from its Hugging Face folder.

    Raises
    ------
    UserError
        For a network with several heads, or whose layers do not fill a square sheet.
    """
    from ..extraction.language_model import LanguageModel
    from .hugging_face import load_hugging_face

    model = load_hugging_face(str(folder))
    if not isinstance(model, LanguageModel):
        raise UserError(f"{folder} holds no language model, so it is no Topoformer")
    config = getattr(model.module, "config", None)
    heads = getattr(config, "num_attention_heads", None)
    if heads != 1:
        raise UserError(f"{folder} has {heads} attention heads, and a Topoformer has one")
    sheets = [torus_sheet(name, module.out_features) for name, module in _attention(model.module)]
    if not sheets:
        raise UserError(f"{folder} has no layers named query, key or value: it is no Topoformer")
    made = LanguageModel(
        model.module,
        model.tokenizer,
        identifier=f"topoformer:{folder.resolve().name}",
        layers=[sheet.layer for sheet in sheets],
        pooling="mean",
        sheets=sheets,
    )
    return made.replaced(stored_in=model.stored_in)


def torus_sheet(layer: str, n_units: int) -> Sheet:
    """The sheet of a Topoformer: unit k at (k // s, k % s) / s on a unit torus, s the root of the number of units.

    Parameters
    ----------
    layer : str
    n_units : int
        A square number.
    """
    side = isqrt(n_units)
    if side * side != n_units:
        raise UserError(f"layer {layer!r} has {n_units} units, which do not fill a square sheet")
    return grid_sheet(layer, n_units, shape=(side, side), periodic=True, layout="native").scaled(1 / side)


def _attention(network: "nn.Module") -> "list[tuple[str, nn.Linear]]":
    """Queries, keys, values and what attention gives, in the order of the modules."""
    from torch import nn

    return [
        (name, module)
        for name, module in network.named_modules()
        if isinstance(module, nn.Linear)
        and (name.rpartition(".")[2] in _PARTS or name.endswith("attention.output.dense"))
    ]
