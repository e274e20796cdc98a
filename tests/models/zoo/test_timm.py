"""More than 40 architectures of timm: read as timm itself reads them, in a batch as alone; or one line."""

import json
import os
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

import pytest
from timm_architectures import ARCHITECTURES, END, START, page

DOCS = Path(__file__).parents[3] / "docs" / "architectures.md"


@pytest.fixture(scope="module")
def rows():
    """Of a process of its own: torchvision's wheel would break transformers in every other test."""
    folder = os.environ.get("BRODMANN_TEST_TIMM", "")
    if find_spec("timm") is None and not (Path(folder) / "timm").is_dir():
        pytest.skip("timm is not in BRODMANN_TEST_TIMM: see CONTRIBUTING.md")
    script = Path(__file__).with_name("timm_architectures.py")
    path = os.pathsep.join(filter(None, [os.environ.get("PYTHONPATH", ""), folder]))
    done = subprocess.run(
        [sys.executable, script], capture_output=True, text=True, env=os.environ | {"PYTHONPATH": path}
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def test_architectures_are_read_as_timm_reads_them_and_in_a_batch_as_alone(rows):
    assert [one["name"] for one in rows] == list(ARCHITECTURES)
    read = [one for one in rows if "refused" not in one]
    assert len(read) >= 40
    for one in read:
        assert one["batched_minus_single"] < 1e-5, one
        assert all(share < 1e-5 for share in one["intermediates"].values()), one
    assert sum(len(one["intermediates"]) > 0 for one in read) >= 40


def test_what_is_refused_is_one_line(rows):
    refused = {one["name"]: one["refused"] for one in rows if "refused" in one}
    assert refused["inception_v3"].startswith(
        "the forward pass of InceptionV3 failed: Calculated padded input size"
    )
    assert all("\n" not in line for line in refused.values())


def test_the_page_has_the_table(rows):
    def table(text):  # without the last column, whose digits are the processor's
        section = text.partition(START)[2].partition(END)[0].split("\n")
        return [line.rsplit("|", 2)[0] for line in section]

    text = DOCS.read_text()
    assert table(page(rows, text)) == table(text)
