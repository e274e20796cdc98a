"""Processes that are killed while they work: the study is complete, its numbers are those of one process."""

import os
import signal
import subprocess
import sys

import pytest
from deadly import BENCHMARKS, numbers, states

from brodmann.bench.studies.cells import Batch, Cell, Event, Job
from brodmann.bench.studies.executors import messages, processes
from brodmann.bench.studies.executors.base import EXECUTORS
from brodmann.errors import UserError


def is_alive(where):
    try:
        os.kill(int(where.rpartition(":")[2]), 0)
    except ProcessLookupError:
        return False
    return True


def test_a_worker_that_is_killed_is_replaced_and_no_digit_changes(world, expected, tmp_path):
    world.kill("first", 1)
    batches = world.batches("first", "second")
    events = list(EXECUTORS["processes"].work(batches, Job(str(tmp_path)), "2"))
    ends = [event for event in events if event.has_ended]
    assert [event.state for event in ends] == ["scored"] * 4, events
    assert states(events)["first", BENCHMARKS[0]] == ["running", "running", "scored"]
    assert numbers(tmp_path) == expected
    assert len({event.where for event in events}) == 3
    assert not any(is_alive(event.where) for event in events)


def test_a_cell_that_takes_two_workers_with_it_is_failed_and_the_others_are_done(world, expected, tmp_path):
    world.kill("second", 2)
    batches = [Batch(one.cells[:1]) for one in world.batches("second", "first")]
    events = list(EXECUTORS["processes"].work(batches, Job(str(tmp_path)), "1"))
    (failed,) = [event for event in events if event.state == "failed"]
    assert "2 workers were lost while they did it (killed, or out of memory)" in failed.error
    assert "\n" not in failed.error
    assert states(events)["second", BENCHMARKS[0]] == ["running", "running", "failed"]
    assert states(events)["first", BENCHMARKS[0]] == ["running", "scored"]
    assert numbers(tmp_path) == {name: one for name, one in expected.items() if "ridge__first" in name}


def test_a_study_that_is_left_takes_its_workers_along_and_keeps_what_is_done(world, expected, tmp_path):
    running = EXECUTORS["processes"].work(world.batches("first", "second"), Job(str(tmp_path)), "2")
    told = []
    for event in running:
        told.append(event)
        if event.has_ended:
            break
    running.close()
    assert not any(is_alive(event.where) for event in told)
    again = list(EXECUTORS["one"].work(world.batches("first", "second"), Job(str(tmp_path)), ""))
    assert "stored" in [event.state for event in again]
    assert numbers(tmp_path) == expected


def test_a_parent_that_is_killed_leaves_no_worker(world, tmp_path):
    program = (
        "import sys, os, signal\n"
        "from brodmann.bench.studies.cells import Batch, Cell, Job\n"
        "from brodmann.bench.studies.executors.base import EXECUTORS\n"
        "batch = Batch((Cell(sys.argv[1], sys.argv[2]),))\n"
        "for event in EXECUTORS['processes'].work([batch], Job(sys.argv[3]), '1'):\n"
        "    print(event.where, flush=True)\n"
        "    os.kill(os.getpid(), signal.SIGKILL)\n"
    )
    cell = world.batches("first")[0].cells[0]
    words = [sys.executable, "-c", program, cell.model, cell.benchmark, str(tmp_path)]
    parent = subprocess.Popen(words, stdout=subprocess.PIPE, text=True)
    where, rest = parent.communicate(timeout=120)[0].partition("\n")[::2]
    assert parent.returncode == -signal.SIGKILL
    assert where
    assert not rest
    gone = ["timeout", "20", "tail", "--pid", where.rpartition(":")[2], "-f", "/dev/null"]
    assert subprocess.run(gone).returncode == 0


def test_a_network_that_cannot_be_made_fails_alone(world, tmp_path):
    events = list(EXECUTORS["processes"].work(world.batches("wrong"), Job(str(tmp_path)), "1"))
    failed = [event for event in events if event.has_ended]
    assert len(failed) == 2
    assert all("this network cannot be made" in event.error for event in failed)


def test_a_worker_of_another_brodmann_refuses_in_one_line(world, tmp_path, monkeypatch):
    monkeypatch.setattr(processes, "greeting", lambda: "another")
    with pytest.raises(UserError, match=r"the worker .* has another brodmann than this one"):
        list(EXECUTORS["processes"].work(world.batches("first"), Job(str(tmp_path)), "1"))


def test_workers_that_never_begin_end_the_study_in_one_line(world, tmp_path, monkeypatch):
    monkeypatch.setattr(processes, "_PROGRAM", "raise SystemExit(7)")
    with pytest.raises(UserError, match="3 workers ended before they began a cell, with exit status 7"):
        list(EXECUTORS["processes"].work(world.batches("first"), Job(str(tmp_path)), "1"))


@pytest.mark.parametrize("argument", ["0", "-1", "many", "2.5"])
def test_a_number_that_is_none_is_one_line(argument):
    with pytest.raises(UserError, match=r"processes:.*how many\? A whole number from 1"):
        next(EXECUTORS["processes"].work([Batch((Cell("pixels", "a"),))], Job("run"), argument))


def test_threads_and_memory_are_shared_out(monkeypatch):
    monkeypatch.setattr(processes, "n_processors", lambda: 8)
    monkeypatch.setenv("BRODMANN_MEMORY_GB", "6")
    for name in processes.THREADS:
        monkeypatch.delenv(name, raising=False)
    assert processes.shared_out(3)["OMP_NUM_THREADS"] == "2"
    assert processes.shared_out(3)["BRODMANN_MEMORY_GB"] == "2.000"
    assert processes.shared_out(20)["MKL_NUM_THREADS"] == "1"
    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    assert processes.shared_out(2)["OMP_NUM_THREADS"] == "1"
    assert processes.shared_out(2)["OPENBLAS_NUM_THREADS"] == "4"


def test_what_is_left_of_a_batch():
    a, b, c = (Cell("m", name) for name in "abc")
    told = [Event(a, "running", "h:1"), Event(a, "scored", "h:1"), Event(b, "running", "h:1")]
    left, failed = messages.remaining(Batch((a, b, c)), told)
    assert left == Batch((c, b))  # what was begun may kill again: last
    assert failed == []
    left, failed = messages.remaining(Batch((a, b, c)), [*told, Event(b, "running", "h:2")])
    assert left.cells == (c,)
    assert [(one.cell, one.state, one.where) for one in failed] == [(b, "failed", "h:2")]


def test_messages_come_back_as_they_went():
    cell = Cell("m", "b", ("x", "y"), beyond=())
    for event in (Event(cell, "running", "h:1"), Event(cell, "failed", "h:1", 0.5, error="no")):
        assert messages.event_of(messages.event_json(event)) == event
    assert messages.batch_of(messages.batch_json(Batch((cell,)))) == Batch((cell,))
