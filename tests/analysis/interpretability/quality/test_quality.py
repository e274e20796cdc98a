"""Numbers of quality on rows whose answers are known."""

import json

import numpy as np
import pytest
import scipy.sparse
import torch

from brodmann.analysis.interpretability.codes import Weights
from brodmann.analysis.interpretability.dictionary import Dictionary
from brodmann.analysis.interpretability.quality import reconstruction as module
from brodmann.analysis.interpretability.quality.check import HeldOut, Other, check
from brodmann.analysis.interpretability.quality.controls import covariance, row_mean, untrained
from brodmann.analysis.interpretability.quality.firing import codes_of_rows, density, effective_number
from brodmann.analysis.interpretability.quality.matched_error import frontier
from brodmann.analysis.interpretability.quality.reconstruction import batches, reconstruction
from brodmann.analysis.interpretability.quality.splitting import absorption, splitting
from brodmann.errors import UserError


def _dictionary(decoder, k, *, mean=None, scale=1.0, encoder=None, facts=None):
    d = torch.as_tensor(np.asarray(decoder, np.float32))
    e = d.clone() if encoder is None else torch.as_tensor(np.asarray(encoder, np.float32))
    weights = Weights(e, d, torch.zeros(len(d)), torch.zeros(d.shape[1]), k)
    mean = torch.zeros(d.shape[1]) if mean is None else torch.as_tensor(np.asarray(mean, np.float32))
    return Dictionary(weights, mean, scale, "topk", facts=facts or {})


def _planted(seed, n=6000, n_features=60, d=30, p=0.04):
    """Sparse sums of unit directions; documents of 50 rows."""
    random = np.random.default_rng(seed)
    truth = random.standard_normal((n_features, d))
    truth /= np.linalg.norm(truth, axis=1, keepdims=True)
    codes = (random.random((n, n_features)) < p) * random.uniform(0.5, 1.5, (n, n_features))
    return truth, codes, (codes @ truth).astype(np.float32), np.arange(n) // 50


@pytest.mark.parametrize("size", [4096, 37])
def test_quality_is_numpys(size, monkeypatch):
    random = np.random.default_rng(1)
    x = (random.standard_normal((500, 12)) * 3 + 100).astype(np.float32)
    one = _dictionary(random.standard_normal((40, 12)) / 4, 5, mean=x.mean(axis=0), scale=2.0)
    monkeypatch.setattr(module, "batches", lambda rows: batches(rows, size))
    found = reconstruction(one, x)
    made, wide = one.reconstruct(x).double().numpy(), x.astype(np.float64)
    norm, made_norm = np.linalg.norm(wide, axis=1), np.linalg.norm(made, axis=1)
    inner = (wide * made).sum(axis=1)
    assert found.fvu == pytest.approx(
        ((wide - made) ** 2).sum() / ((wide - wide.mean(axis=0)) ** 2).sum(), rel=1e-9
    )
    assert found.l0 == pytest.approx((one.encode(x).dense() > 0).sum() / 500)
    assert found.l2_ratio == pytest.approx(made_norm.mean() / norm.mean(), rel=1e-9)
    assert found.cosine == pytest.approx((inner / norm / made_norm).mean(), rel=1e-9)
    assert found.bias == pytest.approx((made_norm**2).sum() / inner.sum(), rel=1e-9)
    assert found.n_rows == 500


def test_a_dictionary_that_gives_back_everything_leaves_nothing_and_one_of_the_mean_leaves_all():
    x = np.random.default_rng(2).standard_normal((300, 8)).astype(np.float32)
    both = np.concatenate([np.eye(8), -np.eye(8)])
    found = reconstruction(_dictionary(both, 16), x)
    assert found.fvu < 1e-12
    assert found.l0 == 8
    assert found.l2_ratio == pytest.approx(1)
    silent = _dictionary(both, 16, mean=x.mean(axis=0), encoder=np.zeros((16, 8)))
    assert reconstruction(silent, x).fvu == pytest.approx(1)
    half = reconstruction(_dictionary(both / 2, 16, encoder=both), x)
    assert half.fvu == pytest.approx(0.25 * (x**2).sum() / ((x - x.mean(axis=0)) ** 2).sum(), rel=1e-5)
    assert half.bias == pytest.approx(0.5)  # the best factor would be 2
    assert half.l2_ratio == pytest.approx(0.5)


