"""Which stimuli are fitted and which are held out: grouped, stratified or plain, always seeded."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
import numpy.typing as npt

from ...errors import UserError
from ..masks import unmasked

Indices = npt.NDArray[np.intp]


@dataclass(frozen=True)
class Split:
    """One division of the stimuli.

    Attributes
    ----------
    train, test : array of int
        Rows that are fitted, rows that are held out; sorted, disjoint.
    """

    train: Indices
    test: Indices


@dataclass(frozen=True)
class Splitter:
    """How stimuli are divided.

    Attributes
    ----------
    n_splits : int
        Number of folds, or of random divisions.
    kind : {"folds", "shuffles", "blocks"}
        Folds hold every stimulus out once; shuffles draw `train_share` of the stimuli each time, as
        Brain-Score does; blocks are folds of neighbours in the order of the rows.
    stratify : str or None
        Column of the stimuli whose values every part should hold in the same shares.
    group : str or None
        Column whose values (stories, runs) never stand on both sides.
    train_share : float
        For shuffles.
    gap : int
        For blocks: rows on both sides of the held-out ones that are not fitted either.
    seed : int
    """

    n_splits: int = 5
    kind: Literal["folds", "shuffles", "blocks"] = "folds"
    stratify: str | None = None
    group: str | None = None
    train_share: float = 0.9
    gap: int = 0
    seed: int = 1

    def __post_init__(self) -> None:
        least = 2 if self.kind == "folds" else 1
        if not isinstance(self.n_splits, int | np.integer) or self.n_splits < least:
            raise UserError(
                f"the number of {self.kind} must be a whole number from {least}, not {self.n_splits!r}"
            )

    def split(
        self, n_stimuli: int, *, labels: npt.ArrayLike | None = None, groups: npt.ArrayLike | None = None
    ) -> list[Split]:
        """Divide the stimuli.

        Parameters
        ----------
        n_stimuli : int
        labels : array of shape (n_stimuli,), optional
            What to stratify by.
        groups : array of shape (n_stimuli,), optional
            What must not be torn apart.

        Raises
        ------
        UserError
            With too few stimuli, groups, or stimuli of a label, for the number of parts.
        """
        if n_stimuli < 2 * self.n_splits and self.kind != "shuffles":
            raise UserError(
                f"{n_stimuli} stimuli are too few for {self.n_splits} folds of at least 2: "
                f"record more, or use at most {max(n_stimuli // 2, 1)} folds"
            )
        if n_stimuli < 10 and self.kind == "shuffles":
            raise UserError(
                f"{n_stimuli} stimuli are too few to hold out a tenth of them: at least 10 are needed"
            )
        if groups is not None and len(np.unique(np.asarray(groups))) < self.n_splits:
            n_groups = len(np.unique(np.asarray(groups)))
            raise UserError(f"{n_groups} groups are too few for {self.n_splits} folds that keep them whole")
        if self.kind == "blocks":
            return self._blocks(np.arange(n_stimuli))
        if labels is not None and groups is None:
            _, counts = np.unique(np.asarray(labels), return_counts=True)
            if counts.min() < (self.n_splits if self.kind == "folds" else 2):
                labels = None  # a category too small to stand in every part cannot be stratified
        rows = np.zeros((n_stimuli, 1))
        return [Split(np.sort(train), np.sort(test)) for train, test in self._sklearn(rows, labels, groups)]

    def _blocks(self, rows: Indices) -> list[Split]:
        parts = np.array_split(rows, self.n_splits)
        near = [(part[0] - self.gap, part[-1] + self.gap) for part in parts]
        return [
            Split(rows[(rows < low) | (rows > high)], part)
            for part, (low, high) in zip(parts, near, strict=True)
        ]

    def _sklearn(
        self, rows: npt.NDArray[np.float64], labels: npt.ArrayLike | None, groups: npt.ArrayLike | None
    ) -> Iterator[tuple[Indices, Indices]]:
        from sklearn.model_selection import (
            GroupKFold,
            KFold,
            ShuffleSplit,
            StratifiedKFold,
            StratifiedShuffleSplit,
        )

        if self.kind == "shuffles":
            shuffle = ShuffleSplit if labels is None else StratifiedShuffleSplit
            splits = shuffle(self.n_splits, train_size=self.train_share, random_state=self.seed)
        elif groups is not None:
            splits = GroupKFold(self.n_splits, shuffle=True, random_state=self.seed)
        elif labels is not None:
            splits = StratifiedKFold(self.n_splits, shuffle=True, random_state=self.seed)
        else:
            splits = KFold(self.n_splits, shuffle=True, random_state=self.seed)
        yield from splits.split(rows, labels, groups)


@dataclass(frozen=True)
class Fold:
    """One outer split, and the divisions of its training rows that choose the penalties.

    Attributes
    ----------
    split : Split
    inner : sequence of Split
        As positions within ``split.train``.
    """

    split: Split
    inner: Sequence[Split]

    def reordered(self, rows: Indices) -> "Fold":
        """The same fold of rows that stand elsewhere: row i is row ``rows[i]``."""
        train = np.sort(rows[self.split.train])
        place = np.searchsorted(train, rows[self.split.train])
        inner = [Split(np.sort(place[part.train]), np.sort(place[part.test])) for part in self.inner]
        return Fold(Split(train, np.sort(rows[self.split.test])), inner)

    def parts(self) -> list[Split]:
        """The inner splits, as rows of all stimuli."""
        rows = self.split.train
        return [Split(rows[part.train], rows[part.test]) for part in self.inner]


@unmasked
def nested_folds(
    n_stimuli: int,
    *,
    outer: Splitter | None = None,
    inner: Splitter | None = None,
    labels: npt.ArrayLike | None = None,
    groups: npt.ArrayLike | None = None,
) -> list[Fold]:
    """Outer splits, each with divisions of its training rows.

    Parameters
    ----------
    n_stimuli : int
    outer, inner : Splitter, optional
        Five folds each by default, of different seeds.
    labels, groups : array of shape (n_stimuli,), optional
        What both are stratified by, what both keep whole.
    """
    outer, inner = outer or Splitter(), inner or Splitter(seed=2)
    return [
        Fold(
            split,
            inner.split(
                len(split.train), labels=_rows(labels, split.train), groups=_rows(groups, split.train)
            ),
        )
        for split in outer.split(n_stimuli, labels=labels, groups=groups)
    ]


def _rows(values: npt.ArrayLike | None, rows: Indices) -> npt.ArrayLike | None:
    return None if values is None else np.asarray(values)[rows]
