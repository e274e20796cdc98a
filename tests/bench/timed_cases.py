"""Recordings in time whose truth is known, and a model that knows their features."""

import numpy as np
import pandas as pd
import xarray as xr

from brodmann.brain_data import Dataset
from brodmann.brain_data.stimulus_set import StimulusSet
from brodmann.models import Model


class Lookup(Model):
    """A model that knows the features of each stimulus."""

    modality = "language"

    def __init__(self, features, *, identifier="lookup", digest="1"):
        self.identifier, self.digest = identifier, digest
        self._features = features

    @property
    def layers(self):
        return list(self._features)

    def sizes(self, stimuli, layers=None):
        return {name: self._features[name].shape[1] for name in layers or self.layers}

    def extract(self, stimuli, layers=None, *, context="none"):
        rows = [int(one[1:]) for one in stimuli["stimulus_id"]]
        ids = {"stimulus_id": ("presentation", stimuli["stimulus_id"].tolist())}
        return {
            name: xr.DataArray(self._features[name][rows], dims=("presentation", "neuroid"), coords=ids)
            for name in layers or self.layers
        }


def dataset(values, starts, width, *, identifier="timed", columns=None, **about):
    """A data set of values (n_stimuli, n_repetitions, n_neuroids, n_bins)."""
    n_stimuli, n_repetitions, n_neuroids, n_bins = values.shape
    ids = [f"s{i:04d}" for i in range(n_stimuli)]
    texts = [f"text {i * 7919 % 1009} {chr(97 + i % 26) * 5} {i}" for i in range(n_stimuli)]
    stimuli = StimulusSet(pd.DataFrame({"stimulus_id": ids, "sentence": texts}))
    for name, column in (columns or {}).items():
        stimuli[name] = column
    stimuli.identifier = identifier
    starts = np.asarray(starts, float)
    responses = xr.DataArray(
        values.reshape(n_stimuli * n_repetitions, n_neuroids, n_bins),
        dims=("presentation", "neuroid", "time_bin"),
        coords={
            "stimulus_id": ("presentation", np.repeat(ids, n_repetitions).astype(object)),
            "repetition": ("presentation", np.tile(np.arange(n_repetitions), n_stimuli)),
            "neuroid_id": ("neuroid", np.array([f"n{i}" for i in range(n_neuroids)], object)),
            "region": ("neuroid", np.array(["IT"] * n_neuroids, object)),
            "time_bin_start": ("time_bin", starts),
            "time_bin_end": ("time_bin", starts + width),
        },
    )
    return Dataset(
        identifier, modality="language", stimuli=stimuli, responses=responses, **{"blocks": "none"} | about
    )


def course(kind, starts, width, latency):
    """The share of a response that falls into each bin, of a response that begins at `latency` ms."""
    fine = np.arange(width)[None, :] + 0.5 + np.asarray(starts)[:, None]
    since = fine - latency
    if kind == "sustained":
        shape = (since >= 0).astype(float)
    elif kind == "transient":
        shape = np.where(since >= 0, np.exp(-since / 40.0), 0.0)
    else:
        raise ValueError(kind)
    return shape.mean(axis=1)


def poisson(seed, *, latency=73.0, kind="sustained", n_stimuli=80, n_repetitions=8, n_neuroids=16, n_features=6,
            width=20, first=-100, last=300, gain=60.0, base=10.0):  # fmt: skip
    """Counts of Poisson cells whose rates follow features from `latency` on, in spikes a second; and the features."""
    generator = np.random.default_rng(seed)
    features = generator.normal(size=(n_stimuli, n_features))
    weights = generator.normal(size=(n_features, n_neuroids)) / np.sqrt(n_features)
    drive = np.maximum(features @ weights, 0.0)
    starts = np.arange(first, last, width)
    rates = base + gain * drive[:, :, None] * course(kind, starts, width, latency)
    counts = generator.poisson(np.repeat(rates[:, None], n_repetitions, axis=1) * width / 1000)
    return dataset(counts * 1000.0 / width, starts, width), features


def gaussian(seed, *, latency=73.0, kind="sustained", n_stimuli=80, n_repetitions=4, n_neuroids=12, n_features=6,
             width=20, first=-100, last=300, noise=1.0, memory=0.7, gain=1.0, **about):  # fmt: skip
    """Field potentials whose noise goes from bin to bin, AR(1); the same features from `latency` on."""
    generator = np.random.default_rng(seed)
    features = generator.normal(size=(n_stimuli, n_features))
    weights = generator.normal(size=(n_features, n_neuroids)) / np.sqrt(n_features)
    starts = np.arange(first, last, width)
    signal = gain * (features @ weights)[:, :, None] * course(kind, starts, width, latency)
    shocks = generator.normal(size=(n_stimuli, n_repetitions, n_neuroids, len(starts)))
    carried = shocks.copy()
    for i in range(1, len(starts)):
        carried[..., i] = memory * carried[..., i - 1] + np.sqrt(1 - memory**2) * shocks[..., i]
    return dataset(signal[:, None] + noise * carried, starts, width, **about), features


def in_parts(
    parts, *, seed=0, n_repetitions=4, noise=0.5, width=20, first=-100, last=300, n_neuroids=12, **about
):
    """Responses of several features (n_stimuli, k), each from a latency to an end in ms, by weights of its own."""
    generator = np.random.default_rng(seed)
    starts = np.arange(first, last, width)
    n_stimuli = len(parts[0][0])
    signal = np.zeros((n_stimuli, n_neuroids, len(starts)))
    for features, begins, ends in parts:
        weights = generator.normal(size=(features.shape[1], n_neuroids)) / np.sqrt(features.shape[1])
        on = course("sustained", starts, width, begins) - course("sustained", starts, width, ends)
        signal += (features @ weights)[:, :, None] * on
    shape = (n_stimuli, n_repetitions, n_neuroids, len(starts))
    return dataset(signal[:, None] + noise * generator.normal(size=shape), starts, width, **about)