@pytest.mark.parametrize("rows", [np.ones((1, 4)), np.ones((5, 4)), np.empty((0, 4))])
def test_rows_without_variance_are_refused(rows):
    with pytest.raises(UserError, match="at least 2 rows|the same"):
        reconstruction(_dictionary(np.eye(4), 2), rows.astype(np.float32))


def test_rows_that_are_not_finite_are_said_to_be_so():
    with pytest.raises(UserError, match="NaN or infinite"):
        reconstruction(_dictionary(np.eye(3), 1), np.full((5, 3), np.nan))


def test_density_counts_what_is_active():
    codes = np.zeros((1000, 6))
    codes[:, 0] = 1  # always
    codes[:150, 1] = 2
    codes[:10, 2] = 1
    codes[0, 3] = 5
    found = density(scipy.sparse.csr_matrix(codes))
    np.testing.assert_allclose(found.rate, [1, 0.15, 0.01, 0.001, 0, 0])
    assert (found.dead, found.rare, found.dense) == pytest.approx((2 / 6, 2 / 6, 2 / 6))
    assert found.counts.sum() == 4
    assert len(found.counts) == 50
    inside = [(found.edges[i], found.edges[i + 1]) for i in np.flatnonzero(found.counts)]
    for (low, high), rate in zip(inside, [0.001, 0.01, 0.15, 1], strict=True):
        assert low - 1e-9 <= np.log10(rate) <= high + 1e-9
    energy = (codes**2).sum(axis=0)
    share = energy[energy > 0] / energy.sum()
    assert found.effective == pytest.approx(np.exp(-(share * np.log(share)).sum()))


def test_effective_features_are_as_many_as_share_the_code():
    assert effective_number(np.ones(17)) == pytest.approx(17)
    assert effective_number([0, 3, 0]) == pytest.approx(1)
    assert np.isnan(effective_number(np.zeros(4)))


def test_codes_of_rows_are_those_of_each_row(monkeypatch):
    random = np.random.default_rng(3)
    one = _dictionary(random.standard_normal((30, 9)), 4)
    x = random.standard_normal((90, 9)).astype(np.float32)
    found = codes_of_rows(one, x)
    np.testing.assert_allclose(found.toarray(), one.encode(x).dense(), atol=1e-6)
    assert found.nnz == (one.encode(x).values > 0).sum()


def test_mean_and_covariance_are_numpys():
    x = (np.random.default_rng(4).standard_normal((20_000, 5)) + 1000).astype(np.float32)
    np.testing.assert_allclose(row_mean(x), x.astype(np.float64).mean(axis=0), rtol=1e-12)
    np.testing.assert_allclose(
        covariance(torch.from_numpy(x)), np.cov(x.astype(np.float64).T), rtol=1e-6, atol=1e-9
    )


def test_an_untrained_dictionary_has_the_width_scale_and_sparsity_of_the_learnt_one():
    one = _dictionary(np.eye(8)[[0, 1, 2] * 5], 3, mean=np.full(8, 2.0), scale=3.0)
    control = untrained(one, 2, random_state=1)
    x = np.random.default_rng(0).standard_normal((50, 8)).astype(np.float32)
    assert (control.n_features, control.scale, control.weights.k) == (15, 3.0, 2)
    assert int((control.encode(x).values > 0).sum(dim=1).max()) == 2
    assert (
        control.digest == untrained(one, 2, random_state=1).digest != untrained(one, 2, random_state=2).digest
    )


