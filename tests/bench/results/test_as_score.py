"""A score in its user's hands: what it says of itself, and whose its raw values are."""

import subprocess
import sys

import numpy as np
import pytest

import brodmann
from brodmann.bench import load_benchmark

QUICK = {"n_bootstraps": 20, "n_permutations": 19}
NAME = "simulated-cortex.IT-pls"


@pytest.fixture(scope="module")
def scores(tmp_path_factory):
    """The same score as it was computed, and as it was read."""
    run = tmp_path_factory.mktemp("run")
    return [brodmann.score("pixels", NAME, run=run, **QUICK) for _ in range(2)]


def test_raw_values_stand_beside_their_neuroids(scores):
    neuroids = load_benchmark(NAME).dataset.region("IT")
    assert [one.attrs["cached"] for one in scores] == [False, True]
    for one in scores:
        raw = one.attrs["raw"]
        assert raw.dims == ("neuroid",)
        for name in ("neuroid_id", "region", "x", "y"):
            np.testing.assert_array_equal(raw[name].values, neuroids[name].values.astype(raw[name].dtype))
        assert set(raw["region"].values) == {"IT"}
        assert len(set(raw["neuroid_id"].values)) == raw.sizes["neuroid"]
        assert np.ptp(raw["x"].values.astype(float)) > 1


def test_a_score_says_what_it_is(scores):
    for one in scores:
        said = one.attrs["description"]
        assert said.startswith(f"pixels on {NAME}: {float(one):.3f} (95 % interval ")
        assert f"layer pixels, over {one.attrs['n_stimuli']} stimuli, 256 neuroids" in said
        assert said[:30] in repr(one)


def test_both_spellings_are_answered(scores):
    assert scores[0].attrs["normalization"] == scores[0].attrs["normalisation"] == "r2_over_ceiling"
    assert "normalisation" not in scores[0].attrs["record"]


def test_a_score_is_a_data_array_where_brainscore_is_not_installed(scores):
    """Its class stands in; the number, its raw values and its ceiling are there all the same."""
    path = scores[0].attrs["record"]["file"]
    code = f"""
import sys
sys.modules["brainscore_core.metrics"] = None
from pathlib import Path
from brodmann.bench.results.as_score import as_score
from brodmann.bench.results.store import open_run
path = Path({path!r})
[record] = open_run(path.parent).records_of([path])
score = as_score(record, cached=True)
print(type(score).__module__, repr(float(score)), score.attrs["raw"].sizes["neuroid"],
      float(score.attrs["ceiling"]), set(score.attrs["raw"]["region"].values.tolist()))
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    whole = scores[0]
    ceiling = float(whole.attrs["ceiling"])
    assert done.stdout.split("\n")[-2] == (
        f"brodmann.bench.results.as_score {float(whole)!r} 256 {ceiling!r} {{'IT'}}"
    )
