"""Every published family, on files of its true layout; the real ones where they are at hand."""

import argparse
import io
import os
import pickle
import sys
import types
import zipfile
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
import torch
from torch.nn import functional as F

from brodmann.errors import UserError
from brodmann.models import load_model
from brodmann.models.architectures.gpt import GPT, GPTShape
from brodmann.models.architectures.locally_connected import AllTNN, LocalShape
from brodmann.models.architectures.resnet import BasicBlock, BlurPoolConv2d, Bottleneck, ResNet
from brodmann.models.architectures.vit import VisionTransformer
from brodmann.models.catalogue import add_model, list_models
from brodmann.models.weights.checkpoint import read_archive
from brodmann.models.weights.detect_architecture import network_from
from brodmann.models.weights.state_dict import read_content, read_weights
from brodmann.models.zoo.topolm import read_positions
from brodmann.models.zoo.toponets import load_toponet

SMALL = (16, 24, 32, 40)
TEXT = "the dog saw a ball and the ball saw a dog " * 20


def resnet(block=BasicBlock, depths=(2, 2, 2, 2), blurred=True, **options):
    torch.manual_seed(0)
    return ResNet(block, depths, widths=SMALL, n_classes=7, blurred=blurred, **options).eval()


@pytest.fixture
def tokenizer_file(tmp_path):
    from tokenizers import Tokenizer, models, pre_tokenizers, trainers

    made = Tokenizer(models.BPE())
    made.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    alphabet = pre_tokenizers.ByteLevel.alphabet()
    made.train_from_iterator([TEXT], trainers.BpeTrainer(vocab_size=290, initial_alphabet=alphabet))
    path = tmp_path / "tokenizer.json"
    made.save(str(path))
    return path


def test_the_names_of_a_toponet_resnet18_are_the_published_ones():
    names = set(ResNet(BasicBlock, (2, 2, 2, 2), blurred=True).state_dict())
    assert len(names) == 128  # as the published files have
    for group in (2, 3, 4):
        for name in (f"layer{group}.0.conv1", f"layer{group}.0.downsample.0"):
            assert {f"{name}.conv.weight", f"{name}.blur_filter"} <= names
    assert "layer1.0.conv1.weight" in names
    assert len(ResNet(Bottleneck, (3, 4, 6, 3), blurred=True).state_dict()) == 326
    assert "layer3.0.conv2.blur_filter" in ResNet(Bottleneck, (3, 4, 6, 3), blurred=True).state_dict()


def test_a_blurred_convolution_is_the_convolution_of_the_blurred_picture():
    torch.manual_seed(0)
    conv = torch.nn.Conv2d(16, 5, 3, 2, 1, bias=False)
    x = torch.randn(2, 16, 9, 9)
    line = torch.tensor([1.0, 2.0, 1.0]) / 4
    padded = F.pad(x, (1, 1, 1, 1))
    across = sum(line[i] * padded[:, :, :, i : i + 9] for i in range(3))
    blurred = sum(line[i] * across[:, :, i : i + 9] for i in range(3))
    torch.testing.assert_close(BlurPoolConv2d(conv)(x), conv(blurred))


@pytest.mark.parametrize(("block", "depths"), [(BasicBlock, (2, 2, 2, 2)), (Bottleneck, (3, 4, 6, 3))])
@pytest.mark.parametrize("blurred", [True, False])
def test_a_residual_network_is_recognised_from_its_weights(tmp_path, block, depths, blurred):
    network = resnet(block, depths, blurred)
    path = tmp_path / "all_topo_tau_10.0.pt"
    torch.save(network.state_dict(), path)
    model = load_toponet(tmp_path)
    x = torch.randn(2, 3, 64, 64)
    torch.testing.assert_close(model.module(x), network(x))
    sheet = model.sheet("layer2.0.conv1")
    assert (sheet.shape, sheet.reads, sheet.layout) == ((4, 6), "channel", "native")
    assert load_model(f"weights:{path}").sheet("layer2.0.conv1").layout == "row-major"


