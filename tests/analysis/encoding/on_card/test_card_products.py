"""Products as exact as float32, and settings of the process that stay as they were."""

import threading

import numpy as np
import pytest
import torch

from brodmann.analysis.encoding.on_card import products as module
from brodmann.analysis.encoding.on_card.products import Products, as_exact, products, thirds
from brodmann.device import PRODUCTS_VARIABLE
from brodmann.errors import UserError

CPU = torch.device("cpu")


def matrices(n, spread=0.0):
    generator = torch.Generator().manual_seed(1)
    a, b = (torch.randn(n, n, generator=generator) for _ in range(2))
    sizes = torch.logspace(-spread, spread, n)
    return a * sizes, b / sizes[:, None]


@pytest.mark.parametrize("spread", [0.0, 3.0, 15.0])
def test_three_bfloat16_numbers_are_one_of_float32(spread):
    a, _ = matrices(64, spread)
    parts = thirds(a)
    assert all(one.dtype == torch.bfloat16 for one in parts)
    left = (a.double() - sum(one.double() for one in parts)).abs() / a.double().abs()
    assert left.max() < 2**-24


@pytest.mark.parametrize("spread", [0.0, 3.0, 15.0])
def test_six_products_are_as_exact_as_one_of_float32(spread):
    a, b = matrices(256, spread)
    exact = a.double() @ b.double()
    errors = {}
    for name in ("float32", "bf16x3"):
        one = Products(name)
        found = one.multiply(one.left(a), one.right(b), torch.empty(256, 256))
        errors[name] = float((found.double() - exact).abs().max() / exact.abs().max())
    assert errors["bf16x3"] < 1e-6
    assert errors["bf16x3"] < 2 * errors["float32"]
    lone = float((a.bfloat16().double() @ b.bfloat16().double() - exact).abs().max() / exact.abs().max())
    assert lone > 1e-3


@pytest.mark.parametrize("name", ["float32", "bf16x3"])
def test_many_at_once_and_added(name):
    one = Products(name)
    a, b, start = (torch.randn(3, 20, 20) for _ in range(3))
    found = one.multiply(one.left(a), one.right(b), start.clone(), add=True)
    np.testing.assert_allclose(found, a @ b + start, atol=1e-5)
    out = torch.empty(4, 20, 20)
    one.multiply(one.left(a), one.right(b), out[:3])
    np.testing.assert_allclose(out[:3], a @ b, atol=1e-5)


def test_which_products_a_device_gets(monkeypatch):
    assert products(CPU).name == "float32"
    monkeypatch.setattr(module, "_has_tensor_cores", lambda device: True)
    assert products(CPU).name == "bf16x3"
    monkeypatch.setattr(module, "_of_bfloat16", lambda left, right, out, add: out.zero_())
    assert products(CPU).name == "float32"

    def missing(left, right, out, add):
        raise NotImplementedError("aten::mm.dtype")

    monkeypatch.setattr(module, "_of_bfloat16", missing)
    assert products(CPU).name == "float32"


@pytest.mark.parametrize("name", ["float32", "bf16x3", "tf32"])
def test_products_that_are_asked_for(name, monkeypatch):
    monkeypatch.setattr(module, "_has_tensor_cores", lambda device: name != "bf16x3")
    assert products(CPU).name != name
    monkeypatch.setenv(PRODUCTS_VARIABLE, name)
    assert products(CPU).name == name


def test_products_that_a_device_has_not(monkeypatch):
    monkeypatch.setenv(PRODUCTS_VARIABLE, "bf16x3")
    monkeypatch.setattr(module, "_of_bfloat16", lambda left, right, out, add: out.zero_())
    with pytest.raises(UserError, match=r"^\$BRODMANN_PRODUCTS: cpu has no bf16x3 products .*: use float32$"):
        products(CPU)


def test_a_build_that_multiplies_in_half_is_noticed(monkeypatch):
    def half(left, right, out, *, add):
        return out.add_((left.bfloat16() @ right.bfloat16()).float())

    assert as_exact(Products(), CPU)
    monkeypatch.setattr(module, "_of_float32", half)
    assert not as_exact(Products(), CPU)


def test_the_precision_of_the_process_is_put_back():
    assert torch.get_float32_matmul_precision() == "highest"
    torch.set_float32_matmul_precision("medium")
    try:
        with Products().in_force():
            assert torch.get_float32_matmul_precision() == "highest"
        assert torch.get_float32_matmul_precision() == "medium"
        with pytest.raises(ValueError, match="stop"), Products().in_force():
            raise ValueError("stop")
        assert torch.get_float32_matmul_precision() == "medium"
    finally:
        torch.set_float32_matmul_precision("highest")


def test_it_is_put_back_by_the_last_of_several_threads():
    inside, leave = threading.Event(), threading.Event()

    def first():
        with Products("tf32").in_force():
            inside.set()
            leave.wait(10)

    thread = threading.Thread(target=first)
    thread.start()
    inside.wait(10)
    with Products("tf32").in_force():
        leave.set()
        thread.join()
        assert torch.get_float32_matmul_precision() == "high"
    assert torch.get_float32_matmul_precision() == "highest"
