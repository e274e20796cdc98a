"""`brodmann features page`: from a model or dictionaries to a folder that opens; mistakes in one line, nothing lost."""

import base64
import gzip
import json
import re
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest
import torch
from chromium import Chromium
from dictionaries import LAYER, NAME, drawn_dictionary

from brodmann.analysis.interpretability.codes import Weights
from brodmann.analysis.interpretability.dictionary import Dictionary, Site
from brodmann.bench.cli.features_page import Place, _names
from brodmann.bench.reports.explorer.explore import _command
from brodmann.models import load_model

QUICK = ("--without", "probes,topics,lens,effects,neighbours,twins", "--most-rows", "2000")


def dictionary(folder, seed=0, n_units=256):
    return drawn_dictionary(folder, 48, seed=seed, n_units=n_units)


@pytest.fixture
def texts(tmp_path):
    place = tmp_path / "texts"
    place.mkdir()
    for i in range(30):
        (place / f"{i:02}.txt").write_text(
            f"the dog saw {i} birds in the garden of the king and ran away . " * 12
        )
    return place


def part(folder, name):
    """A part of a page, as the browser reads it."""
    text = (folder / "data" / f"{name.replace('/', '-')}.js").read_text()
    packed = re.fullmatch(r'__put\("(.*)","(.*)"\)\n', text)
    assert packed[1] == name
    return json.loads(gzip.decompress(base64.b64decode(packed[2])))


def test_a_page_of_a_dictionary_and_of_its_other_seed(brodmann, texts, tmp_path):
    one, two = dictionary(tmp_path / "a.features"), dictionary(tmp_path / "b.features", 1)
    folder = tmp_path / "page"
    code, out, err = brodmann(
        "features", "page", "--features", one, "--against", two, "--texts", texts, "--folder", folder,
        "--without", "probes,topics,lens,effects,neighbours", "--most-rows", "2000", "--licence", "CC0", "--json",
    )  # fmt: skip
    assert code == 0, err
    told = json.loads(out)
    assert told["n"] == {"unit": 256, "feature": 48}
    assert told["n_bytes"] == sum(one.stat().st_size for one in folder.rglob("*") if one.is_file())
    index = part(folder, "index")
    (site,) = index["sites"]
    assert site["facts"]["dictionary"]["digest"] == Dictionary.load(one).digest
    assert index["notes"] == ["This page holds texts of texts; licence: CC0."]
    assert str(tmp_path) not in json.dumps(index)  # no folder of this machine
    material = part(folder, f"material/{site['material']}")
    entry = next(one for one in part(folder, f"{site['key']}/unit/0") if one["examples"]["top"])
    position, first, steps = entry["examples"]["top"][0]
    assert abs(steps[position - first]) == 100
    assert material["vocabulary"][material["tokens"][position]].strip()
    assert "twins" in site["sections"]["feature"]


def test_a_dictionary_is_learnt_where_none_is_named_and_kept_for_the_next_time(brodmann, texts, tmp_path):
    folder = tmp_path / "page"
    words = ("features", "page", NAME, "--layer", LAYER, "--texts", texts, "--folder", folder, "--rows", "3k")
    words += ("--n-features", "64", "--active", "4", "--seeds", "1", *QUICK)
    code, out, err = brodmann(*words)
    assert code == 0, err
    assert "learning" in out
    first = {one.name: one.read_bytes() for one in folder.rglob("*.js")}
    code, out, _ = brodmann(*words)
    assert code == 0
    assert "learning" not in out
    assert {one.name: one.read_bytes() for one in folder.rglob("*.js")} == first


def test_a_dictionary_that_is_learnt_is_kept_apart_from_those_of_other_texts(brodmann, texts, tmp_path):
    words = ("features", "page", NAME, "--layer", LAYER, "--folder", tmp_path / "page", "--rows", "3k")
    words += ("--n-features", "64", "--active", "4", "--seeds", "1", *QUICK)
    digests = set()
    for first in ("the dog", "a whale"):
        (texts / "00.txt").write_text(f"{first} swam to the island . " * 40)
        assert brodmann(*words, "--texts", texts)[0] == 0
        digests.add(part(tmp_path / "page", "index")["sites"][0]["facts"]["dictionary"]["digest"])
    assert len(digests) == 2
    assert len(list((tmp_path / "page.work").glob("*.features"))) == 2


