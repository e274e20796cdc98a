"""Which device is meant, which is in force, and what is said of one that is not there."""

import subprocess
import sys
import threading

import pytest
import torch

from brodmann import device
from brodmann.device import card_name, device_of, devices, over, products_asked, use
from brodmann.errors import UserError


@pytest.fixture
def cards(monkeypatch):
    """A machine with as many cards as it is told, and no variable."""
    monkeypatch.delenv(device.VARIABLE, raising=False)

    def have(n, mps=False):
        monkeypatch.setattr(device, "_n_cards", lambda: n)
        monkeypatch.setattr(device, "_has_mps", lambda: mps)

    return have


def test_the_first_that_is_there_is_taken(cards):
    cards(0)
    assert devices() == ["cpu"]
    cards(0, mps=True)
    assert devices() == ["mps"]
    cards(2, mps=True)
    assert devices() == ["cuda"]


@pytest.mark.parametrize(
    ("name", "found"),
    [
        ("cpu", ["cpu"]),
        ("cuda", ["cuda"]),
        ("cuda:1", ["cuda:1"]),
        ("cuda:all", ["cuda:0", "cuda:1"]),
        (torch.device("cuda", 1), ["cuda:1"]),
    ],
)
def test_a_name_stands_for_one_device_or_for_every_card(cards, name, found):
    cards(2)
    assert devices(name) == found
    assert device_of(name) == found[0]


@pytest.mark.parametrize(
    ("n_cards", "name", "why"),
    [
        (0, "gpu", "'gpu' cannot be used here: it is no device's name: did you mean 'cuda'?"),
        (1, "GPU:0", "'GPU:0' cannot be used here: it is no device's name: did you mean 'cuda'?"),
        (0, "cpuu", "'cpuu' cannot be used here: it is no device's name: did you mean 'cpu'?"),
        (0, "here", "'here' cannot be used here: it is no device's name: devices are called cpu, cuda, cuda:1, "),
        (0, "cuda", "'cuda' cannot be used here: this machine has cpu$"),
        (0, "cuda:all", "'cuda:all' cannot be used here: this machine has cpu$"),
        (1, "cuda:3", "'cuda:3' cannot be used here: this machine has cpu, cuda:0$"),
        (2, "cuda:2", "'cuda:2' cannot be used here: this machine has cpu, cuda:0, cuda:1$"),
        (1, "mps", "'mps' cannot be used here: this machine has cpu, cuda:0$"),
        (1, "cuda:", "'cuda:' cannot be used here: it is no device's name: did you mean 'cuda:1' or 'cuda'"),
        (1, "x" * 500, f"'{'x' * 40}' cannot be used here"),
    ],
)  # fmt: skip
def test_a_device_that_is_not_here_is_one_line_with_what_is(cards, n_cards, name, why):
    cards(n_cards)
    with pytest.raises(UserError, match=rf"^device {why}") as refused:
        devices(name)
    assert "\n" not in str(refused.value)


def test_a_device_is_in_force_for_a_block_and_the_variable_for_a_process(cards, monkeypatch):
    cards(3)
    monkeypatch.setenv(device.VARIABLE, "cuda:2")
    assert device_of() == "cuda:2"
    with use("cuda:1"):
        assert device_of() == "cuda:1"
        with use("cpu"), use(None):
            assert device_of() == "cpu"
        assert device_of("cuda:0") == "cuda:0"
        assert device_of() == "cuda:1"
    assert device_of() == "cuda:2"
    monkeypatch.setenv(device.VARIABLE, "gpu")
    with pytest.raises(UserError, match=r"^\$BRODMANN_DEVICE: device 'gpu' .* did you mean 'cuda'\?$"):
        devices()
    monkeypatch.setenv(device.VARIABLE, "")
    assert device_of() == "cuda"


def test_products_are_asked_for_by_a_variable(monkeypatch):
    monkeypatch.delenv(device.PRODUCTS_VARIABLE, raising=False)
    assert products_asked() is None
    for name in device.PRODUCTS:
        monkeypatch.setenv(device.PRODUCTS_VARIABLE, name)
        assert products_asked() == name
    monkeypatch.setenv(device.PRODUCTS_VARIABLE, "fp16")
    with pytest.raises(UserError, match=r"^\$BRODMANN_PRODUCTS: 'fp16' is not one of float32, bf16x3, tf32$"):
        products_asked()


def test_a_block_with_a_bad_name_is_not_entered(cards):
    cards(0)
    with pytest.raises(UserError, match="cannot be used here"), use("cuda"):
        raise AssertionError("entered")
    assert device_of() == "cpu"


def test_work_is_split_over_cards_and_comes_back_in_order(cards):
    """Two items must be in work at once for either to end, each on a card of its own, which is in force there."""
    cards(2)
    both = threading.Barrier(2, timeout=20)

    def work(item, where):
        if item < 2:
            both.wait()
        assert device_of() == where
        return item, where

    with use("cuda:all"):
        found = list(over(range(7), work))
    assert [item for item, _ in found] == list(range(7))
    assert {where for _, where in found[:2]} == {"cuda:0", "cuda:1"}


def test_on_one_device_work_is_a_loop_that_goes_no_further_than_it_is_asked(cards):
    cards(1)
    done = []

    def work(item, where):
        done.append((item, where, threading.current_thread()))
        return item

    assert next(over(range(5), work)) == 0
    assert done == [(0, "cuda", threading.current_thread())]


def test_a_mistake_on_one_card_is_told_and_the_rest_is_not_begun(cards):
    cards(2)
    begun = []

    def work(item, _where):
        begun.append(item)
        if item == 0:
            raise UserError("this layer is empty")

    with pytest.raises(UserError, match="this layer is empty"):
        list(over(range(100), work, ["cuda:0", "cuda:1"]))
    assert len(begun) < 10


def test_a_processor_has_no_card_name():
    assert card_name("cpu") == card_name("mps") == ""


def test_a_bad_name_is_refused_before_torch_is_imported():
    code = (
        "import sys\nfrom brodmann.device import devices\nfrom brodmann.errors import UserError\n"
        "devices('cpu')\ntry:\n    devices('gpu')\nexcept UserError:\n    print('torch' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True).stdout == "False\n"
