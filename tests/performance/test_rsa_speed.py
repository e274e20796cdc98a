"""RDMs, their bootstraps and the participation ratio against rsatoolbox and scikit-learn."""

import subprocess
import sys
import warnings

import numpy as np
import pytest
from harness import Work, compare
from scipy.spatial.distance import squareform

from brodmann.analysis import bootstrap_correlations, correlation_rdm, participation_ratio
from brodmann.analysis.representation.rdm import pairs
from brodmann.analysis.statistics.resampling import bootstrap_weights

pytestmark = pytest.mark.perf


def patterns():
    return np.random.default_rng(0).standard_normal((1000, 25_088), dtype=np.float32)


def product(x):
    from scipy.linalg.blas import ssyrk

    return ssyrk(1.0, x.T, trans=1)[0, 0]


def rsatoolbox_rdm(x):
    import rsatoolbox

    return rsatoolbox.rdm.calc_rdm(rsatoolbox.data.Dataset(x), method="correlation").dissimilarities[0]


def test_rdm(table):
    work = Work(
        "RDM, n 1000, p 25 088",
        "rsatoolbox",
        patterns,
        lambda x: pairs(correlation_rdm(x)),
        rsatoolbox_rdm,
        20,
        floor=product,
    )
    done = compare(work)
    table(done)
    assert done.difference < 5e-6


def twenty_models():
    rng = np.random.default_rng(0)
    truth = rng.normal(size=(200, 60))
    models = [correlation_rdm(truth + 0.3 * i * rng.normal(size=truth.shape)) for i in range(20)]
    data = [correlation_rdm(truth + rng.normal(size=truth.shape)) for _ in range(2)]
    return np.array(models), np.array(data), bootstrap_weights(200, 1000, random_state=1)


def ours(made):
    models, data, weights = made
    return bootstrap_correlations(models, data.mean(axis=0), weights)


def rsatoolbox_bootstrap(made, n_draws=20):
    """Twenty of the thousand draws: rsatoolbox evaluates its models on every draw of stimuli in turn."""
    import rsatoolbox
    from rsatoolbox.rdm import RDMs
    from rsatoolbox.rdm import compare as compare_rdms

    warnings.simplefilter("ignore")
    models, data, weights = made
    brain = RDMs(squareform(data.mean(axis=0), checks=False)[None])
    fixed = [rsatoolbox.model.ModelFixed(str(i), squareform(m, checks=False)) for i, m in enumerate(models)]
    values = []
    for w in weights[:n_draws]:
        chosen = np.repeat(np.arange(len(w)), w.astype(int))
        sample = brain.subsample_pattern("index", chosen)
        values.append(
            [
                compare_rdms(m.predict_rdm().subsample_pattern("index", chosen), sample, "corr")[0, 0]
                for m in fixed
            ]
        )
    return np.array(values)


def test_bootstraps_of_twenty_models(table):
    work = Work(
        "1000 bootstrap comparisons of 20 models, n 200",
        "rsatoolbox",
        twenty_models,
        ours,
        rsatoolbox_bootstrap,
        250,
        share=0.02,
        agreement=lambda found, expected: float(np.abs(found[: len(expected)] - expected).max()),
    )
    done = compare(work)
    table(done)
    assert done.difference < 1e-6


def scikit_learn(x):
    from sklearn.decomposition import PCA

    values = PCA().fit(x).explained_variance_.astype(float)
    return values.sum() ** 2 / (values**2).sum()


def test_participation_ratio(table):
    work = Work(
        "participation ratio, n 1000, p 25 088",
        "scikit-learn PCA",
        patterns,
        participation_ratio,
        scikit_learn,
        15,
        floor=product,
        agreement=lambda found, expected: abs(found - expected) / expected,
    )
    done = compare(work)
    table(done)
    assert done.difference < 1e-5


def test_starting(table):
    def run(*words):
        return lambda _: subprocess.run([sys.executable, *words], check=True, capture_output=True).returncode

    work = Work(
        "brodmann --help against importing pandas",
        "python -c 'import pandas'",
        lambda: None,
        run("-m", "brodmann.bench", "--help"),
        run("-c", "import pandas"),
        1,
    )
    table(compare(work))
