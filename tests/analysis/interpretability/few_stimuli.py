"""Recordings of few stimuli in groups, whose voxels read a layer's true codes, or its neurons alone."""

import numpy as np
import pandas as pd

from brodmann.analysis.interpretability.voxels.sae_score import sae_score
from brodmann.bench.metrics.base import ScoringOptions
from brodmann.bench.metrics.recording import Recording
from brodmann.bench.metrics.ridge import ridge

N_GROUPS, N_EACH, N_FEATURES, N_UNITS, N_VOXELS, K = 24, 5, 64, 16, 6, 3
OPTIONS = ScoringOptions(n_bootstraps=1, n_permutations=0)
_WORLD = np.random.default_rng(2024)
DIRECTIONS = _WORLD.normal(size=(N_FEATURES, N_UNITS)) / np.sqrt(N_UNITS)
READ = np.stack([_WORLD.choice(N_FEATURES, 3, replace=False) for _ in range(N_VOXELS)])
DENSE = _WORLD.normal(size=(N_UNITS, N_VOXELS))


def untrained_codes(neurons, seed, k=K):
    """What a TopK dictionary of random directions makes of rows."""
    directions = np.random.default_rng([seed, 8]).normal(size=(N_FEATURES, N_UNITS))
    directions /= np.linalg.norm(directions, axis=1, keepdims=True)
    values = np.maximum((neurons - neurons.mean(axis=0)) @ directions.T, 0)
    values[values < np.sort(values, axis=1)[:, [-k]]] = 0
    return values


def sae_of(seed, *, reads_codes, learnt=None, n_controls=5):
    """The SAE score of a draw of stimuli: the true codes where voxels read them, else one more untrained dictionary."""
    generator = np.random.default_rng([seed, 4])
    member = np.repeat(np.arange(N_GROUPS), N_EACH)
    rate = generator.beta(1, 12, (N_GROUPS, N_FEATURES))[member]
    codes = (generator.random(rate.shape) < rate) * generator.uniform(0.5, 1.5, rate.shape)
    neurons = codes @ DIRECTIONS
    clean = np.stack([codes[:, one].sum(axis=1) for one in READ], axis=1) if reads_codes else neurons @ DENSE
    clean = clean / clean.std(axis=0)
    noise = generator.normal(size=clean.shape) + 0.5 * generator.normal(size=(N_GROUPS, N_VOXELS))[member]
    recorded = _recording(clean + 0.7 * noise, member)
    metric = ridge(recorded, group="story")
    features = codes if learnt is None else untrained_codes(neurons, [seed, learnt])

    def scored(x):
        return metric.evaluate({"x": x}, recorded, metric.ceiling(recorded), OPTIONS).replicates

    return sae_score(
        scored(features), [scored(untrained_codes(neurons, [seed, 100 + i])) for i in range(n_controls)]
    )


def _recording(responses, member):
    n, n_voxels = responses.shape
    ids = np.array([f"{i:03d}" for i in range(n)], object)
    neuroids = pd.DataFrame({"neuroid_id": [f"v{i}" for i in range(n_voxels)], "region": "r"})
    columns = {"story": np.array([f"s{i:02d}" for i in member], object)}
    return Recording("few.r", ids, responses[:, None], None, neuroids, columns, position=np.arange(n))
