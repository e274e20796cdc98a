"""Where it fires more often than elsewhere: classes of tokens, by Fisher's exact test with a false discovery rate."""

from dataclasses import dataclass

import numpy as np
from scipy.sparse import csc_array
from scipy.stats import hypergeom

from ...statistics.resampling import benjamini_hochberg
from .base import Floats, Keys, counts

_CONTEXT = 0.5
"""Least share of a class's variance that is within tokens of one kind, for it to be said beside tokens."""


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


def of_context(classes: Keys, tokens: Keys) -> "np.ndarray[tuple[int], np.dtype[np.bool_]]":
    """Which classes the token itself does not decide: half of their variance is within tokens of one kind.

    Parameters
    ----------
    classes, tokens : Keys
        Of the same rows.
    """
    n = counts(tokens)
    share = np.asarray((tokens.held.T @ classes.held).todense()) / np.maximum(n, 1)[:, None]
    within = (n[:, None] * share * (1 - share)).sum(axis=0) / max(n.sum(), 1)
    whole = counts(classes) / max(n.sum(), 1)
    decided: np.ndarray[tuple[int], np.dtype[np.bool_]] = within > _CONTEXT * whole * (1 - whole)
    return decided
