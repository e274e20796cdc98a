"""The best support of k units for a support vector probe, by cutting planes, with a bound on what it could miss.

Over supports s of k units of p,

    min_s c(s),   c(s) = min_{w, b} sum_i C_i hinge(y_i (x_is w + b)) + |w|^2 / (2 gamma),   C_i = 1 / (2 n_class),

whose inner problem has the dual max_{0 <= a_i <= C_i, sum_i a_i y_i = 0} D(a, s),

    D(a, s) = sum_i a_i - gamma / 2 sum_{j in s} g_j^2,   g_j = sum_i a_i y_i x_ij.

D is linear in s, so any feasible a gives a cut t >= D(a, s) that holds for every support, exact inner solution or not.
Bertsimas, Pauphilet & Van Parys (2021), Stat. Sci. 35:555; Gurnee et al. (2023), TMLR.
"""

import os
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from time import monotonic
from typing import Any

import numpy as np
import numpy.typing as npt

from ....errors import UserError

Floats = npt.NDArray[np.float64]
Integers = npt.NDArray[np.intp]
Labels = npt.NDArray[np.bool_]

GAMMA = 100.0
N_FILTERED = 50
GAP = 1e-3
SECONDS = 10.0
_ROOT_CUTS = 40
_EXACT = 1e-6
"""How far from optimal the inner problem is left."""


@dataclass(frozen=True)
class Certificate:
    """What a search found: optimal for the filtered, regularised problem up to its gap.

    Attributes
    ----------
    units : intp array of shape (k,)
        Of those that were searched, in ascending order.
    objective : float
        c of this support; never above that of any support that the search was started with.
    bound : float
        No support has a lower c.
    n_cuts : int
    seconds : float
    gamma : float
    """

    units: Integers
    objective: float
    bound: float
    n_cuts: int
    seconds: float
    gamma: float

    @property
    def gap(self) -> float:
        """(objective - bound) / objective: 0 where nothing better exists."""
        return max(0.0, self.objective - self.bound) / max(self.objective, 1e-12)


@dataclass(frozen=True)
class Inner:
    """A solved inner problem.

    Attributes
    ----------
    primal : float
        The objective of weights that exist, an upper bound of c.
    total, squared : float, array of shape (p,)
        The cut t >= total - gamma / 2 squared . z.
    """

    primal: float
    total: float
    squared: Floats


class HingeProblem:
    """The inner problem for any support of the same rows.

    Parameters
    ----------
    x : array of shape (n_rows, p)
        In the scale (x - m) / (10 sd).
    labels : bool array of shape (n_rows,)
    gamma : float
    """

    def __init__(self, x: Floats, labels: Labels, gamma: float) -> None:
        self.x, self.gamma = np.ascontiguousarray(x, np.float64), float(gamma)
        self.y = np.where(labels, 1.0, -1.0)
        n_true = int(labels.sum())
        self.cost = np.where(labels, 0.5 / n_true, 0.5 / (len(labels) - n_true))

    def solve(self, z: Floats) -> Inner:
        """For a support, or a mixture of them: z (p,) between 0 and 1."""
        from sklearn.svm import SVC

        there = np.flatnonzero(z > 1e-9)
        scaled = self.x[:, there] * np.sqrt(self.gamma * z[there] * self.cost.mean())
        machine = SVC(kernel="linear", C=1.0, tol=1e-4, cache_size=200, shrinking=False)
        machine.fit(scaled, self.y, sample_weight=self.cost / self.cost.mean())
        a = np.zeros(len(self.y))
        a[machine.support_] = np.abs(machine.dual_coef_[0]) * self.cost.mean()
        return self._inner(self._feasible(a), z)

    def _feasible(self, a: Floats) -> Floats:
        """Clipped into its box, the heavier class shrunk until both sum to the same: rounding must make no cut."""
        a = np.clip(a, 0, self.cost)
        true = self.y > 0
        positive, negative = float(a[true].sum()), float(a[~true].sum())
        least = min(positive, negative)
        a[true] *= least / positive if positive > 0 else 0.0
        a[~true] *= least / negative if negative > 0 else 0.0
        return a

    def _inner(self, a: Floats, z: Floats) -> Inner:
        g = (a * self.y) @ self.x
        weights = self.gamma * z * g
        with np.errstate(invalid="ignore", divide="ignore"):
            penalty = float(np.where(z > 0, weights**2 / z, 0.0).sum()) / (2 * self.gamma)
        return Inner(self._loss(self.x @ weights) + penalty, float(a.sum()), g**2)

    def _loss(self, output: Floats) -> float:
        """sum_i C_i hinge(y_i (output_i + b)) at its best b, a breakpoint y_i - output_i of this convex function."""
        breaks = self.y - output
        order = np.argsort(breaks)
        slope = -float(self.cost[self.y > 0].sum()) + np.cumsum(self.cost[order])
        bias = breaks[order[int(np.searchsorted(slope, -1e-15))]]
        return float(self.cost @ np.maximum(0, 1 - self.y * (output + bias)))

    def objective(self, units: Integers) -> float:
        """C of a support."""
        z = np.zeros(self.x.shape[1])
        z[units] = 1
        return self.solve(z).primal


