"""The search over weightings where all spaces but one have few features.

Let K be the kernel of the one, under the weight g, X the features of the others, G the diagonal of their weights and
b = a / g. With e = Y_V - K_VT (K_TT + b I)^-1 Y_T, D the same of X, B = b (K_TT + b I)^-1 (no product of K depends on
more than b), the errors of the held-out rows V are

    e - D w,    w = (X_T' B X_T + a G^-1)^-1 X_T' B Y_T.

So per weighting and penalty there is only a system of as many equations as X has columns, and what depends on b alone
is found at few values of b, from which that at all others follows: as functions of log b it is analytic within pi of
the real line, so that equally spaced nodes and a window of them give any digit.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import torch
from scipy.linalg import eigh
from scipy.special import gammaln

from .band_kernels import FEW, Bands, Choice, blocks_of, inverses
from .cross_validation import Split

Floats = npt.NDArray[np.float64]

_STEP = {torch.float32: 0.2, torch.float64: 0.12}
"""Decades between two nodes: errors of 1e-7 and 1e-12 of what is interpolated."""
_WINDOW = {torch.float32: 24, torch.float64: 40}
"""Nodes that a value follows from."""
_FAR = 1e4
"""Times the largest eigenvalue, from which on what depends on b is a short polynomial of 1 / b."""
_KEPT = 1 << 29
"""Bytes of what is kept of the targets at once."""
_PIECE = 6 << 20
"""Bytes of what the small spaces meet, at all penalties of a weighting, that are worked on at once."""
_SOLVE = 6.0
"""What an operation of a system of equations costs, in those of large products."""
_NODES, _FUNCTIONS = 70, 18
"""About how many penalties, and functions of the eigenvalues, there are."""


@dataclass(frozen=True)
class Nodes:
    """Penalties at which everything is computed, and how that at others follows.

    Attributes
    ----------
    penalties : array of shape (n_nodes,)
    weights : array of shape (n_wanted, n_nodes)
        Of quantities that stay finite on both sides, as b / (l + b) and l / (l + b) do, and products of them.
    relative : array of shape (n_wanted, n_nodes)
        The same with errors that are small beside b / (l + b) itself, however small it is.
    """

    penalties: Floats
    weights: Floats
    relative: Floats

    @classmethod
    def of(cls, wanted: Floats, largest: float, kind: torch.dtype) -> Nodes:
        """For penalties `wanted`, eigenvalues up to `largest`."""
        step, window = _STEP[kind] * np.log(10), _WINDOW[kind]
        end = min(float(wanted.max()), _FAR * largest)
        first = np.log(wanted.min()) - window / 2 * step
        count = max(int(np.ceil((np.log(end) - first) / step)) + 1 + window // 2, 2 * window)
        near = first + step * np.arange(count)
        last = count - 1 - window // 2
        far = np.exp(near[last]) / np.array([0.75, 0.5, 0.25, 1e-9])
        penalties = np.concatenate([np.exp(near), far])
        weights, relative = np.zeros((2, len(wanted), len(penalties)))
        close = np.log(wanted) <= near[last] + 1e-9
        weights[close, :count] = _window_weights(np.log(wanted[close]), near, window)
        relative[close, :count] = weights[close, :count] * np.sqrt(wanted[close][:, None] / penalties[:count])
        chosen = np.concatenate([[last], np.arange(count, len(penalties))])
        weights[np.ix_(~close, chosen)] = _lagrange(1 / wanted[~close], 1 / penalties[chosen])
        relative[~close] = weights[~close]
        return cls(penalties, weights, relative)


def _window_weights(places: Floats, nodes: Floats, window: int) -> Floats:
    """Lagrange's weights of the `window` nearest of equally spaced nodes."""
    step = nodes[1] - nodes[0]
    at = (places - nodes[0]) / step
    start = np.clip(np.round(at - (window - 1) / 2).astype(int), 0, len(nodes) - window)
    numbers = np.arange(window)
    signs = (-1.0) ** numbers * np.exp(
        gammaln(window) - gammaln(numbers + 1) - gammaln(window - numbers) - (window - 1) * np.log(2)
    )
    distance = at[:, None] - start[:, None] - numbers
    exact = np.abs(distance) < 1e-12
    with np.errstate(divide="ignore", invalid="ignore"):
        raw = signs / distance
        local = np.where(exact.any(axis=1, keepdims=True), exact, raw / raw.sum(axis=1, keepdims=True))
    found = np.zeros((len(places), len(nodes)))
    np.put_along_axis(found, start[:, None] + numbers, local, axis=1)
    return found


