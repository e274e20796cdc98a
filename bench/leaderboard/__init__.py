"""The leaderboard: what may be submitted, where it is kept, and how it is shown."""

from typing import TYPE_CHECKING

from ...lazy import attach

if TYPE_CHECKING:
    from .storage.board import Board, Receipt, Refused
    from .storage.database import open_board
    from .submission.build import gathered
    from .submission.schema import Submission, parse_submission
    from .web.app import make_app
    from .web.static_site import write_site

_WHERE = {
    "Board": ".storage.board",
    "Receipt": ".storage.board",
    "Refused": ".storage.board",
    "Submission": ".submission.schema",
    "gathered": ".submission.build",
    "make_app": ".web.app",
    "open_board": ".storage.database",
    "parse_submission": ".submission.schema",
    "write_site": ".web.static_site",
}
__all__ = [
    "Board",
    "Receipt",
    "Refused",
    "Submission",
    "gathered",
    "make_app",
    "open_board",
    "parse_submission",
    "write_site",
]
__getattr__, __dir__ = attach(__name__, _WHERE)
