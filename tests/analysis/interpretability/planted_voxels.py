"""Voxels that read a few sparse features which lie superposed in fewer neurons."""

from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class Planted:
    """Codes (stimuli, features), neurons (stimuli, units), voxels (stimuli, voxels), the features of each voxel."""

    codes: np.ndarray
    neurons: np.ndarray
    voxels: np.ndarray
    read: np.ndarray


def planted(
    n_stimuli=1000, n_features=384, n_units=128, n_voxels=40, n_read=4, signal=1.5, seed=0, n_groups=None
):
    """Voxels = a weighted sum of `n_read` features, and noise; with groups both have a part in common."""
    generator = np.random.default_rng(seed)
    active = generator.random((n_stimuli, n_features)) < 0.05
    codes = active * generator.uniform(0.5, 1.5, active.shape)
    if n_groups:
        member = np.arange(n_stimuli) % n_groups
        codes = codes + 0.3 * generator.random((n_groups, n_features))[member]
    directions = generator.normal(size=(n_features, n_units))
    directions /= np.linalg.norm(directions, axis=1, keepdims=True)
    neurons = codes @ directions
    read = np.stack([generator.choice(n_features, n_read, replace=False) for _ in range(n_voxels)])
    clean = np.stack([codes[:, one] @ generator.uniform(0.5, 1.5, n_read) for one in read], axis=1)
    clean /= clean.std(axis=0)
    noise = generator.normal(size=clean.shape)
    if n_groups:
        noise = noise + generator.normal(size=(n_groups, clean.shape[1]))[member]
    return Planted(codes, neurons, signal * clean + noise, read)
