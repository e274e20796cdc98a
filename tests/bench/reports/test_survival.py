"""A comparison with one record, layout or partition that is damaged, older, foreign or empty of meaning."""

import json
import shutil

import numpy as np
import pandas as pd
import pytest

import brodmann
from brodmann.bench import write_report
from brodmann.bench.reports.collect import Comparison, style_of
from brodmann.bench.reports.panel import PANELS, Panel, PanelCard
from brodmann.files import digest_of, sha256_file

RIDGE, RSA = "simulated-cortex.V1-ridge", "simulated-cortex.IT-rsa"
GOOD = ("gabor-pyramid", "pixels")


@pytest.fixture(scope="module")
def scored(tmp_path_factory):
    """Records and arrays of two models by RSA and by ridge."""
    folder = tmp_path_factory.mktemp("scored")
    for benchmark in (RIDGE, RSA):
        brodmann.score("pixels", benchmark, run=folder, n_bootstraps=0, n_permutations=0)
        stranger(
            folder, benchmark, {"model": GOOD[0], "key": "a" * 64}, path=folder / f"good-{benchmark}.json"
        )
    return folder


@pytest.fixture
def run(scored, tmp_path):
    shutil.copytree(scored, tmp_path / "run")
    return tmp_path / "run"


def stranger(run, benchmark, changes=None, arrays=None, path=None):
    """One more record, as a file whose checksum is right, whatever it says."""
    source = next(run.glob(f"*{benchmark.split('.')[1]}*pixels*.json"))
    record = json.loads(source.read_text()) | {"model": "stranger", "key": "f" * 64} | (changes or {})
    record = {name: value for name, value in record.items() if value != "missing"}
    with np.load(source.with_suffix(".npz")) as stored:
        kept = {name: stored[name] for name in stored.files} | (arrays or {})
    path = path or run / "stranger.json"
    np.savez(path.with_suffix(".npz"), **{name: one for name, one in kept.items() if one is not None})
    record.pop("checksum")
    record["arrays"] = sha256_file(path.with_suffix(".npz"))
    path.write_text(json.dumps(record | {"checksum": digest_of(record)}))


def reported(run, tmp_path):
    """The comparison and its page; both good models are in it with their figures."""
    found = brodmann.compare([run])
    paths = write_report(found, tmp_path / "out", "from a test", vector=False)
    page = paths[0].read_text()
    table = pd.read_csv(tmp_path / "out" / "scores.csv")
    assert {(one.model, one.benchmark) for one in table.itertuples()} >= {
        (model, benchmark) for model in GOOD for benchmark in ("simulated-cortex.IT-rsa", "simulated-cortex.V1-ridge")
    }  # fmt: skip
    names = {path.name for path in paths}
    assert {"ranked.png", "heat-map.png", "ceilings.png", "rdms-simulated-cortex.IT-rsa.png"} <= names
    assert {"units.png", "unit-maps.png"} <= names
    assert "nan" not in page.split("<h2")[-1].lower().split()
    return found, page


def test_files_that_cannot_be_read_are_named_and_the_rest_is_compared(run, tmp_path):
    names = ("truncated", "newer", "without-arrays", "damaged-arrays", "foreign")
    for name in names:
        stranger(run, RIDGE, {"format": 99} if name == "newer" else {}, path=run / f"{name}.json")
    (run / "truncated.json").write_bytes((run / "truncated.json").read_bytes()[:300])
    (run / "without-arrays.npz").unlink()
    (run / "damaged-arrays.npz").write_bytes(b"PK damaged")
    (run / "foreign.json").write_text('["not", "a record"]')
    (run / "partition.partition.npz").write_bytes(b"PK damaged")
    found, page = reported(run, tmp_path)
    for name in (*names, "partition"):
        (note,) = [one for one in found.notes if one.startswith(f"{name}.")]
        assert "is left out: " in note
        assert name in page
    assert found.models == sorted(GOOD)


