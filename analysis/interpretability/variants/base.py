"""The registry of kinds of dictionaries: how each turns the encoder's answer into a sparse code."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeVar

from torch import Tensor

from ....registry import Registry
from ..codes import Codes, Weights


@dataclass(frozen=True)
class Variant:
    """A kind of dictionary.

    Attributes
    ----------
    name : str
    sentence : str
        What it is, for methods and lists.
    codes : callable
        (pre, weights) -> Codes at inference, where pre = E (x - b) + b_e, (n_rows, n_features). A row's code does not
        depend on the rows beside it.
    """

    name: str
    sentence: str
    codes: Callable[[Tensor, Weights], Codes]


VARIANTS: Registry[Variant] = Registry("kind of dictionary", __package__, "brodmann.variants")
F = TypeVar("F", bound=Callable[[Tensor, Weights], Codes])


def variant(name: str, sentence: str) -> Callable[[F], F]:
    """A decorator that registers the inference of a variant."""
    return VARIANTS.registering(name, lambda codes: Variant(name, sentence, codes))  # type: ignore[arg-type]
