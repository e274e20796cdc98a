"""Names that look alike are one name, and belong to whoever brought it first."""

import re

_ALIKE = str.maketrans({"i": "l", "1": "l", "5": "s", "0": "o"})
_PAIRS = (("rn", "m"), ("vv", "w"))


def looks(name: str) -> str:
    """What is left of a name without case, punctuation and the signs that are taken for each other.

    ``ResNet-50``, ``resnet50`` and ``resnetSO`` look the same.
    """
    plain = re.sub(r"[^a-z0-9]", "", name.lower()).translate(_ALIKE)
    for two, one in _PAIRS:
        plain = plain.replace(two, one)
    return plain or name
