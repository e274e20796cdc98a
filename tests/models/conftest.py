"""A small set of pictures and one of sentences."""

import numpy as np
import pytest
from PIL import Image

from brodmann.brain_data.stimulus_set import StimulusSet


@pytest.fixture(scope="session")
def pictures(tmp_path_factory):
    folder = tmp_path_factory.mktemp("pictures")
    rng = np.random.default_rng(0)
    ids = [f"p{i}" for i in range(7)]
    for name in ids:
        Image.fromarray(rng.integers(0, 256, (20, 30, 3), dtype=np.uint8)).save(folder / f"{name}.png")
    stimuli = StimulusSet({"stimulus_id": ids, "filename": [f"{name}.png" for name in ids]})
    stimuli.stimulus_paths = {name: folder / f"{name}.png" for name in ids}
    stimuli.identifier = "seven-pictures"
    return stimuli


@pytest.fixture
def sentences():
    texts = [
        "The dog saw a ball.",
        "Rain.",
        "A very long sentence about nothing in particular at all.",
        "Two words",
    ]
    return StimulusSet({"stimulus_id": list("abcd"), "sentence": texts, "passage": ["x", "y", "x", "x"]})
