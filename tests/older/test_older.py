r"""What version 0.1 wrote still opens: a run's records, a layout report, a board, a submission document.

They were written under a home of their own by::

    brodmann score MODEL BENCHMARK [--layers ...] --run run-0.1 --bootstraps 50 --permutations 49
    brodmann analyze twin-vision-topographic --layer layer4.0.conv1 --permutations 99 \
        --contrast face,place --folder layouts
    brodmann submit run-0.1 layouts --card cards.toml --title "scores of 0.1" --to board.sqlite --as ada

and ``submission.json`` is the document that the last command sent. They are never written anew: what cannot read them
any more cannot read anybody's results.
"""

import csv
import json
import shutil
from pathlib import Path

import numpy as np
import pytest
from boards import Server
from command_line import run_brodmann

import brodmann

HERE = Path(__file__).parent
RUN, LAYOUTS = HERE / "run-0.1", HERE / "layouts"
IT, HUMAN, MONKEY = "simulated-cortex.IT", "kriegeskorte2008.hIT-rsa", "kriegeskorte2008.mIT-rsa"
LANGUAGE, NETWORK = "simulated-cortex-language.language-language_linear", "tuckute2024.netw-ridge"
DIGEST = "0b72028c020932203dbcb0ab85615e00ae9474cd8777157e21b86fb65229bf41"
# model, benchmark -> score, raw, ceiling, ci, p, layer, unit, how many units
SCORES = {
    ("brain", f"{IT}-decoding"): (
        0.983318637274549, 0.9916593186372745, 0.9916593186372745, [0.9791640812699851, 0.985677952249526], 0.02,
        "brain", "neuroid", 256,
    ),
    ("pixels", HUMAN): (
        0.031179315209484054, 0.02075672192202881, 0.6657209044705086, [0.0, 0.09355887755116375], 0.06,
        "pixels", "subject", 4,
    ),
    ("pixels", MONKEY): (
        0.08143756575786415, 0.08143756575786415, None, [0.03475997991156509, 0.15334109353550393], 0.02,
        "pixels", "subject", 1,
    ),
    ("pixels", f"{IT}-cka"): (
        0.501044863572808, 0.501044863572808, None, [0.4683883854200568, 0.5357349265589322], 0.02,
        "pixels", "none", 0,
    ),
    ("pixels", f"{IT}-decoding"): (
        0.8724937791450117, 0.9289696969696971, 0.9916593186372745, [0.8517805706454256, 0.9009580442818689], 0.02,
        "pixels", "none", 0,
    ),
    ("pixels", f"{IT}-pls"): (
        0.31188305950028966, 0.4680709316234221, 0.7024761055693531, [0.2661526673693197, 0.3758619909482132], 0.02,
        "pixels", "neuroid", 256,
    ),
    ("twin-language-topographic", NETWORK): (
        0.40465974057639315, 0.22620479498220378, 0.559, [0.3101208165844322, 0.47519988420851755], 0.02,
        "transformer.h.2", "neuroid", 1,
    ),
    ("twin-vision-baseline", f"{IT}-ridge"): (
        0.9085761791122424, 0.7630470262295599, 0.702965357858621, [0.89964072686777, 0.9229405625519541], 0.02,
        "layer4.0", "neuroid", 256,
    ),
    ("twin-vision-topographic", HUMAN): (
        0.0652668235562214, 0.043449488809764805, 0.6657209044705086, [0.0007653688705380145, 0.13983616882655636],
        0.02, "layer4.0", "subject", 4,
    ),
    ("twin-vision-topographic", f"{IT}-ridge"): (
        0.8742399164764266, 0.7338288203121756, 0.702965357858621, [0.8581595423910124, 0.8912827191023174], 0.02,
        "layer4.0", "neuroid", 256,
    ),
    ("word-length-frequency", LANGUAGE): (
        0.9918259852852667, 0.7052370139834618, 0.7110491401176823, [0.9606877288206874, 1.0], 0.02,
        "features", "neuroid", 256,
    ),
    ("word-length-frequency", NETWORK): (
        0.45803462115643734, 0.2560413532264485, 0.559, [0.3702745006828182, 0.5686633153750101], 0.02,
        "features", "neuroid", 1,
    ),
}  # fmt: skip
SUBMITTED = {pair: numbers for pair, numbers in SCORES.items() if pair[0] != "brain"}
AVERAGES = {
    "vision": {  # of what has a ceiling: the monkey's has none, and its raw values are not averaged with shares of one
        "pixels": 0.031179315209484054,
        "twin-vision-topographic": 0.0652668235562214,
        "twin-vision-baseline": None,
    },
    "language": {
        "word-length-frequency": 0.45803462115643734,
        "twin-language-topographic": 0.40465974057639315,
    },
}


