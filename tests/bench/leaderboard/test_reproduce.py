"""Two models' scores that were computed here: the compare page's test is the report's, and another reproduces them."""

import pytest

pytest.importorskip("brainscore_core", reason="a leaderboard has Brain-Score's tables")

from boards import Server
from command_line import run_brodmann

import brodmann
from brodmann.bench.leaderboard import open_board
from brodmann.bench.leaderboard.reproduce import reproduce
from brodmann.bench.leaderboard.storage import accounts
from brodmann.bench.leaderboard.storage.database import close_board
from brodmann.bench.leaderboard.storage.snapshot import read_snapshot
from brodmann.bench.leaderboard.web.pairs import paired_scores
from brodmann.errors import UserError

IT = "simulated-cortex.IT"
CKA, DECODING, RIDGE = (f"{IT}-{metric}" for metric in ("cka", "decoding", "ridge"))


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    """Pixels and a Gabor pyramid: draws, groups of stimuli, groups of stimuli and neuroids."""
    folder = tmp_path_factory.mktemp("paired") / "run"
    for model in ("pixels", "gabor-pyramid"):
        for benchmark in (CKA, DECODING, RIDGE):
            brodmann.score(model, benchmark, run=folder, n_bootstraps=50, n_permutations=19)
    return folder


@pytest.fixture
def filled(run, address):
    done = run_brodmann("leaderboard", "declare", CKA, "--from", run, "--board", address, "--as", "root")
    assert done.returncode == 0, done.stderr
    assert "declared  simulated-cortex.IT-cka version 2 (similarity, without a ceiling)" in done.stdout
    brodmann.submit(run, address, who="ada")
    close_board()
    return address


def state(board):
    revision = board.revision()
    with board.reading():
        return read_snapshot(revision)


def test_the_compare_page_has_the_test_of_the_report(run, filled):
    known = brodmann.compare([run]).differences.set_index("benchmark")
    board = open_board(filled)
    now = state(board)
    with board.reading():
        pairs = paired_scores(now, now.model("pixels"), now.model("gabor-pyramid"))
    assert len(pairs) == 3
    for one in pairs:
        row = known.loc[one["benchmark"].identifier]
        assert (one["p"], one["q"]) == pytest.approx((row["p"], row["q"]), rel=1e-3)
        assert abs(one["difference"]) == pytest.approx(row["difference"])
        better = "pixels" if one["difference"] > 0 else "gabor-pyramid"
        assert better == row["better"]
        bounds = (one["low"], one["high"]) if one["difference"] > 0 else (-one["high"], -one["low"])
        assert bounds == pytest.approx((row["low"], row["high"]), abs=1e-5)
    assert known.loc[RIDGE, "p"] < 0.05


def test_somebody_else_reproduces_a_score(filled, tmp_path):
    done = run_brodmann(
        "reproduce", filled, "pixels", CKA, "--as", "bob", "--run", tmp_path / "again",
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert "which agrees" in done.stdout
    now = state(open_board(filled))
    found = {benchmark.identifier: one for benchmark, one in now.scores_of(now.model("pixels").id)}
    assert [(one.who, one.agrees) for one in found[CKA].reproduced] == [("bob", True)]
    assert found[CKA].reproduced[0].value == pytest.approx(found[CKA].value, abs=1e-6)
    assert (found[CKA].agreed, found[DECODING].agreed) == (True, False)
    with pytest.raises(UserError, match="this one is your own"):
        reproduce(filled, "pixels", CKA, run=tmp_path / "again", who="ada")
    with pytest.raises(UserError, match="has other weights"):
        reproduce(filled, "pixels", CKA, source="gabor-pyramid", who="bob")
    with pytest.raises(UserError, match="no score of 'pixels' on 'simulated-cortex.V1-cka'"):
        reproduce(filled, "pixels", "simulated-cortex.V1-cka", who="bob")


def test_a_score_that_does_not_come_again_is_said(filled, tmp_path):
    """A made-up value on an undeclared benchmark, which nobody can compute again."""
    board = open_board(filled)
    with board.change():
        from brodmann.bench.leaderboard.storage.models import ScoreRow

        for row in ScoreRow.select():
            if row.score.benchmark.benchmark_type_id == CKA and row.score.model.name == "pixels":
                ScoreRow.update(value=row.value + 0.2).where(ScoreRow.score == row.score_id).execute()
    found = reproduce(filled, "pixels", CKA, run=tmp_path / "again", who="bob")
    assert not found.agrees
    assert found.value - found.again == pytest.approx(0.2)
    now = state(open_board(filled))
    scores = {benchmark.identifier: one for benchmark, one in now.scores_of(now.model("pixels").id)}
    assert [one.agrees for one in scores[CKA].reproduced] == [False]


def test_a_score_is_reproduced_on_a_server(run, tmp_path, monkeypatch):
    board = tmp_path / "board.sqlite"
    brodmann.submit(run, board, who="ada")
    opened = open_board(board)
    with opened.change():
        token = accounts.new_token(accounts.person("bob"))
    close_board()
    server = Server(board, "--benchmarks", CKA)
    try:
        monkeypatch.setenv("BRODMANN_TOKEN", token)
        found = reproduce(server.url, "gabor-pyramid", CKA, run=tmp_path / "again")
        assert found.agrees
        page = server.get("/models/gabor-pyramid")[2].decode()
        assert "reproduced by bob" in page
        with pytest.raises(UserError, match="no score of 'nobody'"):
            reproduce(server.url, "nobody", CKA)
    finally:
        server.stop()
