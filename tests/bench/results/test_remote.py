"""Runs in a store: a real server of S3 on this machine, with the ways in which it fails, and other file systems."""

import json
import logging
import shutil
import threading
import time

import numpy as np
import pytest
from servers import SECRET, s3_server

import brodmann
from brodmann.bench.leaderboard.submission.build import gathered
from brodmann.bench.reports.collect import compare
from brodmann.bench.results import remote
from brodmann.bench.results.store import Run, arrays_of, open_run
from brodmann.errors import UserError


@pytest.fixture(scope="module")
def server():
    """A server of S3 with one bucket, and this process's way to it."""
    with s3_server() as address:
        yield address


def files():
    from s3fs import S3FileSystem

    return S3FileSystem(skip_instance_cache=True, use_listings_cache=False)


@pytest.fixture(scope="module")
def record(tmp_path_factory, brodmann_home):
    """A real record in a folder, and its arrays."""
    run = tmp_path_factory.mktemp("run")
    score = brodmann.score(
        "pixels", "simulated-cortex.V1-ridge", run=run, n_bootstraps=20, n_permutations=19, beyond=()
    )
    return {name: value for name, value in score.attrs["record"].items() if name != "cached"}


def kept(url, record):
    run = open_run(url)
    run.keep(
        {name: value for name, value in record.items() if name not in ("file", "format", "arrays")},
        arrays_of(record),
    )
    return run


def without_file(record):
    return {name: value for name, value in record.items() if name != "file"}


def named_store(request, tmp_path):
    """The URL of a folder that has not been used."""
    if request.param == "s3":
        request.getfixturevalue("server")
        return f"s3://bucket/{tmp_path.name}"
    return f"memory://{tmp_path.name}" if request.param == "memory" else f"local://{tmp_path}/store"


@pytest.fixture(params=["s3", "memory", "local"])
def url(request, tmp_path):
    """A folder in stores of three kinds."""
    return named_store(request, tmp_path)


def test_what_is_kept_is_found_by_another_machine(url, record):
    run = kept(url, record)
    assert open_run(url) == run
    shutil.rmtree(run.folder)  # another machine has no mirror yet
    found = run.find(record["model"], record["benchmark"], record["key"])
    assert without_file(found) == without_file(record)
    for name, values in arrays_of(record).items():
        np.testing.assert_array_equal(arrays_of(found)[name], values)
    assert run.find(record["model"], record["benchmark"], "0" * 64) is None
    shutil.rmtree(run.folder)
    assert [without_file(one) for one in run.records()] == [without_file(record)]
    (again,) = run.records_of([run.folder.parent / "of another machine" / found["file"].rpartition("/")[2]])
    assert without_file(again) == without_file(record)


def test_a_score_is_computed_once_whoever_asks(server, brodmann_home, tmp_path):
    url = f"s3://bucket/{tmp_path.name}"
    words = {"run": url, "n_bootstraps": 20, "n_permutations": 19, "beyond": ()}
    assert not brodmann.score("pixels", "simulated-cortex.V1-ridge", **words).attrs["cached"]
    shutil.rmtree(open_run(url).folder)
    assert brodmann.score("pixels", "simulated-cortex.V1-ridge", **words).attrs["cached"]


def test_comparisons_and_submissions_read_it(url, record):
    kept(url, record)
    shutil.rmtree(open_run(url).folder)
    found = compare([url])
    assert [without_file(one) for one in found.records] == [without_file(record)]
    assert found.sources == [url]
    document, _ = gathered([url])
    assert len(document["scores"]) == 1


def test_a_record_of_the_store_that_is_gone_is_gone_here(url, record):
    run = kept(url, record)
    with remote._said(url) as (store, root):
        for path in store.find(root):
            store.rm_file(path)
    assert run.find(record["model"], record["benchmark"], record["key"]) is None
    with remote._said(url) as (store, root):
        store.pipe_file(f"{root}/note.txt", b"no record")
    assert list(run.records()) == []


def test_what_was_damaged_in_the_store_is_named_and_what_was_damaged_here_is_fetched(url, record):
    run = kept(url, record)
    path = run.path(record["model"], record["benchmark"], record["key"])
    path.with_suffix(".npz").write_bytes(b"damaged")
    assert run.find(record["model"], record["benchmark"], record["key"]) is not None
    content = json.loads(path.read_text()) | {"score": 9.0}
    remote._put(url, path.name, json.dumps(content).encode())
    assert run.find(record["model"], record["benchmark"], record["key"]) is None
    with pytest.raises(UserError, match=rf"{url}/.*is damaged \(its checksum does not match\)"):
        list(run.records())


