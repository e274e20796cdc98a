"""A server stays up: whoever says nothing, little, or nonsense keeps nobody else from being answered."""

import asyncio
import contextlib
import errno
import http.client
import io
import logging
import socket
import statistics
import subprocess
import sys
import threading
import time
from pathlib import Path
from types import SimpleNamespace

import pytest

pytest.importorskip("brainscore_core", reason="a leaderboard has Brain-Score's tables")

import boards
from boards import Server, card, document, score

from brodmann.bench.leaderboard.web import connections, page_cache
from brodmann.bench.leaderboard.web.connections import BoardServer, BoundedLog
from brodmann.bench.leaderboard.web.middleware import Guard
from brodmann.bench.leaderboard.web.rate_limit import Limits

from .test_load import tokens_for

HEAD = b"GET / HTTP/1.1\r\nHost: board\r\n"
LARGE = bytes(20_000_000)


class Served:
    """A server in a thread, with an application that waits, reads and sends as it is asked."""

    def __init__(self, **changed):
        self.listening = socket.create_server(("127.0.0.1", 0), backlog=2048)
        self.listening.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 65536)
        self.port = self.listening.getsockname()[1]
        self.working, self.end = 0, threading.Event()
        self.server = BoardServer(
            Guard(self.app, Limits(reads_per_minute=10**6)), self.listening, max_bytes=10_000
        )
        for name, value in changed.items():
            assert hasattr(self.server, name)
            setattr(self.server, name, value)
        self.thread = threading.Thread(target=self.server.run)
        self.thread.start()
        until(lambda: self.server.started)

    async def app(self, scope, receive, send):
        if scope["type"] == "lifespan":
            for kind in ("startup", "shutdown"):
                await receive()
                await send({"type": f"lifespan.{kind}.complete"})
            return
        n, more = 0, True
        while more:
            message = await receive()
            if message["type"] == "http.disconnect":
                return
            n, more = n + len(message["body"]), message["more_body"]
        if scope["path"] == "/work":
            self.working += 1
            while not self.end.is_set():
                await asyncio.sleep(0.02)
        content = LARGE if scope["path"] == "/large" else b"%d bytes" % n
        length = (b"content-length", b"%d" % len(content))
        await send({"type": "http.response.start", "status": 200, "headers": [length]})
        await send({"type": "http.response.body", "body": content})

    def connect(self, said=b""):
        made = socket.create_connection(("127.0.0.1", self.port), timeout=30)
        if said:
            made.sendall(said)
        return made

    def get(self, path="/"):
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=30)
        connection.request("GET", path)
        answer = connection.getresponse()
        with contextlib.closing(connection):
            return answer.status, answer.read()

    def stop(self):
        self.end.set()
        self.server.should_exit = True
        self.thread.join(30)
        assert not self.thread.is_alive()
        self.listening.close()


@pytest.fixture
def serve():
    """Starts servers, and stops them."""
    made = []

    def start(**changed):
        made.append(Served(**changed))
        return made[-1]

    yield start
    for one in made:
        one.stop()


def closed_after(connection, trickle=b""):
    """Seconds until the other side closes, while something is sent now and then."""
    began = time.monotonic()
    connection.settimeout(0.2)
    while True:
        try:
            if not connection.recv(65536):
                break
        except TimeoutError:
            assert time.monotonic() - began < 20
            try:
                connection.sendall(trickle)
            except OSError:
                break
        except OSError:
            break
    connection.close()
    return time.monotonic() - began


def until(true):
    began = time.monotonic()
    while not true():
        assert time.monotonic() - began < 20
        time.sleep(0.01)


def body_of(connection):
    answer = http.client.HTTPResponse(connection)
    answer.begin()
    return answer.read()


@pytest.mark.parametrize(
    ("said", "trickle"),
    [(b"", b""), (HEAD, b""), (HEAD, b"X: y\r\n"), (HEAD + b"\r\n" + HEAD, b"X: y\r\n")],
    ids=["nothing", "half a head", "a head without end", "the same after a request"],
)
def test_a_head_has_its_time_however_slowly_it_comes(serve, monkeypatch, said, trickle):
    monkeypatch.setattr(connections, "_HEAD_S", 1.5)
    served = serve()
    assert 1 < closed_after(served.connect(said), trickle) < 6
    assert served.get() == (200, b"0 bytes")


