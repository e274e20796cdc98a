"""What a text from a stranger may hold: plain words, no markup, nothing that hides or turns text around."""

import re
import unicodedata
from typing import Annotated, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, StringConstraints, ValidationError

_MARKUP = re.compile(r"<\s*[A-Za-z/!?]|&(?:#|lt\b|gt\b)|\bjavascript\s*:", re.IGNORECASE)
_SHOWN_REASONS = 3
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
Scalar = Annotated[int, Field(ge=-(10**18), le=10**18)] | Finite | bool | Line | None
Share = Annotated[float, Field(gt=0, le=1, allow_inf_nan=False)]
Interval = Annotated[list[Finite | None], Field(min_length=2, max_length=2)]
Counts = Annotated[dict[Line, Count], Field(max_length=50)]
Methods = Annotated[dict[Line, Scalar | Annotated[list[Scalar], Field(max_length=200)]], Field(max_length=50)]
Domain = Literal["vision", "language"]


class Part(BaseModel):
    """What all parts of a document from a stranger share: nothing unknown, nothing converted."""

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True)


def reasons(error: ValidationError) -> str:
    """The first reasons why something does not fit, each with its place."""
    found = error.errors(include_url=False, include_input=False, include_context=False)
    said = []
    for one in found[:_SHOWN_REASONS]:
        place = ".".join(
            str(part)[:60] for part in one["loc"] if not str(part).startswith(("function-", "constrained"))
        )
        message = one["msg"].removeprefix("Value error, ").splitlines()[0][:200]
        said.append(f"{plain_ascii(place)}: {plain_ascii(message)}" if place else plain_ascii(message))
    more = f" (and {len(found) - len(said)} more)" if len(found) > len(said) else ""
    return "; ".join(said) + more


def plain_ascii(text: str) -> str:
    """A text that a stranger may have written, safe to show in a message."""
    return text.encode("ascii", "backslashreplace").decode().replace("<", "(").replace(">", ")")
