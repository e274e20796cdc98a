"""What each unit and feature fires on, in words made by counting, with how well those words predict, and controls."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from .....analysis.interpretability.describe import Description
from .....analysis.interpretability.descriptions.controls import RANDOM, UNITS
from ....studies.described import RANDOM_AS_UNITS, Described, Layer, Other, described
from ..content import Column, Of, Section
from ..looked import Asked, Looked
from ..shards import without_folders

_SENTENCES = {
    "r": "correlation of predicted and true activation on texts or pictures that the description has not seen",
    "detection": "balanced accuracy of telling firing tokens from silent ones, half of these with its foremost key",
}


def description(looked: Looked, asked: Asked) -> Section:
    """Descriptions of all units and features: f^(key) = sum of f / (rows of the key + 5), r over held-out rows.

    Parameters
    ----------
    looked : Looked
    asked : Asked
        Its describer and labels.
    """
    layer = Layer(looked.inside, looked.features if "feature" in looked.kinds else None)
    found = described(layer, looked.kinds, describer=asked.describer, labels=asked.labels, strict=False)
    entries = {of: _entries(found, of) for of in looked.kinds}
    return Section(
        "description",
        {of: _columns(entries[of]) for of in looked.kinds},
        entries,
        controls=found.controls,
        left_out=[f"description: {without_folders(why)}" for why in found.left_out],
    )


def _entries(found: Described, of: Of) -> list[dict[str, Any] | None]:
    control = _control(found.controls, of)
    others = found.others[of]
    return [_entry(one, others.get(i, []), control) for i, one in enumerate(found.each[of])]


def _entry(
    one: Description | None, others: Sequence[Other], control: list[Any] | None
) -> dict[str, Any] | None:
    if one is None and not others:
        return None
    beside = [vars(other) for other in others]
    if one is None:
        first = others[0]
        return {
            "text": first.text, "family": "", "r": first.r, "detection": first.detection, "coverage": None,
            "purity": None, "keys": [], "families": [], "control": control, "source": first.source,
            "others": beside[1:], "n_firing": 0,
        }  # fmt: skip
    return {
        "text": one.text,
        "family": one.family,
        **{name: _number(getattr(one, name)) for name in ("r", "detection", "coverage", "purity")},
        "keys": [list(key) for key in one.keys],
        "families": [list(family) for family in one.families],
        "control": control,
        "source": "tables",
        "others": beside,
        "n_firing": one.n_firing,
    }


def _number(value: float) -> float | None:
    return float(value) if np.isfinite(value) else None


def _control(rows: Sequence[Mapping[str, Any]], of: Of) -> list[Any] | None:
    """The random directions that stand beside every description of this kind."""
    medians = {row["kind"]: row["median"] for row in rows}
    names = (RANDOM,) if of == "feature" or rows[0]["kind"] == UNITS else (RANDOM_AS_UNITS,)
    return next(([name, medians[name]] for name in names if name in medians), None)


def _columns(entries: Sequence[Mapping[str, Any] | None]) -> list[Column]:
    def values(name: str) -> list[Any]:
        return [None if one is None else one[name] for one in entries]

    texts = ["" if one is None else one["text"] for one in entries]
    return [
        Column("description.r", "r of its description", values("r"), "description", sentence=_SENTENCES["r"]),
        Column(
            "description.detection",
            "detection",
            values("detection"),
            "description",
            sentence=_SENTENCES["detection"],
        ),
        Column("description", "description", texts, "description", "text"),
    ]
