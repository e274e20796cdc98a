"""How an RSA score would move with other stimuli and other subjects."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ...analysis.statistics.replicates import Replicates
from ...analysis.statistics.resampling import Floats, bootstrap_weights

ENOUGH = 250
"""Draws from which the variance of whole draws is known well enough."""


@dataclass(frozen=True)
class Agreement:
    """What the headline mean_s r_s / sqrt(mean_s best_s) is made of, of many draws.

    Attributes
    ----------
    r : array of shape (n_draws, n_subjects)
        Of the model with each subject.
    best : array of shape (n_draws, n_subjects)
        Mean r of each subject with the others, or the square of the best r.
    scale : float
        Variance over the stimuli that there are, over the variance of these draws.
    """

    r: Floats
    best: Floats
    scale: float = 1.0

    def linearized(self, least: float = 0.0) -> tuple[Floats, Floats]:
        """The headline, and the influence of every subject on it, whose mean is 0.

        best is a mean over pairs of subjects, on which subject s has the influence 2 (S - 1) / (S - 2) (best_s - best).
        """
        n = self.r.shape[1]
        r, best = self.r.mean(axis=1, keepdims=True), self.best.mean(axis=1, keepdims=True)
        away = self.best - best
        best = np.maximum(best, least)
        headline = r / np.sqrt(best)
        influence = (self.r - r) / np.sqrt(best) - headline / best * away * ((n - 1) / max(n - 2, 1))
        return headline[:, 0], influence


def replicates(
    value: float,
    observed: Agreement,
    among: Floats | None,
    first_order: Agreement,
    whole: Agreement,
    *,
    n_samples: int,
    seed: int,
    named: bool,
) -> Replicates:
    """Draws of stimuli, subjects, and both.

    A draw of stimuli counts the noise of single pairs of them three times, one of the first order twice, and what
    single stimuli do once: 2 v_first - v_whole is the variance of both together, and the draws of the first order are
    scaled to it (not below half of what they have). Of subjects, the noise of single pairs of them is taken off.

    Parameters
    ----------
    value : float
    observed : Agreement
        One row.
    among : array of shape (n_subjects, n_subjects) or None
        The correlations that `best` is made of.
    first_order, whole : Agreement
        Draws of stimuli, the same ones in the same order; `whole` may have fewer.
    n_samples : int
        Stimuli, or groups of them.
    seed : int
        Of draws of subjects.
    named : bool
        Whether it is known who was recorded.
    """
    n_subjects = observed.r.shape[1]
    headline, influence = (one[0] for one in observed.linearized())
    least = float(observed.best.mean()) / 4
    of_first, of_whole = first_order.linearized(least), whole.linearized(least)
    scales = first_order.scale, whole.scale
    samples = _scaled(value, of_first[0], of_whole[0], scales)
    if n_subjects == 1:
        return Replicates(value, samples, "bootstrap", n_samples, np.array([value] if named else []))
    kept = 1.0 if among is None else _without_pairs(float(headline), influence, among)
    drawn = bootstrap_weights(n_subjects, len(samples), random_state=seed) / n_subjects - 1 / n_subjects
    drawn *= kept * np.sqrt(n_subjects / (n_subjects - 1))
    draws = [
        theta + (drawn[: len(theta)] * (influence / np.sqrt(scale) + change - influence)).sum(axis=1)
        for (theta, change), scale in zip((of_first, of_whole), scales, strict=True)
    ]
    both = _scaled(value, draws[0], draws[1], scales)
    return Replicates(value, samples, "bootstrap", n_samples, value + kept * influence, both=both)


def _scaled(value: float, first: Floats, whole: Floats, scales: tuple[float, float]) -> Floats:
    """Draws of the first order around the value, with the noise of pairs counted once."""
    spread = float(np.nanvar(first)) if np.isfinite(first).any() else 0.0
    if spread == 0:
        return np.full(len(first), value)
    of_first, of_whole = spread * scales[0], float(np.nanvar(whole)) * scales[1]
    target = np.clip(2 * of_first - of_whole, of_first / 2, of_first)
    scaled: Floats = value + (first - np.nanmean(first)) * np.sqrt(target / spread)
    return scaled


def _without_pairs(headline: float, influence: Floats, among: Floats) -> float:
    """By how much influences of subjects are to shrink for their variance to be that of the headline.

    The influence on a mean over pairs holds the noise of every pair (S - 1) / (S - 2) times 2, twice or more of what
    it adds; its variance is that of what r_st = r + h_s + h_t leaves over.
    """
    n = len(among)
    spread = float(influence.var(ddof=1)) / n
    if n < 4 or spread == 0:
        return 1.0
    off = ~np.eye(n, dtype=bool)
    mean = float(among[off].mean())
    own = (np.where(off, among, 0.0).sum(axis=1) / (n - 1) - mean) * (n - 1) / (n - 2)
    left = (among - mean - own[:, None] - own)[np.triu_indices(n, k=1)]
    noise = float((left**2).sum()) / (n * (n - 3) / 2)
    excess = (headline / mean) ** 2 * noise / n * (1 / (n - 2) - 1 / (2 * (n - 1)))
    return float(np.sqrt(np.clip(1 - excess / spread, (n - 2) / (2 * (n - 1)), 1.0)))
