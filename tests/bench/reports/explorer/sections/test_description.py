"""The section of descriptions holds what the page draws, for units and features, with controls and the user's own."""

import json
from dataclasses import replace

import made_up
import numpy as np
import pytest
import torch

from brodmann.analysis.interpretability.codes import Weights
from brodmann.analysis.interpretability.dictionary import Dictionary
from brodmann.analysis.interpretability.views.base import Inside
from brodmann.bench.reports.explorer.content import plain
from brodmann.bench.reports.explorer.looked import Asked, Looked
from brodmann.bench.reports.explorer.sections.description import description
from brodmann.models import load_model
from brodmann.models.extraction.rows import token_windows

LAYER = "transformer.h.1.mlp.gelu"


@pytest.fixture(scope="module")
def looked():
    model = load_model("twin-language-topographic")
    rng = np.random.default_rng(0)
    words = [
        "the",
        "a",
        "of",
        "dog",
        "cat",
        "saw",
        "ran",
        "old",
        "tree",
        ",",
        ".",
        "and",
        "in",
        "music",
        "1984",
        "garden",
    ]
    shown = token_windows(model, [" ".join(rng.choice(words, 400)) for _ in range(9)])
    drawn = torch.randn(24, 256, generator=torch.Generator().manual_seed(0))
    weights = Weights(drawn, drawn.clone(), torch.zeros(24), torch.zeros(256), 4)
    return Looked(
        "s0", "twin", Inside(model, LAYER, shown, Dictionary(weights, torch.zeros(256), 1.0, "topk"))
    )


@pytest.fixture(scope="module")
def section(looked):
    return description(looked, Asked())


def test_entries_and_columns_are_those_of_the_page(looked, section):
    example = made_up._description(np.random.default_rng(0), {"unit": 4, "feature": 4})
    for of in ("unit", "feature"):
        assert len(section.entries[of]) == looked.count(of)
        entry = next(one for one in section.entries[of] if one is not None)
        assert set(entry) >= set(example.entries[of][0])
        names = [one.name for one in section.columns[of]]
        assert set(names) >= {one.name for one in example.columns[of]}
        assert all(len(one.values) == looked.count(of) for one in section.columns[of])
        texts = next(one for one in section.columns[of] if one.name == "description")
        assert (texts.kind, texts.values[0]) == ("text", section.entries[of][0]["text"])
    assert set(section.controls[0]) >= set(example.controls[0])
    kinds = {one["kind"] for one in section.controls}
    assert kinds >= {one["kind"] for one in example.controls}
    json.dumps(plain(section.entries), allow_nan=False)


def test_every_description_stands_beside_random_directions_of_its_kind(section):
    medians = {one["kind"]: one["median"] for one in section.controls}
    for of, kind in (
        ("feature", "random directions at that rate"),
        ("unit", "random directions at the units' rates"),
    ):
        assert {tuple(one["control"]) for one in section.entries[of] if one} == {(kind, medians[kind])}


def test_labels_of_the_user_stand_beside_and_alone_where_it_never_fires(looked, tmp_path):
    silent = looked.dictionary.weights
    bias = torch.zeros(24)
    bias[5] = -1e6
    dictionary = replace(looked.dictionary, weights=replace(silent, encoder_bias=bias))
    mine = Looked("s0", "twin", replace(looked.inside, dictionary=dictionary))
    path = tmp_path / "labels.csv"
    path.write_text("feature,label\n5,never\n6,</script><b>six\n")
    entries = description(mine, Asked(labels=path)).entries["feature"]
    assert (entries[5]["text"], entries[5]["source"], entries[5]["r"]) == ("never", "yours", None)
    assert entries[6]["others"] == [
        {"source": "yours", "text": "</script><b>six", "r": None, "detection": None}
    ]
    assert entries[6]["source"] == "tables"


def test_units_alone_have_controls_too(looked):
    alone = Looked("s0", "twin", replace(looked.inside, dictionary=None))
    section = description(alone, Asked())
    assert list(section.entries) == ["unit"]
    assert [one["kind"] for one in section.controls][:2] == ["units", "random directions at that rate"]


def test_a_describer_that_fails_is_left_out_and_the_descriptions_stay(looked, section):
    found = description(looked, Asked(describer="no-such-program"))
    assert len(found.left_out) == 1
    assert found.left_out[0].startswith("description: the describer 'no-such-program' cannot be run")
    assert found.entries == section.entries
