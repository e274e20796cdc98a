"""A score over time, as it is kept beside a run's records: ``NAME.overtime.npz``."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from ...analysis.statistics.over_bins import Cluster, Latency
from ...bounded import read_npz
from ...errors import UserError
from ...files import write_bytes
from ..results.store import finite

Floats = npt.NDArray[np.float64]
SUFFIX = ".overtime.npz"
FORMAT = 1
_ARRAYS = (
    "windows", "r", "low", "high", "ceiling", "p", "null_mean", "null_high", "without", "by_layer", "of_neuroids",
    "generalization", "generalization_p", "steps_without",
)  # fmt: skip
_WORDS = (
    "model", "benchmark", "key", "layers", "layer_by_bin", "threshold", "onset", "peak", "clusters", "neuroids",
    "steps", "n_stimuli", "n_groups", "simulated", "methods", "provenance",
)  # fmt: skip


@dataclass(frozen=True)
class OverTime:
    """A model's score in every bin of time. Bins are no independent samples: r of neighbours rises and falls together.

    Attributes
    ----------
    model, benchmark, key : str
    windows : array of shape (n_bins, 2)
        From and to, in ms after onset.
    r : array of shape (n_bins,)
        Pearson's r of held-out predictions, median over neuroids, mean over subjects; not divided by the ceiling.
    low, high : array of shape (n_bins,)
        95 % interval of each bin alone; NaN where there is none.
    ceiling : array of shape (n_bins,)
        The r that noise allows; NaN where no stimulus was repeated.
    p : array of shape (n_bins,)
        Against the maximum over bins: of all bins together at most 5 % are wrong at .05. NaN where not asked for.
    null_mean, null_high : array of shape (n_bins,)
        Mean and 95 % point of each bin's r with responses in other orders.
    without : array of shape (n_groups, n_bins)
        The curve without each group of stimuli, over the neuroids that were tested.
    by_layer : array of shape (n_layers, n_bins)
    of_neuroids : array of shape (n_bins, n_neuroids)
    generalization : array of shape (n_bins, n_bins)
        R of weights fitted in the bin of the row with the responses of the bin of the column; empty if not asked for.
    generalization_p : array of shape (n_bins, n_bins)
        Against the maximum over all pairs.
    steps_without : array of shape (n_groups, n_steps, n_bins)
        Of a recurrent model, the curve of every step without each group of stimuli.
    layers : list of str
    layer_by_bin : list of str
        That most folds chose.
    threshold : float
        What an onset has to exceed; NaN without a baseline.
    onset, peak : Latency
    clusters : list of Cluster
    neuroids : list of dict
        A row a tested neuroid: ``neuroid_id``, ``peak_r``, ``peak_ms``, ``onset_ms``, ``p``, ``q``.
    steps : dict
        Of a recurrent model: ``layer``, ``numbers``, ``best`` (step of every bin), ``bins`` that were compared,
        ``rho``, ``low``, ``high``, ``said``.
    n_stimuli, n_groups : int
    simulated : bool
    methods, provenance : dict
    file : str
        Where it is kept.
    cached : bool
        Whether it was read, not computed.
    """

    model: str
    benchmark: str
    key: str
    windows: Floats = field(repr=False)
    r: Floats
    low: Floats = field(repr=False)
    high: Floats = field(repr=False)
    ceiling: Floats = field(repr=False)
    p: Floats = field(repr=False)
    null_mean: Floats = field(repr=False)
    null_high: Floats = field(repr=False)
    without: Floats = field(repr=False)
    by_layer: Floats = field(repr=False)
    of_neuroids: Floats = field(repr=False)
    generalization: Floats = field(repr=False)
    generalization_p: Floats = field(repr=False)
    steps_without: Floats = field(repr=False)
    layers: list[str]
    layer_by_bin: list[str] = field(repr=False)
    threshold: float
    onset: Latency
    peak: Latency
    clusters: list[Cluster]
    neuroids: list[dict[str, Any]] = field(repr=False)
    steps: dict[str, Any] = field(repr=False)
    n_stimuli: int
    n_groups: int
    simulated: bool
    methods: dict[str, Any] = field(repr=False)
    provenance: dict[str, Any] = field(repr=False)
    file: str = ""
    cached: bool = False

    @property
    def middles(self) -> Floats:
        """Of the bins, in ms."""
        found: Floats = self.windows.mean(axis=1)
        return found

    @property
    def baseline(self) -> npt.NDArray[np.bool_]:
        """Bins that end at or before 0 ms."""
        found: npt.NDArray[np.bool_] = self.windows[:, 1] <= 1e-6
        return found

    @property
    def table(self) -> pd.DataFrame:
        """A row a bin."""
        return pd.DataFrame(
            {
                "model": self.model,
                "benchmark": self.benchmark,
                "from_ms": self.windows[:, 0],
                "to_ms": self.windows[:, 1],
                "r": self.r,
                "low": self.low,
                "high": self.high,
                "ceiling": self.ceiling,
                "p": self.p,
                "layer": self.layer_by_bin,
            }
        )

    def ms(self, latency: Latency) -> tuple[float, float, float, float]:
        """From and to of the bin of a latency, and the two ends of its interval: all in ms, NaN for what is not known.

        An interval goes from the start of its first bin to the end of its last: a bin's width is part of it.
        """
        nothing = float("nan")
        if latency.bin < 0:
            return nothing, nothing, nothing, nothing
        start, end = self.windows[latency.bin]
        low = nothing if latency.first < 0 else float(self.windows[latency.first, 0])
        high = nothing if latency.last < 0 else float(self.windows[latency.last, 1])
        return float(start), float(end), low, high

    def as_dict(self) -> dict[str, Any]:
        """All of it as one object for JSON; None for what does not exist."""
        words = {name: _plain(getattr(self, name)) for name in (*_WORDS, "file", "cached")}
        arrays = {
            name: getattr(self, name).tolist() for name in _ARRAYS if name not in ("without", "steps_without")
        }
        found: dict[str, Any] = finite(words | arrays | {"latencies_ms": self._latencies()})
        return found

    def _latencies(self) -> dict[str, dict[str, Any]]:
        keys = ("from", "to", "low", "high")
        return {
            name: dict(zip(keys, self.ms(one), strict=True)) | {"said": one.said}
            for name, one in (("onset", self.onset), ("peak", self.peak))
        }

    def save(self, path: str | Path) -> None:
        """Keep it, as ``NAME.overtime.npz`` in a folder of results where ``brodmann compare`` finds it."""
        words = {name: _plain(getattr(self, name)) for name in _WORDS} | {"format": FORMAT}
        arrays = {name: getattr(self, name) for name in _ARRAYS}
        stream = BytesIO()
        np.savez(stream, words=np.array(json.dumps(finite(words))), **arrays)
        write_bytes(Path(path), stream.getvalue())

    @classmethod
    def load(cls, path: str | Path) -> OverTime:
        """What :meth:`save` kept.

        Raises
        ------
        UserError
            For a file that is none, or damaged.
        """
        try:
            with Path(path).open("rb") as stream:
                kept = read_npz(stream)
            words = json.loads(str(kept["words"]))
            if words.pop("format") != FORMAT:
                raise UserError(f"{path} was written by another version: score it again")
            numbers: dict[str, Any] = {name: np.asarray(kept[name], np.float64) for name in _ARRAYS}
            return cls(**numbers, **_typed(words), file=str(path))
        except UserError:
            raise
        except Exception as error:  # whatever a file of others holds
            raise UserError(f"{path} is no score over time that can be read ({str(error)[:80]})") from error


def _plain(value: Any) -> Any:
    if isinstance(value, (Latency, Cluster)):
        return vars(value)
    return [_plain(one) for one in value] if isinstance(value, list) else value


def _typed(words: Mapping[str, Any]) -> dict[str, Any]:
    """Words of a file as the types that they were."""
    made = {name: words[name] for name in _WORDS}
    latencies = {name: Latency(**words[name]) for name in ("onset", "peak")}
    threshold = float("nan") if words["threshold"] is None else float(words["threshold"])
    return (
        made | latencies | {"threshold": threshold, "clusters": [Cluster(**one) for one in words["clusters"]]}
    )
