"""The commands about models: list, look at, install, train, compare twins, lesion."""

from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from ...errors import UserError
from .common import SETTINGS, From, Json, Name, Pattern, computes, plain, print_card, print_json, say

if TYPE_CHECKING:
    from ...models.training.loop import Data
    from ...models.training.recipe import Recipe

models = typer.Typer(
    **SETTINGS,
    help="The models: list them, look at one, install one.\n\n"
    "For example:  brodmann models add cifar10-resnet20 --from FOLDER",
)


class Modality(StrEnum):
    """What a network is trained on."""

    vision = "vision"
    language = "language"


class LesionKind(StrEnum):
    """What is done to units."""

    silence = "silence"
    scale = "scale"
    shuffle = "shuffle"


DataPath = Annotated[
    Path | None,
    typer.Option(
        help="Vision: a folder a class, train/CLASS/..., or CIFAR's files; drawn pictures by default. "
        "Language: a text file or a folder of .txt; made-up sentences by default."
    ),
]
Tau = Annotated[
    float | None, typer.Option(help="Strength of TopoLoss: 30 for vision, 1 for language by default.")
]
Steps = Annotated[int | None, typer.Option(min=1, help="Training steps.")]


@models.command("list")
def list_models(pattern: Pattern = "*", as_json: Json = False) -> None:
    """List the models.

    For example:  brodmann models list 'cifar10-*'
    """
    from ...models.catalogue import SCHEMES
    from ...models.catalogue import list_models as found

    cards = found(pattern)
    if as_json:
        print_json({"models": [plain(card) | {"installed": card.installed} for card in cards]})
        return
    from .terminal import table

    rows = [(c.identifier, c.modality, "yes" if c.installed else "no", c.title) for c in cards]
    table(f"{len(rows)} models", ("name", "modality", "here", "what"), rows)
    others = [f"{name}:{scheme.argument}" for name, scheme in SCHEMES.items()]
    say(f"\nand any other: {', '.join(others)}, path/to/file.py:factory")


@models.command("info")
@computes
def model_info(
    name: Annotated[str, typer.Argument(help="A catalogue name, or anything that score takes.")],
    as_json: Json = False,
    every: Annotated[bool, typer.Option("--every", help="All modules, not only the default layers.")] = False,
) -> None:
    """Show what is known of a model, and a picture of its layers where it can be loaded.

    For example:  brodmann models info twin-vision-topographic
    """
    from ...models.catalogue import MODELS
    from ...models.loading import check_name

    check_name(name)
    card: dict[str, Any] = {"identifier": name}
    if name in MODELS:
        card = plain(MODELS[name].card) | {"installed": MODELS[name].card.installed}
    rows, read = _looked_at(name, every) if card.get("installed", True) else ([], {})
    card |= {"methods": read} if read else {}
    if as_json:
        print_json(
            card | {"layer_shapes": {row["layer"]: row["shape"] for row in rows}, "sheets": _sheets(rows)}
        )
        return
    print_card({key: value for key, value in card.items() if key != "layers" or not rows}, False)
    from .terminal import layers_text, width

    if rows:
        say()
        say(layers_text(rows, width=width()))


def _looked_at(name: str, every: bool) -> tuple[list[dict[str, Any]], dict[str, Any]]:
    """Each layer in forward order with its shape and its sheet, and how stimuli are shown and layers read."""
    from ...models import load_model
    from ...models.extraction.torch_model import Network

    model = load_model(name)
    if not isinstance(model, Network):
        return [], model.methods
    shapes = model.shapes(model.every_layer() if every else None)
    rows = []
    for layer, shape in shapes.items():
        sheet = model.sheet(layer)
        rows.append(
            {"layer": layer, "shape": list(shape), "sheet": None if sheet is None else sheet.describe()}
        )
    return rows, model.methods


def _sheets(rows: list[dict[str, Any]]) -> dict[str, str]:
    return {row["layer"]: row["sheet"] for row in rows if row["sheet"]}


@models.command("add")
def add_model(name: Name, source: From = None) -> None:
    """Install a model's weights, checksums verified.

    For example:  brodmann models add cifar10-resnet20 --from FOLDER
    """
    from ...models.catalogue import add_model as add

    say(f"{name} is installed in {add(name, source)}")


