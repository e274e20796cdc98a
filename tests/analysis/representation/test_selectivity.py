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


def test_offset_and_scale_change_nothing(data):
    responses, labels = data
    table = category_selectivity(responses, labels, "face")
    contrast = contrast_selectivity(responses, labels, {"face": 1, "body": -1})
    for other in (responses + 1000.0, 1e-20 * responses, 1e20 * responses):
        again = category_selectivity(other, labels, "face")
        pd.testing.assert_frame_equal(again, table, rtol=1e-6, check_names=False)
        again = contrast_selectivity(other, labels, {"face": 1, "body": -1})
        pd.testing.assert_frame_equal(again, contrast, rtol=1e-6)
    beside_large_ones = responses * np.where(np.arange(30) % 2, 1e-20, 1e3)
    again = category_selectivity(beside_large_ones, labels, "face")
    pd.testing.assert_frame_equal(again, table, rtol=1e-6)
    single = responses.astype(np.float32)
    pd.testing.assert_frame_equal(
        category_selectivity(single, labels, "face"),
        category_selectivity(single.astype(float), labels, "face"),
        rtol=1e-12,
    )
    turned = category_selectivity(-responses, labels, "face")
    np.testing.assert_allclose(turned["dprime"], -table["dprime"])
    np.testing.assert_allclose(turned["low"], -table["high"])


@pytest.mark.parametrize("spread", ["rms", "mean"])
def test_the_interval_of_d_prime_is_that_of_its_variance_to_first_order(data, spread):
    responses, labels = data
    table = category_selectivity(responses, labels, "face", spread=spread)
    var_on, var_off = (responses[side].var(axis=0, ddof=1) for side in (labels == "face", labels != "face"))
    squared = (var_on + var_off) / 2  # S^2
    scale = squared if spread == "rms" else ((np.sqrt(var_on) + np.sqrt(var_off)) / 2) ** 2
    of_squared = (2 * var_on**2 / 11 + 2 * var_off**2 / 28) / 4  # Var s^2 = 2 sigma^4 / (n - 1)
    variance = (var_on / 12 + var_off / 29) / scale + table["dprime"] ** 2 * of_squared / (4 * squared**2)
    half = stats.norm.ppf(0.975) * np.sqrt(variance)
    np.testing.assert_allclose(table["high"], table["dprime"] + half)
    np.testing.assert_allclose(table["low"], table["dprime"] - half)


def test_units_without_variance_have_no_interval_and_no_contrast(data):
    """A constant, a dead unit, and one whose answer is the same within each side."""
    responses, labels = data
    responses[:, 3], responses[:, 4], responses[:, 5] = 0.1, 0.0, labels == "face"
    table = category_selectivity(responses, labels, "face").loc[3:5]
    assert (table[["t", "dprime", "low", "high"]] == 0).all(axis=None)
    assert (table["p"] == 1).all()
    table = contrast_selectivity(responses, labels, {"face": 1, "body": -1}).loc[3:5]
    assert (table[["t", "dprime"]] == 0).all(axis=None)
    assert (table["p"] == 1).all()
    on_target_only = np.where(labels == "face", np.arange(41.0), 0.0)[:, None]
    table = category_selectivity(on_target_only, labels, "face")
    on, off = on_target_only[labels == "face", 0], on_target_only[labels != "face", 0]
    expected = stats.ttest_ind(on, off, equal_var=False)
    assert (table["t"][0], table["p"][0]) == pytest.approx((expected.statistic, expected.pvalue))


def test_the_table_says_what_stood_against_what(data):
    responses, labels = data
    assert category_selectivity(responses, labels, "face").attrs == {
        "n_on": 12, "n_off": 29, "target": "face", "against": ("body", "place"),
    }  # fmt: skip
    attrs = category_selectivity(responses, labels, "face", against=["place", "face"]).attrs
    assert (attrs["n_on"], attrs["n_off"], attrs["against"]) == (12, 9, ("place", "face"))
    attrs = contrast_selectivity(responses, labels, {"face": 1, "body": -1, "place": 0}).attrs
    assert attrs == {"contrast": {"face": 1.0, "body": -1.0}, "n": 32}
    numbers = np.where(labels == "face", 1, np.where(labels == "body", 2, 10))
    assert category_selectivity(responses, numbers, 1).attrs["against"] == (10, 2)  # as text is sorted
    assert category_selectivity(responses, labels, "face").columns.tolist() == [
        "t", "dprime", "p", "q", "low", "high",
    ]  # fmt: skip
    assert contrast_selectivity(responses, labels, {"face": 1, "body": -1}).columns.tolist() == [
        "t", "dprime", "p", "q",
    ]  # fmt: skip


