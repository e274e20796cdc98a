"""A story that people heard, sample by sample: words, and neuroids that answer their features in a known course."""

import numpy as np
import pandas as pd
import xarray as xr

from brodmann.bench.benchmark import make_benchmark
from brodmann.brain_data.dataset import Dataset
from brodmann.brain_data.stimulus_set import StimulusSet
from brodmann.brain_data.timeseries.regressors import delayed, haemodynamic_response

TR = 2.0


def words_of(stories, seconds, step=0.5):
    """Words of 1 to 9 letters or so, every half second."""
    onsets = np.arange(0.1, seconds, step)
    lengths = np.random.default_rng(1).integers(1, 9, len(onsets))
    rows = [
        (f"{story}-{i}", story, f"{i}" + "h" * int(length), onset, onset + 0.3)
        for story in stories
        for i, (onset, length) in enumerate(zip(onsets, lengths, strict=True))
    ]
    stimuli = StimulusSet(pd.DataFrame(rows, columns=["stimulus_id", "story", "word", "onset", "offset"]))
    stimuli.identifier = "told"
    return stimuli


def told(n=300, stories=("one",), course=None, subjects=1, per_subject=6, noise=1.0, seed=0):
    """Neuroids that answer three features of the words, of which the first is their length, in one course over delays.

    Those at one place answer alike in everybody.
    """
    draw = np.random.default_rng(seed)
    response = haemodynamic_response(TR)[:10] if course is None else np.asarray(course)
    stimuli = words_of(stories, TR * n)
    features = draw.normal(size=(len(stimuli), 3))
    features[:, 0] = stimuli["word"].str.len()
    features[:, 0] = (features[:, 0] - features[:, 0].mean()) / features[:, 0].std()
    blank = dataset(draw.normal(size=(n * len(stories), subjects * per_subject)), stories, stimuli, subjects)
    rows = make_benchmark(blank, trim_s=[0, 0], delays_s=[0]).recording.series.at_samples(features)
    ids = np.repeat(np.arange(len(stories)), n)
    heard = delayed(rows, range(len(response)), ids).reshape(len(rows), len(response), 3)
    values = np.einsum("tdf,d,fn->tn", heard, response, np.tile(draw.normal(size=(3, per_subject)), subjects))
    strength = np.tile(np.linspace(0.5, 2, per_subject), subjects)
    values = strength * values / values.std(axis=0) + noise * draw.normal(size=values.shape)
    return dataset(values, stories, stimuli, subjects), features


def dataset(values, stories, stimuli, subjects):
    n, per_subject = len(values) // len(stories), values.shape[1] // subjects
    people = [f"s{i}" for i in range(subjects)]
    responses = xr.DataArray(
        values,
        dims=("presentation", "neuroid"),
        coords={
            "stimulus_id": ("presentation", np.repeat(np.array(stories, object), n)),
            "run": ("presentation", np.repeat(np.array(stories, object), n)),
            "time": ("presentation", np.tile(TR * np.arange(n), len(stories))),
            "neuroid_id": ("neuroid", [f"{one}-{i}" for one in people for i in range(per_subject)]),
            "region": ("neuroid", ["R"] * values.shape[1]),
            "subject": ("neuroid", np.repeat(np.array(people, object), per_subject)),
            "vertex": ("neuroid", np.tile(np.arange(per_subject), subjects)),
            "hemisphere": ("neuroid", ["L"] * values.shape[1]),
        },
    )
    return Dataset("told", "language", stimuli, responses, kind="series", tr=TR)
