"""What every test stands on: a home of its own, and the real recordings where they are at hand."""

import os
import warnings
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest

with warnings.catch_warnings(), suppress(ModuleNotFoundError):  # tox -e modern is without it
    warnings.simplefilter("ignore", FutureWarning)  # brainscore-core's Score has no __slots__
    import brainscore_core.metrics  # noqa: F401

_ROOT = Path(__file__).parents[1]


def _real_folder(variable: str, default: str) -> Path:
    folder = Path(os.environ.get(variable) or _ROOT.parent / "shared" / default)
    if not folder.is_dir():
        pytest.skip(f"no real files: {folder} is absent (set {variable})")
    return folder


@pytest.fixture(scope="session")
def test_data() -> Path:
    """The folder of real recordings."""
    return _real_folder("BRODMANN_TEST_DATA", "data")


@pytest.fixture(scope="session")
def test_weights() -> Path:
    """The folder of real trained models."""
    return _real_folder("BRODMANN_TEST_WEIGHTS", "weights")


@pytest.fixture(scope="session")
def test_signals() -> Path:
    """The folder of recordings in the layouts of laboratories, small and true, and of some real ones."""
    return _real_folder("BRODMANN_TEST_SIGNALS", "signals")


@pytest.fixture(autouse=True, scope="session")
def brodmann_home(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A home that lives as long as the test run and is nobody's own."""
    folder = tmp_path_factory.mktemp("home")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("BRODMANN_HOME", str(folder))
        patch.setenv("HF_HUB_OFFLINE", "1")
        yield folder
