"""A text after so many earlier ones: what is seen is these and nothing else, whatever the network."""

import re

import numpy as np
import pytest
import torch

from brodmann import UserError, load_model
from brodmann.brain_data.stimulus_set import StimulusSet
from brodmann.models import LanguageModel
from brodmann.models.architectures.random_transformer import ByteTokenizer, RandomTransformer
from brodmann.models.extraction import activation_cache
from brodmann.models.model import describe_context

from .test_language_model import minilm
from .test_passages import NETWORKS, TOKENIZERS, by_words, made, stories, word_by_word

TEXT = (
    "Alice was beginning to get very tired of sitting by her sister on the bank, and of having nothing to do: once or "
    "twice she had peeped into the book her sister was reading, but it had no pictures or conversations in it."
)


def story(text=TEXT, name="alice"):
    words = text.split()
    return StimulusSet(
        {
            "stimulus_id": [f"{name}-{i}" for i in range(len(words))],
            "word": words,
            "story": [name] * len(words),
        }
    )


def joined(stimuli, row, n_before):
    """A word and what stands before it, by the plainest loop there is."""
    name, before = stimuli["story"].iloc[row], []
    for earlier in range(row):
        if stimuli["story"].iloc[earlier] == name:
            before.append(stimuli["word"].iloc[earlier])
    before = before[len(before) - min(n_before, len(before)) :]
    return " ".join(before), " ".join([*before, stimuli["word"].iloc[row]])


@pytest.mark.parametrize("n_before", [1, 3, 20])
def test_a_causal_network_gives_the_last_token_of_the_joined_text(test_weights, n_before):
    model = load_model(f"hf:{test_weights / 'stories260k-llama' / 'hf'}").replaced(cache=False)
    stimuli = story()
    found = model.extract(stimuli, ["layers.3"], context=n_before)["layers.3"].values
    for row in range(len(stimuli)):
        ids = torch.tensor([model.tokenizer(joined(stimuli, row, n_before)[1])["input_ids"]])
        with torch.inference_mode():
            expected = model.module(input_ids=ids, output_hidden_states=True).hidden_states[4][0, -1]
        np.testing.assert_allclose(found[row], expected.numpy(), atol=1e-5)


@pytest.mark.parametrize("n_before", [1, 20])
def test_a_sentence_encoder_gives_the_mean_over_the_words_own_tokens(n_before):
    model = load_model(f"hf:{minilm()}").replaced(cache=False)
    stimuli = story()
    found = model.extract(stimuli, ["encoder.layer.1"], context=n_before)["encoder.layer.1"].values
    for row in range(len(stimuli)):
        before, text = joined(stimuli, row, n_before)
        ids = torch.tensor([model.tokenizer(text)["input_ids"]])
        first = len(model.tokenizer(before)["input_ids"]) - 1 if before else 0  # without the separator behind
        with torch.inference_mode():
            hidden = model.module(input_ids=ids, output_hidden_states=True).hidden_states[2][0]
        np.testing.assert_allclose(found[row], hidden[first:].mean(dim=0).numpy(), atol=1e-5)


@pytest.mark.parametrize("kind", NETWORKS)
def test_neither_what_comes_later_nor_what_is_further_back_nor_another_story_changes_anything(kind):
    words = TEXT.split()[:12]
    changed = [*words[:3], "ZEBRA", *words[4:9], "YAK", *words[10:]]
    stimuli = StimulusSet(
        {
            "stimulus_id": range(24),
            "word": [one for pair in zip(words, changed, strict=True) for one in pair],
            "story": ["a", "b"] * 12,  # told by turns
        }
    )
    model = made(kind, by_words)
    values = model.extract(stimuli, context=4)[model.layers[0]].values
    one, other = values[::2], values[1::2]
    same = np.abs(one - other).max(axis=1) < 1e-5
    assert same[:3].all()
    assert not same[3]
    assert same[8]  # the changed word is five words back
    assert not same[9]


@pytest.mark.parametrize("tokenizer", TOKENIZERS)
@pytest.mark.parametrize("kind", ["causal", "bidirectional"])
def test_more_context_than_there_is_equals_the_whole_passage(kind, tokenizer):
    model, stimuli = made(kind, TOKENIZERS[tokenizer]), stories()
    found = model.extract(stimuli, context=1000)[model.layers[0]].values
    np.testing.assert_allclose(found, word_by_word(model, stimuli), atol=1e-5)


def test_without_context_each_text_is_alone_and_needs_no_passage():
    model, stimuli = made("bidirectional", by_words), stories().drop(columns="passage")
    alone = model.extract(stimuli)[model.layers[0]].values
    np.testing.assert_array_equal(model.extract(stimuli, context=0)[model.layers[0]].values, alone)
    with pytest.raises(UserError, match="needs a column 'passage' or 'story'"):
        model.extract(stimuli, context=1)


def test_words_with_times_are_read_in_the_order_of_time():
    told = story().assign(onset=np.arange(len(TEXT.split())) / 2)
    model = made("bidirectional", by_words)
    order = np.random.default_rng(0).permutation(len(told))
    for context in (3, "passage"):
        values = model.extract(told, context=context)[model.layers[0]].values
        mixed = model.extract(told.iloc[order], context=context)[model.layers[0]].values
        np.testing.assert_allclose(mixed, values[order], atol=1e-5)


def test_every_context_is_kept_by_itself(monkeypatch):
    network, layer, stimuli = RandomTransformer(width=32, n_layers=2), "blocks.1", stories()
    model = LanguageModel(network, ByteTokenizer(), identifier="kept", layers=[layer])
    found = {n: model.extract(stimuli, context=n)[layer].values.copy() for n in ("none", "passage", 1, 2)}
    for one, other in ((1, 2), (1, "none"), (2, "passage")):
        assert np.abs(found[one] - found[other]).max() > 1e-3
    monkeypatch.setattr(activation_cache, "writing", None)  # nothing is run again
    for n, values in found.items():
        np.testing.assert_array_equal(model.extract(stimuli, context=n)[layer].values, values)
    np.testing.assert_array_equal(model.extract(stimuli, context=np.int64(2))[layer].values, found[2])


@pytest.mark.parametrize("wrong", [-1, 2.5, True, None, "passages", "20"])
def test_what_is_no_context_is_refused_in_one_line(wrong):
    said = f"'none', 'passage' or a whole number from 0, not {re.escape(repr(wrong))}"
    with pytest.raises(UserError, match=said) as refused:
        made("causal", by_words).extract(stories(), context=wrong)
    assert "\n" not in str(refused.value)


def test_a_context_in_words():
    assert describe_context(0) == describe_context("none") == "each text alone"
    assert describe_context(1).startswith("each text after the one before it in its passage")
    assert describe_context(20).startswith("each text after the 20 before it in its passage (fewer at its")
