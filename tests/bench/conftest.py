"""What several tests look at: boards on both kinds of database; plugins, and the models and recordings behind them."""

from pathlib import Path

import pytest
from boards import Postgres
from plugin_cases import TWIN, recordings, scored

import brodmann
from brodmann.bench.brainscore_plugins import write_model_plugin

STORIES = "stories260k-llama"


@pytest.fixture(scope="session")
def postgres():
    """A PostgreSQL server, where Debian's package is installed."""
    if not any(Path("/usr/lib/postgresql").glob("*/bin/initdb")):
        pytest.skip("no PostgreSQL: apt-get install postgresql")
    server = Postgres()
    yield server
    server.stop()


@pytest.fixture(params=["sqlite", "postgresql"])
def address(request, tmp_path):
    """The address of an empty board."""
    from brodmann.bench.leaderboard.storage.database import close_board

    if request.param == "sqlite":
        yield str(tmp_path / "board.sqlite")
    else:
        yield request.getfixturevalue("postgres").database()
    close_board()


@pytest.fixture
def board(address):
    """An empty board that is open."""
    from brodmann.bench.leaderboard.storage.database import open_board

    return open_board(address)


@pytest.fixture(scope="session")
def twin():
    return brodmann.load_model(TWIN)


@pytest.fixture(scope="session")
def written(twin, tmp_path_factory):
    """The plugin of a twin, whose layers of two regions come from records."""
    records = [scored(twin, "IT", "layer3.0"), scored(twin, "V1", "layer1.0.conv1")]
    return write_model_plugin(records, TWIN, tmp_path_factory.mktemp("plugins"), metadata=True)


@pytest.fixture
def stories(test_weights):
    return f"hf:{test_weights / STORIES / 'hf'}"


@pytest.fixture(scope="session")
def own_data(tmp_path_factory):
    folder = tmp_path_factory.mktemp("recordings")
    brodmann.brain_data.add_dataset("my-pictures", recordings(folder / "pictures", "vision"))
    brodmann.brain_data.add_dataset(
        "my-sentences", recordings(folder / "sentences", "language", awkward=' "so"')
    )
    return "my-pictures", "my-sentences"
