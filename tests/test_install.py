"""Files are installed from a folder whole and verified, or not at all."""

import hashlib
import os
from functools import partial
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


UNKNOWN = [KnownFile("deep/big.bin"), KnownFile("small.txt")]


def endless(folder: Path) -> None:
    with (folder / "deep" / "big.bin").open("wb") as stream:
        stream.truncate(1 << 40)


def pipe(folder: Path) -> None:
    (folder / "deep" / "big.bin").unlink()
    os.mkfifo(folder / "deep" / "big.bin")


def device(folder: Path) -> None:
    (folder / "deep" / "big.bin").unlink()
    (folder / "deep" / "big.bin").symlink_to("/dev/zero")


def nowhere(folder: Path) -> None:
    (folder / "deep" / "big.bin").unlink()
    (folder / "deep" / "big.bin").symlink_to(folder / "gone")


def linked(folder: Path) -> None:
    (folder / "deep" / "big.bin").rename(folder.parent / "big.bin")
    (folder / "deep" / "big.bin").symlink_to(folder.parent / "big.bin")


def in_a_linked_folder(folder: Path) -> None:
    (folder / "deep").rename(folder.parent / "deep")
    (folder / "deep").symlink_to(folder.parent / "deep")


@pytest.mark.parametrize("files", [FILES, UNKNOWN])
@pytest.mark.parametrize(
    ("spoil", "message"),
    [
        (endless, r"big.bin says that it has 1024.0 GiB, and 0.0 GiB are written"),
        (pipe, r"big.bin is a pipe \(FIFO\), not a file: refused"),
        (device, r"big.bin is a link (to a device|out of its folder)"),
        (nowhere, "big.bin is a link to nowhere: refused"),
    ],
)
def test_what_is_no_plain_file_is_refused(source, tmp_path, files, spoil, message):
    spoil(source)
    with pytest.raises(UserError, match=message) as caught:
        add(files, tmp_path / "target", source=source)
    assert "\n" not in str(caught.value)
    assert not (tmp_path / "target").exists()


@pytest.mark.parametrize("spoil", [linked, in_a_linked_folder])
def test_a_link_out_of_the_folder_is_followed_only_where_a_checksum_says_what_it_must_hold(
    source, tmp_path, spoil
):
    spoil(source)
    with pytest.raises(UserError, match="big.bin is a link out of its folder"):
        add(UNKNOWN, tmp_path / "target", source=source)
    assert not (tmp_path / "target").exists()
    add(FILES, tmp_path / "target", source=source)
    assert (tmp_path / "target" / "deep" / "big.bin").read_bytes() == CONTENT
    assert not (tmp_path / "target" / "deep" / "big.bin").is_symlink()


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


def test_a_file_without_a_checksum_is_kept_in_mind_as_it_was_installed(source, tmp_path):
    target = tmp_path / "target"
    files = [KnownFile("small.txt")]
    add(files, target, source=source)
    verify_installed("it", files, target, hint=HINT)
    (target / "first-seen.json").unlink()
    with pytest.raises(NotAvailableError, match="was not installed whole"):
        verify_installed("it", files, target, hint=HINT)


def test_a_folder_that_is_not_there(tmp_path):
    with pytest.raises(UserError, match="no folder at .*nowhere"):
        add(FILES, tmp_path / "target", source=tmp_path / "nowhere")
