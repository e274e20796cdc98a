"""Which of two response patterns is which: pairs told apart by two sets of patterns of the same conditions."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import combinations_with_replacement

import numpy as np
import numpy.typing as npt

from ...analysis.encoding.cross_validation import Indices
from ...brain_data.noise_ceiling import noise_variance
from ...brain_data.repetitions import mean_response
from ...errors import UserError
from .recording import Recording

Floats = npt.NDArray[np.float64]
Flags = npt.NDArray[np.bool_]
Pairs = Sequence[tuple[Indices, Flags]]

LEAST_NEUROIDS = 3
"""In fewer, a pattern less its own mean has no shape that a correlation could tell from another's."""
_SILENT = 1e-9


def noise_scale(cube: Floats) -> Floats:
    """What every neuroid is divided by: the sd of one presentation about its stimulus, over all repetitions.

    sqrt(sum (y_ir - mean_i)^2 / sum (n_i - 1)) over the stimuli shown at least twice; the sd of all presentations for
    a neuroid whose noise is less than 1e-9 of it, or that nothing is known of; 0 for one that never varies.

    Parameters
    ----------
    cube : array of shape (n_stimuli, n_repetitions, n_neuroids)
        NaN where a repetition is missing.
    """
    return _noise_or_spread(np.sqrt(noise_variance(cube)), spread(cube))


def noise_scale_of_others(cube: Floats, blocks: Indices) -> Floats:
    """As :func:`noise_scale`, for each two blocks of stimuli from all others, ``(n_blocks, n_blocks, n_neuroids)``.

    Two halves of the same presentations agree where these happen to differ little, so a neuroid must not be weighted
    by the very differences that it is then tested on: of noise alone, 8 stimuli shown twice would be told apart in
    far more than half of the pairs.

    Parameters
    ----------
    cube : array of shape (n_stimuli, n_repetitions, n_neuroids)
    blocks : array of shape (n_stimuli,)
        From 0.
    """
    counted = (~np.isnan(cube)).sum(axis=1)
    free = np.maximum(counted - 1, 0).astype(np.float64)
    squares = np.nansum((cube - mean_response(cube)[:, None]) ** 2, axis=1)
    all_of_it, n = spread(cube), int(blocks.max()) + 1
    scale = np.empty((n, n, cube.shape[2]))
    for first, second in combinations_with_replacement(range(n), 2):
        others = (blocks != first) & (blocks != second)
        left = free[others].sum(axis=0)
        noise = np.sqrt(
            np.divide(squares[others].sum(axis=0), left, out=np.zeros_like(all_of_it), where=left > 0)
        )
        scale[first, second] = scale[second, first] = _noise_or_spread(noise, all_of_it)
    return scale


def advantage(a: Floats, b: Floats) -> Floats:
    """How much better two patterns agree straight than crossed, r(a_i, b_i) + r(a_j, b_j) - r(a_i, b_j) - r(a_j, b_i).

    Parameters
    ----------
    a, b : array of shape (..., n, n_neuroids)
        Patterns of the same conditions in the same order, less their mean over conditions.

    Returns
    -------
    array of shape (..., n, n)
        Symmetric.
    """
    r = _agreement(a, b)
    own = np.diagonal(r, axis1=-2, axis2=-1)
    found: Floats = own[..., :, None] + own[..., None, :] - r - r.swapaxes(-1, -2)
    return found


def told(advantages: Floats, width: float = 0.0) -> Floats:
    """Whether pairs are told apart: 1 for an advantage, 1/2 for a tie; a smooth step where a width is given."""
    if width > 0:
        from scipy.special import ndtr

        smooth: Floats = ndtr(advantages / width)
        return smooth
    step: Floats = np.where(advantages > 1e-12, 1.0, 0.5 * (np.abs(advantages) <= 1e-12))
    return step


def _agreement(a: Floats, b: Floats) -> Floats:
    """Pearson r of every pattern of `a` with every pattern of `b`, ``(..., n, n)``; 0 for a flat pattern."""
    a, b = a - a.mean(axis=-1, keepdims=True), b - b.mean(axis=-1, keepdims=True)
    size = np.linalg.norm(a, axis=-1)[..., :, None] * np.linalg.norm(b, axis=-1)[..., None, :]
    r: Floats = np.divide(a @ b.swapaxes(-1, -2), size, out=np.zeros_like(size), where=size > 0)
    return r


def spread(cube: Floats) -> Floats:
    """The sd of all presentations, 0 where it is rounding."""
    found: Floats = np.nanstd(cube, axis=(0, 1))
    found[found <= 1e-12 * np.nanmax(np.abs(cube), axis=(0, 1))] = 0.0
    return found


def _noise_or_spread(noise: Floats, all_of_it: Floats) -> Floats:
    heard = np.where(np.nan_to_num(noise) > _SILENT * all_of_it, noise, all_of_it)
    scale: Floats = np.where(all_of_it > 0, heard, 0.0)
    return scale


def pairs_of(parts: Sequence[Indices], labels: Indices, rows: Flags | None = None) -> Pairs:
    """The pairs that are told apart: rows of one part, of different labels.

    Parameters
    ----------
    parts : sequence of array of int
        Held-out rows of each fold.
    labels : array of shape (n_stimuli,)
        A number for each stimulus: its own, or that of its label.
    rows : array of shape (n_stimuli,), optional
        Those that count; all of them by default.

    Returns
    -------
    list of (rows, upper)
        One a part: its rows, and which of (n, n) are a pair, every one once; there may be none.
    """
    made = []
    for part in parts:
        kept = part if rows is None else part[rows[part]]
        made.append((kept, np.triu(labels[kept][:, None] != labels[kept], 1)))
    return made


