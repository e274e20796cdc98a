"""Clients that harm a server: ``python hostile.py PORT IDLE SLOW TOKEN`` goes on until it is killed."""

import asyncio
import contextlib
import resource
import socket
import sys
from itertools import count

PORT, IDLE, SLOW = map(int, sys.argv[1:4])
TOKEN = sys.argv[4]
HEAD = b"GET / HTTP/1.1\r\nHost: board\r\n"


async def idle():
    """Connect and say nothing."""
    reader, writer = await asyncio.open_connection("127.0.0.1", PORT)
    try:
        await reader.read(1)
    finally:
        writer.close()


async def slow_head():
    """A head without end, a line a second."""
    _, writer = await asyncio.open_connection("127.0.0.1", PORT)
    try:
        writer.write(HEAD)
        for i in count():
            await asyncio.sleep(1)
            writer.write(b"X-%d: a\r\n" % i)
            await writer.drain()
    finally:
        writer.close()


async def slow_body():
    """A submission with a valid token, ten bytes a second."""
    _, writer = await asyncio.open_connection("127.0.0.1", PORT)
    try:
        writer.write(
            b"POST /api/v1/submissions HTTP/1.1\r\nHost: board\r\nContent-Type: application/json\r\n"
            b"Content-Length: 100000\r\nAuthorization: Bearer %s\r\n\r\n" % TOKEN.encode()
        )
        while True:
            writer.write(b"          ")
            await writer.drain()
            await asyncio.sleep(1)
    finally:
        writer.close()


async def slow_reader():
    """Ask for files, many times over one connection, and read none."""
    made = socket.socket()
    made.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 2048)
    made.setblocking(False)
    with made:
        loop = asyncio.get_running_loop()
        await loop.sock_connect(made, ("127.0.0.1", PORT))
        await loop.sock_sendall(made, b"GET /export/scores.csv HTTP/1.1\r\nHost: board\r\n\r\n" * 50)
        while True:
            await asyncio.sleep(5)
            if not await loop.sock_recv(made, 1):
                return


async def nonsense():
    """Bytes that are no request, and requests that break off."""
    for sent in (b"\x16\x03\x01\x02\x00" * 40, b"GET / HTTP/9.9\r\n\r\n", HEAD, b"A" * 30_000 + b"\r\n"):
        reader, writer = await asyncio.open_connection("127.0.0.1", PORT)
        writer.write(sent)
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(reader.read(100), 1)
        writer.close()


async def forever(client):
    while True:
        with contextlib.suppress(OSError):
            await client()
        await asyncio.sleep(0.5)


async def main():
    slow = (slow_head, slow_body, slow_reader, nonsense)
    await asyncio.gather(
        *(forever(idle) for _ in range(IDLE)), *(forever(slow[i % len(slow)]) for i in range(SLOW))
    )


_, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
asyncio.run(main())
