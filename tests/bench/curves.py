"""Scores over time as they are kept, made up: what figures and panels draw."""

import numpy as np

from brodmann.analysis.statistics.over_bins import Cluster, Latency
from brodmann.bench.over_time.result import OverTime


def curve(
    model="alpha",
    benchmark="cells.IT-ridge",
    *,
    strength=0.6,
    recurrent=False,
    onset=8,
    simulated=False,
    gap=False,
):
    """A curve that rises at the bin `onset`; none where that is below 0."""
    windows = np.stack([np.arange(-100, 300, 20.0), np.arange(-80, 320, 20.0)], axis=1)
    if gap:
        windows[12:] += 60
    n = len(windows)
    since = np.arange(n) - (onset if onset >= 0 else n)
    r = strength * (since >= 0) * np.exp(-np.maximum(since, 0) / 12) + 0.02 * np.sin(3 * np.arange(n))
    steps = [f"cell@{i}" for i in (1, 2, 3)]
    layers = steps if recurrent else ["early", "late"]
    best = np.array([1 + min(max(int(one) // 4, 0), 2) for one in since])
    by_layer = np.array([r * (1.0 if not recurrent else 0.6) for _ in layers])
    if recurrent:
        by_layer[best - 1, np.arange(n)] = r
    across = np.sqrt(np.maximum(np.outer(r, r), 0)) * np.exp(
        -np.abs(np.subtract.outer(np.arange(n), np.arange(n))) / 6
    )
    found = onset >= 0
    compared = [int(one) for one in np.flatnonzero(since >= 0)]
    steps_of = {"layer": "cell", "numbers": [1, 2, 3], "best": best.tolist(), "bins": compared}
    rho = {"rho": 0.93, "low": 0.8, "high": 1.0, "said": "as made up"}
    return OverTime(
        model=model, benchmark=benchmark, key=f"{model}-{benchmark}", windows=windows, r=r, low=r - 0.08, high=r + 0.08,
        ceiling=np.where(since >= 0, 0.8, 0.1), p=np.where(since >= 0, 0.01, 0.9), null_mean=np.zeros(n) - 0.02,
        null_high=np.full(n, 0.06), without=np.tile(r, (10, 1)), by_layer=by_layer,
        of_neuroids=np.tile(r[:, None], (1, 5)),
        generalization=across, generalization_p=np.where(across > 0.15, 0.01, 0.5),
        steps_without=np.empty((0, 0, n)), layers=layers, layer_by_bin=[layers[-1]] * n, threshold=0.08,
        onset=Latency(onset, onset - 1, onset + 1) if found else Latency(-1, said="no onset: as made up"),
        peak=Latency(onset, onset, min(onset + 4, n - 1)) if found else Latency(3, 0, 19),
        clusters=[Cluster(onset, n - 1, 40.0, 0.01)] if found else [],
        neuroids=[{"neuroid_id": "n0", "peak_r": 0.5, "peak_ms": 80.0, "onset_ms": 60.0, "p": 0.01, "q": 0.02}],
        steps=steps_of | rho if recurrent else {},
        n_stimuli=80, n_groups=10, simulated=simulated, methods={"n_neuroids": 5, "seconds": 1.0, "bins": "together"},
        provenance={},
    )  # fmt: skip
