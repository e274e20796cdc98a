"""Whether features that two dictionaries share lie at the same place of the sheet."""

from dataclasses import asdict
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from ...analysis.interpretability.quality.activation_matching import best_correlations
from ...analysis.interpretability.quality.firing import codes_of_rows
from ...analysis.interpretability.sheets.feature_mass import decoder_mass
from ...analysis.interpretability.sheets.same_place import same_place
from ...errors import UserError

if TYPE_CHECKING:
    from torch import Tensor

    from ...analysis.interpretability.dictionary import Dictionary
    from ...models.sheet import Sheet

LEAST_R = 0.5
"""Features that answer less alike are not the same feature."""


def shared_features(codes: Any, their_codes: Any, least: float = LEAST_R) -> npt.NDArray[np.intp]:
    """Pairs of features of which each answers most like the other.

    Parameters
    ----------
    codes, their_codes : sparse matrix of shape (n_rows, n_features)
        Of the same rows.
    least : float
        r of a pair.

    Returns
    -------
    array of shape (n_pairs, 2)
    """
    best, partner = best_correlations(codes, their_codes)
    _, back = best_correlations(their_codes, codes)
    own = np.arange(len(partner))
    mutual = (partner >= 0) & (back[np.maximum(partner, 0)] == own) & (best >= least)
    return np.column_stack([own[mutual], partner[mutual]])


def places_of_shared(
    one: "tuple[Dictionary, Tensor, Sheet | None]",
    other: "tuple[Dictionary, Tensor, Sheet | None]",
    *,
    same_network: bool,
    random_state: int = 0,
) -> dict[str, Any]:
    """Compare the places of the features that two dictionaries share.

    Parameters
    ----------
    one, other : (Dictionary, Tensor, Sheet)
        With the rows of the same texts or pictures at its layer, and where the layer's units lie.
    same_network : bool
        Whether both are of one network, whose sheet is not turned.
    random_state : int

    Returns
    -------
    dict
        The fields of :class:`..sheets.same_place.SamePlace` but its arrays, and ``least_r``.

    Raises
    ------
    UserError
        Where a layer has no sheet, the sheets differ in shape, or fewer than 3 features are shared.
    """
    sheets = one[2], other[2]
    if sheets[0] is None or sheets[1] is None:
        raise UserError("a layer has no sheet")
    if sheets[0].shape != sheets[1].shape:
        raise UserError(f"the sheets are {sheets[0].describe()} and {sheets[1].describe()}")
    pairs = shared_features(codes_of_rows(one[0], one[1]), codes_of_rows(other[0], other[1]))
    if len(pairs) < 3:
        raise UserError(f"{len(pairs)} features answer alike in both (r of at least {LEAST_R})")
    masses = [decoder_mass(each.directions.numpy()) for each in (one[0], other[0])]
    found = asdict(
        same_place(masses[0], masses[1], pairs, sheets[0], turned=not same_network, random_state=random_state)
    )
    return {name: value for name, value in found.items() if not name.startswith("by_")} | {"least_r": LEAST_R}
