"""A nuisance space: how long a text takes to read."""

import numpy as np

from brodmann.bench.metrics.registries import nuisance_space


@nuisance_space("guest-reading-time", sentence="a quarter of a second a word")
def reading_time(recorded, sampling):
    """Seconds, ``(n_stimuli, 1)``."""
    return np.array([[0.25 * len(text.split())] for text in recorded.columns["sentence"]])
