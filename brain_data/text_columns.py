"""Which column of a stimulus table holds the texts that are shown, and whether one says their order."""

import math
from collections.abc import Iterable, Sequence
from typing import Any

from ..errors import UserError

TEXT_COLUMNS = ("sentence", "word", "text")
POSITION = "position"
"""Of a text in its passage, by number."""


def text_column(columns: Any) -> str | None:
    """The column of the texts: the only one that holds texts, or the words where each stands in its sentence.

    A ``sentence`` of numbers beside another text is the number of a sentence. Where rows have an ``onset`` they are
    words of a story, whatever stands beside them.

    Parameters
    ----------
    columns : mapping of str to a column
        A table, or columns by name.

    Returns
    -------
    str or None
        ``sentence``, ``word`` or ``text``; None where there is none of them.

    Raises
    ------
    UserError
        Where several hold texts and it is not clear which are shown.
    """
    there = [name for name in TEXT_COLUMNS if name in columns]
    if len(there) < 2:
        return next(iter(there), None)
    texts = {name: values for name in there if (values := _texts(columns[name]))}
    if not texts:
        return there[0]
    if "word" in texts and "onset" in columns:
        return "word"
    first = next(iter(texts))
    others = [name for name in texts if texts[name] != texts[first]]
    if not others:
        return first
    around = next(name for name in texts if name != "word")
    if "word" in texts and all(map(_inside, texts["word"], texts[around])):
        return "word"
    raise UserError(
        f"the stimuli have texts in {' and in '.join(map(repr, texts))}: leave the one that is shown, and call the "
        "others something else"
    )


def say_order(places: Sequence[Any]) -> bool:
    """Whether the places of the texts of one passage say their order: numbers, each another.

    Places that begin anew with every sentence of a story do not.
    """
    try:
        numbers = [float(one) for one in places]
    except (TypeError, ValueError):
        return False
    return all(map(math.isfinite, numbers)) and len(set(numbers)) == len(numbers)


def _texts(values: Iterable[object]) -> list[str]:
    """A column as texts; nothing where it holds numbers or blanks alone."""
    found = [one.strip() if isinstance(one, str) else "" for one in values]
    return found if any(one and not _is_number(one) for one in found) else []


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True


def _inside(word: str, sentence: str) -> bool:
    return word.casefold() in sentence.casefold()
