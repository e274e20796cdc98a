"""haxby2001: BOLD patterns of 8 object categories in 12 runs, one slice of one person or six people's VT."""

import shutil
import sys
from collections.abc import Callable, Iterable, Sequence
from contextlib import redirect_stdout
from dataclasses import asdict, replace
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING

from ...bounded import check_plain, require_for, require_for_nifti
from ...errors import NotAvailableError, UserError
from ...files import digest_of, home, remember, whole_folder
from ...progress import track
from ..card import DatasetCard, dataset, files_beside

if TYPE_CHECKING:
    from ..dataset import Dataset
    from ..read_options import ReadOptions
    from ..timeseries.block_patterns import Floats, Patterns, Run

VERSION = 1
TR = 2.5
"""Seconds from volume to volume."""
CATEGORIES = ("bottle", "cat", "chair", "face", "house", "scissors", "scrambledpix", "shoe")
N_SUBJECTS = 6
_COMMIT = "20f0335f98bbb59a0e11bc0b7a469edf8681a9a1"
_SLICE = DatasetCard(
    "haxby2001-slice",
    "8 object categories x 12 runs: subject 1, posterior half of one axial slice",
    modality="vision",
    species="human",
    technique="fMRI",
    regions=("posterior",),
    n_subjects=1,
    n_stimuli=8,
    license="MIT (the repository's)",
    source=f"https://github.com/PyMVPA/PyMVPA, commit {_COMMIT}, mvpa2/data/haxby2001",
    units="% signal change",
    files=files_beside(
        __file__, f"https://raw.githubusercontent.com/PyMVPA/PyMVPA/{_COMMIT}/mvpa2/data/haxby2001/{{name}}"
    ),
    bibtex="""@article{haxby2001,
  title = {Distributed and Overlapping Representations of Faces and Objects in Ventral Temporal Cortex},
  author = {Haxby, James V. and Gobbini, M. Ida and Furey, Maura L. and Ishai, Alumit and Schouten, Jennifer L. and \
Pietrini, Pietro},
  journal = {Science},
  volume = {293},
  number = {5539},
  pages = {2425--2430},
  year = {2001},
  doi = {10.1126/science.1063736}
}""",
)
_FULL = replace(
    _SLICE,
    identifier="haxby2001",
    title="8 object categories x 12 runs: 6 subjects, ventral temporal cortex",
    regions=("VT",),
    n_subjects=N_SUBJECTS,
    license="unknown (as nilearn states it)",
    source="nilearn.datasets.fetch_haxby",
    files=(),
)


@dataset(_SLICE)
def load(card: DatasetCard, folder: Path) -> "Dataset":
    """One pattern a category and run: the posterior half of one axial slice of subject 1.

    The patterns are those of :func:`brodmann.brain_data.timeseries.block_patterns.patterns`, with the motion
    estimates regressed out. A voxel counts as brain where its mean over volumes is above half the median of the
    voxels that hold any signal, in every run; the others are counted in ``responses.attrs["left_out"]``. The
    stimulus images are not included. The patterns are kept beside the installed files.
    """
    from ..timeseries.block_patterns import bright_voxels, patterns

    def make() -> "Patterns":
        runs, affine = slice_runs(card, folder)
        return patterns(runs, bright_voxels(runs), affine, conditions=CATEGORIES, repetition_time=TR)

    found = _remembered(folder / "derived", "slice", make)
    return _dataset(card, [found], ["subj1"], {"voxels outside the brain": found.n_outside})


def slice_runs(card: DatasetCard, folder: Path) -> "tuple[list[Run], Floats]":
    """The 12 runs of the slice, and the affine from voxel indices to mm that they share."""
    import numpy as np
    import pandas as pd

    from ..timeseries.block_patterns import Run, read_image

    runs, affine = [], np.eye(4)
    for name in sorted({str(Path(file.name).parent) for file in card.files}):
        bold, affine = read_image(folder / name / "bold_1slice.nii.gz")
        events = pd.read_csv(folder / name / "bold_events.tsv", sep="\t")
        runs.append(Run(bold, events, np.loadtxt(folder / name / "bold_moest.txt")))
    return runs, affine


def fetch(target: Path, source: Path | None, options: "ReadOptions | None" = None) -> None:
    """Fill the folder of the full data set, all or nothing.

    Parameters
    ----------
    target : Path
    source : Path or None
        A folder that :func:`nilearn.datasets.fetch_haxby` filled (with ``haxby2001`` in it, or that one
        itself). None lets it download, about 1.8 GB; what was fetched is kept for the next attempt.
    options : ReadOptions, optional
        All six people are installed: there is nothing to choose.

    Raises
    ------
    UserError
        For an option, where the folder lacks a file, or holds links out of it, pipes, devices, or images larger than
        memory.
    NotAvailableError
        Without a network.
    """
    if options is not None and options.given():
        raise UserError("'haxby2001' is installed whole: leave out the options")
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
    check_plain(folder)
    for name in needed:
        if name.endswith(".nii.gz"):
            require_for_nifti(folder / name)
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


@dataset(_FULL, fetch=fetch)
def load_full(card: DatasetCard, folder: Path) -> "Dataset":
    """One pattern a category and run: ventral temporal cortex of six people.

    The patterns are those of :func:`brodmann.brain_data.timeseries.block_patterns.patterns` (no motion estimates
    were released). Runs without labels are left out; all people keep as many runs as the one with the fewest. A
    pattern answers a block of many pictures, so there is no picture for it; the column ``images`` lists the
    category's pictures where they were fetched. The patterns are kept beside what :func:`fetch` filled.
    """
    import pandas as pd

    from ..timeseries.block_patterns import labeled_runs, patterns, read_image

    subjects, people = [f"subj{number}" for number in range(1, N_SUBJECTS + 1)], []
    for subject in track(subjects, "first-level GLM of each subject"):

        def make(where: Path = folder / subject) -> "Patterns":
            bold, affine = read_image(where / "bold.nii.gz")
            mask = read_image(where / "mask4_vt.nii.gz")[0] > 0
            require_for(where / "labels.txt", 8 * (where / "labels.txt").stat().st_size)
            labels = pd.read_csv(where / "labels.txt", sep=" ")
            runs = labeled_runs(bold, labels, TR)
            return patterns(runs, mask, affine, conditions=CATEGORIES, repetition_time=TR)

        people.append(_remembered(folder / "derived", subject, make))
    pictures = sorted(path for path in (folder / "stimuli").rglob("*.jpg"))
    return _dataset(card, people, subjects, {}, [path.relative_to(folder) for path in pictures])


def _remembered(folder: Path, name: str, make: "Callable[[], Patterns]") -> "Patterns":
    """Patterns, kept under the versions that they depend on."""
    import numpy as np

    from ..timeseries.block_patterns import Patterns

    key = digest_of(VERSION, version("nilearn"))[:16]

    def save(path: Path) -> None:
        with path.open("wb") as stream:
            np.savez(stream, **asdict(make()))

    with np.load(remember(folder / f"patterns-{name}-{key}.npz", save), allow_pickle=False) as kept:
        counts = {count: int(kept[count]) for count in ("n_outside", "n_constant")}
        return Patterns(kept["values"], kept["positions"], **counts)


def _dataset(
    card: DatasetCard,
    people: "Sequence[Patterns]",
    subjects: Sequence[str],
    left_out: dict[str, int],
    pictures: Iterable[Path] = (),
) -> "Dataset":
    import numpy as np
    import xarray as xr

    from ..dataset import Dataset
    from ..stimulus_set import StimulusSet

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
