"""Stories that people hear in a scanner: words, features, a response of any peak, noise, drifts, motion, all known.

It shares no code with the package, nor with the independent generator: words are sums of impulses under a continuous
response, pauses part sentences, heads move in random walks.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from math import lgamma

import numpy as np
import numpy.typing as npt
import pandas as pd
import xarray as xr
from scipy.signal import lfilter

from brodmann.brain_data import Dataset, StimulusSet

Floats = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Heard:
    """A recording, and what is true of it.

    Attributes
    ----------
    data : Dataset
    features : array of shape (n_words, n_features)
        All that the signal is made of.
    signal : array of shape (n_rows, n_neuroids)
        Without noise, drifts and motion, rows as `data.responses`.
    """

    data: Dataset
    features: Floats
    signal: Floats

    @property
    def noiseless(self) -> Dataset:
        """The same recording of the signal alone."""
        assert self.data.responses is not None
        return replace(self.data, responses=self.data.responses.copy(data=self.signal))


def response(t: Floats, peak: float) -> Floats:
    """To an impulse at 0: a gamma density that peaks after so many s, less a sixth of one 10 s later; unit area."""

    def density(mode: float) -> Floats:
        late = np.maximum(t, 1e-9)
        return np.where(t > 0, np.exp(mode * np.log(late) - late - lgamma(mode + 1)), 0.0)

    made: Floats = (density(peak) - density(peak + 10) / 6) / (1 - 1 / 6)
    return made


def autoregressive(n: int, columns: int, rho: float, draw: np.random.Generator) -> Floats:
    """Noise of variance 1 whose samples correlate by rho with the next."""
    shocks = draw.normal(size=(n, columns)) * np.sqrt(1 - rho**2)
    shocks[0] /= np.sqrt(1 - rho**2)
    made: Floats = lfilter([1.0], [1.0, -rho], shocks, axis=0)
    return made


def spoken(seconds: float, draw: np.random.Generator) -> tuple[Floats, Floats]:
    """Onsets and offsets of words, some 2.5 a second, in sentences of 12 on average with pauses between."""
    lengths = draw.gamma(3.0, 0.1, int(seconds * 5)) + 0.05
    pauses = np.where(draw.random(len(lengths)) < 1 / 12, draw.gamma(2.0, 0.4, len(lengths)), 0.0)
    onsets = np.concatenate([[0.0], np.cumsum(lengths + pauses)[:-1]]) + draw.uniform(0, 2)
    offsets = onsets + lengths
    inside = offsets < seconds - 1
    return onsets[inside], offsets[inside]


def heard(
    seed: int,
    *,
    lengths: Sequence[int] = (150, 150, 150, 150),
    times: Sequence[int] | int = 1,
    tr: float = 2.0,
    n_subjects: int = 1,
    n_neuroids: int = 10,
    corresponding: bool = True,
    n_features: int = 5,
    reliability: float = 0.3,
    rho: float = 0.6,
    spread: float = 0.0,
    peak: float = 5.0,
    drift: float = 1.0,
    motion: float = 0.0,
    rate: float = 0.5,
) -> Heard:
    """People who hear stories, one a length.

    Parameters
    ----------
    seed : int
    lengths : sequence of int
        Samples of each story.
    times : sequence of int, or int
        How often each was heard; every time is a run.
    tr : float
    n_subjects, n_neuroids : int
        `n_neuroids` of each subject.
    corresponding : bool
        Whether neuroid j of all subjects is the same vertex and tells the same; else every subject has weights of its
        own, and nothing says that neuroids correspond.
    n_features : int
    reliability : float
        Variance of the signal in that of signal and noise of one run.
    rho : float
        Of the noise, from sample to sample.
    spread : float
        Share of the signal's variance that is of features of a subject's own, which no model is shown.
    peak : float
        Of the response to a word, in s.
    drift, motion : float
        Standard deviation of slow drifts and of what motion adds, in those of the noise.
    rate : float
        Weight of the number of words alone, in that of a feature.
    """
    draw = np.random.default_rng([seed, 31])
    n_times = [times] * len(lengths) if isinstance(times, int) else list(times)
    shared = draw.normal(size=(n_features, n_neuroids))
    weights = [shared if corresponding else draw.normal(size=shared.shape) for _ in range(n_subjects)]
    own = [draw.normal(size=shared.shape) for _ in range(n_subjects)]
    tables, features, designs, unshown = [], [], [], []
    for number, length in enumerate(lengths):
        onsets, offsets = spoken(length * tr, draw)
        values = autoregressive(len(onsets), n_features, 0.7, draw)
        hidden = autoregressive(len(onsets), n_features, 0.7, draw)
        shape = response(tr * np.arange(length)[:, None] - (onsets + offsets)[None] / 2, peak)
        rates = rate * (shape.sum(axis=1, keepdims=True) - shape.sum(axis=1).mean())
        designs.append(shape @ values + rates)
        unshown.append(shape @ hidden)
        features.append(np.c_[values, np.ones(len(values))])
        tables.append(
            pd.DataFrame({"story": f"story{number}", "onset": onsets, "offset": offsets, "word": "word"})
        )
    scale = [np.concatenate(part).std(axis=0) for part in (designs, unshown)]
    signals, rows, moved = [], [], []
    for number, length in enumerate(lengths):
        parts = []
        for one, (weight, other) in enumerate(zip(weights, own, strict=True)):
            told = designs[number] / scale[0] @ weight / np.linalg.norm(weight, axis=0)
            if spread:
                hidden = unshown[number] / scale[1] @ other / np.linalg.norm(other, axis=0)
                told = np.sqrt(1 - spread) * told + np.sqrt(spread) * np.roll(hidden, 7 * one, axis=0)
            parts.append(told)
        for again in range(n_times[number]):
            signals.append(np.hstack(parts))
            rows.append((number, again, length))
    signal = np.concatenate(signals)
    signal /= signal.std(axis=0)
    noise_sd = np.sqrt((1 - reliability) / reliability)
    values, first = signal.copy(), 0
    for _number, _again, length in rows:
        part = slice(first, first + length)
        first += length
        columns = n_subjects * n_neuroids
        values[part] += noise_sd * autoregressive(length, columns, rho, draw)
        slow = np.linspace(-1, 1, length)[:, None]
        values[part] += (
            drift * noise_sd * (slow * draw.normal(size=columns) + slow**2 * draw.normal(size=columns))
        )
        heads = []
        for one in range(n_subjects):
            walk = np.cumsum(draw.normal(size=(length, 3)), axis=0)
            walk = (walk - walk.mean(axis=0)) / walk.std(axis=0)
            of_one = slice(one * n_neuroids, (one + 1) * n_neuroids)
            values[part, of_one] += motion * noise_sd * walk @ draw.normal(size=(3, n_neuroids)) / np.sqrt(3)
            heads.append(walk)
        values[part] += 100.0 * draw.random(columns)
        moved.append(np.hstack(heads))
    words = pd.concat(tables, ignore_index=True)
    words.insert(0, "stimulus_id", [f"w{i:05d}" for i in range(len(words))])
    stimuli = StimulusSet(words)
    stimuli.identifier = "stories"
    columns = np.tile(np.arange(n_neuroids), n_subjects)
    of_neuroid = {
        "neuroid_id": ("neuroid", [f"n{i}" for i in range(n_subjects * n_neuroids)]),
        "region": ("neuroid", ["region"] * (n_subjects * n_neuroids)),
        "subject": ("neuroid", np.repeat([f"s{i:02d}" for i in range(n_subjects)], n_neuroids)),
    }
    if corresponding:
        of_neuroid |= {"vertex": ("neuroid", columns), "hemisphere": ("neuroid", ["L"] * len(columns))}
    responses = xr.DataArray(
        values,
        dims=("presentation", "neuroid"),
        coords=of_neuroid
        | {
            "stimulus_id": ("presentation", np.concatenate([[f"story{one}"] * n for one, _, n in rows])),
            "run": ("presentation", np.concatenate([[f"story{one}-{again}"] * n for one, again, n in rows])),
            "time": ("presentation", np.concatenate([tr * np.arange(n) for _, _, n in rows])),
        },
    )
    names = [f"s{one:02d}:motion{i}" for one in range(n_subjects) for i in range(3)]
    confounds = pd.DataFrame(np.concatenate(moved), columns=names)
    data = Dataset(
        "stories", "language", stimuli, responses, kind="series", tr=tr, confounds=confounds, simulated=True
    )
    return Heard(data, np.concatenate(features), signal)
