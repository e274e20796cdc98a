"""Add, look at and score a recording of 9000 presentations of 40 000 voxels: `python large_recording.py`; prints JSON.

The numbers are made as they are asked for, so that the peak of memory is brodmann's own.
"""

import json
import resource
import sys
import time

import numpy as np
import pandas as pd

from brodmann.bench import score
from brodmann.bench.reports.recording_quality import quality
from brodmann.brain_data import load_dataset
from brodmann.brain_data.imported import Computed, Imported
from brodmann.brain_data.importing import install_recording

N, R, V, K = 3000, 3, 40_000, 40


def imported() -> Imported:
    """3000 texts, three times each; responses mix 40 sources, with ten times their noise."""
    weights = np.random.default_rng(0).normal(size=(K, V)).astype(np.float32)
    rng = np.random.default_rng(1)
    words = ["alpha", "beta", "gamma", "delta", "epsilon"]
    texts = [f"{i} {' '.join(rng.choice(words, 8))}" for i in range(N)]

    def made(rows: slice, neuroids: slice) -> np.ndarray:
        index = np.arange(rows.start, rows.stop)
        sources = np.stack([np.random.default_rng(i // R + 10).normal(size=K) for i in index]).astype(
            np.float32
        )
        noise = np.random.default_rng(rows.start + 10**6).normal(size=(len(index), V)).astype(np.float32)
        return (sources @ weights + 10 * noise)[:, neuroids]

    stimuli = pd.DataFrame({"stimulus_id": [f"s{i:04d}" for i in range(N)], "sentence": texts})
    shown = pd.DataFrame(
        {"stimulus_id": np.repeat(stimuli["stimulus_id"], R), "repetition": np.tile(range(R), N)}
    )
    voxels = pd.DataFrame(
        {"neuroid_id": np.arange(V), "region": np.where(np.arange(V) < 2000, "ROI", "rest")}
    )
    return Imported(stimuli, Computed((N * R, V), made), shown, voxels)


def peak() -> float:
    """GiB of memory that this process has taken at most."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20


def main() -> None:
    """The three steps, each with its seconds and the peak so far."""
    said = {}
    start = time.perf_counter()
    install_recording("large", imported())
    said["add"] = {"s": time.perf_counter() - start, "peak_gib": peak()}
    start = time.perf_counter()
    table = quality(load_dataset("large"))
    said["map"] = {
        "s": time.perf_counter() - start,
        "peak_gib": peak(),
        "reliability": table["reliability"].median(),
    }
    start = time.perf_counter()
    value = float(score("word-length-frequency", "large.ROI-ridge"))
    said["score"] = {"s": time.perf_counter() - start, "peak_gib": peak(), "score": value}
    json.dump(said, sys.stdout, indent=1)


if __name__ == "__main__":
    main()
