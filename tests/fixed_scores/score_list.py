"""Scores whose numbers are kept: every metric, on simulated data and on real recordings, with small models.

Only what a user of brodmann calls stands here, so that the list outlives any move inside the package.
"""

import hashlib
import json
import math
import shutil
from dataclasses import dataclass

import numpy as np
import pandas as pd
import scipy.linalg  # noqa: F401  # its BLAS is loaded before threads are limited and machine() names it
import sklearn.utils  # noqa: F401  # so is its OpenMP
import threadpoolctl
import torch

import brodmann


@dataclass(frozen=True)
class Fixed:
    """One score of the list."""

    model: str
    benchmark: str
    layers: tuple[str, ...] | None = None
    n_bootstraps: int = 50
    n_permutations: int = 50
    seed: int = 0

    @property
    def dataset(self):
        return self.benchmark.partition(".")[0]

    @property
    def name(self):
        layers = "" if self.layers is None else " " + ",".join(self.layers)
        return f"{self.model} {self.benchmark}{layers}" + (f" seed {self.seed}" if self.seed else "")

    def score(self, run):
        layers = None if self.layers is None else list(self.layers)
        return brodmann.score(
            self.model, self.benchmark, layers, run=run, seed=self.seed,
            n_bootstraps=self.n_bootstraps, n_permutations=self.n_permutations,
        )  # fmt: skip


LANGUAGE = "simulated-cortex-language.language"
TWIN_LANGUAGE = ("transformer.h.0", "transformer.h.2")
SIMULATED = [
    Fixed("gabor-pyramid", "simulated-cortex.V1-ridge", ("pooled",)),
    Fixed("gabor-pyramid", "simulated-cortex.V1-rsa", ("pooled",)),
    Fixed("random-convnet", "simulated-cortex.IT-ridge", ("conv4", "conv5")),
    Fixed("random-convnet", "simulated-cortex.V1-linear", ("conv5",)),
    Fixed("random-convnet", "simulated-cortex.IT-rsa_crossnobis", ("conv4", "conv5")),
    Fixed("twin-vision-topographic", "simulated-cortex.IT-rsa", ("layer3.0", "layer4.0")),
    Fixed("twin-vision-baseline", "simulated-cortex.IT-ridge", ("layer3.0", "layer4.0"), seed=3),
    Fixed("twin-vision-topographic", "simulated-cortex.IT-pls", ("layer3.0", "layer4.0")),
    Fixed("pixels", "simulated-cortex.IT-decoding"),
    Fixed("brain", "simulated-cortex.IT-decoding"),
    Fixed("pixels", "simulated-cortex.IT-pls"),
    Fixed("pixels", "simulated-cortex.IT-ridge1"),
    Fixed("pixels", "simulated-cortex.IT-linear_predictivity"),
    Fixed("pixels", "simulated-cortex.IT-neuron_to_neuron"),
    Fixed("twin-vision-baseline", "simulated-cortex.IT-ridgecv", ("layer4.0",)),
    Fixed("pixels", "simulated-cortex.IT-cka"),
    Fixed("random-convnet", "simulated-cortex.IT-cka", ("conv4", "conv5"), seed=3),
    Fixed("pixels", "simulated-cortex.IT-cka_biased"),
    Fixed("pixels", "simulated-cortex.IT-rdm"),
    Fixed("pixels", "simulated-cortex.V1-ridge", n_bootstraps=0, n_permutations=0),
    Fixed("word-length-frequency", f"{LANGUAGE}-ridge"),
    Fixed("word-length-frequency", f"{LANGUAGE}-language_linear"),
    Fixed("random-transformer", f"{LANGUAGE}-rsa", ("blocks.1", "blocks.3")),
    Fixed("twin-language-topographic", f"{LANGUAGE}-language_linear", TWIN_LANGUAGE),
    Fixed("twin-language-baseline", f"{LANGUAGE}-linear", ("transformer.h.1",)),
]
REAL = [
    Fixed("cifar10-resnet20", "kriegeskorte2008.hIT-rsa", ("layer1.0", "layer3.2")),
    Fixed("cifar10-resnet20", "kriegeskorte2008.mIT-rsa", ("layer3.2",)),
    Fixed("gabor-pyramid", "kriegeskorte2008.hIT-rsa", ("pooled",)),
    Fixed("brain", "haxby2001-slice.posterior-decoding"),
    Fixed("brain", "zhang2011.IT-decoding"),
    Fixed("pixels", "tang2018.V1-pls"),
    Fixed("pixels", "tang2018.V1-neuron_to_neuron"),
    Fixed("pixels", "tang2018-part.V1-ridge"),
    Fixed("cifar10-resnet20", "tang2018-part.V1-ridge", ("layer1.0", "avgpool")),
    Fixed("random-convnet", "tang2018-part.V1-ridgecv", ("conv5",)),
    Fixed("word-length-frequency", "tuckute2024.netw-ridge"),
    Fixed("random-transformer", "tuckute2024.netw-ridge", ("blocks.2",)),
    Fixed("word-length-frequency", "tuckute2024.netw-language_linear"),
    Fixed("word-length-frequency", "tuckute2024.IFG-linear"),
    Fixed("twin-language-topographic", "tuckute2024.netw-pls", ("transformer.h.1",)),
    Fixed("twin-language-topographic", "tuckute2024.AntTemp-ridge", TWIN_LANGUAGE),
    Fixed("word-length-frequency", "tuckute2024-part.netw-language_ridge"),
    Fixed("random-transformer", "tuckute2024-part.netw-language_ridge", ("blocks.1", "blocks.3")),
]
FIXED = [*SIMULATED, *REAL]

