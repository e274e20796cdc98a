"""Stimuli that are the same, or nearly: found whatever their ids, and not where they only share a background."""

import io

import numpy as np
import pytest
from PIL import Image, ImageEnhance, ImageFilter

from brodmann.brain_data import Dataset
from brodmann.brain_data.near_duplicates import alike, components, described
from brodmann.brain_data.stimulus_set import StimulusSet


def photo(seed, side=96):
    noise = np.random.default_rng(seed).integers(0, 256, (side // 8, side // 8, 3), dtype=np.uint8)
    return Image.fromarray(noise).resize((side, side), Image.Resampling.BICUBIC)


def on_a_table(seed):
    """A small object before one detailed background, as in studies of object positions."""
    scene = photo(999)
    place = tuple(int(one) for one in np.random.default_rng(seed).integers(10, 70, 2))
    scene.paste(photo(seed, 24).resize((14, 14)), place)
    return scene


def recompressed(picture):
    stream = io.BytesIO()
    picture.save(stream, "JPEG", quality=70)
    return Image.open(stream).convert("RGB")


COPIES = {
    "the same": lambda one: one,
    "resized": lambda one: one.resize((150, 150), Image.Resampling.BICUBIC),
    "recompressed": recompressed,
    "brightened": lambda one: ImageEnhance.Brightness(one).enhance(1.1),
    "blurred": lambda one: one.filter(ImageFilter.GaussianBlur(0.7)),
}


def stored(tmp_path, drawn):
    names = [f"p{i:03d}" for i in range(len(drawn))]
    stimuli = StimulusSet({"stimulus_id": names, "filename": [f"{name}.png" for name in names]})
    stimuli.stimulus_paths = {name: tmp_path / f"{name}.png" for name in names}
    for name, one in zip(names, drawn, strict=True):
        one.save(tmp_path / f"{name}.png")
    return stimuli


def pairs(groups):
    return (
        []
        if groups is None
        else [np.flatnonzero(groups == one).tolist() for one in np.flatnonzero(np.bincount(groups) > 1)]
    )


@pytest.mark.parametrize("scene", [photo, on_a_table])
@pytest.mark.parametrize("copy", COPIES)
def test_a_copy_of_a_picture_is_found_and_nothing_else(tmp_path, scene, copy):
    drawn = [scene(i) for i in range(40)]
    found = alike(stored(tmp_path, [*drawn, COPIES[copy](drawn[7])]))
    assert pairs(found.near) == [[7, 40]]
    assert pairs(found.same) == ([[7, 40]] if copy == "the same" else [])


def test_the_same_pixels_are_the_same_in_any_format(tmp_path):
    stimuli = stored(tmp_path, [photo(i) for i in range(5)])
    photo(2).save(tmp_path / "again.bmp")
    stimuli.stimulus_paths["p004"] = tmp_path / "again.bmp"
    assert pairs(alike(stimuli).same) == [[2, 4]]


def test_what_is_the_same_counts_however_much_of_it_there_is(tmp_path):
    found = alike(stored(tmp_path, [photo(i % 4) for i in range(40)]))
    assert [len(one) for one in pairs(found.same)] == [10] * 4
    np.testing.assert_array_equal(found.same, found.near)
    table = StimulusSet({"stimulus_id": range(40), "sentence": [f"Sentence {i // 20}." for i in range(40)]})
    assert alike(table).n_same == 40


def test_pictures_of_one_gray_are_the_same_only_if_they_are_equal(tmp_path):
    grays = [Image.new("RGB", (8, 8), (level,) * 3) for level in (0, 10, 10, 200)]
    found = alike(stored(tmp_path, grays))
    assert pairs(found.near) == pairs(found.same) == [[1, 2]]


@pytest.mark.parametrize("column", ["sentence", "text"])
def test_texts_are_the_same_but_for_case_and_punctuation(column):
    texts = ["The dog sleeps.", "A bird sang all morning", "the dog sleeps", "The cafe\u0301 is open",
             "The caf\u00e9 is open!", "A bird sang all mornings", "???", "!!!"]  # fmt: skip
    found = alike(StimulusSet({"stimulus_id": range(8), column: texts}))
    assert pairs(found.same) == [[0, 2], [3, 4]]
    assert pairs(found.near) == [[0, 2], [1, 5], [3, 4]]


def test_words_are_the_same_unless_they_stand_in_a_text():
    words = ["dog", "the", "sea", "the", "Dog"]
    table = StimulusSet({"stimulus_id": range(5), "word": words})
    assert pairs(alike(table).same) == [[1, 3]]
    assert alike(table.assign(story=["a", "a", "a", "b", "b"])).same is None
    assert alike(table, ["passage"]).same is None


def test_conditions_without_stimuli_are_not_looked_at():
    table = StimulusSet({"stimulus_id": ["a", "b", "c"], "sentence": ["x", "x", "y"]})
    data = Dataset.from_arrays("d", np.random.default_rng(0).normal(size=(3, 4)), table, has_stimuli=False)
    assert data.alike.same is None
    assert data.described_duplicates() == []


def test_lines_name_the_first_and_count_all():
    table = StimulusSet(
        {"stimulus_id": ["a", "b", "c", "d"], "sentence": ["Yes it is", "no", "yes, it is", "elsewhere"]}
    )
    (line,) = described(alike(table), ["a", "b", "c", "d"])
    assert line == "2 stimuli are the same as others under another id (first: 'a' and 'c')"


def test_groups_that_share_a_stimulus_are_one():
    joined = components(np.array([0, 0, 1, 1, 2, 3]), np.array([0, 1, 1, 2, 3, 4]))
    np.testing.assert_array_equal(joined, [0, 0, 0, 0, 1, 2])


@pytest.mark.parametrize(
    ("one", "other"),
    [("दिन", "दान"), ("กิ", "กี"), ("I feel 😀", "I feel 😡"), ("2 + 2", "2 × 2"), ("3.5 apples", "35 apples"),
     ("C", "C++"), ("it costs $5", "it costs 5"), ("from A → B", "from A ← B"), ("it is -5", "it is 5")],
)  # fmt: skip
def test_signs_vowels_and_decimals_make_other_texts(one, other):
    assert (
        alike(StimulusSet({"stimulus_id": ["a", "b", "c"], "sentence": [one, other, "a third"]})).same is None
    )


def test_punctuation_makes_no_other_text():
    texts = ["Well, it is: fine.", "well it is fine", "It ends with 5.", "it ends with 5"]
    same = alike(StimulusSet({"stimulus_id": list("abcd"), "sentence": texts})).same
    np.testing.assert_array_equal(same, [0, 0, 1, 1])
