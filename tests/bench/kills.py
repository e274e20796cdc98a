"""Kill brodmann at random moments: what is there is whole or absent, and the next run ends as an unkilled one.

``python kills.py --kills 100 --seed 0`` prints one JSON object, and a line a kill on the way. One process imports
everything; every run is a fork of it, so that a kill costs little and lands in the work rather than in the imports.

Two kills of three are aimed at the files: an unkilled run says when it opens one to write, names, makes or removes one;
one of these moments is drawn, and the kill comes at a random time between it and the next. The third comes at a random
time of the run.
"""

import argparse
import contextlib
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
from brodmann import places
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

STRAY = re.compile(r"\..+\.(partial|aside)")
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


def nothing() -> None:
    """What most runs do before they begin."""


def without_exchange() -> None:
    """As on a system that cannot swap two names in one step."""
    places._exchanged = lambda _one, _other: False


class Replace(Add):
    ways = (nothing, without_exchange)

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
        if path.name.endswith(("-wal", "-shm")) or not path.is_file():
            continue
        if path.suffix == ".sqlite":
            found[name] = tables(path)
        else:
            found[name] = hashlib.sha256(path.read_bytes()).hexdigest()
    return found


CHANGES = ("os.rename", "os.mkdir", "os.remove", "os.rmdir", "os.link", "os.symlink", "sqlite3.connect")


def touches(event: str, arguments: tuple[object, ...], folder: Path) -> bool:
    """Whether Python is about to change a file below a folder."""
    if event == "open":
        flags = arguments[2]
        if not isinstance(flags, int) or not flags & (os.O_WRONLY | os.O_RDWR | os.O_CREAT):
            return False
    elif event not in CHANGES:
        return False
    return any(
        os.fsdecode(one).startswith(str(folder))
        for one in arguments
        if isinstance(one, str | bytes | os.PathLike)
    )


def forked(work, folder: Path, tell, before) -> int:
    """A process that works in a folder; it calls `tell` whenever it is about to change a file there."""
    child = os.fork()
    if child:
        return child
    code = 1
    try:
        os.nice(5)  # whoever kills it comes first
        os.environ["BRODMANN_HOME"] = str(folder / "home")
        before()
        sys.addaudithook(lambda event, arguments: tell() if touches(event, arguments, folder) else None)
        tell()
        work(folder)
        code = 0
    except BaseException:
        traceback.print_exc()
    finally:
        os._exit(code)


def finished(work, folder: Path, before=nothing) -> list[float]:
    """Run to the end; seconds from the start to each change of a file, and to the end."""
    with tempfile.TemporaryFile() as told:
        child = forked(work, folder, lambda: os.write(told.fileno(), b"%f\n" % time.monotonic()), before)
        _, status = os.waitpid(child, 0)
        ended = time.monotonic()
        assert status == 0, f"{getattr(work, '__qualname__', work)} ended with {status}"
        told.seek(0)
        times = [float(line) for line in told] + [ended]
    return [one - times[0] for one in times]


def killed(work, folder: Path, change: int, after_s: float, before=nothing) -> bool:
    """Kill a run so long after a change of a file; whether it landed, by how the process ended."""
    ready, say = os.pipe()
    child = forked(work, folder, lambda: os.write(say, b"."), before)
    os.close(say)
    for _ in range(change + 1):
        if not os.read(ready, 1):
            break  # it ended before
    time.sleep(after_s)
    with contextlib.suppress(ProcessLookupError):
        os.kill(child, signal.SIGKILL)
    _, status = os.waitpid(child, 0)
    os.close(ready)
    assert os.WIFSIGNALED(status) or status == 0, f"it failed by itself: {status}"
    return os.WIFSIGNALED(status) and os.WTERMSIG(status) == signal.SIGKILL


def moment(times: list[float], chance: random.Random) -> tuple[int, float]:
    """A change of a file, and how long after it."""
    if chance.random() < 1 / 3:
        return 0, times[-1] * chance.random()
    change = chance.randrange(1, len(times) - 1)
    return change, (times[change + 1] - times[change]) * chance.random()


def half_written(folder: Path) -> tuple[bool, bool]:
    """Whether files or folders under a temporary name are there, and what SQLite has not yet put into its file."""
    names = [path for path in folder.rglob("*") if STRAY.fullmatch(path.name)]
    logs = [
        path for path in folder.rglob("*.sqlite-*") if path.stat().st_size and path.suffix != ".sqlite-shm"
    ]
    return bool(names), bool(logs)


class Kind:
    """One kind of work, as it is before it and after it."""

    def __init__(self, name: str, place: Path, seed: int) -> None:
        self.name, self.work, self.kept = name, KINDS[name](), place / name
        self.root = place / "here"  # every run is in a folder of the same name: records keep paths
        self.chance = random.Random(f"{seed} {name}")
        self.counts = dict.fromkeys(("runs", "landed", "changed", "with_partial", "with_log"), 0)
        self.wrong: list[str] = []
        self.root.mkdir()
        finished(self.work.prepare, self.root)
        shutil.copytree(self.root, self.kept)
        self.times = finished(self.work.run, self.root)
        self.whole, self.untouched = state(self.root), state(self.kept)
        shutil.rmtree(self.root)

    def kill(self) -> None:
        """Kill one run, look at what it left, run again."""
        change, after_s = moment(self.times, self.chance)
        said = f"{self.name}, {after_s:.4f} s after change {change} of {len(self.times) - 2}"
        before = self.chance.choice(getattr(self.work, "ways", [nothing]))
        shutil.copytree(self.kept, self.root)
        self.counts["runs"] += 1
        try:
            if killed(self.work.run, self.root, change, after_s, before):
                self._look(said)
        except AssertionError as error:
            self.wrong.append(f"{said}: {error}")
        shutil.rmtree(self.root)

    def _look(self, said: str) -> None:
        left, logs = half_written(self.root)
        self.counts["landed"] += 1
        self.counts["with_partial"] += left
        self.counts["with_log"] += logs
        self.counts["changed"] += state(self.root) != self.untouched
        print(said, "partial" if left else "", "log" if logs else "", file=sys.stderr, flush=True)
        finished(self.work.check, self.root)
        finished(self.work.run, self.root)
        now = state(self.root)
        odd = sorted(key for key in {*now, *self.whole} if now.get(key) != self.whole.get(key))
        if odd:
            self.wrong.append(f"{said}: {odd[:3]}")
        strays = [str(path) for path in self.root.rglob(".*") if STRAY.fullmatch(path.name)]
        if strays:
            self.wrong.append(f"{said} leaves {strays[:3]}")


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
    with tempfile.TemporaryDirectory() as place:
        kinds = [Kind(name, Path(place), options.seed) for name in options.of]
        for _ in range(2 * options.kills):
            if sum(kind.counts["landed"] for kind in kinds) == options.kills or time.monotonic() > until:
                break
            min(kinds, key=lambda kind: kind.counts["landed"]).kill()
    print(
        json.dumps(
            {
                "kinds": {kind.name: kind.counts for kind in kinds},
                "wrong": [line for kind in kinds for line in kind.wrong],
                "seconds": {kind.name: round(kind.times[-1], 3) for kind in kinds},
            }
        )
    )


if __name__ == "__main__":
    main()
