"""The search over weightings of kernels beside himalaya's: the same choices, scores and weights."""

import numpy as np
import pytest

from brodmann.analysis.encoding import weighting_search
from brodmann.analysis.encoding.band_kernels import FEW, Bands, Choice, inverses
from brodmann.analysis.encoding.banded import draw_weightings
from brodmann.analysis.encoding.cross_validation import Splitter
from brodmann.analysis.encoding.low_rank_bands import LowRankSearch, Nodes, _Small
from brodmann.analysis.encoding.nested_ridge import ALPHAS
from brodmann.analysis.encoding.weighting_search import refit, search


def problem(n, sizes, n_targets, *, slope=0.5, smooth=0.0, nested=False, shares=(0.0, 0.3, 1.0), seed=0):
    """Spaces whose features fall off in size, and targets that hold other shares of each."""
    rng = np.random.default_rng(seed)

    def draws(width):
        noise = rng.normal(size=(n, width))
        for row in range(1, n):  # samples that depend on their neighbours
            noise[row] += smooth * noise[row - 1]
        return noise

    spaces = []
    for size in sizes:
        x = draws(size) * np.arange(1, size + 1) ** -slope
        if nested and spaces:
            x = spaces[0][:, :size] + 1e-3 * x
        x -= x.mean(axis=0)
        spaces.append(x * np.sqrt((n - 1) / (x**2).sum()))
    y = 1.5 * draws(n_targets)
    for x in spaces:
        y += x @ rng.normal(size=(x.shape[1], n_targets)) * rng.choice(shares, n_targets)
    y -= y.mean(axis=0)
    return spaces, y / y.std(axis=0)


def bands_of(spaces, large):
    kernels = tuple(x @ x.T if i in large else None for i, x in enumerate(spaces))
    return Bands(kernels, tuple(None if i in large else x for i, x in enumerate(spaces)))


def himalayas(spaces, y, inner, weightings):
    pytest.importorskip("himalaya")
    from himalaya.backend import get_backend, set_backend
    from himalaya.kernel_ridge import solve_multiple_kernel_ridge_random_search as random_search

    before = get_backend().name
    set_backend("numpy")
    try:
        return random_search(
            np.array([x @ x.T for x in spaces]), y, n_iter=weightings, alphas=ALPHAS,
            cv=[(part.train, part.test) for part in inner], return_weights="dual", progress_bar=False,
        )  # fmt: skip
    finally:
        set_backend(before)


def mixtures(bands, y, inner, weightings):
    choice = Choice(y.shape[1], ALPHAS)
    weighting_search._search_mixtures(bands, y, inner, weightings, ALPHAS, choice)
    return choice


def low_rank(bands, y, inner, weightings):
    choice = Choice(y.shape[1], ALPHAS)
    LowRankSearch(_Small.of(bands), inner, weightings, ALPHAS).search(y, choice)
    return choice


PROBLEMS = {
    "one large space": {"sizes": (120, 6, 3), "large": (0,)},
    "few features everywhere": {"sizes": (20, 5, 3), "large": ()},
    "a spectrum that falls steeply": {"sizes": (120, 8, 4), "large": (0,), "slope": 1.5},
    "features within another space": {"sizes": (120, 6, 3), "large": (0,), "nested": True},
    "neighbours alike": {"sizes": (120, 6), "large": (0,), "smooth": 0.9},
    "the large space is not the first": {"sizes": (4, 120), "large": (1,)},
    "signal in one space": {"sizes": (120, 6), "large": (0,), "shares": (1.0, 0.0)},
}


@pytest.mark.parametrize("n_targets", [6, 60])
@pytest.mark.parametrize("way", [mixtures, low_rank])
@pytest.mark.parametrize("name", PROBLEMS)
def test_choices_scores_and_weights_are_himalayas(name, way, n_targets):
    given = dict(PROBLEMS[name])
    large = given.pop("large")
    spaces, y = problem(90, n_targets=n_targets, **given)
    inner = Splitter(n_splits=4, seed=2).split(90)
    weightings = draw_weightings(len(spaces), 12, 0)
    bands = bands_of(spaces, large)
    choice = way(bands, y, inner, weightings)
    deltas, dual, scores = himalayas(spaces, y, inner, weightings)
    few = n_targets <= FEW
    np.testing.assert_allclose(choice.score, scores.max(axis=0), atol=1e-9 if few else 3e-6)
    ours = refit(bands, y, choice, weightings, ALPHAS)
    mine = np.log(weightings[choice.weighting].T / ALPHAS[choice.penalty])
    if few:
        np.testing.assert_allclose(mine, deltas, atol=1e-6)
        np.testing.assert_allclose(ours, dual, atol=1e-7)
    same = (np.abs(mine - deltas) < 1e-6).all(axis=0)
    assert same.mean() > 0.95  # in single precision what is equal to six digits may be taken for the other
    np.testing.assert_allclose(ours[:, same], dual[:, same], atol=1e-7)


