"""Motion energy against pymoten itself, on films whose motion is known.

pymoten brings OpenCV with it; in a folder of its own it is enough to

    pip install --no-deps --target FOLDER pymoten
    BRODMANN_TEST_MOTEN=FOLDER pytest tests/models/zoo/test_motion_energy.py
"""

import os
import sys

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from brodmann import UserError, load_model
from brodmann.brain_data.stimulus_set import StimulusSet
from brodmann.models.extraction import activation_cache
from brodmann.models.zoo import motion_energy

FPS = 8
NEAR = 0.05
"""Of logarithms from -12 to 14: pymoten itself differs by .01 between one filter at a time and several, in float32."""


@pytest.fixture
def moten(monkeypatch):
    if folder := os.environ.get("BRODMANN_TEST_MOTEN"):
        monkeypatch.syspath_prepend(folder)
    return pytest.importorskip("moten", reason="motion energy is pymoten's")


@pytest.fixture(scope="module")
def film(tmp_path_factory):
    """A grating of 4 cycles that drifts to the right at 2 Hz, and one to the left; frames by turns in the table."""
    folder, rows = tmp_path_factory.mktemp("film"), []
    x = np.arange(96) / 96
    for i in range(16):
        for story, way in (("right", 1), ("left", -1)):
            wave = 127 + 120 * np.sin(2 * np.pi * (4 * x - way * 2 * i / FPS))
            pixels = np.repeat(np.repeat(wave[None], 96, 0)[:, :, None], 3, 2).astype(np.uint8)
            Image.fromarray(pixels).save(folder / f"{story}{i:02d}.png")
            rows.append((f"{story}{i:02d}", story, i / FPS, (i + 1) / FPS))
    stimuli = StimulusSet(pd.DataFrame(rows, columns=["stimulus_id", "story", "onset", "offset"]))
    stimuli.stimulus_paths = {one: folder / f"{one}.png" for one in stimuli["stimulus_id"]}
    return stimuli


def test_it_is_pymotens_answer_film_by_film(moten, film):
    found = load_model("motion-energy").extract(film)["motion-energy"]
    from moten.colorspace import rgb2lab
    from moten.pyramids import MotionEnergyPyramid

    pyramid = MotionEnergyPyramid((96, 96), FPS, [0, 2, 4], [0, 2, 4, 8, 16, 32])
    assert found.shape == (32, pyramid.nfilters)
    for story in ("right", "left"):
        ids = film["stimulus_id"][film["story"] == story]
        shown = [rgb2lab(np.asarray(Image.open(film.stimulus_paths[one])) / 255.0)[..., 0] for one in ids]
        expected = pyramid.project_stimulus(np.array(shown))
        np.testing.assert_allclose(found.values[(film["story"] == story).to_numpy()], expected, atol=NEAR)


def test_a_filter_answers_to_its_own_direction(moten, film):
    """Of filters of 4 cycles and 2 Hz those that prefer one way answer more to one film than to the other."""
    found = load_model("motion-energy").extract(film)["motion-energy"].values
    from moten.pyramids import MotionEnergyPyramid

    facts = MotionEnergyPyramid((96, 96), FPS, [0, 2, 4], [0, 2, 4, 8, 16, 32]).parameters
    tuned = (facts["spatial_freq"] == 4) & (facts["temporal_freq"] == 2)
    mean = {}
    for story in ("right", "left"):
        middle = found[(film["story"] == story).to_numpy()][5:-5]
        for angle in (0, 180):
            mean[story, angle] = middle[:, tuned & (facts["direction"] == angle)].mean()
    right = mean["right", 0] - mean["right", 180]
    left = mean["left", 0] - mean["left", 180]
    assert right * left < 0
    assert min(abs(right), abs(left)) > 1


def test_frames_in_any_order_and_in_blocks_give_the_same(moten, film, monkeypatch):
    model = load_model("motion-energy")
    whole = model.extract(film)["motion-energy"].values.copy()
    order = np.random.default_rng(0).permutation(len(film))
    moved = film.iloc[order]
    monkeypatch.setattr(motion_energy, "_BLOCK", 9)
    again = model.extract(moved)["motion-energy"]
    assert again["stimulus_id"].values.tolist() == moved["stimulus_id"].tolist()
    np.testing.assert_allclose(again.values, whole[order], atol=NEAR)
    monkeypatch.setattr(activation_cache, "writing", None)  # it was kept
    np.testing.assert_array_equal(model.extract(film)["motion-energy"].values, whole)


@pytest.mark.parametrize(
    ("change", "line"),
    [
        (lambda table: table.drop(columns="onset"), "need a column onset"),
        (
            lambda table: table.assign(onset=table["onset"] * 2),
            "the frames of 'right' come 4 times a second: filters of 4",
        ),
        (
            lambda table: table.iloc[[i for i in range(32) if i != 20]],
            "of 'right' do not come at equal steps of time",
        ),
    ],
)
def test_what_is_no_film_is_one_line(film, change, line):
    with pytest.raises(UserError, match=line) as error:
        load_model("motion-energy").extract(change(film))
    assert "\n" not in str(error.value)


def test_without_pymoten_one_line_says_what_to_install(film, monkeypatch):
    monkeypatch.setitem(sys.modules, "moten", None)
    monkeypatch.setitem(sys.modules, "moten.pyramids", None)
    line = r"^motion-energy needs the package 'pymoten': pip install 'brodmann\[motion\]'$"
    with pytest.raises(UserError, match=line):
        load_model("motion-energy").sizes(film)
