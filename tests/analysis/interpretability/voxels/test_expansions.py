"""Controls of the same width: rates, sparsity, and what they must leave as it is."""

import numpy as np
import pytest

from brodmann.analysis.interpretability.voxels.expansions import (
    Scale,
    principal,
    random_relu,
    random_relu_at_rate,
    rotated,
)
from brodmann.errors import UserError


@pytest.fixture(scope="module")
def rows():
    """Skewed units of unequal variance that correlate, as after a rectifier."""
    generator = np.random.default_rng(0)
    mixing = generator.normal(size=(12, 48)) * np.exp(generator.normal(size=48))
    return (np.maximum(generator.normal(size=(4000, 12)) @ mixing, -0.1) + 3).astype(np.float32)


def test_one_scale_for_all_units(rows):
    scaled = Scale.of(rows)(rows)
    np.testing.assert_allclose(scaled.mean(axis=0), 0, atol=1e-3)
    assert (scaled**2).mean() == pytest.approx(1, rel=1e-4)
    assert scaled.std(axis=0).max() / scaled.std(axis=0).min() == pytest.approx(
        rows.std(axis=0).max() / rows.std(axis=0).min(), rel=1e-4
    )


def test_a_rotation_keeps_distances_and_loses_the_axes(rows):
    turned = rotated(rows, seed=1)(rows)
    a, b = rows[:50].astype(float), turned[:50].astype(float) * Scale.of(rows).scale
    distances = [np.linalg.norm(x[:, None] - x, axis=2) for x in (a, b)]
    np.testing.assert_allclose(distances[1], distances[0], rtol=1e-4, atol=1e-3)
    alike = np.abs(np.corrcoef(rows.T, turned.T)[:48, 48:])
    assert alike.max() < 0.99
    assert not np.allclose(turned, rotated(rows, seed=2)(rows))


def test_every_random_unit_fires_at_the_rate(rows):
    made = random_relu_at_rate(rows[:2000], 300, 0.02, seed=3)
    rates = (made(rows[2000:]) > 0).mean(axis=0)
    assert rates.mean() == pytest.approx(0.02, abs=0.003)
    assert (rates > 0.005).all()
    assert (rates < 0.045).all()
    # the broken control: one threshold for all
    dense = random_relu(rows, 300, seed=3)(rows)
    one = (dense > np.quantile(dense, 0.98)).mean(axis=0)
    assert one.max() > 0.06
    assert (one < 0.001).mean() > 0.1


def test_principal_components_hold_the_variance_in_their_order(rows):
    made = principal(rows, 500)
    assert made.width == 48
    variance = made(rows).var(axis=0)
    assert (np.diff(variance) < 1e-4).all()
    assert variance.sum() == pytest.approx(48, rel=1e-3)
    assert variance[:12].sum() > 0.85 * variance.sum()


def test_a_row_is_expanded_alone(rows):
    for made in (
        rotated(rows), random_relu(rows, 60), random_relu_at_rate(rows, 60, 0.1),  principal(rows, 10),
    ):  # fmt: skip
        assert made(rows[:1]).shape == (1, made.width)
        np.testing.assert_allclose(made(rows[:9])[4:5], made(rows[4:5]), atol=1e-4)


def test_what_cannot_be_made_is_said(rows):
    with pytest.raises(UserError, match="all the same"):
        Scale.of(np.ones((5, 3)))
    with pytest.raises(UserError, match="too few"):
        random_relu_at_rate(rows[:100], 10, 0.01)
    with pytest.raises(UserError, match="between 0 and 1"):
        random_relu_at_rate(rows, 10, 1.0)
