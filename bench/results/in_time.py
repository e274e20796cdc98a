"""What a record says of a recording in time: its rows are samples, and how words or frames became samples."""

import re
from collections.abc import Mapping, Sequence
from typing import Any

Record = Mapping[str, Any]
TOLD = frozenset({"tr", "downsample", "delays_s", "trim_s", "detrend", "confounds", "train", "gap_s"})
"""Entries of the methods that :func:`making` says in a sentence."""
_STIMULI = re.compile(r"\bstimuli\b")
_DOWNSAMPLED = {
    "lanczos": "put at the samples by Lanczos' window of three lobes",
    "mean": "averaged over those between one sample and the next",
    "sum": "added over those between one sample and the next",
    "last": "those of the last one between a sample and the next",
    "hrf": "convolved with the canonical haemodynamic response",
}
_DRIFTS = {
    "polynomial": "polynomials of order 1 + half the minutes of the run",
    "cosine": "cosines slower than 1/128 Hz",
    "none": "its mean alone",
}


def in_time(record: Record) -> bool:
    """Whether a score is of a recording in time: its methods say the seconds from sample to sample."""
    return "tr" in (record.get("methods") or {})


def of_samples(text: str, record: Record) -> str:
    """What is said of stimuli, as it is said of the samples of a recording in time."""
    return _STIMULI.sub("samples", text) if in_time(record) else text


def making(record: Record) -> str:
    """How features and responses of a recording in time were made, in sentences; empty for single stimuli."""
    if not in_time(record):
        return ""
    how = record["methods"]
    tr, delays, trim = how["tr"], how.get("delays_s", []), how.get("trim_s", [0, 0])
    kind, drift = str(how.get("downsample", "")), how.get("detrend", "none")
    features = f"Features of words or frames are {_DOWNSAMPLED.get(kind, kind)}, one every {tr:g} s"
    if any(delays):
        features += f", delayed by {_listed(delays)} s within each run"
    left = _DRIFTS.get(str(drift), f"polynomials of order {drift}")
    confounds = " and the confounds" if how.get("confounds") else ""
    parts = [
        f"{features}, and standardized.",
        f"Of each run {left}{confounds} are taken out of the responses, {_cut(trim)}, and the rest is standardized.",
    ]
    train = str(how.get("train", ""))
    return " ".join([*parts, f"{train[:1].upper()}{train[1:]}."] if train else parts)


def _cut(trim: Sequence[float]) -> str:
    places = [f"{one:g} s at its {end}" for one, end in zip(trim, ("start", "end"), strict=True) if one]
    return f"{' and '.join(places) or 'nothing'} {'are' if places else 'is'} cut"


def _listed(values: Sequence[float]) -> str:
    words = [f"{one:g}" for one in values]
    return " and ".join([", ".join(words[:-1]), words[-1]]) if len(words) > 1 else words[0]
