"""What each layer would predict, token by token: softmax(W_U norm(h_l)), beside what the network predicts in the end.

Of pictures, what each layer would call them: its pooled map through the classifier, or a ridge translator and it.
"""

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import torch

from .....analysis.interpretability.lenses.class_lens import class_scores
from .....analysis.interpretability.lenses.logit_lens import (
    LensGrid,
    direct,
    kl_to_final,
    lens_grid,
    lens_profile,
    rank_of,
)
from .....analysis.interpretability.lenses.passes import predicting
from .....analysis.interpretability.lenses.token_texts import token_texts
from .....analysis.interpretability.lenses.unembedding import Unembedding, unembedding_of
from .....errors import UserError
from .....models.extraction.language_model import LanguageModel
from .....models.extraction.rows import TokenWindows
from ..content import Section
from ..looked import Asked, Looked
from .classes import classes_of

Indices = npt.NDArray[np.intp]
N_TOP = 3
_N_TEXTS, _N_TOKENS = 4, 24
_MOST_TOKENS = 64
_N_PROFILE = 64
_N_PICTURES = 12


def lens(looked: Looked, asked: Asked) -> Section:
    """Grids of a few texts or pictures, and the mean over many.

    Parameters
    ----------
    looked : Looked
    asked : Asked
        ``texts``.
    """
    return _texts(looked, asked.texts) if looked.reads else _pictures(looked)


def _texts(looked: Looked, asked: Sequence[str]) -> Section:
    inside = looked.inside
    model = predicting(inside.model)
    end = unembedding_of(model)
    part = inside.part
    assert isinstance(part, TokenWindows)
    generator = np.random.default_rng([inside.seed, 79])
    order = generator.permutation(len(part))
    chosen, left_out = (
        _given(model, asked) if asked else ([part.ids[i][:_N_TOKENS] for i in order[:_N_TEXTS]], [])
    )
    windows = [part.ids[i] for i in order[:_N_PROFILE]]
    profile = lens_profile(model, windows, end=end)
    # streams of other tokens: how near any stream of the layer comes to any prediction
    shuffled = lens_profile(model, windows, _of_others(end, generator), end=end)
    names = [str(name) for name in profile.index]
    kept = zip(names, profile.to_dict("records"), shuffled.to_dict("records"), strict=True)
    rows: list[dict[str, Any]] = [
        {
            "layer": name, **{key: one[key] for key in ("kl", "agreement", "ce", "rank_true")},
            "kl_shuffled": other["kl"], "agreement_shuffled": other["agreement"],
        }
        for name, one, other in kept
    ]  # fmt: skip
    grids = [lens_grid(model, np.asarray(ids, np.intp), end=end, n_top=N_TOP) for ids in chosen]
    whole = {
        "layers": end.names, "texts": [_grid(model, grid) for grid in grids], "profile": rows,
        "n_tokens": int(profile.attrs["n_tokens"]),
    }  # fmt: skip
    controls = [
        {
            "kind": f"streams of other tokens behind {one['layer']}", "kl": one["kl_shuffled"],
            "agreement": one["agreement_shuffled"],
        }
        for one in rows
    ]  # fmt: skip
    return Section("lens", whole=whole, controls=controls, left_out=left_out)


def _given(model: LanguageModel, texts: Sequence[str]) -> tuple[list[Indices], list[str]]:
    found, left_out = [], []
    longest = min(model.max_tokens or _MOST_TOKENS, _MOST_TOKENS)
    for text in texts:
        ids = np.asarray(model._encoder("last").tokens("", text).ids, np.intp)
        if len(ids):
            found.append(ids[-longest:])
        if len(ids) > longest:
            left_out.append(f"lens: the first {len(ids) - longest} tokens of a text of {len(ids)}")
    if not found:
        raise UserError("the texts for the lens have no tokens")
    return found, left_out


def _of_others(end: Unembedding, generator: np.random.Generator) -> Any:
    read = direct(end)

    def shuffled(place: int, stream: torch.Tensor) -> torch.Tensor:
        return read(place, stream[torch.from_numpy(generator.permutation(len(stream)))])

    return shuffled


def _grid(model: LanguageModel, grid: LensGrid) -> dict[str, Any]:
    known = np.unique(np.append(grid.top, grid.tokens))
    texts = dict(zip(known.tolist(), token_texts(model.tokenizer, known), strict=True))
    cells = [
        [
            {
                "top": [
                    [texts[int(token)], float(p)]
                    for token, p in zip(grid.top[layer, at], grid.top_probability[layer, at], strict=True)
                ],
                "rank": _rank(grid.values["rank_true"][layer, at]),
                "final_rank": _rank(grid.values["rank_final"][layer, at]),
                "kl": max(float(grid.values["kl"][layer, at]), 0.0),
            }
            for at in range(len(grid.tokens))
        ]
        for layer in range(len(grid.layers))
    ]
    return {"tokens": [texts[int(one)] for one in grid.tokens], "grid": cells}


def _rank(value: float) -> int | None:
    """From 1, the likeliest; None behind the last token, whose next one is not known."""
    return None if np.isnan(value) else int(value) + 1


def _pictures(looked: Looked) -> Section:
    model: Any = looked.inside.model
    layers = list(model.layers)
    known = classes_of(looked, layers)
    final = torch.from_numpy(known.held_out.scores[:_N_PICTURES])
    best = final.argmax(dim=1)
    labels, names = known.labels[:_N_PICTURES], known.names
    true = [
        next((i for i, name in enumerate(names) if name.endswith(f"({label})")), None) for label in labels
    ]
    grid = []
    for layer in layers:
        values = known.held_out.layers[layer][:_N_PICTURES]
        scores = torch.from_numpy(class_scores(known.training, layer)(values))
        top = scores.softmax(dim=1).topk(min(N_TOP, scores.shape[1]), dim=1)
        apart, rank = kl_to_final(final, scores), rank_of(scores, best)
        grid.append(
            [
                {
                    "top": [
                        [names[int(j)], float(p)] for p, j in zip(top.values[i], top.indices[i], strict=True)
                    ],
                    "rank": None if true[i] is None else int((scores[i] > scores[i, true[i]]).sum()) + 1,
                    "final_rank": int(rank[i]) + 1,
                    "kl": max(float(apart[i]), 0.0),
                }
                for i in range(len(labels))
            ]
        )
    rows = [
        {
            "layer": str(name), "how": row["how"], "kl": row["kl"], "agreement": row["agreement"],
            "kl_shuffled": row["kl_shuffled"], "agreement_shuffled": row["agreement_shuffled"],
        }
        for name, row in known.table.iterrows()
    ]  # fmt: skip
    shown = {"tokens": labels, "pictures": known.pictures[:_N_PICTURES].tolist(), "grid": grid}
    whole = {"layers": layers, "texts": [shown], "profile": rows, "n_pictures": len(known.pictures)}
    controls = [
        {
            "kind": f"shuffled, at {one['layer']}",
            "kl": one["kl_shuffled"],
            "agreement": one["agreement_shuffled"],
        }
        for one in rows
    ]
    return Section("lens", whole=whole, controls=controls)
