"""What a picture shows: drawn figures, the functional localizer's folders, 92 objects."""

from collections.abc import Callable
from typing import Any

import numpy as np

from ...errors import NotAvailableError
from ..stimuli.drawn_images import CATEGORIES
from ..stimuli.drawn_localizers import drawn_categories
from ..stimuli.localizers import SCRAMBLED
from ..stimulus_set import StimulusSet
from .base import Pictures, Property, add_property
from .material import Material

N_DRAWN, SEED = 1000, 5
_FLOC = {"face": "faces", "body": "bodies", "place": "places", "object": "objects", "word": "characters"}
_92 = {"animate": "animal", "human": "human", "natural": "natural", "face": "face"}


def drawn() -> StimulusSet:
    """A thousand pictures of five categories, drawn by a seed of their own."""
    return drawn_categories(N_DRAWN, SEED)


def labelled(stimuli: StimulusSet, labels: Any, kinds: Any, keep: Any = None) -> Pictures:
    """Some pictures of a set, each a document of its own."""
    kept = np.ones(len(stimuli), bool) if keep is None else np.asarray(keep, bool)
    part = stimuli[kept].reset_index(drop=True)
    return Pictures(
        part,
        np.asarray(labels, bool)[kept],
        [str(name) for name in part["stimulus_id"]],
        [str(one) for one in np.asarray(kinds)[kept]],
    )


def _drawn(category: str) -> Callable[[Material], Pictures]:
    def make(material: Material) -> Pictures:
        del material
        stimuli = drawn()
        return labelled(stimuli, stimuli["category"] == category, stimuli["category"])

    return make


def _floc(category: str) -> Callable[[Material], Pictures]:
    def make(material: Material) -> Pictures:
        stimuli = material.localizer_pictures()
        if "folder" not in stimuli:
            raise NotAvailableError("the folder of fLoc's pictures holds folders that fLoc does not have")
        kinds = stimuli["category"]
        return labelled(stimuli, kinds == category, stimuli["folder"], kinds != SCRAMBLED)

    return make


def _floc_scrambled(material: Material) -> Pictures:
    stimuli = material.localizer_pictures()
    return labelled(stimuli, stimuli["category"] == SCRAMBLED, stimuli["category"])


def _objects(column: str) -> Callable[[Material], Pictures]:
    def make(material: Material) -> Pictures:
        stimuli = material.objects92()
        return labelled(stimuli, stimuli[column], stimuli["category"])

    return make


def _is_scrambled(material: Material) -> Pictures:
    del material
    stimuli = drawn_categories(N_DRAWN // 2, SEED, scrambled=True)
    return labelled(stimuli, stimuli["category"] == SCRAMBLED, stimuli["category"])


_OWN = ("pictures that brodmann draws", "brodmann's own")
_FLOC_SOURCE = (
    "fLoc (Stigliani et al. 2015), a folder of a user's",
    "none stated; photographs of faces: never copied",
)
_92_SOURCE = ("the 92 objects of Kriegeskorte et al. (2008), installed", "MIT (the repository's)")
for _category in CATEGORIES:
    add_property(
        Property(
            f"drawn_is_{_category}",
            f"a drawn {_category}, against the four other categories",
            "picture",
            *_OWN,
            "figures have their own areas and lightness",
            make=_drawn(_category),
        ),
        __name__,
    )
for _category, _domain in _FLOC.items():
    add_property(
        Property(
            f"floc_is_{_category}",
            f"fLoc's {_domain}, against its other domains but scrambled",
            "picture",
            *_FLOC_SOURCE,
            "two kinds a domain; 16 pictures of each in a small copy",
            make=_floc(_domain),
        ),
        __name__,
    )
add_property(
    Property(
        "floc_is_scrambled",
        "fLoc's scrambled pictures, against all others",
        "picture",
        *_FLOC_SOURCE,
        "edges; 16 pictures in a small copy",
        make=_floc_scrambled,
    ),
    __name__,
)
for _word, _column in _92.items():
    add_property(
        Property(
            f"object_is_{_word}",
            f"of the 92 objects those that are {_column}, against the others",
            "picture",
            *_92_SOURCE,
            "92 pictures: intervals are wide; faces and bodies are in the animate ones",
            make=_objects(_column),
        ),
        __name__,
    )
add_property(
    Property(
        "drawn_is_scrambled",
        "a drawn picture with random phases, against pictures as they were drawn",
        "picture",
        *_OWN,
        "edges, local contrast",
        make=_is_scrambled,
    ),
    __name__,
)
