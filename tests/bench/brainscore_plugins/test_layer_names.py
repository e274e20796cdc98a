"""Layers that are one tensor of several, one call of several, or overwritten later, as Brain-Score reads them."""

import json

import pytest
import torch
from plugin_cases import needs_brainscore, scored
from torch import nn

from brodmann import UserError, load_model
from brodmann.bench.brainscore_plugins import check_plugin, write_model_plugin
from brodmann.bench.brainscore_plugins.language_content import check_layer

FILE = '''
import torch
from torch import nn
from brodmann.models import ImagePreprocessing, VisionModel


class Block(nn.Module):
    """Like a transformer's of Hugging Face: hidden states, and what else there is."""

    def __init__(self):
        super().__init__()
        self.mix = nn.Linear(8, 8)

    def forward(self, x):
        return x + self.mix(x).relu(), {"gate": self.mix(x).sigmoid(), "deep": (None, x * 2)}


class ViT(nn.Module):
    def __init__(self):
        super().__init__()
        self.patches = nn.Conv2d(3, 8, 4, 4)
        self.act = nn.ReLU(inplace=True)
        self.blocks = nn.ModuleList(Block() for _ in range(2))
        self.shared = nn.Linear(8, 8)

    def forward(self, x):
        x = self.act(self.patches(x)).flatten(2).transpose(1, 2)
        for block in self.blocks:
            x = block(x)[0]
        for _ in range(3):
            x = self.shared(x)
        return x


def vit():
    torch.manual_seed(0)
    return VisionModel(ViT(), identifier="vit", preprocess=ImagePreprocessing(16), layers=["blocks.0", "blocks.1"])
'''


@pytest.fixture
def own(tmp_path):
    (tmp_path / "vit.py").write_text(FILE)
    return f"{tmp_path / 'vit.py'}:vit"


@needs_brainscore
def test_blocks_that_give_tuples_are_exported_and_read_as_brodmann_reads_them(own, tmp_path):
    model = load_model(own)
    chosen = {"V1": "patches", "V2": "blocks.0", "V4": "blocks.1#1.gate", "IT": "shared@2"}
    written = write_model_plugin(
        [scored(model, region, one) for region, one in chosen.items()], own, tmp_path / "out"
    )
    assert json.loads((written.plugin / "region_layer_map" / "vit.json").read_text()) == chosen
    assert 'LAYERS = ["patches"' in (written.plugin / "model.py").read_text().replace("'", '"')
    report = check_plugin(written, model)
    assert report.passed, report.text()
    [compared] = [check for check in report.checks if "activations" in check.name]
    assert compared.detail.startswith("4 layers, 4 stimuli, largest relative difference")


def test_a_call_from_the_end_is_one_line(own, tmp_path):
    model = load_model(own)
    with pytest.raises(
        UserError, match="'shared@-2' counts calls from the end, which a plugin cannot: count from 1"
    ):
        write_model_plugin([scored(model, "IT", "shared@-2")], own, tmp_path / "out")


def test_a_part_of_a_language_models_layer_is_one_line():
    network = nn.Sequential(nn.Linear(2, 2))
    with pytest.raises(UserError, match="'0#1' of 'gpt' is a part of what '0' gives"):
        check_layer(network, "0#1", "gpt")
    with torch.no_grad():
        check_layer(network, "0", "gpt")
