"""What ``data add`` found in recordings of one's own, and how to go on."""

import shlex
from pathlib import Path
from typing import Any

import numpy as np

from ...brain_data.dataset import Dataset
from ...brain_data.noise_ceiling import variance_reliability
from ...errors import UserError
from ..metrics.recording import Recording, recording
from ..metrics.sampling import sampling

_BASELINES = {"language": "word-length-frequency", "vision": "gabor-pyramid"}
_LEAST_STIMULI = 3


def found(dataset: Dataset, folder: Path) -> dict[str, Any]:
    """Counts, reliabilities, what was left out and the next command, as JSON has them."""
    responses = dataset.responses
    said: dict[str, Any] = {
        "name": dataset.identifier,
        "folder": str(folder),
        "modality": dataset.modality,
        "n_stimuli": len(dataset.stimuli),
        "columns": [str(name) for name in dataset.stimuli.columns],
        "regions": {name: _region(recording(dataset, name)) for name in dataset.regions},
    }
    if responses is not None:
        shown = np.unique(responses["stimulus_id"].values.astype(str), return_counts=True)[1]
        people = set(responses["subject"].values.tolist()) if "subject" in responses.coords else set()
        said |= {
            "n_neuroids": responses.sizes["neuroid"],
            "n_presentations": responses.sizes["presentation"],
            "repetitions": [int(shown.min()), int(shown.max())],
            "n_subjects": len(people) or None,
            "left_out": dict(responses.attrs.get("left_out", {})),
        }
    return said | {"alike": dataset.described_duplicates(), "next": _next(dataset)}


def _region(recorded: Recording) -> dict[str, Any]:
    if recorded.cube is None:
        n = 0 if recorded.rdms is None else len(recorded.rdms)
        return {"n_neuroids": None, "reliability": None, "why": f"RDMs of {n} subject{'s' * (n != 1)}"}
    said: dict[str, Any] = {"n_neuroids": recorded.cube.shape[2], "reliability": None}
    if recorded.sessions:
        said["sessions"] = recorded.sessions
    repeated = int((recorded.counts > 1).sum())
    if repeated < _LEAST_STIMULI:
        return said | {"why": f"{repeated} stimuli were repeated: scores are raw, without a ceiling"}
    values = variance_reliability(recorded.cube)
    known = values[np.isfinite(values)]
    return said | ({"reliability": float(np.median(known))} if len(known) else {"why": "nothing varies"})


def _next(dataset: Dataset) -> str:
    """A command that works: a baseline by ridge where there are enough stimuli, else by rsa."""
    metric = "ridge"
    try:
        recorded = recording(dataset, dataset.regions[0])
        _ = recorded.responses, sampling(recorded).folds
    except UserError:
        metric = "rsa"
    benchmark = f"{dataset.identifier}.{dataset.regions[0]}-{metric}"
    if not dataset.has_stimuli:
        return f"brodmann benchmarks info {shlex.quote(benchmark)}"
    return f"brodmann score {_BASELINES[dataset.modality]} {shlex.quote(benchmark)}"


def found_text(said: dict[str, Any]) -> str:
    """The same in lines for a person."""
    lines = [f"{said['name']} is installed in {said['folder']}"]
    rows = [("stimuli", f"{said['n_stimuli']} ({said['modality']}), with {', '.join(said['columns'])}")]
    if "n_neuroids" in said:
        least, most = said["repetitions"]
        times = str(least) if least == most else f"{least} to {most}"
        rows += [
            ("neuroids", str(said["n_neuroids"])),
            ("repetitions", f"{times} of each stimulus, {said['n_presentations']} presentations"),
            ("subjects", str(said["n_subjects"] or "not named")),
        ]
    for name, region in said["regions"].items():
        value = region["reliability"]
        reliable = region.get("why") or f"reliability of the mean response {value:.3f} (median)"
        n = "" if region["n_neuroids"] is None else f"{region['n_neuroids']} neuroids, "
        rows.append(("region", f"{name}: {n}{reliable}"))
    sessions = {region["sessions"] for region in said["regions"].values() if "sessions" in region}
    rows += [("sessions", one) for one in sorted(sessions)]
    rows += [("left out", f"{count} {reason}") for reason, count in said.get("left_out", {}).items()]
    rows += [("alike", line) for line in said["alike"]]
    lines += [f"{name:<12}{text}" for name, text in rows]
    return "\n".join([*lines, f"{'next':<12}{said['next']}"])
