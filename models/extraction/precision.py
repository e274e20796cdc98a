"""The precision in which a network's weights were stored, and in which they run."""

from collections.abc import Iterable

import torch
from torch import Tensor, nn


def own_dtype(module: nn.Module) -> torch.dtype:
    """The precision of a network's first weight, in which it takes its input; float32 for one without weights."""
    return next((one.dtype for one in module.parameters() if one.is_floating_point()), torch.float32)


def stored_in(tensors: Iterable[Tensor]) -> str:
    """The precision of weights as their file has them, in words; that of most values first."""
    values = dict[torch.dtype, int]()
    for one in tensors:
        if one.is_floating_point():
            values[one.dtype] = values.get(one.dtype, 0) + one.numel()
    return names(sorted(values, key=lambda dtype: -values[dtype]))


def describe(module: nn.Module, stored: str, half: torch.dtype | None) -> str:
    """What is said of it: "stored in bfloat16, run in float32"; nothing where there is nothing to say.

    Parameters
    ----------
    module : torch.nn.Module
    stored : str
        Of the file; "" where that is not known.
    half : dtype or None
        In which products are computed, where a readout asks for half precision.
    """
    run = names(dict.fromkeys(one.dtype for one in module.parameters() if one.is_floating_point()))
    if not run or not (stored or half or run != "float32"):
        return ""
    parts = [f"stored in {stored}" if stored else "", f"run in {run}"]
    return ", ".join(filter(None, parts)) + (f" with products in {names([half])}" if half else "")


def names(dtypes: Iterable[torch.dtype]) -> str:
    """float32, or "bfloat16 and float32"."""
    return " and ".join(str(dtype).removeprefix("torch.") for dtype in dtypes)
