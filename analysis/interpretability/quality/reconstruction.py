"""How well a dictionary makes rows again: the fraction of variance left, active features a row, shrinkage."""

import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from ....errors import UserError
from ..codes import Codes
from ..dictionary import Dictionary

Rows = Tensor | npt.NDArray[Any]
BATCH = 4096


@dataclass(frozen=True)
class Reconstruction:
    """Of held-out rows x and what a dictionary makes of them, x^.

    Attributes
    ----------
    fvu : float
        sum ||x - x^||^2 / sum ||x - mean x||^2 over all rows together, with the mean of these very rows.
    l0 : float
        Mean number of active features of a row.
    l2_ratio : float
        mean ||x^|| / mean ||x||; below 1 where a dictionary shrinks.
    cosine : float
        Mean cosine of x and x^.
    bias : float
        E ||x^||^2 / E <x, x^>: 1 where the best factor of x^ is 1 (Gao et al. 2024 call it the reconstruction bias).
    n_rows : int
    """

    fvu: float
    l0: float
    l2_ratio: float
    cosine: float
    bias: float
    n_rows: int


def batches(rows: Rows, size: int = BATCH) -> Iterator[Tensor]:
    """Rows as float32 tensors, some at a time; a memory-mapped array is never held whole.

    Parameters
    ----------
    rows : array of shape (n_rows, n_units)
    size : int
    """
    for start in range(0, len(rows), size):
        part = rows[start : start + size]
        yield part.float() if isinstance(part, Tensor) else torch.from_numpy(np.array(part, np.float32))


class ReconstructionSums:
    """The sums over rows that :class:`Reconstruction` is made of, batch by batch, in double precision."""

    def __init__(self) -> None:
        self.n_rows = self.n_active = 0
        self.left = self.made = self.shared = self.norms = self.made_norms = self.cosines = 0.0
        self._first: Tensor | None = None
        self._sum: Tensor | None = None
        self._squares = 0.0

    def add(self, x: Tensor, made: Tensor, codes: Codes) -> None:
        """Some rows more.

        Parameters
        ----------
        x, made : Tensor of shape (n_rows, n_units)
        codes : Codes
        """
        x, made = x.double(), made.double()
        if self._first is None:  # sums about the first rows' mean lose no digits
            self._first, self._sum = x.mean(dim=0), torch.zeros(x.shape[1], dtype=torch.float64)
        about = x - self._first
        assert self._sum is not None
        self._sum += about.sum(dim=0)
        self._squares += float(about.square().sum())
        self.left += float((x - made).square().sum())
        self.made += float(made.square().sum())
        shared, norm, made_norm = (x * made).sum(dim=1), x.norm(dim=1), made.norm(dim=1)
        self.shared += float(shared.sum())
        self.norms += float(norm.sum())
        self.made_norms += float(made_norm.sum())
        self.cosines += float((shared / (norm * made_norm).clamp_min(1e-300)).sum())
        self.n_active += int((codes.values > 0).sum())
        self.n_rows += len(x)

    def result(self) -> Reconstruction:
        """The numbers of all rows so far.

        Raises
        ------
        UserError
            For fewer than two rows, or rows that are all the same.
        """
        n = self.n_rows
        if n < 2 or self._sum is None:
            raise UserError(f"the quality of a dictionary needs at least 2 rows, not {n}")
        spread = self._squares - float(self._sum.square().sum()) / n
        if not math.isfinite(spread):
            raise UserError(f"of {n} rows some hold values that are NaN or infinite")
        if not spread > 0:
            raise UserError(
                f"all {n} rows are the same: there is no variance that a dictionary could explain"
            )
        return Reconstruction(
            fvu=self.left / spread,
            l0=self.n_active / n,
            l2_ratio=self.made_norms / self.norms if self.norms else float("nan"),
            cosine=self.cosines / n,
            bias=self.made / self.shared if self.shared else float("nan"),
            n_rows=n,
        )


def reconstruction(dictionary: Dictionary, rows: Rows) -> Reconstruction:
    """Quality of a dictionary on rows that it did not learn from.

    Parameters
    ----------
    dictionary : Dictionary
    rows : array of shape (n_rows, n_units)
        The layer's own.

    Raises
    ------
    UserError
        For fewer than two rows, rows of another layer, a transcoder (whose rows come out elsewhere).
    """
    if dictionary.weights.decoder.shape[1] != dictionary.n_units:
        raise UserError("a transcoder makes other rows than it takes: give it the rows that it should make")
    sums = ReconstructionSums()
    for x in batches(rows):
        codes = dictionary.encode(x)
        skips = "skip" in dictionary.weights.extra
        sums.add(x, dictionary.reconstruct(x) if skips else dictionary.decode(codes), codes)
    return sums.result()
