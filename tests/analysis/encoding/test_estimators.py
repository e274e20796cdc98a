"""Encoding models as estimators: scikit-learn's checks, scikit-learn's and himalaya's answers."""

import pickle
import subprocess
import sys

import numpy as np
import pandas as pd
import pytest
from sklearn.base import clone
from sklearn.cross_decomposition import PLSRegression
from sklearn.linear_model import Ridge, orthogonal_mp
from sklearn.model_selection import GridSearchCV, GroupKFold, GroupShuffleSplit, KFold
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.utils.estimator_checks import parametrize_with_checks

from brodmann import UserError
from brodmann.analysis.encoding import BandedRidgeCV, NestedRidgeCV, PLSEncoding, SparseEncoding
from brodmann.analysis.encoding.banded import draw_weightings
from brodmann.analysis.encoding.cross_validation import Splitter, nested_folds
from brodmann.analysis.encoding.nested_ridge import ALPHAS, held_out_r, nested_ridge
from brodmann.analysis.encoding.sparse import sparse_encoding
from brodmann.correlation import pearson
from brodmann.source_digest import PACKAGE, imported_by

try:
    import himalaya
except ImportError:
    himalaya = None
needs_himalaya = pytest.mark.skipif(himalaya is None, reason="himalaya, the reference, is not installed")
ALL = [
    NestedRidgeCV(cv=3),
    BandedRidgeCV(n_draws=5, cv=3),
    SparseEncoding(sizes=(1, 2, 4), cv=3),
    PLSEncoding(n_components=4),
]


def problem(n=90, p=40, n_targets=5, noise=2.0, seed=0):
    rng = np.random.default_rng(seed)
    x = rng.normal(2, 1, size=(n, p)) * np.logspace(0, -1, p)
    return x, x @ rng.normal(size=(p, n_targets)) + noise * rng.normal(size=(n, n_targets)) + 3


@parametrize_with_checks([NestedRidgeCV(), SparseEncoding(), PLSEncoding(), BandedRidgeCV()])
def test_scikit_learns_checks(estimator, check):
    check(estimator)


@pytest.mark.parametrize(("n", "p"), [(90, 40), (60, 200), (60, 60)])
def test_nested_ridge_is_scikit_learns_ridge_at_the_alpha_of_a_plain_loop(n, p):
    x, y = problem(n, p)
    model = NestedRidgeCV(cv=KFold(4)).fit(x, y)

    def penalty(alpha, rows):
        centered = x[rows] - x[rows].mean(axis=0)
        return alpha * (centered**2).sum() / min(len(rows) - 1, p)

    errors = np.zeros((len(ALPHAS), y.shape[1]))
    for train, test in KFold(4).split(x):
        for i, alpha in enumerate(ALPHAS):
            plain = Ridge(penalty(alpha, train), solver="cholesky").fit(x[train], y[train])
            errors[i] += ((plain.predict(x[test]) - y[test]) ** 2).sum(axis=0)
    np.testing.assert_array_equal(model.alpha_, ALPHAS[errors.argmin(axis=0)])
    squares = sum(((y[b] - y[a].mean(axis=0)) ** 2).sum(axis=0) for a, b in KFold(4).split(x))
    np.testing.assert_allclose(model.cv_scores_, 1 - errors.min(axis=0) / squares, atol=1e-3)
    new = problem(30, p, seed=1)[0]
    for target, alpha in enumerate(model.alpha_):
        ridge = Ridge(penalty(alpha, np.arange(n)), solver="svd").fit(x, y[:, target])
        assert alpha * model.mean_eigenvalue_ == pytest.approx(ridge.alpha)
        np.testing.assert_allclose(model.predict(new)[:, target], ridge.predict(new), atol=1e-8)
        np.testing.assert_allclose(model.coef_[target], ridge.coef_, atol=1e-8)


@pytest.mark.parametrize("p", [20, 300])
def test_cross_validation_of_ridge_is_the_nested_engine(p):
    x, y = problem(80, p)
    groups = np.arange(80) // 4
    whole = NestedRidgeCV().cross_validate(x, y, groups)
    fits = list(nested_ridge(x, y, nested_folds(80, groups=groups)))
    for found, fit in zip(whole.predictions, fits, strict=True):
        np.testing.assert_array_equal(found, fit.prediction)
    np.testing.assert_array_equal(whole.r, held_out_r(fits, y))


