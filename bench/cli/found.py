"""What ``data add`` found in recordings of one's own, and how to go on."""

import shlex
import warnings
from pathlib import Path
from typing import Any

import numpy as np

from ...brain_data.dataset import Dataset
from ...brain_data.noise_ceiling import noise_variance
from ...errors import UserError
from ..benchmark import make_benchmark
from ..metrics.base import Ceiling, ScoringOptions
from ..metrics.recording import recording

_BASELINES = {"language": "word-length-frequency", "vision": "gabor-pyramid"}
_FEW_STIMULI, _N_UNITS = 200, 4


def found(dataset: Dataset, folder: Path | str) -> dict[str, Any]:
    """Counts, ceilings, what was left out and the next command, as JSON has them."""
    responses = dataset.responses
    said: dict[str, Any] = {
        "name": dataset.identifier,
        "folder": str(folder),
        "modality": dataset.modality,
        "n_stimuli": len(dataset.stimuli),
        "columns": [str(name) for name in dataset.stimuli.columns],
        "regions": {name: _region(dataset, name) for name in dataset.regions},
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
    return said | {
        "alike": dataset.described_duplicates(),
        "next": _next(dataset, said["regions"][dataset.regions[0]]["metric"]),
    }


def _region(dataset: Dataset, name: str) -> dict[str, Any]:
    recorded = recording(dataset, name)
    tried = _tried(dataset, name)
    if recorded.cube is None:
        n = 0 if recorded.rdms is None else len(recorded.rdms)
        said: dict[str, Any] = {"n_neuroids": None, "why": f"RDMs of {_counted(n, 'subject')}"}
    else:
        said = {"n_neuroids": recorded.cube.shape[2]}
    if recorded.sessions:
        said["sessions"] = recorded.sessions
    said |= {"ceiling": None, "reliability": None, "metric": None if tried is None else tried[0]}
    if tried is None:
        return {"why": "too little for ridge or rsa"} | said
    if "why" in said:
        return said
    ceiling = tried[1]
    if ceiling.kind == "none":
        return said | {"why": ceiling.note or "no stimulus was repeated: scores are raw, without a ceiling"}
    value = float(ceiling.value)
    if recorded.r_max is not None or ceiling.kind != "reliability":
        published = "the published one" if recorded.r_max is not None else "estimated"
        return said | {"ceiling": value, "why": f"ceiling {value:.3f} ({ceiling.kind}, {published})"}
    by_ratio = "ncsnr" in recorded.neuroids and not np.isfinite(noise_variance(recorded.responses)).any()
    by = "by ncsnr" if by_ratio else "median"
    return said | {
        "ceiling": value,
        "reliability": value,
        "why": f"reliability of the mean response {value:.3f} ({by}), the ceiling of a score",
    }


def _tried(dataset: Dataset, region: str) -> tuple[str, Ceiling] | None:
    """The first of ridge and rsa that has a score here, and its ceiling; features are drawn at random."""
    for metric in ("ridge", "rsa"):
        try:
            made = make_benchmark(dataset, region, metric)
            features = np.random.default_rng(0).normal(size=(made.recording.n_stimuli, _N_UNITS))
            with warnings.catch_warnings():
                warnings.simplefilter("ignore", RuntimeWarning)
                ceiling = made.noise_ceiling
                if made.recording.n_stimuli <= _FEW_STIMULI:  # what fails fails of too few
                    options = ScoringOptions(n_bootstraps=0, n_permutations=0)
                    made.metric.evaluate({"drawn": features}, made.recording, ceiling, options)
            return metric, ceiling
        except UserError:
            continue
    return None


def _next(dataset: Dataset, metric: str | None) -> str:
    """A command that works: a baseline by ridge where there are enough stimuli, else by rsa, else what there is."""
    benchmark = shlex.quote(f"{dataset.identifier}.{dataset.regions[0]}-{metric or 'rsa'}")
    if metric is None or not dataset.has_stimuli:
        return f"brodmann benchmarks info {benchmark}"
    return f"brodmann score {_BASELINES[dataset.modality]} {benchmark}"


def _counted(number: int, noun: str) -> str:
    return f"{number} {noun}{'s' * (number != 1)}"


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
        n = "" if region["n_neuroids"] is None else f"{_counted(region['n_neuroids'], 'neuroid')}, "
        rows.append(("region", f"{name}: {n}{region['why']}"))
    sessions = {region["sessions"] for region in said["regions"].values() if "sessions" in region}
    rows += [("sessions", one) for one in sorted(sessions)]
    rows += [("left out", f"{count} {reason}") for reason, count in said.get("left_out", {}).items()]
    rows += [("alike", line) for line in said["alike"]]
    lines += [f"{name:<12}{text}" for name, text in rows]
    return "\n".join([*lines, f"{'next':<12}{said['next']}"])
