"""Figures of features as pictures, against stored ones: BRODMANN_WRITE_BASELINE=1 draws those anew."""

import os
from pathlib import Path

import pytest
from feature_records import of_features
from matplotlib.testing.compare import compare_images
from records import overlapping, world

from brodmann.bench.reports.collect import Comparison
from brodmann.bench.reports.feature_figures import as_png
from brodmann.bench.reports.panel import PANELS
from brodmann.bench.reports.style import style_for

BASELINE = Path(__file__).parent / "baseline"


def drawn(name, style, models=("alpha", "beta", "gamma")):
    records, arrays = world(models)
    of_features(records, arrays)
    return PANELS[name].panels(Comparison(records, arrays, sources=["run"]))[0].figure(style)


@pytest.mark.parametrize("dark", [False, True])
@pytest.mark.parametrize("name", ["sae-scores", "feature-curves"])
def test_a_figure_of_features_looks_as_it_did(name, dark, tmp_path):
    kind = f"{name}{'-dark' if dark else ''}.png"
    drawn(name, style_for(["alpha"], dark=dark)).savefig(tmp_path / kind, dpi=60)
    if os.environ.get("BRODMANN_WRITE_BASELINE"):
        (BASELINE / kind).write_bytes((tmp_path / kind).read_bytes())
    assert compare_images(str(BASELINE / kind), str(tmp_path / kind), tol=6) is None


@pytest.mark.parametrize("width", ["single", "double"])
@pytest.mark.parametrize("name", ["sae-scores", "feature-curves"])
def test_it_stays_readable(name, width):
    long = "a-model-whose-name-goes-on+transformer.h.1.mlp.gelu+features"
    figure = drawn(name, style_for(["alpha"], width=width), (long, "beta"))
    assert overlapping(figure) == []
    assert as_png(figure).startswith(b"\x89PNG")
