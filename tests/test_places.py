"""Folders that are swapped into place: readers never see half of one, and what a kill leaves is put right."""

import fcntl
import json
import os
import subprocess
import sys
from itertools import pairwise
from pathlib import Path

import pytest

from brodmann import UserError, places
from brodmann.files import whole_file, whole_folder, write_bytes
from brodmann.places import put_folder, read_whole, restore

LOOP = """
import sys
from pathlib import Path
from brodmann import places
from brodmann.brain_data.catalogue import add_dataset
if sys.argv[2] == "aside":
    places._exchanged = lambda one, other: False
folder = Path(sys.argv[1])
for number in range(10**6):
    add_dataset("mine", folder / f"v{1 + number % 2}")
    print(number, flush=True)
"""


@pytest.fixture(autouse=True)
def swept():
    """As in a process that begins."""
    places._swept.cache_clear()


def folder_of(path, content):
    path.mkdir(parents=True, exist_ok=True)
    (path / "file").write_text(content)
    return path


@pytest.mark.parametrize("can_exchange", [True, False])
def test_a_folder_takes_the_name_of_another(tmp_path, monkeypatch, can_exchange):
    if not can_exchange:
        monkeypatch.setattr(places, "_exchanged", lambda one, other: False)
    old, new = folder_of(tmp_path / "name", "old"), folder_of(tmp_path / "new", "new")
    put_folder(new, old)
    assert (tmp_path / "name" / "file").read_text() == "new"
    assert not list(tmp_path.glob(".*"))


def test_this_system_swaps_in_one_step(tmp_path):
    old, new = folder_of(tmp_path / "name", "old"), folder_of(tmp_path / "new", "new")
    if not places._exchanged(new, old):
        pytest.skip("no such swap on this disk")
    assert [(one / "file").read_text() for one in (old, new)] == ["new", "old"]


def test_a_file_is_not_replaced_by_a_folder(tmp_path):
    write_bytes(tmp_path / "name", b"mine")
    with pytest.raises(UserError, match="cannot write"), whole_folder(tmp_path / "name") as folder:
        (folder / "a").write_text("a")
    assert (tmp_path / "name").read_bytes() == b"mine"
    assert not list(tmp_path.glob(".*"))


def test_a_folder_that_a_kill_left_aside_comes_back(tmp_path):
    folder_of(tmp_path / ".name.0123abcd.aside", "old")
    restore(tmp_path / "name")
    assert (tmp_path / "name" / "file").read_text() == "old"
    folder_of(tmp_path / ".name.0123abcd.aside", "older")
    restore(tmp_path / "name")  # it is there: nothing to bring back
    assert (tmp_path / "name" / "file").read_text() == "old"


def test_the_next_run_removes_what_killed_ones_left_and_nothing_else(tmp_path):
    folder_of(tmp_path / ".name.0123abcd.partial", "half")
    folder_of(tmp_path / ".other.0123abcd.aside", "the only one")
    (tmp_path / ".file.abcd_123.partial").write_text("half")
    (tmp_path / "0123.partial").write_text("a download that goes on")
    (tmp_path / f".{'0' * 64}.partial").write_text("activations that go on")
    (tmp_path / ".mine").write_text("mine")
    with whole_file(tmp_path / "file") as stream:
        stream.write(b"whole")
    assert sorted(path.name for path in tmp_path.iterdir()) == [
        f".{'0' * 64}.partial", ".mine", "0123.partial", "file", "other",
    ]  # fmt: skip


def test_what_a_living_process_makes_is_left_alone(tmp_path):
    stray = tmp_path / ".name.0123abcd.partial"
    stray.write_text("growing")
    with stray.open() as held:
        fcntl.flock(held, fcntl.LOCK_EX)
        write_bytes(tmp_path / "file", b"whole")
        assert stray.exists()
    places._swept.cache_clear()
    write_bytes(tmp_path / "file", b"whole")
    assert not stray.exists()


def test_a_reader_reads_anew_where_the_folder_was_replaced(tmp_path):
    name, seen = folder_of(tmp_path / "name", "old"), []

    def read():
        seen.append((name / "file").read_text())
        if len(seen) == 1:
            put_folder(folder_of(tmp_path / "new", "new"), name)
            raise UserError("half old, half new")
        return seen[-1]

    assert read_whole(name, read) == "new"
    with pytest.raises(UserError, match="really damaged"):
        read_whole(name, lambda: (_ for _ in ()).throw(UserError("really damaged")))


@pytest.mark.parametrize("way", ["exchange", "aside"])
def test_readers_never_fail_while_another_process_replaces(tmp_path, monkeypatch, way):
    """300 loads of a data set that is replaced all the time, each of one version alone."""
    from kills import recordings, version_of

    monkeypatch.setenv("BRODMANN_HOME", str(tmp_path / "home"))
    for version in (1, 2):
        recordings(tmp_path / f"v{version}", version)
    writer = subprocess.Popen(
        [sys.executable, "-c", LOOP, str(tmp_path), way], stdout=subprocess.PIPE, text=True
    )
    try:
        writer.stdout.readline()
        seen = [version_of("mine") for _ in range(300)]
    finally:
        writer.kill()
        replaced = len(writer.communicate()[0].splitlines())
    assert set(seen) == {1, 2}
    assert replaced > 10
    assert sum(a != b for a, b in pairwise(seen)) > 5


@pytest.mark.parametrize("seed", [0])
def test_killed_runs_leave_what_is_whole_and_the_next_ends_as_an_unkilled_one(seed):
    """Kills that landed in data add, replace, extraction, training, compare, export and submit."""
    told = kills(9, seed)
    assert told["wrong"] == []
    assert all(kind["landed"] for kind in told["kinds"].values())


@pytest.mark.slow
def test_a_hundred_kills():
    """At least twelve of each kind of work, thirty while a file or folder under a temporary name is there."""
    told = kills(100, 1)
    print(json.dumps(told))
    assert told["wrong"] == []
    kinds = told["kinds"].values()
    assert sum(kind["landed"] for kind in kinds) == 100
    assert min(kind["landed"] for kind in kinds) >= 12
    assert sum(kind["with_partial"] for kind in kinds) >= 30
    assert told["kinds"]["submit"]["with_log"] >= 3  # SQLite's own half-written state


def kills(n, seed):
    script = Path(__file__).parent / "bench" / "kills.py"
    done = subprocess.run(
        [sys.executable, str(script), "--kills", str(n), "--seed", str(seed)],
        capture_output=True, text=True, env=os.environ | {"OMP_NUM_THREADS": "1"},
    )  # fmt: skip
    assert done.returncode == 0, done.stderr[-2000:]
    return json.loads(done.stdout.splitlines()[-1])