def _lagrange(places: Floats, nodes: Floats) -> Floats:
    found = np.ones((len(places), len(nodes)))
    for i, one in enumerate(nodes):
        for j, other in enumerate(nodes):
            if i != j:
                found[:, i] *= (places - other) / (one - other)
    return found


@dataclass(frozen=True)
class _Small:
    """One training set, taken apart: the space that is kept as a kernel, and the features of all others.

    Attributes
    ----------
    base : int
    kernel : array of shape (n_rows, n_rows)
    features : array of shape (n_rows, n_small)
    spaces : array of int of shape (n_small,)
        The space of each column.
    """

    base: int
    kernel: Floats
    features: Floats
    spaces: npt.NDArray[np.intp]

    @classmethod
    def of(cls, bands: Bands) -> _Small | None:
        """None where there are two spaces or more without features."""
        large = [i for i, one in enumerate(bands.factors) if one is None]
        if len(large) > 1:
            return None
        sizes = [0 if one is None else one.shape[1] for one in bands.factors]
        base = large[0] if large else int(np.argmax(sizes))
        others = [i for i in range(len(sizes)) if i != base]
        parts = [bands.factors[i] for i in others]
        features = np.hstack([np.zeros((bands.n_rows, 0)), *(one for one in parts if one is not None)])
        spaces = np.repeat(others, [sizes[i] for i in others]).astype(np.intp)
        return cls(base, bands.kernel(base), features, spaces)


