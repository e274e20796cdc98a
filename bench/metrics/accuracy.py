"""Minimal pairs: how often a language model expects the acceptable sentence more than the other."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import product
from typing import Any, ClassVar

import numpy as np
import numpy.typing as npt

from ...analysis.statistics.paired_tests import t_quantile
from ...analysis.statistics.replicates import FEWEST_GROUPS, Replicates
from ...analysis.statistics.resampling import p_value
from ...errors import UserError
from .base import Ceiling, Floats, Layers, MetricResult, ScoringOptions
from .interval_words import said_of
from .normalization import CHANCE, none
from .recording import Recording, one_column
from .registries import metric

Integers = npt.NDArray[np.intp]

LAYER = "surprisal"
_ROUNDING = 1e-6
_NONE = "none: people are not asked here"


@dataclass(frozen=True)
class Accuracy:
    """Mean over paradigms of how often the acceptable sentence of a pair is the likelier one; chance 1/2.

    A pair is right where -ln p of the whole acceptable sentence is less than that of the other; ties count half. The
    mean response says which is acceptable: the one that has more of it.

    Attributes
    ----------
    pair, paradigm, field : str
        Columns of the stimuli; without a column of that name all pairs are one paradigm, or field.
    """

    pair: str = "pair"
    paradigm: str = "paradigm"
    field: str = "field"
    name: str = "accuracy"
    reads: ClassVar[str] = "surprisal"

    def ceiling(self, recorded: Recording) -> Ceiling:
        """None."""
        del recorded
        return Ceiling("none", float("nan"), note=_NONE)

    def memory(self, recorded: Recording, n_units: int) -> int:
        """A few numbers a sentence."""
        del n_units
        return 64 * recorded.n_stimuli

    def evaluate(
        self, layers: Layers, recorded: Recording, ceiling: Ceiling, options: ScoringOptions
    ) -> MetricResult:
        """Compare the two sentences of every pair."""
        del ceiling
        if list(layers) != [LAYER] or np.shape(layers[LAYER]) != (recorded.n_stimuli, 1):
            raise UserError(f"{recorded.name}: the metric {self.name} reads one surprisal a sentence")
        told = np.asarray(layers[LAYER], np.float64)[:, 0]
        good, bad = pairs_of(recorded, self.pair)
        known = np.isfinite(told[good]) & np.isfinite(told[bad])
        good, bad = good[known], bad[known]
        if len(good) == 0:
            raise UserError(f"{recorded.name}: no pair has two sentences with surprisal")
        right = rightly(told[good], told[bad])
        names, member = _labels(recorded, self.paradigm, good)
        each = np.bincount(member, right) / np.bincount(member)
        value = float(each.mean())
        found = _replicates(each, right) if options.n_bootstraps else Replicates(value)
        p, tested = _p(each, right, options)
        return MetricResult(
            value=value,
            raw=value,
            per_unit=np.empty(0),
            unit="none",
            normalization=none.name,
            layer=LAYER,
            layer_by_split=[LAYER],
            layers={LAYER: value},
            ci=found.interval(options.level),
            p=p,
            n_stimuli=2 * len(good),
            n_neuroids=recorded.responses.shape[2],
            left_out=dict(recorded.n_left_out)
            | (
                {"pairs of which a sentence has no surprisal": int((~known).sum())} if not known.all() else {}
            ),
            methods={
                "chance": CHANCE,
                "n_pairs": len(good),
                "accuracy_of_paradigms": [f"{name} {one:.3f}" for name, one in zip(names, each, strict=True)],
                **self._fields(recorded, good, each, member),
                **_within(each, right, member, options),
                **said_of(found, options),
                **tested,
            },
            replicates=found,
            arrays={"paradigm": names.astype(str), "accuracy": each},
        )

    def _fields(self, recorded: Recording, good: Integers, each: Floats, member: Integers) -> dict[str, Any]:
        """Mean over the paradigms of each field, which is that of a paradigm's first pair."""
        if self.field not in recorded.columns:
            return {}
        first = good[np.unique(member, return_index=True)[1]]
        fields, of_paradigm = _labels(recorded, self.field, first)
        means = np.bincount(of_paradigm, each) / np.bincount(of_paradigm)
        said = ", ".join(f"{name} {one:.3f}" for name, one in zip(fields, means, strict=True))
        return {"fields": f"{said} (chance {CHANCE})"}


