"""Words and their times: Praat's TextGrids, in both of their forms, and what times can be those of words."""

import re
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pandas as pd

from ...bounded import require_for
from ...errors import UserError

NO_WORDS = frozenset(
    {"", "sp", "sl", "br", "lg", "ls", "ns", "sil", "silence", "sentence_start", "sentence_end"}
)
"""What alignments write where nobody speaks, without braces and in small letters."""
_LONGEST, _SHORTEST = 5.0, 0.005
"""Seconds: medians of a word's duration beyond these are of another unit."""
_TOKEN = re.compile(
    r'"((?:[^"]|"")*)"'  # a text, its quotes doubled
    r"|(<exists>|<absent>)"
    r"|(?<![\w\[.])([-+]?\d+(?:\.\d*)?(?:[eE][-+]?\d+)?)(?![\w\].])"  # a number that stands for itself
)


def read_textgrid(path: Path) -> dict[str, pd.DataFrame]:
    """The interval tiers of a TextGrid.

    Its long form names every value (``xmin = 0``), its short form lists the same values; both are the same numbers and
    texts in the same order. Tiers of points are left out.

    Parameters
    ----------
    path : Path

    Returns
    -------
    dict
        Name of the tier -> ``onset``, ``offset`` (s), ``text``, a row an interval.

    Raises
    ------
    UserError
        Where it is no TextGrid, breaks off, or an interval ends before it begins.
    """
    tokens = _Tokens(path, _decoded(path))
    if tokens.text("the kind of file") != "ooTextFile" or tokens.text("TextGrid") != "TextGrid":
        raise UserError(f"{path} is not a TextGrid (its first lines name no ooTextFile and TextGrid)")
    tokens.number("the beginning")
    tokens.number("the end")
    tiers: dict[str, pd.DataFrame] = {}
    for number in range(tokens.count("tiers") if tokens.exists() else 0):
        kind, name = tokens.text("a tier"), tokens.text("the name of a tier")
        tokens.number("the beginning of a tier")
        tokens.number("the end of a tier")
        n = tokens.count("intervals")
        if kind == "IntervalTier":
            rows = [(tokens.number("xmin"), tokens.number("xmax"), tokens.text("a text")) for _ in range(n)]
            tiers[name if name not in tiers else f"{name}-{number + 1}"] = _checked(path, name, rows)
        elif kind == "TextTier":
            for _ in range(n):
                tokens.number("a time")
                tokens.text("a mark")
        else:
            raise UserError(f"{path}: a tier is a {kind!r}, neither IntervalTier nor TextTier")
    return tiers


def n_within(words: pd.DataFrame, sounds: pd.DataFrame) -> npt.NDArray[np.intp]:
    """How many sounds (phonemes, syllables) have their middle within each word, ``(n_words,)``.

    Parameters
    ----------
    words, sounds : DataFrame
        With ``onset`` and ``offset`` on one clock, of one story. Words may overlap: a sound counts for each.
    """
    middle = np.sort((sounds["onset"] + sounds["offset"]).to_numpy(np.float64) / 2)
    ends: npt.NDArray[np.intp] = np.searchsorted(middle, words["offset"].to_numpy(np.float64))
    return ends - np.searchsorted(middle, words["onset"].to_numpy(np.float64))


def textgrid_words(path: Path, tier: str | None = None, *, phones: str = "") -> pd.DataFrame:
    """The words of a TextGrid in order: ``word``, ``onset``, ``offset``; silences, breaths and the like are left out.

    Parameters
    ----------
    path : Path
    tier : str, optional
        By default the one called ``word`` or ``words``, or the only one.
    phones : str
        A tier of phonemes; where it is there, ``phonemes`` is how many each word has.

    Raises
    ------
    UserError
        Where the tier is not known, and as :func:`read_textgrid`.
    """
    tiers = read_textgrid(path)
    likely = [name for name in tiers if name.strip().lower() in ("word", "words")]
    name = tier if tier is not None else likely[0] if len(likely) == 1 else next(iter(tiers), "")
    if name not in tiers or (tier is None and len(likely) != 1 and len(tiers) != 1):
        raise UserError(
            f"{path} has the tiers {', '.join(tiers) or 'none'}: say which holds the words by --events"
        )
    words = _spoken(tiers[name])
    if phones in tiers:
        words["phonemes"] = n_within(words, _spoken(tiers[phones]))
    if not len(words):
        raise UserError(f"{path}: the tier {name!r} holds no words")
    return check_words(words, str(path))


