"""The commands that write plugins, as a person runs them."""

import json

import pytest
from command_line import run_brodmann
from plugin_cases import TWIN, needs_brainscore

import brodmann


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    """A network and a baseline that is none."""
    folder = tmp_path_factory.mktemp("scored") / "run"
    for model in (TWIN, "word-length-frequency"):
        domain = "cortex-language.language" if model != TWIN else "cortex.IT"
        brodmann.score(model, f"simulated-{domain}-ridge", run=folder, n_bootstraps=0, n_permutations=0)
    return folder


@needs_brainscore
def test_a_model_is_written_and_checked(run, tmp_path):
    words = ("submit", run, "--brain-score", tmp_path / "plugins", "--model", TWIN, "--identifier", "my_twin")
    done = run_brodmann(*words, "--metadata", "--json")
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)
    assert found["passed"]
    assert found["identifier"] == "my_twin"
    assert set(found["layers"]) == {"IT"}
    names = {one["name"] for one in found["checks"]}
    assert {
        "zip: no metadata.yml",
        "it loads",
        "its layers give brodmann's activations",
        "its own test passes",
    } <= names
    again = run_brodmann(*words)
    assert again.returncode == 2  # nothing that was written is written over
    other = run_brodmann("submit", run, "--brain-score", tmp_path / "others", "--model", TWIN)
    assert other.returncode == 0, other.stderr
    assert "note      " in other.stdout
    assert "its own test passes" in other.stdout


@needs_brainscore
def test_a_benchmark_of_ones_own_is_written_and_checked(own_data, tmp_path):
    done = run_brodmann("benchmarks", "export", "my-pictures.IT-ridge1", tmp_path / "plugins", "--json")
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)
    assert found["passed"]
    assert found["archive"].endswith(".zip")


@needs_brainscore
def test_mistakes(run, own_data, tmp_path):
    export = ("submit", run, "--brain-score", tmp_path / "plugins")
    for words, said in (
        (export, f"the run has 2 models: choose one with --model, of {TWIN}, word-length-frequency"),
        ((*export, "--model", "random-convnet"), "the run has no score of 'random-convnet'"),
        ((*export, "--model", "word-length-frequency"), "is no network of torch"),
        ((*export, "--to", "board.sqlite"), "choose one: --to"),
        (("submit", run, "--metadata"), "belong to --brain-score"),
        (("benchmarks", "export", "my-pictures.IT-ridge", tmp_path), "ridge1"),
        (("benchmarks", "export", "simulated-cortex.IT-pls", tmp_path), "not yours to publish"),
    ):
        done = run_brodmann(*words)
        assert done.returncode == 2, (words, done.stdout, done.stderr)
        assert len(done.stderr.strip().splitlines()) == 1, done.stderr
        assert said in done.stderr, (words, done.stderr)
