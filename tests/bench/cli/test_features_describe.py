"""`brodmann features describe`: words beside their controls, a describer and labels of one's own."""

import json
import sys

import pandas as pd
import pytest
from dictionaries import drawn_dictionary

ANIMALS = ("dog", "cat", "bird", "horse", "fish")


@pytest.fixture
def folder(tmp_path):
    return drawn_dictionary(tmp_path / "a.features", 24)


@pytest.fixture
def texts(tmp_path):
    """Sixty of them, of which the last six are held out."""
    place = tmp_path / "texts"
    place.mkdir()
    for i in range(60):
        sentences = [
            f"the {ANIMALS[(i + j) % 5]} saw {i * j} trees in the old garden , and ran away . "
            for j in range(12)
        ]
        (place / f"{i:02d}.txt").write_text("".join(sentences))
    return place


def test_descriptions_stand_beside_their_controls_in_a_table(brodmann, folder, texts, monkeypatch):
    monkeypatch.setenv("COLUMNS", "140")  # narrower ones break the heads of columns
    code, out, err = brodmann("features", "describe", folder, "--texts", texts)
    assert code == 0, err
    for kind in (
        "features",
        "units at the same rate",
        "random directions at that rate",
        "untrained dictionary",
        "shuffled tokens",
    ):
        assert kind in out
    assert "n that fire at least 50 times where it is scored" in " ".join(out.split())
    assert "rare too" in out
    table = pd.read_csv(folder.with_name("a.features.feature-descriptions.csv"))
    assert table["feature"].tolist() == list(range(24))
    assert table["r"].dropna().between(-1, 1).all()
    assert table["description"].str.contains("fires").sum() > 10


def test_the_same_of_units_as_json_and_twice_alike(brodmann, folder, texts, tmp_path):
    words = (
        "features",
        "describe",
        folder,
        "--units",
        "--texts",
        texts,
        "--no-controls",
        "--json",
        "--out",
        tmp_path / "u.csv",
    )
    code, out, _ = brodmann(*words)
    assert code == 0
    said = json.loads(out)
    assert len(said["descriptions"]) == len(pd.read_csv(tmp_path / "u.csv")) == 256
    assert said["controls"] == []
    assert brodmann(*words)[1] == out


def test_a_describer_is_scored_by_the_same_harness(brodmann, folder, texts, tmp_path):
    """One that repeats the tables' own prediction for one token; one feature without a prediction has no r."""
    program = tmp_path / "mine.py"
    program.write_text(
        "import json, sys\n"
        "for i, line in enumerate(sys.stdin):\n"
        "    one = json.loads(line)\n"
        "    each = [(v or 0, t) for c in one['top'] for t, v in zip(c['tokens'], c['activations'])]\n"
        "    best = max(each, default=(0, 'x'))\n"
        "    said = {'id': one['id'], 'text': 'mine: ' + best[1]}\n"
        "    if i: said['predict'] = {best[1]: best[0]}\n"
        "    print(json.dumps(said), flush=True)\n"
    )
    describer = f"{sys.executable} {program}"
    words = ("features", "describe", folder, "--texts", texts, "--no-controls", "--json")
    code, out, err = brodmann(*words, "--describer", describer)
    assert code == 0, err
    others = [one["others"][0] for one in json.loads(out)["descriptions"] if one["others"]]
    assert others[0]["r"] is None
    assert all(one["text"].startswith("mine:") for one in others)
    assert max(one["r"] or 0 for one in others) > 0.3
    described = next(i for i, one in enumerate(json.loads(out)["descriptions"]) if one["others"])
    code, out, _ = brodmann(*words, "--describer", describer, "--only", str(described))
    assert [i for i, one in enumerate(json.loads(out)["descriptions"]) if one["others"]] == [described]


def test_labels_stand_beside_and_do_nothing_in_a_spreadsheet(brodmann, folder, texts, tmp_path):
    labels = tmp_path / "labels.csv"
    labels.write_text('feature,label\n0,"=HYPERLINK(""x"")"\n1,\x1b[31mred</script>\n')
    code, out, err = brodmann(
        "features", "describe", folder, "--texts", texts, "--no-controls", "--labels", labels
    )
    assert code == 0, err
    assert "\x1b" not in out
    table = pd.read_csv(folder.with_name("a.features.feature-descriptions.csv"))
    assert table["yours"][0] == '\'=HYPERLINK("x")'
    assert table["yours"][1] == "[31mred</script>"


@pytest.mark.parametrize(
    ("more", "message"),
    [
        (["--out", "x.txt"], "written as .csv"),
        (["--only", "a"], "--only takes numbers"),
        (["--only", "24"], "there is no feature 24"),
        (["--describer", "no-such-program"], "cannot be run"),
        (["--labels", "no-such.csv"], "cannot be read as labels"),
    ],
)
def test_a_mistake_is_one_line(brodmann, folder, texts, more, message):
    code, _, err = brodmann("features", "describe", folder, "--texts", texts, "--no-controls", *more)
    assert code == 2
    assert message in err
    assert len(err.strip().splitlines()) == 1


def test_the_folder_in_which_it_is_called_may_be_named_with_a_dot(brodmann, folder, texts, monkeypatch):
    monkeypatch.chdir(folder)
    words = ("features", "describe", ".", "--texts", texts, "--no-controls", "--most-rows", "2000")
    code, _, err = brodmann(*words)
    assert code == 0, err
    assert folder.with_name(f"{folder.name}.feature-descriptions.csv").is_file()


def test_too_few_texts_are_refused(brodmann, folder, tmp_path):
    place = tmp_path / "few"
    place.mkdir()
    for i in range(4):
        (place / f"{i}.txt").write_text("the dog saw the bird in the garden . " * 30)
    code, _, err = brodmann("features", "describe", folder, "--texts", place)
    assert code == 2
    assert "at least 3" in err
    assert "of those that are held out and looked at" in err
