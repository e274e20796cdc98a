"""What surprisal is asked of and given as, whatever the model: texts in their context, one number a text."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from ...errors import UserError
from ..model import Context, checked_context
from .texts import passages, text_of

if TYPE_CHECKING:
    import xarray as xr

    from ...brain_data.stimulus_set import StimulusSet

TARGET = "target"
"""The column of what is asked about, where a text is what stands before it and itself."""
LAYER = "surprisal"
NONE = "texts without surprisal"


@dataclass(frozen=True)
class Passage:
    """Texts that are read one after the other.

    Attributes
    ----------
    parts : list of str
    rows : list of int or None
        The row of each part in the table; None for one that is only read.
    """

    parts: list[str]
    rows: list[int | None]


def in_context(stimuli: "StimulusSet", context: Context) -> list[Passage]:
    """The texts whose surprisal is asked, each after what stands before it.

    With a column ``target``, with which each text ends, it is the target's after the rest of the text.

    Parameters
    ----------
    stimuli : StimulusSet
    context : {"none", "passage"} or int
        Nothing else; all earlier texts of the passage (or story); so many of them.

    Raises
    ------
    UserError
        For a target that a text does not end with, or one beside another context.
    """
    context = checked_context(context, "surprisal")
    texts = [text.strip() for text in text_of(stimuli)]
    if TARGET in stimuli.columns:
        if context not in ("none", 0):
            raise UserError("texts that end with a 'target' hold their context: context must be 'none'")
        targets = map(str, stimuli[TARGET])
        return [
            _before(text, target, row) for row, (text, target) in enumerate(zip(texts, targets, strict=True))
        ]
    if context in ("none", 0):
        return [Passage([text], [row]) for row, text in enumerate(texts)]
    groups = passages(stimuli)
    if context == "passage":
        return [Passage([texts[row] for row in rows], list(rows)) for rows in groups]
    found = []
    for rows in groups:
        for place, row in enumerate(rows):
            some = rows[max(0, place - int(context)) : place + 1]
            found.append(Passage([texts[one] for one in some], [*[None] * (len(some) - 1), row]))
    return found


def _before(text: str, target: str, row: int) -> Passage:
    if not target.strip() or not text.endswith(target.strip()):
        raise UserError(f"the text {text[:80]!r} does not end with its 'target' {target!r}")
    before = text[: -len(target.strip())].strip()
    return Passage([before, target.strip()], [None, row]) if before else Passage([text], [row])


def as_surprisal(
    stimuli: "StimulusSet", values: npt.NDArray[np.float64], left_out: Mapping[str, int], said: str
) -> "xr.DataArray":
    """Surprisal as a layer of one unit.

    Parameters
    ----------
    stimuli : StimulusSet
    values : array of shape (n_stimuli,)
        In nats; NaN for none.
    left_out : mapping of str to int
        Beside texts that have none, which are counted here.
    said : str
        How it was found.
    """
    import xarray as xr

    n_without = int(np.isnan(values).sum())
    return xr.DataArray(
        values[:, None],
        dims=("presentation", "neuroid"),
        coords={
            "stimulus_id": ("presentation", stimuli["stimulus_id"].to_numpy()),
            "neuroid_id": ("neuroid", [LAYER]),
            "layer": ("neuroid", [LAYER]),
        },
        attrs={"left_out": dict(left_out) | ({NONE: n_without} if n_without else {}), "surprisal": said},
    )
