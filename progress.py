"""One progress bar for all long work: on standard error, only where a person is looking."""

import sys
from collections.abc import Callable, Iterable, Iterator, Sized
from contextlib import contextmanager
from contextvars import ContextVar
from functools import partial
from typing import TypeVar

from .errors import printable

T = TypeVar("T")
_SILENT = ContextVar("_SILENT", default=False)


@contextmanager
def silent() -> Iterator[None]:
    """No bars inside the block, where something else is drawn on the terminal."""
    before = _SILENT.set(True)
    try:
        yield
    finally:
        _SILENT.reset(before)


def track(
    items: Iterable[T], description: str, *, total: float | None = None, weight: int = 1
) -> Iterator[T]:
    """Yield the items and show how far along they are.

    Parameters
    ----------
    items : iterable
        What is worked through.
    description : str
        What is being done, e.g. ``"extracting layer1"``.
    total : float, optional
        How many steps there are, where `items` has no length.
    weight : int
        How many steps one item counts for.
    """
    if total is None and isinstance(items, Sized):
        total = len(items) * weight
    with counter(description, total) as advance:
        for item in items:
            yield item
            advance(weight)


@contextmanager
def counter(description: str, total: float | None) -> Iterator[Callable[[float], None]]:
    """Show how far along work is that is no single loop: the block is told how to say that steps are done.

    Parameters
    ----------
    description, total
        As :func:`track` takes them.
    """
    if _SILENT.get() or not sys.stderr.isatty():
        yield lambda _steps: None
        return
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    columns = (
        TextColumn("{task.description}", markup=False),
        BarColumn(),
        MofNCompleteColumn(),
        TimeRemainingColumn(),
    )
    with Progress(*columns, console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task(printable(description), total=total)
        yield partial(bar.advance, task)
