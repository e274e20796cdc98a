"""Many at once, and the server killed: nothing is lost, doubled or halved."""

import contextlib
import random
import statistics
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from http.client import HTTPException

import pytest

pytest.importorskip("brainscore_core", reason="a leaderboard has Brain-Score's tables")

from boards import Server, card, document, score, simulated

from brodmann.bench.leaderboard import open_board
from brodmann.bench.leaderboard.storage import accounts
from brodmann.bench.leaderboard.storage.database import close_board
from brodmann.bench.leaderboard.storage.models import (
    EventRow,
    LayerRow,
    ScoreRow,
    SubmissionRow,
    database_models,
)


def tokens_for(address, n):
    board = open_board(address)
    with board.change(shown=False):
        made = [accounts.new_token(accounts.person(f"lab {i}")) for i in range(n)]
    close_board()
    return made


def one_of(name, raw=0.3):
    return document([card(name)], [score(name, raw), simulated(name, raw)])


def kept(address):
    """name -> how many scores, submissions and layers each model has; and whether the rows agree."""
    board = open_board(address, create=False)
    with board.reading():
        found = {}
        for row in (
            ScoreRow.select(ScoreRow, database_models.Score, database_models.Model)
            .join(database_models.Score)
            .join(database_models.Model)
        ):
            n = LayerRow.select().where(LayerRow.score == row.score_id).count()
            events = EventRow.select().where(EventRow.score == row.score_id).count()
            found.setdefault(row.score.model.name, []).append((row.state, n, events))
        n_submissions = SubmissionRow.select().count()
        n_entries = database_models.Submission.select().count()
        n_models = database_models.Model.select().count()
        n_raw = database_models.Score.select().count()
        if address.startswith("postgresql"):
            sound = "ok"
        else:
            sound = database_models.database_proxy.execute_sql("PRAGMA integrity_check").fetchone()[0]
    close_board()
    return found, n_submissions, n_entries, n_models, n_raw, sound


WHOLE = [("current", 3, 1)] * 2


def test_200_at_once_while_pages_are_read(address):
    tokens = tokens_for(address, 20)
    server = Server(address, "--writes", 10**6, "--reads", 10**6)
    done, wrong, reads = threading.Event(), [], []

    def read():
        while not done.is_set():
            for path in ("/", "/api/v1/scores?limit=1000", "/export/board.csv"):
                began = time.perf_counter()
                status, _, content = server.get(path)
                reads.append(time.perf_counter() - began)
                if status != 200 or not content:
                    wrong.append((path, status))

    readers = [threading.Thread(target=read) for _ in range(4)]
    start = threading.Barrier(200)

    def send(i):
        n = i if i < 160 else i - 40  # 40 are sent twice at the same time
        start.wait()
        return n, *server.submit(one_of(f"net-{n}"), tokens[n % 20])

    try:
        for reader in readers:
            reader.start()
        with ThreadPoolExecutor(200) as pool:
            answers = list(pool.map(send, range(200)))
        done.set()
        for reader in readers:
            reader.join()
    finally:
        done.set()
        server.stop()
    assert wrong == []
    assert sorted({status for _, status, _ in answers}) == [200, 201]
    assert sum(status == 201 for _, status, _ in answers) == 160
    assert len({answer["submission"] for _, _, answer in answers}) == 160
    found, n_submissions, n_entries, n_models, n_raw, sound = kept(address)
    assert (n_submissions, n_entries, n_models, n_raw, sound) == (160, 160, 160, 320, "ok")
    assert {name: sorted(rows) for name, rows in found.items()} == {f"net-{n}": WHOLE for n in range(160)}
    print(f"{address.split(':')[0][-10:]}: 200 submissions (40 twice), {len(reads)} pages read meanwhile")


def killed(address, times, seed):
    """Kill the server `times` times at random moments of submissions; what was acknowledged, and what is there."""
    token = tokens_for(address, 1)[0]
    server = Server(address, "--writes", 10**6, "--reads", 10**6)
    draw = random.Random(seed)
    acknowledged, sent, lock, over = set(), [0], threading.Lock(), threading.Event()

    def submit_on():
        while not over.is_set():
            with lock:
                sent[0] += 1
                name = f"net-{sent[0]}"
            with contextlib.suppress(OSError, HTTPException, ValueError):
                status, _ = server.submit(one_of(name), token)
                assert status == 201
                acknowledged.add(name)
                continue
            time.sleep(0.01)

    threads = [threading.Thread(target=submit_on) for _ in range(4)]
    for thread in threads:
        thread.start()
    for _ in range(times):
        time.sleep(draw.uniform(0.02, 0.4))
        server.kill()
        server.start()
    time.sleep(0.3)
    over.set()
    for thread in threads:
        thread.join()
    server.kill()
    return acknowledged, sent[0], kept(address)


