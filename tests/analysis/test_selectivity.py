"""Category selectivity against scipy, known answers and its edges."""

import numpy as np
import pytest
from scipy import stats

from brodmann.analysis import category_selectivity
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
