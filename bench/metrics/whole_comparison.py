"""Metrics that compare any stimuli of a layer with those of the brain by one function: resampled by stimuli."""

from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar

import numpy as np
import numpy.typing as npt

from ...analysis.encoding.cross_validation import Indices, Splitter
from ...analysis.statistics.resampling import p_value, percentile_interval
from ...errors import UserError
from ...progress import track
from .base import Ceiling, Floats, Layers, MetricResult, ScoringOptions, refuse_missing
from .normalization import none
from .recording import Recording
from .registries import Normalization
from .sampling import Sampling, sampling

Parts = list[tuple[str, Indices, Indices]]

_FEWEST = 8


@dataclass(frozen=True)
class WholeComparison(ABC):
    """One number, or one a neuroid, for any stimuli of a layer and of the brain.

    Among several layers the one that agrees best on half of the stimuli is reported on the other half, both ways.
    Stimuli are drawn without replacement, since no stimulus may stand on both sides of what is fitted inside.
    """

    name: str
    per_neuroid: ClassVar[bool] = False

    @abstractmethod
    def prepared(self, values: npt.ArrayLike) -> Floats:
        """Features or responses, (n_stimuli, n_units), as they are compared."""

    @abstractmethod
    def compared(self, model: Floats, brain: Floats, rows: Indices, brain_rows: Indices) -> Floats:
        """Raw values, (n_values,), of some stimuli of a layer and as many of the brain."""

    def normalized(
        self, recorded: Recording, ceiling: Ceiling
    ) -> tuple[Indices, dict[str, int], Normalization, Floats]:
        """Which values count, what is left out by reason, the formula, and what values are divided by."""
        del recorded, ceiling
        return np.arange(1), {}, none, np.ones(1)

    def evaluate(
        self, layers: Layers, recorded: Recording, ceiling: Ceiling, options: ScoringOptions
    ) -> MetricResult:
        """Compare every layer with the brain."""
        refuse_missing(layers)
        y = recorded.mean
        if len(y) < _FEWEST:
            raise UserError(f"{recorded.name}: {self.name} needs at least {_FEWEST} stimuli, not {len(y)}")
        kept, left_out, normalize, best = self.normalized(recorded, ceiling)
        brain = self.prepared(y)
        model = {
            layer: self.prepared(values)
            for layer, values in track(list(layers.items()), f"comparing {self.name}")
        }
        everything = np.arange(len(y))
        curve = {
            layer: float(np.median(self._mean(model, brain, [(layer, everything, everything)])[kept]))
            for layer in model
        }
        parts = self._parts(model, brain, kept)
        values = self._mean(model, brain, [(layer, rows, rows) for layer, rows in parts])

        def headline(drawn: Parts) -> float:
            return float(normalize(self._mean(model, brain, drawn)[None, kept], best))

        observed = float(normalize(values[None, kept], best))
        generator = np.random.default_rng([options.seed, 3])
        how = _dependence(recorded)
        others, tested = _others([rows for _, rows in parts], how, options, generator)
        null = [
            headline([(layer, rows, other) for (layer, rows), other in zip(parts, each, strict=True)])
            for each in others
        ]
        groups = None if how is None else how.groups
        drawn = np.zeros(options.n_bootstraps)
        for i in range(options.n_bootstraps):
            some = [(layer, _two_thirds(rows, generator, groups)) for layer, rows in parts]
            drawn[i] = headline([(layer, rows, rows) for layer, rows in some])
        # two thirds without replacement spread by 1 / sqrt(2) of what a bootstrap does
        draws = observed + (np.sqrt(2) * (drawn - drawn.mean()) if len(drawn) else drawn)
        chosen = [layer for layer, _ in parts]
        per_unit = np.full(len(values), np.nan)
        per_unit[kept] = values[kept]
        return MetricResult(
            value=observed,
            raw=float(np.median(values[kept])),
            per_unit=per_unit if self.per_neuroid else np.array([]),
            unit="neuroid" if self.per_neuroid else "none",
            normalization=normalize.name,
            layer=max(dict.fromkeys(chosen), key=chosen.count),
            layer_by_split=chosen,
            layers=curve,
            ci=percentile_interval(draws, options.level),
            draws=draws,
            p=p_value(observed, np.array(null)) if null else float("nan"),
            n_stimuli=len(y),
            n_neuroids=len(kept) if self.per_neuroid else y.shape[1],
            left_out=dict(recorded.n_left_out) | left_out,
            methods={
                "interval": "not asked for"
                if options.n_bootstraps == 0
                else f"{options.level:.0%} subsampling of two thirds of the "
                f"{'stimuli' if groups is None else 'groups'} without replacement, rescaled, {options.n_bootstraps} "
                "draws",
                "seed": options.seed,
            }
            | ({} if how is None or how.kind == "independent" else how.describe_groups())
            | tested,
        )

    def _parts(self, model: Mapping[str, Floats], brain: Floats, kept: Indices) -> list[tuple[str, Indices]]:
        """Which layer is reported on which stimuli."""
        if len(model) == 1:
            return [(next(iter(model)), np.arange(len(brain)))]
        parts = []
        for half in Splitter(n_splits=2, seed=1).split(len(brain)):
            on_training = {
                name: np.median(self._mean(model, brain, [(name, half.train, half.train)])[kept])
                for name in model
            }
            parts.append((max(on_training, key=on_training.__getitem__), half.test))
        return parts

    def _mean(self, model: Mapping[str, Floats], brain: Floats, parts: Parts) -> Floats:
        """Mean over parts of what a layer's stimuli and the brain's give, each by its rows."""
        mean: Floats = np.mean([self.compared(model[name], brain, a, b) for name, a, b in parts], axis=0)
        return mean


def _dependence(recorded: Recording) -> Sampling | None:
    """What depends on what; None where there are too few groups to say anything."""
    try:
        return sampling(recorded)
    except UserError:
        return None


def _others(
    parts: list[Indices], how: Sampling | None, options: ScoringOptions, generator: np.random.Generator
) -> tuple[list[list[Indices]], dict[str, object]]:
    """Other orders of the stimuli of each part, which keep what depends on each other, and how they were drawn."""
    n_draws = options.n_permutations
    if how is None:
        return [], {"p": "none: too few groups to permute"}
    if how.kind == "independent":
        drawn = [[generator.permutation(rows) for rows in parts] for _ in range(n_draws)]
        return drawn, {"p": f"stimulus labels permuted {n_draws} times", "smallest_p": 1 / (1 + n_draws)}
    if n_draws == 0:
        return [], {"p": "not asked for"}
    found = [how.only(rows).orders(n_draws, options.seed + 3 + i) for i, rows in enumerate(parts)]
    count = min(len(orders) for orders, *_ in found)
    others = [[rows[one[0][i]] for rows, one in zip(parts, found, strict=True)] for i in range(count)]
    return others, {"p": f"{found[0][1]}, {count} times", "smallest_p": max(one[2] for one in found)}


def _two_thirds(rows: Indices, generator: np.random.Generator, groups: Indices | None) -> Indices:
    if groups is None:
        return generator.choice(rows, max(4, 2 * len(rows) // 3), replace=False)
    there = np.unique(groups[rows])
    kept = generator.choice(there, max(2, 2 * len(there) // 3), replace=False)
    return rows[np.isin(groups[rows], kept)]
