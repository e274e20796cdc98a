"""Layouts of peers: the same codes and rows as their definitions, and files that come back as they went."""

import json

import numpy as np
import pytest
import torch
from safetensors.numpy import save_file
from safetensors.torch import load_file

from brodmann.analysis.interpretability.codes import Weights
from brodmann.analysis.interpretability.dictionary import Dictionary, Site
from brodmann.analysis.interpretability.formats.base import DICTIONARY_FORMATS, read_dictionary
from brodmann.analysis.interpretability.quality.reconstruction import reconstruction
from brodmann.errors import UserError

from .definitions import (
    D,
    F,
    drawn,
    largest,
    openai,
    relu,
    rows,
    sae,
    sae_tensors,
    sparsify,
    sparsify_tensors,
    write_sae,
)

SAE = [
    {"architecture": "standard"},
    {"architecture": "standard", "apply_b_dec_to_input": False},
    {"architecture": "standard", "normalize_activations": "layer_norm"},
    {
        "architecture": "standard",
        "normalize_activations": "constant_norm_rescale",
        "apply_b_dec_to_input": False,
    },
    {"architecture": "topk", "k": 5},
    {"architecture": "topk", "k": 5, "rescale_acts_by_decoder_norm": True},
    {"architecture": "topk", "k": 5, "normalize_activations": "layer_norm", "apply_b_dec_to_input": False},
    {"architecture": "topk", "k": 5, "normalize_activations": "constant_norm_rescale"},
    {"architecture": "jumprelu"},
    {"architecture": "jumprelu", "apply_b_dec_to_input": False},
    {"architecture": "gated"},
    {"architecture": "gated", "apply_b_dec_to_input": False},
    {"architecture": "batchtopk", "k": 4.5},
    {"architecture": "matryoshka_batchtopk", "k": 4, "rescale_acts_by_decoder_norm": False},
    {"architecture": "transcoder", "apply_b_dec_to_input": False, "d_out": 7},
    {"architecture": "skip_transcoder", "apply_b_dec_to_input": False, "d_out": 7},
    {"architecture": "jumprelu_transcoder", "apply_b_dec_to_input": False, "d_out": D},
    {"architecture": "jumprelu_skip_transcoder", "apply_b_dec_to_input": False, "d_out": D},
]


def _named(settings):
    return "-".join(str(one) for one in settings.values())


def _same(dictionary, codes, made, x):
    assert np.abs(dictionary.encode(x).dense().numpy() - codes).max() < 2e-5
    assert np.abs(dictionary.reconstruct(x).numpy() - made).max() < 5e-5


@pytest.mark.parametrize("settings", SAE, ids=_named)
def test_saelens_has_the_codes_and_rows_of_its_definition(settings, tmp_path):
    tensors = sae_tensors(settings["architecture"], settings.get("d_out", D))
    x = rows()
    found = read_dictionary(write_sae(tmp_path / "a", tensors, **settings))
    codes, made = sae(tensors, settings, x)
    assert (codes > 0).sum() > 2 * len(x)
    _same(found, codes, made, x)
    assert found.site.layer == "blocks.1"


@pytest.mark.parametrize("settings", SAE, ids=_named)
def test_saelens_comes_back_bit_by_bit(settings, tmp_path):
    tensors = sae_tensors(settings["architecture"], settings.get("d_out", D))
    first = read_dictionary(write_sae(tmp_path / "a", tensors, **settings))
    form = DICTIONARY_FORMATS["saelens"]
    form.write(first, tmp_path / "b")
    second = read_dictionary(tmp_path / "b")
    x = rows(1)
    _same(second, first.encode(x).dense().numpy(), first.reconstruct(x).numpy(), x)
    form.write(second, tmp_path / "c")
    third = read_dictionary(tmp_path / "c")
    assert third.digest == second.digest
    plain = not settings.get("rescale_acts_by_decoder_norm", "batchtopk" in settings["architecture"])
    transcodes = "transcoder" in settings["architecture"]
    if (
        plain
        and "batchtopk" not in settings["architecture"]
        and (settings.get("apply_b_dec_to_input", True) or transcodes)
    ):
        kept = load_file(tmp_path / "b" / "sae_weights.safetensors")
        assert set(kept) == set(tensors)
        for name, one in tensors.items():
            assert torch.equal(kept[name], torch.from_numpy(one)), name


