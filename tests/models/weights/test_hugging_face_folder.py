"""A Hugging Face folder is whole, inside itself, and run in the precision that is said."""

import json
import shutil
import sys

import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file
from torch import nn

from brodmann import UserError, load_model
from brodmann.bench.cli.main import main
from brodmann.brain_data.stimulus_set import StimulusSet
from brodmann.models import VisionModel
from brodmann.models.extraction.readout import Readout

TEXTS = StimulusSet({"stimulus_id": ["a", "b"], "sentence": ["the dog saw a ball", "a ball saw the dog"]})
SIZES = {
    "hidden_size": 16, "num_hidden_layers": 3, "num_attention_heads": 2, "intermediate_size": 32, "vocab_size": 32,
}  # fmt: skip


def save(network, folder, **options):
    from tokenizers import Tokenizer, models, pre_tokenizers
    from transformers import PreTrainedTokenizerFast

    words = ["[UNK]", "[PAD]", "the", "dog", "saw", "a", "ball"]
    made = Tokenizer(models.WordLevel({word: i for i, word in enumerate(words)}, unk_token="[UNK]"))
    made.pre_tokenizer = pre_tokenizers.Whitespace()
    network.save_pretrained(folder, **options)
    PreTrainedTokenizerFast(tokenizer_object=made, unk_token="[UNK]", pad_token="[PAD]").save_pretrained(
        folder
    )
    return folder


def llama(**settings):
    from transformers import LlamaConfig, LlamaForCausalLM

    torch.manual_seed(0)
    return LlamaForCausalLM(LlamaConfig(**{**SIZES, "pad_token_id": 1, **settings}))


@pytest.fixture
def folder(tmp_path):
    return save(llama(), tmp_path / "llama")


def answers(name):
    return load_model(name).replaced(cache=False).extract(TEXTS, ["layers.0", "layers.2"])


def change(folder, **settings):
    path = folder / "config.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | settings))


def test_a_folder_without_two_of_its_blocks_is_refused(folder):
    path = folder / "model.safetensors"
    weights = load_file(path)
    gone = [name for name in weights if ".layers.1." in name or ".layers.2." in name]
    save_file(
        {name: one for name, one in weights.items() if name not in gone}, path, metadata={"format": "pt"}
    )
    with pytest.raises(
        UserError, match=rf"lacks {len(gone)} of the 29 tensors .*first: 'layers.1.*would be random"
    ):
        load_model(f"hf:{folder}")


def test_a_tensor_of_another_shape_is_refused(folder):
    change(folder, vocab_size=40)
    with pytest.raises(
        UserError, match=r"1 tensors of other shapes .*'embed_tokens.weight' is \(32, 16\), not \(40, 16\)"
    ):
        load_model(f"hf:{folder}")


def test_a_folder_of_the_bare_network_gives_what_that_of_its_causal_class_gives(folder, tmp_path):
    bare = save(llama().model, tmp_path / "bare")
    for one, other in zip(answers(f"hf:{folder}").values(), answers(f"hf:{bare}").values(), strict=True):
        assert one.shape == other.shape


@pytest.mark.parametrize("kind", ["BertForMaskedLM", "BertModel", "BertForSequenceClassification"])
def test_a_pooler_that_a_checkpoint_lacks_is_no_layer_and_no_fault(tmp_path, kind):
    import transformers

    torch.manual_seed(0)
    network = getattr(transformers, kind)(transformers.BertConfig(**SIZES))
    model = load_model(f"hf:{save(network, tmp_path / kind)}")
    has = kind != "BertForMaskedLM"
    assert any(name.startswith("pooler") for name in model.every_layer()) == has
    if not has:
        with pytest.raises(UserError, match="pooler"):
            model.extract(TEXTS, ["pooler"])
    base = network if kind == "BertModel" else network.bert
    for name, value in base.state_dict().items():
        torch.testing.assert_close(model.module.state_dict()[name].cpu(), value, rtol=0, atol=0)


def test_tied_weights_are_not_missing(tmp_path):
    from transformers import GPT2Config, GPT2LMHeadModel

    network = GPT2LMHeadModel(GPT2Config(n_layer=2, n_head=2, n_embd=16, n_positions=32, vocab_size=32))
    folder = save(network, tmp_path / "gpt2")
    assert "lm_head.weight" not in load_file(folder / "model.safetensors")
    assert len(load_model(f"hf:{folder}").layers) == 3


