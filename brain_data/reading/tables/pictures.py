"""The pictures of stimuli: files that a table names, or that are called as the stimuli are."""

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

from ....errors import UserError


def named_pictures(names: Mapping[str, str], root: Path, inner: Path | None = None) -> dict[str, Path]:
    """Stimulus -> the file that is named for it, in a folder or in one inside it; it may not be there.

    Raises
    ------
    UserError
        For a name that leads out of the folder.
    """
    found = {}
    for stimulus, name in names.items():
        place = inner / name if inner is not None and (inner / name).is_file() else root / name
        if not place.resolve().is_relative_to(root.resolve()):
            raise UserError(f"stimulus {stimulus!r}: {name!r} would leave the folder {root.name}/: refused")
        found[stimulus] = place
    return found


def check_there(pictures: Mapping[str, Path], folder: Path) -> None:
    """Raise a UserError where a picture is not there."""
    absent = [place for place in pictures.values() if not place.is_file()]
    if absent:
        raise UserError(
            f"{len(absent)} of {len(pictures)} pictures are not in {folder} (first: {absent[0].name})"
        )


def pictures_called(ids: Sequence[str], files: Iterable[Path], folder: Path) -> dict[str, Path]:
    """Stimulus -> the file that is called so, with its ending or without; empty where none is of any.

    Raises
    ------
    UserError
        Where several are called as one stimulus is, or some stimuli have none.
    """
    by_name: dict[str, list[Path]] = {}
    for one in files:
        for name in {one.relative_to(folder).as_posix(), one.name, one.stem}:
            by_name.setdefault(name, []).append(one)
    found = {}
    for stimulus in dict.fromkeys(ids):
        fitting = by_name.get(stimulus, [])
        if len(fitting) > 1:
            names = " or ".join(sorted(one.relative_to(folder).as_posix() for one in fitting))
            raise UserError(f"stimulus {stimulus!r} may be {names}: name it in a column filename")
        if fitting:
            found[stimulus] = fitting[0]
    lacking = [stimulus for stimulus in dict.fromkeys(ids) if stimulus not in found]
    if found and lacking:
        raise UserError(
            f"{len(lacking)} of {len(set(ids))} stimuli have no picture in {folder} (first: {lacking[0]!r})"
        )
    return found
