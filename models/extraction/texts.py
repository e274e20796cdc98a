"""Texts as a network is shown them: token ids, which tokens are a text's, what of a long one is left out."""

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from numbers import Integral
from typing import TYPE_CHECKING, Any, Literal

from ...brain_data.text_columns import POSITION, TEXT_COLUMNS, say_order, text_column
from ...errors import UserError, first_line

if TYPE_CHECKING:
    from ...brain_data.stimulus_set import StimulusSet

Pooling = Literal["last", "mean", "word-end"]

POOLINGS = {
    "last": "the last token of a text",
    "mean": "the mean over a text's tokens",
    "word-end": "the last token of each word, the mean over words where a text has several",
}
"""How a text becomes one vector, in words."""
PASSAGE_COLUMNS = ("passage", "story")
_WORD = re.compile(r"\S+")
WINDOWS = 4
"""A window over a long passage moves on by this part of its length."""


@dataclass
class TokenSequence:
    """Token ids that are run together, and the texts that are read from them.

    Attributes
    ----------
    ids : list of int
    rows : list of int
        The texts, by their place in the table.
    places : list of list of int
        The tokens that make each text's vector.
    """

    ids: list[int]
    rows: list[int] = field(default_factory=list)
    places: list[list[int]] = field(default_factory=list)


@dataclass(frozen=True)
class Tokens:
    """A text after what stands before it.

    Attributes
    ----------
    ids : list of int
        Of both.
    first : int
        The text's first token; all that come after are its own, those that the tokenizer adds at the end, too.
    ends : list of int
        The last token of each of its words.
    """

    ids: list[int]
    first: int
    ends: list[int]

    def read(self, pooling: Pooling) -> list[int]:
        """The tokens that make the vector."""
        if pooling == "word-end":
            return self.ends
        return [len(self.ids) - 1] if pooling == "last" else list(range(self.first, len(self.ids)))


@dataclass
class Shown:
    """All texts of a table, as sequences of tokens.

    Attributes
    ----------
    sequences : list of TokenSequence
    lost, total : dict of int to int
        For each text, how many of its tokens and of those before it are not shown, and how many there are.
    """

    sequences: list[TokenSequence] = field(default_factory=list)
    lost: dict[int, int] = field(default_factory=dict)
    total: dict[int, int] = field(default_factory=dict)

    def add(self, row: int, tokens: Tokens, pooling: Pooling, most: int | None) -> None:
        """A text in a sequence of its own, which loses tokens on the left where it is too long."""
        n_lost = max(0, len(tokens.ids) - most) if most else 0
        places = [place - n_lost for place in tokens.read(pooling) if place >= n_lost]
        self.sequences.append(
            TokenSequence(tokens.ids[n_lost:], [row], [places or [len(tokens.ids) - n_lost - 1]])
        )
        self.lost[row], self.total[row] = n_lost, len(tokens.ids)


