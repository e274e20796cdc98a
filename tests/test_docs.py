"""The examples of the documentation run as they stand."""

import re
from pathlib import Path

import pytest

DOCS = Path(__file__).parents[1] / "docs"


def run(page, folder, monkeypatch):
    """Run all Python blocks of a page in order, in a folder; the names that they leave."""
    monkeypatch.chdir(folder)
    names = {}
    for block in re.findall(r"```python\n(.*?)```", (DOCS / page).read_text(), flags=re.DOTALL):
        exec(block, names)
    return names


def test_the_encoding_engine_page(tmp_path, monkeypatch):
    pytest.importorskip("himalaya", reason="himalaya is not installed: pip install 'brodmann[banded]'")
    names = run("encoding-engine.md", tmp_path, monkeypatch)
    assert names["r"].shape == (5, 30)
    assert names["partition"].unique[0].mean() > 0.1 > names["partition"].unique[1].mean()
    assert names["curve"].r.shape == (6, 30)
    assert names["held_out"].r.shape == (5, 30)
    assert min(names["held_out"].r.mean(), names["generalization"]) > 0.3
    assert (tmp_path / "partition.pdf").stat().st_size > 1000


def test_the_page_on_twins(tmp_path, monkeypatch):
    names = run("twins.md", tmp_path, monkeypatch)
    assert len(names["found"].units) > 5
    silenced = names["activations"]["layer4.0"].values
    whole = names["model"].extract(names["pictures"], ["layer4.0"])["layer4.0"].values
    assert abs(silenced - whole).max() > 0.1
    counts = [sum(p.numel() for p in one.parameters()) for one in (names["network"], names["small"])]
    assert counts[1] < 0.3 * counts[0]


def test_the_page_on_sheets(tmp_path, monkeypatch):
    names = run("sheets.md", tmp_path, monkeypatch)
    assert names["model"].sheet("1").shape == (16, 16)
    assert names["control"].layout == "permuted(0)"
    assert 0 < names["total"].item() < 0.8 * 10
    assert names["pooled"].readout.describe() == (
        "mean over space, at most 1000 sparse random projections (seed 0)"
    )
