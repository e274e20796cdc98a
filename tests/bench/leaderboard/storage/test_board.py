"""A board, the same on SQLite and PostgreSQL: submissions, duplicates, versions, history, migrations."""

import json
import sqlite3
import threading

import pytest

pytest.importorskip("brainscore_core", reason="a leaderboard has Brain-Score's tables")

from boards import BENCHMARK, REAL, body, card, declare, document, layout, score, simulated

from brodmann.bench.leaderboard import open_board, parse_submission
from brodmann.bench.leaderboard.storage import accounts, migrations
from brodmann.bench.leaderboard.storage.database import close_board
from brodmann.bench.leaderboard.storage.models import (
    AuditRow,
    EventRow,
    LayerRow,
    LayoutRow,
    ScoreRow,
    SubmissionRow,
)
from brodmann.bench.leaderboard.storage.models import database_models as brainscore
from brodmann.bench.leaderboard.storage.snapshot import read_snapshot
from brodmann.bench.leaderboard.submission.errors import Refused
from brodmann.bench.leaderboard.web.ranking import Selection, table_of
from brodmann.bench.metrics.registries import METRICS, NORMALIZATIONS, MetricCard, Normalization
from brodmann.errors import UserError


def take(board, content, who="ada"):
    sent = body(content)
    return board.submit(parse_submission(sent), sent.decode(), board.person(who))


def state(board):
    revision = board.revision()
    with board.reading():
        return read_snapshot(revision)


def test_a_submission_is_read_back_with_all_that_it_said(board):
    declare(board)
    scores = [score(raw=0.123456789012345), simulated(raw=0.31)]
    receipt = take(board, document(scores=scores, layouts=[layout()]))
    assert (receipt.new, receipt.known, receipt.replaced, receipt.duplicate) == (2, 0, 0, False)
    now = state(board)
    model = now.model("net-a")
    assert (model.family, model.parameters, model.owner) == ("Net", 1000, "ada")
    found = {benchmark.identifier: (benchmark, one) for benchmark, one in now.scores_of(model.id)}
    benchmark, one = found[REAL]
    assert one.raw == 0.123456789012345  # every digit, on PostgreSQL too
    assert one.value == scores[0]["score"]
    assert (one.low, one.high) == tuple(scores[0]["ci"])
    assert (one.p, one.layer, one.seed, one.n_stimuli, one.n_left_out) == (0.01, "b", 0, 92, 2)
    assert (benchmark.ceiling, benchmark.ceiling_kind, benchmark.version) == (0.6, "rdm", 1)
    assert benchmark.data_digest == "cd" * 32
    with board.reading():
        layers = list(
            LayerRow.select(LayerRow.layer, LayerRow.value).where(LayerRow.score == one.id).tuples()
        )
        assert layers == list(scores[0]["layers"].items())
        assert SubmissionRow.get().document == body(document(scores=scores, layouts=[layout()])).decode()
    assert now.layouts[model.id][0].morans_i == 0.5


def test_brainscore_reads_the_board(board):
    """Brain-Score's own functions see models, scores and the tree through its own tables."""
    from brainscore_core.submission import database

    take(board, document(scores=[score(), simulated()]))
    with board.reading():
        assert database.public_model_identifiers("vision") == ["net-a"]
        assert sorted(database.public_benchmark_identifiers("vision")) == sorted([REAL, BENCHMARK])
        kind = brainscore.BenchmarkType.get(brainscore.BenchmarkType.identifier == REAL)
        above = kind.parent, kind.parent.parent, kind.parent.parent.parent
        assert [one.identifier for one in above] == ["vision.hIT", "vision.IT", "average_vision"]
        row = brainscore.Score.select().where(brainscore.Score.score_raw == 0.3).first()
        assert row.score_ceiled == pytest.approx(0.5)
        assert "'hIT': 'b'" in row.comment
        assert database.get_model_metadata_by_identifier("net-a").total_parameter_count == 1000


def test_the_same_submission_counts_once(board):
    first = take(board, document())
    again = take(board, document())
    assert again.duplicate
    assert again.submission == first.submission
    with board.reading():
        assert ScoreRow.select().count() == 1
    other = take(board, document(title="the same score in another envelope"))
    assert (other.new, other.known, other.duplicate) == (0, 1, False)
    with board.reading():
        assert ScoreRow.select().count() == 1
    with pytest.raises(Refused, match="somebody else before"):
        take(board, document(), "bob")


