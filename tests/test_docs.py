"""The examples of the documentation run as they stand."""

import re
from pathlib import Path

import pytest

DOCS = Path(__file__).parents[1] / "docs"


def test_the_encoding_engine_page(tmp_path, monkeypatch):
    pytest.importorskip("himalaya", reason="himalaya is not installed: pip install 'brodmann[banded]'")
    monkeypatch.chdir(tmp_path)
    blocks = re.findall(r"```python\n(.*?)```", (DOCS / "encoding-engine.md").read_text(), flags=re.DOTALL)
    names = {}
    for block in blocks:
        exec(block, names)
    assert names["r"].shape == (5, 30)
    assert names["partition"].unique[0].mean() > 0.1 > names["partition"].unique[1].mean()
    assert names["curve"].r.shape == (6, 30)
    assert (tmp_path / "partition.pdf").stat().st_size > 1000
