"""brodmann features brain and lesion, from the shell."""

import json
from functools import partial

import numpy as np
import pytest
import torch

from brodmann import load_model
from brodmann.analysis.interpretability.codes import Weights
from brodmann.analysis.interpretability.dictionary import Dictionary, Site
from brodmann.models.extraction.rows import layer_rows, token_windows

LAYER, MODEL = "transformer.h.1.mlp.gelu", "twin-language-topographic"
BENCHMARK = "simulated-cortex-language.language-ridge"
QUICK = ("--controls", 2, "--fold-seeds", 1, "--bootstraps", 20, "--permutations", 0)


@pytest.fixture(scope="module")
def texts(tmp_path_factory):
    folder = tmp_path_factory.mktemp("texts")
    text = "the old river town was built by a king who sold his ships in winter of 1974 , and fled"
    words = text.split()
    random = np.random.default_rng(0)
    for i in range(40):
        (folder / f"{i:02}.txt").write_text(" . ".join(" ".join(random.choice(words, 14)) for _ in range(12)))
    return folder


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Features that are rows of the layer, less their mean: each fires at what it was taken from."""
    model = load_model(MODEL)
    shown = token_windows(
        model, ["the king sold his ships in the winter of 1974 , and fled by the old river ."] * 9
    )
    rows = torch.cat([one.values for one in layer_rows(model, LAYER, shown)])
    mean, scale = rows.mean(dim=0), float((rows - rows.mean(dim=0)).square().mean().sqrt())
    unit = torch.nn.functional.normalize(rows[:60] - mean, dim=1)
    weights = Weights(unit, unit.clone(), torch.zeros(60), torch.zeros(256), 4)
    site = Site(MODEL, model.digest, LAYER, "token")
    return Dictionary(weights, mean, scale, "topk", site=site).save(
        tmp_path_factory.mktemp("own") / "own.features"
    )


@pytest.fixture
def ran(brodmann):
    """Run a command about features."""
    return partial(brodmann, "features")


def test_features_are_scored_beside_their_controls(folder, ran, tmp_path):
    words = (
        "brain",
        folder,
        "--benchmark",
        BENCHMARK,
        *QUICK,
        "--run",
        tmp_path / "run",
        "--out",
        tmp_path / "out",
    )
    code, out, _ = ran(*words, "--json")
    assert code == 0
    [found] = json.loads(out)["scores"]
    assert found["sae_score"]["n_controls"] == 2
    assert found["record"]["sae_control"] == pytest.approx(found["sae_score"]["control"])
    assert found["record"]["model"] == f"{MODEL}+{LAYER}+features"
    assert {row["columns"] for row in found["curves"]} >= {
        "features",
        "neurons",
        "untrained TopK",
        "random ReLU",
    }
    assert {one.suffix for one in (tmp_path / "out").iterdir()} == {".png", ".csv", ".json"}
    code, out, _ = ran(*words)
    assert code == 0
    assert "SAE score" in out
    assert "2 untrained dictionaries" in out


def test_a_lesion_is_told_beside_four_kinds_of_units(folder, texts, ran):
    words = ("lesion", folder, "--feature", 3, "--controls", 3, "--windows", 8, "--texts", texts)
    code, out, _ = ran(*words, "--json")
    assert code == 0
    found = json.loads(out)
    assert list(found["controls"]) == [
        "random units", "contiguous units", "units of the same variance", "units of another feature"
    ]  # fmt: skip
    assert found["share"] >= 0.5
    assert found["controls"]["random units"]["specific"]["n"] == 3
    code, out, _ = ran(*words)
    assert code == 0
    assert "the feature alone at 0" in out


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("brain", "--benchmark", "nothing.V1-ridge"), "nothing.V1-ridge"),
        (("brain", "--benchmark", "simulated-cortex.IT-ridge"), "cannot be shown the stimuli"),
        (("lesion", "--feature", 60), "there is no feature 60"),
    ],
)
def test_mistakes_are_one_line(folder, texts, ran, words, said):
    more = ("--texts", texts) if words[0] == "lesion" else ()
    code, out, err = ran(words[0], folder, *words[1:], *more)
    assert (code, out) == (2, "")
    assert said in err
    assert err.strip().count("\n") == 0
