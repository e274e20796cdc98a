"""``--device``: which commands have it, what it puts in force, and a device that is not there in one line."""

import json

import pytest
import typer

from brodmann import device
from brodmann.bench.cli.main import app
from brodmann.device import device_of

COMPUTE_NOTHING = {
    "benchmarks add", "benchmarks export", "benchmarks info", "benchmarks list", "compare", "data add", "data check",
    "data convert", "data info", "data list", "data report", "export-map", "features convert", "features info", "list",
    "models add", "models list", "submit",
}  # fmt: skip
"""They show, fetch or write what is there already, and open no network."""


def every_command():
    group = typer.main.get_command(app)

    def walk(command, words):
        inner = getattr(command, "commands", None)
        if inner is None:
            yield " ".join(words), command
            return
        for name, one in inner.items():
            yield from walk(one, [*words, name])

    return dict(walk(group, []))


def test_every_command_that_computes_takes_a_device_and_no_other_does():
    with_it = {
        name
        for name, command in every_command().items()
        if any("--device" in one.opts for one in command.params)
    }
    others = {name for name in every_command() if not name.startswith("leaderboard ")} - with_it
    assert others == COMPUTE_NOTHING
    assert {
        "score",
        "demo",
        "analyze",
        "lesion",
        "train",
        "twins",
        "probe",
        "features train",
        "lens dream",
    } <= with_it


@pytest.mark.parametrize(
    "words",
    [
        ("score", "gabor-pyramid", "simulated-cortex.V1-ridge"),
        ("train", "vision", "--steps", "1"),
        ("analyze", "twin-vision-topographic"),
        ("lens", "twin-language-topographic", "--text", "a"),
        ("models", "info", "random-convnet"),
    ],
)
@pytest.mark.parametrize(
    ("name", "why"),
    [
        ("gpu", "device 'gpu' cannot be used here: it is no device's name: did you mean 'cuda'?"),
        ("cuda:3", "device 'cuda:3' cannot be used here: this machine has cpu, cuda:0"),
    ],
)
def test_a_device_that_is_not_there_is_one_line_and_nothing_is_done(
    brodmann, monkeypatch, tmp_path, words, name, why
):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(device, "_n_cards", lambda: 1)
    monkeypatch.setattr(device, "_has_mps", lambda: False)
    assert brodmann(*words, "--device", name) == (2, "", f"brodmann: {why}\n")
    assert list(tmp_path.iterdir()) == []


def test_the_record_says_where_a_score_was_computed(brodmann, monkeypatch, tmp_path):
    """The processor is asked for where a card would be taken, and the record tells it; nothing stays in force."""
    monkeypatch.setattr(device, "_n_cards", lambda: 1)
    words = (
        "gabor-pyramid",
        "simulated-cortex.V1-ridge",
        "--bootstraps",
        "0",
        "--permutations",
        "0",
        "--json",
    )
    code, out, said = brodmann("score", *words, "--run", tmp_path / "run", "--device", "cpu")
    assert code == 0, said
    numerics = json.loads(out)["provenance"]["numerics"]
    assert numerics["device"] == numerics["regression device"] == "cpu"
    assert numerics["matmul"] == numerics["regression matmul"] == "highest"
    assert "card" not in numerics
    assert device_of() == "cuda"
