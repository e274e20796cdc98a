"""Of features: what a dictionary is worth, whether another has the same features, writing it for other libraries."""

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from ...errors import UserError
from .common import Json, print_json, say
from .inside import Pictures, Seed, Texts, network, own_dictionary, shown, site_of

if TYPE_CHECKING:
    from ...analysis.interpretability.dictionary import Dictionary
    from ...analysis.interpretability.quality.check import HeldOut, Other
    from ...analysis.interpretability.quality.loss_recovered import LossRecovered
    from ...brain_data.stimulus_set import StimulusSet
    from ...models.extraction.rows import TokenWindows
    from ...models.extraction.torch_model import Network
    from ...models.sheet import Sheet

    Shown = TokenWindows | StimulusSet

_MOST_ROWS = 100_000
_DIRECTIONS = {
    "isotropic": "random directions",
    "covariance_matched": "of the layer's covariance",
    "data_rows": "rows of the layer",
}
_ANSWERS = {
    "features_to_features": "features, to features",
    "features_to_untrained": "to an untrained dictionary",
    "features_to_shuffled_rows": "to shuffled rows",
    "features_to_units": "to units",
    "units_to_features": "units, to features",
    "units_to_units": "units, to units",
}
Dictionary_ = Annotated[
    Path,
    typer.Argument(
        help="A dictionary of any layout that is read (brodmann list layouts).", metavar="FEATURES"
    ),
]
Scale = Annotated[
    float | None,
    typer.Option(help="Mean norm of rows over the root of their units, for files that need it and lack it."),
]


def features_check(
    folder: Dictionary_,
    against: Annotated[
        Path | None,
        typer.Option(help="Another dictionary, of the same layer or of another model.", metavar="FEATURES"),
    ] = None,
    model: Annotated[str | None, typer.Option(help="The model; that of the dictionary by default.")] = None,
    layer: Annotated[str | None, typer.Option(help="The layer; that of the dictionary by default.")] = None,
    other_model: Annotated[
        str | None, typer.Option(help="The model of the other dictionary, where it does not say.")
    ] = None,
    other_layer: Annotated[
        str | None, typer.Option(help="The layer of the other dictionary, where it does not say.")
    ] = None,
    texts: Texts = None,
    pictures: Pictures = None,
    most_rows: Annotated[
        int,
        typer.Option(
            min=2, help="Tokens or places that are looked at; of more, whole texts or pictures are drawn."
        ),
    ] = _MOST_ROWS,
    seed: Seed = 0,
    as_json: Json = False,
) -> None:
    """Say what a dictionary is worth on texts or pictures that it did not learn from, and whether another agrees.

    Error, active features, silent ones, what the network loses where it stands in for the layer; with --against how
    many features both have, beside random directions, an untrained dictionary and single units. For example:

      brodmann features check mine.features --texts FOLDER

      brodmann features check seed1.features --against seed2.features
    """
    from ...analysis.interpretability.quality.check import check

    one, opened, at, held_out, seen = _opened(folder, model, layer, texts, pictures, most_rows, seed)
    other = None
    if against is not None:
        other = _against(against, (opened, at, seen), other_model, other_layer, texts, pictures, seed)
    loss, why_none = _loss(opened, at, one, seen, held_out, seed)
    report = check(one, held_out, against=other, loss=loss, random_state=seed)
    report |= {"model": opened.identifier, "layer": at}
    left_out = {}
    if why_none:
        report["loss"] = None
        left_out["loss"] = why_none
    if other is not None:
        sheet = opened.sheet_of_units(at, one.n_units)
        try:
            report["against"]["place"] = _place((one, held_out, sheet), other, seed)
        except UserError as error:
            left_out["place"] = str(error)
    if left_out:
        report["left_out"] = left_out
    if as_json:
        print_json(report)
    else:
        _print(report)


