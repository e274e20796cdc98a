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

from ...analysis.encoding.cross_validation import Split, Splitter
from ...analysis.statistics.replicates import Replicates
from ...analysis.statistics.resampling import ENTRIES, bootstrap_weights
from ...brain_data.repetitions import known_mean
from ...correlation import pearson
from ...errors import UserError
from ...progress import track
from . import uncertainty
from .base import Ceiling, Layers, MetricResult, ScoringOptions, refuse_missing
from .brainscore_p import PERMUTED_ENTRIES, Dependence, PermutedSplits, Predictor
from .interval_words import said_of
from .normalization import mean_of_medians, none, r2_over_ceiling
from .recording import Recording
from .registries import Normalization
from .uncertainty import HeldOut

Floats = npt.NDArray[np.float64]

FEWEST = 12
"""Stimuli below which a tenth of them is no test."""
LEAST_CONSISTENCY = 0.1
"""Internal consistency below which recordings have no ceiling."""


def on_every_split(predict: Callable[[Floats, Floats, Floats], Floats]) -> Predictor:
    """A method of one split, ``(x_train, y_train, x_test)`` -> predictions, for a list of them."""

    def predict_all(x: Floats, y: Floats, splits: Sequence[Split]) -> list[Floats]:
        return [predict(x[one.train], y[one.train], x[one.test]) for one in splits]

    return predict_all


def ordinary_least_squares(x: Floats, y: Floats, x_test: Floats) -> Floats:
    """Least squares with an intercept, minimum norm."""
    mean_x, mean_y = x.mean(axis=0), y.mean(axis=0)
    # centred rows have one dimension less than there are of them: what is left of it is rounding
    weights: Floats = lstsq(x - mean_x, y - mean_y, cond=10 * max(x.shape) * np.finfo(np.float64).eps)[0]
    prediction: Floats = (x_test - mean_x) @ weights + mean_y
    return prediction


def generalized_ridge(x: Floats, y: Floats, x_test: Floats, *, penalties: Floats) -> Floats:
    """Ridge whose one penalty for all targets is chosen by leave-one-out error."""
    from sklearn.linear_model import RidgeCV

    prediction: Floats = RidgeCV(penalties).fit(x, y).predict(x_test).reshape(len(x_test), y.shape[1])
    return prediction


