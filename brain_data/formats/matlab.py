"""Variables by name, as MATLAB saves them up to v7."""

from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from ...errors import UserError
from .base import Format, Parts, add_format


@add_format
class Matlab(Format):
    """Variables by name, as MATLAB saves them up to v7."""

    name, suffixes = "matlab", (".mat",)

    def read(self, path: Path) -> Parts:
        """The arrays of the file."""
        import scipy.io

        try:
            content = scipy.io.loadmat(path, simplify_cells=True)
            shapes = {name: shape for name, shape, _ in scipy.io.whosmat(path)}
        except NotImplementedError as error:
            raise UserError(
                f"{path.name} is a MATLAB v7.3 file: save it again with save(..., '-v7')"
            ) from error
        except (OSError, ValueError, TypeError, EOFError, LookupError, scipy.io.matlab.MatReadError) as error:
            raise UserError(f"{path} is damaged or not a MATLAB file ({error}): save it again") from error
        parts = {name: np.asarray(value) for name, value in content.items() if not name.startswith("__")}
        columns = {name: _column(value) for name, value in parts.items() if name != "responses"}
        if "responses" not in parts:
            return columns
        values = parts["responses"]  # of one neuroid loadmat makes a list
        return columns | {"responses": values.reshape(shapes["responses"]) if values.ndim == 1 else values}

    def write(self, path: Path, parts: Parts) -> None:
        """Variables by name, texts as cells."""
        import scipy.io

        cells = {name: values.astype(object) for name, values in parts.items() if values.dtype.kind == "U"}
        scipy.io.savemat(path, {**parts, **cells})


def _column(values: npt.NDArray[Any]) -> npt.NDArray[Any]:
    """A list; rows of a character matrix lose the spaces that MATLAB fills them up with."""
    listed = np.atleast_1d(values)
    return np.char.rstrip(listed) if listed.dtype.kind == "U" else listed
