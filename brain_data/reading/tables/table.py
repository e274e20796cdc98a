"""Tables of texts and numbers as people save them: what is odd about one is said with its line."""

import csv
from collections.abc import Callable, Collection, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from ....bounded import require_for
from ....errors import UserError, first_line

_EXACT_BY_DEFAULT = tuple(map(int, pd.__version__.split(".")[:2])) >= (3, 1)
_EXACT: dict[str, Any] = {} if _EXACT_BY_DEFAULT else {"float_precision": "round_trip"}
"""What makes pandas read every number as it was written."""
_SEPARATORS = {",": "commas", "\t": "tabs", ";": "semicolons"}
_SPREADSHEET, _UTF16 = b"PK\x03\x04", (b"\xff\xfe", b"\xfe\xff")


def read_table(
    path: Path,
    as_written: Collection[str] = (),
    *,
    separator: str | None = None,
    is_label: Callable[[str], bool] = lambda name: True,
    missing: Collection[str] = (),
) -> pd.DataFrame:
    """A table, by default separated as its name ends: by tabs in ``.tsv``, else by commas.

    The columns `as_written` stay texts, such as ``001`` and ``null``. In any other column of labels all numbers are
    numbers (NaN where ``NA`` or the like stands between them), and texts stay as they are written, ``None`` and ``NA``
    too; what is blank, or one of the words `missing`, is NaN. Columns that are no labels are as pandas reads them.

    Raises
    ------
    UserError
        For a file that is no table, with the line where it stops being one.
    """
    separator = separator or separator_of(path)
    require_for(path, 8 * path.stat().st_size)
    try:
        names = _checked_names(path, separator)
        options: dict[str, Any] = {
            "sep": separator, "names": names, "header": 0, "index_col": False, "encoding": "utf-8-sig"
        }  # fmt: skip
        table: pd.DataFrame = pd.read_csv(path, low_memory=False, **options, **_EXACT)
        labels = [
            name
            for name in names
            if name in as_written
            or (is_label(name) and (table[name].dtype == object or bool(table[name].isna().all())))
        ]
        if labels:
            texts = pd.read_csv(path, usecols=labels, dtype=str, na_filter=False, **options)
    except UnicodeDecodeError as error:
        line = error.object[: error.start].count(b"\n") + 1 if len(error.object) == path.stat().st_size else 0
        where = f" on line {line}" if line else ""
        raise UserError(
            f"{path} cannot be read as a table: {first_line(error)}{where}: save it as UTF-8"
        ) from error
    except UserError:
        raise
    except (pd.errors.ParserError, pd.errors.EmptyDataError, ValueError) as error:
        raise UserError(f"{path} cannot be read as a table: {first_line(error)}") from error
    for name in labels:
        column = texts[name]
        blank = column.str.strip().isin(["", *missing])
        table[name] = column if name in as_written else column.astype(object).mask(blank, np.nan)
    return table


def separator_of(path: Path, *, by_content: bool = False) -> str:
    """What stands between the fields of a table: by its name, or by its first line."""
    if path.suffix.lower() == ".tsv":
        return "\t"
    if not by_content:
        return ","
    with path.open("rb") as stream:
        return "\t" if b"\t" in stream.readline(1 << 16) else ","


def file_beside(said: str, path: Path) -> Path | None:
    """The file that a person names, from where they are or from beside the recording."""
    places = (Path(said).expanduser(), (path if path.is_dir() else path.parent) / said)
    return next((one for one in places if one.is_file()), None)


def needed_file(option: str, said: str, path: Path, what: str = "file") -> Path:
    """The same, where an option must name one.

    Raises
    ------
    UserError
        Where there is none.
    """
    found = file_beside(said, path)
    if found is None:
        raise UserError(f"--{option} {said}: there is no such {what}, neither here nor beside {path.name}")
    return found


def rows_of(path: Path, separator: str = ",") -> Iterator[tuple[int, list[str]]]:
    """The rows of a table with the line that each begins on, from 1; blank lines are none."""
    with path.open(encoding="utf-8-sig", newline="") as stream:
        reader, line = csv.reader(stream, delimiter=separator, strict=True), 1
        try:
            for fields in reader:
                if fields:
                    yield line, fields
                line = reader.line_num + 1
        except csv.Error as error:
            raise UserError(
                f"{path} cannot be read as a table: line {line} has a double quote that is not closed, or that stands "
                f'inside a text without being doubled ({first_line(error)}): write "a ""quoted"" word"'
            ) from error


def line_of(path: Path, row: int, separator: str = ",") -> int:
    """The line of the file on which a row of a table begins; the header is on the first, row 0 below it."""
    return next(line for number, (line, _) in enumerate(rows_of(path, separator)) if number == row + 1)


def _checked_names(path: Path, separator: str) -> list[str]:
    """The names of the columns, once every line was seen to have as many fields."""
    with path.open("rb") as stream:
        start = stream.read(1 << 16)
    if start.startswith(_SPREADSHEET):
        raise UserError(f"{path} is a spreadsheet or a zip by another name: save it as CSV (UTF-8)")
    if start.startswith(_UTF16) or b"\0" in start:
        raise UserError(f"{path} is UTF-16 or no text: save it as CSV (UTF-8)")
    rows = rows_of(path, separator)
    _, names = next(rows, (0, []))
    if not names:
        raise UserError(f"{path} cannot be read as a table: No columns, it is empty")
    others = set(_SEPARATORS) - {separator}
    if len(names) == 1 and others & set(names[0]):
        called = _SEPARATORS.get(separator, repr(separator))
        raise UserError(
            f"{path} is not separated by {called} (its first line is {names[0]!r}): save it with {called}"
            + (", and with a decimal point" if ";" in names[0] else "")
        )
    twice = [name for i, name in enumerate(names) if name and name in names[:i]]
    if twice:
        raise UserError(f"{path.name}: {len(twice)} columns appear more than once (first: {twice[0]!r})")
    if not names[-1].strip() and len(names) > 1:
        raise UserError(
            f"{path.name}: column {len(names)} has no name: the first line ends in a stray "
            f"{'comma' if separator == ',' else 'separator'}; remove it from every line"
        )
    for line, fields in rows:
        if len(fields) != len(names):
            raise UserError(f"{path} cannot be read as a table: {_odd(line, fields, len(names), separator)}")
    return [name if name.strip() else f"Unnamed: {i}" for i, name in enumerate(names)]


def _odd(line: int, fields: list[str], n_columns: int, separator: str) -> str:
    """What is wrong with a line of another number of fields."""
    comma = "comma" if separator == "," else "separator"
    said = f"line {line} has {len(fields)} fields, and the first line {n_columns}"
    if len(fields) < n_columns:
        return f"{said}: something is missing there"
    if not any(field.strip() for field in fields[n_columns:]):
        return f"{said}: it ends in a trailing {comma}; remove it"
    quoted = '; a text that has one stands in double quotes, numbers have a point: "a, b", 0.5'
    return f"{said}: a stray {comma}{quoted if separator == ',' else ''}"
