"""Texts that a network writes itself follow its own predictions."""

import numpy as np
import pytest
import torch

from brodmann import UserError
from brodmann.analysis.interpretability.lenses.own_texts import first_token, own_windows
from brodmann.analysis.interpretability.lenses.passes import scored


def test_tokens_follow_the_predictions(small):
    """Of 3000 texts that begin alike, the next tokens are as frequent as predicted."""
    first = 40
    small = small.replaced(tokenizer=lambda text: [first, *(b + 1 for b in text.encode())])
    assert first_token(small) == first
    drawn = np.array(own_windows(small, 3000, length=2))
    assert (drawn[:, 0] == first).all()
    predicted = scored(small, torch.tensor([[first]]))[0, -1].softmax(dim=0).numpy()
    seen = np.bincount(drawn[:, 1], minlength=len(predicted)) / 3000
    assert np.abs(seen - predicted).max() < 4 * np.sqrt(predicted.max() / 3000)
    assert np.corrcoef(seen, predicted)[0, 1] > 0.95


def test_a_low_temperature_takes_the_likeliest_and_a_seed_gives_the_same(small):
    cold = own_windows(small, 3, length=8, temperature=1e-4)
    for ids in cold:
        best = scored(small, torch.from_numpy(ids)[None])[0].argmax(dim=1).numpy()
        np.testing.assert_array_equal(ids[1:], best[:-1])
    one, other, third = (own_windows(small, 3, length=8, seed=seed) for seed in (1, 1, 2))
    assert np.array_equal(one, other)
    assert not np.array_equal(one, third)
    with pytest.raises(UserError, match="at a temperature above 0"):
        own_windows(small, 3, temperature=0)
