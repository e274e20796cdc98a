"""Which of the tokens that it promotes it fires before."""

import numpy as np
from scipy.sparse import csc_array

from .base import SHRINK, Family, Keys, Part, add_family, counts, largest, masses, one_key
from .evidence import Reading, Shown


def _keys(shown: Shown) -> Keys:
    assert isinstance(shown, Reading)
    return Keys(one_key(shown.beside(1), len(shown.names)), shown.names.__getitem__)


def _table(keys: Keys, part: Part) -> csc_array:
    """The shrunk means of tokens that are promoted, and no others."""
    shape = (keys.held.shape[1], part.activations.shape[1])
    if part.promoted is None:
        return csc_array(shape)
    assert isinstance(part.shown, Reading)
    ids = part.shown.kinds[0]
    place = np.minimum(np.searchsorted(ids, part.promoted), len(ids) - 1)
    column = np.broadcast_to(np.arange(shape[1])[:, None], place.shape)
    occurs = ids[place] == part.promoted
    allowed = csc_array((np.ones(occurs.sum()), (place[occurs], column[occurs])), shape=shape)
    allowed.data[:] = 1
    kept = largest(csc_array(masses(keys, part.activations).multiply(allowed)))
    values = kept.data / (counts(keys)[kept.indices] + SHRINK)
    return csc_array((values, kept.indices, kept.indptr), shape=shape)


add_family(
    Family("next token", "text", "fires before", "the token after, of those that it promotes", _keys, _table),
    __name__,
)
