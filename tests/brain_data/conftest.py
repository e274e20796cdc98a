"""A web server on this machine, as the tests of downloads have it."""

from collections.abc import Iterator

import pytest
from web_server import Server


@pytest.fixture
def server() -> Iterator[Server]:
    """It serves ``server.files``, and can break off a transfer."""
    one = Server()
    yield one
    one.close()
