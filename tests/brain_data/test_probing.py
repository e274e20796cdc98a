from collections import Counter
from pathlib import Path

import numpy as np
import pytest

from brodmann.brain_data.probing.appearance import nuisances
from brodmann.brain_data.probing.base import (
    PROPERTIES,
    Pictures,
    Property,
    Texts,
    TokenizedText,
    frequency_ranks,
    words_as_tokens,
)
from brodmann.brain_data.probing.code import spoken_and_done
from brodmann.brain_data.probing.material import Material, cut, plain
from brodmann.brain_data.probing.splits import split_by_document
from brodmann.brain_data.probing.trivial import beyond_threshold, table_log_odds, trivial_f1
from brodmann.brain_data.probing.word_classes import lemma
from brodmann.errors import NotAvailableError, UserError

_TEXT = (
    " = The old mill = \n"
    ' In 1984 the mill ( built by Anna ) burned , and 37 people said " the fire was huge " . '
    "They left in May , not June . \n"
    " <unk> was a place near Paris . \n"
)


def _labels(name: str, text: str = _TEXT, material: Material | None = None) -> dict[str, bool]:
    """Word -> label of its last time, words as tokens."""
    (tokens,) = words_as_tokens([text])
    one = PROPERTIES[name]
    assert one.label is not None
    marks = one.label(tokens, material or Material())
    return {piece: bool(mark) for piece, mark in zip(tokens.pieces(), marks, strict=True) if mark >= 0}


@pytest.mark.parametrize(
    ("name", "positive", "negative"),
    [
        ("is_digit", "1984 37", "mill In ,"),
        ("is_year", "1984", "37"),
        ("is_punctuation", ', . ( ) "', "mill 1984"),
        ("sentence_start", "In They", "Anna May June"),
        ("sentence_end", "huge June Paris", "mill people fire"),
        ("in_quotation", "fire huge", "burned people"),
        ("in_parentheses", "built Anna", "burned people"),
        ("in_heading", "The old", "burned They place"),
        ("is_capitalised", "Anna May June Paris", "burned place"),
        ("is_determiner", "a the", "people near"),
        ("is_preposition", "near in by", "people was"),
        ("is_pronoun", "", "people near"),
        ("is_auxiliary", "was", "people near"),
        ("is_conjunction", "and", "people near"),
        ("follows_comma", "and not", "people burned"),
        ("is_month_or_weekday", "June", "Anna Paris"),
        ("is_unk_mark", "<unk>", "was Paris"),
    ],
)
def test_a_rule_labels_words_as_it_says(name: str, positive: str, negative: str) -> None:
    found = _labels(name)
    assert {word: found.get(word) for word in positive.split()} == dict.fromkeys(positive.split(), True)
    assert {word: found.get(word) for word in negative.split()} == dict.fromkeys(negative.split(), False)


def test_ambiguous_words_and_marks_are_not_labelled() -> None:
    assert "May" not in _labels("is_month_or_weekday")
    assert "that" not in _labels("is_determiner", " It said that this is so . \n")
    assert "@-@" not in _labels("is_punctuation", " a well @-@ known mill . \n")
    assert "fire" not in _labels("in_quotation", ' he said " the fire . \n')  # an odd paragraph
    assert "built" not in _labels("in_parentheses", " the mill ( built by Anna . \n")


