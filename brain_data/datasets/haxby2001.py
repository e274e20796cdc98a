"""haxby2001: BOLD patterns of 8 object categories in 12 runs, one slice of one person or six people's VT."""

import shutil
import sys
import zlib
from collections.abc import Callable, Iterable, Sequence
from contextlib import redirect_stdout
from dataclasses import asdict, dataclass
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt
import pandas as pd
import xarray as xr
from brainscore_core.supported_data_standards.brainio.stimuli import StimulusSet

from ...errors import NotAvailableError, UserError
from ...files import digest_of, home, remember, whole_folder
from ...progress import track
from ..dataset import Dataset

if TYPE_CHECKING:
    from ..card import DatasetCard

Floats = npt.NDArray[np.float64]

VERSION = 1
TR = 2.5
"""Seconds from volume to volume."""
CATEGORIES = ("bottle", "cat", "chair", "face", "house", "scissors", "scrambledpix", "shoe")
N_SUBJECTS = 6
_HIGH_PASS = 1 / 128
_DIM_VOXEL = 0.5


@dataclass(frozen=True)
class Run:
    """One run of one person.

    Attributes
    ----------
    bold : array of shape (x, y, z, n_volumes)
    events : DataFrame
        ``onset`` and ``duration`` in s, ``trial_type``.
    motion : array of shape (n_volumes, n_regressors) or None
        Motion estimates, regressed out.
    """

    bold: Floats
    events: pd.DataFrame
    motion: Floats | None = None


@dataclass(frozen=True)
class Patterns:
    """The response patterns of one person.

    Attributes
    ----------
    values : array of shape (n_runs, n_categories, n_voxels)
        % signal change, categories in the order of ``CATEGORIES``.
    positions : array of shape (n_voxels, 3)
        In mm.
    n_outside : int
        Voxels of the image outside the mask.
    n_constant : int
        Voxels of the mask that do not vary in some run.
    """

    values: Floats
    positions: Floats
    n_outside: int
    n_constant: int


def load(card: "DatasetCard", folder: Path) -> Dataset:
    """One pattern a category and run: the posterior half of one axial slice of subject 1.

    The patterns are those of :func:`patterns`, with the motion estimates regressed out. A voxel counts as
    brain where its mean over volumes is above half the median of the voxels that hold any signal, in every
    run; the others are counted in ``responses.attrs["left_out"]``. The stimulus images are not included.

    Parameters
    ----------
    card : DatasetCard
    folder : Path
        The installed files; the patterns are kept beside them.
    """

    def make() -> Patterns:
        runs, affine = slice_runs(card, folder)
        return patterns(runs, bright_voxels(runs), affine)

    found = _remembered(folder / "derived", "slice", make)
    return _dataset(card, [found], ["subj1"], {"voxels outside the brain": found.n_outside})


def slice_runs(card: "DatasetCard", folder: Path) -> tuple[list[Run], Floats]:
    """The 12 runs of the slice, and the affine from voxel indices to mm that they share."""
    runs, affine = [], np.eye(4)
    for name in sorted({str(Path(file.name).parent) for file in card.files}):
        bold, affine = _read_image(folder / name / "bold_1slice.nii.gz")
        events = pd.read_csv(folder / name / "bold_events.tsv", sep="\t")
        runs.append(Run(bold, events, np.loadtxt(folder / name / "bold_moest.txt")))
    return runs, affine


def load_full(card: "DatasetCard", folder: Path) -> Dataset:
    """One pattern a category and run: ventral temporal cortex of six people.

    The patterns are those of :func:`patterns` (no motion estimates were released). Runs without labels are
    left out; all people keep as many runs as the one with the fewest. A pattern answers a block of many
    pictures, so there is no picture for it; the column ``images`` lists the category's pictures where they
    were fetched.

    Parameters
    ----------
    card : DatasetCard
    folder : Path
        What :func:`fetch` filled; the patterns are kept beside it.
    """
    subjects, people = [f"subj{number}" for number in range(1, N_SUBJECTS + 1)], []
    for subject in track(subjects, "first-level GLM of each subject"):

        def make(where: Path = folder / subject) -> Patterns:
            bold, affine = _read_image(where / "bold.nii.gz")
            mask = _read_image(where / "mask4_vt.nii.gz")[0] > 0
            labels = pd.read_csv(where / "labels.txt", sep=" ")
            return patterns(labeled_runs(bold, labels), mask, affine)

        people.append(_remembered(folder / "derived", subject, make))
    pictures = sorted(path for path in (folder / "stimuli").rglob("*.jpg"))
    return _dataset(card, people, subjects, {}, [path.relative_to(folder) for path in pictures])


