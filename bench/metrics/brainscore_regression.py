"""Brain-Score's metrics, as Brain-Score computes them: same splits, seeds, order, aggregation and ceilings.

They give Brain-Score's own digits (tests/bench/metrics/test_brainscore_regression.py) and are kept apart from
brodmann's own metrics, whose penalties, ceilings and intervals are chosen differently.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy.linalg import lstsq

from ...analysis.encoding.cross_validation import Indices, Split, Splitter
from ...analysis.statistics.resampling import (
    ENTRIES,
    bootstrap_weights,
    p_value,
    percentile_interval,
    permutations,
)
from ...correlation import pearson
from ...progress import track
from . import uncertainty
from .base import Ceiling, Layers, MetricResult, ScoringOptions
from .normalization import mean_of_medians, none, r2_over_ceiling
from .recording import Recording
from .registries import Normalization
from .uncertainty import HeldOut

Floats = npt.NDArray[np.float64]
Predictor = Callable[[Floats, Floats, Sequence[Split]], list[Floats]]


def on_every_split(predict: Callable[[Floats, Floats, Floats], Floats]) -> Predictor:
    """A method of one split, ``(x_train, y_train, x_test)`` -> predictions, for a list of them."""

    def predict_all(x: Floats, y: Floats, splits: Sequence[Split]) -> list[Floats]:
        return [predict(x[one.train], y[one.train], x[one.test]) for one in splits]

    return predict_all


def ordinary_least_squares(x: Floats, y: Floats, x_test: Floats) -> Floats:
    """Least squares with an intercept, minimum norm."""
    mean_x, mean_y = x.mean(axis=0), y.mean(axis=0)
    weights: Floats = lstsq(x - mean_x, y - mean_y)[0]
    prediction: Floats = (x_test - mean_x) @ weights + mean_y
    return prediction


def generalized_ridge(x: Floats, y: Floats, x_test: Floats, *, penalties: Floats) -> Floats:
    """Ridge whose one penalty for all targets is chosen by leave-one-out error."""
    from sklearn.linear_model import RidgeCV

    prediction: Floats = RidgeCV(penalties).fit(x, y).predict(x_test).reshape(len(x_test), y.shape[1])
    return prediction


@dataclass(frozen=True)
class BrainScoreRegression:
    """A cross-validated regression of Brain-Score.

    r per neuroid on each held-out tenth, median over neuroids, mean over ten splits.

    Attributes
    ----------
    name : str
    predict : callable
        ``(features, targets, splits)`` -> predictions of the test rows of every split.
    splitter : Splitter
    normalization : Normalization
        ``r2_over_ceiling`` for vision, ``r_over_ceiling`` for language.
    """

    name: str
    predict: Predictor
    splitter: Splitter = field(
        default_factory=lambda: Splitter(n_splits=10, kind="shuffles", stratify="object_name", seed=1)
    )
    normalization: Normalization = r2_over_ceiling
    epsilon: float = 0.0
    """Added to both norms of a correlation, as Brain-Score language does."""

    def ceiling(self, recorded: Recording) -> Ceiling:
        """Published r_max for language, split-half internal consistency over repetitions for vision."""
        if recorded.r_max is not None:
            return Ceiling("r_max", recorded.r_max)
        if recorded.responses.shape[1] < 2:
            return Ceiling("none", float("nan"))
        value, per_neuroid = internal_consistency(recorded.responses)
        return Ceiling("internal_consistency", value, per_neuroid)

    def memory(self, recorded: Recording, n_units: int) -> int:
        """Training features in float64, their copy inside scikit-learn, and a cross-product."""
        n_neuroids = recorded.responses.shape[2]
        return 8 * (3 * recorded.n_stimuli * n_units + 2 * n_units * n_neuroids)

    def evaluate(
        self, layers: Layers, recorded: Recording, ceiling: Ceiling, options: ScoringOptions
    ) -> MetricResult:
        """Score every layer on the ten splits; the layer is chosen on a tenth of each training set."""
        targets = recorded.mean
        labels = recorded.columns.get(self.splitter.stratify or "")
        groups = recorded.column(self.splitter.group)
        splits = self.splitter.split(len(targets), labels=labels, groups=groups)
        predictions, curve, chosen = self._sweep(layers, targets, splits)
        held_out = [predictions[layer][i] for i, layer in enumerate(chosen)]
        r = self._r(held_out, targets)
        constant = int((np.isnan(r) | (r == 0)).any(axis=0).sum())
        r = np.nan_to_num(r)
        normalize = none if ceiling.kind == "none" else self.normalization
        noise_ceiling = np.asarray(1.0 if ceiling.kind == "none" else ceiling.value)
        raw = float(mean_of_medians(r))
        reason = "neuroids predicted as a constant in some split (counted as r = 0)"
        draws = self._draws(held_out, targets, normalize, noise_ceiling, groups, options)
        return MetricResult(
            value=raw if normalize is none else float(normalize(r, noise_ceiling)),
            raw=raw,
            per_unit=r.mean(axis=0),
            unit="neuroid",
            normalization=normalize.name,
            layer=max(dict.fromkeys(chosen), key=chosen.count),
            layer_by_split=chosen,
            layers=curve,
            ci=percentile_interval(draws, options.level),
            draws=draws,
            p=self._p(held_out[0], targets, options),
            n_stimuli=recorded.n_stimuli,
            n_neuroids=r.shape[1],
            left_out=dict(recorded.n_left_out) | ({reason: constant} if constant else {}),
            methods={
                "splits": self.splitter.n_splits,
                "stratify": self.splitter.stratify if labels is not None else None,
                "group": self.splitter.group,
                "error": float(np.std(np.median(r, axis=1)) / np.sqrt(len(r))),
                "interval": f"{options.level:.0%} bootstrap over held-out stimuli, {options.n_bootstraps} draws",
                "p": f"held-out responses of the first split permuted {options.n_permutations} times",
                "seed": options.seed,
            },
        )

    def _sweep(
        self, layers: Layers, targets: Floats, splits: list[Split]
    ) -> tuple[dict[str, list[HeldOut]], dict[str, float], list[str]]:
        predictions: dict[str, list[HeldOut]] = {}
        curve: dict[str, float] = {}
        quality = np.zeros((len(layers), len(splits)))
        for row, layer in enumerate(track(list(layers), f"fitting {self.name}")):
            x = np.asarray(layers[layer], np.float64)
            predictions[layer] = [
                HeldOut(one, found)
                for one, found in zip(splits, self.predict(x, targets, splits), strict=True)
            ]
            curve[layer] = float(mean_of_medians(np.nan_to_num(self._r(predictions[layer], targets))))
            if len(layers) > 1:
                quality[row] = self._on_training(x, targets, splits)
        names = list(layers)
        return predictions, curve, [names[i] for i in quality.argmax(axis=0)]

    def _on_training(self, x: Floats, y: Floats, splits: list[Split]) -> list[float]:
        from sklearn.model_selection import ShuffleSplit

        parts = []
        for one in splits:
            train, test = next(ShuffleSplit(1, train_size=0.9, random_state=1).split(one.train))
            parts.append(Split(one.train[train], one.train[test]))
        predicted = self.predict(x, y, parts)
        r = [pearson(found, y[part.test]) for found, part in zip(predicted, parts, strict=True)]
        return [float(np.median(np.nan_to_num(one))) for one in r]

    def _r(self, held_out: list[HeldOut], targets: Floats) -> Floats:
        pairs = [(one.prediction, targets[one.split.test]) for one in held_out]
        if not self.epsilon:
            return np.array([pearson(*pair) for pair in pairs])
        return np.array([_guarded_pearson(*pair, self.epsilon) for pair in pairs])

    def _draws(
        self,
        held_out: list[HeldOut],
        targets: Floats,
        normalize: Normalization,
        noise_ceiling: Floats,
        groups: npt.ArrayLike | None,
        options: ScoringOptions,
    ) -> Floats:
        if options.n_bootstraps == 0:
            return np.empty(0)
        weights = bootstrap_weights(
            len(targets), options.n_bootstraps, random_state=options.seed, groups=groups
        )
        step = max(1, ENTRIES // (len(held_out) * targets.shape[1]))
        draws = [
            uncertainty.held_out_draws(held_out, targets, weights[start : start + step])
            for start in range(0, len(weights), step)
        ]
        r = np.concatenate(draws)
        values = mean_of_medians(r) if normalize is none else normalize(r, noise_ceiling)
        return np.asarray(values, np.float64)

    def _p(self, first: HeldOut, targets: Floats, options: ScoringOptions) -> float:
        if options.n_permutations == 0:
            return float("nan")
        orders = permutations(len(first.split.test), options.n_permutations, random_state=options.seed + 2)
        observed = np.nan_to_num(self._r([first], targets))
        null = mean_of_medians(uncertainty.permuted_first_split(first, targets, orders))
        return p_value(float(mean_of_medians(observed)), null)


def _guarded_pearson(a: Floats, b: Floats, epsilon: float) -> Floats:
    a, b = a - a.mean(axis=0), b - b.mean(axis=0)
    size_a, size_b = np.linalg.norm(a, axis=0) + epsilon, np.linalg.norm(b, axis=0) + epsilon
    r: Floats = (a / size_a * (b / size_b)).sum(axis=0)
    return r


def internal_consistency(cube: Floats) -> tuple[float, Floats]:
    """Brain-Score vision's ceiling: ten halvings of the repetitions, Spearman-Brown, median, mean.

    Parameters
    ----------
    cube : array of shape (n_stimuli, n_repetitions, n_neuroids)
        NaN where a repetition is missing.

    Returns
    -------
    float
        Mean over halvings of the median over neuroids.
    array of shape (n_neuroids,)
        Mean over halvings.
    """
    from sklearn.model_selection import ShuffleSplit

    halves = ShuffleSplit(10, train_size=0.5, random_state=1).split(np.zeros(cube.shape[1]))
    corrected = []
    for first, second in halves:
        one, other = _half_mean(cube, first), _half_mean(cube, second)
        both = np.isfinite(one).all(axis=1) & np.isfinite(other).all(axis=1)
        r = pearson(one[both], other[both])
        corrected.append(2 * r / (1 + r))
    table = np.array(corrected)
    return float(np.nanmedian(table, axis=1).mean()), table.mean(
        axis=0
    )  # a neuroid that never varies has none


def _half_mean(cube: Floats, repetitions: Indices) -> Floats:
    part = cube[:, repetitions]
    counted = (~np.isnan(part)).sum(axis=1)
    with np.errstate(invalid="ignore", divide="ignore"):
        mean: Floats = np.nansum(part, axis=1) / counted
    return mean


def balanced(
    metric: BrainScoreRegression, recorded: Recording, options: Mapping[str, Any]
) -> BrainScoreRegression:
    """The metric with its splits balanced by a column of the stimuli, where a benchmark names one."""
    if "stratify" not in options:
        return metric
    recorded.column(options["stratify"])
    return replace(metric, splitter=replace(metric.splitter, **options))


FACTS: dict[str, Any] = {
    "formula": "mean over splits of the median over neuroids of Pearson r on held-out stimuli",
    "ceilings": ("r_max", "internal_consistency", "none"),
    "options": ("stratify",),
    "citation": "Schrimpf et al. (2018), bioRxiv 407007",
}
"""What the cards of these metrics say alike."""
