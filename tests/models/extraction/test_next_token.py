"""Surprisal only of what predicts the next token, static embeddings only of tokens."""

import numpy as np
import pytest
import torch
from torch import nn

from brodmann import UserError
from brodmann.brain_data.stimulus_set import StimulusSet
from brodmann.models import LanguageModel
from brodmann.models.extraction.next_token import embedding_of_tokens

TEXTS = StimulusSet(
    {"stimulus_id": list("abc"), "sentence": ["the dog ran", "a cat saw a dog", "we ran away now"]}
)
VOCABULARY = 60
WORDS: dict[str, int] = {}


def tokenizer(text):
    return [WORDS.setdefault(word, len(WORDS) + 1) % 40 + 1 for word in text.split()]


class Reader(nn.Module):
    """A small recurrent network with a position table before its embedding, and a choice of what it gives."""

    def __init__(self, gives, hidden=16, vocabulary=VOCABULARY, bidirectional=False):
        super().__init__()
        torch.manual_seed(0)
        self.places = nn.Embedding(512, hidden)
        self.words = nn.Embedding(vocabulary, hidden)
        self.cell = nn.LSTM(hidden, hidden, batch_first=True, bidirectional=bidirectional)
        self.head = nn.Linear(hidden * (1 + bidirectional), vocabulary)
        self.gives = gives

    def forward(self, idx):
        hidden = self.cell(self.words(idx) + self.places(torch.arange(idx.shape[1])))[0]
        return self.gives(self, hidden)


def model(module, **options):
    return LanguageModel(module.eval(), tokenizer, identifier="m", cache=False, **options)


def expected(module):
    losses = []
    for text in TEXTS["sentence"]:
        ids = torch.tensor([tokenizer(text)])
        with torch.no_grad():
            scores = module.head(
                module.cell(module.words(ids) + module.places(torch.arange(ids.shape[1])))[0]
            )
        losses.append(float(nn.functional.cross_entropy(scores[0, :-1], ids[0, 1:])))
    return losses


@pytest.mark.parametrize(
    "gives",
    [
        lambda self, hidden: self.head(hidden),
        lambda self, hidden: (self.head(hidden), None),
        lambda self, hidden: {"logits": self.head(hidden), "loss": None},
        lambda self, hidden: nn.functional.linear(hidden, self.head.weight, self.head.bias),
    ],
)
def test_scores_of_the_next_token_give_surprisal(gives):
    module = Reader(gives)
    np.testing.assert_allclose(model(module).surprisal(TEXTS), expected(module), rtol=1e-4)


def test_a_head_beside_vectors_as_wide_as_the_vocabulary():
    module = Reader(lambda self, hidden: self.head(hidden), hidden=VOCABULARY)
    np.testing.assert_allclose(model(module).surprisal(TEXTS), expected(module), rtol=1e-4)


@pytest.mark.parametrize(
    ("module", "reason"),
    [
        (Reader(lambda self, hidden: hidden), "no scores for the next token"),
        (Reader(lambda self, hidden: hidden, hidden=100), "no scores for the next token"),
        (Reader(lambda self, hidden: hidden[..., :41]), "no scores for the next token"),
        (Reader(lambda self, hidden: self.head(hidden[:, [-1]])), "scores at 1 of 4 tokens"),
        (
            Reader(lambda self, hidden: self.head(hidden), bidirectional=True),
            "sees the tokens behind a token",
        ),
    ],
)
def test_what_predicts_no_next_token_has_no_surprisal(module, reason):
    with pytest.raises(UserError, match=reason):
        model(module, layers=["words"]).surprisal(TEXTS)


SIZES = {"hidden_size": 16, "num_hidden_layers": 1, "num_attention_heads": 2, "intermediate_size": 32}
OF_TWO = {
    "d_model": 16, "encoder_layers": 1, "decoder_layers": 1, "encoder_attention_heads": 2,
    "decoder_attention_heads": 2, "encoder_ffn_dim": 32, "decoder_ffn_dim": 32,
}  # fmt: skip
FAMILIES = {
    "XLM": {"emb_dim": 16, "n_layers": 1, "n_heads": 2},
    "Flaubert": {"emb_dim": 16, "n_layers": 1, "n_heads": 2},
    "T5": {"d_model": 16, "num_layers": 1, "num_heads": 2, "d_kv": 8, "d_ff": 32, "decoder_start_token_id": 0},
    "Bart": OF_TWO,
    "ProphetNet": {
        "hidden_size": 16, "num_encoder_layers": 1, "num_decoder_layers": 1, "num_encoder_attention_heads": 2,
        "num_decoder_attention_heads": 2, "encoder_ffn_dim": 32, "decoder_ffn_dim": 32,
    },
    "XLNet": {"d_model": 16, "n_layer": 1, "n_head": 2, "d_inner": 32},
    "Bert": SIZES,
    "GPT2": {"n_embd": 16, "n_layer": 1, "n_head": 2},
}  # fmt: skip


def network(family, kind="AutoModel"):
    transformers = pytest.importorskip("transformers")
    torch.manual_seed(0)
    config = getattr(transformers, f"{family}Config")(vocab_size=VOCABULARY, **FAMILIES[family])
    return getattr(transformers, kind).from_config(config).eval()


@pytest.mark.parametrize("family", FAMILIES)
def test_static_embeddings_are_those_of_tokens(family):
    module = network(family)
    whole = model(module)
    static = whole.replaced(layers=[embedding_of_tokens(whole)], pooling="mean")
    table = module.get_input_embeddings().weight.detach().numpy()
    expected = np.stack([table[tokenizer(text)].mean(axis=0) for text in TEXTS["sentence"]])
    [found] = static.extract(TEXTS).values()
    np.testing.assert_allclose(found.values, expected, rtol=1e-4, atol=1e-6)


@pytest.mark.parametrize(
    ("family", "kind", "reason"),
    [
        ("T5", "AutoModelForSeq2SeqLM", "has an encoder"),
        ("Bert", "AutoModelForMaskedLM", "sees the tokens behind a token"),
        ("GPT2", "AutoModel", "no scores for the next token"),
    ],
)
def test_families_without_surprisal(family, kind, reason):
    with pytest.raises(UserError, match=reason):
        model(network(family, kind)).surprisal(TEXTS)


def test_surprisal_of_a_causal_network_is_its_own_loss():
    module = network("GPT2", "AutoModelForCausalLM")
    losses = []
    for text in TEXTS["sentence"]:
        ids = torch.tensor([tokenizer(text)])
        with torch.no_grad():
            losses.append(float(module(ids, labels=ids).loss))
    np.testing.assert_allclose(model(module).surprisal(TEXTS), losses, rtol=1e-4)
