"""A column of the stimuli as a model: what others computed, scored by the same code."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from ...errors import UserError, unknown
from ...files import digest_of
from ..catalogue import scheme
from ..model import Context, Model

if TYPE_CHECKING:
    import xarray as xr

    from ...brain_data.stimulus_set import StimulusSet


class Column(Model):
    """The numbers in a column of the stimuli, as a layer of one unit and as surprisal.

    Parameters
    ----------
    name : str
    """

    modality = "language"

    def __init__(self, name: str) -> None:
        self.column = name
        self.identifier = f"column:{name}"
        self.digest = digest_of("column", name)  # the numbers are of the data, whose digest has them

    @property
    def layers(self) -> list[str]:
        """One layer, ``column``."""
        return ["column"]

    def sizes(self, stimuli: "StimulusSet", layers: Sequence[str] | None = None) -> dict[str, int]:
        """One unit."""
        del stimuli
        return dict.fromkeys(self._asked(layers), 1)

    def extract(
        self, stimuli: "StimulusSet", layers: Sequence[str] | None = None, *, context: Context = "none"
    ) -> "dict[str, xr.DataArray]":
        """The column, which must hold a number for every stimulus."""
        from ..extraction.in_context import as_surprisal

        del context
        numbers = self._numbers(stimuli)
        if not np.isfinite(numbers).all():
            raise UserError(f"{int((~np.isfinite(numbers)).sum())} stimuli have no number in {self.column!r}")
        found: xr.DataArray = as_surprisal(stimuli, numbers, {}, "").astype(np.float32)
        found["neuroid_id"] = "neuroid", [self.column]
        found["layer"] = "neuroid", ["column"]
        return dict.fromkeys(self._asked(layers), found)

    def surprisal_of(self, stimuli: "StimulusSet", *, context: Context = "none") -> "xr.DataArray":
        """The column, whatever the context in which it was computed; NaN where it holds none."""
        from ..extraction.in_context import as_surprisal

        del context
        return as_surprisal(stimuli, self._numbers(stimuli), {}, f"the column {self.column!r} of the stimuli")

    def _numbers(self, stimuli: "StimulusSet") -> "np.typing.NDArray[np.float64]":
        if self.column not in stimuli.columns:
            raise unknown("column of the stimuli", self.column, stimuli.columns)
        try:
            numbers: np.typing.NDArray[np.float64] = stimuli[self.column].to_numpy(np.float64)
        except (TypeError, ValueError) as error:
            raise UserError(f"the column {self.column!r} of the stimuli holds no numbers") from error
        if np.isinf(numbers).any():
            raise UserError(
                f"the column {self.column!r} of the stimuli is infinite for {np.isinf(numbers).sum()} of them"
            )
        return numbers


@scheme("column", "NAME")
def column(name: str) -> Model:
    """The column of that name."""
    return Column(name)
