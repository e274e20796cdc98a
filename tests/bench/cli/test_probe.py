"""`brodmann probe`: which units hold a property, on texts of one's own, and mistakes in one line."""

import json

import numpy as np
import pytest

NAME, LAYER = "twin-language-topographic", "transformer.h.1.mlp.gelu"


@pytest.fixture
def texts(tmp_path):
    """Documents with numbers among words."""
    drawn = np.random.default_rng(0)
    words = ["dog", "garden", "river", "saw", "moved", "near", "bird", "horse", "the", "a", "rain", "hill"]
    place = tmp_path / "texts"
    place.mkdir()
    for i in range(24):
        some = [
            str(drawn.integers(10, 999)) if drawn.random() < 0.3 else str(drawn.choice(words))
            for _ in range(240)
        ]
        (place / f"{i}.txt").write_text(" ".join(some) + " .")
    return place


def test_digits_are_found_with_few_units_and_the_table_says_so(brodmann, texts):
    asked = ("probe", NAME, "--layer", LAYER, "--property", "is_digit", "--texts", texts, "--draws", "50")
    code, out, err = brodmann(*asked)
    assert code == 0, err
    assert "is_digit" in out
    code, out, _ = brodmann(*asked, "--optimal", "--seconds", "2", "--json")
    assert code == 0
    said = json.loads(out)
    assert said["model"] == NAME
    assert "is_digit" in json.dumps(said["layers"])


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("--layer", LAYER, "--property", "is_digt"), "is_digit"),
        (("--layer", "transformer.h.7", "--property", "is_digit"), "transformer.h.7"),
        (("--property", "is_digit"), "--layer"),
        (("--layer", LAYER, "--property", ","), "--property"),
        (("--layer", LAYER, "--property", "is_digit", "--features", "nowhere"), "nowhere"),
    ],
)
def test_mistakes_are_one_line(brodmann, texts, words, said):
    code, out, err = brodmann("probe", NAME, "--texts", texts, *words)
    assert (code, out) == (2, "")
    assert len(err.strip().splitlines()) == 1, err
    assert said in err
