"""The main job: scoring, storing, and what a score carries."""

import json
import subprocess
import sys
import time

import numpy as np
import pytest
import xarray as xr

import brodmann
from brodmann import UserError
from brodmann.bench import open_run, record_of
from brodmann.bench.cli.terminal import score_text
from brodmann.bench.leaderboard.submission.build import gathered
from brodmann.models import Model

QUICK = {"n_bootstraps": 100, "n_permutations": 99}


class Lookup(Model):
    """A model that knows the features of each stimulus, and counts how often it is asked."""

    modality = "vision"

    def __init__(self, features, stimulus_ids, *, identifier="lookup", digest="1"):
        self.identifier, self.digest = identifier, digest
        self._features, self._ids, self._calls = features, list(stimulus_ids), []

    @property
    def calls(self):
        return len(self._calls)

    @property
    def layers(self):
        return list(self._features)

    def sizes(self, stimuli, layers=None):
        return {name: self._features[name].shape[1] for name in layers or self.layers}

    def extract(self, stimuli, layers=None, *, context="none"):
        self._calls.append(layers)
        return {name: self._one(name) for name in layers or self.layers}

    def _one(self, name):
        coordinates = {"stimulus_id": ("presentation", self._ids)}
        return xr.DataArray(self._features[name], dims=("presentation", "neuroid"), coords=coordinates)


@pytest.fixture(scope="module")
def benchmark():
    return brodmann.load_benchmark("simulated-cortex.IT-ridge")


@pytest.fixture
def model(benchmark):
    data = benchmark.dataset
    z = data.truth["features"]["IT"]
    return Lookup(
        {"early": np.random.default_rng(0).normal(size=z.shape), "late": z}, data.stimuli["stimulus_id"]
    )


def test_a_score_carries_everything_it_stands_on(benchmark, model, tmp_path):
    score = brodmann.score(model, benchmark, run=tmp_path, **QUICK)
    attrs = score.attrs
    assert float(score) == pytest.approx(1.0, abs=0.03)
    assert attrs["layer"] == "late"
    assert list(attrs["layers"]) == ["early", "late"]
    assert attrs["raw"].shape == (256,)
    assert float(np.median(attrs["raw"])) == pytest.approx(attrs["raw_value"])
    assert attrs["ceiling"].attrs["kind"] == "reliability"
    assert float(attrs["ceiling"]) == pytest.approx(0.7, abs=0.02)
    assert attrs["ci"][0] < float(score) < attrs["ci"][1]
    assert attrs["p"] == pytest.approx(0.01)
    assert (attrs["n_stimuli"], attrs["n_neuroids"], attrs["left_out"]) == (500, 256, {})
    assert attrs["normalisation"] == "ratio_of_medians"
    assert attrs["simulated"] is True
    known = attrs["provenance"]
    assert known["data_digest"] == benchmark.dataset.digest
    assert known["model_digest"] == "1"
    assert known["seed"] == 0
    assert known["versions"]["brodmann"] == brodmann.__version__
    assert json.loads(json.dumps(record_of(score)))["score"] == pytest.approx(float(score))


def test_asking_again_costs_nothing_and_gives_the_same(benchmark, model, tmp_path):
    first = brodmann.score(model, benchmark, run=tmp_path, **QUICK)
    before = time.perf_counter()
    again = brodmann.score(model, benchmark, run=tmp_path, **QUICK)
    assert model.calls == 1
    assert again.attrs["cached"]
    assert not first.attrs["cached"]
    assert time.perf_counter() - before < first.attrs["record"]["seconds"]
    assert float(again) == float(first)
    np.testing.assert_array_equal(again.attrs["raw"].values, first.attrs["raw"].values)
    assert {**again.attrs["record"], "cached": 0} == {**first.attrs["record"], "cached": 0}


@pytest.mark.parametrize("change", [{"seed": 1}, {"layers": ["late"]}, {"n_bootstraps": 50}, {"folds": 3}])
def test_any_other_question_is_another_record(benchmark, model, tmp_path, change):
    brodmann.score(model, benchmark, run=tmp_path, **QUICK)
    brodmann.score(model, benchmark, run=tmp_path, **{**QUICK, **change})
    assert model.calls == 2
    assert len(list(open_run(tmp_path).records())) == 2


