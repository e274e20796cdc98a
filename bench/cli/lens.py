"""The commands that look through a layer: lens, vocabulary, importance, dream."""

from pathlib import Path
from typing import Annotated, Any

import typer
from typer.core import TyperGroup

from ...errors import UserError
from .common import SETTINGS, Json, computes, print_json, say
from .lens_inputs import (
    array_of,
    both_halves,
    chosen_of,
    dictionary_of,
    directions_of,
    middle,
    opened,
    sheet_of,
    texts_of,
)
from .lens_text import grid_json, rows_of, say_grid, say_importance, say_profile, say_vocabulary, show_classes

_CONTEXTS = 200
"""Pieces of text behind which a direction is pushed."""


class _ModelFirst(TyperGroup):
    """``lens MODEL`` is ``lens show MODEL``."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        """Put the name of the command in front of a model's."""
        if args and args[0] not in self.commands and args[0] != "--help":
            args = ["show", *args]
        return super().parse_args(ctx, args)


lens = typer.Typer(
    **SETTINGS,
    cls=_ModelFirst,
    help="What a network would say after each layer, what its units write, which matter, what they like to see.\n\n"
    "  brodmann lens MODEL --text TEXT     (the same as: brodmann lens show MODEL ...)\n\n"
    "For example:  brodmann lens twin-language-topographic --text 'the capital of france is'",
)

ModelName = Annotated[
    str, typer.Argument(help="A catalogue name, or anything that score takes.", metavar="MODEL")
]
Layer = Annotated[str, typer.Option(help="A layer; MODULE#in for what a module is given.")]
Texts = Annotated[
    Path | None,
    typer.Option(help="A text file or a folder of texts; by default texts that the network writes itself."),
]
Unit = Annotated[int | None, typer.Option(min=0, help="A unit of the layer, or channel of a map.")]
Features = Annotated[
    Path | None, typer.Option(help="A dictionary of the layer (NAME.features).", metavar="FOLDER")
]
Feature = Annotated[int | None, typer.Option(min=0, help="A feature of the dictionary.")]
Seed = Annotated[int, typer.Option(min=0, help="Of every random draw.")]


@lens.command()
@computes
def show(
    model: ModelName,
    text: Annotated[str | None, typer.Option(help="The text that is looked at, token by token.")] = None,
    tuned: Annotated[
        bool, typer.Option("--tuned", help="Through translators that are trained for each layer first.")
    ] = False,
    texts: Texts = None,
    pictures: Annotated[
        str | None,
        typer.Option(
            help="Vision: a localizer's name, or a folder of pictures; drawn-categories by default."
        ),
    ] = None,
    steps: Annotated[
        int | None, typer.Option(min=1, help="Of training, with --tuned; 300 by default.")
    ] = None,
    seed: Seed = 0,
    as_json: Json = False,
) -> None:
    """Show what a network would predict after each layer: for a text, or over many texts or pictures.

    For example:

      brodmann lens twin-language-topographic --text 'the capital of france is' --tuned

      brodmann lens twin-vision-topographic
    """
    from ...models import VisionModel, load_model

    network = load_model(model)
    if isinstance(network, VisionModel):
        if text is not None or tuned or texts is not None or steps is not None:
            raise UserError(
                f"{model} looks at pictures: --text, --texts, --tuned and --steps are for networks that read"
            )
        show_classes(network, pictures or "drawn-categories", seed, as_json)
        return
    if pictures is not None:
        raise UserError(f"--pictures: {model} looks at none")
    if steps is not None and not tuned:
        raise UserError("--steps is of translators: add --tuned")
    if texts is not None and text is not None and not tuned:
        raise UserError("--text is looked at without --texts, which --tuned learns from: leave one out")
    from ...analysis.interpretability.lenses.logit_lens import direct, lens_grid, lens_profile
    from ...analysis.interpretability.lenses.passes import predicting
    from ...analysis.interpretability.lenses.tuned_lens import tune_lens
    from ...analysis.interpretability.lenses.unembedding import unembedding_of

    whole = predicting(network)
    end = unembedding_of(whole)
    found: dict[str, Any] = {"model": network.identifier, "norm": end.norm, "head": end.head, "tuned": tuned}
    read = direct(end)
    if tuned or text is None:
        training, held_out, found["texts"] = texts_of(whole, texts, seed)
        if tuned:
            read = tune_lens(whole, training, end=end, steps=steps or 300, seed=seed).read
        profile = lens_profile(whole, held_out, read, end=end)
        found |= {"n_tokens": profile.attrs["n_tokens"], "layers": rows_of(profile)}
        if tuned:
            found["logit_lens"] = rows_of(lens_profile(whole, held_out, end=end))
    if text is not None:
        every = whole._encoder("last").tokens("", text).ids
        ids = every[-(whole.max_tokens or 0) :]
        grid = lens_grid(whole, array_of(ids), read, end=end)
        found["text"] = grid_json(whole, grid)
        found["left_out"] = len(every) - len(ids)
    if as_json:
        print_json(found)
        return
    say(
        f"{network.identifier}: what each layer would predict{', through trained translators' if tuned else ''}"
    )
    if "layers" in found:
        say(f"{found['n_tokens']} tokens of {found['texts']}")
        say_profile(found["layers"], found.get("logit_lens"))
    if text is not None:
        say_grid(found["text"])
        if found["left_out"]:
            say(f"left out  the first {found['left_out']} tokens: the network reads {whole.max_tokens}")


