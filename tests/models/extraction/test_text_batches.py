"""Texts as they are run: padding, batches of one length, limits, a decoder's shifted text, what is told of it."""

from types import SimpleNamespace

import numpy as np
import pytest
import torch
from torch import nn

from brodmann import UserError
from brodmann.brain_data.stimulus_set import StimulusSet
from brodmann.models import LanguageModel
from brodmann.models.architectures.random_transformer import ByteTokenizer, RandomTransformer
from brodmann.models.extraction.language_model import TextBatch, _own_limit
from brodmann.models.extraction.reading_manner import Manner
from brodmann.models.extraction.texts import TokenSequence


def model(module=None, tokenizer=None, **options):
    options = {"identifier": "t", "layers": ["blocks.1"], "cache": False} | options
    return LanguageModel(
        module or RandomTransformer(width=16, n_layers=2), tokenizer or ByteTokenizer(), **options
    )


def sequence(ids, rows=(0,), places=None):
    return TokenSequence(list(ids), list(rows), places or [[len(ids) - 1]])


def read_as(one, **manner):
    one._manner["manner"] = Manner(**manner)
    return one


def test_sequences_are_padded_on_the_right_and_say_where_each_text_is_read():
    batch = model()._padded([sequence([5, 6, 7], [0, 1], [[0], [1, 2]]), sequence([9], [2], [[0]])], 1)
    assert batch.ids.tolist() == [[5, 6, 7], [9, 0, 0]]
    assert batch.attention.tolist() == [[1, 1, 1], [1, 0, 0]]
    assert batch.source.tolist() == [0, 0, 1]
    assert batch.places.tolist() == [[0, 0], [1, 2], [0, 0]]
    assert batch.counted.tolist() == [[True, False], [True, True], [True, False]]
    for multiple, width in ((2, 4), (3, 3), (8, 8)):
        assert model()._padded([sequence([5, 6, 7])], multiple).ids.shape == (1, width)


def test_the_vector_of_a_text_is_the_mean_over_its_places():
    one = model()
    batch = one._padded([sequence([5, 6, 7], [0, 1], [[0], [1, 2]]), sequence([9], [2], [[0]])], 1)
    output = torch.arange(12.0).reshape(2, 3, 2)
    read_as(one)
    assert one._read(output, batch, "l").tolist() == [[0, 1], [3, 4], [6, 7]]
    read_as(one, token_first=frozenset({"l"}))
    assert one._read(output.transpose(0, 1), batch, "l").tolist() == [[0, 1], [3, 4], [6, 7]]
    whole = one._padded([sequence([5, 6]), sequence([9], [1])], 1)
    given = torch.tensor([[1.0, 2], [3, 4]])
    assert one._read(given, whole, "l").tolist() == given.tolist()
    with pytest.raises(UserError, match="layer 'l' of t gives one vector for a whole passage"):
        one._read(given, batch, "l")
    with pytest.raises(UserError, match=r"layer 'l' of t gives \(2, 5, 2\) for \(2, 3\) tokens: expected"):
        one._read(torch.zeros(2, 5, 2), batch, "l")


def test_texts_of_about_one_length_are_run_together():
    lengths = [4, 2, 3, 2, 4]
    shown = SimpleNamespace(sequences=[sequence(range(n), [i]) for i, n in enumerate(lengths)])
    one = read_as(model(batch_size=2))
    assert [[s.rows[0] for s in batch] for batch in one._planned(shown)] == [[1, 3], [2, 0], [4]]
    read_as(one, pads=False)
    assert [[s.rows[0] for s in batch] for batch in one._planned(shown)] == [[1, 3], [2], [0, 4]]


def test_a_batch_backwards_is_some_of_its_sequences_with_their_texts():
    one = read_as(model())
    batch = one._padded([sequence([i + 1] * 3, [2 * i, 2 * i + 1], [[0], [2]]) for i in range(5)], 1)
    part, texts = one._backwards(batch, 3)
    assert part.ids[:, 0].tolist() == [5, 3, 1]
    assert texts.tolist() == [0, 1, 4, 5, 8, 9]
    assert part.source.tolist() == [2, 2, 1, 1, 0, 0]
    assert part.places.tolist() == [[0], [2]] * 3
    assert part.attention.shape == (3, 3)
    assert part.counted.all()


def test_a_decoder_behind_an_encoder_reads_the_text_shifted_by_one():
    batch = TextBatch(torch.tensor([[5, 6, 7]]), torch.ones(1, 3), *(torch.zeros(1, 1),) * 3)
    one = model()
    assert set(one._inputs(batch)) == {"input_ids", "attention_mask"}
    for known, start in (
        ({"decoder_start_token_id": 2, "bos_token_id": 3}, 2),
        ({"decoder_start_token_id": None, "bos_token_id": 3, "pad_token_id": 4}, 3),
        ({"pad_token_id": 4}, 4),
        ({}, 0),
    ):
        one.module.config = SimpleNamespace(is_encoder_decoder=True, **known)
        given = one._inputs(batch)
        assert given["decoder_input_ids"].tolist() == [[start, 5, 6]]
        assert given["decoder_attention_mask"] is batch.attention
        assert given["input_ids"].tolist() == [[5, 6, 7]]
    one.module.config = SimpleNamespace(is_encoder_decoder="yes")
    assert set(one._inputs(batch)) == {"input_ids", "attention_mask"}


