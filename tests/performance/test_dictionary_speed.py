"""How fast a dictionary is learnt, beside dictionary-learning, sparsify and SAELens, and how its cost grows.

The peers are read from an environment of their own: BRODMANN_TEST_DICTIONARY_PEERS names its Python.
"""

import json
import os
import subprocess
import time
from pathlib import Path

import numpy as np
import pytest
import torch
from harness import ROUNDS, THREADS, alone

from brodmann.analysis.interpretability.learning.learner import Learner
from brodmann.analysis.interpretability.learning.settings import Settings, bytes_needed, multiplies_bfloat16

pytestmark = pytest.mark.perf
PEERS = os.environ.get("BRODMANN_TEST_DICTIONARY_PEERS")


@pytest.mark.skipif(PEERS is None, reason="BRODMANN_TEST_DICTIONARY_PEERS names no Python with the peers")
def test_steps_beside_peers(table):
    script = Path(__file__).with_name("dictionary_steps.py")
    command = [PEERS, str(script), str(3 * ROUNDS), str(THREADS)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=1800, check=False)
    assert done.returncode == 0, done.stderr[-2000:]
    found = json.loads(done.stdout.strip().splitlines()[-1])
    speed = found["rows_a_second"]
    peers = {name: rate for name, rate in speed.items() if not name.startswith("brodmann")}
    if not peers:
        pytest.skip(f"no peer can be imported: {found['absent']}")
    ours = speed["brodmann bf16" if multiplies_bfloat16() else "brodmann fp32"]
    told = ", ".join(f"{name} {rate:,.0f}" for name, rate in speed.items())
    table.remark(
        f"Dictionary of 4096 features, 512 units, k 32, rows a second: {told}; absent: {found['absent']}"
    )
    assert ours >= (4 if multiplies_bfloat16() else 1.5) * max(peers.values()), told


def steps_of(n_features):
    def work(rows):
        torch.set_num_threads(THREADS)
        learner = Learner(Settings(n_features, 32, batch_size=2048, n_rows=2048 * 1000), 256, 256, 10**7)
        x = torch.from_numpy(rows)
        learner.step(x, x)
        started = time.perf_counter()
        for _ in range(3):
            learner.step(x, x)
        return np.array([(time.perf_counter() - started) / 3])

    return work


def rows():
    torch.set_num_threads(1)
    return np.random.default_rng(0).normal(size=(2048, 256)).astype(np.float32)


def test_time_and_memory_grow_with_features_and_no_faster(table):
    """512 to 131 072 features of 256 units."""
    seconds, extra = {}, {}
    for n_features in (512, 2048, 8192, 32768, 131072):
        cost = alone(rows, steps_of(n_features))
        seconds[n_features], extra[n_features] = float(cost.answer[0]), cost.extra_bytes
        allowed = bytes_needed(Settings(n_features, 32), 256, 256, dense=False)
        table.remark(
            f"{n_features} features of 256 units: {2048 / seconds[n_features]:,.0f} rows a second, "
            f"{extra[n_features] / 2**20:,.0f} MiB ({allowed / 2**20:,.0f} announced)"
        )
        assert extra[n_features] <= allowed + (200 << 20)
    assert seconds[131072] / seconds[8192] < 1.6 * 16
    assert extra[131072] <= 6 * 2 * 131072 * 256 * 4 + (400 << 20)
