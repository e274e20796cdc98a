"""How well a probe tells a property on the test rows, and how far other documents would move that."""

from dataclasses import dataclass, fields

import numpy as np
import numpy.typing as npt

from ...statistics.paired_tests import t_quantile

Floats = npt.NDArray[np.float64]
Integers = npt.NDArray[np.intp]
Labels = npt.NDArray[np.bool_]

N_DRAWS = 400
LEVEL = 0.95


@dataclass(frozen=True)
class Scores:
    """Scores of a probe on test rows; a row counts as positive where its log odds are above 0.

    Attributes
    ----------
    f1 : float
        2 tp / (2 tp + fp + fn).
    precision : float
        tp / (tp + fp), 0 where nothing is called positive.
    recall : float
        tp / (tp + fn).
    auroc : float
        P(log odds of a positive row > those of a negative), ties half.
    average_precision : float
        Sum over thresholds of (recall - the recall before) x precision.
    mcc : float
        Matthews' correlation of calls and labels, 0 where all calls are the same.
    log_loss : float
        Mean -ln p of the label, nats; ln 2 = .693 says nothing.
    """

    f1: float
    precision: float
    recall: float
    auroc: float
    average_precision: float
    mcc: float
    log_loss: float


NAMES = tuple(field.name for field in fields(Scores))


def scores(log_odds: npt.ArrayLike, labels: npt.ArrayLike) -> Scores:
    """The scores of a probe's log odds (n_rows,) for its labels (n_rows,); both classes must be there."""
    odds, true = np.asarray(log_odds, np.float64), np.asarray(labels, bool)
    return Scores(*(float(one[0]) for one in _weighted(odds, true, np.ones((1, len(true))))))


def intervals(
    log_odds: npt.ArrayLike,
    labels: npt.ArrayLike,
    documents: npt.ArrayLike,
    *,
    n_draws: int = N_DRAWS,
    level: float = LEVEL,
    random_state: int = 0,
) -> dict[str, tuple[float, float]]:
    """Bootstrap intervals of every score: whole documents are drawn with replacement.

    Documents that are all positive, all negative and mixed are drawn apart, as many of each as there are. Percentiles
    of few documents are too narrow: the level is that whose normal quantile is sqrt(G / (G - 1)) times the quantile
    of t with G - 1 degrees of freedom, G the number of documents (Hesterberg 2015, Am. Stat. 69:371).

    Returns
    -------
    dict of str to (low, high)
        A name of :class:`Scores` -> its interval; NaN with fewer than 4 documents.
    """
    from scipy.stats import norm

    odds, true = np.asarray(log_odds, np.float64), np.asarray(labels, bool)
    names, member = np.unique(np.asarray(documents), return_inverse=True)
    n = len(names)
    if n < 4:
        return dict.fromkeys(NAMES, (float("nan"), float("nan")))
    drawn = document_draws(true, member, n_draws, random_state)[:, member]
    wide = np.sqrt(n / (n - 1)) * t_quantile((1 + level) / 2, n - 1)
    tail = float(norm.sf(wide))
    found = {}
    for name, values in zip(NAMES, _weighted(odds, true, drawn), strict=True):
        low, high = np.quantile(values[np.isfinite(values)], [tail, 1 - tail])
        found[name] = (float(low), float(high))
    return found


def document_draws(true: Labels, member: Integers, n_draws: int, random_state: int) -> Floats:
    """How often each document is drawn (n_draws, n_documents), within those of pure and of mixed labels.

    Parameters
    ----------
    true : bool array of shape (n_rows,)
    member : intp array of shape (n_rows,)
        The document of every row.
    n_draws, random_state : int
    """
    generator = np.random.default_rng(random_state)
    size = np.bincount(member)
    rate = np.bincount(member, true) / size
    counts = np.zeros((n_draws, len(size)))
    for kind in (rate == 1, rate == 0, (rate > 0) & (rate < 1)):
        if n := int(kind.sum()):
            counts[:, kind] = generator.multinomial(n, np.full(n, 1 / n), size=n_draws)
    return counts


def _weighted(odds: Floats, true: Labels, weights: Floats) -> tuple[Floats, ...]:
    """Every score under weights (n_draws, n_rows) of the rows, in the order of the fields."""
    calls = odds > 0
    tp, fp = weights @ (calls & true).astype(float), weights @ (calls & ~true).astype(float)
    positive, negative = weights @ true.astype(float), weights @ (~true).astype(float)
    fn, tn = positive - tp, negative - fp
    with np.errstate(invalid="ignore", divide="ignore"):
        f1 = 2 * tp / (2 * tp + fp + fn)
        precision = np.where(tp + fp > 0, tp / (tp + fp), 0.0)
        recall = tp / positive
        spread = np.sqrt((tp + fp) * (tp + fn) * (tn + fp) * (tn + fn))
        mcc = np.where(spread > 0, (tp * tn - fp * fn) / spread, 0.0)
        auroc, average = _over_thresholds(odds, true, weights, positive, negative)
        loss = weights @ np.logaddexp(0, np.where(true, -odds, odds)) / weights.sum(axis=1)
    return f1, precision, recall, auroc, average, mcc, loss


def _over_thresholds(
    odds: Floats, true: Labels, weights: Floats, positive: Floats, negative: Floats
) -> tuple[Floats, Floats]:
    """AUROC and average precision; rows of equal log odds pass a threshold together."""
    order = np.argsort(-odds, kind="stable")
    first = np.flatnonzero(np.append(True, np.diff(odds[order]) != 0))
    own = weights[:, order]
    of_true = np.add.reduceat(own * true[order], first, axis=1)
    of_false = np.add.reduceat(own * ~true[order], first, axis=1)
    passed = np.cumsum(of_true, axis=1)
    called = passed + np.cumsum(of_false, axis=1)
    beaten = (of_false * (passed - of_true / 2)).sum(axis=1)
    precision = np.divide(passed, called, out=np.zeros_like(passed), where=called > 0)
    return beaten / (positive * negative), (of_true * precision).sum(axis=1) / positive
