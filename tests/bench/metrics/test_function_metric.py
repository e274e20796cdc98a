"""A metric of one's own function: what it is asked, what its answers become, and which answers are refused."""

import functools

import numpy as np
import pandas as pd
import pytest

from brodmann import UserError
from brodmann.bench.metrics.base import Ceiling, ScoringOptions
from brodmann.bench.metrics.function_metric import FunctionMetric, function_metric
from brodmann.bench.metrics.recording import Recording

NO_DRAWS = ScoringOptions(n_bootstraps=0, n_permutations=0)


def recorded(cube):
    n, _, n_neuroids = cube.shape
    neuroids = pd.DataFrame({"neuroid_id": np.arange(n_neuroids)})
    return Recording(
        "made.IT", np.arange(n).astype(object), cube, None, neuroids, {}, position=np.arange(n), blocks="none"
    )


def told(*values):
    def told_values(features, responses):
        return list(values)

    return told_values


def test_the_score_is_the_median_over_the_best_r():
    rng = np.random.default_rng(0)
    one = recorded(rng.normal(size=(12, 1, 4)))
    metric = function_metric(told(0.1, 0.2, 0.4, np.nan))
    assert metric.name == "told_values"
    with pytest.raises(UserError, match="gave NaN where features and responses vary"):
        metric.evaluate({"only": rng.normal(size=(12, 2))}, one, Ceiling("none", np.nan), NO_DRAWS)
    metric = function_metric(told(0.1, 0.2, 0.4, 0.8))
    found = metric.evaluate({"only": rng.normal(size=(12, 2))}, one, Ceiling("r_max", 0.5), NO_DRAWS)
    assert found.raw == pytest.approx(0.3)
    assert found.value == pytest.approx(0.6)
    assert (found.unit, found.n_neuroids) == ("neuroid", 4)
    np.testing.assert_allclose(found.per_unit, [0.1, 0.2, 0.4, 0.8])
    plain = metric.evaluate({"only": rng.normal(size=(12, 2))}, one, Ceiling("none", np.nan), NO_DRAWS)
    assert plain.value == pytest.approx(0.3)


def test_nan_is_zero_where_nothing_varies():
    metric = function_metric(told(np.nan, 0.5))
    features, responses = np.arange(6.0)[:, None], np.column_stack([np.full(6, 2.0), np.arange(6.0)])
    rows = np.arange(6)
    np.testing.assert_array_equal(metric.compared(features, responses, rows, rows), [0, 0.5])
    flat = np.ones((6, 1))
    np.testing.assert_array_equal(metric.compared(flat, responses[:, ::-1], rows, rows), [0, 0.5])
    with pytest.raises(UserError, match="NaN where"):
        metric.compared(features, responses[:, ::-1], rows, rows)


def test_the_function_sees_the_rows_that_are_compared():
    seen = []

    def kept(features, responses):
        seen.append((features.ravel().tolist(), responses[:, 0].tolist()))
        return np.zeros(responses.shape[1])

    metric = function_metric(kept)
    features = metric.prepared([[1], [2], [3]])
    assert features.dtype == np.float64
    metric.compared(features, np.array([[10.0], [20], [30]]), np.array([2, 0]), np.array([1, 1]))
    assert seen == [([3, 1], [20, 20])]


@pytest.mark.parametrize(
    ("answer", "message"),
    [
        (0.5, "one of shape ()"),
        ([0.1, 0.2, 0.3], "one of shape (3,)"),
        ([[0.1, 0.2]], "one of shape (1, 2)"),
        ([0.1, 1.5], "1.5 (a metric of another range: docs/adding/metric.md)"),
        ([-2, 0.1], "-2 (a metric of another range"),
        ([True, False], "bool"),
        ([0.5j, 0.1], "complex128"),
        (["a", "b"], "<U1"),
        ([[0.1], [0.2, 0.3]], "rows of different lengths"),
        (np.ma.masked_array([0.1, 0.2], [True, False]), "masked values"),
    ],
)
def test_answers_that_are_no_r_a_neuroid_are_refused(answer, message):
    responses = np.random.default_rng(1).normal(size=(5, 2))
    metric = FunctionMetric("mine", lambda features, responses: answer)
    with pytest.raises(UserError) as refused:
        metric.compared(responses, responses, np.arange(5), np.arange(5))
    assert str(refused.value).startswith(
        "the metric 'mine' must give one r a neuroid, an array of shape (2,) of real numbers from -1 to 1, and gave "
        + message
    )


def test_an_r_of_one_in_single_precision_is_one():
    rows = np.arange(5)
    responses = np.random.default_rng(2).normal(size=(5, 3))
    metric = FunctionMetric("mine", lambda features, responses: np.float32([1 + 5e-7, -1, 1]))
    assert metric.compared(responses, responses, rows, rows) == pytest.approx([1, -1, 1], abs=1e-6)
    over = FunctionMetric("mine", lambda features, responses: [1 + 2e-6, 0, 0])
    with pytest.raises(UserError, match="gave 1 "):
        over.compared(responses, responses, rows, rows)
    whole = FunctionMetric("mine", lambda features, responses: np.array([1, 0, -1]))
    assert whole.compared(responses, responses, rows, rows).tolist() == [1, 0, -1]


def test_its_ceiling_is_the_reliability_and_its_memory_what_it_holds():
    rng = np.random.default_rng(3)
    signal = rng.normal(size=(300, 1, 40))
    one = recorded(signal + rng.normal(size=(300, 4, 40)))
    metric = function_metric(told(0.1))
    found = metric.ceiling(one)
    # the mean of 4 has 1 / (1 + 1/4) of its variance from the signal
    assert found.value == pytest.approx(0.8, abs=0.02)
    assert found.kind == "reliability"
    score = function_metric(told(*[0.4] * 40)).evaluate(
        {"only": signal[:, 0]}, one, Ceiling(found.kind, 0.64), NO_DRAWS
    )
    assert score.value == pytest.approx(0.4 / 0.8)
    assert metric.memory(one, 1000) == 8 * 300 * (3 * 1000 + 3 * 40)


def test_names_are_made_of_letters():
    assert function_metric(told(0.1)).name == "told_values"

    class Called:
        def __call__(self, features, responses):
            return np.zeros(responses.shape[1])

    assert function_metric(Called()).name == "Called"
    assert function_metric(functools.partial(Called())).name == "partial"
    assert function_metric(lambda features, responses: responses).name == "lambda"
    spoken = Called()
    spoken.__name__ = "my r - of 2"
    assert function_metric(spoken).name == "my_r_of_2"
    for wrong in (Called, 3, "r"):
        with pytest.raises(
            UserError, match="is no metric: give a name, a function of features and responses, or an"
        ):
            function_metric(wrong)
