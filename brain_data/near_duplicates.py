"""Stimuli that are the same, or nearly: what is learned of one is known of the other, so folds must not part them."""

import os
import re
import unicodedata
from collections.abc import Collection, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path

import numpy as np
import numpy.typing as npt

from .stimuli.pictures import background_of, opened
from .stimulus_set import StimulusSet
from .text_columns import text_column

ALIKE_TEXTS, ALIKE_PICTURES = 0.8, 0.98
"""Jaccard index of the sets of three letters; Pearson r of 32 x 32 grey pixels."""
IN_CONTEXT = ("story", "passage", "scene", "sentence_id", "position", "time")
"""Columns that say that a word stands in a text: there it is another stimulus each time."""
_SIDE, _BLOCK = 32, 1024
_NO_WORD = re.compile(r"[^\w\s]")
_LARGEST = 0.1
_MOST_READERS = 8

Integers = npt.NDArray[np.intp]
Floats = npt.NDArray[np.float32]
_Pairs = Iterator[tuple[Integers, Integers]]


@dataclass(frozen=True)
class Alike:
    """Which stimuli of a set are alike.

    Attributes
    ----------
    same : array of shape (n_stimuli,) or None
        The group of each stimulus, where those that are the same are a group; None where no two are.
    near : array of shape (n_stimuli,) or None
        Where those that are the same or nearly are a group.
    """

    same: Integers | None = None
    near: Integers | None = None

    @property
    def n_same(self) -> int:
        """Stimuli that another one is the same as."""
        return n_shared(self.same)

    @property
    def n_near(self) -> int:
        """Stimuli that another one is the same as, or nearly."""
        return n_shared(self.near)


def n_shared(groups: Integers | None) -> int:
    """Stimuli that are not alone in their group."""
    return 0 if groups is None else int((np.bincount(groups)[groups] > 1).sum())


def alike(stimuli: StimulusSet, columns: Collection[str] = ()) -> Alike:
    """Find stimuli that are the same, or nearly.

    Texts are the same when they are equal but for case and punctuation, and nearly when they share 0.8 of their
    three-letter pieces (Jaccard index). Words are the same when they are equal, unless a column says that they stand
    in a text. Pictures are the same when they are equal pixel by pixel, and nearly when their 32 x 32 grey pixels
    correlate with r >= 0.98. Groups are connected components. Where one of these would hold more than a tenth of the
    stimuli (objects on one background), likeness says nothing: the ranks of their pixels must then correlate by as much
    beyond the mean picture, and where that does not help either, only those that are the same count.

    Parameters
    ----------
    stimuli : StimulusSet
        With ``sentence``, ``word`` or ``text``, or pictures in ``stimulus_paths``.
    columns : collection of str
        What else is known of the stimuli, beside their own columns.
    """
    paths = getattr(stimuli, "stimulus_paths", None) or {}
    if paths and ("filename" in stimuli or text_column(stimuli) is None):
        shown = [Path(paths[key]) for key in stimuli["stimulus_id"]]
        return _alike_pictures(stimuli, shown) if all(path.is_file() for path in shown) else Alike()
    column = text_column(stimuli)
    if column is None or (
        column == "word" and {*map(str, stimuli.columns), *columns} & {*IN_CONTEXT, "sentence"}
    ):
        return Alike()
    texts = [unicodedata.normalize("NFC", str(text)) for text in stimuli[column]]
    if column == "word":
        same = _groups_of([text.strip() for text in texts])
        return Alike(same, same)
    plain = [
        " ".join(_NO_WORD.sub(_without_punctuation, text.lower()).split()) or text.strip() for text in texts
    ]
    same = _groups_of(plain)
    near = _near(len(plain), same, _alike_texts(plain))
    return Alike(same, same if near is None else near)


def _without_punctuation(found: "re.Match[str]") -> str:
    """What is no letter, digit or space stays where it means something: signs, vowels written as marks, decimals."""
    kept = unicodedata.category(found[0])[0] in "SM" or found[0].isnumeric()
    between = found.string[max(found.start() - 1, 0) : found.end() + 1]
    return found[0] if kept or (len(between) > 1 and between[-1].isdigit() and found[0] in ".,-") else ""


def _groups_of(values: Sequence[object]) -> Integers | None:
    """The group of each value, where equal ones are a group; None where no two are equal."""
    place = {value: i for i, value in enumerate(dict.fromkeys(values))}
    return np.array([place[value] for value in values], np.intp) if len(place) < len(values) else None


def _near(n: int, same: Integers | None, pairs: _Pairs) -> Integers | None:
    """Components of what is the same and of pairs; None where there is no pair, or a component says too little."""
    member = np.arange(n) if same is None else same
    everyone = np.arange(int(member.max()) + 1)
    groups = everyone
    for first, second in pairs:
        stand_in = np.unique(groups, return_index=True)[1][groups]
        joined = np.concatenate([everyone, member[first]]), np.concatenate([stand_in, member[second]])
        groups = _components(len(everyone), *joined)
        if np.bincount(groups).max() > max(2, _LARGEST * len(everyone)):
            return None
    return None if groups.max() + 1 == len(everyone) else groups[member]


