"""Participation ratio: known dimensions, scikit-learn's eigenvalues, invariances."""

import numpy as np
import pytest
from sklearn.decomposition import PCA

from brodmann import UserError
from brodmann.analysis import corrected_participation_ratio, participation_ratio


@pytest.mark.parametrize(
    ("n", "p", "dtype"), [(50, 200, np.float64), (200, 50, np.float64), (80, 3000, np.float32)]
)
def test_it_is_that_of_scikit_learns_eigenvalues(n, p, dtype):
    rng = np.random.default_rng(0)
    x = (rng.normal(3, 1, size=(n, p)) * np.linspace(0.1, 2, p)).astype(dtype)
    values = PCA(svd_solver="full").fit(x.astype(float)).explained_variance_
    assert participation_ratio(x) == pytest.approx(values.sum() ** 2 / (values**2).sum(), rel=1e-6)


def test_isotropic_noise_is_biased_by_the_number_of_samples_and_corrected():
    d, n = 60, 40
    rng = np.random.default_rng(1)
    draws = [rng.normal(size=(n, d)) for _ in range(200)]
    assert np.mean([participation_ratio(x) for x in draws]) == pytest.approx(
        (n - 1) * d / (n - 1 + d), rel=0.03
    )
    assert np.median([corrected_participation_ratio(x) for x in draws]) == pytest.approx(d, rel=0.03)


def test_known_dimensions():
    rng = np.random.default_rng(2)
    line = rng.normal(size=(30, 1)) * rng.normal(size=(1, 100))
    assert participation_ratio(line) == pytest.approx(1)
    three = np.kron(np.eye(3), np.ones((10, 1)))  # three groups: their means span a plane
    assert participation_ratio(three) == pytest.approx(2)


def test_rotation_scale_offset_and_duplicated_units_change_nothing():
    rng = np.random.default_rng(3)
    x = rng.normal(size=(40, 30)) * np.linspace(1, 3, 30)
    rotation = np.linalg.qr(rng.normal(size=(30, 30)))[0]
    for other in (x @ rotation, 7 * x + 2, np.hstack([x, x])):
        assert participation_ratio(other) == pytest.approx(participation_ratio(x))
        assert corrected_participation_ratio(other) == pytest.approx(corrected_participation_ratio(x))


def test_nothing_that_varies_and_too_few_samples_are_named():
    with pytest.raises(UserError, match="none of 7 units varies"):
        participation_ratio(np.full((5, 7), 0.1))
    with pytest.raises(UserError, match="at least 2 samples"):
        participation_ratio(np.ones((1, 7)))
    with pytest.raises(UserError, match="at least 3 samples"):
        corrected_participation_ratio(np.eye(2))
