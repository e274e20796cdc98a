"""Category selectivity against scipy, known answers and its edges."""

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from brodmann.analysis import (
    category_selectivity,
    contrast_selectivity,
    fraction_selective,
    preferred_category,
    selectivity_reliability,
)
from brodmann.errors import UserError


@pytest.fixture
def data():
    generator = np.random.default_rng(0)
    labels = np.repeat(["face", "body", "place"], [12, 20, 9])
    responses = generator.normal(size=(41, 30))
    responses[labels == "face", 0] += 3
    return responses, labels


def test_t_and_p_are_scipys(data):
    responses, labels = data
    table = category_selectivity(responses, labels, "face")
    on = labels == "face"
    expected = stats.ttest_ind(responses[on], responses[~on], equal_var=False)
    np.testing.assert_allclose(table["t"], expected.statistic)
    np.testing.assert_allclose(table["p"], expected.pvalue)
    np.testing.assert_allclose(table["q"], stats.false_discovery_control(expected.pvalue))
    assert (table.attrs["n_on"], table.attrs["n_off"]) == (12, 29)
    assert table["q"].idxmin() == 0


def test_both_forms_of_d_prime():
    responses = np.array([[0.0], [2.0], [5.0], [11.0]])  # sd 1.414 and 4.243 around 1 and 8
    labels = ["a", "a", "b", "b"]
    rms, mean = (
        category_selectivity(responses, labels, "b", spread=kind)["dprime"][0] for kind in ("rms", "mean")
    )
    assert rms == pytest.approx(7 / np.sqrt((2 + 18) / 2))
    assert mean == pytest.approx(7 / ((np.sqrt(2) + np.sqrt(18)) / 2))


def test_a_unit_without_variance_is_not_selective(data):
    responses, labels = data
    responses[:, 3] = 0.1
    row = category_selectivity(responses, labels, "face").loc[3]
    assert (row["t"], row["dprime"], row["p"]) == (0, 0, 1)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"target": "faces"}, "unknown label 'faces': did you mean 'face'"),
        ({"labels": ["face"] * 40 + ["body"]}, "40 stimuli on target and 1 off are too few"),
        ({"labels": ["face"] * 3}, "need one label a row"),
        ({"spread": "sum"}, "'rms' or 'mean', not 'sum'"),
    ],
)
def test_mistakes(data, change, message):
    responses, labels = data
    given = {"responses": responses, "labels": labels, "target": "face"} | change
    with pytest.raises(UserError, match=message):
        category_selectivity(**given)


def test_against_some_others_only(data):
    responses, labels = data
    some = category_selectivity(responses, labels, "face", against=["body"])
    kept = labels != "place"
    pd.testing.assert_frame_equal(
        some, category_selectivity(responses[kept], labels[kept], "face"), check_names=False
    )


def test_a_contrast_of_two_conditions_is_the_t_test_and_of_three_is_statsmodels_formula(data):
    responses, labels = data
    two = contrast_selectivity(responses, labels, {"face": 1, "body": -1})
    expected = stats.ttest_ind(responses[labels == "face"], responses[labels == "body"], equal_var=False)
    np.testing.assert_allclose(two["t"], expected.statistic)
    np.testing.assert_allclose(two["p"], expected.pvalue)
    np.testing.assert_allclose(
        two["dprime"], category_selectivity(responses, labels, "face", against=["body"])["dprime"]
    )
    three = contrast_selectivity(responses, labels, {"face": 2, "body": -1, "place": -1})
    unit = responses[:, 0]
    parts = [unit[labels == kind] for kind in ("face", "body", "place")]
    over = [w**2 * one.var(ddof=1) / len(one) for w, one in zip((2, -1, -1), parts, strict=True)]
    t = (2 * parts[0].mean() - parts[1].mean() - parts[2].mean()) / np.sqrt(sum(over))
    freedom = sum(over) ** 2 / sum(o**2 / (len(one) - 1) for o, one in zip(over, parts, strict=True))
    assert three["t"][0] == pytest.approx(t)
    assert three["p"][0] == pytest.approx(2 * stats.t.sf(abs(t), freedom))


