"""Pictures of known color, light and edges."""

import numpy as np
import pytest
from PIL import Image

from brodmann.analysis.interpretability.descriptions.appearance import picture_labels
from brodmann.brain_data.stimulus_set import StimulusSet


def bars(degrees, size=64):
    """Light and dark bars that run along this direction, counted from level towards rising."""
    y, x = np.mgrid[:size, :size]
    angle = np.radians(degrees)
    wave = np.sin(2 * np.pi * 6 / size * (x * np.sin(angle) + y * np.cos(angle)))
    return np.repeat(np.uint8(127 + 100 * wave)[:, :, None], 3, axis=2)


@pytest.fixture
def pictures(tmp_path):
    made = {
        "red": np.full((32, 32, 3), (220, 20, 20), np.uint8),
        "green": np.full((32, 32, 3), (20, 160, 20), np.uint8),
        "blue": np.full((32, 32, 3), (20, 20, 120), np.uint8),
        "grey": np.full((32, 32, 3), 250, np.uint8),
        "level": bars(0),
        "rising": bars(45),
        "upright": bars(90),
        "falling": bars(135),
    }
    stimuli = StimulusSet({"stimulus_id": list(made), "category": ["face", "house"] * 4})
    stimuli.stimulus_paths = {}
    for name, one in made.items():
        Image.fromarray(one).save(tmp_path / f"{name}.png")
        stimuli.stimulus_paths[name] = tmp_path / f"{name}.png"
    return stimuli


def test_labels_are_what_was_drawn(pictures):
    found = picture_labels(pictures)
    assert found["hue"].tolist() == ["red", "green", "blue", "", "", "", "", ""]
    assert found["orientation"].tolist()[4:] == ["level", "rising", "upright", "falling"]
    assert set(found["orientation"].tolist()[:4]) == {""}
    assert found["luminance"][3] == "light"
    assert found["luminance"][2] == "dark"
    assert found["category"].tolist() == ["face", "house"] * 4
    assert found["animacy"].tolist() == ["animate", "inanimate"] * 4


def test_what_says_nothing_is_no_label(pictures):
    pictures["category"] = "face"
    pictures["number"] = range(8)
    found = picture_labels(pictures)
    assert not {"category", "animacy", "number", "stimulus_id"} & set(found)
