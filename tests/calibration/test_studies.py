"""The calibration studies at a few seeds: they run, and what is flawless or unrelated is found to be."""

import importlib

import numpy as np
import pytest
import run
from designs import signals_folder


@pytest.fixture(autouse=True)
def generator_at_hand():
    if not (signals_folder() / "generator.py").is_file():
        pytest.skip(f"no independent generator: {signals_folder()} is absent (set BRODMANN_TEST_SIGNALS)")


@pytest.fixture(scope="module")
def encoding():
    return importlib.import_module("encoding").STUDIES


def test_few_groups(encoding):
    (row,) = encoding["intervals 6 0.5 0.0"](range(8))
    assert 0.9 < row["score"] < 1.0
    assert row["own inside"] == 1
    assert row["covers"] >= 0.75


def test_low_reliability_and_unequal_repetitions(encoding):
    (row,) = encoding["ceiling 0.2 300 2"](range(6))
    assert row["score"] == pytest.approx(1, abs=0.05)
    (row,) = encoding["unequal 0.5 0.3"](range(6))
    assert row["score"] == pytest.approx(1, abs=0.03)


@pytest.mark.parametrize(
    "design", ["AR(.8) in order", "triples of near-duplicates apart", "categories, leave-category-out"]
)
def test_what_is_unrelated_is_not_significant(encoding, design):
    (row,) = encoding[f"unrelated {design}"](range(6))
    assert row["p <= .05"] <= 0.34


def test_equal_models(encoding):
    (row,) = encoding["equal models 5 False"](range(4))
    assert row["p < .05"] <= 0.25
    assert row["own inside"] == 1


def test_the_page_marks_what_does_not_hold():
    rows = {
        "encoding a": [{"design": "one", "score": 0.5, "must": "1", "holds": np.False_}],
        "encoding b": [{"design": "two", "score": 1.0, "must": "1", "holds": True}],
    }
    text = run.page(rows)
    assert "| one | 0.500 | 1 | **no** |" in text
    assert "| two | 1.000 | 1 |  |" in text
    assert "1 of 2 rows" in text
    assert text.count("## Encoding scores") == 1
