"""A real server of S3 on this machine, and this process's way to it."""

import logging
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

SECRET = "a-secret-that-nobody-writes-down"


@contextmanager
def s3_server() -> Iterator[str]:
    """The address of a server with one bucket, which the environment leads to, as that of a child does."""
    s3fs = pytest.importorskip("s3fs")
    moto = pytest.importorskip("moto.server")
    logging.getLogger("werkzeug").setLevel(logging.ERROR)
    server = moto.ThreadedMotoServer("127.0.0.1", 0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    s3fs.S3FileSystem.clear_instance_cache()
    try:
        with pytest.MonkeyPatch.context() as patch:
            patch.setenv("AWS_ENDPOINT_URL", f"http://{host}:{port}")
            patch.setenv("AWS_ACCESS_KEY_ID", "somebody")
            patch.setenv("AWS_SECRET_ACCESS_KEY", SECRET)
            patch.setenv("AWS_DEFAULT_REGION", "us-east-1")
            s3fs.S3FileSystem(skip_instance_cache=True).mkdir("bucket")
            yield f"http://{host}:{port}"
    finally:
        s3fs.S3FileSystem.clear_instance_cache()
        server.stop()
