"""The runs of a BIDS folder with all that belongs to them: images, sampling, masks, confounds, events."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from ....errors import UserError
from ...imported import ReadOptions
from .confounds import Confounds, Strategy, confounds_of, strategy
from .events import read_events
from .files import (
    BidsFile,
    BoldFiles,
    bold_files,
    checked,
    description,
    image_folders,
    inherited,
    is_derivative,
    of_space,
    of_subjects,
    of_task,
    raw_entities,
    raw_folder,
    runs_of,
    sidecar,
)
from .images import BoldImage, open_bold

_SAME_TR = 1e-3
_LONGEST_TR = 60.0


@dataclass(frozen=True)
class Run:
    """One run of one subject.

    Attributes
    ----------
    files : BoldFiles
    image : BoldImage
    tr : float
        Seconds from sample to sample.
    start : float
        When the first sample was taken, in s on the clock of the events.
    confounds : Confounds
    events : DataFrame or None
    events_path : Path or None
    """

    files: BoldFiles
    image: BoldImage
    tr: float
    start: float
    confounds: Confounds
    events: pd.DataFrame | None
    events_path: Path | None

    @property
    def name(self) -> str:
        """Unique over the recording."""
        return self.files.run

    @property
    def session(self) -> str:
        """Without ``ses-``; nothing where there are none."""
        return self.files.first.entities.get("ses", "")

    @property
    def times(self) -> npt.NDArray[np.float64]:
        """When the samples were taken, in s."""
        return self.start + self.tr * np.arange(self.image.n_samples)


@dataclass(frozen=True)
class Recording:
    """All runs that were asked for.

    Attributes
    ----------
    raw : Path
        The folder of raw data, which holds the events and the stimuli.
    runs : list of Run
    strategy : Strategy
    is_raw : bool
        Whether the images are those of the scanner.
    said : list of str
    about : dict of str to str
    """

    raw: Path
    runs: list[Run]
    strategy: Strategy
    is_raw: bool
    said: list[str] = field(default_factory=list)
    about: dict[str, str] = field(default_factory=dict)

    @property
    def by_subject(self) -> dict[str, list[Run]]:
        """The runs of each subject."""
        grouped: dict[str, list[Run]] = {}
        for run in self.runs:
            grouped.setdefault(run.files.subject, []).append(run)
        return grouped


def open_recording(path: Path, options: ReadOptions) -> Recording:
    """The runs of a folder that the options ask for; their headers, tables and sidecars are read and compared.

    Raises
    ------
    UserError
        For what does not fit together, and for every choice that is not made.
    """
    chosen = strategy(options.names("confounds"))
    raw, root, found = _images(path, options, chosen)
    found = of_task(found, options.names("task"))
    found = of_subjects(
        found,
        subjects=options.names("subject"),
        sessions=options.names("session"),
        runs=options.names("run"),
    )
    is_raw = root == raw and not is_derivative(root)
    if is_raw and options.space is not None:
        raise UserError(
            f"{path} holds raw BOLD, which is in no space: leave --space out, or add fMRIPrep's derivatives"
        )
    files = runs_of(of_space(found, options.space), root)
    said: list[str] = []
    if options.events is not None and not Path(options.events).is_dir():
        said.append(f"events of every run: {options.events}")
    runs = [_open(one, raw, options, chosen, said) for one in files]
    space = files[0].first.space
    recording = Recording(raw, runs, chosen, is_raw, said, _about(raw, root, "" if is_raw else space))
    _say(recording, root, path)
    return recording


def _images(path: Path, options: ReadOptions, chosen: Strategy) -> tuple[Path, Path, list[BidsFile]]:
    """The folder of raw data, the one of images, and the images in it."""
    named = Path(options.events) if options.events is not None and Path(options.events).is_dir() else None
    if is_derivative(path):
        return named or path, path, _of_kind(bold_files(path), path, chosen)
    raw = named or path
    folders = image_folders(path)
    if len(folders) > 1:
        names = ", ".join(one.relative_to(path).as_posix() for one in folders)
        raise UserError(
            f"{path} has images of several pipelines ({names}): add one of these folders, with --events {path}"
        )
    if not folders:
        return raw, path, list(bold_files(path))
    if not folders[0].resolve().is_relative_to(path.resolve()):
        raise UserError(
            f"{folders[0]} is a link out of its folder: add {folders[0].resolve()} itself, with --events {path}"
        )
    return raw, folders[0], _of_kind(bold_files(folders[0]), folders[0], chosen)


def _of_kind(found: Any, root: Path, chosen: Strategy) -> list[BidsFile]:
    """The images that a pipeline means to be used, or that go with the confounds."""
    there = list(found)
    wanted = (chosen.description,) if chosen.description != "preproc" else ("preproc", None)
    left = [one for one in there if one.entities.get("desc") in wanted]
    if not left:
        kinds = sorted({one.entities.get("desc", "none") for one in there})
        raise UserError(
            f"{root} has no BOLD image named desc-{chosen.description}, but desc-{', desc-'.join(kinds)}"
        )
    return left


def _open(files: BoldFiles, raw: Path, options: ReadOptions, chosen: Strategy, said: list[str]) -> Run:
    for one in files.files:
        checked(one.path, files.root)
    image = open_bold({one.entities.get("hemi", ""): one.path for one in files.files})
    meta = sidecar(files, raw)
    tr = _repetition_time(files, image, meta, options)
    start = _start_time(files, meta, tr, said)
    confounds = confounds_of(files, image.n_samples, chosen)
    events = _events_path(files, raw, options)
    table = None
    if events is not None:
        table = read_events(events, _root_of(events, (raw, files.root)))
    return Run(files, image, tr, start, confounds, table, events)


def _root_of(path: Path, roots: Sequence[Path]) -> Path:
    return next((root for root in roots if path.is_relative_to(root)), path.parent)


def _events_path(files: BoldFiles, raw: Path, options: ReadOptions) -> Path | None:
    if options.events is not None and not Path(options.events).is_dir():
        path = Path(options.events)
        if not path.is_file():
            raise UserError(f"--events {path}: there is no such file or folder")
        return path
    found = inherited(raw, raw_folder(files, raw), "events", ".tsv", raw_entities(files.first))
    if not found and files.root != raw:
        folder = files.first.path.parent
        found = inherited(files.root, folder, "events", ".tsv", raw_entities(files.first))
    return found[-1] if found else None


def _repetition_time(
    files: BoldFiles, image: BoldImage, meta: Mapping[str, Any], options: ReadOptions
) -> float:
    """Seconds from sample to sample: of ``--tr``, else of the sidecar, which the header must not contradict."""
    name = files.first.path.name
    numbers = options.numbers("tr", 1)
    if numbers is not None:
        if not 0 < numbers[0] <= _LONGEST_TR:
            raise UserError(f"--tr must be seconds above 0 and up to {_LONGEST_TR:g}, not {options.tr}")
        return numbers[0]
    if "VolumeTiming" in meta:
        raise UserError(f"{name} was acquired with pauses (VolumeTiming): only an even TR is read")
    tr = meta.get("RepetitionTime")
    if tr is None:
        header = f"; its header says {image.tr:g}" if image.tr else ""
        raise UserError(f"no JSON file says the RepetitionTime of {name}{header}: say it by --tr SECONDS")
    if isinstance(tr, bool) or not isinstance(tr, (int, float)) or not 0 < tr <= _LONGEST_TR:
        raise UserError(
            f"RepetitionTime of {name} is {tr!r}, not seconds up to {_LONGEST_TR:g}: say it by --tr"
        )
    fits = [image.tr] if image.tr is not None else []
    if image.tr is not None and not image.tr_has_unit:
        fits.append(image.tr / 1000)
        fits += [float(tr)] if image.tr == 1 else []  # what many programs write who do not know it
    if fits and all(abs(one - tr) > _SAME_TR * tr for one in fits):
        raise UserError(
            f"{name}: its JSON files say a TR of {tr:g} s and its header {image.tr:g} s: say which by --tr"
        )
    return float(tr)


def _start_time(files: BoldFiles, meta: Mapping[str, Any], tr: float, said: list[str]) -> float:
    """When the first sample was taken: ``StartTime``; half a TR where slices were timed to no said time; else 0."""
    start = meta.get("StartTime")
    if start is not None:
        if isinstance(start, bool) or not isinstance(start, (int, float)) or not 0 <= start <= tr:
            raise UserError(
                f"StartTime of {files.first.path.name} is {start!r}, not seconds between 0 and its TR of {tr:g}"
            )
        return float(start)
    if meta.get("SliceTimingCorrected") is True:
        line = "slices were corrected to a time that no file says (StartTime): half a TR is taken"
        if line not in said:
            said.append(line)
        return tr / 2
    return 0.0


def _about(raw: Path, root: Path, space: str) -> dict[str, str]:
    meta = description(raw) or description(root)
    said = {
        "title": meta.get("Name"),
        "license": meta.get("License"),
        "source": meta.get("DatasetDOI"),
        "species": "human",
        "technique": "fMRI",
        "space": space,
    }
    return {key: value for key, value in said.items() if isinstance(value, str) and value}


def _say(recording: Recording, root: Path, path: Path) -> None:
    runs = recording.runs
    subjects = list(recording.by_subject)
    if recording.is_raw:
        recording.said.insert(0, "raw BOLD: there are no images of a pipeline (fMRIPrep) in derivatives/")
    else:
        made = description(root).get("GeneratedBy")
        first: Any = made[0] if isinstance(made, list) and made else {}
        name = (
            " ".join(str(first[key]) for key in ("Name", "Version") if key in first)
            if isinstance(first, dict)
            else ""
        )
        where = root.relative_to(path).as_posix() if root.is_relative_to(path) and root != path else root.name
        recording.said.insert(
            0, f"images of {name or 'a pipeline'} in {where}, space {runs[0].files.first.space}"
        )
    names = ", ".join(f"sub-{one}" for one in subjects[:8]) + (", ..." if len(subjects) > 8 else "")
    trs = ", ".join(f"{one:g}" for one in sorted({run.tr for run in runs}))
    starts = ", ".join(f"{one:g}" for one in sorted({run.start for run in runs}))
    recording.said.insert(1, f"{len(runs)} runs of {names}, TR {trs} s, first sample at {starts} s")
    _say_confounds(recording)


def _say_confounds(recording: Recording) -> None:
    chosen, runs = recording.strategy, recording.runs
    tables = [run.confounds.table for run in runs if run.confounds.table is not None]
    if tables:
        counts = sorted({len(one.columns) for one in tables})
        many = f"{counts[0]}" if len(counts) == 1 else f"{counts[0]} to {counts[-1]}"
        kinds = chosen.preset or ", ".join(chosen.components)
        recording.said.append(f"confounds: {kinds} ({many} columns a run)")
    else:
        more = (
            ": say which by --confounds motion,wm_csf" if any(run.confounds.has_table for run in runs) else ""
        )
        recording.said.append(f"confounds: none{more}")
    dropped = sum(int((~run.confounds.kept).sum()) for run in runs)
    if dropped:
        total = sum(run.image.n_samples for run in runs)
        recording.said.append(f"{dropped} of {total} samples are not used (dummy scans, scrubbed)")
