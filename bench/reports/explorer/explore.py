"""One call from layers to their page."""

import shlex
import sys
from collections.abc import Sequence
from importlib.metadata import version
from pathlib import Path

from .build import build
from .looked import Asked, Looked
from .page import Written, check_free, write_page
from .shards import without_folders

_HIDDEN = "..."
"""Instead of a command or address that may hold somebody's key."""


def explore(
    layers: Looked | Sequence[Looked],
    folder: Path | str,
    *,
    asked: Asked | None = None,
    title: str = "",
    licence: str = "",
    single: bool = False,
    kept: Path | None = None,
    left_out: Sequence[str] = (),
) -> Written:
    """Write the page of one layer of a network, or of several beside each other.

    Parameters
    ----------
    layers : Looked, or sequence of them
        Two models, two layers, two dictionaries.
    folder : path
        Receives ``index.html``, which opens by double click.
    asked : Asked, optional
        What is made beside the examples: benchmarks, probes, lesions ...
    title : str
        The layers' titles by default.
    licence : str
        Of the texts or pictures, which the page holds.
    single : bool
        Everything in one file.
    kept : Path, optional
        Keeps sections that are made, so that a page that was stopped goes on.
    left_out : sequence of str
        Sections that are not wanted.

    Returns
    -------
    Written
        The path to open, how large everything is, and what is missing and why.

    Raises
    ------
    UserError
        For a folder that holds something else, or an unknown section.
    """
    folder = Path(folder).expanduser()
    check_free(folder)
    looked = [layers] if isinstance(layers, Looked) else list(layers)
    page = build(
        looked,
        asked or Asked(),
        title=title or " and ".join(dict.fromkeys(one.title for one in looked)),
        made={
            "command": _command(),
            "versions": {name: version(name) for name in ("brodmann", "torch", "numpy", "scipy")},
        },
        licence=licence,
        kept=kept,
        left_out=left_out,
    )
    return write_page(page, folder, single=single)


def _command() -> str:
    """How it was made, without the folders of the machine it was made on, and without what a describer is called by."""
    said, given = [Path(sys.argv[0]).name], ""
    for one in sys.argv[1:]:
        name, _, value = one.partition("=")
        if given == "--describer":
            one = _HIDDEN
        elif name == "--describer" and value:
            one = f"{name}={_HIDDEN}"
        given = one
        said.append(without_folders(one))
    return shlex.join(said)
