"""Runs in a process of its own: imports a plugin as brainscore-core does, and exercises it.

Called as ``python -P runner.py JOB.json``. It knows nothing of brodmann; what it finds goes to the job's ``report``.
"""

import contextlib
import io
import json
import os
import sys
import traceback
from collections.abc import Callable
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from typing import Any
from unittest.mock import MagicMock

import numpy as np
import pandas as pd

Job = dict[str, Any]
Loaded = dict[str, Any]


def main(job_file: str) -> None:
    """Run every check of a job; each line of the report is written as soon as it is known."""
    job: Job = json.loads(Path(job_file).read_text())
    os.chdir(job["site"])
    sys.path.insert(0, job["site"])
    loaded: Loaded = {}
    checks: dict[str, Callable[[Job, Loaded], str]] = {
        "brainscore-core finds it by its registry line": _located,
        "brainscore-core sees a change of plugins alone": _parsed,
        "it is imported and registered": _imported,
        "it loads": _loads,
        **({"the metadata has Brain-Score's fields": _metadata} if job["metadata"] else {}),
        **_BY_KIND[job["kind"], job["domain"]],
        "its own test passes": _own_test,
    }
    if not job["activations"]:
        checks.pop(_COMPARED, None)
    with Path(job["report"]).open("w") as report:
        for name, check in checks.items():
            problem, detail = _tried(check, job, loaded)
            report.write(json.dumps({"name": name, "problem": problem, "detail": detail}) + "\n")
            report.flush()
            if problem and name in ("it is imported and registered", "it loads"):
                break


def _tried(check: Callable[[Job, Loaded], str], job: Job, loaded: Loaded) -> tuple[str, str]:
    """The problem, empty where there is none, and what was found."""
    try:
        with contextlib.redirect_stdout(io.StringIO()):
            return "", check(job, loaded)
    except Exception as error:  # a plugin's code may raise anything
        where = traceback.extract_tb(error.__traceback__)[-1]
        first = (str(error).strip().splitlines() or ["no message"])[0]
        return f"{type(error).__name__}: {first} ({Path(where.filename).name}, line {where.lineno})", ""


def _located(job: Job, loaded: Loaded) -> str:
    from brainscore_core.plugin_management.import_plugin import ImportPlugin

    found = ImportPlugin(job["library"], job["kind"], job["identifier"]).locate_plugin()
    assert found == job["name"], f"found in {found}"
    return f"{job['kind']}/{found}"


def _parsed(job: Job, loaded: Loaded) -> str:
    if find_spec("pytest_check") is None:  # imported there for running tests, which is not asked for here
        sys.modules["pytest_check"] = MagicMock()
    from brainscore_core.plugin_management.parse_plugin_changes import get_plugin_ids, parse_plugin_changes

    changes = parse_plugin_changes(" ".join(job["files"]), job["library"])
    assert changes["modifies_plugins"], "no plugin is changed"
    assert changes["changed_plugins"][job["kind"]] == [job["name"]], changes["changed_plugins"]
    assert changes["is_automergeable"] != job["metadata"], "a file stands outside the plugin"
    found = get_plugin_ids(job["kind"], [job["name"]], job["library"])
    assert found == [job["identifier"]], f"registers {found}"
    return "" if not job["metadata"] else "with metadata.yml a person reviews it"


def _imported(job: Job, loaded: Loaded) -> str:
    from brainscore_core.plugin_management.import_plugin import import_plugin

    import_plugin(job["library"], job["kind"], job["identifier"])
    registry = getattr(import_module(job["library"]), f"{job['kind'].rstrip('s')}_registry")
    assert job["identifier"] in registry, f"the registry holds {sorted(registry)}"
    return ""


def _loads(job: Job, loaded: Loaded) -> str:
    loaded["it"] = getattr(import_module(job["library"]), f"load_{job['kind'].rstrip('s')}")(
        job["identifier"]
    )
    assert loaded["it"].identifier == job["identifier"], f"it calls itself {loaded['it'].identifier!r}"
    return type(loaded["it"]).__name__


