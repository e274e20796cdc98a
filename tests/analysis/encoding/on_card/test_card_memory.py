"""Blocks that are halved where memory runs out, and what is refused."""

import pytest
import torch

from brodmann.analysis.encoding.on_card.memory import free_bytes, in_blocks, require_on
from brodmann.memory import NotEnoughMemory

CPU = torch.device("cpu")


def worked(n, size, most):
    done = []

    def work(block):
        if block.stop - block.start > most:
            raise torch.OutOfMemoryError("CUDA out of memory")
        done.extend(range(block.start, block.stop))

    return done, in_blocks(n, size, work, CPU, "work", 5 << 30)


@pytest.mark.parametrize(
    ("n", "size", "most", "sufficed"), [(10, 4, 9, 4), (10, 8, 3, 2), (7, 100, 1, 1), (1, 1, 1, 1)]
)
def test_everything_is_done_once_in_order(n, size, most, sufficed):
    done, found = worked(n, size, most)
    assert done == list(range(n))
    assert found == sufficed


def test_one_line_where_one_does_not_fit(monkeypatch):
    monkeypatch.setenv("BRODMANN_MEMORY_GB", "2")
    with pytest.raises(
        NotEnoughMemory, match=r"^work, even of one target, would take about 5.0 GiB .* 2.0 GiB"
    ):
        worked(10, 4, 0)


def test_other_errors_are_not_taken_for_lack_of_memory():
    def broken(block):
        raise RuntimeError("shapes")

    with pytest.raises(RuntimeError, match="shapes"):
        in_blocks(3, 3, broken, CPU, "work", 1)


def test_what_a_device_would_not_hold(monkeypatch):
    monkeypatch.setenv("BRODMANN_MEMORY_GB", "1")
    assert free_bytes(CPU) == 1 << 30
    require_on(CPU, 1 << 30, "work")
    with pytest.raises(NotEnoughMemory, match="work would take about 1.5 GiB of the memory of cpu"):
        require_on(CPU, 3 << 29, "work")


def test_a_card_has_what_it_says_is_free_and_what_torch_holds_without_need(monkeypatch):
    monkeypatch.setattr(torch.cuda, "mem_get_info", lambda device: (700, 1000))
    monkeypatch.setattr(torch.cuda, "memory_reserved", lambda device: 500)
    monkeypatch.setattr(torch.cuda, "memory_allocated", lambda device: 200)
    assert free_bytes(torch.device("cuda:0")) == 900
