"""Nulls and intervals through the hat matrix are those of fitting again."""

import numpy as np
import pytest
from sklearn.linear_model import Ridge

from brodmann.analysis import nested_folds, nested_ridge
from brodmann.analysis.statistics.resampling import permutations
from brodmann.bench.metrics import uncertainty
from brodmann.correlation import pearson


@pytest.mark.parametrize("p", [20, 200])
def test_permuted_draws_are_those_of_refitting_at_the_chosen_penalties(p):
    rng = np.random.default_rng(0)
    x = rng.normal(size=(80, p))
    y = x[:, :10] @ rng.normal(size=(10, 5)) + 3 * rng.normal(size=(80, 5))
    fits = list(nested_ridge(x, y, nested_folds(80)))
    orders = permutations(80, 4, random_state=1)
    found = uncertainty.permuted_draws(fits, y, orders)
    for draw, order in enumerate(orders):
        for row, fit in enumerate(fits):
            train, test = fit.split.train, fit.split.test
            penalty = fit.alpha * fit.basis.mean_eigenvalue
            model = Ridge(penalty, solver="cholesky").fit(x[train], y[order][train])
            np.testing.assert_allclose(
                found[draw, row], pearson(model.predict(x[test]), y[order][test]), atol=1e-4
            )
