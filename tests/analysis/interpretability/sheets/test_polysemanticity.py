"""How many things features stand for: known mixtures, and frontiers whose value at an error is known."""

import numpy as np
import pandas as pd
import pytest

from brodmann.analysis.interpretability.sheets.polysemanticity import (
    at_matched_fvu,
    beside_covariate,
    effective_classes,
)
from brodmann.errors import UserError


def test_effective_classes_of_what_answers_one_two_and_all():
    labels = np.repeat([0, 1, 2, 3], [100, 10, 40, 50])
    one, two, everyone = labels == 1, np.isin(labels, [0, 3]), np.ones(200)
    silent = np.zeros(200)
    found = effective_classes(np.stack([one, two, everyone, silent, -everyone], axis=1).astype(float), labels)
    np.testing.assert_allclose(found[:3], [1, 2, 4])
    assert np.isnan(found[3:]).all()


def test_measures_are_read_where_errors_are_the_same():
    fvu = np.array([0.2, 0.1, 0.05, 0.025])
    l0 = 2 / fvu  # a straight line in logarithms
    found = at_matched_fvu(pd.DataFrame({"fvu": fvu, "l0": l0, "x": np.log(fvu)}), wanted=(0.07, 0.1, 0.5))
    np.testing.assert_allclose(found["l0"].to_numpy()[:2], [2 / 0.07, 20])
    np.testing.assert_allclose(found["x"].to_numpy()[:2], np.log([0.07, 0.1]))
    assert np.isnan(found.loc[0.5]).all()


def test_networks_differ_at_the_same_covariate():
    generator = np.random.default_rng(0)
    x = [generator.normal(2, 1, 500), generator.normal(0, 1, 400)]
    y = [0.5 * one + offset for one, offset in zip(x, (0.3, 0.0), strict=True)]
    assert beside_covariate(y[0], y[1], x[0], x[1]) == pytest.approx(0.3)
    assert y[0].mean() - y[1].mean() > 1


def test_what_is_no_frontier_is_said():
    with pytest.raises(UserError, match="at least two"):
        at_matched_fvu(pd.DataFrame({"fvu": [0.1], "l0": [4]}))
    with pytest.raises(UserError, match="all different"):
        at_matched_fvu(pd.DataFrame({"fvu": [0.1, 0.1], "l0": [4, 5]}))
    with pytest.raises(UserError, match="no logarithm"):
        at_matched_fvu(pd.DataFrame({"fvu": [0.1, 0.2], "l0": [4, 0]}))
