"""Dreams: a planted detector's trigram and pattern come back, above what chance and known stimuli reach."""

import numpy as np
import pytest
import torch

from brodmann import UserError, load_model
from brodmann.analysis.interpretability.codes import Weights
from brodmann.analysis.interpretability.dictionary import Dictionary
from brodmann.analysis.interpretability.lenses.dream import dream_picture, dream_text
from brodmann.analysis.interpretability.lenses.passes import scored, token_loss
from brodmann.analysis.interpretability.lenses.targets import (
    Reading,
    feature_activation,
    feature_read,
    picture_value,
    text_value,
    unit_read,
)

TRIGRAM = (17, 203, 88)


def detector(table, threshold=2.2):
    """Fires where the last three tokens are the trigram's, by their vectors; silent, without a slope, elsewhere."""
    wanted = table[list(TRIGRAM)]
    wanted = wanted / wanted.square().sum(dim=1, keepdim=True)

    def value(_ids, vectors):
        matches = (vectors[:, -3:] * wanted).sum(dim=2)
        return torch.nn.functional.softplus(8 * (matches.sum(dim=1) - threshold)) / 8

    return value


def table(seed=0, n=260, width=32):
    return torch.randn(n, width, generator=torch.Generator().manual_seed(seed))


def test_a_planted_trigram_is_recovered():
    found = dream_text(detector(table()), table(), 6)
    assert tuple(found.tokens[-3:]) == TRIGRAM
    assert found.value == pytest.approx(
        float(torch.nn.functional.softplus(torch.tensor(8 * 0.8)) / 8), abs=0.05
    )
    assert found.value > 2 * found.random
    assert (np.diff(found.history) >= 0).all()
    assert found.starts.max() == found.value


def test_it_is_recovered_where_most_texts_have_no_slope():
    def hard(ids, vectors):
        return torch.relu(detector(table(), 0.0)(ids, vectors) - 0.5)

    found = dream_text(hard, table(), 3, n_starts=6, rounds=40)
    assert tuple(found.tokens) == TRIGRAM


def planted(model):
    """A network whose unit 5 of the second block fires for the trigram, by position-wise sums that attention makes."""
    inside = model.module.transformer
    vectors = inside.wte.weight[list(TRIGRAM)]
    with torch.no_grad():
        inside.wpe.weight.zero_()
        for block in inside.h:
            block.attn.c_proj.weight.zero_()
            block.mlp.c_proj.weight.zero_()
        block = inside.h[1]
        block.ln_2.weight.fill_(1.0)
        block.mlp.c_fc.weight[5] = vectors[2] / vectors[2].norm()
    return model


def test_the_token_that_a_units_weights_point_to_is_found_through_the_network(small):
    model = planted(small)
    with text_value(model, "transformer.h.1.mlp.c_fc", unit_read(5)) as (value, known):
        found = dream_text(value, known, 3, rounds=20)
        everything = torch.arange(260)[:, None].repeat(1, 3)
        with torch.no_grad():
            best = value(everything, known[everything])
    assert found.tokens[-1] == int(best.argmax())
    assert found.value == pytest.approx(float(best.max()), rel=1e-5)


def test_the_value_of_a_text_is_what_the_layer_gives(any_model, windows):
    layer = {
        "gpt": "transformer.h.1", "GPT2": "transformer.h.1", "Llama": "model.layers.1.mlp.down_proj#in",
        "GPTNeoX": "gpt_neox.layers.1", "Gemma": "model.layers.1.mlp.down_proj#in",
    }[any_model.identifier]  # fmt: skip
    ids = torch.from_numpy(windows[0])[None]
    tap = Reading(layer)
    scores = scored(any_model.with_lesions(tap), ids)
    rows = tap.seen[-1][0]
    for at, expected in (("last", rows[-1, 4]), ("max", rows[:, 4].max())):
        with text_value(any_model, layer, unit_read(4), at=at) as (value, known), torch.no_grad():
            assert float(value(ids, known[ids])) == pytest.approx(float(expected), rel=1e-4, abs=1e-6)
    with text_value(any_model, layer, unit_read(4), fluency=0.5) as (value, known), torch.no_grad():
        fluent = float(rows[-1, 4]) - 0.5 * float(token_loss(scores, ids).mean())
        assert float(value(ids, known[ids])) == pytest.approx(fluent, rel=1e-4, abs=1e-5)


