"""Averages over benchmarks of one scale, in the tree of regions; and how sure the ranks by them are."""

import hashlib
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np
import numpy.typing as npt

from ....analysis.statistics.paired_tests import t_quantile
from ....analysis.statistics.replicates import Replicates
from ..storage.snapshot import BenchmarkEntry, ScoreEntry, Snapshot

Floats = npt.NDArray[np.float64]
N_DRAWS = 1000
_NORMAL = 1.959963984540054
_ENOUGH = 2
"""A benchmark is averaged where at least one in so many of the models was scored on it that the fullest one has."""


@dataclass(frozen=True)
class Node:
    """A region with its benchmarks and the regions in it."""

    name: str
    benchmarks: tuple[str, ...]
    parts: tuple["Node", ...]

    def mean(self, values: Mapping[str, Any], zero: bool, found: dict[str, Any] | None = None) -> Any:
        """The mean over its children, numbers or draws; a child without a value counts 0, or is skipped.

        None where no child has a value. What each region's mean is goes into `found`.
        """
        children = [values.get(one) for one in self.benchmarks]
        children += [part.mean(values, zero, found) for part in self.parts]
        there = [one for one in children if one is not None]
        value = None if not there else sum(there) / (len(children) if zero else len(there))
        if found is not None and self.name:
            found[self.name] = value
        return value

    def nodes(self) -> list["Node"]:
        """Itself, and all below it."""
        return [self, *(below for part in self.parts for below in part.nodes())]


def tree_of(benchmarks: Sequence[BenchmarkEntry], depth: int = 0, name: str = "") -> Node:
    """The tree of some benchmarks' regions."""
    here = tuple(one.identifier for one in benchmarks if len(one.place) <= depth)
    below: dict[str, list[BenchmarkEntry]] = {}
    for one in benchmarks:
        if len(one.place) > depth:
            below.setdefault(one.place[depth], []).append(one)
    return Node(name, here, tuple(tree_of(some, depth + 1, part) for part, some in below.items()))


def scales_of(benchmarks: Sequence[BenchmarkEntry]) -> list[str]:
    """The scales of ranked benchmarks, that of most benchmarks first; of as many, one with a ceiling."""
    ranked = [one.scale for one in benchmarks if one.ranked]
    bare = {one.scale for one in benchmarks if one.ceiling is None}
    return sorted(dict.fromkeys(ranked), key=lambda scale: (-ranked.count(scale), scale in bare, scale))


def averaged(
    benchmarks: Sequence[BenchmarkEntry], counts: Mapping[str, int], scale: str
) -> list[BenchmarkEntry]:
    """The benchmarks that an average is over: ranked, of one scale, with at least half as many models as the fullest.

    So a new column with a few models does not change the average of everybody else.
    """
    of_scale = [one for one in benchmarks if one.ranked and one.scale == scale]
    fullest = max((counts[one.identifier] for one in of_scale), default=0)
    return [one for one in of_scale if counts[one.identifier] * _ENOUGH >= fullest]


def rank_intervals(
    snapshot: Snapshot, models: Sequence[int], benchmarks: Sequence[BenchmarkEntry], tree: Node, zero: bool
) -> dict[int, tuple[int, int]]:
    """The 95 % interval of every model's rank: ranks of averages that are drawn with all models at once.

    Models that were scored on the same stimuli and subjects move together. A model of whose scores nothing is known
    but their values has no interval.
    """
    columns: dict[str, dict[int, Floats]] = {}
    for one in benchmarks:
        there = [
            (model, score) for model in models if (score := snapshot.scores.get((model, one.id))) is not None
        ]
        ranked = [(model, score) for model, score in there if score.ranked and score.value is not None]
        columns[one.identifier] = {model: _drawn(snapshot, one, score) for model, score in ranked}
    known = [model for model in models if any(model in column for column in columns.values())]
    if not known:
        return {}
    drawn = np.array([
        tree.mean({name: column[model] for name, column in columns.items() if model in column}, zero)
        for model in known
    ])  # fmt: skip
    ordered = np.sort(-drawn, axis=0)
    ranks = np.stack(
        [1 + np.searchsorted(ordered[:, b], -drawn[:, b]) for b in range(drawn.shape[1])], axis=1
    )
    low, high = np.quantile(ranks, [0.025, 0.975], axis=1, method="inverted_cdf")
    sure = np.ptp(drawn, axis=1) == 0
    return {model: (int(low[i]), int(high[i])) for i, model in enumerate(known) if not sure[i]}


