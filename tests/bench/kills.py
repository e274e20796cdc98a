"""Kill brodmann at random moments: what is there is whole or absent, and the next run ends as an unkilled one.

``python kills.py --kills 100 --seed 0`` prints one JSON object. One process imports everything; every run is a fork of
it, so that a kill costs little and lands in the work rather than in the imports.
"""

import argparse
import hashlib
import json
import os
import random
import re
import shutil
import signal
import sqlite3
import sys
import tempfile
import time
import traceback
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))

import numpy as np
import pandas as pd
import torch
from boards import document
from PIL import Image

import brodmann
from brodmann.bench.brainscore_plugins import write_benchmark_plugin
from brodmann.bench.leaderboard.submit import send
from brodmann.bench.reports.collect import compare
from brodmann.bench.reports.html import write_report
from brodmann.brain_data.catalogue import add_dataset, list_datasets, load_dataset
from brodmann.brain_data.stimulus_set import StimulusSet
from brodmann.models import VisionModel
from brodmann.models.extraction.vision_model import ImagePreprocessing
from brodmann.models.training import loop
from brodmann.models.training.recipe import Recipe
from brodmann.models.training.texts import corpus

STRAY = re.compile(r"\..+\.[a-z0-9_]{8}\.(partial|aside)")
N = 40


def recordings(folder: Path, version: int) -> None:
    """A folder of pictures and responses; every number, and the pictures' names, say which version it is."""
    (folder / "stimuli").mkdir(parents=True)
    rng = np.random.default_rng(version)
    rows = []
    for i in range(N):
        name = f"v{version}-{i}.png"
        Image.fromarray(rng.integers(0, 256, (16, 16, 3), dtype=np.uint8)).save(folder / "stimuli" / name)
        rows.append({"stimulus_id": f"s{i}", "filename": name})
    pd.DataFrame(rows).to_csv(folder / "stimuli.csv", index=False)
    responses = np.full((N, 6), float(version)) + np.arange(N)[:, None] * np.arange(1, 7)
    np.savez(folder / "responses.npz", responses=responses, stimulus_id=[f"s{i}" for i in range(N)])


def version_of(name: str) -> int:
    """Which version an installed data set is; it raises where it is of two, or not whole."""
    dataset = load_dataset(name)
    versions = {int(path.name[1 : path.name.index("-")]) for path in dataset.stimuli.stimulus_paths.values()}
    versions.add(int(dataset.responses.values[0, 0]))
    (version,) = versions
    return version


def whole_version_of(name: str) -> int:
    """The same, with its pictures looked for."""
    assert all(path.is_file() for path in load_dataset(name).stimuli.stimulus_paths.values())
    return version_of(name)


class Add:
    def prepare(self, folder: Path) -> None:
        recordings(folder / "v1", 1)

    def run(self, folder: Path) -> None:
        add_dataset("mine", folder / "v1")

    def check(self, folder: Path) -> None:
        names = [one.identifier for one in list_datasets()]
        assert "mine" not in names or whole_version_of("mine") == 1
        assert not any(name.startswith(".") for name in names)


class Replace(Add):
    def prepare(self, folder: Path) -> None:
        recordings(folder / "v1", 1)
        recordings(folder / "v2", 2)
        add_dataset("mine", folder / "v1")

    def run(self, folder: Path) -> None:
        add_dataset("mine", folder / "v2")

    def check(self, folder: Path) -> None:
        assert whole_version_of("mine") in (1, 2)


class Extract:
    def prepare(self, folder: Path) -> None:
        recordings(folder / "v1", 1)

    def run(self, folder: Path) -> None:
        paths = {path.stem: path for path in sorted((folder / "v1" / "stimuli").glob("*.png"))}
        stimuli = StimulusSet({"stimulus_id": list(paths)})
        stimuli.stimulus_paths = paths
        torch.manual_seed(0)
        network = torch.nn.Sequential(torch.nn.Conv2d(3, 32, 3), torch.nn.Conv2d(32, 32, 3))
        VisionModel(
            network, identifier="two", preprocess=ImagePreprocessing(32), layers=["0", "1"], batch_size=2
        ).extract(stimuli)

    def check(self, folder: Path) -> None:
        from brodmann.models.extraction import activation_cache

        for path in (folder / "home").rglob("[!.]*.npy"):
            if path.with_suffix(".json").exists():
                assert activation_cache.find(path.stem) is not None


class Train:
    def prepare(self, folder: Path) -> None:
        pass

    def run(self, folder: Path) -> None:
        recipe = Recipe("language", tau=1.0, steps=8, batch=4, size=16, widths=(16, 1, 2, 300))
        loop.train(recipe, corpus(None, vocabulary=300), folder / "trained", checkpoint_s=0)

    def check(self, folder: Path) -> None:
        weights, told = folder / "trained" / "weights.safetensors", folder / "trained" / "training.json"
        assert weights.exists() or not told.exists()
        if told.exists():
            json.loads(told.read_bytes())


class Compare:
    def prepare(self, folder: Path) -> None:
        for model in ("pixels", "gabor-pyramid"):
            brodmann.score(
                model, "simulated-cortex.V1-ridge", run=folder / "run", n_bootstraps=20, n_permutations=19
            )

    def run(self, folder: Path) -> None:
        write_report(compare([folder / "run"]), folder / "report", "brodmann compare run", vector=False)

    def check(self, folder: Path) -> None:
        for path in (folder / "report").rglob("[!.]*.png"):
            Image.open(path).verify()
        report = folder / "report" / "report.html"
        assert not report.exists() or report.read_text().rstrip().endswith("</html>")


