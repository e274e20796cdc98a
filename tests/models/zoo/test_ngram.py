"""5-grams: against the formulas word by word, as a distribution, and as a model of texts."""

from collections import Counter, defaultdict

import numpy as np
import pandas as pd
import pytest

from brodmann import UserError
from brodmann.brain_data.stimulus_set import StimulusSet
from brodmann.models import load_model
from brodmann.models.architectures.kneser_ney import BEGIN, KneserNey
from brodmann.models.zoo.ngram import sentences_of, words_of

ORDER, N_WORDS = 3, 14


def corpus(seed=0, n_sentences=400):
    """Sentences of a made-up language, in which some words follow others."""
    rng = np.random.default_rng(seed)
    follows = rng.dirichlet(np.full(N_WORDS - 2, 0.3), size=N_WORDS)
    sentences = []
    for _ in range(n_sentences):
        words = [int(rng.integers(2, N_WORDS))]
        for _ in range(int(rng.integers(1, 9))):
            words.append(2 + int(rng.choice(N_WORDS - 2, p=follows[words[-1]])))
        sentences.append(words)
    return sentences


def by_hand(sentences, order=ORDER):
    """p(word, context) of Chen and Goodman's formulas, with dictionaries."""
    raw = [Counter() for _ in range(order + 1)]
    before = [defaultdict(set) for _ in range(order + 1)]
    for sentence in sentences:
        words = [BEGIN, *sentence]
        for end in range(1, len(words)):
            for k in range(1, min(order, end + 1) + 1):
                gram = tuple(words[end - k + 1 : end + 1])
                raw[k][gram] += 1
                if end - k >= 0:
                    before[k][gram].add(words[end - k])
    counts = [None] + [
        {g: n if k == order or g[0] == BEGIN else len(before[k][g]) for g, n in raw[k].items()}
        for k in range(1, order + 1)
    ]
    discounts = [None]
    for k in range(1, order + 1):
        n1, n2, n3, n4 = (sum(c == i for c in counts[k].values()) for i in (1, 2, 3, 4))
        y = n1 / (n1 + 2 * n2) if n1 and n2 and n3 and n4 else None
        discounts.append(
            [0.5, 1.0, 1.5] if y is None else [1 - 2 * y * n2 / n1, 2 - 3 * y * n3 / n2, 3 - 4 * y * n4 / n3]
        )

    def p(word, context):
        k = len(context) + 1
        shorter = 1 / (N_WORDS - 1) if k == 1 else p(word, context[1:])
        following = {g: c for g, c in counts[k].items() if g[:-1] == context}
        total = sum(following.values())
        if total == 0:
            return shorter
        taken = {g: discounts[k][min(c, 3) - 1] for g, c in following.items()}
        own = (*context, word)
        return (
            max(following.get(own, 0) - taken.get(own, 0), 0) / total + sum(taken.values()) / total * shorter
        )

    return p


def test_probabilities_are_those_of_the_formulas():
    sentences = corpus()
    model, p = KneserNey.of(sentences, N_WORDS, ORDER), by_hand(sentences)
    asked = [*corpus(1, 12), [1, 1, 5], [13]]
    for sentence, found in zip(asked, model.log_probabilities(asked), strict=True):
        words = [BEGIN, *sentence]
        expected = [
            p(words[end], tuple(words[max(0, end - ORDER + 1) : end])) for end in range(1, len(words))
        ]
        np.testing.assert_allclose(np.exp(found), expected, rtol=1e-9)


@pytest.mark.parametrize("context", [[], [4], [4, 9], [9, 4, 7, 7], [1, 1], [1, 5, 3]])
def test_every_context_has_a_distribution(context):
    model = KneserNey.of(corpus(), N_WORDS, 5)
    p = [np.exp(one[-1]) for one in model.log_probabilities([[*context, word] for word in range(1, N_WORDS)])]
    assert sum(p) == pytest.approx(1)
    assert min(p) > 0


def test_longer_contexts_help_where_words_follow_each_other():
    train, held_out = corpus(), corpus(0, 800)[400:]
    losses = [
        -np.concatenate(KneserNey.of(train, N_WORDS, order).log_probabilities(held_out)).mean()
        for order in (1, 2, 5)
    ]
    assert losses[1] < losses[0] - 0.3
    assert losses[2] < min(losses[0] - 0.3, losses[1] + 0.15)  # what is beyond one word is noise here


