"""Which token it fires after."""

from .base import Family, Keys, add_family, one_key, shrunk_table
from .evidence import Reading, Shown


def _keys(shown: Shown) -> Keys:
    assert isinstance(shown, Reading)
    return Keys(one_key(shown.beside(-1), len(shown.names)), shown.names.__getitem__)


add_family(Family("previous token", "text", "fires after", "the token before", _keys, shrunk_table), __name__)
