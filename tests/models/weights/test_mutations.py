"""Whatever is in a file of weights: it loads, or one line says why not; nothing is run, nothing written elsewhere."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest


def mutants(place, n, seed):
    # most memory that a file may ask for: 4 GiB
    environment = os.environ | {"BRODMANN_MEMORY_GB": "4", "PYTHONWARNINGS": "ignore"}
    script = Path(__file__).with_name("mutations.py")
    command = [sys.executable, str(script), str(place / "mutants"), str(n), seed]
    done = subprocess.run(command, capture_output=True, text=True, env=environment, check=False)
    assert done.returncode == 0, done.stderr[-2000:]
    return json.loads(done.stdout.splitlines()[-1])


@pytest.mark.parametrize("n", [40, pytest.param(500, marks=pytest.mark.slow)])
def test_mutated_weights_load_or_are_refused_in_one_line(tmp_path, n):
    found = mutants(tmp_path, n, "brodmann")
    assert found["other"] == []
    assert found["loaded"] + found["refused"] == n
    assert found["refused"] > n / 2  # what was changed matters
    assert found["seen"] == []  # opened for writing, run, sent
    assert found["harm"] == []
    assert found["grown_gib"] < 1