@pytest.mark.parametrize("number", ["float16", "bfloat16"])
def test_numbers_of_half_the_width_come_back_bit_by_bit(number, tmp_path):
    first = read_dictionary(write_sae(tmp_path / "a", sae_tensors("topk"), architecture="topk", k=5))
    for name in ("saelens", "sparsify"):
        form = DICTIONARY_FORMATS[name]
        form.write(first, tmp_path / name, number)
        half = read_dictionary(tmp_path / name)
        kind = getattr(torch, number)
        assert torch.equal(half.weights.encoder, first.weights.encoder.to(kind).float())
        assert torch.equal(half.weights.decoder, first.weights.decoder.to(kind).float())
        assert torch.equal(half.weights.bias, first.weights.bias.to(kind).float())


def test_abstopk_is_topk_of_both_signs(tmp_path):
    settings = {"architecture": "abstopk", "k": 6}
    tensors = sae_tensors("abstopk")
    found = read_dictionary(write_sae(tmp_path / "a", tensors, **settings))
    x = rows()
    codes, made = sae(tensors, settings, x)
    dense = found.encode(x).dense().numpy()
    assert (codes < 0).any()
    assert found.n_features == 2 * F
    assert np.abs(dense[:, :F] - dense[:, F:] - codes).max() < 2e-5
    assert np.abs(found.reconstruct(x).numpy() - made).max() < 5e-5
    assert "negative" in found.facts["converted"]


@pytest.mark.parametrize(
    ("settings", "now"),
    [
        ({}, {"architecture": "standard"}),
        ({"activation_fn_str": "topk", "activation_fn_kwargs": {"k": 5}}, {"architecture": "topk", "k": 5}),
        ({"activation_fn": "relu", "activation_fn_kwargs": {"k": 5}}, {"architecture": "topk", "k": 5}),
        ({"architecture": "jumprelu", "normalize_activations": False}, {"architecture": "jumprelu"}),
        ({"architecture": "gated", "normalize_activations": None}, {"architecture": "gated"}),
    ],
)
def test_older_files_of_saelens(settings, now, tmp_path):
    tensors = sae_tensors(now["architecture"])
    old = {
        "metadata": {},
        "sae_lens_version": "3.22.1",
        "hook_point": "blocks.2.hook_resid_pre",
        "model_name": "gpt2",
    }
    found = read_dictionary(write_sae(tmp_path / "a", tensors, **(old | settings)))
    _same(found, *sae(tensors, now, rows()), rows())
    assert (found.site.model, found.site.layer) == ("gpt2", "blocks.2.hook_resid_pre")


def test_a_factor_of_each_feature_is_part_of_the_decoder(tmp_path):
    tensors = sae_tensors("standard")
    factor = np.linspace(0.5, 1.5, F, dtype=np.float32)
    write_sae(
        tmp_path / "a", tensors | {"scaling_factor": factor}, metadata={}, finetuning_scaling_factor=True
    )
    codes, _ = sae(tensors, {"architecture": "standard"}, rows())
    made = (codes * factor) @ tensors["W_dec"].astype(float) + tensors["b_dec"]
    _same(read_dictionary(tmp_path / "a"), codes, made, rows())
    write_sae(tmp_path / "b", tensors | {"scaling_factor": factor}, metadata={})
    with pytest.raises(UserError, match="finetuning_scaling_factor"):
        read_dictionary(tmp_path / "b")


