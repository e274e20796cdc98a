"""Files come over the network whole and verified, in parts where a transfer breaks off, or not at all."""

import hashlib
import os
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import BinaryIO

import pytest
from web_server import Server, sha256

from brodmann import UserError, download
from brodmann.errors import NotAvailableError
from brodmann.install import KnownFile, install_files, verify_installed

HINT = "brodmann data add it --from FOLDER"
CONTENT = bytes(range(256)) * 20_000
OTHER = b"a second file"
add = partial(install_files, "data set 'it'", hint=HINT)


@pytest.fixture
def server() -> Iterator[Server]:
    one = Server()
    yield one
    one.close()


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("BRODMANN_HOME", str(tmp_path / "home"))
    return tmp_path / "home"


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


def said(body: bytes, *lines: str, status: str = "200 OK") -> bytes:
    """An answer, word by word."""
    return "\r\n".join([f"HTTP/1.1 {status}", *lines, "", ""]).encode("latin1") + body


def length(n: int) -> str:
    return f"Content-Length: {n}"


def refused(server: Server, target: Path, answers: list, digest: str | None = None) -> str:
    """The one line that a server earns with its answers; nothing is installed, and nothing lies about."""
    server.raw["/x.bin"] = list(answers)
    with pytest.raises(UserError) as caught:
        add([KnownFile("x.bin", digest, f"{server.address}/x.bin")], target, source=None)
    line = str(caught.value)
    assert "\n" not in line
    assert "\x1b" not in line
    assert not target.exists()
    assert not list(Path(os.environ["BRODMANN_HOME"], "downloads").glob("*.lock"))
    return line


def installed(server: Server, target: Path, answers: list, digest: str | None = None) -> bytes:
    server.raw["/x.bin"] = list(answers)
    add([KnownFile("x.bin", digest, f"{server.address}/x.bin")], target, source=None)
    assert not server.raw["/x.bin"]
    assert not list(Path(os.environ["BRODMANN_HOME"], "downloads").iterdir())
    return (target / "x.bin").read_bytes()


A, B = b"a" * 100, b"b" * 100
HALF = said(A[:50], length(100), 'ETag: "one"')
PART = "206 Partial Content"


@pytest.mark.parametrize(
    "nonsense", ["abc", "-5", "1e3", "0x64", "", "9" * 30, "100\r\nContent-Length: 7", "\x1b[2J"]
)
@pytest.mark.parametrize("digest", [None, sha256(A)])
def test_a_length_that_is_none_is_said_in_one_line(server, tmp_path, nonsense, digest):
    line = refused(server, tmp_path / "target", [said(A, f"Content-Length: {nonsense}")], digest)
    assert "the server says that its length is" in line


@pytest.mark.parametrize(
    "headers",
    [
        ["Content-Encoding: gzip"],
        ["Content-Encoding: br"],
        ["Transfer-Encoding: gzip, chunked"],
        ["Transfer-Encoding: gzip"],
    ],
)
def test_what_comes_compressed_is_refused(server, tmp_path, headers):
    line = refused(server, tmp_path / "target", [said(A, length(100), *headers)])
    assert "the server sends it compressed, though it was asked not to" in line


def test_what_says_no_length_is_taken_only_where_a_checksum_decides(server, tmp_path):
    line = refused(server, tmp_path / "target", [said(A)])
    assert "does not say how long it is" in line
    assert installed(server, tmp_path / "known", [said(A)], sha256(A)) == A
    assert installed(server, tmp_path / "announced", [said(A, f'X-Linked-ETag: "{sha256(A)}"')]) == A
    assert "is not the file" in refused(server, tmp_path / "half", [said(A[:50])], sha256(A))


def test_a_body_in_chunks_is_whole_with_its_last_one(server, tmp_path):
    chunked, half = "Transfer-Encoding: chunked", b"32\r\n" + A[:50] + b"\r\n"
    whole = said(half + half + b"0\r\n\r\n", chunked, 'ETag: "one"')
    assert installed(server, tmp_path / "whole", [whole]) == A
    assert "broke off 4 times" in refused(
        server, tmp_path / "target", [said(half, chunked, 'ETag: "one"')] * 4
    )
    assert installed(server, tmp_path / "again", [said(half, chunked, 'ETag: "one"'), whole]) == A


def test_a_body_that_is_shorter_than_its_length_is_not_installed(server, tmp_path):
    assert "broke off 4 times" in refused(server, tmp_path / "target", [said(A[:99], length(100))] * 4)


def test_a_body_that_goes_on_after_its_length_ends_there(server, tmp_path):
    assert installed(server, tmp_path / "target", [said(A + B, length(100))]) == A


