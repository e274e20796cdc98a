"""A package outside the project adds a thing of each kind; every command knows them, and no file here was edited."""

import csv
import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from command_line import run_brodmann

PACKAGE = Path(__file__).parent / "plugin_package"
MODEL, BENCHMARK = "guest-question-mark", "guest-judgements.judge-sign_agreement"
RAW, CEILING = 2 * 30 / 40 - 1, 2 * 36 / 40 - 1
"""The mark is at odds with 10 of 40 mean responses, the second presentation with 4 of the first."""
KINDS = {
    "datasets": ["guest-judgements"],
    "formats": ["guest-tabs"],
    "models": [MODEL],
    "metrics": ["sign_agreement"],
    "normalizations": ["cube_over_ceiling"],
    "ceilings": ["two_presentations"],
    "nuisances": ["guest-reading-time"],
    "panels": ["guest-raw-beside-ceiling"],
}


@pytest.fixture(scope="module")
def installed(tmp_path_factory):
    """The variables of an environment in which pip has installed the package."""
    folder = tmp_path_factory.mktemp("guest")
    shutil.copytree(PACKAGE, folder / "source")
    pip = [sys.executable, "-m", "pip", "--quiet", "--disable-pip-version-check", "install"]
    options = ["--no-deps", "--no-build-isolation", "--no-index", "--target", folder / "installed"]
    subprocess.run([*pip, *options, folder / "source"], check=True)
    before = os.environ.get("PYTHONPATH", "")
    return {"PYTHONPATH": os.pathsep.join([str(folder / "installed"), *filter(None, [before])])}


def ran(*words, **environment):
    done = run_brodmann(*words, **environment)
    assert done.returncode == 0, done.stderr
    return done.stdout


def rows(path):
    return list(csv.DictReader(path.read_text().splitlines()))


@pytest.fixture(scope="module")
def run(installed, tmp_path_factory):
    """A run with the guest's model on the guest's benchmark, and what the command said of it."""
    folder = tmp_path_factory.mktemp("run")
    options = ("--bootstraps", 50, "--permutations", 99, "--run", folder)
    return folder, json.loads(ran("score", MODEL, BENCHMARK, *options, "--json", **installed))


@pytest.fixture(scope="module")
def board(installed, run, tmp_path_factory):
    """A board that took the run."""
    pytest.importorskip("brainscore_core", reason="a leaderboard has Brain-Score's tables")
    path = tmp_path_factory.mktemp("board") / "board.sqlite"
    assert "taken" in ran("submit", run[0], "--to", path, **installed)
    return path


def test_what_it_adds_is_listed_under_its_name_and_version(installed):
    listed = json.loads(ran("list", "--json", **installed))
    for kind, things in listed.items():
        guests = [thing["name"] for thing in things if thing["from"] == "brodmann-guest 1.2"]
        assert guests == KINDS.get(kind, []), kind
    for words in (("data", "list"), ("data", "info", "guest-judgements")):
        assert "guest-judgements" in ran(*words, **installed)
    for words in (("models", "list"), ("models", "info", MODEL)):
        assert MODEL in ran(*words, **installed)
    assert "sign_agreement" in ran("benchmarks", "info", BENCHMARK, **installed)
    assert "guest" not in ran("list", "--json")


def test_its_score_is_the_one_known_by_construction(run):
    _, record = run
    assert record["raw"] == pytest.approx(RAW)
    assert record["ceiling"] == pytest.approx(CEILING)
    assert record["score"] == pytest.approx(RAW**3 / CEILING)
    assert (record["normalization"], record["ceiling_kind"]) == ("cube_over_ceiling", "two_presentations")
    assert record["p"] == pytest.approx(0.01)
    assert (record["n_stimuli"], record["n_subjects"], record["simulated"]) == (40, 1, True)


def test_scores_are_looked_at_beyond_its_nuisance_space(installed, tmp_path):
    words = ("score", "word-length-frequency", "simulated-cortex-language.language-ridge", "--run", tmp_path)
    options = ("--beyond", "guest-reading-time", "--bootstraps", 0, "--permutations", 0, "--json")
    record = json.loads(ran(*words, *options, **installed))
    assert record["beyond_spaces"] == ["guest-reading-time"]
    assert record["beyond"] > 0


def test_the_terminal_says_its_formula(installed, run):
    said = ran(
        "score", MODEL, BENCHMARK, "--bootstraps", 50, "--permutations", 99, "--run", run[0], **installed
    )
    assert "agreement^3 / ceiling" in said
    assert "agreement of one half of the presentations with the other" in said


def test_a_report_has_its_panel_and_its_words(installed, run, tmp_path):
    ran("compare", run[0], "--folder", tmp_path, "--no-pdf", **installed)
    [row] = rows(tmp_path / "figures" / "guest-raw-beside-ceiling.csv")
    assert (float(row["raw"]), float(row["ceiling"])) == (pytest.approx(RAW), pytest.approx(CEILING))
    page = (tmp_path / "report.html").read_text()
    for words in (
        "Raw values beside their ceilings",
        "The sign of each unit is compared with that of the neuroid in its place.",
        "2 x share of stimuli of the same sign - 1",
        "The score is the cube of the agreement divided by that of two halves of the presentations.",
        "agreement of one half of the presentations with the other",
    ):
        assert words in page