def optimal_support(
    x: Floats,
    labels: Labels,
    k: int,
    *,
    gamma: float = GAMMA,
    seconds: float = SECONDS,
    gap: float = GAP,
    starts: Sequence[Integers] = (),
) -> Certificate:
    """The k columns of x whose support vector probe has the least regularised hinge loss.

    First cuts come from the relaxed problem (0 <= z <= 1), the others from the supports that the integer problem of all
    cuts proposes, solved by HiGHS; its dual bound is the bound. Whatever stops it, the best support seen is kept.

    Parameters
    ----------
    x : array of shape (n_rows, p)
        Training rows as (x - m) / (10 sd); p of 50 or so.
    labels : bool array of shape (n_rows,)
        Both classes must be there.
    k : int
    gamma : float
        With 10 and less the answer is that of the mean difference; with 1000 the search is hard.
    seconds : float
    gap : float
        (objective - bound) / objective at which it stops.
    starts : sequence of intp array
        Supports to begin with, such as those of adaptive thresholding.

    Raises
    ------
    UserError
        For a k that is not between 1 and p, or a time that is not above 0.
    """
    p = x.shape[1]
    if not 1 <= k <= p:
        raise UserError(f"a support of {k} of {p} units: give 1 to {p}")
    if not (seconds > 0 and gamma > 0):
        raise UserError(f"the search needs a time and a gamma above 0, not {seconds:g} s and {gamma:g}")
    search = _Search(HingeProblem(x, labels, gamma), k, seconds, gap)
    search.look(np.argsort(-np.abs(x[labels].mean(axis=0) - x[~labels].mean(axis=0)))[:k])
    for units in starts:
        search.look(np.asarray(units, np.intp))
    search.cut_at_the_root()
    search.run()
    return search.certificate()


