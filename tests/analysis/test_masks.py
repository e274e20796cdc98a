"""What is masked never counts: every public function of analysis that takes arrays refuses masked ones."""

import inspect

import numpy as np
import pytest

from brodmann import UserError, analysis
from brodmann.analysis.encoding.encoding_model import EncodingModel
from brodmann.analysis.masks import unmasked

MASKED = np.ma.masked_greater(np.array([[1.0, 2.0, 900.0], [3.0, 5.0, 4.0], [0.0, 1.0, 2.0]]), 100)
FUNCTIONS = [name for name in analysis.__all__ if inspect.isfunction(getattr(analysis, name))]


@pytest.mark.parametrize("name", FUNCTIONS)
def test_every_public_function_refuses_masked_values(name):
    for call in (lambda f: f(MASKED), lambda f: f(np.eye(3), MASKED), lambda f: f({"space": [MASKED]})):
        with pytest.raises(UserError, match="^1 of 9 values are masked: leave their rows or columns out"):
            call(getattr(analysis, name))


def test_methods_that_take_arrays_refuse_them_too():
    weights = analysis.SpatialWeights
    for call in (
        lambda: weights.from_positions(MASKED, "queen"),
        lambda: weights.from_mesh(np.array([[0, 1, 2]]), MASKED),
        lambda: EncodingModel.fit(None, MASKED, np.eye(3)),
        lambda: EncodingModel.predict(None, MASKED),
    ):
        with pytest.raises(UserError, match="1 of 9 values are masked"):
            call()


def test_t_of_masked_responses_is_no_longer_that_of_what_lies_under_the_mask():
    responses = np.array([[1.0], [2.0], [3.0], [900.0], [0.0], [1.0], [0.5], [0.2]])
    labels = np.repeat(["face", "house"], 4)
    with pytest.raises(UserError, match="1 of 8 values are masked"):
        analysis.category_selectivity(np.ma.masked_greater(responses, 100), labels, "face")
    nothing = np.ma.masked_greater(responses, 1000)
    found = analysis.category_selectivity(nothing, labels, "face")
    np.testing.assert_array_equal(found["t"], analysis.category_selectivity(responses, labels, "face")["t"])


def test_the_signature_and_the_answer_stay():
    @unmasked
    def twice(values: list[float], *, times: int = 2) -> list[float]:
        """Doubled."""
        return [times * one for one in values]

    assert str(inspect.signature(twice)) == "(values: list[float], *, times: int = 2) -> list[float]"
    assert twice.__doc__ == "Doubled."
    assert twice([1.0, 2.0], times=3) == [3.0, 6.0]
