"""What peers' libraries compute from their files, in numpy and double precision, from the definitions of each."""

import json
from pathlib import Path

import numpy as np
from safetensors.numpy import save_file

D, F, N = 12, 40, 60


def rows(seed=0, n=N):
    random = np.random.default_rng(seed)
    return (random.standard_normal((n, D)) * random.uniform(0.5, 2, D) + random.standard_normal(D)).astype(
        np.float32
    )


def drawn(seed, *shape):
    return (np.random.default_rng(seed).standard_normal(shape) / np.sqrt(shape[-1])).astype(np.float32)


def largest(values, k):
    """ReLU of the k largest of each row."""
    keep = np.argsort(-values, axis=1)[:, :k]
    out = np.zeros_like(values)
    np.put_along_axis(out, keep, np.maximum(np.take_along_axis(values, keep, 1), 0), 1)
    return out


def relu(values):
    return np.maximum(values, 0)


def layer_normed(x):
    shift = x.mean(axis=1, keepdims=True)
    spread = x.std(axis=1, ddof=1, keepdims=True)
    return (x - shift) / (spread + 1e-5), lambda made: made * spread + shift


def brought_to_norm(x):
    factor = np.sqrt(x.shape[1]) / np.linalg.norm(x, axis=1, keepdims=True)
    return x * factor, lambda made: made / factor


def as_is(x):
    return x, lambda made: made


ROWS = {"none": as_is, "layer_norm": layer_normed, "constant_norm_rescale": brought_to_norm}


def sae_tensors(architecture, d_out=D):
    tensors = {
        "W_enc": drawn(1, D, F),
        "W_dec": drawn(2, F, d_out) * np.linspace(0.5, 2, F, dtype=np.float32)[:, None],
        "b_dec": drawn(3, d_out),
    }
    if architecture == "gated":
        tensors |= {"b_gate": drawn(4, F), "r_mag": drawn(5, F), "b_mag": drawn(6, F)}
    else:
        tensors["b_enc"] = drawn(4, F)
    if "jumprelu" in architecture:
        tensors["threshold"] = np.abs(drawn(7, F))
    if "batchtopk" in architecture:
        tensors["topk_threshold"] = np.float32(0.3).reshape(())
    if "skip" in architecture:
        tensors["W_skip"] = drawn(8, d_out, D)
    return tensors


def write_sae(folder: Path, tensors, **settings):
    folder.mkdir(parents=True, exist_ok=True)
    save_file(
        {name: np.ascontiguousarray(one) for name, one in tensors.items()}, folder / "sae_weights.safetensors"
    )
    new = {
        "d_in": D,
        "d_sae": F,
        "dtype": "float32",
        "metadata": {"sae_lens_version": "6.3.0", "hook_name": "blocks.1"},
    }
    (folder / "cfg.json").write_text(json.dumps(new | settings))
    return folder


def sae(tensors, settings, x):
    """Codes and reconstructions of SAELens, version 6."""
    w = {name: one.astype(np.float64) for name, one in tensors.items()}
    architecture = settings["architecture"]
    inside, outside = ROWS[settings.get("normalize_activations", "none")](x.astype(np.float64))
    transcodes = "transcoder" in architecture
    taken = inside if transcodes or not settings.get("apply_b_dec_to_input", True) else inside - w["b_dec"]
    norm = np.linalg.norm(w["W_dec"], axis=1)
    rescaled = settings.get("rescale_acts_by_decoder_norm", architecture.endswith("batchtopk"))
    if architecture == "gated":
        open_ = taken @ w["W_enc"] + w["b_gate"] > 0
        codes = open_ * relu(taken @ (w["W_enc"] * np.exp(w["r_mag"])) + w["b_mag"])
    else:
        pre = taken @ w["W_enc"] + w["b_enc"]
        pre = pre * norm if rescaled else pre
        if architecture == "topk":
            codes = largest(pre, settings["k"])
        elif architecture == "abstopk":
            keep = np.argsort(-np.abs(pre), axis=1)[:, : settings["k"]]
            codes = np.zeros_like(pre)
            np.put_along_axis(codes, keep, np.take_along_axis(pre, keep, 1), 1)
        elif "jumprelu" in architecture:
            codes = relu(pre) * (pre > w["threshold"])
        elif architecture.endswith("batchtopk"):
            codes = relu(pre) * (pre > w["topk_threshold"])
        else:
            codes = relu(pre)
    made = (codes / norm if rescaled else codes) @ w["W_dec"] + w["b_dec"]
    if "skip" in architecture:
        made = made + x.astype(np.float64) @ w["W_skip"].T
    return codes, made if transcodes else outside(made)


def sparsify_tensors(skip=False):
    tensors = {
        "encoder.weight": drawn(1, F, D),
        "encoder.bias": drawn(2, F),
        "W_dec": drawn(3, F, D),
        "b_dec": drawn(4, D),
    }
    return tensors | ({"W_skip": drawn(5, D, D)} if skip else {})


def sparsify(tensors, settings, x):
    """Of SparseCoder: ReLU, then the k largest."""
    w = {name: one.astype(np.float64) for name, one in tensors.items()}
    taken = x if settings.get("transcode") else x - w["b_dec"]
    codes = largest(relu(taken @ w["encoder.weight"].T + w["encoder.bias"]), settings["k"])
    made = codes @ w["W_dec"] + w["b_dec"]
    return codes, made + x @ w["W_skip"].T if "W_skip" in w else made


def openai(tensors, activation, k, x):
    """Of Autoencoder: rows are normalised where the activation is TopK."""
    w = {name: one.astype(np.float64) for name, one in tensors.items()}
    inside, outside = (layer_normed if activation == "TopK" else as_is)(x.astype(np.float64))
    pre = (inside - w["pre_bias"]) @ w["encoder.weight"].T + w["latent_bias"]
    codes = largest(pre, k) if activation == "TopK" else relu(pre)
    return codes, outside(codes @ w["decoder.weight"].T + w["pre_bias"])
