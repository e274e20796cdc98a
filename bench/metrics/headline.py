"""The number on top: the typical r over the typical best r, of all neuroids, mean over subjects."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import numpy.typing as npt

from ...analysis.encoding.cross_validation import Indices
from ...analysis.statistics.replicates import Replicates
from ...brain_data.noise_ceiling import reliability_within
from .base import Ceiling, Floats
from .normalization import median_formula, none
from .recording import Recording
from .registries import Normalization
from .subjects import reliability_of

LEAST_RELIABILITY = 0.1
"""Median reliability below which a recording has no ceiling."""


@dataclass(frozen=True)
class Headline:
    """mean_s median_j r_sj / mean_s sqrt(median_j rel_sj), over the neuroids j of the subjects s.

    A ratio of medians leaves nobody out, and so chooses nobody by the noise that it is divided by.

    Attributes
    ----------
    members : list of array of int
        The neuroids of each subject.
    names : tuple of str
        The subjects.
    normalization : Normalization
    published : float or None
        The best r, where it was published.
    mean, noise, counts, parts, weights
        What the reliability of any of the stimuli is computed from, as in :func:`reliability_within`.
    note : str
        Why there is no ceiling, where there is none.
    of_variance : bool
        Whether values are shares of variance, whose best is the reliability itself, not its root.
    people, places, of_mean
        As of a :class:`Recording`, where the reliability is what subjects share.
    """

    members: list[Indices]
    names: tuple[str, ...]
    normalization: Normalization
    published: float | None
    mean: Floats = field(repr=False)
    noise: Floats = field(repr=False)
    counts: Floats = field(repr=False)
    parts: list[Indices] = field(repr=False)
    weights: Floats = field(repr=False)
    note: str = ""
    of_variance: bool = False
    people: Floats | None = field(default=None, repr=False)
    places: Indices | None = field(default=None, repr=False)
    of_mean: bool = False

    @classmethod
    def of(cls, recorded: Recording, ceiling: Ceiling, parts: list[Indices], weights: Floats) -> Headline:
        """The headline of a recording: r of its mean responses, within parts of the stimuli and under their weights."""
        formula = median_formula(ceiling.kind)
        subjects = recorded.neuroids.get("subject")
        names = () if subjects is None else tuple(dict.fromkeys(subjects.astype(str)))
        published = ceiling.value if ceiling.kind == "r_max" else None
        shared = ceiling.kind == "between_subjects"
        return cls(
            recorded.members, names, formula, published, recorded.mean, recorded.noise, recorded.counts, parts,
            weights, ceiling.note, people=recorded.people if shared else None,
            places=recorded.places if shared else None, of_mean=recorded.of_mean,
        )  # fmt: skip

    def only(self, neuroids: Indices) -> Headline:
        """The same over some neuroids, which are numbered from 0."""
        if np.array_equal(neuroids, np.arange(self.mean.shape[1])):
            return self
        members = [np.flatnonzero(np.isin(neuroids, one)) for one in self.members]
        names = tuple(name for name, one in zip(self.names, members, strict=False) if len(one))
        return replace(
            self,
            members=[one for one in members if len(one)],
            names=names,
            mean=self.mean[:, neuroids],
            noise=self.noise[neuroids],
            places=None if self.places is None else self.places[neuroids],
        )

    def reliability(self, rows: npt.NDArray[np.bool_] | None = None) -> Floats:
        """Of every neuroid, over some of the stimuli: the square of the best r; 1 where there is no ceiling."""
        n = self.mean.shape[1]
        if self.normalization is none:
            return np.ones(n)
        if self.published is not None:
            return np.full(n, self.published**2)
        if self.people is not None and self.places is not None:
            there, place = np.unique(self.places, return_inverse=True)
            return reliability_of(self.people[:, :, there], self.parts, self.of_mean, rows)[place]
        kept = self.weights > 0 if rows is None else rows & (self.weights > 0)
        parts = [part[kept[part]] for part in self.parts]
        return reliability_within(self.mean, self.noise, self.counts, parts, self.weights)

    def medians(self, values: Floats) -> Floats:
        """Of each subject, over the last axis, ``(..., n_subjects)``; NaN is passed over."""
        return np.stack([_median(values[..., one]) for one in self.members], axis=-1)

    def best(self, rows: npt.NDArray[np.bool_] | None = None) -> Floats:
        """The best r of each subject, ``(n_subjects,)``."""
        return self._best(np.maximum(self.medians(self.reliability(rows)), 0.0))

    def _best(self, reliability: Floats) -> Floats:
        best: Floats = reliability if self.of_variance else np.sqrt(reliability)
        return best

    def raw(self, r: Floats) -> Any:
        """The typical r; r has shape (..., n_neuroids)."""
        return self.medians(r).mean(axis=-1)

    def value(self, r: Floats) -> float:
        """The headline."""
        return float(self.raw(r) / self.best().mean())

    def by_subject(self, r: Floats) -> Floats:
        """Values of single subjects whose mean is the headline: headline + (m_s - headline c_s) / mean(c)."""
        typical, best, value = self.medians(r), self.best(), self.value(r)
        values: Floats = value + (typical - value * best) / best.mean()
        return values

    def replicates(
        self, r: Floats, without_r: Floats, without_reliability: Floats, whole: Headline, all_r: Floats
    ) -> Replicates:
        """The headline without each group of stimuli.

        A median of few neuroids moves with one of them alone; what groups of stimuli do to it is read off the middle
        half of the neuroids instead.

        Parameters
        ----------
        r : array of shape (n_neuroids,)
        without_r, without_reliability : array of shape (n_groups, n_neuroids)
        whole : Headline
            Of all neuroids, of which these are some.
        all_r : array
            Theirs.
        """
        reliability = self.reliability()
        typical = self.medians(r) + self._middle(r, without_r)
        squared = self.medians(reliability) + self._middle(reliability, without_reliability)
        # without a group there may be no ceiling; then nothing can be said of other stimuli
        best = self._best(np.where(squared > 1e-6, squared, np.nan))
        value, of_all = self.value(r), whole.value(all_r)
        samples = typical.mean(axis=1) / best.mean(axis=1) - value + of_all
        if np.isnan(samples).any():
            samples[:] = np.nan
        subjects = whole.by_subject(all_r) if self.names else np.empty(0)
        units = np.empty((0, 0))
        if len(self.members) == 1:
            c = float(self.best()[0])
            slope = 1.0 if self.of_variance else 1 / (2 * c)
            both_r, both_rel = np.vstack([r, without_r]), np.vstack([reliability, without_reliability])
            units = both_r / c - value * np.nan_to_num(both_rel) * slope / c
        crossed = whole.influences(all_r)
        return Replicates(of_all, samples, "jackknife", len(without_r), subjects, units, crossed)

    def influences(self, r: Floats) -> Floats:
        """Of each neuroid on the headline, ``(n_subjects, n_neuroids)``; empty unless several subjects have as many."""
        if len(self.members) < 2 or len({len(one) for one in self.members}) > 1:
            return np.empty((0, 0))
        best, value, reliability = self.best(), self.value(r), np.nan_to_num(self.reliability())
        slopes = np.ones(len(best)) if self.of_variance else 1 / (2 * np.maximum(best, 1e-3))
        each = [
            (r[one] - value * slope * reliability[one]) / best.mean()
            for one, slope in zip(self.members, slopes, strict=True)
        ]
        return np.array(each)

    def _middle(self, values: Floats, without: Floats) -> Floats:
        """Mean change over the middle half of each subject's neuroids, ``(n_groups, n_subjects)``."""
        moved = []
        for one in self.members:
            known = one[np.isfinite(values[one])]
            low, high = np.quantile(values[known], [0.25, 0.75]) if len(known) else (0.0, 0.0)
            middle = known[(values[known] >= low) & (values[known] <= high)]
            middle = middle if len(middle) else known  # the quartiles of two lie between them
            change = without[:, middle] - values[middle]
            moved.append(np.nan_to_num(change).mean(axis=1) if len(middle) else np.zeros(len(without)))
        return np.stack(moved, axis=1)

    def methods(self, r: Floats) -> dict[str, object]:
        """What a record says of it."""
        said: dict[str, object] = {"ceiling": self.note} if self.note else {}
        weighted = self.weights[self.weights > 0]  # stimuli that only choose neuroids have none
        if (weighted != weighted[0]).any():
            said["weights"] = "stimuli weighted by their repetitions"
        if len(self.names) > 1:
            with np.errstate(invalid="ignore", divide="ignore"):
                each = np.where(self.best() > 0, self.medians(r) / self.best(), np.nan)
            said["score_of_each_subject"] = [
                f"{name} {one:.3f}" for name, one in zip(self.names, each, strict=True)
            ]
        return said


def _median(values: Floats) -> Floats:
    if not np.isnan(values).any():
        median: Floats = np.median(values, axis=-1)
        return median
    known = np.isfinite(values).any(axis=-1)
    found: Floats = np.where(known, np.nanmedian(np.where(known[..., None], values, 0.0), axis=-1), 0.0)
    return found
