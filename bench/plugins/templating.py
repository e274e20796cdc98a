"""Python files from templates; whatever a person wrote goes in as a literal."""

from pathlib import Path
from string import Template

_FOLDER = Path(__file__).with_name("templates")


def filled(template: str, **values: object) -> str:
    """A template with its places filled.

    Parameters
    ----------
    template : str
        Its name, without ``.txt``.
    **values : object
        By place: code as ``str``; data must come through :func:`literal` first.
    """
    text = (_FOLDER / f"{template}.txt").read_text(encoding="utf-8")
    return Template(text).substitute(values)


def literal(value: object) -> str:
    """A value as Python source that can only mean this value: texts, numbers, None, and lists and tuples of them."""
    if isinstance(value, (list, tuple)):
        return repr([_plain(one) for one in value])
    return repr(_plain(value))


def _plain(value: object) -> object:
    if value is None or isinstance(value, (bool, int, float)):
        return value
    return str(value)
