"""Texts of a corpus, document by document, some of them held out."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from ...errors import UserError
from ...files import digest_of, natural

_TITLE = re.compile(r"^ ?= [^=].*[^=] = ?$")
_SUFFIXES = (".txt", ".md", ".rst", ".py")


@dataclass(frozen=True)
class TextCorpus:
    """Documents, apart by what they are for.

    Attributes
    ----------
    training, held_out : tuple of str
        No document is in both.
    """

    training: tuple[str, ...]
    held_out: tuple[str, ...]

    @property
    def digest(self) -> str:
        """sha256 over all texts."""
        return digest_of(list(self.training), list(self.held_out))


def text_corpus(source: Path, *, share_held_out: float = 0.1) -> TextCorpus:
    """The documents of a text file or of a folder's text files; the last ones are held out.

    A file is a document. Where it holds headings as wikitext writes them (`` = Title = ``) each article is one; a file
    without them, in a corpus of fewer than ten documents, is cut at its empty lines.

    Parameters
    ----------
    source : Path
    share_held_out : float
        Of the letters, about.

    Raises
    ------
    UserError
        For a path without text, or with a single document.
    """
    texts = [text.strip() for text in documents(source) if text.strip()]
    if len(texts) < 2:
        raise UserError(f"{source} holds {len(texts)} documents: at least 2 are needed, one to hold out")
    return held_out_of(texts, share_held_out)


def held_out_of(texts: Sequence[str], share_held_out: float) -> TextCorpus:
    """The last documents held out: about a share of all letters, one document at least.

    Parameters
    ----------
    texts : sequence of str
        At least two documents.
    share_held_out : float
    """
    total, held, first = sum(map(len, texts)), 0, len(texts)
    while first > 1 and held < share_held_out * total:
        first -= 1
        held += len(texts[first])
    return TextCorpus(tuple(texts[:first]), tuple(texts[first:]))


def documents(source: Path) -> list[str]:
    """The texts of a file or folder; see :func:`text_corpus`.

    Parameters
    ----------
    source : Path
    """
    source = Path(source)
    files = [source] if source.is_file() else sorted(
        (one for one in source.rglob("*") if one.suffix in _SUFFIXES and one.is_file() and one.stem != "SOURCE"),
        key=lambda one: natural(str(one)),
    )  # fmt: skip
    if not files:
        raise UserError(f"{source} is no text file and no folder with text files ({', '.join(_SUFFIXES)})")
    try:
        each = [file.read_text(encoding="utf-8") for file in files]
    except UnicodeDecodeError as error:
        raise UserError(f"{source} holds a file that is not UTF-8 text ({error.reason})") from error
    articles = [one for text in each for one in _articles(text)]
    if len(articles) < 10:
        return [part for text in articles for part in re.split(r"\n\s*\n", text)]
    return articles


def _articles(text: str) -> list[str]:
    """Cut before every title of the first level; what stands before the first is a document, too."""
    lines = text.split("\n")
    starts = [i for i, line in enumerate(lines) if _TITLE.match(line)]
    if len(starts) < 2:
        return [text]
    ends = [*starts[1:], len(lines)]
    before = ["\n".join(lines[: starts[0]])] if starts[0] else []
    return [
        *before,
        *("\n".join(lines[start:end]) for start, end in zip(starts, ends, strict=True)),
    ]
