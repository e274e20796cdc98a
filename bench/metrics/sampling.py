"""Which samples depend on each other, and what follows for folds, intervals and p: one answer for all of them."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import cached_property, partial
from itertools import chain
from typing import Any, Literal

import numpy as np
import numpy.typing as npt
import pandas as pd

from ...analysis.encoding.cross_validation import Fold, Split, Splitter, nested_folds
from ...analysis.statistics.dependence import (
    FEWEST_PERMUTED,
    LEAST_SHIFT,
    decorrelation_lag,
    group_orders,
    rotations,
    serial_dependence,
)
from ...analysis.statistics.resampling import permutations
from ...brain_data.near_duplicates import components
from ...errors import UserError, unknown
from .recording import Recording
from .samples import Series

Integers = npt.NDArray[np.intp]

COLUMNS = ("story", "passage", "scene", "run", "session", "time")
"""Columns of stimuli or presentations that say what depends on what, the first that there is."""
SHUFFLED = "shuffled"
_FOLDS = 5
_LEAVE_OUT = "leave-"
_ALIKE = "near-duplicates"
_MOST_BLOCKS = 40
_SERIAL_BLOCKS, _GAP = 10, 5
_LEVEL = 0.01
_SHIFT_S, _FEWEST_RUNS = 20.0, 2
_LAGS, _LOOKED_AT = 20, 256
"""Decorrelation lags that a run should hold, and neuroids of which the lag is found."""
_CLOCK = r"[-+\d.TZ ]*(days )?[-+\d.TZ ]*:[-+\d.:TZ ]+"


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
    held_out : tuple of (str, array of int)
        Test stimuli that were named instead, with what was said of them: a fold each.
    training : (str, array of int) or None
        What is fitted then; None for all others.
    gap : int or None
        Of neighbours in time: samples on both sides of the held-out ones that are not fitted; 5, of short recordings
        fewer, by default.
    least_shift : int
        Samples by which a series is rotated at least.
    """

    kind: Literal["independent", "groups", "serial"]
    groups: Integers | None
    position: Integers
    column: str = ""
    said: str = ""
    n_splits: int = 5
    inner_splits: int = 5
    labels: npt.ArrayLike | None = None
    held_out: tuple[tuple[str, Integers], ...] = ()
    training: tuple[str, Integers] | None = None
    gap: int | None = None
    least_shift: int = LEAST_SHIFT

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
        made = self._made()
        if min((len(part.train) for one in made for part in one.inner), default=2) < 2:
            raise UserError(
                f"{self.column or 'folds'}: values of one stimulus leave a single one to choose penalties on: put them "
                "together with others, or leave them out"
            )
        return made

    def _made(self) -> list[Fold]:
        n = len(self.position)
        if self.held_out:
            return [self._named_fold(test) for _, test in self.held_out]
        if self.kind == "serial":
            order = np.argsort(self.position, kind="stable")
            gap = min(_GAP, n // 40) if self.gap is None else self.gap
            blocks = Splitter(self.n_splits, "blocks", gap=gap)
            made = nested_folds(n, outer=blocks, inner=replace(blocks, n_splits=self.inner_splits))
            return [one.reordered(order) for one in made]
        outer = Splitter(n_splits=self.n_splits)
        inner = Splitter(n_splits=self.inner_splits, seed=outer.seed + 1)
        if self.groups is None:
            outer.split(n)  # says what is wrong with the outer folds before the inner ones are looked at
            fitted = n - -(-n // self.n_splits)
            if fitted < 2 * self.inner_splits:
                raise UserError(
                    f"{n} stimuli are too few for {self.n_splits} folds of which each fits {fitted} and chooses "
                    f"penalties in {self.inner_splits} inner folds of at least 2: record more, or set "
                    f"inner_folds = {max(fitted // 2, 2)}"
                )
        return nested_folds(n, outer=outer, inner=inner, labels=self.labels, groups=self.groups)

    def _named_fold(self, test: Integers) -> Fold:
        everyone = np.arange(len(self.position))
        train = np.setdiff1d(everyone if self.training is None else self.training[1], test)
        groups = self.groups if self.kind == "groups" else None
        if groups is not None:
            train = train[~np.isin(groups[train], groups[test])]
        inner = Splitter(n_splits=self.inner_splits, seed=2)
        labels = None if self.labels is None else np.asarray(self.labels)[train]
        parts = inner.split(len(train), labels=labels, groups=None if groups is None else groups[train])
        return Fold(Split(train, test), parts)

    @property
    def n_used(self) -> int:
        """Samples that are fitted or held out in any fold."""
        if not self.held_out:
            return len(self.position)
        return len(np.unique([*chain(*(chain(one.split.train, one.split.test) for one in self.folds))]))

    @cached_property
    def tests(self) -> list[Integers]:
        """The held-out rows of each fold."""
        return [fold.split.test for fold in self.folds]

    @cached_property
    def jackknife_groups(self) -> Integers:
        """The block of each sample that is left out together: its group, of which 40 random ones are made of more."""
        if self.held_out:
            return self._named_blocks()
        if self.groups is not None and self.n_groups <= 1.5 * _MOST_BLOCKS:
            return self.groups
        whole = np.arange(len(self.position)) if self.groups is None else self.groups
        block = np.arange(self.n_groups) % min(_MOST_BLOCKS, self.n_groups)
        blocks: Integers = np.random.default_rng(11).permutation(block)[whole]
        return blocks

    def _named_blocks(self) -> Integers:
        """Blocks of test groups, over which those that are only fitted are spread; -1 for what is not used."""
        whole = np.arange(len(self.position)) if self.groups is None else self.groups
        tested = np.unique(whole[np.concatenate(self.tests)])
        fitted = np.setdiff1d(whole[np.concatenate([one.split.train for one in self.folds])], tested)
        n_blocks = len(tested) if len(tested) <= 1.5 * _MOST_BLOCKS else _MOST_BLOCKS
        generator, block = np.random.default_rng(11), np.full(int(whole.max()) + 1, -1)
        for groups in (tested, fitted):
            block[groups] = generator.permutation(np.arange(len(groups)) % n_blocks)
        blocks: Integers = block[whole].astype(np.intp)
        return blocks

    def orders(self, n_draws: int, seed: int) -> tuple[Integers, str, float]:
        """Orders under which nothing is related, what was permuted, and the smallest p that they can give."""
        if self.held_out and self.kind != "serial":
            return self._named_orders(n_draws, seed)
        if self.kind == "groups" and self.groups is not None:
            orders, what, count = group_orders(
                self.groups, self.position, n_draws, random_state=seed, least=self.least_shift
            )
        elif self.kind == "serial":
            orders, what, count = rotations(self.position, n_draws, random_state=seed, least=self.least_shift)
        else:
            orders = permutations(len(self.position), n_draws, random_state=seed)
            what, count = "stimulus labels permuted", float("inf")
        return orders, what, 1 / (1 + min(len(orders), count))

    def _named_orders(self, n_draws: int, seed: int) -> tuple[Integers, str, float]:
        """Orders within each of the test sets, and within all else."""
        part = np.zeros(len(self.position), np.intp)
        for number, (_, test) in enumerate(self.held_out, start=1):
            part[test] = number
        orders, said, count = np.empty((n_draws, len(part)), np.intp), "", 1.0
        for number in np.unique(part):
            rows = np.flatnonzero(part == number)
            inside, what, smallest = replace(self, held_out=()).only(rows).orders(n_draws, seed + int(number))
            orders[:, rows] = rows[inside]
            said, count = said or what, count * (1 / smallest - 1)
        return orders, f"{said}, within training and test", 1 / (1 + min(n_draws, count))

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
        said = {"folds": self.n_splits, "inner_folds": self.inner_splits} | self.describe_groups()
        if self.held_out:
            fitted = "all others" if self.training is None else self.training[0]
            counts = sorted({len(one.split.train) for one in self.folds})
            said["train"] = f"{fitted}: {' to '.join(map(str, counts[:: max(len(counts) - 1, 1)]))} stimuli"
            said["test"] = [f"{name}: {len(test)} stimuli" for name, test in self.held_out]
        return said


def sampling(
    recorded: Recording,
    *,
    folds: int | str = _FOLDS,
    inner_folds: int = 5,
    stratify: str | None = None,
    group: str | None = None,
    train: str | None = None,
    test: str | Sequence[str] | None = None,
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
    train, test : str, optional
        ``"COLUMN=VALUE"``: stimuli that are fitted, and that are held out; of several `test` each is a fold. All but a
        fold's own test stimuli are fitted by default. What depends on a test stimulus is never fitted.

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
    found = _with_the_same(
        recorded, _dependence(recorded, plain, group, stratify), declared=group is not None
    )
    if found.kind == "groups" and not shuffled:
        found = _fitted(recorded, found)
    if found.column and found.column == stratify:
        raise UserError(
            f"{recorded.name}: {stratify!r} is what folds keep together, so it cannot be stratified: its values would "
            "stand on both sides"
        )
    if shuffled:
        risk = "shuffled folds part what depends on each other{}: scores and p may come from that alone"
        nothing = "shuffled folds: nothing was found that they part"
        found = replace(
            plain, said=nothing if found.kind == "independent" else risk.format(f" ({found.column})")
        )
    found = _stratified(recorded, found, group, stratify)
    if test is not None or train is not None:
        return _named(recorded, found, folds, train, test)
    return replace(found, n_splits=found.n_groups) if left_out else found


def _stratified(recorded: Recording, found: Sampling, group: str | None, stratify: str | None) -> Sampling:
    """Refuse labels that folds cannot be balanced by; where groups were found, say that they are not."""
    if stratify is None:
        return found
    if found.kind != "independent":
        if group is not None:
            raise UserError(
                f"{recorded.name}: folds that keep {group!r} together cannot be balanced by {stratify!r}: leave out one"
            )
        return replace(found, said=f"{found.said}; they are not balanced by {stratify}")
    values = np.asarray(found.labels, str)  # missing ones are a label, too
    labels, counts = np.unique(values, return_counts=True)
    if counts.min() < found.n_splits:
        raise UserError(
            f"{recorded.name}: folds cannot be balanced by {stratify!r}: {counts.min()} stimuli of "
            f"{labels[counts.argmin()]!r} are too few for {found.n_splits} folds"
        )
    return replace(found, labels=values)


def _named(
    recorded: Recording,
    found: Sampling,
    folds: int | str,
    train: str | None,
    test: str | Sequence[str] | None,
) -> Sampling:
    if test is None or not test:
        raise UserError(f'{recorded.name}: train = {train!r} needs a test = "COLUMN=VALUE" beside it')
    if folds != _FOLDS:
        raise UserError(
            f"{recorded.name}: test = {test!r} says what is held out: leave out folds = {folds!r}"
        )
    names = [test] if isinstance(test, str) else list(test)
    held_out = tuple((name, _rows_of(recorded, name)) for name in names)
    training = None if train is None else (train, _rows_of(recorded, train))
    one = replace(found, n_splits=len(names), held_out=held_out, training=training)
    for name, rows in held_out:
        if training is not None and np.isin(rows, training[1]).any():
            raise UserError(f"{recorded.name}: stimuli of {name!r} are among those of train = {train!r}")
        if len(rows) < 2:
            raise UserError(f"{recorded.name}: {name!r} is one stimulus, and r needs at least 2")
        if training is None and recorded.n_stimuli - len(rows) < 4:
            raise UserError(
                f"{recorded.name}: {name!r} leaves {recorded.n_stimuli - len(rows)} stimuli to fit, not 4"
            )
    tested = np.concatenate([rows for _, rows in held_out])
    if len(np.unique(tested)) < len(tested):
        raise UserError(
            f"{recorded.name}: a stimulus is in two of the test sets {', '.join(map(repr, names))}"
        )
    if one.kind == "groups" and one.groups is not None:
        every = one.groups if training is None else one.groups[training[1]]
        counts = [len(np.setdiff1d(every, one.groups[rows])) for _, rows in held_out]
        if min(counts) < 2:
            raise UserError(
                f"{recorded.name}: of {one.column!r} there are {min(counts)} values to fit that the test stimuli are "
                "not of, and choosing penalties needs 2"
            )
        return replace(one, inner_splits=min(found.inner_splits, *counts))
    risk = "neighbours of test stimuli may be among the fitted: their r may come from that alone"
    return replace(one, said=risk) if one.kind == "serial" else one


def _rows_of(recorded: Recording, name: str) -> Integers:
    """The stimuli that ``COLUMN=VALUE`` names."""
    column, sign, value = str(name).partition("=")
    if not sign or not column.strip():
        raise UserError(f'{recorded.name}: {name!r} names no stimuli: write "COLUMN=VALUE"')
    values = np.asarray(recorded.column(column.strip()), str)
    if value.strip() not in values:
        raise unknown(f"value of {column.strip()!r}", value.strip(), dict.fromkeys(values.tolist()))
    return np.flatnonzero(values == value.strip())


def _dependence(recorded: Recording, plain: Sampling, group: str | None, stratify: str | None) -> Sampling:
    if group is not None:
        return _grouped(recorded, plain, group, "")
    if recorded.series is not None:
        return _of_series(recorded, recorded.series, plain)
    if recorded.blocks == "none":
        return plain
    if recorded.blocks:
        return _grouped(recorded, plain, recorded.blocks, "as the data set declares")
    for name in COLUMNS:
        values = recorded.columns.get(name)
        if values is None:
            continue
        n_values = len(set(map(str, values)))
        if name == "time" and n_values > 1 and (when := _seconds(values)) is not None:
            if np.isnan(when).any():
                raise UserError(
                    f"{recorded.name}: {int(np.isnan(when).sum())} of {len(when)} stimuli have no 'time': fill it in, "
                    'name what belongs together by group = "COLUMN", or leave the column out'
                )
            order = np.lexsort((plain.position, when))
            return _serial(replace(plain, position=np.argsort(order)), "time")
        if 1 < n_values < recorded.n_stimuli:
            return _grouped(recorded, plain, name, f"found the column {name!r}")
    if recorded.alike.near is not None:
        n_same, n_near = recorded.alike.n_same, recorded.alike.n_near
        same = f"{n_same} stimuli are the same as others under another id"
        near = f"{n_near - n_same} stimuli are near-duplicates of others"
        said = " and ".join([same] * (n_same > 0) + [near] * (n_near > n_same)) + ": folds keep them together"
        return replace(plain, kind="groups", groups=recorded.alike.near, column=_ALIKE, said=said)
    return _looked_for(recorded, plain, stratify)


def _of_series(recorded: Recording, series: Series, plain: Sampling) -> Sampling:
    """Whole runs (or stories, where some were heard again), else blocks of neighbours with a gap."""
    options, columns = series.options, recorded.columns
    gap = math.ceil(options.gap_s / series.tr - 1e-9)
    shift = max(LEAST_SHIFT, math.ceil(_SHIFT_S / series.tr))
    timed = replace(plain, gap=gap, least_shift=shift)
    again = series.heard_again
    column = options.by or ("run" if "run" in columns and not again else "story")
    if column != "block" and (column not in columns or (column == "run" and again)):
        raise UserError(
            f"{recorded.name}: folds cannot be by {column!r}, since some stories were heard in several runs, which are "
            "repetitions: take 'story'"
        )
    n_groups = 0 if column == "block" else len(set(columns[column].tolist()))
    if n_groups > _FEWEST_RUNS:
        return _slow(recorded, _grouped(recorded, timed, column, "whole ones are held out"))
    if again:
        raise UserError(
            f"{recorded.name}: {again!r} was heard in several runs at other times, of which blocks would be held out "
            f"while the same is fitted: hold out whole stories (from {_FEWEST_RUNS + 1} on), or cut these runs to the "
            "same times, which makes them repetitions"
        )
    found = _serial(timed, "time")
    n_splits = plain.n_splits
    fewest = 4 * (gap + 1)
    if recorded.n_stimuli < fewest * n_splits:
        n_splits = max(recorded.n_stimuli // fewest, 2)
    left = recorded.n_stimuli - math.ceil(recorded.n_stimuli / n_splits) - gap * (2 if n_splits > 2 else 1)
    if left < 2 * plain.inner_splits:
        raise UserError(
            f"{recorded.name}: gaps of {options.gap_s:g} s beside what is held out leave {max(left, 0)} of "
            f"{recorded.n_stimuli} samples to fit: set a shorter gap_s in folds"
        )
    groups = np.empty(recorded.n_stimuli, np.intp)
    for block, rows in enumerate(np.array_split(np.arange(recorded.n_stimuli), 2 * n_splits)):
        groups[rows] = block
    said = (
        f"{n_splits} blocks of neighbours in time are held out, with {gap} samples on both sides left out of "
        "training"
    )
    return _slow(recorded, replace(found, n_splits=n_splits, groups=groups, said=said))


def _slow(recorded: Recording, found: Sampling) -> Sampling:
    """With a warning where runs are rotated that are short for how long their samples stay alike."""
    if recorded.cube is None or (found.kind == "groups" and found.n_groups >= FEWEST_PERMUTED):
        return found
    n = recorded.cube.shape[2]
    some = np.linspace(0, n - 1, min(n, _LOOKED_AT)).astype(np.intp)
    lag = decorrelation_lag(recorded.mean[:, some], found.sequences)
    shortest = min(len(one) for one in found.sequences)
    if shortest >= _LAGS * lag:
        return found
    risk = (
        f"responses stay alike for {lag} samples, and the shortest run of {shortest} is shorter than {_LAGS} times "
        "that: p of rotated runs may be too small"
    )
    return replace(found, said=f"{found.said}; {risk}")


def _with_the_same(recorded: Recording, found: Sampling, *, declared: bool) -> Sampling:
    """With stimuli that are the same in one group, where that leaves as many groups as folds; else the risk is said.

    What a benchmark or a data set declares stands as it is.
    """
    same, groups = recorded.alike.same, found.groups
    if same is None or found.column == _ALIKE:
        return found
    own = np.arange(len(same)) if groups is None else groups
    least, most = np.full(len(same), len(same)), np.zeros(len(same), np.intp)
    np.minimum.at(least, same, own)
    np.maximum.at(most, same, own)
    apart = (least < most)[same]
    if not apart.any():
        return found
    what = f"{int(apart.sum())} stimuli are the same as others under another id"
    if found.kind == "groups" and not declared and not recorded.blocks:
        joined = components(own, same)
        if joined.max() + 1 >= min(found.n_splits, found.n_groups):
            return replace(
                found, groups=joined, said=f"{found.said}; {what}, and what holds them is kept together"
            )
    part = f"folds by {found.column}" if found.column else "folds"
    said = f"{what}, and {part} may part them: scores may come from that alone"
    return replace(found, said=f"{found.said}; {said}" if found.said else said)


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
    missing = int(np.asarray(pd.isna(values)).sum())
    if missing:
        said = f"{said or f'folds keep {column} together'}; {missing} stimuli without one are a group, too"
    return replace(plain, kind="groups", groups=groups, column=column, said=said)


def _fitted(recorded: Recording, one: Sampling) -> Sampling:
    """With no more folds than groups, of which an inner fold has one less; stratified by nothing."""
    if one.n_groups < 3:
        raise UserError(
            f"{recorded.name}: {one.n_groups} values of {one.column!r} are too few to hold one out and to choose "
            "penalties on the others: at least 3 are needed; --folds shuffled (ridge, linear, decoding) parts what "
            'depends on each other, and a data set with blocks="none" says that nothing does'
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


def _seconds(values: npt.NDArray[np.object_]) -> npt.NDArray[np.float64] | None:
    """Times that are numbers, durations such as 01:30 or dates, NaN where one is missing; None for anything else."""
    known = ~pd.isna(values)
    try:
        numbers = np.where(known, values, np.nan).astype(float)
    except (TypeError, ValueError):
        return _of_clock(values, known)
    return np.where(np.isfinite(numbers), numbers, np.nan) if np.isfinite(numbers).any() else None


def _of_clock(
    values: npt.NDArray[np.object_], known: npt.NDArray[np.bool_]
) -> npt.NDArray[np.float64] | None:
    text = pd.Series(values[known].astype(str))
    if not text.str.fullmatch(_CLOCK).all():
        return None
    text = text.where(text.str.count(":") != 1, "00:" + text)  # pandas knows hours, minutes and seconds alone
    found = np.full(len(values), np.nan)
    readers: tuple[Callable[[Any], Any], ...] = (pd.to_timedelta, partial(pd.to_datetime, format="ISO8601"))
    for read in readers:
        try:
            since = read(text) - read(text).min()
        except (TypeError, ValueError, OverflowError):
            continue
        found[known] = since.dt.total_seconds()
        return found
    return None
