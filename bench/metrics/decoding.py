"""Decoding: how well two stimuli are told apart by their response patterns."""

from dataclasses import dataclass, field
from typing import Any

import numpy as np

from ...analysis.encoding.cross_validation import Indices
from ...analysis.statistics.resampling import (
    bootstrap_weights,
    p_value,
    percentile_interval,
    permutations,
)
from ...errors import UserError
from .base import Ceiling, Floats, Layers, MetricResult, ScoringOptions
from .normalization import CHANCE, above_chance
from .recording import Recording
from .registries import metric
from .ridge import Encoding, ridge


@dataclass(frozen=True)
class Decoding:
    """Pairwise identification of response patterns, chance 1/2.

    Two conditions i, j are told apart when their patterns in two independent sets agree better straight
    than crossed: r(A_i, B_i) + r(A_j, B_j) > r(A_i, B_j) + r(A_j, B_i); ties count half. Haxby et al. (2001);
    Mitchell et al. (2008), Science 320:1191.

    - The recording itself (model ``brain``): A and B are odd and even repetitions, divided per neuroid by
      the noise of the training set; `across` holds one value of a column (position) out at a time as well.
    - A model: A are the patterns that ridge regression predicts for held-out stimuli, B the measured ones.

    Headline: (accuracy - 1/2) / (ceiling - 1/2).

    Attributes
    ----------
    label : str or None
        Column that is decoded; None for the stimulus itself.
    across : str or None
        Column over whose values decoding must generalise.
    encoding : Encoding
        How a model's patterns are predicted.
    """

    name: str = "decoding"
    label: str | None = None
    across: str | None = None
    encoding: Encoding = field(default_factory=Encoding)

    def ceiling(self, recorded: Recording) -> Ceiling:
        """Identification of a stimulus' pattern across halves of its repetitions; neuroids by reliability."""
        if recorded.responses.shape[1] < 2:
            return Ceiling("none", float("nan"))
        per_neuroid = self.encoding.ceiling(recorded).per_neuroid
        accuracy = _mean_of_pairs(self._across_halves(recorded, recorded.responses))
        return Ceiling("accuracy", accuracy, per_neuroid)

    def memory(self, recorded: Recording, n_units: int) -> int:
        """As for encoding."""
        return self.encoding.memory(recorded, n_units)

    def evaluate_recording(self, recorded: Recording, options: ScoringOptions) -> MetricResult:
        """Decode the recording from itself, across its repetitions."""
        cube = recorded.responses
        if cube.shape[1] < 2:
            raise UserError(f"{recorded.name}: decoding across repetitions needs at least 2 of them, not 1")
        correct = self._across_halves(recorded, cube)
        observed = _mean_of_pairs(correct)
        weights = bootstrap_weights(len(correct), options.n_bootstraps, random_state=options.seed)
        generator = np.random.default_rng([options.seed, 4])
        null = [
            _mean_of_pairs(self._across_halves(recorded, _relabel(cube, generator)))
            for _ in range(options.n_permutations)
        ]
        drawn = np.array([_mean_of_pairs(correct, w) for w in weights])
        interval = percentile_interval(drawn, options.level)
        value, low, high, *draws = _above_chance(observed, *interval, *drawn)
        reliable = self.encoding.ceiling(recorded).per_neuroid
        return MetricResult(
            value=value,
            raw=observed,
            per_unit=np.array([]) if reliable is None else reliable,
            unit="neuroid",
            normalization=above_chance.name,
            layer="brain",
            layer_by_split=["brain"],
            layers={"brain": observed},
            ci=(low, high),
            draws=np.array(draws),
            p=p_value(observed, np.array(null)) if null else float("nan"),
            n_stimuli=recorded.n_stimuli,
            n_neuroids=cube.shape[2],
            left_out=dict(recorded.n_left_out),
            methods={
                "identify": f"one of two {self.label or 'stimuli'}, odd against even repetitions",
                "across": self.across,
                "chance": CHANCE,
                "interval": f"{options.level:.0%} bootstrap over {self.label or 'stimuli'}, "
                f"{options.n_bootstraps} draws",
                "p": f"labels permuted within every even repetition, {options.n_permutations} times",
                "seed": options.seed,
            },
        )

    def evaluate(
        self, layers: Layers, recorded: Recording, ceiling: Ceiling, options: ScoringOptions
    ) -> MetricResult:
        """Identify held-out stimuli by the patterns that a layer predicts."""
        targets = recorded.mean
        scale = targets.std(axis=0)
        silent = int((scale == 0).sum())
        if silent:
            targets, scale = targets[:, scale > 0], scale[scale > 0]
        encoding = self.encoding
        curve, fits = encoding.sweep(
            layers,
            targets,
            recorded.column(encoding.splitter.stratify),
            recorded.column(encoding.splitter.group),
            quality=lambda fits: float(
                np.mean([_pairwise(f.prediction / scale, targets[f.split.test] / scale) for f in fits])
            ),
        )
        correct = [_correct(one.prediction / scale, targets[one.split.test] / scale) for _, one in fits]
        observed = float(np.mean([_mean_of_pairs(c) for c in correct]))
        weights = bootstrap_weights(len(targets), options.n_bootstraps, random_state=options.seed)
        drawn = np.array(
            [
                np.mean(
                    [_mean_of_pairs(c, w[one.split.test]) for c, (_, one) in zip(correct, fits, strict=True)]
                )
                for w in weights
            ]
        )
        first = fits[0][1]
        orders = permutations(len(first.split.test), options.n_permutations, random_state=options.seed + 2)
        truth = targets[first.split.test] / scale
        null = np.array([_pairwise(first.prediction / scale, truth[order]) for order in orders])
        interval = percentile_interval(drawn, options.level)
        best = ceiling.value if ceiling.kind == "accuracy" else 1.0
        value, low, high, *draws = _above_chance(observed, *interval, *drawn, best=best)
        chosen = [layer for layer, _ in fits]
        return MetricResult(
            value=value,
            raw=observed,
            per_unit=np.array([]),
            unit="none",
            normalization=above_chance.name,
            layer=max(dict.fromkeys(chosen), key=chosen.count),
            layer_by_split=chosen,
            layers=curve,
            ci=(low, high),
            draws=np.array(draws),
            p=p_value(float(_mean_of_pairs(correct[0])), null) if len(null) else float("nan"),
            n_stimuli=recorded.n_stimuli,
            n_neuroids=targets.shape[1],
            left_out=dict(recorded.n_left_out) | ({"neuroids that never vary": silent} if silent else {}),
            methods={
                "identify": "one of two held-out stimuli, predicted against measured patterns",
                "chance": CHANCE,
                "folds": encoding.splitter.n_splits,
                "interval": f"{options.level:.0%} bootstrap over held-out stimuli, {options.n_bootstraps} draws",
                "p": f"held-out patterns of the first fold permuted {options.n_permutations} times",
                "seed": options.seed,
            },
        )

    def _across_halves(self, recorded: Recording, cube: Floats) -> Floats:
        """How often each pair of labels is told apart, (n_labels, n_labels), mean over halves and places."""
        labels = recorded.stimulus_ids if self.label is None else recorded.column(self.label)
        member = np.unique(np.asarray(labels, str), return_inverse=True)[1]
        held = recorded.column(self.across)
        places = [None] if held is None else list(dict.fromkeys(held.tolist()))
        found = []
        for first, second in ((cube[:, 0::2], cube[:, 1::2]), (cube[:, 1::2], cube[:, 0::2])):
            for place in places:
                training = np.ones(len(cube), bool) if held is None else held != place
                testing = np.ones(len(cube), bool) if held is None else held == place
                a = _label_patterns(first[training], member[training])
                b = _label_patterns(second[testing], member[testing])
                noise = _noise(first[training])
                heard = noise > 0
                found.append(_correct(a[:, heard] / noise[heard], b[:, heard] / noise[heard]))
        mean: Floats = np.mean(found, axis=0)
        return mean


