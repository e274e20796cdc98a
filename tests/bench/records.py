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


def world(models=("alpha", "beta", "gamma"), benchmarks=("data.V1-ridge", "data.IT-rsa"), missing=()):
    """Scores, layers, units and RDMs of made-up models."""
    records, arrays = [], []
    for j, benchmark in enumerate(benchmarks):
        for i, model in enumerate(models):
            if (model, benchmark) in missing:
                continue
            generator = np.random.default_rng([i, j])
            score = 0.3 + 0.5 * generator.random()
            layers = {f"layer{k}": 0.7 * score * np.sin((k + 1) / 2) for k in range(4)}
            rsa = benchmark.endswith("rsa")
            extra = (
                {"ceiling_kind": "rdm", "ceiling_lower": 0.5, "ceiling_upper": 0.7, "unit": "subject"}
                if rsa
                else {}
            )
            records.append(record(model, benchmark, score, layers=layers, layer="layer2", **extra))
            n = 4 if rsa else 60
            kept = drawn(score, i) | {
                "layer_units": np.array(list(layers.values()))[:, None] + generator.normal(0, 0.05, (4, n)),
                "raw": 0.8 * score + generator.normal(0, 0.05, n),
            }
            if rsa:
                points = generator.normal(size=(24, 3)) + np.repeat(np.eye(3) * 3, 8, axis=0)
                apart = np.linalg.norm(points[:, None] - points, axis=2)[np.triu_indices(24, 1)]
                kept |= {
                    "model_rdm": apart, "brain_rdm": np.sqrt(apart), "stimulus_id": np.arange(24).astype(str),
                    "category": np.repeat(["body", "face", "place"], 8),
                }  # fmt: skip
            else:
                places = np.indices((6, 10)).reshape(2, -1)
                kept |= {
                    "neuroid_x": places[0] * 1.0,
                    "neuroid_y": places[1] * 1.0,
                    "neuroid_z": np.zeros(60),
                }
            arrays.append(kept)
    return records, arrays


def overlapping(figure):
    """Texts of the figure that reach out of it by more than a few pixels."""
    figure.canvas.draw()
    renderer = figure.canvas.get_renderer()
    width, height = figure.canvas.get_width_height()
    out = []
    for text in figure.findobj(lambda artist: hasattr(artist, "get_text")):
        number = (
            text.get_text().replace("\N{MINUS SIGN}", "").replace(".", "").isdigit()
        )  # ticks beyond the limits
        shown = text.get_visible() and (text.axes is None or text.axes.get_visible())
        if shown and text.get_text().strip() and not number:
            box = text.get_window_extent(renderer)
            if box.x0 < -6 or box.y0 < -6 or box.x1 > width + 6 or box.y1 > height + 6:
                out.append(text.get_text())
    return out
