"""Files that are whole or not there."""

import errno
import io
import os
import stat
import zipfile

import pytest
from hypothesis import given
from hypothesis import strategies as st

from brodmann import UserError
from brodmann.errors import unknown
from brodmann.files import (
    digest_of,
    read_json,
    remember,
    unpack_zip,
    whole_file,
    whole_folder,
    write_bytes,
    write_json,
)


def test_what_goes_wrong_leaves_the_old_file_and_no_rubbish(tmp_path):
    path = tmp_path / "file"
    write_bytes(path, b"old")
    with pytest.raises(RuntimeError), whole_file(path) as stream:
        stream.write(b"half of the new")
        raise RuntimeError
    assert path.read_bytes() == b"old"
    assert list(tmp_path.iterdir()) == [path]


def test_a_full_disk_is_one_line(tmp_path):
    path = tmp_path / "file"
    write_bytes(path, b"old")
    with (
        pytest.raises(UserError, match=f"cannot write .*: {os.strerror(errno.ENOSPC)}; free some space"),
        whole_file(path),
    ):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
    assert path.read_bytes() == b"old"
    assert list(tmp_path.iterdir()) == [path]


def test_a_place_that_cannot_be_written_is_one_line(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(UserError, match="cannot write"):
        write_bytes(tmp_path / "file" / "below", b"x")


def test_a_folder_is_replaced_whole_or_kept(tmp_path):
    folder = tmp_path / "folder"
    with whole_folder(folder) as temporary:
        (temporary / "a").write_text("1")
    with pytest.raises(RuntimeError), whole_folder(folder) as temporary:
        (temporary / "b").write_text("2")
        raise RuntimeError
    assert [path.name for path in folder.iterdir()] == ["a"]
    with whole_folder(folder) as temporary:
        (temporary / "b").write_text("2")
    assert [path.name for path in folder.iterdir()] == ["b"]
    assert list(tmp_path.iterdir()) == [folder]


def archive(entries):
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w") as opened:
        for name, content, mode in entries:
            info = zipfile.ZipInfo(name)
            info.external_attr = mode << 16
            opened.writestr(info, content)
    return stream.getvalue()


@pytest.mark.parametrize(
    ("name", "mode"),
    [
        ("../up", 0o644),
        ("/etc/passwd", 0o644),
        ("a/../../up", 0o644),
        ("..\\up", 0o644),
        ("link", stat.S_IFLNK | 0o777),
    ],
)
def test_a_zip_that_climbs_out_of_its_folder_is_refused_whole(tmp_path, name, mode):
    path = tmp_path / "bad.zip"
    path.write_bytes(archive([("good", b"1", 0o644), (name, b"/etc/passwd", mode)]))
    with pytest.raises(UserError, match="which would leave its folder: refused"):
        unpack_zip(path, tmp_path / "target")
    assert not (tmp_path / "target").exists()
    assert not (tmp_path / "up").exists()


def test_a_zip_that_would_fill_the_disk_is_refused(tmp_path):
    path = tmp_path / "bomb.zip"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as opened:
        opened.writestr("zeros", bytes(1 << 20))
    with pytest.raises(UserError, match="would unpack to"):
        unpack_zip(path, tmp_path / "target", max_bytes=1000)


def test_a_good_zip_is_unpacked(tmp_path):
    path = tmp_path / "good.zip"
    path.write_bytes(archive([("a/b.txt", b"hello", 0o644)]))
    assert unpack_zip(path, tmp_path / "target") == [tmp_path / "target" / "a" / "b.txt"]
    assert (tmp_path / "target" / "a" / "b.txt").read_bytes() == b"hello"


@pytest.mark.parametrize("harm", [b"", b"other", None])
def test_a_damaged_file_is_discovered_and_rebuilt(tmp_path, harm):
    path, made = tmp_path / "file", []

    def make(target):
        made.append(target)
        target.write_bytes(b"content")

    remember(path, make)
    remember(path, make)
    assert len(made) == 1
    path.unlink() if harm is None else path.write_bytes(harm)
    assert remember(path, make).read_bytes() == b"content"
    assert len(made) == 2


def test_a_damaged_json_is_named(tmp_path):
    path = tmp_path / "a.json"
    path.write_text('{"a": ')
    with pytest.raises(UserError, match="a.json is not readable JSON"):
        read_json(path)
    with pytest.raises(ValueError, match="Out of range float"):
        write_json(path, {"a": float("nan")})


values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(),
    lambda v: st.lists(v) | st.dictionaries(st.text(), v),
)


@given(st.lists(values), st.lists(values))
def test_digests_differ_exactly_where_contents_do(a, b):
    assert digest_of(*a) == digest_of(*a)
    assert (digest_of(*a) == digest_of(*b)) == (repr(_ordered(a)) == repr(_ordered(b)))


def _ordered(value):
    if isinstance(value, dict):
        return {key: _ordered(value[key]) for key in sorted(value)}
    return [_ordered(item) for item in value] if isinstance(value, list) else value


def test_an_unknown_name_is_answered_with_the_close_ones():
    assert (
        str(unknown("model", "Pixls", ["pixels", "gabor"])) == "unknown model 'Pixls': did you mean 'pixels'?"
    )
    assert str(unknown("model", "xyz", ["pixels"], hint="list them")) == "unknown model 'xyz': list them"
    assert str(unknown("model", "xyz", [])) == "unknown model 'xyz': known: none"
