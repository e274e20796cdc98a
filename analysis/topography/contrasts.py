"""What a layout report sets against what, and its settings."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import pandas as pd

from ...brain_data.stimuli.localizers import SCRAMBLED
from ...errors import UserError, unknown
from ..representation.selectivity import category_selectivity
from ..spatial.spatial_weights import Kind
from .unit_responses import Floats, Labels, UnitResponses

_FEW_NULLS = 99


@dataclass(frozen=True)
class LayoutOptions:
    """What a report is made with.

    Attributes
    ----------
    weights : {"queen", "rook", "nearest", "band", "mesh"}
        ``mesh`` for units whose places are on one.
    reach : float or None
        For ``nearest`` (units), ``band`` (distance) and ``mesh`` (distance along its edges).
    fwhm : float
        Smoothing of the maps, in the unit of the positions, before everything that concerns space.
    permutations : int
        Layouts of the null of Moran's I.
    threshold : float or None
        Of t, for patches; by default the lowest t whose q is below 0.05.
    random_state : int
    """

    weights: Kind | Literal["mesh"] = "queen"
    reach: float | None = None
    fwhm: float = 0.0
    permutations: int = 999
    threshold: float | None = None
    random_state: int = 0

    @property
    def few_permutations(self) -> int:
        """For the statistics that take long; Moran's I has as many as were asked for."""
        return min(_FEW_NULLS, self.permutations)


@dataclass(frozen=True)
class Contrast:
    """One kind of stimulus against others."""

    name: str
    target: str
    against: tuple[str, ...]


def contrasts_of(labels: Labels, targets: Sequence[str] = ()) -> list[Contrast]:
    """The contrasts of a set of labels.

    Parameters
    ----------
    labels : array
    targets : sequence of str
        ``face`` (against all others, scrambled left out) or ``face-house`` (against one); every category by default,
        scrambled against the others, and of two categories only the first.

    Raises
    ------
    UserError
        For one category only, or an unknown one.
    """
    kinds = sorted(set(labels.tolist()))
    if len(kinds) < 2:
        raise UserError(f"all stimuli are of one category, {str(kinds[0])!r}: a contrast needs two")
    wanted = list(targets) or (kinds if len(kinds) > 2 else kinds[:1])
    found = []
    for name in wanted:
        target, against = name, ""
        if name not in kinds:
            pairs = [(name[:i], name[i + 1 :]) for i in range(len(name)) if name[i] == "-"]
            target, against = next(((a, b) for a, b in pairs if a in kinds and b in kinds), (name, ""))
        if target not in kinds:
            raise unknown("category", name.split("-")[0] if "-" in name else name, kinds)
        others = (against,) if against else tuple(one for one in kinds if one not in (target, SCRAMBLED))
        found.append(Contrast(name, target, others))
    return found


def table_of(unit_responses: UnitResponses, contrast: Contrast) -> pd.DataFrame:
    """Selectivity of every unit for a contrast."""
    return category_selectivity(
        unit_responses.responses,
        unit_responses.labels,
        contrast.target,
        against=contrast.against,
        stimuli=unit_responses.averaged_over,
    )


def map_again(unit_responses: UnitResponses, name: str, table: pd.DataFrame) -> Floats:
    """The t map of the contrast that a table was made with, on other responses or labels."""
    return table_of(unit_responses, Contrast(name, table.attrs["target"], table.attrs["against"]))[
        "t"
    ].to_numpy()
