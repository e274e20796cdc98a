"""What the lens commands print: a text layer by layer, a profile of layers, vocabulary, importance."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from .common import print_json, say

if TYPE_CHECKING:
    from ...models.extraction.language_model import LanguageModel
    from ...models.extraction.vision_model import VisionModel

_CELL = 9


def rows_of(table: Any) -> list[dict[str, Any]]:
    """A table as one mapping a layer."""
    return [{"layer": name, **row.to_dict()} for name, row in table.iterrows()]


def grid_json(model: "LanguageModel", grid: Any) -> dict[str, Any]:
    """A text's lens as JSON-able fields, tokens as a person reads them."""
    from ...analysis.interpretability.lenses.token_texts import token_texts

    return {
        "tokens": token_texts(model.tokenizer, grid.tokens),
        "layers": [
            {
                "layer": layer,
                "best": token_texts(model.tokenizer, grid.best[i]),
                "probability": grid.probability[i].tolist(),
                **{name: values[i].tolist() for name, values in grid.values.items()},
            }
            for i, layer in enumerate(grid.layers)
        ],
    }


def show_classes(model: "VisionModel", pictures: str, seed: int, as_json: bool) -> None:
    """Run pictures, look through the classifier at each layer, and print that."""
    import numpy as np

    from ...analysis.interpretability.lenses.class_lens import class_lens, pooled_layers
    from ...brain_data.stimuli.localizers import localizer
    from .terminal import table

    stimuli = localizer(pictures)
    pooled = pooled_layers(model, stimuli)
    order = np.random.default_rng([seed, 43]).permutation(len(stimuli))
    cut = round(0.6 * len(order))
    seen = class_lens(pooled.taken(order[:cut]), pooled.taken(order[cut:]), seed=seed)
    found: dict[str, Any] = {
        "model": model.identifier,
        "pictures": pictures,
        **{str(name): value for name, value in seen.attrs.items()},
        "layers": rows_of(seen),
    }
    if as_json:
        print_json(found)
        return
    rows = [
        (
            one["layer"], one["how"], f"{one['kl']:.3f}", f"{one['agreement']:.2f}", f"{one['kl_shuffled']:.3f}",
            f"{one['agreement_shuffled']:.2f}",
        )
        for one in found["layers"]
    ]  # fmt: skip
    table(
        f"{model.identifier}: what each layer would call {found['n_held_out']} held-out pictures of {pictures}",
        ("layer", "through", "KL to the answer", "same answer", "KL shuffled", "same shuffled"),
        rows,
    )


def say_grid(text: dict[str, Any]) -> None:
    """The last layer on top; a star where a layer already says what the network says."""
    from ...analysis.interpretability.lenses.token_texts import shown
    from .terminal import width

    names = [one["layer"] for one in text["layers"]]
    room = max(max(map(len, names)), 10) + 2
    step = max(1, (width() - room) // (_CELL + 5))
    for start in range(0, len(text["tokens"]), step):
        part = slice(start, start + step)
        say()
        say("after".ljust(room) + "".join(_cut(shown(one)).ljust(_CELL + 5) for one in text["tokens"][part]))
        for one in reversed(text["layers"]):
            cells = zip(one["best"][part], one["probability"][part], one["rank_final"][part], strict=True)
            said = (f"{_cut(shown(best))} {100 * p:.0f}{'*' if rank == 0 else ''}" for best, p, rank in cells)
            say(one["layer"].ljust(room) + "".join(cell.ljust(_CELL + 5) for cell in said).rstrip())
        for name, label in (("kl", "nats to end"), ("rank_true", "rank of next")):
            first = text["layers"][-2][name][part]
            if name == "rank_true":
                first = text["layers"][-1][name][part]
            say(f"{label:<{room}}" + "".join(_number(x).ljust(_CELL + 5) for x in first).rstrip())
    say(
        "\n*: the network's own answer; percent: how sure the layer is; nats to end: of the layer before the last"
    )


def _number(value: float) -> str:
    return "" if value != value else f"{value:.3g}"


def _cut(text: str) -> str:
    return text if len(text) <= _CELL else f"{text[: _CELL - 1]}…"


def say_profile(layers: Sequence[dict[str, Any]], plain: Sequence[dict[str, Any]] | None) -> None:
    """The layers over many texts; with the lens as it was before training, where there is one."""
    from .terminal import table

    columns = ["layer", "KL to the end", "same answer", "loss", "rank of true", "entropy"]
    rows = [
        [
            one["layer"], f"{one['kl']:.3f}", f"{one['agreement']:.2f}", f"{one['ce']:.2f}", f"{one['rank_true']:.0f}",
            f"{one['entropy']:.2f}",
        ]
        for one in layers
    ]  # fmt: skip
    if plain is not None:
        columns.append("KL untrained")
        rows = [[*row, f"{one['kl']:.3f}"] for row, one in zip(rows, plain, strict=True)]
    table("held-out texts", columns, rows)


def say_vocabulary(found: dict[str, Any]) -> None:
    """Tokens that directions promote and suppress, and what pushing them did."""
    from ...analysis.interpretability.lenses.token_texts import shown

    how = "" if found["exact"] else ", through a function of each unit alone"
    say(f"{found['model']}  {found['layer']}  writes through {found['through']}{how}")
    say(
        f"kurtosis over tokens: median {found['kurtosis']:.2f}, of random directions {found['kurtosis_random']:.2f} "
        "(3: spread as noise is)"
    )
    say(
        f"Spearman r of what is read off with what pushing does; random directions {found['spearman_random']:.2f}"
    )
    for one in found["directions"]:
        name = "feature" if "feature" in one else "unit"
        other = "" if one["spearman_other"] is None else f", with another's {one['spearman_other']:.2f}"
        say(
            f"\n{name} {one[name]}   kurtosis {one['kurtosis']:.2f}   pushed by {one['strength']:.3g}: "
            f"r {one['spearman']:.2f}{other}, {100 * one['found']:.0f} % of the top tokens found"
        )
        say("  promotes    " + " ".join(shown(token) for token in one["promoted"]))
        say("  suppresses  " + " ".join(shown(token) for token in one["suppressed"]))


def say_importance(found: dict[str, Any]) -> None:
    """Units by importance beside their ablation, and topics where they were asked for."""
    from .terminal import table

    texts = f"gradients of {found['n_first']} texts, ablation on {found['n_second']} others"
    say(f"{found['model']}  {found['layer']}: {texts}")
    for base in ("zero", "mean"):
        one = found[base]
        say(
            f"ablated to {base}: r with the first-order change {one['pearson']:.2f} (ranks {one['spearman']:.2f}); "
            f"ranks of the sizes {one['spearman_of_size']:.2f}"
        )
    rows = [
        (
            str(one.get("unit", one.get("feature"))), "" if one["chosen"] else "drawn", f"{one['importance']:.2e}",
            f"{one['zero']:+.2e}", f"{one['mean']:+.2e}",
        )
        for one in found["units"]
    ]  # fmt: skip
    name = "feature" if "feature" in found["units"][0] else "unit"
    table(
        "change of the loss in nats",
        (name, "", "mean |a dL/da|", "ablated to 0", "to its mean"),
        rows,
    )
    if "topics" in found:
        from .lens_topics import say_topics

        say_topics(found["topics"])
