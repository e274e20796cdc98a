"""Every formula from correlations to the headline, against answers worked out by hand."""

import numpy as np
import pytest

from brodmann.bench.metrics.ceiling_kinds import (
    accuracy,
    internal_consistency,
    r_max,
    rdm,
    rdm_pairwise,
    reliability,
)
from brodmann.bench.metrics.ceiling_kinds import none as no_ceiling
from brodmann.bench.metrics.normalization import (
    above_chance,
    mean_of_medians,
    median_formula,
    median_r,
    none,
    r2_over_ceiling,
    r_over_best_r,
    r_over_ceiling,
    r_over_ceiling_squared,
    r_over_r_max,
    r_over_sqrt_reliability,
    ratio_of_medians,
)

R = np.array([[0.1, 0.5, 0.96], [0.3, 0.1, 0.2]])
"""Two splits, three neuroids: means 0.2, 0.3, 0.58 over splits; medians 0.5 and 0.2 over neuroids."""
R_MAX = np.array([0.25, 0.6, 0.5])


def test_the_median_and_the_mean_are_taken_in_the_order_that_is_named():
    assert median_r(R) == pytest.approx(0.3)
    assert mean_of_medians(R) == pytest.approx(0.35)
    assert r_over_sqrt_reliability(R, R_MAX) == pytest.approx(0.8)  # median of 0.8, 0.5, 1.16
    assert none(R, np.full(3, np.nan)) == pytest.approx(0.3)


def test_squares_keep_the_sign_of_r_and_show_what_is_above_1():
    assert r2_over_ceiling(R, np.array(0.7)) == pytest.approx(0.35**2 / 0.7)
    assert r2_over_ceiling(-R, np.array(0.7)) == pytest.approx(-(0.35**2) / 0.7)
    assert r_over_ceiling_squared(R, np.array(0.7)) == pytest.approx(0.25)
    assert r_over_ceiling_squared(-R, np.array(0.7)) == pytest.approx(-0.25)
    assert r2_over_ceiling(R, np.array(0.1)) == pytest.approx(1.225)
    assert r_over_ceiling_squared(R, np.array(0.2)) == pytest.approx(3.0625)


def test_the_plain_ratio_is_clipped_to_0_and_1():
    assert r_over_ceiling(R, np.array(0.7)) == pytest.approx(0.5)
    assert r_over_ceiling(-R, np.array(0.7)) == 0
    assert r_over_ceiling(R, np.array(0.2)) == 1


def test_ratios_are_of_the_median_or_of_the_mean_of_medians():
    assert ratio_of_medians(R, np.array(0.36)) == pytest.approx(0.5)
    assert r_over_r_max(R, np.array(0.6)) == pytest.approx(0.5)
    assert r_over_best_r(R, np.array(0.7)) == pytest.approx(0.5)
    assert r_over_best_r(R, np.array(0.2)) == pytest.approx(1.75)
    assert r_over_best_r(-R, np.array(0.7)) == pytest.approx(-0.5)
    assert above_chance(R + 0.3, np.array(0.75)) == pytest.approx(0.4)
    assert above_chance(R, np.array(1.0)) == pytest.approx(-0.4)


def test_the_formula_follows_from_the_kind_of_ceiling():
    assert median_formula("reliability") is ratio_of_medians
    assert median_formula("r_max") is r_over_r_max
    for kind in ("none", "rdm", "accuracy"):
        assert median_formula(kind) is none


def test_the_best_raw_value_under_each_kind_of_ceiling():
    for kind in (reliability, internal_consistency):
        assert kind.best(0.49) == pytest.approx(0.7)
        assert kind.best(-0.2) == 0
    for kind in (r_max, rdm, rdm_pairwise, accuracy):
        assert kind.best(0.49) == 0.49
    assert np.isnan(no_ceiling.best(0.49))


@pytest.mark.parametrize(
    ("formula", "ceiling"),
    [
        (r_over_sqrt_reliability, R_MAX),
        (r2_over_ceiling, np.array(0.7)),
        (r_over_ceiling_squared, np.array(0.7)),
        (r_over_ceiling, np.array(0.7)),
        (none, np.array(np.nan)),
    ],
)
def test_many_draws_at_once_are_as_one_after_the_other(formula, ceiling):
    draws = np.stack([R, -R, 2 * R, R[::-1]])
    np.testing.assert_allclose(formula(draws, ceiling), [formula(one, ceiling) for one in draws])
