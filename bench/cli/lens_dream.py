"""Dreams as a person asks for them, beside what texts and pictures reach."""

from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from ...analysis.interpretability.lenses.dream import dream_picture, dream_text
from ...analysis.interpretability.lenses.passes import scored, token_batches
from ...analysis.interpretability.lenses.targets import (
    Reading,
    feature_activation,
    feature_read,
    picture_value,
    text_value,
    unit_read,
)
from ...analysis.interpretability.lenses.token_texts import token_texts
from ...errors import UserError

if TYPE_CHECKING:
    from ...models.extraction.language_model import LanguageModel
    from ...models.extraction.vision_model import VisionModel

_FIRST = 0
"""The place of the token that a tokenizer puts before every text."""


def dreamt_text(
    model: "LanguageModel",
    layer: str,
    unit: int | None,
    dictionary: Any,
    feature: int | None,
    n_tokens: int,
    rounds: int,
    fluency: float,
    windows: list[Any],
    seed: int,
) -> dict[str, Any]:
    """The text, the value that it reaches, and the highest of the texts at hand."""
    from ...analysis.interpretability.lenses.own_texts import first_token

    read = unit_read(unit) if unit is not None else feature_read(dictionary, feature or 0)
    shown = unit_read(unit) if unit is not None else feature_activation(dictionary, feature or 0)
    first = first_token(model)
    known, context = _highest(model, layer, shown, windows, n_tokens)
    total = n_tokens + (first is not None)
    free = list(range(total - n_tokens, total))
    starts = []
    if first is not None:
        context = np.concatenate([[first], context]).astype(np.intp)
    if len(context) == total:
        starts.append(context)
    elif first is not None:
        starts.append(np.full(total, first, np.intp))
    with text_value(model, layer, read, fluency=fluency) as (value, table):
        found = dream_text(value, table, total, rounds=rounds, start=starts, free=free, seed=seed)
    with text_value(model, layer, shown) as (value, table):
        reached = _value_of(value, table, found.tokens)
        random = _highest_random(value, table, found.tokens, free, found.n_tried, seed)
    return {
        "model": model.identifier,
        "layer": layer,
        **({"unit": unit} if unit is not None else {"feature": feature}),
        "text": "".join(token_texts(model.tokenizer, found.tokens[free])),
        "tokens": token_texts(model.tokenizer, found.tokens[free]),
        "value": reached,
        "highest_in_texts": known,
        "ratio": reached / known if known > 0 else None,
        "random_texts": random,
        "tried": found.n_tried,
        "starts": found.starts.tolist(),
    }


def dreamt_picture(
    model: "VisionModel",
    layer: str,
    unit: int | None,
    dictionary: Any,
    feature: int | None,
    steps: int,
    figure: Path | None,
    seed: int,
) -> dict[str, Any]:
    """The value that a picture reaches, beside noise and drawn pictures; the picture goes into a file."""
    from PIL import Image

    from ...files import whole_file

    if figure is not None and figure.suffix.lower() != ".png":
        raise UserError(f"a dreamt picture is saved as .png, not {figure.suffix or 'without a suffix'!r}")
    read = unit_read(unit) if unit is not None else feature_read(dictionary, feature or 0)
    size = tuple(model._probe().shape[-2:])
    with picture_value(model, layer, read) as value:
        found = dream_picture(value, (size[0], size[1]), steps=steps, seed=seed)
    highest = _highest_picture(model, layer, read)
    place = figure or Path(
        f"dream-{'unit' if unit is not None else 'feature'}{unit if unit is not None else feature}.png"
    )
    with whole_file(place) as temporary:
        Image.fromarray((found.pixels * 255).round().astype(np.uint8)).save(temporary, format="png")
    return {
        "model": model.identifier,
        "layer": layer,
        **({"unit": unit} if unit is not None else {"feature": feature}),
        "value": found.value,
        "highest_of_drawn_pictures": highest,
        "ratio": found.value / highest if highest > 0 else None,
        "noise": found.noise,
        "picture": str(place),
    }


def _highest(
    model: "LanguageModel", layer: str, read: Any, windows: list[Any], n_tokens: int
) -> tuple[float, Any]:
    """The highest value in texts, and the tokens that end where it was."""
    import torch

    best, context = -np.inf, np.zeros(0, np.intp)
    for _, ids in token_batches(windows, model.batch_size, device=model.device):
        tap = Reading(layer)
        scored(model.with_lesions(tap), ids)
        with torch.no_grad():
            values = read(tap.seen.pop())
        values[:, _FIRST] = -torch.inf
        if float(values.max()) > best:
            best = float(values.max())
            row, place = divmod(int(values.argmax()), values.shape[1])
            context = ids[row, max(0, place + 1 - n_tokens) : place + 1].cpu().numpy().astype(np.intp)
    return best, context


def _value_of(value: Any, table: Any, tokens: Any) -> float:
    import torch

    ids = torch.from_numpy(np.asarray(tokens)).long().to(table.device)[None]
    with torch.no_grad():
        return float(value(ids, table[ids])[0])


def _highest_random(value: Any, table: Any, like: Any, free: list[int], n_texts: int, seed: int) -> float:
    """The highest value of random texts, in the numbers that are shown: without fluency, after features compete."""
    import torch

    texts = np.repeat(np.asarray(like)[None], n_texts, axis=0)
    texts[:, free] = np.random.default_rng([seed, 37]).integers(len(table), size=(n_texts, len(free)))
    with torch.no_grad():
        every = torch.from_numpy(texts).long().to(table.device)
        batches = [every[start : start + 64] for start in range(0, len(every), 64)]
        return max(float(value(ids, table[ids]).max()) for ids in batches)


def _highest_picture(model: "VisionModel", layer: str, read: Any) -> float:
    import torch

    from ...brain_data.stimuli.localizers import localizer
    from ...models.extraction.rows import layer_rows

    best = -np.inf
    with torch.no_grad():
        for rows in layer_rows(model, layer, localizer("drawn-categories")):
            values = read(rows.values).double().numpy()
            of, inverse = np.unique(rows.stimulus, return_inverse=True)
            best = max(best, float((np.bincount(inverse, values) / np.bincount(inverse)).max()))
            del of
    return best
