"""The leaderboard: what may be submitted, where it is kept, and how it is shown."""

from typing import TYPE_CHECKING

from ...lazy import attach

if TYPE_CHECKING:
    from .board import Board, Receipt, Refused
    from .database import open_board
    from .document import Submission, parse_submission
    from .gather import gathered
    from .sending import submit
    from .service import make_app
    from .site import write_site

_WHERE = {
    "Board": ".board",
    "Receipt": ".board",
    "Refused": ".board",
    "Submission": ".document",
    "gathered": ".gather",
    "make_app": ".service",
    "open_board": ".database",
    "parse_submission": ".document",
    "submit": ".sending",
    "write_site": ".site",
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
    "submit",
    "write_site",
]
__getattr__, __dir__ = attach(__name__, _WHERE)
