"""Whitened RSA: dissimilarities that share a stimulus share its noise, and count for less (Diedrichsen et al. 2021)."""

from typing import Any, ClassVar

import numpy as np

from ...analysis.representation.rdm_comparison import centered, double_centered, whitened
from .base import Floats
from .recording import Recording
from .registries import metric
from .rsa import Similarity, divided
from .sampling import Sampling

_MOST = 0.95
"""Share of the stimuli in draws of the first order."""


class WhitenedSimilarity(Similarity):
    """Whitened correlation of a layer's RDM with each subject's, mean over subjects.

    A bootstrap would draw a stimulus twice, whose distance to itself is no measurement and has no place in the
    covariance; the interval is of random subsets of the stimuli without replacement. The variance of a subset of m
    around the whole, times m / (n - m), is that of the whole around the truth where stimuli differ (McCarthy 1969,
    Rev. Int. Stat. Inst. 37:239); of single pairs it holds 1 + n / m times as much.
    """

    compare: ClassVar[str] = "whitened correlation"
    ranked: ClassVar[bool] = False
    resampling: ClassVar[str] = "random subsets of the stimuli"

    def _bounds(self, rdms: Floats) -> tuple[float, float, Floats, Floats]:
        """The mean of RDMs of one whitened length agrees best with all: the upper bound is exact."""
        alike = whitened(rdms)
        others = alike.sum(axis=0) - alike
        lower = (alike * others).sum(axis=(1, 2)) / np.linalg.norm(others, axis=(1, 2))
        mean = alike.mean(axis=0)
        upper = np.tensordot(alike, mean, axes=2) / np.linalg.norm(mean)
        return float(lower.mean()), float(upper.mean()), lower, upper

    def _prepared(self, rdm: Floats, rounding: float = 0.0) -> Floats:
        del rounding
        return rdm

    def _centered(self, rdms: Floats) -> Floats:
        return double_centered(centered(rdms))

    def _vectors(self, rdms: Floats) -> Floats:
        return whitened(rdms)

    def _with_vectors(self, vectors: Floats, model: Floats) -> float:
        return float(np.vdot(vectors, whitened(model[None])[0]))

    def _drawn(
        self, depends: Sampling, n_draws: int, seed: int, *, first_order: bool
    ) -> tuple[Floats, float]:
        """1 for the stimuli of a subset: nearly all of them, or half."""
        n = depends.n_groups
        taken = min(round(_MOST * n), n - 1) if first_order else n // 2
        generator = np.random.default_rng(seed)
        chosen = np.argsort(generator.random((n_draws, n)), axis=1) < taken
        groups = np.arange(n) if depends.groups is None else depends.groups
        return chosen[:, groups].astype(float), taken / (n - taken)

    def _redrawn(
        self, one: Floats, others: Floats, weights: Floats, depends: Sampling, *, first_order: bool
    ) -> Floats:
        del depends, first_order
        r = np.full((len(weights), len(others)), np.nan)
        for row, chosen in zip(r, weights > 0, strict=True):
            if chosen.sum() > 3:
                row[:] = self._agreement(one, others, np.flatnonzero(chosen))
        return r

    def _among_redrawn(
        self, brain: Floats, weights: Floats, depends: Sampling, *, first_order: bool
    ) -> Floats:
        """As of its parent; one whitening a draw."""
        del depends, first_order
        r = np.full((len(weights), len(brain)), np.nan)
        for row, chosen in zip(r, weights > 0, strict=True):
            if chosen.sum() > 3:
                alike = whitened(brain[:, chosen][:, :, chosen])
                row[:] = (np.tensordot(alike, alike.sum(axis=0), axes=2) - 1) / (len(brain) - 1)
        return r


@metric(
    "rsa_whitened",
    sentence="a layer's dissimilarities (1 - Pearson r) are correlated with the brain's, both whitened by the "
    "covariance of dissimilarities that share a stimulus",
    formula="a'V^-1 b / sqrt(a'V^-1 a b'V^-1 b), of dissimilarities less their mean, mean over subjects",
    options=("stratify", "group", "normalization"),
    axis="RDM correlation (whitened)",
    ceilings=("rdm_pairwise", "rdm", "r_max", "none"),
    citation="Diedrichsen et al. (2021), Neurons Behav. Data Anal. Theory 5(3)",
    version=3,
    like=("rdm",),
)
def rsa_whitened(recorded: Recording, **options: Any) -> WhitenedSimilarity:
    """RSA by the whitened correlation of dissimilarities."""
    return WhitenedSimilarity("rsa_whitened", "correlation", **divided(recorded, **options))
