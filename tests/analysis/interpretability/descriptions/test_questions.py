"""What a describer is shown comes from the part that describes; its predictions become a table of tokens."""

from dataclasses import replace

import numpy as np
import pytest
from planted_texts import NAMES, WINDOW, kind, number, reading

from brodmann.analysis.interpretability.descriptions.gathered import Evidence
from brodmann.analysis.interpretability.descriptions.questions import prediction_table, questions


@pytest.fixture(scope="module")
def asked():
    shown = reading(n_documents=9)
    evidence = Evidence.of(shown, names=["token"])
    f = np.zeros((len(shown), 2))
    f[:, 1] = (kind(shown) == number(" cat")) * (1 + np.arange(len(shown)) / len(shown))
    return shown, evidence, f, questions(f, evidence, [1], np.array([[100, 103], [106, 999]]))[0]


def test_ten_strong_and_five_random_contexts_with_null_where_nothing_was_read(asked):
    *_, one = asked
    assert (one["id"], one["promoted"]) == (1, [" of", "<999>"])
    assert (len(one["top"]), len(one["random"])) == (10, 5)
    for context in one["top"] + one["random"]:
        assert len(context["tokens"]) == len(context["activations"]) <= 26
    for context in one["top"]:
        firing = [t for t, v in zip(context["tokens"], context["activations"], strict=True) if v]
        assert set(firing) == {" cat"}


def test_no_context_is_of_the_parts_that_choose_and_score(asked):
    _, evidence, f, one = asked
    own = set(evidence.parts.describes[f[evidence.parts.describes, 1] > 0].tolist())
    largest = sorted((f[row, 1] for row in own), reverse=True)
    said = [max(v or 0 for v in context["activations"]) for context in one["top"]]
    assert said == sorted(said, reverse=True)
    assert said[0] == pytest.approx(largest[0], abs=1e-4)
    assert WINDOW > 26


def test_no_token_of_another_document_of_the_window_is_shown():
    shown = reading(n_documents=9)
    shown = replace(shown, window=np.zeros_like(shown.window))  # one stream, as causal networks read it
    evidence = Evidence.of(shown, names=["token"])
    f = (1.0 + shown.groups)[:, None]
    (one,) = questions(f, evidence, [0])
    own = set((1.0 + shown.groups[evidence.parts.describes]).tolist())
    for context in one["top"] + one["random"]:
        assert {v for v in context["activations"] if v is not None} <= own
        assert len({v for v in context["activations"] if v is not None}) == 1


def test_predictions_are_found_by_exact_text_then_without_spaces_and_capitals(asked):
    shown = asked[0]
    table = prediction_table(shown, [{" cat": 2.0, "THE": 1.0, "nowhere": 9.0}, {" dog": -3.0}]).toarray()
    assert table[number(" cat"), 0] == 2.0
    assert table[number(" the"), 0] == 1.0
    assert table.sum() == 3.0
    assert len(table) == len(NAMES)
