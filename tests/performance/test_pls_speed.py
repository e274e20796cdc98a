"""PLS on ten splits against scikit-learn's PLSRegression, one split of which is run and counted ten times."""

from functools import partial

import numpy as np
import pytest
from harness import Work, compare
from sklearn.cross_decomposition import PLSRegression
from sklearn.model_selection import ShuffleSplit

from brodmann.analysis.encoding.cross_validation import Split
from brodmann.analysis.encoding.pls import held_out_predictions
from brodmann.correlation import pearson

pytestmark = pytest.mark.perf


def data(n, p, n_targets):
    rng = np.random.default_rng(0)
    latent = rng.normal(size=(n, 60))
    x = (latent * np.exp(-np.arange(60) / 20)) @ rng.normal(size=(60, p)) + rng.normal(size=(n, p))
    y = (latent * np.exp(-np.arange(60) / 15)) @ rng.normal(size=(60, n_targets))
    y += 3 * rng.normal(size=y.shape)
    splits = [Split(train, test) for train, test in ShuffleSplit(10, train_size=0.9, random_state=1).split(x)]
    return x.astype(np.float32), y, splits


def ours(made):
    x, y, splits = made
    predicted = held_out_predictions(x, y, splits)
    return np.array([pearson(one, y[split.test]) for one, split in zip(predicted, splits, strict=True)])


def scikit_learn(made):
    x, y, splits = made
    split = splits[0]
    model = PLSRegression(25, scale=False).fit(x[split.train].astype(float), y[split.train])
    return pearson(model.predict(x[split.test].astype(float)), y[split.test])[None]


@pytest.mark.parametrize(("p", "goal"), [(1000, 40), (25_088, 80)])
def test_pls(p, goal, table):
    """The default tolerance of the peer, which stops early; converged answers agree (test_pls.py)."""
    done = compare(
        Work(
            f"PLS-25, n 3200, p {p}, 168 targets, 10 splits",
            "scikit-learn PLSRegression",
            partial(data, 3200, p, 168),
            ours,
            scikit_learn,
            goal,
            share=0.1,
            agreement=lambda found, expected: float(abs(np.median(found[0]) - np.median(expected[0]))),
        )
    )
    table(done)
    assert done.difference < 1e-3
