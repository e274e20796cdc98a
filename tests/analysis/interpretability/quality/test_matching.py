"""Directions of two dictionaries: planted copies, halves, chance; and the floors that a page prints."""

import numpy as np
import pytest

from brodmann.analysis.interpretability.quality import matching
from brodmann.analysis.interpretability.quality.controls import (
    covariance_matched_directions,
    data_directions,
    isotropic_directions,
    unit_rows,
)
from brodmann.analysis.interpretability.quality.matching import direction_floors, match_directions, verdict
from brodmann.errors import UserError


def test_a_permuted_and_stretched_copy_matches_perfectly():
    random = np.random.default_rng(1)
    a = random.standard_normal((60, 24))
    order = random.permutation(60)
    found = match_directions(a, (a * random.uniform(0.1, 9, (60, 1)))[order])
    assert found.mmcs == pytest.approx(1, abs=1e-6)
    assert found.assigned == pytest.approx(1, abs=1e-6)
    assert found.above == {0.7: 1.0, 0.9: 1.0}
    assert (order[found.partner] == np.arange(60)).all()


def test_half_replaced_is_half():
    random = np.random.default_rng(2)
    a = random.standard_normal((400, 200))
    b = a.copy()
    b[::2] = random.standard_normal((200, 200))
    found = match_directions(a, b)
    floor = match_directions(a, random.standard_normal((400, 200))).mmcs
    assert found.above[0.9] == 0.5
    assert found.mmcs == pytest.approx((1 + floor) / 2, abs=0.01)
    low, high = found.interval
    assert low < found.mmcs < high
    assert high - low == pytest.approx(2 * 1.96 * found.best.std() / 20, rel=0.15)


def test_a_direction_turned_around_is_another_feature():
    a = np.eye(6)
    assert match_directions(a, -a).mmcs == pytest.approx(0)


def test_one_partner_for_all_is_no_assignment():
    a = np.eye(4)[[0, 0, 0, 1]] + 1e-3 * np.random.default_rng(0).standard_normal((4, 4))
    b = np.eye(4)
    found = match_directions(a, b)
    assert found.mmcs == pytest.approx(1, abs=1e-4)
    assert found.assigned == pytest.approx(0.5, abs=1e-2)


def test_blocks_change_nothing(monkeypatch):
    random = np.random.default_rng(3)
    a, b = random.standard_normal((37, 8)), random.standard_normal((21, 8))
    whole = match_directions(a, b)
    monkeypatch.setattr(matching, "_BLOCK", 100)
    parts = match_directions(a, b)
    assert (whole.partner == parts.partner).all()
    np.testing.assert_allclose(whole.best, (unit_rows(a) @ unit_rows(b).T).max(axis=1), atol=1e-6)


def test_random_sets_lie_on_the_floors():
    """Rows of 12 strong dimensions of 64: what is not isotropic has a higher floor, and data rows the highest."""
    random = np.random.default_rng(4)
    spread = np.concatenate([np.full(12, 3.0), np.full(52, 0.3)])
    rows = (random.standard_normal((4000, 64)) * spread + 5).astype(np.float32)
    like_data = data_directions(rows[:2000], 300, random_state=9)
    floors = direction_floors(like_data, 300, rows[2000:], random_state=0)
    assert set(floors) == {"isotropic", "covariance_matched", "data_rows"}
    assert floors["isotropic"].mmcs < 0.45
    assert floors["covariance_matched"].mmcs > floors["isotropic"].mmcs + 0.2
    assert floors["data_rows"].mmcs == pytest.approx(floors["covariance_matched"].mmcs, abs=0.02)
    again = match_directions(
        isotropic_directions(300, 64, random_state=5), isotropic_directions(300, 64, random_state=6)
    )
    random_floor = direction_floors(isotropic_directions(300, 64, random_state=5), 300, rows, random_state=0)
    assert again.mmcs == pytest.approx(random_floor["isotropic"].mmcs, abs=0.01)


def test_covariance_matched_directions_have_the_rows_covariance():
    random = np.random.default_rng(5)
    mixing = random.standard_normal((10, 10))
    rows = random.standard_normal((20000, 10)) @ mixing + 3
    drawn = covariance_matched_directions(rows, 20000, random_state=1)
    centred = rows - rows.mean(axis=0)
    same = centred / np.linalg.norm(centred, axis=1, keepdims=True)
    assert np.abs(drawn.T @ drawn / 20000 - same.T @ same / 20000).max() < 0.02
    np.testing.assert_allclose(np.linalg.norm(drawn, axis=1), 1)


@pytest.mark.parametrize(
    ("mmcs", "rows", "said"),
    [
        (0.5, 20_000_000, "reproducible"),
        (0.5, None, "reproducible"),
        (0.42, 20_000_000, "not reproducible"),
        (0.42, 800_000, "not reproducible"),
        (0.3, None, "not reproducible"),
    ],
)
def test_what_does_not_exceed_the_covariance_matched_floor_is_not_reproducible(mmcs, rows, said):
    found, why = verdict(mmcs, 0.35, rows)
    assert found == said
    assert ("10,000,000" in why) == (said == "not reproducible" and (rows or 0) < 10_000_000)


def test_other_spaces_are_refused():
    with pytest.raises(UserError, match="one space"):
        match_directions(np.ones((3, 4)), np.ones((3, 5)))
