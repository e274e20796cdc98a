"""Plugins in Brain-Score itself: its own packages, in an environment without brodmann."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("brainscore_core", reason="Brain-Score reads and runs its plugins")

from plugin_cases import METRICS, scored

import brodmann
from brodmann.bench import record_of
from brodmann.bench.brainscore_plugins import check_plugin, write_benchmark_plugin, write_model_plugin
from brodmann.bench.metrics.base import ScoringOptions

CONSTRAINTS = str(Path(__file__).parents[4] / "constraints.txt")
LIGHT = ("result-caching", "opencv-python-headless", "h5py", "psutil", "tqdm")
"""What brainscore_vision imports when a model is loaded, of all that it asks for."""


@pytest.fixture(scope="module")
def clean_python(tmp_path_factory):
    """An environment of Brain-Score's own packages, without brodmann."""
    folder = tmp_path_factory.mktemp("clean")
    subprocess.run([sys.executable, "-m", "venv", folder / "venv"], check=True)
    python = folder / "venv" / "bin" / "python"
    core = ("brainscore-core", "torch", "pillow", "safetensors", "transformers", "scikit-learn")
    _install(python, "-c", CONSTRAINTS, *core, *LIGHT)
    _install(python, "--no-deps", "brainscore-vision==2.4.2", "brainscore-language==2.3.0")
    absent = subprocess.run(
        [python, "-P", "-c", "import brodmann"], capture_output=True, text=True, cwd=folder
    )
    assert "No module named 'brodmann'" in absent.stderr
    return python


def _install(python, *words):
    command = [python, "-m", "pip", "install", "-q", "--disable-pip-version-check", *words]
    done = subprocess.run(command, capture_output=True, text=True)
    if done.returncode:
        pytest.skip(f"Brain-Score's wheels are not to be had: {done.stderr.strip().splitlines()[-1]}")


@pytest.fixture
def vision_python(clean_python):
    """With the scikit-learn that brainscore_vision asks for."""
    _install(clean_python, "scikit-learn<1.6")
    return clean_python


@pytest.fixture
def language_python(clean_python):
    """With the scikit-learn that brainscore_language asks for."""
    _install(clean_python, "-c", CONSTRAINTS, "scikit-learn>=1.6")
    return clean_python


@pytest.mark.slow
def test_brain_score_itself_loads_the_plugin_and_gives_the_reported_score(
    vision_python, test_weights, test_data, tmp_path
):
    brodmann.models.add_model("cifar10-resnet20", test_weights / "cifar10-resnets")
    brodmann.brain_data.add_dataset("kriegeskorte2008", test_data / "kriegeskorte2008-92")
    model, benchmark = (
        brodmann.load_model("cifar10-resnet20"),
        brodmann.load_benchmark("kriegeskorte2008.hIT-rsa"),
    )
    score = brodmann.score(model, benchmark, n_bootstraps=20, n_permutations=19)
    files = write_model_plugin([record_of(score)], model, tmp_path)
    layer = score.attrs["layer"]
    assert files.layers == {"IT": layer}
    report = check_plugin(files, model, python=vision_python)
    assert report.passed, report.text()
    assert report.package == "brainscore_vision 2.4.2"
    ids = benchmark.recording.stimulus_ids.tolist()
    shown = [str(benchmark.dataset.stimuli.stimulus_paths[one]) for one in ids]
    values = _recorded_by_brain_score(vision_python, files, "IT", shown, tmp_path)
    own = model.extract(benchmark.dataset.stimuli, [layer])[layer]
    own = own.values[[own["stimulus_id"].values.tolist().index(one) for one in ids]]
    difference = np.abs(values - own).max() / np.abs(own).max()
    options = ScoringOptions(n_bootstraps=0, n_permutations=0)
    metric_result = benchmark.metric.evaluate(
        {layer: values}, benchmark.recording, benchmark.noise_ceiling, options
    )
    print(f"92 pictures, {layer}: relative difference {difference:.1e}, raw {metric_result.raw:.10f}, "
          f"brodmann's layer curve {score.attrs['layers'][layer]:.10f}")  # fmt: skip
    assert difference <= 1e-5
    assert metric_result.layers[layer] == pytest.approx(score.attrs["layers"][layer], abs=1e-6)


RECORD = """
import json, sys
import numpy as np, pandas as pd
import brainscore_vision
from brainscore_core.supported_data_standards.brainio.stimuli import StimulusSet
identifier, region, shown, out = sys.argv[1:]
paths = {str(i): path for i, path in enumerate(json.loads(shown))}
stimuli = StimulusSet(pd.DataFrame({"stimulus_id": list(paths)}))
stimuli.stimulus_paths, stimuli.identifier = paths, "shown"
model = brainscore_vision.load_model(identifier)
model.start_recording(region, time_bins=[(70, 170)])
found = model.look_at(stimuli).transpose("presentation", "neuroid")
rows = [found["stimulus_id"].values.tolist().index(one) for one in paths]
np.save(out, found.values[rows])
assert "brodmann" not in sys.modules
"""


def _recorded_by_brain_score(python, files, region, shown, folder):
    """Put the plugin into the installed brainscore_vision, load it by its identifier, record from it."""
    where = [python, "-P", "-c", "import sysconfig; print(sysconfig.get_paths()['purelib'])"]
    site = Path(subprocess.run(where, capture_output=True, text=True, check=True).stdout.strip())
    shutil.copytree(files.plugin, site / "brainscore_vision" / "models" / files.plugin.name)
    command = [
        python,
        "-P",
        "-W",
        "ignore",
        "-c",
        RECORD,
        files.identifier,
        region,
        json.dumps(shown),
        folder / "v.npy",
    ]
    environment = os.environ | {"BS_INSTALL_DEPENDENCIES": "no", "RESULTCACHING_DISABLE": "1"}
    done = subprocess.run(command, capture_output=True, text=True, env=environment, cwd=folder)
    assert done.returncode == 0, done.stderr
    return np.load(folder / "v.npy")


@pytest.mark.slow
def test_brain_scores_language_package_loads_the_plugin(language_python, stories, tmp_path):
    model = brodmann.load_model(stories)
    files = write_model_plugin([scored(model, "netw", "layers.3")], stories, tmp_path)
    report = check_plugin(files, model, python=language_python)
    assert report.passed, report.text()
    assert report.package == "brainscore_language 2.3.0"
    print(report.text())


@pytest.mark.slow
@pytest.mark.parametrize("metric", METRICS)
def test_brain_score_visions_own_metrics_give_brodmanns_numbers(metric, vision_python, own_data, tmp_path):
    report = check_plugin(write_benchmark_plugin(f"my-pictures.IT-{metric}", tmp_path), python=vision_python)
    assert report.passed, report.text()
    assert report.package == "brainscore_vision 2.4.2"


@pytest.mark.slow
@pytest.mark.parametrize("metric", ["language_linear", "language_ridge"])
def test_brain_score_languages_own_metrics_give_brodmanns_numbers(
    metric, language_python, own_data, tmp_path
):
    files = write_benchmark_plugin(f"my-sentences.PostTemp-{metric}", tmp_path)
    report = check_plugin(files, python=language_python)
    assert report.passed, report.text()
    assert report.package == "brainscore_language 2.3.0"
