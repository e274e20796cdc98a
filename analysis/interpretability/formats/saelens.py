"""SAELens: a folder with ``cfg.json`` and ``sae_weights.safetensors``."""

from dataclasses import replace
from pathlib import Path
from typing import Any, Literal

import torch

from ....errors import UserError
from ....files import whole_folder, write_json
from ..codes import Weights
from ..dictionary import Dictionary, Site
from .base import DictionaryFormat, Number, dictionary_format, made_of, raw_weights, without_input_bias
from .files import Settings, Tensors, check_shape

_SETTINGS, _WEIGHTS = "cfg.json", "sae_weights.safetensors"
_VARIANTS = {
    "standard": "relu",
    "topk": "topk",
    "abstopk": "topk",
    "jumprelu": "jumprelu",
    "gated": "gated",
    "batchtopk": "batchtopk",
    "matryoshka_batchtopk": "matryoshka",
    "transcoder": "relu",
    "skip_transcoder": "relu",
    "jumprelu_transcoder": "jumprelu",
    "jumprelu_skip_transcoder": "jumprelu",
}
_ARCHITECTURES = {
    "relu": "standard",
    "topk": "topk",
    "frozen": "topk",
    "sheeted": "topk",
    "jumprelu": "jumprelu",
    "batchtopk": "jumprelu",
    "matryoshka": "jumprelu",
    "gated": "gated",
}
_ROWS: dict[str, Literal["scaled", "normalized", "rescaled"]] = {
    "none": "scaled",
    "expected_average_only_in": "scaled",
    "layer_norm": "normalized",
    "constant_norm_rescale": "rescaled",
}
_NORMALIZED = {"scaled": "none", "normalized": "layer_norm", "rescaled": "constant_norm_rescale"}


@dictionary_format
class SaeLens(DictionaryFormat):
    """Of SAELens, version 6 and those before; its transcoders and checkpoints of training, too."""

    name = "saelens"
    sentence = f"{_SETTINGS} and {_WEIGHTS}"

    def recognizes(self, path: Path) -> bool:
        """Whether a folder has both files."""
        return (path / _SETTINGS).is_file() and (path / _WEIGHTS).is_file()

    def read(self, path: Path, scale: float | None) -> Dictionary:
        """As the base says; `k` largest are taken of a ||D_i|| where the file asks for it."""
        settings = Settings.read(path / _SETTINGS)
        tensors = Tensors.read(path / _WEIGHTS)
        architecture, k = _architecture(settings)
        variant = _VARIANTS[architecture]
        rows, unit = _scaling(settings, scale)
        weights = _weights(settings, tensors, architecture, k)
        if rows != "scaled" and "output_bias" in weights.extra and "transcoder" in architecture:
            raise UserError(
                f"{settings.path}: transcoders of rows that are normalised each by itself are not read"
            )
        said = []
        if _rescaled(settings, architecture):
            weights, said = (
                _norms_folded(weights),
                ["norms of the decoder's directions are part of the codes"],
            )
        if architecture == "abstopk":
            weights = _both_signs(weights)
            said.append("feature F + i is feature i where it is negative")
        return made_of(
            weights, variant, _site(settings), self.name, rows=rows, scale=unit, said="; ".join(said)
        )

    def write(self, dictionary: Dictionary, folder: Path, number: Number = "float32") -> Path:
        """As the base says; mean and scale become part of the weights."""
        from safetensors.torch import save_file

        w = raw_weights(dictionary)
        n_units, out = w.n_units, w.decoder.shape[1]
        transcodes = dictionary.variant == "transcoder" or out != n_units or "skip" in w.extra
        architecture = _ARCHITECTURES.get(dictionary.variant)
        if architecture is None or (transcodes and architecture not in ("standard", "jumprelu")):
            raise UserError(f"SAELens has no {dictionary.variant!r} dictionary that this could be written as")
        if transcodes:
            kind = "" if architecture == "standard" else "jumprelu_"
            architecture = kind + ("skip_transcoder" if "skip" in w.extra else "transcoder")
        from_input = "output_bias" not in w.extra and not transcodes
        shift = w.encoder_bias if from_input else without_input_bias(w)
        tensors = {
            "W_enc": w.encoder.T,
            "W_dec": w.decoder,
            "b_dec": w.extra.get("output_bias", w.bias),
        }
        if architecture == "gated":
            tensors |= _gates(w, shift)
        else:
            tensors["b_enc"] = shift
        if architecture.startswith("jumprelu"):
            tensors["threshold"] = torch.zeros_like(shift) if w.threshold is None else w.threshold
        if "skip" in w.extra:
            tensors["W_skip"] = w.extra["skip"]
        settings: dict[str, Any] = {
            "architecture": architecture,
            "d_in": n_units,
            "d_sae": w.n_features,
            "dtype": number,
            "device": "cpu",
            "apply_b_dec_to_input": from_input,
            "normalize_activations": _NORMALIZED[dictionary.rows],
            "reshape_activations": "none",
            "metadata": {
                "sae_lens_version": "6.0.0",
                "model_name": dictionary.site.model,
                "hook_name": dictionary.site.layer,
                "brodmann": {"variant": dictionary.variant, "digest": dictionary.digest},
            },
        }
        if architecture == "topk":
            settings |= {"k": w.k, "rescale_acts_by_decoder_norm": False}
        if transcodes:
            settings["d_out"] = out
        with whole_folder(folder) as place:
            kind_of = getattr(torch, number)
            save_file({name: one.to(kind_of).contiguous() for name, one in tensors.items()}, place / _WEIGHTS)
            write_json(place / _SETTINGS, settings)
        return folder