def test_a_blurred_convolution_is_read_at_its_wrapper(tmp_path, pictures):
    torch.save(resnet().state_dict(), tmp_path / "tau_1.0.pt")
    model = load_toponet(tmp_path)
    found = model.extract(pictures, ["layer2.0.conv1"])["layer2.0.conv1"]
    assert found.sizes["neuroid"] == 24 * 28 * 28
    with pytest.raises(UserError, match="a wrapped module is read at its wrapper"):
        model.extract(pictures, ["layer2.0.conv1.conv"])


def test_every_layer_of_a_toponet_answers_in_forward_order(tmp_path, pictures):
    torch.save(resnet(Bottleneck, (1, 2, 1, 1)).state_dict(), tmp_path / "tau_1.0.pt")
    model = load_toponet(tmp_path)
    seen = []
    for name in model.layers:
        model.module.get_submodule(name).register_forward_hook(lambda *_, name=name: seen.append(name))
    model.module(torch.zeros(1, 3, 32, 32))
    assert seen == model.layers


def vit():
    torch.manual_seed(0)
    return VisionTransformer(
        size=64, patch=16, n_layers=3, n_heads=1, width=64, n_inner=96, n_classes=7
    ).eval()


def test_a_vision_transformer_whose_file_carries_the_arguments_of_its_training(tmp_path, pictures):
    network = vit()
    path = tmp_path / "tau_10.0.pt"
    arguments = argparse.Namespace(tau=10.0, output_dir=Path("/somewhere"), epochs=300)
    torch.save(
        {"model": network.state_dict(), "optimizer": {"state": {}}, "args": arguments, "epoch": 3}, path
    )
    with pytest.raises(pickle.UnpicklingError):
        torch.load(path, weights_only=True)
    model = load_toponet(tmp_path)
    x = torch.randn(2, 3, 64, 64)
    torch.testing.assert_close(model.module(x), network(x))
    assert model.sheet("encoder.layers.encoder_layer_1.mlp.0").shape == (8, 12)
    found = model.extract(pictures, ["encoder.layers.encoder_layer_1.mlp.0"])
    assert found["encoder.layers.encoder_layer_1.mlp.0"].sizes["neuroid"] == 17 * 96


def test_a_vision_transformer_computes_what_torch_computes():
    """torch's own encoder layer, in its pre-norm form, with the same weights."""
    network = vit()
    block = network.encoder.layers[0]
    peer = torch.nn.TransformerEncoderLayer(
        64, 1, 96, dropout=0.0, activation="gelu", layer_norm_eps=1e-6, batch_first=True, norm_first=True
    ).eval()
    peer.self_attn.load_state_dict(block.self_attention.state_dict())
    peer.linear1.load_state_dict(block.mlp[0].state_dict())
    peer.linear2.load_state_dict(block.mlp[3].state_dict())
    peer.norm1.load_state_dict(block.ln_1.state_dict())
    peer.norm2.load_state_dict(block.ln_2.state_dict())
    x = torch.randn(2, 5, 64)
    torch.testing.assert_close(block(x), peer(x), atol=1e-5, rtol=1e-5)


def gpt(**options):
    torch.manual_seed(0)
    return GPT(GPTShape(n_layer=2, n_head=1, n_embd=64, vocab_size=304, block_size=32, **options)).eval()


def test_a_nanogpt_with_the_names_of_a_compiled_module(tmp_path, tokenizer_file):
    network = gpt()
    state = {f"_orig_mod.{name}": value for name, value in network.state_dict().items()}
    torch.save({"model": state, "iter_num": 5}, tmp_path / "tau_3.0.pt")
    model = load_toponet(tmp_path)
    ids = torch.arange(20)[None]
    torch.testing.assert_close(model.module(ids), network(ids))
    assert model.layers[:2] == ["transformer.h.0.mlp.c_fc", "transformer.h.0"]
    assert model.sheet("transformer.h.0.mlp.c_fc").shape == (16, 16)


