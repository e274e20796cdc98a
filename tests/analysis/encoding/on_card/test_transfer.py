"""What is sent through two buffers arrives whole, and no buffer is filled while it is on its way."""

import numpy as np
import pytest
import torch

from brodmann.analysis.encoding.on_card import transfer
from brodmann.analysis.encoding.on_card.gram import centered_columns, gram, mean_eigenvalues, spectrum
from brodmann.analysis.encoding.on_card.targets import Columns, Reordered
from brodmann.analysis.encoding.on_card.transfer import PlainLane, column_blocks, lane, sendable, sent
from brodmann.analysis.representation.gram import gram as on_the_processor

CPU = torch.device("cpu")


class SlowLane(PlainLane):
    """Copies only when it is waited for, as a card does at the latest."""

    def __init__(self):
        super().__init__(CPU)
        self.buffers, self.waited = [], []

    def buffer(self, n_bytes):
        self.buffers.append(super().buffer(n_bytes))
        return self.buffers[-1]

    def send(self, staged):
        there = torch.empty_like(staged)
        return there, (staged, there)

    def wait(self, ticket):
        staged, there = ticket
        there.copy_(staged)
        self.waited.append(staged.data_ptr())


def test_no_buffer_is_filled_before_what_it_held_has_arrived():
    parts = [np.full((3, 4), float(k), np.float32) for k in range(7)] + [np.full((3, 1), 7.0, np.float32)]
    way = SlowLane()
    arrived = list(sent(iter(parts), way))
    assert len(way.buffers) == 2
    assert len(way.waited) == 8
    assert way.waited == [one.data_ptr() for one in way.buffers] * 4
    for part, there in zip(parts, arrived, strict=True):
        np.testing.assert_array_equal(there, part)


def test_nothing_to_send():
    assert list(sent(iter(()), PlainLane(CPU))) == []


def test_a_processor_needs_no_pinned_memory():
    assert isinstance(lane(CPU), PlainLane)


@pytest.mark.parametrize("dtype", [np.float16, np.float32, np.float64])
def test_parts_keep_their_dtype_whatever_the_layout(dtype, monkeypatch):
    values = np.asfortranarray(np.random.default_rng(0).normal(size=(30, 50)).astype(dtype))
    monkeypatch.setattr(transfer, "STAGED_BYTES", 30 * values.itemsize * 7)
    blocks = list(sent(column_blocks(values, slice(3, 45)), PlainLane(CPU)))
    assert [one.shape[1] for one in blocks] == [7] * 6
    np.testing.assert_array_equal(torch.cat(blocks, dim=1), values[:, 3:45])


def test_other_dtypes_are_sent_in_double_precision():
    assert sendable(np.arange(6).reshape(2, 3)).dtype == np.float64
    assert sendable(np.ones((2, 2), ">f4")).dtype == np.float64
    half = np.ones((2, 2), np.float16)
    assert sendable(half) is half


def test_the_gram_matrix_of_blocks(monkeypatch):
    x = np.random.default_rng(0).normal(100, 1, size=(40, 300)).astype(np.float32)
    whole = gram(x, CPU)
    monkeypatch.setattr(transfer, "STAGED_BYTES", 40 * 4 * 11)
    np.testing.assert_allclose(gram(x, CPU), whole, rtol=1e-10)
    np.testing.assert_allclose(whole, on_the_processor(x), rtol=1e-10)
    np.testing.assert_allclose(centered_columns(x, CPU), x.astype(float) - x.astype(float).mean(axis=0))


def test_eigenvalues_of_training_sets():
    x = np.random.default_rng(0).normal(size=(40, 25))
    sets = [np.arange(30), np.arange(12, 40, 2), np.arange(2)]
    found = mean_eigenvalues(gram(x, CPU), sets, 25)
    low, high = spectrum(gram(np.hstack([x, x]), CPU))
    for train, mean in zip(sets, found, strict=True):
        values = np.linalg.svd(x[train] - x[train].mean(axis=0), compute_uv=False) ** 2
        assert mean == pytest.approx(values.sum() / min(len(train) - 1, 25))
        assert values.max() <= high
    assert low == pytest.approx(0, abs=1e-10)
    assert spectrum(torch.zeros(3, 3, dtype=torch.float64)) == (0.0, 1.0)


@pytest.mark.parametrize("resident", [True, False])
def test_targets_less_their_mean(resident, monkeypatch):
    y = np.random.default_rng(0).normal(1e6, 1, size=(20, 33))
    monkeypatch.setattr(transfer, "STAGED_BYTES", 20 * 8 * 5)
    columns = Columns(y, CPU, resident=resident)
    for block in (slice(0, 33), slice(4, 17)):
        centered, mean = columns.block(block)
        assert centered.dtype == torch.float32
        np.testing.assert_allclose(mean, y[:, block].mean(axis=0), rtol=1e-14)
        np.testing.assert_allclose(centered, (y - y.mean(axis=0))[:, block], atol=1e-6)


def test_targets_stay_only_where_a_fifth_of_the_memory_holds_them(monkeypatch):
    y = np.ones((20, 33))
    asked = []
    monkeypatch.setattr(Columns, "_sent", lambda self, columns: asked.append(columns))
    for free, stays in ((20 * 33 * 4 * 5, True), (20 * 33 * 4 * 5 - 1, False)):
        monkeypatch.setattr(
            "brodmann.analysis.encoding.on_card.targets.free_bytes", lambda device, free=free: free
        )
        asked.clear()
        Columns(y, CPU)
        assert bool(asked) == stays


def test_targets_in_other_orders():
    rng = np.random.default_rng(0)
    y, orders = rng.normal(size=(20, 3)), np.array([rng.permutation(20) for _ in range(4)])
    made = Reordered(y, orders, CPU)
    assert made.shape == (20, 12)
    expected = y[orders].transpose(1, 0, 2).reshape(20, 12)
    centered, mean = made.block(slice(2, 11))
    np.testing.assert_allclose(centered + mean, expected[:, 2:11], atol=1e-6)
