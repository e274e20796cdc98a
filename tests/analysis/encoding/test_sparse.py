"""Orthogonal matching pursuit: planted units, scikit-learn's choices, units that say nothing new."""

import numpy as np
import pytest
from sklearn.linear_model import orthogonal_mp

from brodmann import UserError
from brodmann.analysis.encoding.cross_validation import Split, Splitter
from brodmann.analysis.encoding.sparse import sparse_encoding
from brodmann.correlation import pearson


def planted(n=200, p=150, n_targets=12, n_units=5, noise=0.0, seed=0):
    rng = np.random.default_rng(seed)
    x = rng.normal(3, 1, size=(n, p)) * rng.uniform(0.5, 2, p)
    truth = np.array([rng.choice(p, n_units, replace=False) for _ in range(n_targets)])
    y = np.stack([(x[:, units] * rng.choice([-1, 1], n_units)).sum(axis=1) for units in truth], axis=1)
    return x, y + noise * rng.normal(size=y.shape), truth


def test_planted_units_are_found_and_the_curve_ends_there():
    x, y, truth = planted()
    found = sparse_encoding(x, y, Splitter().split(len(x)), sizes=(1, 2, 5, 8))
    assert (found.r[2] > 0.9999).all()
    assert (found.r[0] < 0.95).all()
    for units in found.units:
        assert all(set(row[:5]) == set(expected) for row, expected in zip(units, truth, strict=True))
        assert (units[:, 5:] == -1).all()
    np.testing.assert_array_equal(found.units_needed(0.999), 5)


@pytest.mark.parametrize("gram", [True, False])
def test_choices_and_predictions_are_scikit_learns(gram, monkeypatch):
    if not gram:
        monkeypatch.setattr("brodmann.analysis.encoding.sparse._GRAM_FEATURES", 0)
    x, y, _ = planted(noise=2.0)
    split = Split(np.arange(150), np.arange(150, 200))
    found = sparse_encoding(x, y, [split], sizes=(1, 4, 20))
    mean = x[:150].mean(axis=0)
    length = np.linalg.norm(x[:150] - mean, axis=0)
    for row, size in enumerate(found.sizes):
        weights = orthogonal_mp(
            (x[:150] - mean) / length, y[:150] - y[:150].mean(axis=0), n_nonzero_coefs=size
        )
        for target, chosen in enumerate(found.units[0, :, :size]):
            assert set(chosen) == set(np.flatnonzero(weights[:, target]))
        expected = pearson((x[150:] - mean) / length @ weights, y[150:])
        np.testing.assert_allclose(found.r[row], expected, atol=1e-8)


def test_copies_of_a_unit_constant_units_and_targets_are_no_trouble():
    x, y, _ = planted(noise=1.0, n_targets=3)
    x = np.hstack([x, x, np.full((len(x), 4), 0.1)])
    y[:, 1] = 3.0
    found = sparse_encoding(x, y, Splitter().split(len(x)), sizes=(1, 16))
    assert np.isfinite(found.r).all()
    assert (found.r[:, 1] == 0).all()
    assert found.units_needed()[1] == 0
    for units in found.units.reshape(-1, 16):
        named = units[units >= 0]
        assert len(np.unique(named % 150)) == len(named)
        assert (named < 300).all()


def test_units_of_measurement_change_nothing():
    x, y, _ = planted(noise=2.0)
    splits = Splitter().split(len(x))
    units = 10.0 ** -np.arange(y.shape[1])
    one, other = (sparse_encoding(x, t, splits, sizes=(1, 8)) for t in (y, y * units))
    np.testing.assert_allclose(other.r, one.r)
    np.testing.assert_array_equal(other.units, one.units)


def test_what_is_not_finite_or_not_two_dimensional_is_one_line():
    x, y, _ = planted(n=40, p=20)
    splits = Splitter().split(40)
    with pytest.raises(UserError, match="1 columns of the targets"):
        sparse_encoding(x, np.where(y == y[3, 1], np.nan, y), splits, sizes=(1,))
    with pytest.raises(UserError, match="1 columns of the features"):
        sparse_encoding(np.where(x == x[3, 1], np.nan, x), y, splits, sizes=(1,))
    with pytest.raises(UserError, match=r"targets have shape \(40,\)"):
        sparse_encoding(x, y[:, 0], splits, sizes=(1,))


def test_blocks_of_targets_change_nothing(monkeypatch):
    x, y, _ = planted(noise=1.0)
    splits = Splitter().split(len(x))
    whole = sparse_encoding(x, y, splits, sizes=(1, 8))
    monkeypatch.setattr("brodmann.analysis.encoding.sparse._ENTRIES", 8 * 190 * 5)
    blocks = sparse_encoding(x, y, splits, sizes=(1, 8))
    np.testing.assert_allclose(blocks.r, whole.r)
    np.testing.assert_array_equal(blocks.units, whole.units)


def test_more_units_than_there_are_is_one_line():
    x, y, _ = planted(n=40, p=20)
    with pytest.raises(UserError, match="from 1 to 20"):
        sparse_encoding(x, y, Splitter().split(40), sizes=(1, 32))
