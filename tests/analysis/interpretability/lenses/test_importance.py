"""Importance: exact where the loss is a line, ablation by a pass of one's own, both find what matters."""

import numpy as np
import pytest
import torch

from brodmann import UserError, load_model
from brodmann.analysis.interpretability.codes import Weights
from brodmann.analysis.interpretability.dictionary import Dictionary
from brodmann.analysis.interpretability.lenses.importance import (
    SetFeature,
    ablation_importance,
    agreement,
    attributions_of,
    gradient_importance,
    text_losses,
)
from brodmann.analysis.interpretability.lenses.own_texts import own_windows
from brodmann.analysis.interpretability.lenses.passes import predicting, scored, token_loss
from brodmann.models.interventions.lesions import Lesion

LAYER = "transformer.h.1.mlp.gelu"


def test_on_a_line_gradients_are_the_ablation_exactly():
    generator = torch.Generator().manual_seed(0)
    rows = torch.randn(4, 7, 5, generator=generator, dtype=torch.float64)
    slopes = torch.randn(7, 5, generator=generator, dtype=torch.float64)

    def loss(values):
        return (values * slopes).sum(dim=(1, 2)) + 3

    found = attributions_of(loss, rows)
    mean = rows.mean(dim=(0, 1))
    for unit in range(5):
        for baseline in (0.0, float(mean[unit])):
            changed = rows.clone()
            changed[:, :, unit] = baseline
            ablated = loss(changed) - loss(rows)
            first_order = baseline * found["slope"][:, unit] - found["product"][:, unit]
            torch.testing.assert_close(first_order, ablated, rtol=1e-12, atol=1e-12)
    torch.testing.assert_close(found["importance"], (rows * slopes).abs().mean(dim=1))


def test_the_gradients_of_a_network_are_those_of_differences(small, windows):
    found = gradient_importance(small, LAYER, windows, batch_size=2)
    assert found.texts.tolist() == [0, 1, 2, 3, 4]  # one token alone predicts nothing
    step = 1e-2
    for unit in (3, 60):
        axis = torch.zeros(128)
        axis[unit] = step
        moved = []
        for sign in (1, -1):
            gelu = small.module.transformer.h[1].mlp.gelu
            handle = gelu.register_forward_hook(lambda _m, _i, output, push=sign * axis: output + push)
            moved.append(text_losses(small, windows)[0])
            handle.remove()
        slope = (moved[0] - moved[1]) / (2 * step)
        np.testing.assert_allclose(found.slope[:, unit], slope, rtol=0.03, atol=2e-4)


def test_batches_do_not_change_it_and_the_network_keeps_no_gradient(small, windows):
    one, many = (gradient_importance(small, LAYER, windows, batch_size=size) for size in (1, 8))
    np.testing.assert_allclose(one.importance, many.importance, rtol=1e-4, atol=1e-8)
    np.testing.assert_allclose(one.mean, many.mean, rtol=1e-4, atol=1e-7)
    assert all(value.grad is None for value in small.module.parameters())


def test_ablation_is_a_pass_with_the_unit_silent(small, windows):
    found = ablation_importance(small, LAYER, windows, [3, 60], [0.0, 0.0])
    for column, unit in enumerate((3, 60)):
        silent = small.with_lesions(Lesion(LAYER, [unit]))
        by_hand = text_losses(silent, windows)[0] - text_losses(small, windows)[0]
        np.testing.assert_allclose(found[:, column], by_hand, atol=1e-6)
    ids = torch.from_numpy(windows[0])[None]
    assert text_losses(small, windows)[0][0] == pytest.approx(
        float(token_loss(scored(small, ids), ids).mean()), rel=1e-5
    )


def test_a_unit_that_writes_nothing_matters_nothing(small, windows):
    with torch.no_grad():
        small.module.transformer.h[1].mlp.c_proj.weight[:, 7] = 0
    found = gradient_importance(small, LAYER, windows)
    assert np.abs(found.importance[:, 7]).max() == 0
    assert np.abs(ablation_importance(small, LAYER, windows, [7], [1.5])).max() == 0
    assert np.median(found.importance) > 0


def plain_dictionary(n_units):
    """As many features as units, each a unit that is above 0."""
    weights = Weights(
        torch.eye(n_units), torch.eye(n_units) * 0.5, torch.zeros(n_units), torch.zeros(n_units)
    )
    return Dictionary(weights, torch.zeros(n_units), 1.0, "relu")


