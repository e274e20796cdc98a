"""Files are installed whole and verified, from a folder or over the network, or not at all."""

import hashlib
import os
import threading
from collections.abc import Iterator
from functools import partial
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from brodmann import UserError
from brodmann.errors import NotAvailableError
from brodmann.install import KnownFile, install_files, remember_folder, verify_installed

HINT = "brodmann data add it --from FOLDER"
CONTENT = bytes(range(256)) * 20_000
OTHER = b"a second file"
add = partial(install_files, "data set 'it'", hint=HINT)


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


@pytest.fixture
def server() -> Iterator[Server]:
    one = Server()
    yield one
    one.close()


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("BRODMANN_HOME", str(tmp_path / "home"))
    return tmp_path / "home"


@pytest.fixture
def source(tmp_path: Path) -> Path:
    (tmp_path / "source" / "deep").mkdir(parents=True)
    (tmp_path / "source" / "deep" / "big.bin").write_bytes(CONTENT)
    (tmp_path / "source" / "small.txt").write_bytes(OTHER)
    return tmp_path / "source"


FILES = [KnownFile("deep/big.bin", sha256(CONTENT)), KnownFile("small.txt", hashlib.sha1(OTHER).hexdigest())]


def test_files_of_a_folder_are_copied_with_sha256_and_sha1(source, tmp_path):
    add(FILES, tmp_path / "target", source=source)
    assert (tmp_path / "target" / "deep" / "big.bin").read_bytes() == CONTENT
    assert (tmp_path / "target" / "small.txt").read_bytes() == OTHER


def test_a_file_may_lie_at_the_top_of_the_folder(source, tmp_path):
    (source / "deep" / "big.bin").rename(source / "big.bin")
    add(FILES, tmp_path / "target", source=source)
    assert (tmp_path / "target" / "deep" / "big.bin").read_bytes() == CONTENT


@pytest.mark.parametrize(
    ("spoil", "message"),
    [
        (lambda folder: (folder / "small.txt").write_bytes(b"else"), "small.txt is not the file .* begins"),
        (lambda folder: (folder / "small.txt").unlink(), r"1 of the 2 files .*first missing: small.txt"),
    ],
)
def test_one_wrong_file_and_nothing_is_installed(source, tmp_path, spoil, message):
    target = tmp_path / "target"
    add(FILES, target, source=source)
    spoil(source)
    with pytest.raises(UserError, match=message):
        add(FILES, tmp_path / "second", source=source)
    assert not (tmp_path / "second").exists()
    with pytest.raises(UserError, match=message):
        add(FILES, target, source=source)
    verify_installed("it", FILES, target, hint=HINT)  # what was there before is still whole


def test_a_folder_that_is_not_there(tmp_path):
    with pytest.raises(UserError, match="no folder at .*nowhere"):
        add(FILES, tmp_path / "target", source=tmp_path / "nowhere")


def test_a_damaged_installed_file_is_discovered(source, tmp_path):
    target = tmp_path / "target"
    add(FILES, target, source=source)
    verify_installed("it", FILES, target, hint=HINT)
    damaged = bytearray(CONTENT)
    damaged[1000] ^= 1
    (target / "deep" / "big.bin").write_bytes(damaged)
    with pytest.raises(UserError, match=r"it is damaged: .*big.bin .*install it again: brodmann data add it"):
        verify_installed("it", FILES, target, hint=HINT)
    (target / "deep" / "big.bin").unlink()
    with pytest.raises(NotAvailableError, match="it is not whole: deep/big.bin is missing"):
        verify_installed("it", FILES, target, hint=HINT)


