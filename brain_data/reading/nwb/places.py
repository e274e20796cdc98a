"""Where the units of an NWB file were: regions and positions, of the table of units and of its electrodes."""

from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from ....errors import UserError, unknown
from ...timeseries.trials import text_of
from ...timeseries.windows import Bools, Floats
from .file import Table, member, text

_REGIONS = (
    "region",
    "brain_region",
    "brain_area",
    "location",
    "structure_acronym",
    "ecephys_structure_acronym",
)
"""What a column that names the regions of units is called."""
_CCF = ("anterior_posterior_ccf_coordinate", "dorsal_ventral_ccf_coordinate", "left_right_ccf_coordinate")
_LARGEST = 300.0
"""mm; no brain is as large, so that larger positions are in micrometers."""
_UNKNOWN = "unknown"


class Places:
    """The electrodes of each unit, and what they say.

    Parameters
    ----------
    units : Table
    labels : DataFrame
        Of the units.
    electrodes : Table or None
    """

    def __init__(self, units: Table, labels: pd.DataFrame, electrodes: Table | None) -> None:
        self.units, self.labels, self.electrodes = units, labels, electrodes
        self.of_electrodes = pd.DataFrame() if electrodes is None else electrodes.labels()
        self.rows = None if electrodes is None else self._rows(electrodes)

    def _rows(self, electrodes: Table) -> list[npt.NDArray[np.int64]] | None:
        """The rows of the table of electrodes that a unit names, for each."""
        if "peak_channel_id" in self.labels:  # of the Allen Institute
            places = {text_of(one): i for i, one in enumerate(electrodes.ids.tolist())}
            peaks = self.labels["peak_channel_id"].map(text_of)
            return [np.array([places[one]] if one in places else [], np.int64) for one in peaks]
        if "electrodes" not in self.units:
            return None
        given = self.units.ragged("electrodes")
        if any(one.dtype.kind not in "iu" for one in given):
            raise UserError(
                f"{self.units.place}: electrodes are named by {given[0].dtype}, not by whole numbers"
            )
        rows = [one.astype(np.int64) for one in given]
        largest = max((int(one.max(initial=-1)) for one in rows), default=-1)
        if largest >= len(electrodes) or any((one < 0).any() for one in rows):
            raise UserError(
                f"{self.units.place}: a unit names electrode {largest}, and there are {len(electrodes)} (from 0)"
            )
        return rows

    def regions(self, asked: str | None, said: list[str]) -> npt.NDArray[np.object_] | None:
        """The region of each unit; None where the file names none.

        Raises
        ------
        UserError
            For a column that there is not, or two that disagree.
        """
        if asked is not None:
            if asked in self.labels:
                return self._named(self.labels[asked].map(text_of), said)
            if self.rows is not None and asked in self.of_electrodes:
                return self._named(self._of_rows(asked), said)
            known = [*self.labels, *(self.of_electrodes if self.rows is not None else [])]
            raise unknown(
                f"column of {self.units.place} or their electrodes (--region-column)", asked, map(str, known)
            )
        found: dict[str, pd.Series] = {}
        own = next((name for name in _REGIONS if name in self.labels), None)
        if own is not None:
            found[own] = self.labels[own].map(text_of)
        if self.rows is not None and "location" in self.of_electrodes:
            found["location"] = self._of_rows("location")
        if "electrode_group" in self.units and not found:
            found["electrode_group"] = self._of_groups()
        found = {name: one for name, one in found.items() if not one.isin(["", _UNKNOWN]).all()}
        if len(found) == 2:
            (first, one), (second, other) = found.items()
            unlike = np.flatnonzero(one.to_numpy(object) != other.to_numpy(object))
            if len(unlike):
                i = int(unlike[0])
                raise UserError(
                    f"{self.units.place}: {first} and {second} of their electrodes disagree (unit {self.units.ids[i]}: "
                    f"{one[i] or 'none'}, {other[i] or 'none'}): say which is the region by --region-column"
                )
        if not found:
            return None
        name = next(iter(found))
        said.append(f"regions are those of the column {name}")
        return self._named(found[name], said)

    def _named(self, column: pd.Series, said: list[str]) -> npt.NDArray[np.object_]:
        blank = column == ""
        if blank.any():
            said.append(
                f"{int(blank.sum())} of {len(blank)} units have no region and are called {_UNKNOWN!r}"
            )
        return column.mask(blank, _UNKNOWN).to_numpy(object)

    def _of_rows(self, name: str) -> pd.Series:
        """What the electrodes of each unit say, with a slash between where they differ."""
        texts = self.of_electrodes[name].map(text_of).to_numpy(object)
        return pd.Series(
            ["/".join(sorted(set(texts[one].tolist()) - {""})) for one in self.rows or []], dtype=object
        )

    def _of_groups(self) -> pd.Series:
        file = self.units.group.file
        references = self.units.group["electrode_group"][()]
        known: dict[str, str] = {}
        found = []
        for one in np.atleast_1d(references):
            group = file[one] if one else None
            if group is not None and group.name not in known:
                location = group.attrs.get("location", "")
                inner = member(group, "location")
                known[group.name] = text(location if inner is None else inner[()])
            found.append("" if group is None else known[group.name])
        return pd.Series(found, dtype=object)

    def add_positions(self, neuroids: pd.DataFrame, said: list[str]) -> dict[str, str]:
        """Add ``x``, ``y`` and ``z`` in mm where they are known, and the probe; what is known of their space."""
        if self.rows is None:
            return {}
        if "group_name" in self.of_electrodes and "probe" not in self.labels:
            neuroids["probe"] = self._of_rows("group_name")
        axes, space = ("x", "y", "z"), ""
        if self._is_blank(axes) and not self._is_blank(_CCF):
            axes, space = _CCF, "Allen CCF"
        if self._is_blank(axes):
            return {}
        at = self.of_electrodes[list(axes)].to_numpy(np.float64)
        largest = np.nanmax(np.abs(at))
        micrometers = bool(largest > _LARGEST)
        said.append(
            f"positions of electrodes reach {largest:g} and are taken to be {'micrometers' if micrometers else 'mm'}"
        )
        mean: Floats = np.array([at[one].mean(axis=0) if len(one) else [np.nan] * 3 for one in self.rows])
        neuroids[["x", "y", "z"]] = mean / 1000 if micrometers else mean
        return {"space": space} if space else {}

    def _is_blank(self, axes: tuple[str, ...]) -> bool:
        there = [name for name in axes if name in self.of_electrodes]
        if len(there) < len(axes):
            return True
        values: Any = self.of_electrodes[there]
        if not all(kind.kind in "fiu" for kind in values.dtypes):
            return True
        return bool(values.isna().all(axis=1).all())


def with_region(
    neuroids: pd.DataFrame,
    asked: str | None,
    place: str,
    kept: Bools,
    said: list[str],
    left_out: dict[str, int],
) -> Bools:
    """Which neuroids are of a region; where none is known, `asked` is the name of the one there is.

    Raises
    ------
    UserError
        For a region that there is not among those that are kept.
    """
    everywhere = np.ones(len(neuroids), bool)
    if "region" not in neuroids:
        if asked is None:
            said.append("no region is known: name it by --region")
        else:
            neuroids.insert(1, "region", asked)
        return everywhere
    if asked is None:
        return everywhere
    names = [one.strip() for one in asked.split(",")]
    there = set(neuroids["region"][kept])
    for name in names:
        if name not in there:
            raise unknown(f"region in {place}", name, there)
    chosen: Bools = neuroids["region"].isin(names).to_numpy()
    if n := int((kept & ~chosen).sum()):
        left_out["neuroids of other regions"] = n
    return chosen
