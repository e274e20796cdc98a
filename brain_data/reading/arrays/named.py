"""What lies inside a file that names its arrays: a tree, of which a person says the branch."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, Union

import numpy as np
import numpy.typing as npt
import pandas as pd

from ....errors import UserError, unknown
from ...imported import Numbers

Branch = Mapping[str, Union["Held", "Branch"]]
_SHOWN = 8


@dataclass(frozen=True)
class Held:
    """An array inside a file.

    Attributes
    ----------
    place : str
        What a person calls it: ``/group/name`` or ``struct.field``.
    kind : {"numbers", "texts", "table", "other"}
        A table has named columns; what is of another kind cannot be read.
    shape : tuple of int
    get : callable
        The whole of it, in memory.
    numbers : callable
        The same where it lies.
    what : str
        Of another kind: what it is.
    """

    place: str
    kind: Literal["numbers", "texts", "table", "other"]
    shape: tuple[int, ...]
    get: Callable[[], Any]
    numbers: Callable[[], Numbers] | None = None
    what: str = ""

    @property
    def length(self) -> int | None:
        """How many values it has if it is a list of them, ``(n,)``, ``(n, 1)`` or ``(1, n)``; else None."""
        long = [one for one in self.shape if one != 1]
        if self.kind not in ("numbers", "texts") or len(long) > 1:
            return None
        return long[0] if long else 1 if self.shape else None

    @property
    def is_matrix(self) -> bool:
        """Whether it holds numbers in at least two dimensions."""
        return self.kind == "numbers" and sum(one != 1 for one in self.shape) > 1

    def column(self) -> npt.NDArray[Any]:
        """A list of values."""
        return np.asarray(self.get()).reshape(-1)

    def __str__(self) -> str:
        size = " x ".join(map(str, self.shape)) or "one value"
        return f"{self.place} ({self.what or size})"


def find(tree: Branch, place: str) -> "Held | Branch | None":
    """What lies at ``/group/name`` or ``group.name``; names may themselves have points."""
    rest = place.strip("/")
    if not rest:
        return tree
    for name in sorted(tree, key=len, reverse=True):
        if rest == name:
            return tree[name]
        inside = tree[name]
        if rest.startswith((f"{name}/", f"{name}.")) and not isinstance(inside, Held):
            found = find(inside, rest[len(name) + 1 :])
            if found is not None:
                return found
    return None


def held_in(tree: Branch) -> Iterator[tuple[Branch, str, Held]]:
    """Every array, with the branch that holds it and its name there."""
    for name, one in tree.items():
        if isinstance(one, Held):
            yield tree, name, one
        else:
            yield from held_in(one)


def listed(found: Sequence[Held]) -> str:
    """Some arrays, in a few words."""
    more = f" and {len(found) - _SHOWN} more" if len(found) > _SHOWN else ""
    return ", ".join(map(str, found[:_SHOWN])) + more if found else "none"


def array_of(tree: Branch, place: str | None, path: Path) -> tuple[Branch, Held, bool]:
    """The array of responses, the branch that holds it, and whether a person named it.

    Raises
    ------
    UserError
        Where `place` is no array of numbers, or where it is not said and there are none or several.
    """
    everything = list(held_in(tree))
    if place is None:
        matrices = [one for one in everything if one[2].is_matrix]
        named = [one for one in everything if one[1] == "responses" and one[2].numbers is not None]
        called = [one for one in named if len(one[2].shape) > 1]  # one neuroid is a matrix, too
        if len(matrices) != 1 and len(called) != 1:
            which = (
                f"several arrays: {listed([one for _, _, one in matrices])}; say which are the responses by --array"
                if matrices
                else f"no array of numbers in two dimensions; it holds {listed([one for _, _, one in everything])}"
            )
            raise UserError(f"{path.name} holds {which}")
        branch, _, held = (called or matrices)[0]
        return branch, held, False
    node = find(tree, place)
    if node is None:
        raise unknown(f"array of {path.name}", place, [one.place for _, _, one in everything][:200])
    if not isinstance(node, Held):
        inside = listed([one for _, _, one in held_in(node)])
        raise UserError(
            f"{path.name}: {place} is a group, not an array; it holds {inside}: name one of them by --array"
        )
    if node.kind != "numbers":
        what = node.what or (
            "an array of texts" if node.kind == "texts" else f"a table ({_columns_of(node)})"
        )
        raise UserError(f"{path.name}: {node.place} is {what}: --array must name an array of numbers")
    return next(branch for branch, _, one in everything if one is node), node, True


def _columns_of(table: Held) -> str:
    return ", ".join(map(str, table.get().columns))


def columns_at(node: "Held | Branch", place: str, path: Path, wanted: str) -> dict[str, npt.NDArray[Any]]:
    """The columns of a table inside a file: of a compound array, of a branch of lists, or one list of stimuli.

    Of a branch that has the column `wanted`, those that are as long.

    Raises
    ------
    UserError
        For anything else.
    """
    if isinstance(node, Held):
        if node.kind == "table":
            table: pd.DataFrame = node.get()
            return {str(name): table[name].to_numpy() for name in table.columns}
        if node.length is None:
            raise UserError(f"{path.name}: {node} is neither a list nor a table")
        return {"stimulus_id": node.column()}
    lists = {name: one for name, one in node.items() if isinstance(one, Held) and one.length is not None}
    if not lists:
        raise UserError(
            f"{path.name}: {place} holds no lists: {listed([one for _, _, one in held_in(node)])}"
        )
    length = lists[wanted].length if wanted in lists else None
    return {name: one.column() for name, one in lists.items() if length in (None, one.length)}
