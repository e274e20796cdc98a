"""From one format of recordings to another."""

import tempfile
from collections.abc import Mapping
from pathlib import Path

from ..errors import UserError, unknown
from .catalogue import dataset_card, list_datasets, load_dataset
from .dataset import Dataset
from .formats.folder import is_own_layout, load_folder
from .formats.recording import RECORDING_FORMATS, read_path
from .imported import imported_of
from .importing import write_recording
from .read_options import ReadOptions

FOLDER = "folder"
_OF_MAPS = ("surfaces", "mask")


def convert(
    source: str, target: Path, form: str, options: ReadOptions | None = None, file_format: str | None = None
) -> list[str]:
    """Write a data set, or recordings in a format that is read, in a format that is written.

    Parameters
    ----------
    source : str
        The name of a data set, a folder in the layout of one's own, or a path that some format recognizes.
    target : Path
        Where it is written.
    form : str
        ``"folder"``, or a name of ``RECORDING_FORMATS`` that has ``writes``.
    options : ReadOptions, optional
        What there is to say of recordings.
    file_format : str, optional
        The format of `source`, where several would read it.

    Returns
    -------
    list of str
        What was left out or assumed, a line each.

    Raises
    ------
    UserError
        For what is not known, or cannot be written so.
    """
    written = [FOLDER, *(one.name for one in RECORDING_FORMATS.values() if one.writes)]
    if form not in written:
        raise unknown("format to write", form, written)
    if target.exists() and not (target.is_dir() and not any(target.iterdir())):
        raise UserError(f"{target} is not empty: give a new folder")
    path = Path(source).expanduser()
    named = source in {card.identifier for card in list_datasets()}
    if named or (file_format is None and is_own_layout(path)):
        given = {} if options is None else options.given()
        if given:
            raise UserError(
                f"--{next(iter(given)).replace('_', '-')} says nothing of {source}, which is a data set: leave it out"
            )
        if file_format is not None:
            raise UserError(
                f"--format says nothing of {source}, which is a data set: --as is what is written"
            )
        dataset = (
            load_dataset(dataset_card(source).identifier) if named else load_folder(path, path.resolve().name)
        )
        return _written(dataset, target, form)
    if not path.exists():
        raise unknown(
            "data set",
            source,
            [card.identifier for card in list_datasets()],
            hint="or give a path that is there",
        )
    imported = read_path(path, options, file_format)[1]
    if form == FOLDER:
        write_recording(imported, target, target.name)
        return _lines(imported.left_out, list(imported.said))
    with tempfile.TemporaryDirectory(prefix=".convert.", dir=target.resolve().parent) as scratch:
        folder = Path(scratch) / "recording"
        write_recording(imported, folder, target.name)
        return _written(load_folder(folder, target.name), target, form)


def _written(dataset: Dataset, target: Path, form: str) -> list[str]:
    lost: list[str] = []
    if form == FOLDER:
        write_recording(imported_of(dataset), target, dataset.identifier)
    else:
        kind = RECORDING_FORMATS[form]
        kind.write(dataset, target)
        lost = [name for name in kind.loses if getattr(dataset, name)]
    attributes = {} if dataset.responses is None else dataset.responses.attrs
    said = list(attributes.get("said", []))
    words = [name.replace("_", " ") for name in lost if name not in _OF_MAPS]
    if words:
        said.append(f"not written: {', '.join(words)}: {form} has no place")
    if set(lost) & set(_OF_MAPS):
        said.append(
            f"the mask or meshes have no place in {form}: maps of scores will need --mask or --surface"
        )
    return _lines(attributes.get("left_out", {}), said)


def _lines(left_out: Mapping[str, int], said: list[str]) -> list[str]:
    return [*said, *(f"left out: {count} {reason}" for reason, count in left_out.items())]