class Encoder:
    """A tokenizer of any make: a Hugging Face one, or a callable that gives ids or a mapping with ``input_ids``.

    Parameters
    ----------
    tokenizer : callable
    identifier : str
        The model's, for messages.
    pooling : {"last", "mean", "word-end"}
    most : int, optional
        Tokens that the network reads.
    """

    def __init__(self, tokenizer: Any, identifier: str, pooling: Pooling, most: int | None) -> None:
        self.tokenizer, self.identifier, self.pooling, self.most = tokenizer, identifier, pooling, most
        self._offsets = bool(getattr(tokenizer, "is_fast", False)) or _takes_offsets(tokenizer)

    def alone(self, texts: Sequence[str]) -> Shown:
        """Every text by itself."""
        shown = Shown()
        for row, text in enumerate(texts):
            shown.add(row, self.tokens("", text), self.pooling, self.most)
        return shown

    def after(self, texts: Sequence[str], groups: Iterable[Sequence[int]], n_before: int) -> Shown:
        """Every text after so many earlier ones of its passage, in a sequence of its own; see :meth:`in_passages`."""
        shown = Shown()
        for rows in groups:
            parts = [texts[row] for row in rows]
            for place, row in enumerate(rows):
                before = " ".join(parts[max(0, place - n_before) : place])
                shown.add(row, self.tokens(before, parts[place]), self.pooling, self.most)
        return shown

    def in_passages(self, texts: Sequence[str], groups: Iterable[Sequence[int]], *, together: bool) -> Shown:
        """Every text after the earlier ones of its passage.

        Parameters
        ----------
        texts : sequence of str
        groups : iterable of sequence of int
            The texts of each passage, in order.
        together : bool
            Run a passage once, where later tokens change nothing for earlier ones. A text whose tokens are others
            when more follows (a token that reaches into the next text, one that ends a text) keeps a sequence of
            its own.
        """
        shown = Shown()
        for rows in groups:
            parts = [texts[row] for row in rows]
            each = self._each_in(parts) if together else None
            if each is None:
                for place, row in enumerate(rows):
                    tokens = self.tokens(" ".join(parts[:place]), parts[place])
                    shown.add(row, tokens, self.pooling, self.most)
            else:
                self._share(shown, rows, each)
        return shown

    def _share(self, shown: Shown, rows: Sequence[int], each: Sequence[Tokens]) -> None:
        """Put a passage's texts into few sequences: one, or windows where it is longer than the network reads."""
        whole = max((tokens.ids for tokens in each), key=len)
        step = max(1, (self.most or len(whole)) // WINDOWS)
        windows: dict[int, TokenSequence] = {}
        for row, tokens in zip(rows, each, strict=True):
            over = max(0, len(tokens.ids) - self.most) if self.most else 0
            start = -(-over // step) * step
            if tokens.ids != whole[: len(tokens.ids)] or tokens.first < start:
                shown.add(row, tokens, self.pooling, self.most)
                continue
            window = windows.setdefault(start, TokenSequence([]))
            window.ids = max(window.ids, tokens.ids[start:], key=len)
            window.rows.append(row)
            window.places.append([place - start for place in tokens.read(self.pooling)])
            shown.lost[row], shown.total[row] = start, len(tokens.ids)
        shown.sequences.extend(windows.values())

    def tokens(self, before: str, text: str) -> Tokens:
        """A text's tokens after what stands before it."""
        whole = f"{before} {text}" if before else text
        start = len(before) + 1 if before else 0
        ids, offsets = self._ids(whole)
        if not ids:
            raise UserError(f"{self.identifier}: the tokenizer gives no tokens for {text!r}")
        words = [(start + word.start(), start + word.end()) for word in _WORD.finditer(text)]
        if offsets is None:
            first = min(_common(self._ids(before)[0], ids), len(ids) - 1) if before else 0
            return Tokens(ids, first, self._ends_without_offsets(whole, ids, first, words))
        first = (
            0 if not before else next((i for i, (_, end) in enumerate(offsets) if end > start), len(ids) - 1)
        )
        return Tokens(ids, first, _ends(offsets, words, first, len(ids)))

    def _ends_without_offsets(
        self, whole: str, ids: list[int], first: int, words: Sequence[tuple[int, int]]
    ) -> list[int]:
        """By tokenizing the text up to each word; needed where words are read alone."""
        if self.pooling != "word-end":
            return []
        end_of_text = len(ids) - self._n_added_behind(ids) - 1
        places = [_common(self._ids(whole[:end])[0], ids) - 1 for _, end in words]
        return sorted({max(min(place, end_of_text), first) for place in places}) or [end_of_text]

    def _n_added_behind(self, ids: list[int]) -> int:
        """How many tokens the tokenizer puts behind a text: what it gives for no text, less what stands in front."""
        try:
            added = self._ids_of(self.tokenizer(""))
        except Exception:  # a person's own callable, which may not know an empty text
            return 0
        return len(added) - _common(added, ids) if added[-1:] == ids[-1:] else 0

    def _each_in(self, parts: Sequence[str]) -> list[Tokens] | None:
        """The tokens of every text of a passage; from one look at the whole where the tokenizer knows offsets."""
        whole = " ".join(parts)
        ids, offsets = self._ids(whole)
        if offsets is None:
            return [self.tokens(" ".join(parts[:place]), part) for place, part in enumerate(parts)]
        alone = self.tokens("", parts[0])
        if alone.ids != ids[: len(alone.ids)]:  # the tokenizer ends a text with a token
            return None
        each, start = [], 0
        for place, part in enumerate(parts):
            end = start + len(part)
            inside = [i for i, (left, right) in enumerate(offsets) if left < end and right > start]
            if not inside or offsets[inside[-1]][1] > end:
                each.append(self.tokens(whole[: max(0, start - 1)], part))
            else:
                last = inside[-1] + 1
                first = 0 if place == 0 else next(i for i in inside if offsets[i][1] > start)
                words = [(start + word.start(), start + word.end()) for word in _WORD.finditer(part)]
                each.append(Tokens(ids[:last], first, _ends(offsets[:last], words, first, last)))
            start = end + 1
        return each

    def _ids(self, text: str) -> tuple[list[int], list[tuple[int, int]] | None]:
        if not text:
            return [], None
        try:
            answer = (
                self.tokenizer(text, return_offsets_mapping=True) if self._offsets else self.tokenizer(text)
            )
        except Exception as error:  # a person's own callable, such as one that does not know a word
            said = f"{type(error).__name__}: {first_line(error)}"
            raise UserError(f"{self.identifier}: the tokenizer fails for {text[:80]!r}: {said}") from error
        known = answer.get("offset_mapping") if self._offsets and hasattr(answer, "get") else None
        ids = self._ids_of(answer)
        if known is None:
            return ids, None
        known = known.tolist() if hasattr(known, "tolist") else list(known)
        if len(known) == 1 != len(ids):
            known = known[0]
        mask = _mask_of(answer, len(known))
        return ids, [(int(start), int(end)) for (start, end), real in zip(known, mask, strict=True) if real]

    def _ids_of(self, answer: Any) -> list[int]:
        """The ids of real tokens, without padding."""
        named = isinstance(answer, Mapping) or hasattr(answer, "input_ids")
        given: Any = answer["input_ids"] if named else getattr(answer, "ids", answer)
        if hasattr(given, "tolist"):
            given = given.tolist()
        ids: list[Any] = list(given) if isinstance(given, Iterable) else [None]
        if ids and isinstance(ids[0], Iterable) and not isinstance(ids[0], str):
            if len(ids) > 1:
                raise UserError(
                    f"{self.identifier}: the tokenizer gives {len(ids)} rows of ids for one text: expected one"
                )
            ids = list(ids[0].tolist() if hasattr(ids[0], "tolist") else ids[0])
        if not all(isinstance(one, Integral) for one in ids):
            raise UserError(
                f"{self.identifier}: the tokenizer gives {type(answer).__name__} for a text: "
                "expected token ids, or a mapping with input_ids"
            )
        return [int(one) for one, real in zip(ids, _mask_of(answer, len(ids)), strict=True) if real]

    def check_unpadded(self, text: str) -> None:
        """Refuse a tokenizer that fills a text up with padding and does not say so."""
        try:
            one, other = self._ids(text)[0], self._ids(" ".join([text] * 2))[0]
        except UserError:  # it does not know the words: the person's own may be known
            return
        if len(one) == len(other) and one[-2:] == other[-2:] and len(one) > 1 and one[-2] == one[-1]:
            raise UserError(
                f"{self.identifier}: the tokenizer fills every text up to {len(one)} tokens, which would be read as "
                "text: let it give ids without padding, or a mapping with input_ids and attention_mask"
            )


def _mask_of(answer: Any, n_tokens: int) -> list[bool]:
    """Which tokens of an answer are real, by its attention mask; all where it has none."""
    named = isinstance(answer, Mapping) or hasattr(answer, "attention_mask")
    mask: Any = getattr(answer, "attention_mask", None)
    if mask is None and named and hasattr(answer, "get"):
        mask = answer.get("attention_mask")
    if mask is None:
        return [True] * n_tokens
    flags = list(mask.tolist() if hasattr(mask, "tolist") else mask)
    if len(flags) == 1 and isinstance(flags[0], Iterable):
        flags = list(flags[0])
    return [bool(flag) for flag in flags] if len(flags) == n_tokens else [True] * n_tokens


def left_out(shown: Shown, most: int | None) -> dict[str, Any]:
    """How many texts lost tokens, and in words how many tokens that were.

    Returns
    -------
    dict
        ``truncated``: how many. Where there are any, ``left_out``: what is counted -> how many.
    """
    cut = [row for row, n_lost in shown.lost.items() if n_lost]
    if not cut:
        return {"truncated": 0}
    n_lost, total = sum(shown.lost.values()), sum(shown.total[row] for row in cut)
    words = f"texts' beginnings beyond {most} tokens ({n_lost:,} of these texts' {total:,} tokens)"
    return {"truncated": len(cut), "left_out": {words: len(cut)}}


def _takes_offsets(tokenizer: Any) -> bool:
    """Whether a callable of a person's own names the argument that asks for offsets."""
    import inspect

    if hasattr(tokenizer, "is_fast"):  # a slow one of Hugging Face takes the argument and refuses it
        return False
    try:
        return "return_offsets_mapping" in inspect.signature(tokenizer).parameters
    except (TypeError, ValueError):
        return False


def _common(one: Sequence[int], other: Sequence[int]) -> int:
    """How many first ids two sequences have in common."""
    return next(
        (i for i, (a, b) in enumerate(zip(one, other, strict=False)) if a != b), min(len(one), len(other))
    )


def _ends(
    offsets: Sequence[tuple[int, int]], words: Sequence[tuple[int, int]], first: int, n_tokens: int
) -> list[int]:
    """The last token that touches each word."""
    found = []
    for start, end in words:
        touching = [i for i in range(first, n_tokens) if offsets[i][0] < end and offsets[i][1] > start]
        found += touching[-1:]
    return found or [n_tokens - 1]


def text_of(stimuli: "StimulusSet") -> list[str]:
    """The texts of a stimulus set, from its column ``sentence``, ``word`` or ``text``; see :func:`text_column`.

    Raises
    ------
    UserError
        Without such a column, for two of which it is not clear, or for a text that is missing or empty.
    """
    column = text_column(stimuli)
    if column is None:
        raise UserError(
            f"the stimulus set has no text: expected a column {' or '.join(map(repr, TEXT_COLUMNS))}"
        )
    texts = [text if isinstance(text, str) else "" for text in stimuli[column]]
    empty = [
        stimulus for stimulus, text in zip(stimuli["stimulus_id"], texts, strict=True) if not text.strip()
    ]
    if empty:
        raise UserError(f"{len(empty)} stimuli have no text in column {column!r} (first: {empty[0]!r})")
    return texts


def passages(stimuli: "StimulusSet") -> list[list[int]]:
    """The rows of each passage (or story), in the order of the table; where there is none, words' own sentence.

    Where words have an ``onset`` they are in the order of time, else where each has a ``position`` of its own in the
    passage, a number, in that order.

    Raises
    ------
    UserError
        Without a column ``passage`` or ``story``, or for a stimulus of none.
    """
    column = next((name for name in PASSAGE_COLUMNS if name in stimuli.columns), None)
    if column is None and "sentence" in stimuli.columns and text_column(stimuli) == "word":
        column = "sentence"
    if column is None:
        raise UserError("reading in context needs a column 'passage' or 'story' in the stimulus set")
    empty = stimuli[column].isna() | (stimuli[column].astype(str).str.strip() == "")
    blank = stimuli["stimulus_id"][empty].tolist()
    if blank:
        raise UserError(f"{len(blank)} stimuli have no {column!r} to be read in (first: {blank[0]!r})")
    rows: dict[object, list[int]] = {}
    for row, passage in enumerate(stimuli[column]):
        rows.setdefault(passage, []).append(row)
    if "onset" in stimuli.columns:
        onset = stimuli["onset"].tolist()
        return [sorted(one, key=lambda row: float(onset[row])) for one in rows.values()]
    if POSITION not in stimuli.columns:
        return list(rows.values())
    place = dict(enumerate(stimuli[POSITION].tolist()))
    told = [say_order([place[row] for row in one]) for one in rows.values()]
    return [
        sorted(one, key=lambda row: float(place[row])) if in_order else one
        for one, in_order in zip(rows.values(), told, strict=True)
    ]
