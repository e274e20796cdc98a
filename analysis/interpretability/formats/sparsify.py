"""sparsify: a folder a hook point, with ``cfg.json`` and ``sae.safetensors``."""

from pathlib import Path
from typing import Any

import torch

from ....errors import UserError
from ....files import whole_folder, write_json
from ..codes import Weights
from ..dictionary import Dictionary, Site
from .base import DictionaryFormat, Number, dictionary_format, made_of, raw_weights, without_input_bias
from .files import Settings, Tensors, check_shape

_SETTINGS, _WEIGHTS = "cfg.json", "sae.safetensors"


@dictionary_format
class Sparsify(DictionaryFormat):
    """Of EleutherAI's sparsify, and of sae before it."""

    name = "sparsify"
    sentence = f"{_SETTINGS} and {_WEIGHTS}"

    def recognizes(self, path: Path) -> bool:
        """Whether a folder has both files."""
        return (path / _SETTINGS).is_file() and (path / _WEIGHTS).is_file()

    def read(self, path: Path, scale: float | None) -> Dictionary:
        """As the base says; the folder's name is that of the layer."""
        del scale
        settings, tensors = Settings.read(path / _SETTINGS), Tensors.read(path / _WEIGHTS)
        activation = settings.word("activation", default="topk")
        if activation != "topk" or settings.flag("signed", False):
            what = "signed topk" if activation == "topk" else activation
            raise UserError(f"{settings.path}: the activation {what!r} has no counterpart here")
        encoder = tensors.matrix("encoder.weight")
        n_features, n_units = encoder.shape
        if settings.count("d_in") != n_units:
            raise UserError(
                f"{settings.path}: 'd_in' is {settings.count('d_in')}, the weights have {n_units}"
            )
        asked = settings.values.get("num_latents") or settings.count("expansion_factor", default=1) * n_units
        if "expansion_factor" in settings.values and asked != n_features:
            raise UserError(f"{settings.path}: it asks for {asked} features, the weights have {n_features}")
        k = settings.count("k")
        if k > n_features:
            raise UserError(f"{settings.path}: k = {k} of {n_features} features")
        old = "W_dec" not in tensors and "decoder.weight" in tensors
        decoder = tensors.matrix("decoder.weight").T.contiguous() if old else tensors.matrix("W_dec")
        check_shape(settings.path, "W_dec", decoder, (n_features, n_units))
        bias = tensors.vector("b_dec", n_units)
        transcodes = settings.flag("transcode", False)
        extra = {"output_bias": bias} if transcodes else {}
        if "W_skip" in tensors:
            extra["skip"] = check_shape(settings.path, "W_skip", tensors.matrix("W_skip"), (n_units, n_units))
        weights = Weights(
            encoder,
            decoder,
            tensors.vector("encoder.bias", n_features),
            torch.zeros(n_units) if transcodes else bias,
            k,
            extra=extra,
        )
        named = Settings({"layer": path.resolve().name}, path)
        return made_of(
            weights, "transcoder" if transcodes else "topk", Site(layer=named.word("layer")), self.name
        )

    def write(self, dictionary: Dictionary, folder: Path, number: Number = "float32") -> Path:
        """As the base says; mean and scale become part of the weights."""
        from safetensors.torch import save_file

        if (
            dictionary.variant not in ("topk", "frozen", "sheeted", "transcoder")
            or dictionary.rows != "scaled"
        ):
            raise UserError(
                f"sparsify takes the k largest of rows as they are; a {dictionary.variant!r} dictionary of "
                f"{dictionary.rows} rows is none: write it as saelens"
            )
        w = raw_weights(dictionary)
        if w.decoder.shape[1] != w.n_units:
            raise UserError(f"sparsify makes {w.n_units} units of {w.n_units}, not {w.decoder.shape[1]}")
        transcodes = "output_bias" in w.extra
        tensors = {
            "encoder.weight": w.encoder,
            "encoder.bias": without_input_bias(w) if transcodes else w.encoder_bias,
            "W_dec": w.decoder,
            "b_dec": w.extra.get("output_bias", w.bias),
        }
        if "skip" in w.extra:
            tensors["W_skip"] = w.extra["skip"]
        settings: dict[str, Any] = {
            "activation": "topk",
            "expansion_factor": max(1, w.n_features // w.n_units),
            "normalize_decoder": False,
            "num_latents": w.n_features,
            "k": w.k,
            "multi_topk": False,
            "skip_connection": "skip" in w.extra,
            "transcode": transcodes,
            "d_in": w.n_units,
        }
        with whole_folder(folder) as place:
            kind = getattr(torch, number)
            save_file({name: one.to(kind).contiguous() for name, one in tensors.items()}, place / _WEIGHTS)
            write_json(place / _SETTINGS, settings)
        return folder
