"""A passage is encoded once, and every text gets what encoding it alone, after those before it, would give."""

import re

import numpy as np
import pytest
import torch
from torch import nn

from brodmann import UserError
from brodmann.brain_data.stimulus_set import StimulusSet
from brodmann.models import LanguageModel
from brodmann.models.architectures.random_transformer import ByteTokenizer, RandomTransformer
from brodmann.models.extraction import activation_cache

STORY = [
    "Once",
    "upon",
    "a",
    "time",
    "there",
    "was",
    "a",
    "little",
    "girl.",
    "Her",
    "name",
    "was",
    "Lily,",
    "and",
    "she",
    "did",
    "not",
    "like",
    "the",
    "dark.",
]
LOOKS = 5
"""Texts that are run to see what a network is: a first look, and whether it answers the same again and elsewhere."""
OTHER = ["The", "dog", "saw", "a", "ball;", "it", "ran", "away!"]


def stories():
    words = [("lily", word) for word in STORY]
    words[4:4] = [("dog", word) for word in OTHER]  # passages may be mixed
    return StimulusSet(
        {
            "stimulus_id": [f"w{i}" for i in range(len(words))],
            "word": [word for _, word in words],
            "passage": [passage for passage, _ in words],
        }
    )


class Counting(nn.Module):
    """A network that counts the sequences it has run."""

    def __init__(self, network):
        super().__init__()
        self.network = network
        self.seen = []

    def forward(self, input_ids, attention_mask):
        self.seen.append(len(input_ids))
        return self.network(input_ids, attention_mask)


class Recurrent(nn.Module):
    def __init__(self, *, both_ways=False):
        super().__init__()
        torch.manual_seed(0)
        self.embed = nn.Embedding(300, 16)
        self.cell = nn.GRU(16, 16, batch_first=True, bidirectional=both_ways)

    def forward(self, input_ids, attention_mask):
        return self.cell(self.embed(input_ids))[0]


class Bidirectional(nn.Module):
    def __init__(self):
        super().__init__()
        torch.manual_seed(0)
        self.embed = nn.Embedding(300, 16)
        self.blocks = nn.ModuleList(
            nn.TransformerEncoderLayer(16, 2, 32, dropout=0.0, batch_first=True) for _ in range(2)
        )

    def forward(self, input_ids, attention_mask):
        x = self.embed(input_ids)
        for block in self.blocks:
            x = block(x, src_key_padding_mask=attention_mask == 0)
        return x


def by_bytes(text):
    return ByteTokenizer()(text)["input_ids"]


def by_words(text):
    """Words and marks are tokens, as BERT's and GPT-2's tokenizers cut them."""
    return [sum(part.encode()) % 256 + 1 for part in re.findall(r"\w+|[^\w\s]", text)]


TOKENIZERS = {
    "offsets": ByteTokenizer(),
    "ids alone": by_bytes,
    "a mapping": lambda text: {"input_ids": by_words(text)},
    "a tensor": lambda text: {"input_ids": torch.tensor([by_words(text)])},
    "a first token": lambda text: [300 - 1, *by_words(text)],
    "a first and a last token": lambda text: [299, *by_words(text), 298],
    "tokens across texts": lambda text: [len(part) + 1 for part in re.findall(r".{1,3}", text)],
}
NETWORKS = {
    "causal": lambda: RandomTransformer(width=32, n_layers=2),
    "recurrent": Recurrent,
    "bidirectional": Bidirectional,
    "recurrent both ways": lambda: Recurrent(both_ways=True),
}
LAYER = {
    "causal": "blocks.1",
    "recurrent": "cell",
    "bidirectional": "blocks.1",
    "recurrent both ways": "cell",
}


def made(kind, tokenizer, **options):
    network = NETWORKS[kind]()
    if kind == "causal":
        network.embed = nn.Embedding(300, 32)
        nn.init.normal_(network.embed.weight, generator=torch.Generator().manual_seed(0))
    options = {"identifier": kind, "layers": [f"network.{LAYER[kind]}"], "cache": False} | options
    return LanguageModel(Counting(network), tokenizer, **options)


