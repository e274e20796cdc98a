"""Dictionaries of strangers that are damaged or meant to harm: one line, nothing run, nothing huge made."""

import json
import os
import pickle
import struct
from contextlib import suppress

import numpy as np
import pytest
import torch
from safetensors.numpy import save_file
from typer.testing import CliRunner

from brodmann.analysis.interpretability.formats.base import DICTIONARY_FORMATS, read_dictionary
from brodmann.errors import UserError

from .definitions import D, F, drawn, sae_tensors, sparsify_tensors, write_sae


def _refused(path, match, **options):
    with pytest.raises(UserError, match=match) as caught:
        read_dictionary(path, **options)
    message = str(caught.value)
    assert "\n" not in message
    assert len(message) < 600
    assert "\x1b" not in message
    return message


def _write(folder, tensors=None, **settings):
    return write_sae(folder, tensors or sae_tensors("topk"), **({"architecture": "topk", "k": 5} | settings))


class _Runs:
    def __init__(self, marker):
        self.marker = marker

    def __reduce__(self):
        return os.mkdir, (str(self.marker),)


@pytest.mark.parametrize("protocol", [2, 4])
def test_a_pickle_with_code_runs_nothing(protocol, tmp_path):
    marker = tmp_path / "ran"
    for name in ("ae.pt", "32768.pt"):
        (tmp_path / name).write_bytes(pickle.dumps({"pre_bias": _Runs(marker)}, protocol=protocol))
    torch.save({"encoder.weight": torch.ones(2, 2), "k": _Runs(marker)}, tmp_path / "zipped.pt")
    _refused(tmp_path / "32768.pt", "zip|torch|execut|code|run")
    _refused(tmp_path / "zipped.pt", "zip|torch|execut|code|run")
    (tmp_path / "config.json").write_text(json.dumps({"trainer": {"dict_class": "AutoEncoder"}}))
    _refused(tmp_path, "zip|torch|execut|code|run")
    np.savez(tmp_path / "params.npz", W_enc=np.array([_Runs(marker)], dtype=object))
    _refused(tmp_path / "params.npz", "npz")
    assert not marker.exists()


def test_a_header_that_says_more_than_the_file_has(tmp_path):
    folder = _write(tmp_path / "a")
    path = folder / "sae_weights.safetensors"
    for length in (1 << 62, 1 << 40, 99_000_000):
        path.write_bytes(struct.pack("<Q", length) + b"{}")
        _refused(folder, "safetensors")
    header = json.dumps(
        {"W_enc": {"dtype": "F32", "shape": [1 << 30, 1 << 30], "data_offsets": [0, 16]}}
    ).encode()
    path.write_bytes(struct.pack("<Q", len(header)) + header + b"\0" * 16)
    _refused(folder, "safetensors")


def test_an_array_that_says_more_than_memory_has(tmp_path, monkeypatch):
    monkeypatch.setenv("BRODMANN_MEMORY_GB", "0.6")
    np.savez_compressed(tmp_path / "params.npz", W_enc=np.zeros((4096, 8192), np.float32))
    _refused(tmp_path, "memory")
    big = torch.zeros(1 << 13, 1 << 12, dtype=torch.bfloat16)
    torch.save({"pre_bias": torch.zeros(4), "encoder.weight": big}, tmp_path / "a.pt")
    _refused(tmp_path / "a.pt", "memory")


def test_settings_that_are_too_long_too_deep_or_no_table(tmp_path):
    folder = _write(tmp_path / "a")
    for content, match in (
        (b'{"a": "' + b"x" * (17 << 20) + b'"}', "settings are not"),
        (b"[" * 100_000, "JSON|nested"),
        (b"[1, 2]", "no table"),
        (b"\xff\xfe", "JSON"),
        (b"", "JSON"),
        (b'{"architecture": NaN}', "must be a text"),
    ):
        (folder / "cfg.json").write_bytes(content)
        _refused(folder, match)


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
@pytest.mark.parametrize("name", ["W_enc", "W_dec", "b_enc", "b_dec"])
def test_numbers_that_are_none(name, bad, tmp_path):
    tensors = sae_tensors("topk")
    tensors[name].flat[3] = bad
    _refused(_write(tmp_path / "a", tensors), "NaN or infinite")


