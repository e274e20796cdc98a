"""Brain-Score's regression over time beside a plain one that stacks every bin's stimuli, as its definition says."""

from dataclasses import replace

import numpy as np
import pytest
from sklearn.cross_decomposition import PLSRegression
from sklearn.model_selection import ShuffleSplit, StratifiedShuffleSplit
from timed_cases import Lookup, gaussian

import brodmann
from brodmann.bench.metrics.recording import recording
from brodmann.bench.metrics.registries import METRICS
from brodmann.brain_data.timeseries.bin_columns import bins_as_columns


def pearson(a, b):
    a, b = a - a.mean(axis=0), b - b.mean(axis=0)
    return (a * b).sum(axis=0) / np.sqrt((a * a).sum(axis=0) * (b * b).sum(axis=0))


def stacked_score(x, means, objects, n_components=25):
    """(n_bins, n_stimuli, n_neuroids): stimuli of all bins fitted together, r in each, median, mean, mean."""
    r = []
    for train, test in StratifiedShuffleSplit(10, train_size=0.9, random_state=1).split(x, objects):
        rows, answers = np.concatenate([x[train]] * len(means)), np.concatenate([one[train] for one in means])
        fitted = PLSRegression(n_components, scale=False, tol=1e-12, max_iter=20000).fit(rows, answers)
        predicted = fitted.predict(x[test])
        r.append(np.mean([np.median(pearson(predicted, one[test])) for one in means]))
    return np.mean(r), np.std(r) / np.sqrt(len(r))


def consistency(cube):
    """(n_stimuli, n_repetitions, n_neuroids, n_bins): internal consistency of each bin, mean over bins."""
    values = []
    for one in np.moveaxis(cube, 3, 0):
        halves = ShuffleSplit(10, train_size=0.5, random_state=1).split(np.zeros(one.shape[1]))
        r = [pearson(one[:, a].mean(axis=1), one[:, b].mean(axis=1)) for a, b in halves]
        values.append(np.mean([np.median(2 * v / (1 + v)) for v in r]))
    return np.mean(values)


@pytest.fixture(scope="module")
def timed():
    objects = [f"o{i % 6}" for i in range(72)]
    data, z = gaussian(
        4, n_stimuli=72, n_repetitions=6, n_neuroids=5, n_features=30, first=40, last=140, latency=0.0, noise=1.5,
        columns={"object_name": objects},
    )  # fmt: skip
    cube = data.responses.values.reshape(72, 6, 5, -1)
    return data, z, cube, objects


def test_bins_become_columns(timed):
    data, _, cube, _ = timed
    made = bins_as_columns(data).responses
    assert made.dims == ("presentation", "neuroid")
    assert made["neuroid_id"].values[:6].tolist() == ["n0@40", "n1@40", "n2@40", "n3@40", "n4@40", "n0@60"]
    chosen = made[:, (made["time_bin_start"] == 80).values]
    np.testing.assert_array_equal(chosen.values, cube[..., 2].reshape(-1, 5))
    plain = data.window(40, 60)
    assert bins_as_columns(plain) is plain


def test_it_is_the_regression_of_all_bins_stacked(timed, tmp_path):
    data, z, cube, objects = timed
    benchmark = brodmann.bench.make_benchmark(data, "IT", "spantime_pls", stratify="object_name")
    found = brodmann.score(Lookup({"z": z}), benchmark, run=tmp_path, n_bootstraps=50, n_permutations=50)
    raw, error = stacked_score(z, np.moveaxis(cube.mean(axis=1), 2, 0), objects)
    ceiling = consistency(cube)
    assert found.attrs["raw_value"] == pytest.approx(raw, abs=1e-5)
    assert found.attrs["record"]["methods"]["error"] == pytest.approx(error, abs=1e-5)
    assert float(found.attrs["ceiling"]) == pytest.approx(ceiling, abs=1e-10)
    assert float(found) == pytest.approx(np.sign(raw) * raw**2 / ceiling, abs=1e-5)
    assert found.attrs["record"]["n_neuroids"] == 5
    assert len(found.attrs["raw"]) == 25
    assert found.attrs["p"] <= 0.1
    low, high = found.attrs["ci"]
    assert low < float(found) < high


def test_one_bin_is_plain_pls(timed, tmp_path):
    data, z, _, _ = timed
    one = data.window(40, 140)
    options = {"n_bootstraps": 0, "n_permutations": 0, "run": tmp_path}
    scores = [
        brodmann.score(Lookup({"z": z}), brodmann.bench.make_benchmark(one, "IT", metric), **options)
        for metric in ("pls", "spantime_pls")
    ]
    assert float(scores[0]) == pytest.approx(float(scores[1]), abs=1e-12)


def test_the_layer_is_chosen_and_noise_scores_nothing(timed, tmp_path):
    data, z, _, _ = timed
    noise = np.random.default_rng(0).normal(size=z.shape)
    benchmark = brodmann.bench.make_benchmark(data, "IT", "spantime_pls")
    found = brodmann.score(Lookup({"noise": noise, "z": z}), benchmark, run=tmp_path, n_permutations=50)
    assert found.attrs["layer"] == "z"
    alone = brodmann.score(Lookup({"noise": noise}, digest="2"), benchmark, run=tmp_path, n_permutations=50)
    assert alone.attrs["p"] > 0.05
    assert abs(alone.attrs["raw_value"]) < 0.2


def test_without_repetitions_there_is_no_ceiling_and_missing_columns_are_refused(timed):
    data, _, _, _ = timed
    first = data.responses[(data.responses["repetition"] == 0).values]
    recorded = recording(bins_as_columns(replace(data, responses=first)), "IT")
    assert METRICS["spantime_pls"].make(recorded, {}).ceiling(recorded).kind == "none"
    fewer = replace(recorded, cube=recorded.cube[:, :, 1:], neuroids=recorded.neuroids[1:])
    with pytest.raises(brodmann.UserError, match="not every neuroid was recorded in every time bin"):
        METRICS["spantime_pls"].make(fewer, {}).ceiling(replace(fewer, cube=np.repeat(fewer.cube, 2, axis=1)))
