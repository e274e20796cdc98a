"""How well participation ratios, their intervals and those of recordings do on designs of known dimension.

The truth is that of the design itself, from the eigenvalues of its covariance where it has a closed form,
else from 160 000 samples; the signals need no other generator.
"""

import os
from collections.abc import Callable, Sequence
from functools import cache, partial
from pathlib import Path
from tempfile import TemporaryDirectory
from unittest.mock import patch

import numpy as np
from designs import Floats, Row, Study, row

import brodmann
from brodmann.analysis import (
    Dimensionality,
    effective_dimensionality,
    participation_ratio,
    recorded_dimensionality,
)

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


def responses(seeds: Sequence[int], *, design: str, n: int) -> list[Row]:
    """Noise-free responses, as of a network: the estimate, its interval, and how often there is none."""
    drawn = [DESIGNS[design](n, np.random.default_rng(seed)) for seed in seeds]
    found = [effective_dimensionality(x) for x in drawn]
    raw = float(np.median([one.participation_ratio for one in found]))
    return [_judged(f"participation ratio, {design}, n {n}", design, n, raw, found)]


def recordings(seeds: Sequence[int], *, design: str, n: int) -> list[Row]:
    """Two repetitions with white noise, signal over noise variance 0.44: of their mean, and across them."""
    found, noisy = [], []
    for seed in seeds:
        rng = np.random.default_rng(seed)
        signal = DESIGNS[design](n, rng)
        sd = np.sqrt(signal.var(axis=0).mean() / SIGNAL_TO_NOISE)
        both = signal + sd * rng.normal(size=(2, *signal.shape))
        noisy.append(participation_ratio(both.mean(axis=0)))
        ids, blocks = np.tile(np.arange(n), 2), np.repeat([0, 1], n)
        found.append(recorded_dimensionality(both.reshape(2 * n, -1), ids, blocks=blocks))
    return [_judged(f"two noisy repetitions, {design}, n {n}", design, n, float(np.median(noisy)), found)]


def voxels(seeds: Sequence[int]) -> list[Row]:
    """Real voxels of one slice: 8 categories in 12 runs; there is nothing to draw."""
    home = Path(os.environ.get("BRODMANN_TEST_DATA") or Path(__file__).parents[2].parent / "shared" / "data")
    must = "at most 7"
    if not (home / "haxby2001-sub001").is_dir():
        return [row("voxels of 8 categories", {}, f"{must}; skipped: no {home / 'haxby2001-sub001'}", True)]
    with TemporaryDirectory() as folder, patch.dict(os.environ, {"BRODMANN_HOME": folder}):
        brodmann.add_dataset("haxby2001-slice", home / "haxby2001-sub001")
        data = brodmann.load_dataset("haxby2001-slice").responses
    found = recorded_dimensionality(data.values, data["stimulus_id"].values, blocks=data["run"].values)
    low, high = found.interval_of_these
    measured = {"raw": participation_ratio(data.values), "of these": found.participation_ratio}
    return [
        row("voxels of 8 categories", measured | {"low": low, "high": high}, must, bool(1 <= low < high <= 7))
    ]


def _judged(name: str, design: str, n: int, raw: float, found: Sequence[Dimensionality]) -> Row:
    true = truth(design)
    known = [one for one in found if not one.why_none]
    values = np.array([one.corrected for one in known] or [np.nan])
    inside = [low <= true <= high for low, high in (one.interval for one in known)]
    measured = {
        "truth": true,
        "raw": raw,
        "median": float(np.median(values)),
        "sd": float(values.std()),
        "covers": float(np.mean(inside)) if known else float("nan"),
        "no number": 1 - len(known) / len(found),
    }
    slack = 3 * np.sqrt(0.1 * 0.9 / len(found))
    if n == 30 and design != "normal":
        return row(name, measured, "too few samples in 90 %", bool(measured["no number"] >= 0.9 - slack))
    if n == 100 and design.startswith("sparse"):
        return row(name, measured, "a number or none", True)
    right = abs(measured["median"] / true - 1) <= 0.1
    holds = right and 0.9 - slack <= measured["covers"] <= 0.98 + slack
    return row(name, measured, "within 10 %, covers 90 to 98 %", bool(holds))


STUDIES: dict[str, Study] = {"voxels": voxels}
for _design in DESIGNS:
    for _n in SAMPLES:
        STUDIES[f"responses {_design} {_n}"] = partial(responses, design=_design, n=_n)
        STUDIES[f"recordings {_design} {_n}"] = partial(recordings, design=_design, n=_n)
