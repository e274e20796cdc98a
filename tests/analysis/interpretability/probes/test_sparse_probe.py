import numpy as np
import pytest

from brodmann.analysis.interpretability.probes.controls import firing_rules, pruned, rotated
from brodmann.analysis.interpretability.probes.probe import Examples, optimal_point, probe
from brodmann.analysis.interpretability.probes.scale import Scale
from brodmann.analysis.interpretability.probes.sparse_probe import (
    Bench,
    adaptive,
    adaptive_supports,
    by_ranking,
    random_units,
    sizes_up_to,
)
from brodmann.brain_data.probing.splits import split_by_document


def _rows(n: int = 1500, d: int = 60, seed: int = 0) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Three planted units among copies of a common noise, texts in 75 documents."""
    generator = np.random.default_rng(seed)
    y = generator.random(n) < 0.5
    x = generator.normal(size=(n, d)) + generator.normal(size=(n, 1))
    x[:, [3, 7, 11]] += np.where(y, 0.8, -0.8)[:, None]
    return x, y, np.arange(n) // 20


def _bench(seed: int = 0) -> Bench:
    x, y, documents = _rows(seed=seed)
    return Bench.of(x, y, documents, split_by_document(y, documents))


def test_rows_are_scaled_by_the_training_half_alone() -> None:
    x = np.random.default_rng(0).normal(3, 2, (500, 4))
    x[:, 2] = 5.0
    scaled = Scale.of(x[:300])(x)
    np.testing.assert_allclose(scaled[:300].mean(axis=0), 0, atol=1e-12)
    np.testing.assert_allclose(scaled[:300, [0, 1, 3]].std(axis=0), 0.1)
    assert (scaled[:, 2] == 0).all()
    assert abs(scaled[300:, 0].mean()) > 1e-6


def test_sizes_are_powers_of_two_and_all() -> None:
    assert sizes_up_to(32, 256) == [1, 2, 4, 8, 16, 32, 256]
    assert sizes_up_to(256, 256) == [1, 2, 4, 8, 16, 32, 64, 128, 256]
    assert sizes_up_to(1000, 3) == [1, 2, 3]


def test_adaptive_thresholding_finds_the_planted_units_and_keeps_them_nested() -> None:
    found = adaptive_supports(_bench(), [1, 2, 3, 8, 60])
    assert set(found[3]) == {3, 7, 11}
    assert set(found[1]) < set(found[2]) < set(found[3]) < set(found[8]) < set(found[60])


def test_curves_end_at_one_probe_of_all_units_and_random_units_are_worse_than_chosen_ones() -> None:
    bench = _bench()
    ranking, thresholded = by_ranking(bench, [4, 60]), adaptive(bench, [4, 60], n_draws=50)
    assert ranking[1].scores.auroc == pytest.approx(thresholded[1].scores.auroc, abs=1e-4)
    assert thresholded[0].intervals["f1"][0] < thresholded[0].scores.f1 < thresholded[0].intervals["f1"][1]
    chance = np.mean([one.scores.f1 for one in random_units(bench, [4])[0]])
    assert ranking[0].scores.f1 > chance + 0.1


def test_a_rotation_changes_what_one_unit_says_and_not_what_all_say() -> None:
    bench = _bench()
    own, turned = by_ranking(bench, [1, 60]), rotated(bench, [1, 60])
    assert len(turned[0]) == 5
    assert np.mean([one.scores.auroc for one in turned[0]]) < own[0].scores.auroc - 0.03
    for one in turned[1]:
        assert one.scores.auroc == pytest.approx(own[1].scores.auroc, abs=0.02)


def test_wide_rows_are_turned_without_changing_their_lengths() -> None:
    from brodmann.analysis.interpretability.probes.controls import _turned

    x = np.random.default_rng(0).normal(size=(6, 1500))
    turned = _turned(x, np.random.default_rng(1))
    np.testing.assert_allclose(turned @ turned.T, x @ x.T, atol=1e-8)
    assert np.abs(turned - x).max() > 0.5


def test_pruning_takes_other_units_every_round_until_nothing_is_left_to_tell() -> None:
    rounds = pruned(_bench(), 3)
    assert set(rounds[0].units) == {3, 7, 11}
    assert len(set(np.concatenate([one.units for one in rounds]))) == 15
    assert rounds[0].scores.auroc > 0.8 > 0.6 > rounds[1].scores.auroc


def test_units_for_halves_of_a_property_are_too_specific_alone_and_right_together() -> None:
    generator = np.random.default_rng(0)
    n = 1000
    kind = generator.integers(0, 4, n)  # two kinds of positives, two of negatives
    x = generator.normal(0, 0.1, (n, 5))
    x[:, 0] += kind == 0
    x[:, 1] += kind == 1
    documents = np.arange(n) // 10
    bench = Bench.of(x, kind < 2, documents, split_by_document(kind < 2, documents))
    found = firing_rules(bench, np.array([0, 1]))
    assert found.single.precision > 0.9
    assert found.single.recall < 0.6
    assert found.union.f1 > 0.95
    assert found.conjunction.recall < 0.05


def test_shuffled_labels_give_chance_and_are_not_shown() -> None:
    x, y, documents = _rows()
    generator = np.random.default_rng(1)
    auroc, shown = [], 0
    for draw in range(12):
        found = probe(
            Examples(x, generator.permutation(y), documents), controls=False, random_state=draw, n_draws=200
        )
        auroc += [point.scores.auroc for point in found.adaptive]
        shown += found.is_shown
    assert abs(np.mean(auroc) - 0.5) < 0.02
    assert np.abs(np.array(auroc) - 0.5).max() < 0.12  # 600 test rows: a standard error is .024
    assert shown <= 2


def test_what_length_tells_as_well_is_not_shown() -> None:
    x, y, documents = _rows()
    length = np.where(y, 1.0, 0.0) + np.random.default_rng(0).normal(0, 0.2, len(y))
    with_length = probe(Examples(x, y, documents, numbers={"letters": length}), controls=False)
    assert with_length.best_trivial[0] == "letters"
    assert with_length.best_trivial[1] > 0.95
    assert not with_length.is_shown
    assert probe(Examples(x, y, documents), controls=False).is_shown


def test_the_best_four_of_fifty_have_no_higher_objective_than_adaptive_ones_and_a_certificate() -> None:
    found = optimal_point(_bench(), 4)
    assert found.certificate.objective <= found.adaptive_objective + 1e-12
    assert found.certificate.gap <= 1e-3
    assert {3, 7, 11} < set(found.point.units)


def test_probes_of_superposed_features_need_many_units_and_of_their_codes_one() -> None:
    """40 features in 20 units: no unit is a feature, and the features themselves are."""
    generator = np.random.default_rng(0)
    n = 3000
    codes = (generator.random((n, 40)) < 0.1) * generator.uniform(0.5, 1.5, (n, 40))
    directions = generator.normal(size=(40, 20))
    rows = codes @ (directions / np.linalg.norm(directions, axis=1, keepdims=True))
    y, documents = codes[:, 5] > 0, np.arange(n) // 20
    of_units = probe(Examples(rows, y, documents), controls=False)
    of_codes = probe(Examples(codes, y, documents), controls=False)
    assert of_codes.adaptive[0].units.tolist() == [5]
    assert of_codes.adaptive[0].scores.f1 > 0.99
    assert of_units.adaptive[0].scores.f1 < 0.8
    assert of_units.adaptive[-1].scores.f1 > of_units.adaptive[0].scores.f1 + 0.08
