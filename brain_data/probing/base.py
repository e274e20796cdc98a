"""What a property is, the registry of them, and what its check says before any network is asked."""

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal

import numpy as np
import numpy.typing as npt

from ...errors import UserError
from ...registry import Registry
from ..stimulus_set import StimulusSet
from .material import Material
from .splits import split_by_document
from .trivial import trivial_f1

Integers = npt.NDArray[np.intp]
Labels = npt.NDArray[np.bool_]
Marks = npt.NDArray[np.int8]
Level = Literal["token", "text", "picture"]

UNLABELED = -1
MOST_TEXTS = 1400
"""Of a property, both classes together."""
_WORD = re.compile(r"\S+")


@dataclass(frozen=True)
class TokenizedText:
    """A part of a document as a network reads it.

    Attributes
    ----------
    text : str
        As it was written, with capitals even where the network sees none.
    ids, start, end : intp arrays of shape (n_tokens,)
        Token ids, and the letters of `text` that each covers, without spaces; start = end for tokens of no letters.
    place, window : intp arrays of shape (n_tokens,)
        The token's place in its window, and which window.
    rank : array of shape (n_tokens,)
        Part of all tokens of the corpus that are of kinds at most as frequent as this one, 0 to 1.
    """

    text: str
    ids: Integers
    start: Integers
    end: Integers
    place: Integers
    window: Integers
    rank: npt.NDArray[np.float64]

    def __len__(self) -> int:
        return len(self.ids)

    def nothing(self) -> Marks:
        """No token labelled."""
        return np.full(len(self), UNLABELED, np.int8)

    def at_word_ends(self, labels: Iterable[tuple[int, int, bool]]) -> Marks:
        """Labels at the last token of each word.

        Parameters
        ----------
        labels : iterable of (start, end, label)
            Of words, by their letters.
        """
        marks, given = self.nothing(), list(labels)
        real = np.flatnonzero(self.end > self.start)
        if not given or not len(real):
            return marks
        start, end, label = (np.array(one) for one in zip(*given, strict=True))
        at = np.minimum(np.searchsorted(self.end[real], end), len(real) - 1)
        touches = (self.start[real[at]] < end) & (self.end[real[at]] >= end) & (self.end[real[at]] > start)
        marks[real[at[touches]]] = label[touches]
        return marks

    def pieces(self) -> list[str]:
        """The letters of every token."""
        return [self.text[a:b] for a, b in zip(self.start, self.end, strict=True)]

    def words(self) -> list[tuple[int, int, str]]:
        """Everything between spaces: start, end, letters."""
        return [(one.start(), one.end(), one.group()) for one in _WORD.finditer(self.text)]