def test_a_board_takes_shows_and_exports_it(installed, board, tmp_path):
    shown = json.loads(ran("leaderboard", "show", "--board", board, "--json", **installed))
    assert MODEL in json.dumps(shown)
    ran("leaderboard", "export", tmp_path, "--board", board, **installed)
    [row] = rows(next(tmp_path.rglob("scores.csv")))
    assert (row["model"], row["benchmark"]) == (MODEL, BENCHMARK)
    assert (row["normalization"], row["ceiling_kind"]) == ("cube_over_ceiling", "two_presentations")
    assert float(row["score"]) == pytest.approx(RAW**3 / CEILING)


def test_a_board_refuses_a_score_that_its_formula_does_not_give(installed, run, tmp_path):
    pytest.importorskip("brainscore_core", reason="a leaderboard has Brain-Score's tables")
    code = (
        "import sys\n"
        "from brodmann.bench.leaderboard import gathered\n"
        "from brodmann.bench.leaderboard.submission.schema import digest_of_document\n"
        "from brodmann.bench.leaderboard.submit import send\n"
        "document, _ = gathered([sys.argv[1]])\n"
        "document['scores'][0]['score'] = 0.4\n"
        "send(document | {'digest': digest_of_document(document)}, sys.argv[2])\n"
    )
    command = [sys.executable, "-c", code, run[0], tmp_path / "board.sqlite"]
    done = subprocess.run(command, env={**os.environ, **installed}, capture_output=True, text=True)
    assert "by cube_over_ceiling, which give 0.156" in done.stderr.splitlines()[-1]


def test_its_format_is_read_as_a_data_set_of_ones_own(installed, tmp_path):
    folder = tmp_path / "mine"
    folder.mkdir()
    ids = [f"{i:03d}" for i in range(12)]
    sentences = [f"Sentence {one} is {'very ' * (i % 4)}short." for i, one in enumerate(ids)]
    pd.DataFrame({"stimulus_id": ids, "sentence": sentences}).to_csv(folder / "stimuli.csv", index=False)
    values = np.random.default_rng(0).normal(size=(24, 3))
    table = pd.DataFrame(values, columns=["a", "b", "c"])
    table.insert(0, "repetition", np.repeat([0, 1], 12))
    table.insert(0, "stimulus_id", np.tile(ids, 2))
    table.to_csv(folder / "responses.tab", sep="\t", index=False)
    home = {"BRODMANN_HOME": str(tmp_path / "home")}
    refused = run_brodmann("data", "add", "mine", "--from", folder, **home)
    assert refused.returncode == 2
    assert "responses.tab is not read" in refused.stderr
    ran("data", "add", "mine", "--from", folder, **home, **installed)
    code = "import brodmann.brain_data as b; print(b.load_dataset('mine').responses.values.tolist())"
    environment = {**os.environ, **home, **installed}
    done = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, check=True)
    np.testing.assert_array_equal(json.loads(done.stdout), values)


def test_a_run_still_opens_where_the_package_is_not_installed(run, tmp_path):
    ran("compare", run[0], "--folder", tmp_path / "report", "--no-pdf")
    page = (tmp_path / "report" / "report.html").read_text()
    assert "The score is cube_over_ceiling." in page
    assert not list((tmp_path / "report").rglob("guest*"))
    unknown = run_brodmann("score", MODEL, BENCHMARK)
    assert unknown.returncode == 2
    assert len(unknown.stderr.strip().splitlines()) == 1


def test_a_board_still_opens_where_the_package_is_not_installed(run, board, tmp_path):
    assert MODEL in ran("leaderboard", "show", "--board", board)
    ran("leaderboard", "export", tmp_path / "site", "--board", board)
    assert "two_presentations" in next((tmp_path / "site").rglob("scores.csv")).read_text()
    refused = run_brodmann("submit", run[0], "--to", tmp_path / "other.sqlite")
    assert refused.returncode == 2
    assert f"does not know the benchmark '{BENCHMARK}'" in refused.stderr
    refused = run_brodmann("submit", run[0], "--to", board)
    assert refused.returncode == 2
    assert "needs the package that adds it" in refused.stderr


def test_the_contract_tests_of_every_kind_run_and_accept_it(installed):
    tests = PACKAGE.parent
    contracts = (
        "brain_data/test_contracts.py",
        "models/zoo/test_every_model.py",
        "bench/metrics/test_registries.py",
    )
    wanted = " or ".join(name for things in KINDS.values() for name in things)
    command = [
        sys.executable,
        "-m",
        "pytest",
        "-q",
        "-p",
        "no:cacheprovider",
        "-k",
        wanted,
        "-c",
        tests / "pytest.ini",
    ]
    done = subprocess.run(
        [*command, *(tests / contract for contract in contracts)],
        env={**os.environ, **installed},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stdout
    assert int(re.search(r"(\d+) passed", done.stdout)[1]) > 30


def test_nothing_of_the_project_names_it():
    root = PACKAGE.parents[1]
    names = [name for things in KINDS.values() for name in things] + ["brodmann_guest", "brodmann-guest"]
    for path in root.rglob("*"):
        folder = path.relative_to(root).parts[0]  # .tox is others' packages
        if path.suffix in (".py", ".pyi", ".toml", ".html", ".txt") and folder not in ("tests", ".tox"):
            text = path.read_text(encoding="utf-8")
            assert not [name for name in names if name in text], path
