"""The script that is carried to a card runs here, in small."""

import json
import os
import subprocess
import sys
from pathlib import Path

SCRIPT = Path(__file__).parents[3] / "performance" / "on_a_card.sh"


def test_a_row_that_fails_stops_no_other_and_everything_is_written(tmp_path):
    command = [
        "sh",
        SCRIPT,
        tmp_path / "out",
        "--small",
        "--device",
        "cpu",
        "--rows",
        "vision",
        "draws",
        "extraction",
    ]
    python = os.environ | {"PYTHON": sys.executable}
    done = subprocess.run(command, capture_output=True, text=True, check=False, env=python)
    assert done.returncode == 0, done.stderr
    found = json.loads((tmp_path / "out" / "on_a_card.json").read_text())
    assert list(found["rows"]) == ["vision", "draws", "extraction"]
    vision = found["rows"]["vision"]
    assert vision["phases"]["share_of_rate"] > 0
    assert len(vision["brodmann"]["seconds"]) == 2
    assert found["rows"]["draws"]["draws"] == 20
    assert "| vision" in (tmp_path / "out" / "on_a_card.md").read_text()


def test_the_script_says_how_it_is_called():
    done = subprocess.run(["sh", SCRIPT], capture_output=True, text=True, check=False)
    assert done.returncode == 2
    assert done.stderr.startswith("usage:")
