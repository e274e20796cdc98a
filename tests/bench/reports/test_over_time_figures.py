"""Figures of scores over time as pictures, and what a comparison makes of stored ones."""

import os
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from curves import curve
from matplotlib.testing.compare import compare_images
from records import overlapping

import brodmann
from brodmann.bench.reports import over_time_figures as draw
from brodmann.bench.reports.panel import panels
from brodmann.bench.reports.style import style_for
from brodmann.errors import UserError

BASELINE = Path(__file__).parent / "baseline"
MODELS = ["alpha", "beta", "gamma"]


def several():
    return [
        curve("alpha", strength=0.6),
        curve("beta", strength=0.35, onset=11, recurrent=True),
        curve("gamma", onset=-1),
        curve("alpha", "ecog.STG-ridge", strength=0.5, simulated=True, gap=True),
    ]


def figures(results, style):
    return {
        "over-time": draw.over_time_figure(results, style),
        "over-time-generalization": draw.generalization_figure(results[:3], style),
        "over-time-steps": draw.steps_figure(results, style),
    }


@pytest.mark.parametrize("dark", [False, True])
def test_a_figure_looks_as_it_did(dark, tmp_path):
    for name, figure in figures(several(), style_for(MODELS, dark=dark)).items():
        kind = f"{name}{'-dark' if dark else ''}.png"
        figure.savefig(tmp_path / kind, dpi=60)
        if os.environ.get("BRODMANN_WRITE_BASELINE"):
            (BASELINE / kind).write_bytes((tmp_path / kind).read_bytes())
        assert compare_images(str(BASELINE / kind), str(tmp_path / kind), tol=6) is None


@pytest.mark.parametrize("width", ["single", "double"])
def test_a_figure_stays_readable(width):
    long = "a-model-whose-name-goes-on-and-on-until-nobody-can-read-it-any-more-v2-final"
    results = [curve(long), curve(long + "-too", recurrent=True), curve("short", onset=-1)]
    style = style_for([one.model for one in results], width=width)
    for name, figure in figures(results, style).items():
        assert figure.get_figwidth() == pytest.approx({"single": 85, "double": 180}[width] / 25.4)
        assert overlapping(figure) == [], name


def test_a_curve_shows_the_numbers_it_was_given():
    one = curve("alpha")
    axes = draw.over_time_figure([one], style_for(["alpha"])).axes[0]
    drawn = {len(line.get_xdata()): line for line in axes.lines if len(line.get_xdata()) == 20}
    np.testing.assert_allclose(drawn[20].get_ydata(), one.r)
    triangles = [line for line in axes.lines if line.get_marker() == "^"]
    assert [float(line.get_xdata()[0]) for line in triangles] == [60.0]
    ends = [
        line.get_xdata() for line in axes.lines if len(line.get_xdata()) == 2 and line.get_linewidth() == 1
    ]
    assert [40.0, 100.0] in [list(map(float, one)) for one in ends]


def test_windows_with_a_gap_are_not_joined_and_missing_intervals_draw_no_band():
    one = curve("alpha", gap=True)
    one = replace(one, low=one.low * np.nan, high=one.high * np.nan, ceiling=one.ceiling * np.nan)
    axes = draw.over_time_figure([one], style_for(["alpha"])).axes[0]
    lengths = sorted(len(line.get_xdata()) for line in axes.lines if line.get_marker() == "o")
    assert lengths == [8, 12]
    assert len(axes.collections) == 0


def test_stored_curves_join_a_comparison(tmp_path):
    for i, one in enumerate(several()):
        one.save(tmp_path / f"{i}.overtime.npz")
    found = brodmann.compare([tmp_path])
    assert found.models == MODELS
    assert [(one.model, one.benchmark) for one in found.over_time] == [
        ("alpha", "cells.IT-ridge"), ("alpha", "ecog.STG-ridge"), ("beta", "cells.IT-ridge"),
        ("gamma", "cells.IT-ridge"),
    ]  # fmt: skip
    shown = {one.name: one for one in panels(found)}
    assert list(shown) == ["over-time", "over-time-generalization", "over-time-steps"]
    assert "onset in the bin from 60 to 80 ms, 95 % interval 40 to 100 ms" in shown["over-time"].alt
    assert "gamma on cells.IT-ridge: no onset" in shown["over-time"].alt
    assert shown["over-time"].n == "80 stimuli, 5 neuroids, 20 bins"
    table = shown["over-time"].table
    np.testing.assert_allclose(table[table["model"] == "beta"]["r"], several()[1].r)
    pairs = shown["over-time-generalization"].table
    first = pairs[(pairs["model"] == "beta") & (pairs["fitted_from_ms"] == 120)]
    np.testing.assert_allclose(first["r"], several()[1].generalization[11])
    assert "Spearman's rho 0.93 (0.80 to 1.00)" in shown["over-time-steps"].alt
    paths = brodmann.bench.write_report(found, tmp_path / "out", "test", vector=False)
    assert (tmp_path / "out" / "figures" / "over-time.png") in paths
    (tmp_path / "0.overtime.npz").write_bytes(b"PK damaged")
    assert any("0.overtime.npz is left out" in note for note in brodmann.compare([tmp_path]).notes)
    for path in tmp_path.glob("[1-3].overtime.npz"):
        path.unlink()
    with pytest.raises(UserError, match="is no score over time that can be read"):
        brodmann.compare([tmp_path])
