"""A real scheduler of dask and workers as processes: one is killed midway, and no digit changes."""

import os
import signal

import pytest
from deadly import BENCHMARKS, numbers, states

from brodmann.bench.studies.cells import Batch, Cell, Event, Job
from brodmann.bench.studies.executors import dask, dask_cluster
from brodmann.bench.studies.executors.base import EXECUTORS
from brodmann.errors import UserError

distributed = pytest.importorskip("distributed")


def work(batches, run, where):
    return EXECUTORS["dask"].work(batches, Job(str(run)), where)


@pytest.fixture(scope="module")
def cluster(world):
    """A scheduler and a worker that are there whoever comes."""
    with distributed.LocalCluster(
        n_workers=1, threads_per_worker=1, dashboard_address="127.0.0.1:0"
    ) as opened:
        yield opened


def test_a_worker_that_is_killed_midway_changes_no_digit(world, expected, tmp_path):
    before = dict(os.environ)
    world.kill("first", 1)
    events = list(work(world.batches("first", "second"), tmp_path, "local:2"))
    ends = [event for event in events if event.has_ended]
    assert [event.state for event in ends] == ["scored"] * 4, events
    assert states(events)["first", BENCHMARKS[0]] == ["running", "running", "scored"]
    assert numbers(tmp_path) == expected
    assert dict(os.environ) == before  # dask sets there what its workers shall have
    for event in events:
        with pytest.raises(ProcessLookupError):
            os.kill(int(event.where.rpartition(":")[2]), signal.SIG_DFL)


def test_what_is_there_is_not_done_again_and_a_cell_that_kills_two_workers_fails(
    world, expected, tmp_path, cluster
):
    first, second = world.batches("first", "second")
    done = work([Batch(second.cells[:1])], tmp_path, cluster.scheduler_address)
    assert [event.state for event in done] == ["running", "scored"]
    world.kill("first", 2)
    events = list(work([Batch(first.cells[:1]), second], tmp_path, cluster.scheduler_address))
    assert states(events) == {
        ("first", BENCHMARKS[0]): ["running", "running", "failed"],
        ("second", BENCHMARKS[0]): ["running", "stored"],
        ("second", BENCHMARKS[1]): ["running", "scored"],
    }
    (failed,) = [event.error for event in events if event.state == "failed"]
    assert "2 workers were lost while they did it" in failed
    assert numbers(tmp_path) == {name: one for name, one in expected.items() if "second" in name}


def test_a_study_that_is_left_begins_nothing_more(world, tmp_path, cluster):
    (batch,) = world.batches("first")
    running = work([batch], tmp_path, cluster.scheduler_address)
    assert next(running).state == "running"
    running.close()
    with distributed.Client(cluster, set_as_default=False) as client:
        client.submit(int, 1, workers=list(client.nthreads())).result(60)
        (topic,) = [
            f"{study}-0"
            for study, told in client.get_events().items()
            if [one for _, one in told] == ["stop"]
        ]
        begun = [one["cell"]["benchmark"] for _, one in client.get_events(topic) if one["state"] == "running"]
    assert begun == [batch.cells[0].benchmark]


def test_workers_of_another_brodmann_are_refused_before_anything_begins(
    world, tmp_path, cluster, monkeypatch
):
    with distributed.Client(cluster, set_as_default=False) as client:
        where = next(iter(client.nthreads()))
    monkeypatch.setattr(distributed.Client, "run", lambda self, function: {where: "another"})
    with pytest.raises(UserError, match=f"the worker {where} has another brodmann than this one"):
        list(work(world.batches("first"), tmp_path, cluster.scheduler_address))


def test_a_worker_that_comes_later_with_another_brodmann_ends_the_study(
    world, tmp_path, cluster, monkeypatch
):
    monkeypatch.setattr(dask, "_check_workers", lambda client: None)
    monkeypatch.setattr(dask, "greeting", lambda: "another")
    with pytest.raises(UserError, match=r"the worker tcp://.* has another brodmann than this one"):
        list(work(world.batches("first"), tmp_path, cluster.scheduler_address))


def test_workers_with_threads_of_dask_are_refused(world, tmp_path, cluster, monkeypatch):
    monkeypatch.setattr(distributed.Client, "nthreads", lambda self: {"tcp://there:1": 2})
    with pytest.raises(UserError, match=r"tcp://there:1 has 2 threads of dask's.*--nthreads 1"):
        list(work(world.batches("first"), tmp_path, cluster.scheduler_address))


def test_a_record_that_is_not_seen_from_here_is_one_line(tmp_path, monkeypatch):
    monkeypatch.setattr(dask, "_SEEN_S", 0.0)
    cell = Cell("pixels", "a")
    dask._check_seen(Event(cell, "scored", "there:1", record=str(tmp_path)), Job("run"))
    dask._check_seen(Event(cell, "scored", "there:1", record="/nowhere/a.json"), Job("s3://bucket/run"))
    with pytest.raises(
        UserError, match="there:1 wrote .*, which is not seen from here: give a run on a disk"
    ):
        dask._check_seen(Event(cell, "scored", "there:1", record=str(tmp_path / "a.json")), Job("run"))


@pytest.mark.parametrize(
    ("argument", "line"),
    [
        ("tcp://127.0.0.1:9", "no scheduler of dask answers at tcp://127.0.0.1:9"),
        ("nonsense://a", "no scheduler of dask answers at nonsense://a"),
        ("tcp://", "dask:tcp:// names no scheduler: write dask:tcp://HOST:8786"),
        ("slrum:2", "unknown cluster of dask 'slrum': did you mean 'slurm'"),
        ("local:none", "dask:local:none: how many workers"),
        ("slurm", "dask:slurm: how many workers"),
        ("", "unknown cluster of dask ''"),
    ],
)
def test_what_is_no_cluster_is_one_line(argument, line, monkeypatch):
    monkeypatch.setattr(dask_cluster, "_CONNECT_S", 1)
    with pytest.raises(UserError, match=line) as caught:
        next(work([Batch((Cell("pixels", "a"),))], "run", argument))
    assert "\n" not in str(caught.value)
