"""Files of field potentials as MNE opens them, looked through before: links, lengths, sampling rates, channels."""

import re
import warnings
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from traceback import clear_frames
from typing import Any
from weakref import finalize

import numpy as np
import numpy.typing as npt
import pandas as pd

from ....errors import UserError, first_line, missing_extra, unknown
from ....files import natural
from ...imported import ReadOptions

SUFFIXES = (".fif", ".fif.gz", ".vhdr", ".edf", ".bdf")
KINDS = {
    "eeg": ("EEG", "V"), "mag": ("MEG", "T"), "grad": ("MEG", "T/m"), "ecog": ("ECoG", "V"), "seeg": ("sEEG", "V"),
    "dbs": ("DBS", "V"), "csd": ("EEG", "V/m^2"), "hbo": ("fNIRS", "M"), "hbr": ("fNIRS", "M"),
}  # fmt: skip
"""Kinds of channels that record a brain: the technique, and the unit in which MNE keeps them."""
_FRAMES = {1: "device", 4: "head", 5: "MRI", 1000: "head", 1003: "MNI Talairach"}
_BEGINS = {
    ".fif": b"\x00\x00\x00\x64", ".gz": b"\x1f\x8b", ".vhdr": b"Brain", ".edf": b"0       ", ".bdf": b"\xffBIOSEMI",
}  # fmt: skip
_LATER = re.compile(r"(?:(?<=epo)|(?<=raw)|(?<=meg)|(?<=eeg))-\d+\.fif(\.gz)?$|_split-(?!0*1_)\d+_")
_SPOILED = re.compile(r"[Ii]nvalid tag|possibly corrupted")
"""What MNE warns of, and reads on."""
_EPOCHS = re.compile(r"[-_]epo(-\d+)?\.fif(\.gz)?$")


@dataclass(frozen=True)
class Opened:
    """One file of a recording.

    Attributes
    ----------
    path : Path
    run : str
        What it is called, unique in the recording.
    data : mne.io.BaseRaw or mne.BaseEpochs
        Not read yet.
    is_epochs : bool
    runs : tuple of str
        What all files of the recording are called, where there are several.
    """

    path: Path
    run: str
    data: Any
    is_epochs: bool
    runs: tuple[str, ...] = ()

    @property
    def rate(self) -> float:
        """Samples a second."""
        return float(self.data.info["sfreq"])


@contextmanager
def quietly(path: Path) -> Iterator[None]:
    """Whatever MNE answers a damaged file with, as one line; its advice on names of files is left out."""
    with warnings.catch_warnings(record=True) as heard:
        warnings.simplefilter("always")
        try:
            yield
            spoiled = [str(one.message) for one in heard if _SPOILED.search(str(one.message))]
            if spoiled:
                raise ValueError(spoiled[0])
        except UserError:
            raise
        except Exception as error:  # struct's, zlib's, numpy's and MNE's own
            clear_frames(error.__traceback__)  # which hold files open
            said = first_line(error)
            raise UserError(f"{path} is damaged or cut short ({said}): save or download it again") from error


def looks_like(path: Path) -> bool:
    """Whether a file is called, and begins, as one of those that are read."""
    begins = next((one for end, one in _BEGINS.items() if path.name.lower().endswith(end)), None)
    if begins is None or not path.name.lower().endswith(SUFFIXES):
        return False
    try:
        with path.open("rb") as stream:
            return stream.read(len(begins)) == begins
    except OSError:
        return False


def files_of(path: Path) -> list[Path]:
    """The recording's files: itself, or those of a folder, without the later parts of split ones."""
    if path.is_dir():
        return [
            one
            for one in sorted(path.iterdir(), key=lambda one: natural(one.name))
            if looks_like(one) and not _LATER.search(one.name)
        ]
    return [path]