def _spoken(tier: pd.DataFrame) -> pd.DataFrame:
    table = tier.rename(columns={"text": "word"})
    table["word"] = table["word"].str.strip()
    spoken = ~table["word"].str.lower().str.strip("{}").str.strip().isin(NO_WORDS)
    return table.loc[spoken, ["word", "onset", "offset"]].reset_index(drop=True)


def check_words(words: pd.DataFrame, place: str) -> pd.DataFrame:
    """The same words, or frames, if their times can be the seconds of one who speaks.

    Raises
    ------
    UserError
        For a time that is missing, a negative duration, an order that is not that of time, another unit.
    """
    times = words[["onset", "offset"]].to_numpy(float)
    stories = words["story"].astype(str).to_numpy() if "story" in words.columns else np.zeros(len(words))
    duration, has_words = times[:, 1] - times[:, 0], "word" in words.columns
    for wrong, what in (
        (~np.isfinite(times).all(axis=1), "has no time"),
        (duration < 0, "ends before it begins"),
        (
            np.r_[False, (np.diff(times[:, 0]) < 0) & (stories[1:] == stories[:-1]) & has_words],
            "begins before the one above it",
        ),
    ):
        if wrong.any():
            row = int(wrong.argmax())
            which = (
                f"the word {words['word'].iloc[row]!r} (number {row + 1})" if has_words else f"row {row + 1}"
            )
            raise UserError(f"{place}: {which} {what}")
    median = float(np.median(duration)) if len(duration) else 0.1
    if has_words and not _SHORTEST <= median <= _LONGEST:
        raise UserError(
            f"{place}: the median word lasts {median:g}: times must be in s (between 0.005 and 5), are these ms?"
        )
    return words


def _checked(path: Path, tier: str, rows: list[tuple[float, float, str]]) -> pd.DataFrame:
    table = pd.DataFrame(rows, columns=["onset", "offset", "text"])
    backward = (table["offset"] < table["onset"]).to_numpy()
    if backward.any():
        row = int(backward.argmax())
        raise UserError(f"{path}: interval {row + 1} of the tier {tier!r} ends before it begins")
    return table


def _decoded(path: Path) -> str:
    try:
        require_for(path, 4 * path.stat().st_size)
        raw = path.read_bytes()
    except OSError as error:
        raise UserError(f"cannot read {path}: {error.strerror or error}") from error
    wide = raw[:2] in (b"\xff\xfe", b"\xfe\xff")
    try:
        return raw.decode("utf-16" if wide else "utf-8-sig")
    except UnicodeDecodeError:
        if wide:
            raise UserError(f"{path} begins as UTF-16, and is none: save it again as UTF-8") from None
        return raw.decode("latin-1")


class _Tokens:
    """The values of a TextGrid one after the other, whatever is written around them."""

    def __init__(self, path: Path, text: str) -> None:
        self._path = path
        self._found = _TOKEN.finditer(text)

    def _next(self, what: str, group: int) -> str:
        matched = next(self._found, None)
        if matched is None:
            raise UserError(f"{self._path} breaks off where {what} should be: it is not whole")
        if matched[group] is None:
            raise UserError(f"{self._path} is damaged: {matched[0][:40]!r} stands where {what} should be")
        return matched[group]

    def text(self, what: str) -> str:
        return self._next(what, 1).replace('""', '"')

    def exists(self) -> bool:
        return self._next("<exists>", 2) == "<exists>"

    def number(self, what: str) -> float:
        return float(self._next(what, 3))

    def count(self, what: str) -> int:
        """How many follow; each is looked for before anything is made of it."""
        return int(self.number(f"the number of {what}"))
