"""Decoding: identification from the recording itself and from a model's predictions."""

import numpy as np
import pandas as pd
import pytest

from brodmann import UserError
from brodmann.analysis.encoding.on_card import ridge as on_card
from brodmann.bench.metrics.base import ScoringOptions
from brodmann.bench.metrics.decoding import _labels, decoding
from brodmann.bench.metrics.identification import Patterns, pairs_of
from brodmann.bench.metrics.identification_ceiling import FEWEST_FREE
from brodmann.bench.metrics.recording import Recording, recording
from brodmann.bench.metrics.registries import METRICS
from brodmann.bench.metrics.self_decoding import SelfDecoding, _label_patterns, _mean_of_pairs
from brodmann.brain_data.near_duplicates import Alike
from brodmann.brain_data.simulated_cortex import simulated_cortex

QUICK = ScoringOptions(n_bootstraps=50, n_permutations=99)
NO_DRAWS = ScoringOptions(n_bootstraps=0, n_permutations=0)
NO_P = ScoringOptions(n_permutations=0)


def conditions(noise, seed=0, n_conditions=8, n_repetitions=12, n_neuroids=50):
    rng = np.random.default_rng(seed)
    signal = rng.normal(size=(n_conditions, 1, n_neuroids))
    return made(5 + signal + noise * rng.normal(size=(n_conditions, n_repetitions, n_neuroids)))


def made(cube, columns=None, ids=None, **neuroids):
    names = np.array([f"c{i:03d}" for i in range(len(cube))], object) if ids is None else ids
    return Recording("made.IT", names, cube, None, pd.DataFrame(neuroids), columns or {}, blocks="none")


def shown(signal, noise, counts, rng):
    """Responses to stimuli that were shown as often as `counts` says."""
    cube = signal[:, None] + noise * rng.normal(size=(len(signal), max(counts), signal.shape[1]))
    cube[np.arange(max(counts)) >= np.asarray(counts)[:, None]] = np.nan
    return cube


def decoded(recorded, options=NO_DRAWS, **given):
    return decoding(recorded, **given).evaluate_recording(recorded, options)


def test_clear_patterns_are_all_identified():
    metric_result = decoded(conditions(0.5), QUICK)
    assert metric_result.raw == 1.0
    assert metric_result.p == pytest.approx(0.01)
    assert metric_result.methods["smallest_p"] == pytest.approx(0.01)


def test_noise_is_identified_at_chance():
    found = [decoded(conditions(1e6, seed)).raw for seed in range(60)]
    assert np.mean(found) == pytest.approx(0.5, abs=0.05)


@pytest.mark.parametrize(("n_conditions", "n_repetitions"), [(3, 2), (4, 3), (8, 2)])
def test_noise_is_at_chance_where_a_few_presentations_say_how_noisy_neuroids_are(n_conditions, n_repetitions):
    found = [
        decoded(conditions(1e6, seed, n_conditions, n_repetitions, n_neuroids=300)).raw for seed in range(20)
    ]
    assert abs(np.mean(found) - 0.5) < 3 * np.std(found) / np.sqrt(20)


@pytest.mark.parametrize("n_repetitions", [2, 3, 4, 6])
def test_clear_patterns_are_identified_whatever_the_number_of_repetitions(n_repetitions):
    rng = np.random.default_rng(n_repetitions)
    recorded = made(shown(rng.normal(size=(60, 40)), 0.1, [1] + [n_repetitions] * 59, rng))
    metric_result = decoded(recorded, QUICK)
    assert metric_result.raw == 1.0
    assert metric_result.p == pytest.approx(0.01)
    assert metric_result.left_out["stimuli shown once"] == 1
    assert metric_result.n_stimuli == 59
    assert metric_result.ci[0] < metric_result.value == 1.0


def test_a_neuroid_without_noise_is_divided_by_its_sd():
    rng = np.random.default_rng(0)
    cube = shown(rng.normal(size=(10, 20)), 0.5, [3] * 10, rng)
    cube[..., 0] = 1e6 * rng.normal(size=(10, 1))
    assert Patterns.of(made(cube)).scale[0] == pytest.approx(cube[..., 0].std())
    assert decoded(made(cube)).raw == 1.0


