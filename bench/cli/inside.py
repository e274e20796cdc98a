"""What the commands that look inside a model share: its network, and the texts or pictures that it is shown."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from ...errors import UserError

if TYPE_CHECKING:
    from ...analysis.interpretability.dictionary import Dictionary
    from ...brain_data.stimulus_set import StimulusSet
    from ...models.extraction.rows import TokenWindows
    from ...models.extraction.torch_model import Network

Part = Literal["training", "held_out"]
Layer = Annotated[
    str,
    typer.Option(
        help="As brodmann models info shows it; MODULE#in for what a module is given.", metavar="LAYER"
    ),
]
Texts = Annotated[
    Path | None,
    typer.Option(help="Language: a text file, or a folder of them; Python's own documentation by default."),
]
Pictures = Annotated[
    Path | None, typer.Option(help="Vision: a folder of pictures, at any depth; drawn pictures by default.")
]
Seed = Annotated[int, typer.Option(min=0, help="Of every random draw.")]
_SUFFIXES = {".jpg", ".jpeg", ".png", ".bmp", ".tif", ".tiff", ".webp"}
_SHARE_HELD_OUT, _SHARE_OF_DRAWN = 0.1, 0.25


def network(name: str) -> "Network":
    """A model by name; a UserError for one whose layers cannot be read place by place."""
    from ...models import load_model
    from ...models.extraction.torch_model import Network

    model = load_model(name)
    if not isinstance(model, Network):
        raise UserError(f"{name} is no network: there are no units to look at inside")
    return model


def shown(
    model: "Network",
    texts: Path | None,
    pictures: Path | None,
    *,
    part: Part,
    seed: int = 0,
    drawn: int | None = None,
) -> "TokenWindows | StimulusSet":
    """The texts or pictures that a model is shown, those to learn from or those that are held out.

    Texts are held out by document (the last tenth); pictures at random, by the seed. Of a number of pictures that are
    drawn for the purpose, a quarter is held out.
    """
    from ...models.extraction.language_model import LanguageModel
    from ...models.extraction.rows import token_windows

    if isinstance(model, LanguageModel):
        if pictures is not None:
            raise UserError(f"--pictures: {model.identifier} reads texts: give --texts")
        return token_windows(model, _texts(texts, part))
    if texts is not None:
        raise UserError(f"--texts: {model.identifier} looks at pictures: give --pictures")
    return _pictures(pictures, part, seed, drawn)


def _texts(source: Path | None, part: Part) -> tuple[str, ...]:
    from ...brain_data.stimuli.corpora import held_out_of, text_corpus

    if source is not None:
        corpus = text_corpus(source.expanduser(), share_held_out=_SHARE_HELD_OUT)
    else:
        from pydoc_data.topics import topics

        corpus = held_out_of([topics[name] for name in sorted(topics)], _SHARE_HELD_OUT)
    return corpus.training if part == "training" else corpus.held_out


def _pictures(source: Path | None, part: Part, seed: int, drawn: int | None) -> "StimulusSet":
    import numpy as np

    from ...brain_data.stimuli.drawn_localizers import drawn_categories
    from ...brain_data.stimuli.localizers import PICTURES, localizer

    share = _SHARE_HELD_OUT
    if source is not None:
        stimuli = _folder(source.expanduser())
    elif drawn is None:
        stimuli = localizer(PICTURES)
    else:
        stimuli, share = drawn_categories(drawn), _SHARE_OF_DRAWN
    order = np.random.default_rng([seed, 3]).permutation(len(stimuli))
    n = max(1, round(share * len(stimuli)))
    return stimuli.iloc[np.sort(order[n:] if part == "training" else order[:n])]


def _folder(source: Path) -> "StimulusSet":
    from ...brain_data.stimulus_set import StimulusSet
    from ...files import natural

    paths = sorted(
        (one for one in source.rglob("*") if one.suffix.lower() in _SUFFIXES and one.is_file()),
        key=lambda one: natural(str(one)),
    )
    if len(paths) < 2:
        raise UserError(
            f"{source} holds {len(paths)} pictures ({', '.join(sorted(_SUFFIXES))}): give at least 2"
        )
    ids = [str(one.relative_to(source)) for one in paths]
    stimuli = StimulusSet({"stimulus_id": ids})
    stimuli.stimulus_paths = dict(zip(ids, paths, strict=True))
    return stimuli


def own_dictionary(folder: Path) -> "Dictionary":
    """A dictionary in any layout that is read."""
    from ...analysis.interpretability.formats.base import read_dictionary

    return read_dictionary(folder)


def site_of(
    dictionary: "Dictionary", model: str | None, layer: str | None, folder: Path
) -> "tuple[Network, str]":
    """The network and the layer that a dictionary is of, unless others are named.

    Raises
    ------
    UserError
        Where a foreign dictionary does not say, or the weights are not those that it was learnt from.
    """
    name, at = model or dictionary.site.model, layer or dictionary.site.layer
    if not name or not at:
        raise UserError(f"{folder} does not say which model and layer it is of: add --model and --layer")
    found = network(name)
    found._asked([at])
    known = dictionary.site.weights_digest
    if model is None and known and known != found.digest:
        raise UserError(
            f"{folder} was learnt from other weights of {name} than those here: name the model with --model to take "
            "these all the same"
        )
    return found, at


def listed(text: str) -> tuple[str, ...]:
    """What an option names, separated by commas."""
    return tuple(one.strip() for one in text.split(",") if one.strip())


def numbers(text: str, option: str, what: str = "numbers") -> tuple[int, ...]:
    """The numbers of units or features that an option names, separated by commas."""
    try:
        return tuple(int(one) for one in listed(text))
    except ValueError:
        raise UserError(f"{option} takes {what} such as 12,40, not {text!r}") from None
