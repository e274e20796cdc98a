"""A recording of 1.4 GB is added, looked at and scored in less than 4 GiB."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest


@pytest.mark.slow
def test_a_recording_of_9000_times_40_000_fits_in_4_gib(tmp_path: Path) -> None:
    script = Path(__file__).with_name("large_recording.py")
    environment = os.environ | {"BRODMANN_HOME": str(tmp_path)}
    done = subprocess.run(
        [sys.executable, str(script)], capture_output=True, text=True, check=True, env=environment
    )
    said = json.loads(done.stdout)
    print(done.stdout)
    assert max(step["peak_gib"] for step in said.values()) < 4
    # signal variance 40, noise 100 of one presentation: 40 / (40 + 100 / 3)
    assert said["map"]["reliability"] == pytest.approx(0.545, abs=0.02)
