"""What ``data add`` found in recordings of one's own, and how to go on."""

import shlex
import warnings
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from ...brain_data.dataset import Dataset, described_bins
from ...brain_data.noise_ceiling import noise_variance
from ...errors import UserError
from ..benchmark import make_benchmark
from ..metrics.base import Ceiling, ScoringOptions
from ..metrics.recording import recording

_BASELINES = {"language": "word-length-frequency", "vision": "gabor-pyramid"}
_FEW_STIMULI, _N_UNITS = 200, 4
_LEAST_DRAWN, _MOST_NUMBERS = 200, 10**7
"""How many neuroids of a large region are looked at at least, and how many numbers of them at most."""


def found(dataset: Dataset, folder: Path | str) -> dict[str, Any]:
    """Counts, ceilings, what was left out and the next command, as JSON has them."""
    responses = dataset.responses
    said: dict[str, Any] = {
        "name": dataset.identifier,
        "folder": str(folder),
        "kind": dataset.kind,
        "modality": dataset.modality,
        "has_stimuli": dataset.has_stimuli,
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
            "said": list(responses.attrs.get("said", [])),
        }
    if dataset.kind == "series":
        said |= _of_series(dataset)
    if dataset.kind == "series":
        return said | {"alike": [], "next": _next_of_series(dataset)}
    if responses is not None and responses.sizes.get("time_bin", 1) > 1:
        return said | {"alike": [], "next": f"brodmann data report {dataset.identifier}"}
    return said | {
        "alike": dataset.described_duplicates(),
        "next": _next(dataset, said["regions"][dataset.regions[0]]["metric"]),
    }


def _of_series(dataset: Dataset) -> dict[str, Any]:
    assert dataset.responses is not None
    runs = dict.fromkeys(dataset.responses["run"].values.tolist())
    return {
        "tr": dataset.tr,
        "n_runs": len(runs),
        "n_stories": len(set(dataset.responses["stimulus_id"].values.tolist())),
        "n_good": None if dataset.good is None else int(dataset.good.sum()),
        "confounds": None if dataset.confounds is None else [str(name) for name in dataset.confounds],
    }


def _region(dataset: Dataset, name: str) -> dict[str, Any]:
    said: dict[str, Any] = {"n_neuroids": None, "ceiling": None, "reliability": None, "metric": None}
    if dataset.responses is not None and name not in dataset.rdms:
        held = dataset.region(name)
        said["n_neuroids"] = held.sizes["neuroid"]
        if dataset.kind == "series":
            return said | {"why": "samples in time"}
        if held.sizes.get("time_bin", 1) > 1:
            return said | {
                "why": f"{described_bins(held)}: --window A,B makes one response of a trial of them"
            }
    drawn = _drawn(dataset, name)
    recorded = recording(drawn, name)
    tried = _tried(drawn, name)
    if recorded.cube is None:
        n = 0 if recorded.rdms is None else len(recorded.rdms)
        said["why"] = f"RDMs of {_counted(n, 'subject')}"
    if recorded.sessions:
        said["sessions"] = recorded.sessions
    said["metric"] = None if tried is None else tried[0]
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
    if drawn is not dataset:
        by += f" of {recorded.responses.shape[2]} drawn at random"
    return said | {
        "ceiling": value,
        "reliability": value,
        "why": f"reliability of the mean response {value:.3f} ({by}), the ceiling of a score",
    }


def _drawn(dataset: Dataset, region: str) -> Dataset:
    """The data set with fewer neuroids of a region that would take much memory, drawn by a seed; else as it is."""
    if dataset.responses is None or region in dataset.rdms:
        return dataset
    members = np.flatnonzero((dataset.responses["region"] == region).values)
    most = max(_LEAST_DRAWN, _MOST_NUMBERS // dataset.responses.sizes["presentation"])
    if len(members) <= most:
        return dataset
    some = np.sort(np.random.default_rng(0).permutation(members)[:most])
    return replace(dataset, responses=dataset.responses[:, some])


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


def _next_of_series(dataset: Dataset) -> str:
    """The baseline of a series, where every run has words or frames; else what was recorded."""
    shown = {"word", "filename"} & set(dataset.stimuli.columns)
    if not shown or not dataset.has_stimuli:
        return f"brodmann data report {dataset.identifier}"
    baseline = "word-rate" if dataset.modality == "language" else _BASELINES["vision"]
    return f"brodmann score {baseline} {shlex.quote(f'{dataset.identifier}.{dataset.regions[0]}-ridge')}"


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
    if not said["has_stimuli"]:
        rows.append(("", "the stimuli themselves are not there: models cannot be shown them"))
    if said["kind"] == "series":
        rows[0] = (
            "series",
            f"{said['n_presentations']} samples, {said['tr']:g} s apart, {_counted(said['n_runs'], 'run')}",
        )
        what = f"{said['n_stimuli']} words or frames of {said['n_stories']} stories or films"
        rows += [
            ("stimuli", f"{what}, with {', '.join(said['columns'])}"),
            ("neuroids", str(said["n_neuroids"])),
        ]
        rows.append(("subjects", str(said["n_subjects"] or "not named")))
        if said["n_good"] is not None:
            rows.append(("good", f"{said['n_good']} of {said['n_presentations']} samples"))
    elif "n_neuroids" in said:
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
    rows += [("read", one) for one in said.get("said", [])]
    rows += [("left out", f"{count} {reason}") for reason, count in said.get("left_out", {}).items()]
    rows += [("alike", line) for line in said["alike"]]
    lines += [f"{name:<12}{text}" for name, text in rows]
    return "\n".join([*lines, f"{'next':<12}{said['next']}"])


def check_text(said: Mapping[str, Any]) -> str:
    """What recordings hold, before they are installed, in lines for a person."""
    rows = [
        ("format", str(said["format"])),
        ("stimuli", f"{said['n_stimuli']}, with {', '.join(said['columns'])}"),
    ]
    if said["n_pictures"]:
        rows.append(("pictures", str(said["n_pictures"])))
    if said["kind"] == "series":
        rows.append(("series", f"{said['n_presentations']} samples, {said['tr'] or 0:g} s apart"))
    else:
        least, most = said["repetitions"]
        times = str(least) if least == most else f"{least} to {most}"
        rows.append(("trials", f"{said['n_presentations']} presentations, {times} of each stimulus"))
    rows += [(f"{one}s", str(said[f"n_{one}s"])) for one in ("run", "session") if f"n_{one}s" in said]
    if "time_s" in said:
        rows.append(("time", "{:g} to {:g} s".format(*said["time_s"])))
    if "time_bins" in said:
        bins = said["time_bins"]
        rows.append(("time bins", f"{bins['n']}, from {bins['from_ms']:g} to {bins['to_ms']:g} ms"))
    rows.append(("neuroids", str(said["n_neuroids"])))
    for one in ("subject", "region"):
        counts = said.get(f"{one}s")
        if counts:
            listed = ", ".join(f"{name} {n}" for name, n in list(counts.items())[:12])
            rows.append((f"{one}s", listed + (f" and {len(counts) - 12} more" if len(counts) > 12 else "")))
    rows += [("read", one) for one in said["said"]]
    rows += [("left out", f"{count} {reason}") for reason, count in said["left_out"].items()]
    return "\n".join(f"{name:<12}{text}" for name, text in rows)