def test_a_scale_that_the_file_lacks_comes_from_rows(tmp_path):
    """SAELens learns on rows times sqrt(d) / mean ||x|| and leaves the factor out of unfolded files."""
    x = rows(3, 4000) * 50
    factor = np.sqrt(D) / np.linalg.norm(x, axis=1).mean()
    tensors = sae_tensors("topk")
    tensors["W_dec"] = tensors["W_enc"].T / (tensors["W_enc"] ** 2).sum(axis=0)[:, None]
    tensors["b_dec"] = (x.mean(axis=0) * factor).astype(np.float32)
    tensors["b_enc"] = np.zeros(F, np.float32)
    settings = {"architecture": "topk", "k": 1, "normalize_activations": "expected_average_only_in"}
    folder = write_sae(tmp_path / "a", tensors, **settings)
    with pytest.raises(UserError, match="give rows of its layer"):
        read_dictionary(folder)
    plain = {"architecture": "topk", "k": 1}
    codes, made = sae(tensors, plain, x * factor)
    found = read_dictionary(folder, scale=1 / factor)
    assert np.abs(found.encode(x).dense().numpy() - codes).max() < 2e-5
    assert np.abs(found.reconstruct(x).numpy() - made / factor).max() < 2e-3
    of_rows = read_dictionary(folder, x[:2000])
    assert of_rows.scale == pytest.approx(1 / factor, rel=0.02)
    written = DICTIONARY_FORMATS["saelens"].write(found, tmp_path / "b")
    folded = read_dictionary(written)
    assert np.abs(folded.reconstruct(x).numpy() - made / factor).max() < 2e-3


@pytest.mark.parametrize("transcode", [False, True])
@pytest.mark.parametrize("skip", [False, True])
def test_sparsify_has_the_codes_and_rows_of_its_definition_and_comes_back(transcode, skip, tmp_path):
    tensors = sparsify_tensors(skip)
    settings = {
        "d_in": D,
        "k": 5,
        "num_latents": F,
        "expansion_factor": 32,
        "transcode": transcode,
        "skip_connection": skip,
    }
    folder = tmp_path / "layers.3.mlp"
    folder.mkdir()
    save_file(tensors, folder / "sae.safetensors")
    (folder / "cfg.json").write_text(json.dumps(settings))
    found = read_dictionary(folder)
    _same(found, *sparsify(tensors, settings, rows()), rows())
    assert found.site.layer == "layers.3.mlp"
    if skip and not transcode:  # a skip of an autoencoder is a transcoder as we write it
        return
    DICTIONARY_FORMATS["sparsify"].write(found, tmp_path / "again")
    kept = load_file(tmp_path / "again" / "sae.safetensors")
    assert set(kept) == set(tensors)
    assert all(torch.equal(kept[name], torch.from_numpy(one)) for name, one in tensors.items())
    again = json.loads((tmp_path / "again" / "cfg.json").read_text())
    assert {name: again[name] for name in ("d_in", "k", "num_latents", "transcode", "skip_connection")} == {
        name: settings[name] for name in ("d_in", "k", "num_latents", "transcode", "skip_connection")
    }


def test_files_of_sae_before_sparsify(tmp_path):
    tensors = sparsify_tensors()
    old = {name: one for name, one in tensors.items() if name != "W_dec"}
    old["decoder.weight"] = np.ascontiguousarray(tensors["W_dec"].T)
    save_file(old, tmp_path / "sae.safetensors")
    (tmp_path / "cfg.json").write_text(
        json.dumps({"d_in": D, "k": 5, "expansion_factor": 8, "num_latents": F})
    )
    _same(read_dictionary(tmp_path), *sparsify(tensors, {"k": 5}, rows()), rows())


def _openai(path, activation, k=5):
    tensors = {
        "pre_bias": drawn(1, D),
        "latent_bias": drawn(2, F),
        "encoder.weight": drawn(3, F, D),
        "decoder.weight": drawn(4, D, F),
    }
    content = {name: torch.from_numpy(one) for name, one in tensors.items()}
    inner = {"k": k, "postact_fn": "ReLU"} if activation == "TopK" else {}
    torch.save(content | {"activation": activation, "activation_state_dict": inner}, path)
    return tensors