def test_a_contrast_divides_by_the_mean_variance_and_half_of_its_weights(data):
    responses, labels = data
    table = contrast_selectivity(responses, labels, {"face": 1, "body": -1 / 3, "place": -2 / 3})
    face, body, place = (responses[labels == kind] for kind in ("face", "body", "place"))
    spread = np.sqrt(np.mean([one.var(axis=0, ddof=1) for one in (face, body, place)], axis=0))
    expected = (face.mean(axis=0) - body.mean(axis=0) / 3 - 2 * place.mean(axis=0) / 3) / spread
    np.testing.assert_allclose(table["dprime"], expected)
    tripled = contrast_selectivity(responses, labels, {"face": 3, "body": -1, "place": -2})
    pd.testing.assert_frame_equal(tripled, table)
    np.testing.assert_allclose(table["q"], stats.false_discovery_control(table["p"]))
    zero = contrast_selectivity(responses, labels, {"face": 1, "body": -1, "place": 0, "nobody": 0})
    pd.testing.assert_frame_equal(
        zero, contrast_selectivity(responses, labels, {"face": 1, "body": -1}), check_names=False
    )


def test_two_stimuli_of_a_condition_are_enough_and_one_is_not():
    responses = np.random.default_rng(0).normal(size=(5, 3))
    labels = ["a", "a", "b", "b", "c"]
    assert np.isfinite(contrast_selectivity(responses, labels, {"a": 1, "b": -1})["t"]).all()
    with pytest.raises(UserError, match="condition 'c' has 1 stimulus"):
        contrast_selectivity(responses, labels, {"a": 1, "c": -1})
    with pytest.raises(UserError, match="1 stimuli on target and 4 off"):
        category_selectivity(responses, labels, "c")
    with pytest.raises(UserError, match="these sum to 0.5"):
        contrast_selectivity(responses, labels, {"a": 1, "b": -0.5})
    with pytest.raises(UserError, match="these sum to 0$"):
        contrast_selectivity(responses, labels, {})
    with pytest.raises(UserError, match="unknown label 'd'"):
        contrast_selectivity(responses, labels, {"a": 1, "d": -1})
    with pytest.raises(UserError, match="unknown label 'faces': did you mean 'face'"):
        contrast_selectivity(responses, ["face", "face", "b", "b", "c"], {"b": 1, "faces": -1})
    with pytest.raises(UserError, match="2 responses are NaN or infinite"):
        category_selectivity(np.where(np.eye(5, 3) * [1, 1, 0], np.nan, responses), labels, "a")
    with pytest.raises(UserError, match="need one label a row"):
        category_selectivity(responses[:, 0], labels, "a")


def test_stimuli_weigh_the_same_however_often_they_were_shown(data):
    responses, labels = data
    extra = np.r_[np.arange(41), 0, 0, 5]
    trials = responses[extra].copy()
    trials[[0, 41, 42]] += np.array([-2.0, -1.0, 3.0])[:, None]  # their mean stays
    repeated = category_selectivity(trials, labels[extra], "face", stimuli=extra)
    pd.testing.assert_frame_equal(repeated, category_selectivity(responses, labels, "face"))
    for call in (
        lambda **stimuli: contrast_selectivity(trials, labels[extra], {"face": 1, "body": -1}, **stimuli),
        lambda **stimuli: preferred_category(trials, labels[extra], **stimuli),
    ):
        assert not call(stimuli=extra).equals(call())
    pd.testing.assert_frame_equal(
        preferred_category(trials, labels[extra], stimuli=extra), preferred_category(responses, labels)
    )
    ids = np.array([f"s{i:02d}" for i in range(41)])[extra]
    assert selectivity_reliability(trials, labels[extra], "face", stimuli=ids) == selectivity_reliability(
        responses, labels, "face"
    )
    wrong = labels[extra].copy()
    wrong[-1] = "place"
    with pytest.raises(UserError, match="stimulus '5' has more than one label"):
        category_selectivity(trials, wrong, "face", stimuli=extra)