@dataclass(frozen=True)
class LowRankSearch:
    """The search of :func:`.weighting_search.search`."""

    parts: _Small
    inner: Sequence[Split]
    weightings: Floats
    alphas: Floats

    @classmethod
    def of(
        cls, bands: Bands, n_targets: int, inner: Sequence[Split], weightings: Floats, alphas: Floats
    ) -> LowRankSearch | None:
        """The search, where it is the cheaper one."""
        parts = _Small.of(bands) if len(weightings) > 1 else None
        if parts is None:
            return None
        k, n_tried = parts.features.shape[1], len(weightings)
        train = float(np.mean([len(one.train) for one in inner]))
        test = float(np.mean([len(one.test) for one in inner]))
        ours = n_tried * len(alphas) * (_SOLVE * 4 * k**3 + 4 * k * (k + _NODES) * n_targets)
        ours += 2 * _NODES * (k * (train + test) * n_targets + train * test * k + k**2 * train)
        ours += 2 * _FUNCTIONS * test * train * n_targets
        theirs = _SOLVE * 9 * train**3 + 2 * train**2 * n_targets
        theirs += 2 * _FUNCTIONS * test * train * (train + n_targets)
        return cls(parts, inner, weightings, alphas) if ours < n_tried * theirs else None

    def search(self, targets: Floats, choice: Choice) -> None:
        """Offer every weighting to the targets."""
        n_targets = targets.shape[1]
        kind = torch.float64 if n_targets <= FEW else torch.float32
        scales = self.weightings[:, self.parts.base]
        wanted = self.alphas / scales[:, None]
        largest = (
            float(np.linalg.norm(self.parts.kernel, 2))
            if len(self.parts.kernel) < 2
            else _largest(self.parts.kernel)
        )
        nodes = Nodes.of(wanted.ravel(), largest, kind)
        k, n_test = self.parts.features.shape[1], max(len(one.test) for one in self.inner)
        n_nodes = len(nodes.penalties)
        each = 8 * wanted.size + kind.itemsize * (2 * n_nodes * k + 40 * n_test)
        size = max(_KEPT // each, 64)
        splits = [_OfSplit(self, split, nodes, kind) for split in self.inner]
        for start in range(0, n_targets, size):
            block = slice(start, min(start + size, n_targets))
            losses = np.zeros((*wanted.shape, block.stop - block.start))
            for one in splits:
                one.add_losses(targets[:, block], losses)
            for number, found in enumerate(losses):
                choice.offer(number, found / len(self.inner), block)


def _largest(kernel: Floats) -> float:
    """An upper bound of the eigenvalues."""
    return float(min(np.abs(kernel).sum(axis=0).max(), np.trace(kernel)))


class _OfSplit:
    """What the losses of one inner split are made of."""

    def __init__(self, how: LowRankSearch, split: Split, nodes: Nodes, kind: torch.dtype) -> None:
        self._how, self._split, self._nodes, self._kind = how, split, nodes, kind
        train, test = split.train, split.test
        parts, b = how.parts, nodes.penalties
        values, vectors = eigh(parts.kernel[np.ix_(train, train)], overwrite_a=True, driver="evd")
        values = np.maximum(values, 0.0)
        to_test = parts.kernel[np.ix_(test, train)] @ vectors
        inside = vectors.T @ parts.features[train]
        k = inside.shape[1]
        tolerance = 1e-7 if kind == torch.float32 else 1e-13
        self._shapes, self._mixing = inverses(values, b, tolerance)
        self._rotation, self._to_test = _tensor(vectors, kind), to_test
        self._inside = inside
        self._shrunk = b / (values[:, None] + b)
        self._residual = np.empty((len(b), len(test), k))
        self._systems = np.empty((len(b), k, k))
        for node in range(len(b)):
            self._residual[node] = parts.features[test] - (to_test / (values + b[node])) @ inside
            self._systems[node] = (inside.T * self._shrunk[:, node]) @ inside
        squares = self._residual.transpose(0, 2, 1) @ self._residual
        self._squares = torch.from_numpy(squares.reshape(len(b), -1))
        self._flat = torch.from_numpy(self._systems.reshape(len(b), -1))

    def add_losses(self, targets: Floats, losses: Floats) -> None:
        """Mean squared errors, ``(n_weightings, n_alphas, n_targets)``."""
        n_alphas, n_small = losses.shape[1], self._inside.shape[1]
        base, pieces = self._of_targets(targets, n_alphas)
        for number, weighting in enumerate(self._how.weightings):
            rows = slice(number * n_alphas, (number + 1) * n_alphas)
            weights = torch.from_numpy(self._nodes.weights[rows])
            errors = weights @ base
            if n_small:
                relative = torch.from_numpy(self._nodes.relative[rows])
                system = (relative @ self._flat).view(n_alphas, n_small, n_small)
                ridge = self._how.alphas[:, None] / weighting[self._how.parts.spaces]
                system.diagonal(dim1=1, dim2=2).add_(torch.from_numpy(ridge))
                squares = (weights @ self._squares).view(n_alphas, n_small, n_small)
                change = _through if targets.shape[1] >= 2 * n_small else _solved
                change(torch.linalg.cholesky(system), squares, weights, relative, pieces, errors)
            losses[number] += (errors / len(self._split.test)).numpy()

    def _of_targets(self, targets: Floats, n_alphas: int) -> tuple[torch.Tensor, list[_Piece]]:
        """At every node the squared errors of the one space, and of blocks of targets what the small ones meet."""
        kind, b = self._kind, self._nodes.penalties
        train, test = self._split.train, self._split.test
        projected = self._rotation.T @ _tensor(targets[train], kind)
        truth = _tensor(targets[test], kind)
        n_targets, k = targets.shape[1], self._inside.shape[1]
        each = torch.empty(self._shapes.shape[1], len(test) * n_targets, dtype=kind)
        for row, shape in zip(each, self._shapes.T, strict=True):
            torch.mm(_tensor(shape * self._to_test, kind), projected, out=row.view(len(test), n_targets))
        mixing = _tensor(self._mixing, kind)
        base = torch.empty(len(b), n_targets, dtype=kind)
        size = max(_PIECE // (kind.itemsize * n_alphas * max(k, 1)), 64)
        pieces = [
            _Piece(slice(start, stop), *torch.empty(2, len(b), k, stop - start, dtype=kind))
            for start, stop in ((i, min(i + size, n_targets)) for i in range(0, n_targets, size))
        ]
        for node in range(len(b)):
            errors = truth - (mixing[node] @ each).view(len(test), n_targets)
            base[node] = (errors * errors).sum(dim=0)
            to_small = _tensor(self._residual[node].T, kind)
            within = _tensor(self._inside.T * self._shrunk[:, node], kind)
            for one in pieces:
                torch.mm(to_small, errors[:, one.targets], out=one.across[node])
                torch.mm(within, projected[:, one.targets], out=one.along[node])
        return base.double(), pieces


class _Piece(NamedTuple):
    """Some targets: at every node X_T' B Y_T and D' times the errors, ``(n_nodes, n_small, n_targets)``."""

    targets: slice
    along: torch.Tensor
    across: torch.Tensor


def _solved(
    factor: torch.Tensor,
    squares: torch.Tensor,
    weights: torch.Tensor,
    relative: torch.Tensor,
    pieces: Sequence[_Piece],
    errors: torch.Tensor,
) -> None:
    """Add what the small spaces change of the squared errors, system by system."""
    for targets, along, across in pieces:
        ours = torch.tensordot(relative, along.double(), dims=1)
        theirs = torch.tensordot(weights, across.double(), dims=1)
        solved = torch.cholesky_solve(ours, factor)
        errors[:, targets] += (solved * (squares @ solved - 2 * theirs)).sum(dim=1)


def _through(
    factor: torch.Tensor,
    squares: torch.Tensor,
    weights: torch.Tensor,
    relative: torch.Tensor,
    pieces: Sequence[_Piece],
    errors: torch.Tensor,
) -> None:
    """The same through inverses, for many targets."""
    kind = pieces[0].along.dtype
    inverse = torch.cholesky_inverse(factor)
    twice, once = (inverse @ squares @ inverse).to(kind), (-2 * inverse).to(kind)
    relative, weights = relative.to(kind), weights.to(kind)
    for targets, along, across in pieces:
        shape = len(factor), *along.shape[1:]
        ours = (relative @ along.flatten(1)).view(shape)
        changed = torch.bmm(twice, ours)
        changed.baddbmm_(once, (weights @ across.flatten(1)).view(shape))
        errors[:, targets] += (ours * changed).sum(dim=1)


def _tensor(values: Floats, kind: torch.dtype) -> torch.Tensor:
    return torch.from_numpy(np.ascontiguousarray(values)).to(kind)


def refit_low_rank(
    held: Bands, targets: Floats, choice: Choice, weightings: Floats, alphas: Floats
) -> Floats:
    """As :func:`.weighting_search.refit`: B (Y - X w) from one eigendecomposition."""
    parts = _Small.of(held)
    assert parts is not None
    values, vectors = eigh(parts.kernel, driver="evd")
    values = np.maximum(values, 0.0)
    inside = vectors.T @ parts.features
    dual = np.empty_like(targets)
    pairs = choice.weighting * len(alphas) + choice.penalty
    order = np.argsort(pairs, kind="stable")
    for block in blocks_of(targets.shape[1], 24 * len(targets)):
        some = order[block]
        projected = vectors.T @ targets[:, some]
        alpha = alphas[choice.penalty[some]]
        b = alpha / weightings[choice.weighting[some], parts.base]
        shrunk = b / (values[:, None] + b)
        solved = inside.T @ (shrunk * projected)
        for pair in np.unique(pairs[some]):
            ours = np.flatnonzero(pairs[some] == pair)
            weighting, penalty = divmod(int(pair), len(alphas))
            ridge = alphas[penalty] / weightings[weighting][parts.spaces]
            system = (inside.T * shrunk[:, ours[0]]) @ inside
            system.flat[:: len(system) + 1] += ridge
            solved[:, ours] = np.linalg.solve(system, solved[:, ours]) if len(system) else solved[:, ours]
        dual[:, some] = vectors @ (shrunk * (projected - inside @ solved))
    return dual
