"""FreeSurfer's own files of vertices: ``.annot``, ``.curv`` (``lh.thickness``), bounded before they are read."""

from pathlib import Path

import numpy as np
import numpy.typing as npt

from ....bounded import require_for
from ....errors import UserError

_CURVATURE = b"\xff\xff\xff"
_MOST_NAMES = 100_000


def is_curvature(path: Path) -> bool:
    """Whether a file begins as ``lh.curv`` or ``lh.thickness`` does."""
    try:
        with path.open("rb") as stream:
            return stream.read(3) == _CURVATURE
    except OSError:
        return False


def read_curvature(path: Path) -> npt.NDArray[np.float32]:
    """One number a vertex.

    Raises
    ------
    UserError
        For a file that is cut off, or holds several.
    """
    size = path.stat().st_size
    with path.open("rb") as stream:
        head = stream.read(15)
        if len(head) < 15 or head[:3] != _CURVATURE:
            raise UserError(f"{path} is no map of FreeSurfer, or cut off")
        n_vertices, _, per_vertex = (int(one) for one in np.frombuffer(head[3:], ">i4"))
        if per_vertex != 1 or n_vertices < 1:
            raise UserError(f"{path} says that it has {per_vertex} numbers a vertex: one is read")
        if size - 15 != 4 * n_vertices:
            raise UserError(
                f"{path} is cut off or damaged: it says that it has {n_vertices} vertices, and holds {size - 15} bytes "
                "of them"
            )
        require_for(path, 8 * n_vertices)
        return np.frombuffer(stream.read(), ">f4").astype(np.float32)


def is_annotation(path: Path) -> bool:
    """By its name: an annotation has no mark of its own."""
    return path.name.endswith(".annot")


def read_annotation(path: Path) -> npt.NDArray[np.object_]:
    """The name of every vertex' region; ``unknown`` where it has none.

    Raises
    ------
    UserError
        For a file that is cut off or damaged.
    """
    raw = _Numbers(path)
    n_vertices = raw.number("vertices", most=raw.left // 8)
    pairs = raw.numbers(2 * n_vertices).reshape(-1, 2)
    if (
        len(np.unique(pairs[:, 0])) != n_vertices
        or pairs[:, 0].min() != 0
        or pairs[:, 0].max() != n_vertices - 1
    ):
        raise UserError(f"{path} is damaged: its vertices are not 0 to {n_vertices - 1}, each once")
    codes = np.empty(n_vertices, np.int64)
    codes[pairs[:, 0]] = pairs[:, 1]
    names = _color_table(raw)
    found = np.full(n_vertices, "unknown", dtype=object)
    for code in np.unique(codes):
        found[codes == code] = names.get(int(code), "unknown")
    return found


def _color_table(raw: "_Numbers") -> dict[int, str]:
    """Color as one number -> name, of both versions of the table."""
    if raw.left < 4 or raw.number("tables of colors", least=0) != 1:
        raise UserError(f"{raw.path} names no regions: it has no table of colors")
    first = raw.number("colors", least=-(2**31))
    if first > 0:  # the older version
        raw.text(raw.number("letters", most=raw.left))
        numbered = range(min(first, _MOST_NAMES))
    else:
        raw.number("colors")
        raw.text(raw.number("letters", most=raw.left))
        numbered = range(raw.number("colors", least=0, most=_MOST_NAMES))
    found: dict[int, str] = {}
    for _ in numbered:
        if first <= 0:
            raw.number("the place of a color", least=0)
        name = raw.text(raw.number("letters", most=raw.left))
        red, green, blue, _alpha = (int(one) for one in raw.numbers(4))
        found[red + green * 2**8 + blue * 2**16] = name
    return found


class _Numbers:
    """A file of big-endian whole numbers and texts, read from front to back."""

    def __init__(self, path: Path) -> None:
        require_for(path, 16 * path.stat().st_size)
        self.path, self._data, self._place = path, path.read_bytes(), 0

    @property
    def left(self) -> int:
        """Bytes that follow."""
        return len(self._data) - self._place

    def numbers(self, n: int) -> npt.NDArray[np.int64]:
        """So many of them."""
        if 4 * n > self.left:
            raise UserError(f"{self.path} is cut off: {4 * n} bytes are missing, and {self.left} follow")
        self._place += 4 * n
        return np.frombuffer(self._data, ">i4", n, self._place - 4 * n).astype(np.int64)

    def number(self, what: str, *, least: int = 1, most: int | None = None) -> int:
        """One of them, that must lie between bounds."""
        found = int(self.numbers(1)[0])
        if found < least or (most is not None and found > most):
            raise UserError(f"{self.path} is cut off or damaged: it says that it has {found} {what}")
        return found

    def text(self, n: int) -> str:
        """So many letters, up to the first NUL."""
        self._place += n
        return self._data[self._place - n : self._place].split(b"\0")[0].decode("utf-8", "replace")
