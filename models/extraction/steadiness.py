"""Whether a network gives one answer to a stimulus: each time, and whatever else is in the batch."""

import random
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import numpy as np
import torch
from torch import Tensor

from ...errors import UserError
from ...files import digest_of

PASSES = 8
"""That are averaged where a stochastic network is allowed and no number is named."""
_ALLOW = f"or average over passes with Readout(passes={PASSES}), --allow-stochastic"


class Tolerances:
    """How far apart two answers may be that mean the same, as a part of their size (root mean square).

    Sums are taken in another order in another batch, which costs 1e-6, more in half precision and on cards that round
    products to 10 bits (``rounded``), where a second comparison is without that. Dropout and batch statistics change a
    layer by a hundredth and more.
    """

    def __init__(self, device: torch.device, *, half: bool) -> None:
        self.again = 1e-2 if half else 1e-5 if device.type == "cpu" else 1e-3
        self.elsewhere = 0.1 if half else 1e-3
        self.rounded = device.type == "cuda" and not half


NOTHING = 1e-4
"""What is smaller in a layer as a whole may be what rounding leaves, such as the mean over normalized channels."""


def difference(
    one: Mapping[str, Tensor], other: Mapping[str, Tensor], least: float = 1e-30
) -> tuple[str, float]:
    """The layer that differs most between two answers to a stimulus or several, and by which part of its size.

    Parameters
    ----------
    one, other : mapping of str to Tensor
        Layer -> values of each stimulus, of which the one counts that differs most.
    least : float
        What counts as the size of a layer whose values are smaller.
    """
    found = {}
    for layer, values in one.items():
        a, b = values.double().flatten(1), other[layer].double().flatten(1)
        if a.shape != b.shape:
            found[layer] = float("inf")
            continue
        off = float((a - b).square().mean(dim=1).max().sqrt())
        found[layer] = 0.0 if off < 1e-30 else off / max(float(a.square().mean().sqrt()), least)
    return max(found.items(), key=lambda pair: pair[1])


def random_error(model: str, layer: str, share: float, stimulus: object) -> UserError:
    """That of a network whose passes differ."""
    return UserError(
        f"{model} answers stimulus {stimulus!r} differently each time (layer {layer!r}: by {_percent(share)}): "
        f"dropout or other noise is left on in evaluation mode; switch it off, {_ALLOW}"
    )


def batch_error(model: str, layer: str, share: float, stimulus: object) -> UserError:
    """That of a network whose answer depends on the batch."""
    return UserError(
        f"{model} answers stimulus {stimulus!r} differently alone than in a batch (layer {layer!r}: by "
        f"{_percent(share)}): it normalizes over the batch, or reads padding; show each stimulus alone with "
        f"batch_size=1, --batch-size 1, {_ALLOW} in these batches"
    )


def input_error(model: str, stimulus: object) -> UserError:
    """That of a preprocessing that is random."""
    return UserError(
        f"preprocess of {model} makes another tensor of stimulus {stimulus!r} each time (a random crop or flip?): use "
        f"that of evaluation, {_ALLOW}"
    )


def _percent(share: float) -> str:
    return "more than 1000 %" if share > 10 else f"{100 * share:.3g} %"


@contextmanager
def exact_products() -> Iterator[None]:
    """While the block runs, convolutions on a card are not rounded to 10 bits."""
    with torch.backends.cudnn.flags(enabled=True, allow_tf32=False):
        yield


@contextmanager
def seeded(device: torch.device, *parts: object) -> Iterator[None]:
    """While the block runs, everybody's random numbers follow from these parts; afterwards they go on as before."""
    seed = int(digest_of(*parts)[:8], 16)
    everybodys = np.random.mtrand._rand
    kept = random.getstate(), everybodys.get_state()
    with torch.random.fork_rng(devices=[device] if device.type == "cuda" else []):
        random.seed(seed)
        everybodys.seed(seed)
        torch.manual_seed(seed)
        try:
            yield
        finally:
            random.setstate(kept[0])
            everybodys.set_state(kept[1])


def random_state(device: torch.device) -> list[Any]:
    """Where everybody's random numbers stand, to see whether some were drawn."""
    states: list[Any] = [random.getstate(), str(np.random.mtrand._rand.get_state())]
    states.append(torch.random.get_rng_state().numpy().tobytes())
    if device.type == "cuda":
        states.append(torch.cuda.get_rng_state(device).numpy().tobytes())
    return states