def check_killed(address, times):
    acknowledged, n_sent, (found, n_submissions, n_entries, n_models, n_raw, sound) = killed(
        address, times, seed=1
    )
    assert len(acknowledged) >= times
    assert acknowledged <= set(found)  # nothing that was acknowledged is lost
    assert all(sorted(rows) == WHOLE for rows in found.values())  # nothing is half there, or twice
    assert n_submissions == n_entries == n_models == len(found)
    assert n_raw == 2 * len(found)
    assert sound == "ok"
    print(
        f"{address.split(':')[0][-10:]}: killed {times} times, {n_sent} sent, {len(acknowledged)} acknowledged, "
        f"{len(found)} there, all whole"
    )


def test_a_killed_server_keeps_what_it_acknowledged(address):
    check_killed(address, 4)


@pytest.mark.slow
def test_a_server_killed_50_times_keeps_what_it_acknowledged(address):
    check_killed(address, 50)


def test_two_processes_on_one_board(address):
    """200 submissions at once: nothing lost or doubled, and what one took the other shows within a second."""
    tokens = tokens_for(address, 20)
    servers = [Server(address, "--writes", 10**6, "--reads", 10**6) for _ in range(2)]
    start, took = threading.Barrier(200), []

    def send(i):
        n = i if i < 160 else i - 40  # 40 are sent to both servers at the same time
        start.wait()
        began = time.perf_counter()
        answer = servers[i % 2 if i < 160 else (n + 1) % 2].submit(one_of(f"net-{n}"), tokens[n % 20])
        took.append(time.perf_counter() - began)
        return n, *answer

    try:
        with ThreadPoolExecutor(200) as pool:
            answers = list(pool.map(send, range(200)))
        assert sorted(status for _, status, _ in answers) == [200] * 40 + [201] * 160
        assert len({answer["submission"] for _, _, answer in answers}) == 160
        late = []
        for turn in range(20):
            one, other = servers[turn % 2], servers[(turn + 1) % 2]
            for server in servers:  # both have the board as it was in memory
                assert f">late-{turn}<".encode() not in server.get(f"/?q=late-{turn}")[2]
            assert one.submit(one_of(f"late-{turn}"), tokens[0])[0] == 201
            began = time.monotonic()
            assert f">late-{turn}<".encode() in one.get(f"/?q=late-{turn}")[2]  # at once where it was sent
            while f">late-{turn}<".encode() not in other.get(f"/?q=late-{turn}")[2]:
                assert time.monotonic() - began < 5
                time.sleep(0.02)
            late.append(time.monotonic() - began)
        assert [server.get("/api/v1/scores?limit=1000")[2] for server in servers] == [
            servers[0].get("/api/v1/scores?limit=1000")[2]
        ] * 2
    finally:
        for server in servers:
            server.stop()
    assert max(late) < 1
    found, n_submissions, n_entries, n_models, n_raw, sound = kept(address)
    assert (n_submissions, n_entries, n_models, n_raw, sound) == (180, 180, 180, 360, "ok")
    assert set(map(tuple, found.values())) == {tuple(WHOLE)}
    print(
        f"{address.split(':')[0][-10:]}: 200 submissions to two processes, the longest {max(took):.1f} s, half within "
        f"{statistics.median(took):.1f} s; pages of the other right after "
        f"{statistics.median(late) * 1e3:.0f} ms, at most {max(late) * 1e3:.0f} ms"
    )


def test_two_processes_begin_a_board_together(tmp_path):
    """Neither finds the other's half-made tables."""
    for turn in range(3):
        address = str(tmp_path / f"board{turn}.sqlite")
        with ThreadPoolExecutor(2) as pool:
            servers = list(pool.map(Server, [address] * 2))
        try:
            assert [server.get("/health")[0] for server in servers] == [200, 200]
        finally:
            for server in servers:
                server.stop()
