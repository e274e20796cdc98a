"""A field of a score is one line of its record: how many subjects it stands on is told in every place."""

import json
import re
from dataclasses import replace

import numpy as np
import pytest
from boards import Server, document, score
from command_line import run_brodmann

import brodmann
from brodmann.bench import load_benchmark, write_report
from brodmann.bench.leaderboard import gathered, parse_submission
from brodmann.bench.leaderboard.submission.schema import SubmittedScore

NAME = "simulated-cortex.IT-cka"
QUICK = {"n_bootstraps": 10, "n_permutations": 9}


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    """A run with one score of a brain of three subjects."""
    folder = tmp_path_factory.mktemp("run")
    brodmann.score("pixels", with_subjects("neuroid", 3), run=folder, **QUICK)
    return folder


def with_subjects(dim, n):
    """The benchmark with recordings of n subjects, named on neuroids or on presentations."""
    known = load_benchmark(NAME)
    responses, neuroids = known.dataset.responses, known.recording.neuroids
    if dim == "neuroid":
        names = [f"s{i % n}" for i in range(len(neuroids))]
        return replace(known, recording=replace(known.recording, neuroids=neuroids.assign(subject=names)))
    assert "subject" not in responses.coords
    names = [f"s{i % n}" for i in range(responses.sizes[dim])]
    named = responses.assign_coords(subject=(dim, names))
    return replace(known, dataset=replace(known.dataset, responses=named))


def test_subjects_are_counted_where_they_are_named(run, tmp_path):
    for dim, n in (("neuroid", 5), ("presentation", 2)):
        found = brodmann.score("pixels", with_subjects(dim, n), run=tmp_path, **QUICK)
        assert found.attrs["n_subjects"] == n
    assert brodmann.compare([run]).records[0]["n_subjects"] == 3


def test_subjects_of_rdms_are_counted(tmp_path):
    known = load_benchmark("simulated-cortex.IT-rsa")
    rdm = 1 - np.corrcoef(known.recording.mean)
    noise = np.abs(np.random.default_rng(0).normal(0, 0.01, (4, 1, *rdm.shape)))
    recording = replace(known.recording, cube=None, rdms=rdm + noise + noise.swapaxes(-1, -2))
    found = brodmann.score("pixels", replace(known, recording=recording), run=tmp_path, **QUICK)
    assert found.attrs["n_subjects"] == 4
    assert found.attrs["raw"].sizes == {"subject": 4}


def test_it_is_in_json(tmp_path):
    done = run_brodmann(
        "score", "pixels", NAME, "--bootstraps", 0, "--permutations", 0, "--run", tmp_path, "--json"
    )
    assert json.loads(done.stdout)["n_subjects"] == 1


def test_it_is_in_the_table_and_the_files_of_a_comparison(run, tmp_path):
    found = brodmann.compare([run])
    assert found.scores["n_subjects"].tolist() == [3]
    write_report(found, tmp_path, "brodmann compare", vector=False)
    head, line = (tmp_path / "scores.csv").read_text().splitlines()
    assert dict(zip(head.split(","), line.split(","), strict=False))["n_subjects"] == "3"
    page = (tmp_path / "report.html").read_text()
    assert re.search(r"<th[^>]*>(<button[^>]*>)?subjects<", page)
    assert re.search(r'<td class="number" data-value="3">3</td>', page)


def test_it_travels_and_is_on_the_board_with_its_page(run, tmp_path):
    pytest.importorskip("brainscore_core", reason="a leaderboard has Brain-Score's tables")
    from brodmann.bench.leaderboard.storage.database import close_board, open_board

    content, _ = gathered([run])
    assert content["scores"][0]["n_subjects"] == 3
    board = open_board(tmp_path / "board.sqlite")
    text = json.dumps(content)
    board.submit(parse_submission(text.encode()), text, board.person("ada"))
    close_board()
    server = Server(tmp_path / "board.sqlite")
    try:
        [line] = json.loads(server.get("/api/v1/scores")[2])["scores"]
        assert line["n_subjects"] == 3
        assert json.loads(server.get(f"/api/v1/scores/{line['id']}")[2])["n_subjects"] == 3
        head, row = server.get("/export/scores.csv")[2].decode().splitlines()
        assert row.split(",")[head.split(",").index("n_subjects")] == "3"
        page = server.get("/models/pixels")[2].decode()
        assert "256 neuroids, 3 subjects" in page
        assert ">subjects</th>" in page
        assert '"n_subjects"' in server.get("/openapi.json")[2].decode()
    finally:
        server.stop()


def test_a_submission_made_before_says_nothing_of_it():
    assert parse_submission(json.dumps(document()).encode()).scores[0].n_subjects is None
    with pytest.raises(ValueError, match="n_subjects"):
        SubmittedScore.model_validate(score(n_subjects=-1))