@dataclass(frozen=True)
class Texts:
    """Labelled texts.

    Attributes
    ----------
    texts : list of str
    labels : bool array of shape (n_texts,)
    documents : list of str
        The file, article, catalogue or paradigm of each.
    kinds : list of str
        Which kind of positive or negative it is.
    """

    texts: list[str]
    labels: Labels
    documents: list[str]
    kinds: list[str]

    @classmethod
    def of(
        cls, groups: Mapping[str, tuple[bool, Sequence[tuple[str, str]]]], most: int = MOST_TEXTS
    ) -> "Texts":
        """From kinds of texts: kind -> (label, pairs of document and text), as many positives as negatives.

        Kinds of one label give as many texts each, where they have them; which ones is drawn by a seed.
        """
        generator = np.random.default_rng(0)
        by_label = {
            label: {k: g for k, (one, g) in groups.items() if one == label} for label in (True, False)
        }
        sizes = {label: sum(map(len, by_label[label].values())) for label in by_label}
        n_each = min(most // 2, *sizes.values())
        rows = []
        for label, kinds in by_label.items():
            taken = _shares({kind: len(of) for kind, of in kinds.items()}, n_each)
            for kind, of in kinds.items():
                chosen = np.sort(generator.permutation(len(of))[: taken[kind]])
                rows += [(of[i][1], label, of[i][0], kind) for i in chosen]
        texts, labels, documents, kinds_of = ([row[i] for row in rows] for i in range(4))
        return cls(texts, np.array(labels, bool), documents, kinds_of)  # type: ignore[arg-type]


def _shares(sizes: Mapping[str, int], total: int) -> dict[str, int]:
    """As many of each as there can be, the smallest first."""
    shares, left = {}, total
    for n, (kind, size) in enumerate(sorted(sizes.items(), key=lambda one: one[1])):
        shares[kind] = min(size, left // (len(sizes) - n))
        left -= shares[kind]
    return shares


@dataclass(frozen=True)
class Pictures:
    """Labelled pictures.

    Attributes
    ----------
    stimuli : StimulusSet
    labels : bool array of shape (n_pictures,)
    documents : list of str
        What must not be on both sides: the picture itself, or what two gratings have in common.
    kinds : list of str
    """

    stimuli: StimulusSet
    labels: Labels
    documents: list[str]
    kinds: list[str]


@dataclass(frozen=True)
class Property:
    """A property of tokens, texts or pictures.

    Attributes
    ----------
    name : str
    sentence : str
        What is true of a positive, and what the negatives are.
    level : {"token", "text", "picture"}
    source, license : str
        Of the material.
    confound : str
        What else differs, as far as is known.
    label : callable or None
        Of tokens: (tokenized text, material) -> 1, 0 or -1 (unlabelled) for every token.
    make : callable or None
        Of texts and pictures: material -> :class:`Texts` or :class:`Pictures`.
    needs : callable or None
        Of tokens: raises a NotAvailableError where a list that the rule reads is absent.
    apart : callable or None
        Of tokens: what of a token must not be on both sides of the split beside the document, such as its lemma.
    itself : tuple of str
        Trivial predictors that are the property, and therefore say nothing about the probe.
    by_model : bool
        Labels are thirds of the network's own surprisal.
    """

    name: str
    sentence: str
    level: Level
    source: str
    license: str
    confound: str
    label: Callable[[TokenizedText, Material], Marks] | None = None
    make: Callable[[Material], Texts | Pictures] | None = None
    needs: Callable[[Material], object] | None = None
    apart: Callable[[TokenizedText], list[str]] | None = None
    itself: tuple[str, ...] = ()
    by_model: bool = False

    def made(self, material: Material) -> Texts | Pictures:
        """Its texts or pictures.

        Raises
        ------
        UserError
            Of tokens, which are labelled where they stand; or where its material is absent.
        """
        if self.make is None:
            raise UserError(f"{self.name} is of tokens: they are labelled in running text")
        return self.make(material)

    def checks(self, material: Material, *, random_state: int = 0) -> "Checks":
        """What can be said before a network is asked.

        Parameters
        ----------
        material : Material
        random_state : int
            Of the split, the same as a probe's.

        Raises
        ------
        UserError
            Where its material is absent or too little.
        """
        if self.make is None:
            return token_checks(self, material, random_state)
        if self.by_model:
            raise UserError(f"{self.name} is labelled by the network that is probed")
        made = self.make(material)
        numbers, keys = (
            (text_numbers(made.texts, material) if isinstance(made, Texts) else picture_numbers(made)),
            {},
        )
        if isinstance(made, Texts):
            keys = {"first word": [text.split(maxsplit=1)[0].lower() for text in made.texts]}
        parts = split_by_document(made.labels, made.documents, random_state=random_state)
        kept = {name: one for name, one in numbers.items() if name not in self.itself}
        return Checks(
            len(made.labels),
            float(made.labels.mean()),
            len(set(made.documents)),
            len(parts.train),
            len(parts.test),
            trivial_f1(kept, keys, made.labels, parts),
            {kind: made.kinds.count(kind) for kind in dict.fromkeys(made.kinds)},
        )


@dataclass(frozen=True)
class Checks:
    """A property's examples, and what trivial predictors make of them.

    Attributes
    ----------
    n : int
        Labelled examples.
    balance : float
        Part of them that is positive, before classes are made equal.
    n_documents : int
    n_train, n_test : int
        After they are.
    trivial : dict of str to float
        F1 of single predictors on the test documents.
    kinds : dict of str to int
    """

    n: int
    balance: float
    n_documents: int
    n_train: int
    n_test: int
    trivial: dict[str, float]
    kinds: dict[str, int] = field(default_factory=dict)


def text_numbers(texts: Sequence[str], material: Material) -> dict[str, npt.NDArray[np.float64]]:
    """Letters, words, and the mean log frequency of the words in :meth:`.material.Material.word_counts`, 1 added."""
    words, count = [text.lower().split() for text in texts], material.word_counts()
    return {
        "letters": np.array([len(text) for text in texts], np.float64),
        "words": np.array([len(one) for one in words], np.float64),
        "mean log frequency": np.array(
            [np.mean([np.log1p(count[word]) for word in one] or [0.0]) for one in words]
        ),
    }


def picture_numbers(made: Pictures) -> dict[str, npt.NDArray[np.float64]]:
    """Mean luminance, 0 to 1."""
    from ..stimuli.pictures import opened

    paths, found = made.stimuli.stimulus_paths or {}, []
    for name in made.stimuli["stimulus_id"]:
        with opened(paths[name]) as picture:
            found.append(float(np.asarray(picture.convert("L"), np.float64).mean()) / 255)
    return {"luminance": np.array(found)}


def token_numbers(text: TokenizedText) -> dict[str, npt.NDArray[np.float64]]:
    """Letters of the token, the rank of its frequency, its place in the window."""
    return {
        "letters": (text.end - text.start).astype(np.float64),
        "frequency": text.rank,
        "place": text.place.astype(np.float64),
    }


def token_checks(asked: Property, material: Material, random_state: int) -> Checks:
    """Those of a property of tokens, with words in place of a network's tokens."""
    texts = words_as_tokens(material.running_text())
    found = token_labels(asked, texts, material)
    numbers = {
        name: np.concatenate([token_numbers(text)[name] for text in texts])[found.rows]
        for name in ("letters", "frequency", "place")
        if name not in asked.itself
    }
    parts = split_by_document(found.labels, found.documents, apart=found.apart, random_state=random_state)
    return Checks(
        len(found.labels),
        float(found.labels.mean()),
        len(set(found.documents)),
        len(parts.train),
        len(parts.test),
        trivial_f1(numbers, {}, found.labels, parts),
    )


@dataclass(frozen=True)
class TokenLabels:
    """The labelled tokens of several texts.

    Attributes
    ----------
    rows : intp array of shape (n_labelled,)
        Places among all tokens, one text after another.
    labels : bool array of shape (n_labelled,)
    documents : intp array of shape (n_labelled,)
    apart : array of str or None
        What else must not be on both sides.
    """

    rows: Integers
    labels: Labels
    documents: Integers
    apart: npt.NDArray[np.str_] | None


def token_labels(asked: Property, texts: Sequence[TokenizedText], material: Material) -> TokenLabels:
    """Label the tokens of documents by a property's rule."""
    if asked.label is None:
        raise UserError(f"{asked.name} is no property of tokens")
    if asked.needs is not None:
        asked.needs(material)
    marks = np.concatenate([asked.label(text, material) for text in texts])
    document = np.repeat(np.arange(len(texts)), [len(text) for text in texts])
    rows = np.flatnonzero(marks != UNLABELED)
    apart = None
    if asked.apart is not None:
        apart = np.array([one for text in texts for one in asked.apart(text)], np.str_)[rows]
    return TokenLabels(rows, marks[rows] == 1, document[rows], apart)


def words_as_tokens(texts: Sequence[str], window: int = 64) -> list[TokenizedText]:
    """Words in place of a network's tokens, to check a rule without one."""
    each = [[(one.start(), one.end(), one.group().lower()) for one in _WORD.finditer(text)] for text in texts]
    kinds = {word: i for i, word in enumerate(dict.fromkeys(word for one in each for _, _, word in one))}
    ids = [np.array([kinds[word] for _, _, word in one], np.intp) for one in each]
    ranks = frequency_ranks(ids)
    return [
        TokenizedText(
            text,
            number,
            np.array([a for a, _, _ in one], np.intp),
            np.array([b for _, b, _ in one], np.intp),
            np.arange(len(one)) % window,
            np.arange(len(one)) // window,
            rank,
        )
        for text, one, number, rank in zip(texts, each, ids, ranks, strict=True)
    ]


def frequency_ranks(ids: Sequence[Integers]) -> list[npt.NDArray[np.float64]]:
    """For every token the part of all tokens that are of kinds at most as frequent."""
    count = np.bincount(np.concatenate(list(ids)))
    order = np.argsort(count, kind="stable")
    upto = np.cumsum(count[order]) / count.sum()
    last = np.searchsorted(count[order], count, side="right") - 1  # kinds of one frequency have one rank
    return [upto[last][one] for one in ids]


PROPERTIES: Registry[Property] = Registry(
    "property", __package__ or "", "brodmann.properties", hint="list them with brodmann list properties"
)


def add_property(one: Property, origin: str) -> Property:
    """Register a property.

    Parameters
    ----------
    one : Property
    origin : str
        The module's ``__name__``.
    """
    return PROPERTIES.register(one.name, one, origin)
