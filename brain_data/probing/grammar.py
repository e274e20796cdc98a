"""Sentences that are acceptable, are in order, have meaning, are questions."""

from collections.abc import Callable

import numpy as np

from ..stimuli.language_localizers import language_conditions
from .base import Property, Texts, add_property
from .material import Material

_FIELDS = ("morphology", "syntax", "semantics", "syntax_semantics")
_BLIMP, _BLIMP_LICENSE = "BLiMP's minimal pairs, a folder of a user's", "CC BY 4.0"
_LANGLOC = "the language localizer's own files (Fedorenko et al. 2010), a folder of a user's"
_TOPOLM = "conditions of Fedorenko et al. as TopoLM's evaluation holds them, a folder of a user's"


def _acceptable(field: str) -> Callable[[Material], Texts]:
    def make(material: Material) -> Texts:
        pairs = [one for one in material.minimal_pairs() if one["field"] == field]
        step = max(1, -(-2 * len(pairs) // 1400))
        pairs = pairs[::step]
        return Texts(
            [text for one in pairs for text in (one["good"], one["bad"])],
            np.tile([True, False], len(pairs)),
            [one["paradigm"] for one in pairs for _ in range(2)],
            ["acceptable", "not"] * len(pairs),
        )

    return make


def _is_question(material: Material) -> Texts:
    good = [(one["paradigm"], one["good"].strip()) for one in material.minimal_pairs()]
    asked = [(name, text.rstrip("? ")) for name, text in good if text.endswith("?")]
    told = [(name, text.rstrip(". ")) for name, text in good if not text.endswith("?")]
    return Texts.of({"question": (True, asked), "statement": (False, told)})


def _word_order_shuffled(material: Material) -> Texts:
    """Half of the sentences, their words in random order; the first letter and the final mark stay what they were."""
    generator = np.random.default_rng(0)
    kept, shuffled = [], []
    for i, (name, text) in enumerate(material.sentences(8, 30)):
        words = text.split()
        if i % 2:
            kept.append((name, " ".join([words[0].lower(), *words[1:]])))
            continue
        inner = [words[0].lower(), *words[1:-1]]
        shuffled.append((name, " ".join([*(inner[j] for j in generator.permutation(len(inner))), words[-1]])))
    return Texts.of({"shuffled": (True, shuffled), "in order": (False, kept)})


def _conditions(pattern: str, file: str, positive: str, negative: str) -> Callable[[Material], Texts]:
    def make(material: Material) -> Texts:
        rows = [
            (f"{stem} {i // 8}", kind, text.lower())
            for i, (stem, kind, text) in enumerate(material.localizer_texts(pattern, file))
        ]
        return Texts.of(
            {
                kind: (kind == positive, [(name, text) for name, one, text in rows if one == kind])
                for kind in (positive, negative)
            }
        )

    return make


def _made_up(positive: str, negative: str) -> Callable[[Material], Texts]:
    def make(material: Material) -> Texts:
        del material
        made = language_conditions(n_each=200, seed=5)
        rows = list(zip(made["stimulus_id"], made["category"], made["sentence"], strict=True))
        return Texts.of(
            {
                kind: (kind == positive, [(str(name), str(text)) for name, one, text in rows if one == kind])
                for kind in (positive, negative)
            }
        )

    return make


for _field in _FIELDS:
    add_property(
        Property(
            f"is_grammatical_{_field}",
            f"the acceptable sentence of a pair of BLiMP's field {_field}; a paradigm is on one side of the split",
            "text",
            _BLIMP,
            _BLIMP_LICENSE,
            "pairs differ in a word or two; sentences are of templates",
            make=_acceptable(_field),
        ),
        __name__,
    )
add_property(
    Property(
        "is_question",
        "a question without its mark, against statements without theirs",
        "text",
        _BLIMP,
        _BLIMP_LICENSE,
        "the first word; eight paradigms hold all questions",
        make=_is_question,
    ),
    __name__,
)
add_property(
    Property(
        "word_order_shuffled",
        "the words of a sentence in random order, against other sentences; begun in lower case",
        "text",
        "sentences of wikitext, or of the user's own text",
        "CC BY-SA (wikitext)",
        "marks stand at odd places; names stay written with capitals",
        make=_word_order_shuffled,
    ),
    __name__,
)
_SETS: dict[str, tuple[str, str, str, str, str, str]] = {
    "sentence_vs_nonwords": (
        "*langloc*",
        "*.csv",
        "sentences",
        "nonwords",
        _LANGLOC,
        "nonwords are of rare letters",
    ),
    "sentence_vs_words": (
        "topolm-stimuli",
        "fedorenko*.csv",
        "sentences",
        "words",
        _TOPOLM,
        "sets of words differ",
    ),
    "jabberwocky_vs_nonwords": (
        "topolm-stimuli",
        "fedorenko*.csv",
        "jabberwocky",
        "nonwords",
        _TOPOLM,
        "function words are words",
    ),
}
for _name, (_pattern, _file, _positive, _negative, _source, _confound) in _SETS.items():
    add_property(
        Property(
            _name,
            f"{_positive}, against {_negative}; in lower case, eight neighboring items on one side of the split",
            "text",
            _source,
            "none stated: read where a user has them, never copied",
            _confound,
            make=_conditions(_pattern, _file, _positive, _negative),
        ),
        __name__,
    )
for _positive, _negative in (("sentences", "words"), ("jabberwocky", "nonwords")):
    add_property(
        Property(
            f"made_up_{_positive}_vs_{_negative}",
            f"{_positive}, against {_negative}, of a small grammar",
            "text",
            "made by brodmann's localizer language-conditions",
            "brodmann's own",
            "some twenty nouns and five verbs",
            make=_made_up(_positive, _negative),
        ),
        __name__,
    )
