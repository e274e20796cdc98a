"""What a model explains beyond nuisance spaces: the variance that it adds to them on held-out stimuli.

The nuisance spaces together are one band, the model's layer the other. With R2 = 1 - SSE / SST, pooled over held-out
folds and centred within each, the unique variance of a neuroid is R2(both bands) - R2(nuisance), both fitted anew. The
headline is

    mean_s median_j unique_sj / mean_s median_j rel_sj

over the neuroids j of the subjects s; without a ceiling the numerator alone.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
import numpy.typing as npt

from ...analysis.encoding.cross_validation import Indices
from ...analysis.encoding.nested_ridge import Fit, NestedRidge, Targets, products_device
from ...analysis.encoding.pooled import PooledFolds, predictions_without
from ...analysis.encoding.two_bands import (
    Band,
    JointFit,
    first_part,
    joint_fits,
    joint_without,
)
from ...analysis.statistics.replicates import Replicates
from ...analysis.statistics.resampling import p_value
from . import uncertainty
from .base import Beyond, ScoringOptions
from .headline import Headline
from .normalization import none
from .sampling import Sampling

Floats = npt.NDArray[np.float64]

_PERMUTED_ENTRIES = 1 << 22
"""Most numbers of all permuted responses together; fewer neuroids are tested where there would be more."""


@dataclass(frozen=True)
class Comparison:
    """A model's layers beside nuisance spaces.

    Attributes
    ----------
    layers : mapping of str to array
        The model's features.
    chosen : sequence of str
        The layer of each fold, chosen on its training stimuli.
    nuisance : mapping of str to sequence of array
        The features of each nuisance space.
    targets : array of shape (n_stimuli, n_neuroids)
    headline : Headline
        Of these neuroids.
    sampling : Sampling
    options : ScoringOptions
    alphas : array
        Penalties.
    fitted : array of shape (n_stimuli, n_neuroids)
        What is fitted: `targets`, unless it was said otherwise.
    """

    layers: Mapping[str, npt.ArrayLike]
    chosen: Sequence[str]
    nuisance: Mapping[str, Sequence[npt.ArrayLike]]
    targets: Floats
    headline: Headline
    sampling: Sampling
    options: ScoringOptions
    alphas: Floats
    fitted: Floats

    def found(self) -> Beyond:
        """The headline, its interval and p."""
        share = replace(self.headline, of_variance=True)
        alone, both = self._fits(self.fitted)
        pooled = self._pooled(np.arange(self.targets.shape[1]))
        r2 = [pooled.r2([one.prediction for one in fits]) for fits in (alone, both)]
        unique = r2[1] - r2[0]
        replicates, products = self._replicates(share, unique, alone, both)
        p, said = self._p(unique, alone)
        of = "raw" if share.normalization is none else "over the reliability"
        typical = [round(float(share.raw(one)), 4) for one in r2]
        return Beyond(
            share.value(unique),
            replicates.interval(self.options.level),
            p,
            list(self.nuisance),
            {
                "beyond": f"variance that the layer adds on held-out stimuli, {of}, median over neuroids",
                "beyond_r2": [f"nuisance {typical[0]}", f"with the layer {typical[1]}"],
                **products,
                **said,
            },
        )

    @cached_property
    def _nuisance(self) -> Band:
        return Band([features for space in self.nuisance.values() for features in space])

    @cached_property
    def _bands(self) -> dict[str, Band]:
        return {layer: Band([self.layers[layer]]) for layer in dict.fromkeys(self.chosen)}

    def _pooled(self, neuroids: Indices) -> PooledFolds:
        return PooledFolds(self.sampling.tests, self.targets[:, neuroids], self.headline.weights)

    def _some(self, most: int) -> Indices:
        return uncertainty.subsample_targets(self.headline.members, self.options.seed, most)

    def _fits(self, targets: Floats) -> tuple[list[Fit], list[JointFit]]:
        """Of every fold, the nuisance spaces alone and with the layer."""
        device, folds = products_device(), self.sampling.folds
        columns = Targets(targets, device)
        engine = NestedRidge(self._nuisance.prepared(), folds, self.alphas, device)
        alone = [engine.fit(fold, columns) for fold in folds]
        both: dict[int, JointFit] = {}
        for layer, band in self._bands.items():
            places = [i for i, name in enumerate(self.chosen) if name == layer]
            fits = joint_fits(
                band, self._nuisance, [alone[i] for i in places], [folds[i] for i in places], columns,
                alphas=self.alphas, device=device,
            )  # fmt: skip
            both |= dict(zip(places, fits, strict=True))
        return alone, [both[i] for i in range(len(folds))]

    def _replicates(
        self, share: Headline, unique: Floats, alone: Sequence[Fit], both: Sequence[JointFit]
    ) -> tuple[Replicates, dict[str, object]]:
        """The headline without each group of stimuli, and the product scores of the two bands."""
        if self.options.n_bootstraps == 0:
            return Replicates(share.value(unique)), {}
        some = self._some(uncertainty.MOST_TESTED)
        targets, pooled, few = self.fitted[:, some], self._pooled(some), share.only(some)
        groups = self.sampling.jackknife_groups
        parts = [one.parts(some) for one in both]
        ways = [
            [predictions_without(uncertainty.select_targets(one, some), targets, groups) for one in alone],
            [joint_without(one, targets, groups) for one in parts],
        ]
        without, reliability = np.empty((2, int(groups.max()) + 1, len(some)))
        for group, (less, more) in enumerate(zip(*(zip(*way, strict=True) for way in ways), strict=True)):
            kept = groups != group
            without[group] = pooled.r2(more, kept) - pooled.r2(less, kept)
            reliability[group] = few.reliability(kept)
        predictions = [one.prediction[:, some] for one in both]
        of_nuisance = [first_part(*one, targets) for one in zip(both, parts, strict=True)]
        product = pooled.product_score(of_nuisance, predictions)
        scores = [float(few.raw(one)) for one in (product, pooled.r2(predictions) - product)]
        said = [f"nuisance {scores[0]:.4f}", f"layer {scores[1]:.4f}"]
        return few.replicates(unique[some], without, reliability, share, unique), {
            "beyond_product_scores": said
        }

    def _p(self, unique: Floats, alone: Sequence[Fit]) -> tuple[float, dict[str, object]]:
        """P by Freedman & Lane (1983): residuals of the nuisance spaces are permuted, and both fitted anew."""
        options, n_stimuli = self.options, len(self.targets)
        if options.n_permutations == 0:
            return float("nan"), {}
        orders, what, smallest = self.sampling.orders(options.n_permutations, options.seed + 3)
        some = self._some(min(_PERMUTED_ENTRIES // (n_stimuli * len(orders)), uncertainty.MOST_TESTED))
        permuted = self._shuffled(self.targets[:, some], some, alone, orders)
        same = self.fitted is self.targets
        training = permuted if same else self._shuffled(self.fitted[:, some], some, alone, orders)
        pooled, few = self._pooled(some), self.headline.only(some)
        r2 = []
        for fits in self._fits(training.reshape(n_stimuli, -1)):
            draws = [
                (one.prediction.reshape(-1, *permuted.shape[1:]), permuted[one.split.test]) for one in fits
            ]
            r2.append(pooled.r2_of_draws(draws))
        null = np.asarray(few.raw(r2[1] - r2[0]))
        tested = f", over {len(some)} of {len(unique)} neuroids" if len(some) < len(unique) else ""
        return p_value(float(few.raw(unique[some])), null), {
            "beyond_p": f"residuals of the nuisance spaces permuted ({what}), {len(orders)} times, both fitted "
            f"anew{tested}",
            "beyond_smallest_p": smallest,
        }

    def _shuffled(self, targets: Floats, neuroids: Indices, alone: Sequence[Fit], orders: Indices) -> Floats:
        """What the nuisance spaces explain and, in other orders, what they do not, (stimulus, order, neuroid)."""
        explained = self._explained(targets, neuroids, alone)
        shuffled: Floats = explained[:, None] + (targets - explained)[orders].transpose(1, 0, 2)
        return shuffled

    def _explained(self, targets: Floats, neuroids: Indices, alone: Sequence[Fit]) -> Floats:
        """What the nuisance spaces explain of all stimuli, at the typical penalty of the folds."""
        everything = np.arange(len(targets))
        basis = self._nuisance.prepared().diagonalize(everything, everything)
        alpha = np.median([one.alpha[neuroids] for one in alone], axis=0)
        mean = targets.mean(axis=0)
        explained: Floats = mean + basis.to_test @ basis.shrink(basis.project(targets - mean), alpha)
        return explained