@lens.command()
@computes
def vocabulary(
    model: ModelName,
    layer: Layer,
    unit: Unit = None,
    features: Features = None,
    feature: Feature = None,
    texts: Texts = None,
    most: Annotated[
        int, typer.Option(min=1, help="Units that are shown, those with the most peaked effects.")
    ] = 10,
    tokens: Annotated[int, typer.Option(min=1, help="At each end.")] = 20,
    seed: Seed = 0,
    as_json: Json = False,
) -> None:
    """Show the tokens that units or features promote and suppress, and whether pushing them does so.

    For example:  brodmann lens vocabulary twin-language-topographic --layer transformer.h.1.mlp.gelu --unit 3
    """
    from ...analysis.interpretability.lenses import vocabulary as words
    from ...analysis.interpretability.lenses.importance import gradient_importance
    from ...analysis.interpretability.lenses.token_texts import token_texts
    from ...analysis.interpretability.lenses.unembedding import unembedding_of

    whole, layer, dictionary = opened(model, layer, features)
    end = unembedding_of(whole)
    write = words.write_of(whole, end, layer)
    everything = directions_of(whole, layer, dictionary)
    chosen = chosen_of(unit, feature, dictionary, len(everything))
    vectors = words.vocabulary(everything, write, end, n_tokens=tokens, seed=seed)
    if chosen is None:
        chosen = [int(one) for one in (-vectors.kurtosis).argsort(kind="stable")[:most]]
    windows, held_out, said = texts_of(whole, texts, seed)
    rows = gradient_importance(whole, layer, windows[:_CONTEXTS], dictionary=dictionary, seed=seed)
    strengths = [float(rows.high[one]) or 1.0 for one in chosen]
    causal = words.causal_check(
        whole, write, end, everything[chosen], strengths, words.contexts_of(held_out, _CONTEXTS, seed=seed),
        n_tokens=tokens, seed=seed,
    )  # fmt: skip

    def named(ids: Any) -> list[str]:
        return token_texts(whole.tokenizer, ids)

    entries = [
        {
            "feature" if dictionary else "unit": one,
            "promoted": named(vectors.promoted[one]),
            "suppressed": named(vectors.suppressed[one]),
            "kurtosis": float(vectors.kurtosis[one]),
            "strength": float(causal.strength[i]),
            "spearman": float(causal.spearman[i]),
            "spearman_other": float(causal.spearman_other[i]) if len(chosen) > 1 else None,
            "found": float(causal.found[i]),
        }
        for i, one in enumerate(chosen)
    ]
    found = {
        "model": whole.identifier, "layer": layer, "through": vectors.through, "exact": vectors.exact,
        "kurtosis": middle(vectors.kurtosis), "kurtosis_random": middle(vectors.kurtosis_random),
        "spearman_random": middle(causal.spearman_random), "texts": said, "directions": entries,
    }  # fmt: skip
    if as_json:
        print_json(found)
        return
    say_vocabulary(found)


