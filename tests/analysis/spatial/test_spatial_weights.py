"""Spatial weights: libpysal's, made once, locked, with the units named that have no neighbour."""

from dataclasses import FrozenInstanceError

import esda
import libpysal
import numpy as np
import pytest
from scipy import sparse

from brodmann.analysis import (
    SpatialWeights,
    correlation_by_distance,
    gearys_c,
    layout_null,
    local_morans_i,
    morans_i,
    morans_i_of_maps,
    patches,
    smooth,
    smoothness,
)
from brodmann.analysis.spatial import spatial_weights
from brodmann.errors import UserError
from brodmann.models import grid_sheet

SHEET = grid_sheet("l", 63, shape=(7, 9))
SCATTERED = np.random.default_rng(0).uniform(0, 10, (70, 2))


def libpysals(kernel):
    """The same neighbours by libpysal, with the places and the reach."""
    if kernel in ("queen", "rook"):
        return libpysal.weights.lat2W(7, 9, rook=kernel == "rook"), SHEET, None
    if kernel == "nearest":
        return libpysal.weights.KNN(SCATTERED, k=5), SCATTERED, 5
    return libpysal.weights.DistanceBand(SCATTERED, 2.2, silence_warnings=True), SCATTERED, 2.2


@pytest.mark.parametrize("standardized", [True, False])
@pytest.mark.parametrize("kernel", ["queen", "rook", "nearest", "band"])
def test_the_weights_are_libpysals(kernel, standardized):
    peer, places, reach = libpysals(kernel)
    peer.transform = "r" if standardized else "b"
    ours = SpatialWeights.from_positions(places, kernel, reach=reach, standardized=standardized)
    np.testing.assert_allclose(ours.matrix.toarray(), peer.sparse.toarray(), rtol=1e-14)
    np.testing.assert_allclose([ours.s0, ours.s1, ours.s2], [peer.s0, peer.s1, peer.s2], rtol=1e-12)
    assert (len(ours), ours.matrix.nnz) == (peer.n, peer.nonzero)


def test_forms_of_the_matrix_are_those_that_the_statistics_need():
    weights = SpatialWeights.from_positions(SCATTERED, "nearest", reach=3)  # not mutual, so not symmetric
    w, z = weights.matrix.toarray(), np.random.default_rng(1).normal(size=70)
    assert not np.array_equal(w, w.T)
    assert z @ (weights.pairs @ z) == pytest.approx(z @ w @ z)
    assert z @ (weights.laplacian @ z) == pytest.approx((w * (z[:, None] - z) ** 2).sum())
    np.testing.assert_allclose(weights.symmetric.toarray(), w + w.T)


def test_units_without_a_neighbour_are_named():
    places = np.array([[0, 0], [9, 9], [1, 0], [5, 5], [0, 1.0]])
    with pytest.raises(UserError, match="2 of 5 units have no neighbour .first: unit 1.: leave them out"):
        SpatialWeights.from_positions(places, "band", reach=1.5)
    weights = SpatialWeights.from_positions(places, "band", reach=1.5, isolates="keep")
    peer = libpysal.weights.DistanceBand(places, 1.5, silence_warnings=True)
    assert weights.isolates.tolist() == sorted(peer.islands) == [1, 3]
    assert repr(weights) == "SpatialWeights(5 units, band 1.5, standardized, 6 links, 2 isolates)"
    assert morans_i(np.arange(5.0), weights, permutations=0).n_isolates == 2
    with pytest.raises(UserError, match="isolates are 'refuse' or 'keep', not 'drop'"):
        SpatialWeights.from_positions(places, "band", reach=1.5, isolates="drop")


def test_nothing_of_them_can_be_changed():
    places = SCATTERED.copy()
    weights = SpatialWeights.from_positions(places, "nearest", reach=3)
    values = np.random.default_rng(0).normal(size=70)
    before = morans_i(values, weights, permutations=9)
    with pytest.raises(FrozenInstanceError):
        weights.reach = 4
    for locked in (weights.matrix.data, weights.matrix.indices, weights.matrix.indptr, weights.places):
        with pytest.raises(ValueError, match="read-only"):
            locked[0] = 0
    places[:] = 0  # the weights hold positions of their own
    own = sparse.csr_array(weights.matrix, copy=True)
    mine = SpatialWeights.from_positions(SCATTERED, own)
    own.data[:] = 0
    assert morans_i(values, weights, permutations=9) == before
    assert pytest.approx(before.I) == morans_i(values, mine, permutations=9).I


