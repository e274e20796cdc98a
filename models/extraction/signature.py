"""How a module's forward is called: what it is given goes to the arguments whose names mean it."""

import inspect
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from torch import Tensor, nn

from ...errors import UserError

_NAMES = {
    "input_ids": (
        "input_ids", "idx", "ids", "tokens", "token_ids", "input_tokens", "indices", "text", "texts", "words",
        "src", "source", "seq", "sequence", "sequences", "sentence", "sentences", "inputs", "input", "x",
    ),
    "pixel_values": (
        "pixel_values", "images", "image", "imgs", "img", "pixels", "pictures", "picture", "inputs", "input", "x",
    ),
}  # fmt: skip
_AT_PADDING = ("src_key_padding_mask", "key_padding_mask", "padding_mask", "pad_mask")
"""True at padding, as in torch; every other mask is 1 at real tokens."""
_MASKS = ("attention_mask", *_AT_PADDING, "input_mask", "token_mask", "mask")
_WORDS = {"input_ids": "token ids", "pixel_values": "pixels"}


@dataclass(frozen=True)
class Arguments:
    """Where things go.

    Attributes
    ----------
    main : str or None
        The argument of the token ids or pixels; None for the first by position.
    mask : str or None
        That of the mask of real tokens.
    """

    main: str | None
    mask: str | None = None


def call_by_name(module: nn.Module, given: Mapping[str, Tensor]) -> Any:
    """Run a module on what it is given, whatever its forward calls that.

    Parameters
    ----------
    module : torch.nn.Module
    given : mapping of str to Tensor
        ``input_ids`` and ``attention_mask``, or ``pixel_values``; anything else goes by its own name.

    Raises
    ------
    UserError
        For a forward that needs something else too, with what would work.
    """
    main, *_ = given
    places = arguments_of(module, main)
    named = {} if places.main is None else {places.main: given[main]}
    if places.mask is not None and "attention_mask" in given:
        mask = given["attention_mask"]
        named[places.mask] = ~mask.bool() if places.mask in _AT_PADDING else mask
    named |= {name: one for name, one in given.items() if name not in (main, "attention_mask")}
    return module(*([given[main]] if places.main is None else []), **named)


def arguments_of(module: nn.Module, main: str) -> Arguments:
    """Where a module's forward takes token ids and their mask, or pixels.

    Parameters
    ----------
    module : torch.nn.Module
    main : {"input_ids", "pixel_values"}
    """
    try:
        parameters = inspect.signature(module.forward).parameters
    except (TypeError, ValueError):  # written in C
        return Arguments(None)
    named = [
        name for name, one in parameters.items() if one.kind in (one.POSITIONAL_OR_KEYWORD, one.KEYWORD_ONLY)
    ]
    by_position = [
        name for name, one in parameters.items() if one.kind in (one.POSITIONAL_ONLY, one.VAR_POSITIONAL)
    ]
    any_name = any(one.kind is one.VAR_KEYWORD for one in parameters.values())
    place = next((name for name in _NAMES[main] if name in named), None)
    taken = place
    if place is None and any_name and main == "input_ids":
        place = main
    elif place is None or (main == "pixel_values" and place == next(iter(parameters))):
        place, taken = None, next(iter((*by_position, *named)), None)
    mask = None
    if main == "input_ids":
        mask = next((name for name in _MASKS if name in named and name != place), None)
        if mask is None and any_name and place == main:
            mask = "attention_mask"
    _check_filled(module, parameters, (taken, place, mask), main)
    return Arguments(place, mask)


def _check_filled(
    module: nn.Module, parameters: Mapping[str, inspect.Parameter], filled: tuple[str | None, ...], main: str
) -> None:
    several = (inspect.Parameter.VAR_POSITIONAL, inspect.Parameter.VAR_KEYWORD)
    empty = [
        name
        for name, one in parameters.items()
        if one.default is one.empty and one.kind not in several and name not in filled
    ]
    if empty or not parameters:
        needs = f"needs {', '.join(map(repr, empty))} besides" if empty else "takes no"
        raise UserError(
            f"the forward of {type(module).__name__} {needs} {_WORDS[main]}: wrap it in a torch.nn.Module whose "
            f"forward takes {main} alone{' (and attention_mask)' if main == 'input_ids' else ''}"
        )


def described_call(module: nn.Module, main: str) -> str:
    """Where things go, in words; empty for the usual arguments."""
    places = arguments_of(module, main)
    if main == "pixel_values":
        return "" if places.main in (None, main) else f"pixels as {places.main}"
    if places == Arguments("input_ids", "attention_mask"):
        return ""
    ids = "token ids first" if places.main is None else f"token ids as {places.main}"
    if places.mask is None:
        return f"{ids}, no mask of real tokens"
    return f"{ids}, {'padding' if places.mask in _AT_PADDING else 'real tokens'} as {places.mask}"
