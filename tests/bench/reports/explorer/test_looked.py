"""A layer is read once, and every row knows its token, its place and its text; sections are kept as they are made."""

import json

import numpy as np
import pytest
from networks import LAYER, looked_at

from brodmann.bench.reports.explorer import build as building
from brodmann.bench.reports.explorer.content import Column, Section, plain
from brodmann.bench.reports.explorer.looked import Asked
from brodmann.errors import UserError


@pytest.fixture(scope="module")
def looked():
    return looked_at()


def test_each_row_points_at_its_token_and_its_text(looked):
    part, read = looked.inside.part, looked.inside.read
    tokens = np.concatenate(part.ids)
    assert np.array_equal(tokens[looked.position], read.token)
    assert len(read) == part.n_tokens - len(part)  # all but the first of every window
    assert np.array_equal(looked.document, np.concatenate(part.document)[looked.position])


def test_sparse_codes_are_those_of_the_dictionary(looked):
    dense = looked.dictionary.encode(looked.inside.rows).dense().numpy()
    assert np.array_equal(np.asarray(looked.features.todense()), dense)
    assert np.array_equal(looked.columns("feature", [3, 17]), dense[:, [3, 17]])
    assert np.array_equal(looked.columns("unit", [5]), looked.units[:, [5]])
    assert looked.features.nnz <= 6 * len(dense)


def of_layer(made):
    def section(looked, asked):
        made.append(looked.key)
        values = np.arange(looked.count("unit"), dtype=float)
        return Section(
            "histogram",
            {"unit": [Column("n", "number", values, "other")]},
            {"unit": [{"v": v} for v in values]},
        )

    return section


@pytest.fixture
def few(monkeypatch):
    """Two sections: one that is made, one that cannot be."""
    made = []

    def refused(looked, asked):
        raise UserError("no sheet here")

    monkeypatch.setattr(building, "SECTIONS", {"histogram": of_layer(made), "place": refused})
    return made


def test_what_cannot_be_made_is_said_and_the_rest_stands(looked, few):
    page = building.build([looked], Asked(), title="t", made={})
    index = page.sites[0].index()
    assert index["left_out"] == ["place: no sheet here"]
    assert index["sections"]["unit"] == ["histogram"]
    assert index["facts"]["layer"] == LAYER
    assert index["n"] == {"unit": 256, "feature": 96}


def test_sections_that_are_made_are_kept_and_another_question_is_made_anew(looked, few, tmp_path):
    first = building.build([looked], Asked(), title="t", made={}, kept=tmp_path)
    again = building.build([looked], Asked(), title="t", made={}, kept=tmp_path)
    assert few == [looked.key]
    assert json.dumps(plain(first.shards())) == json.dumps(plain(again.shards()))
    building.build([looked], Asked(topics=3), title="t", made={}, kept=tmp_path)
    assert len(few) == 2


def test_what_a_describer_says_is_asked_anew_and_spoils_no_other_section(looked, few, monkeypatch, tmp_path):
    said = []

    def description(looked, asked):
        said.append(asked.describer)
        return Section("description", entries={"unit": [{"v": 1}] * looked.count("unit")})

    monkeypatch.setattr(building, "SECTIONS", {"histogram": of_layer(few), "description": description})
    for describer in (
        None,
        "python mine.py",
        "python mine.py",
        None,
    ):  # the program may have changed in between
        building.build([looked], Asked(describer=describer), title="t", made={}, kept=tmp_path)
    assert said == [None, "python mine.py", "python mine.py"]
    assert few == [looked.key]


def test_an_unknown_section_is_named(looked):
    with pytest.raises(UserError, match="there is no section 'histograms'"):
        building.build([looked], Asked(), title="t", made={}, left_out=["histograms"])
