"""Text to train on: files of it, and byte-pair tokens learnt from them."""

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from ...brain_data.stimuli.sentences import GRAMMARS, sentence
from ...errors import UserError
from ...files import digest_of

if TYPE_CHECKING:
    from tokenizers import Tokenizer

END = "<|end|>"
"""Stands before every paragraph."""


@dataclass(frozen=True)
class Corpus:
    """Text as token ids.

    Attributes
    ----------
    train, held_out : int64 arrays
    tokenizer : str
        The tokenizer as its JSON.
    n_bytes : int
        Of the held-out text, so that losses of different tokenizers can be compared (bits a byte).
    """

    train: npt.NDArray[np.int64]
    held_out: npt.NDArray[np.int64]
    tokenizer: str
    n_bytes: int

    @property
    def digest(self) -> str:
        """sha256 over all tokens and the tokenizer."""
        return digest_of(self.train.tobytes(), self.held_out.tobytes(), self.tokenizer)


def corpus(source: Path | None, *, vocabulary: int = 1024, share_held_out: float = 0.1) -> Corpus:
    """Tokens of a text file, of every ``.txt`` file of a folder, or of made-up sentences.

    The last paragraphs are held out. A byte-level byte-pair encoding over lower-cased text is learnt from the rest.

    Parameters
    ----------
    source : Path or None
        None takes the sentences of brodmann's simulated data (two small grammars).
    vocabulary : int
        Number of tokens.
    share_held_out : float

    Raises
    ------
    UserError
        For a path without text, or too little of it.
    """
    paragraphs = _made_up() if source is None else _paragraphs(source)
    n_held_out = max(1, round(share_held_out * len(paragraphs)))
    train, held_out = paragraphs[:-n_held_out], paragraphs[-n_held_out:]
    if sum(map(len, train)) < 10_000:
        raise UserError(f"{source} holds too little text to train on: at least 10 000 letters are needed")
    from tokenizers import Tokenizer, decoders, models, normalizers, pre_tokenizers, trainers

    tokenizer = Tokenizer(models.BPE())
    tokenizer.normalizer = normalizers.Lowercase()
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=vocabulary,
        special_tokens=[END],
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    tokenizer.train_from_iterator(train, trainer)
    return Corpus(
        _tokens(tokenizer, train),
        _tokens(tokenizer, held_out),
        tokenizer.to_str(),
        sum(len(text.encode()) + 1 for text in held_out),
    )


def _tokens(tokenizer: "Tokenizer", paragraphs: list[str]) -> npt.NDArray[np.int64]:
    end = tokenizer.token_to_id(END)
    return np.array([token for one in tokenizer.encode_batch(paragraphs) for token in (end, *one.ids)])


def _paragraphs(source: Path) -> list[str]:
    files = sorted(source.rglob("*.txt")) if source.is_dir() else [source]
    files = [file for file in files if file.is_file()]
    if not files:
        raise UserError(f"{source} is no text file and no folder with .txt files: nothing to train on")
    try:
        lines = [line.strip() for file in files for line in file.read_text(encoding="utf-8").splitlines()]
    except UnicodeDecodeError as error:
        raise UserError(f"{source} holds a file that is not UTF-8 text ({error.reason})") from error
    return [line for line in lines if line]


def _made_up(n_sentences: int = 20_000) -> list[str]:
    generator = np.random.default_rng(0)
    return [sentence(GRAMMARS[i % len(GRAMMARS)], generator).text for i in range(n_sentences)]


class TextTokenizer:
    """A stored tokenizer as language models call it: text -> a mapping with ``input_ids`` and offsets.

    Parameters
    ----------
    stored : str
        Its JSON.
    max_tokens : int
        The most that the network reads.
    """

    one_paragraph = True
    """A text of several lines is several to it: networks that are trained here see no line break."""

    def __init__(self, stored: str, max_tokens: int) -> None:
        from tokenizers import Tokenizer

        self._tokenizer = Tokenizer.from_str(stored)
        self._first = self._tokenizer.token_to_id(END)
        self.model_max_length = max_tokens

    def __call__(self, text: str, **options: Any) -> dict[str, list[Any]]:
        """Ids after the token that begins every paragraph."""
        del options
        found = self._tokenizer.encode(text)
        return {"input_ids": [self._first, *found.ids], "offset_mapping": [(0, 0), *found.offsets]}
