"""BibTeX: what texts cite, each work once, and a line a work for a terminal."""

from collections.abc import Iterable
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pybtex.database import Entry


def parsed(text: str) -> "dict[str, Entry]":
    """The entries that can be read; those that are damaged or repeat a key are passed over."""
    from pybtex import errors
    from pybtex.database import parse_string

    with errors.capture():
        entries = parse_string(text, "bibtex").entries
    return {key: entry for key, entry in entries.items() if entry.fields or entry.persons}


def joined(texts: Iterable[str]) -> str:
    """One bibliography of several, every entry once; a text without any entry stays as a comment."""
    parts: dict[str, None] = {}
    for text in filter(None, (one.strip() for one in texts)):
        entries = [_alone(key, entry) for key, entry in parsed(text).items()]
        parts |= dict.fromkeys(entries or [_comment(text)])
    return "\n\n".join(parts)


def cited(text: str) -> list[str]:
    """What to cite, a line a work: first author, year and journal, as far as the BibTeX says them."""
    return list(filter(None, map(_line, parsed(text).values())))


def _comment(text: str) -> str:
    return "\n".join(f"% {line.replace('@', '(at)')}" for line in text.splitlines())


def _alone(key: str, entry: "Entry") -> str:
    from pybtex.database import BibliographyData

    return str(BibliographyData({key: entry}).to_string("bibtex")).strip()


def _line(entry: "Entry") -> str:
    authors = entry.persons.get("author", [])
    first = " ".join([*authors[0].prelast_names, *authors[0].last_names]) if authors else ""
    who = " ".join(filter(None, (first + " et al." * (len(authors) > 1), entry.fields.get("year"))))
    said = ", ".join(filter(None, (who, entry.fields.get("journal"))))
    return said.replace("{", "").replace("}", "")
