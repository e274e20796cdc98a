"""One result that cannot be shown costs a comparison that result, and neither its figures nor the others."""

from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import TypeVar

from .collect import Comparison, reason

Made = TypeVar("Made")


def without_what_fails(
    draw: Callable[[Comparison], list[Made]], comparison: Comparison, what: str
) -> tuple[list[Made], list[str]]:
    """What is drawn of all results, or of all but those that fail; and a line for each that is not there.

    Parameters
    ----------
    draw : callable
        Comparison -> what is made of it.
    comparison : Comparison
    what : str
        For the lines.
    """
    try:
        return draw(comparison), []
    except Exception as error:  # whatever a file of others holds
        why = reason(error)
    for name, others in _leaving_one_out(comparison):
        try:
            return draw(others), [f"{what}: {name} is not drawn: {why}"]
        except Exception:  # it is another one, or it is several
            continue
    kept, said = [], []
    for i, one in enumerate(comparison.records):
        try:
            draw(_only(comparison, [i]))
            kept.append(i)
        except Exception as error:
            said.append(f"{what}: {_name(one)} is not drawn: {reason(error)}")
    try:
        return draw(_only(comparison, kept)), said
    except Exception as error:
        return [], [f"{what} are not drawn: {reason(error)}"]


def _leaving_one_out(comparison: Comparison) -> Iterator[tuple[str, Comparison]]:
    for i, one in enumerate(comparison.records):
        yield _name(one), _only(comparison, [j for j in range(len(comparison.records)) if j != i])
    for kind in ("layouts", "twins"):
        given = getattr(comparison, kind)
        for i, one in enumerate(given):
            yield str(one.get("file", kind)), replace(comparison, **{kind: given[:i] + given[i + 1 :]})
    for name in comparison.partitions:
        rest = {other: kept for other, kept in comparison.partitions.items() if other != name}
        yield name, replace(comparison, partitions=rest)
    for i, curve in enumerate(comparison.over_time):
        rest_of = comparison.over_time[:i] + comparison.over_time[i + 1 :]
        yield f"{curve.model} over time", replace(comparison, over_time=rest_of)


def _only(comparison: Comparison, places: list[int]) -> Comparison:
    return replace(
        comparison,
        records=[comparison.records[i] for i in places],
        arrays=[comparison.arrays[i] for i in places],
    )


def _name(record: dict[str, object]) -> str:
    return f"{record['model']} on {record['benchmark']}"