def open_files(path: Path, wanted: str | None) -> tuple[list[Opened], str | None]:
    """The files of a recording, all of one subject, sampling rate and set of channels; and the subject.

    Raises
    ------
    UserError
        For no such file, a damaged one, or files that do not belong together.
    """
    try:
        import mne  # noqa: F401
    except ImportError as error:
        raise missing_extra("mne", "mne", why=f"reading {path.name}") from error
    files = files_of(path)
    if not files:
        raise UserError(f"{path} holds no {', '.join(SUFFIXES)}")
    opened = [_open_one(one) for one in files]
    subjects = [_subject(one) for one in opened]
    there = [one for one in dict.fromkeys(subjects) if one is not None]
    if wanted is not None and len(there) > 1:
        if wanted not in there:
            raise unknown(f"subject of {path.name}", wanted, there)
        opened = [one for one, subject in zip(opened, subjects, strict=True) if subject == wanted]
    elif len(there) > 1:
        raise UserError(
            f"{path} has files of {len(there)} subjects ({', '.join(there[:6])}): say which by --subject, and add the "
            "others as data sets of their own"
        )
    _check_alike(opened, path)
    return _with_own_names(opened), wanted or (there[0] if there else None)


def _open_one(path: Path) -> Opened:
    import mne

    if not path.is_file():
        raise UserError(f"there is no file {path}")
    name = path.name.lower()
    if _LATER.search(path.name):
        raise UserError(
            f"{path.name} is a later part of a split recording: give the first part, the others are found"
        )
    quiet: dict[str, Any] = {"preload": False, "verbose": "WARNING"}
    with quietly(path):
        if name.endswith(".vhdr"):
            _check_brainvision(path)
            return Opened(path, _run(path), mne.io.read_raw_brainvision(path, **quiet), False)
        if name.endswith((".edf", ".bdf")):
            _check_edf_length(path)
            read = mne.io.read_raw_edf if name.endswith(".edf") else mne.io.read_raw_bdf
            return Opened(path, _run(path), read(path, **quiet), False)
        if not _EPOCHS.search(path.name):
            try:
                raw = mne.io.read_raw_fif(path, allow_maxshield="yes", **quiet)
                _check_inside([Path(one) for one in raw.filenames if one is not None], path)
                raw.get_data(start=raw.n_times - 1, verbose="ERROR")  # the end is there
                return Opened(path, _run(path), raw, False)
            except ValueError as error:
                if "No raw data" not in str(error):
                    raise
        epochs = mne.read_epochs(path, proj=False, **quiet)
        streams = [one.fid for one in getattr(epochs, "_raw", None) or [] if hasattr(one, "fid")]
        _check_inside([Path(str(getattr(one, "name", path))) for one in streams], path)
        opened = Opened(path, _run(path), epochs, True)
        finalize(epochs, _close, streams)  # MNE leaves it to the collector, which may take the files first
        if len(epochs):
            epochs.get_data(item=[len(epochs) - 1], verbose="ERROR")  # the end is there
        return opened


def _close(streams: Sequence[Any]) -> None:
    for one in streams:
        one.close()


def _check_inside(parts: Sequence[Path], path: Path) -> None:
    folder = path.resolve().parent
    for one in parts:
        if one.resolve().parent != folder:
            raise UserError(
                f"{path.name} goes on in {one}, out of its folder: refused; put the parts side by side"
            )


def _check_brainvision(path: Path) -> None:
    """The header's data and marker files lie beside it, and the data is whole."""
    text = path.read_bytes()[: 1 << 20].decode("latin-1")
    found = {key: value.strip() for key, value in re.findall(r"(?m)^(\w+)=([^\r\n]*)", text)}
    for key in ("DataFile", "MarkerFile"):
        name = found.get(key, "").replace("$b", path.stem)
        if name and ({"/", "\\"} & set(name) or name == ".."):
            raise UserError(
                f"{path.name}: {key} is {name!r}, out of its folder: refused; put the files side by side"
            )
        if name and not (path.parent / name).is_file():
            raise UserError(f"{path.name}: {key} {name!r} is not beside it: copy it there")
        if key == "DataFile" and name and found.get("DataFormat", "BINARY").upper() == "BINARY":
            width = {"INT_16": 2, "INT_32": 4, "IEEE_FLOAT_32": 4}.get(found.get("BinaryFormat", ""), 1)
            frame = width * int(found.get("NumberOfChannels", 1) or 1)
            size = (path.parent / name).stat().st_size
            points = int(found.get("DataPoints") or 0)
            if size % frame or size < points * frame:
                raise UserError(f"{path.parent / name} is cut short: {size} bytes are no whole number of samples of "
                                f"{found.get('NumberOfChannels')} channels; copy it again")  # fmt: skip