def fetch(target: Path, source: Path | None) -> None:
    """Fill the folder of the full data set, all or nothing.

    Parameters
    ----------
    target : Path
    source : Path or None
        A folder that :func:`nilearn.datasets.fetch_haxby` filled (with ``haxby2001`` in it, or that one
        itself). None lets it download, about 1.8 GB; what was fetched is kept for the next attempt.

    Raises
    ------
    UserError
        Where the folder lacks a file.
    NotAvailableError
        Without a network.
    """
    kept = home() / "downloads" / "nilearn"
    folder = _fetched(kept) if source is None else source
    if (folder / "haxby2001").is_dir():
        folder = folder / "haxby2001"
    names = ("bold.nii.gz", "labels.txt", "mask4_vt.nii.gz")
    needed = [f"subj{number}/{name}" for number in range(1, N_SUBJECTS + 1) for name in names]
    missing = [name for name in needed if not (folder / name).is_file()]
    if missing:
        raise UserError(
            f"{folder} holds {len(needed) - len(missing)} of the {len(needed)} files that data set 'haxby2001' needs "
            f"(first missing: {missing[0]}): is it the folder that nilearn's fetch_haxby filled?"
        )
    with whole_folder(target) as temporary:
        for name in track(needed, "installing haxby2001"):
            (temporary / name).parent.mkdir(exist_ok=True)
            shutil.copyfile(folder / name, temporary / name)
        if (folder / "stimuli").is_dir():
            shutil.copytree(folder / "stimuli", temporary / "stimuli")
    if source is None:
        shutil.rmtree(kept)


def _fetched(folder: Path) -> Path:
    from nilearn.datasets import fetch_haxby

    try:
        with redirect_stdout(sys.stderr):
            fetch_haxby(data_dir=folder, subjects=list(range(1, N_SUBJECTS + 1)), fetch_stimuli=True)
    except OSError as error:
        raise NotAvailableError(
            f"cannot download data set 'haxby2001' ({type(error).__name__}); with nilearn's copy at hand: "
            "brodmann data add haxby2001 --from FOLDER"
        ) from error
    return folder


def patterns(runs: Sequence[Run], mask: npt.NDArray[np.bool_], affine: Floats) -> Patterns:
    """One response pattern a category and run, by nilearn's first-level GLM of each run.

    y = X beta + e per voxel, where y is the % change from the voxel's mean over the run; X holds a boxcar per
    category convolved with Glover's haemodynamic response, cosine drifts up to 1/128 Hz, the motion estimates
    and a constant; e is AR(1). The pattern of a category is its beta.

    Parameters
    ----------
    runs : sequence of Run
        Every run shows every one of ``CATEGORIES``.
    mask : array of shape (x, y, z), bool
        The voxels to keep. Those that do not vary in some run are left out and counted.
    affine : array of shape (4, 4)
        From voxel indices to mm.

    Raises
    ------
    UserError
        Where a run lacks a category.
    """
    series = [run.bold[mask].T for run in runs]
    varies = np.all([(np.ptp(one, axis=0) > 0) & (one.mean(axis=0) > 0) for one in series], axis=0)
    values = [
        _betas(one[:, varies], run.events, run.motion)
        for one, run in track(list(zip(series, runs, strict=True)), "first-level GLM of each run")
    ]
    indices = np.argwhere(mask)[varies]
    positions = indices @ affine[:3, :3].T + affine[:3, 3]
    return Patterns(np.array(values), positions, int((~mask).sum()), int((~varies).sum()))


def _betas(series: Floats, events: pd.DataFrame, motion: Floats | None) -> Floats:
    from nilearn.glm.contrasts import compute_contrast
    from nilearn.glm.first_level import make_first_level_design_matrix, mean_scaling, run_glm

    absent = [name for name in CATEGORIES if name not in set(events["trial_type"])]
    if absent:
        raise UserError(f"a run shows no {absent[0]!r}: its events name {sorted(set(events['trial_type']))}")
    design = make_first_level_design_matrix(
        np.arange(len(series)) * TR,
        events[["onset", "duration", "trial_type"]],
        hrf_model="glover",
        drift_model="cosine",
        high_pass=_HIGH_PASS,
        add_regs=motion,
    )
    labels, results = run_glm(mean_scaling(series)[0], design.to_numpy(), noise_model="ar1")
    contrasts = [(design.columns == name).astype(float) for name in CATEGORIES]
    return np.array(
        [compute_contrast(labels, results, contrast, "t").effect_size() for contrast in contrasts]
    )