def halves(cube: Floats, n_halves: int, generator: np.random.Generator) -> Iterator[tuple[Floats, Floats]]:
    """Mean responses of random halves of the presentations: floor(n_i / 2) of each stimulus', and the others.

    A repetition is in the same half for all stimuli, as far as they were shown equally often: what a run adds to all
    of them would else be shared by the halves of different stimuli, and not by those of the same. No two halvings
    are alike, so there may be fewer.

    Parameters
    ----------
    cube : array of shape (n_stimuli, n_repetitions, n_neuroids)
        NaN where a repetition is missing; every stimulus has at least 2.
    n_halves : int
    generator : Generator

    Yields
    ------
    a, b : array of shape (n_stimuli, n_neuroids)
        NaN where a neuroid was not recorded in a half.
    """
    known = ~np.isnan(cube)
    shown = known.any(axis=2)
    gaps = bool((shown[..., None] != known).any())
    filled = np.where(known, cube, 0.0)
    half = shown.sum(axis=1, keepdims=True) // 2
    done = set()
    for _ in range(n_halves):
        order = generator.permutation(cube.shape[1])
        first = np.zeros_like(shown)
        first[:, order] = shown[:, order] & (np.cumsum(shown[:, order], axis=1) <= half)
        if first.tobytes() in done:
            continue
        done.add(first.tobytes())
        means = []
        for chosen in (first, shown & ~first):
            total = np.einsum("nr,nrq->nq", chosen.astype(np.float64), filled)
            counted = (known & chosen[..., None]).sum(axis=1) if gaps else chosen.sum(axis=1)[:, None]
            with np.errstate(invalid="ignore", divide="ignore"):
                means.append(total / counted)
        yield means[0], means[1]


def mean_told(parts: Sequence[Floats], width: float = 0.0) -> float:
    """Mean over parts of the share of pairs that are told apart; NaN without any."""
    return float(np.mean([told(part, width).mean() for part in parts])) if parts else float("nan")


@dataclass(frozen=True)
class Patterns:
    """Of whose neuroids patterns are made, and what these are divided by.

    Attributes
    ----------
    members : list of array of int
        The neuroids of each subject, without those that never vary; at least 3.
    names : tuple of str
        The subjects; empty where nobody is named.
    scale : array of shape (n_neuroids,)
        As of :func:`noise_scale`.
    left_out : mapping of str to int
        Neuroids that take no part, by reason.
    """

    members: list[Indices]
    names: tuple[str, ...]
    scale: Floats = field(repr=False)
    left_out: Mapping[str, int] = field(default_factory=dict)

    @classmethod
    def of(cls, recorded: Recording) -> "Patterns":
        """Those of a recording.

        Raises
        ------
        UserError
            Where nobody has 3 neuroids that vary.
        """
        scale = noise_scale(recorded.responses)
        named = recorded.neuroids.get("subject")
        names = [""] if named is None else list(dict.fromkeys(named.astype(str).tolist()))
        varying = [one[scale[one] > 0] for one in recorded.members]
        kept = [len(one) >= LEAST_NEUROIDS for one in varying]
        if not any(kept):
            most = max(len(one) for one in varying)
            raise UserError(
                f"{recorded.name}: decoding compares patterns over neuroids and needs at least {LEAST_NEUROIDS} that "
                f"vary, not {most}"
            )
        few = sum(len(one) for one, enough in zip(varying, kept, strict=True) if not enough)
        left_out = {
            "neuroids that never vary": int((scale == 0).sum()),
            f"neuroids of subjects with fewer than {LEAST_NEUROIDS}": few,
        }
        return cls(
            [one for one, enough in zip(varying, kept, strict=True) if enough],
            tuple(name for name, enough in zip(names, kept, strict=True) if enough and name),
            scale,
            {reason: count for reason, count in left_out.items() if count},
        )

    @property
    def n_neuroids(self) -> int:
        """Of all subjects."""
        return sum(len(one) for one in self.members)

    def only(self, neuroids: Indices) -> "Patterns":
        """The same of some neuroids, which are numbered from 0."""
        members = [np.flatnonzero(np.isin(neuroids, one)) for one in self.members]
        return replace(self, members=members, scale=self.scale[neuroids])

    def advantages(self, a: Floats, b: Floats) -> list[Floats]:
        """Of each subject's patterns, as of :func:`advantage`."""
        a, b = a - a.mean(axis=-2, keepdims=True), b - b.mean(axis=-2, keepdims=True)
        scale = self.scale
        return [advantage(a[..., one] / scale[one], b[..., one] / scale[one]) for one in self.members]

    def of_pairs(self, predictions: Sequence[Floats], truth: Floats, pairs: Pairs) -> list[list[Floats]]:
        """The advantages of all pairs, of each subject and each part that has any.

        Parameters
        ----------
        predictions : sequence of array of shape (n_rows, n_neuroids)
            One a part.
        truth : array of shape (n_stimuli, n_neuroids)
        pairs : sequence of (rows, upper)
        """
        parts = [
            [one[upper] for one in self.advantages(prediction, truth[rows])]
            for prediction, (rows, upper) in zip(predictions, pairs, strict=True)
            if upper.any()
        ]
        return [[part[subject] for part in parts] for subject in range(len(self.members))]

    def accuracy(self, predictions: Sequence[Floats], truth: Floats, pairs: Pairs) -> Floats:
        """Share of pairs told apart, mean over parts, ``(n_subjects,)``; NaN without a pair."""
        return np.array([mean_told(one) for one in self.of_pairs(predictions, truth, pairs)])

    def said(self, accuracies: Floats) -> dict[str, object]:
        """What a record says of single subjects."""
        if len(self.names) < 2:
            return {}
        each = [f"{name} {one:.3f}" for name, one in zip(self.names, accuracies, strict=True)]
        return {"accuracy_of_each_subject": each}
