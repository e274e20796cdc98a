"""The logit lens: its end is the network itself, its figures are those of the formulas."""

import numpy as np
import pytest
import torch
from scipy.special import log_softmax, softmax
from torch import nn

from brodmann import UserError, load_model
from brodmann.analysis.interpretability.lenses.logit_lens import direct, lens_grid, lens_profile, measures
from brodmann.analysis.interpretability.lenses.own_texts import first_token, own_windows
from brodmann.analysis.interpretability.lenses.passes import layer_in, predicting, scored
from brodmann.analysis.interpretability.lenses.unembedding import streams_of, unembedding_of
from brodmann.models.interventions.lesions import Lesion


def test_at_the_last_layer_it_is_the_network(any_model, windows):
    end = unembedding_of(any_model)
    for ids in windows[:4]:
        batch = torch.from_numpy(ids)[None]
        streams, scores = streams_of(end, any_model, batch)
        np.testing.assert_allclose(end.logits(streams[-1]).detach(), scores, atol=1e-5)
        np.testing.assert_array_equal(scores, scored(any_model, batch))
    assert len(streams) == 4
    assert len(end.blocks) == 3


def test_the_streams_are_what_stands_between_the_blocks(small, windows):
    end = unembedding_of(small)
    ids = torch.from_numpy(windows[0])[None]
    streams, _ = streams_of(end, small, ids)
    inside = small.module.transformer
    by_hand = inside.wte(ids) + inside.wpe(torch.arange(ids.shape[1]))
    for block, stream in zip(inside.h, streams, strict=False):
        torch.testing.assert_close(stream, by_hand)
        by_hand = block(by_hand)
    torch.testing.assert_close(streams[-1], by_hand)
    assert (end.norm, end.head) == ("transformer.ln_f", "lm_head")


def test_the_gain_is_that_of_the_norm_also_where_it_stores_the_rest_to_one(any_model):
    end = unembedding_of(any_model)
    norm = any_model.module.get_submodule(end.norm)
    expected = norm.weight + 1 if any_model.identifier == "Gemma" else norm.weight
    torch.testing.assert_close(end.gain, expected.detach())


def test_the_measures_are_those_of_the_formulas():
    generator = np.random.default_rng(0)
    final, lens = generator.normal(size=(2, 5, 11)) * 3
    true = generator.integers(11, size=5)
    found = measures(torch.from_numpy(final), torch.from_numpy(lens), torch.from_numpy(true))
    p, log_p, log_q = softmax(final, 1), log_softmax(final, 1), log_softmax(lens, 1)
    np.testing.assert_allclose(found["kl"], (p * (log_p - log_q)).sum(1), rtol=1e-9)
    np.testing.assert_allclose(found["ce"], -log_q[np.arange(5), true], rtol=1e-9)
    np.testing.assert_allclose(found["entropy"], -(np.exp(log_q) * log_q).sum(1), rtol=1e-9)
    order = np.argsort(-lens, axis=1)
    rank = [int(np.flatnonzero(row == one)[0]) for row, one in zip(order, true, strict=True)]
    assert found["rank_true"].tolist() == rank
    assert found["agreement"].tolist() == (order[:, 0] == final.argmax(1)).tolist()


def test_a_profile_is_the_mean_over_all_predicted_tokens_whatever_the_batch(small, windows):
    whole = lens_profile(small, windows)
    one_by_one = lens_profile(small, windows, batch_size=1)
    np.testing.assert_allclose(whole.to_numpy(), one_by_one.to_numpy(), rtol=1e-4, atol=1e-5)
    assert whole.attrs["n_tokens"] == sum(len(one) - 1 for one in windows)
    grids = [lens_grid(small, one) for one in windows if len(one) > 1]
    by_hand = np.concatenate([grid.values["ce"][:, :-1] for grid in grids], axis=1).mean(axis=1)
    np.testing.assert_allclose(whole["ce"], by_hand, rtol=1e-5)
    assert whole["kl"].iloc[-1] < 1e-6
    assert whole["agreement"].iloc[-1] == 1
    assert (whole["kl"].iloc[:-1] > 0.01).all()


def test_a_network_whose_blocks_add_nothing_has_said_everything_at_the_input(small, windows):
    with torch.no_grad():
        for block in small.module.transformer.h:
            block.attn.c_proj.weight.zero_()
            block.mlp.c_proj.weight.zero_()
    assert lens_profile(small, windows)["kl"].max() < 1e-5