def test_a_body_has_its_time(serve):
    served = serve(patience=1.5)
    head = b"POST /api/v1/submissions HTTP/1.1\r\nHost: board\r\nContent-Length: 1000\r\n\r\n"
    assert 1 < closed_after(served.connect(head), b"x") < 6
    with served.connect(head) as quick:
        for _ in range(10):
            quick.sendall(b"x" * 100)
            time.sleep(0.05)
        assert body_of(quick) == b"1000 bytes"


def test_a_reply_has_its_time(serve):
    served = serve(patience=1.5)
    asked = HEAD.replace(b"/ ", b"/large ") + b"\r\n"
    with served.connect(asked) as lazy:
        began = time.monotonic()
        until(lambda: served.server.server_state.connections)
        until(lambda: not served.server.server_state.connections)
        assert time.monotonic() - began > 1
        lazy.close()
    assert served.get("/large") == (200, LARGE)


def test_work_of_the_server_has_no_end(serve, monkeypatch):
    """A request that was sent in time is answered, however long the answer takes."""
    monkeypatch.setattr(connections, "_HEAD_S", 0.5)
    served = serve(patience=0.5)
    with served.connect(HEAD.replace(b"/ ", b"/work ") + b"\r\n") as patient:
        time.sleep(3)
        served.end.set()
        assert body_of(patient) == b"0 bytes"


def test_who_lets_the_server_wait_longest_makes_place(serve):
    """All places taken by connections that say nothing, and still everybody is answered."""
    served = serve(_places=8)
    asking = served.connect(HEAD.replace(b"/ ", b"/work ") + b"\r\n")
    sending = served.connect(b"POST / HTTP/1.1\r\nHost: board\r\nContent-Length: 4\r\n\r\n")
    until(lambda: served.working)
    silent = [served.connect() for _ in range(60)]
    assert [served.get() for _ in range(20)] == [(200, b"0 bytes")] * 20
    time.sleep(2.5)
    assert len(served.server.server_state.connections) <= 8
    for one in silent[:50]:  # those who came first went first
        one.settimeout(5)
        with contextlib.suppress(ConnectionResetError):
            assert one.recv(1) == b""
    served.end.set()
    sending.sendall(b"late")
    assert body_of(sending) == b"4 bytes"  # amid a request, they stayed
    assert body_of(asking) == b"0 bytes"
    for one in (*silent, asking, sending):
        one.close()


def test_a_server_that_is_busy_says_so(serve):
    served = serve(_places=3)
    asking = [served.connect(HEAD.replace(b"/ ", b"/work ") + b"\r\n") for _ in range(3)]
    until(lambda: served.working == 3)
    with served.connect() as late:
        assert late.recv(1000).startswith(b"HTTP/1.1 503 ")
    served.end.set()
    for one in asking:
        assert body_of(one) == b"0 bytes"
        one.close()
    assert served.get() == (200, b"0 bytes")


class Exhausted:
    """A socket for which the system has no descriptors left, for a while."""

    def __init__(self, real, n):
        self.real, self.left = real, n

    def __getattr__(self, name):
        return getattr(self.real, name)

    def accept(self):
        if self.left:
            self.left -= 1
            raise OSError(errno.EMFILE, "Too many open files")
        return self.real.accept()


def test_a_server_without_descriptors_waits_and_goes_on(serve, caplog):
    served = serve()
    served.server._listening = Exhausted(served.listening, 5)
    assert served.get() == (200, b"0 bytes")
    assert served.server._listening.left == 0
    said = [one.getMessage() for one in caplog.records if "Too many open files" in one.getMessage()]
    assert len(said) == 5  # a line for each, and none in between
    served.server._listening = served.listening


def test_a_server_stops_while_clients_are_slow(serve):
    served = serve()
    held = [served.connect(HEAD), served.connect(HEAD.replace(b"/ ", b"/large ") + b"\r\n"), served.connect()]
    time.sleep(0.5)
    began = time.monotonic()
    served.stop()
    assert time.monotonic() - began < 15
    for one in held:
        one.close()


