"""The tuned lens: begins as the logit lens, comes nearer to the answer on texts that it was not trained on."""

import numpy as np
import pytest
import torch

from brodmann import UserError, load_model
from brodmann.analysis.interpretability.lenses.logit_lens import lens_profile
from brodmann.analysis.interpretability.lenses.own_texts import own_windows
from brodmann.analysis.interpretability.lenses.passes import predicting
from brodmann.analysis.interpretability.lenses.tuned_lens import TunedLens, tune_lens
from brodmann.analysis.interpretability.lenses.unembedding import unembedding_of


def test_without_training_it_is_the_logit_lens(small, windows):
    end = unembedding_of(small)
    nothing = TunedLens(torch.zeros(3, 32, 32), torch.zeros(3, 32), end, np.zeros((0, 3)), 0, 0)
    np.testing.assert_array_equal(lens_profile(small, windows, nothing.read), lens_profile(small, windows))
    first = tune_lens(small, windows, steps=1, batch_size=5)
    np.testing.assert_allclose(first.losses[0], lens_profile(small, windows)["kl"].iloc[:-1], rtol=1e-3)


@pytest.mark.parametrize(
    "twin", ["twin-language-topographic", pytest.param("twin-language-baseline", marks=pytest.mark.slow)]
)
def test_it_lowers_the_distance_at_every_earlier_layer_on_held_out_texts(twin):
    model = predicting(load_model(twin))
    windows = own_windows(model, 64, length=48)
    training, held_out = windows[:48], windows[48:]
    lens = tune_lens(model, training, steps=60, batch_size=16)
    plain, tuned = lens_profile(model, held_out), lens_profile(model, held_out, lens.read)
    earlier = slice(0, -1)
    assert (tuned["kl"].iloc[earlier] < 0.8 * plain["kl"].iloc[earlier]).all()
    assert (tuned["ce"].iloc[earlier] < plain["ce"].iloc[earlier]).all()
    assert tuned["kl"].iloc[-1] < 1e-6


def test_a_planted_turn_between_layers_is_learnt(small):
    """With blocks that add nothing but a fixed offset, the translator of the input is that offset."""
    offset = torch.randn(32, generator=torch.Generator().manual_seed(3))
    inside = small.module.transformer
    with torch.no_grad():
        for block in inside.h:
            block.attn.c_proj.weight.zero_()
            block.mlp.c_proj.weight.zero_()
    handle = inside.h[2].register_forward_hook(lambda _m, _i, output: output + offset)
    generator = np.random.default_rng(5)
    texts = [generator.integers(1, 260, size=24) for _ in range(80)]
    tuned = tune_lens(small, texts[:64], steps=300, batch_size=16, rate=1e-2)
    found, before = lens_profile(small, texts[64:], tuned.read), lens_profile(small, texts[64:])
    handle.remove()
    assert before["kl"].iloc[0] > 0.3
    assert found["kl"].iloc[0] < 0.1 * before["kl"].iloc[0]


def test_a_seed_gives_the_same_lens_and_leaves_the_network_as_it_was(small, windows):
    before = {name: value.clone() for name, value in small.module.state_dict().items()}
    one, other = (tune_lens(small, windows, steps=4, batch_size=2, seed=seed) for seed in (1, 1))
    third = tune_lens(small, windows, steps=4, batch_size=2, seed=2)
    torch.testing.assert_close(one.matrices, other.matrices, rtol=0, atol=0)
    assert not torch.equal(one.matrices, third.matrices)
    for name, value in small.module.state_dict().items():
        assert torch.equal(value, before[name])
    assert all(value.grad is None and value.requires_grad for value in small.module.parameters())


def test_nothing_to_learn_from_is_one_line(small):
    with pytest.raises(UserError, match="no training text has two tokens"):
        tune_lens(small, [np.array([3])])
    with pytest.raises(UserError, match="at least 1 step"):
        tune_lens(small, [np.array([3, 4])], steps=0)