_FOLDERS = {
    "kriegeskorte2008": "kriegeskorte2008-92",
    "haxby2001-slice": "haxby2001-sub001",
    "zhang2011": "zhang-desimone-it7",
    "tang2018": "tang2018-v1-patterns",
    "tuckute2024": "tuckute2024-lh-rois",
}
_N_PART = 400
_SENTENCES_A_STORY = 20


def install(fixed, data, weights, folder, installed):
    """Install the recordings and the weights that a score needs and that are not among the installed."""
    if fixed.model.startswith("cifar10"):
        brodmann.add_model(fixed.model, weights / "cifar10-resnets")
    whole = fixed.dataset.removesuffix("-part")
    if whole not in installed:
        brodmann.add_dataset(whole, data / _FOLDERS[whole])
    if fixed.dataset not in installed | {whole}:
        brodmann.add_dataset(fixed.dataset, write_part(brodmann.load_dataset(whole), folder / fixed.dataset))
    installed |= {whole, fixed.dataset}


def write_part(dataset, folder):
    """The first stimuli of a data set as recordings of one's own; sentences in stories of twenty."""
    stimuli = dataset.stimuli.iloc[:_N_PART]
    ids = stimuli["stimulus_id"].to_numpy(str)
    table = pd.DataFrame({"stimulus_id": ids})
    folder.mkdir(parents=True)
    if dataset.modality == "vision":
        (folder / "stimuli").mkdir()
        table["filename"] = [f"{one}.png" for one in ids]
        for one in ids:
            shutil.copyfile(dataset.stimuli.get_stimulus(one), folder / "stimuli" / f"{one}.png")
    else:
        table["sentence"] = stimuli["sentence"].to_numpy(str)
        table["story"] = [f"story {i // _SENTENCES_A_STORY}" for i in range(_N_PART)]
    table.to_csv(folder / "stimuli.csv", index=False)
    shown = dataset.responses["stimulus_id"].values.astype(str)
    rows = [int(np.flatnonzero(shown == one)[0]) for one in ids]
    np.savez(
        folder / "responses.npz",
        responses=dataset.responses.values[rows],
        stimulus_id=ids,
        repetition=np.zeros(_N_PART, int),
        neuroid_id=dataset.responses["neuroid_id"].values.astype(str),
        region=dataset.responses["region"].values.astype(str),
    )
    (folder / "dataset.toml").write_text(f'modality = "{dataset.modality}"\n')
    return folder


def numbers(score):
    """Every number of a score and of what it stands on; None where there is none."""
    attrs = score.attrs
    ceiling = attrs["ceiling"]
    return {
        "score": _plain(float(score)),
        "raw": _plain(attrs["raw_value"]),
        "ceiling": _plain(float(ceiling)),
        "ceiling_kind": ceiling.attrs["kind"],
        "ceiling_lower": _plain(ceiling.attrs.get("lower")),
        "ceiling_upper": _plain(ceiling.attrs.get("upper")),
        "normalization": attrs.get("normalization", attrs.get("normalisation")),
        "ci": [_plain(bound) for bound in attrs["ci"]],
        "p": _plain(attrs["p"]),
        "layer": attrs["layer"],
        "layers": {name: _plain(value) for name, value in attrs["layers"].items()},
        "n_stimuli": attrs["n_stimuli"],
        "n_neuroids": attrs["n_neuroids"],
        "left_out": dict(attrs["left_out"]),
        "per_unit": _summary(attrs["raw"].values),
        "ceiling_per_neuroid": _summary(ceiling.attrs.get("raw")),
    }


def _plain(value):
    return None if value is None or not math.isfinite(value) else float(value)


def _summary(values):
    """An array as its size, exact sum, ends, and the sha256 of all its values in full."""
    if values is None:
        return None
    flat = [float(value) for value in np.ravel(np.asarray(values))]
    if not flat:
        return {"n": 0}
    text = json.dumps([repr(value) for value in flat])
    return {
        "n": len(flat),
        "sum": math.fsum(value for value in flat if math.isfinite(value)),
        "first": _plain(flat[0]),
        "last": _plain(flat[-1]),
        "sha256": hashlib.sha256(text.encode()).hexdigest(),
    }


def machine():
    """What the last digits of a sum of products depend on: the kernels of the libraries that add them up."""
    libraries = sorted(
        {
            (one["internal_api"], str(one.get("version")), str(one.get("architecture")))
            for one in threadpoolctl.threadpool_info()
            if one["user_api"] == "blas"
        }
    )
    return {
        "blas": [" ".join(one) for one in libraries],
        "torch": f"{torch.__version__.partition('+')[0]} {torch.backends.cpu.get_cpu_capability()}",
        "numpy": np.__version__,
    }
