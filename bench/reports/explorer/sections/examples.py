"""What a unit or feature answers to: where it answers most, and examples from its whole range."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt

from .....models.extraction.rows import TokenWindows
from ..content import Of, Section
from ..looked import Asked, Indices, Looked

N_TOP, N_BANDS, N_EACH = 20, 8, 3
BEFORE, AFTER = 14, 6
"""Tokens that are shown before the one of an example, and after it."""
STEPS = 100
MOST_PLACES = 8
"""Rows and columns of places of a picture; of finer maps several are shown as one."""
_FIRST = 1024
Values = npt.NDArray[np.float32]


def examples(looked: Looked, asked: Asked) -> Section:
    """Twenty rows of highest activation, and three of each of eight bands of equal width, drawn at random.

    Of a feature the bands lie between 0 and its maximum, of a unit between its minimum and its maximum; a band's share
    is that of all rows. One row of a document is among the twenty until no other document has it active, then one of a
    window or picture. Activations stand in whole steps of max |activation| / 100.

    Parameters
    ----------
    looked : Looked
    asked : Asked
    """
    context = _Texts.of(looked) if looked.reads else _Pictures.of(looked)
    return Section("examples", entries={of: list(_entries(looked, of, context)) for of in looked.kinds})


def active_rows(looked: Looked, of: Of) -> Iterator[tuple[Indices, Values]]:
    """Of each feature the rows in which it is active, and how much; of each unit all rows.

    Parameters
    ----------
    looked : Looked
    of : {"unit", "feature"}
    """
    if of == "unit":
        everything = np.arange(len(looked.units))
        for i in range(looked.count("unit")):
            yield everything, np.ascontiguousarray(looked.units[:, i])
        return
    codes = looked.features
    for start, end in zip(codes.indptr[:-1], codes.indptr[1:], strict=True):
        yield codes.indices[start:end], codes.data[start:end]


def _entries(looked: Looked, of: Of, context: "_Context") -> Iterator[dict[str, Any] | None]:
    everywhere = np.zeros(len(looked.units), np.float32)
    window = looked.inside.read.stimulus
    for i, (rows, values) in enumerate(active_rows(looked, of)):
        most = float(np.abs(values).max(initial=0))
        if not most:
            yield None
            continue
        generator = np.random.default_rng([looked.inside.seed, 51, of == "unit", i])
        top = rows[_top(values, looked.document[rows], window[rows])]
        low = 0.0 if of == "feature" else float(values.min())
        edges = np.linspace(low, float(values.max()), N_BANDS + 1)
        drawn = [(n, rows[some]) for n, some in _bands(values, edges, window[rows], generator)]
        everywhere[rows] = values
        shown = iter(
            context.shown(np.concatenate([top, *(some for _, some in drawn)]), everywhere, most / STEPS)
        )
        everywhere[rows] = 0
        yield {
            "step": most / STEPS,
            "top": [next(shown) for _ in top],
            "quantiles": [
                {
                    "low": edges[k],
                    "high": edges[k + 1],
                    "share": n / len(everywhere),
                    "examples": [next(shown) for _ in some],
                }
                for k, (n, some) in enumerate(drawn)
            ],
        }


def _top(values: Values, document: Indices, window: Indices) -> Indices:
    """Places of the highest values, the highest first: one of a document, then one of a window."""
    n, size = len(values), _FIRST
    while True:
        some = np.argpartition(values, n - size)[n - size :] if size < n else np.arange(n)
        order = some[np.lexsort((some, -values[some]))]
        chosen = _firsts(order, document)[:N_TOP]
        if len(chosen) == N_TOP or size >= n:
            break
        size *= 8
    if len(chosen) < N_TOP:
        left = order[~np.isin(window[order], window[chosen])]
        chosen = np.concatenate([chosen, _firsts(left, window)[: N_TOP - len(chosen)]])
    found: Indices = chosen[np.lexsort((chosen, -values[chosen]))]
    return found


def _firsts(order: Indices, kind: Indices) -> Indices:
    """The first of each kind, in their order."""
    first = np.unique(kind[order], return_index=True)[1]
    firsts: Indices = order[np.sort(first)]
    return firsts


def _bands(
    values: Values, edges: npt.NDArray[np.float64], window: Indices, generator: np.random.Generator
) -> Iterator[tuple[int, Indices]]:
    """How many values lie in each band, and where some drawn ones stand, of windows apart where there are others."""
    band = np.searchsorted(edges[1:-1], values, side="right").astype(np.uint8)
    order = np.argsort(band, kind="stable")
    for members in np.split(order, np.cumsum(np.bincount(band, minlength=N_BANDS))[:-1]):
        drawn = members[generator.choice(len(members), min(len(members), 4 * N_EACH), replace=False)]
        apart = _firsts(drawn, window)
        beside = drawn[~np.isin(drawn, apart)]
        yield len(members), np.concatenate([apart, beside])[:N_EACH]


class _Context(Protocol):
    def shown(self, rows: Indices, everywhere: Values, step: float) -> Sequence[Any]:
        """An example for each of these rows, from what is answered in every row."""


@dataclass(frozen=True)
class _Texts:
    """Where every row stands in the texts.

    Attributes
    ----------
    position : int array of shape (n_rows,)
    row_of : int array of shape (n_tokens,)
        -1 where the layer was not read.
    first, end : int array of shape (n_rows,)
        Of the row's window.
    """

    position: Indices
    row_of: Indices
    first: Indices
    end: Indices

    @classmethod
    def of(cls, looked: Looked) -> "_Texts":
        part, read = looked.inside.part, looked.inside.read
        assert isinstance(part, TokenWindows)
        starts = np.cumsum([0, *map(len, part.ids)])
        row_of = np.full(starts[-1], -1)
        row_of[looked.position] = np.arange(len(read))
        return cls(looked.position, row_of, starts[read.stimulus], starts[read.stimulus + 1])

    def shown(self, rows: Indices, everywhere: Values, step: float) -> list[list[Any]]:
        """[position, first shown position, [steps of each token, None where it was not read]]."""
        at = self.position[rows]
        first, end = np.maximum(self.first[rows], at - BEFORE), np.minimum(self.end[rows], at + AFTER + 1)
        places = first[:, None] + np.arange(BEFORE + AFTER + 1)
        row = self.row_of[np.minimum(places, len(self.row_of) - 1)]
        found = in_steps(everywhere[row], step).tolist()
        return [
            [p, f, [s if r >= 0 else None for s, r in zip(steps[: e - f], read, strict=False)]]
            for p, f, e, steps, read in zip(
                at.tolist(), first.tolist(), end.tolist(), found, row.tolist(), strict=True
            )
        ]


@dataclass(frozen=True)
class _Pictures:
    """Which picture and place every row is of.

    Attributes
    ----------
    stimulus : int array of shape (n_rows,)
    row_of : int array of shape (n_pictures, rows of places, columns of places)
    block : int
        Rows and columns of places that are shown as one.
    """

    stimulus: Indices
    row_of: Indices
    block: int

    @classmethod
    def of(cls, looked: Looked) -> "_Pictures":
        read = looked.inside.read
        n_places = int(read.place.max()) + 1
        skipped, height, width = grid_of(n_places)
        row_of = np.empty((int(read.stimulus.max()) + 1, n_places), np.intp)
        row_of[read.stimulus, read.place] = np.arange(len(read))
        return cls(
            read.stimulus,
            row_of[:, skipped:].reshape(-1, height, width),
            -(-max(height, width) // MOST_PLACES),
        )

    def shown(self, rows: Indices, everywhere: Values, step: float) -> list[list[Any]]:
        """[number of the picture, [rows, columns], steps of each place]."""
        numbers = self.stimulus[rows]
        grids = everywhere[self.row_of[numbers]]
        if self.block > 1:
            grids = _coarser(grids, self.block)
        shape = list(grids.shape[1:])
        steps = in_steps(grids, step).reshape(len(rows), -1).tolist()
        return [[number, shape, one] for number, one in zip(numbers.tolist(), steps, strict=True)]


def in_steps(values: Values, step: float) -> npt.NDArray[np.int64]:
    """Values in whole steps; what is not 0 stays so.

    Parameters
    ----------
    values : array
    step : float
    """
    steps: npt.NDArray[np.int64] = np.rint(values / step).astype(np.int64)
    small = (steps == 0) & (values != 0)
    steps[small] = np.sign(values[small])
    return steps


def grid_of(n_places: int) -> tuple[int, int, int]:
    """Places that stand for no part of a picture (a class token), rows and columns of the others.

    Parameters
    ----------
    n_places : int
    """
    for skipped in (0, 1):
        side = round((n_places - skipped) ** 0.5)
        if side and side**2 == n_places - skipped:
            return skipped, side, side
    return 0, 1, n_places


def _coarser(grids: Values, block: int) -> Values:
    """The value of largest size in each block of places."""
    height, width = grids.shape[1:]
    pad = [(0, 0), (0, -height % block), (0, -width % block)]
    padded = np.pad(grids, pad)
    cut = padded.reshape(len(grids), padded.shape[1] // block, block, padded.shape[2] // block, block)
    flat = cut.transpose(0, 1, 3, 2, 4).reshape(*cut.shape[:2], cut.shape[3], block * block)
    largest = np.abs(flat).argmax(axis=-1)
    chosen: Values = np.take_along_axis(flat, largest[..., None], axis=-1)[..., 0]
    return chosen