def test_a_gpt_computes_what_transformers_computes():
    from transformers import GPT2Config, GPT2LMHeadModel

    network = gpt(bias=True)
    config = GPT2Config(
        vocab_size=304, n_positions=32, n_embd=64, n_layer=2, n_head=1, activation_function="gelu"
    )
    peer = GPT2LMHeadModel(config).eval()
    state = dict(network.state_dict())
    for name, value in state.items():
        if name.endswith("weight") and ("attn.c_" in name or "mlp.c_" in name):
            state[name] = value.T  # transformers keeps these transposed
    peer.load_state_dict(state, strict=False)
    ids = torch.randint(0, 304, (3, 32))
    torch.testing.assert_close(network(ids), peer(ids).logits, atol=1e-4, rtol=1e-4)


def test_a_language_toponet_without_its_tokenizer_says_what_is_missing(tmp_path):
    torch.save({"model": gpt().state_dict()}, tmp_path / "tau_3.0.pt")
    with pytest.raises(UserError, match=r"needs GPT-2's tokenizer.json beside its weights"):
        load_toponet(tmp_path)


def test_weights_of_an_unknown_architecture(tmp_path):
    torch.save({"stem.weight": torch.zeros(2, 2)}, tmp_path / "mine.pt")
    with pytest.raises(UserError, match=r"architecture that is not known here .*'stem.weight'"):
        network_from(tmp_path / "mine.pt")


def tdann_folder(folder, *, style="base_model.layer{}_{}"):
    network = resnet(blurred=False)
    state = {}
    for name, value in network.state_dict().items():
        group, _, rest = name.partition(".")
        if group.startswith("layer"):
            block, _, rest = rest.partition(".")
            name = f"{style.format(group[5:], block)}.{rest}"
        else:
            name = f"base_model.{name}"
        state[name] = value
    checkpoint = {
        "classy_state_dict": {"base_model": {"model": {"trunk": state, "heads": {}}}},
        "phase_idx": 199,
    }
    torch.save(checkpoint, folder / "model_final_checkpoint_phase199.torch")
    (folder / "positions").mkdir()
    generator = np.random.default_rng(0)
    for layer, shape in {"layer3.1": (32, 14, 14), "layer4.1": (40, 7, 7)}.items():
        np.savez(
            folder / "positions" / f"{layer}.npz",
            name=layer,
            dims=shape,
            coordinates=generator.uniform(0, 70, (int(np.prod(shape)), 2)).astype(np.float32),
            neighborhood_indices=np.zeros((3, 5), int),
            neighborhood_width=2.0,
        )
    return network


@pytest.mark.parametrize("style", ["base_model.layer{}_{}", "base_model.layer{}.{}"])
def test_a_tdann_from_its_checkpoint_and_positions(tmp_path, pictures, style):
    network = tdann_folder(tmp_path, style=style)
    model = load_model(f"tdann:{tmp_path}")
    x = torch.randn(2, 3, 64, 64)
    torch.testing.assert_close(
        model.module.layer1(torch.ones(1, 16, 8, 8)), network.layer1(torch.ones(1, 16, 8, 8))
    )
    assert model.module(x).shape == (2, 40)
    sheet = model.sheet("layer4.1")
    assert (sheet.unit, sheet.reads, len(sheet)) == ("mm", "unit", 40 * 7 * 7)
    assert model.extract(pictures, ["layer4.1"])["layer4.1"].sizes["neuroid"] == len(sheet)
    assert model.sheet("layer1.0") is None


def test_a_tdann_of_the_first_release_is_scaled_to_mm(tmp_path):
    from brodmann.models.zoo.tdann import load_tdann

    tdann_folder(tmp_path)
    plain, scaled = load_tdann(tmp_path), load_tdann(tmp_path, first_version=True)
    np.testing.assert_allclose(scaled.sheet("layer4.1").positions, 7 * plain.sheet("layer4.1").positions)


def test_a_tdann_without_positions(tmp_path):
    tdann_folder(tmp_path)
    for path in (tmp_path / "positions").iterdir():
        path.unlink()
    with pytest.raises(UserError, match="holds no positions"):
        load_model(f"tdann:{tmp_path}")


@dataclass
class LayerPositions:
    """The class that TopoLM's pickles name, under the module name that they name."""

    name: str
    dims: tuple
    coordinates: torch.Tensor
    neighborhood_indices: torch.Tensor
    neighborhood_width: float


