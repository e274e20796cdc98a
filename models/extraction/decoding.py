"""A picture file as a network's input, and a process that makes such inputs, told through its pipes."""

import os
import pickle
import signal
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import IO

import torch
from PIL import Image
from torch import Tensor

from ...brain_data.stimuli import pictures
from ...errors import UserError, first_line

Preprocess = Callable[[Image.Image], Tensor]


@dataclass(frozen=True)
class Picture:
    """A stimulus as it is decoded.

    Attributes
    ----------
    path : Path
    stimulus : str
        Its name, for messages.
    background : str
        What its transparent parts show.
    """

    path: Path
    stimulus: str
    background: str


def decoded(picture: Picture, preprocess: Preprocess, identifier: str) -> Tensor:
    """The network's input, (channels, height, width).

    Parameters
    ----------
    picture : Picture
    preprocess : callable
    identifier : str
        The model's, for messages.

    Raises
    ------
    UserError
        For a file that cannot be read, and for a preprocessing that fails or gives something else.
    """
    with pictures.opened(picture.path, f"stimulus {picture.stimulus!r}", picture.background) as image:
        try:
            pixels = preprocess(image)
        except UserError:
            raise
        except Exception as error:  # a person's own callable
            raise UserError(
                f"preprocess of {identifier} fails for stimulus {picture.stimulus!r}: "
                f"{type(error).__name__}: {first_line(error)}"
            ) from error
    if not isinstance(pixels, Tensor) or pixels.ndim != 3:
        shape = tuple(pixels.shape) if isinstance(pixels, Tensor) else type(pixels).__name__
        raise UserError(
            f"preprocess of {identifier} must give a tensor (channels, height, width), not {shape}"
        )
    return pixels


def serve() -> None:
    """Answer pictures on standard input with numbers on standard output, until the asker has gone."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # whoever asks is interrupted, and then closes the pipes
    asked = sys.stdin.buffer
    answers = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)  # what a library prints is no answer
    torch.set_num_threads(1)
    try:
        preprocess, identifier = pickle.loads(received(asked))
    except Exception:  # what cannot be imported here stays with the threads of whoever asks
        return
    send(answers, b"ready")
    while True:
        try:
            picture = pickle.loads(received(asked))
        except EOFError:
            return
        try:
            pixels = decoded(picture, preprocess, identifier).detach().cpu().contiguous()
        except UserError as error:
            send(answers, pickle.dumps((str(error), (), None)))
            continue
        send(answers, pickle.dumps(("", tuple(pixels.shape), pixels.dtype)))
        send(answers, pixels.flatten().view(torch.uint8).numpy().data)


def send(stream: IO[bytes], content: bytes | memoryview) -> None:
    """Write a message: its length, and what it says."""
    stream.write(len(content).to_bytes(8, "little"))
    stream.write(content)
    stream.flush()


def received(stream: IO[bytes]) -> bytearray:
    """Read a message.

    Raises
    ------
    EOFError
        Where the other side has gone.
    """
    return _read(stream, int.from_bytes(_read(stream, 8), "little"))


def _read(stream: IO[bytes], n_bytes: int) -> bytearray:
    content = bytearray(n_bytes)
    place = memoryview(content)
    while len(place):
        n = stream.readinto(place)  # type: ignore[attr-defined]
        if not n:
            raise EOFError
        place = place[n:]
    return content
