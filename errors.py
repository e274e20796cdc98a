"""What a person can do wrong, said in one line.

Every mistake that a user can make ends in a :class:`UserError`: its text names what was wrong, the
value, and what to do. The command line prints that line and leaves with exit code 2.
"""

import unicodedata
from collections.abc import Iterable
from difflib import get_close_matches

_TURNING = frozenset("\u061c\u200e\u200f\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069")


def printable(text: str) -> str:
    """A text whose control characters are shown and not obeyed: escape codes, and signs that turn lines around."""
    if text.isascii() and text.isprintable():
        return text
    return "".join(
        letter if _is_shown(letter) else letter.encode("unicode_escape").decode() for letter in text
    )


def _is_shown(letter: str) -> bool:
    return letter in "\n\t" or (
        unicodedata.category(letter) not in ("Cc", "Cs", "Zl", "Zp") and letter not in _TURNING
    )


class UserError(ValueError):
    """A person's mistake, described in one line that says what to do about it; names in it carry no escape codes."""

    def __init__(self, message: str = "") -> None:
        super().__init__(printable(str(message)))


class NotAvailableError(UserError):
    """Something that exists but is not on this machine: data, weights, an optional package."""


def unknown(kind: str, name: str, known: Iterable[str], *, hint: str = "") -> UserError:
    """The error for a name that is not in a list, with the close matches.

    Parameters
    ----------
    kind : str
        What was asked for, e.g. ``"model"``.
    name : str
        The name that was not found.
    known : iterable of str
        The names that exist.
    hint : str
        What to do when no name is close, e.g. ``"list them with brodmann models list"``.
    """
    known = sorted(set(known))
    by_lower = {item.lower(): item for item in known}
    close = [by_lower[match] for match in get_close_matches(name.lower(), by_lower, n=3, cutoff=0.5)]
    if close:
        advice = "did you mean " + " or ".join(repr(match) for match in close) + "?"
    elif hint:
        advice = hint
    else:
        advice = "known: " + (", ".join(known) or "none")
    return UserError(f"unknown {kind} {name!r}: {advice}")


def missing_extra(package: str, extra: str, *, why: str) -> NotAvailableError:
    """The error for an optional package that is not installed (or does not import)."""
    return NotAvailableError(f"{why} needs the package {package!r}: pip install 'brodmann[{extra}]'")


def first_line(error: BaseException) -> str:
    """What an error of somebody else's code says, in one short line."""
    return (str(error).strip().splitlines() or ["no message"])[0][:200]