def test_a_wrong_pairing_falls_to_chance():
    recorded = conditions(0.5)
    rng = np.random.default_rng(1)
    found = []
    for _ in range(60):
        cube = recorded.responses.copy()
        for repetition in range(cube.shape[1]):
            cube[:, repetition] = cube[rng.permutation(8), repetition]
        found.append(decoded(made(cube)).raw)
    assert np.mean(found) == pytest.approx(0.5, abs=0.06)


def objects_at_places(missing=()):
    objects, places = np.repeat(list("abcde"), 4), np.tile(["up", "mid", "low", "side"], 5)
    kept = [i for i, cell in enumerate(zip(objects, places, strict=True)) if cell not in missing]
    columns = {"object": objects[kept].astype(object), "position": places[kept].astype(object)}
    ids = np.array([f"{o}_{p}" for o, p in zip(objects[kept], places[kept], strict=True)], object)
    return columns, ids


def test_labels_generalise_across_positions_only_where_the_code_does():
    columns, ids = objects_at_places()
    found = {"identity": [], "tied to place": []}
    for seed in range(20):
        rng = np.random.default_rng(seed)
        identity = np.repeat(rng.normal(size=(5, 1, 40)), 4, axis=0)
        for name, signal in (("identity", identity), ("tied to place", rng.normal(size=(20, 1, 40)))):
            recorded = made(signal + 0.3 * rng.normal(size=(20, 10, 40)), columns, ids)
            found[name].append(decoded(recorded, label="object", across="position").raw)
    assert np.mean(found["identity"]) == 1.0
    assert np.mean(found["tied to place"]) == pytest.approx(0.5, abs=0.1)


def test_a_label_that_is_missing_at_one_position_is_compared_at_the_others():
    columns, ids = objects_at_places(missing={("b", "low")})
    rng = np.random.default_rng(0)
    identity = dict(zip("abcde", rng.normal(size=(5, 1, 40)), strict=True))
    signal = np.array([identity[one] for one in columns["object"]])
    recorded = made(signal + 0.3 * rng.normal(size=(19, 6, 40)), columns, ids)
    metric_result = decoded(recorded, QUICK, label="object", across="position")
    assert metric_result.raw == 1.0
    assert metric_result.p == pytest.approx(0.01)


def test_a_model_is_told_objects_apart_at_positions_that_were_held_out():
    columns, ids = objects_at_places()
    rng = np.random.default_rng(0)
    identity = np.repeat(rng.normal(size=(5, 6)), 4, axis=0)
    cube = (identity @ rng.normal(size=(6, 40)))[:, None] + rng.normal(size=(20, 6, 40))
    recorded = made(cube, columns, ids)
    metric = decoding(recorded, label="object", across="position")
    found = metric.evaluate({"objects": identity}, recorded, metric.ceiling(recorded), NO_DRAWS)
    assert found.raw == 1.0
    assert found.methods["group"] == "position"
    with pytest.raises(UserError, match="cannot keep 'object' together as well"):
        decoding(recorded, label="object", across="position", group="object")


def test_a_model_identifies_what_it_can_predict():
    data = simulated_cortex(n_stimuli=200)
    recorded = recording(data, "IT")
    metric = decoding(recorded)
    ceiling = metric.ceiling(recorded)
    assert ceiling.kind == "accuracy"
    noise = np.random.default_rng(0).normal(size=(200, 12))
    layers = {"noise": noise, "truth": data.truth["features"]["IT"]}
    good = metric.evaluate(layers, recorded, ceiling, QUICK)
    assert good.layer == "truth"
    assert good.raw > 0.97
    assert good.p == pytest.approx(0.01)
    nothing = metric.evaluate({"noise": noise}, recorded, ceiling, QUICK)
    assert nothing.ci[0] < 0 < nothing.ci[1]


