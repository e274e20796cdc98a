"""Recordings in time: ceilings of stories heard again and of people who hear the same, intervals, p, delays."""

from collections.abc import Sequence
from dataclasses import replace
from functools import cache, partial
from pathlib import Path
from typing import Any

import numpy as np
from designs import Floats, Row, Study, coverage, evaluate, row
from encoding import alice_folder, same_spectrum
from stories import Heard, autoregressive, heard

import brodmann
from brodmann.analysis.encoding.delay_profile import delay_products, delay_profile, ridge_weights
from brodmann.analysis.encoding.haemodynamic_peak import haemodynamic_peak
from brodmann.analysis.encoding.nested_ridge import nested_ridge
from brodmann.analysis.encoding.pooled import PooledFolds
from brodmann.bench import make_benchmark
from brodmann.bench.metrics.headline import Headline
from brodmann.bench.metrics.series import series_recording

_DRAWS = 99
FOUR: dict[str, Any] = {"lengths": (150,) * 4}


def ceilings(seeds: Sequence[int], *, name: str, options: dict[str, Any], **design: Any) -> list[Row]:
    """The noise-free signal as the prediction: is its score 1? With the drifts that the recording lost, how much less?

    A model's predictions keep their drifts, the recording does not: what that costs is shown beside it.
    """
    found = np.array([_unfitted(heard(seed, **design), options) for seed in seeds])
    measured = {
        "score": float(np.nanmedian(found[:, 0])) if np.isfinite(found).any() else float("nan"),
        "sd": float(np.nanstd(found[:, 0])) if np.isfinite(found).any() else float("nan"),
        "with drifts": float(np.nanmedian(found[:, 1])) if np.isfinite(found).any() else float("nan"),
        "no ceiling": float(np.isnan(found[:, 0]).mean()),
    }
    if design.get("n_subjects", 1) == 3 or not (design.get("times", 1) != 1 or "people" in name):
        return [row(name, measured, "no ceiling, said", measured["no ceiling"] == 1)]
    near = 3 * measured["sd"] / np.sqrt(len(seeds)) + 0.02
    return [row(name, measured, "score .98 to 1.02", abs(measured["score"] - 1) <= near)]


def _unfitted(made: Heard, options: dict[str, Any]) -> tuple[float, float]:
    scored = make_benchmark(made.data, metric="ridge", **options)
    ceiling, recorded, tests = scored.noise_ceiling, scored.recording, scored.metric.sampling.tests
    if ceiling.kind == "none":
        return float("nan"), float("nan")
    headline = Headline.of(recorded, ceiling, tests, recorded.weights)
    pooled = PooledFolds(tests, recorded.mean, recorded.weights)
    ways = scored.card.series, replace(scored.card.series, detrend="none", confounds=False)
    signals = [series_recording(made.noiseless, "region", how).mean for how in ways]
    clean, drifting = (headline.value(pooled.r([one[test] for test in tests])) for one in signals)
    return clean, drifting


def intervals(
    seeds: Sequence[int], *, name: str, options: dict[str, Any], known: int = 3, **design: Any
) -> list[Row]:
    """A model that knows `known` of five features: does the interval hold the mean score of the design?"""
    scores, ends, kinds = [], [], []
    for seed in seeds:
        made = heard(seed, **design)
        scored = make_benchmark(made.data, metric="ridge", **options)
        shown = np.c_[made.features[:, :known], made.features[:, -1:]]
        found = evaluate(scored, scored.recording.series.regressors(shown), seed=seed)
        scores.append(found.value)
        ends.append(found.ci)
        kinds.append(scored.noise_ceiling.kind)
    ends_, values = np.array(ends), np.array(scores)
    there = np.isfinite(ends_[:, 0])
    measured = coverage(values[there], ends_[there]) | {"no interval": float(1 - there.mean())}
    least = 0.95 - 3 * np.sqrt(0.05 * 0.95 / len(seeds)) - 0.02
    holds = measured["covers"] >= least and measured["own inside"] == 1 and measured["no interval"] <= 0.05
    return [row(name, measured, "covers 93 %, own inside", holds)]


def unrelated(
    seeds: Sequence[int], *, name: str, rho: float, lengths: Sequence[int], most: float
) -> list[Row]:
    """Responses and features as slow as each other that have nothing to do with each other: how often is p <= .05?"""
    p, warned = [], []
    for seed in seeds:
        made = heard(seed, reliability=1e-6, rho=rho, lengths=lengths, n_neuroids=4)
        scored = make_benchmark(made.data, metric="ridge", trim_s=[0, 0], delays_s=[])
        draw = np.random.default_rng([seed, 5])
        features = np.vstack([autoregressive(n, 6, rho, draw) for n in lengths])
        p.append(evaluate(scored, features, seed=seed, n_bootstraps=0, n_permutations=_DRAWS).p)
        warned.append("shorter than" in scored.metric.sampling.said)
    values = np.array(p)
    measured = {
        "p <= .05": float((values <= 0.05).mean()),
        "p <= .01": float((values <= 0.01).mean()),
        "warned": float(np.mean(warned)),
    }
    slack = 3 * np.sqrt(0.05 * 0.95 / len(seeds)) - 0.03
    holds = measured["p <= .05"] <= most + max(slack, 0)
    return [row(name, measured, f"p <= .05 in at most {most:.0%}", holds)]


