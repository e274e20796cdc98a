"""The peak of a course over delays: of gammas written out, of other shapes, and its interval by hand."""

import numpy as np
import pytest
from scipy.stats import t as student

from brodmann.analysis.encoding.haemodynamic_peak import haemodynamic_peak, peak_of


def gamma(t, peak, width=1.0):
    """Its logarithm is (peak / width) log t - t / width."""
    with np.errstate(divide="ignore"):
        return np.where(t > 0, np.exp(peak / width * (np.log(t / peak) + 1 - t / peak)), 0.0)


@pytest.mark.parametrize("tr", [0.7, 1.49, 2.0])
@pytest.mark.parametrize("width", [0.7, 1.0, 1.5])
@pytest.mark.parametrize("peak", [4.0, 5.3, 6.5, 8.0])
def test_a_gamma_peaks_where_it_does_between_samples(tr, width, peak):
    delays = np.arange(0, 16, tr)
    assert peak_of(3 * gamma(delays, peak, width), delays) == pytest.approx(peak, abs=1e-6)


@pytest.mark.parametrize("peak", [4.0, 5.0, 6.0, 7.0, 8.0])
def test_an_undershoot_moves_it_little(peak):
    delays = np.arange(0, 16, 2.0)
    course = gamma(delays, peak) / 5 - gamma(delays, peak + 10) / 30
    assert peak_of(course, delays) == pytest.approx(peak, abs=0.1)


@pytest.mark.parametrize("peak", [5.0, 6.0, 6.7])
def test_another_shape_is_right_to_half_a_second(peak):
    delays = np.arange(0, 16, 2.0)
    assert peak_of(np.exp(-((delays - peak) ** 2) / 8), delays) == pytest.approx(peak, abs=0.5)


def test_a_course_that_is_highest_at_an_end_has_no_peak():
    assert np.isnan(peak_of([4, 3, 2, 1], [2, 4, 6, 8]))
    assert np.isnan(peak_of([1, 2, 3, 4], [2, 4, 6, 8]))
    assert np.isnan(peak_of([1, 2], [2, 4]))
    assert np.isnan(peak_of([np.nan] * 4, [2, 4, 6, 8]))
    assert np.isnan(
        peak_of([0, 0, 1, 0, 0], [2, 4, 6, 8, 10])
    )  # one sample alone says nothing of what is between


def test_what_is_far_below_the_peak_does_not_count():
    delays = np.arange(0, 16, 2.0)
    course = gamma(delays, 5.0)
    course[[0, 7]] = -0.3, 0.19
    assert peak_of(course, delays) == pytest.approx(5.0, abs=1e-6)


def test_the_interval_is_the_jackknife_over_runs():
    delays = np.arange(0, 16, 2.0)
    peaks = np.array([4.9, 5.1, 5.0, 5.3, 4.7])
    found, (low, high) = haemodynamic_peak(
        gamma(delays, 5.02), [gamma(delays, one) for one in peaks], delays, level=0.9
    )
    half = student.ppf(0.95, 4) * np.sqrt(4 / 5 * ((peaks - peaks.mean()) ** 2).sum())
    assert found == pytest.approx(5.02, abs=1e-6)
    assert (low, high) == pytest.approx((5.02 - half, 5.02 + half), abs=1e-5)


def test_three_runs_or_one_without_a_peak_give_no_interval():
    delays = np.arange(0, 16, 2.0)
    course = gamma(delays, 5.0)
    found, interval = haemodynamic_peak(course, [course] * 3, delays)
    assert found == pytest.approx(5.0, abs=1e-6)
    assert np.isnan(interval).all()
    assert np.isnan(haemodynamic_peak(course, [course, course, course, course[::-1] * 0], delays)[1]).all()
    assert np.isfinite(haemodynamic_peak(course, [course] * 4, delays)[1]).all()
