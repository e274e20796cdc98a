"""What the commands share: how they take a name, and how they print."""

import inspect
import json
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager, redirect_stdout
from contextvars import ContextVar
from dataclasses import fields, is_dataclass
from functools import wraps
from pathlib import Path
from typing import Annotated, Any, TextIO

import typer

from ...device import use
from ...errors import printable

SETTINGS: dict[str, Any] = {"rich_markup_mode": None, "no_args_is_help": True, "add_completion": False}

Pattern = Annotated[str, typer.Argument(help="Only names that match, e.g. 'simulated-*'.")]
Name = Annotated[str, typer.Argument(help="As the list shows it.")]


def _json_alone(context: typer.Context, given: bool) -> bool:
    """Until the command ends, what a model of one's own prints goes to standard error."""
    if given:
        context.with_resource(_answers_alone())
    return given


@contextmanager
def _answers_alone() -> Iterator[None]:
    before = _ANSWERS.set(sys.stdout)
    try:
        with redirect_stdout(sys.stderr):
            yield
    finally:
        _ANSWERS.reset(before)


_ANSWERS: ContextVar[TextIO | None] = ContextVar("_ANSWERS", default=None)
Json = Annotated[
    bool,
    typer.Option("--json", help="One JSON object on standard output and nothing else.", callback=_json_alone),
]
From = Annotated[
    Path | None, typer.Option("--from", help="The folder, or file, that holds them.", metavar="PATH")
]
Runs = Annotated[list[str], typer.Argument(help="Names of runs, folders of records, or of brodmann analyze.")]
Run = Annotated[str | None, typer.Option(help="The run that keeps the record: a name, or a folder.")]

AllowStochastic = Annotated[
    bool,
    typer.Option(
        "--allow-stochastic",
        help="A network whose answer is random, or depends on the batch, is averaged over 8 seeded passes; refused "
        "without.",
    ),
]
BatchSize = Annotated[
    int | None,
    typer.Option(
        min=1, help="Stimuli a forward pass; 1 for a network whose answer depends on what is shown together."
    ),
]
Device = Annotated[
    str | None,
    typer.Option(
        help="Where it is computed; by default $BRODMANN_DEVICE, else a graphics card where there is one.",
        metavar="cpu|cuda|cuda:N|cuda:all|mps",
    ),
]


def computes(command: Callable[..., None]) -> Callable[..., None]:
    """The command with ``--device``, which is in force while it runs."""

    @wraps(command)
    def run(*args: Any, device: str | None = None, **given: Any) -> None:
        with use(device):
            command(*args, **given)

    own = inspect.signature(command)
    added = inspect.Parameter("device", inspect.Parameter.KEYWORD_ONLY, default=None, annotation=Device)
    parameters = [*own.parameters.values(), added]
    run.__signature__ = own.replace(parameters=parameters)  # type: ignore[attr-defined]
    run.__annotations__ = {**command.__annotations__, "device": Device}
    return run


def plain(card: Any) -> dict[str, Any]:
    """A card as JSON-able fields."""
    return {field.name: _jsonable(getattr(card, field.name)) for field in fields(card)}


def _jsonable(value: Any) -> Any:
    if is_dataclass(value):
        return plain(value)
    if isinstance(value, (list, tuple)):
        return [_jsonable(item) for item in value]
    return {str(k): _jsonable(v) for k, v in value.items()} if hasattr(value, "items") else value


def print_card(card: dict[str, Any], as_json: bool) -> None:
    """A card, for a person or as JSON."""
    if as_json:
        print_json(card)
        return
    from .terminal import card_text

    shown = {name: value for name, value in card.items() if name != "loader"}
    say(card_text(shown | {"files": [file["name"] for file in card.get("files", ())][:8]}))


def say(text: object = "", *, end: str = "\n", flush: bool = False) -> None:
    """Print for a person; names carry no escape codes to the terminal."""
    print(printable(str(text)), end=end, flush=flush)


def print_json(content: dict[str, Any]) -> None:
    """One JSON object; what is not finite becomes null."""
    from ..results.store import finite

    print(json.dumps(finite(content), allow_nan=False), file=_ANSWERS.get())
