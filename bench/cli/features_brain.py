"""Of features: what they predict of a recording, and what breaks without one."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from ...errors import UserError
from .common import Json, Run, print_json, say
from .inside import Seed, Texts, own_dictionary, shown, site_of

if TYPE_CHECKING:
    from ..studies.feature_scores import FeatureScores

Folder = Annotated[Path, typer.Argument(help="A dictionary: the folder that brodmann features train wrote.")]
Model = Annotated[str | None, typer.Option(help="The model; that of the dictionary by default.")]
Layer = Annotated[str | None, typer.Option(help="The layer; that of the dictionary by default.")]


def features_brain(
    folder: Folder,
    benchmark: Annotated[
        list[str], typer.Option(help="DATASET.REGION-METRIC of single neuroids; may be given again.")
    ],
    model: Model = None,
    layer: Layer = None,
    against: Annotated[
        Path | None, typer.Option(help="A dictionary of another seed: the share of features that both have.")
    ] = None,
    frozen: Annotated[
        Path | None, typer.Option(help="A dictionary of the variant frozen, of the same width.")
    ] = None,
    controls: Annotated[int, typer.Option(min=1, help="Untrained dictionaries, as wide and as sparse.")] = 5,
    fold_seeds: Annotated[int, typer.Option(min=1, help="Seeds of folds for the curves.")] = 3,
    bootstraps: Annotated[int, typer.Option(min=0, help="For intervals.")] = 1000,
    permutations: Annotated[int, typer.Option(min=0, help="For p of the scores.")] = 1000,
    seed: Seed = 0,
    run: Run = None,
    out: Annotated[
        Path | None, typer.Option(help="A folder for figures and tables; beside the dictionary by default.")
    ] = None,
    as_json: Json = False,
) -> None:
    """Score features against a recording, beside neurons and everything as wide that never learnt.

    The SAE score (features less untrained dictionaries) with its interval; how few features, neurons or random units
    carry the r of ridge on all (k50, k90); the feature of every region, chosen on half of the stimuli and reported on
    the other. For example:

      brodmann features brain mine.features --benchmark tuckute2024.netw-ridge
    """
    from ...files import write_bytes, write_json
    from ..benchmark import benchmark_card
    from ..results.store import finite
    from ..studies.feature_scores import FeatureDesign, feature_scores

    for name in benchmark:
        benchmark_card(name)
    dictionary = own_dictionary(folder)
    opened, at = site_of(dictionary, model, layer, folder)
    design = FeatureDesign(
        controls, fold_seeds, n_bootstraps=bootstraps, n_permutations=permutations, seed=seed
    )
    others = {"frozen": frozen, "second": against}
    known = {name: None if one is None else own_dictionary(one) for name, one in others.items()}
    found = [feature_scores(opened, at, dictionary, name, design, run=run, **known) for name in benchmark]
    place = out or folder.with_name(f"{folder.name.removesuffix('.features')}.brain")
    for one in found:
        _write(place, one)
        write_bytes(place / f"{one.benchmark}.curves.csv", one.table.to_csv().encode())
        write_bytes(place / f"{one.benchmark}.regions.csv", one.bars.to_csv().encode())
        write_json(place / f"{one.benchmark}.json", finite(one.content()))
    if as_json:
        print_json(finite({"folder": str(place), "scores": [one.content() for one in found]}))
        return
    for one in found:
        _print(one)
    say(f"folder    {place}")


def _write(place: Path, found: "FeatureScores") -> None:
    from ...files import write_bytes
    from ..reports.feature_figures import as_png, voxel_curves_figure
    from ..reports.style import Style

    table = found.table.reset_index()
    figure = voxel_curves_figure({found.benchmark: table}, Style())
    write_bytes(place / f"{found.benchmark}.png", as_png(figure))


def _print(found: "FeatureScores") -> None:
    from .terminal import table as print_table

    sizes = [name for name in ("k=1", "k=4", "k=8", "k=32") if name in found.table]
    rows = [
        (
            str(name),
            f"{int(row['width'])}",
            *(_number(row[one]) for one in (*sizes, "chosen", "ridge", "k50", "k90")),
        )
        for name, row in found.table.iterrows()
    ]
    print_table(
        f"{found.benchmark}, held-out r",
        ("columns", "width", *sizes, "k chosen", "ridge", "k50", "k90"),
        rows,
    )
    sae, low, high = found.sae, *found.sae.ci
    say(
        f"SAE score {sae.value:+.3f} ({low:+.3f} to {high:+.3f}), p = {sae.p:.2g}: features {sae.score:.3f}, "
        f"{sae.n_controls} untrained dictionaries {sae.control:.3f} (sd {sae.control_sd:.3f})"
    )
    neurons = found.against_neurons
    say(
        f"neurons   {neurons.value:+.3f} ({neurons.ci[0]:+.3f} to {neurons.ci[1]:+.3f}): features less the layer's own "
        "units"
    )
    for region, one in found.best.items():
        say(
            f"region    {region}: feature {one.features[0]} or {one.features[1]}, r {one.selected_r:.3f} where chosen, "
            f"{one.r:.3f} held out (p = {one.p:.2g})"
        )
    record = found.record
    if record["matched_features"] is not None:
        say(
            f"matched   {record['matched_features']:.0%} of the features are in the other dictionary, "
            f"{record['matched_floor']:.0%} in an untrained one"
        )
    for note in found.notes:
        say(f"note      {note}")


def _number(value: float) -> str:
    return "-" if value != value else f"{value:.3g}"


def features_lesion(
    folder: Folder,
    feature: Annotated[int, typer.Option(min=0, help="Its number, from 0.")],
    controls: Annotated[int, typer.Option(min=1, help="Draws of every kind of other units.")] = 200,
    share: Annotated[
        float, typer.Option(min=0.01, max=1.0, help="Of the feature's mass that the silenced units hold.")
    ] = 0.5,
    windows: Annotated[int, typer.Option(min=4, help="Windows of text that are read.")] = 96,
    benchmark: Annotated[
        str | None, typer.Option(help="A benchmark whose score is taken with and without the units, too.")
    ] = None,
    model: Model = None,
    layer: Layer = None,
    texts: Texts = None,
    seed: Seed = 0,
    as_json: Json = False,
) -> None:
    """Set the units that hold half of a feature's mass to their mean: what it costs where it fires, and elsewhere.

    Beside as many units drawn at random, around a place of the sheet, of the same variance, and of other features; and
    beside the feature alone at 0, and the layer pushed along it. For example:

      brodmann features lesion mine.features --feature 12
    """
    from ...models.extraction.language_model import LanguageModel
    from ...models.extraction.rows import TokenWindows
    from ..benchmark import benchmark_card
    from ..results.store import finite
    from ..studies.feature_lesions import FeatureLesion, brain_score, feature_lesion

    if benchmark is not None:
        benchmark_card(benchmark)
    dictionary = own_dictionary(folder)
    opened, at = site_of(dictionary, model, layer, folder)
    if not isinstance(opened, LanguageModel):
        raise UserError(
            f"{opened.identifier} reads no texts, and a feature's lesion is measured in what it expects"
        )
    read = shown(opened, texts, None, part="held_out", seed=seed)
    assert isinstance(read, TokenWindows)
    found = feature_lesion(
        opened, at, dictionary, feature, read,
        FeatureLesion(share, controls, n_windows=windows, seed=seed),
        sheet=opened.sheet_of_units(at, dictionary.n_units),
        measures=None if benchmark is None else brain_score(benchmark, at),
    )  # fmt: skip
    if as_json:
        print_json(finite(found))
        return
    _print_lesion(found)


def _print_lesion(found: dict[str, Any]) -> None:
    from .terminal import table as print_table

    names = ("where it fires", "elsewhere", "specific")
    rows = [
        (what, *(f"{found[key][name]:+.4f}" for name in names), "")
        for key, what in (
            ("lesion", f"{len(found['units'])} units at their mean"),
            ("edit", "the feature alone at 0"),
            ("steer", f"pushed by {found['strength']:.3g}"),
        )
    ]
    for kind, one in found["controls"].items():
        means = (f"{one[name]['mean']:+.4f}" for name in names)
        rows.append((f"{one['specific']['n']} x {kind}", *means, f"{one['specific']['p']:.2g}"))
    title = (
        f"feature {found['feature']}: change of the loss in nats, {found['n_firing']} tokens after it and "
        f"{found['n_elsewhere']} others"
    )
    print_table(title, ("", *names, "p"), rows)
    for kind, one in found["controls"].items():
        low, high = one["specific"]["interval"]
        say(f"beyond {kind}: {one['specific']['excess']:+.4f} ({low:+.4f} to {high:+.4f})")
    for name, value in found.get("measures", {}).get("lost", {}).items():
        beside = found["measures"]["controls"]
        said = ", ".join(
            f"{kind} {one[name]['mean']:+.4f} (p = {one[name]['p']:.2g})" for kind, one in beside.items()
        )
        say(f"lost of {name}: {value:+.4f}; {said}")
