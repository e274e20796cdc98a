"""Neighbours on the sheet beside those that answer alike."""

from collections.abc import Iterator
from typing import Any

import numpy as np

from ..content import Of, Section
from ..looked import Asked, Looked
from ..places import Floats, Indices, Places

N_NEAR, N_UNITS = 8, 5
_PERMUTATIONS = 199
_MOST_PRODUCTS = 400_000_000_000
"""Of dense columns; with more, rows are drawn."""
_BLOCK = 1 << 23


def neighbours(looked: Looked, asked: Asked) -> Section:
    """Eight nearest units or features on the sheet, and the eight with the highest Pearson r over rows.

    Features lie at the centres of their mass; those that never are active have no neighbours. The share of the one
    eight that is among the other stands beside the mean on 199 sheets whose places are permuted. Of a feature there are
    the five units, too, whose r with it is highest.

    Parameters
    ----------
    looked : Looked
    asked : Asked
    """
    places = Places.of(looked)
    entries: dict[Of, list[Any]] = {}
    controls: list[dict[str, Any]] = []
    left_out = [f"neighbours on the sheet: {places.why}"] if places.why else []
    for of in looked.kinds:
        entries[of], beside = _of(looked, places, of)
        controls += beside
    return Section("neighbours", entries=entries, controls=controls, left_out=left_out)


def _of(looked: Looked, places: Places, of: Of) -> tuple[list[Any], list[dict[str, Any]]]:
    columns = _Columns.of(looked, of)
    points = places.points(of)
    chosen = np.flatnonzero((columns.sd > 0) & (True if points is None else np.isfinite(points).all(axis=1)))
    found: list[Any] = [None] * looked.count(of)
    k = min(N_NEAR, len(chosen) - 1)
    if k < 1:
        return found, []
    near = None if points is None else places.nearest(points[chosen], k)
    alike = np.empty((len(chosen), k), np.intp)
    for start, r in columns.correlations(chosen):
        some = np.arange(start, start + len(r))
        r[np.arange(len(r)), some] = -np.inf
        top = np.argpartition(-r, k - 1, axis=1)[:, :k]
        order = np.take_along_axis(
            top, np.argsort(-np.take_along_axis(r, top, axis=1), axis=1, kind="stable"), axis=1
        )
        alike[some] = order
        for row, i in enumerate(some):
            entry: dict[str, Any] = {}
            own = chosen[i]
            there = None if points is None else places.apart(points[own], points[chosen])
            if near is not None and there is not None:
                entry["sheet"] = [[int(chosen[j]), there[j], r[row, j]] for j in near[i]]
            entry["functional"] = [
                [int(chosen[j]), r[row, j], None if there is None else there[j]] for j in order[row]
            ]
            if near is not None:
                entry["shared"] = len(np.intersect1d(near[i], order[row])) / k
            found[own] = entry
    if of == "feature":
        for own, units in zip(chosen, _units(looked, columns, chosen), strict=True):
            found[own]["units"] = units
    return found, [] if near is None else _permuted(near, alike, of, looked.inside.seed)


def _permuted(near: Indices, alike: Indices, of: Of, seed: int) -> list[dict[str, Any]]:
    """The mean share on the sheet, and on sheets whose places are dealt anew."""
    n = len(near)
    pairs = np.sort((np.arange(n)[:, None] * n + near).ravel())
    generator = np.random.default_rng([seed, 53])

    def shared(order: Indices) -> float:
        wanted = (order[:, None] * n + order[alike]).ravel()
        at = np.minimum(np.searchsorted(pairs, wanted), len(pairs) - 1)
        return float((pairs[at] == wanted).mean())

    own = shared(np.arange(n))
    null = np.array([shared(generator.permutation(n)) for _ in range(_PERMUTATIONS)])
    p = (1 + int((null >= own - 1e-12).sum())) / (1 + _PERMUTATIONS)
    return [
        {"kind": "permuted sheet", "of": of, "shared": null.mean(), "p": p, "n": n},
        {"kind": f"the sheet, mean over {of}s", "of": of, "shared": own, "n": n},
    ]


def _units(looked: Looked, columns: "_Columns", chosen: Indices) -> Iterator[list[list[Any]]]:
    """Of each of these features the units with the highest r."""
    units = _Columns.of(looked, "unit")
    n_units = looked.inside.n_units
    step = max(1, _BLOCK // n_units)
    for start in range(0, len(chosen), step):
        some = chosen[start : start + step]
        cross = np.asarray(columns.values[:, some].T @ looked.units, np.float64)
        r = units.r_of(cross / len(looked.units), columns.mean[some], columns.sd[some], np.arange(n_units))
        top = np.argsort(-r, axis=1, kind="stable")[:, :N_UNITS]
        for row, best in zip(r, top, strict=True):
            yield [[int(one), row[one]] for one in best if np.isfinite(row[one])]


class _Columns:
    """Units, dense, or features, sparse, with their moments.

    Parameters
    ----------
    values : array or csc_array of shape (n_rows, n)
    """

    def __init__(self, values: Any) -> None:
        self.values = values
        n = values.shape[0]
        total = np.asarray(values.sum(axis=0, dtype=np.float64)).ravel()
        self.mean: Floats = total / n
        if isinstance(values, np.ndarray):
            self.sd: Floats = np.std(values, axis=0, dtype=np.float64)
            self.sd[np.ptp(values, axis=0) == 0] = 0
        else:
            squares = np.asarray(values.multiply(values).sum(axis=0, dtype=np.float64)).ravel() / n
            variance = squares - self.mean**2
            self.sd = np.sqrt(np.where(variance > 1e-12 * squares, variance, 0))

    @classmethod
    def of(cls, looked: Looked, of: Of) -> "_Columns":
        """Those of a layer; of very many units some rows are drawn."""
        if of == "feature":
            return cls(looked.features)
        n_rows, n_units = looked.units.shape
        most = max(2, _MOST_PRODUCTS // n_units**2)
        if n_rows <= most:
            return cls(looked.units)
        drawn = np.random.default_rng([looked.inside.seed, 52]).choice(n_rows, most, replace=False)
        return cls(looked.units[np.sort(drawn)])

    def r_of(self, products: Floats, mean: Floats, sd: Floats, chosen: Indices) -> Floats:
        """Pearson r of columns with that mean and sd and the chosen ones here, from their mean products."""
        spread = np.outer(sd, self.sd[chosen])
        r = np.full(products.shape, np.nan)
        np.divide(products - np.outer(mean, self.mean[chosen]), spread, out=r, where=spread > 0)
        return np.clip(r, -1, 1)

    def correlations(self, chosen: Indices) -> Iterator[tuple[int, Floats]]:
        """The place of the first of some chosen columns, and r of those with all that are chosen, block by block."""
        n, step = self.values.shape[0], max(1, _BLOCK // len(chosen))
        if isinstance(self.values, np.ndarray):
            z = (self.values[:, chosen] - self.mean[chosen].astype(np.float32)) / self.sd[chosen].astype(
                np.float32
            )
            for start in range(0, len(chosen), step):
                r = np.asarray(z[:, start : start + step].T @ z, np.float64) / n
                yield start, np.clip(r, -1, 1)
            return
        columns = self.values[:, chosen]
        rows = columns.tocsr()
        for start in range(0, len(chosen), step):
            products = (columns[:, start : start + step].T @ rows).toarray().astype(np.float64) / n
            some = chosen[start : start + step]
            yield start, self.r_of(products, self.mean[some], self.sd[some], chosen)
