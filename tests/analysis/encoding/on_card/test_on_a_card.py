"""The script that is carried to a card runs here, in small."""

import json
import os
import subprocess
import sys
import zipfile
from pathlib import Path

SCRIPT = Path(__file__).parents[3] / "performance" / "on_a_card.sh"


def run(out, *given, **environment):
    """What it found, and what it printed."""
    done = subprocess.run(
        ["sh", SCRIPT, out, *given],
        capture_output=True,
        text=True,
        check=False,
        env=os.environ | {"PYTHON": sys.executable} | environment,
    )
    assert done.returncode == 0, done.stderr
    return json.loads((out / "on_a_card.json").read_text()), done.stderr


def wheel(folder, name, version):
    """A wheel of one empty module."""
    about = f"{name}-{version}.dist-info"
    files = {
        f"{name}.py": "",
        f"{about}/METADATA": f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n",
        f"{about}/WHEEL": "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
    }
    files[f"{about}/RECORD"] = "".join(f"{one},,\n" for one in [*files, f"{about}/RECORD"])
    with zipfile.ZipFile(folder / f"{name}-{version}-py3-none-any.whl", "w") as made:
        for one, text in files.items():
            made.writestr(one, text)


def test_ridge_and_draws_in_small(tmp_path):
    rows = "vision", "vision_white", "draws"
    found, _ = run(tmp_path / "out", "--small", "--device", "cpu", "--rows", *rows)
    assert list(found["rows"]) == list(rows)
    for name, spectrum in (("vision", "1/k"), ("vision_white", "white")):
        one = found["rows"][name]
        assert one["spectrum"] == spectrum
        assert one["phases"]["share_of_rate"] > 0
        assert len(one["brodmann"]["seconds"]) == 2
    draws = found["rows"]["draws"]
    assert draws["permutations"]["work"].startswith("4 of 300 neuroids x 20 orders")
    every = draws["every_neuroid_permuted"]
    assert every["whole"] == 10 * every["seconds"]
    table = (tmp_path / "out" / "on_a_card.md").read_text()
    assert "| vision_white (160, 320, 200), white |" in table
    assert "extrapolated" in table


def test_a_row_that_fails_stops_no_other(tmp_path):
    hidden = tmp_path / "hidden"
    hidden.mkdir()
    (hidden / "PIL.py").write_text("raise ImportError('no pictures here')")
    found, told = run(
        tmp_path / "out",
        "--small",
        "--device",
        "cpu",
        "--rows",
        "draws",
        "extraction",
        PYTHONPATH=str(hidden),
    )
    assert "error" not in found["rows"]["draws"]
    assert found["rows"]["extraction"]["error"] == "ImportError: no pictures here"
    assert "no pictures here" in told


def test_only_wheels_of_what_is_not_installed_are_taken(tmp_path):
    wheels = tmp_path / "wheels"
    wheels.mkdir()
    wheel(wheels, "carried_along", "1.2")
    wheel(wheels, "numpy", "0.0.1")
    found, _ = run(tmp_path / "out", wheels, "--small", "--device", "cpu", "--rows", "extraction")
    assert found["carried"] == {"carried_along": "1.2"}
    assert found["rows"]["extraction"]["layers"] == 4
    assert found["rows"]["extraction"]["pooled images/s"] > 0


def test_the_script_says_how_it_is_called():
    done = subprocess.run(["sh", SCRIPT], capture_output=True, text=True, check=False)
    assert done.returncode == 2
    assert done.stderr.startswith("usage:")
