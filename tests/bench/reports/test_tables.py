"""The numbers behind comparison figures, from records whose truth is known."""

import numpy as np
import pandas as pd
import pytest
from records import drawn, record

from brodmann.analysis.statistics.replicates import Replicates
from brodmann.bench.reports import tables as tables


def test_differences_are_paired():
    """Scores 0.05 apart, each known to 0.1: the pair is told apart, because the same stimuli move both."""
    records = [record("a", score=0.50), record("b", score=0.55), record("c", score=0.551)]
    arrays = [drawn(0.50, 1), drawn(0.55, 2), drawn(0.551, 3)]
    table = tables.differences_table(records, arrays).set_index(["better", "other"])
    assert table.loc[("b", "a"), "q"] < 0.05
    assert table.loc[("c", "b"), "q"] > 0.2
    assert table.loc[("b", "a"), "low"] > 0
    assert table.loc[("b", "a"), "difference"] == pytest.approx(0.05)


def test_p_of_models_that_do_not_differ_is_uniform():
    p = []
    for seed in range(200):
        shift = np.random.default_rng([seed, 9]).normal(
            0, 0.0141
        )  # what 400 draws of the difference spread by
        arrays = [drawn(0.5 + shift, 2 * seed + 1), drawn(0.5, 2 * seed + 2)]
        p.append(tables.differences_table([record("a"), record("b", score=0.49)], arrays)["p"][0])
    assert np.mean(np.array(p) < 0.05) < 0.09
    assert 0.4 < np.mean(p) < 0.6


def test_draws_that_do_not_belong_together_are_not_compared():
    for change in ({"seed": 1}, {"data_digest": "other"}, {"n_bootstraps": 9}):
        other = record("b", score=0.4, provenance=record()["provenance"] | change)
        table = tables.differences_table([record("a"), other], [drawn(0.5), drawn(0.4, 1)])
        assert np.isnan(table["p"][0])
        assert table["difference"][0] == pytest.approx(0.1)
    assert np.isnan(tables.differences_table([record("a"), record("b")], [{}, {}])["p"][0])


def test_versions_are_not_subtracted_and_common_samples_are_counted():
    kept = Replicates(0.5, np.random.default_rng(0).normal(0.5, 0.01, 40), "jackknife", 40).arrays()
    table = tables.differences_table([record("a"), record("b", score=0.4)], [kept, kept])
    assert table["n_draws"].tolist() == [40]
    apart = tables.differences_table([record("a"), record("b", score=0.4, benchmark_version=9)], [kept, kept])
    assert np.isnan(apart["difference"][0])
    assert np.isnan(apart["p"][0])
    assert apart["n_draws"].tolist() == [0]


def test_scores_are_ordered_and_corrected():
    records = [
        record("a", score=0.2, p=0.04),
        record("b", score=0.6, p=0.01),
        record("c", score=None, p=None),
    ]
    table = tables.scores_table(records)
    assert table["model"].tolist() == ["b", "a", "c"]
    assert table["q"][0] == pytest.approx(0.02)
    assert table["left_out"][0] == "3 voxels"
    assert np.isnan(table["score"][2])


def test_layers_have_depth_and_intervals_over_neuroids():
    generator = np.random.default_rng(0)
    units = np.stack(
        [generator.normal(0.2, 0.05, 300), generator.normal(0.4, 0.05, 300), generator.normal(0.3, 0.05, 300)]
    )
    table = tables.layers_table([record(), record("one", layers={"l": 0.1})], [{"layer_units": units}, {}])
    assert table["depth"].tolist() == [0, 0.5, 1]
    assert ((table["low"] < [0.21, 0.41, 0.31]) & (table["high"] > [0.19, 0.39, 0.29])).all()
    assert (table["high"] - table["low"]).max() < 0.05
    assert table["ceiling_high"][0] == pytest.approx(0.8)  # the root of the reliability
    assert table["chosen"].tolist() == [False, True, False]


def test_rdms_are_ordered_by_category():
    square = np.abs(np.subtract.outer(np.arange(5.0), np.arange(5.0)))
    upper = square[np.triu_indices(5, 1)]
    kept = {
        "model_rdm": 2 * upper,
        "brain_rdm": upper,
        "stimulus_id": np.array(list("abcde")),
        "category": np.array(["y", "x", "y", "x", "x"]),
    }
    table = tables.rdms_table([record("m")], [kept], "data.V1-ridge")
    assert table.attrs["stimulus_ids"] == ["b", "d", "e", "a", "c"]
    for _, row in table.iterrows():
        apart = abs(ord(row["first"]) - ord(row["second"]))
        assert (row["brain"], row["m"]) == (apart, 2 * apart)
    assert tables.rdms_table([record("m")], [{}], "data.V1-ridge").empty


def test_units_keep_their_place():
    kept = {
        "raw": np.array([0.1, 0.2]),
        "neuroid_x": np.array([1.0, 2]),
        "neuroid_y": np.zeros(2),
        "neuroid_z": np.zeros(2),
    }
    table = tables.units_table([record("m"), record("none", unit="none")], [kept, {"raw": np.empty(0)}])
    assert table["x"].tolist() == [1, 2]
    assert set(table["model"]) == {"m"}
    assert tables.units_table([record(unit="none")], [{}]).empty


def test_a_correlation_over_models_has_the_p_of_scipy():
    from scipy import stats

    generator = np.random.default_rng(0)
    x = generator.normal(size=12)
    y = x + generator.normal(size=12)
    found = tables.correlation_over_models(x, y)
    assert found["r"] == pytest.approx(stats.spearmanr(x, y).statistic)
    assert found["p"] == pytest.approx(stats.spearmanr(x, y).pvalue, abs=0.02)
    assert found["low"] < found["r"] < found["high"]
    assert np.isnan(tables.correlation_over_models([1, 2, 3], [1, 2, 3])["r"])


def test_a_score_stands_beside_the_layout_of_its_model():
    layouts = pd.DataFrame({"model": ["a", "a", "b"], "morans_i": [0.2, 0.4, np.nan]})
    table = tables.against_table(
        tables.scores_table([record("a"), record("b"), record("c")]), layouts, "morans_i"
    )
    assert table[["model", "morans_i"]].to_numpy().tolist() == [["a", pytest.approx(0.3)]]


@pytest.mark.parametrize(
    ("changes", "best"),
    [
        ({}, 0.8),
        ({"ceiling_kind": "internal_consistency"}, 0.8),
        ({"ceiling_kind": "r_max"}, 0.64),
        ({"metric": "cka", "ceiling_kind": "internal_consistency"}, np.nan),
        ({"ceiling": None, "ceiling_kind": "none"}, np.nan),
    ],
)
def test_the_best_raw_value_is_in_the_units_of_the_score(changes, best):
    table = tables.scores_table([record(**changes)])
    assert table["best_raw"][0] == pytest.approx(best, nan_ok=True)
    assert tables.layers_table([record(**changes)], [{}])["ceiling_high"][0] == pytest.approx(
        best, nan_ok=True
    )