def test_l0_at_equal_error_lies_between_the_dictionaries():
    """log L0 falls as a line in log FVU where L0 = 2 / FVU."""
    k = np.array([4, 8, 16, 32, 64.0])
    found = frontier(2 / k, k)
    assert found.at == pytest.approx({0.05: 40, 0.1: 20, 0.2: 10})
    assert found.left_out == 0
    beaten = frontier(np.append(2 / k, 0.4), np.append(k, 30))
    assert beaten.left_out == 1
    assert beaten.at == pytest.approx(found.at)
    assert np.isnan(frontier([0.3, 0.15], [4, 8]).at[0.05])


@pytest.mark.parametrize(
    ("fvu", "l0"), [([0.1], [3]), ([0.1, 0], [3, 4]), ([0.1, 0.2], [3]), ([0.1, np.nan], [3, 4])]
)
def test_a_frontier_of_too_little_is_refused(fvu, l0):
    with pytest.raises(UserError, match="frontier"):
        frontier(fvu, l0)


def test_a_feature_that_came_apart_is_found_and_one_that_stayed_is_not():
    """Feature 0 is two of the wide one, each active only where it is; 1 stays; 2 has none; 3 has one that is alike."""
    random = np.random.default_rng(5)
    small = np.eye(8)[:4]
    wide = np.array([[1, 0.5, 0, 0], [1, -0.5, 0, 0], [0, 1, 0, 0], [0, 0, 0, 1], [0, 0, 0, 0.9]], float)
    large = np.concatenate([wide, np.zeros((5, 4))], axis=1)
    large[4, 5] = 0.3
    n = 2000
    general = random.random(n) < 0.3
    which = random.random(n) < 0.5
    codes = (
        np.stack([general, random.random(n) < 0.2, random.random(n) < 0.2, random.random(n) < 0.2], axis=1)
        * 1.0
    )
    rare = random.random(n) < 0.2
    wide_codes = (
        np.stack([general & which, general & ~which, codes[:, 1] > 0, codes[:, 3] > 0, rare], axis=1) * 1.0
    )
    found = splitting(small, large, scipy.sparse.csr_matrix(codes), scipy.sparse.csr_matrix(wide_codes))
    assert found.parts == {0: (0, 1)}
    assert (found.kept, found.lost, found.share) == (2, 1, 0.25)
    assert (found.n_small, found.n_large) == (4, 5)


def test_wide_features_that_are_active_elsewhere_are_no_parts():
    random = np.random.default_rng(6)
    general = random.random(3000) < 0.1
    loose = general | (random.random(3000) < 0.2)
    small, large = np.eye(3)[:1], np.array([[1, 0.2, 0], [1, -0.2, 0]])
    codes = scipy.sparse.csr_matrix(general[:, None] * 1.0)
    wide = scipy.sparse.csr_matrix(np.stack([loose, loose], axis=1) * 1.0)
    assert splitting(small, large, codes, wide).parts == {}
    assert (
        splitting(small, large, codes, scipy.sparse.csr_matrix(np.stack([general, general], 1) * 1.0)).share
        == 1
    )


def test_absorption_of_a_planted_third():
    """The general feature of a rule is silent on a third of its rows, where a special one of its direction fires."""
    random = np.random.default_rng(7)
    n, d = 900, 12
    has = np.arange(n) % 2 == 0
    absorbed = has & (np.arange(n) % 3 == 0)
    probe = np.eye(d)[0]
    rows = 0.05 * random.standard_normal((n, d)) + 2.0 * has[:, None] * probe
    directions = np.eye(d)[:4].copy()
    directions[2] = [0.4, 0, 0.9, *np.zeros(d - 3)]
    codes = np.zeros((n, 4))
    codes[has & ~absorbed, 0] = 1
    codes[absorbed, 2] = 1
    codes[:, 3] = 1  # always there, and of another direction
    found = absorption(rows, has, probe, 0, directions, scipy.sparse.csr_matrix(codes))
    assert found.share == pytest.approx(absorbed.sum() / has.sum())
    assert found.silent == pytest.approx(found.share)
    assert found.absorbers.tolist() == [2]
    codes[absorbed, 2] = 0
    lost = absorption(rows, has, probe, 0, directions, scipy.sparse.csr_matrix(codes))
    assert lost.share == 0
    assert lost.silent == pytest.approx(1 / 3, abs=0.01)


