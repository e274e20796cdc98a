"""The confounds that fMRIPrep writes, by nilearn's strategies, and the samples that they say to leave out."""

import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from ....errors import UserError, first_line, unknown
from .files import BoldFiles, checked, parsed

PRESETS = ("simple", "scrubbing", "compcor", "ica_aroma")
COMPONENTS = ("motion", "high_pass", "wm_csf", "global_signal", "compcor", "ica_aroma", "tedana", "scrub")
_NUMBERS = ("scrub", "n_compcor", "fd_threshold", "std_dvars_threshold")
_TABLES = ("timeseries.tsv", "regressors.tsv")
"""Endings of fMRIPrep's tables, the second before its version 20.2."""


@dataclass(frozen=True)
class Strategy:
    """What is taken of the tables of confounds.

    Attributes
    ----------
    components : tuple of str
        Arguments of nilearn's ``load_confounds``; empty: none.
    preset : str
        A name of nilearn's ``load_confounds_strategy`` in their place, or nothing.
    variants : dict of str to str or number
        Such as ``{"motion": "basic"}``.
    """

    components: tuple[str, ...]
    preset: str
    variants: dict[str, Any]

    @property
    def has_drifts(self) -> bool:
        """Whether fMRIPrep's cosines are among them."""
        return bool(self.preset) or "high_pass" in self.components

    @property
    def description(self) -> str:
        """Which image of fMRIPrep goes with it: its ``desc``."""
        if "tedana" in self.components:
            return "optcom"
        denoised = self.preset == "ica_aroma" or (
            "ica_aroma" in self.components and self.variants.get("ica_aroma", "full") == "full"
        )
        return "smoothAROMAnonaggr" if denoised else "preproc"


@dataclass(frozen=True)
class Confounds:
    """Of one run.

    Attributes
    ----------
    table : DataFrame or None
        A row a sample.
    kept : array of shape (n_samples,), bool
        False for dummy scans (non-steady state) and scrubbed samples.
    has_table : bool
        Whether fMRIPrep's table was there.
    """

    table: pd.DataFrame | None
    kept: npt.NDArray[np.bool_]
    has_table: bool


def strategy(names: Sequence[str] | None) -> Strategy:
    """What ``--confounds`` says: ``motion=basic,wm_csf``, one preset such as ``simple``, or ``none``.

    Raises
    ------
    UserError
        For a name that nilearn has not.
    """
    if names in (None, [], ["none"]):
        return Strategy((), "", {})
    pairs = dict(one.partition("=")[::2] for one in names or ())
    if len(pairs) == 1 and next(iter(pairs)) in PRESETS:
        name, said = next(iter(pairs.items()))
        if not said:
            return Strategy((), name, {})
    for name in pairs:
        if name not in (*COMPONENTS, *_NUMBERS):
            raise unknown("strategy of confounds", name, (*COMPONENTS, *PRESETS, *_NUMBERS))
    variants = {name: _value(name, text) for name, text in pairs.items() if text}
    return Strategy(tuple(name for name in pairs if name in COMPONENTS), "", variants)


def _value(name: str, text: str) -> str | float:
    if name not in _NUMBERS or (name == "n_compcor" and text == "all"):
        return text
    try:
        return float(text) if name.endswith("threshold") else int(text)
    except ValueError as error:
        raise UserError(f"--confounds {name}={text}: that is no number") from error


def confounds_of(run: BoldFiles, n_samples: int, chosen: Strategy) -> Confounds:
    """The confounds of a run, by nilearn's ``load_confounds`` or ``load_confounds_strategy``.

    Dummy scans are found whatever the strategy, where there is a table.

    Raises
    ------
    UserError
        Where there is no table or it lacks what the strategy needs, has another number of rows than the image has
        samples, or has cells without a number.
    """
    path = _table(run)
    wanted = bool(chosen.components or chosen.preset)
    if path is None and "tedana" not in chosen.components:
        if wanted:
            raise UserError(
                f"there is no table of confounds beside {run.first.path} (..._desc-confounds_timeseries.tsv): "
                "leave --confounds out"
            )
        return Confounds(None, np.ones(n_samples, dtype=bool), has_table=False)
    if path is not None:
        with checked(path, run.root).open("rb") as stream:
            rows = sum(1 for line in stream if line.strip()) - 1
        if rows != n_samples:
            raise UserError(f"{path} has {rows} rows and the image of its run {n_samples} samples")
    table, sample_mask = _loaded(run, path, chosen)
    kept = np.ones(n_samples, dtype=bool)
    if sample_mask is not None:
        kept[:] = False
        kept[sample_mask] = True
    if kept.sum() < 2:
        raise UserError(
            f"{path}: {n_samples - int(kept.sum())} of {n_samples} samples are to be left out: nothing is left"
        )
    if table is None or not len(table.columns):
        return Confounds(None, kept, has_table=True)
    missing = table.columns[table[kept].isna().any()]
    if len(missing):
        row = int(np.flatnonzero(kept & table[missing[0]].isna().to_numpy())[0])
        raise UserError(f"{path}: confound {missing[0]!r} has no number in sample {row}")
    return Confounds(table.fillna(0.0), kept, has_table=True)


def _table(run: BoldFiles) -> Path | None:
    image = run.first
    for path in sorted(image.path.parent.glob("*_desc-confounds_*.tsv")):
        one = parsed(path)
        if one is None or f"{one.suffix}{one.extension}" not in _TABLES:
            continue
        own = {key: value for key, value in one.entities.items() if key != "desc"}
        if own.items() <= image.entities.items():
            return path
    return None


def _loaded(run: BoldFiles, path: Path | None, chosen: Strategy) -> tuple[pd.DataFrame | None, Any]:
    from nilearn.interfaces.fmriprep import load_confounds, load_confounds_strategy

    names = [str(one.path) for one in run.files]
    images: Any = names[0] if len(names) == 1 else names
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            if chosen.preset:
                table, mask = load_confounds_strategy(images, chosen.preset)
            else:
                table, mask = load_confounds(images, strategy=chosen.components, **chosen.variants)
    except (ValueError, KeyError, IndexError, TypeError, OSError, AttributeError) as error:
        said = " ".join(str(error).split())[:200] or first_line(error)
        raise UserError(
            f"the confounds of {path or names[0]} cannot be read by this strategy: {said}"
        ) from error
    return table, mask
