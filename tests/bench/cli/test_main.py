"""The command line as a person meets it: real processes, real messages, exit codes."""

import json
import subprocess
import sys
from pathlib import Path

import pytest
from command_line import run_brodmann as brodmann
from PIL import Image

from brodmann.bench.cli.main import main
from brodmann.bench.cli.terminal import card_text, layer_lines, score_text

QUICK = ("--bootstraps", "30", "--permutations", "19")


@pytest.fixture
def mistake(capsys, monkeypatch):
    """Run a command, in this process, that must fail as a person's mistake does, and give its one line."""

    def run(*words, **environment):
        for name, value in environment.items():
            monkeypatch.setenv(name, value)
        monkeypatch.setattr(sys, "argv", ["brodmann", *map(str, words)])
        with pytest.raises(SystemExit) as stopped:
            main()
        said = capsys.readouterr()
        assert stopped.value.code == 2
        assert said.out == ""
        lines = said.err.strip().splitlines()
        assert len(lines) == 1, said.err
        assert lines[0].startswith("brodmann: ")
        return lines[0]

    return run


def test_a_score_is_read_in_eighty_columns(tmp_path):
    figure = tmp_path / "curve.png"
    command = ("score", "random-convnet", "simulated-cortex.IT-rsa", *QUICK, "--figure", figure)
    done = brodmann(*command, COLUMNS="80")
    assert done.returncode == 0, done.stderr
    lines = done.stdout.splitlines()
    assert lines[0] == "random-convnet  on  simulated-cortex.IT-rsa (version 2)"
    assert "SIMULATED" in lines[1]
    said = {line.split()[0] for line in lines if line}
    assert {"score", "raw", "ceiling", "p", "layer", "n", "record"} <= said
    curve = [line for line in lines if "█" in line]
    assert len(curve) == 5
    assert max(map(len, curve)) <= 80
    assert sum(line.startswith("◆") for line in curve) == 1
    with Image.open(figure) as image:
        assert image.width > 400


def test_json_is_one_object_and_nothing_else():
    done = brodmann("score", "pixels", "simulated-cortex.IT-rsa", *QUICK, "--json")
    assert done.returncode == 0
    record = json.loads(done.stdout)
    assert done.stdout.count("\n") == 1
    names = {
        "model",
        "benchmark",
        "layer",
        "score",
        "raw",
        "ceiling",
        "ci",
        "p",
        "n_stimuli",
        "n_neuroids",
        "layers",
        "seconds",
    }
    assert names <= set(record)
    assert record["layers"] == {"pixels": pytest.approx(record["raw"])}
    assert len(record["ci"]) == 2
    assert json.loads(brodmann("score", "pixels", "simulated-cortex.IT-rsa", *QUICK, "--json").stdout)[
        "cached"
    ]


def test_a_terminal_without_our_signs_is_no_trouble():
    done = brodmann("score", "pixels", "simulated-cortex.IT-rsa", *QUICK, PYTHONIOENCODING="latin-1")
    assert done.returncode == 0, done.stderr
    assert "?????" in done.stdout


def test_layers_can_be_named():
    words = (
        "score",
        "gabor-pyramid",
        "simulated-cortex.IT-rsa",
        "--layers",
        "pooled, complex",
        *QUICK,
        "--json",
    )
    assert list(json.loads(brodmann(*words).stdout)["layers"]) == ["pooled", "complex"]


def test_without_draws_there_is_no_interval_and_no_nan_in_json():
    words = ("score", "pixels", "simulated-cortex.IT-rsa", "--bootstraps", "0", "--permutations", "0")
    record = json.loads(brodmann(*words, "--json").stdout)
    assert record["ci"] == [None, None]
    assert record["p"] is None
    assert "no interval" in brodmann(*words).stdout


@pytest.mark.parametrize("kind", ["models", "data", "benchmarks"])
def test_lists(kind):
    found = json.loads(brodmann(kind, "list", "--json").stdout)[kind]
    names = [one["identifier"] for one in found]
    assert len(names) == len(set(names)) > 5
    shown = brodmann(kind, "list", COLUMNS="200").stdout
    assert all(name in shown for name in names)
    assert json.loads(brodmann(kind, "list", "nothing-*", "--json").stdout) == {kind: []}


def test_cards():
    card = json.loads(brodmann("data", "info", "tuckute2024", "--json").stdout)
    assert card["published_ceilings"]["netw"]["value"] == 0.559
    assert card["bibtex"].startswith("@article{")
    assert "he2016" in brodmann("models", "info", "cifar10-resnet20").stdout
    shown = json.loads(brodmann("benchmarks", "info", "simulated-cortex.V1-ridge", "--json").stdout)
    assert shown["ceiling_kind"] == "reliability"