def test_a_preference_takes_the_highest_t_and_corrects_over_units_and_categories(data):
    responses, labels = data
    responses[:, 7] = 0.0
    kinds = ["body", "face", "place"]
    tables = [category_selectivity(responses, labels, kind) for kind in kinds]
    t, dprime, p = (np.stack([table[name] for table in tables]) for name in ("t", "dprime", "p"))
    q = stats.false_discovery_control(p.ravel()).reshape(p.shape)
    best, unit = t.argmax(axis=0), np.arange(30)
    found = preferred_category(responses, labels)
    assert found.columns.tolist() == ["category", "t", "dprime", "q", "selective"]
    assert found["category"].tolist() == [kinds[i] for i in best]
    np.testing.assert_allclose(found["t"], t[best, unit])
    np.testing.assert_allclose(found["dprime"], dprime[best, unit])
    np.testing.assert_allclose(found["q"], q[best, unit])
    assert found["selective"].tolist() == (q[best, unit] < 0.05).tolist()
    everything = preferred_category(responses, labels, q=1.1)
    assert (everything["t"] < 1).any()
    assert everything["selective"].tolist() == (everything["t"] > 0).tolist()
    assert not everything["selective"][7]
    assert everything.attrs["fraction"] == {
        kind: ((everything["category"] == kind) & (everything["t"] > 0)).mean() for kind in kinds
    }
    two = preferred_category(responses[:32], labels[:32])["category"] == "face"
    faces_more = responses[labels == "face"].mean(axis=0) > responses[labels == "body"].mean(axis=0)
    assert (two == faces_more).all()


def test_the_fraction_counts_units_below_q_and_above_d_prime():
    table = pd.DataFrame({"q": [0.01, 0.05, 0.04, 0.01, 0.2], "dprime": [0.5, 1.0, 0.0, -1.0, 1.0]})
    assert fraction_selective(table) == 0.2
    assert fraction_selective(table, q=0.06) == 0.4
    assert fraction_selective(table, dprime=-0.5, q=0.05) == 0.4
    assert fraction_selective(table, dprime=0.5, q=0.3) == 0.4


def test_reliability_is_drawn_from_the_seed_and_corrected_to_all_stimuli(data):
    responses, labels = data
    found = selectivity_reliability(responses, labels, "face")
    assert found == selectivity_reliability(responses, labels, "face", n_halves=20, random_state=0)
    assert (found.n_halves, found.random_state) == (20, 0)
    assert found.corrected == pytest.approx(2 * found.r / (1 + found.r))
    other = selectivity_reliability(responses, labels, "face", random_state=1)
    assert other.r != found.r
    assert other == selectivity_reliability(responses, labels, "face", random_state=1)
    numbers = np.where(labels == "face", 1, np.where(labels == "body", 2, 10))
    assert selectivity_reliability(responses, numbers, 1) == selectivity_reliability(
        responses, numbers.astype(str), "1"
    )
    against = selectivity_reliability(responses, labels, "face", against=["body"])
    assert against.r != found.r


def test_a_map_that_every_half_repeats_is_fully_reliable_and_one_that_does_not_vary_has_none():
    """Four stimuli a side, the least that halves: 2 on target and 2 off in each."""
    signal = np.array([1.0, -2.0, 0.5])
    labels = np.repeat(["on", "off"], 4)
    wobble = np.tile([0.01, -0.01], 4)[:, None]
    responses = np.where(labels == "on", 1, 0)[:, None] * signal + wobble * [1, 1.5, 2]
    found = selectivity_reliability(responses, labels, "on", n_halves=30)
    assert found.r > 0.5
    three = np.repeat(["on", "off", "other"], 4)
    noise = np.random.default_rng(0).normal(size=(12, 3))
    assert np.isfinite(selectivity_reliability(noise, three, "on", n_halves=30).r)
    alike = noise[:, :1] + 0.05 * noise  # t maps whose spread is small
    assert np.isfinite(selectivity_reliability(alike, three, "on", n_halves=30).r)
    still = selectivity_reliability(np.ones((8, 3)), labels, "on")
    assert np.isnan(still.r)
    assert np.isnan(still.corrected)
    with pytest.raises(UserError, match="1 stimuli on target and 2 off"):
        selectivity_reliability(responses[1:], labels[1:], "on", n_halves=1, random_state=1)


def test_halves_share_no_stimulus_and_hold_every_category_alike():
    """Each stimulus drives a unit of its own: what a half holds shows in its map, and no half holds all."""
    labels = np.repeat(["on", "off"], [6, 6])
    generator = np.random.default_rng(0)
    responses = generator.normal(size=(12, 2000))
    r = [selectivity_reliability(responses, labels, "on", n_halves=1, random_state=i).r for i in range(20)]
    assert abs(np.mean(r)) < 0.08  # independent noise: a shared stimulus would correlate the maps
    odd = np.repeat(["on", "off"], [5, 5])
    found = selectivity_reliability(generator.normal(size=(10, 2000)), odd, "on", n_halves=40)
    assert abs(found.r) < 0.08
