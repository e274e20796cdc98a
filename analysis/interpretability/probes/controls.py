"""Controls of a sparse probe: another basis, what is left without its units, units that fire alone or together."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from ....brain_data.probing.trivial import beyond_threshold
from .scale import Scale
from .scores import Scores, scores
from .sparse_probe import Bench, Point, adaptive_supports, by_ranking

Floats = npt.NDArray[np.float64]
Integers = npt.NDArray[np.intp]
Labels = npt.NDArray[np.bool_]

N_ROTATIONS, N_ROUNDS = 5, 5
_MIXED_FAST = 1024


def rotated(
    bench: Bench, sizes: Sequence[int], *, n_rotations: int = N_ROTATIONS, random_state: int = 0
) -> list[list[Point]]:
    """The same ranking and probes in random orthonormal bases, so many draws for every k.

    Where single units are no better than this, they are no better than directions that anybody might have named. Rows
    are in standard deviations before they are turned, and scaled anew afterwards. Above 1024 units the turn is two
    rounds of random signs and a cosine transform.
    """
    generator = np.random.default_rng(random_state)
    draws = []
    for _ in range(n_rotations):
        both = _turned(np.concatenate([bench.x, bench.x_test]), generator)
        scale = Scale.of(both[: len(bench.x)])
        turned = bench.with_rows(scale(both[: len(bench.x)]), scale(both[len(bench.x) :]))
        draws.append(by_ranking(turned, sizes))
    return [list(one) for one in zip(*draws, strict=True)]


def _turned(x: Floats, generator: np.random.Generator) -> Floats:
    n = x.shape[1]
    if n <= _MIXED_FAST:
        basis, corner = np.linalg.qr(generator.normal(size=(n, n)))
        turned: Floats = x @ (basis * np.sign(np.diag(corner)))
        return turned
    from scipy.fft import dct

    for _ in range(2):
        x = dct(x * generator.choice([-1.0, 1.0], n), axis=1, norm="ortho")
    return x


def pruned(bench: Bench, k: int, *, n_rounds: int = N_ROUNDS) -> list[Point]:
    """Probes of k units by adaptive thresholding, each without the units of those before: how redundant they are.

    Returns
    -------
    list of Point
        Fewer than the rounds where fewer than k units are left. Units are numbered as in `bench`.
    """
    left, found = np.arange(bench.n_units), []
    for _ in range(n_rounds):
        if len(left) < k:
            break
        units = left[adaptive_supports(bench.only(left), [len(left), k])[k]]
        found.append(bench.point(units))
        left = np.setdiff1d(left, units)
    return found


@dataclass(frozen=True)
class FiringRules:
    """Calls of units that fire or not, without weights.

    Attributes
    ----------
    units : intp array of shape (k,)
    single : Scores
        Of the first unit alone. Precision high and recall low: it is too specific, it means a part of the property.
    union, conjunction : Scores
        Any of the units fires; all of them do.
    """

    units: Integers
    single: Scores
    union: Scores
    conjunction: Scores


def firing_rules(bench: Bench, units: Integers) -> FiringRules:
    """Precision and recall of the units' union and conjunction on the test rows.

    A unit fires beyond the threshold, on the side of the positives, at which balanced accuracy of the training rows is
    highest. A rule gives log odds of +-1.
    """
    fires = np.stack([beyond_threshold(bench.x[:, u], bench.y, bench.x_test[:, u]) for u in units])
    single, union, conjunction = (
        scores(np.where(one, 1.0, -1.0), bench.y_test)
        for one in (fires[0], fires.any(axis=0), fires.all(axis=0))
    )
    return FiringRules(np.asarray(units, np.intp), single, union, conjunction)
