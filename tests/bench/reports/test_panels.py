"""Every registered panel: what it must do with several models, one, missing scores, and no numbers at all."""

import json
import re

import numpy as np
import pytest
from curves import curve
from feature_records import of_features
from matplotlib.figure import Figure
from records import overlapping, record, world, world_in_time

from brodmann.analysis.encoding.banded import VariancePartition
from brodmann.bench.reports.collect import Comparison, compare, style_of
from brodmann.bench.reports.html import _heads, csv_of, write_report
from brodmann.bench.reports.panel import PANELS, Panel, PanelCard, panels
from brodmann.bench.studies.matched_pairs import interval
from brodmann.errors import UserError

CASES = ("several models", "one model", "missing scores", "no numbers")


def layout(model, i, folder):
    """A layout report with its maps, as `brodmann analyze` writes them."""
    places = np.indices((6, 6)).reshape(2, -1).T.astype(float)
    names = [(layout, contrast) for layout in ("rows", "permuted-0") for contrast in ("face", "place")]
    np.savez(
        folder / f"{model}.maps.npz",
        layout=[name for name, _ in names],
        contrast=[contrast for _, contrast in names],
        t=[np.random.default_rng([i, k]).normal(size=36) * 3 for k in range(4)],
        positions=[places] * 4,
    )
    value = {"I": 0.2 + 0.1 * i, "null_mean": -0.03, "z": 2.0 + i}
    report = {
        "model": model,
        "layer": "layer2",
        "stimuli": "drawn",
        "selectivity": {},
        "dimensionality": {"corrected": 3.0 + i**2, "interval": [2.0, 20.0], "n_samples": 120},
        "space": {
            "layout": "rows",
            "layouts": {
                name: {"morans_i": {"face": value, "place": value}} for name in ("rows", "permuted-0")
            },
        },
    }
    path = folder / f"{model}.json"
    path.write_text(json.dumps(report))
    return report | {"file": str(path)}


def network(kind, seed):
    layers = [
        {
            "layer": f"layer{k}", "n_units": 16, "n_stimuli": 240, "morans_i": 0.3 + seed / 10, "morans_i_null_sd": 0.1,
            "smoothness": 0.4, "participation_ratio_corrected": 4.0 + seed, "shape": [4, 4],
            "maps": {"face": np.sin(np.arange(16.0) + seed).tolist(), "place": np.cos(np.arange(16.0)).tolist()},
        }
        for k in range(2)
    ]  # fmt: skip
    compressed = [
        {"method": method, "share": share, "task": {"loss": 3 - share}, "brain": 0.2 + seed / 20 + share / 10,
         "participation_ratio": 5 * share}
        for method, share in (("whole", 1.0), ("nearest", 0.5), ("L1", 0.5))
    ]  # fmt: skip
    return {
        "kind": kind,
        "seed": seed,
        "task": {"loss": 2.0 + seed / 7},
        "layers": layers,
        "compressed": compressed,
    }


def study(n_seeds=3):
    networks = [network(kind, seed) for seed in range(n_seeds) for kind in ("topographic", "baseline")]
    entry = dict.fromkeys(("topographic", "baseline", "difference"), interval(np.arange(1.0, 1 + n_seeds)))
    return {
        "modality": "language", "tau": 1.0, "seeds": list(range(n_seeds)), "benchmark": "data.V1-ridge",
        "localizer": "drawn", "networks": networks, "summary": {"morans_i": entry},
    }  # fmt: skip


def in_mni(records, arrays):
    """The scores of neuroids are those of voxels in the left hemisphere, of two subjects."""
    places = np.indices((5, 4, 3)).reshape(3, -1) * 4.0 + np.array([[-56], [10], [0]])
    for one, kept in zip(records, arrays, strict=True):
        if one["unit"] == "neuroid":
            one["space"] = "MNI152"
            kept |= {f"neuroid_{axis}": places[i] for i, axis in enumerate("xyz")}
            kept["neuroid_subject"] = np.repeat(["s1", "s2"], 30)


def on_fsaverage(records, arrays):
    """One of these scores is of vertices."""
    for one, kept in zip(records, arrays, strict=True):
        if one["unit"] == "neuroid":
            one["space"] = "fsaverage5"
            kept["neuroid_hemisphere"] = np.repeat(["L", "R"], 30)
            kept["neuroid_vertex"] = np.arange(60)
            return


def comparison(case, folder):
    models = {"one model": ("alone",)}.get(case, ("alpha", "beta", "gamma", "delta"))
    missing = {("alpha", "data.IT-rsa"), ("beta", "data.V1-ridge")} if case == "missing scores" else ()
    if case == "no numbers":
        nothing = dict.fromkeys(("score", "raw", "ceiling", "p")) | {
            "ceiling_kind": "none",
            "ci": [None, None],
        }
        records = [record(one, **nothing, layers={"l1": None, "l2": None}) for one in models]
        return Comparison(records, [{} for _ in records], sources=["run"])
    records, arrays = world(models, missing=missing)
    in_mni(records, arrays)
    on_fsaverage(records, arrays)
    if case == "several models":
        of_features(records, arrays)
        for mine, more in zip((records, arrays), world_in_time(models[:2]), strict=True):
            mine += more
    spaces = {("a",): 0.1 * np.ones(30), ("b",): 0.2 * np.ones(30), ("a", "b"): np.linspace(0.2, 0.4, 30)}
    return Comparison(
        records,
        arrays,
        [layout(model, i, folder) for i, model in enumerate(models)],
        [study(1 if case == "one model" else 3)],
        {"mine": VariancePartition(("a", "b"), spaces, 50)},
        ["run"],
        over_time=[curve(model, recurrent=i == 0, onset=8 - i) for i, model in enumerate(models)],
    )