@pytest.mark.parametrize("model", ALL)
@pytest.mark.parametrize("p", [12, 100])
def test_cross_validation_is_fitting_each_training_part_alone(model, p):
    x, y = problem(72, p)
    groups = np.repeat(np.arange(12), 6)
    cv = GroupKFold(3)
    whole = clone(model).cross_validate(x, y, groups, cv=cv)
    for (train, test), found, r in zip(cv.split(x, y, groups), whole.predictions, whole.r, strict=True):
        alone = clone(model).fit(x[train], y[train], groups[train])
        np.testing.assert_allclose(found, alone.predict(x[test]), atol=2e-4 * y.std())
        np.testing.assert_allclose(r, pearson(alone.predict(x[test]), y[test]), atol=1e-3)
        assert alone.score(x[test], y[test]) == pytest.approx(r.mean(), abs=1e-3)


@pytest.mark.parametrize("p", [30, 200])
def test_sparse_encoding_is_orthogonal_matching_pursuit(p):
    x, y = problem(80, p)
    model = SparseEncoding(sizes=(6,)).fit(x, y)
    length = np.linalg.norm(x - x.mean(axis=0), axis=0)
    weights = orthogonal_mp((x - x.mean(axis=0)) / length, y - y.mean(axis=0), n_nonzero_coefs=6)
    np.testing.assert_allclose(model.coef_.T, weights / length[:, None], atol=1e-8)
    np.testing.assert_array_equal(model.n_units_, 6)


def test_sparse_encoding_takes_the_number_of_units_that_predicts_best():
    rng = np.random.default_rng(0)
    x = rng.normal(size=(150, 60))
    y = np.stack([x[:, 3], x[:, :8].sum(axis=1)], axis=1) + 0.3 * rng.normal(size=(150, 2))
    model = SparseEncoding(cv=4).fit(x, y)
    curve = sparse_encoding(x, y, Splitter(n_splits=4, seed=2).split(150), sizes=model.sizes_)
    assert model.sizes_ == (1, 2, 4, 8, 16, 32)
    np.testing.assert_allclose(model.cv_scores_, curve.r)
    np.testing.assert_array_equal(model.n_units_, [1, 8])
    assert set(np.flatnonzero(model.coef_[1])) == set(range(8))


@pytest.mark.parametrize(("n", "p", "n_targets"), [(90, 40, 5), (60, 200, 5), (60, 20, 40), (60, 60, 1)])
def test_pls_is_what_scikit_learn_converges_to(n, p, n_targets):
    x, y = problem(n, p, n_targets)
    model = PLSEncoding(n_components=6).fit(x, y)
    theirs = PLSRegression(6, scale=False, tol=1e-14, max_iter=100_000).fit(x, y)
    np.testing.assert_allclose(model.coef_, theirs.coef_, atol=1e-6)
    new = problem(30, p, seed=1)[0]
    np.testing.assert_allclose(model.predict(new), theirs.predict(new).reshape(30, -1), atol=1e-5)


@pytest.mark.parametrize("p", [5, 300])
def test_pls_stops_at_what_the_features_carry(p):
    rng = np.random.default_rng(2)
    x = rng.normal(size=(80, 3)) @ rng.normal(size=(3, p))
    y = x[:, :2] @ rng.normal(size=(2, 4)) + 0.1 * rng.normal(size=(80, 4))
    centered = x - x.mean(axis=0)
    weights = np.linalg.lstsq(centered, y - y.mean(axis=0), rcond=1e-10)[0]
    np.testing.assert_allclose(
        PLSEncoding().fit(x, y).predict(x), centered @ weights + y.mean(axis=0), atol=1e-6
    )


@needs_himalaya
def test_banded_ridge_is_himalayas_random_search():
    from himalaya.kernel_ridge import MultipleKernelRidgeCV

    x, y = problem(80, 30, 4)
    y = (y - y.mean(axis=0)) / y.std(axis=0)
    new = problem(20, 30, seed=1)[0] - x.mean(axis=0)
    parts = {"a": slice(0, 10), "b": list(range(10, 30))}
    inner = Splitter(n_splits=3, seed=2).split(80)
    centered = x - x.mean(axis=0)
    scale = [np.square(centered[:, part]).sum() / 79 for part in parts.values()]

    def kernels(rows):
        return np.array(
            [rows[:, p] @ centered[:, p].T / s for p, s in zip(parts.values(), scale, strict=True)]
        )

    theirs = MultipleKernelRidgeCV(
        kernels="precomputed",
        solver="random_search",
        solver_params={"n_iter": draw_weightings(2, 10, 0), "alphas": ALPHAS, "progress_bar": False},
        cv=[(part.train, part.test) for part in inner],
    ).fit(kernels(centered), y)
    model = BandedRidgeCV(parts, n_draws=10, cv=3).fit(x, y)
    np.testing.assert_allclose(np.log(model.alpha_), -theirs.deltas_, atol=1e-6)
    np.testing.assert_allclose(model.predict(new + x.mean(axis=0)), theirs.predict(kernels(new)), atol=1e-6)
    np.testing.assert_allclose(model.cv_scores_, 1 + theirs.cv_scores_.max(axis=0), atol=1e-8)


