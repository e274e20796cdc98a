"""Every penalty of a ridge regression from the few at which it has to be computed.

What a ridge prediction does to an eigenvalue l of X X' is to shrink it by l / (l + a). As functions of l,
those of twenty penalties half a decade apart span far fewer dimensions than twenty wherever the spectrum is
narrow, so predictions at a few penalties, combined linearly, are those at all of them.
"""

from functools import cached_property

import numpy as np
import numpy.typing as npt
from scipy.linalg import qr

Floats = npt.NDArray[np.float64]
Indices = npt.NDArray[np.intp]

TOLERANCE = 1e-4
"""Largest error of a shrinkage factor, as a share of the penalty's largest, where penalties are compared."""
FINE = 3e-5
"""The same where held-out rows are predicted."""
_GRID, _CANDIDATES = 200, 120
_AT_ONCE, _WORST, _ROUNDING = 12, 8, 1e-6
"""Moves that are looked at together, the targets by which, and what rounding may make of an error."""


def shrinkage(eigenvalues: Floats, penalties: Floats) -> Floats:
    """L / (l + a), ``(n_eigenvalues, n_penalties)``."""
    return eigenvalues[:, None] / (eigenvalues[:, None] + penalties)


class PenaltyInterpolation:
    """The fewest penalties from which the predictions at all wanted ones follow.

    Parameters
    ----------
    wanted : array of shape (n_wanted,)
        Absolute positive penalties, of every training set.
    spectrum : (float, float)
        An interval that holds every non-zero eigenvalue of every training set.

    Attributes
    ----------
    penalties : array of shape (n_nodes,)
        Enough to predict with.
    n_compared : int
        How many of them, from the first, are enough to compare penalties with.
    """

    def __init__(self, wanted: Floats, spectrum: tuple[float, float]) -> None:
        low = max(spectrum[0], wanted.min() * TOLERANCE / 10)  # below that all is shrunk to nothing
        self._eigenvalues = np.geomspace(min(low, spectrum[1]), spectrum[1], _GRID)
        candidates = np.unique(np.geomspace(wanted.min(), wanted.max(), _CANDIDATES))
        order = qr(self._shapes(candidates), mode="r", pivoting=True)[1]
        target = self._shapes(wanted)
        count = next(
            (n for n in range(1, len(order)) if self._error(candidates[order[:n]], target) < TOLERANCE),
            len(order),
        )
        compared = candidates[order[:count]]
        while count > 1:
            count -= 1
            fewer = self._moved(np.sort(candidates[order[:count]]), target)
            if self._error(fewer, target) >= TOLERANCE:
                break
            compared = fewer
        self.n_compared, self.penalties = len(compared), compared
        table = self._shapes(candidates)
        while self._error(self.penalties, target) >= FINE and len(self.penalties) < len(candidates):
            inside = np.linalg.qr(self._shapes(self.penalties))[0]
            missed = np.abs(table - inside @ (inside.T @ table)).max(axis=0)
            self.penalties = np.append(self.penalties, candidates[missed.argmax()])

    def _shapes(self, penalties: Floats) -> Floats:
        """Shrinkages as shares of their largest: a correlation does not care how small a prediction is."""
        return shrinkage(self._eigenvalues, penalties) / self._largest(penalties)

    def _largest(self, penalties: Floats) -> Floats:
        largest: Floats = shrinkage(self._eigenvalues[-1:], penalties)[0]
        return largest

    def _error(self, penalties: Floats, target: Floats) -> float:
        return _Inside(self._shapes(penalties), target).error

    def _moved(self, penalties: Floats, target: Floats) -> Floats:
        """The same number of penalties, each moved as long as that lowers the largest error."""
        now, step = _Inside(self._shapes(penalties), target), 1.6
        while now.error >= TOLERANCE and step > 1.02:
            before, factors, move = now.error, (step, 1 / step), 0
            while move < 2 * len(penalties):
                some = np.arange(move, min(move + _AT_ONCE, 2 * len(penalties)))
                moves = penalties[some // 2] * np.take(factors, some % 2)
                move = int(some[-1]) + 1
                for i in some[now.errors_at_least(some // 2, self._shapes(moves)) < now.error]:
                    moved = penalties.copy()
                    moved[i // 2] = moves[i - some[0]]
                    found = _Inside(self._shapes(moved), target)
                    if found.error < now.error:
                        now, penalties, move = found, moved, int(i) + 1
                        break
            if now.error == before:
                step = np.sqrt(step)
        return penalties

    def weights(self, penalties: Floats, n_nodes: int) -> Floats:
        """How predictions at the first nodes combine into those at other penalties, ``(n_penalties, n_nodes)``."""
        nodes = self.penalties[:n_nodes]
        mixing = np.linalg.lstsq(self._shapes(nodes), self._shapes(penalties), rcond=None)[0].T
        return mixing * self._largest(penalties)[:, None] / self._largest(nodes)


class _Inside:
    """What combinations of some shapes make of others.

    Parameters
    ----------
    shapes : array of shape (n_eigenvalues, n_nodes)
    target : array of shape (n_eigenvalues, n_wanted)
    """

    def __init__(self, shapes: Floats, target: Floats) -> None:
        self._basis, self._corner = np.linalg.qr(shapes)
        self._inside = self._basis.T @ target
        self.missed: Floats = self._basis @ self._inside - target

    @cached_property
    def error(self) -> float:
        """The largest."""
        return float(np.abs(self.missed).max())

    @cached_property
    def _worst(self) -> tuple[Floats, Floats]:
        """What is missed of the targets that are the farthest off, and what each shape alone gives them."""
        worst = np.abs(self.missed).max(axis=0).argsort()[-_WORST:]
        return self.missed[:, worst], self._own.T @ self._inside[:, worst]

    @cached_property
    def _own(self) -> Floats:
        """In the basis Q R, what only one shape has: R'^-1 e_i over its length."""
        own: Floats = np.linalg.inv(self._corner).T
        own /= np.linalg.norm(own, axis=0)
        return own

    def errors_at_least(self, which: Indices, shapes: Floats) -> Floats:
        """Less than the largest error with one of the shapes replaced, of each of several replacements alone.

        That of the targets which are now the farthest off: what a replacement changes is of rank two.

        Parameters
        ----------
        which : array of shape (n_moves,)
        shapes : array of shape (n_eigenvalues, n_moves)
        """
        missed, alone = self._worst
        own = self._own[:, which]
        given, gone = self._basis.T @ shapes, self._basis @ own
        new = shapes - self._basis @ (given - own * (own * given).sum(axis=0))
        new /= np.linalg.norm(new, axis=0)
        left = new.T @ missed - (new * gone).sum(axis=0)[:, None] * alone[which]
        pairs = np.stack([gone.T, new.T], axis=2) @ np.stack([alone[which], left], axis=1)
        errors: Floats = np.abs(missed - pairs).max(axis=(1, 2))
        return errors * (1 - _ROUNDING)


def span(eigenvalues: Floats, penalties: Floats) -> tuple[Floats, Floats]:
    """The fewest functions of the eigenvalues that all shrinkages are combinations of.

    Returns
    -------
    functions : array of shape (n_eigenvalues, rank)
    weights : array of shape (n_penalties, rank)
    """
    table = shrinkage(eigenvalues, penalties)
    largest = np.maximum(table.max(axis=0, initial=0.0), np.finfo(np.float64).tiny)
    target = table / largest
    left = np.linalg.svd(target, full_matrices=False)[0]
    functions, weights = left[:, :0], np.zeros((len(penalties), 0))  # nothing varies: nothing to predict with
    for rank in range(1, left.shape[1] + 1):
        functions = left[:, :rank]
        weights = target.T @ functions
        if np.abs(functions @ weights.T - target).max(initial=0.0) < FINE:
            break
    return functions, weights * largest[:, None]
