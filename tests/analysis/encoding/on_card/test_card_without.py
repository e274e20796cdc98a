"""The training part of intervals on a card is that of the processor, which here plays the card."""

import numpy as np
import pytest
import torch
from ridge_problems import folds_of, problem

from brodmann.analysis.encoding import pooled
from brodmann.analysis.encoding.fit import Fit
from brodmann.analysis.encoding.gram_eigen import prepare
from brodmann.analysis.encoding.nested_ridge import nested_ridge
from brodmann.analysis.encoding.on_card import memory, ridge, without
from brodmann.analysis.encoding.on_card.fit import CardFit
from brodmann.memory import NotEnoughMemory

GROUPS = np.arange(80) // 9


@pytest.fixture(params=[150, 12], ids=["dual", "primal"])
def fits(request, monkeypatch):
    """Targets, fits of a card, and those of the processor at the same penalties."""
    monkeypatch.setattr(ridge, "serves", lambda device: True)
    x, y = problem(80, request.param, 1, n_targets=30)
    y[:, 7] = 2.0
    there = list(nested_ridge(x, y, folds_of(80)))
    assert all(isinstance(one, CardFit) for one in there)
    assert len(np.unique(there[0].alpha)) > 3
    features = prepare(x)
    here = [Fit(one.split, features, one.alpha, one.prediction, one.inner_score) for one in there]
    return y, there, here


def same(found, expected):
    for one, other in zip(found, expected, strict=True):
        for a, b in zip(one, other, strict=True):
            np.testing.assert_allclose(a, b, rtol=0, atol=1e-8)


@pytest.mark.parametrize("kept", [1 << 30, 0])
def test_predictions_without_each_group_in_turn(fits, kept, monkeypatch):
    y, there, here = fits
    monkeypatch.setattr(pooled, "_KEPT", kept)
    expected = list(pooled.each_without(here, y, GROUPS))
    assert len(expected) == 9
    assert max(np.abs(one[0] - here[0].prediction).max() for one in expected) > 0.01
    same(pooled.each_without(there, y, GROUPS), expected)
    assert not any("basis" in vars(one) for one in there)


def test_some_of_the_targets(fits):
    y, there, here = fits
    some = np.array([3, 0, 20])
    found = pooled.each_without([one.only(some) for one in there], y[:, some], GROUPS)
    same(found, pooled.each_without([one.only(some) for one in here], y[:, some], GROUPS))


def test_a_group_that_is_all_or_nothing_changes_nothing(fits):
    y, there, _ = fits
    (everything,) = pooled.predictions_without(there[0], y, np.zeros(80, int))
    np.testing.assert_array_equal(everything, there[0].prediction)
    gaps = list(pooled.predictions_without(there[0], y, 2 * GROUPS))
    np.testing.assert_array_equal(gaps[1], there[0].prediction)
    assert (gaps[0] != there[0].prediction).any()


def test_blocks_of_targets_and_of_penalties(fits, monkeypatch):
    y, there, here = fits
    monkeypatch.setattr(without, "_BLOCK", 7)
    monkeypatch.setattr(without, "_HATS_BYTES", 1)
    same(pooled.each_without(there, y, GROUPS), pooled.each_without(here, y, GROUPS))


def test_memory_that_runs_out_halves_the_blocks(fits, monkeypatch):
    y, there, here = fits
    whole, widths = without._Fitted._shrunk_of, []

    def lacking(self, block):
        widths.append(block.stop - block.start)
        if widths[-1] > 8:
            raise torch.OutOfMemoryError
        return whole(self, block)

    monkeypatch.setattr(without._Fitted, "_shrunk_of", lacking)
    same(pooled.each_without(there, y, GROUPS), pooled.each_without(here, y, GROUPS))
    assert set(widths) >= {30, 15, 8}


def test_what_a_card_would_not_hold_is_refused_before(fits, monkeypatch):
    y, there, _ = fits
    monkeypatch.setattr(memory, "free_bytes", lambda device: 1 << 20)
    monkeypatch.setattr(type(there[0].features), "diagonalize_there", None)
    with pytest.raises(NotEnoughMemory, match="^the training part of intervals would take about"):
        next(pooled.predictions_without(there[0], y, GROUPS))
