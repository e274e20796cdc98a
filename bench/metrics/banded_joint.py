"""What banded ridge finds of one model: the joint prediction, and what each space explains of it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt

from ...analysis.encoding.banded import BandedFold, draw_weightings, fit_fold
from ...analysis.encoding.banded_spaces import Spaces
from ...analysis.encoding.banded_without import without_each_group
from ...analysis.encoding.cross_validation import Fold, Indices, Split
from ...analysis.encoding.pooled import PooledFolds
from ...analysis.statistics.replicates import Replicates
from ...analysis.statistics.resampling import p_value
from ...errors import UserError
from . import uncertainty
from .base import Beyond, Layers, ScoringOptions
from .headline import Headline
from .normalization import none
from .sampling import Sampling

Floats = npt.NDArray[np.float64]

LAYER = "layer"
"""The model's own space."""
_DELAY = "@delay "
MOST_ORDERS = 200
"""Orders of which the whole search is done anew for p."""
TESTED_DRAWS = 12
"""Random weightings of the search that p tests: a smaller one, of responses as they are and in other orders alike."""
_ORDERED = 1 << 20
"""Most numbers of all permuted responses together; fewer neuroids are tested where there would be more."""
_EIGENVALUES = 10**11
"""Cubes of rows whose bases are made for an interval; fewer neuroids where there would be more."""


class How(Protocol):
    """The metric, as far as its fits depend on it."""

    @property
    def n_draws(self) -> int:
        """Random weightings that are tried."""

    @property
    def n_delays(self) -> int:
        """Bands of each space."""

    @property
    def spaces(self) -> Mapping[str, Sequence[npt.ArrayLike]]:
        """The nuisance spaces."""

    @property
    def sampling(self) -> Sampling:
        """Folds, and what depends on what."""


