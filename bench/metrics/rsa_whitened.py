"""Whitened RSA: dissimilarities that share a stimulus share its noise, and count for less (Diedrichsen et al. 2021)."""

from collections.abc import Mapping
from typing import ClassVar

import numpy as np

from ...analysis.encoding.cross_validation import Splitter
from ...analysis.representation.rdm_comparison import whitened_correlation
from ...analysis.statistics.resampling import bootstrap_weights
from .base import Floats, ScoringOptions
from .recording import Recording
from .registries import metric
from .rsa import Parts, Similarity


class WhitenedSimilarity(Similarity):
    """Whitened correlation of a layer's RDM with each subject's, mean over subjects.

    A bootstrap would draw a stimulus twice, whose distance to itself is no measurement and has no place in the
    covariance; the interval is of random halves of the stimuli. Their spread around the whole is that of the whole
    around the truth where stimuli differ (McCarthy 1969, Rev. Int. Stat. Inst. 37:239), and wider where single pairs
    do: it errs on the side of caution.
    """

    compare: ClassVar[str] = "whitened correlation"
    resampling: ClassVar[str] = "random halves of the stimuli"

    def _bounds(self, rdms: Floats) -> tuple[float, float, Floats, Floats]:
        """The mean of RDMs of one whitened length agrees best with all: the upper bound is exact."""
        alike = np.array([rdm / _length(rdm) for rdm in rdms])
        upper = whitened_correlation(alike, alike.mean(axis=0))
        lower = np.array(
            [self._between(rdm, np.delete(alike, i, axis=0).mean(axis=0)) for i, rdm in enumerate(alike)]
        )
        return float(lower.mean()), float(upper.mean()), lower, upper

    def _between(self, one: Floats, other: Floats) -> float:
        return float(whitened_correlation(one[None], other)[0])

    def _prepared(self, rdm: Floats) -> Floats:
        return rdm

    def _agreement_of(self, model: Floats, brain: Floats) -> Floats:
        return np.nan_to_num(whitened_correlation(brain, model))

    def _draws(
        self, model: Mapping[str, Floats], brain: Floats, parts: Parts, options: ScoringOptions
    ) -> Floats:
        if options.n_bootstraps == 0:
            return np.array([])
        n_subjects, n_stimuli = brain.shape[:2]
        generator = np.random.default_rng(options.seed)
        subjects = bootstrap_weights(n_subjects, options.n_bootstraps, random_state=options.seed + 1)
        draws = np.zeros(options.n_bootstraps)
        for i, weights in enumerate(subjects):
            half = np.zeros(n_stimuli, bool)
            half[generator.permutation(n_stimuli)[: n_stimuli // 2]] = True
            r = [self._agreement(model[layer], brain, rows[half[rows]]) for layer, rows in parts]
            draws[i] = np.mean(r, axis=0) @ weights / n_subjects
        return draws


@metric(
    "rsa_whitened",
    sentence="a layer's dissimilarities (1 - Pearson r) are correlated with the brain's, both whitened by the "
    "covariance of dissimilarities that share a stimulus",
    formula="a'V^-1 b / sqrt(a'V^-1 a b'V^-1 b), of dissimilarities less their mean, mean over subjects",
    options=("stratify",),
    axis="RDM correlation (whitened)",
    ceilings=("rdm", "r_max", "none"),
    citation="Diedrichsen et al. (2021), Neurons Behav. Data Anal. Theory 5(3)",
    like=("rdm",),
)
def rsa_whitened(recorded: Recording, *, stratify: str | None = None) -> WhitenedSimilarity:
    """RSA by the whitened correlation of dissimilarities."""
    recorded.column(stratify)
    return WhitenedSimilarity("rsa_whitened", "correlation", Splitter(n_splits=2, stratify=stratify))


def _length(rdm: Floats) -> float:
    """The root of a'V^-1 a, of dissimilarities less their mean over pairs."""
    n = len(rdm)
    centered = rdm - rdm.sum() / (n * (n - 1)) * (1 - np.eye(n))
    centered = centered - centered.mean(axis=0)
    return float(np.linalg.norm(centered - centered.mean(axis=1, keepdims=True)))
