"""Files of dictionaries by strangers: settings and tensors, looked at before anything is made of them."""

import math
import unicodedata
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from ....bounded import check_plain_file
from ....errors import UserError, unknown
from ....files import parse_json
from ....memory import require
from ....models.weights.state_dict import read_content

_LONGEST = 1 << 24
"""Bytes of a file of settings."""
_LONGEST_NAME = 300
_SMALL = 1 << 26


class Settings:
    """The settings of a file by name; what is not of the kind that is asked for is a UserError that names it.

    Parameters
    ----------
    values : mapping
    path : Path
        For messages.
    """

    def __init__(self, values: Mapping[str, Any], path: Path) -> None:
        self.values, self.path = values, path

    @classmethod
    def read(cls, path: Path) -> "Settings":
        """A JSON file that holds a table.

        Raises
        ------
        UserError
            For a file that is absent, not plain, longer than settings are, or no table.
        """
        if not path.is_file():
            raise UserError(f"{path} is not there")
        check_plain_file(path, path.parent)
        if path.stat().st_size > _LONGEST:
            raise UserError(f"{path} is {path.stat().st_size:,} bytes long, which settings are not: refused")
        try:
            values = parse_json(path.read_bytes())
        except ValueError as error:
            raise UserError(f"{path} is not readable JSON ({error})") from error
        if not isinstance(values, dict):
            raise UserError(f"{path} holds no table of settings")
        return cls(values, path)

    def table(self, name: str) -> "Settings":
        """The table under a name; an empty one where there is none."""
        inner = self.values.get(name)
        return Settings(inner if isinstance(inner, dict) else {}, self.path)

    def count(self, *names: str, default: int | None = None) -> int:
        """A number above 0 under the first of the names that is there.

        Raises
        ------
        UserError
            Where it is absent and has no default, or is no whole number above 0.
        """
        value = next((self.values[name] for name in names if self.values.get(name) is not None), default)
        whole = isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)
        if value is None or not whole or value != int(value) or not 0 < value < 1 << 40:
            raise UserError(f"{self.path}: {names[0]!r} must be a number above 0, not {_short(value)}")
        return int(value)

    def flag(self, name: str, default: bool) -> bool:
        """Whether something holds."""
        value = self.values.get(name, default)
        if value is None:
            return default
        if not isinstance(value, bool):
            raise UserError(f"{self.path}: {name!r} must be true or false, not {_short(value)}")
        return value

    def word(self, *names: str, default: str = "") -> str:
        """A name under the first of the names that is there.

        Raises
        ------
        UserError
            For one with control characters or angle brackets, which no model or layer has, or a very long one.
        """
        value = next((self.values[name] for name in names if self.values.get(name) is not None), default)
        if not isinstance(value, str):
            raise UserError(f"{self.path}: {names[0]!r} must be a text, not {_short(value)}")
        odd = any(letter in "<>" or unicodedata.category(letter).startswith("C") for letter in value)
        if odd or len(value) > _LONGEST_NAME:
            raise UserError(f"{self.path}: {names[0]!r} is no name: {_short(value)}")
        return value


class Tensors:
    """The tensors of a file by name, as float32, of the shapes that are asked for.

    Parameters
    ----------
    values : mapping
    path : Path
        For messages.
    """

    def __init__(self, values: Mapping[str, Any], path: Path) -> None:
        self.values = {str(name): one for name, one in values.items() if isinstance(one, Tensor)}
        self.path = path
        n_bytes = 2 * 4 * sum(one.numel() for one in self.values.values())
        if n_bytes > _SMALL:
            require(n_bytes, f"reading {path.name}", remedy="choose a smaller dictionary")

    @classmethod
    def read(cls, path: Path) -> "Tensors":
        """A safetensors or torch file; nothing in it is run.

        Raises
        ------
        UserError
            For a file that is absent, damaged, larger than memory, or would have to run code.
        """
        check_plain_file(path, path.parent)
        return cls(read_content(path), path)

    def __contains__(self, name: str) -> bool:
        return name in self.values

    def matrix(self, name: str) -> Tensor:
        """The tensor of a name, with two axes."""
        return self._taken(name, 2)

    def vector(self, name: str, length: int) -> Tensor:
        """The tensor of a name, of a length."""
        found = self._taken(name, 1)
        if len(found) != length:
            raise UserError(f"{self.path}: {name!r} has {len(found)} numbers where {length} are due")
        return found

    def scalar(self, name: str) -> float:
        """The one number of a name."""
        found = self._taken(name, None)
        if found.numel() != 1:
            raise UserError(f"{self.path}: {name!r} has the shape {tuple(found.shape)}, not one number")
        return float(found)

    def one_each(self, name: str, length: int) -> Tensor:
        """A number for all, or one for each of so many."""
        found = self._taken(name, None)
        return found.reshape(1).repeat(length) if found.numel() == 1 else self.vector(name, length)

    def _taken(self, name: str, n_axes: int | None) -> Tensor:
        if name not in self.values:
            raise unknown(f"tensor: {self.path.name} needs", name, self.values)
        found = self.values[name]
        if found.is_complex() or found.layout != torch.strided or found.device.type == "meta":
            raise UserError(f"{self.path}: {name!r} holds no plain numbers")
        if n_axes is not None and (found.ndim != n_axes or 0 in found.shape):
            raise UserError(f"{self.path}: {name!r} has the shape {tuple(found.shape)}, not {n_axes} axes")
        return found.detach().float().contiguous()


def check_shape(path: Path, name: str, tensor: Tensor, shape: tuple[int, ...]) -> Tensor:
    """The tensor, or a UserError where it has another shape."""
    if tuple(tensor.shape) != shape:
        raise UserError(f"{path}: {name!r} has the shape {tuple(tensor.shape)}, not {shape}")
    return tensor


def _short(value: object) -> str:
    text = repr(value)
    return text if len(text) <= 60 else text[:57] + "..."
