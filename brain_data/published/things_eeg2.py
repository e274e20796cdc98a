"""THINGS-EEG2 after preprocessing: a pickled dictionary a person and split.

``preprocessed_eeg_training.npy`` (or ``..._test.npy``) holds `preprocessed_eeg_data`, (picture, repetition, channel,
time), `ch_names` and `times` in s after onset; ``image_metadata.npy`` lists the pictures of both splits in the order of
the rows. [Known from the authors' description, not checked against their files.] A pickle can run anything when it is
opened, so these files are refused unless ``--pickles plain`` says that numbers and texts alone are read from them, by a
reader that runs nothing; large arrays stay in the file.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from ...errors import UserError
from ...pickles import is_pickled, read_plain_pickle
from ..imported import Computed, Imported
from ..published_recording import chosen, only
from ..read_options import ReadOptions

FILES = "preprocessed_eeg_t*.npy"
_SPLITS = {"train": "preprocessed_eeg_training.npy", "test": "preprocessed_eeg_test.npy"}
_METADATA = "image_metadata.npy"
_FOLDERS = {"train": "training_images", "test": "test_images"}


@dataclass(frozen=True)
class _Split:
    """The epochs of one file."""

    kind: str
    values: npt.NDArray[Any]
    channels: list[str]
    times: npt.NDArray[np.float64]


def read(path: Path, options: ReadOptions, about: Mapping[str, str]) -> Imported:
    """One person's epochs as trials with time bins.

    Parameters
    ----------
    path : Path
        The folder of one person, or one above it.
    options : ReadOptions
        ``pickles``, which must be ``plain``; ``subject``; ``events``, ``train`` or ``test``; ``channels``;
        ``window`` in ms; ``stimuli``, the folder of the image set.
    about : mapping
        What the card says.

    Raises
    ------
    UserError
        For pickles that nobody allowed, and for what is missing, damaged, or does not fit.
    """
    folder, subject = _person(path, options)
    there = {kind: folder / name for kind, name in _SPLITS.items() if (folder / name).is_file()}
    kinds = chosen("kind of trials", options.names("events"), list(there), "events")
    if options.pickles not in (None, "plain"):
        raise UserError(f"--pickles must be plain, not {options.pickles!r}")
    if options.pickles is None:
        file = there[kinds[0]]
        if is_pickled(file):
            raise UserError(
                f"{file} is a pickle, which can run anything when it is opened: refused; --pickles plain reads numbers "
                f"and texts alone from it and runs nothing, e.g. brodmann data convert {path} --to NEW --pickles plain"
            )
    splits = [_split(there[kind], kind) for kind in kinds]
    first = splits[0]
    for one in splits[1:]:
        if one.channels != first.channels or not np.array_equal(one.times, first.times):
            raise UserError(
                f"{folder}: the two files have other channels or times: add them one by one (--events)"
            )
    wanted = chosen("channel", options.names("channels"), first.channels, "channels")
    keep = np.array([first.channels.index(one) for one in wanted])
    named, named_said = _named(path, folder, splits)
    stimuli, shown = _shown(splits, named)
    pictures, pictures_said = _pictures(stimuli, options.stimuli)
    stimuli = stimuli.rename(columns={} if pictures else {"filename": "picture"})
    bins, inside, bins_said = _bins(first.times, options)
    neuroids = pd.DataFrame(
        {
            "neuroid_id": [f"{subject}-{one}" for one in wanted],
            "region": "EEG",
            "subject": subject,
            "channel": wanted,
        }
    )
    return Imported(
        stimuli=stimuli,
        values=_values(splits, keep, inside, average=bins is None),
        presentations=shown,
        neuroids=neuroids,
        time_bins=bins,
        pictures=pictures,
        modality="vision",
        about=about,
        said=[
            *(
                f"{subject}, {one.kind}: {one.values.shape[0]} pictures, {one.values.shape[1]} repetitions (in the "
                "order of the file, which is not that of time)"
                for one in splits
            ),
            bins_said,
            named_said,
            pictures_said,
        ],
    )


def _person(path: Path, options: ReadOptions) -> tuple[Path, str]:
    wanted = options.names("subject")
    asked = None if wanted is None else [f"sub-{one.removeprefix('sub-').zfill(2)}" for one in wanted]
    if any(path.glob(FILES)):
        name = path.resolve().name
        here = name if re.fullmatch(r"sub-\d+", name) else "sub-01"
        return path, here if asked is None else only("subjects", asked, "subject")
    root = path if any(path.glob(f"sub-*/{FILES}")) else path / "preprocessed_data"
    known = sorted({one.parent.name for one in root.glob(f"sub-*/{FILES}")})
    subject = only("subjects", chosen("subject", asked, known, "subject"), "subject")
    return root / subject, subject


def _split(path: Path, kind: str) -> _Split:
    held = read_plain_pickle(path, keys=str)
    absent = [name for name in ("preprocessed_eeg_data", "ch_names", "times") if name not in held]
    if absent:
        raise UserError(f"{path} has no {absent[0]!r} (it has: {', '.join(list(held)[:6]) or 'nothing'})")
    values, times = held["preprocessed_eeg_data"], held["times"]
    channels = _texts(held["ch_names"], f"{path}: ch_names")
    if (
        not isinstance(values, np.ndarray)
        or values.ndim != 4
        or values.dtype.kind != "f"
        or 0 in values.shape
    ):
        raise UserError(f"{path}: preprocessed_eeg_data must be numbers (picture, repetition, channel, time)")
    if not isinstance(times, np.ndarray) or times.ndim != 1 or times.dtype.kind != "f":
        raise UserError(f"{path}: times must be numbers, in s after onset")
    if values.shape[2:] != (len(channels), len(times)):
        raise UserError(
            f"{path}: {len(channels)} channels and {len(times)} times do not fit epochs of shape {values.shape}"
        )
    steps = np.diff(times)
    if len(times) < 2 or not (steps > 0).all() or np.ptp(steps) > 1e-3 * steps[0] or abs(times).max() > 60:
        raise UserError(f"{path}: times must rise in even steps, in s after onset")
    return _Split(kind, values, channels, times.astype(np.float64))


def _texts(held: object, where: str) -> list[str]:
    listed = held.tolist() if isinstance(held, np.ndarray) else held
    if not isinstance(listed, list) or not listed or not all(isinstance(one, str) for one in listed):
        raise UserError(f"{where} must be a list of names")
    if len(set(listed)) < len(listed):
        raise UserError(f"{where} names one twice")
    return listed


def _named(path: Path, folder: Path, splits: Sequence[_Split]) -> tuple[dict[str, pd.DataFrame], str]:
    """Split -> its pictures in the order of the rows, where their list is there."""
    places = (path, path / "image_set", folder, path.parent, path.parent / "image_set")
    found = next((one / _METADATA for one in places if (one / _METADATA).is_file()), None)
    if found is None:
        return {}, f"no {_METADATA} beside it: pictures are called by their number in the file"
    held = read_plain_pickle(found, keys=str)
    named = {}
    for one in splits:
        concepts, files = (held.get(f"{one.kind}_img_{what}") for what in ("concepts", "files"))
        if concepts is None or files is None:
            raise UserError(f"{found} has no {one.kind}_img_files and {one.kind}_img_concepts")
        names = _texts(files, f"{found}: {one.kind}_img_files")
        kinds = concepts.tolist() if isinstance(concepts, np.ndarray) else list(concepts)
        if len(names) != len(kinds) or len(names) != one.values.shape[0]:
            raise UserError(
                f"{found} lists {len(names)} pictures of {one.kind}, and the epochs are of {one.values.shape[0]}"
            )
        named[one.kind] = pd.DataFrame({"filename": names, "concept": [str(kind) for kind in kinds]})
    return named, f"pictures by {found.name}"


def _shown(splits: Sequence[_Split], named: Mapping[str, pd.DataFrame]) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Stimuli, and presentations: the repetitions of a picture follow each other."""
    stimuli, shown = [], []
    for one in splits:
        n, n_repetitions = one.values.shape[:2]
        if named:
            table = named[one.kind]
            ids = [Path(name).stem for name in table["filename"]]
            category = [re.sub(r"^\d+_", "", concept) for concept in table["concept"]]
            table = table.assign(stimulus_id=ids, split=one.kind, category=category)
        else:
            ids = [f"{one.kind}-{number:05d}" for number in range(1, n + 1)]
            table = pd.DataFrame({"stimulus_id": ids, "split": one.kind})
        stimuli.append(table)
        shown.append(
            pd.DataFrame(
                {
                    "stimulus_id": np.repeat(np.array(ids, object), n_repetitions),
                    "repetition": np.tile(np.arange(n_repetitions), n),
                }
            )
        )
    return pd.concat(stimuli, ignore_index=True), pd.concat(shown, ignore_index=True)