def test_a_record_says_by_which_products_a_card_made_it(monkeypatch):
    data = simulated_cortex(n_stimuli=60)
    recorded = recording(data, "IT")
    metric, layers = decoding(recorded), {"truth": data.truth["features"]["IT"]}
    options = ScoringOptions(n_bootstraps=1, n_permutations=0)
    here = metric.evaluate(layers, recorded, metric.ceiling(recorded), options)
    assert "products" not in here.methods
    monkeypatch.setattr(on_card, "serves", lambda device: True)
    there = metric.evaluate(layers, recorded, metric.ceiling(recorded), options)
    assert there.methods["products"] == "float32"
    np.testing.assert_allclose([there.raw, *there.ci], [here.raw, *here.ci], atol=2e-3)


def test_single_presentations_cannot_be_decoded_from_themselves():
    with pytest.raises(UserError, match="at least 2 of them, not 1"):
        decoded(conditions(0.5, n_repetitions=1), QUICK)


def test_patterns_of_one_neuroid_are_refused_before_anything_is_computed():
    with pytest.raises(UserError, match="needs at least 3 that vary, not 1"):
        decoding(conditions(0.5, n_neuroids=1))


def test_an_option_that_decoding_does_not_use_is_refused():
    with pytest.raises(UserError, match="least_reliability"):
        METRICS["decoding"].make(conditions(0.5), {"least_reliability": 0.2})


def flawless(recorded, signal):
    """Share of the ceiling that the noise-free patterns reach."""
    ceiling = decoding(recorded).ceiling(recorded)
    rows = np.arange(len(signal))
    raw = Patterns.of(recorded).accuracy([signal], recorded.mean, pairs_of([rows], rows)).mean()
    return (raw - 0.5) / (ceiling.value - 0.5)


@pytest.mark.parametrize("counts", [[2] * 60, [3] * 60, [10] * 60, [1, 2, 4, 6] * 15])
@pytest.mark.parametrize("shared", [0.0, 0.3])
def test_a_flawless_model_reaches_the_ceiling_with_noise_of_its_own_or_shared(counts, shared):
    """The mean noise variance of a response is 2.3 times its signal's; halves would say 1.2 to 3."""
    scores = []
    for seed in range(20):
        rng = np.random.default_rng(seed)
        signal = rng.normal(size=(60, 8)) @ rng.normal(size=(8, 40)) / np.sqrt(8)
        sd = np.sqrt(2.3 / np.mean(1 / np.asarray(counts)))
        cube = shown(signal, np.sqrt(1 - shared) * sd, counts, rng)
        together = rng.normal(size=(2, 40)) / np.sqrt(2)
        cube += np.sqrt(shared) * sd * rng.normal(size=(*cube.shape[:2], 2)) @ together
        scores.append(flawless(made(cube), signal))
    error = 1.25 * np.std(scores) / np.sqrt(len(scores))
    assert abs(np.median(scores) - 1) < 0.03 + 3 * error
    assert error < 0.02


def test_noise_has_no_ceiling_and_says_so():
    for seed in range(40):
        rng = np.random.default_rng(seed)
        recorded = made(rng.normal(size=(30, 2 + seed % 4, 30)))
        ceiling = decoding(recorded).ceiling(recorded)
        assert ceiling.kind == "none"
        assert np.isnan(ceiling.value)
        assert "the raw value stands" in ceiling.note
    metric = decoding(recorded)
    found = metric.evaluate({"layer": rng.normal(size=(30, 5))}, recorded, ceiling, NO_DRAWS)
    assert found.value == pytest.approx(2 * found.raw - 1)
    assert found.methods["ceiling"] == ceiling.note


def covers(found):
    values, low, high = np.array(found).T
    return np.mean((low <= values.mean()) & (values.mean() <= high))


@pytest.mark.parametrize(("n", "n_repetitions"), [(8, 12), (40, 2)])
def test_the_interval_of_a_decoded_recording_covers(n, n_repetitions):
    found = []
    for seed in range(40):
        one = decoded(conditions(4.5, seed, n, n_repetitions), NO_P)
        found.append((one.value, *one.ci))
    assert covers(found) >= 0.9 - 3 * np.sqrt(0.09 / 40)
    assert np.std([one[0] for one in found]) > 0.02


