"""Picture files as people see them: turned, over a background, in 8-bit RGB, and never larger than memory allows."""

import struct
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from threading import Condition, Lock
from typing import Any

import numpy as np
from PIL import Image, ImageColor, UnidentifiedImageError

from ...errors import UserError
from ...memory import available_bytes

FORMATS = ("PNG", "JPEG", "TIFF", "BMP", "GIF", "WEBP")
"""What is read, by content and not by name: other readers of PIL start programs, or follow links."""
MOST_PIXELS = 1 << 26
"""Of one picture; 8192 x 8192."""
BACKGROUND = "#808080"
"""Mid-gray, as screens of experiments mostly are."""
BACKGROUND_COLUMN = "background_color"
SHOWN = (
    "turned as EXIF says; transparent parts over mid-gray (#808080) or the stimuli's background_color; 8-bit RGB, "
    "color profiles not applied"
)
"""For the methods of a record."""

_BYTES_A_PIXEL = 32
"""Of a decoded picture, of it in RGB and over a background, and of what a preprocessing makes of it."""
_BITS, _PHOTOMETRIC, _ORIENTATION = 258, 262, 274
_TURNS = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}
_DAMAGED = (OSError, SyntaxError, ValueError, EOFError, LookupError, TypeError, OverflowError, struct.error)
"""What PIL's readers answer a damaged file with."""
_OPENING = Lock()
"""Filters of warnings are everybody's."""


@contextmanager
def opened(path: Path, of: str = "", background: str = BACKGROUND) -> Iterator[Image.Image]:
    """A picture in RGB, upright and opaque; memory for it is held while the block runs, and waited for before.

    Parameters
    ----------
    path : Path
    of : str
        Whose picture it is, for messages: ``"stimulus 's0'"``.
    background : str
        A color, such as ``"white"`` or ``"#808080"``, that transparent parts show.

    Raises
    ------
    UserError
        For a file that is not there, of no format in ``FORMATS``, damaged, of several frames, of 32 bits a pixel or
        with more than ``MOST_PIXELS``.
    """
    what, unread = _called(path, of)
    with (
        _header(path, of) as image,
        _ROOM.taken(image.width * image.height * _BYTES_A_PIXEL, f"{what} ({image.width} x {image.height})"),
    ):
        try:
            upright = _rgb(image, background)
        except (*_DAMAGED, Image.DecompressionBombError) as error:
            raise UserError(f"{unread}: {error}") from error
        yield upright


def check(path: Path, of: str = "") -> None:
    """Raise a UserError for a file of another format, or a picture that is too large, without decoding it."""
    with _header(path, of):
        pass


def _called(path: Path, of: str) -> tuple[str, str]:
    """What a picture is called, and how a message begins that it cannot be read."""
    what = f"the picture of {of}" if of else f"the picture {path}"
    return what, f"{what} cannot be read ({path})" if of else f"{what} cannot be read"


@contextmanager
def _header(path: Path, of: str) -> Iterator[Image.Image]:
    what, unread = _called(path, of)
    try:
        with _OPENING, warnings.catch_warnings():
            warnings.simplefilter("ignore", Image.DecompressionBombWarning)  # its size is looked at here
            image = Image.open(path, formats=FORMATS)
    except FileNotFoundError as error:
        raise UserError(f"{what} is not there{f': {path}' if of else ''}") from error
    except UnidentifiedImageError as error:
        raise UserError(f"{unread}: it is none of {', '.join(FORMATS)}, or damaged") from error
    except (*_DAMAGED, Image.DecompressionBombError) as error:
        raise UserError(f"{unread}: {error}") from error
    with image:
        if image.width * image.height > MOST_PIXELS:
            raise UserError(
                f"{what} is {image.width} x {image.height}: at most {MOST_PIXELS / 1e6:.0f} million pixels are read; "
                "save it at the size that was shown"
            )
        yield image


