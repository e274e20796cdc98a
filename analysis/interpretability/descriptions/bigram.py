"""Which two tokens, one after the other, it fires at the end of."""

import numpy as np

from .base import Family, Keys, add_family, one_key, shrunk_table
from .evidence import Reading, Shown


def _keys(shown: Shown) -> Keys:
    assert isinstance(shown, Reading)
    before, here, names = shown.beside(-1), shown.beside(0), shown.names
    pairs, inverse = np.unique(
        np.where(before >= 0, before * len(names) + here, -1), return_inverse=True
    )  # the first is -1 where any row begins its window
    absent = int(len(pairs) > 0 and pairs[0] < 0)
    kept = pairs[absent:]

    def name(key: int) -> str:
        first, second = divmod(int(kept[key]), len(names))
        return names[first] + names[second]

    return Keys(one_key(inverse - absent, len(kept)), name)


add_family(
    Family("bigram", "text", "fires at", "the token and the one before", _keys, shrunk_table), __name__
)