def test_a_log_is_bounded():
    written = io.StringIO()
    handler = BoundedLog(written)
    log = logging.Logger("bounded")
    log.addHandler(handler)
    handler._minute = int(time.time() // 60)
    for i in range(10_000):
        log.warning("the same %d", i)
    log.warning("another")
    try:
        raise RuntimeError("x" * 10**6)
    except RuntimeError:
        log.exception("long")
    text = written.getvalue()
    assert text.count("the same") == 5
    assert "another" in text
    assert "Traceback" in text
    assert len(text) < 5_000
    handler._minute -= 1
    log.warning("later")
    assert written.getvalue().endswith("9995 more lines like these were left out\nlater\n")


def test_bodies_have_a_largest_sum():
    """However many send at once: above it they are told to come again, and what was sent is forgotten."""
    limits = Limits(max_bytes=1_000_000, reads_per_minute=10**6)
    go = asyncio.Event()

    async def app(scope, receive, send):
        while (await receive())["more_body"]:
            pass
        await go.wait()

    async def ask(guard):
        messages = [
            {"type": "http.request", "body": bytes(500_000), "more_body": more} for more in (True, False)
        ]

        async def receive():
            await asyncio.sleep(0)
            return messages.pop(0)

        async def send(message):
            raise AssertionError

        scope = {"type": "http", "path": "/api/v1/submissions", "headers": [], "client": ("127.0.0.1", 1)}
        await guard(scope, receive, send)

    async def all_at_once():
        guard = Guard(app, limits)
        asking = [asyncio.ensure_future(ask(guard)) for _ in range(20)]
        await asyncio.sleep(0.1)
        refused = [one.exception() for one in asking if one.done()]
        assert {error.status for error in refused} == {503}
        assert len(refused) >= 4
        assert guard._held <= 16 * limits.max_bytes
        go.set()
        await asyncio.gather(*asking, return_exceptions=True)
        assert guard._held == 0

    asyncio.run(all_at_once())


def test_only_a_submission_may_be_large(serve):
    served = serve()
    for path, status in (("/api/v1/submissions", 200), ("/api/v1/scores/1/withdraw", 413), ("/", 413)):
        connection = http.client.HTTPConnection("127.0.0.1", served.port, timeout=30)
        with contextlib.closing(connection):
            connection.request("POST", path, bytes(20_000))
            assert connection.getresponse().status == status


def test_a_client_that_does_not_read_keeps_a_piece_in_memory(serve):
    """Not the whole reply, of which a hundred such clients would have a copy each."""
    served = serve()
    with served.connect(HEAD.replace(b"/ ", b"/large ") + b"\r\n"):
        until(lambda: served.server._amid)
        time.sleep(0.5)
        (one,) = served.server.server_state.connections
        assert one.transport.get_write_buffer_size() < 300_000


def test_a_change_is_seen_though_the_board_is_just_being_read(monkeypatch):
    """Read before the change and done after it: the next question reads again."""
    reading, go_on = threading.Event(), threading.Event()

    class Slow:
        now = 1

        def revision(self):
            return self.now

        @contextlib.contextmanager
        def reading(self):
            yield

    def read(revision, *_):
        if revision == 1:
            reading.set()
            go_on.wait(10)
        return SimpleNamespace(revision=revision)

    monkeypatch.setattr(page_cache, "read_snapshot", read)
    board = Slow()
    reader = page_cache.Reader(board)
    first = threading.Thread(target=reader.snapshot)
    first.start()
    assert reading.wait(10)
    board.now = 2
    change = threading.Thread(target=reader.changed)
    change.start()
    go_on.set()
    first.join()
    change.join()
    assert reader.snapshot().revision == 2


def rss_mb(pid):
    for line in Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith("VmRSS"):
            return int(line.split()[1]) / 1024
    raise AssertionError


class Behaved(threading.Thread):
    """A client as they should be: asks, reads, asks again; over new connections, or one that it opens again."""

    def __init__(self, server, token, n, over):
        super().__init__()
        self.server, self.token, self.n, self.over = server, token, n, over
        self.took, self.wrong = [], []

    def run(self):
        kept = http.client.HTTPConnection("127.0.0.1", self.server.port, timeout=30)
        for turn in range(10**9):
            if self.over.is_set():
                break
            for ask in (self.page, self.submission, lambda _: self.again(kept)):
                began = time.monotonic()
                try:
                    status = ask(turn)
                    if status not in (200, 201):
                        self.wrong.append((ask, status))
                except (OSError, http.client.HTTPException, ValueError) as error:
                    self.wrong.append((ask, repr(error)))
                self.took.append(time.monotonic() - began)
                time.sleep(0.05)
        kept.close()

    def page(self, turn):
        paths = ("/", "/models/net-0", "/api/v1/scores?limit=1000", "/export/scores.csv", "/health")
        return self.server.get(paths[turn % len(paths)])[0]

    def submission(self, turn):
        name = f"net-{self.n}"
        content = document([card(name)], [score(name, raw=0.2 + (turn % 50) / 500)])
        return self.server.submit(content, self.token)[0]

    def again(self, kept):
        """A connection that the server closed while it was idle is opened once more."""
        for attempt in range(2):
            try:
                kept.request("GET", "/health")
                answer = kept.getresponse()
                answer.read()
                return answer.status
            except (ConnectionError, http.client.RemoteDisconnected):
                kept.close()
                if attempt:
                    raise
        return 0


def under_load(tmp_path, seconds, idle, slow, descriptors, n_behaved=4):
    """Errors of well-behaved clients, how long they waited, the server's memory and its log."""
    address = str(tmp_path / "board.sqlite")
    tokens = tokens_for(address, n_behaved + 1)
    log = tmp_path / "log"
    with log.open("wb") as stream:
        server = Server(
            address, "--reads", 10**6, "--writes", 10**6, log=stream,
            prefix=("prlimit", f"--nofile={descriptors}:{descriptors}"),
        )  # fmt: skip
    names = [f"net-{i}" for i in range(n_behaved)]
    for name, token in zip(names, tokens, strict=False):
        assert server.submit(document([card(name)], [score(name)]), token)[0] == 201
    hostile = subprocess.Popen(
        [sys.executable, Path(boards.__file__).with_name("hostile.py")]
        + [str(word) for word in (server.port, idle, slow, tokens[-1])]
    )
    over, memory = threading.Event(), []
    clients = [Behaved(server, tokens[i], i, over) for i in range(n_behaved)]
    try:
        time.sleep(3)
        for one in clients:
            one.start()
        began = time.monotonic()
        while time.monotonic() - began < seconds:
            time.sleep(seconds / 40)
            assert hostile.poll() is None
            memory.append(rss_mb(server.process.pid))
    finally:
        over.set()
        for one in clients:
            one.join()
        hostile.kill()
        hostile.wait()
        server.stop()
    wrong = [one for client in clients for one in client.wrong]
    took = sorted(second for client in clients for second in client.took)
    tail = statistics.median(memory[-10:]), statistics.median(memory[10:20])
    print(
        f"{seconds} s, {idle} idle, {slow} slow, {descriptors} descriptors: {len(took)} questions, {len(wrong)} "
        f"errors, median {statistics.median(took) * 1e3:.0f} ms, 99 % {took[int(len(took) * 0.99)] * 1e3:.0f} ms, "
        f"longest {took[-1]:.2f} s; memory {tail[1]:.0f} MB, at the end {tail[0]:.0f} MB, most {max(memory):.0f} MB; "
        f"log {log.stat().st_size:,} bytes"
    )
    return wrong, took, tail[0] - tail[1], log.read_text()


def check_load(tmp_path, seconds, idle, slow, descriptors):
    wrong, took, grown, log = under_load(tmp_path, seconds, idle, slow, descriptors)
    assert wrong == []
    assert len(took) > seconds
    assert grown < 20
    assert len(log) < min(1_000_000, 20_000 + 2_000 * seconds)
    assert "Traceback" not in log


def test_idle_and_slow_connections_harm_nobody(tmp_path):
    check_load(tmp_path, 25, idle=300, slow=40, descriptors=256)


@pytest.mark.slow
def test_ten_minutes_of_idle_and_slow_connections_harm_nobody(tmp_path):
    check_load(tmp_path, 600, idle=2_000, slow=200, descriptors=1_024)
