"""Logistic regression with balanced classes, by Newton steps: fast for the few units of a sparse probe."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]
Labels = npt.NDArray[np.bool_]

STRENGTH = 100.0
"""C: how much the loss weighs against the squared weights; nearly unregularised for standardised units."""
_STEPS, _NEAR = 50, 1e-7
_NEWTON_UNITS = 400
"""Up to so many units the matrix of second derivatives is made; above, limited-memory BFGS."""


@dataclass(frozen=True)
class Logistic:
    """A fitted probe: p(y = 1 | x) = 1 / (1 + exp(-(x w + b))).

    Attributes
    ----------
    weights : array of shape (n_units,)
    bias : float
    """

    weights: Floats
    bias: float

    def decision(self, x: Floats) -> Floats:
        """Log odds x w + b of every row of x (n_rows, n_units)."""
        found: Floats = x @ self.weights + self.bias
        return found


def balanced_weights(labels: Labels) -> Floats:
    """Weights n / (2 n_class) of the rows, so that both classes weigh the same; both must be there."""
    n_true = int(labels.sum())
    return np.where(labels, len(labels) / (2 * n_true), len(labels) / (2 * (len(labels) - n_true)))


def fit_logistic(
    x: Floats, labels: Labels, *, strength: float = STRENGTH, start: Logistic | None = None
) -> Logistic:
    """The minimum of |w|^2 / 2 + C sum_i omega_i log(1 + exp(-s_i (x_i w + b))), s_i = +-1, omega balanced.

    It is that of scikit-learn's ``LogisticRegression(C=C, class_weight="balanced")``, whose calls cost more than the
    handful of products that a few units need.

    Parameters
    ----------
    x : array of shape (n_rows, n_units)
    labels : bool array of shape (n_rows,)
        Both classes must be there.
    strength : float
        C.
    start : Logistic, optional
        Where to begin.
    """
    sign = np.where(labels, 1.0, -1.0)
    cost = strength * balanced_weights(labels)
    wide = np.column_stack([x, np.ones(len(x))])
    found = np.zeros(wide.shape[1]) if start is None else np.append(start.weights, start.bias)
    found = (_newton if x.shape[1] <= _NEWTON_UNITS else _quasi_newton)(wide, sign, cost, found)
    return Logistic(found[:-1], float(found[-1]))


def _value(wide: Floats, sign: Floats, cost: Floats, found: Floats) -> float:
    return float(found[:-1] @ found[:-1]) / 2 + float(cost @ np.logaddexp(0, -sign * (wide @ found)))


def _chance(margin: Floats) -> Floats:
    """1 / (1 + exp(margin)), without overflow."""
    chance: Floats = 0.5 * (1 - np.tanh(margin / 2))
    return chance


def _slope(wide: Floats, sign: Floats, cost: Floats, found: Floats) -> tuple[Floats, Floats]:
    """The gradient, and the chance of a mistake of every row."""
    wrong = _chance(sign * (wide @ found))
    gradient = -(wide.T @ (cost * sign * wrong))
    gradient[:-1] += found[:-1]
    return gradient, wrong


def _newton(wide: Floats, sign: Floats, cost: Floats, found: Floats) -> Floats:
    ridge = np.append(
        np.ones(wide.shape[1] - 1), 1e-9
    )  # the bias is free; the little that is added keeps it solvable
    value = _value(wide, sign, cost, found)
    for _ in range(_STEPS):
        gradient, wrong = _slope(wide, sign, cost, found)
        if np.abs(gradient).max() < _NEAR * cost.sum():
            break
        curvature = (wide.T * (cost * wrong * (1 - wrong))) @ wide
        curvature[np.diag_indices_from(curvature)] += ridge
        step = np.linalg.solve(curvature, gradient)
        length, before = 1.0, value
        while True:
            value = _value(wide, sign, cost, found - length * step)
            if value <= before - 1e-4 * length * float(gradient @ step) or length < 1e-6:
                break
            length /= 2
        found = found - length * step
    return found


def _quasi_newton(wide: Floats, sign: Floats, cost: Floats, found: Floats) -> Floats:
    from scipy.optimize import minimize

    def value_and_slope(at: Floats) -> tuple[float, Floats]:
        return _value(wide, sign, cost, at), _slope(wide, sign, cost, at)[0]

    ended = minimize(
        value_and_slope,
        found,
        jac=True,
        method="L-BFGS-B",
        options={"maxiter": 300, "gtol": _NEAR * cost.sum()},
    )
    return np.asarray(ended.x, np.float64)


def fit_l1_logistic(
    x: Floats, labels: Labels, *, strength: float, n_steps: int = 300, tolerance: float = 1e-6
) -> Logistic:
    """The minimum of |w|_1 + C sum_i omega_i log(1 + exp(-s_i (x_i w + b))), by accelerated proximal steps.

    Beck & Teboulle (2009), SIAM J. Imaging Sci. 2:183 (FISTA, begun anew where the objective rises).

    Parameters
    ----------
    x, labels, strength
        As in :func:`fit_logistic`.
    n_steps : int
    tolerance : float
        A step that moves no weight by more than this part of the largest is the last.
    """
    sign = np.where(labels, 1.0, -1.0)
    cost = strength * balanced_weights(labels)
    wide = np.column_stack([x, np.ones(len(x))])
    steepest = float(np.linalg.norm(np.sqrt(cost / 4)[:, None] * wide, 2)) ** 2
    found = ahead = np.zeros(wide.shape[1])
    momentum = 1.0
    for _ in range(n_steps):
        wrong = _chance(sign * (wide @ ahead))
        moved = ahead + (wide.T @ (cost * sign * wrong)) / steepest
        shrunk = np.sign(moved) * np.maximum(np.abs(moved) - 1 / steepest, 0)
        shrunk[-1] = moved[-1]  # the bias costs nothing
        if (ahead - shrunk) @ (shrunk - found) > 0:
            momentum = 1.0
        after = (1 + np.sqrt(1 + 4 * momentum**2)) / 2
        ahead = shrunk + (momentum - 1) / after * (shrunk - found)
        still = np.abs(shrunk - found).max() <= tolerance * max(1e-12, float(np.abs(shrunk).max()))
        found, momentum = shrunk, after
        if still:
            break
    return Logistic(found[:-1], float(found[-1]))
