"""Brain-Score vision's ``spantime_pls``: weights shared by all time bins, a correlation in each.

Samples are stimuli times bins, of a model that answers alike in every bin. The products of such features with the
stacked responses are those of the features with the mean over bins, component by component, so that mean is what is
fitted.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np

from ...analysis.encoding.cross_validation import Indices, Split
from ...analysis.encoding.pls import held_out_predictions
from ...analysis.statistics.dependence import group_orders
from ...analysis.statistics.replicates import Replicates
from ...analysis.statistics.resampling import bootstrap_weights, p_value, permutations
from ...correlation import pearson
from ...errors import UserError
from ...progress import track
from .base import Ceiling, Floats, Layers, MetricResult, ScoringOptions, refuse_missing
from .brainscore_p import _ORDERS_TOGETHER, _REFITTED, _REFITTED_TOGETHER, Dependence
from .brainscore_regression import (
    FACTS,
    FEWEST,
    LEAST_CONSISTENCY,
    BrainScoreRegression,
    _headline,
    _labels,
    balanced,
    internal_consistency,
)
from .interval_words import said_of
from .normalization import mean_of_medians, none
from .recording import Recording
from .registries import metric
from .sampling import Sampling
from .uncertainty import HeldOut, held_out_draws

_CONSTANT = "neuroids predicted as a constant in some split or bin (counted as r = 0)"


@dataclass(frozen=True)
class SpanTimePls(BrainScoreRegression):
    """Partial least squares with 25 components on the stimuli of every bin together.

    r per neuroid and bin on each held-out tenth; median over neuroids, mean over bins, mean over ten splits. The
    ceiling is the internal consistency of each bin, median over neuroids, mean over bins.
    """

    def ceiling(self, recorded: Recording) -> Ceiling:
        """Internal consistency, mean over bins; none where nothing was repeated."""
        if recorded.responses.shape[1] < 2:
            return Ceiling("none", float("nan"))
        each = np.full(recorded.responses.shape[2], np.nan)
        values = []
        for columns in _bins(recorded):
            value, each[columns] = internal_consistency(recorded.responses[:, :, columns])
            values.append(value)
        value = float(np.mean(values))
        if value >= LEAST_CONSISTENCY:
            return Ceiling("internal_consistency", value, each)
        noisy = f"internal consistency {value:.2f} of at least {LEAST_CONSISTENCY}"
        return Ceiling("none", float("nan"), each, note=f"none: too noisy, {noisy}; the raw value stands")

    def evaluate(
        self, layers: Layers, recorded: Recording, ceiling: Ceiling, options: ScoringOptions
    ) -> MetricResult:
        """Score every layer on the ten splits; the layer is chosen on a tenth of each training set."""
        refuse_missing(layers)
        n, bins = recorded.n_stimuli, _bins(recorded)
        if n < FEWEST:
            raise UserError(f"{recorded.name}: {self.name} needs at least {FEWEST} stimuli, not {n}")
        values = np.stack([recorded.mean[:, columns] for columns in bins])
        stacked, mean = values.reshape(-1, values.shape[2]), values.mean(axis=0)
        labels, stratified = _labels(recorded, self.splitter.stratify)
        splits = self.splitter.split(n, labels=labels)
        found: dict[str, list[HeldOut]] = {}
        curve, quality = {}, np.zeros((len(layers), len(splits)))
        for row, layer in enumerate(track(list(layers), f"fitting {self.name}")):
            x = np.asarray(layers[layer], np.float64)
            found[layer] = _in_bins(splits, self.predict(x, mean, splits), len(bins), n)
            curve[layer] = float(mean_of_medians(_r(found[layer], stacked)))
            if len(layers) > 1:
                quality[row] = self._on_training(x, mean, splits)
        names = list(layers)
        chosen = [names[i] for i in quality.argmax(axis=0)]
        held_out = [
            found[layer][i * len(bins) + b] for i, layer in enumerate(chosen) for b in range(len(bins))
        ]
        r = _r(held_out, stacked)
        normalize = none if ceiling.kind == "none" else self.normalization
        headline = _headline(normalize, np.asarray(1.0 if ceiling.kind == "none" else ceiling.value))
        dependence = Dependence.of(recorded, splits)
        replicates = Replicates(float(headline(r)))
        if options.n_bootstraps:
            weights = bootstrap_weights(
                n, options.n_bootstraps, random_state=options.seed, groups=dependence.groups
            )
            draws = [
                headline(held_out_draws(held_out, stacked, np.tile(one, (1, len(bins)))))
                for one in weights[:, None]
            ]
            n_drawn = n if dependence.groups is None else len(np.unique(dependence.groups))
            replicates = Replicates(replicates.value, np.concatenate(draws), "bootstrap", n_drawn)
        p, how = self._p(layers, chosen, held_out, values, splits, dependence, options)
        by_split = r.reshape(len(splits), len(bins), -1)
        constant = int((r == 0).any(axis=0).sum())
        per_column = np.empty(recorded.responses.shape[2])
        for columns, one in zip(bins, by_split.mean(axis=0), strict=True):
            per_column[columns] = one
        said = {"dependence": dependence.said, "ceiling": ceiling.note}
        drawn = "stimuli" if dependence.groups is None else "groups of stimuli"
        return MetricResult(
            value=replicates.value,
            raw=float(mean_of_medians(r)),
            per_unit=per_column,
            unit="neuroid",
            normalization=normalize.name,
            layer=max(dict.fromkeys(chosen), key=chosen.count),
            layer_by_split=chosen,
            layers=curve,
            ci=replicates.interval(options.level),
            replicates=replicates,
            p=p,
            n_stimuli=n,
            n_neuroids=r.shape[1],
            left_out=dict(recorded.n_left_out) | ({_CONSTANT: constant} if constant else {}),
            methods={
                "splits": self.splitter.n_splits,
                "stratify": stratified,
                "bins": f"{len(bins)} time bins as samples, the model's answer the same in each",
                "error": float(np.std(np.median(by_split, axis=2).mean(axis=1)) / np.sqrt(len(splits))),
            }
            | {what: line for what, line in said.items() if line}
            | said_of(replicates, options, drawn)
            | how,
        )

    def _p(
        self,
        layers: Layers,
        chosen: list[str],
        held_out: list[HeldOut],
        values: Floats,
        splits: list[Split],
        dependence: Dependence,
        options: ScoringOptions,
    ) -> tuple[float, dict[str, object]]:
        """P over all splits, as Brain-Score's other regressions have it; an order is the same in every bin."""
        how = dependence.sampling
        if options.n_permutations == 0:
            return float("nan"), {"p": "not asked for"}
        if how is None:
            return float("nan"), {"p": "none: too few groups to permute"}
        most = _REFITTED if dependence.parted else _REFITTED_TOGETHER
        if values.shape[1] > most:
            if dependence.parted:
                return float("nan"), {"p": f"none: of more than {most} stimuli that depend on each other"}
            return _p_of_splits(held_out, values.reshape(-1, values.shape[2]), splits, how, options)
        orders, what, smallest = how.orders(min(options.n_permutations, _ORDERS_TOGETHER), options.seed + 2)
        null = np.zeros(len(orders))
        for layer in dict.fromkeys(chosen):
            x = np.asarray(layers[layer], np.float64)
            here = [one for one, name in zip(splits, chosen, strict=True) if name == layer]
            for i, order in enumerate(orders):
                permuted = values[:, order]
                for one, found in zip(here, self.predict(x, permuted.mean(axis=0), here), strict=True):
                    r = np.nan_to_num([pearson(found, y[one.test]) for y in permuted])
                    null[i] += np.median(r, axis=1).mean()
        observed = float(mean_of_medians(_r(held_out, values.reshape(-1, values.shape[2]))))
        return p_value(observed, null / len(splits)), {
            "p": f"{what}, {len(orders)} times, the same in every bin, fitted anew on all splits",
            "smallest_p": smallest,
        }


