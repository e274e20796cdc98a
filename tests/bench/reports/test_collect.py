"""The comparison of stored runs: the report in a browser, and the same files without the models."""

import csv
import hashlib
import json
import os
import re
import shutil
import subprocess
from pathlib import Path

import numpy as np
import pytest
from command_line import run_brodmann
from matplotlib.testing.compare import compare_images

import brodmann
from brodmann.bench import open_run, panels, write_report
from brodmann.bench.reports.methods import citations, methods, warnings
from brodmann.errors import UserError

MODELS = ("twin-vision-topographic", "twin-vision-baseline", "gabor-pyramid", "random-convnet", "pixels")
BENCHMARKS = ("simulated-cortex.IT-rsa", "simulated-cortex.V1-ridge")


@pytest.fixture(scope="module")
def runs(tmp_path_factory):
    """Two twins and three baselines on simulated benchmarks, on 92 pictures where they are at hand, and two layouts."""
    folder = tmp_path_factory.mktemp("runs")
    benchmarks = list(BENCHMARKS)
    pictures = Path(os.environ.get("BRODMANN_TEST_DATA", "absent")) / "kriegeskorte2008-92"
    if pictures.is_dir():
        brodmann.add_dataset("kriegeskorte2008", pictures)
        benchmarks.append("kriegeskorte2008.hIT-rsa")
    for benchmark in benchmarks:
        for model in MODELS:
            brodmann.score(model, benchmark, run=folder / "scores", n_bootstraps=200, n_permutations=50)
    for model in MODELS[:2]:
        done = run_brodmann(
            "analyze", model, "--layer", "layer4.0.conv1", "--permutations", 99, "--contrast", "face,place", "--folder",
            folder / "layouts",
        )  # fmt: skip
        assert done.returncode == 0, done.stderr
    return folder, benchmarks


@pytest.fixture(scope="module")
def report(runs, tmp_path_factory):
    out = tmp_path_factory.mktemp("report")
    done = run_brodmann("compare", runs[0] / "scores", runs[0] / "layouts", "--folder", out, "--json")
    assert done.returncode == 0, done.stderr
    return out, json.loads(done.stdout)


def test_every_figure_has_its_numbers(report, runs):
    out, found = report
    assert found["models"] == sorted(MODELS)
    assert found["scores"] == 5 * len(runs[1])
    names = {path.stem for path in (out / "figures").glob("*.png")}
    assert {
        "ranked",
        "heat-map",
        "layer-curves",
        "ceilings",
        "units",
        "unit-maps",
        "selectivity-maps",
    } <= names
    assert {"rdms-simulated-cortex.IT-rsa", "against-dimensionality", "against-morans-i"} <= {
        path.name.removesuffix(".png") for path in (out / "figures").glob("*.png")
    }
    for path in (out / "figures").glob("*.png"):
        stem = path.name.removesuffix(".png")
        assert (out / "figures" / f"{stem}.csv").stat().st_size > 50
        assert (out / "figures" / f"{stem}.pdf").read_bytes().startswith(b"%PDF")
    with (out / "differences.csv").open() as stream:
        rows = list(csv.DictReader(stream))
    assert len(rows) == 10 * len(runs[1])
    clear = next(row for row in rows if row["benchmark"] == BENCHMARKS[1] and row["other"] == "pixels")
    assert float(clear["q"]) < 0.05


def test_without_the_models_the_same_report_is_made_again(report, runs, tmp_path, monkeypatch):
    """Another home, with nothing installed: the CSV files are the same byte for byte, the figures pixel for pixel."""
    monkeypatch.setenv("BRODMANN_HOME", str(tmp_path / "home"))
    moved = tmp_path / "runs"
    shutil.copytree(runs[0], moved)
    out = tmp_path / "again"
    done = run_brodmann("compare", moved / "scores", moved / "layouts", "--folder", out)
    assert done.returncode == 0, done.stderr
    for path in sorted(report[0].rglob("*.csv")):
        other = out / path.relative_to(report[0])
        assert hashlib.sha256(path.read_bytes()).digest() == hashlib.sha256(other.read_bytes()).digest(), (
            path.name
        )
    for path in sorted(report[0].rglob("*.png")):
        assert compare_images(str(path), str(out / path.relative_to(report[0])), tol=1) is None
    assert not (tmp_path / "home" / "models").exists()


def test_the_report_needs_nothing_else(report):
    page = (report[0] / "report.html").read_text(encoding="utf-8")
    loaded = re.findall(r'(?:src|href|srcset)="([^"]{0,40})', page)
    assert all(one.startswith(("data:", "#")) for one in loaded)
    assert "http" not in re.sub(r"data:[^\"]*", "", page).split('<h2 id="citations">')[0]
    alts = re.findall(r'<img [^>]*alt="([^"]*)"', page)
    assert len(alts) == len(list((report[0] / "figures").glob("*.png")))
    assert all(len(one) > 20 for one in alts)
    assert "SIMULATED" in page


