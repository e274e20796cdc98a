"""How texts were shown and read stands in a score's record, and does not depend on the class of the saved weights."""

import json
import shutil
from dataclasses import replace

import numpy as np
import pytest
import torch
from torch import nn

import brodmann
from brodmann import UserError
from brodmann.bench.benchmark import make_benchmark
from brodmann.bench.cli.main import app
from brodmann.brain_data.stimulus_set import StimulusSet
from brodmann.models import LanguageModel, load_model
from brodmann.models.architectures.random_transformer import ByteTokenizer, RandomTransformer

LANGUAGE = "my-sentences.PostTemp-linear"
OPTIONS = {"n_bootstraps": 0, "n_permutations": 0}


@pytest.fixture
def two_classes(test_weights, tmp_path):
    """The same weights of a Llama, saved with its language head and without."""
    from transformers import AutoModel

    source = test_weights / "stories260k-llama" / "hf"
    shutil.copytree(source, tmp_path / "head")
    shutil.copytree(source, tmp_path / "bare")
    AutoModel.from_pretrained(source).save_pretrained(tmp_path / "bare")
    kinds = [
        json.loads((tmp_path / one / "config.json").read_text())["architectures"] for one in ("head", "bare")
    ]
    assert kinds == [["LlamaForCausalLM"], ["LlamaModel"]]
    return tmp_path / "head", tmp_path / "bare"


def test_the_class_of_the_saved_weights_changes_nothing(two_classes, own_data):
    head, bare = (load_model(f"hf:{folder}") for folder in two_classes)
    assert head.pooling == bare.pooling == "last"
    scores = [brodmann.score(model, LANGUAGE, ["layers.1", "layers.3"], **OPTIONS) for model in (head, bare)]
    assert float(scores[0]) == float(scores[1])
    for score in scores:
        methods = score.attrs["record"]["methods"]
        assert (
            methods["text"]
            == "the last token of a text (default; causal network); of longer texts the last 512 tokens; texts from "
            "the column 'sentence'"
        )
        assert methods["context"] == "each text alone"


def test_another_readout_is_another_score_and_said(two_classes, own_data):
    model = load_model(f"hf:{two_classes[1]}")
    mean = brodmann.score(model.replaced(pooling="mean"), LANGUAGE, ["layers.1"], **OPTIONS)
    last = brodmann.score(model, LANGUAGE, ["layers.1"], **OPTIONS)
    assert float(mean) != float(last)
    assert mean.attrs["record"]["methods"]["text"].startswith(
        "the mean over a text's tokens (as asked; causal network)"
    )


def test_texts_that_lost_tokens_are_counted_in_the_record(own_data):
    model = LanguageModel(
        RandomTransformer(width=32, n_layers=2),
        ByteTokenizer(),
        identifier="short",
        layers=["blocks.1"],
        max_tokens=8,
    )
    score = brodmann.score(model, LANGUAGE, **OPTIONS)
    stimuli = brodmann.load_benchmark(LANGUAGE).dataset.stimuli
    lengths = np.array([len(text.encode()) for text in stimuli["sentence"]])
    words = (
        f"texts' beginnings beyond 8 tokens ({(lengths - 8).clip(0).sum():,} of these texts' "
        f"{lengths[lengths > 8].sum():,} tokens)"
    )
    assert score.attrs["record"]["left_out"][words] == (lengths > 8).sum()
    again = brodmann.score(model, LANGUAGE, seed=1, **OPTIONS)  # from the cache of activations
    assert again.attrs["record"]["left_out"][words] == (lengths > 8).sum()


def test_the_command_line_chooses_the_readout(own_data, capsys):
    def run(*arguments):
        app(["score", "random-transformer", LANGUAGE, "--layers", "blocks.1", "--bootstraps", "0", "--permutations",
             "0", "--json", *arguments], standalone_mode=False)  # fmt: skip
        return json.loads(capsys.readouterr().out)

    found = {text: run("--text", text) for text in ("last", "mean", "word-end")}
    assert len({one["raw"] for one in found.values()}) == 3
    assert run()["raw"] == found["mean"]["raw"]  # what this model was always read by
    assert found["word-end"]["methods"]["text"].startswith("the last token of each word, the mean over words")
    with pytest.raises(UserError, match="pooling must be 'last', 'mean' or 'word-end', not 'first'"):
        run("--text", "first")
    with pytest.raises(UserError, match="--text mean: 'pixels' is no network that reads text"):
        app(["score", "pixels", "simulated-cortex.V1-ridge", "--text", "mean"], standalone_mode=False)


def test_the_command_line_shows_each_stimulus_alone(own_data, capsys, monkeypatch):
    shown = []
    inner = LanguageModel._forward
    monkeypatch.setattr(
        LanguageModel, "_forward", lambda self, batch: shown.append(len(batch.ids)) or inner(self, batch)
    )
    app(["score", "random-transformer", LANGUAGE, "--layers", "blocks.2", "--bootstraps", "0", "--permutations", "0",
         "--json", "--batch-size", "3"], standalone_mode=False)  # fmt: skip
    assert json.loads(capsys.readouterr().out)["layers"]  # a layer that no other test has read
    assert max(shown) == 3


def test_a_tokenizer_of_another_network_is_one_line():
    from transformers import GPT2Config, GPT2Model

    network = GPT2Model(GPT2Config(vocab_size=50, n_embd=8, n_layer=1, n_head=1))
    model = LanguageModel(network, ByteTokenizer(), identifier="small", layers=["h.0"], cache=False)
    with pytest.raises(
        UserError, match="gives token 123, but the network has 50 of them: it is another network's"
    ):
        model.extract(StimulusSet({"stimulus_id": [0], "sentence": ["lazy"]}))


def test_a_dropout_that_is_left_on_does_not_make_a_causal_network_bidirectional():
    class Noisy(nn.Module):
        def __init__(self):
            super().__init__()
            torch.manual_seed(0)
            self.embed, self.cell = nn.Embedding(257, 8), nn.GRU(8, 8, batch_first=True)

        def forward(self, input_ids, attention_mask):
            return self.cell(nn.functional.dropout(self.embed(input_ids)))[0]

    model = LanguageModel(Noisy(), ByteTokenizer(), identifier="noisy", layers=["cell"], cache=False)
    assert model.manner.kind == "recurrent"
    assert model.manner.causal


def test_a_number_of_earlier_texts_is_a_context_of_its_own(own_data):
    model = load_model("random-transformer")
    dataset = brodmann.load_benchmark(LANGUAGE).dataset
    told = dataset.stimuli.assign(story=np.arange(len(dataset.stimuli)) // 5)
    dataset = replace(dataset, stimuli=told)
    scores = [
        brodmann.score(
            model, make_benchmark(dataset, "PostTemp", "linear", context=n), ["blocks.1"], **OPTIONS
        )
        for n in (1, 2, "passage")
    ]
    records = [score.attrs["record"] for score in scores]
    assert len({one["raw"] for one in records}) == 3
    assert [one["provenance"]["context"] for one in records] == [1, 2, "passage"]
    assert records[1]["methods"]["context"] == (
        "each text after the 2 before it in its passage (fewer at its beginning), in a pass of its own"
    )
    assert "passages" not in records[1]["methods"]
    assert records[2]["methods"]["passages"].startswith("in one pass")