@pytest.mark.parametrize("activation", ["TopK", "ReLU"])
@pytest.mark.parametrize("name", ["32768.pt", "resid_post_mlp"])
def test_openai_has_the_codes_and_rows_of_its_definition_and_comes_back(activation, name, tmp_path):
    tensors = _openai(tmp_path / name, activation)
    found = read_dictionary(tmp_path / name)
    _same(found, *openai(tensors, activation, 5, rows()), rows())
    folder = DICTIONARY_FORMATS["openai"].write(found, tmp_path / "again")
    kept = torch.load(folder / "autoencoder.pt", weights_only=True)
    assert all(torch.equal(kept[one], torch.from_numpy(value)) for one, value in tensors.items())
    assert kept["activation"] == activation
    assert read_dictionary(folder).digest == found.digest


@pytest.mark.parametrize("case", ["W", "w"])
@pytest.mark.parametrize("is_folder", [True, False])
def test_gemma_scope(case, is_folder, tmp_path):
    tensors = sae_tensors("jumprelu")
    path = tmp_path / ("params.npz" if is_folder else "l5.npz")
    np.savez(path, **{name.replace("W_", f"{case}_"): one for name, one in tensors.items()})
    found = read_dictionary(tmp_path if is_folder else path)
    settings = {"architecture": "jumprelu", "apply_b_dec_to_input": False}
    _same(found, *sae(tensors, settings, rows()), rows())


def _learnt(kind):
    """State and definition of each class of dictionary_learning."""
    e, b_e, dec, b = drawn(1, F, D), drawn(2, F), drawn(3, F, D), drawn(4, D)
    norm = np.linalg.norm(dec.astype(float), axis=1)
    wide = np.float32(0.25)
    linear = {"encoder.weight": e, "encoder.bias": b_e, "decoder.weight": np.ascontiguousarray(dec.T)}
    across = {"W_enc": np.ascontiguousarray(e.T), "b_enc": b_e, "W_dec": dec, "b_dec": b}
    k = {"k": np.int32(5).reshape(()), "threshold": wide.reshape(())}

    def pre(x, taken=b):
        return (x - taken) @ e.T.astype(float) + b_e

    if kind == "AutoEncoder":
        return linear | {"bias": b}, lambda x: relu(pre(x)) * norm, lambda f: (f / norm) @ dec + b
    if kind == "AutoEncoderNew":
        return linear | {"decoder.bias": b}, lambda x: relu(pre(x, 0)), lambda f: f @ dec + b
    if kind == "AutoEncoderTopK":
        return linear | {"b_dec": b} | k, lambda x: largest(relu(pre(x)), 5), lambda f: f @ dec + b
    if kind == "BatchTopKSAE":
        return (
            linear | {"b_dec": b} | k,
            lambda x: relu(pre(x)) * (relu(pre(x)) > wide),
            lambda f: f @ dec + b,
        )
    if kind == "MatryoshkaBatchTopKSAE":
        sizes = {"group_sizes": np.array([8, 32])}
        return across | k | sizes, lambda x: relu(pre(x)) * (relu(pre(x)) > wide), lambda f: f @ dec + b
    if kind == "JumpReluAutoEncoder":
        threshold = np.abs(drawn(6, F))
        return (
            across | {"threshold": threshold},
            lambda x: relu(pre(x, 0) * (pre(x, 0) > threshold)),
            lambda f: f @ dec + b,
        )
    gate, mag, log = drawn(6, F), drawn(7, F), drawn(8, F)
    state = {"encoder.weight": e, "decoder.weight": linear["decoder.weight"], "decoder_bias": b}

    def gated(x):
        inner = (x - b) @ e.T.astype(float)
        return (inner + gate > 0) * relu(np.exp(log.astype(float)) * inner + mag)

    return state | {"gate_bias": gate, "mag_bias": mag, "r_mag": log}, gated, lambda f: f @ dec + b


