"""Connections with deadlines: however many say nothing, or little, the others are answered."""

import asyncio
import logging
import socket
from collections import Counter, OrderedDict
from collections.abc import Sequence
from typing import Any

import uvicorn
from uvicorn.protocols.http.h11_impl import H11Protocol

_HEAD_S = 10.0
"""In which a request's head is whole, from the first byte or from connecting."""
_KEEP_S = 20
"""How long a connection stays open for another request."""
_GRACE_S = 30.0
_SLOWEST = 1 << 18
"""A body and a reply may take ``_GRACE_S``, and a second for every so many bytes that the server takes."""
_MOST = 4_096
_KEPT = 256
"""Of a process's descriptors, those that are not for connections: databases, files."""
_TURNS = 64
"""Turns of the loop in which all places could be taken anew."""
_LINES = 5
_LONGEST_LINE = 4_000
_BUSY = (
    b"HTTP/1.1 503 Service Unavailable\r\ncontent-length: 0\r\nretry-after: 5\r\nconnection: close\r\n\r\n"
)
_log = logging.getLogger(__name__)


class BoardServer(uvicorn.Server):
    """A server that has a place for everyone who comes: where all are taken, whoever lets it wait the longest goes.

    Parameters
    ----------
    app : ASGI application
    listening : socket
    max_bytes : int
        The largest body that it takes.
    proxies : sequence of str
        Addresses or networks of web servers before this one, whose ``X-Forwarded-For`` counts.
    """

    def __init__(self, app: Any, listening: socket.socket, *, max_bytes: int, proxies: Sequence[str] = ()):
        config = uvicorn.Config(
            app,
            log_config=None,
            log_level="warning",
            server_header=False,
            ws="none",
            timeout_keep_alive=_KEEP_S,
            timeout_graceful_shutdown=10,
            proxy_headers=bool(proxies),
            forwarded_allow_ips=list(proxies),
        )
        super().__init__(config)
        self.patience = _GRACE_S + max_bytes / _SLOWEST
        self._listening = listening
        self._places, self._open = places(), 0
        self._coming: set[asyncio.Task[Any]] = set()
        self._without, self._amid = OrderedDict[Connection, float](), OrderedDict[Connection, float]()

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Listen."""
        await super().startup(sockets=[])
        self._listening.setblocking(False)
        self._listen()
        self._sweep()

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """Answer what is being asked, and end."""
        asyncio.get_running_loop().remove_reader(self._listening)
        await super().shutdown(sockets=[self._listening])
        for connection in list(self.server_state.connections):  # those that did not hear their answer in time
            connection.transport.abort()
        await asyncio.sleep(0)

    def wait_for(self, connection: "Connection", seconds: float, *, amid: bool) -> None:
        """The server waits for a client, between requests or amid one; not longer than that."""
        self.go_on(connection)
        line = self._amid if amid else self._without
        line[connection] = connection.loop.time() + seconds

    def go_on(self, connection: "Connection") -> None:
        """It no longer waits for that client."""
        self._without.pop(connection, None)
        self._amid.pop(connection, None)

    def left(self, connection: "Connection") -> None:
        """Its place is free."""
        self.go_on(connection)
        self._open -= 1

    def _listen(self) -> None:
        if not self.should_exit:
            asyncio.get_running_loop().add_reader(self._listening, self._accept)

    def _accept(self) -> None:
        """Take some of those who come; few, so that what they say is heard before others take their places."""
        loop = asyncio.get_running_loop()
        for _ in range(max(self._places // _TURNS, 1)):
            try:
                taken, _ = self._listening.accept()
            except (BlockingIOError, InterruptedError, ConnectionAbortedError):
                return
            except OSError as error:  # no descriptor is left: one is made free, and then it goes on
                _log.warning("no connection can be taken: %s", error)
                self._make_place()
                loop.remove_reader(self._listening)
                loop.call_later(0.1, self._listen)
                return
            if self._open >= self._places and not self._make_place():
                taken.setblocking(False)
                taken.send(_BUSY)
                taken.close()
                continue
            self._open += 1
            coming = loop.create_task(loop.connect_accepted_socket(self._connection, taken))
            self._coming.add(coming)
            coming.add_done_callback(self._came)

    def _connection(self) -> "Connection":
        return Connection(
            self, config=self.config, server_state=self.server_state, app_state=self.lifespan.state
        )

    def _came(self, coming: asyncio.Task[Any]) -> None:
        self._coming.discard(coming)
        if not coming.cancelled() and coming.exception() is not None:
            self._open -= 1
            _log.warning("a connection broke at once: %s", coming.exception())

    def _make_place(self) -> bool:
        """End the connection that lets the server wait the longest; one without a request, where there is one."""
        line = self._without or (None if self._coming else self._amid)
        if line:
            connection, _ = line.popitem(last=False)
            connection.transport.abort()
        return bool(line or self._coming)  # who is just coming makes place the next time

    def _sweep(self) -> None:
        """End the connections whose time is over, or that are too many, once a second."""
        loop = asyncio.get_running_loop()
        for _ in range(self._open - self._places):
            self._make_place()
        now = loop.time()
        for line in (self._without, self._amid):
            for connection in [one for one, end in line.items() if end < now]:
                connection.transport.abort()
        loop.call_later(1, self._sweep)


class Connection(H11Protocol):
    """A connection that tells its server when it is the client that lets it wait."""

    def __init__(self, server: BoardServer, **known: Any) -> None:
        super().__init__(**known)
        self._server, self._state = server, ""

    def connection_made(self, transport: Any) -> None:
        """A client came: its first request is awaited."""
        super().connection_made(transport)
        self._enter("head")

    def connection_lost(self, exc: Exception | None) -> None:
        """It went."""
        super().connection_lost(exc)
        self._server.left(self)

    def data_received(self, data: bytes) -> None:
        """It sent something."""
        if self._state == "idle":
            self._enter("head")
        super().data_received(data)
        self._follow()

    def on_response_complete(self) -> None:
        """It was answered; the answer may still be on its way."""
        self._enter("idle")
        super().on_response_complete()
        self._follow()

    def pause_writing(self) -> None:
        """It does not read what it was sent."""
        super().pause_writing()
        self._follow()

    def resume_writing(self) -> None:
        """It read on."""
        super().resume_writing()
        self._follow()

    def _follow(self) -> None:
        if self.cycle is not None and not self.cycle.response_complete:
            self._enter("reply" if self.flow.write_paused else "body" if self.cycle.more_body else "work")

    def _enter(self, state: str) -> None:
        if state == self._state:
            return
        self._state = state
        if state == "work":
            self._server.go_on(self)
        elif state == "head":
            self._server.wait_for(self, _HEAD_S, amid=False)
        else:
            unsent = state != "idle" or self.transport.get_write_buffer_size() > 0
            self._server.wait_for(self, self._server.patience, amid=unsent)


def places() -> int:
    """For how many connections this process has descriptors, of which it may ask the system for more."""
    try:
        import resource
    except ImportError:  # no such limit on this system
        return _MOST
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = _MOST + _KEPT
    if soft != resource.RLIM_INFINITY and soft < wanted:
        soft = wanted if hard == resource.RLIM_INFINITY else min(hard, wanted)
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
    return _MOST if soft == resource.RLIM_INFINITY else min(max(soft // 2, soft - _KEPT), _MOST)


class BoundedLog(logging.StreamHandler[Any]):
    """A log that cannot fill a disk: a few lines a minute of every place in the program, and how many were left out."""

    def __init__(self, stream: Any = None) -> None:
        super().__init__(stream)
        self._minute, self._left_out = 0, 0
        self._seen: Counter[tuple[str, int]] = Counter()

    def emit(self, record: logging.LogRecord) -> None:
        """Write a line, or count it."""
        minute, place = int(record.created // 60), (record.pathname, record.lineno)
        if minute != self._minute:
            if self._left_out:
                self.stream.write(f"{self._left_out} more lines like these were left out\n")
            self._minute, self._left_out = minute, 0
            self._seen.clear()
        self._seen[place] += 1
        if self._seen[place] > _LINES:
            self._left_out += 1
            return
        super().emit(record)

    def format(self, record: logging.LogRecord) -> str:
        """A line with its time, and not without end."""
        return super().format(record)[:_LONGEST_LINE]
