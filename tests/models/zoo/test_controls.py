"""Untrained twins and static embeddings: the same shapes, other weights, nothing of the original touched."""

import numpy as np
import pandas as pd
import pytest
import torch
from torch import nn

from brodmann import UserError, load_model
from brodmann.brain_data.stimulus_set import StimulusSet
from brodmann.models.zoo.controls import draw_weights

NAME = "twin-language-topographic"


@pytest.fixture(scope="module")
def stimuli():
    texts = ["The dog saw a ball.", "A ball.", "Nobody was there to see it fall."]
    return StimulusSet(pd.DataFrame({"stimulus_id": ["a", "b", "c"], "sentence": texts}))


def test_an_untrained_twin_has_the_shapes_of_the_trained_one_and_other_weights(stimuli):
    trained = load_model(NAME)
    before = trained.digest
    first, again, other = (load_model(f"untrained:{NAME}{seed}") for seed in ("", "@0", "@1"))
    assert first.identifier == f"untrained:{NAME}"
    assert other.identifier == f"untrained:{NAME}@1"
    assert first.digest == again.digest
    assert len({trained.digest, first.digest, other.digest}) == 3
    assert load_model(NAME).digest == trained.digest == before
    assert first.sizes(stimuli) == trained.sizes(stimuli)
    layer = trained.layers[-1]
    values = [one.extract(stimuli, [layer])[layer].values for one in (trained, first, other)]
    assert all(np.isfinite(one).all() for one in values)
    assert abs(np.corrcoef(values[0].ravel(), values[1].ravel())[0, 1]) < 0.9
    assert not np.allclose(values[1], values[2])
    assert first.sheet(layer) is not None or trained.sheet(layer) is None


def test_an_untrained_picture_network_too():
    trained, drawn = (load_model(f"{scheme}twin-vision-topographic") for scheme in ("", "untrained:"))
    assert drawn.modality == "vision"
    assert drawn.layers == trained.layers
    assert drawn.digest != trained.digest


class Bare(nn.Module):
    """A parameter that no module knows how to draw, beside one that knows."""

    def __init__(self):
        super().__init__()
        self.own = nn.Parameter(5 + 0.1 * torch.randn(4000, generator=torch.Generator().manual_seed(0)))
        self.known = nn.Linear(50, 50)
        with torch.no_grad():
            self.known.weight.fill_(7.0)


def test_a_parameter_without_a_rule_keeps_its_scale_and_the_others_follow_their_module():
    module, state = Bare(), torch.random.get_rng_state()
    before = module.own.detach().clone()
    draw_weights(module, 3)
    assert torch.equal(state, torch.random.get_rng_state())
    own = module.own.detach()
    assert float(own.mean()) == pytest.approx(5, abs=0.01)
    assert float(own.std()) == pytest.approx(0.1, rel=0.1)
    assert abs(float(torch.corrcoef(torch.stack([before, own]))[0, 1])) < 0.1
    assert float(module.known.weight.detach().abs().max()) <= 1 / 50**0.5


def test_a_static_embedding_is_the_mean_of_its_tokens_whatever_their_order(stimuli):
    static = load_model(f"static:{NAME}")
    [layer] = static.layers
    found = static.extract(stimuli)[layer].values
    table = dict(static.module.named_modules())[layer].weight.detach().numpy()
    for text, row in zip(stimuli["sentence"], found, strict=True):
        ids = static.tokenizer(text)["input_ids"]
        np.testing.assert_allclose(row, table[ids].mean(axis=0), rtol=1e-4, atol=1e-6)


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        ("untrained:word-length-frequency", "is no network: it has no weights to draw anew"),
        ("untrained:random-transfomer", "did you mean 'random-transformer'"),
        ("untrained:", "write untrained:NAME"),
        ("static:pixels", "has no embedding of tokens"),
        ("static:word-length-frequency", "is no network"),
    ],
)
def test_what_has_no_weights_or_no_embedding_is_refused(name, reason):
    with pytest.raises(UserError, match=reason):
        load_model(name)
