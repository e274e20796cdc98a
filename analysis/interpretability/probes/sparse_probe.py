"""Probes of k units for k = 1, 2, 4 ... all: by a ranking, by adaptive thresholding, of random units."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cached_property

import numpy as np
import numpy.typing as npt

from ....brain_data.probing.splits import Parts
from .logistic import Logistic, fit_logistic
from .rankings import ranked
from .scale import Scale
from .scores import N_DRAWS, Scores, intervals, scores

Floats = npt.NDArray[np.float64]
Integers = npt.NDArray[np.intp]
Labels = npt.NDArray[np.bool_]

SIZES = (1, 2, 4, 8, 16, 32, 64, 128, 256)
N_RANDOM = 20


def sizes_up_to(most: int, n_units: int) -> list[int]:
    """1, 2, 4 ... 256 up to the smaller of both, and all units last."""
    return [*(k for k in SIZES if k <= most and k < n_units), n_units]


@dataclass(frozen=True)
class Point:
    """A probe of some units, and its scores on the test rows.

    Attributes
    ----------
    units : intp array of shape (k,)
        The most telling first.
    weights : array of shape (k,)
        Of the units over 10 standard deviations each.
    bias : float
    scores : Scores
    intervals : dict of str to (low, high)
        Of other documents; empty where they were not asked for.
    """

    units: Integers
    weights: Floats
    bias: float
    scores: Scores
    intervals: dict[str, tuple[float, float]] = field(default_factory=dict)

    @property
    def k(self) -> int:
        """How many units it reads."""
        return len(self.units)


@dataclass(frozen=True)
class Bench:
    """Standardised rows of one property, ready to be probed.

    Attributes
    ----------
    x : array of shape (n_train, n_units)
    y : bool array of shape (n_train,)
    x_test, y_test
        The same of the test rows.
    documents : array of shape (n_test,)
        The document of every test row.
    train_documents : array of shape (n_train,)
    """

    x: Floats
    y: Labels
    x_test: Floats
    y_test: Labels
    documents: npt.NDArray[np.generic]
    train_documents: npt.NDArray[np.generic]

    @classmethod
    def of(
        cls, rows: npt.ArrayLike, labels: npt.ArrayLike, documents: npt.ArrayLike, parts: Parts
    ) -> "Bench":
        """Rows (n, n_units), labels and documents (n,) in the parts of a split, in the scale of the training rows."""
        values, true, of = np.asarray(rows), np.asarray(labels, bool), np.asarray(documents)
        scale = Scale.of(values[parts.train])
        return cls(
            scale(values[parts.train]),
            true[parts.train],
            scale(values[parts.test]),
            true[parts.test],
            of[parts.test],
            of[parts.train],
        )

    @property
    def n_units(self) -> int:
        """Of every row."""
        return int(self.x.shape[1])

    def only(self, units: Integers) -> "Bench":
        """The same with fewer units."""
        return self.with_rows(self.x[:, units], self.x_test[:, units])

    def with_rows(self, x: Floats, x_test: Floats) -> "Bench":
        """The same with other rows for the same labels."""
        return Bench(x, self.y, x_test, self.y_test, self.documents, self.train_documents)

    def point(
        self, units: Integers, *, n_draws: int = 0, random_state: int = 0, start: Logistic | None = None
    ) -> Point:
        """Refit a nearly unregularised logistic probe on some units, and score it.

        Parameters
        ----------
        units : intp array
        n_draws : int
            Of the bootstrap over documents; 0 for no intervals.
        random_state : int
        start : Logistic, optional
            Where the fit begins.
        """
        found = fit_logistic(self.x[:, units], self.y, start=start)
        odds = found.decision(self.x_test[:, units])
        around = (
            intervals(odds, self.y_test, self.documents, n_draws=n_draws, random_state=random_state)
            if n_draws
            else {}
        )
        return Point(np.asarray(units, np.intp), found.weights, found.bias, scores(odds, self.y_test), around)

    @cached_property
    def whole(self) -> Logistic:
        """The probe of all units."""
        return fit_logistic(self.x, self.y)


def by_ranking(
    bench: Bench,
    sizes: Sequence[int],
    *,
    ranking: str = "mean difference",
    n_draws: int = 0,
    random_state: int = 0,
) -> list[Point]:
    """Probes of the first k units of a ranking, which is made on the training rows."""
    order = ranked(ranking, bench.x, bench.y)
    return [
        bench.point(
            order[:k],
            n_draws=n_draws,
            random_state=random_state,
            start=bench_start(bench, order) if k == bench.n_units else None,
        )
        for k in sizes
    ]


def bench_start(bench: Bench, order: Integers) -> Logistic:
    """The probe of all units with its units in another order."""
    return Logistic(bench.whole.weights[order], bench.whole.bias)


def adaptive_supports(bench: Bench, sizes: Sequence[int]) -> dict[int, Integers]:
    """Units by adaptive thresholding: fit all, keep the largest |w| for the next smaller k, fit these, and so on.

    Every fit begins at the weights of the one before. Gurnee et al. (2023), TMLR.

    Returns
    -------
    dict of int to intp array
        k -> units, largest |w| first.
    """
    units, probe = np.arange(bench.n_units), bench.whole
    found = {}
    for k in sorted(set(sizes), reverse=True):
        order = np.argsort(-np.abs(probe.weights), kind="stable")[:k]
        units, probe = units[order], Logistic(probe.weights[order], probe.bias)
        if k < bench.n_units:
            probe = fit_logistic(bench.x[:, units], bench.y, start=probe)
            order = np.argsort(-np.abs(probe.weights), kind="stable")
            units, probe = units[order], Logistic(probe.weights[order], probe.bias)
        found[k] = units
    return found


def adaptive(
    bench: Bench, sizes: Sequence[int], *, n_draws: int = N_DRAWS, random_state: int = 0
) -> list[Point]:
    """Probes of the units that adaptive thresholding keeps; see :func:`adaptive_supports`."""
    found = adaptive_supports(bench, sizes)
    return [
        bench.point(
            found[k],
            n_draws=n_draws,
            random_state=random_state,
            start=bench_start(bench, found[k]) if k == bench.n_units else None,
        )
        for k in sizes
    ]


def random_units(
    bench: Bench, sizes: Sequence[int], *, n_random: int = N_RANDOM, random_state: int = 0
) -> list[list[Point]]:
    """Probes of units drawn at random, so many draws for every k: what a probe of any k units gives."""
    generator = np.random.default_rng(random_state)
    return [[bench.point(generator.permutation(bench.n_units)[:k]) for _ in range(n_random)] for k in sizes]