def test_spaces_are_columns_by_place_or_by_name():
    x, y = problem(60, 6, 2)
    frame = pd.DataFrame(x, columns=list("abcdef"))
    named = BandedRidgeCV({"one": ["a", "c"], "other": ["f"]}, n_draws=4).fit(frame, y)
    placed = BandedRidgeCV({"one": [0, 2], "other": slice(5, 6)}, n_draws=4).fit(x, y)
    np.testing.assert_array_equal(named.coef_, placed.coef_)
    assert list(named.feature_names_in_) == list("abcdef")
    assert (named.coef_[:, [1, 3, 4]] == 0).all()
    assert (named.coef_[:, [0, 2, 5]] != 0).all()
    assert named.alpha_.shape == (2, 2)
    for spaces, message in (
        ({"one": ["z"]}, "names columns that X has not: .'z'"),
        ({"one": [6]}, "does not fit X with 6 columns"),
        ({"one": slice(6, 9)}, "holds no column"),
        ({}, "no feature space"),
    ):
        with pytest.raises(UserError, match=message):
            BandedRidgeCV(spaces).fit(frame, y)


def test_the_order_of_features_in_memory_changes_no_digit():
    x, y = problem(60, 6, 2)
    turned = np.asfortranarray(x)
    for model in (NestedRidgeCV(), PLSEncoding()):
        rows, columns = clone(model).fit(x, y), clone(model).fit(turned, y)
        np.testing.assert_array_equal(rows.coef_, columns.coef_)
        np.testing.assert_array_equal(rows.predict(x), columns.predict(turned))


def test_banded_ridge_needs_no_himalaya(monkeypatch):
    monkeypatch.setitem(sys.modules, "himalaya", None)
    monkeypatch.setitem(sys.modules, "himalaya.kernel_ridge", None)
    x, y = problem()
    assert BandedRidgeCV(n_draws=3).fit(x, y).score(x, y) > 0.3


@pytest.mark.parametrize("model", ALL)
def test_one_target_is_one_column_of_many(model):
    x, y = problem(60, 12)
    single, column = clone(model).fit(x, y[:, 0]), clone(model).fit(x, y[:, :1])
    assert single.predict(x).shape == (60,)
    assert single.coef_.shape == (12,)
    assert np.ndim(single.intercept_) == 0
    np.testing.assert_allclose(column.predict(x)[:, 0], single.predict(x))
    for name in ("alpha_", "cv_scores_", "n_units_"):
        if hasattr(column, name):
            np.testing.assert_allclose(getattr(column, name)[..., 0], getattr(single, name))
    assert single.score(x, y[:, 0]) == pytest.approx(np.corrcoef(single.predict(x), y[:, 0])[0, 1])


@pytest.mark.parametrize("model", ALL)
@pytest.mark.parametrize("p", [10, 120])
def test_a_constant_target_and_constant_features_are_predicted_by_the_mean(model, p):
    x, y = problem(60, p)
    y[:, 2] = 7.0
    x[:, 3] = 0.1
    fitted = clone(model).fit(x, y)
    np.testing.assert_allclose(fitted.predict(x)[:, 2], 7.0)
    assert np.isfinite(fitted.predict(x)).all()
    assert clone(model).cross_validate(x, y).r[:, 2].tolist() == [0] * 5
    flat = clone(model).fit(np.full((60, p), 0.1), y)
    np.testing.assert_allclose(flat.predict(x[:4]), np.tile(y.mean(axis=0), (4, 1)), atol=1e-8)