def train(
    modality: Annotated[Modality, typer.Argument(help="vision (a small ResNet) or language (a small GPT).")],
    data: DataPath = None,
    tau: Tau = None,
    seed: Annotated[int, typer.Option(min=0, help="Of weights, order and variation of the data.")] = 0,
    steps: Steps = None,
    batch: Annotated[int | None, typer.Option(min=1, help="Pictures or texts a step.")] = None,
    learning_rate: Annotated[float, typer.Option(min=1e-9, help="Highest, of AdamW.")] = 2e-3,
    schedule: Annotated[str, typer.Option(help="Of tau: constant, warm-up or decay.")] = "constant",
    size: Annotated[int | None, typer.Option(min=8, help="Pixels a side, or tokens a text.")] = None,
    out: Annotated[Path, typer.Option(help="The networks go into folders here.")] = Path("brodmann-trained"),
    compiled: Annotated[
        bool | None,
        typer.Option(
            "--compile/--no-compile",
            help="Through torch.compile; on a graphics card from 8000 steps on by default.",
        ),
    ] = None,
    half: Annotated[bool, typer.Option("--half", help="Write weights in half precision.")] = False,
    alone: Annotated[bool, typer.Option("--alone", help="Only the network of this tau, no twin.")] = False,
    as_json: Json = False,
) -> None:
    """Train a topographic network and its baseline twin, from the same first weights and batches.

    Asked again, it goes on after an interrupt, and ends with the same bytes. Examples:

      brodmann train vision --tau 30 --seed 0

      brodmann train language --data FOLDER_OF_TXT --tau 1

      brodmann score trained:brodmann-trained/vision-tau30-seed0 simulated-cortex.IT-ridge
    """
    from ...models.training.loop import train as train_network

    changes = {"steps": steps, "batch": batch, "size": size}
    recipe, content = _recipe_and_data(modality.value, tau, data, seed, changes, learning_rate, schedule)
    twins_of = [recipe] if alone or not recipe.tau else [recipe, recipe.baseline()]
    cards = {
        out / one.identifier: train_network(one, content, out / one.identifier, compiled=compiled, half=half)
        for one in twins_of
    }
    if as_json:
        print_json({"trained": [{"folder": str(folder)} | card.as_json() for folder, card in cards.items()]})
        return
    from .terminal import table

    names = [name for name in next(iter(cards.values())).results if " " not in name]
    rows = [(folder.name, *(f"{card.results[name]:.4g}" for name in names)) for folder, card in cards.items()]
    table(
        f"{modality.value}: {len(rows)} networks in {out}",
        ("folder", *(n.replace("_", " ") for n in names)),
        rows,
    )
    say(f"\nlog, weights and card lie there; score one: brodmann score trained:{next(iter(cards))} BENCHMARK")


def twins(
    modality: Annotated[Modality, typer.Argument(help="vision or language.")],
    data: DataPath = None,
    tau: Tau = None,
    seeds: Annotated[int, typer.Option(min=1, help="How many pairs, from seed 0.")] = 5,
    steps: Steps = None,
    benchmark: Annotated[
        str | None, typer.Option(help="For the brain score; a simulated one by default.")
    ] = None,
    localizer: Annotated[
        str | None,
        typer.Option(
            help="For the tuning: drawn-categories, sentences-nonwords, a folder of pictures, or a .csv."
        ),
    ] = None,
    kept: Annotated[
        str, typer.Option(help="Shares of units to keep, separated by commas.")
    ] = "0.5,0.33,0.2,0.1",
    folder: Annotated[Path, typer.Option(help="Where networks, measures and figure go.")] = Path(
        "brodmann-twins"
    ),
    as_json: Json = False,
) -> None:
    """Compare topographic networks with their baseline twins over seeds: layout, dimensionality, task, compression.

    Takes about 4 minutes a pair on one processor; asked again, it goes on. Examples:

      brodmann twins vision --seeds 5

      brodmann twins language --data FOLDER_OF_TXT --localizer FOLDER --benchmark tuckute2024.netw-ridge
    """
    from ...files import write_bytes
    from ..reports.matched_pairs_figure import twins_figure
    from ..studies.matched_pairs import TwinStudy, run_twins

    recipe, content = _recipe_and_data(modality.value, tau, data, 0, {"steps": steps})
    shares = _numbers(kept, "--kept")
    study = TwinStudy(recipe, tuple(range(seeds)), shares, benchmark or "", localizer or "")
    found = run_twins(study, content, folder)
    from ..reports.render import bytes_of_figure

    write_bytes(folder / "twins.png", bytes_of_figure(twins_figure(found), "png"))
    if as_json:
        print_json(found)
        return
    from .terminal import interval_text, table

    rows = [
        (
            name.replace("_", " "),
            *(interval_text(entry[key]) for key in ("topographic", "baseline", "difference")),
            f"{entry['difference']['p']:.2g}",
        )
        for name, entry in found["summary"].items()
    ]
    title = f"{modality.value} twins, {seeds} seeds: mean and 95 % interval over seeds"
    table(title, ("measure", "topographic", "baseline", "difference", "p"), rows)
    said = next(iter(found["summary"].values()))["difference"]
    say(f"\np: {said['permuted']}; at best {said['smallest_p']:.2g}")
    say(f"\nfigure    {folder / 'twins.png'}\nnumbers   {folder / 'twins.json'}")