def test_uneven_splits_are_averaged_as_they_are():
    """Every split counts alike, however many rows it holds."""
    spaces, y = problem(60, (70, 3), 5)
    cuts = np.split(np.arange(60), [5, 25])
    inner = [type(Splitter(n_splits=2).split(60)[0])(np.setdiff1d(np.arange(60), cut), cut) for cut in cuts]
    weightings = draw_weightings(2, 8, 0)
    deltas, _, scores = himalayas(spaces, y, inner, weightings)
    for way in (mixtures, low_rank):
        choice = way(bands_of(spaces, (0,)), y, inner, weightings)
        np.testing.assert_allclose(choice.score, scores.max(axis=0), atol=1e-9)
        np.testing.assert_allclose(
            np.log(weightings[choice.weighting].T / ALPHAS[choice.penalty]), deltas, atol=1e-6
        )


def test_of_equal_scores_the_larger_penalty_and_the_earlier_weighting_win():
    spaces, y = problem(40, (50, 3), 3)
    inner = Splitter(n_splits=2).split(40)
    weightings = np.array([[0.5, 0.5], [0.5, 0.5]])
    for way in (mixtures, low_rank):
        choice = way(bands_of(spaces, (0,)), 0 * y, inner, weightings)
        assert choice.weighting.tolist() == [0, 0, 0]
        assert choice.penalty.tolist() == [len(ALPHAS) - 1] * 3
        assert (way(bands_of(spaces, (0,)), y, inner, weightings).weighting == 0).all()


def test_the_cheaper_way_is_taken():
    spaces, y = problem(60, (70, 3), 4)
    inner, weightings = Splitter(n_splits=3).split(60), draw_weightings(2, 8, 0)

    def taken(large):
        return LowRankSearch.of(bands_of(spaces, large), 4, inner, weightings, ALPHAS)

    assert taken((0,)) is not None
    assert taken((0, 1)) is None  # two kernels of many features have no solution in common
    one, other = (search(bands_of(spaces, large), y, inner, weightings, ALPHAS) for large in ((0,), (0, 1)))
    np.testing.assert_allclose(one.score, other.score, atol=1e-9)


@pytest.mark.parametrize("wide", [False, True])
def test_what_lies_between_nodes_follows_from_them(wide):
    import torch

    wanted = np.geomspace(1e-5, 3e10 if wide else 10, 300)
    spectrum = np.concatenate([[0], np.geomspace(1e-8, 400, 60)])
    for kind, tolerance in ((torch.float32, 3e-7), (torch.float64, 1e-11)):
        nodes = Nodes.of(wanted, 400.0, kind)
        exact = wanted / (spectrum[:, None] + wanted)
        at_nodes = nodes.penalties / (spectrum[:, None] + nodes.penalties)
        assert np.abs(at_nodes @ nodes.relative.T / exact - 1).max() < tolerance
        products = (1 - at_nodes)[:, None] * (1 - at_nodes)
        wished = (1 - exact)[:, None] * (1 - exact)
        assert np.abs(products @ nodes.weights.T - wished).max() < tolerance
        assert np.abs(nodes.weights).sum(axis=1).max() < 20


def test_few_functions_stand_for_all_penalties():
    values = np.sort(np.concatenate([np.zeros(3), 400 / np.arange(1, 200.0)]))
    functions, weights = inverses(values, ALPHAS, 1e-6)
    assert functions.shape[1] < 16
    exact = values[:, None] / (values[:, None] + ALPHAS)
    error = np.abs(values[:, None] * (functions @ weights.T) - exact)
    assert (error.max(axis=0) / exact.max(axis=0)).max() < 2e-6
    nothing, weights = inverses(np.zeros(5), ALPHAS, 1e-6)
    assert np.isfinite(nothing @ weights.T).all()