@pytest.mark.parametrize("model", ALL)
def test_in_a_pipeline_pickled_and_from_single_precision(model):
    x, y = problem(60, 15)
    pipeline = make_pipeline(StandardScaler(), clone(model)).fit(x, y)
    again = pickle.loads(pickle.dumps(pipeline))
    np.testing.assert_array_equal(again.predict(x), pipeline.predict(x))
    scaled = StandardScaler().fit_transform(x)
    np.testing.assert_array_equal(clone(model).fit(scaled, y).predict(scaled), pipeline.predict(x))
    single = clone(model).fit(x.astype(np.float32), y)
    np.testing.assert_allclose(single.predict(x), clone(model).fit(x, y).predict(x), atol=1e-3 * y.std())


def test_grid_search_chooses_the_components_that_predict_best():
    x, y = problem(90, 30)
    search = GridSearchCV(PLSEncoding(), {"n_components": [1, 3, 9]}, cv=3).fit(x, y)
    means = [PLSEncoding(k).cross_validate(x, y, cv=KFold(3)).r.mean() for k in (1, 3, 9)]
    np.testing.assert_allclose(search.cv_results_["mean_test_score"], means, atol=1e-6)
    assert search.best_params_["n_components"] == (1, 3, 9)[int(np.argmax(means))]


def test_groups_are_held_together_where_alphas_are_chosen():
    """Each story is recorded twice: only folds that hold both copies together see that nothing generalizes."""
    rng = np.random.default_rng(0)
    x, y = np.repeat(rng.normal(size=(40, 100)), 2, axis=0), np.repeat(rng.normal(size=(40, 8)), 2, axis=0)
    torn, whole = NestedRidgeCV().fit(x, y), NestedRidgeCV().fit(x, y, np.repeat(np.arange(40), 2))
    assert torn.cv_scores_.min() > 0.3 > 0.1 > whole.cv_scores_.max()
    assert (whole.alpha_ > torn.alpha_).all()
    whole_r = NestedRidgeCV().cross_validate(x, y, np.repeat(np.arange(40), 2)).r
    assert whole_r.mean() < 0.1 < NestedRidgeCV().cross_validate(x, y).r.mean()


@pytest.mark.parametrize(
    "cv", [3, Splitter(n_splits=3, seed=2), GroupKFold(3), GroupShuffleSplit(3, random_state=0)]
)
def test_folds_are_a_number_our_splitter_or_scikit_learns(cv):
    x, y = problem(60, 10)
    model = NestedRidgeCV(cv=cv).fit(x, y, np.arange(60) // 5)
    assert set(model.alpha_) <= set(ALPHAS)
    if isinstance(cv, Splitter):
        np.testing.assert_array_equal(model.alpha_, NestedRidgeCV(cv=3).fit(x, y, np.arange(60) // 5).alpha_)


def test_mistakes_are_one_line():
    x, y = problem(60, 10)
    with pytest.raises(UserError, match="shuffles tear groups apart"):
        NestedRidgeCV(cv=Splitter(kind="shuffles")).fit(x, y, np.arange(60))
    with pytest.raises(UserError, match="2 groups are too few for 5 folds"):
        NestedRidgeCV().fit(x, y, np.arange(60) % 2)
    with pytest.raises(UserError, match="are no penalties"):
        NestedRidgeCV(alphas=[-1.0]).fit(x, y)
    with pytest.raises(UserError, match="choose numbers of units from 1 to 10"):
        SparseEncoding(sizes=(20,)).fit(x, y)
    with pytest.raises(UserError, match="n_components is 0"):
        PLSEncoding(0).fit(x, y)
    for model in (NestedRidgeCV(), SparseEncoding(), PLSEncoding(), BandedRidgeCV()):
        with pytest.raises(ValueError, match="Input y contains NaN"):
            model.fit(x, np.where(y == y[3, 1], np.nan, y))
        with pytest.raises(ValueError, match="Input X contains NaN"):
            model.fit(np.where(x == x[3, 1], np.nan, x), y)
        with pytest.raises(ValueError, match="inconsistent numbers of samples"):
            model.fit(x, y[:-1])


def test_the_front_opens_without_scikit_learn_and_torch():
    code = (
        "import sys, brodmann.analysis.encoding as e; "
        "print({'sklearn', 'torch'} & set(sys.modules), 'NestedRidgeCV' in dir(e))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["set()", "True"]


def test_no_metrics_key_hangs_on_the_estimators():
    metrics = [f"bench.metrics.{path.stem}" for path in (PACKAGE / "bench" / "metrics").glob("[!_]*.py")]
    reached = imported_by(metrics)
    assert "analysis.encoding.nested_ridge" in reached
    assert not {"analysis.encoding.estimators", "analysis.encoding.encoding_model"} & reached
