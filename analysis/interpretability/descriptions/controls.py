"""What descriptions are held against: units, random directions, dictionaries that learnt nothing, shuffled rows."""

from collections.abc import Iterator

import numpy as np
import numpy.typing as npt
from scipy.sparse import csc_array

from ..dictionary import Dictionary
from ..quality.controls import covariance_matched_directions, isotropic_directions, untrained
from ..quality.firing import sparse_codes
from .base import Floats
from .evidence import Indices

Rows = npt.NDArray[np.float32]
FEATURES, UNITS, SHUFFLED = "features", "units", "shuffled tokens"
UNITS_AT_RATE, RANDOM = "units at the same rate", "random directions at that rate"
COVARIANCE = "directions of the layer's covariance at that rate"
UNTRAINED, FROZEN = "untrained dictionary", "frozen dictionary"


def controls(
    rows: Rows,
    features: csc_array | None,
    dictionary: Dictionary | None,
    chosen: Indices,
    *,
    frozen: Dictionary | None = None,
    random_state: int = 0,
) -> Iterator[tuple[str, csc_array]]:
    """Activations to be described like those of features, a kind at a time.

    Without a dictionary the chosen columns are units, and rates are those at which they are above 0.

    Parameters
    ----------
    rows : array of shape (n_rows, n_units)
        Of the layer.
    features : sparse array of shape (n_rows, n_features), or None
    dictionary : Dictionary or None
    chosen : int array
        The features whose rates are taken, and which are shuffled.
    frozen : Dictionary, optional
        One whose decoder stayed as it was drawn.
    random_state : int

    Yields
    ------
    (kind, sparse array of shape (n_rows, n))
    """
    generator = np.random.default_rng([random_state, 23])
    n_rows, n_units = rows.shape
    some = generator.choice(n_units, min(n_units, max(len(chosen), 1)), replace=False)
    base = csc_array(np.maximum(rows[:, chosen], 0)) if features is None else csc_array(features[:, chosen])
    rates = np.diff(base.indptr) / max(n_rows, 1)
    if features is not None:
        of_units = generator.choice(rates, len(some), replace=len(some) > len(rates))
        yield UNITS_AT_RATE, at_rates(rows[:, some], of_units)
        yield UNITS, csc_array(np.maximum(rows[:, some], 0))
    drawn = isotropic_directions(len(chosen), n_units, random_state=random_state)
    yield RANDOM, at_rates(_along(rows, drawn), rates)
    drawn = covariance_matched_directions(rows, len(chosen), random_state=random_state)
    yield COVARIANCE, at_rates(_along(rows, drawn), rates)
    if dictionary is not None and features is not None:
        k = max(1, round(features.nnz / max(n_rows, 1)))
        nothing = untrained(dictionary, k, random_state=random_state)
        yield UNTRAINED, _some_codes(nothing, rows, len(chosen), generator)
    if frozen is not None:
        yield FROZEN, _some_codes(frozen, rows, len(chosen), generator)
    yield SHUFFLED, csc_array(base.tocsr()[generator.permutation(n_rows)])


def at_rates(values: npt.ArrayLike, rates: Floats) -> csc_array:
    """Each column above a threshold that so large a share of its rows exceeds, max(0, x - threshold).

    Parameters
    ----------
    values : array of shape (n_rows, n)
    rates : array of shape (n,)
    """
    x = np.asarray(values, np.float32)
    made = []
    for column, rate in zip(x.T, rates, strict=True):
        limit = (
            np.partition(column, -1 - round(rate * len(column)))[-1 - round(rate * len(column))]
            if rate < 1
            else column.min()
        )
        made.append(np.maximum(column - limit, 0))
    return csc_array(np.stack(made, axis=1)) if made else csc_array((len(x), 0))


def _along(rows: Rows, directions: Floats) -> Rows:
    made: Rows = rows @ directions.T.astype(np.float32)
    return made


def _some_codes(dictionary: Dictionary, rows: Rows, n: int, generator: np.random.Generator) -> csc_array:
    """Features of a dictionary that fire, as many as asked for."""
    whole = sparse_codes(dictionary, rows)
    firing = np.flatnonzero(np.diff(whole.indptr) > 0)
    return csc_array(whole[:, np.sort(generator.choice(firing, min(n, len(firing)), replace=False))])
