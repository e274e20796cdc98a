"""Figures of recordings in time: as pictures against stored ones, and what their tables say.

BRODMANN_WRITE_BASELINE=1 draws the stored pictures anew: look at them before you commit them.
"""

import os
from pathlib import Path

import numpy as np
import pytest
from heard import told
from matplotlib.testing.compare import compare_images
from records import courses, overlapping, record, world_in_time

import brodmann
from brodmann.analysis.encoding.haemodynamic_peak import haemodynamic_peak
from brodmann.bench.benchmark import make_benchmark
from brodmann.bench.reports import series_figures as draw
from brodmann.bench.reports import series_tables as tables
from brodmann.bench.reports.collect import compare
from brodmann.bench.reports.panel import panels
from brodmann.bench.reports.style import style_for
from brodmann.brain_data.timeseries.regressors import haemodynamic_response

BASELINE = Path(__file__).parent / "baseline"
MODELS = ["network", "word-rate"]


def figure(name, style, records=None, arrays=None):
    if records is None:
        records, arrays = world_in_time()
    if name == "time-courses":
        table = tables.courses_table(records[0], arrays[0])
        return draw.courses_figure(table, records[0]["model"], "network on alice.LATL-ridge", style)
    if name == "delays":
        return draw.delays_figure(tables.delays_table(records, arrays), style)
    return draw.regions_figure(tables.regions_table(records), "alice, ridge", style)


NAMES = ("time-courses", "delays", "regions-in-time")


@pytest.mark.parametrize("dark", [False, True])
@pytest.mark.parametrize("name", NAMES)
def test_a_figure_looks_as_it_did(name, dark, tmp_path):
    kind = f"{name}{'-dark' if dark else ''}.png"
    figure(name, style_for(MODELS, dark=dark)).savefig(tmp_path / kind, dpi=60)
    if os.environ.get("BRODMANN_WRITE_BASELINE"):
        (BASELINE / kind).write_bytes((tmp_path / kind).read_bytes())
    assert compare_images(str(BASELINE / kind), str(tmp_path / kind), tol=6) is None


@pytest.mark.parametrize("width", ["single", "double"])
@pytest.mark.parametrize("models", [("alone",), tuple(f"a-model-with-a-long-name-{i:02d}" for i in range(9))])
@pytest.mark.parametrize("name", NAMES)
def test_a_figure_stays_readable(name, models, width):
    records, arrays = world_in_time(models, tuple(f"region-{i}" for i in range(5)))
    made = figure(name, style_for(models, width=width), records, arrays)
    assert made.get_figwidth() == pytest.approx({"single": 85, "double": 180}[width] / 25.4)
    assert overlapping(made) == []


def test_the_table_of_courses_is_what_was_kept_and_its_product_is_r():
    records, arrays = world_in_time()
    table = tables.courses_table(records[0], arrays[0])
    assert len(table) == 4 * 120
    product = (table["recorded"] * table["predicted"]).groupby(table["neuroid"]).mean()
    r = table.groupby("neuroid")["r"].first()
    np.testing.assert_allclose(product, r, atol=1e-6)
    assert r.tolist() == [0.1, 0.2, 0.4, 0.6]
    shown = table[table["shown"] & (table["neuroid"] == "n3")]
    assert (shown["time"].min(), shown["time"].max()) == (50, 108)
    assert " ".join(shown["words"]) == " ".join(arrays[0]["course_word"])
    assert set(table["words"][~table["shown"]]) == {""}


def test_words_stand_at_their_onsets_and_none_over_another():
    made = figure("time-courses", style_for(MODELS))
    axes = made.axes[-1]
    made.canvas.draw()
    boxes = [one.get_window_extent() for one in axes.texts]
    assert len(boxes) > 130
    onsets = sorted(one.get_position()[0] for one in axes.texts)
    assert set(np.round(onsets, 6)) <= set(np.round(courses()["course_onset"], 6))
    assert not any(a.overlaps(b) for i, a in enumerate(boxes) for b in boxes[:i])
    below, above = axes.get_xlim(), made.axes[-2].get_xlim()
    assert below == above
    assert axes.get_position().x0 == pytest.approx(made.axes[-2].get_position().x0)
    narrow = figure("time-courses", style_for(MODELS, width="single"))
    assert not any(one.get_text() == "rabbit" for one in narrow.findobj(lambda one: hasattr(one, "get_text")))


def test_lines_part_where_folds_do():
    made = figure("time-courses", style_for(MODELS))
    dotted = [one for one in made.axes[1].lines if one.get_linestyle() == ":"]
    assert [one.get_xdata()[0] for one in dotted] == [79.0]  # 30 samples from 20 s on
    for line in made.axes[1].lines:
        x = np.asarray(line.get_xdata(), float)
        assert len(x) < 3 or (x < 79).all() or (x > 79).all()