@pytest.fixture(scope="module")
def comparisons(tmp_path_factory):
    return {case: comparison(case, tmp_path_factory.mktemp("comparison")) for case in CASES}


@pytest.mark.parametrize("name", PANELS)
def test_a_panel_says_what_it_is(name):
    card = PANELS[name]
    assert card.name == name
    assert card.title
    assert card.sentence.endswith(".")
    assert [other.name for other in PANELS.values() if other.order == card.order] == [name]


@pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore:.*Starting in version")
@pytest.mark.parametrize("case", CASES)
@pytest.mark.parametrize("name", PANELS)
def test_a_panel_has_a_figure_words_and_numbers(name, case, comparisons):
    """And nothing of it leaves the figure; with several models every panel has something to show."""
    shown = PANELS[name].panels(comparisons[case])
    assert shown or case != "several models"
    for one in shown:
        assert len(one.alt) > 20
        assert re.search(r"n: .*\d+ (stimuli|samples)", one.caption), one.caption
        assert re.search("neuroids|units|networks", one.caption), one.caption
        assert len(one.table)
        assert csv_of(one.table).count(b"\n") == len(one.table) + 1
        for dark in (False, True):
            style = style_of(comparisons[case], dark=dark)
            with style.applied():
                figure = one.figure(style)
            assert isinstance(figure, Figure)
            assert overlapping(figure) == []


def test_a_caption_counts_what_its_own_figure_stands_on(comparisons):
    """Benchmarks of 50 stimuli, one of them with the voxels of two subjects."""
    shown = {one.name: one for one in panels(comparisons["several models"])}
    assert shown["ranked"].n == "50 stimuli, 347 samples, 4 to 20 neuroids, 2 subjects"
    assert shown["delays"].n == "347 samples, 4 neuroids, subjects not told apart"
    assert (
        shown["time-courses-alpha-alice.LATL-ridge"].n == "347 samples, 4 neuroids, subjects not told apart"
    )
    assert shown["regions-in-time-alice-ridge"].n == "347 samples, 4 neuroids, subjects not told apart"
    assert shown["rdms-data.IT-rsa"].n == "50 stimuli, 20 neuroids, subjects not told apart"
    assert shown["twins-language"].n == "6 networks of 3 seeds, 240 stimuli"
    assert shown["variance-mine"].n == "50 stimuli, 30 neuroids"
    assert shown["selectivity-maps"].n == "120 stimuli, 36 units"


def test_panels_of_recordings_in_time_say_what_they_show(comparisons):
    shown = {one.name: one for one in panels(comparisons["several models"])}
    assert "r of n3 0.60, n2 0.40, n1 0.20, n0 0.10" in shown["time-courses-alpha-alice.LATL-ridge"].alt
    assert "highest at 6 s (alpha on alice.LATL-ridge), 6 s (beta on alice.LATL-ridge)" in shown["delays"].alt
    assert (
        shown["regions-in-time-alice-ridge"].alt
        == "r by region and layer; highest: LATL 0.40 (alpha), LPTL 0.48 (alpha)."
    )
    heads = {kind: _heads(records)["n_stimuli"] for kind, records in {
        "alike": world_in_time()[0], "mixed": comparisons["several models"].records, "trials": world()[0],
    }.items()}  # fmt: skip
    assert heads == {"alike": "samples", "mixed": "stimuli or samples", "trials": "stimuli"}


def test_a_panel_of_ones_own_is_in_the_report_without_an_edit(comparisons, tmp_path, monkeypatch):
    """Its place is by its order, and what it leaves out is said by its card."""
    found = comparisons["one model"]
    own = PanelCard(
        "own", "Mine & <yours>", 5, "A line through every score.",
        lambda given: [Panel(given.scores[["score"]], lambda style: style.figure(40))],
    )  # fmt: skip
    monkeypatch.setitem(PANELS._things, "own", own)
    assert panels(found)[0].name == "own"
    small = Comparison(found.records, found.arrays, sources=["run"])
    small = Comparison([one | {"space": ""} for one in small.records], small.arrays, sources=["run"])
    paths = write_report(small, tmp_path, "test", vector=False)
    assert {tmp_path / "figures" / "own.png", tmp_path / "figures" / "own.csv"} <= set(paths)
    page = (tmp_path / "report.html").read_text()
    assert "<strong>Mine &amp; &lt;yours&gt;.</strong> A line through every score. n: 50 stimuli" in page


def test_a_report_escapes_what_strangers_wrote(tmp_path):
    """A model whose name is a script, data whose citation closes the page: they are shown and do nothing."""
    evil = "<script>alert('x')</script>"
    one = record(
        evil, benchmark='"><img src=x onerror=y>', bibtex="</pre><b>bold", left_out={evil: 1}, layer="&"
    )
    write_report(Comparison([one], [{}], sources=[evil]), tmp_path, evil, vector=False, title=evil)
    page = (tmp_path / "report.html").read_text()
    assert page.count("<script>") == 1
    assert "<img src=x" not in page
    assert "<b>" not in page
    assert "&lt;script&gt;alert(&#39;x&#39;)&lt;/script&gt;" in page


def test_a_comparison_without_scores_has_no_panel_and_no_report(tmp_path):
    assert panels(Comparison([], [])) == []
    with pytest.raises(UserError, match="nothing to compare"):
        compare([])
    with pytest.raises(UserError, match="no scores to compare"):
        write_report(Comparison([], []), tmp_path, "test")
