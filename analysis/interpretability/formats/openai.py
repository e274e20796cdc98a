"""OpenAI's sparse_autoencoder: one torch file with ``pre_bias``, ``latent_bias`` and the name of its activation."""

from pathlib import Path
from typing import Any

import torch

from ....bounded import check_plain_file
from ....errors import UserError
from ....files import whole_file
from ....models.weights.state_dict import read_content
from ..codes import Weights
from ..dictionary import Dictionary, Site
from .base import DictionaryFormat, Number, dictionary_format, made_of, raw_weights
from .files import Settings, Tensors, check_shape

_ENDINGS = (".pt", ".pth", ".bin", "")
_FILE = "autoencoder.pt"


@dictionary_format
class OpenAI(DictionaryFormat):
    """Rows are normalised each by itself where the k largest are taken, as its library does, and not for ReLU."""

    name = "openai"
    sentence = f"a torch file with pre_bias and latent_bias, or {_FILE} in a folder"

    def recognizes(self, path: Path) -> bool:
        """Whether it is a torch file by its name, or a folder with one of ours."""
        if path.is_dir():
            return (path / _FILE).is_file()
        return path.suffix in _ENDINGS and not (path.parent / "config.json").is_file()

    def read(self, path: Path, scale: float | None) -> Dictionary:
        """As the base says; nothing of the pickle is run."""
        del scale
        path = path / _FILE if path.is_dir() else path
        check_plain_file(path, path.parent)
        content = read_content(path)
        tensors, settings = Tensors(content, path), Settings(content, path)
        encoder = tensors.matrix("encoder.weight")
        n_features, n_units = encoder.shape
        tied = "decoder.weight" not in tensors
        decoder = encoder.clone() if tied else tensors.matrix("decoder.weight").T.contiguous()
        check_shape(path, "decoder.weight", decoder, (n_features, n_units))
        activation = settings.word("activation", default="ReLU")
        inner = settings.table("activation_state_dict")
        if activation == "TopK":
            after = inner.word("postact_fn", default="ReLU")
            if after != "ReLU":
                raise UserError(f"{path}: TopK followed by {after!r} has no counterpart here")
        elif activation != "ReLU":
            raise UserError(f"{path}: the activation {activation!r} has no counterpart here")
        k = inner.count("k") if activation == "TopK" else 0
        if k > n_features:
            raise UserError(f"{path}: k = {k} of {n_features} features")
        weights = Weights(
            encoder,
            decoder,
            tensors.vector("latent_bias", n_features),
            tensors.vector("pre_bias", n_units),
            k,
        )
        if activation == "TopK":
            return made_of(weights, "topk", Site(), self.name, rows="normalized")
        return made_of(weights, "relu", Site(), self.name)

    def write(self, dictionary: Dictionary, folder: Path, number: Number = "float32") -> Path:
        """As the base says: ReLU of rows as they are, or the k largest of rows that are normalised."""
        w = raw_weights(dictionary)
        takes_largest = (
            dictionary.variant in ("topk", "frozen", "sheeted") and dictionary.rows == "normalized"
        )
        if not takes_largest and (dictionary.variant != "relu" or dictionary.rows != "scaled"):
            raise UserError(
                "OpenAI's layout normalises every row where the k largest are taken, and else knows ReLU alone; a "
                f"{dictionary.variant!r} dictionary of {dictionary.rows} rows is neither: "
                "write it as saelens or sparsify"
            )
        if w.extra:
            raise UserError(f"OpenAI's layout has no place for {', '.join(w.extra)}: write it as saelens")
        kind = getattr(torch, number)
        content: dict[str, Any] = {
            "pre_bias": w.bias,
            "encoder.weight": w.encoder,
            "latent_bias": w.encoder_bias,
            "decoder.weight": w.decoder.T,
        }
        content = {name: one.to(kind).contiguous() for name, one in content.items()}
        content |= {
            "stats_last_nonzero": torch.zeros(w.n_features, dtype=torch.long),
            "latents_activation_frequency": torch.ones(w.n_features),
            "latents_mean_square": torch.zeros(w.n_features),
            "activation": "TopK" if takes_largest else "ReLU",
            "activation_state_dict": {"k": w.k, "postact_fn": "ReLU"} if takes_largest else {},
        }
        folder.mkdir(parents=True, exist_ok=True)
        with whole_file(folder / _FILE) as stream:
            torch.save(content, stream)
        return folder