def test_delays_have_the_canonical_response_beside_them_and_an_interval_of_folds_and_people():
    records, arrays = world_in_time(("network",), ("LATL",))
    table = tables.delays_table(records, arrays)
    assert table["delay"].tolist() == [2, 4, 6, 8]
    assert table["share"].tolist() == arrays[0]["delay_profile"].tolist()
    response = haemodynamic_response(2.0)[1:5]
    np.testing.assert_allclose(table["canonical"], response / response.sum(), atol=0.003)
    assert set(table["over"]) == {"10 folds and 9 subjects"}
    parts = [arrays[0]["delay_without_fold"][:, 1], arrays[0]["delay_without_subject"][:, 1]]
    error = np.sqrt(sum((len(one) - 1) / len(one) * ((one - one.mean()) ** 2).sum() for one in parts))
    row = table.iloc[1]
    assert row["high"] - row["share"] == pytest.approx(2.306 * error, rel=1e-3)  # t of 8 degrees of freedom
    assert row["share"] - row["low"] == pytest.approx(row["high"] - row["share"])
    peak, ends = haemodynamic_peak(table["share"], arrays[0]["delay_without_fold"], table["delay"].tolist())
    assert 4 < peak < 8
    np.testing.assert_array_equal(table[["peak", "peak_low", "peak_high"]], [[peak, *ends]] * 4)
    del arrays[0]["delay_without_subject"]
    assert set(tables.delays_table(records, arrays)["over"]) == {"10 folds"}


def test_regions_have_r_its_interval_and_the_best_that_noise_allows():
    records, _ = world_in_time()
    table = tables.regions_table([*records, record("vision")])
    assert set(table["dataset"]) == {"alice"}  # of single stimuli there is no row
    scores = table[table["layer"] == ""]
    assert scores["raw"].tolist() == [one["raw"] for one in records]
    np.testing.assert_allclose(
        scores["low"], [0.8 * one["ci"][0] for one in records]
    )  # raw is .8 of the score
    np.testing.assert_allclose(scores["best"], np.sqrt([one["ceiling"] for one in records]))
    assert scores["beyond"].tolist() == [one["beyond"] for one in records]
    curve = table[(table["model"] == "network") & (table["region"] == "LATL") & (table["layer"] != "")]
    assert dict(zip(curve["layer"], curve["raw"], strict=True)) == records[0]["layers"]
    assert curve["layer"][curve["chosen"]].tolist() == [records[0]["layer"]]


def test_scores_without_ceiling_interval_and_beyond_are_drawn():
    records, arrays = world_in_time()
    nothing = {
        "ceiling": None,
        "ceiling_kind": "none",
        "ci": [None, None],
        "beyond": None,
        "beyond_ci": [None, None],
    }
    bare = [one | nothing | {"normalization": "none"} for one in records]
    made = figure("regions-in-time", style_for(MODELS), bare, arrays)
    assert len(made.axes) == 2
    assert tables.courses_table(bare[0], {}).empty
    assert tables.delays_table(bare, [{}] * len(bare)).empty
    assert tables.regions_table([bare[0] | {"raw": None}]).empty


def test_vertices_of_people_who_heard_a_story_go_from_score_to_cortex():
    """The whole way: words, samples, a baseline, ceilings between people; then every figure of time and place."""
    data, _ = told(n=120, subjects=4, per_subject=3)
    data.responses.attrs["space"] = "fsaverage5"
    made = make_benchmark(data)
    found = brodmann.score("word-properties", made, n_bootstraps=0, n_permutations=0)
    shown = {one.name: one for one in panels(compare([found]))}
    end = "word-properties-told.R-ridge"
    for start in ("time-courses", "cortex", "flat-cortex", "cortex-ceiling", "flat-cortex-ceiling"):
        assert f"{start}-{end}" in shown
    assert {"delays", "regions-in-time-told-ridge"} <= set(shown)
    assert all("105 samples" in one.n for one in shown.values())
    places = shown[f"cortex-{end}"].table
    np.testing.assert_array_equal(places["raw"], found.attrs["raw"].values)
    assert places["vertex"].tolist() == [0, 1, 2] * 4
    ceiling = made.noise_ceiling
    assert ceiling.kind == "between_subjects"
    best = shown[f"cortex-ceiling-{end}"].table["best"]
    np.testing.assert_allclose(best, np.sqrt(np.maximum(ceiling.per_neuroid, 0)))
    assert found.attrs["raw_value"] > 0.1
    courses = shown[f"time-courses-{end}"].table
    product = (courses["recorded"] * courses["predicted"]).groupby(courses["neuroid"]).mean()
    raw = dict(zip(places["neuroid_id"], places["raw"], strict=True))
    for neuroid, r in product.items():
        assert r == pytest.approx(raw[neuroid], abs=1e-5)