def _is_new(settings: Settings) -> bool:
    version = settings.values.get("sae_lens_version") or settings.table("metadata").values.get(
        "sae_lens_version"
    )
    first = str(version or "0").partition(".")[0]
    return first.isdigit() and int(first) >= 6


def _architecture(settings: Settings) -> tuple[str, int]:
    """The architecture by its name today, and k."""
    architecture = settings.word("architecture", default="standard")
    inner = settings.table("activation_fn_kwargs")
    if not _is_new(settings):
        function = settings.word("activation_fn", "activation_fn_str", default="relu")
        if function not in ("relu", "topk") and architecture in ("standard", "topk"):
            raise UserError(f"{settings.path}: the activation {function!r} has no counterpart here")
        # some whose k largest were taken are said to be ReLU, and only their k tells
        if architecture == "standard" and (function == "topk" or inner.values.get("k") is not None):
            architecture = "topk"
    if architecture not in _VARIANTS:
        raise UserError(
            f"{settings.path}: {architecture[:60]!r} has no counterpart here; read are {', '.join(_VARIANTS)}"
        )
    if architecture not in ("topk", "abstopk", "batchtopk", "matryoshka_batchtopk"):
        return architecture, 0
    if settings.values.get("k") is None and inner.values.get("k") is not None:
        settings = inner
    k = settings.values.get("k")
    if isinstance(k, float) and architecture.endswith("batchtopk") and 0 < k < 1 << 40:  # a mean over rows
        return architecture, max(1, round(k))
    return architecture, settings.count("k", default=100)


def _scaling(
    settings: Settings, scale: float | None
) -> tuple[Literal["scaled", "normalized", "rescaled"], float]:
    kind = settings.values.get("normalize_activations") or "none"
    kind = "expected_average_only_in" if kind is True else kind if isinstance(kind, str) else "of an odd kind"
    if kind not in _ROWS:
        raise UserError(
            f"{settings.path}: normalize_activations {kind[:60]!r} is not read; known: {', '.join(_ROWS)}"
        )
    if kind != "expected_average_only_in":
        return _ROWS[kind], 1.0
    if scale is None:
        raise UserError(
            f"{settings.path}: it was learnt on rows brought to the mean norm sqrt(d_in), and does not say by what: "
            "give rows of its layer (--model and --texts), or their mean norm / sqrt(d_in) (--scale)"
        )
    return "scaled", scale


