"""What was made of a layer and may be asked for again: kept as long as it fits, and let go together."""

from collections.abc import Callable, Hashable
from typing import Any, TypeVar

import numpy as np
import numpy.typing as npt

T = TypeVar("T")


class Shelf:
    """Things by key, up to so many bytes; what does not fit is made again whenever it is asked for.

    Nothing is put aside for something newer: where layers come round and round, that would keep none of them.

    Parameters
    ----------
    n_bytes : int
    """

    def __init__(self, n_bytes: int) -> None:
        self._free = self._room = n_bytes
        self._things: dict[Hashable, Any] = {}

    def once(self, key: Hashable, make: Callable[[], T], size: Callable[[T], int]) -> T:
        """The thing of that key, made where it is not there.

        Parameters
        ----------
        key : hashable
        make : callable
        size : callable
            How many bytes a thing takes.
        """
        if key in self._things:
            found: T = self._things[key]
            return found
        made = make()
        n_bytes = size(made)
        if n_bytes <= self._free:
            self._free -= n_bytes
            self._things[key] = made
        return made

    def clear(self) -> None:
        """Let everything go."""
        self._free = self._room
        self._things.clear()

    def __len__(self) -> int:
        return len(self._things)


class Shelved(np.ndarray[Any, np.dtype[Any]]):
    """A layer's features that know the shelf on which what is made of them is kept; what is cut of them does not."""

    shelf: Shelf | None = None


def on_shelf(features: npt.ArrayLike, shelf: Shelf | None) -> npt.ArrayLike:
    """The same features, which are not to be changed any more, with a shelf; as they are without one."""
    if shelf is None:
        return features
    view = np.asanyarray(features).view(Shelved)
    view.shelf = shelf
    return view


def once(features: npt.ArrayLike, what: Hashable, make: Callable[[], T], size: Callable[[T], int]) -> T:
    """What is made of features, from their shelf where they have one.

    Parameters
    ----------
    features : array
    what : hashable
        All that it depends on besides.
    make, size : callable
        See :meth:`Shelf.once`.
    """
    if not isinstance(features, Shelved) or features.shelf is None:
        return make()
    about = features.__array_interface__
    key = what, about["data"][0], features.shape, features.strides, features.dtype.str
    # with the features themselves, so that nothing else can come to lie where they lie
    return features.shelf.once(key, lambda: (features, make()), lambda made: size(made[1]))[1]
