"""Names that Brain-Score takes: letters, digits and underscores."""

import re

from ...errors import UserError

_LONGEST = 100
_GIVEN = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]*")


def plugin_name(name: str) -> str:
    """A name as a plugin's folder and identifier: every other sign becomes an underscore.

    Parameters
    ----------
    name : str

    Raises
    ------
    UserError
        Where no letter or digit is left, or the name is too long.
    """
    plain = re.sub(r"[^A-Za-z0-9]+", "_", name).strip("_")
    if not plain:
        raise UserError(f"{name!r} holds no letter or digit: name the plugin, e.g. my_model")
    if len(plain) > _LONGEST:
        raise UserError(
            f"the plugin's name {plain[:40]!r}... is longer than {_LONGEST} signs: choose a shorter one"
        )
    return plain


def given_name(name: str) -> str:
    """A name that a person chose for a plugin; hyphens and dots become underscores.

    Raises
    ------
    UserError
        For signs that belong to no identifier, such as slashes, quotes and spaces.
    """
    if not _GIVEN.fullmatch(name):
        raise UserError(
            f"a plugin cannot be called {name!r}: use letters, digits and underscores, e.g. my_model"
        )
    return plugin_name(name)


def renamed(name: str, plain: str) -> tuple[str, ...]:
    """What to tell a person whose name was changed."""
    if name == plain:
        return ()
    return (f"{name!r} is called {plain!r} there: Brain-Score's form takes letters, digits and underscores",)
