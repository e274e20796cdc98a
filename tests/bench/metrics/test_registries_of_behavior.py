"""What must hold of every metric that reads surprisal; test_registries.py has those that compare layers."""

from dataclasses import replace

import numpy as np
import pytest
from behavior_worlds import pairs, world

from brodmann import UserError
from brodmann.bench.metrics.base import MetricResult, ScoringOptions
from brodmann.bench.metrics.registries import CEILING_KINDS, METRICS, NORMALIZATIONS
from brodmann.bench.results.as_score import ceiling_score

QUICK = ScoringOptions(n_bootstraps=40, n_permutations=39)


@pytest.fixture(params=[name for name, card in METRICS.items() if card.reads == "surprisal"], name="name")
def of_every_metric(request):
    return request.param


def recording_for(name):
    """A model that knows, and the recording it knows."""
    if name == "surprisal":
        told, recorded = world(effect=0.6)
        return told, recorded
    good, _, _, recorded = pairs()
    return (10 - good + np.random.default_rng(0).normal(0, 0.4, len(good)))[:, None], recorded


def evaluated(name, told, recorded, options=QUICK):
    metric = METRICS[name].make(recorded, {})
    return metric.evaluate({"surprisal": told}, recorded, metric.ceiling(recorded), options)


def test_a_metric_says_what_it_is(name):
    card, recorded = METRICS[name], recording_for(name)[1]
    metric = card.make(recorded, {})
    assert metric.name == card.name == name
    assert metric.reads == card.reads
    assert card.sentence[0].islower()
    assert card.formula
    assert card.axis
    assert card.version >= 1
    assert set(card.ceilings) <= set(CEILING_KINDS)
    assert isinstance(metric.memory(recorded, 1), int)


def test_the_shapes_of_a_result(name):
    told, recorded = recording_for(name)
    metric = METRICS[name].make(recorded, {})
    ceiling = metric.ceiling(recorded)
    assert ceiling.kind in METRICS[name].ceilings
    assert np.isnan(ceiling.value) == (ceiling.kind == "none")
    result = evaluated(name, told, recorded)
    assert isinstance(result, MetricResult)
    assert list(result.layers) == ["surprisal"] == result.layer_by_split == [result.layer]
    assert result.normalization in NORMALIZATIONS
    assert len(result.per_unit) == {"neuroid": recorded.cube.shape[2], "none": 0}[result.unit]
    assert result.replicates.value == pytest.approx(result.value)
    np.testing.assert_array_equal(result.replicates.interval(), result.ci)
    assert result.replicates.n_samples > 3
    low, high = METRICS[name].bounds
    assert low <= result.raw <= high
    assert 0 < result.methods["smallest_p"] <= result.p + 1e-12 <= 1
    assert {"interval", "p", "seed"} <= set(result.methods)


def test_a_ceiling_can_be_shown(name):
    recorded = recording_for(name)[1]
    ceiling = METRICS[name].make(recorded, {}).ceiling(recorded)
    assert ceiling_score(ceiling).attrs["kind"] == ceiling.kind == "none"


def test_a_model_that_knows_is_found_and_noise_is_not(name):
    told, recorded = recording_for(name)
    chance = {"surprisal": 0.0, "accuracy": 0.5}[name]
    known = evaluated(name, told, recorded)
    assert known.raw > chance + 0.3
    assert known.p == pytest.approx(1 / 40)
    assert known.ci[0] > chance
    rng = np.random.default_rng(3)
    noise = [evaluated(name, rng.normal(size=told.shape), recorded) for _ in range(9)]
    assert abs(np.median([one.raw for one in noise]) - chance) < 0.05
    assert np.median([one.p for one in noise]) > 0.1


def test_the_same_seed_gives_the_same_and_no_draws_give_the_same_score(name):
    told, recorded = recording_for(name)
    first, second, none = (
        evaluated(name, told, recorded, options)
        for options in (QUICK, QUICK, ScoringOptions(n_bootstraps=0, n_permutations=0))
    )
    assert (first.p, first.ci) == (second.p, second.ci)
    assert none.value == first.value
    assert np.isnan(none.p)
    assert np.isnan(none.ci).all()


def test_rows_in_another_order_are_the_same_experiment(name):
    told, recorded = recording_for(name)
    order = np.random.default_rng(5).permutation(len(told))
    columns = {column: values[order] for column, values in recorded.columns.items()}
    moved = replace(
        recorded,
        stimulus_ids=recorded.stimulus_ids[order],
        cube=recorded.cube[order],
        columns=columns,
        position=order,
    )
    assert evaluated(name, told[order], moved).raw == pytest.approx(evaluated(name, told, recorded).raw)


def test_surprisal_in_other_units_is_the_same_model(name):
    told, recorded = recording_for(name)
    assert evaluated(name, told / np.log(2), recorded).raw == pytest.approx(
        evaluated(name, told, recorded).raw
    )


def test_features_of_layers_are_refused(name):
    told, recorded = recording_for(name)
    metric = METRICS[name].make(recorded, {})
    with pytest.raises(UserError, match="reads one surprisal a"):
        metric.evaluate({"layer1": told}, recorded, metric.ceiling(recorded), QUICK)
    with pytest.raises(UserError, match="reads one surprisal a"):
        metric.evaluate({"surprisal": told[:-1]}, recorded, metric.ceiling(recorded), QUICK)
