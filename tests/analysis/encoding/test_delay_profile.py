"""The course over delays against weights written out, a known response, and responses that are not one course."""

import numpy as np
import pytest
from sklearn.linear_model import Ridge

from brodmann.analysis import Splitter, nested_folds, nested_ridge
from brodmann.analysis.encoding.delay_profile import delay_products, delay_profile, ridge_weights
from brodmann.brain_data.timeseries.regressors import delayed, haemodynamic_response

TR, N = 2.0, 400
DELAYS = (1, 2, 3, 4)


def bold(response, n_features=5, n_voxels=12, noise=1.0, seed=0):
    """Voxels that answer to a pattern of their own, each with the same course over delays; half of them inhibited."""
    draw = np.random.default_rng(seed)
    features = draw.normal(size=(N, n_features))
    patterns = draw.normal(size=(n_features, n_voxels)) * np.where(np.arange(n_voxels) % 2, -1, 1)
    x = delayed(features, range(len(response)))
    signal = sum(h * x[:, d * n_features : (d + 1) * n_features] @ patterns for d, h in enumerate(response))
    return features, signal / signal.std(axis=0) + noise * draw.normal(size=(N, n_voxels))


def recovered(features, responses, delays=DELAYS):
    x = delayed(features, delays)
    fits = list(nested_ridge(x, responses, nested_folds(N, outer=Splitter(4))))
    found = [delay_products(x, ridge_weights(one, x, responses), len(delays)) for one in fits]
    return np.mean(found, axis=0)


@pytest.mark.parametrize("n_features", [5, 600])
def test_weights_are_those_of_ridge_regression(n_features):
    draw = np.random.default_rng(1)
    x, y = draw.normal(size=(80, n_features)) + 3, draw.normal(size=(80, 4))
    (fit, *_) = nested_ridge(x, y, nested_folds(80))
    train = fit.split.train
    ours = ridge_weights(fit, x, y)
    for target, alpha in enumerate(fit.alpha):
        model = Ridge(alpha * fit.basis.mean_eigenvalue).fit(x[train], y[train, target])
        np.testing.assert_allclose(ours[:, target], model.coef_, rtol=1e-6, atol=1e-9)


@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize("noise", [0.5, 2.0])
@pytest.mark.parametrize("course", [(0, 0.2, 1, 0.6, 0.1), (0, 1, 0.4, -0.3, -0.2), (0, 0.1, 0.3, 0.9, 1)])
def test_a_known_course_is_recovered_with_its_peak_and_its_signs(course, noise, seed):
    features, responses = bold(course, noise=noise, seed=seed)
    profile, explained = delay_profile(recovered(features, responses).sum(axis=0))
    expected = np.array(course[1:]) / np.abs(course[1:]).sum()
    np.testing.assert_allclose(profile, expected, atol=0.04)
    assert profile.argmax() == expected.argmax()
    assert explained > (0.98 if noise < 1 else 0.8)


def test_the_haemodynamic_response_comes_back_at_its_delays():
    """Sampled at 2, 4, 6 and 8 s, it is highest at 6 s."""
    response = haemodynamic_response(TR)[:9]
    features, responses = bold(response, noise=0.5)
    profile, _ = delay_profile(recovered(features, responses).sum(axis=0))
    expected = response[1:5] / response[1:5].sum()
    np.testing.assert_allclose(profile, expected, atol=0.04)
    assert profile.argmax() == 2


def test_the_share_that_one_course_explains_falls_where_features_have_courses_of_their_own():
    """Four features, each answered to after another delay: no one course says what all of them do."""
    draw = np.random.default_rng(2)
    features = draw.normal(size=(N, 4))
    x = delayed(features, DELAYS)
    responses = np.stack([x[:, d * 4 + d] for d in range(4)], axis=1).sum(axis=1, keepdims=True)
    _, explained = delay_profile(recovered(features, responses + 0.1 * draw.normal(size=(N, 3)))[0])
    assert explained < 0.4


def test_a_neuroid_of_which_nothing_is_predicted_has_no_course_and_adds_none():
    products = np.zeros((2, 3, 3))
    products[1] = np.outer([1, -3, 4], [1, -3, 4])
    profile, explained = delay_profile(products)
    assert np.isnan(profile[0]).all()
    assert np.isnan(explained[0])
    np.testing.assert_allclose(profile[1], np.array([1, -3, 4]) / 8)
    np.testing.assert_allclose(delay_profile(products.sum(axis=0))[0], profile[1])
    assert explained[1] == pytest.approx(1)


def test_targets_beyond_one_block_are_as_those_within():
    draw = np.random.default_rng(3)
    x, weights = draw.normal(size=(30, 8)), draw.normal(size=(8, 300))
    found = delay_products(x, weights, 2)
    undelayed = x[:, :4] - x[:, :4].mean(axis=0)
    for target in (0, 255, 256, 299):
        courses = np.stack([undelayed @ weights[:4, target], undelayed @ weights[4:, target]])
        np.testing.assert_allclose(found[target], courses @ courses.T)