def test_a_run_made_again_takes_its_place_and_keeps_the_history(board):
    take(board, document())
    receipt = take(board, document(scores=[score(raw=0.4, key="f" * 64)]))
    assert (receipt.new, receipt.replaced) == (0, 1)
    now = state(board)
    assert [one.raw for one in now.scores.values()] == [0.4]
    with board.reading():
        assert [row.state for row in ScoreRow.select().order_by(ScoreRow.score)] == ["superseded", "current"]
        events = [(row.score_id, row.state) for row in EventRow.select().order_by(EventRow.id)]
        ours = [row.value for row in ScoreRow.select().order_by(ScoreRow.score)]
        theirs = [row.score_ceiled for row in brainscore.Score.select().order_by(brainscore.Score.id)]
    assert events == [(1, "current"), (1, "superseded"), (2, "current")]
    assert ours == [pytest.approx(0.5), pytest.approx(2 / 3)]
    assert theirs == [None, pytest.approx(2 / 3)]  # Brain-Score's own tools see what counts


def test_withdrawing_and_sending_again(board):
    first = take(board, document(layouts=[layout()]))
    ada, bob = board.person("ada"), board.person("bob")
    with pytest.raises(Refused, match="another submitter") as refused:
        board.withdraw_submission(first.submission, bob, "not mine")
    assert refused.value.status == 403
    assert board.withdraw_submission(first.submission, ada, "wrong weights") == 1
    assert state(board).scores == {}
    assert state(board).layouts == {}
    with pytest.raises(Refused, match="nothing of submission") as refused:
        board.withdraw_submission(first.submission, ada)
    assert refused.value.status == 409
    again = take(board, document(layouts=[layout()]))
    assert not again.duplicate
    assert again.new == 1
    assert len(state(board).scores) == 1
    third = take(board, document(layouts=[layout()]))
    assert third.duplicate
    assert third.submission == again.submission
    with board.reading():
        reasons = [row.reason for row in EventRow.select().where(EventRow.state == "withdrawn")]
        assert reasons == ["wrong weights"]
        actions = [row.action for row in AuditRow.select().order_by(AuditRow.id)]
        assert LayoutRow.select().count() == 2
    assert actions == ["submitted", "submission withdrawn", "submitted"]
    with pytest.raises(Refused, match="there is no score 99"):
        board.withdraw(99, ada)


def test_staff_may_withdraw_what_others_submitted(board):
    take(board, document())
    board.withdraw(1, board.person("root", staff=True), "broken data")
    assert state(board).scores == {}


def test_a_name_belongs_to_who_brought_it_first(board):
    take(board, document())
    with pytest.raises(Refused, match="belongs to another submitter.*--rename"):
        take(board, document(scores=[score(raw=0.5)]), "bob")
    take(board, document([card("net-b")], [score("net-b", raw=0.5)]), "bob")
    assert {one.owner for one in state(board).models.values()} == {"ada", "bob"}


def test_versions_of_a_benchmark_are_kept_apart(board, monkeypatch):
    from dataclasses import replace

    from brodmann.bench.leaderboard.storage import validation

    declare(board, score())
    take(board, document())
    with pytest.raises(Refused, match="up to version 2, not 3"):
        take(board, document(scores=[score(benchmark_version=3)]))
    known = validation.benchmark_card
    monkeypatch.setattr(validation, "benchmark_card", lambda name: replace(known(name), version=3))
    changed = score(raw=0.2, ceiling=0.8, data_digest="01" * 32, benchmark_version=3, key="a" * 64)
    declare(board, changed)
    receipt = take(board, document(scores=[changed]))
    assert (receipt.new, receipt.replaced) == (1, 0)
    now = state(board)
    assert len(now.scores) == 2
    assert [(one.version, one.ceiling) for one in now.versions("kriegeskorte2008.hit-rsa")] == [
        (3, 0.8),
        (1, 0.6),
    ]
    table = table_of(now, Selection())
    assert [row.values[REAL] for row in table.rows] == [pytest.approx(0.25)]  # the newest version alone


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ({"ceiling": 0.7, "score": 0.3 / 0.7}, "its ceiling is 0.7, and this board has 0.6"),
        ({"data_digest": "99" * 32}, "other recordings"),
        ({"ceiling_kind": "r_max"}, "its ceiling is 'r_max', not 'rdm'"),
        ({"score": 0.9}, "does not follow from its raw values"),
        ({"normalization": "wishful"}, "unknown normalization 'wishful'"),
        ({"benchmark": "kriegeskorte2008.hIT-magic"}, "does not know the benchmark"),
        ({"benchmark": "kriegeskorte2008.hIT-rsa@folds=3"}, "other folds .* make another benchmark"),
        ({"region": "V1"}, "its region is 'hIT', not 'V1'"),
        ({"simulated": True}, "not simulated"),
        ({"ci": [0.9, 0.1]}, "is none"),
        ({"layer": "z"}, "not among its layers"),
    ],
)
def test_a_score_that_does_not_fit_its_benchmark_is_refused_and_nothing_is_kept(board, changed, said):
    declare(board, score())
    take(board, document([card("first")], [score("first", raw=0.31)]))
    before = board.revision()
    with pytest.raises(Refused, match=said):
        take(board, document([card("net-b")], [simulated("net-b"), score("net-b", **changed)]))
    assert board.revision() == before
    now = state(board)
    assert [one.name for one in now.models.values()] == ["first"]
    assert len(now.benchmarks) == 1


