"""The examples of the documentation run as they stand."""

import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from command_line import run_brodmann

from brodmann.brain_data.stimuli.localizers import localizer
from brodmann.errors import UserError

DOCS = Path(__file__).parents[1] / "docs"


def run(page, folder, monkeypatch):
    """Run all Python blocks of a page in order, in a folder; the names that they leave."""
    monkeypatch.chdir(folder)
    names = {}
    for block in re.findall(r"```python\n(.*?)```", (DOCS / page).read_text(), flags=re.DOTALL):
        exec(block, names)
    return names


def test_the_encoding_engine_page(tmp_path, monkeypatch):
    names = run("encoding-engine.md", tmp_path, monkeypatch)
    assert names["r"].shape == (5, 30)
    assert names["partition"].unique[0].mean() > 0.1 > names["partition"].unique[1].mean()
    assert names["curve"].r.shape == (6, 30)
    assert names["held_out"].r.shape == (5, 30)
    assert min(names["held_out"].r.mean(), names["generalization"]) > 0.3
    assert (tmp_path / "partition.pdf").stat().st_size > 1000


def test_the_page_on_twins(tmp_path, monkeypatch):
    names = run("twins.md", tmp_path, monkeypatch)
    assert len(names["found"].units) > 5
    silenced = names["activations"]["layer4.0"].values
    whole = names["model"].extract(names["pictures"], ["layer4.0"])["layer4.0"].values
    assert abs(silenced - whole).max() > 0.1
    counts = [sum(p.numel() for p in one.parameters()) for one in (names["network"], names["small"])]
    assert counts[1] < 0.3 * counts[0]


def test_the_page_on_studies(tmp_path, monkeypatch):
    names = run("studies.md", tmp_path, monkeypatch)
    assert [one.cell.model for one in names["plan"].cells] == ["pixels"]
    assert names["table"]["state"].tolist() in (["scored"], ["stored"])
    from brodmann import Study

    (text,) = re.findall(r"```toml\n(.*?)```", (DOCS / "studies.md").read_text(), flags=re.DOTALL)
    (tmp_path / "regions.toml").write_text(text)
    assert len(Study.read(tmp_path / "regions.toml").cells().cells) == 3


def test_the_page_on_sheets(tmp_path, monkeypatch):
    names = run("sheets.md", tmp_path, monkeypatch)
    assert names["model"].sheet("1").shape == (16, 16)
    assert names["control"].layout == "permuted(0)"
    assert 0 < names["total"].item() < 0.8 * 10
    assert names["pooled"].readout.describe() == (
        "mean over space, at most 1000 sparse random projections (seed 0)"
    )


def test_the_page_on_networks(tmp_path, monkeypatch):
    names = run("networks.md", tmp_path, monkeypatch)
    assert {"stem", "block@1", "block@1#1.mixed", "block.mix@2", "block", "block#1.mixed"} <= set(
        names["names"]
    )
    assert set(names["shapes"].values()) == {(8, 30, 30)}
    assert names["model"].methods["calls"] == "block@1: call 1 of 3; block, block#1.mixed: call 3 of 3"
    pictures = localizer("drawn-localizer").iloc[:6]
    assert names["wrapped"].extract(pictures)["inner.conv"].shape[0] == len(pictures)
    noisy = names["noisy"]
    first = noisy.extract(pictures)["end"]
    np.testing.assert_array_equal(first, noisy.replaced(cache=False).extract(pictures)["end"])
    with pytest.raises(UserError, match="noisy answers stimulus .* differently each time"):
        noisy.with_readout(names["Readout"]()).extract(pictures)


def test_the_page_on_layouts(tmp_path, monkeypatch):
    names = run("layouts.md", tmp_path, monkeypatch)
    table, weights = names["table"], names["weights"]
    face = np.hypot(*(names["positions"] - 5).T) < 2  # where the page puts units that answer faces
    assert table["t"][face].mean() > 3 > abs(table["t"][~face].mean())
    assert names["morans_i"](table["t"], weights, fwhm=1.0, permutations=99).p < 0.05
    found = names["patches"](table["t"], weights, threshold=3.0)
    assert found["n_units"].max() > face.sum() / 2
    assert names["responses"].shape == (60, 400)


def test_the_page_of_the_gallery(tmp_path, monkeypatch):
    names = run("gallery.md", tmp_path, monkeypatch)
    assert {"ranked", "ceilings", "units"} <= set(names["figures"])
    assert set(names["comparison"].models) == {"gabor-pyramid", "pixels"}


