"""Moran's I of many maps with permuted layouts, beside esda."""

import numpy as np
import pytest
from harness import Work, compare
from scipy.ndimage import gaussian_filter

from brodmann.analysis import SpatialWeights, local_morans_i, morans_i_of_maps
from brodmann.models import grid_sheet

pytestmark = pytest.mark.perf
SHARE = 0.1


def queen():
    return SpatialWeights.from_positions(grid_sheet("l", 784))


def maps():
    import esda
    import libpysal

    noise = np.random.default_rng(0).normal(size=(500, 28, 28))
    weights = libpysal.weights.lat2W(28, 28, rook=False)
    weights.transform = "r"
    found = gaussian_filter(noise, (0, 0.5, 0.5)).reshape(500, -1)
    esda.Moran(found[0], weights)  # what compiles itself has been compiled
    esda.Moran_Local(found[0], weights, permutations=9)
    morans_i_of_maps(found[:2], queen(), permutations=9)
    return found, weights


def ours(data):
    return morans_i_of_maps(data[0], queen())[["I", "null_mean", "null_sd"]].to_numpy()


def theirs(data):
    import esda

    found = [esda.Moran(one, data[1], permutations=999) for one in data[0][: round(SHARE * 500)]]
    return np.array([[one.I, one.EI_sim, one.seI_sim] for one in found])


def first_column(a, b):
    return float(np.abs(a[: len(b), 0] - b[:, 0]).max())


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_500_maps_with_999_permutations_against_esda(table):
    row = compare(
        Work(
            "Moran's I of 500 maps of 28 x 28, 999 permuted layouts",
            "esda",
            maps,
            ours,
            theirs,
            goal=8.0,
            share=SHARE,
            agreement=first_column,
        )
    )
    table(row)
    assert row.difference < 1e-10


def ours_local(data):
    return local_morans_i(data[0][0], queen())["I"].to_numpy()


def theirs_local(data):
    import esda

    return esda.Moran_Local(data[0][0], data[1], permutations=999).Is


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_the_local_form_against_esda(table):
    row = compare(
        Work(
            "local Moran's I of 784 units, 999 permutations", "esda", maps, ours_local, theirs_local, goal=1.0
        )
    )
    table(row)
    assert row.difference < 1e-10
