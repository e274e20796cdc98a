"""What is slow in a run and no response: polynomials or cosines, taken out of the samples that are good."""

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]

_CUT_HZ = 1 / 128
"""Cosines that are slower than this are drifts, as fMRIPrep has it."""


def drifts(n: int, tr: float, kind: str | int) -> Floats:
    """Functions of time that are drifts, a constant among them, ``(n, n_functions)``.

    Parameters
    ----------
    n : int
        Samples of the run.
    tr : float
        Seconds from sample to sample.
    kind : str or int
        ``polynomial`` of order 1 + half the minutes, rounded down; the order of a polynomial; ``cosine``, slower than
        1/128 Hz; ``none``, the constant alone.
    """
    if kind == "none":
        return np.ones((n, 1))
    if kind == "cosine":
        from nilearn.glm.first_level.design_matrix import create_cosine_drift

        cosines: Floats = create_cosine_drift(_CUT_HZ, tr * np.arange(n))
        return cosines
    order = kind if isinstance(kind, int) else max(1, 1 + int(n * tr / 120))
    # Legendre's polynomials by their recurrence, k P_k = (2 k - 1) x P_(k-1) - (k - 1) P_(k-2)
    x = np.linspace(-1, 1, n)
    basis = [np.ones(n), x]
    for k in range(2, order + 1):
        basis.append(((2 * k - 1) * x * basis[-1] - (k - 1) * basis[-2]) / k)
    return np.stack(basis[: order + 1], axis=1)


def without(values: Floats, basis: Floats, good: npt.NDArray[np.bool_] | None = None) -> Floats:
    """Less what a basis explains of the good samples, by least squares; a column with gaps among them is a gap.

    Parameters
    ----------
    values : array of shape (n, n_columns)
    basis : array of shape (n, n_functions)
    good : array of shape (n,), optional
        All by default.
    """
    rows = np.ones(len(values), bool) if good is None else good
    known = np.nan_to_num(values[rows])
    left: Floats = values - basis @ np.linalg.lstsq(basis[rows], known, rcond=None)[0]
    left[:, np.isnan(values[rows]).any(axis=0)] = np.nan
    return left
