"""The command that says what features fire on, and how well those words predict."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from ...errors import UserError
from .common import Json, print_json, say
from .inside import Pictures, Seed, Texts, numbers, own_dictionary, shown, site_of

if TYPE_CHECKING:
    from ...analysis.interpretability.describe import Description
    from ..studies.described import Described, Other

_SHOWN = 12


def features_describe(
    folder: Annotated[
        Path, typer.Argument(help="A dictionary of any layout that is read.", metavar="FEATURES")
    ],
    texts: Texts = None,
    pictures: Pictures = None,
    model: Annotated[str | None, typer.Option(help="The model; that of the dictionary by default.")] = None,
    layer: Annotated[str | None, typer.Option(help="The layer; that of the dictionary by default.")] = None,
    units: Annotated[bool, typer.Option("--units", help="Of the layer's units instead of features.")] = False,
    describer: Annotated[
        str | None,
        typer.Option(
            help="A program of yours, or an address (http://...): one JSON line a feature in, one out; what it is "
            "sent goes nowhere else.",
            metavar="CMD",
        ),
    ] = None,
    only: Annotated[
        str | None, typer.Option(help="Numbers that the describer is asked about, 12,40; all by default.")
    ] = None,
    seconds: Annotated[
        float, typer.Option(min=0.1, help="That the describer may take for one answer.")
    ] = 120.0,
    labels: Annotated[
        Path | None,
        typer.Option(help="Your own: a .csv with feature,label (or unit,label).", metavar="CSV"),
    ] = None,
    frozen: Annotated[
        Path | None,
        typer.Option(help="A dictionary of the variant frozen, as one more control.", metavar="FEATURES"),
    ] = None,
    with_controls: Annotated[
        bool, typer.Option("--controls/--no-controls", help="Describe units, random directions ... likewise.")
    ] = True,
    most_rows: Annotated[
        int,
        typer.Option(min=100, help="Tokens or places that are looked at; of more, whole texts are drawn."),
    ] = 100_000,
    seed: Seed = 0,
    out: Annotated[
        Path | None, typer.Option(help="A .csv for all of them; beside the dictionary by default.")
    ] = None,
    as_json: Json = False,
) -> None:
    """Say in words what every feature (or unit) fires on, how well the words predict, and what controls reach.

    Words are made by counting on some held-out texts, chosen on others, and scored on a third part. For example:

      brodmann features describe mine.features --texts FOLDER

      brodmann features describe mine.features --texts FOLDER --describer "python mine.py"
    """
    from ...analysis.interpretability.quality.firing import sparse_codes
    from ...analysis.interpretability.views.base import Inside, Of
    from ..results.store import finite
    from ..studies.described import Layer, described

    if out is not None and out.suffix != ".csv":
        raise UserError(f"--out {out}: descriptions are written as .csv")
    dictionary = own_dictionary(folder)
    opened, at = site_of(dictionary, model, layer, folder)
    material = shown(opened, texts, pictures, part="held_out", seed=seed)
    inside = Inside(opened, at, material, dictionary, seed, most_rows)
    of: Of = "unit" if units else "feature"
    codes = None if units else sparse_codes(dictionary, inside.rows.numpy())
    layer_of = Layer(inside, codes)
    found = described(
        layer_of,
        [of],
        controlled=with_controls,
        frozen=None if frozen is None else own_dictionary(frozen),
        describer=describer,
        only=None if only is None else numbers(only, "--only"),
        seconds=seconds,
        labels=labels,
    )
    named = folder if folder.name not in ("", "..") else folder.resolve()  # "." has a name, too
    path = out or named.with_name(f"{named.name}.{of}-descriptions.csv")
    _write(path, found, of)
    if as_json:
        rows = [_row(i, one, found.others[of].get(i, [])) for i, one in enumerate(found.each[of])]
        beside = {"controls": found.controls, "left_out": found.left_out}
        print_json(finite({"file": str(path), "of": of, **beside, "descriptions": rows}))
        return
    _print(found, of, path, layer_of.enough)


def _row(number: int, one: "Description | None", others: Sequence["Other"]) -> dict[str, Any]:
    said = {"id": number} | ({"text": ""} if one is None else dict(vars(one)))
    return said | {"others": [vars(other) for other in others]}


def _write(path: Path, found: "Described", of: Any) -> None:
    """A row each; what begins like a formula of a spreadsheet is written as a text."""
    import pandas as pd

    from ...files import write_bytes

    rows = []
    for i, one in enumerate(found.each[of]):
        row = {of: i, "description": "", "family": ""} | dict.fromkeys(_SCORES)
        if one is not None:
            row |= {"description": one.text, "family": one.family} | {
                name: getattr(one, name) for name in _SCORES
            }
        for other in found.others[of].get(i, []):
            row |= {other.source: other.text, f"{other.source}.r": other.r}
        rows.append({key: _inert(value) for key, value in row.items()})
    write_bytes(path, pd.DataFrame(rows).to_csv(index=False).encode())


_SCORES = ("r", "detection", "coverage", "purity", "n_firing")


def _inert(value: object) -> object:
    return f"'{value}" if isinstance(value, str) and value.startswith(("=", "+", "-", "@")) else value


def _print(found: "Described", of: str, path: Path, enough: int) -> None:
    from .terminal import table

    if found.controls:
        rows = [_control(row) for row in found.controls]
        title = f"descriptions of {of}s: n that fire at least {enough} times where it is scored; others are too rare"
        table(title, ("of", "n", "median r", "rare too", "r > .5", "detection"), rows)
    each = [(i, one) for i, one in enumerate(found.each[of]) if one is not None]  # type: ignore[index]
    scored = [(i, one) for i, one in each if one.n_firing >= 1 and one.r == one.r]
    step = max(1, len(scored) // _SHOWN)
    shown_rows = [
        (str(i), f"{one.r:.2f}", "-" if one.detection != one.detection else f"{one.detection:.2f}", one.text)
        for i, one in scored[::step][:_SHOWN]
    ]
    table(f"{len(shown_rows)} of {len(each)}", (of, "r", "detection", "description"), shown_rows)
    for i, others in sorted(found.others[of].items())[:_SHOWN]:  # type: ignore[index]
        for other in others:
            say(f"{other.source:<9} {of} {i}: {other.text}{'' if other.r is None else f' (r {other.r:.2f})'}")
    for why in found.left_out:
        say(f"left out  {why}")
    say(f"table     {path}")


def _control(row: Mapping[str, Any]) -> tuple[str, ...]:
    numbers = (
        f"{row[name]:.3f}" if row[name] == row[name] else "-"
        for name in ("median", "all_median", "share_above_half", "detection")
    )
    beside = f"{row['n']}" + (f" ({row['rare']} too rare)" if row["rare"] else "")
    return (row["kind"], beside, *numbers)