def pairs_of(recorded: Recording, column: str) -> tuple[Integers, Integers]:
    """The rows of the acceptable and of the other sentence of each pair.

    Raises
    ------
    UserError
        For a pair of other than two sentences, or of two that are equally acceptable.
    """
    names, member = _labels(recorded, column, np.arange(recorded.n_stimuli), needed=True)
    counts = np.bincount(member)
    if (counts != 2).any():
        wrong = int(np.flatnonzero(counts != 2)[0])
        raise UserError(f"{recorded.name}: the pair {names[wrong]!r} has {counts[wrong]} sentences, not 2")
    one_column(recorded.name, recorded.mean.shape[1], "which sentence is acceptable")
    first, second = np.argsort(member, kind="stable").reshape(-1, 2).T
    more = recorded.mean[:, 0]
    if (more[first] == more[second]).any():
        wrong = int(np.flatnonzero(more[first] == more[second])[0])
        raise UserError(f"{recorded.name}: the sentences of the pair {names[wrong]!r} are equally acceptable")
    is_first = more[first] > more[second]
    return np.where(is_first, first, second), np.where(is_first, second, first)


def rightly(good: Floats, bad: Floats) -> Floats:
    """1 where the acceptable sentence is less surprising, 0 where it is more, 1/2 where neither."""
    tie = np.abs(good - bad) <= _ROUNDING * np.maximum(np.abs(good), np.abs(bad))
    right: Floats = np.where(tie, 0.5, good < bad)
    return right


def _labels(
    recorded: Recording, column: str, rows: Integers, *, needed: bool = False
) -> tuple[npt.NDArray[Any], Integers]:
    if column not in recorded.columns and not needed:
        return np.array(["all"]), np.zeros(len(rows), np.intp)
    values = recorded.column(column)
    names, member = np.unique(np.asarray(values, str)[rows], return_inverse=True)
    return names, member.astype(np.intp)


def _replicates(each: Floats, right: Floats) -> Replicates:
    """The mean without each paradigm; of few paradigms, without each pair."""
    units = each if len(each) >= FEWEST_GROUPS else right
    n = len(units)
    value = float(each.mean())
    if n < 2:
        return Replicates(value)
    without = (units.sum() - units) / (n - 1) - units.mean() + value
    return Replicates(value, without, "jackknife", n)


def _within(each: Floats, right: Floats, member: Integers, options: ScoringOptions) -> dict[str, Any]:
    """The interval of other pairs of the same paradigms: sd / sqrt(n) of each, combined."""
    n = np.bincount(member)
    if options.n_bootstraps == 0 or (n < 2).any():
        return {}
    left = right - each[member]
    error = float(np.sqrt((np.bincount(member, left**2) / (n - 1) / n).sum()) / len(each))
    half = t_quantile((1 + options.level) / 2, float(len(right) - len(each))) * error
    mean = float(each.mean())
    return {
        "interval_of_these_paradigms": [mean - half, mean + half],
        "drawn": f"the interval is of other paradigms ({len(each)}); of other pairs of these {mean - half:.3f} to "
        f"{mean + half:.3f}",
    }


def _p(each: Floats, right: Floats, options: ScoringOptions) -> tuple[float, dict[str, Any]]:
    """One-sided: which sentence is acceptable is drawn anew, for all pairs of a paradigm at once."""
    if options.n_permutations == 0:
        return float("nan"), {"p": "not asked for"}
    grouped = len(each) >= FEWEST_GROUPS
    units = (each if grouped else right) - CHANCE
    n, every = options.n_permutations, 2.0 ** min(len(units), 60)
    if every <= n + 1:  # all, but for the last, which swaps nothing
        signs = np.array(list(product([-1.0, 1.0], repeat=len(units)))[:-1])
    else:
        signs = np.random.default_rng([options.seed, 5]).choice([-1.0, 1.0], (n, len(units)))
    what = f"in {len(units)} {'whole paradigms' if grouped else 'pairs'}"
    how_often = f"{len(signs)} times" if every > len(signs) + 1 else f"in all {len(signs) + 1} ways"
    null = signs @ units / len(units)
    return p_value(float(units.mean()) - 1e-12, null), {
        "p": f"which of two sentences is acceptable swapped {what}, {how_often}",
        "smallest_p": 1 / (1 + len(signs)),
    }


@metric(
    "accuracy",
    reads="surprisal",
    sentence="of two sentences, the acceptable one is to be the likelier as a whole",
    formula="mean over paradigms of the share of pairs whose acceptable sentence has the greater probability",
    options=("pair", "paradigm", "field"),
    axis="accuracy (chance 0.5)",
    ceilings=("none",),
    bounds=(0.0, 1.0),
    citation="Warstadt et al. (2020), TACL 8:377",
)
def accuracy(
    recorded: Recording, pair: str = "pair", paradigm: str = "paradigm", field: str = "field"
) -> Accuracy:
    """The metric for one recording, whose pairs must be whole."""
    pairs_of(recorded, pair)
    return Accuracy(pair, paradigm, field)
