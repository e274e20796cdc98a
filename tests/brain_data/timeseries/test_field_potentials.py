"""Amplitudes in a band: a known envelope comes back, the mains do not, and every band weighs alike."""

import numpy as np
import pytest
from scipy.signal import butter, sosfiltfilt

from brodmann import UserError
from brodmann.brain_data.timeseries.field_potentials import (
    HIGH_GAMMA,
    band_amplitude,
    bands_of,
    check_band,
    mean_in_bins,
    without_line,
)

RATE, N = 1000.0, 40_000
TIME = np.arange(N) / RATE


def envelope(seed, cutoff=2.0):
    rng = np.random.default_rng(seed)
    slow = sosfiltfilt(butter(2, cutoff, fs=RATE, output="sos"), rng.normal(size=N))
    return 1 + 0.5 * np.tanh(slow / slow.std())


def carriers(seed, frequencies=range(75, 150, 10)):
    rng = np.random.default_rng(seed)
    return sum(np.sin(2 * np.pi * one * TIME + rng.uniform(0, 2 * np.pi)) for one in frequencies)


def mains(hertz):
    return sum(np.sin(2 * np.pi * k * hertz * TIME) / k for k in (1, 2, 3))


def r(values, truth):
    """In bins of 10 ms."""
    return np.corrcoef(values.reshape(-1, 10).mean(axis=1), truth.reshape(-1, 10).mean(axis=1))[0, 1]


def test_high_gamma_is_eight_bands_of_10_hz():
    assert bands_of(*HIGH_GAMMA) == [(float(a), float(a + 10)) for a in range(70, 150, 10)]
    assert bands_of(30, 34) == [(30.0, 34.0)]


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize("line", [50.0, 60.0])
def test_the_envelope_comes_back_beside_noise_and_mains(seed, line):
    """Carriers of 0.35 (rms each) in 1/f noise of unit variance, alpha of 2 and mains of 3: r of .95 or more."""
    truth = envelope(seed)
    rng = np.random.default_rng(100 + seed)
    spectrum = np.fft.rfft(rng.normal(size=N)) / np.sqrt(np.maximum(np.fft.rfftfreq(N, 1 / RATE), 1))
    pink = np.fft.irfft(spectrum, N)
    signal = (
        truth * carriers(seed) / 2 + pink / pink.std() + 2 * np.sin(2 * np.pi * 10 * TIME) + 3 * mains(line)
    )
    found = band_amplitude(1e-5 * signal, RATE, HIGH_GAMMA, line)
    assert r(found, truth) >= 0.945
    assert found.mean() == pytest.approx(1, abs=1e-9)


def test_the_mains_are_taken_out_with_their_harmonics():
    signal = carriers(0)
    spoiled = signal + 10 * mains(60.0)
    left = np.abs(np.fft.rfft(without_line(spoiled, RATE, 60.0, 150.0) * np.hanning(N)))
    for harmonic in (60, 120, 180):
        place = round(harmonic * N / RATE)
        assert left[place] < 0.01 * np.abs(np.fft.rfft(spoiled * np.hanning(N)))[place]
    np.testing.assert_array_equal(without_line(spoiled, RATE, None, 150.0), spoiled)


def test_bands_weigh_alike():
    """A band of a hundred times the power of another has no more say: each is divided by its mean."""
    one, other = envelope(1), envelope(2)
    strong, weak = carriers(0, [75]), carriers(0, [145])
    found = band_amplitude(10 * one * strong + 0.1 * other * weak, RATE, HIGH_GAMMA, None)
    assert abs(r(found, one) - r(found, other)) < 0.35
    raw = np.abs(10 * one * strong + 0.1 * other * weak)
    assert r(raw, one) - r(raw, other) > 0.6


def test_the_scale_of_the_signal_does_not_matter():
    signal = envelope(0) * carriers(0)
    volts, tesla = (band_amplitude(scale * signal, RATE, HIGH_GAMMA, 60.0) for scale in (1e-6, 1e-13))
    np.testing.assert_allclose(volts, tesla, rtol=1e-6)


def test_a_filter_rings_at_the_edges_of_an_epoch():
    """Why the continuous signal is filtered and then cut: epochs of 400 ms alone are off at their edges."""
    signal = envelope(0) * (carriers(0) + np.random.default_rng(0).normal(size=N))
    amplitude = band_amplitude(signal, RATE, HIGH_GAMMA, 60.0)
    off = []
    for start in range(1000, 37_000, 1000):
        whole, alone = (
            amplitude[start : start + 400],
            band_amplitude(signal[start : start + 400], RATE, HIGH_GAMMA, 60.0),
        )
        scale = alone[150:250].mean() / whole[150:250].mean()
        off.append(np.abs(alone / scale - whole))
    off = np.mean(off, axis=0)
    assert off[:20].mean() > 2 * off[190:210].mean()
    assert off[-20:].mean() > 2 * off[190:210].mean()


def test_nothing_comes_of_a_dead_or_broken_channel():
    for broken in (np.zeros(N), np.where(np.arange(N) == 7, np.nan, carriers(0))):
        assert np.isnan(band_amplitude(broken, RATE, HIGH_GAMMA, 60.0)).all()


@pytest.mark.parametrize(
    ("band", "rate", "lowpass", "message"),
    [
        ((70, 150), 300.0, None, "up to 150 Hz needs more than 300 samples a second, and there are 300"),
        ((70, 150), 1000.0, 100.0, "low-passed at 100 Hz before it was saved"),
        ((150, 70), 1000.0, None, "goes from a frequency above 0 Hz to a higher one"),
        ((0, 70), 1000.0, None, "goes from a frequency above 0 Hz to a higher one"),
    ],
)
def test_bands_that_cannot_be(band, rate, lowpass, message):
    with pytest.raises(UserError, match=message):
        check_band(*band, rate, lowpass)


def test_means_in_bins():
    values = np.arange(24.0).reshape(2, 12)
    found = mean_in_bins(values, np.array([0, 3]), np.array([3, 12]))
    np.testing.assert_array_equal(found, [[1, 7], [13, 19]])
