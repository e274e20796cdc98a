"""The study of twins and the lesion study, small, with answers that are known."""

import json

import numpy as np
import pytest
import torch
from scipy import stats
from torch import nn

from brodmann.bench.reports.matched_pairs_figure import twins_figure
from brodmann.bench.studies import matched_pairs
from brodmann.bench.studies.lesion_study import LesionDesign, lesion_study, localize, task_of
from brodmann.bench.studies.matched_pairs import TwinStudy, interval, run_twins
from brodmann.brain_data.stimuli.drawn_localizers import drawn_categories
from brodmann.brain_data.stimuli.language_localizers import sentences_nonwords
from brodmann.brain_data.stimuli.localizers import localizer
from brodmann.errors import UserError
from brodmann.models import ImagePreprocessing, VisionModel, grid_sheet
from brodmann.models.training.images import drawn_images
from brodmann.models.training.load import load_trained
from brodmann.models.training.loop import train
from brodmann.models.training.recipe import Recipe
from brodmann.models.training.texts import corpus


def small_language(**changes):
    options = {"tau": 2.0, "steps": 60, "batch": 8, "size": 24, "widths": (16, 2, 2, 300)} | changes
    return Recipe("language", **options)


@pytest.fixture(scope="module")
def language_study(tmp_path_factory):
    folder = tmp_path_factory.mktemp("twins")
    study = TwinStudy(small_language(), seeds=(0, 1), shares=(0.25,))
    text = corpus(None, vocabulary=300)
    return study, text, folder, run_twins(study, text, folder)


def test_every_twin_is_trained_and_measured(language_study):
    _, _, folder, found = language_study
    kinds = [(one["kind"], one["seed"]) for one in found["networks"]]
    assert kinds == [("topographic", 0), ("baseline", 0), ("topographic", 1), ("baseline", 1)]
    assert json.loads((folder / "twins.json").read_bytes()) == found
    one = found["networks"][0]
    methods = [(c["method"], c["share"]) for c in one["compressed"]]
    assert methods == [
        ("whole", 1.0),
        ("nearest", 0.25),
        ("random layout", 0.25),
        ("k-means", 0.25),
        ("L1", 0.25),
    ]
    born = [c for c in found["networks"][1]["compressed"] if c["method"] == "trained small"]
    assert len(born) == 1
    whole = one["compressed"][0]
    assert born[0]["n_weights"] < whole["n_weights"]
    assert whole["task"]["loss"] == one["task"]["loss"]


def test_topoloss_shows_in_the_layout(language_study):
    summary = language_study[3]["summary"]
    assert summary["smoothness"]["topographic"]["mean"] > 0.4
    assert summary["smoothness"]["baseline"]["mean"] < 0.2
    assert summary["morans_i"]["difference"]["mean"] > 0.2
    for layer in language_study[3]["networks"][0]["layers"]:
        assert layer["morans_i_null_sd"] > 0
        assert np.size(layer["maps"]["sentences"]) == layer["n_units"]


def test_a_study_that_is_asked_again_measures_nothing_anew(language_study, monkeypatch):
    study, text, folder, found = language_study
    monkeypatch.setattr(matched_pairs, "_whole", None)
    assert run_twins(study, text, folder) == found


def test_a_study_joins_a_comparison(language_study):
    from brodmann.bench import compare, panels
    from brodmann.bench.reports.collect import style_of

    found = compare([language_study[2]])
    by_name = {panel.name: panel for panel in panels(found)}
    assert set(by_name) == {"twins-language", "against-task-language"}
    table = by_name["against-task-language"].table
    assert table["loss"].tolist() == [one["task"]["loss"] for one in language_study[3]["networks"]]
    assert by_name["against-task-language"].figure(style_of(found)).axes
    assert (by_name["twins-language"].table["kind"] == "difference").any()


def test_the_summary_is_the_mean_with_its_t_interval(language_study):
    found = language_study[3]
    values = [one["smoothness"] for one in found["networks"] if one["kind"] == "topographic"]
    entry = found["summary"]["smoothness"]["topographic"]
    assert entry["mean"] == pytest.approx(np.mean(values))
    low, high = stats.t.interval(0.95, 1, np.mean(values), stats.sem(values))
    assert (entry["low"], entry["high"]) == (pytest.approx(low), pytest.approx(high))
    assert interval(np.array([3.0])) == {"mean": 3.0, "low": None, "high": None, "n": 1}


def test_the_figure_shows_units_and_numbers(language_study):
    figure = twins_figure(language_study[3])
    labels = {axes.get_ylabel() for axes in figure.axes}
    assert "held-out loss (nats a token)" in labels
    assert any("SIMULATED brain score" in label for label in labels)
    assert "n = 2 seeds" in figure.get_suptitle()
    assert "240 stimuli" in figure.get_supxlabel()


def test_a_vision_study_of_one_seed(tmp_path):
    recipe = Recipe(
        "vision", tau=50.0, steps=60, batch=16, size=16, widths=(9, 9, 12, 16, 16, 16, 16, 36), n_classes=5
    )
    images = drawn_images(16, n_images=200, n_held_out=50)
    found = run_twins(TwinStudy(recipe, seeds=(0,), shares=(0.5,)), images, tmp_path)
    assert found["summary"]["smoothness"]["difference"]["mean"] > 0.1
    assert found["summary"]["accuracy"]["difference"]["low"] is None
    assert set(found["networks"][0]["layers"][0]["maps"]) == {"face", "body", "place", "object", "word"}
    twins_figure(found)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: TwinStudy(small_language(tau=0.0)), "needs a tau above 0"),
        (lambda: TwinStudy(small_language(), seeds=()), "at least one seed"),
    ],
)
def test_studies_that_cannot_be(make, message):
    with pytest.raises(UserError, match=message):
        make()


