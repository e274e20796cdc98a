"""Clusters that are started for a study: jobs of a queue, by the true dask_jobqueue; pods, by a stand-in."""

import os
import subprocess
import sys
import types

import pytest

from brodmann.bench.studies.cells import Batch, Cell, Job
from brodmann.bench.studies.executors.base import EXECUTORS
from brodmann.bench.studies.executors.dask_cluster import connected
from brodmann.errors import UserError

distributed = pytest.importorskip("distributed")
BATCH = Batch((Cell("pixels", "a"),))

SUBMIT = """#!/bin/sh
cp "$1" "$0.$$.job"
setsid sh "$0.$$.job" > "$0.$$.log" 2>&1 &
echo "Submitted batch job $!"
"""
CANCEL = """#!/bin/sh
kill -- "-$1"
echo "$1" >> "$0.told"
"""
SETTINGS = """
jobqueue:
  slurm:
    cores: 1
    memory: 4GB
    interface: lo
    walltime: '00:10:00'
    job-script-prologue: ['export OMP_NUM_THREADS=1']
"""


@pytest.fixture
def queue(tmp_path, monkeypatch):
    """A machine with SLURM, which runs every job at once."""
    pytest.importorskip("dask_jobqueue")
    import dask

    for name, text in (("sbatch", SUBMIT), ("scancel", CANCEL)):
        (tmp_path / name).write_text(text)
        (tmp_path / name).chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}{os.pathsep}{os.environ['PATH']}")
    (tmp_path / "jobqueue.yaml").write_text(SETTINGS)
    with dask.config.set({}):
        dask.config.refresh(paths=[str(tmp_path)])
        yield tmp_path
    dask.config.refresh()


def test_jobs_of_slurm_by_the_settings_of_their_own_file(queue):
    with connected("slurm:1") as client:
        client.wait_for_workers(1, timeout=120)
        assert list(client.nthreads().values()) == [1]
        assert client.submit(os.environ.get, "OMP_NUM_THREADS").result(60) == "1"
        pid = client.submit(os.getpid).result(60)
    (job,) = queue.glob("sbatch.*.job")
    assert "#SBATCH -t 00:10:00" in job.read_text()
    assert (queue / "scancel.told").read_text()
    gone = ["timeout", "20", "tail", "--pid", str(pid), "-f", "/dev/null"]
    assert subprocess.run(gone).returncode == 0


@pytest.mark.parametrize("name", ["slurm", "pbs", "sge"])
def test_a_queue_without_settings_is_one_line(name):
    pytest.importorskip("dask_jobqueue")
    with pytest.raises(
        UserError, match=f"dask:{name}: no cores and memory in jobqueue.{name} of .*docs/cluster.md"
    ) as caught:
        next(EXECUTORS["dask"].work([BATCH], Job("run"), f"{name}:2"))
    assert "\n" not in str(caught.value)


def test_a_machine_that_submits_no_jobs_is_one_line(queue, monkeypatch):
    monkeypatch.setenv("PATH", "/nowhere")
    with pytest.raises(UserError, match="--on dask:slurm: there is no sbatch here, which submits jobs"):
        next(EXECUTORS["dask"].work([BATCH], Job("run"), "slurm:2"))


def test_pods_are_started_by_the_operator(monkeypatch):
    asked = []

    class KubeCluster(distributed.LocalCluster):
        """The call that dask_kubernetes.operator.KubeCluster of 2026.3 takes."""

        def __init__(
            self, *, name=None, namespace=None, image=None, n_workers=None, resources=None, env=None,
            worker_command=None, port_forward_cluster_ip=None, create_mode=None, shutdown_on_close=None,
            idle_timeout=None, resource_timeout=None, scheduler_service_type=None, custom_cluster_spec=None,
            scheduler_forward_port=None, jupyter=False, loop=None, asynchronous=False, quiet=False,
        ):  # fmt: skip
            asked.append((n_workers, worker_command))
            super().__init__(n_workers=0, dashboard_address=None)

    operator = types.ModuleType("dask_kubernetes.operator")
    operator.KubeCluster = KubeCluster
    monkeypatch.setitem(sys.modules, "dask_kubernetes", types.ModuleType("dask_kubernetes"))
    monkeypatch.setitem(sys.modules, "dask_kubernetes.operator", operator)
    with connected("kubernetes:3") as client:
        assert client.nthreads() == {}
    assert asked == [(3, ["dask", "worker", "--nthreads", "1"])]


@pytest.mark.parametrize(
    ("argument", "absent", "command"),
    [
        ("slurm:2", "dask_jobqueue", "pip install dask-jobqueue"),
        ("kubernetes:2", "dask_kubernetes.operator", "pip install dask-kubernetes"),
        ("local:2", "distributed", r"pip install 'brodmann\[cluster\]'"),
    ],
)
def test_a_package_that_is_absent_is_one_line_with_the_command(argument, absent, command, monkeypatch):
    monkeypatch.setitem(sys.modules, absent, None)
    with pytest.raises(UserError, match=command):
        next(EXECUTORS["dask"].work([BATCH], Job("run"), argument))
