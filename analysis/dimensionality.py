"""How many dimensions responses spread over."""

import numpy as np
import numpy.typing as npt

from ..errors import UserError
from .products import gram

Floats = npt.NDArray[np.float64]


def participation_ratio(responses: npt.ArrayLike) -> float:
    """(tr C)^2 / tr(C^2), with C the covariance of the units: (sum l)^2 / sum l^2 of its eigenvalues.

    From the inner products of the samples or of the units, whichever are fewer; nothing is decomposed.
    Biased by the number of samples: isotropic noise in d dimensions gives about n d / (n + d) with n samples.
    Gao et al. (2017), bioRxiv 214262.

    Parameters
    ----------
    responses : array of shape (n_samples, n_units)
        May be a memory map larger than memory.

    Raises
    ------
    UserError
        With fewer than two samples, or where nothing varies.
    """
    trace, trace_of_square, _ = _traces(responses)
    return trace**2 / trace_of_square


def corrected_participation_ratio(responses: npt.ArrayLike) -> float:
    """The participation ratio without the bias of a finite number of samples.

    With S the sample covariance of n' = n - 1 degrees of freedom, the unbiased traces for normal responses are

        tr(C^2) ~ n'^2 / ((n' - 1)(n' + 2)) (tr S^2 - (tr S)^2 / n'),
        (tr C)^2 ~ (tr S)^2 - 2 tr(C^2)~ / n'.

    Parameters
    ----------
    responses : array of shape (n_samples, n_units)

    Returns
    -------
    float
        Infinite where noise alone explains tr S^2, so that no finite dimension fits.

    Raises
    ------
    UserError
        With fewer than three samples, or where nothing varies.
    """
    trace, trace_of_square, n_samples = _traces(responses)
    n = n_samples - 1
    if n < 2:
        raise UserError(f"the corrected participation ratio needs at least 3 samples, not {n_samples}")
    trace, trace_of_square = trace / n, trace_of_square / n**2
    unbiased = n**2 / ((n - 1) * (n + 2)) * (trace_of_square - trace**2 / n)
    squared = trace**2 - 2 * unbiased / n
    return squared / unbiased if unbiased > 0 else float("inf")


def _traces(responses: npt.ArrayLike) -> tuple[float, float, int]:
    """Tr K and tr K^2 of the centred responses' inner products, and the number of samples."""
    source = np.asarray(responses)
    n_samples, n_units = source.shape
    if n_samples < 2:
        raise UserError(f"a dimensionality needs at least 2 samples, not {n_samples}")
    if n_units < n_samples:
        centred = source - source.mean(axis=0, dtype=np.float64)
        products: Floats = centred.T @ centred
    else:
        products = gram(source, precision=np.float32 if source.dtype == np.float32 else np.float64)
    trace = float(np.trace(products))
    if not trace > 1e-12 * n_samples * float(np.square(source[0], dtype=np.float64).sum()):
        raise UserError(
            f"none of {n_units} units varies over {n_samples} samples: there is no dimension to count"
        )
    return trace, float(np.square(products).sum()), n_samples
