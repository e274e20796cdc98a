"""How many dimensions recorded responses spread over, without those of their noise: across repetitions."""

from collections.abc import Iterator, Sequence
from dataclasses import replace
from itertools import combinations, islice
from typing import Any

import numpy as np
import numpy.typing as npt

from ...errors import UserError
from ..masks import unmasked
from ..statistics.paired_tests import t_quantile
from .dimensionality import (
    FEW,
    SHARES,
    Dimensionality,
    components_of,
    corrected_with_interval,
    exponent_of,
    ranks_of,
)
from .gram import Floats
from .traces import Traces, rows_of_two, traces_of

Labels = npt.NDArray[np.object_]
Halves = tuple[Floats, Floats]

ESTIMATOR = "cross-validated over repetitions"
_FEWEST_SPLITS, _MOST_SPLITS = 3, 10
_FEWEST_STIMULI, _FEWEST_BLOCKS = 4, 4
_NAN = float("nan")


@unmasked
def recorded_dimensionality(
    responses: npt.ArrayLike,
    stimuli: npt.ArrayLike,
    *,
    blocks: npt.ArrayLike | None = None,
    fit_range: tuple[int, int] | None = None,
    shares: Sequence[float] = SHARES,
) -> Dimensionality:
    """The same of the signal that repetitions share; noise that is independent over them is no dimension.

    The traces of K = A B', with A and B the means over two halves of the repetitions, in place of those of one
    measurement's products; both, not their ratio, are averaged over 10 ways of halving, over 3 from 334 stimuli on.

    Parameters
    ----------
    responses : array of shape (n_presentations, n_units)
    stimuli : array of shape (n_presentations,)
        Ids. Those that were shown once are left out.
    blocks : array of shape (n_presentations,), optional
        Runs, sessions or repetitions. Where each holds every stimulus whole blocks are halved, so that noise that a
        block shares is removed with its mean; else the presentations of every stimulus.
    fit_range, shares
        As in :func:`.dimensionality.effective_dimensionality`.

    Returns
    -------
    Dimensionality
        Without any number, and with the reason, where fewer than 4 stimuli were repeated. `interval_of_these` is of
        other repetitions of the same stimuli, where these are few and at least 4 blocks hold them all.
    """
    values, ids = np.asarray(responses), np.asarray(stimuli).astype(str)
    if values.ndim != 2 or ids.shape != values.shape[:1]:
        raise UserError(
            f"responses have the shape (n_presentations, n_units), with a stimulus for each, not {values.shape} and "
            f"{ids.shape}"
        )
    _, member, counts = np.unique(ids, return_inverse=True, return_counts=True)
    kept = counts[member] > 1
    n_stimuli = int((counts > 1).sum())
    if n_stimuli < _FEWEST_STIMULI:
        return _nothing(len(counts), values.shape[1], n_stimuli)
    values = values[kept].astype(np.float64)
    _, member = np.unique(member[kept], return_inverse=True)
    patterns = _by_block(values, member, None if blocks is None else np.asarray(blocks)[kept])
    n_splits = min(max(1000 // n_stimuli, _FEWEST_SPLITS), _MOST_SPLITS)
    splits = list(
        _halves(values, member, n_splits) if patterns is None else _halves_of_blocks(patterns, n_splits)
    )
    found, these = _averaged(splits)
    if found.squared <= 0 or not np.isfinite(these):
        return replace(
            _nothing(n_stimuli, values.shape[1], n_stimuli), why_none="what repetitions share is noise"
        )
    eigenvalues = np.mean([cross_validated_eigenvalues(*one) for one in splits], axis=0)
    above = int((eigenvalues <= 0).argmax()) if (eigenvalues <= 0).any() else len(eigenvalues)
    ranks = ranks_of(eigenvalues[:above], fit_range) if above else (1, 1)
    corrected, interval, why_none = corrected_with_interval(found, n_stimuli)
    return Dimensionality(
        these,
        corrected,
        interval,
        eigenvalues,
        exponent_of(eigenvalues[:above], ranks) if above else _NAN,
        ranks,
        components_of(eigenvalues, shares),
        n_stimuli,
        values.shape[1],
        why_none,
        ESTIMATOR,
        _over_blocks(patterns, these) if patterns is not None and n_stimuli <= FEW else (_NAN, _NAN),
    )


@unmasked
def cross_validated_eigenvalues(first: npt.ArrayLike, second: npt.ArrayLike) -> Floats:
    """The variance along every principal component of one repetition that another repeats (Stringer et al. 2019).

        l_k = sum_i (x_i v_k)(y_i v_k) / (n - 1),   v_k the components of the first repetition x, y the second.

    Noise of recordings is independent over repetitions and averages out; without this it counts as dimensions.

    Parameters
    ----------
    first, second : array of shape (n_stimuli, n_units)

    Returns
    -------
    array of shape (min(n_stimuli - 1, n_units),)
        In the order of the first repetition's variance; may be negative.
    """
    x, y = np.asarray(first, np.float64), np.asarray(second, np.float64)
    if x.ndim != 2 or x.shape != y.shape or len(x) < 3:
        raise UserError(
            f"two repetitions need the same shape and at least 3 stimuli, not {x.shape} and {y.shape}"
        )
    x, y = x - x.mean(axis=0), y - y.mean(axis=0)
    own, across = (x @ x.T, x @ y.T) if len(x) <= x.shape[1] else (x.T @ x, y.T @ x)
    vectors = np.linalg.eigh(own)[1][:, ::-1][:, : min(len(x) - 1, x.shape[1])]
    found: Floats = np.einsum("ik,ik->k", vectors, across @ vectors) / (len(x) - 1)
    return found


def _nothing(n_stimuli: int, n_units: int, n_repeated: int) -> Dimensionality:
    why = (
        f"{n_repeated} stimuli were shown more than once: too few to tell noise from dimensions"
        if n_repeated
        else "every stimulus has one response: its noise cannot be told from dimensions"
    )
    nan = (_NAN, _NAN)
    return Dimensionality(_NAN, _NAN, nan, np.empty(0), _NAN, (1, 1), {}, n_stimuli, n_units, why, ESTIMATOR)


def _averaged(splits: Sequence[Halves]) -> tuple[Traces, float]:
    """Traces averaged over ways of halving; and the ratio of these very stimuli."""
    rows = [rows_of_two(*one) for one in splits]
    found = [traces_of(one) for one in rows]
    squared = float(np.mean([one.own.sum() ** 2 for one in rows]))
    of_square = float(np.mean([one.crossed.sum() for one in rows]))
    mean = Traces(
        float(np.mean([one.squared for one in found])),
        float(np.mean([one.of_square for one in found])),
        np.mean([one.squared_without for one in found], axis=0),
        np.mean([one.of_square_without for one in found], axis=0),
        float(np.mean([one.tails for one in found])),
    )
    shared = np.mean([one.own.sum() for one in rows]) > 0 and of_square > 0
    return mean, min(squared / of_square, len(rows[0].own) - 1.0) if shared else _NAN


def _by_block(values: Floats, member: npt.NDArray[np.int_], blocks: npt.NDArray[Any] | None) -> Floats | None:
    """Mean responses (n_blocks, n_stimuli, n_units), where every block holds every stimulus and there are two."""
    if blocks is None:
        return None
    names, block = np.unique(blocks.astype(str), return_inverse=True)
    n_stimuli = int(member.max()) + 1
    cell = block * n_stimuli + member
    n_cells = len(names) * n_stimuli
    if len(names) < 2 or np.bincount(cell, minlength=n_cells).min() == 0:
        return None
    return _means(values, cell).reshape(len(names), n_stimuli, -1)


def _means(values: Floats, member: npt.NDArray[np.int_]) -> Floats:
    """The mean of the rows of every member 0, 1, ..., each there at least once."""
    order = np.argsort(member, kind="stable")
    counts = np.bincount(member)
    sums: Floats = np.add.reduceat(values[order], np.cumsum(counts) - counts, axis=0)
    return sums / counts[:, None]


def _halves_of_blocks(patterns: Floats, n_splits: int = _MOST_SPLITS) -> Iterator[Halves]:
    """Ways of halving whole blocks, spread over all of them."""
    n = len(patterns)
    known = list(islice(combinations(range(n), n // 2), 10_000))
    if n % 2 == 0:
        known = [one for one in known if 0 in one]
    for place in np.linspace(0, len(known) - 1, min(len(known), n_splits)).round().astype(int):
        here = np.isin(np.arange(n), known[place])
        yield patterns[here].mean(axis=0), patterns[~here].mean(axis=0)


def _halves(values: Floats, member: npt.NDArray[np.int_], n_splits: int) -> Iterator[Halves]:
    """Random ways of halving the presentations of every stimulus."""
    generator = np.random.default_rng(0)
    counts = np.bincount(member)
    starts = np.cumsum(counts) - counts
    for _ in range(n_splits):
        order = np.lexsort((generator.random(len(member)), member))
        rank = np.empty(len(member), int)
        rank[order] = np.arange(len(member)) - np.repeat(starts, counts)
        first = rank < (counts // 2)[member]
        yield _means(values[first], member[first]), _means(values[~first], member[~first])


def _over_blocks(patterns: Floats, whole: float) -> tuple[float, float]:
    """95 % of the ratio of these very stimuli, by leaving out each block, on its logarithm."""
    n = len(patterns)
    if n < _FEWEST_BLOCKS:
        return _NAN, _NAN
    logs = np.log([_averaged(list(_halves_of_blocks(np.delete(patterns, i, axis=0))))[1] for i in range(n)])
    half = t_quantile(0.975, n - 1) * np.sqrt((n - 1) * logs.var())
    return float(whole * np.exp(-half)), float(whole * np.exp(half))
