"""A web server on this machine, as the tests of installing have it."""

import importlib.util
from pathlib import Path

import pytest


@pytest.fixture
def server():
    """It serves ``server.files``, and can break off a transfer."""
    spec = importlib.util.spec_from_file_location(
        "tests_of_install", Path(__file__).parents[1] / "test_install.py"
    )
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    one = module.Server()
    yield one
    one.close()