class _Search:
    """Cuts, the best support so far, and the best bound."""

    def __init__(self, problem: HingeProblem, k: int, seconds: float, gap: float) -> None:
        self.problem, self.k, self.p, self.gap = problem, k, problem.x.shape[1], gap
        self.begun, self.seconds = monotonic(), seconds
        self.cuts: list[tuple[float, Floats]] = []
        self.seen: set[tuple[int, ...]] = set()
        self.best: Integers = np.arange(k)
        self.objective, self.bound = np.inf, 0.0

    @property
    def left(self) -> float:
        return self.seconds - (monotonic() - self.begun)

    @property
    def is_done(self) -> bool:
        return self.objective - self.bound <= self.gap * self.objective or self.left <= 0

    def look(self, units: Integers) -> bool:
        """Solve a support and add its cut; whether it is a new one."""
        units = np.sort(units)
        name = tuple(units.tolist())
        if name in self.seen:
            return False
        self.seen.add(name)
        z = np.zeros(self.p)
        z[units] = 1
        solved = self._cut(z)
        if solved.primal < self.objective:
            self.objective, self.best = solved.primal, units
        return True

    def _cut(self, z: Floats) -> Inner:
        solved = self.problem.solve(z)
        self.cuts.append((solved.total, -self.problem.gamma / 2 * solved.squared))
        return solved

    def cut_at_the_root(self) -> None:
        """Cuts of the relaxed problem, each at a mixture half way to the last one, and the supports that these name."""
        from scipy.optimize import linprog

        z = np.full(self.p, self.k / self.p)
        for _ in range(_ROOT_CUTS):
            if self.is_done or self.left < self.seconds / 2:
                return
            solved = self._cut(z)
            self.look(np.argsort(-z, kind="stable")[: self.k])
            rows, limits = self._rows()
            with silent_output():
                found = linprog(
                    np.append(np.zeros(self.p), 1),
                    A_ub=rows,
                    b_ub=limits,
                    A_eq=np.append(np.ones(self.p), 0)[None],
                    b_eq=[self.k],
                    bounds=[(0, 1)] * self.p + [(0, None)],
                    method="highs",
                )
            if found.x is None:
                return
            if solved.primal - found.fun <= self.gap * solved.primal:
                return
            z = 0.5 * z + 0.5 * np.clip(found.x[: self.p], 0, 1)

    def run(self) -> None:
        """Solve the integer problem of all cuts, cut at what it proposes, until nothing better can exist."""
        while not self.is_done:
            support, bound = self._proposed()
            self.bound = max(self.bound, min(bound, self.objective))
            if self.is_done or support is None or not self.look(support):
                return

    def _rows(self) -> tuple[Floats, Floats]:
        """The cuts as rows slope . z - t <= -total."""
        slopes = np.stack([slope for _, slope in self.cuts])
        return np.column_stack([slopes, -np.ones(len(slopes))]), -np.array([total for total, _ in self.cuts])

    def _proposed(self) -> tuple[Integers | None, float]:
        """The support where the cuts allow the least, where one was found in time, and the solver's dual bound."""
        from scipy.optimize import Bounds, LinearConstraint, milp

        rows, limits = self._rows()
        with silent_output():
            found: Any = milp(
                np.append(np.zeros(self.p), 1),
                constraints=[
                    LinearConstraint(rows, -np.inf, limits),
                    LinearConstraint(np.append(np.ones(self.p), 0)[None], self.k, self.k),
                ],
                integrality=np.append(np.ones(self.p), 0),
                bounds=Bounds(np.zeros(self.p + 1), np.append(np.ones(self.p), np.inf)),
                options={"time_limit": max(self.left, 0.05), "mip_rel_gap": self.gap / 4},
            )
        bound = getattr(found, "mip_dual_bound", None)
        known = float(bound) if bound is not None and np.isfinite(bound) else 0.0
        if found.x is None:
            return None, known
        return np.argsort(-found.x[: self.p], kind="stable")[: self.k], known

    def certificate(self) -> Certificate:
        return Certificate(
            self.best,
            float(self.objective),
            float(min(self.bound, self.objective)),
            len(self.cuts),
            monotonic() - self.begun,
            self.problem.gamma,
        )


@contextmanager
def silent_output() -> Iterator[None]:
    """Send what C code writes to standard output nowhere: HiGHS prints a line of its own when its time is over."""
    with suppress(OSError, ValueError):
        sys.stdout.flush()
    try:
        kept = os.dup(1)
    except OSError:  # it is closed already
        yield
        return
    nowhere = os.open(os.devnull, os.O_WRONLY)
    try:
        os.dup2(nowhere, 1)
        yield
    finally:
        _flush_c()
        os.dup2(kept, 1)
        os.close(kept)
        os.close(nowhere)


def _flush_c() -> None:
    """Empty C's own buffer before standard output is back, so that nothing of it comes later."""
    import ctypes

    with suppress(OSError, AttributeError, TypeError):
        ctypes.CDLL(None).fflush(None)