def generalized_ridge_draws(x: Floats, y: Floats, x_test: Floats, *, penalties: Floats) -> Floats:
    """The same for many draws of the responses, (n_draws, n_train, n_targets), each with a penalty of its own.

    Left-out residuals are (y - fitted) / (1 - h), with the intercept in the leverage h.
    """
    mean_x, mean_y = x.mean(axis=0), y.mean(axis=1, keepdims=True)
    left, sizes, right = np.linalg.svd(x - mean_x, full_matrices=False)
    inside = sizes > sizes[0] * max(x.shape) * np.finfo(np.float64).eps
    left, sizes, right = left[:, inside], sizes[inside], right[inside]
    projected = left.T @ (y - mean_y)
    best = np.full(len(y), np.inf)
    chosen = np.zeros((len(y), 1, 1))
    for penalty in penalties:
        shrunk = sizes**2 / (sizes**2 + penalty)
        leverage = (left**2) @ shrunk + 1 / len(x)
        residuals = (y - mean_y - left @ (shrunk[:, None] * projected)) / (1 - leverage)[:, None]
        error = (residuals**2).mean(axis=(1, 2))
        chosen[error < best] = penalty
        best = np.minimum(best, error)
    weights = sizes[:, None] / (sizes[:, None] ** 2 + chosen) * projected
    predictions: Floats = (x_test - mean_x) @ right.T @ weights + mean_y
    return predictions


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
    together: bool = False
    """Whether a neuroid's prediction depends on the other neuroids."""
    rotates: bool = True
    """Whether only the features' inner products count."""
    of_draws: Callable[[Floats, Floats, Floats], Floats] | None = None
    """Where neuroids are fitted together: `predict` of one split for many draws of the responses at once."""

    def ceiling(self, recorded: Recording) -> Ceiling:
        """Published r_max for language, split-half internal consistency over repetitions for vision."""
        if recorded.r_max is not None:
            return Ceiling("r_max", recorded.r_max)
        if recorded.responses.shape[1] < 2:
            return Ceiling("none", float("nan"))
        value, per_neuroid = internal_consistency(recorded.responses)
        if value >= LEAST_CONSISTENCY:
            return Ceiling("internal_consistency", value, per_neuroid)
        noisy = f"internal consistency {value:.2f} of at least {LEAST_CONSISTENCY}"
        note = f"none: too noisy, {noisy}; the raw value stands"
        return Ceiling("none", float("nan"), per_neuroid, note=note)

    def memory(self, recorded: Recording, n_units: int) -> int:
        """Training features in float64, their copy inside scikit-learn, a cross-product, and permuted responses."""
        n_stimuli, n_neuroids = recorded.n_stimuli, recorded.responses.shape[2]
        permuted = min(PERMUTED_ENTRIES, 1000 * n_stimuli * n_neuroids)
        return 8 * (3 * n_stimuli * n_units + 2 * n_units * n_neuroids + 4 * permuted)

    def evaluate(
        self, layers: Layers, recorded: Recording, ceiling: Ceiling, options: ScoringOptions
    ) -> MetricResult:
        """Score every layer on the ten splits; the layer is chosen on a tenth of each training set."""
        refuse_missing(layers)
        targets, groups = recorded.mean, recorded.column(self.splitter.group)
        if len(targets) < FEWEST:
            raise UserError(
                f"{recorded.name}: {self.name} needs at least {FEWEST} stimuli, not {len(targets)}"
            )
        labels, stratified = _labels(recorded, self.splitter.stratify)
        splits = self.splitter.split(len(targets), labels=labels, groups=groups)
        predictions, curve, chosen = self._sweep(layers, targets, splits)
        held_out = [predictions[layer][i] for i, layer in enumerate(chosen)]
        r = _r(held_out, targets)
        constant = int((np.isnan(r) | (r == 0)).any(axis=0).sum())
        r = np.nan_to_num(r)
        normalize = none if ceiling.kind == "none" else self.normalization
        best = np.asarray(1.0 if ceiling.kind == "none" else ceiling.value)
        dependence = Dependence.of(recorded, splits)
        raw, headline = float(mean_of_medians(r)), _headline(normalize, best)
        value = headline(r)
        replicates = self._replicates(held_out, recorded, headline, r, dependence, options)
        null = PermutedSplits(self.predict, self.together, self.rotates, self.of_draws, options)
        p, how = null.p(layers, chosen, held_out, r, targets, dependence)
        consistency = ceiling.per_neuroid if ceiling.kind == "internal_consistency" else None
        left_out = {
            "neuroids predicted as a constant in some split (counted as r = 0)": constant,
            "neuroids without a ceiling (passed over by its median)": 0
            if consistency is None
            else int(np.isnan(consistency).sum()),
        }
        fewest = min(len(one.test) for one in splits)
        few = f"{fewest} held-out stimuli a split: their r is -1, 0 or 1" if fewest < 3 else ""
        said = {"dependence": dependence.said, "ceiling": ceiling.note, "held_out": few}
        return MetricResult(
            value=value,
            raw=raw,
            per_unit=r.mean(axis=0),
            unit="neuroid",
            normalization=normalize.name,
            layer=max(dict.fromkeys(chosen), key=chosen.count),
            layer_by_split=chosen,
            layers=curve,
            ci=replicates.interval(options.level),
            replicates=replicates,
            p=p,
            n_stimuli=recorded.n_stimuli,
            n_neuroids=r.shape[1],
            left_out=dict(recorded.n_left_out) | {why: count for why, count in left_out.items() if count},
            methods={
                "splits": self.splitter.n_splits,
                "stratify": stratified,
                "group": self.splitter.group,
                "error": float(np.std(np.median(r, axis=1)) / np.sqrt(len(r))),
            }
            | {what: line for what, line in said.items() if line}
            | said_of(replicates, options, "stimuli" if dependence.groups is None else "groups of stimuli")
            | how,
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
            curve[layer] = float(mean_of_medians(np.nan_to_num(_r(predictions[layer], targets))))
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

    def _replicates(
        self,
        held_out: list[HeldOut],
        recorded: Recording,
        headline: Callable[[Floats], Any],
        r: Floats,
        dependence: Dependence,
        options: ScoringOptions,
    ) -> Replicates:
        """The headline with held-out stimuli, or whole groups of them, drawn anew, and of each subject.

        A subject counts as S headline - (S - 1) headline without it, moved so that the mean is the headline.
        """
        value = float(headline(r))
        if options.n_bootstraps == 0:
            return Replicates(value)
        groups, n = dependence.groups, recorded.n_stimuli
        weights = bootstrap_weights(n, options.n_bootstraps, random_state=options.seed, groups=groups)
        step = max(1, ENTRIES // (len(held_out) * r.shape[1]))
        draws = [
            headline(uncertainty.held_out_draws(held_out, recorded.mean, weights[start : start + step]))
            for start in range(0, len(weights), step)
        ]
        members, subjects = recorded.members, np.empty(0)
        if len(members) > 1:
            without = np.array([float(headline(np.delete(r, one, axis=1))) for one in members])
            subjects = value - (len(members) - 1) * (without - without.mean())
        elif "subject" in recorded.neuroids:
            subjects = np.array([value])
        n_samples = n if groups is None else len(np.unique(groups))
        return Replicates(value, np.concatenate(draws), "bootstrap", n_samples, subjects)


def _headline(normalize: Normalization, best: Floats) -> Callable[[Floats], Any]:
    """From r, (..., n_splits, n_neuroids), to headlines; a split that a draw left empty is passed over."""

    def headline(r: Floats) -> Any:
        medians = np.median(r, axis=-1)
        there = ~np.isnan(medians)
        if there.all():
            raw = mean_of_medians(r)
        else:
            total, count = np.where(there, medians, 0.0).sum(axis=-1), there.sum(axis=-1)
            raw = np.where(count > 0, total / np.maximum(count, 1), np.nan)
        return raw if normalize is none else normalize(np.asarray(raw)[..., None, None], best)

    return headline


def _labels(recorded: Recording, column: str | None) -> tuple[Any, str | None]:
    """What splits are balanced by, and what a record says of it."""
    labels = recorded.columns.get(column or "")
    if labels is None:
        return None, None
    rare = np.unique(np.asarray(labels, str), return_counts=True)[1].min() < 2
    return (None, f"not by {column}: a value has one stimulus") if rare else (labels, column)


def _r(held_out: list[HeldOut], targets: Floats) -> Floats:
    return np.array([pearson(one.prediction, targets[one.split.test]) for one in held_out])


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
        one, other = known_mean(cube[:, first]), known_mean(cube[:, second])
        both = np.isfinite(one).any(axis=1) & np.isfinite(other).any(axis=1)
        r = pearson(one[both], other[both])
        with np.errstate(divide="ignore"):
            corrected.append(2 * r / (1 + r))
    table = np.array(corrected)
    known = ~np.isnan(table).all(axis=0)  # a neuroid that never varies, or misses stimuli, has none
    per_neuroid = np.full(len(known), np.nan)
    per_neuroid[known] = np.nanmean(table[:, known], axis=0)
    if np.isnan(table).all(axis=1).any():
        return float("nan"), per_neuroid
    return float(np.nanmedian(table, axis=1).mean()), per_neuroid


def balanced(
    metric: BrainScoreRegression, recorded: Recording, options: Mapping[str, Any]
) -> BrainScoreRegression:
    """The metric with its splits balanced by a column of the stimuli, where a benchmark names one."""
    if "stratify" not in options:
        return metric
    column = options["stratify"]
    recorded.column(column)
    if column is not None and _labels(recorded, column)[0] is None:
        raise UserError(
            f"{recorded.name}: {column!r} cannot be stratified: a value of it has one stimulus, and splits need two"
        )
    return replace(metric, splitter=replace(metric.splitter, **options))


FACTS: dict[str, Any] = {
    "formula": "mean over splits of the median over neuroids of Pearson r on held-out stimuli",
    "ceilings": ("r_max", "internal_consistency", "none"),
    "options": ("stratify",),
    "version": 2,
    "citation": "Schrimpf et al. (2018), bioRxiv 407007",
}
"""What the cards of these metrics say alike."""