def test_repeated_trials_are_averaged_first(data):
    responses, labels = data
    trials = np.concatenate([responses + 1.0, responses - 1.0, responses])
    ids = np.tile(np.arange(41), 3)
    repeated = category_selectivity(trials, np.tile(labels, 3), "face", stimuli=ids)
    pd.testing.assert_frame_equal(repeated, category_selectivity(responses, labels, "face"))
    with pytest.raises(UserError, match="stimulus '0' has more than one label"):
        category_selectivity(trials, np.r_[["body"], np.tile(labels, 3)[1:]], "face", stimuli=ids)


def test_planted_selectivity_is_recovered_within_its_interval_over_200_seeds():
    """d' of 0, 0.8 and 2 with unequal variances (1 and 2.25), 25 against 60 stimuli."""
    truth = np.array([0.0, 0.8, 2.0])
    labels = np.repeat(["on", "off"], [25, 60])
    inside, found = np.zeros(3), []
    for seed in range(200):
        generator = np.random.default_rng(seed)
        spread = np.where(labels == "on", 1.0, 1.5)[:, None]
        responses = generator.normal(size=(85, 3)) * spread
        responses[:25] += truth * np.sqrt((1 + 2.25) / 2)
        table = category_selectivity(responses, labels, "on")
        inside += (table["low"] <= truth) & (truth <= table["high"])
        found.append(table["dprime"].to_numpy())
    print(f"d' true {truth}: found {np.mean(found, axis=0).round(3)}, in the 95 % interval {inside} of 200")
    np.testing.assert_allclose(np.mean(found, axis=0), truth, atol=0.06)
    assert inside.min() >= 182


def test_preferences_and_the_fraction_that_is_selective():
    generator = np.random.default_rng(0)
    labels = np.repeat(["face", "body", "place"], 30)
    responses = generator.normal(size=(90, 100))
    responses[:30, :20] += 2
    responses[60:, 20:50] += 2
    found = preferred_category(responses, labels)
    assert (found["category"][:20] == "face").all()
    assert (found["category"][20:50] == "place").all()
    assert found["selective"][:50].all()
    assert found["selective"][50:].mean() < 0.1
    assert found.attrs["fraction"]["face"] == pytest.approx(0.2, abs=0.03)
    table = category_selectivity(responses, labels, "place")
    assert fraction_selective(table) == pytest.approx(0.3, abs=0.05)
    assert fraction_selective(table, dprime=50) == 0


def test_reliability_is_that_of_the_signal():
    """Units' selectivity varies with sd s, and half of the stimuli add an error of sd e: r = s^2 / (s^2 + e^2)."""
    generator = np.random.default_rng(0)
    labels = np.repeat(["on", "off"], 40)
    responses = generator.normal(size=(80, 4000))
    responses[:40] += 0.3 * generator.normal(size=4000)
    expected = 0.09 / (0.09 + 2 / 20)
    found = selectivity_reliability(responses, labels, "on")
    assert found.r == pytest.approx(expected, abs=0.03)
    assert found.corrected == pytest.approx(2 * expected / (1 + expected), abs=0.03)
    again = selectivity_reliability(generator.normal(size=(80, 4000)), labels, "on")
    assert abs(again.r) < 0.03


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda r, names: contrast_selectivity(r, names, {"face": 1}), "sum to 0, and these sum to 1"),
        (
            lambda r, names: contrast_selectivity(r, names, {"face": 1, "bodies": -1}),
            "unknown label 'bodies'",
        ),
        (lambda r, names: category_selectivity(r, names, "face", against=["plaec"]), "did you mean 'place'"),
        (lambda r, names: preferred_category(r, ["face"] * 41), "of one category, 'face'"),
        (lambda r, names: selectivity_reliability(r[:, :2], names, "face"), "a map of 2 units"),
        (
            lambda r, names: category_selectivity(r, names, "face", stimuli=[1, 2]),
            "2 stimulus ids do not fit 41 labels",
        ),
    ],
)
def test_mistakes_of_contrasts(data, call, message):
    with pytest.raises(UserError, match=message):
        call(*data)
