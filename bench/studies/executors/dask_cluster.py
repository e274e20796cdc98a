"""Clusters of dask: one that is there, by its address; workers on this machine; jobs of a queue; Kubernetes."""

import os
import shutil
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from importlib import import_module
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from ....errors import NotAvailableError, UserError, first_line, missing_extra, unknown
from .processes import THREADS, n_processors, shared_out

if TYPE_CHECKING:
    from distributed import Client

_CONNECT_S = 30
_SETTINGS = "~/.config/dask/jobqueue.yaml, see docs/cluster.md"


@contextmanager
def connected(argument: str) -> "Iterator[Client]":
    """A client of the cluster that an argument names; a cluster that was started for it ends with it.

    Parameters
    ----------
    argument : str
        ``tcp://HOST:PORT`` (or ``tls://``), ``local:N``, ``slurm:N``, ``pbs:N``, ``sge:N``, ``kubernetes:N``.

    Raises
    ------
    UserError
        Where nothing answers, settings are missing or a package is not installed.
    """
    try:
        from distributed import Client
    except ImportError:
        raise missing_extra("distributed", "cluster", why="--on dask") from None
    with ExitStack() as stack:
        if "://" in argument:
            if not urlsplit(argument).netloc:
                raise UserError(f"dask:{argument} names no scheduler: write dask:tcp://HOST:8786")
            where: Any = argument
        else:
            name, _, number = argument.partition(":")
            if name not in CLUSTERS:
                raise unknown("cluster of dask", name, [*CLUSTERS, "tcp://HOST:8786"])
            where = stack.enter_context(CLUSTERS[name](_number(argument, number)))
        try:
            client = Client(where, timeout=_CONNECT_S, set_as_default=False)
        except (OSError, ValueError, TimeoutError) as error:
            raise UserError(
                f"no scheduler of dask answers at {argument} ({first_line(error)}): start one with dask scheduler"
            ) from None
        stack.callback(client.close)
        yield client


@contextmanager
def _local(n: int) -> "Iterator[Any]":
    """Processes on this machine with a scheduler of their own; each has its share of the threads."""
    import dask
    from distributed import LocalCluster

    shares = shared_out(n)
    threads = {name: shares[name] for name in THREADS}
    before = dict(os.environ)
    try:
        with (
            dask.config.set({"distributed.nanny.pre-spawn-environ": threads}),
            LocalCluster(n_workers=n, threads_per_worker=1, dashboard_address="127.0.0.1:0") as cluster,
        ):
            _restore(before)  # dask sets in this process what its workers shall have
            yield cluster
    finally:
        _restore(before)


def _restore(environment: Mapping[str, str]) -> None:
    for name in set(os.environ) - set(environment):
        del os.environ[name]
    os.environ.update(environment)


def _queue(kind: str, name: str) -> "Callable[[int], Any]":
    """Jobs of a queue by dask_jobqueue, with the settings of its own file; jobs that are lost are sent again."""

    @contextmanager
    def cluster(n: int) -> Iterator[Any]:
        made = _class("dask_jobqueue", "dask-jobqueue", kind, name)
        import dask

        absent = [
            one for one in ("cores", "memory") if dask.config.get(f"jobqueue.{name}.{one}", None) is None
        ]
        if absent:
            raise UserError(f"--on dask:{name}: no {' and '.join(absent)} in jobqueue.{name} of {_SETTINGS}")
        if shutil.which(made.job_cls.submit_command) is None:
            raise UserError(
                f"--on dask:{name}: there is no {made.job_cls.submit_command} here, which submits jobs"
            )
        with made() as opened:
            opened.adapt(minimum_jobs=n, maximum_jobs=n)
            yield opened

    return cluster


@contextmanager
def _kubernetes(n: int) -> "Iterator[Any]":
    """Pods by dask_kubernetes' operator, with the settings of dask's own file."""
    made = _class("dask_kubernetes.operator", "dask-kubernetes", "KubeCluster", "kubernetes")
    with made(n_workers=n, worker_command=["dask", "worker", "--nthreads", "1"]) as cluster:
        yield cluster


def _class(module: str, package: str, name: str, on: str) -> Any:
    try:
        return getattr(import_module(module), name)
    except ImportError:
        raise NotAvailableError(
            f"--on dask:{on} needs the package {package!r}: pip install {package}"
        ) from None


CLUSTERS: "Mapping[str, Callable[[int], Any]]" = {
    "local": _local,
    "slurm": _queue("SLURMCluster", "slurm"),
    "pbs": _queue("PBSCluster", "pbs"),
    "sge": _queue("SGECluster", "sge"),
    "kubernetes": _kubernetes,
}
"""What stands before the colon -> a context manager that takes the number of workers."""


def _number(argument: str, number: str) -> int:
    if not number and argument == "local":
        return max(1, n_processors() // 2)
    if not number.isdecimal() or int(number) < 1:
        raise UserError(f"dask:{argument}: how many workers? A whole number from 1, such as dask:local:2")
    return int(number)
