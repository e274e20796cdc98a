"""What a predictor adds: against regressions one by one, and against worlds whose answer is known."""

import numpy as np
import pytest

from brodmann.analysis.statistics.added_predictor import AddedPredictor, permuted_partial_r
from brodmann.analysis.statistics.dependence import group_orders
from brodmann.analysis.statistics.replicates import Replicates


def world(seed, *, n_groups=10, size=60, effect=0.0, autocorrelation=0.0, n_targets=1):
    """y = Z b + effect x + e, where x goes with Z, and e (and x) may depend on their neighbours within a group."""
    rng = np.random.default_rng(seed)
    n = n_groups * size
    groups = np.repeat(np.arange(n_groups), size)
    nuisance = rng.normal(size=(n, 3))
    x, *noise = (_series(rng, n_groups, size, autocorrelation) for _ in range(1 + n_targets))
    x = x + nuisance @ [0.6, -0.3, 0.0]
    y = (nuisance @ [1.0, 0.5, -2.0] + effect * (x - nuisance @ [0.6, -0.3, 0.0]))[:, None] + np.array(
        noise
    ).T
    return x, y, nuisance, groups


def _series(rng, n_groups, size, autocorrelation):
    values = rng.normal(size=(n_groups, size))
    for place in range(1, size):
        fresh = np.sqrt(1 - autocorrelation**2) * values[:, place]
        values[:, place] = autocorrelation * values[:, place - 1] + fresh
    return values.ravel()


def residual(values, others):
    design = np.column_stack([np.ones(len(others)), others])
    return values - design @ np.linalg.lstsq(design, values, rcond=None)[0]


def test_partial_r_is_that_of_residuals_with_all_samples_and_without_each_group():
    x, y, nuisance, groups = world(0, effect=0.2, n_targets=3)
    y = y * [1.0, 1e4, 1e-6] + [0.0, 500.0, 3.0]
    found = AddedPredictor.of(x * 1e3 + 7, y, nuisance, groups).partial_r()
    assert found.shape == (11, 3)
    for row, kept in enumerate([groups >= 0, *(groups != group for group in range(10))]):
        left = residual(x[kept], nuisance[kept])
        expected = [np.corrcoef(left, residual(one[kept], nuisance[kept]))[0, 1] for one in y.T]
        np.testing.assert_allclose(found[row], expected, atol=1e-9)


def test_without_others_it_is_pearsons_r():
    x, y, _, _ = world(1, effect=0.3)
    found = AddedPredictor.of(x, y, np.empty((len(x), 0))).partial_r()[0]
    assert found == pytest.approx(np.corrcoef(x, y[:, 0])[0, 1])


def test_held_out_likelihood_is_that_of_gaussians_fitted_to_the_other_folds():
    from scipy.stats import norm

    x, y, nuisance, groups = world(2, effect=0.3, n_targets=2)
    folds = groups % 5
    found = AddedPredictor.of(x, y, nuisance, groups, folds).log_likelihood()
    spread = y.std(axis=0)
    for row, kept in enumerate([groups >= 0, *(groups != group for group in range(10))]):
        gained = np.zeros(2)
        for fold in range(5):
            train, test = kept & (folds != fold), kept & (folds == fold)
            for sign, others in ((1, np.column_stack([nuisance, x])), (-1, nuisance)):
                design = np.column_stack([np.ones(len(x)), others])
                weights = np.linalg.lstsq(design[train], y[train], rcond=None)[0]
                errors = y - design @ weights
                scale = np.sqrt((errors[train] ** 2).mean(axis=0))
                gained += sign * norm.logpdf(errors[test], scale=scale).sum(axis=0)
        np.testing.assert_allclose(found[row], gained / kept.sum(), atol=1e-9)
    assert spread.min() > 1  # the likelihood does not depend on the unit of y
    np.testing.assert_allclose(
        AddedPredictor.of(x, y / spread, nuisance, groups, folds).log_likelihood(), found, atol=1e-9
    )


def test_the_likelihood_of_many_samples_is_half_the_log_of_what_remains():
    x, y, nuisance, groups = world(3, n_groups=40, size=500, effect=0.5)
    added = AddedPredictor.of(x, y, nuisance, groups, groups % 5)
    r = 0.5 / np.sqrt(1 + 0.5**2)
    assert added.partial_r()[0, 0] == pytest.approx(r, abs=0.02)
    assert added.log_likelihood()[0, 0] == pytest.approx(-0.5 * np.log(1 - r**2), abs=0.01)


def test_what_adds_nothing_makes_held_out_targets_no_likelier():
    gains = []
    for seed in range(20):
        x, y, nuisance, groups = world(seed)
        gains.append(AddedPredictor.of(x, y, nuisance, groups, groups % 5).log_likelihood()[0, 0])
    assert np.mean(gains) < 0
    assert np.mean(gains) > -0.005


def test_a_predictor_that_the_others_hold_adds_nothing():
    x, y, nuisance, groups = world(4, effect=0.5)
    same = AddedPredictor.of(nuisance @ [1.0, 2.0, 0.5] + 3, y, nuisance, groups, groups % 5)
    assert same.partial_r()[0] == 0
    assert same.log_likelihood()[0] == pytest.approx(0, abs=1e-9)
    twice = AddedPredictor.of(x, y, np.column_stack([nuisance, nuisance[:, 0], np.ones(len(x))]), groups)
    np.testing.assert_allclose(
        twice.partial_r(), AddedPredictor.of(x, y, nuisance, groups).partial_r(), atol=1e-9
    )
    flat = AddedPredictor.of(x, np.full_like(y, 3.7), nuisance, groups)
    assert (flat.partial_r() == 0).all()


def test_orders_of_the_identity_give_the_value_itself():
    x, y, nuisance, _ = world(5, effect=0.2, n_targets=2)
    here = AddedPredictor.of(x, y, nuisance).partial_r()[0]
    found = permuted_partial_r(x, y, nuisance, np.arange(len(x))[None])
    np.testing.assert_allclose(found[0], here, atol=1e-9)


def covered(seed, **options):
    """Whether the interval of the jackknife over groups holds the true partial r, and p under the group's orders."""
    effect = options.get("effect", 0.0)
    x, y, nuisance, groups = world(seed, **options)
    r = AddedPredictor.of(x, y, nuisance, groups).partial_r()[:, 0]
    low, high = Replicates(r[0], r[1:], "jackknife", len(r) - 1).interval()
    orders = group_orders(groups, np.arange(len(x)), 99, random_state=seed)[0]
    null = permuted_partial_r(x, y, nuisance, orders)[:, 0]
    p = (1 + np.count_nonzero(np.abs(null) >= abs(r[0]))) / 100
    return low <= effect / np.sqrt(1 + effect**2) <= high, p


@pytest.mark.parametrize("options", [{"effect": 0.1}, {"autocorrelation": 0.8, "effect": 0.1}])
def test_the_interval_over_ten_groups_holds_the_truth(options):
    hits = [covered(seed, **options)[0] for seed in range(40)]
    assert np.mean(hits) >= 0.85


@pytest.mark.parametrize("options", [{}, {"autocorrelation": 0.8}, {"n_groups": 5, "autocorrelation": 0.8}])
def test_p_of_nothing_is_small_as_rarely_as_it_says(options):
    p = np.array([covered(seed, **options)[1] for seed in range(60)])
    assert (p <= 0.05).mean() <= 0.13
    assert 0.35 < p.mean() < 0.65