def word_by_word(model, stimuli):
    """What each text gives when it is run alone after those before it."""
    out, so_far = [], {}
    encoder = model._encoder()
    for passage, word in zip(stimuli["passage"], stimuli["word"], strict=True):
        before = so_far.get(passage, "")
        so_far[passage] = f"{before} {word}".strip()
        tokens = encoder.tokens(before, word)
        ids = tokens.ids[-model.max_tokens :] if model.max_tokens else tokens.ids
        places = [place - len(tokens.ids) + len(ids) for place in tokens.read(model.pooling)]
        batch = torch.tensor([ids])
        found = {}
        layer = model.module.get_submodule(model.layers[0])
        handle = layer.register_forward_hook(
            lambda _m, _i, output, found=found: found.update(
                out=output[0] if isinstance(output, tuple) else output
            )
        )
        with torch.inference_mode():
            model.module.eval()(batch, torch.ones_like(batch))
        handle.remove()
        out.append(found["out"][0][[place for place in places if place >= 0]].mean(dim=0).numpy())
    return np.stack(out)


@pytest.mark.parametrize("pooling", ["last", "mean", "word-end"])
@pytest.mark.parametrize("tokenizer", TOKENIZERS)
@pytest.mark.parametrize("kind", NETWORKS)
def test_a_passage_read_at_once_equals_word_by_word(kind, tokenizer, pooling):
    model, stimuli = made(kind, TOKENIZERS[tokenizer], pooling=pooling), stories()
    found = model.extract(stimuli, context="passage")[model.layers[0]].values
    np.testing.assert_allclose(found, word_by_word(model, stimuli), atol=1e-5)


@pytest.mark.parametrize("tokenizer", ["offsets", "ids alone", "a mapping", "a first token"])
@pytest.mark.parametrize("kind", ["causal", "recurrent"])
def test_a_passage_takes_one_pass(kind, tokenizer):
    model, stimuli = made(kind, TOKENIZERS[tokenizer]), stories()
    assert model.manner.causal
    model.module.seen.clear()
    model.extract(stimuli, context="passage")
    assert sum(model.module.seen) <= 2 + LOOKS  # both passages, once


@pytest.mark.parametrize("kind", ["bidirectional", "recurrent both ways"])
def test_where_the_future_would_leak_each_text_has_a_pass(kind):
    model, stimuli = made(kind, by_words, batch_size=1), stories()
    assert not model.manner.causal
    assert model.pooling == "mean"
    assert "each text in a pass of its own" in model.methods["passages"]
    model.module.seen.clear()
    model.extract(stimuli, context="passage")
    assert len(stimuli) <= sum(model.module.seen) <= len(stimuli) + LOOKS


