"""Which pictures it fires on, by what is known of them: category, animacy, hue, orientation, luminance."""

import numpy as np
from scipy.sparse import csc_array, csr_array

from .base import SHRINK, Family, Keys, Part, add_family, counts, largest, masses
from .evidence import Seen, Shown


def labels_of(shown: Seen) -> list[tuple[str, str]]:
    """Every label with the column that it is of, in order."""
    return [
        (name, str(one)) for name, column in shown.labels.items() for one in np.unique(column) if str(one)
    ]


def _keys(shown: Shown) -> Keys | None:
    assert isinstance(shown, Seen)
    pairs = labels_of(shown)
    if not pairs:
        return None
    rows = [np.flatnonzero(np.asarray(shown.labels[name]) == one) for name, one in pairs]
    number, place = np.repeat(np.arange(len(pairs)), list(map(len, rows))), np.concatenate(rows)
    held = csr_array((np.ones(len(place), np.float32), (place, number)), shape=(len(shown), len(pairs)))
    return Keys(held, lambda key: pairs[key][1])


def _table(keys: Keys, part: Part) -> csc_array:
    """Shrunk means of the labels of one column: the one that holds most of the variance between pictures.

    A column counts for the sum over its labels of n (mean - whole mean)^2 less what so many would hold by chance.
    """
    assert isinstance(part.shown, Seen)
    f = part.activations
    columns = np.unique([name for name, _ in labels_of(part.shown)], return_inverse=True)[1]
    sums, n = masses(keys, f).toarray().astype(np.float64), counts(keys)
    mean = np.asarray(f.sum(axis=0), np.float64).ravel() / max(f.shape[0], 1)
    square = np.asarray(f.multiply(f).sum(axis=0), np.float64).ravel() / max(f.shape[0], 1) - mean**2
    between = np.where(n[:, None] > 0, (sums - n[:, None] * mean) ** 2 / np.maximum(n[:, None], 1), 0)
    owner = csr_array((np.ones(len(columns)), (columns, np.arange(len(columns)))))
    explained = owner @ between - (owner @ (n > 0) - 1)[:, None] * square
    best = explained.argmax(axis=0)
    kept = sums * (columns[:, None] == best) * (explained.max(axis=0) > 0)
    kept = largest(csc_array(kept))
    values = kept.data / (n[kept.indices] + SHRINK)
    return csc_array((values, kept.indices, kept.indptr), shape=kept.shape)


add_family(
    Family("picture", "picture", "fires on pictures labeled", "labels of the picture", _keys, _table),
    __name__,
)
