"""Rows on disk and in memory: the same centre and scale, read in an order that is a permutation each pass."""

import numpy as np
import pytest
import torch

from brodmann.analysis.interpretability.learning import order
from brodmann.analysis.interpretability.learning.order import batches
from brodmann.analysis.interpretability.learning.rows import open_rows, rows_of, write_rows
from brodmann.errors import UserError


@pytest.fixture
def values():
    generator = torch.Generator().manual_seed(3)
    return torch.randn(5000, 12, generator=generator) * 3 + torch.arange(12) * 50


def test_centre_and_one_scale(values):
    rows = rows_of(values)
    exact = values.double()
    mean = exact.mean(0)
    assert torch.allclose(rows.mean.double(), mean, atol=1e-4)
    assert rows.scale == pytest.approx(float((exact - mean).square().sum(1).mean() / 12) ** 0.5, rel=1e-9)
    scaled = rows.scaled(np.arange(5000))
    assert float(scaled.square().sum(1).mean()) == pytest.approx(12, rel=1e-4)


@pytest.mark.parametrize(("precision", "tolerance"), [("fp32", 0), ("fp16", 2e-3), ("bf16", 2e-2)])
def test_a_file_gives_back_what_was_streamed(values, tmp_path, precision, tolerance):
    rows = write_rows(values.split(777), tmp_path / "rows", precision=precision, facts={"of": "a"})
    again = open_rows(tmp_path / "rows", facts={"of": "a"})
    assert len(rows) == len(again) == 5000
    assert again.digest == rows.digest
    kept = again.values.float()
    assert float(((kept - values).abs() / values.abs().clamp_min(1)).max()) <= tolerance
    assert again.scale == pytest.approx(rows_of(kept).scale, rel=1e-12)
    which = np.array([4999, 0, 17])
    assert torch.equal(again.scaled(which), (kept[torch.from_numpy(which)] - again.mean) / again.scale)


def test_a_piece_that_fails_leaves_no_file(values, tmp_path):
    def pieces():
        yield values
        raise RuntimeError("the model broke")

    with pytest.raises(RuntimeError):
        write_rows(pieces(), tmp_path / "rows")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("change", "says"),
    [
        (lambda x: x.fill_(1e6), "beyond the range of fp16"),
        (lambda x: x.fill_(float("nan")), "NaN"),
        (lambda x: x.fill_(2.0), "all the same"),
    ],
)
def test_rows_that_cannot_be_learnt_from_are_refused(values, tmp_path, change, says):
    with pytest.raises(UserError, match=says):
        write_rows([change(values)], tmp_path / "rows")


def test_rows_from_elsewhere_or_cut_short_are_refused(values, tmp_path):
    write_rows([values], tmp_path / "rows", facts={"of": "a"})
    with pytest.raises(UserError, match="from elsewhere"):
        open_rows(tmp_path / "rows", facts={"of": "b"})
    with (tmp_path / "rows" / "rows.bin").open("r+b") as stream:
        stream.truncate(100)
    with pytest.raises(UserError, match="is not the"):
        open_rows(tmp_path / "rows")
    with pytest.raises(UserError, match="follow rows of"):
        write_rows([values, values[:, :5]], tmp_path / "other")


def test_each_row_once_a_pass_and_never_twice_the_same_order(monkeypatch):
    monkeypatch.setattr(order, "POOL_BLOCKS", 3)
    n, size = 2000, 128
    source = batches(n, size, 5)
    seen = np.concatenate([next(source) for _ in range(2 * n // size + 1)])
    first, second = seen[:n], seen[n : 2 * n]
    assert sorted(first) == list(range(n))
    assert sorted(second) == list(range(n))
    assert not np.array_equal(first, second)
    assert not np.array_equal(first, next(batches(n, n, 6)))


def test_blocks_are_mixed(monkeypatch):
    batch = next(batches(200_000, 2048, 0))
    blocks = np.unique(batch // order.BLOCK_ROWS)
    assert len(blocks) > 400
    assert abs(np.corrcoef(np.arange(2048), batch)[0, 1]) < 0.1


@pytest.mark.parametrize("first", [1, 7, 15, 16, 31, 47])
def test_an_order_goes_on_from_any_batch(monkeypatch, first):
    monkeypatch.setattr(order, "POOL_BLOCKS", 3)
    whole, part = batches(2000, 128, 5), batches(2000, 128, 5, first=first)
    for _ in range(first):
        next(whole)
    for _ in range(20):
        assert np.array_equal(next(whole), next(part))