@cache
def _words_read() -> Floats | None:
    """A layer of a small language model at every word of Alice, each after the 20 before it."""
    weights = Path(alice_folder()).parents[3] / "weights" / "stories260k-llama"
    if not alice_folder().is_dir() or not weights.is_dir():
        return None
    brodmann.add_dataset("brennan2016-alice", alice_folder().parents[1])
    brodmann.add_model("stories260k-llama", weights)
    model, layer = brodmann.load_model("stories260k-llama"), "layers.3"
    read = model.extract(brodmann.load_dataset("brennan2016-alice").stimuli, [layer], context=20)
    return np.asarray(read[layer].values, float)


def alice_rotated(seeds: Sequence[int], *, region: str, features: str) -> list[Row]:
    """Real responses, all people rotated by one shift against a language model: how often is p < .05?

    With ``features="same spectrum"`` they stay in place, and the model's features have random phases instead.
    """
    words = _words_read()
    if words is None:
        return []
    scored = make_benchmark(
        brodmann.load_dataset("brennan2016-alice"), region, "ridge", train="group", trim_s=[20, 0], detrend=3
    )
    recorded = scored.recording
    x, p = recorded.series.regressors(words), []
    for seed in seeds:
        shift = int(np.random.default_rng([seed, 17]).integers(20, recorded.n_stimuli - 20))
        turned = features == "rotated"
        moved = replace(recorded, cube=np.roll(recorded.cube, shift, axis=0)) if turned else recorded
        shown = x if turned else same_spectrum(x, seed)
        found = evaluate(
            replace(scored, recording=moved), shown, seed=seed, n_bootstraps=0, n_permutations=199
        )
        p.append(found.p)
    measured = {
        "p <= .05": float((np.array(p) <= 0.05).mean()),
        "p <= .01": float((np.array(p) <= 0.01).mean()),
    }
    name = f"unrelated: Alice, {region}, {features}"
    slack = 3 * np.sqrt(0.05 * 0.95 / len(seeds)) - 0.03
    return [row(name, measured, "p <= .05 in at most 8 %", measured["p <= .05"] <= 0.08 + max(slack, 0))]


def peaks(
    seeds: Sequence[int], *, name: str, options: dict[str, Any], peak: float, **design: Any
) -> list[Row]:
    """Features whose response peaks at a known time: is it found, within its interval over runs?"""
    found, ends = [], []
    for seed in seeds:
        made = heard(seed, peak=peak, n_features=3, rate=0.0, **design)
        scored = make_benchmark(made.data, metric="ridge", **options)
        recorded, folds = scored.recording, scored.metric.sampling.folds
        x = recorded.series.regressors(made.features[:, :3])
        delays = [one * recorded.series.tr for one in recorded.series.delays]
        fits = nested_ridge(x, recorded.mean, folds)
        each = np.array(
            [delay_products(x, ridge_weights(one, x, recorded.mean), len(delays)).sum(axis=0) for one in fits]
        )
        at, interval = haemodynamic_peak(delay_profile(each.sum(axis=0))[0], delay_profile(each)[0], delays)
        found.append(at)
        ends.append(interval)
    (low, high), there = np.array(ends).T, np.isfinite(np.array(ends)[:, 0])
    measured = {
        "true": peak,
        "found": float(np.nanmean(found)),
        "sd": float(np.nanstd(found)),
        "covers": float(((low <= peak) & (peak <= high))[there].mean()),
        "half-width": float(np.median((high - low)[there] / 2)),
        "no interval": float(1 - there.mean()),
    }
    least = 0.95 - 3 * np.sqrt(0.05 * 0.95 / len(seeds)) - 0.05
    holds = measured["covers"] >= least and abs(measured["found"] - peak) < 0.15
    return [row(name, measured, "covers 90 %, right to .15 s", holds)]


STUDIES: dict[str, Study] = {}


def _add(kind: str, study: Any, name: str, options: dict[str, Any] | None = None, **design: Any) -> None:
    STUDIES[f"{kind} {name}"] = partial(study, name=name, options=options or {}, **design)


for _rho in (0.0, 0.6, 0.9):
    for _times in (2, 3, 10):
        _name = f"4 stories heard {_times} times, noise AR({_rho})"
        _add("ceiling", ceilings, _name, rho=_rho, times=_times, **FOUR)
    for _people in (3, 10, 27):
        _add(
            "ceiling", ceilings, f"{_people} people, one story, noise AR({_rho})",
            lengths=(352,), rho=_rho, n_subjects=_people, n_neuroids=5,
        )  # fmt: skip
