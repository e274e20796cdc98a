"""How often a model that is right but for the noise would tell two measured patterns apart."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from ...brain_data.repetitions import mean_response
from .identification import Flags, Pairs

Floats = npt.NDArray[np.float64]

FEWEST_FREE = 6
"""Repetitions beyond the first, over all stimuli, below which the noise is not known."""


@dataclass(frozen=True)
class Distances:
    """Distances between noise-free patterns, in units of the noise of one presentation.

    With z the mean patterns divided by the noise sd and less their mean over neuroids, C the covariance of the noise
    in the same units, q its trace, and f its degrees of freedom, the squared distance

        d_ij^2 = (f - 2)/f |z_i - z_j|^2 - (1/n_i + 1/n_j) q

    is unbiased for any numbers n_i of presentations (the first factor because the sd is itself an estimate). Of the
    differences between pairs, noise makes up v_ij = 4 k d^2 s_ij + 2 s_ij^2 tr(C^2), s_ij = 1/n_i + 1/n_j, so each is
    shrunk towards the mean by sqrt(t / (t + v_ij)), where t is the variance that is left. A noise-free pattern is then
    recognised, by linear discrimination in these units, with probability

        Phi(d_ij / sqrt(k s_ij)),

    where k is the noise along the signal's directions over that in all of them: 1 for independent neuroids; noise that
    they share lies where their signals lie, and weighs more.

    Attributes
    ----------
    squares : array of shape (n_stimuli, n_stimuli)
        (f - 2)/f |z_i - z_j|^2.
    residuals : array of shape (n_stimuli,)
        Sum of squares about each stimulus' mean.
    counts : array of shape (n_stimuli,)
    square_trace, along : float
        tr(C^2), and k.
    """

    squares: Floats = field(repr=False)
    residuals: Floats = field(repr=False)
    counts: Floats = field(repr=False)
    square_trace: float
    along: float

    @classmethod
    def of(cls, cube: Floats, scale: Floats) -> Distances | None:
        """From responses and what they are divided by; None with too few repetitions.

        Parameters
        ----------
        cube : array of shape (n_stimuli, n_repetitions, n_neuroids)
        scale : array of shape (n_neuroids,)
        """
        shown = (~np.isnan(cube)).any(axis=2)
        counts = shown.sum(axis=1).astype(np.float64)
        free = float((counts - 1).sum())
        if free < FEWEST_FREE:
            return None
        mean = mean_response(cube)
        noise = np.nan_to_num((cube - mean[:, None]) / scale)[shown]
        noise -= noise.mean(axis=1, keepdims=True)
        residuals = np.zeros(len(cube))
        np.add.at(residuals, np.nonzero(shown)[0], (noise**2).sum(axis=1))
        z = mean / scale
        z = z - z.mean(axis=0)
        z -= z.mean(axis=1, keepdims=True)
        square_trace, noise_along = _second_moments(noise, z, free)
        unbiased, inverse = (free - 2) / free, float((1 / counts).mean())
        trace = residuals.sum() / free
        signal = unbiased * (z**2).sum() / (len(z) - 1) - trace * inverse
        along = (unbiased * noise_along - square_trace * inverse) / signal if signal > 0 else 1.0
        length = (z**2).sum(axis=1)
        squares = np.maximum(length[:, None] + length - 2 * z @ z.T, 0)
        uncertain = 2 / (free - 4)  # weights that are estimates add noise of their own
        return cls(unbiased * squares, residuals, counts, square_trace, max(along, 0.05) + uncertain)

    def accuracy(self, pairs: Pairs, rows: Flags | None = None) -> float:
        """The best share of pairs told apart, mean over parts.

        Parameters
        ----------
        pairs : sequence of (rows, upper)
            As :func:`.identification.pairs_of` gives them.
        rows : array of shape (n_stimuli,), optional
            Those that the noise is estimated from.
        """
        inverse, squared = self._pairs(pairs, rows)
        mean, left, noise = self._spread(inverse, squared)
        distance = mean + np.sqrt(left / np.maximum(left + noise, 1e-300)) * (squared - mean)
        chance = _phi(np.sqrt(np.maximum(distance, 0.0) / (self.along * inverse)))
        ends = np.cumsum([int(upper.sum()) for _, upper in pairs])[:-1]
        return float(np.mean([part.mean() for part in np.split(chance, ends) if len(part)]))

    def certainty(self, pairs: Pairs) -> float:
        """The mean squared distance, in standard errors that noise alone would give it."""
        _inverse, squared = self._pairs(pairs, None)
        n = len(np.unique(np.concatenate([rows for rows, _ in pairs])))
        of_noise = np.sqrt(2 * self.square_trace / max(n - 1, 1)) * (1 / self.counts).mean() * 2
        return float(squared.mean() / of_noise) if of_noise > 0 else float("inf")

    def _pairs(self, pairs: Pairs, rows: Flags | None) -> tuple[Floats, Floats]:
        """1/n_i + 1/n_j and the unbiased squared distance of all pairs, one part after the other."""
        kept = np.ones(len(self.counts), bool) if rows is None else rows
        trace = self.residuals[kept].sum() / max((self.counts[kept] - 1).sum(), 1)
        one = 1 / self.counts
        inverse = np.concatenate([(one[part][:, None] + one[part])[upper] for part, upper in pairs])
        squared = np.concatenate([self.squares[np.ix_(part, part)][upper] for part, upper in pairs])
        return inverse, squared - inverse * trace

    def _spread(self, inverse: Floats, squared: Floats) -> tuple[float, float, Floats]:
        """Mean and variance of the true squared distances, and what noise adds to each one's."""
        weights = 1 / inverse**2
        weights /= weights.sum()
        mean = float(weights @ squared)
        noise = 4 * self.along * max(mean, 0.0) * inverse + 2 * inverse**2 * self.square_trace
        left = float(weights @ ((squared - mean) ** 2 - noise))
        return mean, max(left, 0.0), noise


def _second_moments(noise: Floats, z: Floats, free: float) -> tuple[float, float]:
    """tr(C^2), unbiased where the noise is normal, and tr(C B), B being the covariance of patterns."""
    wide = noise.shape[1] > len(noise)
    gram = noise @ noise.T if wide else noise.T @ noise
    squared, trace = float((gram**2).sum()) / free**2, float(np.trace(gram)) / free
    unbiased = free**2 / ((free - 1) * (free + 2)) * (squared - trace**2 / free)
    return unbiased, float(((noise @ z.T) ** 2).sum()) / free / (len(z) - 1)


def _phi(x: Floats) -> Floats:
    from scipy.special import ndtr

    found: Floats = ndtr(x)
    return found
