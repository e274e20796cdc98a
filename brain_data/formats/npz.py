"""Arrays by name, as np.savez writes them."""

import zipfile
import zlib
from pathlib import Path

import numpy as np

from ...errors import UserError
from .base import Format, Parts, add_format


@add_format
class Npz(Format):
    """Arrays by name, as ``np.savez`` writes them; nothing that could execute code is read."""

    name, suffixes = "npz", (".npz",)

    def read(self, path: Path) -> Parts:
        """The arrays of the file."""
        with path.open("rb") as stream:
            try:
                stored = np.load(stream, allow_pickle=False)
                if isinstance(stored, np.ndarray):
                    raise UserError(
                        f"{path} holds one array, as np.save writes it: save it with np.savez, by name"
                    )
                return {name: stored[name] for name in stored.files}
            except (zipfile.BadZipFile, zlib.error, EOFError, OSError, NotImplementedError) as error:
                raise UserError(f"{path} is damaged or not an .npz file ({error}): save it again") from error
            except UserError:
                raise
            except ValueError as error:
                if "allow_pickle" not in str(error):
                    raise UserError(f"{path} is damaged ({error}): save it again") from error
                raise UserError(
                    f"{path} holds Python objects, which could execute code when read: refused; save plain arrays "
                    "(text as str, numbers as float)"
                ) from error

    def write(self, path: Path, parts: Parts) -> None:
        """The arrays, compressed."""
        np.savez_compressed(path, **parts)
