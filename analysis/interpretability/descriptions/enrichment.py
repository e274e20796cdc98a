"""Where it fires more often than elsewhere: classes of tokens, by Fisher's exact test with a false discovery rate."""

from dataclasses import dataclass

import numpy as np
from scipy.sparse import csc_array
from scipy.stats import hypergeom

from ...statistics.resampling import benjamini_hochberg
from .base import Floats, Keys, counts, largest


@dataclass(frozen=True)
class Enrichment:
    """Of every class and every unit or feature, (n_keys, n).

    Attributes
    ----------
    ratio : array
        P(class | fires) / P(class); 0 where it never fires.
    q : array
        Of Fisher's test that it is above 1, Benjamini-Hochberg over all; as if rows were drawn one by one.
    """

    ratio: Floats
    q: Floats


def firing_counts(keys: Keys, activations: csc_array) -> tuple[Floats, Floats]:
    """Firing rows of every class, (n_keys, n), and all firing rows, (n,).

    Parameters
    ----------
    keys : Keys
    activations : sparse array of shape (n_rows, n)
    """
    fires = (activations > 0).astype(np.float64)
    both: Floats = np.asarray((keys.held.T @ fires).todense(), np.float64)
    return both, np.asarray(fires.sum(axis=0)).ravel()


def strong(activations: csc_array, share: float) -> csc_array:
    """Only the largest of each column: so many rows, and no more than fire.

    Parameters
    ----------
    activations : sparse array of shape (n_rows, n)
    share : float
        Of the rows.
    """
    return largest(activations, max(1, round(share * activations.shape[0])))


def enrichment(both: Floats, fires: Floats, classes: Floats, n_rows: int) -> Enrichment:
    """Ratios, and q of Fisher's exact test that a class holds more often where it fires.

    Parameters
    ----------
    both : array of shape (n_keys, n)
    fires : array of shape (n,)
    classes : array of shape (n_keys,)
        Rows of each class.
    n_rows : int
    """
    expected = classes[:, None] * fires / max(n_rows, 1)
    ratio = np.divide(both, expected, out=np.zeros_like(both), where=expected > 0)
    p = hypergeom.sf(both - 1, n_rows, classes[:, None], fires)
    return Enrichment(ratio, np.asarray(benjamini_hochberg(np.clip(p, 0, 1).ravel())).reshape(p.shape))


def beyond_tokens(both: Floats, classes: Keys, tokens: Keys, firing: csc_array) -> Floats:
    """How much more often a class holds where it fires than in as many rows of the same tokens, (n_keys, n).

    Parameters
    ----------
    both : array of shape (n_keys, n)
        Firing rows of every class.
    classes, tokens : Keys
        Of the same rows.
    firing : sparse array of shape (n_tokens, n)
        Firing rows of every token.
    """
    of_token = csc_array(tokens.held.T @ classes.held).multiply(1 / np.maximum(counts(tokens), 1)[:, None])
    expected = np.asarray((csc_array(of_token).T @ firing).todense(), np.float64)
    return np.divide(both, expected, out=np.zeros_like(both), where=expected > 0)
