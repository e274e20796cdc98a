"""Records of scores, as comparisons read them."""

import numpy as np


def record(model="a", benchmark="data.V1-ridge", score=0.5, **changes):
    """A record as the results store keeps it."""
    whole = {
        "model": model,
        "benchmark": benchmark,
        "benchmark_version": 1,
        "dataset": "data",
        "region": "V1",
        "metric": "ridge",
        "score": score,
        "raw": 0.8 * score if score is not None else None,
        "ci": [score - 0.1, score + 0.1] if score is not None else [None, None],
        "p": 0.01,
        "ceiling": 0.64,
        "ceiling_kind": "reliability",
        "ceiling_lower": None,
        "ceiling_upper": None,
        "layer": "l2",
        "layers": {"l1": 0.2, "l2": 0.4, "l3": 0.3},
        "n_stimuli": 50,
        "n_neuroids": 20,
        "left_out": {"voxels": 3},
        "normalization": "r_over_sqrt_reliability",
        "simulated": False,
        "unit": "neuroid",
        "methods": {"folds": 5, "interval": "bootstrap", "p": "permuted", "seed": 0},
        "bibtex": "@article{a, author={A and B}, year={2000}}",
        "provenance": {
            "seed": 0, "n_bootstraps": 400, "data_digest": "d", "code": "c",
            "versions": {"python": "3", "brodmann": "0.1", "platform": "linux"},
        },
    }  # fmt: skip
    return whole | changes


def drawn(mean, seed=0, n=400, shared=0):
    """Draws of a score: what the stimuli do to every model, and a little of its own."""
    common = np.random.default_rng(shared).normal(0, 0.1, n)
    return {"draws": mean + common + np.random.default_rng([seed, 5]).normal(0, 0.01, n)}
