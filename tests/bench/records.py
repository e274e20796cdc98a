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


IN_TIME = {
    "downsample": "lanczos", "delays_s": [2.0, 4.0, 6.0, 8.0], "trim_s": [20.0, 10.0], "detrend": "polynomial",
    "train": "every subject's responses are predicted by a model fitted to that subject", "gap_s": 10.0, "tr": 2.0,
    "folds": 4, "interval": "95% jackknife over 20 groups of stimuli", "p": "the series rotated", "seed": 0,
    "beyond": "variance that the layer adds on held-out stimuli, over the reliability",
}  # fmt: skip
"""The methods of a score of a recording in time."""


def courses(seed=0, r=(0.6, 0.4, 0.2, 0.1), n=120):
    """What such a score keeps: predictions that correlate with the recording by `r` in four folds, and delays."""
    draw = np.random.default_rng(seed)
    fold = np.repeat(np.arange(4), n // 4)

    def standard(values):
        parts = [values[:, fold == k] - values[:, fold == k].mean(axis=1, keepdims=True) for k in range(4)]
        whole = np.concatenate(parts, axis=1)
        return whole / whole.std(axis=1, keepdims=True)

    recorded, other = standard(draw.normal(size=(2 * len(r), n))).reshape(2, len(r), n)
    other -= (other * recorded).mean(axis=1, keepdims=True) * recorded
    other /= other.std(axis=1, keepdims=True)
    wanted = np.array(r)[:, None]
    onsets = np.arange(50.2, 110, 0.4)
    told = ["the", "rabbit", "looked", "at", "its", "waistcoat", "pocket", "and", "hurried", "on"]
    said = np.resize(told, len(onsets))
    profile = np.array([0.1, 0.35, 0.4, 0.15])
    return {
        "course_neuroid": np.array([3, 2, 1, 0]),
        "course_quantile": np.array([0.95, 0.75, 0.5, 0.25]),
        "course_observed": recorded.astype(np.float32),
        "course_predicted": (wanted * recorded + np.sqrt(1 - wanted**2) * other).astype(np.float32),
        "course_time": 20.0 + 2 * np.arange(n),
        "course_story": np.zeros(n, np.int16),
        "course_stories": np.array(["chapter1"]),
        "course_fold": fold.astype(np.int16),
        "course_stretch": np.array([50.0, 110.0]),
        "course_stretch_of": np.array(["chapter1"]),
        "course_word": said,
        "course_onset": onsets,
        "delay_s": np.array([2.0, 4.0, 6.0, 8.0]),
        "delay_profile": profile,
        "delay_without_fold": profile + 0.01 * draw.normal(size=(10, 4)),
        "delay_without_subject": profile + 0.002 * draw.normal(size=(9, 4)),
        "delay_explained": np.array([0.9]),
        "raw": np.array(r)[::-1],
        "neuroid_id": np.array(["n0", "n1", "n2", "n3"]),
    }


def world_in_time(models=("network", "word-rate"), regions=("LATL", "LPTL")):
    """Scores of a recording in time: a network of several layers, and a baseline of one."""
    records, arrays = [], []
    for j, region in enumerate(regions):
        for i, model in enumerate(models):
            layers = {f"layer{k}": 0.1 + 0.05 * k - 0.03 * i for k in range(4 if i == 0 else 1)}
            records.append(
                record(
                    model, f"alice.{region}-ridge", 0.5 - 0.2 * i + 0.1 * j, dataset="alice", region=region,
                    methods=dict(IN_TIME), layers=layers, layer=list(layers)[-1], ceiling_kind="between_subjects",
                    ceiling=0.16 + 0.04 * j, n_stimuli=347, n_neuroids=4, left_out={}, normalization="ratio_of_medians",
                    beyond=0.2 - 0.1 * i, beyond_ci=[0.05, 0.3], beyond_spaces=["word-rate"],
                )
            )  # fmt: skip
            arrays.append(courses(seed=10 * j + i))
    return records, arrays
