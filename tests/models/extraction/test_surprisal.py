"""Surprisal of texts in context, against a plain loop over tokens."""

import math

import numpy as np
import pandas as pd
import pytest
import torch

import brodmann
from brodmann import UserError
from brodmann.brain_data.stimulus_set import StimulusSet
from brodmann.models import LanguageModel, load_model
from brodmann.models.extraction.surprisal import owned_tokens

STORY = [
    "If",
    "you",
    "were",
    "to",
    "journey",
    "to",
    "the",
    "North,",
    "you'd",
    "come",
    "to",
    "a",
    "valley.",
    "It",
    "is",
    "surrounded",
    "by",
    "well-worn",
    "hills",
    ".",
]
OTHER = ["Once", "upon", "a", "time", "the", "dog", "sat."]


def table(texts, **columns):
    ids = [f"t{i:03d}" for i in range(len(texts))]
    return StimulusSet(pd.DataFrame({"stimulus_id": ids, "word": list(texts), **columns}))


STORIES = table([*STORY, *OTHER], story=["north"] * len(STORY) + ["dog"] * len(OTHER))


def looped(network, given, ids, most=10**6, quarter=None):
    """-ln p of each token by a pass of its own over what stands before it."""
    losses, start, end = [], 0, most - len(given) + 1
    for place in range(len(ids)):
        while place >= end:
            start += quarter
            end += quarter
        read = [*given, *ids[start:place]]
        if not read:
            losses.append(math.nan)
            continue
        with torch.no_grad():
            scores = network(input_ids=torch.tensor([read])).logits[0, -1].double()
        losses.append(float(-torch.log_softmax(scores, 0)[ids[place]]))
    return losses


@pytest.fixture(scope="module")
def stories(test_weights, tmp_path_factory):
    """The released network with its tokenizer, and transformers' own whole of it."""
    from transformers import AutoModelForCausalLM, AutoTokenizer

    folder = test_weights / "stories260k-llama" / "hf"
    network = AutoModelForCausalLM.from_pretrained(folder).eval()
    return load_model(f"hf:{folder}").replaced(cache=False), network, AutoTokenizer.from_pretrained(folder)


def test_a_passage_of_the_released_network_equals_a_loop_over_its_tokens(stories):
    model, network, tokenizer = stories
    found = model.surprisal_of(STORIES, context="passage")
    for words, rows in ((STORY, slice(0, len(STORY))), (OTHER, slice(len(STORY), None))):
        given, *ids = tokenizer(" ".join(words))["input_ids"]
        assert given == tokenizer.bos_token_id
        losses = looped(network, [given], ids)
        pieces = tokenizer.convert_ids_to_tokens(ids)
        word = np.cumsum([piece.startswith("▁") for piece in pieces]) - 1  # a space begins a word
        np.testing.assert_allclose(found.values[rows, 0], np.bincount(word, losses), rtol=1e-4, atol=2e-5)
    assert found.attrs["left_out"] == {}
    assert found["stimulus_id"].values.tolist() == STORIES["stimulus_id"].tolist()


def test_words_alone_and_after_two_others(stories):
    model, network, tokenizer = stories
    alone = model.surprisal_of(STORIES).values[:, 0]
    two = model.surprisal_of(STORIES, context=2).values[:, 0]
    for row, word in enumerate([*STORY, *OTHER]):
        given, *ids = tokenizer(word)["input_ids"]
        assert alone[row] == pytest.approx(sum(looped(network, [given], ids)), rel=1e-4, abs=2e-5)
        place = row if row < len(STORY) else row - len(STORY)
        before = " ".join((STORY if row < len(STORY) else OTHER)[max(0, place - 2) : place])
        whole = tokenizer(f"{before} {word}".strip())["input_ids"][1:]
        n_before = len(tokenizer(before)["input_ids"]) - 1 if before else 0
        losses = looped(network, [given], whole)
        assert two[row] == pytest.approx(sum(losses[n_before:]), rel=1e-4, abs=2e-5)
    everything = model.surprisal_of(STORIES, context=len(STORY)).values[:, 0]
    np.testing.assert_allclose(
        everything, model.surprisal_of(STORIES, context="passage").values[:, 0], rtol=1e-4, atol=2e-5
    )