def command(*words, **environment):
    done = run_brodmann(*words, **environment)
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.fixture
def board(tmp_path):
    """A copy of the board, as version 0.1 left it."""
    pytest.importorskip("brainscore_core", reason="a leaderboard has Brain-Score's tables")
    return Path(shutil.copy(HERE / "board.sqlite", tmp_path / "board.sqlite"))


@pytest.fixture
def run(tmp_path):
    """A copy of the run."""
    return shutil.copytree(RUN, tmp_path / "run-0.1")


def shown(board):
    """Model, benchmark -> value, and the averages, as a board's table has them."""
    values, averages = {}, {}
    for domain in ("vision", "language"):
        table = json.loads(command("leaderboard", "show", "--board", board, "--domain", domain, "--json"))
        for model in table["models"]:
            averages[model["name"]] = model["values"].pop("average", None)
            values |= {(model["name"], name): v for name, v in model["values"].items() if v is not None}
    return values, averages


def test_the_records_of_a_run_are_read():
    found = brodmann.compare([RUN])
    assert found.notes == []
    records = {(one["model"], one["benchmark"]): one for one in found.records}
    assert records.keys() == SCORES.keys()
    for pair, (score, raw, ceiling, ci, p, layer, unit, _) in SCORES.items():
        record = records[pair]
        assert (record["score"], record["raw"], record["ceiling"]) == (score, raw, ceiling)
        assert (record["ci"], record["p"]) == (ci, p)
        assert (record["layer"], record["unit"]) == (layer, unit)
    twin = records["twin-vision-topographic", f"{IT}-ridge"]
    assert list(twin["layers"]) == ["layer3.0", "layer4.0"]
    assert twin["layers"]["layer4.0"] == twin["raw"]
    assert twin["model_facts"]["parameters"] == 371173
    assert twin["provenance"]["versions"]["brodmann"] == "0.1.0"
    assert "10.1016/j.neuron.2008.10.043" in records["pixels", HUMAN]["bibtex"]


def test_how_scores_were_normalized_is_read():
    records = {(one["model"], one["benchmark"]): one for one in brodmann.compare([RUN]).records}
    known = {
        pair: record.get("normalization", record.get("normalisation")) for pair, record in records.items()
    }
    assert known == {
        ("brain", f"{IT}-decoding"): "above_chance",
        ("pixels", f"{IT}-decoding"): "above_chance",
        ("pixels", HUMAN): "r_over_ceiling",
        ("pixels", MONKEY): "none",
        ("pixels", f"{IT}-cka"): "none",
        ("pixels", f"{IT}-pls"): "r2_over_ceiling",
        ("twin-language-topographic", NETWORK): "r_over_sqrt_reliability",
        ("twin-vision-baseline", f"{IT}-ridge"): "r_over_sqrt_reliability",
        ("twin-vision-topographic", HUMAN): "r_over_ceiling",
        ("twin-vision-topographic", f"{IT}-ridge"): "r_over_sqrt_reliability",
        ("word-length-frequency", LANGUAGE): "r_over_ceiling",
        ("word-length-frequency", NETWORK): "r_over_sqrt_reliability",
    }