def bright_voxels(runs: Sequence[Run]) -> npt.NDArray[np.bool_]:
    """Where the mean over volumes is above half the median of the voxels with any signal, in every run."""
    means = np.array([run.bold.mean(axis=-1) for run in runs])
    overall = means.mean(axis=0)
    bright: npt.NDArray[np.bool_] = means.min(axis=0) > _DIM_VOXEL * np.median(overall[overall > 0])
    return bright


def labeled_runs(bold: Floats, labels: pd.DataFrame) -> list[Run]:
    """The runs of a recording in which every volume has a label.

    Parameters
    ----------
    bold : array of shape (x, y, z, n_volumes)
    labels : DataFrame
        A row a volume: ``labels`` (a category or ``rest``) and ``chunks`` (the run). Consecutive volumes of
        a category are one event. A run that is all rest has lost its labels and is left out.
    """
    if len(labels) != bold.shape[-1]:
        raise UserError(f"there are {len(labels)} labels for {bold.shape[-1]} volumes")
    runs = []
    for chunk in sorted(set(labels["chunks"])):
        volumes = np.flatnonzero(labels["chunks"] == chunk)
        shown = labels["labels"].to_numpy(str)[volumes]
        starts = np.flatnonzero(np.r_[True, shown[1:] != shown[:-1]])
        lengths = np.diff(np.r_[starts, len(shown)])
        events = pd.DataFrame({"onset": starts * TR, "duration": lengths * TR, "trial_type": shown[starts]})
        events = events[events["trial_type"] != "rest"].reset_index(drop=True)
        if len(events):
            runs.append(Run(bold[..., volumes], events))
    return runs


def _read_image(path: Path) -> tuple[Floats, Floats]:
    import nibabel

    try:
        image: Any = nibabel.load(path)
        return image.get_fdata(), image.affine
    except (OSError, EOFError, zlib.error, nibabel.filebasedimages.ImageFileError) as error:
        raise UserError(
            f"{path} is not a readable NIfTI image ({error}): install the data set again"
        ) from error


def _remembered(folder: Path, name: str, make: Callable[[], Patterns]) -> Patterns:
    """Patterns, kept under the versions that they depend on."""
    key = digest_of(VERSION, version("nilearn"))[:16]

    def save(path: Path) -> None:
        with path.open("wb") as stream:
            np.savez(stream, **asdict(make()))

    with np.load(remember(folder / f"patterns-{name}-{key}.npz", save), allow_pickle=False) as kept:
        counts = {count: int(kept[count]) for count in ("n_outside", "n_constant")}
        return Patterns(kept["values"], kept["positions"], **counts)


def _dataset(
    card: "DatasetCard",
    people: Sequence[Patterns],
    subjects: Sequence[str],
    left_out: dict[str, int],
    pictures: Iterable[Path] = (),
) -> Dataset:
    stimuli = StimulusSet({"stimulus_id": CATEGORIES, "category": CATEGORIES})
    stimuli.identifier = card.identifier
    by_category: dict[str, list[str]] = {name: [] for name in CATEGORIES}
    for picture in pictures:
        name = picture.parent.name.removesuffix("s")
        by_category.setdefault(name, []).append(picture.as_posix())
    if any(by_category.values()):
        stimuli["images"] = [";".join(by_category[name]) for name in CATEGORIES]
    n_runs = min(len(person.values) for person in people)
    values = np.concatenate([person.values[:n_runs] for person in people], axis=-1)
    n_voxels = [person.values.shape[-1] for person in people]
    positions = np.concatenate([person.positions for person in people])
    region = list(card.regions) * len(positions)
    left_out = left_out | {
        "voxels without variance": sum(person.n_constant for person in people),
        "runs": sum(len(person.values) - n_runs for person in people),
    }
    responses = xr.DataArray(
        values.reshape(n_runs * len(CATEGORIES), -1),
        dims=("presentation", "neuroid"),
        coords={
            "stimulus_id": ("presentation", np.tile(np.array(CATEGORIES, dtype=object), n_runs)),
            "repetition": ("presentation", np.repeat(np.arange(n_runs), len(CATEGORIES))),
            "run": ("presentation", np.repeat(np.arange(1, n_runs + 1), len(CATEGORIES))),
            "neuroid_id": (
                "neuroid",
                [
                    f"{subject}.{i:04d}"
                    for subject, n in zip(subjects, n_voxels, strict=True)
                    for i in range(n)
                ],
            ),
            "region": ("neuroid", region),
            "subject": ("neuroid", np.repeat(np.array(subjects, dtype=object), n_voxels)),
            **{axis: ("neuroid", positions[:, i]) for i, axis in enumerate("xyz")},
        },
        attrs={"left_out": {reason: number for reason, number in left_out.items() if number}},
    )
    return Dataset(**card.about(), stimuli=stimuli, responses=responses, has_stimuli=False)
