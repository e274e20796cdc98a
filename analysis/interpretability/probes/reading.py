"""The rows of a layer that properties label: tokens of running text, pooled texts, pooled pictures."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from ....brain_data.probing.base import (
    PROPERTIES,
    Pictures,
    Property,
    Texts,
    TokenizedText,
    frequency_ranks,
    picture_numbers,
    text_numbers,
    token_labels,
    token_numbers,
)
from ....brain_data.probing.material import Material
from ....brain_data.probing.splits import Parts, split_by_document
from ....brain_data.stimulus_set import StimulusSet
from ....errors import UserError, first_line
from .probe import Examples

if TYPE_CHECKING:
    from torch import Tensor

    from ....models.extraction.language_model import LanguageModel
    from ....models.extraction.rows import LayerRows, TokenWindows
    from ....models.extraction.torch_model import Network

Integers = npt.NDArray[np.intp]
Rows = npt.NDArray[np.float32]
Encode = Callable[["Tensor"], "Tensor"]

MOST_TOKENS = 120_000
MOST_ROWS = 2000
_TOKEN, _MEAN, _MAX, _LAST = "token", "mean", "max", "last"


@dataclass(frozen=True)
class Labelled:
    """A property's rows, in each way in which a text or picture becomes one row.

    Attributes
    ----------
    asked : Property
    examples : dict of str to Examples
        ``token``; ``mean``, ``max`` and ``last`` of texts; ``mean`` and ``max`` of pictures. The rows that train stand
        first.
    parts : Parts
    """

    asked: Property
    examples: dict[str, Examples]
    parts: Parts


def labelled_rows(
    model: "Network",
    layer: str,
    names: Sequence[str],
    material: Material,
    *,
    encode: Encode | None = None,
    most_tokens: int = MOST_TOKENS,
    most_rows: int = MOST_ROWS,
    random_state: int = 0,
) -> Iterator[Labelled | tuple[str, str]]:
    """Rows of a layer for properties, each network pass shared by all that need it.

    Parameters
    ----------
    model : Network
        With its lesions and splices.
    layer : str
    names : sequence of str
        Of ``PROPERTIES``.
    material : Material
    encode : callable, optional
        Rows (n, n_units) -> features (n, n_features), before pooling, to probe a dictionary's codes.
    most_tokens : int
        Of running text, about, the beginnings of all documents.
    most_rows : int
        Of a property of tokens.
    random_state : int
        Of the splits.

    Yields
    ------
    Labelled, or (name, reason)
        The reason where a property is skipped: its material is absent, too little of it, or the network cannot.

    Raises
    ------
    UserError
        For a name that is no property, or one of texts for a network that looks at pictures, and the other way.
    """
    chosen = [PROPERTIES[name] for name in names]
    readable = ("picture",) if model.modality == "vision" else ("token", "text")
    for one in chosen:
        if one.level not in readable:
            raise UserError(
                f"{one.name} is of a {one.level}: {model.identifier} is a {model.modality} network"
            )
    given = encode or (lambda rows: rows)
    readers: dict[str, Any] = {"token": _of_tokens, "text": _of_texts, "picture": _of_pictures}
    for level, read in readers.items():
        of_level = [one for one in chosen if one.level == level]
        if of_level:
            yield from read(model, layer, of_level, material, given, most_tokens, most_rows, random_state)


def _of_tokens(
    model: "LanguageModel",
    layer: str,
    chosen: list[Property],
    material: Material,
    encode: Encode,
    most_tokens: int,
    most_rows: int,
    seed: int,
) -> Iterator[Labelled | tuple[str, str]]:
    from ....models.extraction.rows import layer_rows

    try:
        texts, windows = tokenized(model, material.running_text(), most_tokens)
    except UserError as error:
        yield from ((one.name, first_line(error)) for one in chosen)
        return
    ready: list[tuple[Property, Parts, Integers, Any]] = []
    place = np.concatenate([text.place for text in texts])
    for one in chosen:
        try:
            found = token_labels(one, texts, material)
            read = place[found.rows] > 0  # the first of a window has no row
            apart = None if found.apart is None else found.apart[read]
            parts = split_by_document(
                found.labels[read], found.documents[read], apart=apart, most=most_rows, random_state=seed
            )
        except UserError as error:
            yield one.name, first_line(error)
            continue
        ready.append((one, parts, np.flatnonzero(read), found))
    needed = [
        found.rows[kept_rows[np.concatenate([parts.train, parts.test])]]
        for _, parts, kept_rows, found in ready
    ]
    if not needed:
        return
    at = np.unique(np.concatenate(needed))
    starts = np.concatenate([[0], np.cumsum([len(ids) for ids in windows.ids])])
    rows: Rows | None = None
    for batch in layer_rows(model, layer, windows):
        flat = starts[batch.stimulus] + batch.place
        here = np.isin(flat, at)
        if rows is None:
            rows = np.zeros((len(at), batch.values.shape[1]), np.float32)
        rows[np.searchsorted(at, flat[here])] = batch.values.numpy()[here]
    assert rows is not None
    ids = np.concatenate([text.ids for text in texts])
    numbers = {
        name: np.concatenate([token_numbers(text)[name] for text in texts])
        for name in token_numbers(texts[0])
    }
    for (one, parts, kept_rows, found), own in zip(ready, needed, strict=True):
        import torch

        order = kept_rows[np.concatenate([parts.train, parts.test])]
        values = encode(torch.from_numpy(rows[np.searchsorted(at, own)])).numpy()
        kept = {name: column[own] for name, column in numbers.items() if name not in one.itself}
        examples = Examples(
            values, found.labels[order], found.documents[order], numbers=kept, tokens=ids[own]
        )
        yield Labelled(one, {_TOKEN: examples}, _in_order(parts))


def tokenized(
    model: "LanguageModel", documents: Sequence[str], most_tokens: int
) -> tuple[list[TokenizedText], "TokenWindows"]:
    """The beginnings of documents as windows of tokens, which never hold two, with the letters that each token covers.

    Raises
    ------
    UserError
        For a tokenizer that does not say which letters a token covers.
    """
    from ....models.extraction.rows import TokenWindows

    encoder = model._encoder("last")
    lines = getattr(model.tokenizer, "one_paragraph", False) is True
    most = model.max_tokens or 256
    each_most = max(most, most_tokens // max(1, len(documents)))
    found: list[tuple[str, Integers, Integers, Integers]] = []
    for document in documents:
        ids: list[int] = []
        start: list[int] = []
        end: list[int] = []
        at = 0
        for line in document.splitlines(keepends=True) if lines else [document[: 8 * each_most]]:
            text = line.strip()
            if len(ids) >= each_most:
                break
            if text:
                own, offsets = _with_offsets(model, encoder, text)
                first = at + line.index(text)
                ids += own
                start += [first + a for a, _ in offsets]
                end += [first + b for _, b in offsets]
            at += len(line)
        found.append((document[:at], *_trimmed(document, ids, start, end, each_most)))
    ranks = frequency_ranks([ids for _, ids, _, _ in found])
    windows, texts = TokenWindows([], []), []
    for number, ((document, own_ids, first_letter, last_letter), rank) in enumerate(
        zip(found, ranks, strict=True)
    ):
        n = len(own_ids) - (len(own_ids) % most == 1)  # a last window of one token has no row
        if n < 2:
            continue
        first = len(windows)
        for begin in range(0, n, most):
            windows.ids.append(own_ids[begin : min(begin + most, n)])
            windows.document.append(np.full(len(windows.ids[-1]), number, np.intp))
        place = np.arange(n)
        texts.append(
            TokenizedText(
                document,
                own_ids[:n],
                first_letter[:n],
                last_letter[:n],
                place % most,
                first + place // most,
                rank[:n],
            )
        )
    if not texts:
        raise UserError("the running text has no tokens")
    return texts, windows


def _with_offsets(model: "LanguageModel", encoder: Any, text: str) -> tuple[list[int], list[tuple[int, int]]]:
    """Ids, and the letters of each; also of tokenizers that give offsets without being asked."""
    ids, offsets = encoder._ids(text)
    if offsets is None:
        answer = model.tokenizer(text)
        offsets = answer.get("offset_mapping") if hasattr(answer, "get") else None
    if offsets is None or len(offsets) != len(ids):
        raise UserError(
            f"{model.identifier}: its tokenizer does not say which letters a token covers: properties of tokens cannot "
            "be read"
        )
    return ids, offsets


def _trimmed(
    document: str, ids: list[int], start: list[int], end: list[int], most: int
) -> tuple[Integers, Integers, Integers]:
    """Arrays of at most so many tokens; a token's letters without the spaces that some tokenizers count in."""
    first, last = np.array(start[:most], np.intp), np.array(end[:most], np.intp)
    for i, (a, b) in enumerate(zip(first, last, strict=True)):
        piece = document[a:b]
        if piece != piece.strip():
            first[i] = a + len(piece) - len(piece.lstrip())
            last[i] = max(first[i], b - (len(piece) - len(piece.rstrip())))
    return np.array(ids[:most], np.intp), first, last