class Known(nn.Module):
    """Twelve channels; the first three are bright pictures' alone, and the readout needs them for brightness."""

    def __init__(self):
        super().__init__()
        self.units = nn.Conv2d(3, 12, 1)
        with torch.no_grad():
            self.units.weight.zero_()
            self.units.bias.zero_()
            self.units.weight[:3] = 1.0
            self.units.weight[3:6] = -1.0
        self.readout = nn.Flatten()

    def forward(self, x):
        return self.readout(self.units(x).relu().mean((2, 3)))


@pytest.fixture(scope="module")
def bright(tmp_path_factory):
    from PIL import Image

    from brodmann.brain_data.stimulus_set import StimulusSet

    folder = tmp_path_factory.mktemp("bright")
    generator = np.random.default_rng(0)
    for kind, level in {"bright": 200, "dark": 30, "grey": 60}.items():
        (folder / kind).mkdir()
        for i in range(6):
            noise = generator.integers(level, level + 40, (8, 8, 3), dtype=np.uint8)
            Image.fromarray(noise).save(folder / kind / f"{i}.png")
    found = localizer(folder)
    assert isinstance(found, StimulusSet)
    return found


@pytest.fixture
def known():
    half = (0.5, 0.5, 0.5)
    return VisionModel(
        Known(), identifier="known", preprocess=ImagePreprocessing(8, mean=half, std=half), layers=["units", "readout"],
        sheets=[grid_sheet("units", 12, reads="channel")],
    )  # fmt: skip


def test_localised_units_are_those_that_answer(known, bright):
    found = localize(known, bright, "units", "bright", share=0.5)
    assert sorted(found.units) == [0, 1, 2]
    with pytest.raises(UserError, match="unknown category 'brigt': did you mean 'bright'"):
        localize(known, bright, "units", "brigt")
    with pytest.raises(UserError, match="share of units to lesion"):
        localize(known, bright, "units", "bright", share=0.0)


def test_the_lesion_costs_and_its_controls_do_not(known, bright):
    found = localize(known, bright, "units", "bright", share=0.5)
    shown = bright[bright["category"] == "bright"]
    shown.stimulus_paths = bright.stimulus_paths

    def task(model):
        response = model.extract(shown, ["readout"])["readout"].values
        return {"answer to bright": float(response[:, :3].mean())}

    result = lesion_study(known, found, LesionDesign(n_controls=9), task=task)
    whole = result["whole"]["answer to bright"]
    assert result["localised"]["answer to bright"] == pytest.approx(-whole)
    for control in ("random", "contiguous"):
        assert result[control]["answer to bright"] == {"mean": 0.0, "sd": 0.0, "n": 9, "p": 0.1}
    assert known.lesions == ()


def test_a_contrast_that_no_unit_answers(known, bright):
    with pytest.raises(UserError, match="no unit of 'units' answers 'grey' more"):
        localize(known, bright, "units", "grey")


def test_a_trained_network_reports_its_task_and_brain_score(tmp_path):
    recipe = small_language(steps=80)
    text = corpus(None, vocabulary=300)
    train(recipe, text, tmp_path / "one")
    model = load_trained(tmp_path / "one")
    stimuli = sentences_nonwords(n_each=20)
    found = localize(model, stimuli, "transformer.h.1.mlp.c_fc", "sentences", share=0.2)
    result = lesion_study(
        model, found, LesionDesign(n_controls=2), task=task_of(recipe, text), stimuli=stimuli,
        benchmark="simulated-cortex-language.language-ridge",
    )  # fmt: skip
    names = set(result["whole"])
    assert {"loss", "surprisal of sentences", "surprisal of nonwords"} < names
    assert "brain score (simulated-cortex-language.language-ridge)" in names
    assert result["whole"]["surprisal of sentences"] < result["whole"]["surprisal of nonwords"]
    assert result["localised"]["loss"] > 0


def test_drawn_localizers_are_seeded_and_balanced():
    pictures = drawn_categories(n_stimuli=20)
    assert pictures["category"].value_counts().tolist() == [4] * 5
    assert all(path.is_file() for path in pictures.stimulus_paths.values())
    texts = sentences_nonwords(n_each=10)
    assert texts["category"].value_counts().tolist() == [10, 10]
    lengths = texts["sentence"].str.split().str.len()
    assert (texts["sentence"].iloc[10:] != sentences_nonwords(n_each=10, seed=2)["sentence"].iloc[10:]).all()
    assert lengths.min() >= 4


def test_a_sheet_with_a_place_for_every_unit_is_lesioned_unit_by_unit(bright):
    from brodmann.models import Sheet

    half = (0.5, 0.5, 0.5)
    places = np.stack(np.meshgrid(np.arange(64), np.arange(12)), axis=-1).reshape(-1, 2)
    model = VisionModel(
        Known(), identifier="known", preprocess=ImagePreprocessing(8, mean=half, std=half), layers=["units", "readout"],
        sheets=[Sheet("units", places)],
    )  # fmt: skip
    found = localize(model, bright, "units", "bright", share=0.5)
    assert found.reads == "unit"
    assert len(found.table) == 12 * 64
    assert set(found.units) == set(range(3 * 64))

    def task(view):
        with view.running() as module:
            return {"one": float(module(torch.ones(1, 3, 8, 8)).detach().sum())}

    result = lesion_study(model, found, task=task)
    assert result["localised"]["one"] == pytest.approx(-3 * 3)


def test_pictures_that_do_not_fit_in_memory_are_refused_before_they_are_read():
    from brodmann.models.training.images import _check_memory

    with pytest.raises(UserError, match=r"1,281,167 pictures of 2048 x 2048 need .* GiB.*: lower --size"):
        _check_memory(1_281_167, 2048)