STRANGE = {
    "nothing is known": (RIDGE, {"score": None, "raw": None, "ci": [None, None], "p": None, "ceiling": None}, {}),
    "a negative reliability": (RIDGE, {"ceiling": -0.5, "score": -3.0, "raw": -0.4}, {}),
    "half an interval": (RIDGE, {"ci": [0.1, None]}, {}),
    "half of the bounds": (RSA, {"ceiling_lower": 0.3, "ceiling_upper": None}, {}),
    "layers without values": (RIDGE, {"layers": {"a": None, "b": None}, "layer": "c"}, {}),
    "unknown names": (RIDGE, {"metric": "guess", "normalization": "guess", "ceiling_kind": "guess"}, {}),
    "methods of another kind": (RIDGE, {"methods": {"p": None, "interval": 3, "n_subjects": "two"}}, {}),
    "an older record": (RIDGE, {"p": "missing", "left_out": "missing", "methods": "missing", "beyond": "missing"}, {}),
    "no raw values": (RIDGE, {}, {"raw": None, "layer_units": None, "ceiling": None}),
    "raw values that are NaN": (RIDGE, {}, {"raw": np.full(3, np.nan), "layer_units": np.full((1, 3), np.nan)}),
    "raw values in two dimensions": (RIDGE, {}, {"raw": np.ones((2, 2))}),
    "no places": (RIDGE, {}, {"neuroid_x": None, "neuroid_y": None, "neuroid_z": None}),
    "words for numbers": (RIDGE, {}, {"raw": np.array(["a", "b"]), "draws": np.array(["a"])}),
    "replicates of another size": (RIDGE, {}, {"replicates_samples": np.full(2, np.nan)}),
    "replicates that are words": (RIDGE, {}, {"replicates_n": np.array(["many"])}),
    "an RDM of another size": (RSA, {}, {"model_rdm": np.ones(5)}),
    "an RDM that is NaN": (RSA, {}, {"model_rdm": "nan", "brain_rdm": "nan"}),
    "an RDM without stimuli": (RSA, {}, {"stimulus_id": None, "category": None}),
    "no RDM": (RSA, {}, {"model_rdm": None}),
}  # fmt: skip


def test_records_that_say_strange_things_are_shown_or_named(run, tmp_path):
    with np.load(next(run.glob("*IT-rsa*pixels*.npz"))) as stored:
        n_pairs = len(stored["model_rdm"])
    for case, (benchmark, changes, arrays) in STRANGE.items():
        changes = {"model": case.replace(" ", "-"), "key": case.replace(" ", "-") * 4} | changes
        arrays = {k: np.full(n_pairs, np.nan) if isinstance(one, str) else one for k, one in arrays.items()}
        stranger(run, benchmark, changes, arrays, run / f"{changes['model']}.json")
    found, page = reported(run, tmp_path)
    for model in (case.replace(" ", "-") for case in STRANGE):
        assert model in page
        assert model in found.models or any(model in note for note in found.notes)
    assert {"an-older-record", "no-places", "nothing-is-known", "no-RDM"} <= set(found.models)


def test_every_rdm_is_drawn_or_named(run, tmp_path):
    with np.load(next(run.glob("*IT-rsa*pixels*.npz"))) as stored:
        ids, rdm = stored["stimulus_id"].astype(str), stored["model_rdm"]
    turned = np.arange(len(ids))[::-1]
    square = np.zeros((len(ids),) * 2)
    square[np.triu_indices(len(ids), 1)] = rdm
    square += square.T
    arrays = {
        "in-another-order": {
            "stimulus_id": ids[turned],
            "model_rdm": square[turned][:, turned][np.triu_indices(len(ids), 1)],
        },
        "of-other-stimuli": {"stimulus_id": np.char.add("other-", ids)},
        "not-kept": {"model_rdm": None},
    } | {f"model-{i}": {} for i in range(6)}
    for model, changed in arrays.items():
        stranger(run, RSA, {"model": model, "key": model * 8}, changed, run / f"{model}.json")
    found = brodmann.compare([run])
    (panel,) = PANELS["rdms"].panels(found)
    np.testing.assert_array_equal(panel.table["in-another-order"], panel.table["pixels"])
    assert {f"model-{i}" for i in range(6)} <= set(panel.table)
    assert "of-other-stimuli: of other stimuli" in panel.alt
    assert "not-kept: its RDM was not kept" in panel.alt
    figure = panel.figure(style_of(found))
    titles = {axes.get_title() for axes in figure.axes}
    assert {"brain", "gabor-pyramid", "in-another-order", "model-0", "model-5", "pixels"} <= titles


def test_a_figure_that_fails_for_one_record_is_drawn_of_the_others(run, tmp_path, monkeypatch):
    def draw(comparison: Comparison) -> list[Panel]:
        if any(one["model"] == "pixels" for one in comparison.records):
            raise ZeroDivisionError("no pixels")
        return [Panel(comparison.scores, PANELS["ranked"].panels(comparison)[0].figure)]

    monkeypatch.setattr(
        "brodmann.bench.reports.html.ordered_cards",
        lambda: [PanelCard("mine", "Mine", 1, "A panel of one's own.", draw)],
    )
    found = brodmann.compare([run])
    write_report(found, tmp_path / "out", "from a test", vector=False)
    said = [one for one in found.notes if "is not drawn" in one]
    assert said == [
        f"Mine: pixels on {one} is not drawn: ZeroDivisionError: no pixels" for one in (RSA, RIDGE)
    ]
    assert set(pd.read_csv(tmp_path / "out" / "figures" / "mine.csv")["model"]) == {"gabor-pyramid"}