def test_features_that_are_units_have_the_importance_of_units_where_they_are_above_zero(small, windows):
    dictionary = plain_dictionary(128)
    units = gradient_importance(small, LAYER, windows)
    features = gradient_importance(small, LAYER, windows, dictionary=dictionary)
    assert features.importance.shape == units.importance.shape
    assert (features.importance <= 0.5 * units.importance + 1e-9).all()  # a direction is half a unit
    np.testing.assert_allclose(features.slope, 0.5 * units.slope, rtol=1e-4, atol=1e-9)
    found = ablation_importance(small, LAYER, windows, [3], [0.0], dictionary=dictionary)

    def half(_module, _inputs, output):
        changed = output.clone()
        changed[..., 3] -= 0.5 * changed[..., 3].clamp_min(0)
        return changed

    handle = small.module.transformer.h[1].mlp.gelu.register_forward_hook(half)
    after = text_losses(small, windows)[0]
    handle.remove()
    np.testing.assert_allclose(found[:, 0], after - text_losses(small, windows)[0], atol=1e-6)


def test_agreement_is_that_of_the_means_over_texts():
    generator = np.random.default_rng(0)
    said, done = generator.normal(size=(2, 30, 6))
    found = agreement(range(6), said, done)
    assert found.pearson == pytest.approx(np.corrcoef(said.mean(0), done.mean(0))[0, 1])
    assert np.isnan(agreement(range(6), said * 0, done).pearson)


@pytest.mark.parametrize("twin", ["twin-language-topographic", "twin-language-baseline"])
def test_in_a_trained_twin_what_gradients_hold_important_is_missed_most_on_other_texts(twin):
    model = predicting(load_model(twin))
    windows = own_windows(model, 48, length=32)
    gradient = gradient_importance(model, LAYER, windows[:24])
    order = np.argsort(-gradient.importance.mean(axis=0))
    units = np.concatenate([order[:8], order[-8:], order[120:128]])
    ablated = np.abs(ablation_importance(model, LAYER, windows[24:], units.tolist(), gradient.mean[units]))
    assert agreement(units, gradient.importance[:, units], ablated).spearman > 0.7
    assert ablated[:, :8].mean() > 3 * ablated[:, 8:16].mean()


def test_a_layer_that_the_prediction_does_not_hang_on_is_one_line(windows):
    model = predicting(load_model("twin-language-topographic"))
    with pytest.raises(UserError, match="no text has two tokens"):
        gradient_importance(model, LAYER, windows[-1:])


@pytest.mark.parametrize("kind", ["scaled", "normalized"])
def test_a_feature_at_zero_is_the_dictionarys_own_edit_and_its_slope_that_of_differences(kind):
    generator = torch.Generator().manual_seed(0)
    encoder = torch.randn(6, 4, generator=generator)
    weights = Weights(encoder, torch.randn(6, 4, generator=generator), torch.zeros(6), torch.zeros(4))
    dictionary = Dictionary(weights, torch.ones(4), 1.0 if kind == "normalized" else 2.0, "relu", rows=kind)
    rows = torch.randn(9, 4, generator=generator)
    torch.testing.assert_close(SetFeature(dictionary, 3, 0.0)(rows), dictionary.edited({3: 0.0})(rows))

    def loss(values):
        return values.square().sum(dim=(1, 2))

    found = attributions_of(loss, rows[None], dictionary)
    now = dictionary.encode(rows).dense()[:, 3]
    step = 1e-3
    for i in range(9):
        ends = [
            SetFeature(dictionary, 3, float(now[i]) + sign * step)(rows[i : i + 1]).square().sum()
            for sign in (1, -1)
        ]
        alone = attributions_of(loss, rows[None, i : i + 1], dictionary)["slope"][0, 3]
        assert float(alone) == pytest.approx(float(ends[0] - ends[1]) / (2 * step), rel=2e-2, abs=2e-2)
    torch.testing.assert_close(found["product"][0, 3], (now * _slopes(dictionary, rows)).sum())


def _slopes(dictionary, rows):
    """d sum x^2 / d f_3 by hand: 2 x . d_3, times the scale of the row where it has one."""
    codes = dictionary.encode(rows)
    stretch = 1.0 if codes.stretch is None else codes.stretch[:, 0]
    return 2 * rows @ dictionary.directions[3] * stretch
