"""A recording decoded from itself: halves of every stimulus' presentations tell its conditions apart."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from functools import cached_property
from itertools import combinations_with_replacement, islice

import numpy as np
import numpy.typing as npt

from ...analysis.encoding.cross_validation import Indices
from ...analysis.statistics.resampling import ENTRIES, p_value, permutations
from ...errors import UserError
from . import uncertainty
from .identification import Flags, Patterns, advantage, halves, noise_scale_of_others, spread, told
from .recording import Labels, Recording
from .sampling import Sampling

Floats = npt.NDArray[np.float64]

N_HALVES = 20
_TESTED_HALVES, _FEW_STIMULI = 4, 200
_NOISE_BLOCKS, _MOST_BLOCKS = 8, 40


@dataclass(frozen=True)
class SelfDecoding:
    """The presentations of the stimuli shown more than once, and what is decoded from them.

    Attributes
    ----------
    cube : array of shape (n_stimuli, n_repetitions, n_neuroids)
        Of stimuli shown at least twice.
    patterns : Patterns
    member : array of shape (n_stimuli,)
        The number of each stimulus' label, from 0.
    place : array of shape (n_stimuli,) or None
        Where decoding must generalise over it, the place of each stimulus.
    groups : array of shape (n_labels,)
        The labels that are left out together, from 0.
    by_noise : bool
        Whether neuroids are divided by the noise of other labels, else by the scale of the patterns.
    """

    cube: Floats = field(repr=False)
    patterns: Patterns
    member: Indices
    place: Labels | None
    groups: Indices
    by_noise: bool = True

    @classmethod
    def of(
        cls,
        recorded: Recording,
        patterns: Patterns,
        sampling: Sampling,
        label: str | None,
        across: str | None,
    ) -> SelfDecoding:
        """That of a recording, by a column of its stimuli and across another."""
        rows = recorded.counts > 1
        named, held = recorded.column(label), recorded.column(across)
        if named is None:
            member = np.arange(int(rows.sum()))
            groups = np.unique(sampling.jackknife_groups[rows], return_inverse=True)[1]
        else:
            member = np.unique(np.asarray(named, str)[rows], return_inverse=True)[1]
            groups = np.arange(int(member.max()) + 1) % _MOST_BLOCKS
        found = cls(recorded.responses[rows], patterns, member, None if held is None else held[rows], groups)
        if not np.isfinite(found.accuracy).all():
            shared = f" that occur at one {across} and at another" if across else ""
            raise UserError(
                f"{recorded.name}: fewer than 2 {label or 'stimuli'}{shared}: there is nothing to tell apart"
            )
        return found

    @property
    def blocks(self) -> Indices:
        """The block of each label, of which there are at most 8."""
        return np.arange(int(self.member.max()) + 1) % _NOISE_BLOCKS

    @cached_property
    def scale(self) -> Floats:
        """What the patterns of two blocks of labels are divided by: the noise of all other labels."""
        scale = noise_scale_of_others(self.cube, self.blocks[self.member])
        return np.where(scale > 0, scale, 1.0)

    @cached_property
    def told(self) -> Floats:
        """How often each pair of labels is told apart, ``(n_subjects, n_labels, n_labels)``; NaN where none met."""
        return self.told_by(N_HALVES)

    @cached_property
    def accuracy(self) -> Floats:
        """Of each subject, mean over pairs."""
        return _mean_of_pairs(self.told)

    def without(self) -> Floats:
        """The mean accuracy of subjects without each group of labels, and with one pair more that is taken for another.

        The last stands for what so many pairs cannot show: where all are told apart, the others do not differ.
        """
        groups = range(int(self.groups.max()) + 1)
        kept = [self.groups != group for group in groups]
        without = [_mean_of_pairs(self.told[:, one][:, :, one]).mean() for one in kept]
        n_pairs = np.isfinite(self.told[0]).sum() / 2
        return np.array([*without, self.accuracy.mean() * n_pairs / (n_pairs + 1)])

    def p(self, sampling: Sampling, rows: Flags, n_draws: int, seed: int) -> tuple[float, dict[str, object]]:
        """P of the mean accuracy, stimuli permuted within each repetition, and how it was found."""
        if n_draws == 0:
            return float("nan"), {"p": "not asked for"}
        if self.place is None:
            orders, what, smallest = sampling.orders(n_draws, seed)
            inside = np.cumsum(rows) - 1
            orders = np.array([inside[order[rows[order]]] for order in orders])
            count = (1 / smallest - 1) ** max(self.cube.shape[1] - 1, 1)
        else:
            orders = permutations(len(self.cube), n_draws, random_state=seed, blocks=self.place.astype(str))
            what, count = "stimulus labels permuted at each place", float("inf")
        some = uncertainty.subsample_targets(self.patterns.members, seed)
        cube = self.cube[:, :, some]
        patterns = replace(self.patterns.only(some), scale=spread(cube))  # the same for every permutation
        tested = replace(self, cube=cube, patterns=patterns, by_noise=False)
        n_halves = _TESTED_HALVES if len(self.cube) <= _FEW_STIMULI else 2
        generator = np.random.default_rng([seed, 4])
        drawn = [generator.permutation(n_draws) % len(orders) for _ in range(1, self.cube.shape[1])]
        null = np.array(
            [tested._permuted(orders[list(one)])._mean(n_halves) for one in zip(*drawn, strict=True)]
        )
        over = (
            f", over {len(some)} of {self.patterns.n_neuroids} neuroids"
            if len(some) < self.patterns.n_neuroids
            else ""
        )
        return p_value(tested._mean(n_halves), null), {
            "p": f"{what} within every repetition, {n_draws} times, {n_halves} halves, neuroids by their sd{over}",
            "smallest_p": 1 / (1 + min(n_draws, count)),
        }

    def told_by(self, n_halves: int) -> Floats:
        """As :attr:`told`, from so many random halves."""
        n = int(self.member.max()) + 1
        total, met = np.zeros((len(self.patterns.members), n, n)), np.zeros((n, n))
        found = halves(self.cube, n_halves, np.random.default_rng(4))
        size = max(1, ENTRIES // max(self.cube[:, 0].size, 1))
        while some := list(islice(found, size)):
            a, b = np.stack([one for one, _ in some]), np.stack([one for _, one in some])
            for shared, first, second in self._comparisons(a, b):
                met[np.ix_(shared, shared)] += len(some)
                if self.by_noise:
                    self._add(total, shared, first, second)
                    continue
                for subject, advantages in enumerate(self.patterns.advantages(first, second)):
                    total[subject][np.ix_(shared, shared)] += told(advantages).sum(axis=0)
        np.fill_diagonal(met, 0)
        mean: Floats = np.divide(total, met, out=np.full_like(total, np.nan), where=met > 0)
        return mean

    def _add(self, total: Floats, labels: Indices, a: Floats, b: Floats) -> None:
        """Count which pairs of labels are told apart, those of each two blocks by the noise of the others."""
        blocks = self.blocks[labels]
        for first, second in combinations_with_replacement(np.unique(blocks), 2):
            rows = np.flatnonzero((blocks == first) | (blocks == second))
            if len(rows) < 2:
                continue
            asked = (blocks[rows][:, None] != blocks[rows]) | (first == second)
            cells = np.ix_(labels[rows], labels[rows])
            x, y = a[:, rows] / self.scale[first, second], b[:, rows] / self.scale[first, second]
            for subject, one in enumerate(self.patterns.members):
                total[subject][cells] += told(advantage(x[..., one], y[..., one])).sum(axis=0) * asked

    def _comparisons(self, a: Floats, b: Floats) -> Iterator[tuple[Indices, Floats, Floats]]:
        """Labels that occur on both sides, and their patterns on either, ``(n_halves, n_labels, n_neuroids)``."""
        everywhere = np.ones(a.shape[1], bool)
        if self.place is None:
            yield self._labeled(a, everywhere, b, everywhere)
            return
        for first, second in ((a, b), (b, a)):
            for place in dict.fromkeys(self.place.tolist()):
                here = self.place == place
                yield self._labeled(first, ~here, second, here)

    def _labeled(self, a: Floats, of_a: Flags, b: Floats, of_b: Flags) -> tuple[Indices, Floats, Floats]:
        shared = np.intersect1d(self.member[of_a], self.member[of_b])
        return (
            shared,
            _label_patterns(a[:, of_a], self.member[of_a], shared),
            _label_patterns(b[:, of_b], self.member[of_b], shared),
        )

    def _mean(self, n_halves: int) -> float:
        return float(_mean_of_pairs(self.told_by(n_halves)).mean())

    def _permuted(self, orders: Indices) -> SelfDecoding:
        """With stimuli in another order within each repetition but the first, ``(n_repetitions - 1, n_stimuli)``."""
        cube = self.cube.copy()
        shown = ~np.isnan(cube).all(axis=2)
        for repetition, order in enumerate(orders, start=1):
            here = shown[:, repetition]
            cube[here, repetition] = self.cube[order[here[order]], repetition]
        return replace(self, cube=cube)


def _label_patterns(rows: Floats, member: Indices, labels: Indices) -> Floats:
    """Mean pattern of each label, less the mean over labels; 0 where a neuroid was not recorded."""
    if len(labels) == rows.shape[1]:
        patterns = rows[:, np.argsort(member)]
    else:
        patterns = np.stack([np.nanmean(rows[:, member == one], axis=1) for one in labels], axis=1)
    gaps = np.isnan(patterns)
    if not gaps.any():
        centered: Floats = patterns - patterns.mean(axis=1, keepdims=True)
        return centered
    filled: Floats = np.where(gaps, 0.0, patterns - np.nanmean(patterns, axis=1, keepdims=True))
    return filled


def _mean_of_pairs(told: Floats) -> Floats:
    """Over the pairs that met, ``(n_subjects,)``; NaN without any."""
    met = np.isfinite(told)
    n = met.sum(axis=(1, 2))
    mean: Floats = np.divide(
        np.where(met, told, 0.0).sum(axis=(1, 2)), n, out=np.full(len(told), np.nan), where=n > 0
    )
    return mean
