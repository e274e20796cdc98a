"""A web server on this machine, for tests of what is downloaded."""

import contextlib
import hashlib
import threading
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import BinaryIO

from brodmann.install import KnownFile


def sha256(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


class Server:
    """A web server on this machine that can break off a transfer."""

    def __init__(self) -> None:
        self.files: dict[str, bytes] = {}
        self.ranges: list[str | None] = []
        self.break_after: list[int] = []
        self.honours_ranges = True
        self.headers: dict[str, dict[str, str]] = {}
        self.redirects: dict[str, str] = {}
        self.raw: dict[str, list[bytes | Callable[[BinaryIO], None]]] = {}
        self.conditions: list[str | None] = []
        server = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                server.answer(self)

            def log_message(self, *arguments: object) -> None:
                pass

        self.http = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.address = f"http://127.0.0.1:{self.http.server_port}"
        self.thread = threading.Thread(target=self.http.serve_forever, kwargs={"poll_interval": 0.01})
        self.thread.start()

    def answer(self, request: BaseHTTPRequestHandler) -> None:
        asked = request.headers.get("Range")
        self.ranges.append(asked)
        self.conditions.append(request.headers.get("If-Range"))
        if request.path in self.raw:
            said = self.raw[request.path].pop(0)
            request.close_connection = True
            with contextlib.suppress(OSError):  # whoever asked may have heard enough
                said(request.wfile) if callable(said) else request.wfile.write(said)
            return
        headers = self.headers.get(request.path, {})
        if request.path in self.redirects:
            request.send_response(302)
            for name, value in {
                **headers,
                "Location": self.redirects[request.path],
                "Content-Length": "0",
            }.items():
                request.send_header(name, value)
            request.end_headers()
            return
        content = self.files.get(request.path)
        if content is None:
            request.send_error(403 if "private" in request.path else 404)
            return
        start = int(asked.removeprefix("bytes=").removesuffix("-")) if asked and self.honours_ranges else 0
        if start and start >= len(content):
            request.send_error(416)
            return
        body = content[start:]
        request.send_response(206 if start else 200)
        request.send_header("Content-Length", str(len(body)))
        if start:
            request.send_header("Content-Range", f"bytes {start}-{len(content) - 1}/{len(content)}")
        for name, value in headers.items():
            request.send_header(name, value)
        request.end_headers()
        request.wfile.write(body[: self.break_after.pop(0)] if self.break_after else body)

    def known(self, name: str, content: bytes) -> KnownFile:
        self.files[f"/{name}"] = content
        return KnownFile(name, sha256(content), f"{self.address}/{name}")

    def close(self) -> None:
        self.http.shutdown()
        self.http.server_close()
        self.thread.join()
