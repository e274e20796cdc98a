import pytest
from deadly import World, numbers

from brodmann.bench.studies.cells import Job
from brodmann.bench.studies.executors.base import EXECUTORS


@pytest.fixture(scope="session")
def world(tmp_path_factory, brodmann_home):
    return World(tmp_path_factory.mktemp("world"))


@pytest.fixture(scope="session")
def expected(world, tmp_path_factory):
    """The numbers of the whole study, done in this process."""
    run = tmp_path_factory.mktemp("one")
    events = list(EXECUTORS["one"].work(world.batches("first", "second"), Job(str(run)), ""))
    assert [event.state for event in events] == ["running", "scored"] * 4, events
    return numbers(run)