def test_the_interval_of_a_model_covers_and_is_not_far_wider():
    found = []
    for seed in range(30):
        rng = np.random.default_rng(seed)
        features = rng.normal(size=(60, 8))
        signal = features @ rng.normal(size=(8, 30)) / np.sqrt(8) + rng.normal(size=(60, 30))
        recorded = made(signal[:, None] + 1.5 * rng.normal(size=(60, 3, 30)))
        metric = decoding(recorded)
        one = metric.evaluate({"half": features}, recorded, metric.ceiling(recorded), NO_P)
        found.append((one.value, *one.ci))
    values, low, high = np.array(found).T
    assert covers(found) >= 0.9 - 3 * np.sqrt(0.09 / 30)
    assert 1.5 < np.median(high - low) / 2 / values.std() < 4


def test_subjects_are_decoded_one_by_one():
    rng = np.random.default_rng(0)
    signal = rng.normal(size=(20, 1, 60))
    cube = signal + np.repeat([0.3, 6.0, 6.0], 20) * rng.normal(size=(20, 4, 60))
    subjects = np.repeat(["s1", "s2", "s3"], 20)
    recorded = made(np.concatenate([cube, cube[..., :1]], axis=2), subject=[*subjects, "s4"])
    metric_result = decoded(recorded, NO_P)
    each = [decoded(made(cube[..., subjects == one])).raw for one in ("s1", "s2", "s3")]
    assert metric_result.raw == pytest.approx(np.mean(each))
    assert each[0] == 1.0 > max(each[1:])
    assert metric_result.left_out == {"neuroids of subjects with fewer than 3": 1}
    np.testing.assert_allclose(metric_result.replicates.subjects, 2 * np.array(each) - 1)
    assert "3 subjects" in metric_result.methods["interval"]
    metric = decoding(recorded)
    model = metric.evaluate({"signal": signal[:, 0, :20]}, recorded, metric.ceiling(recorded), NO_P)
    assert model.replicates.subjects.mean() == pytest.approx(model.value)
    assert len(model.replicates.subjects) == 3


def test_every_neuroid_of_a_decoded_recording_has_its_reliability():
    """Signal of variance 1, noise of 4 over 16 repetitions: 1 / (1 + 1 / 4)."""
    found = decoded(conditions(2.0, n_conditions=200, n_repetitions=16, n_neuroids=40))
    assert found.per_unit.shape == (40,)
    assert np.mean(found.per_unit) == pytest.approx(0.8, abs=0.02)
    assert (found.layer, found.unit, found.n_neuroids, found.n_stimuli) == ("brain", "neuroid", 40, 200)
    assert dict(found.layers) == {"brain": found.raw}


def test_the_layer_curve_is_the_accuracy_of_each_layer():
    rng = np.random.default_rng(0)
    features = rng.normal(size=(60, 4))
    recorded = made((features @ rng.normal(size=(4, 30)))[:, None] + rng.normal(size=(60, 3, 30)))
    metric = decoding(recorded)
    found = metric.evaluate({"only": features}, recorded, metric.ceiling(recorded), NO_DRAWS)
    assert found.layers["only"] == pytest.approx(found.raw)
    assert found.raw > 0.9
    both = {"only": features, "noise": rng.normal(size=(60, 4))}
    found = metric.evaluate(both, recorded, metric.ceiling(recorded), NO_DRAWS)
    assert found.layers["noise"] == pytest.approx(0.5, abs=0.15)
    assert found.layer_by_split == ["only"] * 5


@pytest.mark.parametrize(("n_repetitions", "smallest"), [(2, 1 / 82), (3, 1 / 200)])
def test_each_repetition_but_the_first_is_permuted_in_its_own_order(n_repetitions, smallest):
    """Four stories of four can be rotated in 3^4 = 81 ways, and two repetitions in 81^2."""
    rng = np.random.default_rng(0)
    cube = rng.normal(size=(16, 1, 30)) + 0.1 * rng.normal(size=(16, n_repetitions, 30))
    story = np.array([f"s{i // 4}" for i in range(16)], object)
    names = np.array([f"c{i:03d}" for i in range(16)], object)
    recorded = Recording(
        "made.IT", names, cube, None, pd.DataFrame(index=range(30)), {"story": story}, position=np.arange(16)
    )
    found = decoded(recorded, ScoringOptions(n_bootstraps=0, n_permutations=199))
    assert found.methods["smallest_p"] == pytest.approx(smallest)
    assert found.methods["p"].startswith(
        "samples rotated within 4 groups within every repetition, 199 times, 4 halves"
    )


