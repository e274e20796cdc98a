"""Topics: planted clusters are found, labels dealt anew give uniform p, clusters on a sheet lie together or not."""

import numpy as np
import pytest
from scipy.stats import kstest
from sklearn.decomposition import NMF
from sklearn.metrics import adjusted_rand_score

from brodmann import UserError
from brodmann.analysis.interpretability.lenses.topics import (
    cluster_contiguity,
    nonnegative_parts,
    number_of_parts,
    scaled_rows,
    topic_enrichment,
    ward_clusters,
)
from brodmann.analysis.spatial.spatial_weights import SpatialWeights
from brodmann.models.sheet import grid_sheet

TOPICS = np.repeat(["animals", "music", "trade"], 40)


def planted(strength=3.0, seed=0, sizes=(20, 15, 10)):
    """Units of three kinds, each with more importance for the texts of its topic."""
    generator = np.random.default_rng(seed)
    kind = np.repeat(np.arange(3), sizes)
    importance = generator.gamma(2.0, size=(len(kind), len(TOPICS)))
    topic = np.unique(TOPICS, return_inverse=True)[1]
    importance[kind[:, None] == topic] *= strength
    return importance * generator.uniform(0.1, 10, (len(kind), 1)), kind


def test_rows_are_shares():
    shares = scaled_rows([[1, 3], [0, 0], [2, 2]])
    np.testing.assert_allclose(shares, [[0.25, 0.75], [0, 0], [0.5, 0.5]])
    with pytest.raises(UserError, match="at least 0"):
        scaled_rows([[1, -1]])


def test_planted_clusters_are_found_by_both_ways_with_their_topics():
    importance, kind = planted()
    shares = scaled_rows(importance)
    number, errors = number_of_parts(shares, 6)
    assert number == 3
    assert errors[3] < min(errors[1], errors[2])
    for clusters in (ward_clusters(shares, 3), nonnegative_parts(shares, 3).clusters):
        assert adjusted_rand_score(kind, clusters) > 0.9
        table = topic_enrichment(shares, clusters, TOPICS)
        found = table[table["q"] < 0.01]
        assert found["topic"].tolist() == ["animals", "music", "trade"]  # clusters are numbered by size
        assert found["cluster"].tolist() == [0, 1, 2]
        assert (found["log_odds"] > 1).all()
        assert (found["fisher_p"] < 0.01).all()
        assert (table.drop(found.index)["p"] > 0.5).all()


def test_labels_dealt_anew_give_uniform_p():
    shares = scaled_rows(planted()[0])
    clusters = ward_clusters(shares, 3)
    generator = np.random.default_rng(1)
    p = [
        topic_enrichment(shares, clusters, generator.permutation(TOPICS), draws=99, seed=draw)["p"].iloc[0]
        for draw in range(200)
    ]
    assert kstest(np.array(p) - np.random.default_rng(2).uniform(0, 0.01, 200), "uniform").pvalue > 0.01
    q = topic_enrichment(shares, clusters, generator.permutation(TOPICS))["q"]
    assert (q > 0.05).all()


def test_a_nuisance_that_goes_with_the_topic_is_no_enrichment_within_its_blocks():
    """Importance grows with length; one topic has more of the long texts."""
    generator = np.random.default_rng(3)
    topic = np.repeat(["a", "b"], 100)
    long = np.where(topic == "a", generator.random(200) < 0.8, generator.random(200) < 0.2)
    importance = generator.gamma(2.0, size=(20, 200)) * (1 + 2 * long)
    clusters = np.repeat([0, 1], 10)
    importance[10:] = generator.gamma(2.0, size=(10, 200))
    free = topic_enrichment(scaled_rows(importance), clusters, topic)
    held = topic_enrichment(scaled_rows(importance), clusters, topic, blocks=long)
    assert free["p"].iloc[0] < 0.01
    assert held["p"].iloc[0] > 0.05
    assert held["expected"].iloc[0] > 0


def test_parts_are_as_good_as_those_of_a_reference():
    shares = scaled_rows(planted()[0])
    own = nonnegative_parts(shares, 3, steps=500)
    made = NMF(3, init="nndsvda", solver="mu", max_iter=500, random_state=0, tol=0)
    left = made.fit_transform(shares)
    theirs = ((shares - left @ made.components_) ** 2).sum() / (shares**2).sum()
    assert own.error < 1.02 * theirs
    np.testing.assert_allclose(own.profiles.sum(axis=1), 1)
    np.testing.assert_allclose(
        ((shares - own.loadings @ own.profiles) ** 2).sum() / (shares**2).sum(), own.error, rtol=1e-9
    )


def test_entries_outside_the_mask_are_not_looked_at():
    shares = scaled_rows(planted()[0])
    mask = np.random.default_rng(0).random(shares.shape) > 0.2
    spoilt = np.where(mask, shares, 100.0)
    one, other = (nonnegative_parts(values, 3, mask=mask) for values in (shares, spoilt))
    np.testing.assert_allclose(one.profiles, other.profiles, rtol=1e-2)  # only the first guess differs


def test_halves_of_a_sheet_lie_together_and_dealt_units_do_not():
    weights = SpatialWeights.from_positions(grid_sheet("layer", 64))
    halves = (np.arange(64) % 8 >= 4).astype(int)
    table = cluster_contiguity(halves, weights, draws=199)
    assert (table["p"] == 1 / 200).all()
    by_hand = sum(
        halves[8 * r + c] == halves[8 * (r + dr) + c + dc] == 0
        for r in range(8)
        for c in range(8)
        for dr, dc in ((0, 1), (1, 0), (1, 1), (1, -1))
        if 0 <= c + dc < 8 and r + dr < 8
    )
    assert table["joins"].iloc[0] == by_hand
    pairs = 210  # of queens' neighbours on a grid of 8 x 8
    assert table["expected"].iloc[0] == pytest.approx(pairs * (32 * 31) / (64 * 63), rel=0.05)


def test_under_the_null_contiguity_has_uniform_p():
    weights = SpatialWeights.from_positions(grid_sheet("layer", 100))
    generator = np.random.default_rng(0)
    p = [
        cluster_contiguity(generator.permutation(np.arange(100) % 3), weights, draws=99, seed=draw).attrs["p"]
        for draw in range(200)
    ]
    assert kstest(np.array(p) - np.random.default_rng(2).uniform(0, 0.01, 200), "uniform").pvalue > 0.01


def test_what_does_not_fit_is_one_line():
    shares = scaled_rows(planted()[0])
    with pytest.raises(UserError, match="45 units make 2 to 45 clusters"):
        ward_clusters(shares, 1)
    with pytest.raises(UserError, match="1 to 45 parts"):
        nonnegative_parts(shares, 46)
    with pytest.raises(UserError, match="do not fit"):
        topic_enrichment(shares, np.zeros(3), TOPICS)
    with pytest.raises(UserError, match="one topic"):
        topic_enrichment(shares, np.zeros(45), np.full(120, "a"))
    with pytest.raises(UserError, match="do not fit 64 places"):
        cluster_contiguity(np.zeros(3), SpatialWeights.from_positions(grid_sheet("layer", 64)))
