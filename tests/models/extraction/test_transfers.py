"""Layers leave a card late and through buffers that are used again: nobody may read too early or too late."""

import numpy as np
import pytest
import torch

from brodmann.models import ImagePreprocessing, Readout, VisionModel
from brodmann.models.extraction import reading
from brodmann.models.extraction.torch_model import Network
from brodmann.models.extraction.transfers import SLOTS, on_the_host, through_ring


class SlowBus:
    """Stands for a card's: nothing is copied before it is waited for, and a buffer holds noise until then."""

    def __init__(self):
        self.buffers, self.waited_for, self.begun = 0, [], 0

    def buffer(self, n_bytes):
        self.buffers += 1
        return torch.full((n_bytes,), 0xAB, dtype=torch.uint8)

    def copy(self, pairs):
        number, self.begun = self.begun, self.begun + 1
        for _, place in pairs:
            place.fill_(99)

        def wait():
            assert number not in self.waited_for
            self.waited_for.append(number)
            for values, place in pairs:
                place.copy_(values)

        return wait


def batches(n=7, last=3):
    """Batches of 5 rows and one of fewer, of two layers and two kinds of number."""
    for i in range(n):
        rows = np.arange(5 * i, 5 * i + (last if i == n - 1 else 5))
        ahead = torch.from_numpy(rows)[:, None]
        yield rows, {"a": ahead * 10.0 + torch.arange(3), "b": (ahead + torch.arange(4)).half()}


def test_every_batch_arrives_whole_and_in_order_in_as_few_buffers_as_there_are_slots():
    bus = SlowBus()
    found = [
        (rows, {name: one.copy() for name, one in arrays.items()})
        for rows, arrays in through_ring(batches(), bus, 1 << 20)
    ]
    assert bus.buffers == 2 * SLOTS
    assert bus.waited_for == list(range(7))
    for (rows, arrays), (expected, tensors) in zip(found, batches(), strict=True):
        np.testing.assert_array_equal(rows, expected)
        for name, tensor in tensors.items():
            assert arrays[name].dtype == tensor.numpy().dtype
            np.testing.assert_array_equal(arrays[name], tensor.numpy())


def test_a_batch_may_be_written_while_the_next_one_is_asked_for():
    """As files are: what was given stays as it was until the next batch but one is asked for."""
    before = None
    for rows, arrays in through_ring(batches(9, last=5), SlowBus(), 1 << 20):
        if before is not None:
            np.testing.assert_array_equal(before[1]["a"][:, 0], before[0] * 10.0)
        before = rows, arrays
    assert before[0][-1] == 44


def test_the_next_batch_is_computed_before_the_one_before_is_waited_for():
    bus, asked = SlowBus(), []

    def seen():
        for one in batches():
            asked.append(list(bus.waited_for))
            yield one

    stream = through_ring(seen(), bus, 1 << 20)
    next(stream)
    assert asked == [[], []]  # two passes were begun when the first batch was waited for
    assert bus.waited_for == [0]


def test_batches_too_large_to_be_pinned_are_copied_as_they_are():
    bus = SlowBus()
    found = [arrays["b"].copy() for _, arrays in through_ring(batches(), bus, 100)]
    assert bus.buffers == bus.begun == 0
    np.testing.assert_array_equal(found[-1], list(batches())[-1][1]["b"].numpy())


def test_a_processor_copies_nothing():
    tensor = torch.arange(6.0).reshape(2, 3)
    ((_, arrays),) = on_the_host([(np.arange(2), {"a": tensor})], torch.device("cpu"))
    tensor[0, 0] = 7
    assert arrays["a"][0, 0] == 7


@pytest.mark.parametrize("cache", [False, True])
@pytest.mark.parametrize("half", [False, True])
def test_a_network_reads_the_same_through_a_ring(pictures, monkeypatch, tmp_path, cache, half):
    """From pictures to activations with the stand-in, in memory and on disk."""

    def model(cache=False):
        torch.manual_seed(0)
        module = torch.nn.Sequential(torch.nn.Conv2d(3, 4, 3), torch.nn.ReLU(), torch.nn.Conv2d(4, 2, 3))
        return VisionModel(
            module,
            identifier="net",
            preprocess=ImagePreprocessing(8),
            layers=["0", "2"],
            batch_size=2,
            cache=cache,
            readout=Readout(half=half),
        )

    expected, bus = model().extract(pictures), SlowBus()
    monkeypatch.setattr(reading, "on_the_host", lambda given, _device: through_ring(given, bus, 1 << 30))
    monkeypatch.setattr(Network, "overlaps", True)
    monkeypatch.setenv("BRODMANN_HOME", str(tmp_path))
    found = model(cache).extract(pictures)
    assert bus.waited_for == [0, 1, 2, 3]
    for name, values in expected.items():
        np.testing.assert_array_equal(found[name].values, values.values)