def test_patterns_of_labels_are_means_less_that_of_all_labels():
    rows = np.array([[[1.0, 2], [3, np.nan], [8, 6]]])  # one half of three stimuli and two neuroids
    found = _label_patterns(rows, np.array([0, 0, 1]), np.array([0, 1]))
    np.testing.assert_array_equal(found, [[[-3, -2], [3, 2]]])
    each = _label_patterns(rows, np.array([2, 0, 1]), np.array([0, 1, 2]))
    np.testing.assert_array_equal(each, [[[-1, 0], [4, 2], [-3, -2]]])
    whole = _label_patterns(np.arange(6.0).reshape(1, 3, 2), np.array([1, 0, 2]), np.array([0, 1, 2]))
    np.testing.assert_array_equal(whole, [[[0, 0], [-2, -2], [2, 2]]])


def test_accuracy_is_a_mean_over_the_pairs_that_met_and_moves_without_each_group():
    nan = np.nan
    told = np.array([[[nan, 1, 0.5], [1, nan, nan], [0.5, nan, nan]], np.full((3, 3), nan)])
    np.testing.assert_array_equal(_mean_of_pairs(told), [0.75, nan])
    cube = np.random.default_rng(0).normal(size=(3, 2, 4))
    patterns = Patterns.of(made(cube))
    one = SelfDecoding(cube, patterns, np.arange(3), None, np.array([0, 1, 1]))
    pairs = np.array([[[nan, 1, 0], [1, nan, 0.5], [0, 0.5, nan]]])
    vars(one)["told"] = pairs
    assert one.accuracy.tolist() == [0.5]
    # without the first label the pair .5 is left, without the others none; then one pair more that is wrong
    np.testing.assert_allclose(one.without(), [0.5, nan, 0.5 * 3 / 4])


def test_presentations_are_permuted_among_those_that_were_shown():
    cube = np.arange(4.0)[:, None, None] + np.array([0, 10.0, 20])[None, :, None] + np.zeros((4, 3, 3))
    cube[1, 2] = np.nan
    one = SelfDecoding(cube, Patterns.of(made(cube + np.random.default_rng(0).normal(size=cube.shape))),
                       np.arange(4), None, np.arange(4))  # fmt: skip
    found = one._permuted(np.array([[3, 0, 1, 2], [2, 1, 3, 0]])).cube[..., 0]
    assert found[:, 0].tolist() == [0, 1, 2, 3]
    assert found[:, 1].tolist() == [13, 10, 11, 12]
    np.testing.assert_array_equal(found[:, 2], [22, np.nan, 23, 20])


def test_single_presentations_have_no_ceiling_and_say_so():
    one = conditions(0.5, n_conditions=30, n_repetitions=1)
    ceiling = decoding(one).ceiling(one)
    assert ceiling.kind == "none"
    assert np.isnan(ceiling.value)
    assert ceiling.note == f"none: fewer than {FEWEST_FREE} presentations beyond each stimulus' first"


def test_stimuli_that_are_the_same_under_two_ids_are_one_label():
    one = conditions(0.5, n_conditions=5)
    vars(one)["alike"] = Alike(np.array([0, 0, 1, 2, 3]), np.array([0, 0, 1, 2, 3]))
    one.columns["kind"] = np.array(list("xyxyz"), object)
    assert _labels(one, None).tolist() == [0, 0, 1, 2, 3]
    assert _labels(one, "kind").tolist() == [0, 1, 0, 1, 2]
    vars(one)["alike"] = Alike()
    assert _labels(one, None).tolist() == [0, 1, 2, 3, 4]
