"""The r of a flawless model with RDMs of the brain: over subjects, or from the repetitions of one."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from itertools import combinations

import numpy as np
import numpy.typing as npt

from ...analysis.representation.rdm import correlation_rdm, crossnobis_rdm, has_noise
from ...analysis.statistics.resampling import p_value
from ...brain_data.noise_ceiling import noise_variance
from .base import Floats
from .headline import LEAST_RELIABILITY

Change = Callable[[Floats], Floats]

_N_ORDERS = 99
_N_SPLITS = 10
_LEVEL = 0.05
_LEAST_ERRORS = 4.0
"""By how many times the spread of chance halves must agree: less, and those that do are flattered."""


@dataclass(frozen=True)
class Halves:
    """RDMs of halves of the repetitions, and how much less noise their mean has.

    Attributes
    ----------
    first, second : array of shape (n_splits, n_stimuli, n_stimuli)
        Their dissimilarities, or ranks of them.
    noise_left : float
        Variance of the noise in the RDM of all repetitions over that in the RDM of a half. It is no fixed number:
        noise enters dissimilarities both linearly and squared.
    ranked : bool
    """

    first: Floats = field(repr=False)
    second: Floats = field(repr=False)
    noise_left: float
    ranked: bool

    def best(self, r: Floats) -> Floats:
        """The r of a flawless model with the RDM of all repetitions, from that of two halves."""
        return best_r(r, ranked=self.ranked, noise_left=self.noise_left)


def best_r(r: Floats, *, ranked: bool, noise_left: float = 1.0) -> Floats:
    """The r of noise-free dissimilarities with noisy ones, from that of two noisy ones.

    The root of 1 / (1 + noise_left (1 - rho) / rho), which is the root of rho for noise_left = 1. A Spearman r is
    taken to the Pearson r of normal scores and back, r = 6 / pi asin(rho / 2): the root of ranks themselves is up to
    2 % too much, because noise bends the expected ranks.

    Parameters
    ----------
    r : array
        Of two independent measurements; where it is not positive, the result is 0.
    ranked : bool
        Whether it is a correlation of ranks.
    noise_left : float
        Variance of the noise that a model meets over that in either measurement.
    """
    rho = np.maximum(2 * np.sin(np.pi * r / 6) if ranked else r, 1e-12)
    root = 1 / np.sqrt(1 + noise_left * (1 - rho) / rho)
    best: Floats = np.where(rho > 1e-12, 6 / np.pi * np.arcsin(root / 2) if ranked else root, 0.0)
    return best


def pairwise(vectors: Floats) -> tuple[Floats, float]:
    """Correlations of every two subjects, and p of their mean with the stimuli of each relabelled.

    Parameters
    ----------
    vectors : array of shape (n_subjects, n_stimuli, n_stimuli)
        Of which products are correlations.
    """
    among = np.tensordot(vectors, vectors, axes=((1, 2), (1, 2)))
    generator = np.random.default_rng(3)
    null = []
    for _ in range(_N_ORDERS):
        total = np.zeros(vectors.shape[1:])
        for one in vectors:
            order = generator.permutation(len(one))
            total += one[np.ix_(order, order)]
        null.append(float((total**2).sum()) - float(np.trace(among)))
    return among, p_value(float(among.sum() - np.trace(among)), np.array(null))


def of_one(halves: Halves, vectors: Change) -> tuple[float, str]:
    """The r of a flawless model of one subject; NaN, and why, where the halves do not agree."""
    first, second = vectors(halves.first), vectors(halves.second)
    r = float(np.tensordot(first, second, axes=3)) / len(first)
    generator = np.random.default_rng(3)
    null = []
    for _ in range(_N_ORDERS):
        order = generator.permutation(first.shape[1])
        null.append(float(np.tensordot(first, second[:, order][:, :, order], axes=3)) / len(first))
    if r < _LEAST_ERRORS * (error := float(np.std(null))) or p_value(r, np.array(null)) > _LEVEL:
        return float("nan"), (
            f"none: RDMs of halves of the repetitions agree too little (r {r:.2f}, by chance {error:.2f}) to tell how "
            "well a flawless model would"
        )
    best = float(halves.best(np.array(r)))
    if best**2 < LEAST_RELIABILITY:
        return float(
            "nan"
        ), f"none: too noisy, reliability {best**2:.2f} of at least {LEAST_RELIABILITY}; the raw value stands"
    return best, ""


def split_halves(
    cube: Floats, distance: str, prepared: Change, centered: Change, *, ranked: bool
) -> Halves | str:
    """RDMs of up to ten divisions of every stimulus' repetitions into halves; why not, where there are none.

    Parameters
    ----------
    cube : array of shape (n_stimuli, n_repetitions, n_neuroids)
    distance : {"correlation", "crossnobis"}
    prepared : callable
        From dissimilarities to what is compared.
    centered : callable
        RDMs (n_rdms, n_stimuli, n_stimuli) to vectors whose products are their covariances.
    ranked : bool
        Whether `prepared` gives ranks.
    """
    shown = np.isfinite(cube).all(axis=2)
    counts = shown.sum(axis=1)
    if counts.max() < 2:
        return ""
    if counts.min() < 2:
        return f"none: {int((counts < 2).sum())} of {len(counts)} stimuli were shown once, so their noise is unknown"
    if distance == "crossnobis" and counts.min() < 4:
        return "none: halves of fewer than 4 repetitions say too little about crossnobis distances"
    if distance == "crossnobis":
        noisy = has_noise(cube)
        cube = cube[:, :, noisy] / np.sqrt(noise_variance(cube[:, :, noisy]))
    mean = _mean(cube, shown)
    size = np.linalg.norm(mean - mean.mean(axis=1, keepdims=True), axis=1)

    def linear(patterns: Floats) -> Floats:
        """Dissimilarities in which signal is alike in all of them, however much noise there is."""
        if distance == "crossnobis":
            return _squared_distances(patterns)
        less = patterns - patterns.mean(axis=1, keepdims=True)
        distances: Floats = -(less @ less.T) / np.outer(size, size)
        return distances

    made = [(_mean(cube, a), _mean(cube, b)) for a, b in _divisions(shown)]
    pairs = np.array([[centered(linear(half)[None])[0] for half in halves] for halves in made])
    signal = float((pairs[:, 0] * pairs[:, 1]).sum()) / len(pairs)
    of_half = float((pairs**2).sum()) / (2 * len(pairs))
    whole = crossnobis_rdm(cube) if distance == "crossnobis" else linear(mean)
    of_all = float((centered(whole[None]) ** 2).sum())
    share = np.median(counts // 2 / counts)
    noise_left = float(np.clip((of_all - signal) / max(of_half - signal, 1e-300), share**2 / 2, 1.0))
    rdm = _squared_distances if distance == "crossnobis" else correlation_rdm
    first, second = (np.array([prepared(rdm(halves[i])) for halves in made]) for i in range(2))
    return Halves(first, second, noise_left, ranked)


def _divisions(shown: npt.NDArray[np.bool_]) -> list[tuple[npt.NDArray[np.bool_], npt.NDArray[np.bool_]]]:
    """Which repetitions of each stimulus stand in either half; floor(n / 2) in each."""
    n_stimuli, n_repetitions = shown.shape
    generator = np.random.default_rng(0)
    if shown.all():
        half = n_repetitions // 2
        chosen = [
            (a, b)
            for a in combinations(range(n_repetitions), half)
            for b in combinations(sorted(set(range(n_repetitions)) - set(a)), half)
            if a < b
        ] if n_repetitions <= 6 else [
            (order[:half], order[half : 2 * half])
            for order in (generator.permutation(n_repetitions) for _ in range(_N_SPLITS))
        ]  # fmt: skip
        drawn = generator.permutation(len(chosen))[:_N_SPLITS]
        every = np.arange(n_repetitions)
        return [
            tuple(np.tile(np.isin(every, np.array(half)), (n_stimuli, 1)) for half in chosen[i])  # type: ignore[misc]
            for i in drawn
        ]
    halves = []
    for _ in range(_N_SPLITS):
        place = np.argsort(np.argsort(np.where(shown, generator.random(shown.shape), 2.0), axis=1), axis=1)
        half = shown.sum(axis=1, keepdims=True) // 2
        halves.append((place < half, (place >= half) & (place < 2 * half)))
    return halves


def _mean(cube: Floats, taken: npt.NDArray[np.bool_]) -> Floats:
    mean: Floats = np.where(taken[:, :, None], cube, 0.0).sum(axis=1) / taken.sum(axis=1)[:, None]
    return mean


def _squared_distances(patterns: Floats) -> Floats:
    products = patterns @ patterns.T
    own = np.diag(products)
    distances: Floats = (own[:, None] + own - 2 * products) / patterns.shape[1]
    np.fill_diagonal(distances, 0.0)
    return distances
