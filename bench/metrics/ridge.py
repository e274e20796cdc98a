"""Encoding metrics: predict every neuroid's response from a layer, on stimuli that were held out."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any

import numpy as np
import numpy.typing as npt

from ...analysis.encoding.cross_validation import Indices, Splitter, nested_folds
from ...analysis.encoding.nested_ridge import (
    ALPHAS,
    Fit,
    NestedRidge,
    Targets,
    held_out_r,
    products_device,
    ridge_memory,
)
from ...analysis.statistics.resampling import (
    ENTRIES,
    bootstrap_weights,
    p_value,
    percentile_interval,
    permutations,
)
from ...brain_data.noise_ceiling import variance_reliability
from ...progress import track
from . import uncertainty
from .base import Ceiling, Floats, Layers, MetricResult, ScoringOptions
from .neuroid_ceiling import neuroid_ceiling, normalization_by, reliable_neuroids
from .normalization import median_r
from .recording import Recording
from .registries import Normalization, metric

_TRAINING_DRAWS = 200


@dataclass(frozen=True)
class Encoding:
    """Ridge or linear regression from a layer to every neuroid.

    Pearson r between prediction and mean response on held-out folds, averaged over folds; the layer is
    chosen per fold by its explained variance in an inner cross-validation of the training stimuli.
    The headline is the median over neuroids of r / r_max, with r_max = sqrt(reliability), over the
    neuroids whose reliability is at least `least_reliability`.

    Attributes
    ----------
    name : str
    alphas : array
        Penalties tried; ``(0,)`` for linear regression.
    splitter, inner : Splitter
        Outer and inner folds. ``group`` or ``stratify`` of the outer one hold for the inner one too.
    least_reliability : float
    """

    name: str = "ridge"
    alphas: Floats = field(default_factory=lambda: ALPHAS)
    splitter: Splitter = field(default_factory=Splitter)
    inner: Splitter = field(default_factory=lambda: Splitter(seed=2))
    least_reliability: float = 0.1

    def ceiling(self, recorded: Recording) -> Ceiling:
        """Published r_max, else split-half reliability over repetitions, else none."""
        return neuroid_ceiling(recorded)

    def memory(self, recorded: Recording, n_units: int) -> int:
        """Features or their Gram matrix, the maps of one fold, the bases of all, and one block of draws."""
        n_stimuli, n_splits, n_targets = (
            recorded.n_stimuli,
            self.splitter.n_splits,
            recorded.responses.shape[2],
        )
        rank = min(n_stimuli, n_units)
        held = n_stimuli * (n_units if n_units < n_stimuli else n_stimuli)
        maps = ridge_memory(n_stimuli, n_units, n_targets, len(self.alphas))
        return 8 * (2 * held + n_splits * 3 * n_stimuli * rank + 3 * rank**2) + maps + 12 * ENTRIES

    def evaluate(
        self, layers: Layers, recorded: Recording, ceiling: Ceiling, options: ScoringOptions
    ) -> MetricResult:
        """Fit every layer on every fold, choose the layer on training stimuli, and report held-out stimuli."""
        kept, left_out = reliable_neuroids(recorded, ceiling, self.least_reliability)
        targets = recorded.mean[:, kept]
        labels, groups = recorded.column(self.splitter.stratify), recorded.column(self.splitter.group)
        units: dict[str, Floats] = {}
        curve, best = self.sweep(layers, targets, labels, groups, units=units)
        fits = [one for _, one in best]
        chosen = [layer for layer, _ in best]
        r = held_out_r(fits, targets)
        constant = int(np.isnan(r).any(axis=0).sum())
        if constant:
            left_out |= {"neuroids predicted as a constant in some fold (counted as r = 0)": constant}
        r = np.nan_to_num(r)
        normalize, r_max = normalization_by(ceiling, kept)
        fitted = _Fitted(recorded, ceiling, kept, fits, normalize, r_max, groups, options)
        value = float(normalize(r, r_max))
        everyone = np.full(recorded.responses.shape[2], np.nan)
        everyone[kept] = r.mean(axis=0)
        draws = self._draws(fitted)
        return MetricResult(
            value=value,
            raw=float(median_r(r)),
            per_unit=everyone,
            unit="neuroid",
            normalization=normalize.name,
            layer=max(dict.fromkeys(chosen), key=chosen.count),
            layer_by_split=chosen,
            layers=curve,
            ci=percentile_interval(draws, options.level),
            p=_p(fitted, r),
            n_stimuli=recorded.n_stimuli,
            n_neuroids=len(kept),
            left_out=dict(recorded.n_left_out) | left_out,
            methods=self._methods(len(kept), groups, options),
            draws=draws,
            arrays={"layer_units": np.array(list(units.values()), np.float32)},
        )

    def sweep(
        self,
        layers: Layers,
        targets: Floats,
        labels: npt.ArrayLike | None,
        groups: npt.ArrayLike | None,
        *,
        quality: Callable[[Sequence[Fit]], float] | None = None,
        units: dict[str, Floats] | None = None,
    ) -> tuple[dict[str, float], list[tuple[str, Fit]]]:
        """Fit every layer on every fold.

        Parameters
        ----------
        layers, targets, labels, groups
            Features by layer, mean responses, and what the folds are stratified or grouped by.
        quality : callable, optional
            What the layer curve shows of a layer's fits; the median r over neuroids by default.
        units : dict, optional
            Filled with every layer's r per neuroid, mean over folds; not with a quality of one's own.

        Returns
        -------
        curve : dict
            Layer -> quality on the held-out stimuli.
        best : list of (str, Fit)
            Per fold, the layer that explains the training stimuli best in the inner cross-validation.
        """
        folds = nested_folds(
            len(targets), outer=self.splitter, inner=self.inner, labels=labels, groups=groups
        )
        device = products_device()
        columns = Targets(targets, device)
        curve: dict[str, float] = {}
        best: dict[int, tuple[float, str, Fit]] = {}
        fits: list[Fit] = []
        work = ((layer, i) for layer in layers for i in range(len(folds)))
        for layer, i in track(work, f"fitting {self.name}", total=len(layers) * len(folds)):
            if i == 0:
                engine, fits = NestedRidge(layers[layer], folds, self.alphas, device), []
            one = engine.fit(folds[i], columns)
            fits.append(one)
            score = float(np.median(one.inner_score))
            if i not in best or score > best[i][0]:
                best[i] = score, layer, one
            if len(fits) == len(folds):
                if quality is None:
                    r = np.nan_to_num(held_out_r(fits, targets))
                    curve[layer] = float(median_r(r))
                    if units is not None:
                        units[layer] = r.mean(axis=0)
                else:
                    curve[layer] = quality(fits)
        return curve, [best[i][1:] for i in range(len(folds))]

    def _draws(self, fitted: "_Fitted") -> Floats:
        options, normalize, groups = fitted.options, fitted.normalize, fitted.groups
        if options.n_bootstraps == 0:
            return np.empty(0)
        targets, subset = fitted.targets, fitted.subset
        weights = bootstrap_weights(
            len(targets), options.n_bootstraps, random_state=options.seed, groups=groups
        )
        step = max(1, ENTRIES // (len(fitted.fits) * len(fitted.kept)))
        draws = []
        for start in range(0, len(weights), step):
            block = weights[start : start + step]
            r = uncertainty.held_out_draws(fitted.fits, targets, block)
            draws.append(normalize(r, self._drawn_r_max(fitted, block)))
        drawn = np.concatenate(draws)
        n_training = min(_TRAINING_DRAWS, options.n_bootstraps)
        again = bootstrap_weights(len(targets), n_training, random_state=options.seed + 1, groups=groups)
        training = uncertainty.training_draws(fitted.some, targets[:, subset], again)
        return uncertainty.combine_draws(drawn, normalize(training, fitted.r_max[subset]))

    def _drawn_r_max(self, fitted: "_Fitted", weights: Floats) -> Floats:
        if fitted.ceiling.kind != "reliability":
            return fitted.r_max
        cube = fitted.recorded.responses[:, :, fitted.kept]
        moved = fitted.r_max**2 + variance_reliability(cube, weights) - variance_reliability(cube)
        noise_ceiling: Floats = np.sqrt(np.maximum(moved, self.least_reliability / 2))
        return noise_ceiling

    def _methods(
        self, n_neuroids: int, groups: npt.ArrayLike | None, options: ScoringOptions
    ) -> dict[str, object]:
        tested = min(n_neuroids, uncertainty.MOST_TESTED)
        return {
            "folds": self.splitter.n_splits,
            "inner_folds": self.inner.n_splits,
            "stratify": self.splitter.stratify,
            "group": self.splitter.group,
            "penalties": self.alphas.tolist(),
            "interval": f"{options.level:.0%} bootstrap over {'groups of ' if groups is not None else ''}stimuli, "
            f"{options.n_bootstraps} draws of held-out and {min(_TRAINING_DRAWS, options.n_bootstraps)} of training",
            "p": f"stimulus labels permuted {options.n_permutations} times"
            f"{' within groups' if groups is not None else ''}, over {tested} of {n_neuroids} neuroids",
            "seed": options.seed,
        }


@dataclass(frozen=True)
class _Fitted:
    """The fits of the chosen layers to the neuroids that are kept, and what is asked of them."""

    recorded: Recording
    ceiling: Ceiling
    kept: Indices
    fits: list[Fit]
    normalize: Normalization
    r_max: Floats
    groups: npt.ArrayLike | None
    options: ScoringOptions

    @cached_property
    def targets(self) -> Floats:
        """Mean responses of the kept neuroids."""
        return self.recorded.mean[:, self.kept]

    @cached_property
    def subset(self) -> Indices:
        """The neuroids that permutations and training draws are computed for."""
        return uncertainty.subsample_targets(len(self.kept), self.options.seed)

    @cached_property
    def some(self) -> list[Fit]:
        """The fits to these."""
        return [uncertainty.select_targets(fit, self.subset) for fit in self.fits]


def _p(fitted: _Fitted, r: Floats) -> float:
    options, targets = fitted.options, fitted.targets
    if options.n_permutations == 0:
        return float("nan")
    orders = permutations(
        len(targets), options.n_permutations, random_state=options.seed + 2, blocks=fitted.groups
    )
    r_max = fitted.r_max[fitted.subset]
    draws = uncertainty.permuted_draws(fitted.some, targets[:, fitted.subset], orders)
    return p_value(float(fitted.normalize(r[:, fitted.subset], r_max)), fitted.normalize(draws, r_max))


_FACTS: dict[str, Any] = {
    "formula": "median over neuroids of Pearson r between prediction and mean response on held-out stimuli",
    "options": ("folds", "inner_folds", "stratify", "group", "least_reliability"),
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
    folds: int = 5,
    inner_folds: int = 5,
    stratify: str | None = None,
    group: str | None = None,
    least_reliability: float = 0.1,
) -> Encoding:
    """Ridge regression with nested cross-validation; `stratify` and `group` name a column of the stimuli."""
    recorded.column(stratify)
    recorded.column(group)
    outer = Splitter(n_splits=folds, stratify=stratify, group=group)
    inner = replace(outer, n_splits=inner_folds, seed=outer.seed + 1)
    return Encoding("ridge", ALPHAS, outer, inner, float(least_reliability))


@metric(
    "linear",
    sentence="every neuroid's response is predicted by linear regression",
    like=("linear_predictivity", "language_linear"),
    **_FACTS,
)
def linear(recorded: Recording, **options: Any) -> Encoding:
    """Linear regression: ridge whose only penalty is zero."""
    return replace(ridge(recorded, **options), name="linear", alphas=ALPHAS[:1] * 0)