def gpt2(n_positions=64, begins=True):
    """GPT-2 with random weights and byte pairs of its own, whose tokens hold the space before a word."""
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers
    from transformers import GPT2Config, GPT2LMHeadModel, PreTrainedTokenizerFast

    pieces = Tokenizer(models.BPE())
    pieces.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    pieces.decoder = decoders.ByteLevel()
    alphabet = pre_tokenizers.ByteLevel.alphabet()
    pieces.train_from_iterator(
        [" ".join([*STORY, *OTHER])] * 3,
        trainers.BpeTrainer(
            vocab_size=300, special_tokens=["<|begin|>"], initial_alphabet=alphabet, show_progress=False
        ),
    )
    tokenizer = PreTrainedTokenizerFast(tokenizer_object=pieces, bos_token="<|begin|>" if begins else None)
    torch.manual_seed(1)
    config = GPT2Config(
        vocab_size=320, n_positions=n_positions, n_embd=32, n_layer=2, n_head=4, initializer_range=0.4
    )
    network = GPT2LMHeadModel(config).eval()
    model = LanguageModel(network, tokenizer, identifier="gpt2", cache=False, batch_size=3)
    return model, network, tokenizer


@pytest.mark.parametrize(("n_positions", "begins"), [(512, True), (512, False), (16, True), (16, False)])
def test_gpt2_in_windows_equals_a_loop_over_its_tokens(n_positions, begins):
    model, network, tokenizer = gpt2(n_positions, begins)
    found = model.surprisal_of(STORIES, context="passage")
    for words, rows in ((STORY, slice(0, len(STORY))), (OTHER, slice(len(STORY), None))):
        encoded = tokenizer(" ".join(words))["input_ids"]
        given = [tokenizer.bos_token_id] if begins else []
        losses = looped(network, given, encoded, n_positions, n_positions // 4)
        word = np.cumsum([i > 0 and tokenizer.decode([one]).startswith(" ") for i, one in enumerate(encoded)])
        expected = np.bincount(word, np.nan_to_num(losses), len(words))
        if not begins and (word == 0).sum() == 1:
            expected[0] = math.nan
        np.testing.assert_allclose(found.values[rows, 0], expected, rtol=1e-4, atol=2e-5)
    n_lost = int(np.isnan(found.values).sum()) + sum(
        n for reason, n in found.attrs["left_out"].items() if "first tokens" in reason
    )
    assert n_lost == (0 if begins else 2)


def test_every_letter_of_a_word_is_its_own_and_so_is_the_space_before_it():
    model, _, tokenizer = gpt2()
    owned = owned_tokens(model, STORY)
    assert owned.given == [tokenizer.bos_token_id]
    for place, word in enumerate(STORY):
        own = [one for one, owner in zip(owned.ids, owned.owner, strict=True) if owner == place]
        assert tokenizer.decode(own).strip() == word


def test_a_long_passage_sums_to_the_same_as_words_read_one_by_one_in_small_blocks(monkeypatch):
    from brodmann.models.extraction import surprisal

    model, _, _ = gpt2(16)
    whole = model.surprisal_of(STORIES, context="passage").values
    monkeypatch.setattr(surprisal, "_BLOCK", 1)
    monkeypatch.setattr(surprisal, "_MOST_SCORES", 1)
    np.testing.assert_allclose(model.surprisal_of(STORIES, context="passage").values, whole, rtol=1e-5)


def test_a_target_is_read_after_the_rest_of_its_text():
    model, _, _ = gpt2()
    texts = [" ".join(STORY[: place + 1]) for place in range(len(STORY))]
    targets = StimulusSet(
        pd.DataFrame({"stimulus_id": range(len(texts)), "sentence": texts, "target": STORY}).astype(
            {"stimulus_id": str}
        )
    )
    passage = model.surprisal_of(STORIES, context="passage").values[: len(STORY)]
    np.testing.assert_allclose(model.surprisal_of(targets).values, passage, rtol=1e-4, atol=2e-5)
    with pytest.raises(UserError, match="context must be 'none'"):
        model.surprisal_of(targets, context=3)
    with pytest.raises(UserError, match="does not end with its 'target' 'valley'"):
        model.surprisal_of(targets.assign(target="valley"))


def test_a_tokenizer_without_offsets_gives_the_same():
    _, network, tokenizer = gpt2()
    plain = LanguageModel(network, lambda text: tokenizer(text)["input_ids"], identifier="plain", cache=False)
    found = plain.surprisal_of(STORIES, context="passage").values[:, 0]
    with_offsets = gpt2(begins=False)[0].surprisal_of(STORIES, context="passage").values[:, 0]
    np.testing.assert_allclose(found, with_offsets, rtol=1e-4, atol=2e-5)


def test_probabilities_of_all_next_words_sum_to_one():
    """Whole words as tokens: -ln p of every possible word is a distribution."""
    words = ["the", "dog", "ran", "home"]
    network = gpt2()[1]
    model = LanguageModel(
        network, lambda text: [words.index(one) for one in text.split()], identifier="w", cache=False
    )
    texts = table([one for word in words for one in ("dog", word)], story=np.repeat(range(4), 2))
    p = np.exp(-model.surprisal_of(texts, context="passage").values[1::2, 0])
    scores = network(input_ids=torch.tensor([[1]])).logits[0, -1].softmax(0)
    np.testing.assert_allclose(p, scores[:4].detach(), rtol=1e-4, atol=2e-5)


def test_lesions_of_a_network_without_its_head_hold_for_what_it_predicts(stories):
    from brodmann.models.interventions.lesions import Lesion

    model = stories[0]
    lesioned = model.with_lesions(Lesion("layers.2", np.arange(64)))
    whole, without = (one.surprisal_of(STORIES, context="passage").values for one in (model, lesioned))
    assert np.abs(whole - without).mean() > 0.1
    assert model.predicting().digest != model.digest


def test_a_context_that_is_none_is_refused_and_no_earlier_text_is_none():
    model, _, _ = gpt2()
    alone = model.surprisal_of(STORIES).values
    np.testing.assert_array_equal(model.surprisal_of(STORIES, context=0).values, alone)
    for context in (-1, "story", True, 1.5):
        with pytest.raises(UserError, match="context must be 'none', 'passage' or a whole number"):
            model.surprisal_of(STORIES, context=context)


def test_models_that_predict_no_words_say_so_in_one_line():
    with pytest.raises(UserError, match="word-length-frequency gives no probabilities of words"):
        brodmann.load_model("word-length-frequency").surprisal_of(STORIES)
    network = torch.nn.Sequential(torch.nn.Embedding(50, 8))
    model = LanguageModel(
        network, lambda text: [len(one) for one in text.split()], identifier="e", cache=False
    )
    with pytest.raises(UserError, match="load it with its language head"):
        model.surprisal_of(STORIES)


def test_a_story_in_another_order_of_rows_is_read_in_the_order_of_its_positions(stories):
    told = STORIES.assign(position=STORIES.groupby("story").cumcount())
    expected = stories[0].surprisal_of(told, context="passage").values[:, 0]
    order = np.random.default_rng(0).permutation(len(told))
    mixed = StimulusSet(told.iloc[order].reset_index(drop=True))
    found = stories[0].surprisal_of(mixed, context="passage").values[:, 0]
    np.testing.assert_allclose(found, expected[order], atol=1e-4)


def test_positions_that_begin_anew_within_a_story_do_not_change_its_order(stories):
    expected = stories[0].surprisal_of(STORIES, context="passage").values[:, 0]
    told = STORIES.assign(position=np.arange(len(STORIES)) % 3)
    np.testing.assert_allclose(
        stories[0].surprisal_of(told, context="passage").values[:, 0], expected, atol=1e-4
    )