def test_the_methods_say_what_was_done(runs):
    records = list(open_run(runs[0] / "scores").records_of(sorted((runs[0] / "scores").glob("*.json"))))
    said = " ".join(methods(records))
    for word in (
        "simulated-cortex.V1-ridge (version",
        "500 stimuli",
        "folds: 5",
        "reliability",
        "200 draws",
        "Seed 0",
        "numpy",
    ):
        assert word in said, word
    found = warnings(records)
    assert any("SIMULATED data" in one for one in found)
    other = dict(records[0], provenance=records[0]["provenance"] | {"seed": 5})
    assert any("2 different seeds" in one for one in warnings([*records, other]))
    if len(runs[1]) > 2:
        assert citations(records).count("@article") == 1


def test_scores_can_be_compared_as_they_are(tmp_path):
    scores = [
        brodmann.score(model, BENCHMARKS[0], run=tmp_path / "run", n_bootstraps=50, n_permutations=20)
        for model in ("gabor-pyramid", "pixels")
    ]
    found = brodmann.compare(scores)
    assert found.models == ["gabor-pyramid", "pixels"]
    assert panels(found)[0].name == "ranked"
    paths = write_report(found, tmp_path / "out", "from Python", vector=False)
    assert paths[0].name == "report.html"
    assert not list(tmp_path.rglob("*.pdf"))


def test_a_model_scored_twice_counts_once_and_is_said(tmp_path):
    for seed in (0, 1):
        brodmann.score(
            "pixels", BENCHMARKS[0], run=tmp_path / "run", n_bootstraps=20, n_permutations=20, seed=seed
        )
    found = brodmann.compare([tmp_path / "run"])
    assert len(found.records) == 1
    assert "scored more than once" in found.notes[0]


def test_voxels_in_mni_space_are_drawn_on_the_brain(tmp_path):
    """Sentences whose length 60 voxels answer to, in the left hemisphere."""
    generator = np.random.default_rng(0)
    folder = tmp_path / "own"
    folder.mkdir()
    texts = [f"sentence,{'very ' * (i % 9)}short number {i}" for i in range(50)]
    lines = "".join(f"s{i},{text.split(',')[1]}\n" for i, text in enumerate(texts))
    (folder / "stimuli.csv").write_text("stimulus_id,sentence\n" + lines)
    (folder / "dataset.toml").write_text('modality = "language"\nregion = "IFG"\nspace = "MNI152"\n')
    places = np.indices((5, 4, 3)).reshape(3, -1).T * 4.0 + [-56, 10, 0]
    length = np.repeat([len(text) for text in texts], 3)
    np.savez(
        folder / "responses.npz", responses=length[:, None] + 20 * generator.normal(size=(150, 60)),
        stimulus_id=np.repeat([f"s{i}" for i in range(50)], 3), repetition=np.tile(np.arange(3), 50),
        x=places[:, 0], y=places[:, 1], z=places[:, 2],
    )  # fmt: skip
    brodmann.add_dataset("own-mni", folder)
    score = brodmann.score(
        "word-length-frequency", "own-mni.IFG-ridge", run=tmp_path / "run", n_permutations=20
    )
    assert score.attrs["record"]["space"] == "MNI152"
    found = brodmann.compare([tmp_path / "run"])
    by_name = {panel.name: panel for panel in panels(found)}
    name = "word-length-frequency-own-mni.IFG-ridge"
    assert {f"glass-brain-{name}", f"surface-{name}"} <= set(by_name)
    assert by_name[f"surface-{name}"].table["z"].nunique() == 3
    paths = write_report(found, tmp_path / "out", "test", vector=False, width="single")
    assert (tmp_path / "out" / "figures" / f"surface-{name}.png") in paths


def test_a_variance_partition_joins_a_comparison(tmp_path):
    from brodmann.analysis.encoding.banded import VariancePartition

    generator = np.random.default_rng(0)
    r2 = {("a",): generator.random(30), ("b",): generator.random(30), ("a", "b"): 1 + generator.random(30)}
    kept = VariancePartition(("a", "b"), r2, 50)
    kept.save(tmp_path / "mine.partition.npz")
    again = VariancePartition.load(tmp_path / "mine.partition.npz")
    assert list(again.r2) == list(r2)
    np.testing.assert_array_equal(again.shapley, kept.shapley)
    found = {panel.name: panel for panel in panels(brodmann.compare([tmp_path]))}
    np.testing.assert_allclose(found["variance-mine"].table["unique a"], kept.unique[0])
    (tmp_path / "mine.partition.npz").write_bytes(b"PK damaged")
    with pytest.raises(UserError, match="is no variance partition that can be read"):
        brodmann.compare([tmp_path])


