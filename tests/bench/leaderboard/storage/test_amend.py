"""What whoever runs a board amends: names, cards, standing, submitters; all of it with its history."""

import pytest

pytest.importorskip("brainscore_core", reason="a leaderboard has Brain-Score's tables")

from boards import body, card, declare, declared, document, score, simulated

from brodmann.bench.leaderboard import parse_submission
from brodmann.bench.leaderboard.storage import accounts, amend
from brodmann.bench.leaderboard.storage.declaration import moved, with_bound
from brodmann.bench.leaderboard.storage.declaring import declare as put
from brodmann.bench.leaderboard.storage.models import DeclarationRow, EventRow
from brodmann.bench.leaderboard.storage.snapshot import read_snapshot
from brodmann.bench.leaderboard.submission.errors import Refused


def take(board, content, who="ada"):
    sent = body(content)
    return board.submit(parse_submission(sent), sent.decode(), board.person(who))


def state(board):
    revision = board.revision()
    with board.reading():
        return read_snapshot(revision)


def audited(board):
    with board.reading():
        return [(one["action"], one["subject"], one["detail"]) for one in accounts.audited(5)]


@pytest.fixture
def staff(board):
    declare(board)
    return board.person("staff", staff=True)


def test_a_model_is_renamed_and_keeps_its_old_name(board, staff):
    take(board, document([card("net-a")], [score("net-a")]))
    amend.rename(board, "net-a", "net-alpha", staff, "asked by mail")
    now = state(board)
    assert [one.name for one in now.models.values()] == ["net-alpha"]
    assert audited(board)[0] == ("model renamed", "net-alpha", "from net-a; asked by mail")
    with pytest.raises(Refused, match="is, or was, the name of 'net-alpha'"):
        take(board, document([card("net-a")], [score("net-a", raw=0.2)]), "bob")
    take(board, document([card("net-alpha")], [score("net-alpha", raw=0.2)]))
    amend.rename(board, "net-alpha", "net-a", staff)  # and back
    with pytest.raises(Refused, match="cannot be a name"):
        amend.rename(board, "net-a", "net a<b>", staff)
    take(board, document([card("net-b")], [score("net-b", raw=0.1)]), "bob")
    with pytest.raises(Refused, match="looks like 'net-b'"):
        amend.rename(board, "net-a", "NetB", staff)
    with pytest.raises(Refused, match="no model 'Net-B'.*'net-b' looks like it"):
        amend.rename(board, "Net-B", "net-c", staff)


def test_two_models_become_one(board, staff):
    take(board, document([card("net-a")], [score("net-a", raw=0.3), simulated("net-a", raw=0.3)]))
    take(board, document([card("net-b")], [score("net-b", raw=0.4)]), "bob")
    assert amend.merge(board, "net-b", "net-a", staff, "the same weights") == 1
    now = state(board)
    assert [one.name for one in now.models.values()] == ["net-a"]
    found = {benchmark.identifier: one.raw for benchmark, one in now.scores_of(now.model("net-a").id)}
    assert found == {"kriegeskorte2008.hIT-rsa": 0.4, "simulated-cortex.IT-rsa": 0.3}  # the later one counts
    with board.reading():
        assert "merged into net-a" in EventRow.select().where(EventRow.state == "superseded").get().reason
    with pytest.raises(Refused, match="part of another model"):
        take(board, document([card("net-b")], [score("net-b", raw=0.5)]), "bob")
    with pytest.raises(Refused, match="cannot be merged"):
        amend.merge(board, "net-a", "net-a", staff)


def test_a_card_is_corrected(board, staff):
    take(board, document())
    amend.correct(board, "net-a", {"family": "ResNet", "parameters": 25_557_032}, staff, "counted again")
    model = state(board).model("net-a")
    assert (model.family, model.parameters) == ("ResNet", 25_557_032)
    assert audited(board)[0][2] == "family was 'Net'; parameters was '1000'; counted again"
    for changes, said in (
        ({"colour": "red"}, "colour"),
        ({"parameters": -1}, "parameters"),
        ({"family": "<script>"}, "family"),
        ({"identifier": "x"}, "identifier is not corrected"),
    ):
        with pytest.raises(Refused, match=said):
            amend.correct(board, "net-a", changes, staff)