def background_of(stimuli: Any, row: int) -> str:
    """What the transparent parts of a stimulus show: its ``background_color`` where its table has one.

    Raises
    ------
    UserError
        For what is no color.
    """
    if BACKGROUND_COLUMN not in stimuli:
        return BACKGROUND
    color = str(stimuli[BACKGROUND_COLUMN].iloc[row]).strip()
    try:
        ImageColor.getrgb(color)
    except ValueError:
        name = stimuli["stimulus_id"].iloc[row]
        raise UserError(
            f"{BACKGROUND_COLUMN} of stimulus {name!r} is {color!r}: write a color, such as white or {BACKGROUND}"
        ) from None
    return color


def _rgb(image: Image.Image, background: str) -> Image.Image:
    if image.format != "MPO" and getattr(image, "is_animated", False):  # an MPO is a photo with its previews
        raise ValueError("it has several frames or pages; save the one that was shown")
    bits, photometric = _of_tiff(image)
    image.load()
    turn = _TURNS.get(_orientation(image))
    upright = image if turn is None else image.transpose(turn)
    if upright.mode.startswith("I;16"):
        upright = _of_16_bits(upright, 12 if bits == 12 else 16, inverted=photometric == 0)
    if upright.mode in ("I", "F"):
        raise ValueError("it has 32 bits a pixel, and what is white is not known; save it with 8 bits")
    if not upright.has_transparency_data:
        return upright.convert("RGB")
    key = upright.info.get("transparency")
    if isinstance(key, tuple):  # of 16 bits, of which PIL keeps the upper 8
        upright.info["transparency"] = tuple(one >> 8 if max(key) > 255 else one for one in key)
    seen = upright.convert("RGBA")
    return Image.alpha_composite(
        Image.new("RGBA", seen.size, ImageColor.getrgb(background)[:3]), seen
    ).convert("RGB")


def _orientation(image: Image.Image) -> Any:
    """As EXIF says; after reading, because PIL turns TIFFs itself. What cannot be read turns nothing."""
    try:
        return image.getexif().get(_ORIENTATION)
    except _DAMAGED:
        return None


def _of_tiff(image: Image.Image) -> tuple[int, int | None]:
    """Bits a sample and what 0 means, where a TIFF says."""
    tags = getattr(image, "tag_v2", {}) if image.format == "TIFF" else {}
    bits = tags.get(_BITS, (8,))
    return (bits[0] if isinstance(bits, tuple) and bits else 8), tags.get(_PHOTOMETRIC)


def _of_16_bits(image: Image.Image, bits: int, *, inverted: bool) -> Image.Image:
    """In 8 bits, as white is known to be; PIL alone would clip 16 bits at 255 and show nearly all of it white."""
    values = np.asarray(image).astype(np.int64)
    scaled = np.minimum(values // (257 if bits == 16 else 16), 255)
    gray = (255 - scaled if inverted else scaled).astype(np.uint8)
    key = image.info.get("transparency")
    if not isinstance(key, int):
        return Image.fromarray(gray)
    return Image.fromarray(np.stack([gray, np.where(values == key, 0, 255).astype(np.uint8)], axis=2))


class _Room:
    """Memory that pictures may take together: half of what is free, shared by all readers."""

    def __init__(self) -> None:
        self._held, self._changed = 0, Condition()

    @contextmanager
    def taken(self, n_bytes: int, what: str) -> Iterator[None]:
        """Wait until there is room beside the other readers' pictures; refuse what would never fit."""
        with self._changed:
            while True:
                free = (available_bytes() + self._held) // 2
                if self._held + n_bytes <= free:
                    break
                if self._held == 0:
                    if n_bytes > 2 * free:
                        raise UserError(
                            f"{what} takes about {n_bytes >> 20} MiB to read and {2 * free >> 20} MiB are free: "
                            "save it at the size that was shown"
                        )
                    break
                self._changed.wait()
            self._held += n_bytes
        try:
            yield
        finally:
            with self._changed:
                self._held -= n_bytes
                self._changed.notify_all()


_ROOM = _Room()
