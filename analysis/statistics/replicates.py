"""How far a number would move with other samples, other subjects, other neuroids: one interval for every metric.

Estimates that share their samples share what moves them, so replicates of a difference are differences of replicates.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

from .paired_tests import t_quantile, t_tail

Floats = npt.NDArray[np.float64]
_EMPTY: Floats = np.empty(0)
FEWEST_GROUPS = 4
"""Groups of samples below which nothing can be said about others."""
_NOTHING = 1e-9
"""Standard error, as a share of the estimate, that is rounding alone."""
_ENOUGH_GROUPS = 20
"""Groups from which on neuroids of one subject count: the t of fewer is wide enough to hold what they add."""
_PREFIX = "replicates_"
_PARTS = ("samples", "subjects", "units", "crossed", "both")


@dataclass(frozen=True)
class Replicates:
    """An estimate, and the same with less of what it stands on.

    The variance is a sum over what was sampled:

    - samples (stimuli, or whole groups of them): a jackknife, (G - 1) / G sum_g (theta_g - mean)^2 with G - 1 degrees
      of freedom, or the variance of bootstrap draws;
    - subjects, where several were recorded: sd / sqrt(S) with S - 1 degrees of freedom;
    - neuroids: pi / (2 q) times the variance over neuroids that samples do not account for, since the estimate is a
      median over q of them; of several subjects, the variance that their neuroids have in common, place by place.

    With `both` (draws of samples and subjects at once) the two factors are combined as Schütt et al. (2023), eLife
    12:e82566, do: 2 (v_samples + v_subjects) - v_both, and not below the larger of the two.

    Attributes
    ----------
    value : float
    samples : array of shape (n_groups,) or (n_draws,)
        The estimate without each group of samples in turn, or with samples drawn anew.
    kind : {"jackknife", "bootstrap"}
    n_samples : int
        What was drawn, or left out: groups, or single stimuli. Fewer than 4 give no interval.
    subjects : array of shape (n_subjects,)
        Values of single subjects, whose mean is the estimate.
    units : array of shape (1 + n_groups, n_units)
        Influence of every neuroid on the estimate, with all samples and without each group.
    crossed : array of shape (n_subjects, n_units)
        Influence of every neuroid of every subject, where all have as many.
    both : array of shape (n_draws,)
        The estimate with samples and subjects drawn anew.
    """

    value: float
    samples: Floats = field(default_factory=lambda: _EMPTY, repr=False)
    kind: Literal["jackknife", "bootstrap"] = "jackknife"
    n_samples: int = 0
    subjects: Floats = field(default_factory=lambda: _EMPTY, repr=False)
    units: Floats = field(default_factory=lambda: np.empty((0, 0)), repr=False)
    crossed: Floats = field(default_factory=lambda: np.empty((0, 0)), repr=False)
    both: Floats = field(default_factory=lambda: _EMPTY, repr=False)

    def __sub__(self, other: Replicates) -> Replicates:
        """The difference of two estimates that stand on the same samples, subjects and neuroids."""
        pairs = {name: (getattr(self, name), getattr(other, name)) for name in _PARTS}
        parts = {
            name: a - b if np.shape(a) == np.shape(b) else np.empty((0,) * np.ndim(a))
            for name, (a, b) in pairs.items()
        }
        n_samples = min(self.n_samples, other.n_samples) if len(parts["samples"]) else 0
        return Replicates(self.value - other.value, kind=self.kind, n_samples=n_samples, **parts)

    @property
    def error_of_samples(self) -> float:
        """Standard error from samples alone, with subjects and neuroids as they are; NaN below 4 groups."""
        known = self.samples[np.isfinite(self.samples)]
        if len(known) < 2 or self.n_samples < FEWEST_GROUPS or len(known) < len(self.samples) / 2:
            return float("nan")
        spread = float(known.var())
        return float(np.sqrt(spread * (len(known) - 1) if self.kind == "jackknife" else spread))

    @property
    def error_of_subjects(self) -> float:
        """Standard error from subjects, sd / sqrt(S); NaN for one."""
        n = len(self.subjects)
        return float(self.subjects.std(ddof=1) / np.sqrt(n)) if n > 1 else float("nan")

    @property
    def error_of_units(self) -> float:
        """Standard error of a median over neuroids from those that were recorded; 0 where samples explain all of it."""
        n_subjects, n_units = self.crossed.shape
        if n_subjects > 1 and n_units > 2:
            common = self.crossed.mean(axis=0)
            left = self.crossed - common - self.crossed.mean(axis=1, keepdims=True) + self.crossed.mean()
            of_chance = float((left**2).sum()) / ((n_subjects - 1) * (n_units - 1)) / n_subjects
            return float(np.sqrt(max(float(common.var(ddof=1)) - of_chance, 0.0) * np.pi / 2 / n_units))
        if self.units.size == 0 or self.n_samples < _ENOUGH_GROUPS:
            return 0.0
        whole, without = self.units[0], self.units[1:]
        quarters = np.quantile(whole, [0.25, 0.75])
        spread = float((quarters[1] - quarters[0]) / 1.349) ** 2
        of_samples = float(np.median(without.var(axis=0) * (len(without) - 1)))
        return float(np.sqrt(max(spread - of_samples, 0.0) * np.pi / 2 / len(whole)))

    @property
    def error(self) -> tuple[float, float]:
        """The standard error, and its degrees of freedom; NaN where nothing can be said."""
        first, second = self.error_of_samples, self.error_of_subjects
        free = float(self.n_samples - 1)
        if not np.isfinite(first):
            return float("nan"), 0.0
        if not np.isfinite(second):
            return _sum_of(first, free, self.error_of_units, self.units.shape[-1] - 1)
        of_subjects = float(len(self.subjects) - 1)
        if len(self.both):
            combined = 2 * (first**2 + second**2) - float(self.both[np.isfinite(self.both)].var())
            return float(np.sqrt(max(combined, first**2, second**2))), min(of_subjects, free)
        total, satterthwaite = _sum_of(first, free, second, of_subjects)
        return float(np.hypot(total, self.error_of_units)), min(of_subjects, satterthwaite)

    def interval(self, level: float = 0.95) -> tuple[float, float]:
        """Estimate -+ t se: of other samples and, where several were recorded, other subjects; NaN if of no width."""
        return self._around(*self.error, level)

    def interval_of_samples(self, level: float = 0.95) -> tuple[float, float]:
        """Of other samples shown to these very subjects."""
        return self._around(self.error_of_samples, float(self.n_samples - 1), level)

    def _around(self, error: float, free: float, level: float) -> tuple[float, float]:
        if not np.isfinite(error) or free < 1 or self._has_no_width(error):
            return float("nan"), float("nan")
        half = t_quantile((1 + level) / 2, free) * error
        return self.value - half, self.value + half

    def _has_no_width(self, error: float) -> bool:
        return error <= _NOTHING * abs(self.value)

    def p(self) -> float:
        """Two-sided p that the true value is 0, by the t distribution; NaN where there is no interval."""
        error, free = self.error
        if not np.isfinite(error) or free < 1:
            return float("nan")
        if self.value == 0:
            return 1.0
        return float("nan") if self._has_no_width(error) else 2 * t_tail(abs(self.value) / error, free)

    def arrays(self) -> dict[str, npt.NDArray[Any]]:
        """As a record keeps them."""
        kept = {name: getattr(self, name) for name in ("samples", "subjects", "both")}
        kept |= {name: getattr(self, name).astype(np.float32) for name in ("units", "crossed")}
        named = {_PREFIX + name: values for name, values in kept.items() if values.size}
        return named | {_PREFIX + "kind": np.array([self.kind]), _PREFIX + "n": np.array([self.n_samples])}

    @classmethod
    def of(cls, value: float, arrays: Mapping[str, npt.NDArray[Any]]) -> Replicates | None:
        """What :meth:`arrays` kept beside a value; None where a record has none."""
        if _PREFIX + "kind" not in arrays:
            return None
        kept = {
            name: np.asarray(arrays[_PREFIX + name], np.float64)
            for name in _PARTS
            if _PREFIX + name in arrays
        }
        kind: Literal["jackknife", "bootstrap"] = (
            "bootstrap" if str(arrays[_PREFIX + "kind"][0]) == "bootstrap" else "jackknife"
        )
        return cls(value, kind=kind, n_samples=int(arrays[_PREFIX + "n"][0]), **kept)


def _sum_of(first: float, free_first: float, second: float, free_second: float) -> tuple[float, float]:
    """The error of two independent parts, with Welch and Satterthwaite's degrees of freedom."""
    if second <= 0 or free_second < 1:
        return first, free_first
    total = first**2 + second**2
    return float(np.sqrt(total)), float(total**2 / (first**4 / free_first + second**4 / free_second))
