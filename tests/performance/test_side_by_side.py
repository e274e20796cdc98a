"""Side by side with the peers, in turn, in one process: ratios of medians, and that the answers agree.

`tox -e perf` prints the table. There is no assertion on time here but the one on starting (tests/test_house.py).
"""

import statistics
import subprocess
import sys
import time

import numpy as np
import pytest
import rsatoolbox
from sklearn.linear_model import Ridge
from sklearn.model_selection import GridSearchCV

from brodmann.analysis import correlation_rdm
from brodmann.analysis.dissimilarity import pairs
from brodmann.bench.ridge import ALPHAS, fit, held_out_r, prepare
from brodmann.bench.splits import Splitter
from brodmann.correlation import pearson

pytestmark = pytest.mark.perf
ROUNDS = 3


def compare(ours, peer):
    """Run both in turn; the ratio peer / ours of median times, and both answers of the last round."""
    times = {"ours": [], "peer": []}
    for _ in range(ROUNDS):
        for name, work in (("ours", ours), ("peer", peer)):
            began = time.perf_counter()
            answer = work()
            times[name].append(time.perf_counter() - began)
            times[f"{name} answer"] = answer
    ratio = statistics.median(times["peer"]) / statistics.median(times["ours"])
    return ratio, times["ours answer"], times["peer answer"]


@pytest.mark.parametrize(("n", "p"), [(500, 200), (400, 2000)])
def test_nested_ridge_against_scikit_learns_grid_search(n, p):
    """One penalty for all targets in the peer, as its search allows; ours chooses one a target."""
    rng = np.random.default_rng(0)
    x = rng.normal(size=(n, p))
    y = x[:, :20] @ rng.normal(size=(20, 100)) + 4 * rng.normal(size=(n, 100))
    splits = Splitter().split(n)
    inner = [Splitter().split(len(one.train)) for one in splits]

    def ours():
        features = prepare(x)
        fits = [fit(features, y, one, parts) for one, parts in zip(splits, inner, strict=True)]
        return held_out_r(fits, y).mean(axis=0)

    def peer():
        r = []
        for one, parts in zip(splits, inner, strict=True):
            centred = x[one.train] - x[one.train].mean(axis=0)
            penalties = ALPHAS * (centred**2).sum() / min(len(one.train) - 1, p)
            folds = [(part.train, part.test) for part in parts]
            search = GridSearchCV(Ridge(), {"alpha": penalties}, cv=folds, scoring="neg_mean_squared_error")
            r.append(pearson(search.fit(x[one.train], y[one.train]).predict(x[one.test]), y[one.test]))
        return np.mean(r, axis=0)

    ratio, found, expected = compare(ours, peer)
    print(f"nested ridge, n {n}, p {p}, 100 targets: scikit-learn / brodmann = {ratio:.1f}")
    assert np.median(found) == pytest.approx(np.median(expected), abs=0.02)


def test_rdm_against_rsatoolbox():
    x = np.random.default_rng(0).normal(size=(500, 5000))
    data = rsatoolbox.data.Dataset(x)
    ratio, found, expected = compare(
        lambda: pairs(correlation_rdm(x)),
        lambda: rsatoolbox.rdm.calc_rdm(data, method="correlation").dissimilarities[0],
    )
    print(f"RDM, n 500, p 5000: rsatoolbox / brodmann = {ratio:.1f}")
    np.testing.assert_allclose(found, expected, atol=1e-8)


def test_starting_against_importing_numpy():
    def run(*words):
        return lambda: subprocess.run([sys.executable, *words], check=True, capture_output=True).returncode

    ratio, *_ = compare(run("-c", "import numpy"), run("-m", "brodmann.bench", "--help"))
    print(f"brodmann --help / import numpy = {ratio:.2f}")