def test_weights_stored_in_bfloat16_run_in_float32_and_say_so(folder, tmp_path):
    rounded = llama().bfloat16()
    half = save(rounded, tmp_path / "half")
    full = save(llama(), tmp_path / "full")
    save_file(
        {name: one.bfloat16().float() for name, one in load_file(full / "model.safetensors").items()},
        full / "model.safetensors",
        metadata={"format": "pt"},
    )
    assert {one.dtype for one in load_file(half / "model.safetensors").values()} == {torch.bfloat16}
    for one, other in zip(answers(f"hf:{half}").values(), answers(f"hf:{full}").values(), strict=True):
        np.testing.assert_array_equal(one, other)
    model = load_model(f"hf:{half}")
    assert model.methods["weights"] == "stored in bfloat16, run in float32"
    assert load_model(f"hf:{full}").methods["weights"] == "stored in float32, run in float32"
    products = model.with_readout(Readout(half=True)).methods["weights"]
    assert products.startswith("stored in bfloat16, run in float32 with products in ")


@pytest.mark.parametrize(
    ("asked", "runs"), [("bfloat16", "bfloat16"), ("stored", "bfloat16"), ("float64", "float64")]
)
def test_another_precision_is_asked_for_and_said(tmp_path, asked, runs):
    half = save(llama().bfloat16(), tmp_path / "half")
    model = load_model(f"hf:{half}@{asked}")
    assert next(model.module.parameters()).dtype == getattr(torch, runs)
    assert model.methods["weights"] == f"stored in bfloat16, run in {runs}"
    assert model.identifier == f"hf:half@{asked}"  # its scores are kept apart
    assert model.digest != load_model(f"hf:{half}").digest
    assert np.isfinite(model.replaced(cache=False).extract(TEXTS)["layers.0"]).all()


def test_a_network_of_ones_own_in_half_precision_runs_as_it_is_and_says_so(pictures):
    torch.manual_seed(0)
    network = nn.Sequential(nn.Conv2d(3, 4, 3), nn.Flatten(), nn.Linear(4 * 14 * 14, 5))

    def small(picture):
        values = torch.tensor(np.asarray(picture.resize((16, 16)), np.float32))
        return values.permute(2, 0, 1) / 255

    full = VisionModel(network, identifier="own", preprocess=small, cache=False)
    assert "weights" not in full.methods
    expected = full.extract(pictures)["2"]
    half = VisionModel(network.bfloat16(), identifier="own", preprocess=small, cache=False)
    assert half.methods["weights"] == "run in bfloat16"
    np.testing.assert_allclose(half.extract(pictures)["2"], expected, atol=0.02)


@pytest.fixture
def sharded(tmp_path):
    folder = save(llama(), tmp_path / "sharded", max_shard_size="10KB")
    assert len(list(folder.glob("*.safetensors"))) > 2
    return folder


@pytest.mark.parametrize("where", ["absolute", "above", "link", "link inside"])
def test_shards_lie_inside_the_folder(sharded, tmp_path, where):
    index = sharded / "model.safetensors.index.json"
    content = json.loads(index.read_text())
    shard = next(iter(content["weight_map"].values()))
    outside = tmp_path / "outside.safetensors"
    shutil.move(sharded / shard, outside)
    placed = {"absolute": str(outside), "above": "../outside.safetensors"}.get(where, shard)
    if where.startswith("link"):
        shutil.move(outside, inside := sharded / "kept.safetensors") if "inside" in where else None
        (sharded / shard).symlink_to(inside if "inside" in where else outside)
    content["weight_map"] = {
        key: placed if value == shard else value for key, value in content["weight_map"].items()
    }
    index.write_text(json.dumps(content))
    if where == "link inside":
        assert load_model(f"hf:{sharded}").layers
        return
    with pytest.raises(UserError, match="out of the folder: refused"):
        load_model(f"hf:{sharded}")


def test_the_links_of_a_hubs_cache_are_followed(folder, tmp_path):
    snapshot = tmp_path / "models--one--llama" / "snapshots" / "0a1b"
    blobs = snapshot.parents[1] / "blobs"
    snapshot.mkdir(parents=True)
    blobs.mkdir()
    for number, path in enumerate(folder.iterdir()):
        shutil.copyfile(path, blobs / str(number))
        (snapshot / path.name).symlink_to(blobs / str(number))
    for one, other in zip(answers(f"hf:{folder}").values(), answers(f"hf:{snapshot}").values(), strict=True):
        np.testing.assert_array_equal(one, other)


@pytest.mark.parametrize(
    "content", ["[]", "{}", '{"weight_map": 3}', '{"weight_map": {"a": 3}}', '{"weight_map": {"a": null}}']
)
def test_an_index_without_names_of_files(sharded, content):
    (sharded / "model.safetensors.index.json").write_text(content)
    with pytest.raises(UserError, match="weight_map|names .* which is no file"):
        load_model(f"hf:{sharded}")


def test_a_shard_that_is_not_there(sharded):
    next(sharded.glob("*.safetensors")).unlink()
    with pytest.raises(UserError, match="which its index names: fetch it again"):
        load_model(f"hf:{sharded}")