def _metadata(job: Job, loaded: Loaded) -> str:
    from brainscore_core.plugin_management.handle_metadata import validate_metadata_file

    errors, _ = validate_metadata_file(f"{job['library']}/{job['kind']}/{job['name']}/metadata.yml")
    assert not errors, "; ".join(errors)
    return ""


def _vision_activations(job: Job, loaded: Loaded) -> str:
    """Each region as Brain-Score records it; without a map every layer."""
    from brainscore_core.supported_data_standards.brainio.stimuli import StimulusSet

    model = loaded["it"]
    stimuli = StimulusSet(pd.DataFrame({"stimulus_id": list(job["stimuli"])}))
    stimuli.stimulus_paths = job["stimuli"]
    stimuli.identifier = "export-pictures"
    found = {}
    for region, layer in job["layers"].items():
        model.start_recording(region, time_bins=[(70, 170)])
        found[layer] = _values(model.look_at(stimuli), list(job["stimuli"]))
    if not job["layers"]:
        for layer in np.load(job["activations"]).files:
            found[layer] = model.activations_model(list(job["stimuli"].values()), layers=[layer]).values
    return _compared(job, found)


def _values(recorded: Any, ids: list[str]) -> Any:
    if "time_bin" in recorded.dims:
        recorded = recorded.squeeze("time_bin")
    recorded = recorded.transpose("presentation", "neuroid")
    rows = [recorded["stimulus_id"].values.tolist().index(one) for one in ids]
    return recorded.values[rows]


def _language_activations(job: Job, loaded: Loaded) -> str:
    from brainscore_language.artificial_subject import ArtificialSubject  # type: ignore[import-not-found]

    [(target, layer)] = job["layers"].items()
    assert target == ArtificialSubject.RecordingTarget.language_system
    loaded["it"].start_neural_recording(target, ArtificialSubject.RecordingType.fMRI)
    read = [loaded["it"].digest_text([sentence])["neural"].values for sentence in job["stimuli"].values()]
    return _compared(job, {layer: np.concatenate(read)})


def _compared(job: Job, found: dict[str, Any]) -> str:
    expected = np.load(job["activations"])
    worst = 0.0
    for layer, values in found.items():
        wanted = expected[layer]
        assert values.shape == wanted.shape, f"{layer} gives {values.shape}, not {wanted.shape}"
        difference = float(np.abs(values - wanted).max() / max(float(np.abs(wanted).max()), 1e-12))
        assert difference <= job["tolerance"], f"{layer} differs by {difference:.2g} of its largest value"
        worst = max(worst, difference)
    return f"{len(found)} layers, {len(job['stimuli'])} stimuli, largest relative difference {worst:.1e}"


def _benchmark_parts(job: Job, loaded: Loaded) -> str:
    benchmark = loaded["it"]
    ceiling = float(benchmark.ceiling)
    assert 0 < ceiling <= 1, f"its ceiling is {ceiling}"
    assert isinstance(benchmark.version, int), f"its version is {benchmark.version!r}"
    assert isinstance(benchmark.bibtex, str), "its bibtex is no text"
    return f"ceiling {ceiling:.4f}, version {benchmark.version}"


def _own_test(job: Job, loaded: Loaded) -> str:
    module = import_module(f"{job['library']}.{job['kind']}.{job['name']}.test")
    tests = [value for name, value in vars(module).items() if name.startswith("test_") and callable(value)]
    assert tests, "test.py holds no function test_..."
    for test in tests:
        test()
    return f"{len(tests)} tests"


_COMPARED = "its layers give brodmann's activations"
_BY_KIND: dict[tuple[str, str], dict[str, Callable[[Job, Loaded], str]]] = {
    ("models", "vision"): {_COMPARED: _vision_activations},
    ("models", "language"): {_COMPARED: _language_activations},
    ("benchmarks", "vision"): {"it has a ceiling, a version and a citation": _benchmark_parts},
    ("benchmarks", "language"): {"it has a ceiling, a version and a citation": _benchmark_parts},
}

if __name__ == "__main__":
    main(sys.argv[1])
