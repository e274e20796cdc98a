"""Partial least squares regression on every split at once.

PLS2 with unscaled features, what ``sklearn.cross_decomposition.PLSRegression(scale=False)`` converges to:
for each component, with S = X'Y of the centred, deflated training rows,

    w = the first left singular vector of S,   r = w - R P'w,   t = X r,
    p = X't / t't,   q = S'r / t't,   S <- S - t't p q',

and predictions are mean(Y) + (X_test - mean(X)) R Q'. Only w asks for an eigenvector, that of the small
S'S, which follows every deflation by a rank-two correction; one pass over X serves all splits. Features
enter through their inner products alone, so more of them than stimuli are first replaced by the rows of
a Cholesky factor of X X'. Wold, Sjostrom & Eriksson (2001), Chemom. Intell. Lab. Syst. 58:109; Dayal &
MacGregor (1997), J. Chemom. 11:73.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt
from scipy.linalg import LinAlgError, cholesky, eigh
from scipy.linalg.lapack import dsyevx
from threadpoolctl import threadpool_limits

from ..representation.gram import Floats, gram
from .cross_validation import Split

if TYPE_CHECKING:
    from torch import Tensor

_NOTHING = 1e-13
"""Share of the first squared covariance below which a component is rounding."""


def held_out_predictions(
    features: npt.ArrayLike,
    targets: npt.ArrayLike,
    splits: Sequence[Split],
    *,
    n_components: int = 25,
    device: str = "cpu",
) -> list[Floats]:
    """Predict the test rows of every split.

    Parameters
    ----------
    features : array of shape (n_stimuli, n_features)
        May be a memory map larger than memory.
    targets : array of shape (n_stimuli, n_targets)
    splits : sequence of Split
    n_components : int
        Fewer are used where the training rows do not carry as many.
    device : str

    Returns
    -------
    list of array of shape (n_test, n_targets)
    """
    import torch

    y_all = np.asarray(targets, np.float64)
    offset = y_all.mean(axis=0)
    x = torch.from_numpy(_factor(features)).to(device)
    y = torch.from_numpy(y_all - offset).to(device)
    weights = torch.zeros(len(splits), len(y), dtype=torch.float64, device=device)
    for row, split in zip(weights, splits, strict=True):
        row[torch.from_numpy(split.train)] = 1.0
    with threadpool_limits(1, "blas"):  # threads of SciPy's that wait would take torch's processors
        scores, loadings, mean = _components(x, y, weights, n_components)
    return [
        (mean[i] + scores[:, i, split.test].T @ loadings[i]).cpu().numpy() + offset
        for i, split in enumerate(splits)
    ]


def coefficients(features: npt.ArrayLike, targets: npt.ArrayLike, *, n_components: int = 25) -> Floats:
    """B = W (P'W)^-1 Q' of the model fitted on all rows, for centred features, ``(n_features, n_targets)``.

    The k-th column of W is X'(Y - sum_j<k t_j q_j') q_k, since q_k is the right singular vector of S that
    belongs to w.
    """
    import torch

    x, y = np.asarray(features), np.asarray(targets, np.float64)
    y = y - y.mean(axis=0)
    with threadpool_limits(1, "blas"):
        every_row = torch.ones(1, len(y), dtype=torch.float64)
        found = _components(torch.from_numpy(_factor(x)), torch.from_numpy(y.copy()), every_row, n_components)
    scores, loadings = found[0][:, 0].numpy().T, found[1][0].numpy()
    carried = loadings.any(axis=1)
    scores, loadings = scores[:, carried], loadings[carried]
    dual = np.empty_like(scores)
    for k, (score, loading) in enumerate(zip(scores.T, loadings, strict=True)):
        dual[:, k] = y @ (loading / np.linalg.norm(loading))
        y = y - np.outer(score, loading)
    x = x - x.mean(axis=0, dtype=np.float64)
    weights = x.T @ dual
    products = (scores.T @ x @ weights) / np.square(scores).sum(axis=0)[:, None]
    made: Floats = weights @ np.linalg.solve(products, loadings)
    return made


def _factor(features: npt.ArrayLike) -> Floats:
    """Rows with the same inner products, up to their mean, in at most n_stimuli dimensions."""
    n_stimuli, n_features = np.shape(features)
    if n_features <= n_stimuli:
        whole = np.asarray(features, np.float64)
        centered: Floats = whole - whole.mean(axis=0)
        return centered
    products = gram(features)
    try:
        # a constant feature changes nothing, and makes the matrix positive definite
        lower: Floats = cholesky(products + np.trace(products) / n_stimuli**2, lower=True, check_finite=False)
    except LinAlgError:
        values, vectors = eigh(products, check_finite=False, driver="evd")
        lower = vectors * np.sqrt(np.maximum(values, 0))
    return lower


def _components(x: Tensor, y: Tensor, weights: Tensor, n_components: int) -> tuple[Tensor, Tensor, Tensor]:
    """Scores of all rows (k, s, n), loadings of the targets (s, k, t), training means of the targets (s, t).

    `weights` (s, n) is one for the training rows of a split and zero for the others.
    """
    import torch

    size = weights.sum(dim=1, keepdim=True)
    x_mean, y_mean = weights @ x / size, weights @ y / size
    start = _covariances(x, y, weights) - size[:, :, None] * x_mean[:, :, None] * y_mean[:, None, :]
    by_target = y.shape[1] <= x.shape[1]  # the smaller of S'S and SS' is kept up to date
    square = start.mT @ start if by_target else start @ start.mT
    enough = _NOTHING * square.diagonal(dim1=1, dim2=2).sum(dim=1)
    n_components = min(n_components, x.shape[1])
    rotations = x.new_zeros(len(weights), n_components, x.shape[1])
    p, scaled_p = torch.zeros_like(rotations), torch.zeros_like(rotations)
    q = y.new_zeros(len(weights), n_components, y.shape[1])
    scores = y.new_zeros(n_components, len(weights), len(y))
    for k in range(n_components):
        strength, first = _first_eigenvectors(square)
        if by_target:
            first = _dot(start.mT, first) - _dot(scaled_p, _dot(q.mT, first))
        direction = first / first.norm(dim=1, keepdim=True).clamp_min(1e-300)
        rotation = direction - _dot(rotations, _dot(p.mT, direction))
        score = rotation @ x.T - (rotation * x_mean).sum(dim=1, keepdim=True)
        inside = weights * score
        tt = (inside * score).sum(dim=1, keepdim=True)
        alive = (strength[:, None] > enough[:, None]) & (tt > 0)
        inside = inside / torch.where(alive, tt, torch.inf)
        tt = torch.where(alive, tt, 0.0)
        new_p = inside @ x - inside.sum(dim=1, keepdim=True) * x_mean
        new_q = torch.where(alive, _dot(start, rotation) / tt.clamp_min(1e-300), 0.0)
        if by_target:
            along = _dot(start, new_p) - _dot(q, _dot(scaled_p.mT, new_p))
            square = _deflated(square, along, new_q, tt, new_p.square().sum(dim=1, keepdim=True))
        else:
            along = _dot(start.mT, new_q) - _dot(scaled_p, _dot(q.mT, new_q))
            square = _deflated(square, along, new_p, tt, new_q.square().sum(dim=1, keepdim=True))
        rotations[:, k], p[:, k], scaled_p[:, k], q[:, k], scores[k] = (
            rotation,
            new_p,
            tt * new_p,
            new_q,
            score,
        )
    return scores, q, y_mean


def _covariances(x: Tensor, y: Tensor, weights: Tensor) -> Tensor:
    """X'Y of the training rows: that of all rows less that of the others, which are fewer."""
    import torch

    whole = x.T @ y
    others = [torch.nonzero(w == 0)[:, 0] for w in weights]
    return torch.stack([whole - x[rows].T @ y[rows] for rows in others])