class Positions(nn.Module):
    def __init__(self, n_positions, padding):
        super().__init__()
        self.position_embeddings = nn.Embedding(n_positions, 2, padding_idx=padding)
        self.word_embeddings = nn.Embedding(n_positions, 2, padding_idx=5)


def test_the_most_tokens_are_the_least_of_what_is_known():
    module, tokenizer = Positions(514, 1), SimpleNamespace()
    assert _own_limit(module, tokenizer) is None
    module.config = SimpleNamespace(max_position_embeddings=514)
    assert _own_limit(module, tokenizer) == 512  # positions begin behind that of padding
    module.config = SimpleNamespace(max_encoder_position_embeddings=600, max_seq_len=700)
    assert _own_limit(module, tokenizer) == 600
    for wrong in (0, -1, "many", 10**9):
        tokenizer.model_max_length = wrong
        assert _own_limit(module, tokenizer) == 600
    tokenizer.model_max_length = 1
    assert _own_limit(module, tokenizer) == 1
    module.config = SimpleNamespace(max_position_embeddings=0)
    tokenizer.model_max_length = 10**9 - 1
    assert _own_limit(module, tokenizer) == 10**9 - 1
    assert model(max_tokens=3).max_tokens == 3


def test_how_a_text_becomes_a_vector_is_told():
    one = read_as(model(max_tokens=8), kind="causal", causal=True)
    assert one.pooling == "last"
    said = one.methods
    assert said["text"].endswith(" (default; causal network); of longer texts the last 8 tokens")
    assert said["passages"] == (
        "in one pass, in windows of 8 tokens where it is longer, so that a text sees at least the 7 tokens that end "
        "with it"
    )
    said = read_as(model(max_tokens=40), kind="recurrent", causal=True).methods
    assert "at least the 31 tokens that end with it" in said["passages"]
    assert "(default; recurrent network)" in said["text"]
    one = read_as(model(pooling="word-end"), kind="encoder-decoder")
    assert one.methods["text"].endswith(
        " (as asked; encoder-decoder network); layers of the decoder read the text shifted by one token, each token "
        "before the one that it predicts"
    )
    assert one.methods["passages"] == "each text in a pass of its own, for later texts would change it"
    assert read_as(model(), kind="bidirectional").pooling == "mean"
    assert read_as(model(), kind="recurrent").pooling == "last"
    assert read_as(model(), kind="encoder-decoder").pooling == "mean"


def test_mistakes_are_one_line():
    for change, message in (
        ({"pooling": "first"}, "^t: pooling must be 'last', 'mean' or 'word-end', not 'first'$"),
        ({"tokenizer": 3}, "^t: the tokenizer must be callable, not int$"),
        ({"max_tokens": -1}, "^t: max_tokens must be at least 1, not -1$"),
    ):
        with pytest.raises(UserError, match=message):
            model(**change)
    one = model()
    one.module.get_input_embeddings = lambda: nn.Embedding(7, 2)
    one._check_ids([sequence([6, 1]), sequence([2])])
    with pytest.raises(
        UserError, match="^t: the tokenizer gives token 7, but the network has 7 of them: it is anoth"
    ):
        one._check_ids([sequence([2]), sequence([7, 1])])


def test_a_causal_network_is_seen_to_be_one():
    assert model().manner.kind == "causal"
    assert model().manner.causal


def test_surprisal_is_the_mean_over_the_tokens_that_have_one_before_them():
    """A network that gives token t + 1 after token t the logarithm of 3/4, and any other one of 255 of the rest."""

    class Counting(nn.Module):
        def __init__(self):
            super().__init__()
            self.embed = nn.Embedding(256, 256)

        def forward(self, input_ids, attention_mask):
            n = self.embed(input_ids) * 0 + np.log(0.25 / 255)
            scores = n.scatter(2, ((input_ids + 1) % 256)[..., None], float(np.log(0.75)))
            return {"logits": scores}

    def tokenizer(text):
        return {"input_ids": [ord(one) for one in text]}

    one = LanguageModel(Counting(), tokenizer, identifier="c", layers=["embed"], cache=False, batch_size=2)
    stimuli = StimulusSet({"stimulus_id": [0, 1, 2, 3], "sentence": ["abcd", "a", "abx", "ba"]})
    right, wrong = -np.log(0.75), -np.log(0.25 / 255)
    np.testing.assert_allclose(one.surprisal(stimuli), [right, np.nan, (right + wrong) / 2, wrong], rtol=1e-5)
