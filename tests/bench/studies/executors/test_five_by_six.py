"""Five models on six benchmarks on dask, with records in S3: a worker is killed midway, and no digit changes."""

import os
import shutil
import signal

import pytest
from deadly import numbers
from servers import s3_server

from brodmann.bench.results.store import open_run
from brodmann.bench.studies.study import Study

METRICS = ("ridge", "linear", "pls", "rsa", "cka", "ridgecv")


@pytest.mark.slow
def test_five_models_on_six_benchmarks_are_complete_and_equal_to_the_digit(world, tmp_path):
    pytest.importorskip("distributed")
    names = ("first", "second", "third", "fourth", "fifth")
    study = Study(
        models=[f"{world.folder / 'networks.py'}:{name}" for name in names],
        benchmarks=[f"mine.region-{metric}" for metric in METRICS],
        bootstraps=50,
        permutations=50,
        name="five-by-six",
    )
    alone = study.work(run=str(tmp_path / "alone"))
    assert len(alone.ends) == 30
    assert not alone.failed
    killed = []

    def kill(event):
        """The worker of the first cell that begins after ten have ended."""
        if event.has_ended:
            ended.append(event)
        elif len(ended) >= 10 and not killed:
            os.kill(int(event.where.rpartition(":")[2]), signal.SIGKILL)
            killed.append(event.where)

    ended = []
    with s3_server():
        spread = study.work(on="dask:local:2", run="s3://bucket/five-by-six", tell=kill)
        assert len(killed) == 1
        assert len({event.where for event in ended} | set(killed)) == 3
        assert len(spread.ends) == 30
        assert not spread.failed
        shutil.rmtree(open_run("s3://bucket/five-by-six").folder)
        assert len(spread.records) == 30
        folder = open_run("s3://bucket/five-by-six").opened()
        assert spread.write(tmp_path / "summary", command="brodmann run")
        again = study.work(run="s3://bucket/five-by-six")
    assert numbers(folder) == numbers(tmp_path / "alone")
    assert {event.state for event in again.ends} == {"stored"}
