"""GIFTI files with an array a sample, kept as plain numbers on disk while they are read."""

from pathlib import Path

import numpy as np
import numpy.typing as npt

from ...errors import UserError
from ..gifti_arrays import open_gifti
from .arrays import Scratch


class Unpacked:
    """Series of surfaces as (sample, vertex) on disk, each unpacked an array at a time when it is first asked for."""

    def __init__(self) -> None:
        self._scratch = Scratch()
        self._known: dict[Path, npt.NDArray[np.float32]] = {}

    def series(self, path: Path) -> npt.NDArray[np.float32]:
        """A file's numbers as a map of memory.

        Raises
        ------
        UserError
            Where it is no GIFTI file, or its arrays differ in size.
        """
        if path not in self._known:
            file = open_gifti(path)
            n_vertices = [int(np.prod(one.shape)) for one in file.arrays]
            odd = next((number for number, one in enumerate(n_vertices) if one != n_vertices[0]), None)
            if odd is not None:
                raise UserError(
                    f"{path}: sample {odd + 1} has {n_vertices[odd]} vertices, the first {n_vertices[0]}"
                )
            plain = self._scratch.folder() / f"{len(self._known)}.f4"
            with plain.open("wb") as out:
                for place in range(len(file.arrays)):
                    out.write(file.read(place)[0].astype("<f4").tobytes())
            shape = (len(n_vertices), n_vertices[0])
            self._known[path] = np.memmap(plain, np.dtype("<f4"), "r", shape=shape)
        return self._known[path]
