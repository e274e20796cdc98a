"""What the tests of plugins share: records, recordings, plugins that score each other."""

import os
import shutil
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from brodmann.bench.brainscore_plugins.check.installed import put_package

TWIN = "twin-vision-topographic"
needs_brainscore = pytest.mark.skipif(
    find_spec("brainscore_core") is None, reason="Brain-Score reads and runs its plugins"
)


def scored(
    model, region="IT", layer="layer3.0", *, simulated=False, n_stimuli=100, benchmark=None, **methods
):
    """A record as far as an export reads it."""
    return {
        "model": model.identifier,
        "benchmark": benchmark or f"data.{region}-ridge",
        "region": region,
        "layer": layer,
        "simulated": simulated,
        "n_stimuli": n_stimuli,
        "methods": methods,
        "provenance": {"model_digest": model.digest},
    }


def failures(report):
    return {check.name: check.detail for check in report.checks if not check.passed}


METRICS = ("pls", "ridge1", "linear_predictivity", "neuron_to_neuron", "ridgecv", "cka", "cka_biased", "rdm")


def recordings(folder, modality, *, awkward=""):
    """Recordings of one's own: 60 stimuli, 8 repetitions, 7 neuroids that share 4 signals."""
    rng = np.random.default_rng(0)
    n_stimuli, n_repetitions = 60, 8
    folder.mkdir()
    table = pd.DataFrame({"stimulus_id": [f"s{i:03d}" for i in rng.permutation(n_stimuli)]})
    table["object_name"] = [f"object {i % 3}" for i in range(n_stimuli)]
    table["story"] = [f"story {i // 5}" for i in range(n_stimuli)]
    if modality == "vision":
        (folder / "stimuli").mkdir()
        table["filename"] = [f"my picture {i}.png" for i in range(n_stimuli)]
        for name in table["filename"]:
            pixels = rng.integers(0, 256, (20, 24, 3), dtype=np.uint8)
            Image.fromarray(pixels).save(folder / "stimuli" / name)
    else:
        table["sentence"] = [f"Sentence {i} is {'very ' * (i % 7)}short{awkward}." for i in range(n_stimuli)]
        table.loc[n_stimuli - 1, "sentence"] = table.loc[0, "sentence"]  # shown twice, under two ids
    table.to_csv(folder / "stimuli.csv", index=False)
    signal = rng.normal(size=(n_stimuli, 4)) @ rng.normal(size=(4, 7))
    values = signal.repeat(n_repetitions, axis=0) + 2 * rng.normal(size=(n_stimuli * n_repetitions, 7))
    np.savez(
        folder / "responses.npz",
        responses=values,
        stimulus_id=np.repeat(table["stimulus_id"].to_numpy(str), n_repetitions),
        repetition=np.tile(np.arange(n_repetitions), n_stimuli),
        region=np.full(7, "IT" if modality == "vision" else "PostTemp"),
    )
    bibtex = '@article{me, title = {It\'s \\"mine\\"\\n and $X}}'
    (folder / "dataset.toml").write_text(f'modality = "{modality}"\nbibtex = "{bibtex}"\n')
    return folder


def scored_by_plugins(benchmark, model, folder):
    """Score and raw value of a plugin by a plugin."""
    library = f"brainscore_{model.domain}"
    put_package(model.domain, folder / "site", Path(sys.executable), own=True)
    for one in (benchmark, model):
        shutil.copytree(one.plugin, folder / "site" / library / one.kind / one.plugin.name)
    code = (
        f"import sys; from {library} import load_benchmark, load_model\n"
        f"score = load_benchmark({benchmark.identifier!r})(load_model({model.identifier!r}))\n"
        "print(float(score), float(score.attrs['raw']), 'brodmann' in sys.modules)"
    )
    environment = os.environ | {"BS_INSTALL_DEPENDENCIES": "no", "PYTHONPATH": str(folder / "site")}
    command = [sys.executable, "-P", "-W", "ignore", "-c", code]
    done = subprocess.run(command, capture_output=True, text=True, env=environment, cwd=folder)
    assert done.returncode == 0, done.stderr
    value, raw, with_brodmann = done.stdout.split()
    assert with_brodmann == "False"
    return float(value), float(raw)
