"""Responses that somebody kept as arrays in one ``.npz``, under names of their own, without a table of stimuli."""

import zipfile
from dataclasses import replace
from pathlib import Path

from ...errors import UserError
from ..imported import Imported, ReadOptions
from ..reading.arrays.named import Branch, Held, array_of
from ..reading.arrays.recording import TAKES, recording_of
from .npz import Npz
from .recording import RecordingFormat, add_recording_format
from .response_file import tree_of

_OF_STIMULI = ("stimulus_id", "stimulus", "stimuli", "conds", "conditions", "condition", "labels")
_OF_REGIONS = ("region", "regions", "roi", "rois")
_RESPONSES = "responses"
_OF_OTHERS = {".nii", ".gz", ".gii", ".nwb", ".fif", ".h5", ".hdf5", ".hf5", ".npy", ".vhdr", ".edf"}
_OWN = ("stimuli.csv", "dataset.toml")


@add_recording_format
class ArrayArchive(RecordingFormat):
    """One .npz with responses (presentation, neuroid), and arrays that name their rows and columns."""

    name = "arrays"
    takes = (*TAKES, "space")

    def recognizes(self, path: Path) -> bool:
        """An ``.npz`` under names of its own, or a folder with one that is not laid out as recordings of one's own."""
        if path.is_file():
            return path.suffix.lower() == ".npz" and _RESPONSES not in _names(path)
        if not path.is_dir() or any((path / one).exists() for one in _OWN):
            return False
        endings = [one.suffix.lower() for one in path.iterdir()]
        return endings.count(".npz") == 1 and not _OF_OTHERS & set(endings)

    def read(self, path: Path, options: ReadOptions) -> Imported:
        """The arrays, each by the option that names it, else by the only one that fits."""
        if path.is_dir():
            path = next(one for one in path.iterdir() if one.suffix.lower() == ".npz")
        tree = tree_of(Npz().read(path))
        _, held, _ = array_of(tree, options.array, path)
        rows, regions = options.stimulus_column, options.region_column
        if options.events is None and rows is None:
            rows = _usual(tree, held.shape[0], _OF_STIMULI, "rows", "--stimulus-column", path)
        if regions is None:
            regions = _usual(tree, held.shape[1], _OF_REGIONS, "columns", "--region-column", path)
        if rows is not None and rows == regions:
            raise UserError(
                f"{path.name}: {rows!r} may name rows or columns: say by --stimulus-column and --region-column"
            )
        found = recording_of(tree, path, replace(options, stimulus_column=rows, region_column=regions))
        trials = found.presentations
        if "repetition" not in trials:
            trials = trials.assign(repetition=trials.groupby("stimulus_id").cumcount())
        unread = [name for name, one in tree.items() if isinstance(one, Held) and not one.shape]
        return replace(
            found,
            presentations=trials,
            about=dict(found.about) | ({"space": options.space} if options.space else {}),
            said=[*found.said, *([f"not read: {', '.join(unread)}"] if unread else [])],
        )


def _names(path: Path) -> list[str]:
    """The arrays of an archive; none where it is none."""
    try:
        with zipfile.ZipFile(path) as archive:
            return [one.removesuffix(".npy") for one in archive.namelist()]
    except (OSError, zipfile.BadZipFile):
        return []


def _usual(tree: Branch, n: int, usual: tuple[str, ...], of: str, flag: str, path: Path) -> str | None:
    """The list that names rows, or columns: by a usual name, or the only one with texts."""
    lists = {name: one for name, one in tree.items() if isinstance(one, Held) and one.length == n}
    named = [name for name in usual if name in lists]
    texts = [name for name, one in lists.items() if one.kind == "texts" and name != "neuroid_id"]
    if len(texts) > 1 and not named:
        raise UserError(f"{path.name}: {', '.join(texts)} may name its {of}: say which by {flag}")
    return next(iter(named or texts), None)
