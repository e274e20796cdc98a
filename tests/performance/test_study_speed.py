"""A study in one process beside the same scores in a shell loop, a process a score; each in a home of its own."""

import os
import subprocess
import sys
import time

import pytest

pytestmark = pytest.mark.perf
MODELS = ("pixels", "gabor-pyramid", "random-convnet", "simulated-truth", "twin-vision-topographic")
BENCHMARKS = ("V1-ridge", "IT-ridge", "IT-rsa", "IT-decoding", "IT-cka", "V1-cka")
DRAWS = int(os.environ.get("BRODMANN_PERF_DRAWS", "1000"))
"""Of permutations and bootstraps; the commands' own default."""
GOAL = 3.0


def timed(home, *commands):
    """Seconds of commands one after the other, all in one new home."""
    environment = {**os.environ, "BRODMANN_HOME": str(home)}
    began = time.perf_counter()
    for words in commands:
        subprocess.run(
            [sys.executable, "-m", "brodmann.bench", *map(str, words)],
            env=environment, check=True, capture_output=True, cwd=home.parent,
        )  # fmt: skip
    return time.perf_counter() - began


def test_a_study_of_five_models_on_six_benchmarks(table, tmp_path):
    names = [f"simulated-cortex.{one}" for one in BENCHMARKS]
    file = tmp_path / "study.toml"
    file.write_text(
        f"models = {list(MODELS)}\nbenchmarks = {names}\nbootstraps = {DRAWS}\npermutations = {DRAWS}\n"
    )
    loop = [
        ("score", model, name, "--bootstraps", DRAWS, "--permutations", DRAWS)
        for model in MODELS
        for name in names
    ]
    shell = timed(tmp_path / "shell", *loop)
    study = timed(tmp_path / "study", ("run", file, "--no-pdf"))
    table.remark(
        f"A study of {len(MODELS)} models on {len(names)} benchmarks ({DRAWS} draws): {study:.0f} s in one process "
        f"with its report, {shell:.0f} s as a shell loop of {len(loop)} processes: {shell / study:.1f} times."
    )
    assert shell / study >= GOAL