@pytest.mark.parametrize(
    ("name", "shape"),
    [("W_enc", (D,)), ("W_enc", (D, F + 1)), ("W_dec", (F, D + 1)), ("W_dec", (0, D)), ("b_enc", (F + 1,)),
     ("b_dec", (D, 1)), ("W_enc", (1, 1, 1))],
)  # fmt: skip
def test_wrong_shapes(name, shape, tmp_path):
    _refused(
        _write(tmp_path / "a", sae_tensors("topk") | {name: np.ones(shape, np.float32)}), "shape|numbers|\\("
    )


@pytest.mark.parametrize(
    ("architecture", "extra", "match"),
    [("gated", {"r_mag": np.ones(3, np.float32)}, "r_mag"),
     ("jumprelu", {"threshold": np.ones((2, 2), np.float32)}, "threshold"),
     ("skip_transcoder", {"W_skip": np.ones((3, 3), np.float32)}, "W_skip"),
     ("batchtopk", {"topk_threshold": np.ones(3, np.float32)}, "topk_threshold")],
)  # fmt: skip
def test_wrong_shapes_of_what_only_some_have(architecture, extra, match, tmp_path):
    settings = {"architecture": architecture, "d_out": D, "apply_b_dec_to_input": "skip" not in architecture}
    _refused(_write(tmp_path / "a", sae_tensors(architecture) | extra, **settings), match)


@pytest.mark.parametrize("name", ["W_enc", "b_dec", "threshold"])
def test_missing_tensors_are_named(name, tmp_path):
    tensors = sae_tensors("jumprelu")
    del tensors[name]
    assert name in _refused(_write(tmp_path / "a", tensors, architecture="jumprelu"), "needs")


@pytest.mark.parametrize(
    ("settings", "match"),
    [
        ({"k": F + 1}, "k = 41 of 40"),
        ({"k": 0}, "above 0"),
        ({"k": -3}, "above 0"),
        ({"k": "many"}, "above 0"),
        ({"k": 10**30}, "above 0"),
        ({"k": True}, "above 0"),
        ({"k": float("nan"), "architecture": "batchtopk"}, "above 0"),
        ({"d_in": 99}, "d_in"),
        ({"d_sae": 10**15}, "above 0|d_sae"),
        ({"architecture": "temporal"}, "no counterpart"),
        ({"architecture": "matching_pursuit"}, "no counterpart"),
        ({"architecture": ["topk"]}, "must be a text"),
        ({"apply_b_dec_to_input": "yes"}, "true or false"),
        ({"normalize_activations": "covariance_whitening"}, "not read"),
        ({"normalize_activations": {"a": 1}}, "not read"),
        ({"normalize_activations": "expected_average_only_in"}, "--scale"),
        ({"architecture": "standard", "activation_fn": "tanh-relu", "metadata": {}}, "no counterpart"),
    ],
)
def test_settings_that_cannot_be(settings, match, tmp_path):
    _refused(
        _write(
            tmp_path / "a",
            sae_tensors(
                settings.get("architecture") if settings.get("architecture") == "batchtopk" else "topk"
            ),
            **settings,
        ),
        match,
    )


@pytest.mark.parametrize(
    "name",
    ["<script>alert(1)</script>", "a\x1b[31mred", "gpt2\u202eevil", "line\nline", "x" * 1000, 7, "nul\0"],
)
def test_names_that_are_none(name, tmp_path):
    for settings in (
        {"model_name": name},
        {"hook_name": name},
        {"metadata": {"sae_lens_version": "6", "hook_name": name}},
    ):
        message = _refused(_write(tmp_path / "a", **settings), "name")
        assert "\u202e" not in message
    folder = tmp_path / "layers<script>"
    folder.mkdir(exist_ok=True)
    save_file(sparsify_tensors(), folder / "sae.safetensors")
    (folder / "cfg.json").write_text(json.dumps({"d_in": D, "k": 5, "num_latents": F}))
    _refused(folder, "no name")


@pytest.mark.parametrize("file", ["cfg.json", "sae_weights.safetensors"])
def test_links_out_of_the_folder_and_what_is_no_file(file, tmp_path):
    folder = _write(tmp_path / "a")
    outside = tmp_path / file
    (folder / file).rename(outside)
    (folder / file).symlink_to(outside)
    _refused(folder, "link out of its folder")
    (folder / file).unlink()
    os.mkfifo(folder / file)
    _refused(folder, "no dictionary|not a file|pipe")
    (folder / file).unlink()
    (folder / file).mkdir()
    _refused(folder, "no dictionary|not a file|folder")


