"""How well a language model's surprisal goes with reading times or evoked potentials, beyond what any word brings."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, ClassVar

import numpy as np

from ...analysis.statistics.added_predictor import AddedPredictor, permuted_partial_r
from ...analysis.statistics.replicates import Replicates
from ...analysis.statistics.resampling import p_value
from ...brain_data.text_columns import POSITION
from ...correlation import pearson
from ...errors import UserError
from .base import Ceiling, Floats, Layers, MetricResult, ScoringOptions
from .headline import Headline
from .interval_words import said_of
from .recording import Recording
from .registries import metric
from .sampling import Sampling, sampling
from .word_predictors import (
    CARRIED,
    FREQUENCY,
    LENGTH,
    PUNCTUATION,
    SENTENCE_END,
    Integers,
    before,
    previous,
    word_predictors,
)

LAYER = "surprisal"
NUISANCE = (LENGTH, FREQUENCY, POSITION, PUNCTUATION, SENTENCE_END)
_FEWEST = 20
_NONE = "none: a partial r has no ceiling here"


@dataclass(frozen=True)
class Surprisal:
    """Regression of responses to words on surprisal, and on what else is known of them.

        y = b0 + Z b + c s + e

    Z are the word's own properties and, with `spill_over` = k, those of each of the k words before and their surprisal.
    Marks that cling to a word belong to it, and so does their surprisal: whether there are any is in Z. Headline:
    partial r of s, the sign kept, median over neuroids. Beside it the plain r of all words, and how much likelier s
    makes words of stories that were held out (nats a word, Gaussian; Goodkind & Bicknell 2018).

    Attributes
    ----------
    nuisance : tuple of str
        ``length``, ``log_frequency``, ``position``, ``punctuation``, ``sentence_end``, or columns of numbers.
    spill_over : int
    leave_out : tuple of str
        Words for which one of these is not 0, such as ``sentence_end``, are left out.
    folds : int or str
    group : str or None
        The column that folds, interval and p keep together.
    """

    nuisance: tuple[str, ...] = NUISANCE
    spill_over: int = 0
    leave_out: tuple[str, ...] = ()
    folds: int | str = 5
    group: str | None = None
    name: str = "surprisal"
    reads: ClassVar[str] = "surprisal"

    def ceiling(self, recorded: Recording) -> Ceiling:
        """None: a ceiling of r would not be one of what is left of it."""
        del recorded
        return Ceiling("none", float("nan"), note=_NONE)

    def memory(self, recorded: Recording, n_units: int) -> int:
        """Predictors, targets and orders."""
        del n_units
        return 8 * recorded.n_stimuli * (64 + 3 * recorded.responses.shape[2])

    def evaluate(
        self, layers: Layers, recorded: Recording, ceiling: Ceiling, options: ScoringOptions
    ) -> MetricResult:
        """Regress the mean responses on surprisal, a column ``surprisal`` of shape (n_stimuli, 1)."""
        if list(layers) != [LAYER] or np.shape(layers[LAYER]) != (recorded.n_stimuli, 1):
            raise UserError(f"{recorded.name}: the metric {self.name} reads one surprisal a word")
        told = np.asarray(layers[LAYER], np.float64)[:, 0]
        words = _Words.of(recorded, self, told)
        kept = words.rows
        if len(kept) < _FEWEST + words.nuisance.shape[1]:
            raise UserError(
                f"{recorded.name}: {len(kept)} words with all of {', '.join(words.names)} are too few"
            )
        some = of_rows(recorded, kept)
        how = sampling(some, folds=self.folds, group=self.group)
        fitted = _Fitted(some, told[kept], words.nuisance, how, ceiling, options)
        r = fitted.added.partial_r()
        replicates = fitted.replicates(r)
        p, tested = fitted.p(r[0])
        still = {"neuroids that do not vary (counted as r = 0)": int((np.ptp(some.mean, axis=0) == 0).sum())}
        return MetricResult(
            value=fitted.headline.value(r[0]),
            raw=fitted.headline.raw(r[0]),
            per_unit=r[0],
            unit="neuroid",
            normalization=fitted.headline.normalization.name,
            layer=LAYER,
            layer_by_split=[LAYER],
            layers={LAYER: fitted.headline.raw(r[0])},
            ci=replicates.interval(options.level),
            p=p,
            n_stimuli=len(kept),
            n_neuroids=r.shape[1],
            left_out=dict(recorded.n_left_out)
            | {reason: n for reason, n in {**words.left_out, **still}.items() if n},
            methods=how.describe_groups()
            | {"folds": len(how.folds)}
            | {"nuisance": [f"{name}: {said}" for name, said in words.said.items()]}
            | {"spill_over": self.spill_over}
            | _plainly(told, recorded, kept)
            | fitted.spilled(words.spilled)
            | fitted.likelihood()
            | said_of(replicates, options)
            | tested,
            replicates=replicates,
            arrays={"surprisal": told},
        )


@dataclass(frozen=True)
class _Words:
    """The words that have everything, and what the others lack.

    Attributes
    ----------
    rows : array of int
    nuisance : array of shape (n_rows, n_nuisance)
    names : list of str
    spilled : list of int
        Which columns of `nuisance` are surprisal of words before.
    """

    rows: Integers
    nuisance: Floats
    names: list[str]
    spilled: list[int]
    said: Mapping[str, str]
    left_out: Mapping[str, int]

    @classmethod
    def of(cls, recorded: Recording, metric: Surprisal, told: Floats) -> _Words:
        sequence = _sequences(recorded, metric)
        own = word_predictors(recorded, metric.nuisance, sequence)
        columns, row_before = dict(own.values), previous(recorded, sequence)
        lacking = np.isnan(told)
        left_out = {"texts without surprisal": int(lacking.sum())}
        for name, values in own.values.items():
            left_out[f"words without {name}"] = int((np.isnan(values) & ~lacking).sum())
            lacking = lacking | np.isnan(values)
        for name, values in word_predictors(recorded, metric.leave_out, sequence).values.items():
            marked = (values != 0) & ~lacking
            left_out[f"words with {name}"] = int(marked.sum())
            lacking = lacking | marked
        carried = {name: own.values[name] for name in CARRIED if name in own.values} | {LAYER: told}
        for steps in range(1, metric.spill_over + 1):
            columns |= {f"{name} {steps} before": before(v, row_before, steps) for name, v in carried.items()}
        names = list(columns)
        values = np.stack(list(columns.values()), axis=1) if columns else np.empty((recorded.n_stimuli, 0))
        without = np.isnan(values).any(axis=1) & ~lacking
        left_out[f"words without the {metric.spill_over} before them, or what these lack"] = int(
            without.sum()
        )
        rows = np.flatnonzero(~lacking & ~without)
        spilled = [i for i, name in enumerate(names) if name.startswith(f"{LAYER} ")]
        return cls(rows, values[rows], names, spilled, own.said, left_out)


@dataclass(frozen=True)
class _Fitted:
    """The regression, and how sure it is."""

    recorded: Recording
    told: Floats
    nuisance: Floats
    how: Sampling
    ceiling: Ceiling
    options: ScoringOptions

    @property
    def headline(self) -> Headline:
        everyone = np.arange(self.recorded.n_stimuli)
        return Headline.of(self.recorded, self.ceiling, [everyone], np.ones(len(everyone)))

    @property
    def folds(self) -> Integers:
        held_out = np.zeros(self.recorded.n_stimuli, np.intp)
        for number, test in enumerate(self.how.tests):
            held_out[test] = number
        return held_out

    @property
    def added(self) -> AddedPredictor:
        return AddedPredictor.of(
            self.told, self.recorded.mean, self.nuisance, self.how.jackknife_groups, self.folds
        )

    def replicates(self, r: Floats) -> Replicates:
        headline = self.headline
        if self.options.n_bootstraps == 0:
            return Replicates(headline.value(r[0]))
        return headline.replicates(r[0], r[1:], np.ones_like(r[1:]), headline, r[0])

    def p(self, r: Floats) -> tuple[float, dict[str, object]]:
        """Two-sided: what is left of surprisal goes with other words, whole groups together."""
        if self.options.n_permutations == 0:
            return float("nan"), {"p": "not asked for"}
        orders, what, smallest = self.how.orders(self.options.n_permutations, self.options.seed + 2)
        null = permuted_partial_r(self.told, self.recorded.mean, self.nuisance, orders)
        headline = self.headline
        p = p_value(abs(float(headline.raw(r))), np.abs(headline.raw(null)))
        said = f"two-sided, what the nuisance leaves of surprisal permuted: {what}, {len(orders)} times"
        return p, {"p": said, "smallest_p": smallest}

    def likelihood(self) -> dict[str, Any]:
        """What surprisal adds to held-out words."""
        gained = self.added.log_likelihood().mean(axis=1)
        found = Replicates(float(gained[0]), gained[1:], "jackknife", len(gained) - 1)
        low, high = (None if np.isnan(one) else one for one in found.interval(self.options.level))
        interval = f", {self.options.level:.0%} interval {low:.4f} to {high:.4f}" if low is not None else ""
        return {
            "delta_log_likelihood": float(gained[0]),
            "delta_log_likelihood_interval": [low, high],
            "held_out": f"surprisal adds {gained[0]:.4f} nats a word to words of other groups{interval}",
        }

    def spilled(self, columns: Sequence[int]) -> dict[str, Any]:
        """Partial r of the surprisal of the words before, given all else."""
        found = []
        for column in columns:
            others = np.column_stack([np.delete(self.nuisance, column, axis=1), self.told])
            one = replace(self, told=self.nuisance[:, column], nuisance=others)
            r = one.added.partial_r()
            low, high = one.replicates(r).interval(self.options.level)
            found.append(f"{one.headline.raw(r[0]):.3f} ({low:.3f} to {high:.3f})")
        return {"partial_r_of_words_before": found} if found else {}


def _plainly(told: Floats, recorded: Recording, kept: Integers) -> dict[str, Any]:
    """Pearson r alone, of all words that have a surprisal and of those that are regressed."""
    known = np.flatnonzero(np.isfinite(told))
    r, of_kept = (
        float(np.median(np.nan_to_num(pearson(recorded.mean[rows], told[rows][:, None]))))
        for rows in (known, kept)
    )
    return {
        "r": r,
        "r_of_kept": of_kept,
        "alone": f"r = {r:.3f} without nuisance, of {len(known)} words; {of_kept:.3f} of the {len(kept)}",
    }


def _sequences(recorded: Recording, metric: Surprisal) -> Integers:
    """The story or sentence of each word, as folds have it."""
    how = sampling(of_rows(recorded, np.arange(recorded.n_stimuli)), folds=metric.folds, group=metric.group)
    whole = np.zeros(recorded.n_stimuli, np.intp)
    return how.groups if how.kind == "groups" and how.groups is not None else whole


def of_rows(recorded: Recording, rows: Integers) -> Recording:
    """Some stimuli of a recording. Words that occur twice are other stimuli: what stands before them differs."""
    position = recorded.position[rows] if len(recorded.position) else rows
    return replace(
        recorded,
        stimulus_ids=recorded.stimulus_ids[rows],
        cube=recorded.responses[rows],
        position=np.argsort(np.argsort(position, kind="stable"), kind="stable"),
        columns={name: values[rows] for name, values in recorded.columns.items()},
        dataset=None,
    )


@metric(
    "surprisal",
    reads="surprisal",
    sentence="responses to words are regressed on the model's surprisal of them, beside length, frequency, position "
    "and punctuation",
    formula="partial r of surprisal, given the words' other properties and what spills over from words before",
    options=("nuisance", "spill_over", "leave_out", "folds", "group"),
    axis="partial correlation with surprisal (r)",
    ceilings=("none",),
    citation="Smith & Levy (2013), Cognition 128:302; Goodkind & Bicknell (2018), CMCL 10",
)
def surprisal(
    recorded: Recording,
    nuisance: Sequence[str] = NUISANCE,
    spill_over: int = 0,
    leave_out: Sequence[str] = (),
    folds: int | str = 5,
    group: str | None = None,
) -> Surprisal:
    """The metric for one recording, whose columns must be there."""
    for option, given in (("nuisance", nuisance), ("leave_out", leave_out)):
        if isinstance(given, str) or not all(isinstance(one, str) for one in given):
            raise UserError(
                f'{recorded.name}: {option} must be a list of names, such as ["length"], not {given!r}'
            )
    if isinstance(spill_over, bool) or not str(spill_over).isdigit() or int(spill_over) > 10:
        raise UserError(
            f"{recorded.name}: spill_over must be a number of words from 0 to 10, not {spill_over!r}"
        )
    made = Surprisal(
        tuple(dict.fromkeys(nuisance)), int(spill_over), tuple(dict.fromkeys(leave_out)), folds, group
    )
    word_predictors(recorded, (*made.nuisance, *made.leave_out), _sequences(recorded, made))
    return made
