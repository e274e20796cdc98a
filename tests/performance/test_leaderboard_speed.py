"""The leaderboard's pages under 20 readers: beside a bare server that sends the same bytes and nothing else."""

import http.client
import itertools
import socket
import statistics
import subprocess
import sys
import threading
import time

import pytest

pytest.importorskip("brainscore_core", reason="a leaderboard has Brain-Score's tables")

from boards import Server, free_port

from brodmann.bench.leaderboard import open_board
from brodmann.bench.leaderboard.storage.csv_import import import_scores
from brodmann.bench.leaderboard.storage.database import close_board
from brodmann.bench.leaderboard.storage.snapshot import read_snapshot

pytestmark = pytest.mark.perf
READERS, SECONDS = 20, 5.0
_BARE = """
import sys, uvicorn
body = open(sys.argv[1], "rb").read()
async def app(scope, receive, send):
    if scope["type"] == "http":
        await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"%d" % len(body))]})
        await send({"type": "http.response.body", "body": body})
uvicorn.run(app, port=int(sys.argv[2]), log_level="critical", lifespan="off")
"""


def reading(port, paths):
    """Milliseconds of every answer of 20 readers who ask on without a pause, and how many bytes the first one had."""
    took, wrong, sizes, end = [], [], set(), time.perf_counter() + SECONDS

    def read(start):
        connection = http.client.HTTPConnection("127.0.0.1", port)
        for path in itertools.islice(itertools.cycle(paths), start, None):
            if time.perf_counter() > end:
                break
            began = time.perf_counter()
            connection.request("GET", path)
            answer = connection.getresponse()
            sizes.add(len(answer.read()))
            took.append(1000 * (time.perf_counter() - began))
            if answer.status != 200:
                wrong.append((path, answer.status))
        connection.close()

    threads = [threading.Thread(target=read, args=(37 * i,)) for i in range(READERS)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert wrong == []
    return took, max(sizes)


@pytest.fixture(scope="module")
def board(tmp_path_factory, test_data):
    """The 4885 published scores, the names of their models, and the columns."""
    path = tmp_path_factory.mktemp("speed") / "board.sqlite"
    opened = open_board(path)
    import_scores(
        opened, test_data / "schrimpf2021-language" / "precomputed-scores.csv", opened.person("published")
    )
    with opened.reading():
        now = read_snapshot(1)
    close_board()
    return (
        path,
        [one.slug for one in now.models.values()],
        [one.identifier for one in now.columns("language")],
    )


def test_pages_under_twenty_readers(board, tmp_path, table):
    path, models, columns = board
    page = "/?domain=language"
    asked = [
        f"{page}&sort={column}&order={order}&q={word}&missing={missing}"
        for column in (*columns, "average", "name")
        for order in ("ascending", "descending")
        for word in ("", "gpt", "bert", "untrained")
        for missing in ("zero", "skip")
    ]
    server = Server(path, "--reads", 10**9)
    (tmp_path / "page").write_bytes(server.get(page)[2])
    port = free_port()
    bare = subprocess.Popen([sys.executable, "-c", _BARE, tmp_path / "page", str(port)])
    try:
        for _ in range(200):
            try:
                socket.create_connection(("127.0.0.1", port)).close()
                break
            except OSError:
                time.sleep(0.05)
        floor, _ = reading(port, ["/"])
        found = {
            "the board": reading(server.port, [page])[0],
            f"the board asked in {len(asked)} ways": reading(server.port, asked)[0],
            f"the pages of {len(models)} models": reading(server.port, [f"/models/{one}" for one in models])[
                0
            ],
            "the interface, all models": reading(server.port, ["/api/v1/models?domain=language"])[0],
        }
    finally:
        bare.terminate()
        bare.wait()
        server.stop()
    least = statistics.median(floor)
    for name, took in found.items():
        median, worst = statistics.median(took), statistics.quantiles(took, n=100)[98]
        table.remark(
            f"Leaderboard with 4885 scores, {READERS} readers, {name}: median {median:.0f} ms, "
            f"99 % within {worst:.0f} ms, "
            f"{len(took) / SECONDS:.0f} a second; {median / least:.1f} times a bare server that sends the same bytes"
        )
    assert statistics.median(found["the board"]) / least < 15
