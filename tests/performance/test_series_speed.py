"""The recipe of stories on fMRI (Lanczos, four delays, ridge) beside himalaya, and a whole brain for twenty minutes."""

import resource
from functools import partial

import numpy as np
import pandas as pd
import pytest
import xarray as xr
from harness import DEVICE, Work, alone, compare
from test_ridge_speed import himalaya, ours, same_folds

from brodmann.analysis.encoding.cross_validation import Splitter, nested_folds
from brodmann.bench import make_benchmark
from brodmann.bench.metrics.base import ScoringOptions
from brodmann.brain_data import Dataset, StimulusSet
from brodmann.brain_data.timeseries.regressors import at_samples, delayed, standardized

pytestmark = pytest.mark.perf
TR, GAP = 2.0, 5


def story(n, n_features, n_targets):
    """Features of 2.5 words a second, delayed by 2 to 8 s, and voxels that follow them; blocks with a gap."""
    rng = np.random.default_rng(0)
    onsets = np.sort(rng.uniform(0, n * TR - 1, int(2.5 * n * TR)))
    words = rng.standard_normal((len(onsets), n_features)) * np.arange(1, n_features + 1) ** -0.5
    x = standardized(
        delayed(at_samples(words, onsets, onsets + 0.3, TR * np.arange(n), TR), (1, 2, 3, 4))
    ).astype(np.float32)
    y = x[:, :200] @ rng.standard_normal((200, n_targets), dtype=np.float32) / 10
    y += 3 * rng.standard_normal((n, n_targets), dtype=np.float32)
    blocks = Splitter(5, "blocks", gap=GAP)
    return x, y, nested_folds(n, outer=blocks, inner=blocks)


def test_lanczos_four_delays_and_ridge(table):
    work = Work(
        "Lanczos, 4 delays, ridge: 3000 samples, 256 features, 10 000 targets, 5 x 5 blocks with a gap of 5",
        "himalaya KernelRidgeCV",
        partial(story, 3000, 256, 10_000),
        ours,
        partial(himalaya, model="kernel"),
        5,
        share=0.2,
        agreement=same_folds,
    )
    done = compare(work)
    table(done)
    assert done.difference < 2e-3


def whole_brain(n=600, n_voxels=80_000, n_words=3000):
    """Twenty minutes of noise in every voxel."""
    rng = np.random.default_rng(0)
    onsets = np.sort(rng.uniform(0, n * TR - 2, n_words))
    words = pd.DataFrame({"stimulus_id": [f"w{i:05d}" for i in range(n_words)], "story": "story"})
    stimuli = StimulusSet(words.assign(word="word", onset=onsets, offset=onsets + 0.2))
    stimuli.identifier = "brain"
    values = rng.standard_normal((n, n_voxels), dtype=np.float32)
    of_neuroid = {"neuroid_id": np.arange(n_voxels), "region": np.full(n_voxels, "brain", object)}
    responses = xr.DataArray(
        values,
        dims=("presentation", "neuroid"),
        coords={name: ("neuroid", one) for name, one in of_neuroid.items()}
        | {"stimulus_id": ("presentation", ["story"] * n), "run": ("presentation", ["run"] * n)}
        | {"time": ("presentation", TR * np.arange(n)), "subject": ("neuroid", ["s1"] * n_voxels)},
    )
    data = Dataset("brain", "language", stimuli, responses, kind="series", tr=TR)
    return data, rng.standard_normal((n_words, 768), dtype=np.float32)


def scored(made, n_permutations=1000):
    """From the data set to the score; the most memory that the process ever held, in GiB, and seconds of computing."""
    data, words = made
    before = resource.getrusage(resource.RUSAGE_SELF)
    benchmark = make_benchmark(data, metric="ridge", delays_s=[2, 4, 6, 8, 10])
    features = benchmark.recording.series.regressors(words)
    found = benchmark.metric.evaluate(
        {"layer": features},
        benchmark.recording,
        benchmark.noise_ceiling,
        ScoringOptions(n_permutations=n_permutations),
    )
    after = resource.getrusage(resource.RUSAGE_SELF)
    computing = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    return found.raw, features.shape, after.ru_maxrss / 2**20, computing


def test_a_whole_brain_for_twenty_minutes_within_four_gibibytes(table):
    done = alone(whole_brain, scored)
    raw, shape, most, computing = done.answer
    table.remark(
        f"A story of 20 minutes, 80 000 voxels, 5 delays of 768 features, from the data set to the score with its "
        f"interval and p: {most:.2f} GiB at most, {done.seconds:.0f} s, {computing:.0f} s of computing; {DEVICE}."
    )
    assert shape == (585, 3840)
    assert abs(raw) < 0.05
    assert most < 4
