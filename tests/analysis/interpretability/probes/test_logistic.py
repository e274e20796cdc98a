import numpy as np
import pytest
from sklearn.linear_model import LogisticRegression

from brodmann.analysis.interpretability.probes.logistic import Logistic, fit_l1_logistic, fit_logistic


def _data(n: int, d: int, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    generator = np.random.default_rng(seed)
    x = generator.normal(size=(n, d)) / 10
    y = x[:, 0] * 8 - x[:, 1] * 5 + generator.logistic(size=n) > 0.8  # fewer positives than negatives
    return x, y


@pytest.mark.parametrize("d", [1, 7, 450])
def test_newton_and_quasi_newton_give_the_fit_of_scikit_learn(d: int) -> None:
    x, y = _data(300, max(d, 2))
    x = x[:, :d]
    own = fit_logistic(x, y, strength=100.0)
    theirs = LogisticRegression(C=100.0, class_weight="balanced", max_iter=5000, tol=1e-8).fit(x, y)
    np.testing.assert_allclose(own.weights, theirs.coef_[0], atol=2e-3 * np.abs(own.weights).max())
    assert own.bias == pytest.approx(theirs.intercept_[0], abs=5e-3)


def test_where_a_fit_begins_does_not_change_where_it_ends() -> None:
    x, y = _data(200, 5)
    fresh = fit_logistic(x, y)
    warm = fit_logistic(x, y, start=Logistic(np.full(5, 3.0), -2.0))
    np.testing.assert_allclose(warm.weights, fresh.weights, atol=1e-3 * np.abs(fresh.weights).max())


def test_perfectly_separated_classes_give_finite_weights_on_the_right_side() -> None:
    x = np.linspace(-1, 1, 40)[:, None]
    found = fit_logistic(x, x[:, 0] > 0)
    assert np.isfinite(found.weights).all()
    assert ((found.decision(x) > 0) == (x[:, 0] > 0)).all()


def test_l1_gives_the_objective_of_scikit_learn_and_zeros() -> None:
    x, y = _data(400, 12)
    own = fit_l1_logistic(x, y, strength=0.6, n_steps=5000, tolerance=1e-9)
    theirs = LogisticRegression(
        C=0.6, l1_ratio=1, solver="saga", class_weight="balanced", max_iter=50_000, tol=1e-9
    ).fit(x, y)

    def objective(w: np.ndarray, b: float) -> float:
        weight = np.where(y, len(y) / (2 * y.sum()), len(y) / (2 * (~y).sum()))
        return float(np.abs(w).sum() + 0.6 * weight @ np.logaddexp(0, -np.where(y, 1, -1) * (x @ w + b)))

    assert objective(own.weights, own.bias) <= objective(theirs.coef_[0], theirs.intercept_[0]) + 1e-3
    assert (own.weights == 0).sum() >= 5
    assert own.weights[0] > 0 > own.weights[1]