def test_tables_come_back_from_a_file():
    model = KneserNey.of(corpus(), N_WORDS, 4)
    again = KneserNey.of_arrays(model.arrays())
    asked = corpus(2, 5)
    for one, other in zip(model.log_probabilities(asked), again.log_probabilities(asked), strict=True):
        np.testing.assert_array_equal(one, other)


def test_words_and_sentences_of_wikitext_are_those_of_plain_text():
    line = "He didn 't have a guest @-@ starring role , in Herons . Was it 1 @,@ 000 ? "
    plain = "He didn't have a guest-starring role, in Herons. Was it 1,000?"
    assert [word for one in sentences_of(line) for word in one] == words_of(plain)
    assert [len(one) for one in sentences_of(line)] == [12, 6]


@pytest.fixture
def trained(tmp_path, monkeypatch):
    monkeypatch.setenv("BRODMANN_HOME", str(tmp_path / "home"))
    text = (
        "= Dogs =\n"
        + "the dog ran home . the dog saw a cat .\na cat ran home , too . the cat saw the dog .\n" * 30
    )
    (tmp_path / "dogs.txt").write_text(text + "once upon a time\n")
    return tmp_path / "dogs.txt"


def surprisal(model, words, **columns):
    table = StimulusSet(
        pd.DataFrame({"stimulus_id": [f"w{i}" for i in range(len(words))], "word": words, **columns})
    )
    return model.surprisal_of(table, context="passage" if columns else "none")


def test_a_text_is_expected_as_it_was_trained(trained):
    model = load_model(f"5-gram:{trained}")
    assert model.identifier == "5-gram:dogs.txt"
    words = ["The", "dog", "ran", "cat,", "The"]
    found = surprisal(model, words, story=["s"] * 5)
    assert found.values[2, 0] < 1.2  # "ran" or "saw"
    assert found.values[3, 0] > 4  # "cat" and the comma, neither of which follows
    begins = surprisal(model, ["home.", "The"], story=["s"] * 2).values[1, 0]
    assert begins == pytest.approx(surprisal(model, ["The"]).values[0, 0])  # a sentence begins anew
    again = load_model(f"5-gram:{trained}")
    np.testing.assert_array_equal(surprisal(again, words, story=["s"] * 5).values, found.values)
    assert again.digest == model.digest
    trained.write_text(trained.read_text() + "more .\n")
    assert load_model(f"5-gram:{trained}").digest != model.digest


def test_unknown_words_share_what_rare_ones_had(trained):
    model = load_model(f"5-gram:{trained}")
    unknown, known = surprisal(model, ["zebra", "cat"]).values[:, 0]
    assert unknown > known
    assert "1 words are unknown, each as likely as one of 3" in surprisal(model, ["zebra"]).attrs["surprisal"]


def test_what_holds_no_text_is_one_line(tmp_path):
    with pytest.raises(UserError, match="no text at"):
        load_model(f"5-gram:{tmp_path}")
    (tmp_path / "few.txt").write_text("a b c")
    with pytest.raises(UserError, match="holds too little text"):
        load_model(f"5-gram:{tmp_path / 'few.txt'}")
    (tmp_path / "bytes.txt").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(UserError, match="is no text in UTF-8"):
        load_model(f"5-gram:{tmp_path / 'bytes.txt'}")


def test_a_longer_context_predicts_held_out_wikipedia_better(test_data, tmp_path, monkeypatch):
    """Trained on the first file of WikiText-2, asked about the second."""
    monkeypatch.setenv("BRODMANN_HOME", str(tmp_path))
    model = load_model(f"5-gram:{test_data / 'wikitext-2' / 'test.txt'}")
    lines = (test_data / "wikitext-2" / "valid.txt").read_text().splitlines()[:400]
    ids = [[model._numbers.get(word, 1) for word in one] for line in lines for one in sentences_of(line)]
    full = -np.concatenate(model._tables.log_probabilities(ids)).mean()
    short = KneserNey(model._tables.n_words, model._tables.levels[:1])
    alone = -np.concatenate(short.log_probabilities(ids)).mean()
    assert full < alone - 0.7
    assert 4.5 < full < 6.5