def test_layers_whose_names_differ_in_signs_or_capitals_alone_have_links_of_their_own():
    def place(name, folder):
        return Place(SimpleNamespace(identifier=name), "a#in", folder and Path(folder), None)

    for one, other in [
        (place("hf:a", None), place("hf/a", None)),
        (place("A", None), place("a", None)),
        (place("\u6a21", None), place("\u578b", None)),
        (place("m", "x/s 1.features"), place("m", "y/s-1.features")),
        (place("m", "x/s.features"), place("m", "y/s.features")),
        (place("m" * 300 + "a", None), place("n" * 300 + "a", None)),
    ]:
        (key, title), (other_key, other_title) = _names([one, other])
        assert key.lower() != other_key.lower()
        assert title != other_title
        assert max(map(len, (key, other_key))) < 150
        assert all(re.fullmatch("[A-Za-z0-9._-]+", name) for name in (key, other_key))


def test_the_command_on_the_page_names_no_folder_and_no_key_of_a_describer(monkeypatch):
    said = [
        "/home/me/bin/brodmann",
        "features",
        "page",
        "hf:/home/me/nets/m",
        "--texts=/home/me/texts",
        "--labels",
    ]
    said += [
        "../me/mine.csv",
        "--describer",
        "python /home/me/d.py --key sk-1",
        "--licence",
        "https://a.org/b/c",
    ]
    monkeypatch.setattr(sys, "argv", said)
    assert _command() == (
        "brodmann features page hf:m --texts=texts --labels mine.csv --describer ... --licence https://a.org/b/c"
    )
    monkeypatch.setattr(sys, "argv", ["brodmann", "--describer=https://me:sk-1@a.org/?key=sk-2"])
    assert "sk-" not in _command()


@pytest.mark.skipif(not Chromium.is_here(), reason="chromium is not installed")
def test_two_models_stand_beside_each_other_in_a_browser(brodmann, texts, tmp_path):
    folder = tmp_path / "page"
    code, _, err = brodmann(
        "features", "page", NAME, "twin-language-baseline", "--layer", LAYER, "--texts", texts, "--folder", folder,
        "--rows", "3k", "--n-features", "64", "--active", "4", "--seeds", "1", "--single", *QUICK,
    )  # fmt: skip
    assert code == 0, err
    assert sorted(one.name for one in folder.iterdir()) == ["explorer.json", "index.html"]
    with Chromium(tmp_path / "profile") as browser:
        browser.open(f"file://{folder}/index.html#/{NAME}/sheet?beside=twin-language-baseline")
        browser.wait("!!document.getElementById('ready')")
        titles = browser.run("[...document.querySelectorAll('main h2, main h3')].map(one => one.textContent)")
        assert {NAME, "twin-language-baseline"} <= set(titles)
        assert browser.run("document.getElementById('errors').textContent") == ""
        assert browser.complaints() == []


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ((), "name a model, or a dictionary with --features"),
        (("a", "b", "c"), "a page is of one or two models"),
        ((NAME, "--layer", "nowhere"), "nowhere"),
        ((NAME, "--layer", LAYER, "--without", "histograms"), "there is no section 'histograms'"),
        ((NAME, "--layer", LAYER, "--lesion", "twelve"), "--lesion takes numbers of features"),
        ((NAME, "--layer", LAYER, "--rows", "many"), "--rows takes a number of rows"),
        ((NAME, "--layer", LAYER, "--benchmark", "nothing"), "nothing"),
        ((NAME, "--layer", LAYER, "--against", "b.features"), "--against: give one for each of --features"),
        (("--features", "nowhere.features"), "no dictionary at nowhere.features"),
        ((NAME, "--layer", LAYER, "--property", "is_nown"), "unknown property 'is_nown'"),
        ((NAME, "--layer", LAYER, "--material", "nowhere"), "--material nowhere: there is no such folder"),
        (
            (NAME, "--layer", LAYER, "--layer", "transformer.h.0.mlp.gelu", "--labels", "a.csv"),
            "--labels are of",
        ),
    ],
)
def test_a_mistake_gives_one_line_before_anything_is_made(brodmann, tmp_path, monkeypatch, words, said):
    monkeypatch.chdir(tmp_path)
    code, _, err = brodmann("features", "page", *words)
    assert code == 2
    assert said in err
    assert len(err.strip().splitlines()) == 1
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("--lesion", "3,48"), "there is no feature 48"),
        (("--lesion", "-1"), "there is no feature -1"),
        (("--labels", "nowhere.csv"), "nowhere.csv cannot be read as labels"),
        (("--labels", "mine.csv"), "mine.csv row 3: there is no feature '48'"),
    ],
)
def test_features_that_do_not_exist_are_said_before_any_section_is_made(
    brodmann, texts, tmp_path, monkeypatch, words, said
):
    monkeypatch.chdir(tmp_path)
    one = dictionary(tmp_path / "a.features")
    (tmp_path / "mine.csv").write_text("feature,label\n3,three\n48,none\n")
    code, _, err = brodmann("features", "page", "--features", one, "--texts", texts, *words, *QUICK)
    assert code == 2
    assert said in err
    assert len(err.strip().splitlines()) == 1
    assert not (tmp_path / "explorer").exists()


