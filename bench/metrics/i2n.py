"""Which pictures of an object are hard to tell from which other object, for people and for a model: i2n."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy.special import ndtri

from ...analysis.statistics.replicates import Replicates
from ...analysis.statistics.resampling import p_value, permutations
from ...errors import UserError
from .base import Ceiling, Floats, Layers, MetricResult, ScoringOptions, refuse_missing
from .interval_words import said_of
from .normalization import median_formula
from .recording import Recording
from .registries import metric

Integers = npt.NDArray[np.intp]

_MOST_Z = 2.5
_C = 1e-3
_FOLDS, _HALVES, _BLOCKS = 5, 20, 40


@dataclass(frozen=True)
class Choices:
    """How often each picture's object was chosen over each other one.

    Attributes
    ----------
    rates : array of shape (n_pictures, n_repetitions, n_objects)
        From 0 to 1; what stands at a picture's own object is not looked at.
    own : array of shape (n_pictures,)
        The number of each picture's object.
    """

    rates: Floats = field(repr=False)
    own: Integers

    @classmethod
    def of(cls, recorded: Recording, label: str) -> Choices:
        """Those of a recording, whose neuroids are the other objects, called as the labels are.

        Raises
        ------
        UserError
            For objects without neuroid or picture, rates beyond 0 and 1, and fewer than two pictures of an object.
        """
        if "neuroid_id" not in recorded.neuroids:
            raise UserError(f"{recorded.name}: i2n needs neuroids that are called as the objects are")
        names = recorded.neuroids["neuroid_id"].astype(str).tolist()
        labels = np.asarray(recorded.column(label), str)
        if set(names) != set(labels.tolist()):
            lacking = sorted(set(names) ^ set(labels.tolist()))
            raise UserError(
                f"{recorded.name}: objects in {label!r} and neuroids must be the same (only one has {lacking[0]!r})"
            )
        rates = recorded.responses
        if np.nanmin(rates) < 0 or np.nanmax(rates) > 1:
            raise UserError(f"{recorded.name}: i2n needs rates from 0 to 1")
        own = np.array([names.index(one) for one in labels], np.intp)
        if np.bincount(own).min() < 2:
            raise UserError(f"{recorded.name}: i2n needs at least 2 pictures of every object")
        return cls(rates, own)

    @property
    def asked(self) -> npt.NDArray[np.bool_]:
        """Which cells are of a picture and another object."""
        asked: npt.NDArray[np.bool_] = self.own[:, None] != np.arange(self.rates.shape[2])
        return asked

    def reliability(self, rows: Integers) -> float:
        """Of what :func:`i2n` says of some pictures: r of random halves of repetitions, Spearman-Brown corrected.

        NaN for one repetition.
        """
        n = self.rates.shape[1]
        if n < 2:
            return float("nan")
        generator, found = np.random.default_rng(4), []
        for _ in range(1 if n == 2 else _HALVES):
            order = generator.permutation(n)
            halves = (self._of(rows, order[: n // 2]), self._of(rows, order[n // 2 :]))
            r = correlation(*halves, self.asked[rows])
            found.append(2 * r / (1 + r))
        return float(np.mean(found))

    def pattern(self, rows: Integers) -> Floats:
        """What :func:`i2n` says of some pictures, from all repetitions."""
        return self._of(rows, np.arange(self.rates.shape[1]))

    def _of(self, rows: Integers, repetitions: Integers) -> Floats:
        return i2n(np.nanmean(self.rates[rows][:, repetitions], axis=1), self.own[rows])


def i2n(rates: Floats, own: Integers) -> Floats:
    """Z of each picture's rate against each other object, less the mean over the pictures of its object.

    That is d' of a picture, z(hits) - z(false alarms), less the mean d' of its object: false alarms are the same for
    all pictures of an object and drop out. Z is held within 2.5. Rajalingham et al. (2018), J. Neurosci. 38:7255.
    """
    z = np.clip(ndtri(np.clip(rates, 0, 1)), -_MOST_Z, _MOST_Z)
    found: Floats = np.empty_like(z)
    for one in np.unique(own):
        found[own == one] = z[own == one] - z[own == one].mean(axis=0)
    return found


def correlation(a: Floats, b: Floats, asked: npt.NDArray[np.bool_]) -> float:
    """Pearson r over the cells that are asked about; 0 where nothing varies."""
    x, y = a[asked] - a[asked].mean(), b[asked] - b[asked].mean()
    size = float(np.sqrt((x @ x) * (y @ y)))
    return float(x @ y) / size if size > 1e-12 else 0.0


def model_rates(features: npt.ArrayLike, own: Integers) -> Floats:
    """How sure a linear readout of features is of each held-out picture's object against each other one.

    Multinomial logistic regression on standardized features (C = 0.001), five folds with all objects in each:
    p(own) / (p(own) + p(other)).
    """
    from sklearn.linear_model import LogisticRegression
    from sklearn.model_selection import StratifiedKFold
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    values = np.asarray(features, np.float64)
    n_folds = min(_FOLDS, int(np.bincount(own).min()))
    p = np.empty((len(values), int(own.max()) + 1))
    for train, test in StratifiedKFold(n_folds, shuffle=True, random_state=0).split(values, own):
        readout = make_pipeline(StandardScaler(), LogisticRegression(C=_C, max_iter=1000))
        p[test] = readout.fit(values[train], own[train]).predict_proba(values[test])
    right = np.take_along_axis(p, own[:, None], axis=1)
    rates: Floats = right / np.maximum(right + p, 1e-300)
    return rates


@dataclass(frozen=True)
class I2n:
    """r of a model's and people's i2n over the square root of the reliability of people's.

    Attributes
    ----------
    label : str
        The column of the objects.
    """

    label: str = "object"
    name: str = "i2n"

    def ceiling(self, recorded: Recording) -> Ceiling:
        """The internal consistency of i2n, none of a single repetition or below .1."""
        value = Choices.of(recorded, self.label).reliability(np.arange(recorded.n_stimuli))
        if np.isfinite(value) and value >= 0.1:
            return Ceiling("reliability", value)
        note = (
            f"none: halves of the repetitions agree by {value:.2f}"
            if np.isfinite(value)
            else "none: shown once"
        )
        return Ceiling("none", float("nan"), note=note)

    def memory(self, recorded: Recording, n_units: int) -> int:
        """Features three times, and the weights of a readout."""
        return 8 * n_units * (3 * recorded.n_stimuli + 4 * recorded.responses.shape[2])

    def evaluate(
        self, layers: Layers, recorded: Recording, ceiling: Ceiling, options: ScoringOptions
    ) -> MetricResult:
        """Of several layers, half of the pictures choose the one that is reported for the other half."""
        refuse_missing(layers)
        choices = Choices.of(recorded, self.label)
        everyone = np.arange(recorded.n_stimuli)
        model = {layer: model_rates(values, choices.own) for layer, values in layers.items()}
        compared = _Compared(choices, ceiling.kind == "reliability")
        curve = {layer: compared.r(one, everyone) for layer, one in model.items()}
        chosen, parts = _chosen(model, compared, choices.own)
        rates = np.empty_like(model[chosen[0]])
        for layer, rows in zip(chosen, parts, strict=True):
            rates[rows] = model[layer][rows]
        raw = compared.r(rates, everyone)
        value = raw / compared.best(everyone)
        replicates = Replicates(value)
        if options.n_bootstraps:
            without = [compared.r(rates, rows) / compared.best(rows) for rows in _without_blocks(choices.own)]
            replicates = Replicates(value, np.array(without), "jackknife", len(without))
        p, tested = _p(raw, rates, compared, options)
        return MetricResult(
            value=value,
            raw=raw,
            per_unit=np.empty(0),
            unit="none",
            normalization=median_formula(ceiling.kind).name,
            layer=max(dict.fromkeys(chosen), key=chosen.count),
            layer_by_split=chosen,
            layers=curve,
            ci=replicates.interval(options.level),
            p=p,
            n_stimuli=recorded.n_stimuli,
            n_neuroids=recorded.responses.shape[2],
            left_out=dict(recorded.n_left_out),
            methods={
                "label": self.label,
                "readout": f"multinomial logistic regression, C = {_C}, {_FOLDS} folds with all objects",
                **({"ceiling": ceiling.note} if ceiling.note else {}),
                **said_of(replicates, options),
                **tested,
            },
            replicates=replicates,
        )


@dataclass(frozen=True)
class _Compared:
    """A model's rates beside people's."""

    choices: Choices
    has_ceiling: bool

    def r(self, rates: Floats, rows: Integers) -> float:
        people, own = self.choices.pattern(rows), self.choices.own[rows]
        return correlation(i2n(rates[rows], own), people, self.choices.asked[rows])

    def best(self, rows: Integers) -> float:
        if not self.has_ceiling:
            return 1.0
        value = self.choices.reliability(rows)
        return float(np.sqrt(value)) if value > 0 else float("nan")


def _blocks(own: Integers, n_blocks: int, seed: int) -> Integers:
    """A block of each picture, those of one object spread over all blocks."""
    generator, block, start = np.random.default_rng(seed), np.empty(len(own), np.intp), 0
    for one in np.unique(own):
        rows = generator.permutation(np.flatnonzero(own == one))
        block[rows] = (start + np.arange(len(rows))) % n_blocks
        start += len(rows)
    return block


def _without_blocks(own: Integers) -> Iterator[Integers]:
    block = _blocks(own, min(_BLOCKS, len(own)), 11)
    for one in range(int(block.max()) + 1):
        yield np.flatnonzero(block != one)


def _chosen(model: dict[str, Floats], compared: _Compared, own: Integers) -> tuple[list[str], list[Integers]]:
    if len(model) == 1:
        return list(model), [np.arange(len(own))]
    half = _blocks(own, 2, 1)
    halves = [np.flatnonzero(half == one) for one in (0, 1)]
    fits = [{layer: compared.r(one, rows) for layer, one in model.items()} for rows in halves[::-1]]
    return [max(one, key=one.__getitem__) for one in fits], halves


def _p(
    raw: float, rates: Floats, compared: _Compared, options: ScoringOptions
) -> tuple[float, dict[str, Any]]:
    """One-sided: a model's pictures of one object are given one another's rates."""
    if options.n_permutations == 0:
        return float("nan"), {"p": "not asked for"}
    own, everyone = compared.choices.own, np.arange(len(rates))
    orders = permutations(len(own), options.n_permutations, random_state=options.seed + 2, blocks=own)
    people, asked = compared.choices.pattern(everyone), compared.choices.asked
    pattern = i2n(rates, own)
    null = np.array([correlation(pattern[order], people, asked) for order in orders])
    said = f"pictures permuted within their object, {len(orders)} times"
    return p_value(raw - 1e-12, null), {"p": said, "smallest_p": 1 / (1 + len(orders))}


@metric(
    "i2n",
    form="choices",
    sentence="which pictures of an object are hard to tell from which other object is correlated between people and a "
    "linear readout of a layer, each picture less the mean of its object",
    formula="r of d' of each picture against each other object, less the mean d' of its object",
    options=("label",),
    axis="consistency with people (r of i2n)",
    ceilings=("reliability", "none"),
    citation="Rajalingham et al. (2018), Journal of Neuroscience 38:7255",
)
def i2n_metric(recorded: Recording, label: str = "object") -> I2n:
    """The metric for one recording, whose neuroids are objects."""
    Choices.of(recorded, label)
    return I2n(label)