@lens.command()
@computes
def importance(
    model: ModelName,
    layer: Layer,
    features: Features = None,
    texts: Texts = None,
    topics: Annotated[
        str | None,
        typer.Option(
            help="A localizer's name or a table of texts with categories: topics of the important units."
        ),
    ] = None,
    most: Annotated[
        int, typer.Option(min=3, help="Units that are ablated, the most important and as many others.")
    ] = 12,
    seed: Seed = 0,
    as_json: Json = False,
) -> None:
    """Rank units or features by what they do to the prediction, and check the ranking by ablation on other texts.

    For example:  brodmann lens importance twin-language-topographic --layer transformer.h.1.mlp.gelu
    """
    import numpy as np

    from ...analysis.interpretability.lenses import importance as by

    whole, layer, dictionary = opened(model, layer, features)
    windows, said = both_halves(whole, texts, seed)
    half = max(1, len(windows) // 2)
    first, second = windows[:half], windows[half:] or windows[:half]
    gradient = by.gradient_importance(whole, layer, first, dictionary=dictionary, seed=seed)
    order = np.argsort(-gradient.importance.mean(axis=0), kind="stable")
    generator = np.random.default_rng([seed, 41])
    others = generator.choice(order[most:], min(most, len(order[most:])), replace=False)
    units = np.concatenate([order[:most], others]).astype(np.intp)
    found: dict[str, Any] = {
        "model": whole.identifier, "layer": layer, "texts": said, "n_first": len(first), "n_second": len(second),
    }  # fmt: skip
    ablated = {}
    for base, values in (("zero", np.zeros(len(units))), ("mean", gradient.mean[units])):
        change = by.ablation_importance(whole, layer, second, units.tolist(), values, dictionary=dictionary)
        signed = by.agreement(
            units, gradient.first_order("zero" if base == "zero" else "mean")[:, units], change
        )
        size = by.agreement(units, gradient.importance[:, units], np.abs(change))
        ablated[base] = change.mean(axis=0)
        found[base] = {
            "pearson": signed.pearson,
            "spearman": signed.spearman,
            "spearman_of_size": size.spearman,
        }
    found["units"] = [
        {
            "feature" if dictionary else "unit": int(one),
            "importance": float(gradient.importance[:, one].mean()),
            "zero": float(ablated["zero"][i]),
            "mean": float(ablated["mean"][i]),
            "chosen": i < most,
        }
        for i, one in enumerate(units)
    ]
    if topics is not None:
        from .lens_topics import topics_of

        found["topics"] = topics_of(
            whole, layer, dictionary, topics, sheet_of(whole, layer, dictionary), seed
        )
    if as_json:
        print_json(found)
        return
    say_importance(found)


@lens.command()
@computes
def dream(
    model: ModelName,
    layer: Layer,
    unit: Unit = None,
    features: Features = None,
    feature: Feature = None,
    tokens: Annotated[int, typer.Option(min=1, help="Of the text.")] = 8,
    rounds: Annotated[int, typer.Option(min=1, help="Of swaps; a picture takes ten steps for each.")] = 30,
    fluency: Annotated[float, typer.Option(help="How much the text's own probability counts.")] = 0.0,
    texts: Texts = None,
    figure: Annotated[Path | None, typer.Option(help="Vision: where the picture goes (.png).")] = None,
    seed: Seed = 0,
    as_json: Json = False,
) -> None:
    """Look for the text or the picture that a unit or feature answers most.

    For example:  brodmann lens dream twin-language-topographic --layer transformer.h.1.mlp.gelu --unit 3
    """
    from .lens_dream import dreamt_picture, dreamt_text

    network: Any
    if (unit is None) == (feature is None):
        raise UserError("a dream is of one unit (--unit 3) or one feature (--features FOLDER --feature 12)")
    from ...models import VisionModel, load_model

    network = load_model(model)
    if isinstance(network, VisionModel):
        dictionary = dictionary_of(features)
        chosen_of(unit, feature, dictionary, None)
        found = dreamt_picture(network, layer, unit, dictionary, feature, rounds * 10, figure, seed)
    else:
        whole, layer, dictionary = opened(network, layer, features)
        chosen_of(unit, feature, dictionary, None)
        windows, said = both_halves(whole, texts, seed)
        found = dreamt_text(
            whole, layer, unit, dictionary, feature, tokens, rounds, fluency, windows, seed
        ) | {"texts": said}
    if as_json:
        print_json(found)
        return
    for name, value in found.items():
        say(f"{name.replace('_', ' '):<26}{f'{value:.4g}' if isinstance(value, float) else value}")
