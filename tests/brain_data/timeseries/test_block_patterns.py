"""Blocks of volumes as runs with events."""

import numpy as np
import pandas as pd
import pytest

from brodmann import UserError
from brodmann.brain_data.timeseries.block_patterns import labeled_runs


def test_labels_must_be_as_many_as_volumes():
    labels = pd.DataFrame({"labels": ["rest"] * 3, "chunks": [0] * 3})
    with pytest.raises(UserError, match="3 labels for 4 volumes"):
        labeled_runs(np.zeros((1, 1, 1, 4)), labels, 2.0)


def test_volumes_of_one_label_are_one_block():
    shown = ["rest", "face", "face", "rest", "shoe", "shoe", "shoe", "rest"]
    labels = pd.DataFrame({"labels": shown * 2 + ["rest"] * 8, "chunks": np.repeat([0, 1, 2], 8)})
    bold = np.arange(24.0).reshape(1, 1, 1, 24)
    runs = labeled_runs(bold, labels, 2.0)
    assert len(runs) == 2
    assert runs[1].events.to_dict("list") == {
        "onset": [2.0, 8.0],
        "duration": [4.0, 6.0],
        "trial_type": ["face", "shoe"],
    }
    assert runs[1].bold.ravel().tolist() == list(range(8, 16))
