"""Betas by nilearn's GLM: of conditions, of every trial of a run at once, or of one trial after the other."""

import warnings
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import numpy.typing as npt
import pandas as pd

from ...errors import UserError, unknown

Floats = npt.NDArray[np.float64]
Method = Literal["all", "separate"]

HIGH_PASS = 1 / 128
"""The highest frequency of the drifts, in Hz."""
HRF_MODELS = (
    "glover",
    "glover + derivative",
    "glover + derivative + dispersion",
    "spm",
    "spm + derivative",
    "spm + derivative + dispersion",
)
"""Those of nilearn with one response a trial: of several columns a trial, the first."""
SEEN = 0.1
"""The least share of the power of a trial's expected response that must fall into the samples that are kept."""
_RESPONSE_S = 40.0
"""How long a response may last after its trial."""
_LONGEST_S = 600.0
"""How far beyond the end of a run the responses to its trials are followed."""
_OTHERS = "others"
_BLOCK_BYTES = 1 << 26


@dataclass(frozen=True)
class Sampling:
    """When the samples of a run were taken, and what is modeled beside its trials.

    Attributes
    ----------
    times : array of shape (n_samples,)
        In s, on the clock of the events.
    kept : array of shape (n_samples,), bool
        Dummy scans and scrubbed samples are not: they are left out of the fit, and the others stay where they are.
    confounds : DataFrame or None
        A row a sample.
    drifts : bool
        Whether cosines up to 1/128 Hz are in the model; not where the confounds hold fMRIPrep's.
    """

    times: Floats
    kept: npt.NDArray[np.bool_]
    confounds: pd.DataFrame | None = None
    drifts: bool = True


def check_hrf(name: str) -> str:
    """A name of nilearn's haemodynamic responses, with spaces around its plus signs.

    Raises
    ------
    UserError
        For another.
    """
    name = " + ".join(part.strip() for part in name.lower().split("+"))
    if name not in HRF_MODELS:
        raise unknown("haemodynamic response", name, HRF_MODELS, hint=f"known: {', '.join(HRF_MODELS)}")
    return name


def design_matrix(events: pd.DataFrame, sampling: Sampling, hrf: str) -> pd.DataFrame:
    """The columns of a GLM for the samples that are kept: trials, confounds, drifts and a constant.

    Parameters
    ----------
    events : DataFrame
        ``onset`` and ``duration`` in s, ``trial_type``.
    sampling : Sampling
    hrf : str
        A name of nilearn.
    """
    from nilearn.glm.first_level import make_first_level_design_matrix

    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)  # trials without a duration are impulses
        design: pd.DataFrame = make_first_level_design_matrix(
            sampling.times,
            events[["onset", "duration", "trial_type"]],
            hrf_model=hrf,
            drift_model="cosine" if sampling.drifts else None,
            high_pass=HIGH_PASS,
            add_regs=sampling.confounds,
        )
    return design[sampling.kept]


def fit_betas(series: Floats, design: pd.DataFrame, columns: Sequence[str], *, scaled: bool = True) -> Floats:
    """Betas of some columns of a design: y = X beta + e per neuroid, e is AR(1).

    Parameters
    ----------
    series : array of shape (n_samples, n_neuroids)
    design : DataFrame of shape (n_samples, n_columns)
    columns : sequence of str
        Those whose betas are wanted.
    scaled : bool
        Whether y is the % change from the neuroid's mean; else it is the series as it stands.

    Returns
    -------
    array of shape (len(columns), n_neuroids)
    """
    from nilearn.glm.first_level import mean_scaling, run_glm

    places = [design.columns.get_loc(name) for name in columns]
    target = mean_scaling(series)[0] if scaled else series
    labels, results = run_glm(target, design.to_numpy(), noise_model="ar1")
    betas = np.empty((len(places), series.shape[1]))
    for label, result in results.items():
        betas[:, labels == label] = result.theta[places]
    return betas