@pytest.fixture
def positions_module(monkeypatch):
    module = types.ModuleType("positions")
    module.LayerPositions = LayerPositions
    monkeypatch.setattr(LayerPositions, "__module__", "positions")
    monkeypatch.setitem(sys.modules, "positions", module)


def write_positions(folder, n_units=64, n_layer=2):
    folder.mkdir(exist_ok=True)
    side = int(n_units**0.5)
    places = torch.stack(torch.meshgrid(torch.arange(side), torch.arange(side), indexing="ij"), -1).reshape(
        -1, 2
    )
    for i in range(n_layer):
        for part in ("attn", "mlp"):
            one = LayerPositions(
                f"layer.{i}.{part}", (n_units,), places.float(), torch.zeros(3, 5).long(), 5.0
            )
            with (folder / f"layer.{i}.{part}.pkl").open("wb") as stream:
                pickle.dump(one, stream)
    return places.numpy()


class DictConfig:
    """Stands for omegaconf's, under its module name."""

    def __init__(self):
        self.content = {"alpha": 2.5}


@pytest.fixture
def topolm_folder(tmp_path, tokenizer_file, positions_module, monkeypatch):
    module = types.ModuleType("omegaconf.dictconfig")
    module.DictConfig = DictConfig
    monkeypatch.setattr(DictConfig, "__module__", "omegaconf.dictconfig")
    monkeypatch.setitem(sys.modules, "omegaconf.dictconfig", module)
    monkeypatch.setitem(sys.modules, "omegaconf", types.ModuleType("omegaconf"))
    state = {f"_orig_mod.{name}": value for name, value in gpt().state_dict().items()}
    arguments = {"n_layer": 2, "n_head": 2, "n_embd": 64, "position_dir": "gpt2-positions-5-5"}
    torch.save({"model": state, "model_args": arguments, "config": DictConfig()}, tmp_path / "ckpt.pt")
    write_positions(tmp_path / "gpt2-positions-5-5")
    for name in ("positions", "omegaconf", "omegaconf.dictconfig"):
        monkeypatch.delitem(sys.modules, name)  # the reader must do without them
    return tmp_path


def test_a_topolm_from_checkpoint_positions_and_tokenizer(topolm_folder):
    import pandas as pd

    from brodmann.brain_data.stimulus_set import StimulusSet

    model = load_model(f"topolm:{topolm_folder}")
    assert model.layers == [f"transformer.h.{i}.{part}" for i in (0, 1) for part in ("attn", "mlp")]
    assert model.module.shape.n_head == 2  # as the checkpoint says
    sheet = model.sheet("transformer.h.1.mlp")
    np.testing.assert_array_equal(sheet.positions[9], (1, 1))
    texts = StimulusSet(pd.DataFrame({"stimulus_id": ["a", "b"], "sentence": ["the dog saw", "a ball"]}))
    texts.identifier = "two"
    assert model.extract(texts, ["transformer.h.1.mlp"])["transformer.h.1.mlp"].shape == (2, 64)


def test_positions_that_do_not_fit_the_network(topolm_folder, monkeypatch):
    module = types.ModuleType("positions")
    module.LayerPositions = LayerPositions
    monkeypatch.setitem(sys.modules, "positions", module)
    write_positions(topolm_folder / "gpt2-positions-5-5", n_units=49)
    with pytest.raises(UserError, match=r"positions of layer.0.attn \(49 units\) do not fit"):
        load_model(f"topolm:{topolm_folder}")


class Harmful:
    def __reduce__(self):
        return (os.system, ("touch HARM",))


@pytest.mark.parametrize("where", ["positions", "checkpoint", "nested"])
def test_a_pickle_that_would_run_something_is_refused_and_runs_nothing(tmp_path, monkeypatch, where):
    monkeypatch.chdir(tmp_path)
    if where == "positions":
        (tmp_path / "layer.0.attn.pkl").write_bytes(pickle.dumps(Harmful()))
        with pytest.raises(
            UserError, match=r"no readable positions of TopoLM: refused \(it names posix.system\)"
        ):
            read_positions(tmp_path)
    elif where == "checkpoint":
        torch.save({"model": {"w": torch.zeros(2)}, "args": Harmful()}, tmp_path / "bad.pt")
        with pytest.raises(UserError, match=r"could execute code: refused \(it names posix.system\)"):
            read_weights(tmp_path / "bad.pt")
    else:  # inside an object that is itself admitted
        torch.save({"w": torch.zeros(2), "args": argparse.Namespace(inside=Harmful())}, tmp_path / "bad.pt")
        with pytest.raises(UserError, match="could execute code: refused"):
            read_weights(tmp_path / "bad.pt")
    assert not (tmp_path / "HARM").exists()


