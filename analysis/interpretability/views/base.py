"""The registry of views: what is said of every unit of a layer, or of every feature of its dictionary."""

from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, Literal, TypeVar

import numpy as np
import numpy.typing as npt
import pandas as pd
import torch
from torch import Tensor

from ....errors import UserError
from ....models.extraction.rows import LayerRows, TokenWindows, count_rows, drawn_part, layer_rows
from ....models.extraction.torch_model import Network
from ....models.sheet import Sheet
from ....registry import Registry
from ..dictionary import Dictionary
from ..learning.of_model import digest_of_shown

if TYPE_CHECKING:
    from ....brain_data.stimulus_set import StimulusSet

Of = Literal["unit", "feature"]
_MOST_ROWS = 100_000


@dataclass(frozen=True)
class Inside:
    """What views look at: a layer, what it was shown, and its dictionary where there is one.

    Attributes
    ----------
    model : Network
    layer : str
    shown : TokenWindows or StimulusSet
        What is looked at, which the dictionary should not have learnt from.
    dictionary : Dictionary or None
    seed : int
        Of every draw.
    most_rows : int
        Rows that are held; of more, windows or pictures are drawn.
    """

    model: Network
    layer: str
    shown: "TokenWindows | StimulusSet" = field(repr=False)
    dictionary: Dictionary | None = None
    seed: int = 0
    most_rows: int = _MOST_ROWS

    @property
    def features(self) -> Dictionary:
        """The dictionary; a UserError where there is none."""
        if self.dictionary is None:
            raise UserError("this view is of features: name a dictionary")
        return self.dictionary

    @cached_property
    def part(self) -> "TokenWindows | StimulusSet":
        """What is looked at: whole windows or pictures, drawn at random where there are many."""
        return drawn_part(self.model, self.layer, self.shown, self.most_rows, self.seed)

    @cached_property
    def read(self) -> LayerRows:
        """The rows of that part, with the window or picture, the place and the token that each is of."""
        _, n_units = count_rows(self.model, self.layer, self.shown)
        if self.dictionary is not None and n_units != self.dictionary.n_units:
            raise UserError(
                f"the dictionary is of {self.dictionary.n_units} units, layer {self.layer!r} of "
                f"{self.model.identifier} has {n_units}"
            )
        parts = list(layer_rows(self.model, self.layer, self.part))
        stimulus, place, token = (
            np.concatenate([getattr(one, name) for one in parts]) for name in ("stimulus", "place", "token")
        )
        return LayerRows(torch.cat([one.values for one in parts]), stimulus, place, token)

    @cached_property
    def shown_digest(self) -> str:
        """sha256 over the part that is looked at."""
        return digest_of_shown(self.part)

    @cached_property
    def position(self) -> npt.NDArray[np.intp]:
        """Of texts: where each row's token stands among the tokens of all windows that are looked at."""
        assert isinstance(self.part, TokenWindows)
        starts = np.cumsum([0, *map(len, self.part.ids)])
        return starts[self.read.stimulus] + self.read.place

    @property
    def rows(self) -> Tensor:
        """Rows of the layer, (n_rows, n_units)."""
        return self.read.values

    @property
    def n_units(self) -> int:
        """Units of the layer."""
        return self.rows.shape[1]

    @cached_property
    def sheet(self) -> Sheet:
        """Where the units lie; a UserError where the model has no sheet for them."""
        found = self.model.sheet_of_units(self.layer, self.n_units)
        if found is None:
            raise UserError(
                f"{self.model.identifier} has no sheet for the {self.n_units} units of {self.layer!r}"
            )
        return found

    def activations(self, of: Of) -> "npt.NDArray[np.float32]":
        """(n_rows, n) of all units, or of all features.

        Parameters
        ----------
        of : {"unit", "feature"}
        """
        made = self.rows if of == "unit" else self.features.encode(self.rows).dense()
        values: npt.NDArray[np.float32] = made.numpy()
        return values


@dataclass(frozen=True)
class View:
    """Something that is said of every unit or feature.

    Attributes
    ----------
    name : str
    of : {"unit", "feature"}
        What a row of its table is.
    sentence : str
        What it says.
    table : callable
        Inside -> DataFrame, a row a unit or feature in their order; its controls stand in ``attrs``.
    """

    name: str
    of: Of
    sentence: str
    table: Callable[[Inside], pd.DataFrame]


VIEWS: Registry[View] = Registry("view", __package__, "brodmann.views")
Table = TypeVar("Table", bound=Callable[[Inside], pd.DataFrame])


def view(name: str, of: Of, sentence: str) -> Callable[[Table], Table]:
    """A decorator that registers a function from what there is inside to a table as a view."""
    return VIEWS.registering(name, lambda table: View(name, of, sentence, table))  # type: ignore[arg-type]


def table_of(inside: Inside, of: Of, names: list[str] | None = None) -> pd.DataFrame:
    """The tables of several views side by side, columns ``VIEW.COLUMN``.

    Parameters
    ----------
    inside : Inside
    of : {"unit", "feature"}
    names : list of str, optional
        Views; all that are of `of` by default, without those that the model does not allow, which stand in
        ``attrs["left_out"]`` with the reason.

    Returns
    -------
    DataFrame
        A row a unit or feature; ``attrs["VIEW"]`` holds what a view says beside its table.

    Raises
    ------
    UserError
        For an unknown view, one of the other kind, or one that is named and not possible.
    """
    asked = names or [name for name, one in VIEWS.items() if one.of == of]
    tables, left_out, beside = [], {}, {}
    for name in asked:
        one = VIEWS[name]
        if one.of != of:
            raise UserError(f"the view {name!r} is of {one.of}s, not of {of}s")
        try:
            table = one.table(inside)
        except UserError as error:
            if names:
                raise
            left_out[name] = str(error)
            continue
        beside[name] = dict(table.attrs)
        table.attrs = {}
        tables.append(table.add_prefix(f"{name}.").reset_index(drop=True))
    if not tables:
        raise UserError(f"no view of {of}s is possible: {'; '.join(left_out.values())}")
    whole = pd.concat(tables, axis=1)
    whole.index.name = of
    whole.attrs = beside | {"left_out": left_out}
    return whole
