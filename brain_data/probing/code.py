"""Code against text, and what is said in code against what is done."""

import io
import tokenize
from functools import lru_cache

from .base import Property, Texts, add_property
from .material import Material, cut, plain

_LONGEST = 30_000


def _code(material: Material, *, layout: bool = True) -> list[tuple[str, str]]:
    return [
        piece
        for name, text in material.python_files()
        if len(text) <= _LONGEST
        for piece in cut(name, spoken_and_done(text)[1], most=12, layout=layout)
    ]


def _topics(material: Material, *, layout: bool = True) -> list[tuple[str, str]]:
    return [
        piece
        for name, text in material.python_topics()
        for piece in cut(f"topic {name}", text, layout=layout)
    ]


def _running(material: Material) -> list[tuple[str, str]]:
    return [piece for name, text in material.paragraphs() for piece in cut(name, text)]


def _is_python_code(material: Material) -> Texts:
    return Texts.of(
        {
            "code": (True, _code(material)),
            "wikitext": (False, _running(material)),
            "documentation": (False, _topics(material)),
        }
    )


def _without_layout(material: Material) -> Texts:
    return Texts.of(
        {
            "code": (True, _code(material, layout=False)),
            "wikitext": (False, _running(material)),
            "documentation": (False, _topics(material, layout=False)),
        }
    )


def _code_not_documentation(material: Material) -> Texts:
    return Texts.of({"code": (True, _code(material)), "documentation": (False, _topics(material))})


@lru_cache(maxsize=512)
def spoken_and_done(source: str) -> tuple[str, str]:
    """Comments and docstrings of a source, without their marks; and what is left of it, without empty lines.

    Both empty where it cannot be tokenized.
    """
    lines, spoken, fresh = source.splitlines(keepends=True), [], True
    starts = [0]
    for line in lines:
        starts.append(starts[-1] + len(line))
    done, last = [], 0
    try:
        for token in tokenize.generate_tokens(io.StringIO(source).readline):
            text = token.string.lstrip("rRbBuU")
            is_docstring = token.type == tokenize.STRING and fresh and text.startswith(('"""', "'''"))
            if token.type == tokenize.COMMENT or is_docstring:
                begin, end = (starts[row - 1] + column for row, column in (token.start, token.end))
                done.append(source[last:begin])
                spoken.append(text.strip("\"'#! "))
                last = end
            if token.type not in (tokenize.COMMENT, tokenize.NL):
                fresh = token.type in (tokenize.NEWLINE, tokenize.INDENT, tokenize.DEDENT)
    except (tokenize.TokenError, SyntaxError):
        return "", ""
    left = "".join([*done, source[last:]])
    return plain(" ".join(spoken)), "\n".join(line.rstrip() for line in left.splitlines() if line.strip())


def _is_comment(material: Material) -> Texts:
    spoken, done = [], []
    for name, text in material.python_files():
        if len(text) <= _LONGEST:
            said, did = spoken_and_done(text)
            spoken += cut(name, said, most=10)
            done += cut(name, did, most=10)
    return Texts.of({"comment or docstring": (True, spoken), "code": (False, done)})


_LIBRARY = "Python's own library"
add_property(
    Property(
        "is_python_code",
        "the text is Python code without comments and docstrings, against wikitext and Python's own "
        "documentation; 220 letters as they are written",
        "text",
        source=f"{_LIBRARY}, its documentation topics, wikitext or the user's own text",
        license="PSF (code, documentation), CC BY-SA (wikitext)",
        confound="line breaks and indentation, which half of the negatives have, too; topics hold examples of code",
        make=_is_python_code,
    ),
    __name__,
)
add_property(
    Property(
        "is_python_code_without_layout",
        "the text is Python code without comments and docstrings, against wikitext and Python's own "
        "documentation; 220 letters, blanks of all kinds as one",
        "text",
        source=f"{_LIBRARY}, its documentation topics, wikitext or the user's own text",
        license="PSF (code, documentation), CC BY-SA (wikitext)",
        confound="punctuation and underscores; topics hold examples of code",
        make=_without_layout,
    ),
    __name__,
)
add_property(
    Property(
        "is_code_not_documentation",
        "the text is Python code without comments and docstrings, against Python's own documentation alone",
        "text",
        source=f"{_LIBRARY} and its documentation topics",
        license="PSF",
        confound="topics hold examples of code",
        make=_code_not_documentation,
    ),
    __name__,
)
add_property(
    Property(
        "is_comment_or_docstring",
        "a comment or docstring, against the code of the same files; without their marks (# and quotes)",
        "text",
        source=_LIBRARY,
        license="PSF",
        confound="code holds more punctuation; comments name functions, and code has English identifiers and messages",
        make=_is_comment,
    ),
    __name__,
)
