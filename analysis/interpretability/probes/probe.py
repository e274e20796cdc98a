"""One property probed in one layer: curves over k, controls, a certificate, and whether anything is shown."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from ....brain_data.probing.splits import Parts, split_by_document
from ....brain_data.probing.trivial import table_log_odds, trivial_f1
from .controls import FiringRules, firing_rules, pruned, rotated
from .optimal_probe import GAMMA, N_FILTERED, SECONDS, Certificate, optimal_support
from .rankings import ranked
from .scores import N_DRAWS, Scores, scores
from .sparse_probe import Bench, Point, adaptive, adaptive_supports, by_ranking, random_units, sizes_up_to

Floats = npt.NDArray[np.float64]
Integers = npt.NDArray[np.intp]

MARGIN = 0.02
"""What a probe must be above the best trivial predictor."""
OPTIMAL_SIZES = (1, 2, 4)
_RULE_UNITS = 4


@dataclass(frozen=True)
class Examples:
    """Labelled rows of a layer.

    Attributes
    ----------
    rows : array of shape (n_rows, n_units)
    labels : bool array of shape (n_rows,)
    documents : array of shape (n_rows,)
    apart : array of shape (n_rows,) or None
        What else must not be on both sides of the split.
    numbers, keys : mapping of str to array of shape (n_rows,)
        Trivial predictors: numbers such as length, keys such as the first token.
    tokens : intp array of shape (n_rows,), or sequence of intp array, or None
        The token of every row, or all tokens of its text, for the table that is shown beside.
    """

    rows: npt.NDArray[np.generic]
    labels: npt.NDArray[np.bool_]
    documents: npt.NDArray[np.generic]
    apart: npt.NDArray[np.generic] | None = None
    numbers: Mapping[str, Floats] = field(default_factory=dict)
    keys: Mapping[str, Integers] = field(default_factory=dict)
    tokens: Integers | Sequence[Integers] | None = None


@dataclass(frozen=True)
class OptimalPoint:
    """A probe of the best support, and the certificate.

    Attributes
    ----------
    point : Point
        Refitted.
    certificate : Certificate
        Optimal for the filtered, regularised problem up to its gap.
    adaptive_objective : float
        The regularised hinge loss of adaptive thresholding among the same filtered units.
    """

    point: Point
    certificate: Certificate
    adaptive_objective: float


@dataclass(frozen=True)
class Probe:
    """What the units of a layer say about a property.

    Attributes
    ----------
    n_train, n_test : int
        Rows, half of them positive.
    n_documents : tuple of int
        That train and that test.
    n_units : int
    ranked, adaptive : list of Point
        By mean difference, and by adaptive thresholding with intervals; the last is of all units.
    random, rotated : list of list of Point
        Draws for every k but the last.
    trivial : dict of str to float
        F1 of single trivial predictors.
    table : Scores or None
        Of the tokens alone, without the network.
    rules : FiringRules
    pruned : list of Point
        Of 4 units, each without those before.
    optimal : list of OptimalPoint
    """

    n_train: int
    n_test: int
    n_documents: tuple[int, int]
    n_units: int
    ranked: list[Point]
    adaptive: list[Point]
    random: list[list[Point]]
    rotated: list[list[Point]]
    trivial: dict[str, float]
    table: Scores | None
    rules: FiringRules
    pruned: list[Point]
    optimal: list[OptimalPoint]

    @property
    def best_trivial(self) -> tuple[str, float]:
        """The trivial predictor of the highest F1, and that."""
        if not self.trivial:
            return "none", 0.0
        name = max(self.trivial, key=lambda one: self.trivial[one])
        return name, self.trivial[name]

    def shows(self, point: Point) -> bool:
        """Whether a probe's F1 is .02 above the best trivial predictor's, and its AUROC above .5 with its interval."""
        low = point.intervals.get("auroc", (point.scores.auroc, 1.0))[0]
        return bool(point.scores.f1 >= self.best_trivial[1] + MARGIN and low > 0.5)

    @property
    def is_shown(self) -> bool:
        """Whether the probe of all units, or that of the most beside it, shows the property.

        Of more probes one would show what is not there: each has its own chance to.
        """
        return any(self.shows(point) for point in self.adaptive[-2:])


def probe(
    examples: Examples,
    *,
    most: int = 32,
    optimal: bool = False,
    seconds: float = SECONDS,
    gamma: float = GAMMA,
    controls: bool = True,
    parts: Parts | None = None,
    most_rows: int | None = 2000,
    n_draws: int = N_DRAWS,
    random_state: int = 0,
) -> Probe:
    """Probe a property in a layer.

    Documents are split 60 / 40; rows are balanced, standardised on the training half and divided by 10.

    Parameters
    ----------
    examples : Examples
    most : int
        The largest k beside all units.
    optimal : bool
        Search the best supports of 1, 2 and 4 units, too, among the 50 of the largest mean difference.
    seconds : float
        Of each search.
    gamma : float
        Of its regularisation.
    controls : bool
        Random units, rotated bases, pruning.
    parts : Parts, optional
        The split, where it is made already.
    most_rows : int, optional
        Rows of both halves together.
    n_draws, random_state : int

    Raises
    ------
    UserError
        For too few rows or documents.
    """
    if parts is None:
        parts = split_by_document(
            examples.labels,
            examples.documents,
            apart=examples.apart,
            most=most_rows,
            random_state=random_state,
        )
    bench = Bench.of(examples.rows, examples.labels, examples.documents, parts)
    sizes = sizes_up_to(most, bench.n_units)
    first = by_ranking(bench, sizes)
    return Probe(
        len(parts.train),
        len(parts.test),
        parts.n_documents,
        bench.n_units,
        first,
        adaptive(bench, sizes, n_draws=n_draws, random_state=random_state),
        random_units(bench, sizes[:-1], random_state=random_state) if controls else [],
        rotated(bench, sizes[:-1], random_state=random_state) if controls else [],
        trivial_f1(examples.numbers, examples.keys, examples.labels, parts),
        _table(examples, parts),
        firing_rules(bench, first[-1].units[:_RULE_UNITS]),
        pruned(bench, min(_RULE_UNITS, bench.n_units)) if controls else [],
        [optimal_point(bench, k, seconds, gamma) for k in OPTIMAL_SIZES if k <= most and k < bench.n_units]
        if optimal
        else [],
    )


def optimal_point(bench: Bench, k: int, seconds: float = SECONDS, gamma: float = GAMMA) -> OptimalPoint:
    """The exact search among the 50 units of the largest mean difference, begun at what adaptive thresholding keeps.

    Parameters
    ----------
    bench : Bench
    k : int
    seconds, gamma : float
        See :func:`.optimal_probe.optimal_support`.
    """
    from .optimal_probe import HingeProblem

    filtered = ranked("mean difference", bench.x, bench.y)[:N_FILTERED]
    few = bench.only(filtered)
    kept = adaptive_supports(few, sorted({k, *sizes_up_to(4 * k, few.n_units)}))[k]
    found = optimal_support(few.x, few.y, k, gamma=gamma, seconds=seconds, starts=[kept])
    return OptimalPoint(
        bench.point(filtered[found.units]), found, HingeProblem(few.x, few.y, gamma).objective(kept)
    )


def _table(examples: Examples, parts: Parts) -> Scores | None:
    if examples.tokens is None:
        return None
    y, y_test = examples.labels[parts.train], examples.labels[parts.test]
    if isinstance(examples.tokens, np.ndarray):
        odds = table_log_odds(examples.tokens[parts.train], y, examples.tokens[parts.test])
    else:
        odds = bag_log_odds(examples.tokens, examples.labels, parts)
    return scores(odds, y_test)


def bag_log_odds(bags: Sequence[Integers], labels: npt.NDArray[np.bool_], parts: Parts) -> Floats:
    """Log odds of the test texts by their tokens alone, whatever their order: multinomial naive Bayes, 1/2 added.

    What a network adds to this is more than "it holds the byte 0xC3".

    Parameters
    ----------
    bags : sequence of intp array
        Token ids of every text.
    labels : bool array of shape (n_texts,)
    parts : Parts
    """
    size = 1 + max(int(one.max(initial=0)) for one in bags)
    share = []
    for kind in (True, False):
        count = np.full(size, 0.5)
        for i in parts.train:
            if labels[i] == kind:
                count += np.bincount(bags[i], minlength=size)
        share.append(np.log(count / count.sum()))
    table = share[0] - share[1]
    return np.array([table[bags[i]].sum() for i in parts.test])