def _pictures(stimuli: pd.DataFrame, said: str | None) -> tuple[dict[str, Path], str]:
    """Stimulus id -> picture in the image set, by split and concept."""
    if said is None:
        return (
            {},
            "no pictures: --stimuli names the folder of the image set; without it models can be shown nothing",
        )
    root = Path(said).expanduser()
    if not root.is_dir():
        raise UserError(f"no folder at {root}")
    if "filename" not in stimuli:
        raise UserError(
            f"without {_METADATA} beside the epochs nobody knows which pictures of {root} they are of"
        )
    found, missing = {}, []
    for stimulus, name, concept, kind in (
        stimuli[["stimulus_id", "filename", "concept", "split"]].to_numpy().tolist()
    ):
        places = [root / inner / concept / name for inner in (_FOLDERS[kind], "")]
        inside = [one for one in places if one.is_file() and one.resolve().is_relative_to(root.resolve())]
        if inside:
            found[stimulus] = inside[0]
        else:
            missing.append(f"{concept}/{name}")
    if missing:
        raise UserError(f"{len(missing)} of {len(stimuli)} pictures are not in {root} (first: {missing[0]})")
    return found, f"pictures of {root}"


def _bins(times: npt.NDArray[np.float64], options: ReadOptions) -> tuple[pd.DataFrame | None, slice, str]:
    """Time bins in ms, or None for one window; the samples that are taken."""
    step = 1000 * float(times[1] - times[0])
    start = np.round(1000 * times, 6)
    end = np.round(start + step, 6)
    window = options.numbers("window", 2)
    if window is None:
        said = f"{len(times)} time bins of {step:g} ms from {start[0]:g} ms, each from a sample to the next"
        return pd.DataFrame({"time_bin_start": start, "time_bin_end": end}), slice(0, len(times)), said
    inside = np.flatnonzero((start >= window[0]) & (end <= window[1]))
    if not len(inside):
        raise UserError(
            f"no sample lies from {window[0]:g} to {window[1]:g} ms: there are {start[0]:g} to {end[-1]:g} ms"
        )
    said = f"one response a trial: the mean of {len(inside)} samples from {window[0]:g} to {window[1]:g} ms"
    return None, slice(int(inside[0]), int(inside[-1]) + 1), said


def _values(
    splits: Sequence[_Split], keep: npt.NDArray[np.intp], inside: slice, *, average: bool
) -> Computed:
    """(presentation, channel, bin), read where it is asked for; or the mean over bins."""
    counts = [one.values.shape[0] * one.values.shape[1] for one in splits]
    starts = np.cumsum([0, *counts])
    kind = np.result_type(*(one.values.dtype for one in splits))

    def get(rows: slice, neuroids: slice) -> npt.NDArray[Any]:
        first, last, step = rows.indices(int(starts[-1]))
        parts = []
        for one, start, n in zip(splits, starts, counts, strict=False):
            low, high = max(first - int(start), 0), min(last - int(start), n)
            if low < high:
                flat = one.values.reshape(n, *one.values.shape[2:])
                parts.append(np.asarray(flat[low:high])[:, keep[neuroids], inside])
        taken: npt.NDArray[Any] = np.concatenate(parts)[::step]
        return np.asarray(taken.mean(axis=2)) if average else taken

    shape = (int(starts[-1]), len(keep))
    return Computed(shape if average else (*shape, inside.stop - inside.start), get, kind.newbyteorder("="))