def _in_order(parts: Parts) -> Parts:
    n, n_test = len(parts.train), len(parts.test)
    return Parts(np.arange(n), np.arange(n, n + n_test), parts.n_documents)


def _of_texts(
    model: "LanguageModel",
    layer: str,
    chosen: list[Property],
    material: Material,
    encode: Encode,
    most_tokens: int,
    most_rows: int,
    seed: int,
) -> Iterator[Labelled | tuple[str, str]]:
    del most_tokens, most_rows
    from ....models.extraction.rows import TokenWindows, layer_rows

    made: list[tuple[Property, Texts]] = []
    for one in chosen:
        try:
            texts = one.made(material)
            assert isinstance(texts, Texts)
            made.append((one, texts))
        except UserError as error:
            yield one.name, first_line(error)
    order = {text: i for i, text in enumerate(dict.fromkeys(text for _, one in made for text in one.texts))}
    if not order:
        return
    encoder = model._encoder("last")
    ids = [np.array(encoder._ids(text)[0][: model.max_tokens], np.intp) for text in order]
    by_length = np.argsort([len(one) for one in ids], kind="stable")  # so that little is padded
    windows = TokenWindows([ids[i] for i in by_length], [np.full(len(ids[i]), i, np.intp) for i in by_length])
    pooled = _pooled(layer_rows(model, layer, windows, first=True), len(ids), encode, without_first=True)
    pooled = {name: _unsorted(rows, by_length) for name, rows in pooled.items()}
    for one, texts in made:
        try:
            at = np.array([order[text] for text in texts.texts], np.intp)
            if one.by_model:
                texts, at = _thirds_of_surprisal(model, texts, [ids[i] for i in at], at)
            parts = split_by_document(texts.labels, texts.documents, random_state=seed)
        except UserError as error:
            yield one.name, first_line(error)
            continue
        numbers = text_numbers(texts.texts, material)
        shared = Examples(
            np.empty((0, 0)),
            texts.labels,
            np.array(texts.documents),
            numbers={name: column for name, column in numbers.items() if name not in one.itself},
            keys={"first token": np.array([ids[i][min(1, len(ids[i]) - 1)] for i in at], np.intp)},
            tokens=[ids[i] for i in at],
        )
        yield Labelled(one, {name: replace(shared, rows=rows[at]) for name, rows in pooled.items()}, parts)


