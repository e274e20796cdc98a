"""Banded ridge over several feature spaces, and what each of them explains alone and together.

Every space (a layer, another model, word length) gets a penalty of its own per neuroid,

    B = argmin |Y - sum_k X_k B_k|^2 + sum_k alpha_k |B_k|^2,

found by a random search over the weights of kernels (:mod:`.weighting_search`), with the answers of himalaya's.
Nunez-Elizalde, Huth & Gallant (2019), NeuroImage 197:482; Dupre la Tour, Eickenberg, Nunez-Elizalde & Gallant
(2022), NeuroImage 264:119728.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from io import BytesIO
from itertools import combinations
from math import factorial
from pathlib import Path
from zipfile import BadZipFile

import numpy as np
import numpy.typing as npt

from ...bounded import check_npz
from ...correlation import pearson
from ...errors import UserError
from ...files import write_bytes
from ...progress import track
from ..masks import unmasked
from .band_kernels import blocks_of
from .banded_spaces import Spaces
from .cross_validation import Fold, Indices, Split
from .nested_ridge import ALPHAS, Floats
from .weighting_search import refit, search

MOST_SPACES = 6
"""Spaces that variance partitioning takes: it fits every one of their 2^k - 1 combinations."""


@dataclass(frozen=True)
class BandedFit:
    """Several spaces fitted together.

    Attributes
    ----------
    names : tuple of str
    r : array of shape (n_targets,)
        Held-out Pearson r, averaged over folds; a constant prediction counts as 0.
    r2 : array of shape (n_targets,)
        Held-out explained variance, 1 - sum of squared errors / sum of squares about the training mean, both
        added over folds. Negative where the prediction is worse than the mean.
    log_weights : array of shape (n_folds, n_spaces, n_targets)
        Log of each space's kernel weight, for kernels whose mean eigenvalue is 1: minus the log of its penalty.
    predictions : list of array of shape (n_spaces, n_test, n_targets)
        What each space adds to the training mean, per fold; their sum is the prediction.
    """

    names: tuple[str, ...]
    r: Floats
    r2: Floats
    log_weights: Floats
    predictions: list[Floats]


@dataclass(frozen=True)
class BandedWeights:
    """Several spaces fitted together on all stimuli.

    Attributes
    ----------
    weights : dict of str to array of shape (n_features, n_targets)
        Of each space's features, less their mean.
    log_weights : array of shape (n_spaces, n_targets)
        As in :class:`BandedFit`.
    inner_score : array of shape (n_targets,)
        1 - mean squared error of the inner held-out rows / variance of the target.
    """

    weights: dict[str, Floats]
    log_weights: Floats
    inner_score: Floats


@dataclass(frozen=True)
class VariancePartition:
    """The held-out explained variance of every combination of spaces, and its division among them.

    Attributes
    ----------
    names : tuple of str
    r2 : dict
        Combination of names -> array of shape (n_targets,), as in :class:`BandedFit`.
    n_stimuli : int
    """

    names: tuple[str, ...]
    r2: dict[tuple[str, ...], Floats]
    n_stimuli: int

    @property
    def full(self) -> Floats:
        """r2 of all spaces together, ``(n_targets,)``."""
        return self.r2[self.names]

    @property
    def unique(self) -> Floats:
        """r2(all) - r2(all but this space), ``(n_spaces, n_targets)``."""
        without = [tuple(other for other in self.names if other != name) for name in self.names]
        return np.array([self.full - self._of(rest) for rest in without])

    @property
    def shared(self) -> Floats:
        """What no space explains uniquely, r2(all) - sum of unique, ``(n_targets,)``."""
        rest: Floats = self.full - self.unique.sum(axis=0)
        return rest

    @property
    def shapley(self) -> Floats:
        """Each space's Shapley value of r2(all), ``(n_spaces, n_targets)``; over spaces they sum to it exactly.

        phi_k = sum over sets S without k of |S|! (K - |S| - 1)! / K! (r2(S + k) - r2(S)); also called LMG
        (Lindeman, Merenda & Gold 1980).
        """
        total = len(self.names)
        values = np.zeros((total, len(self.full)))
        for row, name in enumerate(self.names):
            others = [other for other in self.names if other != name]
            for size in range(total):
                weight = factorial(size) * factorial(total - size - 1) / factorial(total)
                for rest in combinations(others, size):
                    joined = tuple(other for other in self.names if other in rest or other == name)
                    values[row] += weight * (self._of(joined) - self._of(rest))
        return values

    def _of(self, names: tuple[str, ...]) -> Floats:
        return self.r2[names] if names else np.zeros_like(self.full)

    def save(self, path: str | Path) -> None:
        """Keep it, as ``NAME.partition.npz`` in a folder of results where ``brodmann compare`` finds it."""
        stream = BytesIO()
        np.savez(
            stream,
            names=np.array(self.names),
            members=np.array([[name in chosen for name in self.names] for chosen in self.r2]),
            r2=np.array(list(self.r2.values())),
            n_stimuli=self.n_stimuli,
        )
        write_bytes(Path(path), stream.getvalue())

    @classmethod
    def load(cls, path: str | Path) -> "VariancePartition":
        """What :meth:`save` kept.

        Raises
        ------
        UserError
            For a file that is none, or damaged.
        """
        check_npz(Path(path))
        try:
            with np.load(Path(path), allow_pickle=False) as kept:
                names = tuple(str(name) for name in kept["names"])
                chosen = [tuple(np.array(names)[row].tolist()) for row in kept["members"]]
                return cls(names, dict(zip(chosen, kept["r2"], strict=True)), int(kept["n_stimuli"]))
        except (OSError, KeyError, ValueError, IndexError, BadZipFile) as error:
            raise UserError(
                f"{path} is no variance partition that can be read ({str(error)[:80]})"
            ) from error


@unmasked
def banded_ridge(
    spaces: Mapping[str, npt.ArrayLike],
    targets: npt.ArrayLike,
    folds: Sequence[Fold],
    *,
    n_draws: int = 100,
    random_state: int = 0,
) -> BandedFit:
    """Fit all spaces together on every fold.

    Parameters
    ----------
    spaces : mapping of str to array of shape (n_stimuli, n_features)
    targets : array of shape (n_stimuli, n_targets)
    folds : sequence of Fold
    n_draws : int
        Random weightings of the spaces that are tried, beside each space alone and all alike.
    random_state : int

    Raises
    ------
    UserError
        Where the spaces differ in their number of stimuli, none is given, or a value is not finite.
    """
    made, y = _prepared(spaces, targets)
    return _fit(made, y, folds, n_draws, random_state, "fitting spaces together")


@unmasked
def banded_weights(
    spaces: Mapping[str, npt.ArrayLike],
    targets: npt.ArrayLike,
    inner: Sequence[Split],
    *,
    n_draws: int = 100,
    random_state: int = 0,
) -> BandedWeights:
    """Fit all spaces together on all stimuli. Arguments and errors as for :func:`banded_ridge`.

    Parameters
    ----------
    spaces, targets, n_draws, random_state
    inner : sequence of Split
        What the penalties are chosen on.
    """
    made, y = _prepared(spaces, targets)
    every, weightings = np.arange(len(y)), draw_weightings(len(made), n_draws, random_state)
    mean, spread = y.mean(axis=0), _spread(y)
    bands, standard = made.bands(every), (y - mean) / spread
    choice = search(bands, standard, inner, weightings, ALPHAS)
    deltas = np.log(weightings[choice.weighting].T / ALPHAS[choice.penalty])
    dual = refit(bands, standard, choice, weightings, ALPHAS) * spread
    return BandedWeights(made.primal(spaces, np.exp(deltas), dual), deltas, choice.score + 1.0)


@unmasked
def variance_partitioning(
    spaces: Mapping[str, npt.ArrayLike],
    targets: npt.ArrayLike,
    folds: Sequence[Fold],
    *,
    n_draws: int = 100,
    random_state: int = 0,
) -> VariancePartition:
    """Fit every combination of at most six spaces. Arguments and errors as for :func:`banded_ridge`.

    Lescroart & Gallant (2019), Neuron 101:178.
    """
    if len(spaces) > MOST_SPACES:
        raise UserError(
            f"{len(spaces)} spaces have {2 ** len(spaces) - 1} combinations: partition at most {MOST_SPACES}, "
            "or join some"
        )
    made, y = _prepared(spaces, targets)
    names = made.names
    r2 = {}
    for size in range(1, len(names) + 1):
        for chosen in combinations(names, size):
            label = f"fitting {' + '.join(chosen)}"
            r2[chosen] = _fit(made.only(chosen), y, folds, n_draws, random_state, label).r2
    return VariancePartition(names, r2, len(y))


def _prepared(spaces: Mapping[str, npt.ArrayLike], targets: npt.ArrayLike) -> tuple[Spaces, Floats]:
    y = np.asarray(targets, np.float64)
    if y.ndim != 2:
        raise UserError(f"targets have shape {y.shape}: give (n_stimuli, n_targets), one column a neuroid")
    if not np.isfinite(y).all():
        missing = int((~np.isfinite(y)).any(axis=0).sum())
        raise UserError(f"{missing} of {y.shape[1]} targets have values that are not finite: leave them out")
    return Spaces.of(spaces, len(y)), y


def _fit(
    spaces: Spaces, targets: Floats, folds: Sequence[Fold], n_draws: int, random_state: int, label: str
) -> BandedFit:
    weightings = draw_weightings(len(spaces), n_draws, random_state)
    r, log_weights, predictions = [], [], []
    errors, squares = np.zeros((2, targets.shape[1]))
    for fold in track(folds, label):
        found = fit_fold(spaces, targets, fold, weightings)
        test = fold.split.test
        mean = targets[fold.split.train].mean(axis=0)
        truth, whole = targets[test] - mean, found.parts.sum(axis=0)
        r.append(np.nan_to_num(pearson(whole / found.spread, truth / found.spread)))
        errors += np.square(truth - whole).sum(axis=0)
        squares += np.square(truth).sum(axis=0)
        log_weights.append(np.log(weightings[found.weighting].T / found.alpha))
        predictions.append(found.parts)
    r2 = np.where(squares > 0, 1 - errors / np.maximum(squares, 1e-300), 0.0)
    return BandedFit(spaces.names, np.mean(r, axis=0), r2, np.array(log_weights), predictions)


@dataclass(frozen=True)
class BandedFold:
    """Several spaces fitted together on one training set.

    Attributes
    ----------
    split : Split
    weighting : array of int of shape (n_targets,)
        Which of the weightings each target chose.
    alpha : array of shape (n_targets,)
        The penalty, for kernels whose weighted sum has a mean eigenvalue of 1.
    inner_score : array of shape (n_targets,)
        1 - mean squared error of the inner held-out rows / variance of the target.
    spread : array of shape (n_targets,)
        Standard deviation of the training rows.
    parts : array of shape (n_spaces, n_test, n_targets)
        What each space adds to the training mean.
    """

    split: Split
    weighting: npt.NDArray[np.intp]
    alpha: Floats
    inner_score: Floats
    spread: Floats
    parts: Floats

    @property
    def prediction(self) -> Floats:
        """Of the test rows, less the training mean, ``(n_test, n_targets)``."""
        whole: Floats = self.parts.sum(axis=0, dtype=np.float64)
        return whole

    def only(self, targets: Indices) -> "BandedFold":
        """Of some of the targets."""
        return BandedFold(
            self.split, self.weighting[targets], self.alpha[targets], self.inner_score[targets],
            self.spread[targets], self.parts[:, :, targets],
        )  # fmt: skip


def fit_fold(
    spaces: Spaces, targets: Floats, fold: Fold, weightings: Floats, *, kind: npt.DTypeLike = np.float64
) -> BandedFold:
    """Choose a weighting and a penalty for every target, and predict the test rows.

    Parameters
    ----------
    spaces : Spaces
    targets : array of shape (n_stimuli, n_targets)
    fold : Fold
    weightings : array of shape (n_weightings, n_spaces)
    kind : dtype
        Of the predictions that are kept.
    """
    train, test = fold.split.train, fold.split.test
    standard = targets[train]
    mean, spread = standard.mean(axis=0), _spread(standard)
    standard -= mean
    standard /= spread
    bands = spaces.bands(train)
    choice = search(bands, standard, fold.inner, weightings, ALPHAS)
    parts = np.empty((len(spaces), len(test), targets.shape[1]), kind)
    across = spaces.across(train, test)
    for block in blocks_of(targets.shape[1], 40 * len(train)):
        some = choice.only(block)
        dual = refit(bands, standard[:, block], some, weightings, ALPHAS)
        scale = weightings[some.weighting].T / ALPHAS[some.penalty]
        for part, of_test, share in zip(parts, across, scale, strict=True):
            part[:, block] = of_test(dual) * (share * spread[block])
    return BandedFold(fold.split, choice.weighting, ALPHAS[choice.penalty], choice.score + 1.0, spread, parts)


def _spread(targets: Floats) -> Floats:
    """The standard deviation of each target, 1 where it is constant.

    Ties of the losses are broken by absolute amounts, which decide everything for targets in tesla.
    """
    spread = targets.std(axis=0)
    return np.where(spread > 1e-12 * np.abs(targets).max(axis=0), spread, 1.0)


def draw_weightings(n_spaces: int, n_draws: int, random_state: int) -> Floats:
    """Weightings of the spaces, each summing to one: every space alone, all alike, and random ones."""
    if n_spaces == 1:
        return np.ones((1, 1))
    rng = np.random.default_rng(random_state)
    drawn = [rng.dirichlet(np.full(n_spaces, (0.1, 1.0)[i % 2])) for i in range(n_draws)]
    tried = np.vstack([np.eye(n_spaces), np.full((1, n_spaces), 1 / n_spaces), *drawn])
    tried = np.maximum(tried, 1e-6)  # their logarithm is taken
    weightings: Floats = tried / tried.sum(axis=1, keepdims=True)
    return weightings