def _weights(settings: Settings, tensors: Tensors, architecture: str, k: int) -> Weights:
    encoder = tensors.matrix("W_enc").T.contiguous()
    decoder = tensors.matrix("W_dec")
    n_features, n_units = encoder.shape
    transcodes = "transcoder" in architecture
    out = settings.count("d_out", default=n_units) if transcodes else n_units
    check_shape(settings.path, "W_dec", decoder, (n_features, out))
    for name, have in (("d_in", n_units), ("d_sae", n_features)):
        if settings.count(name, default=have) != have:
            raise UserError(
                f"{settings.path}: {name!r} is {settings.count(name)}, and the weights are of {have}"
            )
    if k > n_features:
        raise UserError(f"{settings.path}: k = {k} of {n_features} features")
    output_bias = tensors.vector("b_dec", out)
    from_input = settings.flag("apply_b_dec_to_input", not transcodes) and not transcodes
    weights = Weights(
        encoder,
        decoder,
        tensors.vector("b_gate" if architecture == "gated" else "b_enc", n_features),
        output_bias if from_input else torch.zeros(n_units),
        k,
        extra={} if from_input else {"output_bias": output_bias},
    )
    if architecture == "gated":
        extra = {
            "log_magnitude": tensors.vector("r_mag", n_features),
            "magnitude_bias": tensors.vector("b_mag", n_features),
        }
        weights = replace(weights, extra=weights.extra | extra)
    if architecture.startswith("jumprelu"):
        weights = replace(weights, threshold=tensors.vector("threshold", n_features))
    if architecture.endswith("batchtopk"):
        weights = replace(weights, threshold=tensors.one_each("topk_threshold", n_features))
    if "skip" in architecture:
        skip = check_shape(settings.path, "W_skip", tensors.matrix("W_skip"), (out, n_units))
        weights = replace(weights, extra=weights.extra | {"skip": skip})
    return _finetuned(settings, tensors, weights)


def _finetuned(settings: Settings, tensors: Tensors, weights: Weights) -> Weights:
    """With the factor of each feature that older files keep beside the decoder."""
    if "scaling_factor" not in tensors:
        return weights
    factor = tensors.one_each("scaling_factor", weights.n_features)
    if bool((factor == 1).all()):
        return weights
    if not settings.flag("finetuning_scaling_factor", False):
        raise UserError(
            f"{settings.path}: the weights have a scaling_factor, and finetuning_scaling_factor is false"
        )
    return replace(weights, decoder=weights.decoder * factor[:, None])


def _rescaled(settings: Settings, architecture: str) -> bool:
    batch = architecture.endswith("batchtopk")
    return (batch or architecture in ("topk", "abstopk")) and settings.flag(
        "rescale_acts_by_decoder_norm", batch
    )


def _norms_folded(weights: Weights) -> Weights:
    norm = weights.decoder.norm(dim=1).clamp_min(1e-8)
    return replace(
        weights,
        encoder=weights.encoder * norm[:, None],
        encoder_bias=weights.encoder_bias * norm,
        decoder=weights.decoder / norm[:, None],
    )


def _both_signs(weights: Weights) -> Weights:
    """The k largest |a| of F features are the k largest of a and -a of 2 F."""
    return replace(
        weights,
        encoder=torch.cat([weights.encoder, -weights.encoder]),
        encoder_bias=torch.cat([weights.encoder_bias, -weights.encoder_bias]),
        decoder=torch.cat([weights.decoder, -weights.decoder]),
    )


def _gates(weights: Weights, shift: torch.Tensor) -> dict[str, torch.Tensor]:
    moved = shift - weights.encoder_bias  # what the input's bias came to
    magnitude = weights.extra["log_magnitude"]
    return {
        "b_gate": shift,
        "r_mag": magnitude,
        "b_mag": weights.extra["magnitude_bias"] + moved * magnitude.exp(),
    }


def _site(settings: Settings) -> Site:
    inner = settings.table("metadata")
    return Site(
        model=settings.word("model_name") or inner.word("model_name"),
        layer=settings.word("hook_name", "hook_point") or inner.word("hook_name"),
    )