def _edf_header(path: Path) -> tuple[int, int, list[str], list[int]]:
    """Bytes of the header, number of records, and of each signal its label and samples a record."""
    with path.open("rb") as stream:
        fixed = stream.read(256)
        n_signals = int(fixed[252:256])
        rest = stream.read(256 * n_signals)
    if len(rest) < 256 * n_signals or n_signals < 1:
        raise UserError(f"{path} is cut short in its header: copy it again")
    labels = [rest[16 * i : 16 * i + 16].decode("latin-1").strip() for i in range(n_signals)]
    counts = rest[216 * n_signals : 224 * n_signals]
    return (
        int(fixed[184:192]),
        int(fixed[236:244]),
        labels,
        [int(counts[8 * i : 8 * i + 8]) for i in range(n_signals)],
    )


def _check_edf_length(path: Path) -> None:
    n_header, n_records, _, counts = _edf_header(path)
    width = 3 if path.suffix.lower() == ".bdf" else 2
    held = (path.stat().st_size - n_header) / (width * sum(counts))
    if n_records >= 0 and held < n_records:
        raise UserError(
            f"{path} is cut short: it says {n_records} records and holds {held:.1f}; copy it again"
        )


def _check_one_rate(path: Path, names: Sequence[str]) -> None:
    """EDF may hold channels of several rates, which MNE would stretch to one without a word."""
    _, _, labels, counts = _edf_header(path)
    rates = {label: count for label, count in zip(labels, counts, strict=True) if label in names}
    if len(set(rates.values())) > 1:
        common = Counter(rates.values()).most_common(1)[0][0]
        odd = [label for label, count in rates.items() if count != common]
        raise UserError(
            f"{path.name}: channels have different sampling rates ({', '.join(odd[:4])} and others): take those of one "
            "rate by --channels"
        )


def _subject(one: Opened) -> str | None:
    found = re.search(r"(?:^|_)sub-([A-Za-z0-9]+)", one.path.name)
    about = one.data.info.get("subject_info") or {}
    return found.group(1) if found else about.get("his_id") or None


def _run(path: Path) -> str:
    found = re.search(
        r"(?:^|_)((?:ses-[^_.]+_)?(?:task-[^_.]+_)?(?:acq-[^_.]+_)?run-[^_.]+|ses-[^_.]+)", path.name
    )
    return (
        found.group(1)
        if found
        else re.sub(r"([-_](epo|raw|eeg|meg|ieeg))?\.(fif|fif\.gz|vhdr|edf|bdf)$", "", path.name)
    )


def _with_own_names(opened: list[Opened]) -> list[Opened]:
    if len(opened) == 1:
        return opened
    if len({one.run for one in opened}) < len(opened):
        opened = [replace(one, run=one.path.name.split(".")[0]) for one in opened]
    return [replace(one, runs=tuple(each.run for each in opened)) for one in opened]


def _check_alike(opened: Sequence[Opened], path: Path) -> None:
    first = opened[0]
    for one in opened[1:]:
        if one.is_epochs != first.is_epochs:
            raise UserError(
                f"{path} holds epochs ({_epochs_of(opened)}) and continuous recordings: keep one kind"
            )
        if one.rate != first.rate:
            raise UserError(
                f"{path}: {first.path.name} has {first.rate:g} samples a second and {one.path.name} {one.rate:g}: "
                "resample them to one rate first"
            )
        if one.data.ch_names != first.data.ch_names:
            odd = sorted(set(one.data.ch_names) ^ set(first.data.ch_names)) or ["their order"]
            raise UserError(
                f"{path}: {first.path.name} and {one.path.name} differ in channels (first: {odd[0]})"
            )
        if first.is_epochs and not np.array_equal(one.data.times, first.data.times):
            raise UserError(f"{path}: the epochs of {first.path.name} and {one.path.name} last differently")


