"""A layer as the page looks at it: read once, with the features of its dictionary, for all sections."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pandas as pd
from scipy.sparse import csc_array

from ....analysis.interpretability.dictionary import Dictionary
from ....analysis.interpretability.quality.firing import sparse_codes
from ....analysis.interpretability.views.base import VIEWS, Inside
from ....models.extraction.language_model import LanguageModel
from ....models.extraction.rows import TokenWindows, count_rows
from .content import Of

Indices = npt.NDArray[np.intp]
Floats = npt.NDArray[np.float32]

_BYTES_A_VALUE, _BYTES_A_WEIGHT = 40, 32
"""Of a unit in a row: once as it is, four times in double precision; of a dictionary, its twin and their controls."""


@dataclass(frozen=True)
class Looked:
    """A layer, what it was shown, what it answered.

    Attributes
    ----------
    key, title : str
        Of the site of the page.
    inside : Inside
        Network, layer, held-out texts or pictures, dictionary, seed.
    twin : Dictionary or None
        Another dictionary of the same layer, learnt from another seed.
    material : str
        The key of the texts or pictures of its examples.
    source : str
        Where these come from, as the foot of the page says it.
    """

    key: str
    title: str
    inside: Inside
    twin: Dictionary | None = None
    material: str = "m0"
    source: str = ""

    @property
    def dictionary(self) -> Dictionary | None:
        """The dictionary, where there is one."""
        return self.inside.dictionary

    @property
    def reads(self) -> bool:
        """Whether the network reads texts."""
        return isinstance(self.inside.model, LanguageModel)

    @property
    def kinds(self) -> tuple[Of, ...]:
        """What there are pages of."""
        return ("unit",) if self.dictionary is None else ("unit", "feature")

    def count(self, of: Of) -> int:
        """How many units or features.

        Parameters
        ----------
        of : {"unit", "feature"}
        """
        return self.inside.n_units if of == "unit" else self.inside.features.n_features

    @property
    def units(self) -> Floats:
        """(n_rows, n_units)."""
        values: Floats = self.inside.rows.numpy()
        return values

    @cached_property
    def features(self) -> csc_array:
        """(n_rows, n_features), at least 0."""
        return sparse_codes(self.inside.features, self.units)

    def columns(self, of: Of, chosen: Sequence[int]) -> Floats:
        """(n_rows, len(chosen)), dense.

        Parameters
        ----------
        of : {"unit", "feature"}
        chosen : sequence of int
        """
        if of == "unit":
            return self.units[:, list(chosen)]
        return np.asarray(self.features[:, list(chosen)].todense(), np.float32)

    @cached_property
    def _tables(self) -> dict[str, pd.DataFrame]:
        return {}

    def table(self, view: str) -> pd.DataFrame:
        """What a view says, made once for all sections.

        Parameters
        ----------
        view : str
        """
        if view not in self._tables:
            self._tables[view] = VIEWS[view].table(self.inside)
        return self._tables[view]

    @cached_property
    def document(self) -> Indices:
        """The text or picture that each row is of."""
        read, part = self.inside.read, self.inside.part
        if not isinstance(part, TokenWindows):
            return read.stimulus
        return np.concatenate(part.document)[self.position]

    @property
    def position(self) -> Indices:
        """Of texts: where each row's token stands among the tokens of all windows that are looked at."""
        return self.inside.position


def bytes_needed(layers: Sequence[Looked]) -> int:
    """Memory that a page takes, about: the rows of all its layers, what is counted over them, and dictionaries.

    Parameters
    ----------
    layers : sequence of Looked
    """
    total = 0
    for one in layers:
        inside = one.inside
        n_rows, n_units = count_rows(inside.model, inside.layer, inside.shown)
        n_features = 0 if one.dictionary is None else one.dictionary.n_features
        total += n_units * (_BYTES_A_VALUE * min(n_rows, inside.most_rows) + _BYTES_A_WEIGHT * n_features)
    return total


@dataclass(frozen=True)
class Asked:
    """What is made beside the examples.

    Attributes
    ----------
    others : sequence of Looked
        All layers of the page, this one too: twins are looked for in the others.
    benchmarks : sequence of str
        Whose regions are predicted.
    properties : sequence of str or None
        That are probed; all that the material at hand allows by default.
    probed : bool
        Whether any is.
    texts : sequence of str
        Shown through the lens; windows of what is looked at by default.
    effects : bool
        Whether every feature is silenced.
    lesions : sequence of int
        Features whose lesion is held against 200 draws of each control.
    topics : int
        Clusters of units by the texts that they matter for; 0 for none.
    n_controls : int
        Draws of each control of those lesions.
    folder : Path or None
        Material for probes.
    describer : str or None
        A program or an address of the user's.
    labels : Path or None
        A .csv of the user's own labels.
    """

    others: Sequence[Looked] = ()
    benchmarks: Sequence[str] = ()
    properties: Sequence[str] | None = None
    probed: bool = True
    texts: Sequence[str] = ()
    effects: bool = True
    lesions: Sequence[int] = ()
    topics: int = 8
    n_controls: int = 200
    folder: Path | None = None
    describer: str | None = None
    labels: Path | None = None
