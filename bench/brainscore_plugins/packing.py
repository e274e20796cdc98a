"""A plugin's folder and its zip, written whole or not at all."""

import os
import re
import zipfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from io import BytesIO
from pathlib import Path, PurePosixPath
from string import Template
from typing import Literal

from ...errors import UserError
from ...files import copy_file, whole_folder, write_bytes

_TEMPLATES = Path(__file__).with_name("templates")

_LONGEST = 100
_GIVEN = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]*")

Domain = Literal["vision", "language"]
Kind = Literal["models", "benchmarks"]
Content = Mapping[str, "str | bytes | Path"]
"""Path inside the plugin -> its text, its bytes, or the file that is copied there."""

MOST_BYTES = 90 << 20
"""What a plugin may weigh: GitHub, where the form puts it, refuses files of 100 MB."""
METADATA = "metadata.yml"
_OLDEST = (1980, 1, 1, 0, 0, 0)  # of a zip; the same content gives the same bytes
_FILE, _FOLDER = 0o100644 << 16, (0o040755 << 16) | 0x10


@dataclass(frozen=True)
class PluginFiles:
    """What was written.

    Attributes
    ----------
    identifier : str
        Under which Brain-Score registers it.
    domain : {"vision", "language"}
    kind : {"models", "benchmarks"}
    root : Path
        The folder that holds ``models/NAME`` or ``benchmarks/NAME``.
    plugin : Path
        That inner folder.
    archive : Path
        The zip for the web form.
    layers : mapping of str to str
        Brain-Score's region -> the layer that is committed to it.
    notes : tuple of str
        What a person should know, a sentence each.
    """

    identifier: str
    domain: Domain
    kind: Kind
    root: Path
    plugin: Path
    archive: Path
    layers: Mapping[str, str] = field(default_factory=dict)
    notes: tuple[str, ...] = ()


def write_plugin(folder: Path, kind: Kind, name: str, content: Content) -> tuple[Path, Path]:
    """Write ``FOLDER/NAME/KIND/NAME/...`` and ``FOLDER/NAME.zip``.

    Parameters
    ----------
    folder : Path
        Made where absent.
    kind : {"models", "benchmarks"}
    name : str
        From :func:`plugin_name`.
    content : mapping
        What the plugin holds. ``metadata.yml`` stays out of the zip, where the form refuses it.

    Raises
    ------
    UserError
        Where something of that name is there already, the plugin is too large, or the folder cannot be written.
    """
    root, archive = folder / name, folder / f"{name}.zip"
    if root.exists():
        raise UserError(f"{root} is there already: delete it, or write into another folder")
    _check_size(content, name)
    _make(folder)
    inside = Path(kind) / name
    was_there = archive.exists()
    try:
        with whole_folder(root) as growing:
            for place, what in content.items():
                _put(growing / inside / PurePosixPath(place), what)
            packed = _zip(growing, name)
            if was_there and archive.read_bytes() != packed:  # the same one alone is what a kill leaves
                raise UserError(f"{archive} is there already: delete it, or write into another folder")
            write_bytes(archive, packed)
    except BaseException:
        if not was_there:
            archive.unlink(missing_ok=True)  # the folder could not be put beside it
        raise
    return root / inside, archive


def _make(folder: Path) -> None:
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise UserError(f"cannot make {folder}: {error.strerror or error}; name another folder") from error
    if not os.access(folder, os.W_OK):
        raise UserError(f"{folder} may not be written: chmod u+w it, or name another folder")


def _check_size(content: Content, name: str) -> None:
    size = sum(what.stat().st_size if isinstance(what, Path) else len(what) for what in content.values())
    if size > MOST_BYTES:
        raise UserError(
            f"{name} would weigh {size / 2**20:.0f} MB, more than the {MOST_BYTES >> 20} MB that a plugin may: put "
            "what is large at a public address (weights on a hub: export hf:ORG/NAME, timm:NAME or a file.py:factory)"
        )


def _put(path: Path, what: "str | bytes | Path") -> None:
    if isinstance(what, Path):
        copy_file(what, path)
        path.chmod(0o644)
        return
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(what.encode() if isinstance(what, str) else what)


def _zip(root: Path, name: str) -> bytes:
    """The zip; folders have entries of their own: the web form finds plugins by them."""
    stream = BytesIO()
    with zipfile.ZipFile(stream, "w") as target:
        for path in [root, *_below(root)]:
            inside = f"{name}/{path.relative_to(root).as_posix()}" if path != root else name
            entry = zipfile.ZipInfo(inside + "/" * path.is_dir(), _OLDEST)
            entry.compress_type = zipfile.ZIP_DEFLATED
            entry.external_attr = _FOLDER if path.is_dir() else _FILE
            target.writestr(entry, b"" if path.is_dir() else path.read_bytes())
    return stream.getvalue()


def _below(root: Path) -> Iterator[Path]:
    return (path for path in sorted(root.rglob("*")) if path.name != METADATA)


def plugin_name(name: str) -> str:
    """A name as a plugin's folder and identifier: every other sign becomes an underscore.

    Raises
    ------
    UserError
        Where no letter or digit is left, or the name is too long.
    """
    plain = re.sub(r"[^A-Za-z0-9]+", "_", name).strip("_")
    if not plain:
        raise UserError(f"{name!r} holds no letter or digit: name the plugin, e.g. my_model")
    if len(plain) > _LONGEST:
        raise UserError(
            f"the plugin's name {plain[:40]!r}... is longer than {_LONGEST} signs: choose a shorter one"
        )
    return plain


def given_name(name: str) -> str:
    """A name that a person chose for a plugin; hyphens and dots become underscores.

    Raises
    ------
    UserError
        For signs that belong to no identifier, such as slashes, quotes and spaces.
    """
    if not _GIVEN.fullmatch(name):
        raise UserError(
            f"a plugin cannot be called {name!r}: use letters, digits and underscores, e.g. my_model"
        )
    return plugin_name(name)


def renamed(name: str, plain: str) -> tuple[str, ...]:
    """What to tell a person whose name was changed."""
    if name == plain:
        return ()
    return (f"{name!r} is called {plain!r} there: Brain-Score's form takes letters, digits and underscores",)


def filled(template: str, **values: object) -> str:
    """A template with its places filled.

    Parameters
    ----------
    template : str
        Its name, without ``.txt``.
    **values : object
        By place: code as ``str``; data must come through :func:`literal` first.
    """
    text = (_TEMPLATES / f"{template}.txt").read_text(encoding="utf-8")
    return Template(text).substitute(values)


def literal(value: object) -> str:
    """A value as Python source that can only mean this value: texts, numbers, None, and lists and tuples of them."""
    return repr(_plain(value))


def _plain(value: object) -> object:
    if isinstance(value, (list, tuple)):
        return [_plain(one) for one in value]
    if value is None or isinstance(value, (bool, int, float)):
        return value
    return str(value)
