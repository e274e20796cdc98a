"""Untrained twins and static embeddings: the same shapes, other weights, nothing of the original touched."""

import numpy as np
import pandas as pd
import pytest
import torch
import torch.nn.utils.prune
from torch import nn

from brodmann import UserError, load_model
from brodmann.brain_data.stimulus_set import StimulusSet
from brodmann.models import ImagePreprocessing, VisionModel
from brodmann.models.zoo import controls
from brodmann.models.zoo.controls import _copied, draw_weights

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


def _halves(layer):
    """Knows how its weight is drawn, and not its bias."""

    class Half(nn.Linear):
        def reset_parameters(self):
            nn.init.normal_(self.weight)
            if getattr(self, "bias", None) is not None and not self.bias.any():
                nn.init.normal_(self.bias)

    return Half(20, 30)


def _asks(layer):
    """Wants to be told how its own are drawn."""

    class Asks(nn.Module):
        def __init__(self):
            super().__init__()
            self.own = nn.Parameter(torch.randn(7))

        def reset_parameters(self, spread):
            self.own.fill_(spread)

    return nn.Sequential(Asks(), layer)


def _varies(values):
    return bool((values != values.reshape(-1)[0]).any())


KINDS = {
    "plain": lambda layer: layer,
    "old weight norm": nn.utils.weight_norm,
    "old spectral norm": nn.utils.spectral_norm,
    "weight norm": nn.utils.parametrizations.weight_norm,
    "spectral norm": nn.utils.parametrizations.spectral_norm,
    "pruned": lambda layer: nn.utils.prune.random_unstructured(layer, "weight", 0.5),
    "knows some": _halves,
    "asks": _asks,
    "complex": lambda layer: nn.ParameterList([nn.Parameter(torch.randn(9, dtype=torch.complex64))]),
    "bfloat16": lambda layer: layer.to(torch.bfloat16),
}


@pytest.mark.filterwarnings("ignore::FutureWarning")
@pytest.mark.parametrize("kind", KINDS)
def test_no_parameter_that_varies_stays_as_it_was(kind):
    torch.manual_seed(1)
    network = nn.Sequential(KINDS[kind](nn.Linear(20, 30)))
    module = _copied(network)
    assert draw_weights(module, 3) == sum(map(_varies, network.parameters()))
    for before, after in zip(network.parameters(), module.parameters(), strict=True):
        assert before.shape == after.shape
        assert not _varies(before) or torch.isclose(before, after).float().mean() < 0.5


@pytest.mark.filterwarnings("ignore::FutureWarning")
@pytest.mark.parametrize("kind", ["old spectral norm", "spectral norm"])
def test_a_spectral_norm_divides_by_the_largest_singular_value_of_the_drawn_weights(kind):
    torch.manual_seed(1)
    module = nn.Sequential(KINDS[kind](nn.Linear(20, 30))).eval()
    draw_weights(module, 3)
    module(torch.randn(2, 20))
    assert float(torch.linalg.svdvals(module[0].weight.detach())[0]) == pytest.approx(1, abs=0.01)


class Packed(nn.Module):
    """Whole numbers and their scale, as quantized files hold them."""

    def __init__(self):
        super().__init__()
        self.register_buffer("qweight", torch.arange(12, dtype=torch.int8).reshape(3, 4))
        self.scale = nn.Parameter(torch.rand(3))


@pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::UserWarning")
@pytest.mark.parametrize(
    ("make", "reason"),
    [
        (
            lambda: torch.ao.quantization.quantize_dynamic(nn.Sequential(nn.Linear(4, 3)), {nn.Linear}),
            "packed",
        ),
        (lambda: nn.Sequential(Packed()), "'0.qweight' packed"),
        (lambda: nn.Sequential(nn.Flatten()), "no weights to draw anew"),
    ],
)
def test_a_network_whose_weights_cannot_be_drawn_is_refused(make, reason, monkeypatch):
    network = VisionModel(make(), identifier="n", preprocess=ImagePreprocessing(8), layers=["0"], cache=False)
    monkeypatch.setattr(controls, "_network", lambda name, what: network)
    with pytest.raises(UserError, match=reason):
        controls.untrained("n")
