"""Decoding: how well two stimuli are told apart by their response patterns."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import numpy as np
import numpy.typing as npt

from ...analysis.encoding.cross_validation import Indices
from ...analysis.encoding.nested_ridge import Fit
from ...analysis.encoding.on_card.fit import products_of
from ...analysis.encoding.pooled import each_without
from ...analysis.statistics.replicates import Replicates
from ...analysis.statistics.resampling import p_value
from ...brain_data.noise_ceiling import noise_variance, reliability_within
from ...errors import UserError
from . import uncertainty
from .base import Ceiling, Floats, Layers, MetricResult, ScoringOptions
from .identification import Flags, Pairs, Patterns, mean_told, pairs_of, told
from .identification_ceiling import FEWEST_FREE, Distances
from .interval_words import said_of
from .normalization import CHANCE, above_chance
from .permuted import permuted
from .recording import Recording
from .registries import metric
from .ridge import Encoding, ridge
from .sampling import Sampling
from .self_decoding import SelfDecoding

LEAST_CERTAINTY = 4.0
"""Standard errors by which patterns must differ more than noise does, for a ceiling to be divided by."""
_WIDTH, _FEWEST_PLACES = 0.25, 3


@dataclass(frozen=True)
class Decoding:
    """Pairwise identification of response patterns, chance 1/2.

    Two conditions i, j are told apart when their patterns in two independent sets agree better straight
    than crossed: r(A_i, B_i) + r(A_j, B_j) > r(A_i, B_j) + r(A_j, B_i); ties count half. Haxby et al. (2001);
    Mitchell et al. (2008), Science 320:1191. Neuroids are divided by their noise; several subjects are decoded one by
    one, and the mean over them is reported.

    - The recording itself (model ``brain``): A and B are random halves of every stimulus' presentations; `across`
      holds one value of a column (position) out at a time as well.
    - A model: A are the patterns that ridge regression predicts for held-out stimuli, B the measured ones; pairs are
      stimuli of different labels in the same fold, and folds keep the values of `across` together.

    Headline: (accuracy - 1/2) / (ceiling - 1/2).

    Attributes
    ----------
    encoding : Encoding
        How a model's patterns are predicted.
    label : str or None
        Column that is decoded; None for the stimulus itself.
    across : str or None
        Column over whose values decoding must generalise.
    """

    encoding: Encoding
    name: str = "decoding"
    label: str | None = None
    across: str | None = None

    def ceiling(self, recorded: Recording) -> Ceiling:
        """How often a noise-free model would tell the measured patterns apart; neuroids by reliability."""
        reliable = _reliability(recorded)
        found = _distances(recorded, Patterns.of(recorded))
        if not found:
            few = f"none: fewer than {FEWEST_FREE} presentations beyond each stimulus' first"
            return Ceiling("none", float("nan"), reliable, note=few)
        pairs = pairs_of(self._parts(recorded), _labels(recorded, self.label))
        certainty = sum(one.certainty(pairs) for one in found) / np.sqrt(len(found))
        if certainty < LEAST_CERTAINTY:
            note = (
                f"none: patterns differ by {certainty:.1f} standard errors more than noise does, of at least "
                f"{LEAST_CERTAINTY:.0f}; the raw value stands"
            )
            return Ceiling("none", float("nan"), reliable, note=note)
        return Ceiling("accuracy", float(np.mean([one.accuracy(pairs) for one in found])), reliable)

    def memory(self, recorded: Recording, n_units: int) -> int:
        """As for encoding."""
        return self.encoding.memory(recorded, n_units)

    def evaluate_recording(self, recorded: Recording, options: ScoringOptions) -> MetricResult:
        """Decode the recording from itself, across its repetitions."""
        if recorded.counts.max() < 2:
            raise UserError(f"{recorded.name}: decoding across repetitions needs at least 2 of them, not 1")
        patterns, rows = Patterns.of(recorded), recorded.counts > 1
        found = SelfDecoding.of(recorded, patterns, self.encoding.sampling, self.label, self.across)
        observed = float(found.accuracy.mean())
        value = float(_share(observed, 1.0))
        replicates = Replicates(value)
        if options.n_bootstraps:
            subjects = _share(found.accuracy, 1.0) if patterns.names else np.empty(0)
            without = _share(found.without(), 1.0)
            replicates = Replicates(value, without, "jackknife", len(without) - 1, subjects)
        p, tested = found.p(self.encoding.sampling, rows, options.n_permutations, options.seed)
        once = {"stimuli shown once": int((~rows).sum())} if not rows.all() else {}
        said = {"identify": f"one of two {self.label or 'stimuli'}, random halves of their presentations"}
        reliable = _reliability(recorded)
        return MetricResult(
            value=value,
            raw=observed,
            per_unit=np.array([]) if reliable is None else reliable,
            unit="neuroid",
            normalization=above_chance.name,
            layer="brain",
            layer_by_split=["brain"],
            layers={"brain": observed},
            ci=replicates.interval(options.level),
            p=p,
            n_stimuli=int(rows.sum()),
            n_neuroids=patterns.n_neuroids,
            left_out=dict(recorded.n_left_out) | once | dict(patterns.left_out),
            methods=said
            | {"across": self.across, "chance": CHANCE}
            | patterns.said(found.accuracy)
            | said_of(replicates, options)
            | tested,
            replicates=replicates,
        )

    def evaluate(
        self, layers: Layers, recorded: Recording, ceiling: Ceiling, options: ScoringOptions
    ) -> MetricResult:
        """Identify held-out stimuli by the patterns that a layer predicts."""
        sampling, patterns = self.encoding.sampling, Patterns.of(recorded)
        if self.across and sampling.column != self.across:
            raise UserError(
                f"{recorded.name}: to hold one {self.across} out and choose penalties on the others, a model needs at "
                f"least {_FEWEST_PLACES} of them"
            )
        labels, targets = _labels(recorded, self.label), recorded.mean
        pairs = pairs_of(sampling.tests, labels)
        if not any(upper.any() for _, upper in pairs):
            raise UserError(
                f"{recorded.name}: no two {self.label or 'stimuli'} are held out in the same fold"
            )
        curve, best = self.encoding.sweep(
            layers, recorded, quality=lambda fits: float(patterns.accuracy(_of(fits), targets, pairs).mean())
        )
        chosen = [layer for layer, _ in best]
        distances = _distances(recorded, patterns) if ceiling.kind == "accuracy" else []
        fitted = _Fitted(targets, patterns, labels, [one for _, one in best], distances, sampling)
        each = fitted.accuracy
        replicates = fitted.replicates(options)
        p, tested = fitted.p(layers, chosen, options)
        unused = recorded.n_stimuli - sampling.n_used
        return MetricResult(
            value=replicates.value,
            raw=float(each.mean()),
            per_unit=np.array([]),
            unit="none",
            normalization=above_chance.name,
            layer=max(dict.fromkeys(chosen), key=chosen.count),
            layer_by_split=chosen,
            layers=curve,
            ci=replicates.interval(options.level),
            p=p,
            n_stimuli=len(np.unique(np.concatenate(sampling.tests))),
            n_neuroids=patterns.n_neuroids,
            left_out=dict(recorded.n_left_out)
            | dict(patterns.left_out)
            | ({"stimuli neither fitted nor held out": unused} if unused else {}),
            methods={
                "identify": f"one of two held-out {self.label or 'stimuli'}, predicted against measured patterns",
                "across": self.across,
                "chance": CHANCE,
            }
            | ({"ceiling": ceiling.note} if ceiling.note else {})
            | sampling.describe()
            | products_of(fitted.fits)
            | patterns.said(each)
            | said_of(replicates, options)
            | tested,
            replicates=replicates,
        )

    def _parts(self, recorded: Recording) -> list[Indices]:
        """The stimuli that are told apart from each other; all of them where there are too few to hold some out."""
        try:
            return self.encoding.sampling.tests
        except UserError:
            return [np.arange(recorded.n_stimuli)]


@dataclass(frozen=True)
class _Fitted:
    """The fits of the chosen layers, and what is asked of them."""

    targets: Floats
    patterns: Patterns
    labels: Indices
    fits: list[Fit]
    distances: list[Distances]
    sampling: Sampling
    tests: list[Indices] = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "tests", [one.split.test for one in self.fits])

    @cached_property
    def pairs(self) -> Pairs:
        """Of all stimuli."""
        return pairs_of(self.tests, self.labels)

    @cached_property
    def advantages(self) -> list[list[Floats]]:
        """Of all pairs, by subject and fold."""
        return self.patterns.of_pairs(_of(self.fits), self.targets, self.pairs)

    @cached_property
    def accuracy(self) -> Floats:
        """Of each subject."""
        return np.array([mean_told(one) for one in self.advantages])

    def best(self, pairs: Pairs, rows: Flags | None = None) -> Floats:
        """The ceiling of each subject, 1 where there is none."""
        if not self.distances:
            return np.ones(len(self.patterns.members))
        return np.array([one.accuracy(pairs, rows) for one in self.distances])

    def replicates(self, options: ScoringOptions) -> Replicates:
        """The headline without each group of stimuli, neither fitted nor held out, and of each subject.

        Whether a pair is told apart is a step, and few pairs make a jackknife of steps far too wide; so what a group
        changes is read off a smooth step, a quarter as wide as the advantages spread.
        """
        whole, best = self.accuracy, self.best(self.pairs)
        value = float(_share(whole.mean(), best.mean()))
        if options.n_bootstraps == 0:
            return Replicates(value)
        widths = [_WIDTH * float(np.concatenate(one).std()) for one in self.advantages]
        smooth = np.array([mean_told(*one) for one in zip(self.advantages, widths, strict=True)])
        groups = self.sampling.jackknife_groups
        n_groups, n_pairs = int(groups.max()) + 1, sum(int(upper.sum()) for _, upper in self.pairs)
        samples = np.full(n_groups + 1, np.nan)
        samples[-1] = _share(
            whole.mean() * n_pairs / (n_pairs + 1), best.mean()
        )  # one pair more, taken for another
        for group, predictions in enumerate(each_without(self.fits, self.targets, groups)):
            rows = groups != group
            pairs = pairs_of(self.tests, self.labels, rows)
            left = [one[rows[test]] for one, test in zip(predictions, self.tests, strict=True)]
            found = self.patterns.of_pairs(left, self.targets, pairs)
            if found[0]:
                moved = np.array([mean_told(*one) for one in zip(found, widths, strict=True)]) - smooth
                samples[group] = _share((whole + moved).mean(), self.best(pairs, rows).mean())
        subjects = np.empty(0)
        if self.patterns.names:
            subjects = value + (whole - CHANCE - value * (best - CHANCE)) / (best.mean() - CHANCE)
        return Replicates(value, samples, "jackknife", n_groups, subjects)

    def p(
        self, layers: Layers, chosen: Sequence[str], options: ScoringOptions
    ) -> tuple[float, dict[str, object]]:
        """P of the accuracy: responses permuted, predicted anew, and identified in all folds."""
        if options.n_permutations == 0:
            return float("nan"), {"p": "not asked for"}
        drawn = permuted(
            layers, chosen, self.fits, self.sampling, self.targets, self.patterns.members, options
        )
        patterns = self.patterns.only(drawn.neuroids)
        known = [i for i, (_, upper) in enumerate(self.pairs) if upper.any()]
        null = np.zeros(drawn.n_orders)
        for i in known:
            upper = self.pairs[i][1]
            pairs = zip(*(one.swapaxes(0, 1) for one in drawn.folds[i]), strict=True)
            for draw, (a, b) in enumerate(pairs):
                null[draw] += np.mean([told(one[upper]).mean() for one in patterns.advantages(a, b)]) / len(
                    known
                )
        fits = [uncertainty.select_targets(one, drawn.neuroids) for one in self.fits]
        observed = float(patterns.accuracy(_of(fits), self.targets[:, drawn.neuroids], self.pairs).mean())
        return p_value(observed, null), drawn.said


@metric(
    "decoding",
    sentence="two stimuli are told apart by their response patterns, measured against predicted or against repeated",
    formula="share of pairs (i, j) with r(A_i, B_i) + r(A_j, B_j) > r(A_i, B_j) + r(A_j, B_i)",
    axis="pairs identified (chance 0.5)",
    ceilings=("accuracy", "none"),
    options=("label", "across", "folds", "inner_folds", "stratify", "group", "train", "test"),
    version=2,
    citation="Haxby et al. (2001), Science 293:2425; Mitchell et al. (2008), Science 320:1191",
)
def decoding(
    recorded: Recording, *, label: str | None = None, across: str | None = None, **options: Any
) -> Decoding:
    """Pairwise identification; a model's patterns are predicted by ridge with the other options."""
    recorded.column(label)
    held = recorded.column(across)
    if held is not None:
        if options.get("group", across) != across:
            raise UserError(
                f"{recorded.name}: decoding across {across!r} holds its values out, so it cannot keep "
                f"{options['group']!r} together as well"
            )
        if (
            len(set(held.tolist())) >= _FEWEST_PLACES
        ):  # with 2, the recording can still be decoded from itself
            options["group"] = across
    Patterns.of(recorded)  # refuses recordings without patterns, before anything is computed
    return Decoding(ridge(recorded, **options), label=label, across=across)


