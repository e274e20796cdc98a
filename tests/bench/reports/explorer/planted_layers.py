"""Layers whose answers are known: rows, sheet and dictionary are set, the network gives its tokenizer and eyes."""

import numpy as np
import torch

from brodmann.analysis.interpretability.codes import Weights
from brodmann.analysis.interpretability.dictionary import Dictionary
from brodmann.analysis.interpretability.views.base import Inside
from brodmann.bench.reports.explorer.looked import Looked
from brodmann.models import load_model
from brodmann.models.extraction.rows import LayerRows, TokenWindows
from brodmann.models.sheet import grid_sheet

LAYER = "planted"
WINDOW = 32


def dictionary(encoder, decoder=None, threshold=0.5):
    """Feature i is active where its direction exceeds the threshold."""
    rows = torch.as_tensor(np.asarray(encoder), dtype=torch.float32)
    out = rows.clone() if decoder is None else torch.as_tensor(np.asarray(decoder), dtype=torch.float32)
    n_features, n_units = rows.shape
    bias = torch.full((n_features,), -float(threshold))
    return Dictionary(Weights(rows, out, bias, torch.zeros(n_units)), torch.zeros(n_units), 1.0, "relu")


def chosen(one, order):
    """The same features in another order."""
    w, order = one.weights, torch.as_tensor(np.array(order))
    weights = Weights(w.encoder[order], w.decoder[order], w.encoder_bias[order], w.bias)
    return Dictionary(weights, one.mean, one.scale, one.variant)


def inside_of(model, part, read, own, shape=None, seed=0):
    found = Inside(model, LAYER, part, own, seed)
    sheet = None if shape is None else grid_sheet(LAYER, read.values.shape[1], shape=shape, periodic=True)
    found.__dict__.update({"part": part, "read": read} | ({} if sheet is None else {"sheet": sheet}))
    return found


def windows(rng, known, n_documents=12, each=6):
    """Tokens drawn from `known`, in windows that do not cross documents."""
    n = n_documents * each
    ids = [rng.choice(known, WINDOW) for _ in range(n)]
    return TokenWindows(ids, [np.full(WINDOW, i // each) for i in range(n)])


def rows_of(part, values):
    """Rows of every token but the first of each window; `values` of all tokens."""
    stimulus = np.repeat(np.arange(len(part)), WINDOW)
    place = np.tile(np.arange(WINDOW), len(part))
    kept = place > 0
    token = np.concatenate(part.ids)
    return LayerRows(
        torch.as_tensor(values[kept], dtype=torch.float32), stimulus[kept], place[kept], token[kept]
    )


def texts(seed=0, *, twin=None, key="s0", n_units=64, noise=0.02):
    """Unit u of the first forty answers token u, with sizes that differ; feature u is that unit."""
    rng = np.random.default_rng(0)
    known = np.arange(100, 160)
    part = windows(rng, known)
    ids = np.concatenate(part.ids)
    sizes = np.random.default_rng(seed + 1).uniform(1, 2, (len(ids), n_units))
    values = np.random.default_rng(seed + 2).normal(0, noise, (len(ids), n_units))
    values[:, :40] += (ids[:, None] == known[:40]) * sizes[:, :40]
    own = dictionary(np.eye(40, n_units))
    model = load_model("twin-language-topographic")
    looked = Looked(key, key, inside_of(model, part, rows_of(part, values), own, (8, n_units // 8)), twin)
    return looked, part, known
