"""A packaged network, looked at in a few texts, with a dictionary as it was before its first step."""

import torch

from brodmann.analysis.interpretability.codes import Weights
from brodmann.analysis.interpretability.dictionary import Dictionary, Site
from brodmann.analysis.interpretability.views.base import Inside
from brodmann.bench.reports.explorer.looked import Looked
from brodmann.models import load_model
from brodmann.models.extraction.rows import token_windows

LAYER = "transformer.h.1.mlp.gelu"
WORDS = ("cat", "dog", "tree", "river", "king", "song")
TEXTS = [
    f"the {a} of the {b} was near the {c} , and a {b} saw it in the {a} ." * 3
    for a in WORDS
    for b in WORDS
    for c in WORDS[:3]
]


def drawn(rows, model, n_features=96, k=6, seed=0):
    """A topk dictionary of random directions, scaled to the rows."""
    chance = torch.Generator().manual_seed(seed)
    directions = torch.nn.functional.normalize(
        torch.randn(n_features, rows.shape[1], generator=chance), dim=1
    )
    weights = Weights(directions.clone(), directions, torch.zeros(n_features), torch.zeros(rows.shape[1]), k)
    scale = float((rows - rows.mean(dim=0)).norm(dim=1).mean() / rows.shape[1] ** 0.5)
    return Dictionary(
        weights,
        rows.mean(dim=0),
        scale,
        "topk",
        "scaled",
        Site(model.identifier, model.digest, LAYER, "token"),
        {},
    )


def looked_at(key="s0", name="twin-language-topographic", seed=0, texts=TEXTS, **more):
    model = load_model(name)
    shown = token_windows(model, texts)
    rows = Inside(model, LAYER, shown).rows
    inside = Inside(model, LAYER, shown, drawn(rows, model, seed=seed, **more), seed)
    return Looked(key, f"{name} {key}", inside, drawn(rows, model, seed=seed + 1, **more))