def test_layers_are_drawn_with_their_sheets():
    shown = brodmann("models", "info", "twin-vision-topographic", COLUMNS="100").stdout
    assert "12 layers in forward order" in shown
    assert "14 x 14 channels, native" in shown
    card = json.loads(brodmann("models", "info", "twin-vision-baseline", "--json").stdout)
    assert card["layer_shapes"]["layer4.0.conv1"] == [196, 2, 2]
    assert card["sheets"]["layer4.0.conv1"] == "14 x 14 channels, row-major"
    assert "bn1" in brodmann("models", "info", "twin-vision-baseline", "--every").stdout


def test_a_twin_pair_is_trained_scored_and_lesioned(tmp_path):
    out = tmp_path / "out"
    text = tmp_path / "text.txt"
    text.write_text(
        "\n".join(f"The dog number {i} saw the ball of the other dog {i % 7}." for i in range(900))
    )
    words = (
        "train",
        "language",
        "--data",
        text,
        "--steps",
        "20",
        "--batch",
        "4",
        "--size",
        "16",
        "--out",
        out,
    )
    done = brodmann(*words, "--json")
    assert done.returncode == 0, done.stderr
    trained = json.loads(done.stdout)["trained"]
    assert [Path(one["folder"]).name for one in trained] == ["language-tau1-seed0", "language-baseline-seed0"]
    assert trained[0]["results"]["smoothness"] > trained[1]["results"]["smoothness"]
    again = brodmann(*words)
    assert f"{trained[0]['results']['smoothness']:.4g}" in again.stdout
    name = f"trained:{out / 'language-tau1-seed0'}"
    scored = brodmann("score", name, "simulated-cortex-language.language-ridge", *QUICK, "--json")
    assert json.loads(scored.stdout)["model"] == "trained:language-tau1-seed0"
    lesion = brodmann(
        "lesion",
        name,
        "--layer",
        "transformer.h.0.mlp.c_fc",
        "--target",
        "nonwords",
        "--controls",
        "2",
        "--json",
    )
    assert lesion.returncode == 0, lesion.stderr
    found = json.loads(lesion.stdout)
    assert set(found["whole"]) == {"surprisal of nonwords", "surprisal of sentences"}
    assert found["random"]["surprisal of nonwords"]["n"] == 2


def test_a_score_says_how_layers_were_read():
    words = ("score", "random-convnet", "simulated-cortex.IT-rsa", "--layers", "conv5", *QUICK, "--json")
    whole = json.loads(brodmann(*words).stdout)
    pooled = json.loads(brodmann(*words, "--pool", "mean").stdout)
    assert pooled["score"] != whole["score"]
    assert pooled["methods"]["reading"] == "mean over space"
    assert "reading" not in whole["methods"]


def test_help_shows_examples():
    for words in ((), ("score",), ("data", "add"), ("models", "list"), ("benchmarks", "add"), ("demo",)):
        done = brodmann(*words, "--help")
        assert done.returncode == 0
        assert "xample" in done.stdout
        assert "brodmann " in done.stdout
    assert brodmann("--version").stdout.strip() == __import__("brodmann").__version__