class Export:
    def prepare(self, folder: Path) -> None:
        recordings(folder / "v1", 1)
        add_dataset("mine", folder / "v1")

    def run(self, folder: Path) -> None:
        if not any(path.is_dir() for path in (folder / "plugins").glob("[!.]*")):  # it refuses what is there
            write_benchmark_plugin("mine.region-pls", folder / "plugins", region="IT")

    def check(self, folder: Path) -> None:
        for path in (folder / "plugins").glob("[!.]*"):
            if path.is_dir():
                assert path.with_suffix(".zip").exists(), "a plugin without its zip"


class Submit:
    def prepare(self, folder: Path) -> None:
        pass

    def run(self, folder: Path) -> None:
        send(document(), folder / "board.sqlite", who="somebody")

    def check(self, folder: Path) -> None:
        if (folder / "board.sqlite").exists():
            rows = tables(folder / "board.sqlite")
            assert rows.get("brodmann_submission", 0) == rows.get("brodmann_score", 0) <= 1, rows


KINDS = {
    "add": Add, "replace": Replace, "extract": Extract, "train": Train, "compare": Compare, "export": Export,
    "submit": Submit,
}  # fmt: skip


LONG = ("train", "compare")
"""What takes seconds is killed a third as often."""


def tables(board: Path) -> dict[str, int]:
    """Rows by table of a board that is sound."""
    with sqlite3.connect(board) as opened:
        assert opened.execute("pragma integrity_check").fetchone() == ("ok",)
        names = [row[0] for row in opened.execute("select name from sqlite_master where type = 'table'")]
        counts = {name: opened.execute(f'select count(*) from "{name}"').fetchone()[0] for name in names}
    opened.close()
    return counts


def state(folder: Path) -> dict[str, object]:
    """Every file by its digest; of a board the rows of its tables, since it knows when it was written."""
    found: dict[str, object] = {}
    for path in sorted(folder.rglob("*")):
        name = str(path.relative_to(folder))
        if path.name.endswith((".lock", "-wal", "-shm")) or not path.is_file():
            continue
        if path.suffix == ".sqlite":
            found[name] = tables(path)
        else:
            found[name] = hashlib.sha256(path.read_bytes()).hexdigest()
    return found


def forked(work, folder: Path) -> tuple[int, int]:
    """A process that works in a folder; it says when it begins."""
    ready, say = os.pipe()
    child = os.fork()
    if child:
        os.close(say)
        return child, ready
    code = 1
    try:
        os.environ["BRODMANN_HOME"] = str(folder / "home")
        os.close(ready)
        os.write(say, b"1")
        work(folder)
        code = 0
    except BaseException:
        traceback.print_exc()
    finally:
        os._exit(code)


def finished(work, folder: Path) -> float:
    """Run to the end; how long it took."""
    child, ready = forked(work, folder)
    os.read(ready, 1)
    os.close(ready)
    start = time.monotonic()
    _, status = os.waitpid(child, 0)
    assert status == 0, f"{getattr(work, '__qualname__', work)} ended with {status}"
    return time.monotonic() - start


def killed(work, folder: Path, after_s: float) -> bool:
    """Kill a run; whether the kill landed, by how the process ended."""
    child, ready = forked(work, folder)
    os.read(ready, 1)
    os.close(ready)
    time.sleep(after_s)
    os.kill(child, signal.SIGKILL)
    _, status = os.waitpid(child, 0)
    assert os.WIFSIGNALED(status) or status == 0, f"it failed by itself: {status}"
    return os.WIFSIGNALED(status) and os.WTERMSIG(status) == signal.SIGKILL


def main() -> None:
    """Kill, look, run again, compare."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--kills", type=int, default=7)
    parser.add_argument("--seconds", type=float, default=3600, help="The most that all take.")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--of", nargs="*", default=list(KINDS))
    options = parser.parse_args()
    torch.set_num_threads(1)
    until = time.monotonic() + options.seconds
    chance = random.Random(options.seed)
    landed = dict.fromkeys(options.of, 0)
    began = dict.fromkeys(options.of, 0)
    wrong: list[str] = []
    with tempfile.TemporaryDirectory() as place:
        root = Path(place) / "here"  # every run is in a folder of the same name: records keep paths
        kept, times, whole = {}, {}, {}
        for name in options.of:
            kind = KINDS[name]()
            root.mkdir()
            finished(kind.prepare, root)
            kept[name] = Path(place) / name
            shutil.copytree(root, kept[name])
            times[name] = finished(kind.run, root)
            whole[name] = state(root)
            shutil.rmtree(root)
        tries = 0
        while sum(landed.values()) < options.kills and tries < 3 * options.kills and time.monotonic() < until:
            tries += 1
            name = min(options.of, key=lambda one: landed[one] * (3 if one in LONG else 1))
            kind = KINDS[name]()
            shutil.copytree(kept[name], root)
            after_s = times[name] * chance.random() ** 0.5  # what is written is written late
            try:
                if killed(kind.run, root, after_s):
                    landed[name] += 1
                    began[name] += state(root) != state(kept[name])
                    finished(kind.check, root)
                    finished(kind.run, root)
                    now = state(root)
                    odd = sorted(key for key in {*now, *whole[name]} if now.get(key) != whole[name].get(key))
                    if odd:
                        wrong.append(f"{name} after {after_s:.3f} s: {odd[:3]}")
                    strays = [str(path) for path in root.rglob(".*") if STRAY.fullmatch(path.name)]
                    if strays:
                        wrong.append(f"{name} after {after_s:.3f} s leaves {strays[:3]}")
            except AssertionError as error:
                wrong.append(f"{name} after {after_s:.3f} s: {error}")
            shutil.rmtree(root)
    print(json.dumps({"landed": landed, "with_files_changed": began, "wrong": wrong, "seconds": times}))


if __name__ == "__main__":
    main()