def test_the_folder_in_which_it_is_called_may_be_named_with_a_dot(brodmann, texts, tmp_path, monkeypatch):
    here = tmp_path / "here"
    here.mkdir()
    monkeypatch.chdir(here)
    one = dictionary(tmp_path / "a.features")
    left_out = "description,place,tokens,brain,views,probes,topics,lens,effects,neighbours,twins"
    words = ("--texts", texts, "--folder", ".", "--without", left_out, "--most-rows", "2000")
    code, _, err = brodmann("features", "page", "--features", one, *words)
    assert code == 0, err
    assert (here / "index.html").is_file()


def test_a_folder_that_holds_something_else_is_left_alone(brodmann, tmp_path):
    mine = tmp_path / "thesis"
    mine.mkdir()
    (mine / "chapter.txt").write_text("one")
    code, _, err = brodmann("features", "page", NAME, "--layer", LAYER, "--folder", mine)
    assert (code, (mine / "chapter.txt").read_text()) == (2, "one")
    assert "holds something else already" in err


def test_a_folder_that_is_a_link_or_lies_in_a_file_is_said_first(brodmann, tmp_path):
    (tmp_path / "page").mkdir()
    (tmp_path / "link").symlink_to("page")
    (tmp_path / "gone").symlink_to("nowhere")
    (tmp_path / "file").write_text("one")
    for place, said in (("link", "is a link"), ("gone", "is a link"), ("file/page", "is no folder")):
        code, _, err = brodmann("features", "page", NAME, "--layer", LAYER, "--folder", tmp_path / place)
        assert code == 2
        assert said in err
        assert len(err.strip().splitlines()) == 1
    assert sorted(one.name for one in tmp_path.iterdir()) == ["file", "gone", "link", "page"]


def test_a_dictionary_of_other_units_is_refused(brodmann, texts, tmp_path):
    one = dictionary(tmp_path / "a.features", n_units=64)
    code, _, err = brodmann(
        "features", "page", "--features", one, "--texts", texts, "--folder", tmp_path / "page"
    )
    assert code == 2
    assert "the dictionary is of 64 units" in err
    assert not (tmp_path / "page").exists()


def test_a_dictionary_whose_activations_are_beyond_all_numbers_is_refused(brodmann, texts, tmp_path):
    huge = torch.full((48, 256), 1e38)
    weights = Weights(huge, huge.clone(), torch.zeros(48), torch.zeros(256), 4)
    site = Site(NAME, load_model(NAME).digest, LAYER, "token")
    one = Dictionary(weights, torch.zeros(256), 1e-3, "topk", site=site).save(tmp_path / "a.features")
    words = ("--texts", texts, "--folder", tmp_path / "page", *QUICK)
    code, _, err = brodmann("features", "page", "--features", one, *words)
    assert code == 2
    assert "are not finite" in err
    assert len(err.strip().splitlines()) == 1
    assert not (tmp_path / "page").exists()


def test_a_dictionary_of_another_library_is_read_with_rows_of_the_layer(brodmann, texts, tmp_path):
    ours = dictionary(tmp_path / "a.features")
    theirs, folder = tmp_path / "theirs", tmp_path / "page"
    assert brodmann("features", "convert", ours, "--to", "sparsify", "--folder", theirs)[0] == 0
    words = ("--features", theirs, "--texts", texts, "--folder", folder, *QUICK)
    code, _, err = brodmann("features", "page", NAME, "--layer", LAYER, *words)
    assert code == 2  # random directions explain nothing, which nearly always means that a scale is missing
    assert "FVU" in err or "variance" in err
    assert not folder.exists()


def test_a_page_may_be_of_units_alone(brodmann, texts, tmp_path):
    folder = tmp_path / "page"
    words = (NAME, "--layer", LAYER, "--seeds", "0", "--texts", texts, "--folder", folder)
    code, out, err = brodmann("features", "page", *words, *QUICK)
    assert code == 0, err
    assert "learning" not in out
    (site,) = part(folder, "index")["sites"]
    assert site["n"] == {"unit": 256, "feature": 0}
    assert "dictionary" not in site["facts"]
    assert any(
        one["description"]["text"] for one in part(folder, f"{site['key']}/unit/0") if "description" in one
    )


def test_memory_is_said_and_a_page_that_would_not_fit_is_refused(brodmann, texts, tmp_path, monkeypatch):
    one, folder = dictionary(tmp_path / "a.features"), tmp_path / "page"
    monkeypatch.setenv("BRODMANN_MEMORY_GB", "0.4")
    words = ("--features", one, "--texts", texts, "--folder", folder, *QUICK)
    code, out, err = brodmann("features", "page", *words)
    assert code == 2
    assert "memory    about 0.5 GiB" in out
    assert "--most-rows" in err
    assert not folder.exists()