MISTAKES = {
    "no pictures to train on": (("train", "vision", "--data", "/nowhere"), "no folder /nowhere"),
    "no text to train on": (("train", "language", "--data", "/nowhere"), "nothing to train on"),
    "an unknown schedule": (
        ("train", "language", "--schedule", "wavy"),
        "constant, warm-up, decay, not 'wavy'",
    ),
    "a tau below 0": (("train", "vision", "--tau", "-1"), "tau and seed are at least 0, not -1"),
    "twins without a tau": (("twins", "language", "--tau", "0"), "needs a tau above 0"),
    "a share above 1": (("twins", "language", "--kept", "2"), "--kept takes numbers above 0 and up to 1"),
    "an analysis of no network": (
        ("analyze", "simulated-truth", "--layer", "V1"),
        "is no network: it has no layers of units to analyse",
    ),
    "an analysis of an unknown name": (
        ("analyze", "haxby2001-slic", "--contrast", "house-face"),
        "unknown model or data set 'haxby2001-slic': did you mean 'haxby2001-slice' or 'haxby2001'",
    ),
    "texts that are not there": (
        ("analyze", "twin-language-topographic", "--positive", "no.txt", "--negative", "no.txt"),
        "no.txt cannot be read as lines of text: No such file or directory",
    ),
    "an analysis of an unknown layer": (
        ("analyze", "twin-vision-topographic", "--layer", "layer4.0.conv9"),
        "unknown layer of twin-vision-topographic 'layer4.0.conv9': did you mean 'layer4.0.conv",
    ),
    "an analysis of an unknown contrast": (
        ("analyze", "twin-vision-topographic", "--layer", "layer4.0.conv1", "--contrast", "faec-place"),
        "unknown category 'faec': did you mean 'face'",
    ),
    "pictures for a language model": (
        ("analyze", "twin-language-topographic", "--localizer", "drawn-localizer"),
        "is a language model, and drawn-localizer",
    ),
    "a localizer that is not there": (
        ("analyze", "twin-vision-topographic", "--localizer", "flock"),
        "unknown localizer 'flock': give drawn-categories",
    ),
    "half a contrast of texts": (
        ("analyze", "twin-language-topographic", "--positive", "a.txt"),
        "--positive and --negative go together",
    ),
    "a band without a reach": (
        ("analyze", "simulated-cortex", "--weights", "band"),
        "--weights band needs --reach",
    ),
    "a layer of a data set": (
        ("analyze", "simulated-cortex", "--layer", "V1"),
        "simulated-cortex is a data set: --layer is for networks",
    ),
    "a region of a network": (
        ("analyze", "twin-vision-topographic", "--region", "IT"),
        "is no installed data set: --region and --subject are for data sets",
    ),
    "an unknown region to analyse": (
        ("analyze", "simulated-cortex", "--region", "V2"),
        "unknown region of simulated-cortex 'V2': did you mean 'V1'",
    ),
    "a lesion of no network": (
        ("lesion", "simulated-truth", "--layer", "V1", "--target", "face"),
        "is no network: it has no units to lesion",
    ),
    "a lesion of an unknown category": (
        ("lesion", "twin-vision-topographic", "--layer", "layer4.0.conv1", "--target", "faec"),
        "unknown category 'faec': did you mean 'face'",
    ),
    "a lesion of an unknown layer": (
        ("lesion", "twin-vision-topographic", "--layer", "layer4.0.conv9", "--target", "face"),
        "unknown layer of twin-vision-topographic 'layer4.0.conv9': did you mean 'layer4.0.conv",
    ),
    "an unknown pooling": (
        ("score", "random-convnet", "simulated-cortex.V1-ridge", "--pool", "sum"),
        "'none', 'mean' or 'max', not 'sum'",
    ),
    "pooling of no network": (
        ("score", "simulated-truth", "simulated-cortex.V1-ridge", "--pool", "mean"),
        "is no network: its layers are neither pooled nor projected",
    ),
    "unknown model": (
        ("score", "pixel", "simulated-cortex.V1-ridge"),
        "unknown model 'pixel': did you mean 'pixels'?",
    ),
    "unknown data set": (("data", "info", "haxby"), "unknown data set 'haxby': did you mean 'haxby2001'"),
    "unknown benchmark": (("score", "pixels", "simulated-cortex.V1-rigde"), "did you mean 'ridge'"),
    "unknown region": (("score", "pixels", "simulated-cortex.V2-ridge"), "did you mean 'V1'"),
    "misspelt layer": (
        ("score", "gabor-pyramid", "simulated-cortex.V1-ridge", "--layers", "poled"),
        "unknown layer of gabor-pyramid 'poled': did you mean 'pooled'",
    ),
    "no layers": (("score", "pixels", "simulated-cortex.V1-ridge", "--layers", ","), "no layers were named"),
    "wrong modality": (
        ("score", "word-length-frequency", "simulated-cortex.V1-ridge"),
        "is a language model, but simulated-cortex.V1-ridge is a vision benchmark",
    ),
    "not installed": (
        ("score", "mobilenetv2_100", "simulated-cortex.V1-ridge"),
        "brodmann models add mobilenetv2_100 --from FOLDER",
    ),
    "no folder": (("data", "add", "tuckute2024", "--from", "/nowhere"), "/nowhere"),
    "no factory": (("score", "nowhere.py:make", "simulated-cortex.V1-ridge"), "no file nowhere.py"),
    "no hub": (("score", "hf:/nowhere/at/all", "simulated-cortex.V1-ridge"), "no folder /nowhere/at/all"),
    "bad figure": (
        ("score", "pixels", "simulated-cortex.V1-ridge", "--figure", "curve.doc"),
        "a figure is saved as .png, .pdf or .svg, not '.doc'",
    ),
    "negative draws": (
        ("score", "pixels", "simulated-cortex.V1-ridge", "--bootstraps", "-1"),
        "must not be negative",
    ),
    "no declaration": (("benchmarks", "add", "/nowhere.toml"), "cannot read /nowhere.toml"),
    "a file as a run": (
        ("score", "pixels", "simulated-cortex.V1-ridge", "--run", __file__),
        "is a file: a run is a folder",
    ),
    "no name": (("score", "pixels", "simulated-cortex.V1-ridge", "--run", ""), "the run has an empty name"),
    "needs no files": (("models", "add", "pixels"), "'pixels' needs no files"),
    "json too": (("score", "pixel", "simulated-cortex.V1-ridge", "--json"), "unknown model 'pixel'"),
}