def test_arrays_come_before_their_record(server, record, tmp_path, monkeypatch):
    sent = []
    put = remote._put
    monkeypatch.setattr(
        remote, "_put", lambda url, name, content: (sent.append(name), put(url, name, content))
    )
    kept(f"s3://bucket/{tmp_path.name}", record)
    assert [name.rpartition(".")[2] for name in sent] == ["npz", "json"]


def test_a_bucket_that_is_not_there_is_one_line_before_the_work(server, record):
    with pytest.raises(UserError, match="the store of s3://none/run does not do it") as caught:
        open_run("s3://none/run").find(record["model"], record["benchmark"], record["key"])
    assert "\n" not in str(caught.value)
    with pytest.raises(UserError, match="s3://none/run"):
        compare(["s3://none/run"])


def test_an_empty_folder_is_a_run_that_is_not_there(server):
    with pytest.raises(
        UserError, match="no run at s3://bucket/nothing: make one with .* --run s3://bucket/nothing"
    ):
        list(open_run("s3://bucket/nothing").records())


def test_a_key_that_is_missing_and_a_server_that_is_down_are_one_line(server, record, monkeypatch, tmp_path):
    import s3fs

    s3fs.S3FileSystem.clear_instance_cache()
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:9")
    monkeypatch.setenv("AWS_MAX_ATTEMPTS", "1")
    monkeypatch.setattr("s3fs.core.S3FileSystem.retries", 1)
    with pytest.raises(UserError, match="the store of s3://bucket/down does not do it") as caught:
        open_run("s3://bucket/down").find(record["model"], record["benchmark"], record["key"])
    assert SECRET not in str(caught.value)
    s3fs.S3FileSystem.clear_instance_cache()
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.delenv(name)
    monkeypatch.setenv("AWS_CONFIG_FILE", str(tmp_path / "none"))
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(tmp_path / "none"))
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    with pytest.raises(UserError, match="the store of s3://bucket/run does not do it"):
        open_run("s3://bucket/run").find(record["model"], record["benchmark"], record["key"])
    s3fs.S3FileSystem.clear_instance_cache()


def test_credentials_are_written_nowhere(server, record, tmp_path, brodmann_home, caplog):
    url = f"s3://bucket/{tmp_path.name}"
    with caplog.at_level(logging.DEBUG, logger="brodmann"):
        kept(url, record)
    store = files()
    written = [store.cat_file(path) for path in store.find(url)]
    written += [path.read_bytes() for path in open_run(url).folder.rglob("*") if path.is_file()]
    assert len(written) >= 4
    assert not any(SECRET.encode() in content for content in written)
    assert SECRET not in caplog.text


@pytest.mark.parametrize(
    ("url", "line"),
    [
        ("s3://key:secret@bucket/run", "a password in the URL of a run"),
        ("s3://", "names no folder of a store"),
        ("nosuch://bucket/run", "the store of nosuch://bucket/run does not do it"),
    ],
)
def test_a_url_that_is_none_is_one_line(url, line):
    with pytest.raises(UserError, match=line) as caught:
        list(open_run(url).records())
    assert "secret" not in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_url_of_a_file_is_its_folder(tmp_path):
    assert open_run(f"file://{tmp_path}") == Run(tmp_path)
    assert open_run(Run(tmp_path)) == Run(tmp_path)


@pytest.fixture(params=["folder", "s3", "memory", "local"])
def claimed(request, tmp_path):
    """A run in a folder or in a store, in which work is claimed."""
    return Run(tmp_path / "run") if request.param == "folder" else open_run(named_store(request, tmp_path))


def test_who_claims_what_is_claimed_waits_until_it_is_free(claimed, monkeypatch):
    order, waits = [], threading.Event()
    sleep = time.sleep

    def waiting(seconds):
        waits.set()
        sleep(0.01)

    monkeypatch.setattr("brodmann.bench.results.run.time.sleep", waiting)

    def other():
        with claimed.claim("cell"):
            order.append("the other")

    thread = threading.Thread(target=other)
    with claimed.claim("cell"), claimed.claim("another cell"):
        thread.start()
        assert waits.wait(20)
        order.append("free")
    thread.join(20)
    assert order == ["free", "the other"]
    assert list(claimed.folder.glob(".*claim")) == []


def test_what_a_lost_machine_claimed_is_free_after_a_while(server, tmp_path, monkeypatch):
    monkeypatch.setattr(remote, "LEASE_S", 0.2)
    monkeypatch.setattr(remote, "WAIT_S", 0.01)
    run = open_run(f"s3://bucket/{tmp_path.name}")
    remote._put(run.url, ".cell.claim", b"of a machine that is gone")
    with run.claim("cell"):
        assert remote._content(run.url, ".cell.claim") != b"of a machine that is gone"
    assert remote._content(run.url, ".cell.claim") == b""