def _thirds_of_surprisal(
    model: "LanguageModel", texts: Texts, ids: list[Integers], at: Integers
) -> tuple[Texts, Integers]:
    """The third of the texts with the highest mean surprisal of their tokens, positive, and the lowest."""
    from ....models.extraction.rows import TokenWindows, predicted_tokens, token_losses

    windows = TokenWindows(ids, [np.full(len(one), i, np.intp) for i, one in enumerate(ids)])
    owner, _ = predicted_tokens(windows)
    losses = np.bincount(owner, token_losses(model, windows), len(ids)) / np.maximum(
        np.bincount(owner, minlength=len(ids)), 1
    )
    low, high = np.quantile(losses, [1 / 3, 2 / 3])
    kept = np.flatnonzero((losses <= low) | (losses > high))
    labels = losses[kept] > high
    found = Texts(
        [texts.texts[i] for i in kept],
        labels,
        [texts.documents[i] for i in kept],
        ["high" if one else "low" for one in labels],
    )
    return found, at[kept]


def _unsorted(rows: Rows, order: Integers) -> Rows:
    found = np.empty_like(rows)
    found[order] = rows
    return found


def _pooled(
    batches: "Iterator[LayerRows]", n: int, encode: Encode, *, without_first: bool
) -> dict[str, Rows]:
    """Mean and maximum over the rows of each stimulus, and its last row; of texts without the first token.

    A text of one token has its row all the same.
    """
    found: dict[str, Rows] = {}
    for batch in batches:
        values = encode(batch.values).numpy()
        changes = np.flatnonzero(np.append(True, np.diff(batch.stimulus) != 0))
        ends = np.append(changes[1:], len(values))
        if not found:
            found = {name: np.zeros((n, values.shape[1]), np.float32) for name in (_MEAN, _MAX, _LAST)}
        for begin, end in zip(changes, ends, strict=True):
            own = values[begin + (without_first and end - begin > 1) : end]
            at = batch.stimulus[begin]
            found[_MEAN][at], found[_MAX][at], found[_LAST][at] = own.mean(axis=0), own.max(axis=0), own[-1]
    return found


def _of_pictures(
    model: "Network",
    layer: str,
    chosen: list[Property],
    material: Material,
    encode: Encode,
    most_tokens: int,
    most_rows: int,
    seed: int,
) -> Iterator[Labelled | tuple[str, str]]:
    del most_tokens, most_rows
    from ....models.extraction.rows import layer_rows

    known: dict[Any, tuple[dict[str, Rows], Mapping[str, npt.NDArray[np.float64]], dict[str, int]]] = {}
    for one in chosen:
        try:
            made = one.made(material)
            assert isinstance(made, Pictures)
            parts = split_by_document(made.labels, made.documents, random_state=seed)
        except UserError as error:
            yield one.name, first_line(error)
            continue
        key = made.stimuli.identifier
        every = made.stimuli.stimulus_paths or {}
        if key not in known:
            whole = StimulusSet({"stimulus_id": list(every)})
            whole.stimulus_paths = every
            pooled = _pooled(layer_rows(model, layer, whole), len(whole), encode, without_first=False)
            known[key] = (
                pooled,
                picture_numbers(Pictures(whole, np.zeros(len(whole), bool), [], [])),
                {name: i for i, name in enumerate(every)},
            )
        rows, numbers, order = known[key]
        at = np.array([order[name] for name in made.stimuli["stimulus_id"]], np.intp)
        shared = Examples(
            np.empty((0, 0)),
            made.labels,
            np.array(made.documents),
            numbers={name: column[at] for name, column in numbers.items() if name not in one.itself},
        )
        yield Labelled(one, {name: replace(shared, rows=rows[name][at]) for name in (_MEAN, _MAX)}, parts)