def seen_trials(events: pd.DataFrame, sampling: Sampling, hrf: str) -> npt.NDArray[np.bool_]:
    """Which trials of a run its samples show: at least a tenth of the power of the response falls into those kept.

    Parameters
    ----------
    events : DataFrame
        A row a trial: ``onset`` and ``duration`` in s.
    sampling : Sampling
    hrf : str
    """
    from nilearn.glm.first_level import compute_regressor

    tr = float(np.median(np.diff(sampling.times)))
    longest = float((events["onset"] + events["duration"]).max()) + _RESPONSE_S
    before = int(np.ceil(max(0.0, sampling.times[0] - float(events["onset"].min())) / tr))
    after = int(np.ceil(min(max(0.0, longest - sampling.times[-1]), _LONGEST_S) / tr))
    times = sampling.times[0] + tr * np.arange(-before, len(sampling.times) + after)
    inside = np.r_[np.zeros(before, dtype=bool), sampling.kept, np.zeros(after, dtype=bool)]
    seen = []
    for onset, duration in zip(events["onset"], events["duration"], strict=True):
        trial = np.array([[onset], [duration], [1.0]])
        power = compute_regressor(trial, hrf.partition(" ")[0], times)[0][:, 0] ** 2
        seen.append(power[inside].sum() >= SEEN * power.sum())
    return np.array(seen, dtype=bool)


def beta_series(
    series: npt.NDArray[Any],
    events: pd.DataFrame,
    sampling: Sampling,
    *,
    hrf: str,
    method: Method,
    scaled: bool,
) -> Iterator[tuple[slice, Floats]]:
    """One beta a trial, by nilearn's first-level GLM, for some neuroids at a time.

    `all` (least squares all): one GLM a run with a column a trial. `separate` (least squares separate; Mumford et al.
    2012): one GLM a trial, with a column for it and one for all others of the run.

    Parameters
    ----------
    series : array of shape (n_samples, n_neuroids)
    events : DataFrame
        A row a trial: ``onset`` and ``duration`` in s.
    sampling : Sampling
    hrf : str
    method : {"all", "separate"}
    scaled : bool
        As in :func:`fit_betas`.

    Yields
    ------
    slice, array of shape (n_trials, n)
        The neuroids, and their betas in the order of `events`.

    Raises
    ------
    UserError
        Where the samples do not tell the trials apart.
    """
    names = [f"trial{i:05d}" for i in range(len(events))]
    designs = [
        (design_matrix(events.assign(trial_type=shown), sampling, hrf), wanted)
        for shown, wanted in _models(names, method)
    ]
    for design, _ in designs:
        _check_rank(design, len(events))
    width = max(1, _BLOCK_BYTES // (8 * max(len(series), 1)))
    for start in range(0, series.shape[1], width):
        neuroids = slice(start, min(start + width, series.shape[1]))
        block = series[sampling.kept, neuroids].astype(np.float64)
        fitted = [fit_betas(block, design, wanted, scaled=scaled) for design, wanted in designs]
        yield neuroids, np.concatenate(fitted)


def _models(names: list[str], method: Method) -> Iterator[tuple[list[str], list[str]]]:
    """Of each GLM what its events are called, and the columns whose betas are wanted."""
    if method == "all":
        yield names, names
        return
    for name in names:
        yield [one if one == name else _OTHERS for one in names], [name]


def _check_rank(design: pd.DataFrame, n_trials: int) -> None:
    n_samples, n_columns = design.shape
    if n_samples <= n_columns:
        raise UserError(
            f"a GLM of {n_columns} columns needs more than {n_samples} samples: take --betas separate, or fewer "
            "--confounds"
        )
    scales = np.linalg.norm(design.to_numpy(), axis=0)
    rank = int(np.linalg.matrix_rank(design.to_numpy() / np.where(scales > 0, scales, 1.0), tol=1e-6))
    if rank < n_columns:
        raise UserError(
            f"the {n_columns} columns of a GLM are only {rank} independent ones: trials at the same time, or confounds "
            f"that follow from each other, cannot be told apart ({n_trials} trials; see --stimulus-column, "
            "--confounds)"
        )
