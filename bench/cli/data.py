"""The commands about data sets: list, look at, check, install."""

import inspect
from collections.abc import Callable
from dataclasses import fields
from functools import wraps
from pathlib import Path
from typing import Annotated, Any

import typer

from ...brain_data.read_options import ReadOptions
from ...errors import UserError
from .common import SETTINGS, From, Json, Name, Pattern, plain, print_card, print_json, say

data = typer.Typer(
    **SETTINGS,
    help="The data sets: list them, look at one, check recordings, install them.\n\n"
    "For example:  brodmann data add my-recordings --from FOLDER",
)
_PANEL = "Of recordings in a laboratory's format"
Format = Annotated[
    str | None,
    typer.Option(
        "--format", help="The format, where several would read it: brodmann list recordings.", metavar="NAME"
    ),
]


def with_read_options(command: Callable[..., None]) -> Callable[..., None]:
    """The command with an option for each field of :class:`ReadOptions`, which it gets as `options`."""

    @wraps(command)
    def run(**given: Any) -> None:
        said = {one.name: given.pop(one.name) for one in fields(ReadOptions)}
        command(options=ReadOptions(**said), **given)

    own = [one for one in inspect.signature(command).parameters.values() if one.name != "options"]
    added = [
        inspect.Parameter(
            one.name,
            inspect.Parameter.KEYWORD_ONLY,
            default=None,
            annotation=Annotated[str | None, typer.Option(rich_help_panel=_PANEL, **one.metadata)],
        )
        for one in fields(ReadOptions)
    ]
    parameters = [*(one.replace(kind=inspect.Parameter.KEYWORD_ONLY) for one in own), *added]
    run.__signature__ = inspect.Signature(parameters)  # type: ignore[attr-defined]
    run.__annotations__ = {one.name: one.annotation for one in parameters}
    return run


@data.command("list")
def list_data(pattern: Pattern = "*", as_json: Json = False) -> None:
    """List the data sets.

    For example:  brodmann data list
    """
    from ...brain_data.catalogue import is_installed, list_datasets

    cards = list_datasets(pattern)
    if as_json:
        print_json({"data": [plain(card) | {"installed": is_installed(card.identifier)} for card in cards]})
        return
    from .terminal import table

    rows = [
        (
            c.identifier,
            c.modality,
            "yes" if is_installed(c.identifier) else "no",
            ("SIMULATED: " if c.simulated else "") + c.title,
        )
        for c in cards
    ]
    table(f"{len(rows)} data sets", ("name", "modality", "here", "what"), rows)


@data.command("info")
def data_info(name: Name, as_json: Json = False) -> None:
    """Show what is known of a data set: source, licence, citation, regions.

    For example:  brodmann data info kriegeskorte2008
    """
    from ...brain_data.catalogue import dataset_card, is_installed

    card = dataset_card(name)
    print_card(plain(card) | {"installed": is_installed(name)}, as_json)


@data.command("check")
@with_read_options
def check_data(
    path: Annotated[Path, typer.Argument(help="A folder or file of recordings.")],
    options: ReadOptions,
    file_format: Format = None,
    as_json: Json = False,
) -> None:
    """Say what recordings hold and what is missing, and write nothing.

    For example:

      brodmann data check bids/ --task view --space MNI152NLin2009cAsym

      brodmann data check session.nwb --events trials --stimulus-column stimulus_id
    """
    from ...brain_data.formats.folder import is_own_layout, load_folder
    from ...brain_data.formats.recording import read_path
    from ...brain_data.importing import described
    from .found import check_text, found, found_text

    path = path.expanduser()
    if not path.exists():
        raise UserError(f"there is nothing at {path}")
    if file_format is None and is_own_layout(path):
        said = found(load_folder(path, path.resolve().name), path)
        lines = found_text(said).replace("is installed in", "lies in", 1)
    else:
        kind, imported = read_path(path, options, file_format)
        said = {"path": str(path), "format": kind.name, **described(imported)}
        lines = check_text(said)
    if as_json:
        print_json(said)
    else:
        say(lines)


@data.command("add")
@with_read_options
def add_data(
    name: Annotated[str, typer.Argument(help="As the list shows it, or a new name.")],
    options: ReadOptions,
    source: From = None,
    columns: Annotated[
        str | None,
        typer.Option(
            help="Of a folder with stimuli.csv and responses: what the files call a column, e.g. "
            "stimulus_id=image,category=kind; trial=ignore leaves one out.",
            metavar="OURS=THEIRS,...",
        ),
    ] = None,
    file_format: Format = None,
    as_json: Json = False,
) -> None:
    """Install a data set, checksums verified; a new name installs recordings of one's own, and says what it found.

    For example:

      brodmann data add kriegeskorte2008 --from FOLDER

      brodmann data add my-recordings --from FOLDER --columns stimulus_id=image,trial=ignore

      brodmann data add study --from bids/ --task view --space MNI152NLin2009cAsym --mask brain

      brodmann data add cells --from session.nwb --events trials --stimulus-column stimulus_id --window 70,170
    """
    from ...brain_data.catalogue import add_dataset
    from ...brain_data.columns import parse_columns
    from .found import found, found_text

    said: dict[str, Any] = {}

    def look(dataset: Any) -> None:
        said.update(found(dataset, ""))

    folder = add_dataset(name, source, parse_columns(columns), look, options, file_format)
    if not said:
        if as_json:
            print_json({"name": name, "folder": str(folder)})
        else:
            say(f"{name} is installed in {folder}")
        return
    said["folder"] = str(folder)
    if as_json:
        print_json(said)
    else:
        say(found_text(said))


@data.command("report")
def report_data(
    name: Annotated[str, typer.Argument(help="As the list shows it, or a folder.")],
    to: Annotated[Path | None, typer.Option(help="The folder of the page; NAME-report by default.")] = None,
    as_json: Json = False,
) -> None:
    """Write a page on a recording: stimuli, coverage, reliability, signal to noise, what was left out.

    For example:  brodmann data report simulated-cortex
    """
    from ...brain_data.catalogue import load_dataset
    from ..reports.recording_report import write_recording_report

    dataset = load_dataset(name)
    folder = Path(f"{dataset.identifier}-report") if to is None else to.expanduser()
    paths = write_recording_report(dataset, folder, f"brodmann data report {name}")
    if as_json:
        print_json({"files": [str(path) for path in paths]})
    else:
        say(f"open {paths[0]}")


@data.command("convert")
@with_read_options
def convert_data(
    source: Annotated[
        str, typer.Argument(help="A data set as the list shows it, or recordings in a known format.")
    ],
    options: ReadOptions,
    to: Annotated[Path, typer.Option(help="The folder to write.")],
    form: Annotated[
        str, typer.Option("--as", help="folder, or a format that is written: brodmann list recordings.")
    ] = "folder",
    file_format: Format = None,
) -> None:
    """Write a data set, or recordings, in another format.

    For example:

      brodmann data convert my-recordings --to there --as brainio

      brodmann data convert session.nwb --to there --events trials --stimulus-column stimulus_id
    """
    from ...brain_data.converting import convert

    written = convert(source, to.expanduser(), form, options, file_format)
    say(f"{source} is written to {to} as {form}")
    for line in written:
        say(line)