@pytest.mark.parametrize(
    "kind",
    ["AutoEncoder", "AutoEncoderNew", "AutoEncoderTopK", "BatchTopKSAE", "GatedAutoEncoder", "JumpReluAutoEncoder",
     "MatryoshkaBatchTopKSAE"],
)  # fmt: skip
@pytest.mark.parametrize("by_file", [True, False])
def test_dictionary_learning(kind, by_file, tmp_path):
    state, encode, decode = _learnt(kind)
    torch.save({name: torch.from_numpy(np.asarray(one)) for name, one in state.items()}, tmp_path / "ae.pt")
    trainer = {
        "dict_class": kind,
        "k": 5,
        "layer": 3,
        "lm_name": "EleutherAI/pythia-70m",
        "activation_dim": D,
    }
    (tmp_path / "config.json").write_text(json.dumps({"trainer": trainer, "buffer": {"ctx_len": 128}}))
    x = rows()
    codes = encode(x.astype(float))
    assert (codes > 0).sum() > len(x)
    found = read_dictionary(tmp_path / "ae.pt" if by_file else tmp_path)
    _same(found, codes, decode(codes), x)
    assert (found.site.model, found.site.layer) == ("EleutherAI/pythia-70m", "layer 3")


def _ours(variant="topk", **changed):
    threshold = torch.full((F,), 0.1) if variant in ("batchtopk", "matryoshka") else None
    extra = {"output_bias": torch.zeros(D)} if variant == "transcoder" else {}
    weights = Weights(
        torch.from_numpy(drawn(1, F, D)), torch.from_numpy(drawn(2, F, D)), torch.from_numpy(drawn(3, F)),
        torch.from_numpy(drawn(4, D)) * (not extra), 5, threshold, extra,
    )  # fmt: skip
    mean = torch.from_numpy(drawn(5, D)) * 3
    return Dictionary(weights, mean, 2.5, variant, site=Site("twin", "abc", "h.1", "token"), **changed)


@pytest.mark.parametrize("name", ["saelens", "sparsify", "openai"])
@pytest.mark.parametrize("variant", ["topk", "relu", "batchtopk", "frozen", "transcoder"])
def test_our_own_keep_their_codes_in_every_layout_that_can_say_them(name, variant, tmp_path):
    from brodmann.analysis.interpretability.variants.base import VARIANTS

    if variant not in VARIANTS:
        pytest.skip(f"{variant} is not here")
    ours = _ours(variant)
    can = {
        "saelens": {"topk", "relu", "batchtopk", "frozen"},
        "sparsify": {"topk", "frozen", "transcoder"},
        "openai": {"relu"},
    }
    form = DICTIONARY_FORMATS[name]
    if variant not in can[name]:
        with pytest.raises(UserError, match="write it as|SAELens has no"):
            form.write(ours, tmp_path / "a")
        return
    found = read_dictionary(form.write(ours, tmp_path / "a"))
    x = rows(7) * 3
    np.testing.assert_allclose(found.encode(x).dense(), ours.encode(x).dense(), atol=2e-5)
    np.testing.assert_allclose(found.reconstruct(x), ours.reconstruct(x), atol=1e-4)


def test_our_own_folder_is_read_among_the_others(tmp_path):
    ours = _ours()
    assert read_dictionary(ours.save(tmp_path / "a.features")).digest == ours.digest


def test_rows_that_it_was_not_learnt_on_are_refused_with_a_hint(tmp_path):
    x = rows(2, 3000)
    good = sae_tensors("topk")
    good["W_dec"] = good["W_enc"].T / (good["W_enc"] ** 2).sum(axis=0)[:, None]
    good["b_enc"], good["b_dec"] = np.zeros(F, np.float32), x.mean(axis=0)
    folder = write_sae(tmp_path / "a", good, architecture="topk", k=1)
    assert reconstruction(read_dictionary(folder, x), x).fvu < 1
    with pytest.raises(UserError, match="centred or scaled"):
        read_dictionary(folder, x * 0.01)