def _bins(recorded: Recording) -> list[Indices]:
    """The columns of every time bin, in the order of their starts; all of them where there are no bins."""
    starts = recorded.neuroids.get("time_bin_start")
    if starts is None:
        return [np.arange(recorded.responses.shape[2])]
    times = starts.to_numpy(np.float64)
    found = [np.flatnonzero(times == one) for one in np.unique(times)]
    if len({len(one) for one in found}) > 1:
        raise UserError(f"{recorded.name}: not every neuroid was recorded in every time bin")
    return found


def _in_bins(splits: list[Split], predictions: list[Floats], n_bins: int, n: int) -> list[HeldOut]:
    """Each split's predictions in every bin, whose rows follow each other in the stacked responses."""
    return [
        HeldOut(Split(one.train + b * n, one.test + b * n), found)
        for one, found in zip(splits, predictions, strict=True)
        for b in range(n_bins)
    ]


def _r(held_out: list[HeldOut], stacked: Floats) -> Floats:
    return np.nan_to_num([pearson(one.prediction, stacked[one.split.test]) for one in held_out])


def _p_of_splits(
    held_out: list[HeldOut], stacked: Floats, splits: list[Split], how: Sampling, options: ScoringOptions
) -> tuple[float, dict[str, object]]:
    """Twice the median over splits of the p of each, whose held-out stimuli stand apart from their training."""
    found, n_bins = [], len(held_out) // len(splits)
    for i, split in enumerate(splits):
        seed, here, n_test = options.seed + 2 + i, held_out[i * n_bins : (i + 1) * n_bins], len(split.test)
        if how.groups is None:
            orders = permutations(n_test, options.n_permutations, random_state=seed)
        else:
            orders = group_orders(
                how.groups[split.test], how.position[split.test], options.n_permutations, random_state=seed
            )[0]
        everyone = np.arange(n_test)
        typical = [
            np.mean(
                [np.median(np.nan_to_num(pearson(o.prediction, stacked[o.split.test[order]]))) for o in here]
            )
            for order in (everyone, *orders)
        ]
        found.append(p_value(float(typical[0]), np.array(typical[1:])))
    said = f"held-out stimuli permuted, the same in every bin, {options.n_permutations} times"
    return min(2 * float(np.median(found)), 1.0), {
        "p": f"twice the median over splits of the p of each: {said}"
    }


@metric(
    "spantime_pls",
    sentence="every neuroid's response in time is predicted by partial least squares regression with 25 components, "
    "its weights the same in all time bins",
    by_bin=True,
    **FACTS
    | {
        "formula": "mean over splits and time bins of the median over neuroids of Pearson r",
        "ceilings": ("internal_consistency", "none"),
        "version": 1,
    },
)
def spantime_pls(recorded: Recording, **options: Any) -> BrainScoreRegression:
    """Partial least squares regression over time bins, on ten stratified shuffles."""
    return balanced(SpanTimePls("spantime_pls", held_out_predictions, together=True), recorded, options)
