"""Odd one out: which of three stimuli people find unlike the two others, and what a layer finds."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from itertools import combinations
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

from ...analysis.statistics.replicates import Replicates
from ...analysis.statistics.resampling import p_value, permutations
from ...errors import UserError
from .base import Ceiling, Floats, Layers, MetricResult, ScoringOptions, refuse_missing
from .interval_words import said_of
from .recording import Recording, one_column
from .registries import metric, normalization

Integers = npt.NDArray[np.intp]
Similarity = Literal["cosine", "dot"]

CHANCE = 1 / 3
_SIMILARITIES = ("cosine", "dot")
_MOST_BLOCKS, _FEWEST = 40, 8


@normalization(
    "above_a_third",
    sentence="how far the accuracy lies above chance (1/3), as a share of how far the best one does (1 where no "
    "ceiling is known)",
    formula="accuracy above chance, as a share of the best",
    chance=CHANCE,
    without_ceiling=1.0,
)
def above_a_third(raw: Floats, ceiling: Floats) -> Floats:
    """(accuracy - 1/3) / (ceiling - 1/3)."""
    value: Floats = (np.median(raw.mean(axis=-2), axis=-1) - CHANCE) / (ceiling - CHANCE)
    return value


@dataclass(frozen=True)
class Judgements:
    """Triplets of stimuli, and which was the odd one.

    Attributes
    ----------
    members : array of shape (n_triplets, 3)
        Rows of stimuli, the odd one last.
    """

    members: Integers

    @classmethod
    def of(cls, recorded: Recording) -> Judgements:
        """Those of a recording: presentations of one ``run`` are a triplet, and the odd one has the greatest response.

        Raises
        ------
        UserError
            Without ``run``, for a run of other than three stimuli, and for one without a single odd one.
        """
        if recorded.dataset is None or recorded.dataset.responses is None:
            raise UserError(f"{recorded.name}: triplets need the presentations of a data set")
        shown = recorded.dataset.trials(recorded.name.removeprefix(f"{recorded.dataset.identifier}."))
        one_column(recorded.name, shown.shape[1], "which one is odd")
        if "run" not in shown.coords:
            raise UserError(
                f"{recorded.name}: no triplets: expected 'run', the number of a triplet, of every presentation"
            )
        run = np.unique(shown["run"].values.astype(str), return_inverse=True)[1]
        wrong = int((np.bincount(run) != 3).sum())
        if wrong:
            raise UserError(f"{recorded.name}: {wrong} of {run.max() + 1} runs have not three presentations")
        place = {stimulus: row for row, stimulus in enumerate(recorded.stimulus_ids.tolist())}
        rows = np.array([place[stimulus] for stimulus in shown["stimulus_id"].values.tolist()])
        order = np.argsort(run, kind="stable").reshape(-1, 3)
        odd = shown.values[:, 0][order]
        ranked = np.argsort(odd, axis=1, kind="stable")
        top = np.take_along_axis(odd, ranked, axis=1)
        if (top[:, 2] <= top[:, 1]).any():
            raise UserError(
                f"{recorded.name}: {int((top[:, 2] <= top[:, 1]).sum())} triplets have no single odd one"
            )
        members = np.take_along_axis(rows[order], ranked, axis=1)
        if (members[:, 0] == members[:, 1]).any() or (members[:, :2] == members[:, 2:]).any():
            raise UserError(f"{recorded.name}: a triplet holds a stimulus twice")
        return cls(members.astype(np.intp))

    def agreement(self) -> tuple[float, int]:
        """How often an answer is the commonest of the other answers to the same triplet, and of how many answers.

        NaN without triplets that were asked twice. Ties among the others count in parts.
        """
        answers: dict[tuple[int, ...], list[int]] = defaultdict(list)
        for members in self.members.tolist():
            answers[tuple(sorted(members))].append(members[2])
        right = []
        for given in (one for one in answers.values() if len(one) > 1):
            for place, answer in enumerate(given):
                others = given[:place] + given[place + 1 :]
                most = max(others.count(one) for one in set(others))
                commonest = [one for one in set(others) if others.count(one) == most]
                right.append((answer in commonest) / len(commonest))
        return (float(np.mean(right)), len(right)) if right else (float("nan"), 0)


@dataclass(frozen=True)
class Triplets:
    """How often the odd one is the stimulus that the most similar pair leaves out; chance 1/3.

    Attributes
    ----------
    similarity : {"cosine", "dot"}
        Of two stimuli's features.
    """

    similarity: Similarity = "cosine"
    name: str = "triplets"

    def ceiling(self, recorded: Recording) -> Ceiling:
        """How well the other answers to a triplet tell an answer, where triplets were asked more than once."""
        best, n = Judgements.of(recorded).agreement()
        if not n:
            return Ceiling("none", float("nan"), note="none: no triplet was asked twice")
        if best <= CHANCE:
            return Ceiling(
                "none", float("nan"), note="none: answers to the same triplets agree no more than by chance"
            )
        return Ceiling("accuracy", best)

    def memory(self, recorded: Recording, n_units: int) -> int:
        """Features in double precision, similarities of all pairs, and triplets."""
        return 8 * recorded.n_stimuli * (2 * n_units + 2 * recorded.n_stimuli)

    def evaluate(
        self, layers: Layers, recorded: Recording, ceiling: Ceiling, options: ScoringOptions
    ) -> MetricResult:
        """Find the odd ones of every layer; of several, half of the triplets choose the layer for the other half."""
        refuse_missing(layers)
        judged = Judgements.of(recorded)
        n = len(judged.members)
        if n < _FEWEST:
            raise UserError(f"{recorded.name}: {n} triplets are too few")
        alike = {layer: _similarities(values, self.similarity) for layer, values in layers.items()}
        right = {layer: found(one, judged.members) for layer, one in alike.items()}
        chosen, parts = _chosen(right)
        value = np.empty(n)
        for layer, rows in zip(chosen, parts, strict=True):
            value[rows] = right[layer][rows]
        best = np.asarray(1.0 if np.isnan(ceiling.value) else ceiling.value)
        raw = float(value.mean())
        score = float((raw - CHANCE) / (best - CHANCE))
        replicates = Replicates(score)
        if options.n_bootstraps:
            replicates = _replicates(value, judged.members, recorded.n_stimuli, score, float(best - CHANCE))
        p, tested = _p(raw, alike, chosen, parts, judged.members, options)
        return MetricResult(
            value=score,
            raw=raw,
            per_unit=np.empty(0),
            unit="none",
            normalization=above_a_third.name,
            layer=max(dict.fromkeys(chosen), key=chosen.count),
            layer_by_split=chosen,
            layers={layer: float(one.mean()) for layer, one in right.items()},
            ci=replicates.interval(options.level),
            p=p,
            n_stimuli=recorded.n_stimuli,
            n_neuroids=recorded.responses.shape[2],
            left_out=dict(recorded.n_left_out),
            methods={
                "chance": CHANCE,
                "n_triplets": n,
                "similarity": self.similarity,
                "spread": "of triplets that share a stimulus, which depend on each other",
                **({"ceiling": ceiling.note} if ceiling.note else {}),
                **said_of(replicates, options),
                **tested,
            },
            replicates=replicates,
        )


def _similarities(features: npt.ArrayLike, kind: Similarity) -> Floats:
    values = np.asarray(features, np.float64)
    if kind == "cosine":
        values = values / np.maximum(np.linalg.norm(values, axis=1, keepdims=True), 1e-300)
    alike: Floats = values @ values.T
    return alike


def found(alike: Floats, members: Integers) -> Floats:
    """1 where the most similar two of three leave out the last; where several are, the share of it."""
    first, second, odd = members.T
    pairs = np.stack([alike[first, second], alike[first, odd], alike[second, odd]])
    most = pairs >= pairs.max(axis=0) - 1e-12 * np.abs(pairs).max(axis=0)
    right: Floats = most[0] / most.sum(axis=0)
    return right


def _chosen(right: dict[str, Floats]) -> tuple[list[str], list[Integers]]:
    n = len(next(iter(right.values())))
    if len(right) == 1:
        return list(right), [np.arange(n)]
    halves = np.array_split(np.random.default_rng(1).permutation(n), 2)
    best = [max(right, key=lambda layer: float(right[layer][other].mean())) for other in halves[::-1]]
    return best, halves


def _replicates(right: Floats, members: Integers, n_stimuli: int, score: float, scale: float) -> Replicates:
    """A jackknife over blocks of stimuli, whose spread is made that of triplets that share a stimulus."""
    stimuli = np.unique(members)
    block = np.full(n_stimuli, -1)
    block[np.random.default_rng(11).permutation(stimuli)] = np.arange(len(stimuli)) % _MOST_BLOCKS
    n_blocks = min(_MOST_BLOCKS, len(stimuli))
    without = np.full(n_blocks, np.nan)
    for one in range(n_blocks):
        kept = (block[members] != one).all(axis=1)
        without[one] = right[kept].mean() if kept.any() else np.nan
    if not np.isfinite(without).all() or np.ptp(without) == 0:
        return Replicates(score, without * np.nan, "jackknife", n_blocks)
    spread = np.sqrt(without.var() * (n_blocks - 1))
    samples = score + (without - without.mean()) * shared_error(right, members) / spread / scale
    return Replicates(score, samples, "jackknife", n_blocks)


def shared_error(right: Floats, members: Integers) -> float:
    """Standard error of a mean over triplets of which those that share a stimulus depend on each other.

    The sum of products of deviations over all pairs of triplets that share one, by inclusion and exclusion: over
    stimuli, less pairs of stimuli, plus triplets (Fafchamps & Gubert 2007 for pairs). Never less than that of
    independent triplets.
    """
    left = right - right.mean()
    total = 0.0
    for size, sign in ((1, 1), (2, -1), (3, 1)):
        shared = np.concatenate(
            [np.sort(members[:, list(some)], axis=1) for some in combinations(range(3), size)]
        )
        _, group = np.unique(shared, axis=0, return_inverse=True)
        sums = np.bincount(group.ravel(), np.tile(left, len(shared) // len(left)))
        total += sign * float((sums**2).sum())
    return float(np.sqrt(max(total, float((left**2).sum()))) / len(left))


def _p(
    raw: float,
    alike: dict[str, Floats],
    chosen: list[str],
    parts: list[Integers],
    members: Integers,
    options: ScoringOptions,
) -> tuple[float, dict[str, Any]]:
    """One-sided: stimuli are given one another's features."""
    n_draws = options.n_permutations
    if n_draws == 0:
        return float("nan"), {"p": "not asked for"}
    n = len(next(iter(alike.values())))
    null = np.zeros(n_draws)
    for draw, order in enumerate(permutations(n, n_draws, random_state=options.seed + 2)):
        for layer, rows in zip(chosen, parts, strict=True):
            null[draw] += found(alike[layer], order[members[rows]]).sum() / len(members)
    said = f"stimuli permuted {n_draws} times"
    return p_value(raw - 1e-12, null), {"p": said, "smallest_p": 1 / (1 + n_draws)}


@metric(
    "triplets",
    form="triplets",
    sentence="of three stimuli, the odd one is the one that the two most similar in a layer leave out",
    formula="share of triplets whose odd one is found",
    options=("similarity",),
    axis="accuracy (chance 1/3)",
    ceilings=("accuracy", "none"),
    bounds=(0.0, 1.0),
    citation="Hebart et al. (2020), Nature Human Behaviour 4:1173",
)
def triplets(recorded: Recording, similarity: Similarity = "cosine") -> Triplets:
    """The metric for one recording, whose presentations must be triplets."""
    if similarity not in _SIMILARITIES:
        raise UserError(f"{recorded.name}: similarity must be 'cosine' or 'dot', not {similarity!r}")
    Judgements.of(recorded)
    return Triplets(similarity)