def test_mistakes(tmp_path):
    with pytest.raises(UserError, match="nothing to compare"):
        brodmann.compare([])
    with pytest.raises(UserError, match="no run at"):
        brodmann.compare([tmp_path / "nowhere"])
    with pytest.raises(UserError, match="holds no results"):
        brodmann.compare([tmp_path])
    (tmp_path / "broken.json").write_text('{"model": 1}')
    np.savez(tmp_path / "broken.npz", raw=np.ones(2))
    with pytest.raises(UserError, match="is not a record of a score"):
        brodmann.compare([tmp_path])


@pytest.fixture(scope="module")
def chromium():
    found = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
    if found is None:
        pytest.skip("no browser: install chromium")

    def run(*words):
        done = subprocess.run(
            [found, "--headless", "--no-sandbox", "--disable-gpu", "--enable-logging=stderr", *map(str, words)],
            capture_output=True, text=True, timeout=120,
        )  # fmt: skip
        assert done.returncode == 0, done.stderr
        return done

    return run


_USED = """
<script>
"use strict";
const said = {};
const cells = (column) => Array.from(document.querySelectorAll("#score-table tbody tr:not([hidden])"))
  .map((row) => row.cells[column].dataset.value ?? row.cells[column].textContent);
const head = Array.from(document.querySelectorAll("#score-table th")).findIndex((one) => one.textContent === "score");
const button = document.querySelectorAll("#score-table th button")[head];
button.click(); said.ascending = cells(head).map(Number);
button.click(); said.descending = cells(head).map(Number);
const filter = document.getElementById("filter");
filter.value = "twin BASELINE"; filter.dispatchEvent(new Event("input"));
said.filtered = cells(0); said.count = document.getElementById("count").textContent;
filter.value = ""; filter.dispatchEvent(new Event("input"));
const chosen = document.getElementById("benchmark");
chosen.value = "simulated-cortex.V1-ridge"; chosen.dispatchEvent(new Event("input"));
said.chosen = cells(1);
said.images = Array.from(document.images).map((one) => one.naturalWidth);
document.body.dataset.said = JSON.stringify(said);
</script>
"""


def test_the_report_works_in_a_browser(report, runs, chromium, tmp_path):
    page = (report[0] / "report.html").read_text(encoding="utf-8")
    used = tmp_path / "used.html"
    used.write_text(
        page.replace(
            "</body>",
            "<script>addEventListener('load', () => {"
            + _USED.split("<script>")[1].split("</script>")[0].replace('"use strict";', "")
            + "});</script></body>",
        ),
        encoding="utf-8",
    )
    done = chromium("--virtual-time-budget=5000", "--dump-dom", used.as_uri())
    assert "CONSOLE" not in done.stderr, done.stderr
    import html

    said = json.loads(html.unescape(re.search(r'data-said="([^"]*)"', done.stdout)[1]))
    assert said["ascending"] == sorted(said["ascending"])
    assert said["descending"] == said["ascending"][::-1]
    assert set(said["filtered"]) == {"twin-vision-baseline"}
    assert said["count"] == f"{len(runs[1])} of {5 * len(runs[1])} scores"
    assert set(said["chosen"]) == {"simulated-cortex.V1-ridge"}
    assert min(said["images"]) > 500


def test_the_report_prints(report, chromium, tmp_path):
    pdf = tmp_path / "report.pdf"
    chromium(f"--print-to-pdf={pdf}", "--no-pdf-header-footer", (report[0] / "report.html").as_uri())
    content = pdf.read_bytes()
    assert content.startswith(b"%PDF")
    assert 3 <= len(re.findall(rb"/Type\s*/Page[^s]", content)) <= 40


def test_a_record_without_its_arrays_is_said(tmp_path):
    for model in ("pixels", "random-convnet"):
        brodmann.score(model, "simulated-cortex.IT-rsa", run=tmp_path, n_bootstraps=0, n_permutations=0)
    next(tmp_path.glob("*pixels*.npz")).unlink()
    comparison = brodmann.compare([tmp_path])
    assert [record["model"] for record in comparison.records] == ["random-convnet"]
    assert any("pixels" in note and "is left out" in note for note in comparison.notes)


def test_what_no_registry_knows_is_said_in_a_line_and_shown(tmp_path):
    record = brodmann.score(
        "pixels", "simulated-cortex.IT-rsa", run=tmp_path / "known", n_bootstraps=0, n_permutations=0
    ).attrs["record"]
    assert brodmann.compare([tmp_path / "known"]).notes == []
    changed = {"metric": "guess", "normalization": "guess_squared"}
    for model in ("a", "b"):
        open_run(tmp_path / "foreign").keep(record | changed | {"model": model}, {"raw": [0.3]})
    found = brodmann.compare([tmp_path / "foreign"])
    assert found.scores["metric"].tolist() == ["guess"] * 2
    assert [note.partition(" (")[0] for note in found.notes] == [
        "the metric 'guess' is not known here",
        "the normalization 'guess_squared' is not known here",
    ]
