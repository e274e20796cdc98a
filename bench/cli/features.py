"""The commands about sparse features: learn, check, look at each, tie them to the brain, change them."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from ...errors import UserError
from .common import SETTINGS, Json, computes, print_card, print_json, say
from .features_brain import features_brain, features_lesion
from .features_check import features_check, features_convert
from .features_describe import features_describe
from .features_page import features_page
from .features_study import features_study
from .features_train import features_train
from .inside import Pictures, Seed, Texts, own_dictionary, shown, site_of

if TYPE_CHECKING:
    import pandas as pd

features = typer.Typer(
    **SETTINGS,
    help="Sparse features of a layer: learn them, check them, see where they lie and what they predict.\n\n"
    "For example:  brodmann features train MODEL --layer LAYER --features 8x",
)
features.command("train")(computes(features_train))
features.command("check")(computes(features_check))
features.command("describe")(computes(features_describe))
features.command("convert")(features_convert)
features.command("page")(computes(features_page))
features.command("study")(computes(features_study))
features.command("brain")(computes(features_brain))
features.command("lesion")(computes(features_lesion))
Folder = Annotated[Path, typer.Argument(help="A dictionary: the folder that brodmann features train wrote.")]
Model = Annotated[str | None, typer.Option(help="The model; that of the dictionary by default.")]
Layer = Annotated[str | None, typer.Option(help="The layer; that of the dictionary by default.")]


@features.command("info")
def features_info(folder: Folder, as_json: Json = False) -> None:
    """Show what a dictionary is of, how it was learnt, and what it was found to be worth.

    For example:  brodmann features info mine.features
    """
    one = own_dictionary(folder)
    card: dict[str, Any] = {
        "variant": one.variant,
        "what": one.kind.sentence,
        "n_features": one.n_features,
        "n_units": one.n_units,
        "k": one.weights.k,
        **vars(one.site),
        "digest": one.digest,
        **one.facts,
    }
    print_card(card, as_json)


@features.command("table")
@computes
def features_table(
    folder: Folder,
    view: Annotated[
        str | None, typer.Option(help="Views, separated by commas; all that are possible by default.")
    ] = None,
    units: Annotated[bool, typer.Option("--units", help="Of the layer's units instead of features.")] = False,
    model: Model = None,
    layer: Layer = None,
    texts: Texts = None,
    pictures: Pictures = None,
    seed: Seed = 0,
    out: Annotated[
        Path | None, typer.Option(help="A .csv for the whole table; beside the dictionary by default.")
    ] = None,
    as_json: Json = False,
) -> None:
    """Say of every feature (or unit) how often it answers, where it lies, and what else views know.

    Looks at texts or pictures that are held out. For example:

      brodmann features table mine.features

      brodmann features table mine.features --view density,mass --texts FOLDER
    """
    from ...analysis.interpretability.views.base import Inside, Of, table_of
    from ...files import write_bytes, write_json
    from ..results.store import finite

    if out is not None and out.suffix != ".csv":
        raise UserError(f"--out {out}: the table is written as .csv")
    dictionary = own_dictionary(folder)
    opened, at = site_of(dictionary, model, layer, folder)
    inside = Inside(opened, at, shown(opened, texts, pictures, part="held_out", seed=seed), dictionary, seed)
    of: Of = "unit" if units else "feature"
    names = [one.strip() for one in view.split(",") if one.strip()] if view else None
    table = table_of(inside, of, names)
    path = out or folder.with_name(f"{folder.name}.{of}s.csv")
    write_bytes(path, table.to_csv().encode())
    write_json(path.with_suffix(".json"), finite(_beside(table)))
    if as_json:
        print_json({"file": str(path), "n": len(table), "columns": list(table.columns), **_beside(table)})
        return
    _print(table, of, path)


def _print(table: "pd.DataFrame", of: str, path: Path) -> None:
    from .terminal import table as print_table

    rows = []
    for name in table.columns:
        if table[name].dtype.kind not in "fiub":
            rows.append((name, "", "", str(table[name].iloc[0])[:40]))
            continue
        low, middle, high = table[name].astype(float).quantile([0.05, 0.5, 0.95])
        rows.append((name, f"{low:.4g}", f"{middle:.4g}", f"{high:.4g}"))
    print_table(f"{len(table)} {of}s", ("column", "5 %", "median", "95 %"), rows)
    for name, reason in _beside(table)["left_out"].items():
        say(f"left out  {name}: {reason}")
    for name, beside in _beside(table).items():
        for control in beside.get("controls", ()) if name != "left_out" else ():
            say(f"{name:<9} {', '.join(f'{key} {_short(value)}' for key, value in control.items())}")
    say(f"table     {path}")


def _beside(table: "pd.DataFrame") -> dict[str, Any]:
    """What views say beside the table."""
    return {str(name): beside for name, beside in table.attrs.items()}


def _short(value: object) -> str:
    return f"{value:.3g}" if isinstance(value, float) else str(value)