@metric(
    "decoding",
    sentence="two stimuli are told apart by their response patterns, measured against predicted or against repeated",
    formula="share of pairs (i, j) with r(A_i, B_i) + r(A_j, B_j) > r(A_i, B_j) + r(A_j, B_i)",
    axis="pairs identified (chance 0.5)",
    ceilings=("accuracy", "none"),
    options=("label", "across", "folds", "inner_folds", "stratify", "group", "least_reliability"),
    citation="Haxby et al. (2001), Science 293:2425; Mitchell et al. (2008), Science 320:1191",
)
def decoding(
    recorded: Recording, *, label: str | None = None, across: str | None = None, **options: Any
) -> Decoding:
    """Pairwise identification; a model's patterns are predicted by ridge with the other options."""
    recorded.column(label)
    recorded.column(across)
    return Decoding(label=label, across=across, encoding=ridge(recorded, **options))


def _above_chance(*accuracies: float, best: float = 1.0) -> list[float]:
    values: list[float] = above_chance(np.array(accuracies)[:, None, None], np.asarray(best)).tolist()
    return values


def _noise(cube: Floats) -> Floats:
    """Standard deviation over repetitions of the same stimulus, per neuroid."""
    deviations = cube - np.nanmean(cube, axis=1, keepdims=True)
    noise: Floats = np.sqrt(np.nanmean(deviations**2, axis=(0, 1)))
    return noise


def _label_patterns(cube: Floats, member: Indices) -> Floats:
    """Mean pattern of each label, less the mean over labels, ``(n_labels, n_neuroids)``."""
    mean = np.nanmean(cube, axis=1)
    patterns = np.array([mean[member == label].mean(axis=0) for label in np.unique(member)])
    centered: Floats = patterns - patterns.mean(axis=0)
    return centered


def _agreement(a: Floats, b: Floats) -> Floats:
    """Pearson r of every pattern of `a` with every pattern of `b`, ``(n, n)``; 0 for a flat pattern."""
    a, b = a - a.mean(axis=0), b - b.mean(axis=0)
    a, b = a - a.mean(axis=1, keepdims=True), b - b.mean(axis=1, keepdims=True)
    size = np.outer(np.linalg.norm(a, axis=1), np.linalg.norm(b, axis=1))
    return np.divide(a @ b.T, size, out=np.zeros_like(size), where=size > 0)


def _correct(a: Floats, b: Floats) -> Floats:
    """Whether each pair is told apart (1, ties 1/2), symmetric ``(n, n)``, zero on the diagonal."""
    r = _agreement(a, b)
    own = np.diag(r)
    advantage = own[:, None] + own - r - r.T
    correct: Floats = (advantage > 1e-12) + 0.5 * (np.abs(advantage) <= 1e-12)
    np.fill_diagonal(correct, 0.0)
    return correct


def _mean_of_pairs(correct: Floats, weights: Floats | None = None) -> float:
    w = np.ones(len(correct)) if weights is None else weights
    pairs = w.sum() ** 2 - (w**2).sum()
    return float(w @ correct @ w / pairs) if pairs > 0 else CHANCE


def _pairwise(a: Floats, b: Floats) -> float:
    return _mean_of_pairs(_correct(a, b))


def _relabel(cube: Floats, generator: np.random.Generator) -> Floats:
    """Shuffle the stimuli within each even repetition."""
    relabeled = cube.copy()
    for repetition in range(1, cube.shape[1], 2):
        relabeled[:, repetition] = cube[generator.permutation(len(cube)), repetition]
    return relabeled
