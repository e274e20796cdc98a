"""A 5-gram: the baseline of what surprisal says without a network, trained on any text."""

import re
import zipfile
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from ...errors import UserError
from ...files import digest_of, home, whole_file
from ..catalogue import path_scheme
from ..model import Context, Model

if TYPE_CHECKING:
    import xarray as xr

    from ...brain_data.stimulus_set import StimulusSet
    from ..architectures.kneser_ney import KneserNey

ORDER = 5
_LEAST = 2
"""Occurrences of a word that is known; rarer ones stand for all that were never seen."""
_FEWEST = 10
_VERSION = 1
_UNKNOWN = "<unk>"
_WORD = re.compile(r"<unk>|\w+(?:'\w+)*|[^\w\s]")
_ENDS = frozenset(".?!")
_HEADING = re.compile(r"\s*=.*=\s*")
_SPACED = ((" @-@ ", "-"), (" @,@ ", ","), (" @.@ ", "."))
_CLITIC = re.compile(r" ('\w)")


class NGram(Model):
    """Interpolated modified Kneser-Ney over small letters; see :mod:`brodmann.models.architectures.kneser_ney`.

    A sentence ends with a full stop, a question or an exclamation mark, and the next one begins anew: what a word is
    expected from never reaches into the sentence before. An unknown word has the probability of all unknown words,
    shared by as many as were seen once in training.

    Parameters
    ----------
    tables : KneserNey
    words : sequence of str
        The known words.
    n_rare : int
        Words that were seen too rarely to be known.
    identifier, digest : str
    """

    modality = "language"

    def __init__(
        self, tables: "KneserNey", words: Sequence[str], n_rare: int, identifier: str, digest: str
    ) -> None:
        self.identifier, self.digest = identifier, digest
        self._tables, self._n_rare = tables, n_rare
        self._numbers = {word: number for number, word in enumerate(words, start=2)}

    @property
    def layers(self) -> list[str]:
        """One layer, ``surprisal``."""
        return ["surprisal"]

    def sizes(self, stimuli: "StimulusSet", layers: Sequence[str] | None = None) -> dict[str, int]:
        """One unit."""
        del stimuli
        return dict.fromkeys(self._asked(layers), 1)

    def extract(
        self, stimuli: "StimulusSet", layers: Sequence[str] | None = None, *, context: Context = "none"
    ) -> "dict[str, xr.DataArray]":
        """Surprisal as a layer of one unit."""
        names = self._asked(layers)
        return dict.fromkeys(names, self.surprisal_of(stimuli, context=context).astype(np.float32))

    def surprisal_of(self, stimuli: "StimulusSet", *, context: Context = "none") -> "xr.DataArray":
        """See :meth:`Model.surprisal_of`; marks that cling to a word are words of their own, and summed to it."""
        from ..architectures.kneser_ney import UNKNOWN
        from ..extraction.in_context import as_surprisal, in_context

        passages = in_context(stimuli, context)
        sentences: list[list[int]] = []
        rows: list[list[int | None]] = []
        for one in passages:
            begun = False
            for part, row in zip(one.parts, one.rows, strict=True):
                for word in words_of(part):
                    if not begun:
                        sentences.append([])
                        rows.append([])
                    sentences[-1].append(self._numbers.get(word, UNKNOWN))
                    rows[-1].append(row)
                    begun = word not in _ENDS
        values = np.full(len(stimuli), np.nan)
        n_unknown = 0
        for ids, of_rows, told in zip(
            sentences, rows, self._tables.log_probabilities(sentences), strict=True
        ):
            for number, row, log_p in zip(ids, of_rows, told, strict=True):
                if row is None:
                    continue
                rare = number == UNKNOWN
                n_unknown += rare
                loss = float(np.log(self._n_rare) - log_p if rare else -log_p)
                values[row] = loss + (0.0 if np.isnan(values[row]) else values[row])
        said = (
            f"sum over a text's words and marks, {ORDER}-gram within the sentence; {n_unknown} words are unknown, each "
            f"as likely as one of {self._n_rare}"
        )
        return as_surprisal(stimuli, values, {}, said)


def words_of(text: str) -> list[str]:
    """The words and marks of a text, in small letters."""
    return _WORD.findall(text.lower().replace("\u2019", "'"))


def sentences_of(paragraph: str) -> Iterator[list[str]]:
    """The sentences of a paragraph, in which marks may stand apart as in WikiText."""
    for apart, joined in _SPACED:
        paragraph = paragraph.replace(apart, joined)
    sentence: list[str] = []
    for word in words_of(_CLITIC.sub(r"\1", paragraph)):
        sentence.append(word)
        if word in _ENDS:
            yield sentence
            sentence = []
    if sentence:
        yield sentence


@path_scheme(f"{ORDER}-gram", "PATH")
def ngram(path: Path) -> Model:
    """A 5-gram of a text file, or of every ``.txt`` file of a folder; its tables are kept for the next time.

    Parameters
    ----------
    path : Path
        One paragraph a line; headings between equals signs are left out.
    """
    text = _text(path)
    digest = digest_of("n-gram", _VERSION, ORDER, _LEAST, text)
    kept = home() / "n-grams" / f"{digest}.npz"
    if not kept.is_file():
        arrays = _trained(text, path)
        with whole_file(kept) as file:
            np.savez(file, **arrays)
    return _model(kept, f"{ORDER}-gram:{path.resolve().name}", digest)


def _text(path: Path) -> str:
    files = sorted(path.glob("*.txt")) if path.is_dir() else [path]
    if not files or not all(file.is_file() for file in files):
        raise UserError(f"no text at {path}: expected a file, or a folder of .txt files")
    try:
        return "\n".join(file.read_text(encoding="utf-8") for file in files)
    except (UnicodeDecodeError, OSError) as error:
        raise UserError(f"{path} is no text in UTF-8 ({type(error).__name__})") from error


def _trained(text: str, path: Path) -> "dict[str, np.typing.NDArray[Any]]":
    from ..architectures.kneser_ney import UNKNOWN, KneserNey

    lines = [line for line in text.splitlines() if line.strip() and not _HEADING.fullmatch(line)]
    sentences = [sentence for line in lines for sentence in sentences_of(line)]
    counts = Counter(word for sentence in sentences for word in sentence if word != _UNKNOWN)
    words = sorted(word for word, n in counts.items() if n >= _LEAST)
    if len(words) < _FEWEST:
        raise UserError(f"{path} holds too little text: {len(words)} words occur {_LEAST} times")
    known = {word: number for number, word in enumerate(words, start=2)}
    ids = [[known.get(word, UNKNOWN) for word in sentence] for sentence in sentences]
    spelled = np.frombuffer("\n".join(words).encode(), np.uint8)
    n_rare = np.array([max(len(counts) - len(words), 1)])
    return {"words": spelled, "n_rare": n_rare} | KneserNey.of(ids, len(words) + 2, ORDER).arrays()


def _model(kept: Path, identifier: str, digest: str) -> NGram:
    from ..architectures.kneser_ney import KneserNey

    try:
        with np.load(kept, allow_pickle=False) as file:
            arrays = dict(file)
        words, n_rare = bytes(arrays["words"]).decode().split("\n"), int(arrays["n_rare"][0])
        return NGram(KneserNey.of_arrays(arrays), words, n_rare, identifier, digest)
    except (OSError, ValueError, KeyError, zipfile.BadZipFile) as error:
        raise UserError(
            f"{kept} is damaged ({type(error).__name__}): delete it, and it is made again"
        ) from error
