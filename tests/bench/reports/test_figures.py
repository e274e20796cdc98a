"""Comparison figures as pictures: against stored ones, and readable with one model, forty, missing numbers, long names.

BRODMANN_WRITE_BASELINE=1 draws the stored pictures anew: look at them before you commit them.
"""

import os
from pathlib import Path

import numpy as np
import pytest
from matplotlib.testing.compare import compare_images
from records import overlapping, record, world

from brodmann.bench.reports import figures as draw
from brodmann.bench.reports import map_figures as draw_maps
from brodmann.bench.reports import tables as tables
from brodmann.bench.reports.style import style_for

BASELINE = Path(__file__).parent / "baseline"
LONG = "a-model-whose-name-goes-on-and-on-until-nobody-can-read-it-any-more-v2-final"


def figures(records, arrays, style):
    """Every figure that the records allow, by name."""
    scores, layers = tables.scores_table(records), tables.layers_table(records, arrays)
    pairs, units = tables.differences_table(records, arrays), tables.units_table(records, arrays)
    made = {
        "ranked": draw.ranked_figure(scores, pairs, style),
        "heat-map": draw.heat_map_figure(scores, style),
        "ceilings": draw.ceilings_figure(scores, style),
    }
    if len(layers):
        made["layer-curves"] = draw.layer_curves_figure(layers, style)
    if len(units):
        made["units"] = draw.units_figure(units, style)
        if "x" in units:
            made["unit-maps"] = draw_maps.unit_maps_figure(units, style)
    rdms = tables.rdms_table(records, arrays, "data.IT-rsa")
    if len(rdms):
        made["rdms"] = draw_maps.rdms_figure(rdms, "data.IT-rsa", style)
    models = sorted(set(scores["model"]))
    against = scores.merge(
        tables.pd.DataFrame({"model": models, "measure": np.linspace(1, 9, len(models))}), on="model"
    )
    made["against"] = draw.against_figure(against, "measure", "participation ratio", style)
    made["selectivity-maps"] = draw_maps.selectivity_maps_figure(maps(models[:2]), style)
    return made


def maps(models):
    places = np.indices((8, 8)).reshape(2, -1).T
    parts = []
    for i, model in enumerate(models):
        for layout in ("own", "permuted"):
            for k, contrast in enumerate(("face", "place")):
                t = np.sin((places @ [1, 0.5 + k]) / 2 + i) * 5
                if layout == "permuted":
                    t = np.random.default_rng(0).permutation(t)
                parts.append(
                    tables.pd.DataFrame(
                        {"model": model, "layer": "fc", "stimuli": "s", "contrast": contrast, "layout": layout,
                         "x": places[:, 0], "y": places[:, 1], "t": t, "morans_i": 0.5, "z": 3.0}
                    )
                )  # fmt: skip
    return tables.pd.concat(parts, ignore_index=True)


NAMES = (
    "ranked", "heat-map", "ceilings", "layer-curves", "units", "unit-maps", "rdms", "against", "selectivity-maps",
)  # fmt: skip


@pytest.fixture(scope="module")
def drawn_figures():
    records, arrays = world()
    models = ["alpha", "beta", "gamma"]
    return {dark: figures(records, arrays, style_for(models, dark=dark)) for dark in (False, True)}


@pytest.mark.parametrize("dark", [False, True])
@pytest.mark.parametrize("name", NAMES)
def test_a_figure_looks_as_it_did(name, dark, drawn_figures, tmp_path):
    kind = f"{name}{'-dark' if dark else ''}.png"
    drawn_figures[dark][name].savefig(tmp_path / kind, dpi=60)
    if os.environ.get("BRODMANN_WRITE_BASELINE"):
        (BASELINE / kind).write_bytes((tmp_path / kind).read_bytes())
    assert compare_images(str(BASELINE / kind), str(tmp_path / kind), tol=6) is None


@pytest.mark.parametrize("width", ["single", "double"])
@pytest.mark.parametrize(
    "made",
    [
        world(("alone",), ("data.V1-ridge",)),
        world(("alpha", "beta"), missing={("alpha", "data.IT-rsa")}),
        world((LONG, LONG + "-too", "short")),
        world(tuple(f"model-{i:02d}" for i in range(40))),
    ],
    ids=["one model", "missing scores", "very long names", "forty models"],
)
def test_a_figure_stays_readable(made, width):
    records, arrays = made
    style = style_for([one["model"] for one in records], width=width)
    for name, figure in figures(records, arrays, style).items():
        assert figure.get_figwidth() == pytest.approx({"single": 85, "double": 180}[width] / 25.4)
        if name not in ("against", "selectivity-maps"):
            assert overlapping(figure) == [], name
    assert len({(style.color(one), style.marker(one)) for one in style.colors}) == len(style.colors)


def test_one_layer_draws_no_curve_and_no_numbers_draw_empty_bars():
    one = record("a", layers={"only": 0.3}, layer="only")
    assert tables.layers_table([one], [{}]).empty
    nothing = record("b", score=None, ceiling=None, ceiling_kind="none", p=None)
    scores = tables.scores_table([one, nothing])
    style = style_for(["a", "b"])
    assert draw.ranked_figure(scores, tables.differences_table([one, nothing], [{}, {}]), style).axes
    assert draw.ceilings_figure(scores, style).axes
    assert draw.heat_map_figure(scores, style).axes


def test_a_model_keeps_its_colour():
    few, many = style_for(["a", "b"]), style_for(["a", "b"], dark=True)
    assert few.color("b") == many.color("b") != few.color("a")
