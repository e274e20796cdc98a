"""Texts of descriptions: which keys are named, and what cannot be shown as it is."""

import pytest

from brodmann.analysis.interpretability.descriptions.wording import in_words, key_text


def test_keys_are_named_until_nine_tenths_of_what_they_hold_and_four_at_most():
    keys = [(" the", 2.0, 0.6), (" a", 1.0, 0.2), (" an", 1.0, 0.03), (" x", 0.1, 0.02)]
    assert in_words("fires on", keys) == "fires on “the”, “a” (80 % of its mass)"
    even = [(f" w{i}", 1.0, 0.1) for i in range(10)]
    assert in_words("fires on", even) == "fires on “w0”, “w1”, “w2”, “w3” (40 % of its mass)"
    assert in_words("fires on", [(" x", 1.0, 0.001)]) == "fires on “x” (under 1 % of its mass)"


def test_promoted_tokens_and_a_class_follow():
    text = in_words(
        "fires on", [(" the", 2.0, 1.0)], promoted=[" cat", "cat"], more=("in headings", 2.14, 1e-9)
    )
    assert (
        text == "fires on “the” (100 % of its mass); promotes “cat”; 2.1 x more often in headings (q < .001)"
    )
    assert in_words("fires on", [(" the", 2.0, 1.0)], more=("x", 3.0, 0.004)).endswith("x (q 0.004)")


def test_classes_stand_without_marks_and_nothing_is_said_of_nothing():
    assert in_words("fires", [("on digits", 1.0, 0.5)], marks=False) == "fires on digits (50 % of its mass)"
    assert in_words("fires on", []) == "no description"


@pytest.mark.parametrize(
    ("name", "text"),
    [
        (" the", "“the”"),
        ("  ", "“··”"),
        ("\n", "“⏎”"),
        ("", "“∅”"),
        ("\x1b[31m", "“\\x1b[31m”"),
        ("x" * 40, f"“{'x' * 23}…”"),
    ],
)
def test_a_key_that_cannot_be_shown_is_spelt(name, text):
    assert key_text(name) == text
