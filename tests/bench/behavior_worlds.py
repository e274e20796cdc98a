"""Made-up behavior whose answer is known: reading times, and pairs of sentences."""

import numpy as np
import pandas as pd

from brodmann.bench.metrics.recording import Recording

N_STORIES, N_WORDS = 10, 120


def world(seed=0, *, effect=0.0, spilled=0.0, autocorrelation=0.0, n_neuroids=1, n_stories=N_STORIES):
    """Reading times of made-up words: length and frequency, what is expected, what spills over, slow drifts."""
    rng = np.random.default_rng(seed)
    n = n_stories * N_WORDS
    words = np.array(["ab" * int(k) + "c" for k in rng.integers(1, 6, n)], object)
    frequency = rng.normal(size=n)
    told = 3 - 0.8 * frequency + rng.normal(size=n)
    story = np.repeat([f"story{i:02d}" for i in range(n_stories)], N_WORDS).astype(object)
    noise = rng.normal(size=(n_neuroids, n_stories, N_WORDS))
    for place in range(1, N_WORDS):
        noise[..., place] *= np.sqrt(1 - autocorrelation**2)
        noise[..., place] += autocorrelation * noise[..., place - 1]
    before = np.r_[0.0, told[:-1]]
    length = np.array([len(word) for word in words])
    own = told - 3 + 0.8 * frequency
    times = length - 2 * frequency + effect * own + spilled * before
    columns = {"word": words, "log_frequency": frequency.astype(object), "story": story}
    ids = np.array([f"w{i:05d}" for i in range(n)], object)
    cube = (times[:, None] + noise.reshape(n_neuroids, n).T)[:, None]
    return told[:, None], Recording("made.reading", ids, cube, None, pd.DataFrame(), columns)


def pairs(n_paradigms=8, n_pairs=40):
    """A recording of pairs in mixed order: which of two rows is acceptable, and of what."""
    rng = np.random.default_rng(0)
    pair = np.repeat(np.arange(n_paradigms * n_pairs), 2)
    good = np.tile([1.0, 0.0], n_paradigms * n_pairs)
    order = rng.permutation(len(pair))
    pair, good = pair[order], good[order]
    paradigm = pair // n_pairs
    columns = {
        "pair": np.array([f"p{i:04d}" for i in pair], object),
        "paradigm": np.array([f"paradigm{i:02d}" for i in paradigm], object),
        "field": np.array(["syntax" if i % 2 else "semantics" for i in paradigm], object),
    }
    ids = np.array([f"s{i:04d}" for i in range(len(pair))], object)
    return (
        good,
        pair,
        paradigm,
        Recording("made.pairs", ids, good[:, None, None], None, pd.DataFrame(), columns),
    )