def test_the_headline_is_made_again_from_the_neuroids(board):
    values, limits = [0.5, None, 0.3, 0.4], [0.64, 0.01, 0.36, 0.25]
    good = score(
        raw=0.4,
        ceiling=0.305,
        benchmark="simulated-cortex.V1-ridge",
        dataset="simulated-cortex",
        region="V1",
        metric="ridge",
        simulated=True,
        normalization="r_over_sqrt_reliability",
        ceiling_kind="reliability",
        raw_values=values,
        ceiling_values=limits,
        n_neuroids=3,
        unit="neuroid",
        score=0.625,  # median of 0.625, 0.5, 0.8
    )
    for changed, said in (
        ({"score": 0.65}, "which give 0.6250"),
        ({"n_neuroids": 4}, "raw values of 3 neuroids, and says 4"),
        ({"raw": 0.45, "layers": {"b": 0.45}}, "not the median of its neuroids"),
        ({"ceiling_values": limits[:2]}, "4 raw values and 2 ceilings"),
        ({"ceiling_values": [0.64, 0.0, -1.0, 0.25]}, "not positive"),
    ):
        with pytest.raises(Refused, match=said):
            take(board, document(scores=[good | changed]))
    assert take(board, document(scores=[good])).new == 1


def test_the_raw_value_lies_in_the_range_of_its_metric(board, monkeypatch):
    bits = MetricCard("bits", object, sentence="bits are counted", formula="bits", bounds=(0, 64))
    share = Normalization(
        "share_of_bits", lambda r, best: r.mean(axis=(-2, -1)) / best, "a share", "bits / best"
    )
    benchmark = "simulated-cortex.IT-bits"
    good = simulated(raw=36.0, ceiling=48.0, normalization="share_of_bits") | {
        "benchmark": benchmark,
        "metric": "bits",
    }
    with pytest.raises(Refused, match="does not know the benchmark"):
        take(board, document(scores=[good]))
    monkeypatch.setitem(METRICS._things, bits.name, bits)
    monkeypatch.setitem(NORMALIZATIONS._things, share.name, share)
    with pytest.raises(Refused, match="the raw value 65 of bits is not between 0 and 64$"):
        take(board, document(scores=[good | {"raw": 65.0}]))
    with pytest.raises(Refused, match="the raw value 1.5 of rsa is not between -1 and 1$"):
        take(board, document(scores=[score(raw=1.5)]))
    assert take(board, document(scores=[good])).new == 1
    [(_, one)] = state(board).scores_of(state(board).model("net-a").id)
    assert (one.raw, one.value) == (36.0, 0.75)


def test_readers_see_one_state_while_others_write(board):
    take(board, document())
    wrong = []

    def write():
        for n in range(30):
            name = f"net-{n}x"
            take(board, document([card(name)], [score(name), simulated(name)]))

    thread = threading.Thread(target=write)
    thread.start()
    while thread.is_alive():
        now = state(board)
        for model in now.models.values():
            n = sum(key[0] == model.id for key in now.scores)
            if n != (1 if model.name == "net-a" else 2):
                wrong.append((model.name, n))
    thread.join()
    assert wrong == []
    assert len(state(board).scores) == 61


def test_a_board_of_brainscores_own_making_opens(tmp_path):
    """The local file that Brain-Score's own steps make is an older board: its scores are shown."""
    from brainscore_core.submission import database

    path = tmp_path / "leaderboard.sqlite3"
    database.connect_db(str(path))
    with brainscore.database_proxy.obj.atomic():
        for table in ("brodmann_score", "brodmann_model", "brodmann_revision"):
            brainscore.database_proxy.execute_sql(f"DROP TABLE IF EXISTS {table}")
    for user in (1, 2):
        brainscore.User.create(
            id=user, email=f"{user}@b", is_active=True, is_staff=False, is_superuser=False, password="x"
        )
    entry = database.submissionentry_from_meta(jenkins_id=1, user_id=1, model_type="Brain_Model")
    model = database.modelentry_from_model(
        "old net", public=True, competition=None, submission=entry, domain="vision"
    )
    brainscore.BenchmarkType.create(identifier="IT", domain="vision", order=1, owner=2, visible=True)
    kind = brainscore.BenchmarkType.create(
        identifier="MajajHong2015.IT-pls", domain="vision", order=1, owner=2, parent="IT", visible=True
    )
    instance = brainscore.BenchmarkInstance.create(benchmark=kind, version=3, ceiling=0.82)
    brainscore.Score.create(benchmark=instance, model=model, score_raw=0.5, score_ceiled=0.6)
    brainscore.database_proxy.obj.close()
    now = state(open_board(path))
    row = table_of(now, Selection()).rows[0]
    assert row.model.slug == "old-net"
    assert row.values["MajajHong2015.IT-pls"] == 0.6
    assert row.values["region:IT"] == 0.6
    close_board()
    board = open_board(path)
    revision = board.revision()
    assert len(state(board).scores) == 1
    # Brain-Score goes on writing into the same file: a newer score counts, an unfinished one does not
    brainscore.Score.create(benchmark=instance, model=model, score_raw=0.6, score_ceiled=0.7)
    brainscore.Score.create(benchmark=instance, model=model, comment="still running")
    close_board()
    board = open_board(path)
    assert [one.value for one in state(board).scores.values()] == [0.7]
    assert board.revision() == revision + 1
    assert open_board(path).revision() == revision + 1
    close_board()


