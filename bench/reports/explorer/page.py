"""The page as a folder that opens by double click, or as one file."""

import base64
import hashlib
import os
import re
from collections.abc import Sequence
from dataclasses import dataclass
from importlib.metadata import version
from importlib.resources import files
from pathlib import Path

from ....errors import UserError
from ....files import whole_folder, write_bytes
from ..html import environment
from .content import OF, Of, Page
from .shards import path_of, script

SCRIPTS = (
    "store", "elements", "state", "search", "colors", "chart", "places", "context", "board", "chosen", "sheet", "sides",
    "entry", "blocks", "table", "probes", "lens", "topics", "effects", "about", "app",
)  # fmt: skip
"""Of the page, in the order in which they are read."""
STYLES = ("style", "views")
_KEY = re.compile(r"[A-Za-z0-9._-]+")
_MARK = "explorer.json"


@dataclass(frozen=True)
class Written:
    """What was written.

    Attributes
    ----------
    path : Path
        What to open.
    n_bytes : int
        Of everything.
    n : dict of {"unit", "feature"} to int
        How many have a page.
    left_out : list of str
        What is missing, and why.
    """

    path: Path
    n_bytes: int
    n: dict[Of, int]
    left_out: list[str]


def write_page(page: Page, folder: Path, *, single: bool = False) -> Written:
    """Write a page; the folder, or the file, appears whole.

    Parameters
    ----------
    page : Page
    folder : Path
        Replaced in one step where an earlier page stands there.
    single : bool
        Everything in ``folder/index.html``.

    Returns
    -------
    Written

    Raises
    ------
    UserError
        For a folder that holds anything but an earlier page.
    """
    _check(page)
    check_free(folder)
    parts = {name: script(name, content) for name, content in page.shards().items()}
    scripts = {name: asset(f"{name}.js") for name in SCRIPTS}
    if single:
        html = _single(page, scripts, parts)
        given = {"index.html": html}
    else:
        given = {
            "index.html": _folder(page),
            "style.css": _style(),
            **{f"{name}.js": text for name, text in scripts.items()},
            **{path_of(name): text for name, text in parts.items()},
        }
    given[_MARK] = f'{{"brodmann": "{version("brodmann")}", "parts": {len(parts)}}}\n'
    with whole_folder(folder) as place:
        for name, text in given.items():
            write_bytes(place / name, text.encode("utf-8", "replace"))
    missing = [line for one in page.sites for line in one.index()["left_out"]]
    return Written(
        folder / "index.html",
        sum(len(text.encode("utf-8", "replace")) for text in given.values()),
        {of: sum(one.n.get(of, 0) for one in page.sites) for of in OF},
        list(dict.fromkeys(missing)),
    )


def check_free(folder: Path) -> None:
    """A UserError where a folder holds something that is not an earlier page, is a link, or could not be written.

    Parameters
    ----------
    folder : Path
    """
    if folder.is_symlink():  # the link would be replaced, and what it points at stay as it was
        raise UserError(f"--folder {folder} is a link: name the folder itself")
    above = next(one for one in folder.absolute().parents if one.exists())
    if not above.is_dir() or not os.access(above, os.W_OK):
        raise UserError(f"--folder {folder}: {above} is no folder that can be written")
    if folder.is_file() or (folder.is_dir() and any(folder.iterdir()) and not (folder / _MARK).is_file()):
        raise UserError(f"--folder {folder} holds something else already: name a new folder")


def asset(name: str) -> str:
    """A file of the page as it stands in the package.

    Parameters
    ----------
    name : str
    """
    return (files(__package__) / "web" / name).read_text(encoding="utf-8")


def _style() -> str:
    return "".join(asset(f"{name}.css") for name in STYLES)


def _folder(page: Page) -> str:
    # a page from file:// is of no origin in some browsers, so that 'self' alone would forbid its own scripts
    return _html(page, "script-src 'self' file:; style-src 'self' file:", scripts=SCRIPTS)


def _single(page: Page, scripts: dict[str, str], parts: dict[str, str]) -> str:
    inline = [*scripts.values(), *parts.values()]
    style = _style()
    policy = f"script-src {' '.join(map(_hash, inline))}; style-src {_hash(style)}"
    return _html(page, policy, style=style, inline=inline)


def _html(
    page: Page, policy: str, *, scripts: Sequence[str] = (), style: str = "", inline: Sequence[str] = ()
) -> str:
    for one in (*inline, style):
        if "</script" in one.lower() or "</style" in one.lower() or "<!--" in one:
            raise ValueError("a script of the page would end its own element")
    shelf = environment(__package__, "web")
    return shelf.get_template("index.html").render(
        title=page.title,
        version=version("brodmann"),
        policy=policy,
        scripts=scripts,
        style=style,
        inline=inline,
    )


def _hash(text: str) -> str:
    return f"'sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}'"


def _check(page: Page) -> None:
    """That keys, which are names of files and stand in links, are what they should be."""
    keys = [one.key for one in page.sites]
    materials = [one.key for one in page.materials]
    wrong = [one for one in (*keys, *materials) if not _KEY.fullmatch(one)]
    if wrong or len(set(keys)) < len(keys):
        raise ValueError(f"keys of a page are letters, digits, dots and dashes, each once: {wrong or keys}")
    for one in page.sites:
        for section in one.sections:
            for of, entries in section.entries.items():
                if entries and len(entries) != one.n[of]:
                    raise ValueError(f"{section.name}: {len(entries)} entries of {one.n[of]} {of}s")
            for of, columns in section.columns.items():
                for column in columns:
                    if len(column.values) != one.n[of]:
                        raise ValueError(f"{column.name}: {len(column.values)} values of {one.n[of]} {of}s")
