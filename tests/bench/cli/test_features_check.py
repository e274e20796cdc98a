"""brodmann features check and convert, from the shell."""

import json
from functools import partial

import numpy as np
import pytest
import torch

from brodmann import load_model
from brodmann.analysis.interpretability.codes import Weights
from brodmann.analysis.interpretability.dictionary import Dictionary, Site
from brodmann.models.extraction.rows import layer_rows, token_windows

LAYER = "transformer.h.1.mlp.gelu"
MODEL = "twin-language-topographic"


@pytest.fixture(scope="module")
def texts(tmp_path_factory):
    folder = tmp_path_factory.mktemp("texts")
    words = "the old river town was built by a king who sold his ships in winter of 1974 and fled"
    words = words.replace(" and", " , and").split()
    random = np.random.default_rng(0)
    for i in range(40):
        lines = [" ".join(random.choice(words, 14)) + " ." for _ in range(6)]
        (folder / f"{i:02}.txt").write_text("\n".join(lines))
    return folder


@pytest.fixture(scope="module")
def mean():
    model = load_model(MODEL)
    shown = token_windows(
        model, ["the king sold his ships in the winter of 1974 , and fled by the old river ."]
    )
    return next(layer_rows(model, LAYER, shown)).values.mean(dim=0)


@pytest.fixture
def made(tmp_path, mean):
    def write(name, seed, model=MODEL, times=1.0):
        random = np.random.default_rng(seed)
        d = torch.from_numpy(random.standard_normal((300, 256)).astype(np.float32) / 16)
        weights = Weights(d, d * 0.3 * times, torch.zeros(300), torch.zeros(256), 6)
        site = Site(model, load_model(model).digest, LAYER, "token")
        facts = {"rows": {"seen": 5000}}
        return Dictionary(weights, mean, 1.0, "topk", site=site, facts=facts).save(tmp_path / name)

    return write


@pytest.fixture
def ran(brodmann):
    """Run a command about features."""
    return partial(brodmann, "features")


def test_check_tells_quality_and_every_floor(texts, made, ran):
    first, second = made("a.features", 1), made("b.features", 2)
    code, out, _ = ran("check", first, "--against", second, "--texts", texts, "--json")
    assert code == 0
    report = json.loads(out)
    assert report["model"] == MODEL
    assert report["reconstruction"]["l0"] <= 6
    assert report["n_documents"] == 5
    assert report["loss"]["clean"] < report["loss"]["zero"]
    directions = report["against"]["directions"]
    assert set(directions["floors"]) == {"isotropic", "covariance_matched", "data_rows"}
    assert directions["verdict"] == "not reproducible"
    assert directions["found"]["mmcs"] == pytest.approx(directions["floors"]["isotropic"]["mmcs"], abs=0.02)
    assert "features_to_untrained" in report["against"]["activations"]
    code, out, _ = ran("check", first, "--against", second, "--texts", texts)
    assert code == 0
    assert "not reproducible" in out
    for word in (
        "FVU",
        "recovered",
        "of the layer's covariance",
        "to an untrained dictionary",
        "units, to features",
    ):
        assert word in out


def test_a_dictionary_of_the_other_twin_is_compared_by_its_answers(texts, made, ran):
    first = made("a.features", 1)
    other = made("b.features", 1, model="twin-language-baseline")
    code, out, _ = ran("check", first, "--against", other, "--texts", texts, "--json")
    assert code == 0
    against = json.loads(out)["against"]
    assert "directions" not in against
    assert against["activations"]["units_to_units"]["n"] == 256


@pytest.mark.parametrize("layout", ["saelens", "sparsify"])
def test_convert_writes_what_check_reads(layout, texts, made, ran, tmp_path):
    first = made("a.features", 1)
    code, out, _ = ran("convert", first, "--to", layout, "--folder", tmp_path / "b", "--json")
    assert code == 0
    assert json.loads(out)["n_features"] == 300
    shared = ["--texts", texts, "--json"]
    _, ours, _ = ran("check", first, *shared)
    where = ["--model", MODEL, "--layer", LAYER]
    code, theirs, err = ran("check", tmp_path / "b", *where, *shared)
    assert code == 0, err
    ours, theirs = json.loads(ours)["reconstruction"], json.loads(theirs)["reconstruction"]
    assert 0.8 < ours["fvu"] < 1
    assert theirs == pytest.approx(ours, rel=1e-4)
    wild = made("wild.features", 1, times=100)
    ran("convert", wild, "--to", layout, "--folder", tmp_path / "c")
    code, _, err = ran("check", tmp_path / "c", *where, *shared)
    assert code == 2
    assert "centred or scaled" in err


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["check", "absent.features"], "no dictionary at"),
        (["convert", "A", "--to", "openai", "--folder", "NEW"], "write it as saelens or sparsify"),
        (["convert", "A", "--to", "saelens", "--folder", "A"], "is there already"),
        (["check", "A", "--layer", "transformer.h.9.mlp"], "transformer.h.9.mlp"),
    ],
)
def test_mistakes_are_one_line(words, said, texts, made, ran, tmp_path):
    first = made("a.features", 1)
    names = {"A": str(first), "NEW": str(tmp_path / "new")}
    asked = [names.get(word, word) for word in words]
    code, out, err = ran(*asked, *(["--texts", texts] if words[0] == "check" else []))
    assert code == 2
    assert out == ""
    assert said in err
    assert not (tmp_path / "new").exists()