@dataclass(frozen=True)
class Joint:
    """One model's spaces on all folds.

    Attributes
    ----------
    how : How
    layers : mapping of str to array
    chosen : sequence of str
        The layer of each fold.
    fitted, truth : array of shape (n_stimuli, n_neuroids)
        What is fitted, and what is predicted.
    headline : Headline
    options : ScoringOptions
    """

    how: How
    layers: Layers
    chosen: Sequence[str]
    fitted: Floats
    truth: Floats
    headline: Headline
    options: ScoringOptions

    @property
    def sampling(self) -> Sampling:
        """Folds, and what depends on what."""
        return self.how.sampling

    @cached_property
    def spaces(self) -> dict[str, Spaces]:
        """All bands, by the layer among them."""
        made = {}
        for layer in dict.fromkeys(self.chosen):
            features = {name: joined(arrays) for name, arrays in self.how.spaces.items()}
            features[LAYER] = np.asarray(self.layers[layer])
            bands = {name: one for of in features for name, one in self._bands(of, features[of]).items()}
            made[layer] = Spaces.of(bands, len(self.truth))
        return made

    def _bands(self, name: str, features: Floats) -> dict[str, Floats]:
        n_delays = self.how.n_delays
        if n_delays == 1:
            return {name: features}
        if features.shape[1] % n_delays:
            raise UserError(
                f"bands = 'delays': the space {name!r} has {features.shape[1]} columns, not the same number at each of "
                f"{n_delays} delays"
            )
        parts = np.split(features, n_delays, axis=1)
        return {f"{name}{_DELAY}{delay}": part for delay, part in enumerate(parts, start=1)}

    @cached_property
    def names(self) -> list[str]:
        """The nuisance spaces, then the layer."""
        return [*self.how.spaces, LAYER]

    def members(self, name: str) -> list[int]:
        """The places of a space's bands."""
        bands = next(iter(self.spaces.values())).names
        return [i for i, band in enumerate(bands) if band.rsplit(_DELAY, 1)[0] == name]

    @cached_property
    def weightings(self) -> Floats:
        """That are tried of all bands."""
        return self._drawn(len(next(iter(self.spaces.values()))))

    def _drawn(self, n_bands: int, most: int | None = None) -> Floats:
        n_draws = self.how.n_draws if most is None else min(most, self.how.n_draws)
        return draw_weightings(n_bands, n_draws, self.options.seed)

    def fits(self, targets: Floats, without: str | None = None, most: int | None = None) -> list[BandedFold]:
        """Of every fold, all spaces together, or all but one; of at most so many random weightings."""
        found = []
        for layer, fold in zip(self.chosen, self.sampling.folds, strict=True):
            some = self._without(layer, without)
            found.append(fit_fold(some, targets, fold, self._drawn(len(some), most), kind=np.float32))
        return found

    def _without(self, layer: str, name: str | None) -> Spaces:
        every = self.spaces[layer]
        if name is None:
            return every
        return every.only([band for band in every.names if band.rsplit(_DELAY, 1)[0] != name])

    @cached_property
    def joint(self) -> list[BandedFold]:
        """The fits of all spaces together."""
        return self.fits(self.fitted)

    @cached_property
    def less(self) -> dict[str, list[BandedFold]]:
        """The fits without each space; of a single one there are none."""
        return {name: self.fits(self.fitted, name) for name in self.names} if len(self.names) > 1 else {}

    @cached_property
    def pooled(self) -> PooledFolds:
        """What predictions are compared with."""
        return PooledFolds(self.sampling.tests, self.truth, self.headline.weights)

    @cached_property
    def r(self) -> Floats:
        """Of every neuroid, of the joint prediction."""
        return self.pooled.r([one.prediction for one in self.joint])

    @cached_property
    def r2(self) -> Floats:
        """The explained variance of all spaces."""
        return self.pooled.r2([one.prediction for one in self.joint])

    @cached_property
    def products(self) -> Floats:
        """The product score of each space, ``(n_spaces, n_neuroids)``."""
        whole = [one.prediction for one in self.joint]
        found = []
        for name in self.names:
            parts = [one.parts[self.members(name)].sum(axis=0, dtype=np.float64) for one in self.joint]
            found.append(self.pooled.product_score(parts, whole))
        return np.array(found)

    @cached_property
    def unique(self) -> Floats:
        """R2 of all spaces less that of all others, ``(n_spaces, n_neuroids)``."""
        if not self.less:
            return self.r2[None]
        return np.array(
            [self.r2 - self.pooled.r2([one.prediction for one in self.less[name]]) for name in self.names]
        )

    @cached_property
    def some(self) -> Indices:
        """The neuroids that replicates are computed for."""
        affordable = max(_EIGENVALUES // len(self.truth) ** 3, 4)
        most = min(uncertainty.MOST_TESTED, affordable)
        return uncertainty.subsample_targets(self.headline.members, self.options.seed, most)

    def _predicted_without(self, fits: Sequence[BandedFold], less: str | None) -> list[Floats]:
        """Of every fold the predictions without each group, ``(n_groups, n_test, n_some)``."""
        groups, targets = self.sampling.jackknife_groups, self.fitted[:, self.some]
        found = []
        for layer, one in zip(self.chosen, fits, strict=True):
            spaces = self._without(layer, less)
            found.append(
                without_each_group(spaces, one.only(self.some), targets, self._drawn(len(spaces)), groups)
            )
        return found

    @cached_property
    def moved(self) -> list[Floats]:
        """The joint predictions without each group of stimuli."""
        return self._predicted_without(self.joint, None)

    @cached_property
    def replicates(self) -> Replicates:
        """The headline without each group of stimuli."""
        if self.options.n_bootstraps == 0:
            return Replicates(self.headline.value(self.r))
        few, pooled = self.headline.only(self.some), self._pooled(self.some)
        groups = self.sampling.jackknife_groups
        without, reliability = np.empty((2, int(groups.max()) + 1, len(self.some)))
        for group in range(len(without)):
            without[group] = pooled.r([one[group] for one in self.moved], groups != group)
            reliability[group] = few.reliability(groups != group)
        return few.replicates(self.r[self.some], without, reliability, self.headline, self.r)

    def _pooled(self, neuroids: Indices) -> PooledFolds:
        return PooledFolds(self.sampling.tests, self.truth[:, neuroids], self.headline.weights)

    def _orders(self, seed: int) -> tuple[Indices, str, float, Indices]:
        """Orders, what they permute, the smallest p, and the neuroids that are tested."""
        n_orders = min(self.options.n_permutations, MOST_ORDERS)
        orders, what, smallest = self.sampling.orders(n_orders, seed)
        most = min(_ORDERED // (len(self.truth) * len(orders)), uncertainty.MOST_TESTED)
        some = uncertainty.subsample_targets(self.headline.members, self.options.seed, most)
        tested = f", over {len(some)} of {len(self.r)} neuroids" if len(some) < len(self.r) else ""
        return (
            orders,
            f"{what}, {len(orders)} times, weightings (at most {TESTED_DRAWS} random ones) and penalties chosen "
            f"anew{tested}",
            smallest,
            some,
        )

    def p(self) -> tuple[float, dict[str, object]]:
        """P of the headline: responses in other orders."""
        if self.options.n_permutations == 0:
            return float("nan"), {"p": "not asked for"}
        orders, what, smallest, some = self._orders(self.options.seed + 2)
        fitted, truth = (_in_orders(one[:, some], orders) for one in (self.fitted, self.truth))
        fits = self.fits(fitted.reshape(len(fitted), -1), most=TESTED_DRAWS)
        few, pooled = self.headline.only(some), self._pooled(some)
        null = np.asarray(few.raw(pooled.r_of_draws(_draws(fits, truth))))
        r = pooled.r([one.prediction for one in self.fits(self.fitted[:, some], most=TESTED_DRAWS)])
        return p_value(float(few.raw(r)), null), {"p": what, "smallest_p": smallest}

    def added(self) -> Beyond:
        """What the layer adds to all other spaces, its interval, and p by Freedman & Lane's residuals."""
        share = replace(self.headline, of_variance=True)
        unique = self.unique[-1]
        replicates = self._unique_replicates(share, unique)
        p, said = self._unique_p()
        of = "raw" if share.normalization is none else "over the reliability"
        typical = [round(float(share.raw(one)), 4) for one in (self.r2 - unique, self.r2)]
        return Beyond(
            share.value(unique),
            replicates.interval(self.options.level),
            p,
            list(self.how.spaces),
            {
                "beyond": f"variance that the layer adds on held-out stimuli, {of}, median over neuroids",
                "beyond_r2": [f"nuisance {typical[0]}", f"with the layer {typical[1]}"],
                **said,
            },
        )

    def _unique_replicates(self, share: Headline, unique: Floats) -> Replicates:
        if self.options.n_bootstraps == 0:
            return Replicates(share.value(unique))
        few, pooled, groups = share.only(self.some), self._pooled(self.some), self.sampling.jackknife_groups
        others = self._predicted_without(self.less[LAYER], LAYER)
        without, reliability = np.empty((2, int(groups.max()) + 1, len(self.some)))
        for group in range(len(without)):
            kept = groups != group
            both = (pooled.r2([one[group] for one in ways], kept) for ways in (self.moved, others))
            without[group] = next(both) - next(both)
            reliability[group] = few.reliability(kept)
        return few.replicates(unique[self.some], without, reliability, share, unique)

    def _unique_p(self) -> tuple[float, dict[str, object]]:
        if self.options.n_permutations == 0:
            return float("nan"), {}
        orders, what, smallest, some = self._orders(self.options.seed + 3)
        explained = self._explained(some)
        drawn = explained[:, None] + _in_orders(self.fitted[:, some] - explained, orders)
        truth = drawn
        if self.fitted is not self.truth:
            truth = explained[:, None] + _in_orders(self.truth[:, some] - explained, orders)
        pooled, few = self._pooled(some), self.headline.only(some)
        flat = drawn.reshape(len(drawn), -1)
        ways = (LAYER, None)
        r2 = [pooled.r2_of_draws(_draws(self.fits(flat, without, TESTED_DRAWS), truth)) for without in ways]
        null = np.asarray(few.raw(r2[1] - r2[0]))
        found = [
            pooled.r2([one.prediction for one in self.fits(self.fitted[:, some], without, TESTED_DRAWS)])
            for without in ways
        ]
        return p_value(float(few.raw(found[1] - found[0])), null), {
            "beyond_p": f"residuals of the nuisance spaces permuted ({what})",
            "beyond_smallest_p": smallest,
        }

    def _explained(self, neuroids: Indices) -> Floats:
        """What the nuisance spaces explain of all stimuli, weightings and penalties chosen on the outer folds."""
        everything = np.arange(len(self.fitted))
        spaces, targets = self._without(self.chosen[0], LAYER), self.fitted[:, neuroids]
        inner = [one.split for one in self.sampling.folds]
        found = fit_fold(
            spaces, targets, Fold(Split(everything, everything), inner), self._drawn(len(spaces))
        )
        explained: Floats = targets.mean(axis=0) + found.parts.sum(axis=0)
        return explained

    def said(self) -> dict[str, object]:
        """What each space explains, for the methods of a record."""
        both = {"product_scores": self.products, "unique_scores": self.unique}
        said: dict[str, object] = {
            topic: [
                f"{name} {float(self.headline.raw(one)):.4f}"
                for name, one in zip(self.names, scores, strict=True)
            ]
            for topic, scores in both.items()
        }
        if self.how.n_delays > 1:
            said["bands"] = f"each of {self.how.n_delays} delays of every space"
        return said

    def arrays(self, kept: Indices, everyone: Floats) -> dict[str, npt.NDArray[Any]]:
        """The scores of each space and neuroid, NaN for those that do not count."""
        found: dict[str, npt.NDArray[Any]] = {"space_names": np.array(self.names)}
        for name, scores in (("product_scores", self.products), ("unique_scores", self.unique)):
            whole = np.full((len(scores), len(everyone)), np.nan, np.float32)
            whole[:, kept] = scores
            found[name] = whole
        return found


def _in_orders(values: Floats, orders: Indices) -> Floats:
    """Rows in each order, ``(n_stimuli, n_orders, n_neuroids)``."""
    return values[orders].transpose(1, 0, 2)


def _draws(fits: Sequence[BandedFold], truth: Floats) -> list[tuple[Floats, Floats]]:
    return [(one.prediction.reshape(-1, *truth.shape[1:]), truth[one.split.test]) for one in fits]


def joined(arrays: Sequence[npt.ArrayLike]) -> Floats:
    """Arrays of one space beside each other, where several all of the same variance."""
    if len(arrays) == 1:
        return np.asarray(arrays[0])
    scaled = []
    for one in arrays:
        centered = np.asarray(one, np.float64) - np.asarray(one, np.float64).mean(axis=0)
        scaled.append(centered / np.sqrt(max(float((centered**2).sum()) / len(centered), 1e-300)))
    return np.hstack(scaled)