def test_a_tensor_that_reaches_beyond_its_storage_is_refused(tmp_path):
    path = tmp_path / "bad.pt"
    torch.save({"w": torch.arange(6.0).reshape(2, 3), "args": argparse.Namespace()}, path)
    with zipfile.ZipFile(path) as archive:
        parts = {name: archive.read(name) for name in archive.namelist()}
    name = next(name for name in parts if name.endswith("data/0"))
    parts[name] = parts[name][:8]
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as archive:
        for key, value in parts.items():
            archive.writestr(key, value)
    path.write_bytes(out.getvalue())
    with pytest.raises(pickle.UnpicklingError, match="a tensor reaches beyond its storage"):
        read_archive(path)
    with pytest.raises(UserError, match="damaged"):
        read_weights(path)


def test_settings_are_left_out_and_tensors_kept_exactly(tmp_path):
    state = {"a": torch.randn(3, 4).T, "b": torch.arange(5), "c": torch.ones(2, dtype=torch.float16)}
    torch.save({"model": state, "args": argparse.Namespace(lr=0.1)}, tmp_path / "some.pt")
    content = read_content(tmp_path / "some.pt")
    assert not hasattr(content["args"], "lr")
    for name, value in read_weights(tmp_path / "some.pt").items():
        torch.testing.assert_close(value, state[name], rtol=0, atol=0)


def test_a_topoformer_from_its_folder(tmp_path, tokenizer_file):
    from transformers import BertConfig, BertModel, PreTrainedTokenizerFast

    config = BertConfig(
        vocab_size=290, hidden_size=36, num_hidden_layers=2, num_attention_heads=1, intermediate_size=49,
        max_position_embeddings=32, architectures=["BertModel"],
    )  # fmt: skip
    folder = tmp_path / "topobert"
    BertModel(config).save_pretrained(folder)
    PreTrainedTokenizerFast(tokenizer_file=str(tokenizer_file), pad_token="a").save_pretrained(folder)
    model = load_model(f"topoformer:{folder}")
    assert len(model.layers) == 2 * 4
    sheet = model.sheet("encoder.layer.1.attention.self.key")
    assert sheet.periodic
    distances = sheet.distances()
    assert distances[0, 5] == pytest.approx(1 / 6)  # the other end of a row is next to it
    assert distances.max() == pytest.approx(np.hypot(0.5, 0.5))


def test_a_topoformer_has_one_head(tmp_path, tokenizer_file):
    from transformers import BertConfig, BertModel, PreTrainedTokenizerFast

    config = BertConfig(vocab_size=290, hidden_size=36, num_hidden_layers=1, num_attention_heads=2)
    BertModel(config).save_pretrained(tmp_path / "bert")
    PreTrainedTokenizerFast(tokenizer_file=str(tokenizer_file)).save_pretrained(tmp_path / "bert")
    with pytest.raises(UserError, match="has 2 attention heads, and a Topoformer has one"):
        load_model(f"topoformer:{tmp_path / 'bert'}")


def all_tnn(path):
    shapes = [LocalShape(10, 10, 3, 3, 4), LocalShape(5, 5, 1, 4, 9, pool=2)]
    torch.manual_seed(0)
    network = AllTNN(shapes, 6).eval()
    arrays = {"geometry": [(3, 1, 1), (1, 1, 2)], "size": 12}
    for i, layer in enumerate(network.layers):
        arrays[f"kernel_{i}"], arrays[f"bias_{i}"] = (
            layer.weight.detach().numpy(),
            layer.bias.detach().numpy(),
        )
    arrays["readout"] = network.readout.weight.detach().numpy().T
    arrays["readout_bias"] = network.readout.bias.detach().numpy()
    np.savez(path, **arrays)
    return network