HOSTILE = [
    {"num_hidden_layers": 10**9}, {"num_hidden_layers": 1500}, {"vocab_size": 10**8}, {"hidden_size": "16"},
    {"hidden_size": -3},
    {"num_labels": 10**9}, {"architectures": 3}, {"id2label": 3}, {"model_type": "none"}, {"num_attention_heads": 0},
    {"auto_map": {"AutoModel": "evil.Model"}, "model_type": "evil"}, {"_attn_implementation": "evil/kernels"},
    {"quantization_config": {"quant_method": "gptq", "bits": 4}}, {"rope_parameters": 3}, {"hidden_act": "evil"},
]  # fmt: skip


@pytest.mark.parametrize("settings", HOSTILE, ids=str)
def test_hostile_settings_are_one_line_and_exit_code_2(folder, settings, capfd, monkeypatch):
    change(folder, **settings)
    monkeypatch.setattr(sys, "argv", ["brodmann", "models", "info", f"hf:{folder}"])
    with pytest.raises(SystemExit) as left:
        main()
    said = capfd.readouterr().err.strip()
    assert left.value.code == 2
    assert len(said.splitlines()) == 1
    assert "Traceback" not in said


def test_settings_that_are_nested_without_end(folder):
    (folder / "config.json").write_text('{"a": ' * 100_000)
    with pytest.raises(UserError, match="not readable JSON"):
        load_model(f"hf:{folder}")
    (folder / "config.json").write_text('{"model_type": "llama", "a": ' + "[" * 200 + "]" * 200 + "}")
    with pytest.raises(UserError, match="nested more than 64 deep"):
        load_model(f"hf:{folder}")


def test_an_adapter_is_not_a_network(folder):
    (folder / "adapter_config.json").write_text('{"base_model_name_or_path": "/elsewhere"}')
    with pytest.raises(UserError, match="holds an adapter, not a whole network"):
        load_model(f"hf:{folder}")


def test_weights_in_formats_that_could_run_code_are_not_read(folder):
    torch.save(load_file(folder / "model.safetensors"), folder / "pytorch_model.bin")
    (folder / "model.safetensors").unlink()
    with pytest.raises(
        UserError, match=r"holds no model.safetensors: weights in other formats could execute code"
    ):
        load_model(f"hf:{folder}")


def test_a_network_that_memory_does_not_hold_is_refused_before_it_is_read(tmp_path, monkeypatch):
    monkeypatch.setenv("BRODMANN_MEMORY_GB", "0.6")
    big = save(
        llama(hidden_size=512, num_attention_heads=4, intermediate_size=8000).bfloat16(), tmp_path / "big"
    )
    with pytest.raises(UserError, match=r"would take about 0.6 GiB .* give hf:NAME@stored"):
        load_model(f"hf:{big}")
    assert load_model(f"hf:{big}@stored").layers


def test_weights_of_more_blocks_than_the_settings_say_are_refused(folder):
    change(folder, num_hidden_layers=2)
    with pytest.raises(UserError, match=r"holds 9 tensors of blocks .* leaves out \(first: '.*layers\.2\."):
        load_model(f"hf:{folder}")


def test_a_shorter_network_that_was_saved_as_such_is_whole(tmp_path):
    network = llama()
    network.model.layers = network.model.layers[:2]
    network.config.num_hidden_layers = 2
    assert load_model(f"hf:{save(network, tmp_path / 'short')}").layers[-1] == "layers.1"


@pytest.mark.filterwarnings("ignore:Casting complex values")
@pytest.mark.parametrize("dtype", [torch.int8, torch.uint8, torch.int32, torch.complex64])
@pytest.mark.parametrize("part", ["layers.1.mlp.up_proj.weight", "norm.weight"])
def test_numbers_without_their_scale_are_refused(folder, dtype, part):
    path = folder / "model.safetensors"
    weights = load_file(path)
    name = next(one for one in weights if one.endswith(part))
    weights[name] = (weights[name].detach() * 20).to(dtype)
    save_file(weights, path, metadata={"format": "pt"})
    with pytest.raises(UserError, match=rf"whole or complex numbers for '.*{part}'"):
        load_model(f"hf:{folder}")


def test_a_folder_without_a_tokenizer_says_so(tmp_path):
    llama().save_pretrained(tmp_path / "llama")
    with pytest.raises(UserError, match="holds no tokenizer"):
        load_model(f"hf:{tmp_path / 'llama'}")


@pytest.mark.parametrize(
    ("precision", "advice"), [("int8", "float64, float32"), ("bf16", "bfloat16"), ("fp16", "float16")]
)
def test_an_unknown_precision_names_the_known(folder, precision, advice):
    with pytest.raises(UserError, match=rf"'{precision}'.*{advice}"):
        load_model(f"hf:{folder}@{precision}")
