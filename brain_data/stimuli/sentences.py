"""Procedural sentences of two grammars, with the properties that a simulated cortex responds to."""

from dataclasses import dataclass

import numpy as np

_ANIMALS = ("dog", "horse", "bird", "rabbit", "spider", "monkey", "salmon", "tiger")
_TOOLS = ("hammer", "kettle", "ladder", "needle", "bucket", "pencil", "lantern", "wheel")
_ADJECTIVES = ("small", "old", "bright", "heavy", "quiet", "strange", "pale", "quick")
_VERBS = (
    ("sees", "seen"),
    ("moves", "moved"),
    ("finds", "found"),
    ("holds", "held"),
    ("follows", "followed"),
)
_PLACES = ("near the river", "in the garden", "behind a wall", "on the hill")
GRAMMARS = ("active", "passive")


@dataclass(frozen=True)
class Sentence:
    """A sentence and what is true of it.

    Attributes
    ----------
    text : str
    grammar : str
        ``"active"`` or ``"passive"``.
    n_words : int
    animals : int
        How many of its two nouns are animals.
    adjectives : int
        How many adjectives it has.
    place : bool
        Whether it ends in a place.
    """

    text: str
    grammar: str
    n_words: int
    animals: int
    adjectives: int
    place: bool

    @property
    def properties(self) -> tuple[float, ...]:
        """Grammar, number of words, animals, adjectives and place as numbers."""
        return (
            float(self.grammar == "passive"),
            self.n_words,
            self.animals,
            self.adjectives,
            float(self.place),
        )


def sentence(grammar: str, generator: np.random.Generator) -> Sentence:
    """One sentence: "the old dog sees a hammer" or "a hammer is seen by the old dog"."""
    animals = generator.integers(0, 2, 2)
    described = generator.integers(0, 2, 2)
    phrases = []
    for article, is_animal, has_adjective in zip(("the", "a"), animals, described, strict=True):
        noun = generator.choice(_ANIMALS if is_animal else _TOOLS)
        adjective = [str(generator.choice(_ADJECTIVES))] if has_adjective else []
        words = [*adjective, str(noun)]
        if article == "a" and words[0][0] in "aeiou":
            article = "an"
        phrases.append(" ".join([article, *words]))
    present, participle = _VERBS[generator.integers(len(_VERBS))]
    actor, thing = phrases
    words_out = f"{actor} {present} {thing}" if grammar == "active" else f"{thing} is {participle} by {actor}"
    place = bool(generator.integers(0, 2))
    if place:
        words_out += " " + str(generator.choice(_PLACES))
    text = words_out[0].upper() + words_out[1:] + "."
    return Sentence(text, grammar, len(text.split()), int(animals.sum()), int(described.sum()), place)
