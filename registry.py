"""What can be added from outside: one registry a kind of thing, filled by a folder and by installed packages."""

import sys
import warnings
from collections.abc import Callable, Iterator, Mapping
from contextlib import redirect_stdout
from importlib import import_module
from importlib.metadata import EntryPoint, entry_points
from pkgutil import iter_modules
from typing import Any, Generic, TypeVar

from .errors import UserError, first_line, unknown

_REGISTRIES: list["Registry[Any]"] = []
_FAILED: set[str] = set()
"""What installed packages name and was left out."""
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
        self._origins: dict[str, tuple[str, object]] = {}
        self._filled = False
        _REGISTRIES.append(self)

    def register(self, name: str, thing: T, origin: str) -> T:
        """Add one thing; what a notebook's cell, or a module that is loaded again, defines anew takes its place.

        Parameters
        ----------
        name : str
        thing : object
        origin : str
            The module that it comes from.
        """
        run = getattr(sys.modules.get(origin), "__spec__", None)  # each run of a module has its own
        before, its_run = self._origins.get(name, (origin, None))
        if before != origin or (run is not None and run is its_run and origin != "__main__"):
            raise UserError(
                f"{self.kind} {name!r} of {origin} has the name of one of {before}: give it another"
            )
        self._things[name], self._origins[name] = thing, (origin, run)
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
        return self._origins[name][0]

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
            if point.value not in _FAILED:
                self._load(point)

    def _load(self, point: EntryPoint) -> None:
        try:
            with redirect_stdout(sys.stderr):  # our own answer may be read by a program
                point.load()
        # somebody else's package: it may raise anything, or leave, and must not stop ours
        except (Exception, SystemExit) as error:
            _FAILED.add(point.value)
            for registry in _REGISTRIES:
                registry._forget(point.module)
            message = (
                f"the {self.kind} {point.name!r} of {point.value} is left out: "
                f"{type(error).__name__}: {first_line(error)}"
            )
            warnings.warn_explicit(message, UserWarning, point.value, 1)  # without a line of our source

    def _forget(self, module: str) -> None:
        """Take out what a module of an installed package, or one below it, registered before it failed."""
        for name, (origin, _) in list(self._origins.items()):
            unfinished = origin.partition(".")[0] == module.partition(".")[0] and origin not in sys.modules
            if unfinished or f"{origin}.".startswith(f"{module}."):
                del self._things[name], self._origins[name]


F = TypeVar("F", bound=Callable[..., object])
