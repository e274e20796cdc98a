"""Two bands of ridge regression against normal equations written out, at every weighting and penalty."""

import numpy as np
import pytest

from brodmann.analysis.encoding.cross_validation import Splitter, nested_folds
from brodmann.analysis.encoding.nested_ridge import ALPHAS, NestedRidge, Targets
from brodmann.analysis.encoding.pooled import PooledFolds
from brodmann.analysis.encoding.two_bands import SHARES, Band, first_part, joint_fits, joint_without

N, N_TARGETS = 60, 7


@pytest.fixture(params=[(3, 8), (3, 90), (90, 8), (70, 80)], ids=str)
def world(request):
    draw = np.random.default_rng(0)
    first, second = (draw.normal(size=(N, k)) * draw.uniform(0.1, 10) + 3 for k in request.param)
    targets = (
        first[:, :3] @ draw.normal(size=(3, N_TARGETS)) / first.std()
        + second[:, :3] @ draw.normal(size=(3, N_TARGETS)) / second.std()
        + draw.normal(size=(N, N_TARGETS))
    )
    return first, second, targets


def fitted(first, second, targets):
    folds = nested_folds(N, outer=Splitter(4), inner=Splitter(3, seed=2))
    columns, bands = Targets(targets), (Band([first]), Band([second]))
    alone = [NestedRidge(bands[0].prepared(), folds).fit(fold, columns) for fold in folds]
    return folds, alone, joint_fits(bands[1], bands[0], alone, folds, columns, alphas=ALPHAS)


def scaled(features):
    centered = features - features.mean(axis=0)
    return centered / np.sqrt((centered**2).sum() / len(centered))


def ridge(features, targets, train, test, alpha, rank):
    x, y = features[train] - features[train].mean(axis=0), targets[train] - targets[train].mean(axis=0)
    penalty = alpha * np.trace(x @ x.T) / rank
    weights = x.T @ np.linalg.solve(x @ x.T + penalty * np.eye(len(x)), y)
    return (features[test] - features[train].mean(axis=0)) @ weights + targets[train].mean(axis=0)


def written_out(first, second, targets, fold, share):
    """Inner errors and held-out predictions at every penalty, of one weighting."""
    parts = [np.sqrt(share) * scaled(first), np.sqrt(1 - share) * scaled(second)]
    features = np.hstack([part for part, weight in zip(parts, (share, 1 - share), strict=True) if weight])
    errors = np.zeros((len(ALPHAS), N_TARGETS))
    for part in fold.parts():
        rank = min(len(part.train) - 1, features.shape[1])
        for i, alpha in enumerate(ALPHAS):
            found = ridge(features, targets, part.train, part.test, alpha, rank)
            errors[i] += ((targets[part.test] - found) ** 2).sum(axis=0)
    rank = min(len(fold.split.train) - 1, features.shape[1])
    return errors, [
        ridge(features, targets, fold.split.train, fold.split.test, alpha, rank) for alpha in ALPHAS
    ]


def test_the_weighting_and_the_penalty_of_least_inner_error_are_chosen(world):
    folds, _, joint = fitted(*world)
    for fold, found in zip(folds[:2], joint, strict=False):
        shares = [1.0, *SHARES]
        errors, predictions = zip(*(written_out(*world, fold, share) for share in shares), strict=True)
        errors = np.array(errors)
        best = errors.reshape(-1, N_TARGETS).argmin(axis=0)
        for target, place in enumerate(best):
            share, alpha = np.unravel_index(place, errors.shape[:2])
            ours = errors[shares.index(found.share[target]), list(ALPHAS).index(found.alpha[target]), target]
            assert ours == pytest.approx(errors[share, alpha, target], rel=1e-4)
            expected = predictions[shares.index(found.share[target])][list(ALPHAS).index(found.alpha[target])]
            np.testing.assert_allclose(found.prediction[:, target], expected[:, target], atol=2e-3)


def test_parts_add_up_to_the_prediction_and_product_scores_to_r2(world):
    first, second, targets = world
    folds, _, joint = fitted(*world)
    everything = np.arange(N_TARGETS)
    turned = [Band([second]), Band([first])]
    ours, others = [], []
    for fold, one in zip(folds, joint, strict=True):
        ours.append(first_part(one, one.parts(everything), targets))
        mirror = type(one)(one.split, *turned, 1 - one.share, one.alpha, one.inner_score, one.prediction)
        others.append(first_part(mirror, mirror.parts(everything), targets))
        whole = ours[-1] + others[-1] + targets[fold.split.train].mean(axis=0)
        np.testing.assert_allclose(whole, one.prediction, atol=2e-3)
    pooled = PooledFolds([fold.split.test for fold in folds], targets)
    predictions = [one.prediction for one in joint]
    scores = [pooled.product_score(parts, predictions) for parts in (ours, others)]
    np.testing.assert_allclose(sum(scores), pooled.r2(predictions), atol=1e-3)


def test_r2_is_one_less_errors_over_squares_within_folds(world):
    _, _, targets = world
    folds, alone, _ = fitted(*world)
    weights = np.random.default_rng(1).integers(0, 3, N).astype(float)
    pooled = PooledFolds([fold.split.test for fold in folds], targets, weights)
    errors = squares = 0.0
    for one in alone:
        w = weights[one.split.test][:, None]
        y, p = targets[one.split.test], one.prediction
        y, p = y - (w * y).sum(axis=0) / w.sum(), p - (w * p).sum(axis=0) / w.sum()
        errors, squares = errors + (w * (y - p) ** 2).sum(axis=0), squares + (w * y**2).sum(axis=0)
    np.testing.assert_allclose(pooled.r2([one.prediction for one in alone]), 1 - errors / squares)
    draws = [(one.prediction[:, None], targets[one.split.test][:, None]) for one in alone]
    np.testing.assert_allclose(pooled.r2_of_draws(draws)[0], 1 - errors / squares)


def test_targets_of_several_weightings_are_left_out_together(world):
    """A group that holds no training row changes nothing; another moves every target by its own fit."""
    _, _, targets = world
    _, _, joint = fitted(*world)
    one = joint[0]
    groups = np.zeros(N, int)
    groups[one.split.test] = 1
    groups[one.split.train[:10]] = 2
    _, untouched, moved = joint_without(one.parts(np.arange(N_TARGETS)), targets, groups)
    np.testing.assert_array_equal(untouched, one.prediction)
    assert (np.abs(moved - one.prediction).max(axis=0) > 0).all()


def test_spaces_of_a_band_weigh_alike_whatever_their_width_and_units():
    draw = np.random.default_rng(2)
    narrow, wide = 1e3 * draw.normal(size=(N, 2)), 1e-3 * draw.normal(size=(N, 300))
    assert np.trace(Band([narrow]).gram) == pytest.approx(N)
    both = Band([narrow, wide]).gram
    np.testing.assert_allclose(both, (Band([narrow]).gram + Band([wide]).gram) / 2, atol=1e-9)
