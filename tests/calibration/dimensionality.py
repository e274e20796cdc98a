"""How well participation ratios, their intervals and those of recordings do on designs of known dimension.

Plain functions: seeds -> rows for the calibration table. The truth is that of the design itself, from the eigenvalues
of its covariance where it has a closed form, else from 160 000 samples; the signals need no other generator.
"""

from collections.abc import Callable, Iterable
from functools import cache
from typing import Any

import numpy as np
import numpy.typing as npt

import brodmann
from brodmann.analysis import effective_dimensionality, participation_ratio, recorded_dimensionality

Floats = npt.NDArray[np.float64]
Rows = list[dict[str, Any]]

N_UNITS, N_LATENT = 200, 40
SAMPLES = (30, 100, 300)
SIGNAL_TO_NOISE = 0.44
_RAW = np.random.default_rng(5).normal(size=(N_LATENT, N_UNITS))


@cache
def _weights() -> Floats:
    """Latent dimensions of power-law variance, so that the units' covariance has a participation ratio of 11.7."""
    low, high = 0.0, 3.0
    for _ in range(60):
        middle = (low + high) / 2
        weights = np.arange(1.0, N_LATENT + 1)[:, None] ** (-middle / 2) * _RAW
        low, high = (middle, high) if _ratio_of(weights) > 11.7 else (low, middle)
    return weights


def _ratio_of(weights: Floats) -> float:
    values = np.linalg.eigvalsh(weights @ weights.T)
    return float(values.sum() ** 2 / (values**2).sum())


def _alike(weights: Floats) -> Floats:
    """The same for units of variance 1."""
    return weights / np.linalg.norm(weights, axis=0)


def _normal(n: int, rng: np.random.Generator) -> Floats:
    return rng.normal(size=(n, N_LATENT)) @ _weights()


def _heavy(n: int, rng: np.random.Generator) -> Floats:
    return _normal(n, rng) * np.sqrt(3 / rng.chisquare(5, size=(n, 1)))


def _rectified(n: int, rng: np.random.Generator) -> Floats:
    signal = rng.normal(size=(n, N_LATENT)) @ _alike(_weights())
    return np.maximum(signal, 0) * np.exp(0.5 * rng.normal(size=(n, 1)))


def _sparse(n: int, rng: np.random.Generator) -> Floats:
    return np.maximum(rng.normal(size=(n, 4)) @ _alike(_RAW[:4]) - 1.75, 0)


DESIGNS: dict[str, Callable[[int, np.random.Generator], Floats]] = {
    "normal": _normal,
    "heavy-tailed (t5)": _heavy,
    "rectified x gain": _rectified,
    "sparse (4 % active)": _sparse,
}


@cache
def truth(design: str) -> float:
    """The participation ratio of the design's own covariance."""
    if design in ("normal", "heavy-tailed (t5)"):
        return _ratio_of(_weights())
    rng = np.random.default_rng(2**31)
    total, outer, n = np.zeros(N_UNITS), np.zeros((N_UNITS, N_UNITS)), 0
    for _ in range(40):
        x = DESIGNS[design](4000, rng)
        total, outer, n = total + x.sum(axis=0), outer + x.T @ x, n + len(x)
    covariance = outer / n - np.outer(total, total) / n**2
    return float(np.trace(covariance) ** 2 / np.square(covariance).sum())


def responses(seeds: Iterable[int]) -> Rows:
    """Noise-free responses, as of a network: the estimate, its interval, and how often there is none."""
    return [_row(design, n, list(seeds)) for design in DESIGNS for n in SAMPLES]


def _row(design: str, n: int, seeds: list[int]) -> dict[str, Any]:
    drawn = [DESIGNS[design](n, np.random.default_rng(seed)) for seed in seeds]
    found = [effective_dimensionality(x) for x in drawn]
    return {
        "design": f"participation ratio, {design}, n {n}",
        "must": _must(design, n),
        "raw": float(np.median([one.participation_ratio for one in found])),
        **_measured(found, truth(design)),
    }


def recordings(seeds: Iterable[int]) -> Rows:
    """Two repetitions with white noise, signal over noise variance 0.44: of the mean, and across repetitions."""
    chosen, rows = list(seeds), []
    for design in DESIGNS:
        for n in SAMPLES:
            found, noisy = [], []
            for seed in chosen:
                rng = np.random.default_rng(seed)
                signal = DESIGNS[design](n, rng)
                sd = np.sqrt(signal.var(axis=0).mean() / SIGNAL_TO_NOISE)
                both = signal + sd * rng.normal(size=(2, *signal.shape))
                noisy.append(participation_ratio(both.mean(axis=0)))
                found.append(
                    recorded_dimensionality(
                        both.reshape(2 * n, -1), np.tile(np.arange(n), 2), blocks=np.repeat([0, 1], n)
                    )
                )
            rows.append(
                {
                    "design": f"two noisy repetitions, {design}, n {n}",
                    "must": _must(design, n),
                    "raw": float(np.median(noisy)),
                    **_measured(found, truth(design)),
                }
            )
    return rows


def voxels() -> Rows:
    """haxby2001-slice, where it is installed: 8 categories in 12 runs."""
    data = brodmann.load_dataset("haxby2001-slice").responses
    found = recorded_dimensionality(data.values, data["stimulus_id"].values, blocks=data["run"].values)
    return [
        {
            "design": "voxels of 8 categories, 12 runs",
            "must": "at most 7",
            "raw": participation_ratio(data.values),
            "median": found.participation_ratio,
            "interval": found.interval_of_these,
        }
    ]


def _must(design: str, n: int) -> str:
    if n == 30:
        return "a number, or: too few samples" if design == "normal" else "too few samples"
    if n == 100 and design.startswith("sparse"):
        return "a number or none"
    return "within 10 %; covers 90-98 %"


def _measured(found: list[Any], true: float) -> dict[str, Any]:
    known = [one for one in found if not one.why_none]
    values = np.array([one.corrected for one in known])
    nothing = float("nan")
    return {
        "truth": true,
        "median": float(np.median(values)) if len(values) else nothing,
        "mean": float(values.mean()) if len(values) else nothing,
        "sd": float(values.std(ddof=1)) if len(values) > 1 else nothing,
        "too_few": len(found) - len(known),
        "covered": float(np.mean([a.interval[0] <= true <= a.interval[1] for a in known]))
        if known
        else nothing,
        "n_seeds": len(found),
    }