def test_a_score_with_other_folds_says_so_and_goes_to_no_board(benchmark, model, tmp_path):
    plain = brodmann.score(model, benchmark, run=tmp_path, **QUICK)
    other = brodmann.score(model, benchmark, run=tmp_path, folds="shuffled", **QUICK).attrs["record"]
    assert other["benchmark"] == f"{benchmark.identifier}@folds=shuffled"
    assert other["provenance"]["options"]["folds"] == "shuffled"
    assert other["key"] != plain.attrs["record"]["key"]
    assert "shuffled folds" in other["methods"]["dependence"]
    assert "folds     shuffled folds" in score_text(other)
    document, notes = gathered([tmp_path])
    assert [one["benchmark"] for one in document["scores"]] == [benchmark.identifier]
    assert any("make another benchmark" in note for note in notes)


def test_other_weights_are_another_record(benchmark, model, tmp_path):
    brodmann.score(model, benchmark, run=tmp_path, **QUICK)
    brodmann.score(model.replaced(digest="2"), benchmark, run=tmp_path, **QUICK)
    assert model.calls == 2


@pytest.mark.parametrize("suffix", [".json", ".npz"])
def test_a_damaged_record_is_discovered_and_made_anew(benchmark, model, tmp_path, suffix):
    first = brodmann.score(model, benchmark, run=tmp_path, **QUICK)
    (path,) = tmp_path.glob(f"*{suffix}")
    content = path.read_bytes()
    path.write_bytes(content[: len(content) // 2])
    with pytest.raises(UserError, match=r"damaged|not readable"):
        list(open_run(tmp_path).records())
    again = brodmann.score(model, benchmark, run=tmp_path, **QUICK)
    assert model.calls == 2
    assert float(again) == float(first)
    assert len(list(open_run(tmp_path).records())) == 1


def test_the_same_seed_gives_the_same_score_in_another_process(benchmark, tmp_path):
    code = (
        "import brodmann; s = brodmann.score('pixels', 'simulated-cortex.V1-ridge', run={!r}, n_bootstraps=50, "
        "n_permutations=19); print(repr((float(s), s.attrs['ci'], s.attrs['p'])))"
    )
    outputs = {
        subprocess.run(
            [sys.executable, "-c", code.format(str(tmp_path / name))],
            check=True,
            capture_output=True,
            text=True,
        ).stdout
        for name in ("one", "other")
    }
    assert len(outputs) == 1


def test_a_killed_run_leaves_nothing_half_there_and_resumes(tmp_path):
    """Kill the process at several moments; every file that is there is whole, and the next run finishes."""
    code = (
        "import brodmann\n"
        "for m in ('pixels', 'gabor-pyramid'):\n"
        f"    brodmann.score(m, 'simulated-cortex.V1-ridge', run={str(tmp_path)!r}, n_bootstraps=20, n_permutations=19)"
    )
    for seconds in (2.0, 4.0, 6.0):
        process = subprocess.Popen([sys.executable, "-c", code], stderr=subprocess.DEVNULL)
        try:
            process.wait(seconds)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
        if tmp_path.exists():
            list(open_run(tmp_path).records())  # raises for a damaged one
    subprocess.run([sys.executable, "-c", code], check=True)
    assert {record["model"] for record in open_run(tmp_path).records()} == {"pixels", "gabor-pyramid"}


def test_work_that_would_not_fit_is_refused_before_it_starts(benchmark, model, tmp_path, monkeypatch):
    monkeypatch.setenv("BRODMANN_MEMORY_GB", "0.01")
    with pytest.raises(UserError, match=r"would take about .* GiB of memory and 0.0 GiB are free"):
        brodmann.score(model, benchmark, run=tmp_path, **QUICK)
    assert model.calls == 0
    monkeypatch.setenv("BRODMANN_MEMORY_GB", "lots")
    with pytest.raises(
        UserError, match="BRODMANN_MEMORY_GB must be a positive number of gigabytes, not 'lots'"
    ):
        brodmann.score(model, benchmark, run=tmp_path, **QUICK)


MEASURE = """
import sys, brodmann
from brodmann.memory import OVERHEAD

def peak():  # of this program alone: what getrusage says begins with what its parent held
    return 1024 * int(next(line for line in open("/proc/self/status") if line.startswith("VmHWM")).split()[1])

benchmark, model = brodmann.load_benchmark(sys.argv[2]), brodmann.load_model("random-convnet")
sizes = model.sizes(benchmark.dataset.stimuli, ["conv1"])
before = peak()
brodmann.score(model, benchmark, ["conv1"], run=sys.argv[1], n_bootstraps=100, n_permutations=100)
print(peak() - before, benchmark.metric.memory(benchmark.recording, sizes["conv1"]) + OVERHEAD)
"""


@pytest.mark.parametrize(
    "name", ["simulated-cortex.V1-ridge", "simulated-cortex.V1-rsa", "simulated-cortex.V1-cka"]
)
def test_the_estimate_of_memory_bounds_what_is_used(name, tmp_path):
    """500 stimuli x 131072 units: 262 MB of activations, 524 MB as float64, which is never held."""
    command = [sys.executable, "-c", MEASURE, str(tmp_path), name]
    done = subprocess.run(command, check=True, capture_output=True, text=True)
    grown, estimate = map(int, done.stdout.split())
    print(f"{name}: {grown / 2**20:.0f} MiB used, {estimate / 2**20:.0f} MiB estimated")
    assert grown < estimate


def test_a_model_of_the_wrong_kind_is_refused(benchmark, model):
    model = model.replaced(modality="language")
    with pytest.raises(
        UserError, match="is a language model, but simulated-cortex.IT-ridge is a vision benchmark"
    ):
        brodmann.score(model, benchmark)
    with pytest.raises(UserError, match="needs a brodmann Model, not dict"):
        brodmann.score({}, benchmark)


def test_missing_activations_are_counted(benchmark, model):
    model._ids[3] = "someone else's"
    with pytest.raises(UserError, match=r"no activations for 1 stimuli \(first: 'picture0003'\)"):
        brodmann.score(model, benchmark, **QUICK)


def test_the_order_of_the_models_answers_does_not_matter(benchmark, model, tmp_path):
    straight = brodmann.score(model, benchmark, run=tmp_path / "a", **QUICK)
    order = np.random.default_rng(0).permutation(500)
    ids = [model._ids[i] for i in order]
    moved = Lookup({name: values[order] for name, values in model._features.items()}, ids)
    assert float(brodmann.score(moved, benchmark, run=tmp_path / "b", **QUICK)) == pytest.approx(
        float(straight)
    )


def test_the_recording_itself_needs_a_decoding_benchmark(benchmark, tmp_path):
    with pytest.raises(
        UserError, match="'brain' decodes a recording from itself and needs a decoding benchmark"
    ):
        brodmann.score("brain", benchmark)
    score = brodmann.score(
        "brain", "simulated-cortex.IT-decoding", run=tmp_path, n_bootstraps=10, n_permutations=9
    )
    assert score.attrs["record"]["raw"] > 0.95


def test_a_run_that_is_not_there_is_named(tmp_path):
    with pytest.raises(UserError, match="no run at"):
        list(open_run(tmp_path / "nothing").records())
    (tmp_path / "file").write_text("")
    with pytest.raises(UserError, match="is a file: a run is a folder"):
        open_run(tmp_path / "file")


def test_a_negative_seed_is_named(benchmark, model):
    with pytest.raises(UserError, match="must not be negative, and is -1"):
        brodmann.score(model, benchmark, seed=-1)


@pytest.mark.parametrize(
    ("edit", "said"),
    [
        (lambda record: record.pop("arrays"), "is damaged"),
        (lambda record: record.update(format=101), "was written in the format 101, newer than this brodmann"),
    ],
)
def test_a_record_that_was_signed_again_is_one_line(benchmark, model, tmp_path, edit, said):
    from brodmann.files import digest_of, read_json, write_json

    brodmann.score(model, benchmark, run=tmp_path, n_bootstraps=0, n_permutations=0)
    (path,) = tmp_path.glob("*.json")
    record = read_json(path)
    del record["checksum"]
    edit(record)
    write_json(path, record | {"checksum": digest_of(record)})
    with pytest.raises(UserError, match=said):
        list(open_run(tmp_path).records())
