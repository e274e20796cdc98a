"""Products of float32 matrices, as exact as float32 gives them, at the best rate of a device.

A float32 number is the sum of three bfloat16 numbers, a = a1 + a2 + a3, of 8 bits each. Of the nine products of two
such sums, those below 2^-24 are left out:

    a b = a3 b1 + a2 b2 + a1 b3 + a2 b1 + a1 b2 + a1 b1,

which is one product of matrices six times as long, added in float32, the smallest terms first. Tensor cores multiply
bfloat16 about fifteen times as fast as float32, so this is faster than float32 and no less exact (Henry, Tang &
Heinecke 2019, IEEE ARITH).
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from threading import Lock
from typing import TYPE_CHECKING

from ....device import PRODUCTS_VARIABLE, products_asked
from ....errors import UserError

if TYPE_CHECKING:
    import torch
    from torch import Tensor

_LEFT, _RIGHT = (2, 1, 0, 1, 0, 0), (0, 1, 2, 0, 1, 0)
_AS_EXACT = 2e-6
"""Largest error of a product of matrices 256 long, as a share of its largest entry, that float32 may have."""


@dataclass(frozen=True)
class Products:
    """Products of float32 matrices.

    Attributes
    ----------
    name : {"float32", "tf32", "bf16x3"}
        As records say it.
    """

    name: str = "float32"

    @property
    def entry_bytes(self) -> int:
        """Of one number of an operand."""
        return 12 if self.name == "bf16x3" else 4

    def left(self, matrix: Tensor) -> Tensor:
        """What stands on the left of products, ``(..., n, k)``."""
        return self._operand(matrix, _LEFT, -1)

    def right(self, matrix: Tensor) -> Tensor:
        """What stands on the right of products, ``(..., k, m)``."""
        return self._operand(matrix, _RIGHT, -2)

    def _operand(self, matrix: Tensor, order: tuple[int, ...], axis: int) -> Tensor:
        if self.name != "bf16x3":
            return matrix.float()
        import torch

        parts = thirds(matrix)
        return torch.cat([parts[i] for i in order], dim=axis)

    def multiply(self, left: Tensor, right: Tensor, out: Tensor, *, add: bool = False) -> Tensor:
        """Left times right into `out`, or added to it; one matrix each, or as many as stand in the first axis."""
        if self.name == "bf16x3":
            return _of_bfloat16(left, right, out, add=add)
        return _of_float32(left, right, out, add=add)

    @contextmanager
    def in_force(self) -> Iterator[None]:
        """Float32 means float32 meanwhile (or TF32 where that was asked for); afterwards it means what it did."""
        with _PRECISION.held("high" if self.name == "tf32" else "highest"):
            yield


class _Precision:
    """What float32 means to torch is one setting of the process: the last thread that leaves puts it back."""

    def __init__(self) -> None:
        self._lock, self._inside, self._before = Lock(), 0, ""

    @contextmanager
    def held(self, precision: str) -> Iterator[None]:
        """A precision, as torch calls it."""
        import torch

        with self._lock:
            if self._inside == 0:
                self._before = torch.get_float32_matmul_precision()
            self._inside += 1
            torch.set_float32_matmul_precision(precision)
        try:
            yield
        finally:
            with self._lock:
                self._inside -= 1
                if self._inside == 0:
                    torch.set_float32_matmul_precision(self._before)


_PRECISION = _Precision()


def thirds(matrix: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Three bfloat16 matrices whose sum is the float32 one, but for 2^-24 of each entry."""
    import torch

    left, parts = matrix.float(), []
    for _ in range(3):
        part = left.to(torch.bfloat16)
        left = left - part
        parts.append(part)
    return parts[0], parts[1], parts[2]


def _of_float32(left: Tensor, right: Tensor, out: Tensor, *, add: bool) -> Tensor:
    import torch

    if left.dim() == 2:
        return out.addmm_(left, right) if add else torch.mm(left, right, out=out)
    return out.baddbmm_(left, right) if add else torch.bmm(left, right, out=out)


def _of_bfloat16(left: Tensor, right: Tensor, out: Tensor, *, add: bool) -> Tensor:
    """Added in float32: on a card by its tensor cores, elsewhere by float32 products of the same numbers."""
    import torch

    if out.device.type != "cuda":
        return _of_float32(left.float(), right.float(), out, add=add)
    whole = torch.float32
    if add:
        plus = torch.addmm if left.dim() == 2 else torch.baddbmm
        return plus(out, left, right, out_dtype=whole, out=out)
    times = torch.mm if left.dim() == 2 else torch.bmm
    return times(left, right, out_dtype=whole, out=out)


def products(device: torch.device) -> Products:
    """Those asked for (:func:`brodmann.device.products_asked`), else the fastest of a device as exact as float32.

    Raises
    ------
    UserError
        Where bf16x3 is asked for and the device or this build of torch has it not, or not as exact.
    """
    asked, split = products_asked(), Products("bf16x3")
    if asked == split.name and not as_exact(split, device):
        raise UserError(
            f"${PRODUCTS_VARIABLE}: {device} has no bf16x3 products as exact as float32: use float32"
        )
    if asked is not None:
        return Products(asked)
    return split if _has_tensor_cores(device) and as_exact(split, device) else Products()


def _has_tensor_cores(device: torch.device) -> bool:
    """Whether bfloat16 products run there natively."""
    import torch

    return device.type == "cuda" and torch.cuda.get_device_capability(device)[0] >= 8


def as_exact(found: Products, device: torch.device) -> bool:
    """Whether products of a device are what they should be; a build of torch without them says so by an error."""
    import torch

    generator = torch.Generator().manual_seed(0)
    a, b, start = (torch.randn(2, 256, 256, generator=generator).to(device) for _ in range(3))
    exact = a.double() @ b.double() + start.double()
    try:
        made = found.multiply(found.left(a), found.right(b), start, add=True)
        found.multiply(found.left(a[0]), found.right(b[0]), torch.empty_like(a[0]))
    except (RuntimeError, TypeError):
        return False
    return float((made - exact).abs().max() / exact.abs().max()) < _AS_EXACT
