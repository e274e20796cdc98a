"""Which language: the same messages in six of them, so that topics are matched."""

from collections.abc import Callable

from .base import Property, Texts, add_property
from .material import LANGUAGES, Material

_ADJECTIVES = ("english", *LANGUAGES)


def _maker(language: str) -> Callable[[Material], Texts]:
    def make(material: Material) -> Texts:
        each = material.messages()
        return Texts.of({name: (name == language, rows) for name, rows in each.items()})

    return make


for _language in _ADJECTIVES:
    add_property(
        Property(
            f"is_{_language}",
            f"the text is {_language.capitalize()}, against the same messages in five other languages",
            "text",
            source="message catalogues of an installed Django, at least 12 letters in every language",
            license="BSD-3 (Django)",
            confound="letters with accents; parts of one catalogue, which share words, are on both sides of the "
            "split; names and markup are taken out where they can be told",
            make=_maker(_language),
        ),
        __name__,
    )