def test_an_all_tnn_and_its_interleaved_sheets(tmp_path, pictures):
    network = all_tnn(tmp_path / "seed1.npz")
    model = load_model(f"all-tnn:{tmp_path / 'seed1.npz'}")
    x = torch.randn(2, 3, 12, 12)
    torch.testing.assert_close(model.module(x), network(x))
    assert len(model.sheet("layers.1")) == 5 * 5 * 9
    found = model.extract(pictures, ["layers.0"])["layers.0"]
    assert found.sizes["neuroid"] == len(model.sheet("layers.0"))


def test_a_local_layer_with_the_same_filters_everywhere_is_a_convolution():
    torch.manual_seed(0)
    conv = torch.nn.Conv2d(3, 5, 3, 2)
    local = AllTNN([LocalShape(4, 4, 3, 3, 5, stride=2)])
    kernel = conv.weight.permute(2, 3, 1, 0).reshape(27, 5)  # Keras: row, column, channel in, channel out
    with torch.no_grad():
        local.layers[0].weight.copy_(kernel.expand(16, 27, 5))
        local.layers[0].bias.copy_(conv.bias.expand(4, 4, 5))
    x = torch.randn(2, 3, 9, 9)
    torch.testing.assert_close(local.layers[0](x), conv(x).relu())
    torch.testing.assert_close(local(x), conv(x).relu().permute(0, 2, 3, 1).flatten(1))


def test_a_file_that_is_no_all_tnn(tmp_path):
    np.savez(tmp_path / "other.npz", a=np.zeros(3))
    with pytest.raises(UserError, match="does not hold the weights of an All-TNN"):
        load_model(f"all-tnn:{tmp_path / 'other.npz'}")


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("tdann:nowhere", "no folder nowhere"),
        ("topolm:nowhere", "no folder nowhere"),
        ("weights:nowhere.pt", "no weights at nowhere.pt"),
        ("trained:nowhere", "not a folder that brodmann train wrote"),
        (
            "toponet-resnet18-tau10",
            r"not installed: brodmann models add toponet-resnet18-tau10 --from FOLDER",
        ),
    ],
)
def test_what_is_not_there_is_said_in_one_line(name, message, monkeypatch, tmp_path):
    monkeypatch.setenv("BRODMANN_HOME", str(tmp_path))
    with pytest.raises(UserError, match=message):
        load_model(name)


def test_all_published_toponets_are_in_the_catalogue():
    names = [card.identifier for card in list_models("toponet-*")]
    assert len(names) == 6 + 1 + 1 + 4
    for card in list_models("toponet-*"):
        assert all(file.url.startswith("https://huggingface.co/") for file in card.files)


def test_a_file_without_a_known_checksum_is_verified_from_its_installation_on(tmp_path, monkeypatch):
    monkeypatch.setenv("BRODMANN_HOME", str(tmp_path / "home"))
    source = tmp_path / "source"
    source.mkdir()
    torch.save(resnet().state_dict(), source / "all_topo_tau_10.0.pt")
    folder = add_model("toponet-resnet18-tau10", source)
    model = load_model("toponet-resnet18-tau10")
    assert model.identifier == "toponet-resnet18-tau10"
    assert model.sheet("layer4.0.conv1").layout == "native"
    with (folder / "all_topo_tau_10.0.pt").open("ab") as stream:
        stream.write(b"more")
    with pytest.raises(UserError, match="is damaged"):
        load_model("toponet-resnet18-tau10")


def test_the_real_positions_of_topolm(test_weights):
    swapped = read_positions(test_weights / "topolm-gpt2-positions" / "positions_5-5.npz")
    plain = read_positions(test_weights / "topolm-gpt2-positions" / "positions_5-5-noswap.npz")
    assert list(swapped) == [f"layer.{i}.{part}" for i in range(12) for part in ("attn", "mlp")]
    from brodmann.models import Sheet

    assert all(Sheet(name, places).n_collisions == 0 for name, places in plain.items())
    collisions = [Sheet(name, places).n_collisions for name, places in swapped.items()]
    assert min(collisions) >= 784 - 719
    assert max(collisions) <= 784 - 701
