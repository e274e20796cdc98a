"""Stimuli that are nearly the same: what is learned of one is known of the other, so folds must not part them."""

import re
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt

from .stimulus_set import StimulusSet

ALIKE_TEXTS, ALIKE_PICTURES = 0.8, 0.98
"""Jaccard index of the sets of three letters; Pearson r of 32 x 32 grey pixels."""
_SIDE, _BLOCK = 32, 1024
_LARGEST = 0.1

Integers = npt.NDArray[np.intp]


def near_duplicates(stimuli: StimulusSet) -> Integers | None:
    """The group of each stimulus, where near-duplicates are a group; None where none are, or where too many are.

    Texts are alike when they are equal but for case and punctuation, or share 0.8 of their three-letter pieces
    (Jaccard index); pictures when their 32 x 32 grey pixels correlate with r >= 0.98. Groups are connected components.
    Where one of them would hold more than a tenth of the stimuli (objects on one background), likeness of pixels says
    nothing, and None is given.

    Parameters
    ----------
    stimuli : StimulusSet
        With ``sentence`` or ``word``, or pictures in ``stimulus_paths``.

    Returns
    -------
    array of shape (n_stimuli,) or None
    """
    paths = getattr(stimuli, "stimulus_paths", None) or {}
    column = next((name for name in ("sentence", "word") if name in stimuli), None)
    if column == "word" or (column is None and not paths):
        return None  # a word is shown many times, in other places of other sentences
    if column is not None:
        pairs = _alike_texts([str(text) for text in stimuli[column]])
    else:
        shown = [Path(paths[key]) for key in stimuli["stimulus_id"]]
        pairs = _alike_pictures(shown) if all(path.is_file() for path in shown) else []
    if not pairs:
        return None
    groups = _components(len(stimuli), pairs)
    return None if np.bincount(groups).max() > max(2, _LARGEST * len(groups)) else groups


def _alike_texts(texts: Sequence[str]) -> list[tuple[int, int]]:
    from scipy.sparse import csr_matrix

    plain = [" ".join(re.sub(r"[^\w\s]", "", text.lower()).split()) for text in texts]
    pieces: dict[str, int] = {}
    rows, columns = [], []
    for row, text in enumerate(plain):
        for piece in {text[i : i + 3] for i in range(max(len(text) - 2, 1))}:
            rows.append(row)
            columns.append(pieces.setdefault(piece, len(pieces)))
    held = csr_matrix((np.ones(len(rows)), (rows, columns)), shape=(len(plain), len(pieces)))
    size = np.asarray(held.sum(axis=1)).ravel()
    pairs = []
    for start in range(0, len(plain), _BLOCK):
        shared = (held[start : start + _BLOCK] @ held.T).tocoo()
        first, second = shared.row + start, shared.col
        alike = shared.data / (size[first] + size[second] - shared.data) >= ALIKE_TEXTS
        pairs += [(int(a), int(b)) for a, b in zip(first[alike], second[alike], strict=True) if a < b]
    return pairs


def _alike_pictures(paths: Sequence[Path]) -> list[tuple[int, int]]:
    from PIL import Image

    pixels = np.empty((len(paths), _SIDE * _SIDE), np.float32)
    for row, path in zip(pixels, paths, strict=True):
        with Image.open(path) as picture:
            row[:] = np.asarray(picture.convert("L").resize((_SIDE, _SIDE)), np.float32).ravel()
    pixels -= pixels.mean(axis=1, keepdims=True)
    size = np.linalg.norm(pixels, axis=1, keepdims=True)
    pixels /= np.where(size > 0, size, 1)
    pairs = []
    for start in range(0, len(pixels), _BLOCK):
        first, second = np.nonzero(pixels[start : start + _BLOCK] @ pixels.T >= ALIKE_PICTURES)
        pairs += [(int(a) + start, int(b)) for a, b in zip(first, second, strict=True) if a + start < b]
    return pairs


def _components(n: int, pairs: Sequence[tuple[int, int]]) -> Integers:
    from scipy.sparse import coo_matrix
    from scipy.sparse.csgraph import connected_components

    first, second = np.array(pairs).T
    joined = coo_matrix((np.ones(len(pairs)), (first, second)), shape=(n, n))
    return np.asarray(connected_components(joined, directed=False)[1], np.intp)
