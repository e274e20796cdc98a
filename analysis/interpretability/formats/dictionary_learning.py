"""dictionary_learning: a folder with ``ae.pt`` and ``config.json``."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import torch

from ....errors import UserError, unknown
from ..codes import Weights
from ..dictionary import Dictionary, Site
from .base import DictionaryFormat, dictionary_format, made_of
from .files import Settings, Tensors, check_shape

_SETTINGS, _WEIGHTS = "config.json", "ae.pt"


@dictionary_format
class DictionaryLearning(DictionaryFormat):
    """All of its classes, each as its own ``from_pretrained`` has it."""

    name = "dictionary_learning"
    sentence = f"{_WEIGHTS} and {_SETTINGS}"

    def recognizes(self, path: Path) -> bool:
        """Whether a folder has both files, or a file lies beside its settings."""
        path = path if path.is_dir() else path.parent if path.name == _WEIGHTS else path
        return (path / _SETTINGS).is_file() and (path / _WEIGHTS).is_file()

    def read(self, path: Path, scale: float | None) -> Dictionary:
        """As the base says; nothing of the pickle is run."""
        del scale
        folder = path if path.is_dir() else path.parent
        trainer = Settings.read(folder / _SETTINGS).table("trainer")
        kind = trainer.word("dict_class")
        if kind not in _KINDS:
            raise unknown(f"dict_class in {trainer.path}", kind, _KINDS)
        variant, make = _KINDS[kind]
        tensors = Tensors.read(folder / _WEIGHTS)
        weights = make(tensors)
        if variant == "topk":
            inside = tensors.scalar("k") if "k" in tensors else None
            k = trainer.count("k", default=None if inside is None else int(inside))
            if k > weights.n_features or (inside is not None and inside != k):
                raise UserError(
                    f"{trainer.path}: k is {k}, the weights say {inside} of {weights.n_features} features"
                )
            weights = replace(weights, k=k)
        layer = trainer.values.get("layer")
        where = trainer.word("submodule_name") or (f"layer {layer}" if isinstance(layer, int) else "")
        return made_of(weights, variant, Site(model=trainer.word("lm_name"), layer=where), self.name)


def _linear(tensors: Tensors, bias: str, encoder_bias: str = "encoder.bias") -> Weights:
    """Encoder and decoder as torch's linear layers keep them; `bias` is taken from rows and put back."""
    encoder = tensors.matrix("encoder.weight")
    n_features, n_units = encoder.shape
    decoder = tensors.matrix("decoder.weight").T.contiguous()
    check_shape(tensors.path, "decoder.weight", decoder, (n_features, n_units))
    return Weights(encoder, decoder, tensors.vector(encoder_bias, n_features), tensors.vector(bias, n_units))


def _unit_norms(tensors: Tensors) -> Weights:
    """Of AutoEncoder, whose directions are given norm 1 on reading."""
    weights = _linear(tensors, "bias")
    norm = weights.decoder.norm(dim=1)
    if torch.allclose(norm, torch.ones_like(norm)):
        return weights
    norm = norm.clamp_min(1e-12)
    return replace(
        weights,
        encoder=weights.encoder * norm[:, None],
        encoder_bias=weights.encoder_bias * norm,
        decoder=weights.decoder / norm[:, None],
    )


def _put_back_alone(tensors: Tensors) -> Weights:
    """Of AutoEncoderNew: nothing is taken from rows before."""
    weights = _linear(tensors, "decoder.bias")
    return replace(weights, bias=torch.zeros(weights.n_units), extra={"output_bias": weights.bias})


def _gated(tensors: Tensors) -> Weights:
    weights = _linear(tensors, "decoder_bias", "gate_bias")
    n = weights.n_features
    extra = {"log_magnitude": tensors.vector("r_mag", n), "magnitude_bias": tensors.vector("mag_bias", n)}
    return replace(weights, extra=extra)


def _thresholded(tensors: Tensors) -> Weights:
    weights = _linear(tensors, "b_dec")
    return replace(weights, threshold=tensors.one_each("threshold", weights.n_features))


def _transposed(tensors: Tensors) -> Weights:
    encoder = tensors.matrix("W_enc").T.contiguous()
    decoder = check_shape(tensors.path, "W_dec", tensors.matrix("W_dec"), tuple(encoder.shape))
    n_features, n_units = encoder.shape
    threshold = tensors.one_each("threshold", n_features)
    bias = tensors.vector("b_dec", n_units)
    return Weights(encoder, decoder, tensors.vector("b_enc", n_features), bias, threshold=threshold)


def _jumping(tensors: Tensors) -> Weights:
    """Of JumpReluAutoEncoder: nothing is taken from rows before."""
    weights = _transposed(tensors)
    return replace(weights, bias=torch.zeros(weights.n_units), extra={"output_bias": weights.bias})


_KINDS: dict[str, tuple[str, Callable[[Tensors], Weights]]] = {
    "AutoEncoder": ("relu", _unit_norms),
    "AutoEncoderNew": ("relu", _put_back_alone),
    "AutoEncoderTopK": ("topk", lambda tensors: _linear(tensors, "b_dec")),
    "BatchTopKSAE": ("batchtopk", _thresholded),
    "GatedAutoEncoder": ("gated", _gated),
    "JumpReluAutoEncoder": ("jumprelu", _jumping),
    "MatryoshkaBatchTopKSAE": ("matryoshka", _transposed),
}