for _train in ("own", "others", "group"):
    for _reliability in (0.1, 0.3):
        _add(
            "ceiling", ceilings, f"10 people, reliability {_reliability}, {_train}", {"train": _train},
            n_subjects=10, n_neuroids=5, reliability=_reliability, **FOUR,
        )  # fmt: skip
_add("ceiling", ceilings, "stories of 60 to 260 samples heard twice", lengths=(60, 100, 150, 260), times=2)
_add("ceiling", ceilings, "the last of 4 stories heard 5 times", times=(1, 1, 1, 5), **FOUR)
_add("ceiling", ceilings, "4 stories heard twice, reliability .1", times=2, reliability=0.1, **FOUR)
_add("ceiling", ceilings, "heads move, regressed", {"confounds": True}, times=2, motion=1.0, **FOUR)
_add("ceiling", ceilings, "heads move, not regressed", times=2, motion=1.0, **FOUR)
_add("ceiling", ceilings, "TR .7 s, AR(.9)", lengths=(400,) * 4, times=2, tr=0.7, rho=0.9)
_add("ceiling", ceilings, "TR 1.49 s, AR(.7)", lengths=(200,) * 4, times=2, tr=1.49, rho=0.7)
_add("ceiling", ceilings, "cosine drifts", {"detrend": "cosine"}, times=2, **FOUR)
_add("ceiling", ceilings, "peak at 8 s", times=2, peak=8.0, **FOUR)
_add(
    "ceiling", ceilings, "10 people of unlike neuroids, heard twice",
    times=2, n_subjects=10, n_neuroids=5, corresponding=False, **FOUR,
)  # fmt: skip
_add("ceiling", ceilings, "10 of unlike neuroids, heard once", n_subjects=10, corresponding=False, **FOUR)

for _name, _lengths, _times in (
    ("1 run", (400,), 1),
    ("1 story heard twice", (400,), 2),
    ("2 runs", (200, 200), 1),
    ("4 runs", (150,) * 4, 1),
    ("8 runs", (100,) * 8, 1),
    ("8 stories heard twice", (100,) * 8, 2),
    ("6 runs of 60 to 200 samples", (60, 80, 100, 120, 160, 200), 1),
):
    for _rho in (0.6, 0.9):
        _add("interval", intervals, f"{_name}, AR({_rho})", lengths=_lengths, times=_times, rho=_rho)
for _people in (3, 10):
    for _alike in (True, False):
        _add(
            "interval", intervals, f"{_people} people {'alike' if _alike else 'unlike'}, 1 run",
            lengths=(300,), n_subjects=_people, n_neuroids=5, reliability=0.15, corresponding=_alike,
        )  # fmt: skip
for _train in ("others", "group"):
    _add(
        "interval", intervals, f"10 people, each with some of its own, 4 runs, {_train}", {"train": _train},
        n_subjects=10, n_neuroids=5, reliability=0.15, spread=0.3, lengths=(100,) * 4,
    )  # fmt: skip

for _name, _lengths in (
    ("1 run of 352", (352,)),
    ("4 runs of 150", (150,) * 4),
    ("10 runs of 60", (60,) * 10),
    ("10 runs of 40 to 80", (40, 45, 50, 55, 60, 60, 65, 70, 75, 80)),
):
    for _rho in (0.0, 0.8, 0.95):
        _whole = f"unrelated: {_name}, AR({_rho})"
        _most = 0.11 if _rho > 0.9 else 0.08
        STUDIES[_whole] = partial(unrelated, name=_whole, rho=_rho, lengths=_lengths, most=_most)
for _region in ("LATL", "RATL", "LPTL", "LIPL", "LPreM", "LIFG"):
    STUDIES[f"unrelated: Alice {_region}"] = partial(alice_rotated, region=_region, features="rotated")
STUDIES["unrelated: Alice same spectrum"] = partial(alice_rotated, region="LATL", features="same spectrum")

_TWO = {"delays_s": [2.0 * i for i in range(8)]}
for _peak in (4.0, 5.0, 6.0, 7.0, 8.0):
    _add("peak", peaks, f"at {_peak:g} s, 6 runs, TR 2 s", _TWO, peak=_peak, lengths=(120,) * 6)
_add("peak", peaks, "6 runs, TR 2 s, reliability .05", _TWO, peak=5.0, lengths=(120,) * 6, reliability=0.05)
_add("peak", peaks, "1 run in blocks, TR 2 s", _TWO, peak=5.0, lengths=(400,))
_add(
    "peak", peaks, "6 runs, TR 1.49 s", {"delays_s": [1.49 * i for i in range(10)]},
    peak=6.0, lengths=(150,) * 6, tr=1.49,
)  # fmt: skip