def test_every_statistic_takes_the_same_weights_and_makes_none(monkeypatch):
    weights = SpatialWeights.from_positions(SHEET)
    generator = np.random.default_rng(0)
    values, responses = generator.normal(size=63) + SHEET.positions[:, 0], generator.normal(size=(12, 63))

    def refuse(*arguments):
        raise AssertionError("neighbours were computed again")

    expected = morans_i(values, SHEET, "queen", permutations=19)
    areas = patches(values, SHEET, 4.0)
    monkeypatch.setattr(spatial_weights, "_neighbors", refuse)
    peer, _, _ = libpysals("queen")
    assert morans_i(values, weights, permutations=19) == expected
    assert morans_i(values, SHEET, weights, permutations=19) == expected
    assert morans_i_of_maps(values[None], weights, 19)["I"][0] == expected.I
    assert pytest.approx(esda.Geary(values, peer, permutations=0).C) == gearys_c(values, weights, 9).C
    peer.transform = "r"
    local = esda.Moran_Local(values, peer, permutations=0).Is
    np.testing.assert_allclose(local_morans_i(values, weights, 9)["I"], local)
    assert patches(values, weights, 4.0).drop(columns="units").equals(areas.drop(columns="units"))
    assert smoothness(values, weights) == smoothness(values, SHEET)
    assert layout_null(np.max, values, weights, fwhm=1.0, permutations=9).fwhm == 1.0
    np.testing.assert_array_equal(smooth(values, weights, 2.0), smooth(values, SHEET, 2.0))
    found, known = (correlation_by_distance(responses, one, n_bootstraps=0) for one in (weights, SHEET))
    np.testing.assert_array_equal(found.curve.value, known.curve.value)


def test_a_torus_stays_one_in_the_weights():
    torus = grid_sheet("l", 36, shape=(6, 6), periodic=True)
    weights = SpatialWeights.from_positions(torus)
    assert repr(weights) == "SpatialWeights(36 units, queen, torus, standardized, 288 links, 0 isolates)"
    across = np.zeros(36)
    across[[0, 5]] = 1  # first and last of a row
    assert patches(across, weights, 0.5)["n_units"].tolist() == [2]
    assert smooth(across, weights, 2.0)[0] == pytest.approx(smooth(across, torus, 2.0)[0])


@pytest.mark.parametrize(
    ("matrix", "message"),
    [
        (sparse.eye_array(63).tocsr(), "a unit is its own neighbour"),
        (sparse.csr_array((63, 63)), "the weights are all 0"),
        (sparse.csr_array(np.ones((4, 4))), r"weights of shape \(4, 4\) do not fit 63 positions"),
    ],
)
def test_mistakes_in_weights_of_ones_own(matrix, message):
    with pytest.raises(UserError, match=message):
        SpatialWeights.from_positions(SHEET, matrix)


def test_of_two_at_the_same_distance_the_first_is_a_neighbour_and_the_nearer_one_in_any_case():
    places = np.array([[0.0, 0.0], [1.0, 0.0], [0.0, 1.0], [0.57, 0.57], [9.0, 9.0], [9.0, 8.0], [8.0, 9.0]])
    matrix = SpatialWeights.from_positions(places, "nearest", reach=2, standardized=False).matrix.toarray()
    assert np.flatnonzero(matrix[0]).tolist() == [1, 3]
    assert np.flatnonzero(matrix[4]).tolist() == [5, 6]
    assert (matrix.sum(axis=1) == 2).all()


def test_of_neighbours_at_the_same_distance_the_first_is_taken_after_those_that_are_nearer():
    """From (0, 0): (2, 2) is nearest, (3, 4) and (5, 0) are both 5 away."""
    places = np.array([[0.0, 0], [3, 4], [5, 0], [2, 2]])
    found = SpatialWeights.from_positions(places, "nearest", reach=2, standardized=False).matrix.toarray()
    assert np.flatnonzero(found[0]).tolist() == [1, 3]
    swapped = SpatialWeights.from_positions(
        places[[0, 2, 1, 3]], "nearest", reach=2, standardized=False
    ).matrix
    assert np.flatnonzero(swapped.toarray()[0]).tolist() == [1, 3]


def test_one_nearest_neighbour_is_enough_and_none_is_refused():
    places = np.array([[0.0, 0], [1, 0], [5, 0]])
    found = SpatialWeights.from_positions(places, "nearest", reach=1, standardized=False).matrix.toarray()
    assert found.tolist() == [[0, 1, 0], [1, 0, 0], [0, 1, 0]]
    for reach in (0, 3):
        with pytest.raises(UserError, match=f"{reach} nearest neighbours cannot be found among 3 units"):
            SpatialWeights.from_positions(places, "nearest", reach=reach)