def test_a_score_is_held_and_accepted(board, staff):
    take(board, document())
    amend.hold(board, 1, staff, "trained on the test pictures")
    [one] = state(board).scores.values()
    assert (one.ranked, dict(one.marks)) == (False, {"held": "trained on the test pictures"})
    amend.accept(board, 1, staff, "it was not")
    [one] = state(board).scores.values()
    assert (one.ranked, dict(one.marks)) == (True, {"accepted": "it was not"})
    with board.reading():
        assert [row.state for row in EventRow.select().order_by(EventRow.id)] == [
            "current",
            "marked",
            "marked",
        ]
    with pytest.raises(Refused, match="no score 9"):
        amend.hold(board, 9, staff, "")


def test_a_submitter_is_shut_out(board, staff):
    with board.change():
        token = accounts.new_token(accounts.person("mallory"))
    take(board, document([card("net-m")], [score("net-m")]), "mallory")
    take(board, document([card("net-a")], [score("net-a", raw=0.2)]))
    assert amend.ban(board, "mallory", staff, "made up") == 1
    assert [one.model for one in state(board).scores.values()] == [state(board).model("net-a").id]
    with board.reading(), pytest.raises(Refused, match="not valid"):
        accounts.holder(token)
    with pytest.raises(Refused, match="was banned"):
        board.person("mallory")
    with pytest.raises(Refused, match="no submitter 'nobody'"):
        amend.ban(board, "nobody", staff)
    amend.unban(board, "mallory", staff)
    with board.reading():
        assert accounts.holder(token).name == "mallory"
    assert len(state(board).scores) == 1  # what was withdrawn stays so


def test_a_benchmark_is_declared_again_and_its_scores_are_held_against_it(board, staff):
    take(board, document(scores=[score(raw=0.3)]))
    known, arrays = declared(score())
    with pytest.raises(Refused, match="ceiling was '0.6' and is '0.8'"), board.change():
        put(*declared(score(ceiling=0.8)), staff)
    with board.change():
        assert not put(known, arrays, staff).new
    with board.change():
        became = put(*declared(score(ceiling=0.8)), staff, again=True, reason="six subjects")
    assert (became.fit, became.unfit) == (0, 1)
    [one] = state(board).scores.values()
    assert not one.ranked
    assert "its ceiling is 0.6, and this board has 0.8" in one.marks["unfit"]
    with pytest.raises(Refused, match="does not fit its benchmark's declaration"):
        amend.accept(board, one.id, staff, "")
    with board.change():
        became = put(known, arrays, staff, again=True)
    assert (became.fit, became.unfit) == (1, 0)
    assert [one.ranked for one in state(board).scores.values()] == [True]
    with board.reading():
        states = [row.state for row in DeclarationRow.select().order_by(DeclarationRow.id)]
        assert [row.reason for row in DeclarationRow.select() if row.reason] == ["six subjects"]
    assert sorted(states) == [
        "current",
        "current",
        "superseded",
        "superseded",
    ]  # the other one is the simulated


def test_a_place_and_a_bound_of_ones_own(board, staff):
    known, arrays = declared(score())
    assert known.place == ["IT", "hIT"]
    with board.change():
        put(moved(with_bound(known, 0.25), "ventral stream/IT/hIT"), arrays, staff, again=True)
    take(board, document(scores=[score(raw=0.3)]))
    [one] = state(board).scores.values()
    assert "above 0.250" in one.marks["above"]
    [benchmark] = state(board).versions("kriegeskorte2008.hit-rsa")
    assert benchmark.place == ("ventral stream", "IT", "hIT")
    with pytest.raises(Refused, match="a place is"):
        moved(known, "/")
