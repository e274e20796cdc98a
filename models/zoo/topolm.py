"""TopoLM (Rathi et al. 2025): a GPT-2 of width 784 whose attention and feed-forward outputs lie on 28 x 28 sheets."""

import pickle
import re
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from ...errors import UserError
from ..catalogue import path_scheme
from ..sheet import Sheet

if TYPE_CHECKING:
    from ..architectures.gpt import GPT
    from ..model import Model

_SUFFIXES = (".pt", ".pth", ".safetensors")
_PLACE = re.compile(r"^layer\.(\d+)\.(attn|mlp)$")


@path_scheme("topolm", "FOLDER")
def load_topolm(folder: Path) -> "Model":
    """A TopoLM from a folder with its checkpoint, its positions and GPT-2's tokenizer.

    The sheets are those of the sub-layers' outputs before they are added to the residual stream
    (``transformer.h.0.attn``, ``transformer.h.0.mlp``).

    Parameters
    ----------
    folder : Path
        Holds one checkpoint (nanoGPT's layout; the omegaconf object inside is not read), ``tokenizer.json``, and the
        positions: ``layer.0.attn.pkl`` ... here or in a folder inside, or one ``.npz`` of the same names.

    Raises
    ------
    UserError
        Where one of them is absent, cannot be read, or does not fit.
    """
    from ..extraction.language_model import LanguageModel
    from ..weights.tokenizer_file import read_tokenizer

    if not folder.is_dir():
        raise UserError(f"no folder {folder}: topolm: takes the folder of a checkpoint and its positions")
    checkpoints = sorted(path for path in folder.iterdir() if path.suffix in _SUFFIXES)
    if len(checkpoints) != 1:
        raise UserError(
            f"{folder} holds {len(checkpoints)} checkpoints ({', '.join(_SUFFIXES)}), and topolm: needs one"
        )
    network = _network(checkpoints[0])
    positions = read_positions(folder)
    n_layer, width = network.shape.n_layer, network.shape.n_embd
    sheets = []
    for name, places in positions.items():
        layer, part = _PLACE.match(name).groups()  # type: ignore[union-attr]
        if int(layer) >= n_layer or len(places) != width:
            raise UserError(
                f"the positions of {name} ({len(places)} units) do not fit {n_layer} blocks of {width} units"
            )
        sheets.append(Sheet(f"transformer.h.{layer}.{part}", places))
    tokenizer = read_tokenizer(folder, "topolm:", network.shape.block_size)
    layers = [f"transformer.h.{i}.{part}" for i in range(n_layer) for part in ("attn", "mlp")]
    return LanguageModel(
        network,
        tokenizer,
        identifier=f"topolm:{folder.resolve().name}",
        layers=layers,
        sheets=sheets,
        pooling="mean",
    )


def read_positions(place: Path) -> dict[str, np.ndarray[tuple[int, int], np.dtype[np.float64]]]:
    """Positions by sub-layer (``layer.0.attn``), from an ``.npz`` file or a folder of ``.npz`` or pickles.

    A pickle is read by an unpickler that admits tensors and plain containers alone.

    Returns
    -------
    dict of str to array of shape (n_units, 2)
        In units of the grid. Some of the published sets put several units on one place.
    """
    if place.is_file():
        return _ordered(_from_npz(place))
    pickles = sorted(path for path in place.rglob("*.pkl") if _PLACE.match(path.stem))
    archives = sorted(place.rglob("*.npz"))
    if pickles:
        if len({path.stem for path in pickles}) < len(pickles):
            raise UserError(f"{place} holds several sets of positions: keep one")
        return _ordered({path.stem: _from_pickle(path) for path in pickles})
    if len(archives) == 1:
        return _ordered(_from_npz(archives[0]))
    raise UserError(
        f"{place} holds no positions: expected layer.0.attn.pkl, layer.0.mlp.pkl ..., or one .npz of these names"
    )


def _ordered(found: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:  # type: ignore[type-arg]
    """In the order of the blocks, attention before feed-forward."""

    def place(name: str) -> tuple[int, str]:
        number, part = _PLACE.match(name).groups()  # type: ignore[union-attr]
        return int(number), part

    return {name: found[name] for name in sorted(found, key=place)}


def _from_npz(path: Path) -> dict[str, np.ndarray]:  # type: ignore[type-arg]
    from ..weights.checkpoint import read_npz

    try:
        found = {
            name: np.asarray(places, np.float64)
            for name, places in read_npz(path).items()
            if _PLACE.match(name)
        }
    except ValueError as error:
        raise UserError(f"cannot read positions from {path}: {error}") from error
    if not found:
        raise UserError(f"{path} holds no positions named layer.0.attn, layer.0.mlp ...")
    return found


def _from_pickle(path: Path) -> np.ndarray:  # type: ignore[type-arg]
    from ..weights.checkpoint import as_positions, read_position_pickle

    try:
        return as_positions(read_position_pickle(path))
    except (pickle.UnpicklingError, EOFError, RuntimeError, ValueError, TypeError, AttributeError, IndexError,
            KeyError) as error:  # fmt: skip
        raise UserError(
            f"{path} holds no readable positions of TopoLM: refused ({str(error)[:120]})"
        ) from error


def _network(path: Path) -> "GPT":
    from ..weights.recognizers import gpt
    from ..weights.recognizers.base import told_of
    from ..weights.state_dict import read_content

    content = read_content(path)
    arguments = content.get("model_args")
    n_head = arguments.get("n_head") if isinstance(arguments, Mapping) else None
    weights = content.get("model", content)
    if not isinstance(weights, Mapping):
        raise UserError(f"{path} holds no weights under 'model'")
    weights = {str(name).removeprefix("_orig_mod."): value for name, value in weights.items()}
    if not gpt.fits(weights):
        raise UserError(f"{path} holds no GPT, so it is no TopoLM")
    with told_of(gpt.KIND, path):
        return gpt.network_of(weights, path, n_head if isinstance(n_head, int) else None)
