"""What a text from a stranger may hold: plain words, no markup, nothing that hides or turns text around."""

import re
import unicodedata
from typing import Annotated

from pydantic import AfterValidator, Field, StringConstraints

_MARKUP = re.compile(r"<\s*[A-Za-z/!?]|&(?:#|lt\b|gt\b)|\bjavascript\s*:", re.IGNORECASE)
_HIDDEN = {"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"}


def plain(value: str) -> str:
    """The text itself, in composed form (NFC).

    Raises
    ------
    ValueError
        For markup, control characters, invisible characters, and those that change the direction of reading.
    """
    value = unicodedata.normalize("NFC", value)
    if _MARKUP.search(value):
        raise ValueError("it looks like markup; plain text only")
    for sign in value:
        if unicodedata.category(sign) in _HIDDEN and sign not in "\n\t":
            raise ValueError(f"it holds the invisible character U+{ord(sign):04X}")
    return value


def _one_line(value: str) -> str:
    if "\n" in value or "\t" in value:
        raise ValueError("it must be one line")
    return value


def _secure(value: str) -> str:
    if value and not re.fullmatch(r"https?://[A-Za-z0-9.-]+(:\d+)?(/[^\s<>\"'`\\]*)?", value):
        raise ValueError("it must be an address that begins with https:// or http://")
    return value


Line = Annotated[str, StringConstraints(max_length=300), AfterValidator(plain), AfterValidator(_one_line)]
Text = Annotated[str, StringConstraints(max_length=5_000), AfterValidator(plain)]
Address = Annotated[str, StringConstraints(max_length=250), AfterValidator(plain), AfterValidator(_secure)]
IDENTIFIER = r"^[A-Za-z0-9][A-Za-z0-9_.:/+@=-]{0,119}$"
Identifier = Annotated[str, StringConstraints(pattern=IDENTIFIER)]
LayerName = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9_][A-Za-z0-9_.:/+@=\[\]() ,-]{0,199}$")]
Digest = Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{64}$")]
Finite = Annotated[float, Field(allow_inf_nan=False)]
Count = Annotated[int, Field(ge=0, le=10**9)]
Large = Annotated[int, Field(ge=0, le=10**15)]