def test_a_file_that_did_not_change_is_read_once(source, tmp_path):
    target = tmp_path / "target"
    add(FILES, target, source=source)
    verify_installed("it", FILES, target, hint=HINT)
    path = target / "small.txt"
    state = path.stat()
    path.write_bytes(OTHER[::-1])
    os.utime(path, ns=(state.st_atime_ns, state.st_mtime_ns))
    verify_installed("it", FILES, target, hint=HINT)  # same size and time: not read again
    os.utime(path, ns=(state.st_atime_ns, state.st_mtime_ns + 1))
    with pytest.raises(UserError, match="damaged"):
        verify_installed("it", FILES, target, hint=HINT)


def test_files_are_downloaded_and_nothing_else_is_kept(server, tmp_path, home):
    files = [server.known("big.bin", CONTENT), server.known("small.txt", OTHER)]
    add(files, tmp_path / "target", source=None)
    assert (tmp_path / "target" / "big.bin").read_bytes() == CONTENT
    assert (tmp_path / "target" / "small.txt").read_bytes() == OTHER
    assert list((home / "downloads").iterdir()) == []


@pytest.mark.parametrize("honours_ranges", [True, False])
def test_a_transfer_that_breaks_off_goes_on_where_it_stopped(server, tmp_path, honours_ranges):
    server.honours_ranges = honours_ranges
    server.break_after = [3_000_000]
    add([server.known("big.bin", CONTENT)], tmp_path / "target", source=None)
    assert server.ranges == [None, "bytes=3000000-"]
    assert (tmp_path / "target" / "big.bin").read_bytes() == CONTENT


def test_a_transfer_that_keeps_breaking_is_resumed_by_the_next_run(server, tmp_path):
    server.break_after = [1000] * 4
    file = server.known("big.bin", CONTENT)
    with pytest.raises(NotAvailableError, match=r"cannot download big.bin .*broke off 4 times.*run it again"):
        add([file], tmp_path / "target", source=None)
    assert not (tmp_path / "target").exists()
    add([file], tmp_path / "target", source=None)
    assert server.ranges[-1] == "bytes=4000-"
    assert (tmp_path / "target" / "big.bin").read_bytes() == CONTENT


def test_a_whole_partial_file_needs_no_more_bytes(server, tmp_path, home):
    file = server.known("big.bin", CONTENT)
    (home / "downloads").mkdir(parents=True)
    (home / "downloads" / f"{file.digest}.partial").write_bytes(CONTENT)
    add([file], tmp_path / "target", source=None)
    assert server.ranges == [f"bytes={len(CONTENT)}-"]


def test_a_download_with_another_checksum_is_refused_and_not_kept(server, tmp_path, home):
    good, bad = server.known("big.bin", CONTENT), server.known("small.txt", OTHER)
    server.files["/small.txt"] = b"something else"
    with pytest.raises(UserError, match=f"small.txt is not the file .* not {bad.digest[:12]}"):
        add([good, bad], tmp_path / "target", source=None)
    assert not (tmp_path / "target").exists()
    assert [path.name for path in (home / "downloads").iterdir()] == [good.digest]
    server.files["/small.txt"] = OTHER
    server.ranges.clear()
    add([good, bad], tmp_path / "target", source=None)
    assert server.ranges == [None]  # only the file that was wrong is fetched again


@pytest.mark.parametrize(
    ("url", "message"),
    [
        ("{address}/private.bin", "cannot download x.bin of data set 'it': it is private; .*--from FOLDER"),
        ("{address}/gone.bin", "the server answered 404"),
        ("http://example.org/x.bin", "is not a secure .https. address: refused"),
        ("file:///etc/hostname", "is not a secure .https. address: refused"),
        ("http://127.0.0.1:1/x.bin", "no connection to '127.0.0.1'.*--from FOLDER"),
        (None, "no public address for x.bin; with the files at hand: brodmann data add it"),
    ],
)
def test_what_cannot_be_downloaded_is_said_in_one_line(server, tmp_path, url, message):
    url = url and url.format(address=server.address)
    with pytest.raises(UserError, match=message) as caught:
        add([KnownFile("x.bin", sha256(b"x"), url)], tmp_path / "target", source=None)
    assert "\n" not in str(caught.value)
    assert not (tmp_path / "target").exists()


