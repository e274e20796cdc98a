"""Amplitudes of field potentials in a band, such as high gamma, of a continuous signal."""

from itertools import pairwise

import numpy as np
import numpy.typing as npt

from ...errors import UserError

Floats = npt.NDArray[np.float64]

HIGH_GAMMA = (70.0, 150.0)
"""Hz; with bands of 10 Hz, eight of them."""
BAND_WIDTH = 10.0
_NOTCH_WIDTH = 2.0
"""Hz, at half power: what the mains take away."""
_ORDER = 4


def bands_of(low: float, high: float, width: float = BAND_WIDTH) -> list[tuple[float, float]]:
    """Bands of about `width` Hz, side by side, that fill `low` to `high`."""
    edges = np.linspace(low, high, max(1, round((high - low) / width)) + 1)
    return [(float(a), float(b)) for a, b in pairwise(edges)]


def check_band(low: float, high: float, rate: float, lowpass: float | None = None) -> None:
    """Raise a UserError for a band that a signal of this sampling rate, and low-passed so, cannot hold."""
    if not 0 < low < high:
        raise UserError(f"--band {low:g},{high:g}: a band goes from a frequency above 0 Hz to a higher one")
    if high >= rate / 2:
        raise UserError(
            f"a band up to {high:g} Hz needs more than {2 * high:g} samples a second, and there are {rate:g}"
        )
    if lowpass is not None and high > lowpass:
        raise UserError(
            f"the signal was low-passed at {lowpass:g} Hz before it was saved: there is no band up to {high:g} Hz in it"
        )


def band_amplitude(signal: Floats, rate: float, band: tuple[float, float], line: float | None) -> Floats:
    """The amplitude of a continuous signal in a band, 1 on average.

    The mains and their harmonics are notched out; in each band b of 10 Hz the amplitude is that of the analytic
    signal, a_b(t) = |x_b(t) + i H[x_b](t)|, with x_b filtered forth and back by a Butterworth filter; the result is the
    mean over bands of a_b(t) / mean_t a_b(t). Bands weigh alike, whose power falls as 1/f.

    Parameters
    ----------
    signal : array of shape (n_samples,)
        Of one channel, continuous: cut epochs afterwards, for filters ring at edges.
    rate : float
        Samples a second.
    band : tuple of float
        From and to, in Hz.
    line : float or None
        The frequency of the mains in Hz; None leaves them in.

    Returns
    -------
    array of shape (n_samples,)
        NaN where the signal has a sample that is not finite, or none that varies.
    """
    from scipy.fft import next_fast_len
    from scipy.signal import butter, hilbert, sosfiltfilt

    check_band(*band, rate)
    if not np.isfinite(signal).all() or np.ptp(signal) == 0:
        return np.full(len(signal), np.nan)
    clean = without_line(signal / signal.std(), rate, line, band[1])
    total = np.zeros(len(signal))
    bands = bands_of(*band)
    for low, high in bands:
        sections = butter(_ORDER, (low, high), btype="bandpass", fs=rate, output="sos")
        filtered = sosfiltfilt(sections, clean)
        amplitude = np.abs(hilbert(filtered, next_fast_len(len(filtered)))[: len(filtered)])
        total += amplitude / amplitude.mean()
    return total / len(bands)


def without_line(signal: Floats, rate: float, line: float | None, highest: float) -> Floats:
    """A signal without the mains and their harmonics up to `highest` Hz and one further, 2 Hz wide each."""
    from scipy.signal import filtfilt, iirnotch

    if line is None:
        return signal
    for frequency in np.arange(line, min(highest + line, rate / 2 - _NOTCH_WIDTH), line):
        b, a = iirnotch(frequency, frequency / _NOTCH_WIDTH, fs=rate)
        signal = filtfilt(b, a, signal)
    return signal


def mean_in_bins(values: Floats, first: npt.NDArray[np.intp], last: npt.NDArray[np.intp]) -> Floats:
    """Means over samples ``first[i] ... last[i] - 1`` of the last dimension, one a bin."""
    return np.stack([values[..., a:b].mean(axis=-1) for a, b in zip(first, last, strict=True)], axis=-1)