def test_the_slope_is_that_of_differences(small, windows):
    ids = torch.from_numpy(windows[0])[None]
    with text_value(small, "transformer.h.1.mlp.gelu", unit_read(4)) as (value, known):
        vectors = known[ids].clone().requires_grad_()
        (slope,) = torch.autograd.grad(value(ids, vectors).sum(), vectors)
        moved = torch.zeros_like(vectors)
        moved[0, 3, 7] = 1e-2
        with torch.no_grad():
            change = (value(ids, vectors + moved) - value(ids, vectors - moved)) / 2e-2
    assert float(slope[0, 3, 7]) == pytest.approx(float(change), rel=0.05, abs=1e-4)
    assert all(one.grad is None for one in small.module.parameters())


def test_a_feature_is_read_before_it_competes_and_as_it_is():
    generator = torch.Generator().manual_seed(0)
    encoder = torch.randn(6, 4, generator=generator)
    weights = Weights(encoder, encoder, torch.randn(6, generator=generator), torch.zeros(4), k=2)
    dictionary = Dictionary(weights, torch.ones(4), 2.0, "topk")
    rows = torch.randn(3, 5, 4, generator=generator)
    pre = ((rows - 1) / 2) @ encoder.T + weights.encoder_bias
    torch.testing.assert_close(feature_read(dictionary, 3)(rows), pre[..., 3])
    third = pre.topk(3, dim=-1).values[..., -1:]
    expected = torch.where(pre > third, pre, 0.0).clamp_min(0)[..., 3]
    torch.testing.assert_close(feature_activation(dictionary, 3)(rows), expected)
    with pytest.raises(UserError, match="no feature 6"):
        feature_read(dictionary, 6)
    with pytest.raises(UserError, match="no unit 9"):
        unit_read(9)(rows)


def test_only_free_places_and_allowed_tokens_change():
    start = np.array([1, 2, 3, 4, 5, 6])
    found = dream_text(
        detector(table()), table(), 6, start=[start], free=[4, 5], allowed=[88, 203, 9], n_starts=2
    )
    assert found.tokens.tolist() == [1, 2, 3, 4, 203, 88]
    with pytest.raises(UserError, match="a start has 3 tokens"):
        dream_text(detector(table()), table(), 6, start=[np.arange(3)])


def test_a_seed_gives_the_same_dream():
    one, other = (dream_text(detector(table()), table(), 5, seed=4) for _ in range(2))
    assert one.tokens.tolist() == other.tokens.tolist()
    assert one.n_tried == other.n_tried


def test_a_planted_pattern_is_recovered_in_pixels():
    rows = torch.arange(24.0) + 0.5
    pattern = torch.sin(2 * np.pi * rows / 8)[:, None].expand(24, 24)[None, None] / 24

    def value(pictures):
        return (pictures.mean(dim=1, keepdim=True) * pattern).sum(dim=(1, 2, 3))

    found = dream_picture(value, (24, 24), steps=300, jitter=0)
    best = pattern.sign().expand(1, 3, 24, 24) / 2 + 0.5  # of all pixels from 0 to 1
    assert np.corrcoef(found.pixels.ravel(), best[0].permute(1, 2, 0).numpy().ravel())[0, 1] > 0.8
    assert found.value > 0.7 * float(value(best))
    assert found.value > 100 * found.noise
    assert found.pixels.min() >= 0
    assert found.pixels.max() <= 1
    again = dream_picture(value, (24, 24), steps=20)
    assert np.array_equal(again.pixels, dream_picture(value, (24, 24), steps=20).pixels)


def test_a_unit_of_a_trained_network_is_driven_beyond_drawn_pictures_and_noise():
    from brodmann.brain_data.stimuli.drawn_localizers import drawn_categories
    from brodmann.models.extraction.rows import layer_rows

    model = load_model("twin-vision-topographic")
    layer, unit = "layer3.0.conv1", 4
    shown = list(layer_rows(model, layer, drawn_categories(40)))
    rows = torch.cat([one.values[:, unit] for one in shown])
    stimulus = np.concatenate([one.stimulus for one in shown])
    known = np.bincount(stimulus, rows.double()) / np.bincount(stimulus)
    with picture_value(model, layer, unit_read(unit)) as value:
        found = dream_picture(value, (32, 32), steps=60)
    assert found.value > known.max()
    assert found.value > found.noise
    assert all(one.grad is None for one in model.module.parameters())