def test_a_report_of_the_truth_beside_a_permuted_copy_half_of_one_and_chance():
    truth, _, x, owners = _planted(8)
    held_out = HeldOut(torch.from_numpy(x), owners)
    encoder = np.linalg.pinv(truth).T
    one = _dictionary(truth, 4, encoder=encoder, facts={"rows": {"seen": 12_000_000}})
    order = np.random.default_rng(0).permutation(60)
    same = _dictionary(truth[order], 4, encoder=encoder[order], facts={"rows": {"seen": 11_000_000}})
    report = check(one, held_out, against=Other(same))
    json.dumps(report)
    directions = report["against"]["directions"]
    assert set(directions["floors"]) == {"isotropic", "covariance_matched", "data_rows"}
    assert directions["found"]["mmcs"] == pytest.approx(1, abs=1e-5)
    assert directions["found"]["hungarian"] == pytest.approx(1, abs=1e-5)
    assert directions["verdict"] == "reproducible"
    assert all(one["mmcs"] < 0.7 for one in directions["floors"].values())
    answers = report["against"]["activations"]
    assert answers["features_to_features"]["median"] == pytest.approx(1)
    assert answers["features_to_features"]["held_out_median"] == pytest.approx(1)
    assert answers["features_to_untrained"]["median"] < 0.8
    assert abs(answers["features_to_shuffled_rows"]["held_out_median"]) < 0.03
    assert set(answers) == {
        "features_to_features", "features_to_untrained", "features_to_shuffled_rows", "units_to_features",
        "features_to_units",
    }  # fmt: skip
    random = np.random.default_rng(9)
    other = truth.copy()
    other[:30] = random.standard_normal((30, 30))
    half = check(one, held_out, against=Other(_dictionary(other, 4, encoder=np.linalg.pinv(other).T)))
    assert half["against"]["directions"]["found"]["above"]["0.9"] == pytest.approx(0.5, abs=0.05)
    wild = random.standard_normal((60, 30))
    chance = check(one, held_out, against=Other(_dictionary(wild, 4)))["against"]["directions"]
    assert chance["verdict"] == "not reproducible"
    assert "unknown number of rows" in chance["why"]
    assert chance["found"]["mmcs"] == pytest.approx(chance["floors"]["isotropic"]["mmcs"], abs=0.03)


def test_a_wider_dictionary_adds_what_came_apart_and_another_model_has_no_directions():
    truth, _, x, owners = _planted(10, n_features=20)
    held_out = HeldOut(torch.from_numpy(x), owners)
    one = _dictionary(truth, 2)
    wide = _dictionary(np.concatenate([truth, truth + 0.05]), 3)
    report = check(one, held_out, against=Other(wide))["against"]
    assert report["splitting"]["n_small"] == 20
    turned = np.linalg.qr(np.random.default_rng(1).standard_normal((30, 30)))[0]
    theirs = HeldOut(torch.from_numpy((x @ turned).astype(np.float32)), owners)
    across = check(one, held_out, against=Other(_dictionary(truth @ turned, 2), theirs))["against"]
    assert "directions" not in across
    assert across["activations"]["features_to_features"]["median"] == pytest.approx(1, abs=1e-4)
    assert "units_to_units" in across["activations"]
    with pytest.raises(UserError, match="same tokens or places"):
        check(one, held_out, against=Other(wide, HeldOut(theirs.rows[:100], owners[:100])))


def test_the_same_seed_gives_the_same_report_and_another_one_other_floors():
    truth, _, x, owners = _planted(11, n=1500)
    held_out = HeldOut(torch.from_numpy(x), owners)
    reports = [
        check(_dictionary(truth, 4), held_out, against=Other(_dictionary(truth + 0.1, 4)), random_state=seed)
        for seed in (0, 0, 1)
    ]
    first, again, other = (json.dumps(one, sort_keys=True) for one in reports)
    assert first == again != other