def test_lesions_hold(small, windows):
    silent = small.with_lesions(*(Lesion(f"transformer.h.{i}.mlp.gelu", np.arange(128)) for i in range(3)))
    assert (
        abs(lens_profile(silent, windows)["ce"].iloc[1] - lens_profile(small, windows)["ce"].iloc[1]) > 1e-3
    )


def test_a_grid_shows_the_likeliest_token_and_leaves_open_what_follows_the_text(small, windows):
    grid = lens_grid(small, windows[0])
    scores = scored(small, torch.from_numpy(windows[0])[None])[0]
    assert grid.best[-1].tolist() == scores.argmax(dim=1).tolist()
    np.testing.assert_allclose(grid.probability[-1], scores.softmax(dim=1).amax(dim=1), rtol=1e-5)
    assert np.isnan(grid.values["ce"][:, -1]).all()
    assert np.isfinite(grid.values["ce"][:, :-1]).all()
    assert np.isfinite(grid.values["kl"]).all()


@pytest.mark.parametrize("twin", ["twin-language-topographic", "twin-language-baseline"])
def test_a_trained_twin_comes_nearer_to_its_answer_block_by_block(twin):
    model = predicting(load_model(twin))
    windows = own_windows(model, 16, length=32)
    profile = lens_profile(model, windows)
    assert (np.diff(profile["kl"]) < 0).all()
    assert (np.diff(profile["ce"]) < 0).all()
    assert profile["kl"].iloc[-1] < 1e-6


def test_a_trained_llama_has_the_figures_that_were_measured_by_other_code(test_weights):
    model = predicting(load_model(f"hf:{test_weights / 'stories260k-llama' / 'hf'}"))
    assert layer_in(model, "layers.2.mlp.down_proj#in") == "model.layers.2.mlp.down_proj#in"
    windows = own_windows(model, 16, length=96)
    assert first_token(model) == 1
    profile = lens_profile(model, windows)
    np.testing.assert_allclose(profile["kl"], [22.1, 12.3, 5.5, 2.4, 0.94, 0], rtol=0.12, atol=1e-5)
    np.testing.assert_allclose(profile["ce"], [23.4, 13.6, 6.8, 3.7, 2.2, 1.28], rtol=0.15)
    assert (np.diff(profile["kl"].iloc[-4:]) < 0).all()
    plain = lens_profile(model, windows, direct(unembedding_of(model), normed=False))
    assert plain["kl"].iloc[0] < 6  # flat scores look near
    assert plain["kl"].iloc[-1] > 0.1  # and the end is wrong


def test_a_network_without_words_to_say_is_one_line(windows):
    from brodmann.models.architectures.random_transformer import ByteTokenizer, RandomTransformer
    from brodmann.models.extraction.language_model import LanguageModel

    bare = LanguageModel(
        RandomTransformer(width=32, n_layers=2), ByteTokenizer(), identifier="bare", cache=False
    )
    with pytest.raises(UserError, match="no lens: bare gives no scores for the next token"):
        predicting(bare)
    with pytest.raises(UserError, match="no output vocabulary"):
        predicting(load_model("twin-vision-baseline"))


class Capped(nn.Module):
    """Squeezes its scores, as Gemma 2 does."""

    def __init__(self, inner):
        super().__init__()
        self.inner = inner

    def forward(self, input_ids, attention_mask=None):
        return 2 * torch.tanh(self.inner(input_ids) / 2)


class Bent(nn.Module):
    """A second linear map between the last norm and the head."""

    def __init__(self, inner):
        super().__init__()
        self.inner, self.bend = inner, nn.Linear(32, 32)

    def forward(self, input_ids, attention_mask=None):
        inside = self.inner.transformer
        x = inside.wte(input_ids) + inside.wpe(torch.arange(input_ids.shape[1]))
        for block in inside.h:
            x = block(x)
        return self.inner.lm_head(self.bend(inside.ln_f(x)))


@pytest.mark.parametrize(
    ("around", "why"), [(Capped, "not what a linear map gives"), (Bent, "more than a norm and a linear map")]
)
def test_an_end_that_is_more_than_a_norm_and_a_map_is_refused(around, why, small):
    with pytest.raises(UserError, match=why):
        unembedding_of(small.replaced(module=around(small.module).eval()))
