"""What a result refuses to say, and features that are no numbers."""

import numpy as np
import pytest

from brodmann import UserError
from brodmann.bench.metrics.base import SAME, Beyond, Ceiling, MetricResult, ScoringOptions, refuse_missing


def result(ci, **more):
    return MetricResult(
        1.0, 0.5, np.zeros(2), "neuroid", "none", "a", ["a"], {"a": 0.5}, ci, 0.1, 9, 2, methods={"folds": 5}, **more
    )  # fmt: skip


@pytest.mark.parametrize(
    "ci", [(0.5, 0.5), (0.5, 0.5 + 4e-10), (-0.5, -0.5 + 4e-10), (0.0, 0.0), (1e-20, 1e-20)]
)
def test_an_interval_of_no_width_is_none_and_says_why(ci):
    found = result(ci)
    assert np.isnan(found.ci).all()
    assert found.methods == {"folds": 5, "interval": SAME}
    assert SAME.startswith("none: ")


@pytest.mark.parametrize("ci", [(0.5, 0.5 + 6e-10), (-1e-20, 1e-20), (0.1, 0.9)])
def test_an_interval_with_a_width_stays(ci):
    assert result(ci).ci == ci
    assert dict(result(ci).methods) == {"folds": 5}


def test_an_interval_that_was_not_asked_for_says_nothing():
    assert dict(result((float("nan"), float("nan"))).methods) == {"folds": 5}


def test_what_is_not_said_is_nothing():
    found = result((0.1, 0.9))
    assert found.draws.shape == (0,)
    assert found.replicates is None
    assert np.isnan([found.added.beyond, found.added.beyond_p, *found.added.beyond_ci]).all()
    assert (list(Beyond().beyond_spaces), dict(found.arrays), dict(found.left_out)) == ([], {}, {})
    assert ScoringOptions() == ScoringOptions(0, 1000, 1000, 0.95, ())
    assert Ceiling("none", float("nan")).per_neuroid is None


def test_features_that_are_no_numbers_name_their_layer():
    good = np.arange(6.0).reshape(3, 2)
    refuse_missing({"a": good, "b": np.full((3, 2), 60_000, np.float16), "c": np.ones((3, 2), int)})
    for bad in (np.nan, np.inf, -np.inf):
        features = good.copy()
        features[1, 1] = bad
        with pytest.raises(
            UserError, match="layer 'b' has features that are NaN or infinite: leave them, or the layer"
        ):
            refuse_missing({"a": good, "b": features})
    both = good.copy()
    both[0] = [np.inf, -np.inf]
    with np.errstate(invalid="ignore"), pytest.raises(UserError, match="layer 'a'"):
        refuse_missing({"a": both})
