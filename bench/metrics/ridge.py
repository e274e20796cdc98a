"""Encoding metrics: predict every neuroid's response from a layer, on stimuli that were held out."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import numpy as np
import numpy.typing as npt

from ...analysis.encoding.nested_ridge import (
    ALPHAS,
    LOWER,
    Fit,
    Targets,
    products_devices,
    ridge_memory,
)
from ...analysis.encoding.on_card.fit import products_of
from ...analysis.encoding.pooled import PooledFolds, each_without
from ...analysis.statistics.replicates import Replicates
from ...analysis.statistics.resampling import ENTRIES, p_value
from ...brain_data.noise_ceiling import reliability_within
from ...device import over
from ...errors import UserError
from ...progress import counter
from . import uncertainty
from .base import Beyond, Ceiling, Floats, Layers, MetricResult, ScoringOptions
from .beyond import Comparison
from .headline import Headline
from .interval_words import said_of
from .kept_fits import KeptRidge
from .neuroid_ceiling import neuroid_ceiling
from .permuted import PERMUTED_ENTRIES, permuted
from .recording import Recording
from .registries import metric
from .sampling import Sampling, sampling
from .time_courses import delay_courses, time_courses


@dataclass(frozen=True)
class Encoding:
    """Ridge or linear regression from a layer to every neuroid.

    Pearson r between prediction and mean response, pooled over held-out folds and centred within each; the layer is
    chosen per fold by its explained variance in an inner cross-validation of the training stimuli. The headline is

        mean_s median_j r_sj  /  mean_s sqrt(median_j rel_sj)

    over the neuroids j of the subjects s, all of them, with the reliability of the very variance that r is of. Below
    a reliability of 0.1 there is no ceiling and the raw value stands alone.

    Attributes
    ----------
    name : str
    alphas : array
        Penalties tried; ``(0,)`` for linear regression.
    sampling : Sampling
        Folds, and what depends on what.
    least_reliability : float
        Where above 0: neuroids are chosen by their reliability on half of the stimuli and scored on the others, both
        ways.
    """

    name: str
    alphas: Floats
    sampling: Sampling
    least_reliability: float = 0.0

    def ceiling(self, recorded: Recording) -> Ceiling:
        """Published r_max, else reliability within the folds, else none."""
        weights, kept = self.chosen(recorded)
        return neuroid_ceiling(recorded, self.sampling.tests, weights, kept)

    def chosen(self, recorded: Recording) -> tuple[Floats, npt.NDArray[np.intp]]:
        """Weights of the stimuli in r, 0 for those that only choose neuroids, and the neuroids that count."""
        weights = recorded.weights
        everyone = np.arange(recorded.responses.shape[2])
        if self.least_reliability <= 0 or recorded.r_max is not None or recorded.counts.max() < 2:
            return weights, everyone
        groups = self.sampling.jackknife_groups
        choosing = np.random.default_rng(5).permutation(int(groups.max()) + 1)[groups] % 2 == 0
        parts = [test[choosing[test]] for test in self.sampling.tests]
        found = reliability_within(recorded.mean, recorded.noise, recorded.counts, parts, weights)
        kept = everyone[np.nan_to_num(found, nan=-1.0) >= self.least_reliability]
        if len(kept) == 0:
            raise UserError(
                f"{recorded.name}: none of {len(everyone)} neuroids has a reliability of at least "
                f"{self.least_reliability} on half of the stimuli, so there is nothing that a model could explain"
            )
        return np.where(choosing, 0.0, weights), kept

    def memory(self, recorded: Recording, n_units: int) -> int:
        """What fitting takes, the responses in other orders included."""
        n_stimuli, n_targets = recorded.n_stimuli, recorded.responses.shape[2]
        n_alphas, n_splits = len(self.alphas), self.sampling.n_splits
        fewest = 4 * len(recorded.members)  # of every subject four neuroids are tested at least
        permuted = min(max(PERMUTED_ENTRIES // n_stimuli, 1000 * fewest), 1000 * n_targets)
        return max(
            ridge_memory(n_stimuli, n_units, columns, n_alphas, n_splits) for columns in (n_targets, permuted)
        ) + 16 * (n_stimuli * permuted + ENTRIES // 2)

    def evaluate(
        self, layers: Layers, recorded: Recording, ceiling: Ceiling, options: ScoringOptions
    ) -> MetricResult:
        """Fit every layer on every fold, choose the layer on training stimuli, and report held-out stimuli."""
        weights, kept = self.chosen(recorded)
        headline = Headline.of(recorded, ceiling, self.sampling.tests, weights).only(kept)
        units: dict[str, Floats] = {}
        curve, best = self.sweep(layers, recorded, units=units)
        fits = [one for _, one in best]
        chosen = [layer for layer, _ in best]
        fitted = _Fitted(recorded, headline, kept, fits, self.sampling, options)
        r = fitted.r
        everyone = np.full(recorded.responses.shape[2], np.nan)
        everyone[kept] = r
        replicates = fitted.replicates()
        held_out = np.unique(np.concatenate(self.sampling.tests))
        p, methods = fitted.p(layers, chosen)
        unreliable = (
            f"neuroids with a reliability below {self.least_reliability} on the other half of the stimuli"
        )
        left_out = {
            "neuroids predicted as a constant (counted as r = 0)": int((r == 0).sum()),
            unreliable: len(everyone) - len(kept),
            "stimuli that only chose neuroids": int((weights == 0).sum()),
            "stimuli neither fitted nor held out": recorded.n_stimuli - self.sampling.n_used,
        }
        return MetricResult(
            value=headline.value(r),
            raw=headline.raw(r),
            per_unit=everyone,
            unit="neuroid",
            normalization=headline.normalization.name,
            layer=max(dict.fromkeys(chosen), key=chosen.count),
            layer_by_split=chosen,
            layers=curve,
            ci=replicates.interval(options.level),
            p=p,
            n_stimuli=int((weights[held_out] > 0).sum()),
            n_neuroids=len(kept),
            left_out=dict(recorded.n_left_out)
            | {reason: count for reason, count in left_out.items() if count},
            methods=self._methods(fits) | headline.methods(r) | fitted.said(replicates) | methods,
            replicates=replicates,
            arrays={"layer_units": np.array(list(units.values()), np.float32)}
            | fitted.in_time(layers, chosen, everyone),
        )

    def beyond(
        self,
        layers: Layers,
        chosen: Sequence[str],
        nuisance: Mapping[str, Sequence[npt.ArrayLike]],
        recorded: Recording,
        ceiling: Ceiling,
        options: ScoringOptions,
    ) -> Beyond:
        """What the layers chosen for each fold add to nuisance spaces, each of one or more arrays of features."""
        weights, kept = self.chosen(recorded)
        headline = Headline.of(recorded, ceiling, self.sampling.tests, weights).only(kept)
        targets = _of(recorded.mean, kept)
        fitted = targets if recorded.training is None else _of(recorded.training, kept)
        return Comparison(
            layers, chosen, nuisance, targets, headline, self.sampling, options, self.alphas, fitted
        ).found()

    def sweep(
        self,
        layers: Layers,
        recorded: Recording,
        *,
        quality: Callable[[Sequence[Fit]], float] | None = None,
        units: dict[str, Floats] | None = None,
    ) -> tuple[dict[str, float], list[tuple[str, Fit]]]:
        """Fit every layer on every fold.

        Parameters
        ----------
        layers, recorded
            Features by layer, and what they predict.
        quality : callable, optional
            What the layer curve shows of a layer's fits; the median r over neuroids by default.
        units : dict, optional
            Filled with every layer's r per neuroid; not with a quality of one's own.

        Returns
        -------
        curve : dict
            Layer -> quality on the held-out stimuli.
        best : list of (str, Fit)
            Per fold, the layer that explains the training stimuli best in the inner cross-validation.
        """
        folds = self.sampling.folds
        columns = {device: Targets(recorded.fitted, device) for device in products_devices()}
        pooled = PooledFolds(self.sampling.tests, recorded.mean, recorded.weights)
        curve: dict[str, float] = {}
        best: dict[int, tuple[float, str, Fit]] = {}
        with counter(f"fitting {self.name}", len(layers) * len(folds)) as advance:

            def fitted(layer: str, device: str) -> list[Fit]:
                engine = KeptRidge(layers[layer], folds, self.alphas, device, columns[device])
                fits = []
                for i in range(len(folds)):
                    fits.append(engine.fit(i))
                    advance(1)
                return list(engine.widened(fits))

            for layer, fits in zip(layers, over(layers, fitted, list(columns)), strict=True):
                for fold, one in enumerate(fits):
                    score = float(np.median(one.inner_score))
                    if fold not in best or score > best[fold][0]:
                        best[fold] = score, layer, one
                if quality is None:
                    r = pooled.r_of(fits)
                    curve[layer] = float(np.mean([np.median(r[one]) for one in recorded.members]))
                    if units is not None:
                        units[layer] = r
                else:
                    curve[layer] = quality(fits)
        return curve, [best[i][1:] for i in range(len(folds))]

    def _methods(self, fits: Sequence[Fit]) -> dict[str, object]:
        tried = max((one.penalties for one in fits), key=len)
        said = self.sampling.describe() | {"penalties": tried.tolist()} | _penalties_chosen(fits)
        return said | products_of(fits)


def _penalties_chosen(fits: Sequence[Fit]) -> dict[str, object]:
    """Which penalties were chosen, and what their standing at an end of the grid means."""
    if len(fits[0].penalties) == 1:
        return {}
    chosen = np.concatenate([one.alpha for one in fits])
    lowest, highest = (
        float(np.mean(np.concatenate([one.alpha == one.penalties[end] for one in fits]))) for end in (0, -1)
    )
    said: dict[str, object] = {
        "penalty_chosen": float(np.median(chosen)),
        "penalties_chosen": np.quantile(chosen, [0, 0.25, 0.5, 0.75, 1], method="nearest").tolist(),
    }
    said |= {"penalties_at_lowest": round(lowest, 3)} if lowest else {}
    said |= {"penalties_at_highest": round(highest, 3)} if highest else {}
    told = []
    if any(one.penalties[0] == LOWER[0] for one in fits):
        told.append(f"the grid, from {ALPHAS[0]:.0e}, was too high for many: widened to {LOWER[0]:.0e}")
    elif lowest > 0.05:
        told.append(f"{lowest:.0%} chose the lowest of the grid; lower ones are no better")
    if highest > 0.05:
        told.append(f"{highest:.0%} chose the highest, as where nothing can be predicted")
    return said | ({"penalties_told": "; ".join(told)} if told else {})


def _of(values: Floats, neuroids: npt.NDArray[np.intp]) -> Floats:
    """Columns of some neuroids; the array itself for all of them, since of a whole brain it is a large one."""
    return values if len(neuroids) == values.shape[1] else values[:, neuroids]


@dataclass(frozen=True)
class _Fitted:
    """The fits of the chosen layers, and what is asked of them."""

    recorded: Recording
    headline: Headline
    kept: npt.NDArray[np.intp]
    fits: list[Fit]
    sampling: Sampling
    options: ScoringOptions

    @cached_property
    def r(self) -> Floats:
        """Of every neuroid that is kept."""
        targets = _of(self.recorded.mean, self.kept)
        pooled = PooledFolds(self.sampling.tests, targets, self.headline.weights)
        everyone = len(self.kept) == len(self.fits[0].alpha)
        return pooled.r_of([one if everyone else one.only(self.kept) for one in self.fits])

    @cached_property
    def subset(self) -> npt.NDArray[np.intp]:
        """Those of the kept neuroids that permutations and replicates are computed for."""
        return uncertainty.subsample_targets(self.headline.members, self.options.seed)

    def said(self, replicates: Replicates) -> dict[str, object]:
        """How the interval was made, and of how many neuroids."""
        said, n = said_of(replicates, self.options), len(self.kept)
        if len(self.subset) < n and np.isfinite(replicates.interval(self.options.level)[0]):
            said["interval"] = (
                f"{said['interval']}; without each group over {len(self.subset)} of {n} neuroids"
            )
        return said

    @cached_property
    def some(self) -> tuple[Headline, Floats, PooledFolds, list[Fit]]:
        """The headline, what is fitted, folds and fits of these."""
        neuroids = self.kept[self.subset]
        targets = self.recorded.mean[:, neuroids]
        fits = [uncertainty.select_targets(fit, neuroids) for fit in self.fits]
        folds = PooledFolds(self.sampling.tests, targets, self.headline.weights)
        return self.headline.only(self.subset), self.recorded.fitted[:, neuroids], folds, fits

    def replicates(self) -> Replicates:
        """The headline without each group of stimuli, neither fitted nor held out, and of each subject."""
        if self.options.n_bootstraps == 0:
            return Replicates(self.headline.value(self.r))
        headline, fitted, pooled, fits = self.some
        groups = self.sampling.jackknife_groups
        n_groups = int(groups.max()) + 1
        without_r, without_reliability = np.empty((2, n_groups, len(self.subset)))
        for group, predictions in enumerate(each_without(fits, fitted, groups)):
            without_r[group] = pooled.r(predictions, groups != group)
            without_reliability[group] = headline.reliability(groups != group)
        return headline.replicates(self.r[self.subset], without_r, without_reliability, self.headline, self.r)

    def in_time(self, layers: Layers, chosen: Sequence[str], r: Floats) -> dict[str, npt.NDArray[Any]]:
        """What figures of a recording in time need; nothing of single stimuli."""
        series = self.recorded.series
        if series is None:
            return {}
        headline, fitted, _, fits = self.some
        courses = time_courses(
            self.recorded, series, self.sampling.tests, [one.prediction for one in self.fits], r
        )
        delays = [delay * series.tr for delay in series.delays]
        features = [layers[layer] for layer in chosen]
        others = self.recorded.training is not None
        return courses | delay_courses(features, fits, fitted, headline.members, delays, of_others=others)

    def p(self, layers: Layers, chosen: Sequence[str]) -> tuple[float, dict[str, object]]:
        """P of the headline, and how it was found."""
        if self.options.n_permutations == 0:
            return float("nan"), {"p": "not asked for"}
        targets, headline = _of(self.recorded.mean, self.kept), self.headline
        training = None if self.recorded.training is None else _of(self.recorded.training, self.kept)
        null = permuted(
            layers, chosen, self.fits, self.sampling, targets, headline.members, self.options, training
        )
        some = headline.only(null.neuroids)
        pooled = PooledFolds(self.sampling.tests, targets[:, null.neuroids], headline.weights)
        drawn = some.raw(null.r(pooled))
        return p_value(float(some.raw(self.r[null.neuroids])), np.asarray(drawn)), null.said


_FACTS: dict[str, Any] = {
    "formula": "Pearson r between prediction and mean response on held-out stimuli, pooled over folds and centred "
    "within each, median over neuroids, mean over subjects",
    "options": ("folds", "inner_folds", "stratify", "group", "train", "test", "least_reliability"),
    "version": 2,
    "in_time": True,
}


@metric(
    "ridge",
    sentence="every neuroid's response is predicted by ridge regression, its penalty chosen in inner folds",
    like=("ridgecv", "language_ridge"),
    **_FACTS,
)
def ridge(
    recorded: Recording,
    *,
    folds: int | str = 5,
    inner_folds: int = 5,
    stratify: str | None = None,
    group: str | None = None,
    train: str | None = None,
    test: str | Sequence[str] | None = None,
    least_reliability: float = 0.0,
) -> Encoding:
    """Ridge regression with nested cross-validation; the options but the last are those of ``sampling``."""
    how = sampling(
        recorded, folds=folds, inner_folds=inner_folds, stratify=stratify, group=group, train=train, test=test
    )
    return Encoding("ridge", ALPHAS, how, _least(recorded, least_reliability))


def _least(recorded: Recording, given: Any) -> float:
    """The least reliability that is asked for, of a recording that has one."""
    try:
        least = float(given)
    except (TypeError, ValueError):
        least = float("nan")
    if not 0 <= least < 1:
        raise UserError(f"least_reliability must be a number from 0 on and below 1, not {given!r}")
    if least and recorded.cube is not None and (recorded.r_max is not None or recorded.counts.max() < 2):
        why = "its ceiling was published" if recorded.r_max is not None else "every stimulus was shown once"
        raise UserError(
            f"{recorded.name}: {why}, so least_reliability = {given!r} has nothing to choose neuroids by: leave it out"
        )
    return least


@metric(
    "linear",
    sentence="every neuroid's response is predicted by linear regression",
    like=("linear_predictivity", "language_linear"),
    **_FACTS,
)
def linear(recorded: Recording, **options: Any) -> Encoding:
    """Linear regression: ridge whose only penalty is zero."""
    return replace(ridge(recorded, **options), name="linear", alphas=ALPHAS[:1] * 0)
