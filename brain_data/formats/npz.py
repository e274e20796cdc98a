"""Arrays by name, as np.savez writes them."""

from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from ...bounded import check_npz
from ...errors import UserError, first_line
from ..reading.arrays.texts_of_objects import texts_of
from .base import Format, Parts, add_format


@add_format
class Npz(Format):
    """Arrays by name, as ``np.savez`` writes them; nothing that could execute code is read."""

    name, suffixes = "npz", (".npz",)

    def read(self, path: Path) -> Parts:
        """The arrays of the file; texts that pandas kept as Python objects, too."""
        with path.open("rb") as stream:
            try:
                check_npz(path, stream)
                stored = np.load(stream, allow_pickle=False)
                if isinstance(stored, np.ndarray):
                    raise UserError(
                        f"{path} holds one array, as np.save writes it: save it with np.savez, by name"
                    )
                return {name: _array(stored, name, path) for name in stored.files}
            except UserError:
                raise
            except (ValueError, TypeError) as error:
                if "allow_pickle" in str(error):
                    raise UserError(
                        f"{path} is a pickle by another name: refused; save it with np.savez"
                    ) from error
                raise UserError(f"{path} is damaged ({first_line(error)}): save it again") from error
            except Exception as error:  # zip, zlib and the header each have errors of their own
                raise UserError(
                    f"{path} is damaged or not an .npz file ({first_line(error)}): save it again"
                ) from error

    def write(self, path: Path, parts: Parts) -> None:
        """The arrays, compressed."""
        np.savez_compressed(path, **parts)


def _array(stored: "np.lib.npyio.NpzFile", name: str, path: Path) -> npt.NDArray[Any]:
    try:
        found: Any = stored[name]
        if not isinstance(found, np.ndarray):
            raise UserError(f"{path}: {name!r} is no array: save the file with np.savez")
        return found
    except ValueError as error:
        if "allow_pickle" not in str(error):
            raise
        return texts_of(stored.zip.read(f"{name}.npy"), f"{path}: {name!r}")