def components(*groupings: Integers) -> Integers:
    """Groups of stimuli that share a group in any of several groupings, directly or through others."""
    first, *others = groupings
    n_groups = int(first.max()) + 1
    shared = np.concatenate([n_groups + i * len(first) + one for i, one in enumerate(others)])
    joined = _components(n_groups + len(shared), np.tile(first, len(others)), shared)
    groups: Integers = np.unique(joined[first], return_inverse=True)[1].astype(np.intp)
    return groups


def _components(n: int, first: Integers, second: Integers) -> Integers:
    from scipy.sparse import coo_matrix
    from scipy.sparse.csgraph import connected_components

    joined = coo_matrix((np.ones(len(first), np.int8), (first, second)), shape=(n, n))
    return np.asarray(connected_components(joined, directed=False)[1], np.intp)


def _alike_texts(plain: Sequence[str]) -> _Pairs:
    from scipy.sparse import csr_matrix

    pieces: dict[str, int] = {}
    rows, columns = [], []
    for row, text in enumerate(plain):
        for piece in {text[i : i + 3] for i in range(max(len(text) - 2, 1))}:
            rows.append(row)
            columns.append(pieces.setdefault(piece, len(pieces)))
    held = csr_matrix((np.ones(len(rows)), (rows, columns)), shape=(len(plain), len(pieces)))
    size = np.asarray(held.sum(axis=1)).ravel()
    for start in range(0, len(plain), _BLOCK):
        shared = (held[start : start + _BLOCK] @ held.T).tocoo()
        first, second = shared.row + start, shared.col
        close = (shared.data / (size[first] + size[second] - shared.data) >= ALIKE_TEXTS) & (first < second)
        yield first[close].astype(np.intp), second[close].astype(np.intp)


def _alike_pictures(stimuli: StimulusSet, paths: Sequence[Path]) -> Alike:
    names = stimuli["stimulus_id"].tolist()

    def look(row: int) -> tuple[str, Floats]:
        with opened(paths[row], f"stimulus {names[row]!r}", background_of(stimuli, row)) as picture:
            small = np.asarray(picture.convert("L").resize((_SIDE, _SIDE)), np.float32).ravel()
            return sha256(b"%d %d " % picture.size + picture.tobytes()).hexdigest(), small

    with ThreadPoolExecutor(min(_MOST_READERS, os.cpu_count() or 1)) as readers:
        looked = list(readers.map(look, range(len(paths))))
    same = _groups_of([pixels for pixels, _ in looked])
    pixels = _standardized(np.array([small for _, small in looked]))
    near = _near(len(paths), same, _correlated(pixels))
    if near is None:
        ranks = _standardized(_ranks(pixels))  # whatever brightness and contrast, and where they clip
        mean = _standardized(ranks.mean(axis=0, keepdims=True))
        beyond = _standardized(ranks - ranks @ mean.T * mean)
        near = _near(len(paths), same, _correlated(pixels, beyond))
    return Alike(same, same if near is None else near)


def _ranks(rows: Floats) -> Floats:
    from scipy.stats import rankdata

    return np.asarray(rankdata(rows, axis=1), np.float32)


def _standardized(rows: Floats) -> Floats:
    """Centered, of length 1; 0 where a picture is of one gray."""
    centered = rows - rows.mean(axis=1, keepdims=True)
    size = np.linalg.norm(centered, axis=1, keepdims=True)
    standardized: Floats = centered / np.where(size > 0, size, 1)
    return standardized


def _correlated(*views: Floats) -> _Pairs:
    """Pairs of rows that correlate in every view."""
    for start in range(0, len(views[0]), _BLOCK):
        close = np.ones((len(views[0][start : start + _BLOCK]), len(views[0])), bool)
        for rows in views:
            close &= rows[start : start + _BLOCK] @ rows.T >= ALIKE_PICTURES
        first, second = np.nonzero(np.triu(close, k=start + 1))
        yield first + start, second


def described(found: Alike, names: Sequence[object]) -> list[str]:
    """Lines for people on what is alike in a data set; none where nothing is.

    Parameters
    ----------
    found : Alike
    names : sequence
        The stimuli's ids.
    """
    lines = []
    if found.same is not None:
        lines.append(
            f"{found.n_same} stimuli are the same as others under another id ({_first(found.same, names)})"
        )
    if found.near is not None and found.n_near > found.n_same:
        n_more = found.n_near - found.n_same
        lines.append(f"{n_more} {'more ' if lines else ''}stimuli are nearly the same as others")
    return lines


def _first(groups: Integers, names: Sequence[object]) -> str:
    group = int(np.flatnonzero(np.bincount(groups) > 1)[0])
    both = [str(names[i]) for i in np.flatnonzero(groups == group)[:2]]
    return f"first: {both[0]!r} and {both[1]!r}"
