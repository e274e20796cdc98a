"""The tokens that units and features promote and suppress, r = W_U (g * (W_o d)), and whether pushing them does so.

Of pictures the classes, by the classifier: through W as it stands where the layer is as wide as what the classifier
reads, else through a ridge translator B of pooled maps, r = W (B d).
"""

from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from .....analysis.interpretability.lenses.class_lens import class_scores
from .....analysis.interpretability.lenses.token_texts import token_texts
from .....analysis.interpretability.lenses.vocabulary import (
    Vocabulary,
    causal_check,
    contexts_of,
    vocabulary,
    way_out,
)
from .....errors import UserError
from .....models.extraction.rows import TokenWindows
from ..content import Column, Of, Section
from ..looked import Asked, Looked
from .classes import classes_of

Floats = npt.NDArray[np.float64]
N_TOKENS = 20
_N_CONTEXTS = 128
_N_PUSHED: dict[Of, int] = {"unit": 12, "feature": 24}
_QUANTILE = 0.99
_NAMED = 8


def tokens(looked: Looked, asked: Asked) -> Section:
    """What each unit and feature writes.

    Parameters
    ----------
    looked : Looked
    asked : Asked
    """
    del asked
    return _tokens(looked) if looked.reads else _classes(looked)


def _tokens(looked: Looked) -> Section:
    inside = looked.inside
    whole, end, write = way_out(inside.model, inside.layer)
    assert isinstance(inside.part, TokenWindows)
    contexts = contexts_of(inside.part.ids, _N_CONTEXTS, seed=inside.seed)
    generator = np.random.default_rng([inside.seed, 73])
    columns, entries, controls = {}, {}, []
    for of in looked.kinds:
        directions = _directions(looked, of)
        found = vocabulary(directions, write, end, n_tokens=N_TOKENS, seed=inside.seed)
        texts = _texts(whole.tokenizer, found)
        entries[of] = [
            {
                "promoted": _pairs(texts, found.promoted[i], found.promoted_by[i]),
                "suppressed": _pairs(texts, found.suppressed[i], found.suppressed_by[i]),
                "kurtosis": float(found.kurtosis[i]),
            }
            for i in range(len(directions))
        ]
        strengths = _strengths(looked, of)
        used = np.flatnonzero(strengths > 0)
        chosen = np.sort(generator.permutation(used)[: _N_PUSHED[of]])
        controls.append(
            {"kind": "random directions", "of": of, "kurtosis": float(np.median(found.kurtosis_random))}
        )
        if len(chosen) > 1:
            causal = causal_check(
                whole, write, end, directions[chosen], strengths[chosen].tolist(), contexts, seed=inside.seed
            )
            for i, r in zip(chosen, causal.spearman, strict=True):
                entries[of][i]["pushed_r"] = float(r)
            for kind, values in (
                ("rank correlation with pushing, of itself", causal.spearman),
                ("rank correlation with pushing, of another", causal.spearman_other),
                ("rank correlation with pushing, of random directions", causal.spearman_random),
            ):
                controls.append({"kind": kind, "of": of, "r": float(np.median(values)), "n": len(values)})
        columns[of] = _columns(found, entries[of])
    return Section("tokens", columns, entries, controls=controls)


def _directions(looked: Looked, of: Of) -> Tensor:
    return torch.eye(looked.inside.n_units) if of == "unit" else looked.inside.features.directions


def _strengths(looked: Looked, of: Of) -> Floats:
    """The 99 % quantile of each one's activations: of features, of those above 0."""
    if of == "unit":
        found: Floats = np.quantile(looked.units, _QUANTILE, axis=0).astype(np.float64)
        return found
    codes = looked.features
    each = [codes.data[codes.indptr[i] : codes.indptr[i + 1]] for i in range(codes.shape[1])]
    return np.array([float(np.quantile(one, _QUANTILE)) if len(one) else 0.0 for one in each])


def _texts(tokenizer: Any, found: Vocabulary) -> dict[int, str]:
    known = np.unique(np.concatenate([found.promoted, found.suppressed]))
    return dict(zip(known.tolist(), token_texts(tokenizer, known), strict=True))


def _pairs(texts: dict[int, str], tokens: npt.NDArray[np.intp], values: Floats) -> list[list[Any]]:
    return [[texts[int(token)], float(value)] for token, value in zip(tokens, values, strict=True)]


def _columns(found: Vocabulary, entries: list[dict[str, Any]]) -> list[Column]:
    random = [{"kind": "random directions", "value": float(np.median(found.kurtosis_random))}]
    through = f"through {found.through}" + ("" if found.exact else ", past a function of each unit alone")
    return [
        Column(
            "promotes", "tokens it promotes",
            [" ".join(text.strip() for text, _ in one["promoted"][:_NAMED]) for one in entries], "tokens", "text",
            sentence=f"tokens whose scores rise most, less what all directions of the layer do to them; {through}",
        ),
        Column(
            "kurtosis", "kurtosis over tokens", found.kurtosis.tolist(), "tokens", beside=random,
            sentence="how much what it writes is concentrated on few tokens: 3 as noise is spread",
        ),
    ]  # fmt: skip


def _classes(looked: Looked) -> Section:
    layer = looked.inside.layer
    known = classes_of(looked, [layer])
    scores = class_scores(known.training, layer)
    entries = {}
    for of in looked.kinds:
        directions = _directions(looked, of).double().numpy()
        if directions.shape[1] != known.training.layers[layer].shape[1]:
            raise UserError(f"the maps of {layer!r} are not of its {directions.shape[1]} units")
        values = scores(directions) - scores(np.zeros((1, directions.shape[1])))
        values = values - values.mean(axis=1, keepdims=True)
        entries[of] = [_of_classes(known.names, row) for row in values]
    row = known.table.loc[layer]
    controls = [
        {
            "kind": f"classes named as the network does, through the {row['how']}",
            "share": float(row["agreement"]),
        },
        {"kind": "the same, shuffled", "share": float(row["agreement_shuffled"])},
    ]
    columns = {
        of: [
            Column(
                "promotes", "class it promotes",
                [one["promoted"][0][0] if one["promoted"] else "" for one in some], "tokens", "text",
                sentence=f"class whose score rises most, through the {row['how']} of the pooled layer",
            )
        ]
        for of, some in entries.items()
    }  # fmt: skip
    return Section("tokens", columns, entries, controls=controls)


def _of_classes(names: list[str], values: Floats) -> dict[str, Any]:
    order = np.argsort(-values, kind="stable")
    up, down = [i for i in order if values[i] > 0], [i for i in order[::-1] if values[i] < 0]
    pairs = [[[names[i], float(values[i])] for i in some[:N_TOKENS]] for some in (up, down)]
    return {"promoted": pairs[0], "suppressed": pairs[1], "kurtosis": None}