def features_convert(
    folder: Dictionary_,
    to: Annotated[Literal["saelens", "sparsify", "openai"], typer.Option(help="The layout to write.")],
    target: Annotated[Path, typer.Option("--folder", help="Where to write it.", metavar="FOLDER")],
    number: Annotated[
        Literal["float32", "float16", "bfloat16"], typer.Option(help="Kind of number of the weights.")
    ] = "float32",
    scale: Scale = None,
    as_json: Json = False,
) -> None:
    """Write a dictionary so that another library reads it and finds the same features.

    For example:  brodmann features convert mine.features --to saelens --folder mine-saelens
    """
    from ...analysis.interpretability.formats.base import DICTIONARY_FORMATS, read_dictionary

    target = target.expanduser()
    if target.exists():
        raise UserError(f"--folder {target} is there already: name a new one")
    one = read_dictionary(folder, scale=scale)
    written = DICTIONARY_FORMATS[to].write(one, target, number)
    if as_json:
        print_json({"folder": str(written), "layout": to, "n_features": one.n_features, "number": number})
    else:
        say(f"{one.n_features} features in the layout of {to}: {written}")


def _opened(
    folder: Path,
    model: str | None,
    layer: str | None,
    texts: Path | None,
    pictures: Path | None,
    most_rows: int,
    seed: int,
) -> "tuple[Dictionary, Network, str, HeldOut, Shown]":
    """A dictionary, its network and layer, and rows that it did not learn from."""
    from ...analysis.interpretability.formats.base import read_dictionary
    from ...models.extraction.rows import drawn_part

    path = folder.expanduser()
    foreign = not (path / "features.json").is_file()
    if foreign and model and layer:
        opened, at = network(model), layer
    else:
        opened, at = site_of(own_dictionary(path), model, layer, folder)
    whole = shown(opened, texts, pictures, part="held_out", seed=seed)
    seen = drawn_part(opened, at, whole, most_rows, seed)
    held_out = _rows(opened, at, seen)
    one = read_dictionary(path, held_out.rows) if foreign else own_dictionary(path)
    return one, opened, at, held_out, seen


def _rows(model: "Network", layer: str, seen: "Shown") -> "HeldOut":
    from ...analysis.interpretability.quality.check import HeldOut
    from ...models.extraction.rows import rows_by_document

    values, owners, _ = rows_by_document(model, layer, seen)
    return HeldOut(values, owners)


def _against(
    folder: Path,
    first: "tuple[Network, str, Shown]",
    model: str | None,
    layer: str | None,
    texts: Path | None,
    pictures: Path | None,
    seed: int,
) -> "Other":
    """The other dictionary, with rows of its own model where that is another one."""
    from ...analysis.interpretability.quality.check import Other
    from ...models.extraction.language_model import LanguageModel
    from ...models.extraction.rows import TokenWindows

    opened, at, seen = first
    other = own_dictionary(folder.expanduser())
    name, where = model or other.site.model or opened.identifier, layer or other.site.layer or at
    if name == opened.identifier and where == at and model is None:
        return Other(other)
    theirs, there = site_of(other, name if model else None, where if layer else None, folder)
    if isinstance(seen, TokenWindows):
        whole = shown(theirs, texts, pictures, part="held_out", seed=seed)
        read = {tuple(ids.tolist()) for ids in whole.ids} if isinstance(whole, TokenWindows) else set()
        if not isinstance(theirs, LanguageModel) or not all(tuple(ids.tolist()) in read for ids in seen.ids):
            raise UserError(
                f"{theirs.identifier} cuts texts into other tokens than {opened.identifier}: their features cannot be "
                "held against each other token by token"
            )
    return Other(other, _rows(theirs, there, seen), theirs.sheet_of_units(there, other.n_units))


def _place(ours: "tuple[Dictionary, HeldOut, Sheet | None]", other: "Other", seed: int) -> dict[str, Any]:
    """Whether features that both have lie at the same place of the sheet."""
    from ..studies.feature_places import places_of_shared

    one, held_out, sheet = ours
    same = other.held_out is None
    theirs = sheet if same else other.sheet
    rows = held_out.rows if other.held_out is None else other.held_out.rows
    return places_of_shared(
        (one, held_out.rows, sheet), (other.dictionary, rows, theirs), same_network=same, random_state=seed
    )


