"""Of features: four questions about what stands inside topographic networks and their baseline twins."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from ...errors import UserError
from .common import Json, print_json, say

if TYPE_CHECKING:
    from ...models.extraction.language_model import LanguageModel


def features_study(
    networks: Annotated[
        Path,
        typer.Argument(help="The folder of brodmann twins or brodmann train language, with several seeds."),
    ],
    texts: Annotated[Path, typer.Option(help="A text file, or a folder of them.")],
    layer: Annotated[
        str, typer.Option(help="A layer whose units lie on a sheet.")
    ] = "transformer.h.1.mlp.gelu",
    features: Annotated[int, typer.Option(min=2, help="Of each dictionary.")] = 1024,
    active: Annotated[
        str, typer.Option(help="Active features of a row, a dictionary each.")
    ] = "4,8,16,32,64",
    rows: Annotated[int, typer.Option(min=1, help="Tokens that each dictionary learns from.")] = 800_000,
    benchmark: Annotated[
        str | None, typer.Option(help="Of language, such as tuckute2024.netw-ridge; none by default.")
    ] = None,
    folder: Annotated[Path, typer.Option(help="Where dictionaries, measures and figure go.")] = Path(
        "brodmann-inside"
    ),
    as_json: Json = False,
) -> None:
    """Ask what features are worth, over pairs of topographic networks and their twins.

    Do features match better than units across seeds, are units less mixed at equal error, do features lie together on
    the sheet, do they predict a recording better than random expansions. Takes some minutes a network; asked again, it
    goes on. For example:

      brodmann features study brodmann-trained --texts FOLDER --benchmark tuckute2024.netw-ridge
    """
    from ...brain_data.stimuli.corpora import text_corpus
    from ..reports.inside_figure import inside_figure
    from ..reports.render import bytes_of_figure
    from ..studies.inside_study import Brain, InsideStudy, inside_study

    study = InsideStudy(layer, features, _numbers(active), n_rows=rows)
    pairs = _pairs(networks)
    brain = None if benchmark is None else Brain(benchmark, folder / "scores")
    found = inside_study(pairs, text_corpus(texts.expanduser()), study, folder, brain=brain)
    from ...files import write_bytes

    write_bytes(folder / "inside.png", bytes_of_figure(inside_figure(found), "png"))
    if as_json:
        print_json(found)
        return
    _print(found)
    say(f"figure    {folder / 'inside.png'}")
    say(f"measures  {folder / 'inside.json'}")


def _numbers(text: str) -> tuple[int, ...]:
    try:
        found = tuple(int(one) for one in text.split(","))
    except ValueError:
        raise UserError(f"--active {text}: give whole numbers, separated by commas") from None
    if any(one < 1 for one in found):
        raise UserError(f"--active {text}: at least 1 feature is active")
    return found


def _pairs(folder: Path) -> "list[tuple[LanguageModel, LanguageModel]]":
    """Topographic networks of a folder beside the baselines of the same seed."""
    from ...models.extraction.language_model import LanguageModel
    from ...models.training.load import load_trained
    from ...models.training.recipe import CARD, Card

    folder = folder.expanduser()
    cards = {one.parent: Card.read(one) for one in sorted(folder.glob(f"*/{CARD}"))}
    by_name = {card.recipe.identifier: place for place, card in cards.items()}
    found = [
        (place, by_name[card.recipe.baseline().identifier])
        for place, card in cards.items()
        if card.recipe.tau and card.recipe.baseline().identifier in by_name
    ]
    if not found:
        raise UserError(
            f"{folder} holds no topographic network beside its baseline twin: brodmann train language"
        )
    pairs = []
    for places in found:
        both = [load_trained(place) for place in places]
        if not all(isinstance(one, LanguageModel) for one in both):
            raise UserError(f"{places[0]} looks at pictures: the study is of networks that read text")
        pairs.append(tuple(both))
    return pairs  # type: ignore[return-value]


def _print(found: dict[str, Any]) -> None:
    from .terminal import table

    rows = []
    for question, contrasts in found["answers"].items():
        for one in contrasts:
            low, high = one["interval"]
            p = f"{one['p']:.3g}" + (f" (Holm {one['p_holm']:.3g})" if "p_holm" in one else "")
            interval = f"{low:.3g} to {high:.3g}"
            rows.append((question, one["contrast"], f"{one['difference']:.3g}", interval, p, str(one["n"])))
    table(
        f"{len(rows)} contrasts over networks; one a question is corrected (Holm), the others describe",
        ("question", "contrast", "difference", "95 % interval", "p", "n"),
        rows,
    )