def _dot(matrices: Tensor, vectors: Tensor) -> Tensor:
    """sum_i matrices[s, i, :] vectors[s, i], for every split s."""
    import torch

    return torch.bmm(vectors[:, None, :], matrices)[:, 0]


def _deflated(square: Tensor, along: Tensor, across: Tensor, tt: Tensor, length: Tensor) -> Tensor:
    """(S - tt p q')'(S - tt p q') from S'S: `along` S'p, `across` q, `length` p'p; or the same of S'."""
    import torch

    left = torch.stack([-tt * along, -tt * across, tt**2 * length * across], dim=2)
    return torch.baddbmm(square, left, torch.stack([across, along, across], dim=1))


def _first_eigenvectors(squares: Tensor) -> tuple[Tensor, Tensor]:
    """The largest eigenvalue (s,) and its eigenvector (s, d) of every symmetric matrix."""
    import torch

    if squares.is_cuda:
        values, vectors = torch.linalg.eigh(squares)
        return values[:, -1], vectors[:, :, -1]
    n = squares.shape[-1]
    values, vectors = np.empty(len(squares)), np.empty((len(squares), n))
    for i, square in enumerate(squares.numpy()):
        value, vector, *_ = dsyevx(square.T, range="I", il=n, iu=n)
        values[i], vectors[i] = value[0], vector[:, 0]
    return torch.from_numpy(values), torch.from_numpy(vectors)