def _epochs_of(opened: Sequence[Opened]) -> str:
    return next(one.path.name for one in opened if one.is_epochs)


def channels_of(
    opened: Sequence[Opened], options: ReadOptions
) -> tuple[list[int], pd.DataFrame, dict[str, int], list[str]]:
    """The channels to take: their places, the table of neuroids, what was left out, and what is said.

    Raises
    ------
    UserError
        Where there are several kinds and none is chosen, for a kind or name that is not there, channels that are all
        bad, or have different sampling rates.
    """
    info = opened[0].data.info
    with quietly(opened[0].path):
        names, kinds = list(info["ch_names"]), info.get_channel_types()
    bads = set().union(*(one.data.info["bads"] for one in opened))
    wanted = _wanted(options.names("channels"), names, kinds, opened[0].path.name)
    picks = [place for place in wanted if names[place] not in bads]
    if not picks:
        raise UserError(
            f"{opened[0].path.name}: all {len(wanted)} channels that were asked for are marked bad"
        )
    for one in opened:
        if one.path.suffix.lower() in (".edf", ".bdf"):
            with quietly(one.path):
                _check_one_rate(one.path, [names[place] for place in picks])
    table, frame = _positions(info, picks)
    chosen = [kinds[place] for place in picks]
    table.insert(0, "neuroid_id", [names[place] for place in picks])
    table.insert(1, "region", options.region or chosen)
    table.insert(2, "channel_kind", chosen)
    left_out = {
        "channels marked bad": len(wanted) - len(picks),
        "channels of other kinds": len(names) - len(wanted),
    }
    said = [f"channels: {', '.join(f'{count} {kind}' for kind, count in Counter(chosen).items())}; {frame}"]
    return picks, table, {reason: count for reason, count in left_out.items() if count}, said


def _wanted(said: list[str] | None, names: list[str], kinds: list[str], where: str) -> list[int]:
    counts = Counter(kind for kind in kinds if kind in KINDS)
    if said is None:
        if len(counts) != 1:
            there = ", ".join(f"{kind} ({count})" for kind, count in (counts or Counter(kinds)).items())
            what = "several kinds" if counts else "no kind that records a brain"
            raise UserError(f"{where} has channels of {what}: {there}; say which to take by --channels")
        said = list(counts)
    chosen: set[int] = set()
    for one in said:
        of_kind = {"mag", "grad"} if one == "meg" else {one}
        places = [place for place, kind in enumerate(kinds) if kind in of_kind] or [
            place for place, name in enumerate(names) if name == one
        ]
        if not places:
            raise unknown(f"kind or name of channels of {where}", one, [*set(kinds), *names])
        chosen.update(places)
    return sorted(chosen)


def _positions(info: Any, picks: Sequence[int]) -> tuple[pd.DataFrame, str]:
    """Positions in mm, in head coordinates where the file says how the device stands to the head."""
    channels = [info["chs"][place] for place in picks]
    places: npt.NDArray[np.float64] = np.array([one["loc"][:3] for one in channels], np.float64).reshape(
        -1, 3
    )
    places[~np.isfinite(places).all(axis=1) | (places == 0).all(axis=1)] = np.nan
    known = np.isfinite(places).all(axis=1)
    if not known.any():
        return pd.DataFrame(index=range(len(picks))), "the file has no positions"
    frames = [int(one["coord_frame"]) for one in channels]
    device_to_head = info["dev_head_t"]
    for row, frame in enumerate(frames):
        if frame == 1 and device_to_head is not None:
            turn = device_to_head["trans"]
            places[row] = turn[:3, :3] @ places[row] + turn[:3, 3]
            frames[row] = 4
    called = " and ".join(dict.fromkeys(_FRAMES.get(frame, "unknown") for frame in frames))
    missing = f", {int((~known).sum())} channels without" if not known.all() else ""
    return pd.DataFrame(
        1000 * places, columns=["x", "y", "z"]
    ), f"positions in mm in {called} coordinates{missing}"