def _drawn(snapshot: Snapshot, benchmark: BenchmarkEntry, score: ScoreEntry) -> Floats:
    """Draws of a score: its own value, moved by what moves others on the same stimuli, and by what is its own."""
    value, total = float(score.value or 0.0), score.error or 0.0
    arrays = snapshot.draws.get(score.id, {})
    key = f"{benchmark.identifier} {benchmark.version} {benchmark.data_digest}"
    moved = np.zeros(N_DRAWS)
    draws_key = f"{key} {score.seed} {score.n_bootstraps}"
    if (kept := Replicates.of(value, arrays)) is not None:
        error, free = kept.error
        moved = _moved(kept, key, draws_key)
        wanted = error * t_quantile(0.975, free) / _NORMAL if math.isfinite(error) and free >= 1 else 0.0
        moved *= min(wanted, total) / max(float(moved.std()), 1e-300) if total else 0.0
    elif "draws" in arrays:
        moved = _resampled(arrays["draws"], draws_key)
        moved *= total / max(float(moved.std()), 1e-300) if total else 1.0
    left = total**2 - float(moved.var())
    own: Floats | float = 0.0
    if left > 1e-9 * total**2:
        own = math.sqrt(left) * np.random.default_rng(_seed(f"{key} {score.id}")).normal(size=N_DRAWS)
    drawn: Floats = value + moved + own
    return drawn


def _moved(kept: Replicates, key: str, draws_key: str) -> Floats:
    if kept.kind == "jackknife":
        n = len(kept.samples)
        apart = np.nan_to_num(kept.samples - np.nanmean(kept.samples)) if n else kept.samples
        shared = _normals(f"{key} samples", n)
        moved: Floats = shared @ apart * math.sqrt((n - 1) / n) if n else np.zeros(N_DRAWS)
    else:
        moved = _resampled(kept.samples, draws_key)
    n = len(kept.subjects)
    if n > 1:
        shared = _normals(f"{key} subjects", n)
        moved = moved + shared @ (kept.subjects - kept.subjects.mean()) / math.sqrt(n * (n - 1))
    return moved


def _resampled(draws: Floats, key: str) -> Floats:
    """Draws by their number: those of the same seed are of the same stimuli."""
    known = draws[np.isfinite(draws)]
    if len(known) < 2 or len(known) < len(draws):
        return np.zeros(N_DRAWS)
    moved: Floats = draws[_rows(key, len(draws))] - draws.mean()
    return moved


@lru_cache(64)
def _normals(key: str, n: int) -> Floats:
    """What is drawn for all models alike: of n groups of stimuli, or subjects."""
    return np.random.default_rng(_seed(f"{key} {n}")).normal(size=(N_DRAWS, n))


@lru_cache(64)
def _rows(key: str, n: int) -> npt.NDArray[np.int64]:
    """Which of n draws are taken, of all models alike."""
    return np.random.default_rng(_seed(f"{key} {n}")).integers(n, size=N_DRAWS)


def _seed(key: str) -> int:
    return int.from_bytes(hashlib.sha256(key.encode()).digest()[:8], "big")


def remembered(snapshot: Snapshot, key: Any, make: Callable[[], Any]) -> Any:
    """What was computed of this state before, or is now."""
    if key not in snapshot.memory:
        snapshot.memory[key] = make()
    return snapshot.memory[key]