def _tokens(pieces: list[str], text: str, window: int = 64) -> TokenizedText:
    start, at = [], 0
    for piece in pieces:
        at = text.index(piece, at)
        start.append(at)
        at += len(piece)
    kinds = {piece: i for i, piece in enumerate(dict.fromkeys(pieces))}
    ids = np.array([kinds[piece] for piece in pieces])
    (rank,) = frequency_ranks([ids])
    place = np.arange(len(pieces))
    ends = np.array(start) + [len(piece) for piece in pieces]
    return TokenizedText(text, ids, np.array(start), ends, place % window, place // window, rank)


def _marks(name: str, tokens: TokenizedText) -> list[int]:
    label = PROPERTIES[name].label
    assert label is not None
    return label(tokens, Material()).tolist()


def test_rules_about_pieces_and_windows_read_the_tokens_themselves() -> None:
    tokens = _tokens(["the", "mill", "er", "saw", "the", "mill", "."], "the miller saw the mill.", window=5)
    assert _marks("word_continues", tokens) == [0, 1, 0, 0, 0, 0, -1]
    assert _marks("repeats_in_window", tokens) == [
        0,
        0,
        -1,
        0,
        1,
        0,
        -1,
    ]  # the second mill is in another window
    assert _marks("position_early", _tokens(list("abcdefghij"), "abcdefghij")) == [1] * 8 + [0] * 2
    assert _marks("is_rare_token", tokens) == [
        0,
        0,
        0,
        0,
        0,
        0,
        0,
    ]  # three kinds of one time are 3 of 7 tokens


def test_a_word_of_several_pieces_is_labelled_at_its_last_one() -> None:
    tokens = _tokens(["in", "19", "84", "the", "mill"], "in 1984 the mill")
    assert _marks("is_year", tokens) == [-1, -1, 1, -1, -1]


def test_ranks_are_shares_of_tokens_of_kinds_at_most_as_frequent() -> None:
    (found,) = frequency_ranks([np.array([0, 0, 0, 1, 2, 0])])
    np.testing.assert_allclose(found, [1, 1, 1, 2 / 6, 2 / 6, 1])


def test_both_forms_of_a_noun_have_one_lemma() -> None:
    for one, many in (
        ("city", "cities"),
        ("box", "boxes"),
        ("dog", "dogs"),
        ("church", "churches"),
        ("glass", "glasses"),
    ):
        assert lemma(one) == lemma(many) == one


def test_no_document_and_no_lemma_is_on_both_sides_and_classes_are_as_many() -> None:
    generator = np.random.default_rng(0)
    documents, lemmas = generator.integers(0, 30, 3000), generator.integers(0, 200, 3000)
    labels = generator.random(3000) < 0.2
    for seed in range(5):
        parts = split_by_document(labels, documents, apart=lemmas, random_state=seed, most=500)
        assert not set(documents[parts.train]) & set(documents[parts.test])
        assert not set(lemmas[parts.train]) & set(lemmas[parts.test])
        assert labels[parts.train].mean() == labels[parts.test].mean() == 0.5
        assert len(parts.train) == 300
        assert parts.n_documents == (len(set(documents[parts.train])), len(set(documents[parts.test])))
    assert split_by_document(labels, documents, random_state=1).train.tolist() != split_by_document(
        labels, documents, random_state=2
    ).train.tolist()  # fmt: skip


def test_about_three_fifths_of_the_examples_train_however_large_documents_are() -> None:
    documents = np.repeat(np.arange(40), np.arange(1, 41) * 5)
    labels = np.arange(len(documents)) % 2 == 0
    shares = []
    for seed in range(20):
        parts = split_by_document(labels, documents, random_state=seed)
        shares.append(len(parts.train) / (len(parts.train) + len(parts.test)))
    assert np.mean(shares) == pytest.approx(0.6, abs=0.02)
    assert 0.5 < min(shares) < max(shares) < 0.7


def test_too_few_documents_of_a_class_are_one_line() -> None:
    with pytest.raises(
        UserError, match="0 examples of a class in the test documents .50 positive and 50 negative in 2"
    ):
        split_by_document([True] * 50 + [False] * 50, [0] * 50 + [1] * 50)


def test_a_threshold_stands_between_values_and_on_the_side_of_the_positives() -> None:
    values, labels = np.array([1.0, 2, 2, 3, 8, 9]), np.array([True, True, True, True, False, False])
    assert beyond_threshold(values, labels, np.array([5.4, 5.6])).tolist() == [True, False]


def test_a_table_knows_what_it_saw_and_nothing_else() -> None:
    labels = np.array([True, True, False, False])
    found = table_log_odds(np.array([0, 0, 1, 2]), labels, np.array([0, 1, 3]))
    np.testing.assert_allclose(found, [np.log(2.5 / 0.5), np.log(0.5 / 1.5), 0])


def test_trivial_predictors_are_learnt_on_the_training_documents() -> None:
    generator = np.random.default_rng(0)
    labels = generator.random(400) < 0.5
    documents = np.arange(400) // 10
    parts = split_by_document(labels, documents)
    leak = np.where(
        np.isin(np.arange(400), parts.test), labels, generator.random(400)
    )  # tells in the test half alone
    found = trivial_f1({"length": labels * 10.0, "leak": leak}, {"number": np.arange(400)}, labels, parts)
    assert found["length"] == 1
    assert found["number"] == 0
    assert found["leak"] < 1


def test_the_collection_is_large_and_every_property_says_what_it_is() -> None:
    levels = Counter(one.level for one in PROPERTIES.values())
    assert levels["token"] + levels["text"] >= 50
    assert levels["picture"] >= 20
    for name, one in PROPERTIES.items():
        assert one.name == name
        for words in (one.sentence, one.source, one.license, one.confound):
            assert len(words) >= 3
        assert (one.label is None) == (one.level != "token")
        assert (one.make is None) == (one.level == "token")


def test_what_is_absent_is_said_with_what_to_do(tmp_path: Path) -> None:
    empty = Material((tmp_path,))
    with pytest.raises(
        NotAvailableError, match="wikitext-2: no folder wikitext. in .*name one with --material"
    ):
        PROPERTIES["is_digit"].checks(empty)
    with pytest.raises(NotAvailableError, match="blimp"):
        PROPERTIES["is_grammatical_syntax"].made(empty)
    with pytest.raises(NotAvailableError, match="floc|fLoc"):
        PROPERTIES["floc_is_face"].made(empty)
    with pytest.raises(UserError, match="is no folder"):
        Material.at_hand(tmp_path / "nowhere")


def test_what_python_and_brodmann_bring_needs_no_folder(tmp_path: Path) -> None:
    empty = Material((tmp_path,))
    for name in (
        "is_code_not_documentation",
        "is_comment_or_docstring",
        "made_up_jabberwocky_vs_nonwords",
        "noun_vs_verb",
    ):
        made = PROPERTIES[name].made(empty)
        assert isinstance(made, Texts)
        assert made.labels.mean() == 0.5
        assert len(made.texts) == len(made.documents) == len(made.kinds) >= 160
    checked = PROPERTIES["is_code_not_documentation"].checks(empty)
    assert set(checked.trivial) == {"letters", "words", "mean log frequency", "first word"}
    assert checked.n_train + checked.n_test <= checked.n == 1400


def test_comments_and_docstrings_are_told_from_code() -> None:
    source = '"""What it is."""\nx = """a string"""  # a remark\n\n\ndef f():\n    """Say # it."""\n    return "# no"\n'
    spoken, done = spoken_and_done(source)
    assert spoken == "What it is. a remark Say # it."
    assert done == 'x = """a string"""\ndef f():\n    return "# no"'
    assert spoken_and_done("def (:\n  '") == ("", "")


def test_pieces_are_whole_words_or_whole_lines() -> None:
    text = "one two  three\n    four five\nsix seven eight\n"
    assert [piece for _, piece in cut("d", text, 8)] == ["one two three", "four five", "six seven"]
    assert [piece for _, piece in cut("d", text, 8, layout=True)] == [
        "one two  three",
        "    four five",
        "six seven eight",
    ]
    assert plain(" a well @-@ known  1 @,@ 000 ") == "a well-known 1,000"


def test_kinds_of_negatives_are_as_many_and_texts_always_the_same() -> None:
    groups = {
        "yes": (True, [("a", f"y{i}") for i in range(90)]),
        "no": (False, [("b", f"n{i}") for i in range(200)]),
        "hard": (False, [("c", f"h{i}") for i in range(30)]),
    }
    made = Texts.of(groups)
    assert Counter(made.kinds) == {"yes": 90, "no": 60, "hard": 30}
    assert made.texts == Texts.of(groups).texts
    assert all((kind == "yes") == label for kind, label in zip(made.kinds, made.labels, strict=True))


def test_drawn_pictures_are_labelled_by_what_they_were_drawn_from() -> None:
    made = PROPERTIES["object_left_of_centre"].made(Material())
    assert isinstance(made, Pictures)
    x = {f"localizer{i:04d}": one.x for i, one in enumerate(nuisances())}
    assert [x[name] < 0 for name in made.stimuli["stimulus_id"]] == made.labels.tolist()
    large = PROPERTIES["is_large"].made(Material())
    assert isinstance(large, Pictures)
    size = np.array([nuisances()[int(name[-4:])].size for name in large.stimuli["stimulus_id"]])
    assert size[large.labels].min() > size[~large.labels].max() - 0.05


def test_gratings_test_on_frequencies_and_phases_that_did_not_train() -> None:
    made = PROPERTIES["orientation_45"].made(Material())
    assert isinstance(made, Pictures)
    assert set(made.stimuli["orientation"][made.labels]) == {45.0}
    parts = split_by_document(made.labels, made.documents)
    assert not {made.documents[i] for i in parts.train} & {made.documents[i] for i in parts.test}
    assert len(set(made.stimuli["orientation"][~made.labels])) == 7


def test_luminance_says_nothing_of_what_it_is_itself_and_is_named_elsewhere() -> None:
    assert PROPERTIES["is_bright"].checks(Material()).trivial == {}
    assert "luminance" in PROPERTIES["drawn_is_word"].checks(Material()).trivial


def test_wikitext_and_blimp_give_every_property_of_theirs(test_data: Path) -> None:
    material = Material((test_data,))
    pairs = PROPERTIES["is_grammatical_semantics"].made(material)
    assert isinstance(pairs, Texts)
    assert pairs.labels.tolist() == [True, False] * (len(pairs.labels) // 2)
    parts = split_by_document(pairs.labels, pairs.documents)
    assert not {pairs.documents[i] for i in parts.train} & {pairs.documents[i] for i in parts.test}
    for name in ("is_year", "in_quotation", "in_heading"):
        found = PROPERTIES[name].checks(material)
        assert found.n_test >= 1000
        assert found.n_documents > 80
    shuffled = PROPERTIES["word_order_shuffled"].made(material)
    assert isinstance(shuffled, Texts)
    assert len(shuffled.texts) == 1400
    assert max(found for found in PROPERTIES["contains_number"].checks(material).trivial.values()) < 0.75


def test_messages_are_the_same_in_every_language_and_hold_no_markup() -> None:
    pytest.importorskip("django", reason="message catalogues need Django, an optional package")
    messages = Material().messages()
    assert len({tuple(part for part, _ in one) for one in messages.values()}) == 1
    assert len(messages["french"]) >= 300
    made = PROPERTIES["is_german"].made(Material())
    assert isinstance(made, Texts)
    assert made.kinds.count("german") == made.labels.sum() == len(made.texts) // 2
    assert not any("%(" in text or "<a" in text for text in made.texts)


def test_a_property_of_another_package_is_found_by_name() -> None:
    own = Property(
        "of_mine", "it is mine", "text", "mine", "mine", "none", make=lambda material: Texts.of({})
    )
    PROPERTIES.register("of_mine", own, __name__)
    try:
        assert PROPERTIES["of_mine"] is own
    finally:
        PROPERTIES._forget(__name__)
