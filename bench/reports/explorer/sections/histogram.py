"""How often a unit or feature answers how much."""

from collections.abc import Iterator
from typing import Any

import numpy as np

from ..content import Of, Section
from ..looked import Asked, Looked
from .examples import active_rows

N_BINS = 20


def histogram(looked: Looked, asked: Asked) -> Section:
    """Rows in 20 bins of equal width, from 0 (features) or the minimum (units) to the maximum, and rows of exactly 0.

    Parameters
    ----------
    looked : Looked
    asked : Asked
    """
    return Section("histogram", entries={of: list(_entries(looked, of)) for of in looked.kinds})


def _entries(looked: Looked, of: Of) -> Iterator[dict[str, Any]]:
    n_rows = len(looked.units)
    for _, values in active_rows(looked, of):
        some = values[values != 0]
        low = float(some.min()) if of == "unit" and len(some) else 0.0
        high = float(some.max(initial=0)) if of == "feature" or not len(some) else float(some.max())
        counts, edges = np.histogram(some, N_BINS, (low, high if high > low else low + 1))
        yield {"edges": edges, "counts": counts, "silent": n_rows - len(some), "n": n_rows}