def lesion(
    model: Annotated[str, typer.Argument(help="A network, as score takes it.")],
    layer: Annotated[str, typer.Option(help="Whose units are lesioned.")],
    target: Annotated[str, typer.Option(help="The category whose units are looked for.")],
    localizer: Annotated[
        str | None,
        typer.Option(
            help="drawn-categories, sentences-nonwords, a folder of pictures, or a .csv of labelled texts."
        ),
    ] = None,
    share: Annotated[float, typer.Option(help="At most this part of the layer's units.")] = 0.1,
    kind: Annotated[LesionKind, typer.Option(help="What is done to them.")] = LesionKind.silence,
    factor: Annotated[float, typer.Option(help="For --kind scale.")] = 0.0,
    controls: Annotated[int, typer.Option(min=1, help="Draws of each control.")] = 20,
    benchmark: Annotated[str | None, typer.Option(help="For the brain score; none by default.")] = None,
    data: DataPath = None,
    seed: Annotated[int, typer.Option(min=0, help="Of the controls.")] = 0,
    as_json: Json = False,
) -> None:
    """Find the units that answer one category, silence, scale or shuffle them, and compare with control lesions.

    The controls are as many random units, and as many contiguous units of the sheet. Examples:

      brodmann lesion twin-vision-topographic --layer layer4.0.conv1 --target face

      brodmann lesion twin-language-topographic --layer transformer.h.1.mlp.c_fc --target sentences
    """
    from ...brain_data.stimuli.localizers import localizer as load_localizer
    from ...models import load_model
    from ...models.extraction.torch_model import Network
    from ...models.training.load import card_of
    from ..studies.lesion_study import LesionDesign, lesion_study, localize, task_of
    from ..studies.matched_pairs import LOCALIZERS

    opened = load_model(model)
    if not isinstance(opened, Network):
        raise UserError(f"{model!r} is no network: it has no units to lesion")
    stimuli = load_localizer(localizer or LOCALIZERS[opened.modality])
    found = localize(opened, stimuli, layer, target, share=share)
    card = card_of(model)
    task = None
    if card is not None and (opened.modality == "vision" or data is not None):
        task = task_of(card.recipe, _data_for(opened.modality, data, card.recipe))
    result = lesion_study(
        opened,
        found,
        LesionDesign(kind.value, factor, controls, seed),
        benchmark=benchmark,
        stimuli=stimuli if _has_language_head(opened, stimuli) else None,
        task=task,
    )
    if not result["whole"]:
        raise UserError(f"{model!r} has no task here: give --benchmark for its brain score")
    if as_json:
        print_json(result)
        return
    from .terminal import lesion_rows, table

    n_found = len(found.units)
    title = f"{kind.value} {n_found} of {len(found.table)} units of {layer} that answer {target!r}"
    table(title, ("score", "whole", "lesion", "random", "p", "contiguous", "p"), lesion_rows(result))
    say(f"\ncontrols: {controls} draws of {n_found} other units each; mean and sd of the change; seed {seed}")


def _has_language_head(model: Any, stimuli: Any) -> bool:
    from ...models.extraction.language_model import LanguageModel

    if not isinstance(model, LanguageModel):
        return False
    try:
        model.surprisal(stimuli.iloc[:1])
    except UserError:
        return False
    return True


def _recipe_and_data(
    modality: str,
    tau: float | None,
    data: Path | None,
    seed: int,
    changes: dict[str, int | None],
    learning_rate: float = 2e-3,
    schedule: str = "constant",
) -> "tuple[Recipe, Data]":
    from ...models.training.recipe import Recipe
    from ..studies.matched_pairs import TAUS, check_data

    given: dict[str, Any] = {name: value for name, value in changes.items() if value is not None}
    recipe = Recipe(
        modality,  # type: ignore[arg-type]  # Recipe refuses other words
        tau=TAUS[modality] if tau is None else tau,
        seed=seed,
        learning_rate=learning_rate,
        schedule=schedule,  # type: ignore[arg-type]  # likewise
        **given,
    )
    content = _data_for(modality, data, recipe)
    return check_data(recipe, content), content


def _data_for(modality: str, data: Path | None, recipe: "Recipe") -> "Data":
    if modality == "vision":
        from ...models.training.images import drawn_images, image_folder

        return drawn_images(recipe.size) if data is None else image_folder(data.expanduser(), recipe.size)
    from ...models.training.texts import corpus

    return corpus(None if data is None else data.expanduser(), vocabulary=recipe.widths[3])


def _numbers(text: str, option: str) -> tuple[float, ...]:
    try:
        numbers = tuple(sorted({float(part) for part in text.split(",") if part.strip()}, reverse=True))
    except ValueError:
        numbers = ()
    if not numbers or not all(0 < one <= 1 for one in numbers):
        raise UserError(f"{option} takes numbers above 0 and up to 1, separated by commas, not {text!r}")
    return numbers
