"""The citation of a catalogue model, in BibTeX."""

import re
from importlib import resources

from ...models.catalogue import list_models


def model_bibtex(identifier: str) -> str:
    """The catalogue's citation of a model; empty for a model of another kind.

    Parameters
    ----------
    identifier : str
    """
    keys = [card.citation for card in list_models() if card.identifier == identifier and card.citation]
    if not keys:
        return ""
    package = __package__.split(".")[0]
    text = resources.files(f"{package}.models").joinpath("citations.bib").read_text(encoding="utf-8")
    entries = re.split(r"\n(?=@)", text)
    return next((one.strip() for one in entries if one.startswith("@") and f"{{{keys[0]}," in one), "")