def test_the_arrays_of_a_run_are_read():
    found = brodmann.compare([RUN])
    for record, arrays in zip(found.records, found.arrays, strict=True):
        n_units = SCORES[record["model"], record["benchmark"]][-1]
        assert arrays["raw"].shape == (n_units,)
        assert arrays["draws"].shape == (50,)
    kept = {(r["model"], r["benchmark"]): a for r, a in zip(found.records, found.arrays, strict=True)}
    ridge = kept["twin-vision-topographic", f"{IT}-ridge"]
    assert np.median(ridge["raw"]) == pytest.approx(0.7338288203121756, abs=1e-12)
    assert sorted(set(ridge["neuroid_x"])) == [i / 2 for i in range(16)]
    assert kept["pixels", HUMAN]["model_rdm"].shape == (92 * 91 // 2,)


def test_the_differences_between_models_are_those_of_then():
    table = brodmann.compare([RUN]).differences.set_index("benchmark")
    assert list(table.index) == [
        HUMAN,
        NETWORK,
        f"{IT}-ridge",
    ]  # beside the brain itself no model is better or worse
    row = table.loc[HUMAN]
    assert (row["better"], row["other"]) == ("twin-vision-topographic", "pixels")
    assert row["difference"] == pytest.approx(0.03408750834673735, rel=1e-12)
    assert (row["low"], row["high"]) == pytest.approx((-0.013097120880749394, 0.09362653219042015), rel=1e-12)
    assert row["p"] == pytest.approx(0.43137254901960786, rel=1e-12)


def test_a_run_and_a_layout_are_compared_by_the_command(tmp_path):
    out = tmp_path / "comparison"
    said = json.loads(command("compare", RUN, LAYOUTS, "--folder", out, "--no-pdf", "--json"))
    assert said["models"] == sorted({model for model, _ in SCORES})
    assert (said["scores"], said["layouts"], said["notes"]) == (12, 1, [])
    assert all(Path(path).stat().st_size for path in said["files"])
    with (out / "scores.csv").open() as stream:
        rows = {(row["model"], row["benchmark"]): row for row in csv.DictReader(stream)}
    assert rows.keys() == SCORES.keys()
    for pair, (score, raw, _, ci, _, layer, _, _) in SCORES.items():
        numbers = [float(rows[pair][name]) for name in ("score", "raw", "low", "high")]
        assert numbers == pytest.approx([score, raw, *ci], rel=1e-9, abs=1e-12)
        assert rows[pair]["layer"] == layer
    assert "10.1016/j.neuron.2008.10.043" in (out / "citations.bib").read_text()


def test_a_record_that_was_changed_is_noticed(run):
    path = next(run.glob("*hIT-rsa__pixels*.json"))
    path.write_text(path.read_text().replace("0.0311793152", "0.9311793152"))
    found = brodmann.compare([run])
    assert len(found.records) == len(SCORES) - 1
    assert ("pixels", HUMAN) not in {(one["model"], one["benchmark"]) for one in found.records}
    assert any("damaged" in note and path.name in note for note in found.notes), found.notes


def test_a_score_that_is_asked_again_is_the_number_of_then(run):
    """Found, or computed anew; never another one's."""
    known = SCORES["pixels", f"{IT}-cka"]
    again = brodmann.score("pixels", f"{IT}-cka", run=run, n_bootstraps=50, n_permutations=49)
    assert float(again) == pytest.approx(known[0], rel=1e-9)
    assert list(again.attrs["ci"]) == pytest.approx(known[3], rel=1e-9)
    other = brodmann.score("pixels", f"{IT}-cka", run=run, seed=1, n_bootstraps=50, n_permutations=49)
    assert not other.attrs["cached"]
    assert list(other.attrs["ci"]) != pytest.approx(known[3], rel=1e-9)


def test_a_board_is_shown(board):
    values, averages = shown(board)
    assert values == {pair: numbers[0] for pair, numbers in SUBMITTED.items()}
    assert set(averages.values()) == {None}  # nobody has declared its benchmarks yet
    said = command(
        "leaderboard", "declare", HUMAN, MONKEY, NETWORK, "--from", RUN, "--board", board, "--as", "root"
    )
    assert said.count("do not") == 3
    assert said.count(" 0 do not") == 3  # all that it holds fits
    again, averages = shown(board)
    assert again == values
    known = AVERAGES["vision"] | AVERAGES["language"]
    assert averages == {name: v if v is None else pytest.approx(v, rel=1e-12) for name, v in known.items()}
    audit = json.loads(command("leaderboard", "audit", "--board", board, "--json"))["audit"]
    assert [(one["who"], one["action"]) for one in audit] == [("root", "declared")] * 3 + [
        ("ada", "submitted")
    ]
    assert DIGEST[:16] in audit[-1]["detail"]


def test_a_board_is_exported(board, tmp_path):
    command("leaderboard", "export", tmp_path / "site", "--board", board)
    rows = {}
    for domain in ("vision", "language"):
        with (tmp_path / "site" / "export" / domain / "scores.csv").open() as stream:
            rows |= {(row["model"], row["benchmark"]): row for row in csv.DictReader(stream)}
    assert rows.keys() == SUBMITTED.keys()
    for pair, (score, raw, _, ci, p, layer, _, _) in SUBMITTED.items():
        numbers = [float(rows[pair][name]) for name in ("score", "raw", "low", "high", "p")]
        assert numbers == pytest.approx([score, raw, *ci, p], rel=1e-9, abs=1e-12)
        assert rows[pair]["layer"] == layer
    page = (tmp_path / "site" / "models" / "twin-vision-topographic.html").read_text()
    assert "layer4.0.conv1" in page
    assert "luminance" in (tmp_path / "site" / "models" / "pixels.html").read_text()


def test_a_board_takes_more(board, tmp_path):
    before, _ = shown(board)
    same = json.loads(
        command("submit", RUN, LAYOUTS, "--card", HERE / "cards.toml", "--to", board, "--as", "ada", "--json")
    )
    assert (same["new"], same["replaced"], same["known"]) == (0, 0, 11)
    assert shown(board)[0] == before
    mine = brodmann.score(
        "pixels", "simulated-cortex.V1-cka", run=tmp_path / "mine", n_bootstraps=20, n_permutations=19
    )
    receipt = brodmann.submit(tmp_path / "mine", board, who="ada")
    assert (receipt.new, receipt.replaced, receipt.known) == (1, 0, 0)
    assert shown(board)[0] == before | {("pixels", "simulated-cortex.V1-cka"): float(mine)}
    with pytest.raises(brodmann.UserError, match="somebody else"):
        brodmann.submit(tmp_path / "mine", board, who="somebody-else")
    said = command("leaderboard", "withdraw", 1, "--board", board, "--as", "ada", "--reason", "a try")
    assert "withdrawn 11 scores" in said
    assert shown(board)[0].keys() == {("pixels", "simulated-cortex.V1-cka")}


def test_a_run_becomes_the_board_that_it_became(board, tmp_path):
    fresh = tmp_path / "fresh.sqlite"
    said = json.loads(
        command("submit", RUN, LAYOUTS, "--card", HERE / "cards.toml", "--to", fresh, "--as", "ada", "--json")
    )
    assert said["new"] == 11
    assert len(said["notes"]) == 1
    assert "decoded from the brain itself" in said["notes"][0]
    assert shown(fresh) == shown(board)


def test_a_document_is_taken_by_a_server(board, tmp_path):
    sent = (HERE / "submission.json").read_bytes()
    fresh = tmp_path / "fresh.sqlite"
    token = command("leaderboard", "token", "ada", "--board", fresh).strip()
    server = Server(fresh)
    try:
        changed = sent.replace(b"0.031179315209484054", b"0.931179315209484054")
        assert changed != sent
        status, answer = server.submit(changed, token)
        assert (status, "digest" in answer["error"]) == (400, True)
        status, answer = server.submit(sent, token)
        assert (status, answer["new"], answer["duplicate"]) == (201, 11, False)
        assert answer["digest"] == DIGEST
        status, answer = server.submit(sent, token)
        assert (answer["new"], answer["known"], answer["duplicate"]) == (0, 11, True)
    finally:
        server.stop()
    assert shown(fresh) == shown(board)


def test_no_place_on_a_machine_stands_in_them():
    paths = [path for path in HERE.rglob("*") if path.is_file() and path.suffix not in (".py", ".pyc")]
    assert len(paths) == 2 * len(SCORES) + 5
    for path in paths:
        content = path.read_bytes()
        assert not any(place in content for place in (b"/tmp/", b"/var/", b"/root", b"/home/", b"/Users/"))
