"""Plugins that several tests look at, and the models and recordings behind them."""

import pytest
from plugin_cases import TWIN, recordings, scored

import brodmann
from brodmann.bench.plugins import write_model_plugin


@pytest.fixture(scope="session")
def twin():
    return brodmann.load_model(TWIN)


@pytest.fixture(scope="session")
def written(twin, tmp_path_factory):
    """The plugin of a twin, whose layers of two regions come from records."""
    records = [scored(twin, "IT", "layer3.0"), scored(twin, "V1", "layer1.0.conv1")]
    return write_model_plugin(records, TWIN, tmp_path_factory.mktemp("plugins"), metadata=True)


STORIES = "stories260k-llama"


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
