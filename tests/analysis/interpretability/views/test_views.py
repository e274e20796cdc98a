"""The contract of every view, over the registry, and what the tables of activity say."""

import numpy as np
import pandas as pd
import pytest
import torch

from brodmann import UserError
from brodmann.analysis.interpretability.codes import Weights
from brodmann.analysis.interpretability.dictionary import Dictionary
from brodmann.analysis.interpretability.views.base import VIEWS, Inside, View, table_of
from brodmann.brain_data.stimuli.localizers import localizer
from brodmann.models import load_model
from brodmann.models.extraction.rows import layer_rows, token_windows

LAYER = "transformer.h.1.mlp.gelu"
N_FEATURES = 48


def dictionary(n_units, k=4, seed=0):
    """As before its first step, with one feature that never is active."""
    drawn = torch.randn(N_FEATURES, n_units, generator=torch.Generator().manual_seed(seed))
    directions = drawn / drawn.norm(dim=1, keepdim=True)
    bias = torch.zeros(N_FEATURES)
    bias[7] = -1e4
    return Dictionary(
        Weights(directions, directions.clone(), bias, torch.zeros(n_units), k),
        torch.zeros(n_units),
        1.0,
        "topk",
    )


@pytest.fixture(scope="module")
def language():
    model = load_model("twin-language-topographic")
    texts = [f"the {animal} saw {n} birds in the garden ." for animal in ("dog", "horse") for n in range(12)]
    return Inside(model, LAYER, token_windows(model, texts, length=32), dictionary(256))


@pytest.fixture(scope="module")
def vision():
    model = load_model("twin-vision-topographic")
    return Inside(model, "layer4.0.conv1", localizer("drawn-categories").iloc[:12], dictionary(196))


@pytest.mark.parametrize("name", VIEWS)
def test_a_view_has_a_row_a_unit_or_feature_and_says_what_it_is(name, language):
    one = VIEWS[name]
    table = one.table(language)
    assert len(table) == (256 if one.of == "unit" else N_FEATURES)
    assert len(table.columns)
    assert one.sentence
    again = one.table(language)
    pd.testing.assert_frame_equal(table, again)


@pytest.mark.parametrize("name", VIEWS)
def test_a_view_of_pictures_is_a_table_or_one_line(name, vision):
    one = VIEWS[name]
    if name in ("writes", "promotes", "matters", "counts"):
        with pytest.raises(UserError, match="looks at pictures"):
            one.table(vision)
    else:
        assert len(one.table(vision)) == (196 if one.of == "unit" else N_FEATURES)


def test_densities_are_counts_of_active_rows(language):
    table = VIEWS["density"].table(language)
    dense = language.dictionary.encode(language.rows).dense().numpy()
    np.testing.assert_allclose(table["rate"], (dense > 0).mean(axis=0))
    np.testing.assert_allclose(table["most"], dense.max(axis=0), rtol=1e-6)
    active = dense.sum(axis=0) > 0
    expected = dense.sum(axis=0)[active] / (dense > 0).sum(axis=0)[active]
    np.testing.assert_allclose(table["mean_active"][active], expected, rtol=1e-5)
    assert table["mean_active"].isna().equals(pd.Series(~active))
    assert not active[7]
    assert table.attrs["never_active"] == (~active).sum()
    assert table["share"].sum() == pytest.approx(1)


def test_importance_is_of_units_that_later_layers_read():
    model = load_model("twin-language-topographic")
    model.module.transformer.h[1].mlp.c_proj.weight.data[:, 3] = 0.0
    windows = token_windows(model, ["the dog saw a ball ."] * 8, length=16)
    table = VIEWS["matters"].table(Inside(model, LAYER, windows))
    assert table["importance"][3] == 0
    assert (table["importance"] > 0).sum() > 250


def test_many_rows_are_whole_windows_drawn_by_the_seed(language):
    few = [
        Inside(language.model, LAYER, language.shown, seed=seed, most_rows=100).rows.numpy()
        for seed in (0, 0, 1)
    ]
    np.testing.assert_array_equal(few[0], few[1])
    assert not np.array_equal(few[0], few[2])
    assert len(few[0]) <= 100
    assert len(language.rows) == sum(map(len, layer_rows(language.model, LAYER, language.shown)))


class TestTables:
    def test_all_views_stand_side_by_side(self, language):
        table = table_of(language, "feature")
        assert {name.partition(".")[0] for name in table.columns} == {
            name for name, one in VIEWS.items() if one.of == "feature"
        }
        assert table.attrs["left_out"] == {}

    def test_what_a_model_does_not_allow_is_left_out_and_said(self, vision):
        table = table_of(vision, "feature")
        assert "promotes" in table.attrs["left_out"]
        assert "density.rate" in table

    @pytest.mark.parametrize(
        ("names", "words"),
        [(["densty"], "density"), (["activity"], "of units"), (["promotes"], "promotes no tokens")],
    )
    def test_a_view_that_is_named_and_not_possible_is_one_line(self, vision, names, words):
        with pytest.raises(UserError, match=words):
            table_of(vision, "feature", names)

    def test_a_dictionary_of_another_layer_is_one_line(self, language):
        with pytest.raises(UserError, match="of 12 units"):
            table_of(Inside(language.model, LAYER, language.shown, dictionary(12)), "feature", ["density"])

    def test_a_layer_without_a_sheet_is_one_line(self, language):
        inside = Inside(language.model, "transformer.h.1", language.shown, dictionary(64))
        with pytest.raises(UserError, match="no sheet"):
            table_of(inside, "feature", ["mass"])


def test_a_view_of_one_s_own_joins_the_table(language, monkeypatch):
    own = View("own", "unit", "numbers", lambda inside: pd.DataFrame({"place": np.arange(inside.n_units)}))
    monkeypatch.setitem(VIEWS._things, "own", own)
    assert list(table_of(language, "unit", ["own"])["own.place"]) == list(range(256))