def test_without_a_checksum_and_a_strong_tag_it_begins_anew(server, tmp_path):
    """A weak tag, or none, does not say that the bytes are the same."""
    for name, headers in (("none", []), ("weak", ['ETag: W/"one"']), ("time", ["Last-Modified: x"])):
        server.ranges.clear()
        answers = [said(A[:50], length(100), *headers), said(B, length(100), *headers)]
        assert installed(server, tmp_path / name, answers) == B
        assert server.ranges == [None, None]


def test_a_strong_tag_goes_on_where_it_stopped(server, tmp_path):
    rest = said(A[50:], length(50), 'ETag: "one"', "Content-Range: bytes 50-99/100", status=PART)
    assert installed(server, tmp_path / "target", [HALF, rest]) == A
    assert (server.ranges, server.conditions) == ([None, "bytes=50-"], [None, '"one"'])


@pytest.mark.parametrize(
    "second",
    [
        said(B, length(100), 'ETag: "two"'),  # as If-Range asks
        said(B[50:], length(50), 'ETag: "two"', "Content-Range: bytes 50-99/100", status=PART),
        said(B[50:], length(50), "Content-Range: bytes 50-99/100", status=PART),
        said(B[40:], length(60), 'ETag: "one"', "Content-Range: bytes 40-99/100", status=PART),
        said(B[50:], length(50), 'ETag: "one"', "Content-Range: bytes 50-99/80", status=PART),
        said(B[50:], length(50), 'ETag: "one"', "Content-Range: bytes 50-98/100", status=PART),
        said(B[50:], length(50), 'ETag: "one"', "Content-Range: bytes 50-99/*", status=PART),
        said(B[50:], length(50), 'ETag: "one"', "Content-Range: pages 50-99/100", status=PART),
        said(B[50:], length(50), 'ETag: "one"', status=PART),
        said(b"", 'ETag: "one"', "Content-Range: bytes */50", length(0), status="416 No"),
    ],
)
@pytest.mark.parametrize("digest", [None, sha256(B)])
def test_parts_of_two_files_are_never_put_together(server, tmp_path, second, digest):
    """The file changed between two attempts, or the server sends another part than the one that is missing."""
    server.raw["/x.bin"] = answers = [HALF, second, *[said(B, length(100), 'ETag: "two"')] * 2]
    add([KnownFile("x.bin", digest, f"{server.address}/x.bin")], tmp_path / "target", source=None)
    assert (tmp_path / "target" / "x.bin").read_bytes() == B
    assert len(answers) >= 1


def test_a_checksum_that_changes_between_attempts_begins_anew(server, tmp_path):
    def tag(content: bytes) -> str:
        return f'X-Linked-ETag: "{sha256(content)}"'

    rest = said(B[50:], length(50), tag(B), "Content-Range: bytes 50-99/100", status=PART)
    answers = [said(A[:50], length(100), tag(A)), rest, said(B, length(100), tag(B))]
    assert installed(server, tmp_path / "changed", answers) == B
    rest = said(
        B[50:], length(50), "Content-Range: bytes 50-99/100", status=PART
    )  # and announces nothing now
    answers = [said(A[:50], length(100), tag(A)), rest, said(B, length(100))]
    assert installed(server, tmp_path / "silent", answers) == B
    rest = said(A[50:], length(50), tag(A), "Content-Range: bytes 50-99/100", status=PART)
    assert installed(server, tmp_path / "same", [said(A[:50], length(100), tag(A)), rest]) == A


def test_a_part_that_another_run_left_is_tried_as_every_other(server, tmp_path, home):
    """Left by a run that was killed: of which file it is, its tag says; without one it is not used."""
    (home / "downloads").mkdir(parents=True)
    address = f"{server.address}/x.bin"
    partial = home / "downloads" / f"address-{download.digest_of(address)}.partial"
    partial.write_bytes(A[:50])
    assert installed(server, tmp_path / "target", [said(B, length(100))]) == B
    assert server.ranges == [None]


def test_a_part_that_was_not_asked_for_is_not_the_file(server, tmp_path):
    part = said(A[:50], length(50), "Content-Range: bytes 0-49/100", 'ETag: "one"', status=PART)
    rest = said(A[50:], length(50), "Content-Range: bytes 50-99/100", 'ETag: "one"', status=PART)
    assert installed(server, tmp_path / "target", [part, rest]) == A
    line = refused(
        server,
        tmp_path / "later",
        [said(A[50:], length(50), "Content-Range: bytes 50-99/100", status=PART)] * 4,
    )
    assert "broke off" in line
    assert "answered 204" in refused(
        server, tmp_path / "none", [said(b"", length(0), status="204 No Content")]
    )