@pytest.mark.parametrize("name", MISTAKES)
def test_a_mistake_is_one_line_and_exit_code_2(name, tmp_path, mistake):
    words, message = MISTAKES[name]
    home = {"BRODMANN_HOME": str(tmp_path)} if name == "not installed" else {}
    assert message in mistake(*words, **home)


def test_a_mistake_in_a_process_of_its_own_has_no_traceback():
    done = brodmann("score", "pixel", "simulated-cortex.V1-ridge", "--json")
    assert done.returncode == 2
    assert done.stdout == ""
    assert done.stderr == "brodmann: unknown model 'pixel': did you mean 'pixels'?\n"


def test_unknown_commands_and_options_are_exit_code_2():
    for words in (("scroe",), ("score", "--nothing"), ("models", "lst")):
        done = brodmann(*words)
        assert done.returncode == 2
        assert "Traceback" not in done.stderr


def test_a_home_that_cannot_be_written_is_one_line(tmp_path, mistake):
    blocked = tmp_path / "file"
    blocked.write_text("")
    line = mistake("score", "pixels", "simulated-cortex.V1-ridge", BRODMANN_HOME=str(blocked / "home"))
    assert "cannot write" in line
    assert "point BRODMANN_HOME elsewhere" in line


def test_no_space_left_is_one_line_and_loses_nothing(tmp_path, mistake):
    """A real full disk: a small file system in memory, where this machine lets us mount one."""
    home = tmp_path / "small"
    home.mkdir()
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=6m", "tmpfs", str(home)], capture_output=True
    )
    if mounted.returncode:
        pytest.skip("no right to mount a small file system here")
    try:
        keep = home / "keep"
        keep.write_text("mine")
        (home / "filler").write_bytes(bytes(5 << 20))
        line = mistake("score", "gabor-pyramid", "simulated-cortex.V1-ridge", BRODMANN_HOME=str(home))
        assert "cannot write" in line or "are free in" in line
        assert keep.read_text() == "mine"
        assert not list(home.rglob("*.partial"))
    finally:
        subprocess.run(["umount", str(home)], check=True)


def test_a_reader_that_goes_away_is_no_traceback():
    done = subprocess.run(
        f"{sys.executable} -m brodmann.bench benchmarks list | head -1",
        shell=True,
        capture_output=True,
        text=True,
    )
    assert "Traceback" not in done.stderr


def test_long_names_and_many_layers_still_fit():
    layers = {f"encoder.blocks.{i}.attention.output.projection": 0.01 * i for i in range(40)}
    record = dict.fromkeys(("ceiling_lower", "ci", "p"))
    record |= {"model": "a" * 60, "benchmark": "b.c-ridge", "benchmark_version": 1, "simulated": False}
    record |= {"metric": "ridge", "layers": layers, "layer": next(iter(layers)), "score": -0.1, "raw": -0.08}
    record |= {"ceiling": 0.64, "ceiling_kind": "reliability", "normalization": "r_over_sqrt_reliability"}
    record |= {"ci": [-0.3, 0.1], "p": 0.8, "methods": {}, "n_stimuli": 10, "n_neuroids": 3, "seconds": 1.0}
    record |= {"left_out": {"neuroids that": 2}, "file": "f", "bibtex": ""}
    assert max(map(len, layer_lines(record, width=80))) <= 80
    assert "2 neuroids that" in score_text(record)
    assert "ceiling 0.800" in layer_lines(record)[-1]


def test_a_card_leaves_out_what_is_empty():
    assert card_text({"name": "x", "license": "", "files": [], "regions": ["V1", "IT"]}).splitlines() == [
        f"{'name':<20} x",
        f"{'regions':<20} V1, IT",
    ]


def test_the_demo_scores_and_draws(tmp_path):
    done = brodmann("demo", "--folder", tmp_path)
    assert done.returncode == 0, done.stderr
    assert "9 scores on SIMULATED data" in done.stdout
    figures = [
        Path(line.split(maxsplit=1)[1]) for line in done.stdout.splitlines() if line.startswith("figure")
    ]
    assert len(figures) >= 5
    for figure in figures:
        with Image.open(figure) as image:
            image.verify()
