"""A small study some of whose networks take the process with them, as often as a file says."""

import json
from pathlib import Path

import numpy as np
import pandas as pd
from PIL import Image

from brodmann.bench.studies.cells import Batch, Cell
from brodmann.brain_data.catalogue import add_dataset

N_STIMULI = 24
BENCHMARKS = ("mine.region-ridge", "mine.region-rsa")
_MODELS = '''
import os
import signal
from pathlib import Path

import torch
from brodmann.models import VisionModel
from brodmann.models.extraction.vision_model import ImagePreprocessing

TOLL = Path(__file__).with_name("toll")


class Deadly(torch.nn.Module):
    """Kills its process as long as there are files toll/NAME-*, and takes one away each time."""

    def __init__(self, name):
        super().__init__()
        self.name = name

    def forward(self, x):
        for path in sorted(TOLL.glob(self.name + "-*")):
            path.unlink()
            os.kill(os.getpid(), signal.SIGKILL)
        return x


def made(name, seed):
    torch.manual_seed(seed)
    network = torch.nn.Sequential(torch.nn.Conv2d(3, 4, 5, 2), Deadly(name), torch.nn.ReLU(), torch.nn.Flatten())
    return VisionModel(network, identifier=name, preprocess=ImagePreprocessing(16), layers=["0", "3"], cache=False)


def first():
    return made("first", 1)


def second():
    return made("second", 2)


def third():
    return made("third", 3)


def fourth():
    return made("fourth", 4)


def fifth():
    return made("fifth", 5)


def wrong():
    raise RuntimeError("this network cannot be made")
'''


class World:
    """A folder with a data set, a file of networks, and what they are to do."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        (folder / "toll").mkdir()
        (folder / "networks.py").write_text(_MODELS)
        (folder / "data" / "stimuli").mkdir(parents=True)
        chance = np.random.default_rng(0)
        pictures = chance.integers(0, 256, (N_STIMULI, 16, 16, 3), dtype=np.uint8)
        names = [f"s{i}" for i in range(N_STIMULI)]
        for name, picture in zip(names, pictures, strict=True):
            Image.fromarray(picture).save(folder / "data" / "stimuli" / f"{name}.png")
        stimuli = pd.DataFrame({"stimulus_id": names, "filename": [f"{name}.png" for name in names]})
        stimuli.to_csv(folder / "data" / "stimuli.csv", index=False)
        responses = pictures.reshape(N_STIMULI, -1)[:, ::97] / 255 + 0.1 * chance.normal(size=(N_STIMULI, 8))
        np.savez(folder / "data" / "responses.npz", responses=responses, stimulus_id=names)
        add_dataset("mine", folder / "data")

    def kill(self, name: str, times: int) -> None:
        """A network is to kill its process so often."""
        for number in range(times):
            (self.folder / "toll" / f"{name}-{number}").touch()

    def batches(self, *names: str) -> list[Batch]:
        """A batch a network, with every benchmark."""
        return [
            Batch(
                tuple(
                    Cell(
                        f"{self.folder / 'networks.py'}:{name}",
                        one,
                        bootstraps=20,
                        permutations=19,
                        beyond=(),
                    )
                    for one in BENCHMARKS
                )
            )
            for name in names
        ]


def numbers(run: Path) -> dict[str, object]:
    """Every record of a run with all its numbers, less how long it took."""
    found = {}
    for path in sorted(run.glob("*.json")):
        record = json.loads(path.read_text())
        del record["seconds"], record["checksum"]
        arrays = np.load(path.with_suffix(".npz"))
        found[path.name] = record, {name: arrays[name].tolist() for name in arrays.files}
    return found


def states(events) -> dict[tuple[str, str], list[str]]:
    """What was told of each cell, by network and benchmark."""
    told: dict[tuple[str, str], list[str]] = {}
    for event in events:
        told.setdefault((event.cell.model.partition(":")[2], event.cell.benchmark), []).append(event.state)
    return told
