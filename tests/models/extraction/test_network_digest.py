"""A network's digest: everything that it computes by, and nothing of where it came from."""

import json
import shutil

import pytest
import torch
from torch import nn

from brodmann.models.extraction.network_digest import network_fingerprint

SIZES = {
    "vocab_size": 50, "hidden_size": 32, "num_hidden_layers": 2, "num_attention_heads": 4, "intermediate_size": 64,
    "num_key_value_heads": 4, "head_dim": 8,
}  # fmt: skip


def _digest(module):
    return network_fingerprint(type(module), module).digest


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    transformers = pytest.importorskip("transformers")
    place = tmp_path_factory.mktemp("mistral") / "network"
    config = transformers.MistralConfig(**SIZES, sliding_window=None)
    transformers.AutoModel.from_config(config).save_pretrained(place)
    return place


def _read(place):
    import transformers

    return transformers.AutoModel.from_pretrained(place, dtype=torch.float32).eval()


def test_a_network_from_two_folders_has_one_digest_before_and_after_it_ran(folder, tmp_path):
    shutil.copytree(folder, tmp_path / "elsewhere")
    one, other = _read(folder), _read(tmp_path / "elsewhere")
    before = _digest(one)
    one(torch.ones(1, 5, dtype=torch.long))
    assert _digest(one) == before == _digest(other)


@pytest.mark.parametrize(
    ("name", "value"), [("sliding_window", 1), ("rms_norm_eps", 0.5), ("hidden_act", "relu")]
)
def test_a_setting_of_the_config_that_changes_numbers_changes_the_digest(folder, tmp_path, name, value):
    shutil.copytree(folder, tmp_path / "other")
    settings = json.loads((folder / "config.json").read_text())
    (tmp_path / "other" / "config.json").write_text(json.dumps(settings | {name: value}))
    assert _digest(_read(tmp_path / "other")) != _digest(_read(folder))


def test_plain_containers_of_an_installed_class_count():
    def padded(shape):
        module = nn.Sequential(nn.LayerNorm(4))
        module[0].shifts = {"by": [shape, None, "x"]}
        return module

    assert _digest(padded((1, 2))) == _digest(padded((1, 2))) != _digest(padded((2, 1)))