def test_a_file_has_a_largest_size(server, tmp_path, monkeypatch, home):
    monkeypatch.setattr(download, "_MOST_BYTES", 1_000_000)
    assert "more than" in refused(server, tmp_path / "said", [said(b"", length(10**12))])
    assert server.ranges == [None]

    def endless(out: BinaryIO) -> None:
        out.write(said(b"", "Transfer-Encoding: chunked"))
        while True:
            out.write(b"10000\r\n" + bytes(65536) + b"\r\n")

    for digest in (None, sha256(A)):
        assert "it has no end" in refused(server, tmp_path / "endless", [endless], digest)
        assert not list((home / "downloads").iterdir())


def test_a_file_that_the_disk_cannot_hold_is_refused_before_it_comes(server, tmp_path):
    line = refused(server, tmp_path / "target", [said(b"", length(190 << 30))])
    assert "needs 190.0 GiB" in line
    assert "free some" in line


@pytest.mark.parametrize("part", ["head", "body"])
def test_a_download_has_a_deadline_however_slowly_it_comes(server, tmp_path, monkeypatch, part):
    """A byte now and then keeps no socket's timeout from beginning again; the deadline is for the whole."""
    for name in ("_ANSWER_S", "_LONGEST_S"):
        monkeypatch.setattr(download, name, 4.0)
    over = threading.Event()

    def trickle(out: BinaryIO) -> None:
        out.write(b"HTTP/1.1 200 OK\r\n" if part == "head" else said(b"", length(10**6), 'ETag: "one"'))
        while not over.wait(0.1):
            out.write(b"X: y\r\n" if part == "head" else b"x")

    began = time.monotonic()
    line = refused(server, tmp_path / "target", [trickle])
    over.set()
    assert time.monotonic() - began < 20
    assert ("no answer from '127.0.0.1'" if part == "head" else "too slow: ") in line
    assert "with the files at hand: brodmann data add it" in line


def test_a_download_that_creeps_is_ended_and_goes_on_later(server, tmp_path, monkeypatch, home):
    monkeypatch.setattr(download, "_TIMEOUT_S", 4)
    monkeypatch.setattr(download, "_SLOWEST", 10**6)

    def creep(out: BinaryIO) -> None:
        out.write(said(b"", length(1000), 'ETag: "one"'))
        for _ in range(70):
            out.write(b"x" * 10)
            time.sleep(0.1)

    assert "run it again to go on" in refused(server, tmp_path / "target", [creep])
    (partial,) = (home / "downloads").glob("*.partial")
    n = partial.stat().st_size
    assert 0 < n < 1000
    rest = said(
        b"x" * (1000 - n), length(1000 - n), 'ETag: "one"', f"Content-Range: bytes {n}-999/1000", status=PART
    )
    assert installed(server, tmp_path / "target", [rest]) == b"x" * 1000


@pytest.mark.parametrize(
    "location",
    ["http://[half", "ftp://example.org/x", "file:///etc/passwd", "http://example.org/\x1b[2J", "/x.bin"],
)
def test_a_redirect_that_leads_nowhere_is_one_line(server, tmp_path, location):
    refused(
        server, tmp_path / "target", [said(b"", f"Location: {location}", length(0), status="302 Found")] * 20
    )


def test_two_processes_do_not_write_one_file(server, tmp_path, home):
    """The second one says that the first is at it; a process that was killed leaves no lock that holds."""
    begun = threading.Event()
    over = threading.Event()

    def wait(out: BinaryIO) -> None:
        out.write(said(A[:50], length(100)))
        begun.set()
        over.wait(60)
        out.write(A[50:])

    server.raw["/x.bin"] = [wait, said(A, length(100))]
    code = (
        "import sys; from pathlib import Path; from brodmann.install import KnownFile, install_files\n"
        "install_files('it', [KnownFile('x.bin', None, sys.argv[1])], Path(sys.argv[2]), source=None, hint='')"
    )
    address = f"{server.address}/x.bin"
    other = subprocess.Popen([sys.executable, "-c", code, address, str(tmp_path / "target")])
    assert begun.wait(60)
    with pytest.raises(UserError, match="is being downloaded by another process"):
        add([KnownFile("x.bin", None, address)], tmp_path / "mine", source=None)
    other.kill()
    other.wait()
    over.set()
    add([KnownFile("x.bin", None, address)], tmp_path / "mine", source=None)
    assert (tmp_path / "mine" / "x.bin").read_bytes() == A