def _labels(recorded: Recording, label: str | None) -> Indices:
    if label is None and recorded.alike.same is not None:
        return recorded.alike.same  # what is the same under two ids cannot be told apart
    named = recorded.stimulus_ids if label is None else recorded.column(label)
    number: Indices = np.unique(np.asarray(named, str), return_inverse=True)[1].astype(np.intp)
    return number


def _distances(recorded: Recording, patterns: Patterns) -> list[Distances]:
    """Of each subject; none with too few repetitions."""
    cube = recorded.responses
    found = [Distances.of(cube[:, :, one], patterns.scale[one]) for one in patterns.members]
    known = [one for one in found if one is not None]
    return known if len(known) == len(found) else []


def _reliability(recorded: Recording) -> Floats | None:
    """Of each neuroid's mean response, over all stimuli; None without repetitions."""
    noise, n = noise_variance(recorded.responses), recorded.n_stimuli
    if not np.isfinite(noise).any():
        return None
    return reliability_within(recorded.mean, noise, recorded.counts, [np.arange(n)], np.ones(n))


def _of(fits: Sequence[Fit]) -> list[Floats]:
    return [one.prediction for one in fits]


def _share(accuracies: npt.ArrayLike, best: npt.ArrayLike) -> Floats:
    """The headlines of accuracies."""
    values: Floats = above_chance(np.asarray(accuracies)[..., None, None], np.asarray(best))
    return values