def test_a_sparse_file_of_nothing(tmp_path):
    folder = _write(tmp_path / "a")
    with (folder / "sae_weights.safetensors").open("r+b") as stream:
        stream.truncate(1 << 33)
    _refused(folder, "sparse file|memory")


def test_what_is_no_dictionary_names_what_would_be_one(tmp_path):
    message = _refused(tmp_path, "no dictionary of a known layout")
    assert all(name in message for name in DICTIONARY_FORMATS)
    _refused(tmp_path / "absent", "no dictionary at")
    _write(tmp_path / "layers.1")
    _write(tmp_path / "layers.2")
    assert "layers.1, layers.2" in _refused(tmp_path, "name one of them")
    _refused(tmp_path / "layers.1", "unknown layout", layout="safelens")


@pytest.mark.parametrize(
    ("content", "match"),
    [
        ({"activation": "JumpReLU"}, "no counterpart"),
        (
            {"activation": "TopK", "activation_state_dict": {"k": 5, "postact_fn": "Identity"}},
            "no counterpart",
        ),
        ({"activation": "TopK"}, "'k' must"),
        ({"activation": "TopK", "activation_state_dict": {"k": F + 1}}, "k = 41"),
        ({"activation": "<b>"}, "no name"),
        ({"latent_bias": torch.ones(3)}, "latent_bias"),
        ({"encoder.weight": torch.ones(2, 2, dtype=torch.complex64)}, "no plain numbers"),
        ({"pre_bias": None}, "pre_bias"),
    ],
)
def test_openai_files_that_cannot_be(content, match, tmp_path):
    whole = {
        "pre_bias": torch.from_numpy(drawn(1, D)),
        "latent_bias": torch.from_numpy(drawn(2, F)),
        "encoder.weight": torch.from_numpy(drawn(3, F, D)),
        "decoder.weight": torch.from_numpy(drawn(4, D, F)),
    }
    torch.save(whole | content, tmp_path / "a.pt")
    _refused(tmp_path / "a.pt", match)


@pytest.mark.parametrize(
    ("trainer", "match"),
    [({}, "dict_class"), ({"dict_class": "Pickled"}, "unknown dict_class"),
     ({"dict_class": "AutoEncoderTopK", "k": 7}, "k is 7"),
     ({"dict_class": 3}, "must be a text")],
)  # fmt: skip
def test_dictionary_learning_files_that_cannot_be(trainer, match, tmp_path):
    state = {
        "encoder.weight": drawn(1, F, D),
        "encoder.bias": drawn(2, F),
        "decoder.weight": drawn(3, D, F),
        "b_dec": drawn(4, D),
    }
    torch.save(
        {name: torch.from_numpy(one) for name, one in state.items()} | {"k": torch.tensor(5)},
        tmp_path / "ae.pt",
    )
    (tmp_path / "config.json").write_text(json.dumps({"trainer": trainer}))
    _refused(tmp_path, match)


def test_every_cut_of_every_file_is_one_line(tmp_path):
    """A file that ends early, or has bytes changed, is refused in one line or read; nothing else is raised."""
    folder = _write(tmp_path / "a")
    torch.save(
        {name: torch.from_numpy(drawn(1, 3)) for name in ("pre_bias", "latent_bias")}, tmp_path / "o.pt"
    )
    np.savez(tmp_path / "params.npz", **sae_tensors("jumprelu"))
    random = np.random.default_rng(0)
    files = (
        folder / "cfg.json",
        folder / "sae_weights.safetensors",
        tmp_path / "o.pt",
        tmp_path / "params.npz",
    )
    for path in files:
        whole = path.read_bytes()
        named = folder if path.parent == folder else path
        for _ in range(25):
            spoilt = bytearray(
                whole[: int(random.integers(0, len(whole)))] if random.random() < 0.5 else whole
            )
            for place in random.integers(0, max(len(spoilt), 1), 3):
                if len(spoilt):
                    spoilt[place] = int(random.integers(0, 256))
            path.write_bytes(bytes(spoilt))
            with suppress(UserError):
                read_dictionary(named)
        path.write_bytes(whole)


def test_the_command_says_it_in_one_line_with_exit_code_2(tmp_path):
    from brodmann.bench.cli.main import app

    folder = _write(tmp_path / "a", model_name="<script>")
    ran = CliRunner().invoke(
        app, ["features", "convert", str(folder), "--to", "saelens", "--folder", str(tmp_path / "b")]
    )
    assert ran.exit_code != 0
    assert isinstance(ran.exception, UserError | SystemExit)
    assert not (tmp_path / "b").exists()