def _loss(
    model: "Network", layer: str, dictionary: "Dictionary", seen: "Shown", held_out: "HeldOut", seed: int
) -> "tuple[LossRecovered | None, str]":
    from ...analysis.interpretability.quality.loss_recovered import loss_recovered
    from ...models.extraction.language_model import LanguageModel
    from ...models.extraction.rows import TokenWindows

    if not isinstance(model, LanguageModel) or not isinstance(seen, TokenWindows):
        return None, "of pictures, a task of your own tells what is lost: task_recovered in Python"
    if dictionary.weights.decoder.shape[1] != dictionary.n_units:
        return None, "a transcoder makes other rows than it takes"
    try:
        return loss_recovered(model, layer, dictionary, seen, held_out.mean, random_state=seed), ""
    except UserError as error:
        return None, str(error)


def _print(report: Mapping[str, Any]) -> None:
    from .terminal import table

    of, quality, dense = report["dictionary"], report["reconstruction"], report["density"]
    rows = [
        ("variant", f"{of['variant']}, {of['n_features']} features of {of['n_units']} units"),
        ("rows", f"{report['n_rows']} of {report['n_documents']} documents, held out"),
        ("FVU", f"{quality['fvu']:.4f}   (untrained {report['controls']['untrained']['fvu']:.3f})"),
        ("active", f"{quality['l0']:.2f} features a row"),
        (
            "norm",
            f"{quality['l2_ratio']:.3f} of the rows'; cosine {quality['cosine']:.3f}; bias {quality['bias']:.3f}",
        ),
        ("silent", f"{dense['dead']:.2%} never, {dense['rare']:.2%} in fewer than 1e-5 of the rows"),
        ("dense", f"{dense['dense']:.2%} in more than a tenth of the rows"),
        ("effective", f"{dense['effective_features']:.0f} features, {dense['superposition']:.2f} a unit"),
    ]
    if (loss := report.get("loss")) is not None:
        low, high = loss["interval"]
        four = " / ".join(f"{loss[name]:.3f}" for name in ("clean", "spliced", "mean", "zero"))
        rows += [
            ("loss", f"{four} nats: as it is, with the dictionary, at the mean, silenced"),
            (
                "recovered",
                f"{loss['recovered']:.3f} [{low:.3f}, {high:.3f}]; from the mean {loss['recovered_from_mean']:.3f}",
            ),
        ]
        if loss["said"]:
            rows.append(("", loss["said"]))
    table(f"{report['model']}  {report['layer']}", ("", ""), rows)
    for name, reason in report.get("left_out", {}).items():
        say(f"left out  {name}: {reason}")
    if "against" in report:
        _print_against(report["against"])


def _print_against(report: Mapping[str, Any]) -> None:
    from .terminal import table

    if "directions" in report:
        found = report["directions"]
        each = [("the other's features", found["found"])]
        each += [(_DIRECTIONS[name], one) for name, one in found.get("floors", {}).items()]
        rows = [
            (
                name,
                f"{one['mmcs']:.3f} [{one['interval_over_features'][0]:.3f}, {one['interval_over_features'][1]:.3f}]",
                *(f"{share:.1%}" for share in one["above"].values()),
                f"{one['hungarian']:.3f}",
            )
            for name, one in each
        ]
        table("directions: cosine with the nearest", ("of", "mean", "> .7", "> .9", "one to one"), rows)
        if "verdict" in found:
            say(f"{found['verdict']}: {found['why']}")
    rows = [
        (
            _ANSWERS[name],
            f"{one['median']:.3f}",
            *(f"{share:.1%}" for share in one["above"].values()),
            f"{one['held_out_median']:.3f} [{one['interval_over_documents'][0]:.3f}, "
            f"{one['interval_over_documents'][1]:.3f}]",
        )
        for name, one in report["activations"].items()
    ]
    table("answers: the highest r", ("of", "median", "> .7", "> .9", "in other documents"), rows)
    if (place := report.get("place")) is not None:
        turned = "" if not (place["turns"] or place["flipped"]) else ", their sheet turned or flipped"
        say(
            f"place     {place['n_pairs']} shared features (r >= {place['least_r']:g}): their places correlate "
            f"{place['r']:.3f}{turned}, any two of them {place['others']:.3f}; the difference with their sheet shifted "
            f"{place['null_mean']:.3f} sd {place['null_sd']:.3f}, p {place['p']:.2g}"
        )
    if "splitting" in report:
        found = report["splitting"]
        say(
            f"splitting {len(found['parts'])} of {found['n_small']} features come apart in the wider dictionary, "
            f"{found['kept']} are kept, {found['lost']} have no counterpart"
        )
