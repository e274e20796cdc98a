"""Gemma Scope: ``params.npz`` with ``W_enc``, ``W_dec``, ``b_enc``, ``b_dec`` and ``threshold``."""

from pathlib import Path

import torch

from ....bounded import check_plain_file
from ....errors import UserError
from ....models.weights.checkpoint import read_npz
from ..codes import Weights
from ..dictionary import Dictionary, Site
from .base import DictionaryFormat, dictionary_format, made_of
from .files import Tensors, check_shape

_FILE = "params.npz"


@dictionary_format
class GemmaScope(DictionaryFormat):
    """JumpReLU of rows as they are; nothing is taken from them before."""

    name = "gemma_scope"
    sentence = f"{_FILE}, or any .npz of its arrays"

    def recognizes(self, path: Path) -> bool:
        """Whether it is an .npz file, or a folder with ``params.npz``."""
        return (path / _FILE).is_file() if path.is_dir() else path.suffix == ".npz"

    def read(self, path: Path, scale: float | None) -> Dictionary:
        """As the base says."""
        del scale
        path = path / _FILE if path.is_dir() else path
        check_plain_file(path, path.parent)
        arrays = {name.replace("w_", "W_", 1): one for name, one in read_npz(path).items()}
        odd = next((name for name, one in arrays.items() if one.dtype.kind != "f"), None)
        if odd is not None:
            raise UserError(f"{path}: {odd!r} holds {arrays[odd].dtype}, not real numbers")
        tensors = Tensors({name: torch.from_numpy(one) for name, one in arrays.items()}, path)
        encoder = tensors.matrix("W_enc").T.contiguous()
        n_features, n_units = encoder.shape
        decoder = check_shape(path, "W_dec", tensors.matrix("W_dec"), (n_features, n_units))
        weights = Weights(
            encoder,
            decoder,
            tensors.vector("b_enc", n_features),
            torch.zeros(n_units),
            threshold=tensors.vector("threshold", n_features),
            extra={"output_bias": tensors.vector("b_dec", n_units)},
        )
        return made_of(weights, "jumprelu", Site(), self.name)
