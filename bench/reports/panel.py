"""What a comparison can show: the registry of panels, each a figure with its numbers and what it shows in words."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, TypeVar

import numpy as np
import pandas as pd

from ...registry import Registry
from ..results.in_time import in_time
from .collect import Comparison
from .style import Style

if TYPE_CHECKING:
    from matplotlib.figure import Figure

Record = Mapping[str, Any]


@dataclass(frozen=True)
class Panel:
    """A figure with its numbers; what is left empty is that of its :class:`PanelCard`.

    Attributes
    ----------
    table : DataFrame
        All that the figure draws.
    figure : callable
        Style -> Figure.
    name : str
        Of its files.
    title, alt : str
        What it shows; what a person who does not see it should know.
    n : str
        How many subjects, stimuli and neuroids it stands on (:func:`counts`); those of all scores where it is empty.
    beside : callable or None
        Gives ending -> content of more files of the same map, which the report keeps beside the figure.
    """

    table: pd.DataFrame = field(repr=False)
    figure: "Callable[[Style], Figure]" = field(repr=False)
    name: str = ""
    title: str = ""
    alt: str = ""
    n: str = ""
    beside: Callable[[], Mapping[str, bytes]] | None = field(default=None, repr=False)

    @property
    def caption(self) -> str:
        """What stands below the figure, after the title."""
        return f"{self.alt} n: {self.n}."


@dataclass(frozen=True)
class PanelCard:
    """A kind of panel.

    Attributes
    ----------
    name, title : str
    order : int
        Of its place in a report, from small to large.
    sentence : str
        What it shows.
    draw : callable
        Comparison -> its panels: none, one, or several where it draws, say, one a benchmark.
    needs : str
        The part of a comparison that must hold something: records, layouts, twins, partitions or over_time.
    """

    name: str
    title: str
    order: int
    sentence: str
    draw: Callable[[Comparison], Sequence[Panel]]
    needs: str = "records"

    def panels(self, comparison: Comparison) -> list[Panel]:
        """The panels that a comparison allows."""
        if not getattr(comparison, self.needs):
            return []
        return [
            replace(
                one,
                name=one.name or self.name,
                title=one.title or self.title,
                alt=one.alt or self.sentence,
                n=one.n or counts(comparison.records, comparison.arrays),
            )
            for one in self.draw(comparison)
        ]


PANELS: Registry[PanelCard] = Registry("panel", f"{__package__}.panels", "brodmann.panels")

Draw = TypeVar("Draw", bound=Callable[[Comparison], Sequence[Panel]])


def panel(name: str, **facts: Any) -> Callable[[Draw], Draw]:
    """Register a function from a comparison to panels; the facts are those of a :class:`PanelCard`."""

    def add(draw: Draw) -> Draw:
        PANELS.register(name, PanelCard(name, draw=draw, **facts), draw.__module__)
        return draw

    return add


def panels(comparison: Comparison) -> list[Panel]:
    """Every figure that the stored results allow."""
    return [one for card in ordered_cards() for one in card.panels(comparison)]


def ordered_cards() -> list[PanelCard]:
    """The kinds of panels, from the top of a report on."""
    return sorted(PANELS.values(), key=lambda card: (card.order, card.name))


def counts(records: Sequence[Record], arrays: Sequence[Mapping[str, Any]]) -> str:
    """How many stimuli, samples, neuroids and subjects scores stand on, from the fewest to the most.

    Parameters
    ----------
    records, arrays
    """
    counted = {
        "stimuli": [one["n_stimuli"] for one in records if not in_time(one)],
        "samples": [one["n_stimuli"] for one in records if in_time(one)],
        "neuroids": [one["n_neuroids"] for one in records],
        "subjects": [_subjects(one, kept) for one, kept in zip(records, arrays, strict=True)],
    }
    known = [f"{between(values)} {what}" for what, values in counted.items() if any(values)]
    return ", ".join(known + ([] if any(counted["subjects"]) else ["subjects not told apart"]))


def between(values: Iterable[int]) -> str:
    """Numbers that are above 0, from the lowest to the highest."""
    known = {value for value in values if value}
    return " to ".join(str(value) for value in dict.fromkeys((min(known), max(known))))


def _subjects(record: Record, kept: Mapping[str, Any]) -> int:
    return len(np.unique(kept.get("neuroid_subject", []))) or int(record["methods"].get("n_subjects") or 0)