def test_the_commands_of_the_gallery(tmp_path, monkeypatch):
    """As the page shows them, with the quickest models and no draws."""
    monkeypatch.chdir(tmp_path)
    text = (DOCS / "gallery.md").read_text()
    typed = [line.split("#")[0].split()[1:] for line in re.findall(r"^brodmann .*", text, flags=re.MULTILINE)]
    assert [words[0] for words in typed] == ["score", "analyze", "compare"]
    quick = {
        "score": ["--bootstraps", "0", "--permutations", "0"],
        "analyze": ["--permutations", "99", "--contrast", "face"],
        "compare": ["--no-pdf"],
    }
    for words in typed:
        for model in ("pixels", "twin-vision-topographic") if "MODEL" in words else ("",):
            if words[0] == "analyze" and model == "pixels":
                continue  # it has no place for its units
            put = {"MODEL": model, "BENCHMARK": "simulated-cortex.IT-rsa", "LAYER": "layer4.0.conv1"}
            done = run_brodmann(*(put.get(word, word) for word in words), *quick[words[0]])
            assert done.returncode == 0, done.stderr
    figures = {path.stem for path in (tmp_path / "brodmann-comparison" / "figures").glob("*.png")}
    assert {"ranked", "ceilings", "rdms-simulated-cortex.IT-rsa", "selectivity-maps"} <= {
        name.removesuffix(".png") for name in figures
    }


def test_the_blocks_of_the_readme(tmp_path, monkeypatch):
    """The file of a model of one's own is written where its first line says; the arrays are a reader's own."""
    monkeypatch.chdir(tmp_path)
    draw = np.random.default_rng(0)
    sentences = [f"Sentence {i} is {'very ' * (i % 7)}short." for i in range(40)]
    names = {"responses": draw.normal(size=(40, 3, 4)), "sentences": sentences}
    for block in re.findall(r"```python\n(.*?)```", (DOCS.parent / "README.md").read_text(), flags=re.DOTALL):
        exec(block, names)
    assert list(names["mine"]().layers) == ["1", "2"]
    assert names["score"].attrs["raw"].shape == (4,)
    assert list(names["data"].regions) == ["PostTemp"]


ADDING = sorted((DOCS / "adding").glob("*.md"))


def blocks(page):
    """(language, content) of each fenced block."""
    return re.findall(r"^```(\w*)\n(.*?)^```", page.read_text(), flags=re.DOTALL | re.MULTILINE)


@pytest.mark.parametrize(
    "page", [page for page in ADDING if page.stem not in ("README", "field")], ids=lambda one: one.stem
)
def test_a_page_on_adding_is_a_file_that_is_used_and_prints_what_it_says(page, tmp_path):
    """The first block is the file that its first line names, the second uses it, the third is what that prints."""
    (_, new), (_, use), (_, printed) = blocks(page)
    (tmp_path / new.partition("\n")[0].removeprefix("# ")).write_text(new)
    (tmp_path / "use.py").write_text(use)
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "use.py"], cwd=tmp_path, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout == printed


def test_the_page_on_a_field_shows_lines_that_are_there():
    for _, block in blocks(DOCS / "adding" / "field.md"):
        name, _, lines = block.partition("\n")
        assert lines in (DOCS.parent / name.removeprefix("# ")).read_text()


def test_every_page_on_adding_is_short_and_in_the_index():
    index = (DOCS / "adding" / "README.md").read_text()
    for page in ADDING:
        assert len(page.read_text().splitlines()) <= 60, page
        assert page.name in index or page.stem == "README"


def paths_named(page):
    """(path, the folders named before it in its row or paragraph) of every path in backquotes or a link."""
    text = re.sub(r"^```.*?^```", "", page.read_text(), flags=re.DOTALL | re.MULTILINE)
    for part in re.split(r"\n(?=\|)|\n\n", text):
        folders = []
        for path in re.findall(r"[`(]([\w.{},/-]+)[`)]", part):
            if path.startswith("..") or not ("/" in path or path.endswith((".py", ".toml", ".md", ".txt"))):
                continue
            inner = re.search(r"\{([\w,/]+)\}", path)
            for choice in inner[1].split(",") if inner else [""]:
                whole = path.replace(inner[0], choice) if inner else path
                yield whole, list(folders)
                folders.append(whole if whole.endswith("/") else str(Path(whole).parent))


@pytest.mark.parametrize("page", [DOCS.parent / "CONTRIBUTING.md", *ADDING], ids=lambda one: one.stem)
def test_every_path_that_a_page_on_adding_names_exists(page):
    """From the root, the page's folder or a floor; or beside what was named before it."""
    root = DOCS.parent
    floors = [root / floor for floor in ("", "brain_data", "models", "analysis", "bench")]
    named = list(paths_named(page))
    assert named
    for path, folders in named:
        places = [page.parent, *floors, *(root / folder for folder in folders)]
        assert any((place / path).exists() for place in places), path


def test_the_page_on_series(tmp_path, monkeypatch):
    monkeypatch.setenv("BRODMANN_HOME", str(tmp_path / "home"))
    names = run("series.md", tmp_path, monkeypatch)
    assert names["data"].kind == "series"
    words = names["data"].stimuli
    assert (words["phonemes"] == words["word"].str.len()).all()
    raw = {region: score.attrs["raw_value"] for region, score in names["scores"].items()}
    assert raw["A"] > 0.4 > 0.1 > raw["B"]
    assert names["scores"]["A"].attrs["record"]["beyond"] > 0.1
    done = run_brodmann("data", "check", str(tmp_path / "told"))
    assert done.returncode == 0, done.stderr
    assert "series" in done.stdout


def test_the_page_on_scale_says_what_the_rates_give():
    from scale import table

    assert f"<!-- scale -->\n{table()}\n<!-- end -->" in (DOCS / "scale.md").read_text()