def test_a_made_folder_is_kept_until_it_is_damaged(tmp_path):
    made = []

    def make(folder: Path) -> None:
        made.append(folder)
        (folder / "a.txt").write_text("a")

    for _ in range(2):
        remember_folder(tmp_path / "kept", make)
    assert len(made) == 1
    for spoil in (lambda path: path.write_text("b"), Path.unlink):
        spoil(tmp_path / "kept" / "a.txt")
        remember_folder(tmp_path / "kept", make)
        assert (tmp_path / "kept" / "a.txt").read_text() == "a"
    (tmp_path / "kept" / "checksums.json").write_text("[")
    remember_folder(tmp_path / "kept", make)
    assert len(made) == 4


def announced(server: Server, content: bytes, tag: str) -> KnownFile:
    """A file whose checksum only the server knows, behind a redirect, as Hugging Face serves them."""
    server.files["/cdn/big.bin"] = content
    server.redirects["/big.bin"] = f"{server.address}/cdn/big.bin"
    server.headers["/big.bin"] = {"X-Linked-ETag": f'"{tag}"'}
    return KnownFile("big.bin", None, f"{server.address}/big.bin")


def test_a_file_whose_checksum_only_the_server_knows_is_verified_against_it(server, tmp_path):
    target = tmp_path / "target"
    file = announced(server, CONTENT, sha256(CONTENT))
    add([file], target, source=None)
    verify_installed("it", [file], target, hint=HINT)
    (target / "big.bin").write_bytes(CONTENT[:-1])
    with pytest.raises(UserError, match="is damaged"):
        verify_installed("it", [file], target, hint=HINT)


def test_a_download_that_is_not_what_the_server_announced_is_refused(server, tmp_path, home):
    file = announced(server, CONTENT, sha256(b"something else"))
    with pytest.raises(UserError, match="is not what the server announced"):
        add([file], tmp_path / "target", source=None)
    assert not (tmp_path / "target").exists()
    assert not list((home / "downloads").iterdir())


def test_a_small_file_is_verified_as_git_does(server, tmp_path):
    server.files["/small.json"] = OTHER
    tag = hashlib.sha1(b"blob %d\0" % len(OTHER) + OTHER).hexdigest()
    server.headers["/small.json"] = {"ETag": f'W/"{tag}"'}
    add([KnownFile("small.json", None, f"{server.address}/small.json")], tmp_path / "target", source=None)
    server.headers["/small.json"] = {"ETag": f'"{"0" * 40}"'}
    with pytest.raises(UserError, match="is not what the server announced"):
        add([KnownFile("small.json", None, f"{server.address}/small.json")], tmp_path / "other", source=None)


def test_an_announced_download_that_broke_off_goes_on(server, tmp_path):
    server.break_after = [1_000_000]
    add([announced(server, CONTENT, sha256(CONTENT))], tmp_path / "target", source=None)
    assert (tmp_path / "target" / "big.bin").read_bytes() == CONTENT
    assert "bytes=1000000-" in server.ranges


def test_a_redirect_to_an_address_that_is_not_secure_is_refused(server, tmp_path):
    server.redirects["/big.bin"] = "http://example.org/big.bin"
    with pytest.raises(NotAvailableError, match="which is not secure"):
        add([KnownFile("big.bin", None, f"{server.address}/big.bin")], tmp_path / "target", source=None)


def test_a_file_without_a_checksum_is_kept_in_mind_as_it_was_installed(source, tmp_path):
    target = tmp_path / "target"
    files = [KnownFile("small.txt")]
    add(files, target, source=source)
    verify_installed("it", files, target, hint=HINT)
    (target / "first-seen.json").unlink()
    with pytest.raises(NotAvailableError, match="was not installed whole"):
        verify_installed("it", files, target, hint=HINT)
