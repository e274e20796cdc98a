"""Dictionaries of random directions, of a layer of a packaged network."""

import torch

from brodmann.analysis.interpretability.codes import Weights
from brodmann.analysis.interpretability.dictionary import Dictionary, Site
from brodmann.models import load_model

NAME, LAYER = "twin-language-topographic", "transformer.h.1.mlp.gelu"


def drawn_dictionary(folder, n_features, *, seed=0, n_units=256):
    """One of topk with 4 active features, saved to a folder."""
    drawn = torch.randn(n_features, n_units, generator=torch.Generator().manual_seed(seed))
    weights = Weights(drawn, drawn.clone(), torch.zeros(n_features), torch.zeros(n_units), 4)
    site = Site(NAME, load_model(NAME).digest, LAYER, "token")
    return Dictionary(weights, torch.zeros(n_units), 1.0, "topk", site=site).save(folder)
