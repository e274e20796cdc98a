"""Small pictures stand where examples point: a picture of each color, a feature on the place of each."""

import base64
import io

import numpy as np
import pytest
import torch
from PIL import Image
from planted_layers import dictionary, inside_of

from brodmann.bench.reports.explorer import materials as of_materials
from brodmann.bench.reports.explorer.looked import Asked, Looked
from brodmann.bench.reports.explorer.materials import materials_of
from brodmann.bench.reports.explorer.sections.examples import examples
from brodmann.brain_data.stimulus_set import StimulusSet
from brodmann.models import load_model
from brodmann.models.extraction.rows import LayerRows

N, PLACES = 20, 49


@pytest.fixture(scope="module")
def colors():
    return np.random.default_rng(2).integers(0, 5, (N, 3)) * 50 + 20


@pytest.fixture(scope="module")
def stimuli(tmp_path_factory, colors):
    folder = tmp_path_factory.mktemp("pictures")
    ids = [f"p{i}" for i in range(N)]
    for name, color in zip(ids, colors, strict=True):
        Image.fromarray(np.broadcast_to(color.astype(np.uint8), (70, 90, 3)).copy()).save(
            folder / f"{name}.png"
        )
    found = StimulusSet({"stimulus_id": ids, "category": [f"c{i}" for i in range(N)]})
    found.stimulus_paths = {name: folder / f"{name}.png" for name in ids}
    found.identifier = "colored cards"
    return found


def seen(stimuli, key="v"):
    """Feature i answers picture i alone, at place 2 i."""
    n = len(stimuli)
    values = np.zeros((n, PLACES, n))
    values[np.arange(n), 2 * np.arange(n), np.arange(n)] = 1 + np.arange(n)
    numbers, places = np.repeat(np.arange(n), PLACES), np.tile(np.arange(PLACES), n)
    rows = LayerRows(
        torch.as_tensor(values.reshape(-1, n), dtype=torch.float32), numbers, places, np.full(n * PLACES, -1)
    )
    model = load_model("twin-vision-topographic")
    return Looked(key, key, inside_of(model, stimuli, rows, dictionary(np.eye(n))))


def color_at(content, number):
    per_file = 128
    raw = base64.b64decode(content["atlas"][number // per_file].partition(",")[2])
    size, at = content["size"], number % per_file
    box = (at % content["columns"] * size, at // content["columns"] * size)
    picture = Image.open(io.BytesIO(raw)).convert("RGB").crop((*box, box[0] + size, box[1] + size))
    return np.asarray(picture, float)


def test_thumbnails_are_the_pictures_that_examples_point_at(stimuli, colors):
    looked = seen(stimuli)
    found = {"v": [examples(looked, Asked())]}
    (material,), of_site = materials_of([looked], found, "CC0")
    assert of_site == {"v": "m0"}
    assert material.facts == {"name": "colored cards", "licence": "CC0", "n_pictures": N, "n_shown": N}
    for i, entry in enumerate(found["v"][0].entries["feature"]):
        (number, shape, steps), *more = entry["top"]
        assert not more
        assert shape == [7, 7]
        assert np.argmax(steps) == 2 * i
        assert sum(map(bool, steps)) == 1
        assert material.content["labels"][number] == f"c{i}"
        np.testing.assert_allclose(color_at(material.content, number).mean(axis=(0, 1)), colors[i], atol=8)


def test_two_layers_share_pictures_whatever_each_was_shown(stimuli, colors):
    first, second = seen(stimuli.iloc[:12], "a"), seen(stimuli.iloc[5:], "b")
    found = {one.key: [examples(one, Asked())] for one in (first, second)}
    (material,), of_site = materials_of([first, second], found)
    assert of_site == {"a": "m0", "b": "m0"}
    assert material.content["n"] == N
    for key, start in (("a", 0), ("b", 5)):
        for i, entry in enumerate(found[key][0].entries["feature"]):
            number = entry["top"][0][0]
            assert material.content["labels"][number] == f"c{start + i}"
            np.testing.assert_allclose(color_at(material.content, number)[32, 32], colors[start + i], atol=8)


def test_of_many_pictures_those_of_examples_stay(stimuli, colors, monkeypatch):
    monkeypatch.setattr(of_materials, "MOST_PICTURES", 6)
    looked = seen(stimuli)
    few = Looked(
        "v",
        "v",
        inside_of(looked.inside.model, stimuli, looked.inside.read, dictionary(np.eye(N)[[17, 3, 11]])),
    )
    section = examples(few, Asked())
    section.entries["unit"][:] = [None] * N
    found = {"v": [section]}
    (material,), _ = materials_of([few], found)
    assert material.content["labels"] == ["c17", "c3", "c11"]
    for number, entry in enumerate(found["v"][0].entries["feature"]):
        assert [one[0] for one in entry["top"]] == [number]
        np.testing.assert_allclose(
            color_at(material.content, number)[32, 32], colors[(17, 3, 11)[number]], atol=8
        )
    whole = {"v": [examples(looked, Asked())]}
    (material,), _ = materials_of([looked], whole)
    assert material.content["n"] == 6
    shown = [one[0] for entry in whole["v"][0].entries["feature"] for one in entry["top"]]
    assert max(shown) < 6


def test_pictures_stay_within_their_bound(stimuli, monkeypatch):
    looked = seen(stimuli)
    (free,), _ = materials_of([looked], {"v": [examples(looked, Asked())]})
    size = sum(map(len, free.content["atlas"]))
    monkeypatch.setattr(of_materials, "MOST_BYTES", size - 1)
    (bound,), _ = materials_of([looked], {"v": [examples(looked, Asked())]})
    assert sum(map(len, bound.content["atlas"])) < size
    assert bound.content["size"] < free.content["size"] == 64


def test_fine_maps_are_shown_by_the_strongest_place_of_each_block(stimuli):
    n = len(stimuli)
    side = 20
    values = np.zeros((n, side, side, 1))
    values[:, 13, 7] = 3
    numbers, places = np.repeat(np.arange(n), side**2), np.tile(np.arange(side**2), n)
    rows = LayerRows(
        torch.as_tensor(values.reshape(-1, 1), dtype=torch.float32), numbers, places, np.full(n * side**2, -1)
    )
    looked = Looked(
        "v", "v", inside_of(load_model("twin-vision-topographic"), stimuli, rows, dictionary([[1.0]]))
    )
    _, shape, steps = examples(looked, Asked()).entries["feature"][0]["top"][0]
    assert shape == [7, 7]  # blocks of three
    assert np.flatnonzero(steps).tolist() == [13 // 3 * 7 + 7 // 3]
