"""What intervals were made of, kept part by part: for paired tests and the uncertainty of ranks."""

from collections.abc import Collection
from typing import Any

import numpy as np
import numpy.typing as npt

from ..submission.schema import Draws
from .models import DrawsRow

SMALL = ("samples", "subjects", "both")
"""Parts that are small enough to be read of every score."""
_PARTS = (*SMALL, "units", "crossed")


def keep_draws(score: int, draws: Draws) -> None:
    """Keep the draws of a score, within a change of the board."""
    for part in _PARTS:
        values = np.array(getattr(draws, part), dtype=np.float32)
        if values.size:
            rows = len(values) if values.ndim > 1 else 0
            DrawsRow.create(
                score=score, part=part, kind=draws.kind, n=draws.n, rows=rows, numbers=values.tobytes()
            )


def arrays_of_draws(scores: Collection[int], parts: Collection[str] = _PARTS) -> dict[int, dict[str, Any]]:
    """The draws of scores as a run's record has them (``draws``, or ``replicates_...``). Reads the board."""
    found: dict[int, dict[str, Any]] = {}
    columns = (DrawsRow.score, DrawsRow.part, DrawsRow.kind, DrawsRow.n, DrawsRow.rows, DrawsRow.numbers)
    asked = list(scores)
    for start in range(0, len(asked), 500):
        some = asked[start : start + 500]
        query = DrawsRow.select(*columns).where(DrawsRow.score.in_(some), DrawsRow.part.in_(list(parts)))
        for score, part, kind, n, rows, numbers in query.tuples():
            values: npt.NDArray[Any] = np.frombuffer(bytes(numbers), np.float32).astype(np.float64)
            mine = found.setdefault(score, {})
            if kind == "draws":
                mine["draws"] = values
                continue
            mine[f"replicates_{part}"] = values.reshape(rows, -1) if rows else values
            mine["replicates_kind"], mine["replicates_n"] = np.array([kind]), np.array([n])
    return found
