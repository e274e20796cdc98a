"""What can be added from outside: one registry a kind of thing, filled by a folder and by installed packages."""

import warnings
from collections.abc import Callable, Iterator, Mapping
from importlib import import_module
from importlib.metadata import entry_points
from pkgutil import iter_modules
from typing import Any, Generic, TypeVar

from .errors import UserError, unknown

T = TypeVar("T")


class Registry(Mapping[str, T], Generic[T]):
    """The things of one kind by name, in the order in which they were registered.

    The modules of `folder` and those that installed packages name under the entry points `group` are imported when the
    registry is first read, and register what they hold. To add a thing is to add a file; nothing else is edited.

    Parameters
    ----------
    kind : str
        What one of them is called in messages, such as ``"metric"``.
    folder : str
        The package whose modules register, such as ``"brodmann.bench.metrics"``.
    group : str
        The entry points of other packages, such as ``"brodmann.metrics"``. Each names a module.
    hint : str
        What to do where a name is not known.

    Raises
    ------
    UserError
        On reading a name that is not there, with the close matches; on registering a name twice.
    """

    def __init__(self, kind: str, folder: str, group: str, *, hint: str = "") -> None:
        self.kind, self.folder, self.group, self.hint = kind, folder, group, hint
        self._things: dict[str, T] = {}
        self._origins: dict[str, str] = {}
        self._filled = False

    def register(self, name: str, thing: T, origin: str) -> T:
        """Add one thing.

        Parameters
        ----------
        name : str
        thing : object
        origin : str
            The module that it comes from.
        """
        if name in self._things and self._origins[name] != origin:
            raise UserError(
                f"{self.kind} {name!r} of {origin} has the name of one of {self._origins[name]}: give it another"
            )
        self._things[name], self._origins[name] = thing, origin
        return thing

    def registering(self, name: str, wrap: Callable[[Callable[..., object]], T]) -> "Callable[[F], F]":
        """A decorator that registers what `wrap` makes of a function or class, and gives it back as it was."""

        def add(function: F) -> F:
            self.register(name, wrap(function), function.__module__)
            return function

        return add

    def origin(self, name: str) -> str:
        """The module that a thing comes from."""
        self[name]
        return self._origins[name]

    def __getitem__(self, name: str) -> T:
        self._fill()
        if name not in self._things:
            raise unknown(self.kind, name, self._things, hint=self.hint)
        return self._things[name]

    def get(self, name: object, default: Any = None) -> Any:
        """As of any mapping; a name that is not there gives the default."""
        return self._things[name] if isinstance(name, str) and name in self else default

    def __contains__(self, name: object) -> bool:
        self._fill()
        return name in self._things

    def __iter__(self) -> Iterator[str]:
        self._fill()
        return iter(list(self._things))

    def __len__(self) -> int:
        self._fill()
        return len(self._things)

    def _fill(self) -> None:
        if self._filled:
            return
        self._filled = True  # a module that reads the registry while it is imported sees what is there so far
        package = import_module(self.folder)
        for module in iter_modules(package.__path__):
            import_module(f"{self.folder}.{module.name}")
        for point in sorted(entry_points(group=self.group), key=lambda point: point.name):
            try:
                point.load()
            # somebody else's package: it may raise anything, or leave, and must not stop ours
            except (Exception, SystemExit) as error:
                warnings.warn(
                    f"the {self.kind} {point.name!r} of {point.value} is left out: "
                    f"{type(error).__name__}: {error}",
                    stacklevel=2,
                )


F = TypeVar("F", bound=Callable[..., object])
