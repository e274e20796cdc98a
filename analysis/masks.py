"""Masked arrays at the boundary: numpy drops a mask in silence, so that what was masked would count."""

from collections.abc import Callable, Mapping
from functools import wraps
from typing import Any, ParamSpec, TypeVar

import numpy as np

from ..errors import UserError

P = ParamSpec("P")
R = TypeVar("R")


def unmasked(function: Callable[P, R]) -> Callable[P, R]:
    """The same function, which refuses arrays with masked values, in lists and mappings too."""

    @wraps(function)
    def checked(*args: P.args, **kwargs: P.kwargs) -> R:
        for value in (*args, *kwargs.values()):
            _refuse(value)
        return function(*args, **kwargs)

    return checked


def _refuse(value: Any) -> None:
    if isinstance(value, np.ma.MaskedArray):
        n_masked = int(np.sum(value.mask))
        if n_masked:
            raise UserError(
                f"{n_masked} of {value.size} values are masked: leave their rows or columns out, or fill them"
            )
    elif isinstance(value, Mapping):
        for one in value.values():
            _refuse(one)
    elif isinstance(value, list | tuple):
        for one in value:
            if not np.isscalar(one):
                _refuse(one)
