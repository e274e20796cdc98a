"""`brodmann features`: what is said of every feature, and mistakes in one line."""

import json

import pandas as pd
import pytest
from dictionaries import LAYER, NAME, drawn_dictionary

from brodmann.analysis.interpretability.dictionary import Dictionary


@pytest.fixture
def folder(tmp_path):
    return drawn_dictionary(tmp_path / "a.features", 32)


@pytest.fixture
def texts(tmp_path):
    place = tmp_path / "texts"
    place.mkdir()
    for i in range(12):
        (place / f"{i}.txt").write_text(f"the dog saw {i} birds in the garden and ran away . " * 8)
    return place


def test_the_table_has_a_row_a_feature_and_lies_beside_the_dictionary(brodmann, folder, texts):
    code, out, _ = brodmann("features", "table", folder, "--texts", texts, "--view", "density,mass")
    assert code == 0
    table = pd.read_csv(folder.with_name("a.features.features.csv"))
    assert len(table) == 32
    assert {"density.rate", "mass.signed_I"} <= set(table.columns)
    assert "covariance-matched" in out
    beside = json.loads(folder.with_name("a.features.features.json").read_text())
    assert {one["kind"] for one in beside["mass"]["controls"]} >= {
        "features",
        "covariance-matched",
        "isotropic",
    }


def test_the_same_of_units_as_json(brodmann, folder, texts, tmp_path):
    out = tmp_path / "units.csv"
    code, said, _ = brodmann(
        "features", "table", folder, "--units", "--view", "activity", "--texts", texts, "--out", out, "--json"
    )
    assert code == 0
    assert json.loads(said)["n"] == len(pd.read_csv(out)) == 256


def test_info_says_what_a_dictionary_is_of(brodmann, folder):
    code, out, _ = brodmann("features", "info", folder, "--json")
    assert code == 0
    assert json.loads(out)["layer"] == LAYER


def test_by_default_it_reads_python_s_own_documentation(brodmann, folder):
    assert brodmann("features", "table", folder, "--view", "density")[0] == 0


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("--view", "densty"), "did you mean 'density'"),
        (("--layer", "transformer.h.9"), "transformer.h.9"),
        (("--model", "twin-vision-topographic"), "unknown layer of twin-vision"),
        (("--model", "pixels"), "unknown layer of pixels"),
        (("--pictures", "."), "--pictures"),
        (("--texts", "nowhere"), "no text file"),
        (("--out", "a.txt"), ".csv"),
    ],
)
def test_mistakes_are_one_line(brodmann, folder, words, said):
    code, out, err = brodmann("features", "table", folder, *words)
    assert (code, out) == (2, "")
    assert len(err.strip().splitlines()) == 1
    assert said in err


def test_other_weights_of_the_same_name_are_refused_unless_the_model_is_named(brodmann, folder, texts):
    path = folder / "features.json"
    kept = json.loads(path.read_text())
    kept["site"]["weights_digest"] = "0" * 64
    path.write_text(json.dumps(kept))
    code, _, err = brodmann("features", "table", folder, "--texts", texts, "--view", "density")
    assert code == 2
    assert "other weights" in err
    named = brodmann("features", "table", folder, "--texts", texts, "--view", "density", "--model", NAME)
    assert named[0] == 0


def test_a_folder_of_something_else_is_one_line(brodmann, tmp_path):
    code, _, err = brodmann("features", "info", tmp_path)
    assert code == 2
    assert len(err.strip().splitlines()) == 1


def test_rows_of_an_unknown_precision_are_one_line(brodmann, texts, tmp_path):
    asked = ("--layer", LAYER, "--texts", texts, "--folder", tmp_path / "b.features")
    code, out, err = brodmann("features", "train", NAME, *asked, "--kept-as", "fp8")
    assert (code, out) == (2, "")
    assert err.strip() == "brodmann: --kept-as 'fp8' is not one of fp16, bf16, fp32"


def test_no_more_rows_are_learnt_from_than_asked_for(brodmann, texts, tmp_path):
    path = tmp_path / "b.features"
    asked = ("--features", 16, "--active", 2, "--rows", 20, "--texts", texts, "--folder", path)
    code, _, err = brodmann("features", "train", NAME, "--layer", LAYER, *asked)
    assert code == 0, err
    assert Dictionary.load(path).facts["rows"]["seen"] == 20
