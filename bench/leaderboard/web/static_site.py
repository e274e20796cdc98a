"""The board as a folder of files: the same pages, for any web server or none."""

from importlib.resources import files
from pathlib import Path

from ....errors import UserError
from ....files import whole_folder
from ....progress import track
from ..storage.board import Board
from ..storage.snapshot import read_snapshot
from . import pages
from .exports import FILES, file_of
from .links import FileLinks
from .ranking import Selection

_MARK = "brodmann-leaderboard.txt"


def write_site(board: Board, folder: Path, *, address: str = "ADDRESS") -> list[Path]:
    """Write the pages of a board as files; the folder is there when all of them are.

    Parameters
    ----------
    board : Board
    folder : Path
        Replaced where an earlier export filled it.
    address : str
        Of the server that takes submissions, shown on the page that says how.

    Returns
    -------
    list of Path
        The files, the first page first.

    Raises
    ------
    UserError
        For a folder that holds something else.
    """
    if folder.is_file() or (folder.is_dir() and any(folder.iterdir()) and not (folder / _MARK).is_file()):
        raise UserError(f"{folder} is not empty, and no earlier export: name another folder")
    revision = board.revision()
    with board.reading(), whole_folder(folder) as made:
        snapshot = read_snapshot(revision)
        first = snapshot.domains[0]
        top, below = FileLinks(first, 0), FileLinks(first, 1)
        for domain in snapshot.domains:
            name = "index" if domain == first else domain
            chosen = Selection(domain=domain)
            _write(made / f"{name}.html", pages.board_page(snapshot, chosen, top, page_size=10**9))
            for file in FILES:
                _write(made / "export" / domain / file, file_of(file, snapshot, chosen))
        for model in track(list(snapshot.models.values()), "pages of models"):
            _write(made / "models" / f"{model.slug}.html", pages.model_page(snapshot, model, below))
        for slug in sorted({one.slug for one in snapshot.benchmarks.values()}):
            page = pages.benchmark_page(snapshot, snapshot.versions(slug), below)
            _write(made / "benchmarks" / f"{slug}.html", page)
        _write(made / "compare.html", pages.compare_page(snapshot, None, None, top))
        _write(made / "about.html", pages.about_page(snapshot, top, address))
        for name in ("board.css", "board.js", "icon.svg"):
            _write(made / "static" / name, (files(__package__) / "static" / name).read_text("utf-8"))
        _write(made / _MARK, f"Written by brodmann leaderboard export, revision {revision}.\n")
    return sorted(folder.rglob("*.*"), key=lambda path: (path.name != "index.html", path))


def _write(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")