def test_migrations_are_numbered_and_whole(address, monkeypatch):
    board = open_board(address)
    take(board, document())

    def add_column(database):
        database.execute_sql("ALTER TABLE brodmann_model ADD COLUMN colour VARCHAR(20)")

    def fails(database):
        add_column(database)
        raise migrations.peewee.OperationalError("the disk is full")

    latest = max(step[0] for step in migrations.STEPS)
    steps = list(migrations.STEPS)
    monkeypatch.setattr(migrations, "STEPS", [*steps, (latest + 1, "colours", fails)])
    with pytest.raises(UserError, match="the disk is full"):
        open_board(address)
    monkeypatch.setattr(migrations, "STEPS", [*steps, (latest + 1, "colours", add_column)])
    board = open_board(address)  # the column of the step that failed is not there: this one can add it
    assert len(state(board).scores) == 1
    open_board(address)
    monkeypatch.setattr(migrations, "STEPS", steps)
    with pytest.raises(UserError, match=f"version {latest + 1}, and this brodmann knows {latest}"):
        open_board(address)


def test_tokens_are_kept_as_hashes(board):
    ada = board.person("ada")
    with board.change():
        token = accounts.new_token(ada)
    public, secret = token.split("_", 2)[1:]
    with board.reading():
        assert accounts.holder(token).name == "ada"
        rows = list(brainscore.database_proxy.execute_sql("SELECT * FROM brodmann_token"))
    assert secret not in str(rows)
    assert public in str(rows)
    for wrong in (
        None,
        "",
        "brd_",
        token[:-1] + ("A" if token[-1] != "A" else "B"),
        token + "x",
        "brd_" + "0" * 16 + token[20:],
    ):
        with board.reading(), pytest.raises(Refused, match="not valid") as refused:
            accounts.holder(wrong)
        assert refused.value.status == 401
    with board.change():
        accounts.revoke_token(public)
    with board.reading(), pytest.raises(Refused, match="not valid"):
        accounts.holder(token)
    with board.change():
        old = accounts.new_token(ada, days=-1)
    with board.reading(), pytest.raises(Refused, match="not valid"):
        accounts.holder(old)


@pytest.mark.parametrize(
    ("address", "said"),
    [
        ("mysql://x/y", "a board is a file or postgresql"),
        ("postgresql://brodmann@127.0.0.1:1/board", "cannot open the board"),
        ("postgresql://a:secret@127.0.0.1:1/board", "a:...@127.0.0.1"),
        ("postgresql://a@127.0.0.1", "ends in the database"),
    ],
)
def test_an_address_that_is_no_board(address, said):
    with pytest.raises(UserError, match=said) as refused:
        open_board(address)
    assert "secret" not in str(refused.value)


def test_files_that_are_no_board(tmp_path):
    (tmp_path / "notes.txt").write_text("dear diary")
    for path, said in ((tmp_path / "notes.txt", "is not a board"), (tmp_path, "is a folder")):
        with pytest.raises(UserError, match=said):
            open_board(path)
    with pytest.raises(UserError, match="no board at"):
        open_board(tmp_path / "absent.sqlite", create=False)
    (tmp_path / "torn.sqlite").write_bytes(b"SQLite format 3\0" + b"\1" * 5000)
    with pytest.raises(UserError, match="cannot open the board"):
        open_board(tmp_path / "torn.sqlite")
    other = sqlite3.connect(tmp_path / "other.sqlite")
    other.execute("CREATE TABLE diary (day)")
    other.commit()
    other.close()
    board = open_board(tmp_path / "other.sqlite")
    assert state(board).scores == {}
    close_board()
    assert (tmp_path / "other.sqlite").exists()


def test_the_document_is_kept_as_json(board):
    take(board, document())
    with board.reading():
        assert json.loads(SubmissionRow.get().document)["scores"][0]["raw"] == 0.3