@pytest.mark.parametrize("most", [8, 20, 64])
def test_windows_over_a_long_passage_show_a_text_nearly_all_that_it_may_see(most):
    """Embedding and position aside, nothing tells a window from another: here a network that counts what it sees."""

    class Seen(nn.Module):
        def __init__(self):
            super().__init__()
            self.count = nn.Identity()

        def forward(self, input_ids, attention_mask):
            return self.count(attention_mask.cumsum(dim=1)[:, :, None].float())

    stimuli = stories()
    model = LanguageModel(
        Seen(), by_bytes, identifier="seen", layers=["count"], max_tokens=most, cache=False, pooling="last"
    )
    found = model.extract(stimuli, context="passage")["count"].values[:, 0]
    ends, so_far = [], {}
    for passage, word in zip(stimuli["passage"], stimuli["word"], strict=True):
        so_far[passage] = f"{so_far.get(passage, '')} {word}".strip()
        ends.append(len(so_far[passage]))
    ends = np.array(ends)
    np.testing.assert_array_equal(found[ends <= most], ends[ends <= most])
    assert (found[ends > most] <= most).all()
    assert (found[ends > most] > most - most // 4).all()


def test_long_passages_take_few_windows_and_say_what_was_lost():
    model, stimuli = made("causal", by_bytes, max_tokens=40), stories()
    assert model.manner.causal
    model.module.seen.clear()
    found = model.extract(stimuli, context="passage")[model.layers[0]]
    assert sum(model.module.seen) <= 8 + LOOKS  # windows, not 28 words
    assert found.attrs["truncated"] == sum(
        len(" ".join(words[: i + 1])) > 40 for words in (STORY, OTHER) for i in range(len(words))
    )
    assert list(found.attrs["left_out"].values()) == [found.attrs["truncated"]]
    alone = made("causal", by_bytes, max_tokens=40, layers=["network.embed"])
    inside = alone.extract(stimuli, context="passage")["network.embed"].values
    np.testing.assert_allclose(inside, word_by_word(alone, stimuli), atol=1e-6)  # no context, no difference


def test_the_end_of_a_word_is_its_last_token_not_what_the_tokenizer_adds():
    def tokenizer(text):
        return [7, *(200 + len(text[: part.start()]) for part in re.finditer(r"\S{1,2}", text)), 8]

    stimuli = StimulusSet({"stimulus_id": [0, 1], "word": ["abcde", "ab cdef"]})
    options = {"identifier": "w", "layers": ["network.embed"], "cache": False}
    module = Counting(RandomTransformer(width=32, n_layers=1))
    module.network.embed = nn.Embedding(300, 32)
    weight = module.network.embed.weight.detach().numpy()
    found = LanguageModel(module, tokenizer, pooling="word-end", **options).extract(stimuli)["network.embed"]
    np.testing.assert_allclose(found.values[0], weight[204], rtol=1e-6)
    np.testing.assert_allclose(found.values[1], (weight[200] + weight[205]) / 2, rtol=1e-6)
    last = LanguageModel(module, tokenizer, pooling="last", **options).extract(stimuli)["network.embed"]
    np.testing.assert_allclose(last.values, weight[[8, 8]], rtol=1e-6)


def test_resumption_of_a_passage_after_a_kill(tmp_path, monkeypatch):
    stimuli = stories()
    monkeypatch.setenv("BRODMANN_HOME", str(tmp_path / "one"))
    fresh = made("causal", by_bytes, cache=True, batch_size=1).extract(stimuli, context="passage")
    fresh = fresh["network.blocks.1"].values.copy()
    monkeypatch.setenv("BRODMANN_HOME", str(tmp_path / "two"))
    model = made("causal", by_bytes, cache=True, batch_size=1)
    real, written = activation_cache.Growing.write, []

    def write(self, rows, values):
        if len(written) == 1:
            written.append(None)
            raise KeyboardInterrupt
        written.append(len(rows))
        real(self, rows, values)

    monkeypatch.setattr(activation_cache.Growing, "write", write)
    with pytest.raises(KeyboardInterrupt):
        model.extract(stimuli, context="passage")
    again = made("causal", by_bytes, cache=True, batch_size=1)
    np.testing.assert_array_equal(again.extract(stimuli, context="passage")["network.blocks.1"].values, fresh)
    assert written == [len(OTHER), None, len(STORY)]  # the shorter passage is not run again


def test_a_layer_without_tokens_is_no_place_to_read_a_text_of_a_passage():
    class Summary(Recurrent):
        def __init__(self):
            super().__init__()
            self.end = nn.Identity()

        def forward(self, input_ids, attention_mask):
            return self.end(self.cell(self.embed(input_ids))[0][:, -1])

    options = {"identifier": "s", "cache": False}
    tokens = LanguageModel(Summary(), by_bytes, layers=["cell"], **options)
    with pytest.raises(UserError, match="'end' of s gives one vector for a whole passage"):
        tokens.extract(stories(), ["end"], context="passage")
    whole = LanguageModel(Summary(), by_bytes, layers=["end"], **options)
    stimuli = stories()
    found = whole.extract(stimuli, context="passage")["end"].values
    np.testing.assert_allclose(found, tokens.extract(stimuli, context="passage")["cell"].values, atol=1e-5)
