"""Which samples depend on each other, and what follows for folds, intervals and p: one answer for all of them."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

from ...analysis.encoding.cross_validation import Fold, Splitter, nested_folds
from ...analysis.statistics.dependence import group_orders, rotations, serial_dependence
from ...analysis.statistics.resampling import permutations
from ...errors import UserError
from .recording import Recording

Integers = npt.NDArray[np.intp]

COLUMNS = ("story", "passage", "scene", "run", "session", "time")
"""Columns of stimuli or presentations that say what depends on what, the first that there is."""
SHUFFLED = "shuffled"
_LEAVE_OUT = "leave-"
_ALIKE = "near-duplicates"
_MOST_BLOCKS = 40
_SERIAL_BLOCKS, _GAP = 10, 5
_LEVEL = 0.01


@dataclass(frozen=True)
class Sampling:
    """How the samples of a recording are divided.

    Attributes
    ----------
    kind : {"independent", "groups", "serial"}
        Single samples, whole groups, or neighbours in time.
    groups : array of shape (n_stimuli,) or None
        The group of each sample, from 0; blocks of neighbours for ``serial``.
    position : array of shape (n_stimuli,)
        When each sample was first recorded.
    column : str
        Where the groups come from; empty for none.
    said : str
        A line for people: what was found, and what follows; empty where nothing was.
    n_splits, inner_splits : int
        Of the outer and the inner folds; at most as many as there are groups.
    labels : array or None
        What independent samples are stratified by.
    """

    kind: Literal["independent", "groups", "serial"]
    groups: Integers | None
    position: Integers
    column: str = ""
    said: str = ""
    n_splits: int = 5
    inner_splits: int = 5
    labels: npt.ArrayLike | None = None

    @property
    def n_groups(self) -> int:
        """How many groups there are; of independent samples, how many samples."""
        return len(self.position) if self.groups is None else int(self.groups.max()) + 1

    @cached_property
    def sequences(self) -> list[Integers]:
        """The samples in the order recorded: those of each group that was shown in one go, else all of them."""
        order = np.argsort(self.position, kind="stable")
        member = np.zeros(len(order), np.intp) if self.groups is None else self.groups[order]
        changes = np.flatnonzero(np.diff(member)) + 1
        in_one_go = self.kind == "groups" and self.column != _ALIKE and len(changes) == self.n_groups - 1
        return np.split(order, changes) if in_one_go else [order]

    @cached_property
    def folds(self) -> list[Fold]:
        """Outer folds with inner ones, neither of which parts what belongs together."""
        n = len(self.position)
        if self.kind == "serial":
            order = np.argsort(self.position, kind="stable")
            gap = min(_GAP, n // 40)
            blocks = Splitter(self.n_splits, "blocks", gap=gap)
            made = nested_folds(n, outer=blocks, inner=replace(blocks, n_splits=self.inner_splits))
            return [one.reordered(order) for one in made]
        outer = Splitter(n_splits=self.n_splits)
        inner = Splitter(n_splits=self.inner_splits, seed=outer.seed + 1)
        return nested_folds(n, outer=outer, inner=inner, labels=self.labels, groups=self.groups)

    @cached_property
    def tests(self) -> list[Integers]:
        """The held-out rows of each fold."""
        return [fold.split.test for fold in self.folds]

    @cached_property
    def jackknife_groups(self) -> Integers:
        """The block of each sample that is left out together: its group, of which 40 random ones are made of more."""
        if self.groups is not None and self.n_groups <= 1.5 * _MOST_BLOCKS:
            return self.groups
        whole = np.arange(len(self.position)) if self.groups is None else self.groups
        block = np.arange(self.n_groups) % min(_MOST_BLOCKS, self.n_groups)
        return np.random.default_rng(11).permutation(block)[whole]

    def orders(self, n_draws: int, seed: int) -> tuple[Integers, str, float]:
        """Orders under which nothing is related, what was permuted, and the smallest p that they can give."""
        if self.kind == "groups" and self.groups is not None:
            orders, what, count = group_orders(self.groups, self.position, n_draws, random_state=seed)
        elif self.kind == "serial":
            orders, what, count = rotations(self.position, n_draws, random_state=seed)
        else:
            orders = permutations(len(self.position), n_draws, random_state=seed)
            what, count = "stimulus labels permuted", float("inf")
        return orders, what, 1 / (1 + min(len(orders), count))

    def only(self, rows: Integers) -> Sampling:
        """Of some of the samples."""
        return replace(
            self, groups=None if self.groups is None else self.groups[rows], position=self.position[rows]
        )

    def describe_groups(self) -> dict[str, Any]:
        """What depends on what, for the methods of a record."""
        said: dict[str, Any] = {"samples": self.kind}
        if self.groups is not None:
            said |= {"group": self.column, "n_groups": self.n_groups}
        return said | ({"dependence": self.said} if self.said else {})

    def describe(self) -> dict[str, Any]:
        """For the methods of a record."""
        return {"folds": self.n_splits, "inner_folds": self.inner_splits} | self.describe_groups()


def sampling(
    recorded: Recording,
    *,
    folds: int | str = 5,
    inner_folds: int = 5,
    stratify: str | None = None,
    group: str | None = None,
) -> Sampling:
    """Decide what depends on what.

    In this order: the column that `group` names; the data set's own ``blocks``; a column named in ``COLUMNS``;
    near-duplicates among the stimuli; neighbours in the order recorded that are alike.

    Parameters
    ----------
    recorded : Recording
    folds : int or str
        How many; ``"shuffled"`` to part what depends on each other; ``"leave-COLUMN-out"`` for one fold a value.
    inner_folds : int
    stratify, group : str, optional
        Columns.

    Raises
    ------
    UserError
        For a column that is not there, too few groups, or groups that are to be stratified.
    """
    left_out = _left_out(folds)
    if left_out is not None:
        if group is not None:
            raise UserError(f"folds {folds!r} already keep {left_out} together: leave out group = {group!r}")
        group, folds = left_out, 0
    shuffled = folds == SHUFFLED
    n_splits = 5 if shuffled else _whole(folds, "folds", least=0 if left_out else 2)
    plain = Sampling(
        "independent",
        None,
        recorded.position if len(recorded.position) else np.arange(recorded.n_stimuli),
        n_splits=n_splits,
        inner_splits=_whole(inner_folds, "inner_folds", least=2),
        labels=recorded.column(stratify),
    )
    found = _dependence(recorded, plain, group, stratify)
    if found.column and found.column == stratify:
        raise UserError(
            f"{recorded.name}: {stratify!r} is what folds keep together, so it cannot be stratified: its values would "
            "stand on both sides"
        )
    if shuffled and found.kind != "independent":
        risk = f"shuffled folds part what depends on each other ({found.column}): scores and p may come from that alone"
        return replace(plain, said=risk)
    return replace(found, n_splits=found.n_groups) if left_out else found


def _dependence(recorded: Recording, plain: Sampling, group: str | None, stratify: str | None) -> Sampling:
    if group is not None:
        return _grouped(recorded, plain, group, "")
    if recorded.blocks == "none":
        return plain
    if recorded.blocks:
        return _grouped(recorded, plain, recorded.blocks, "as the data set declares")
    for name in COLUMNS:
        values = recorded.columns.get(name)
        if values is None or name == stratify:
            continue
        if name == "time" and _increasing(values):
            return _serial(replace(plain, position=np.argsort(np.argsort(values.astype(float)))), "time")
        if 1 < len(set(map(str, values))) < recorded.n_stimuli:
            return _grouped(recorded, plain, name, f"found the column {name!r}")
    groups = recorded.near_duplicates
    if groups is not None:
        n_alike = int((np.bincount(groups)[groups] > 1).sum())
        said = f"{n_alike} stimuli are near-duplicates of others: folds keep them together"
        return _fitted(recorded, replace(plain, kind="groups", groups=groups, column=_ALIKE, said=said))
    return _looked_for(recorded, plain, stratify)


def _looked_for(recorded: Recording, plain: Sampling, stratify: str | None) -> Sampling:
    """Neighbours in the order recorded, beyond what their labels say."""
    if recorded.cube is None:
        return plain
    rows = recorded.mean
    label = recorded.columns.get(stratify or "category")
    if label is not None:
        member = np.unique(np.asarray(label, str), return_inverse=True)[1]
        rows = rows - np.array([rows[member == one].mean(axis=0) for one in range(member.max() + 1)])[member]
    r, p = serial_dependence(rows[np.argsort(plain.position, kind="stable")])
    if p > _LEVEL:
        return plain
    said = (
        f"rows depend on their neighbours (mean autocorrelation {r:.2f}, p = {p:.2g}): folds are blocks of "
        "neighbours; name a run or session column if there is one"
    )
    return replace(_serial(plain, "order"), said=said)


def _serial(plain: Sampling, column: str) -> Sampling:
    n_splits = min(_SERIAL_BLOCKS, max(len(plain.position) // 4, 2))
    order = np.argsort(plain.position, kind="stable")
    groups = np.empty(len(order), np.intp)
    for block, rows in enumerate(np.array_split(order, min(2 * n_splits, len(order) // 2))):
        groups[rows] = block
    said = f"folds are blocks of neighbours in {column}"
    return replace(
        plain, kind="serial", groups=groups, column=column, n_splits=n_splits, said=said, labels=None
    )


def _grouped(recorded: Recording, plain: Sampling, column: str, why: str) -> Sampling:
    values = recorded.column(column)
    groups = np.unique(np.asarray(values, str), return_inverse=True)[1].astype(np.intp)
    said = f"folds keep {column} together ({why})" if why else ""
    return _fitted(recorded, replace(plain, kind="groups", groups=groups, column=column, said=said))


def _fitted(recorded: Recording, one: Sampling) -> Sampling:
    """With no more folds than groups, of which an inner fold has one less; stratified by nothing."""
    if one.n_groups < 3:
        raise UserError(
            f"{recorded.name}: {one.n_groups} values of {one.column!r} are too few to hold one out and to choose "
            "penalties on the others: at least 3 are needed; --folds shuffled parts what depends on each other"
        )
    n_splits = min(one.n_splits or one.n_groups, one.n_groups)
    training = one.n_groups - -(-one.n_groups // n_splits)
    return replace(one, n_splits=n_splits, inner_splits=min(one.inner_splits, training), labels=None)


def _left_out(folds: int | str) -> str | None:
    """The column of ``leave-COLUMN-out``."""
    text = str(folds)
    return text[len(_LEAVE_OUT) : -4] if text.startswith(_LEAVE_OUT) and text.endswith("-out") else None


def _whole(value: Any, name: str, *, least: int) -> int:
    if isinstance(value, bool) or not str(value).isdigit() or int(str(value)) < least:
        kinds = ' (or "shuffled", or "leave-COLUMN-out")' if name == "folds" else ""
        what = name.replace("_", " ")
        raise UserError(f"the number of {what} must be a whole number from 2, not {value!r}{kinds}")
    return int(str(value))


def _increasing(values: npt.NDArray[np.object_]) -> bool:
    try:
        return bool(np.isfinite(values.astype(float)).all())
    except (TypeError, ValueError):
        return False
