"""Folders in BIDS: names of files, which belong together, and what sidecars say of them."""

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ....bounded import check_ends
from ....errors import UserError, unknown
from ....files import read_json

IMAGES = (".nii.gz", ".nii", ".func.gii", ".dtseries.nii")
_FUNC = ("sub-*/func", "sub-*/ses-*/func")
_NAMES_A_RUN = ("ses", "task", "acq", "ce", "rec", "dir", "run")
_OF_DERIVATIVES = ("space", "res", "den", "desc", "hemi")
_SMALL_TABLE = 1 << 28
NATIVE = "native"
"""What images are in whose name says no space: the grid of the scanner."""


@dataclass(frozen=True)
class BidsFile:
    """A file by what its name says: ``sub-01_task-view_run-1_bold.nii.gz``.

    Attributes
    ----------
    path : Path
    entities : mapping of str to str
        ``{"sub": "01", "task": "view", "run": "1"}``.
    suffix, extension : str
        ``"bold"`` and ``".nii.gz"``.
    """

    path: Path
    entities: Mapping[str, str]
    suffix: str
    extension: str

    @property
    def space(self) -> str:
        """``MNI152NLin2009cAsym``, with ``:res-2`` or ``:den-91k`` where the name says so."""
        more = [f"{key}-{self.entities[key]}" for key in ("res", "den") if key in self.entities]
        return ":".join([self.entities.get("space", NATIVE), *more])


@dataclass(frozen=True)
class BoldFiles:
    """The images of one run of one subject: one file, or a file a hemisphere.

    Attributes
    ----------
    subject : str
        ``01`` of ``sub-01``.
    run : str
        Unique over the recording: ``ses-01_run-2``.
    files : tuple of BidsFile
    root : Path
        The folder, raw or of a pipeline, that they lie in.
    """

    subject: str
    run: str
    files: tuple[BidsFile, ...]
    root: Path

    @property
    def first(self) -> BidsFile:
        """The file, or that of the first hemisphere."""
        return self.files[0]


def parsed(path: Path) -> BidsFile | None:
    """What a file's name says; None where it is no name of BIDS."""
    stem, dot, extension = path.name.partition(".")
    *pairs, suffix = stem.split("_")
    entities: dict[str, str] = {}
    for pair in pairs:
        key, _, value = pair.partition("-")
        if not key or not value or key in entities:
            return None
        entities[key] = value
    return BidsFile(path, entities, suffix, dot + extension) if entities else None


def bold_files(root: Path) -> Iterator[BidsFile]:
    """The BOLD images below ``sub-*/func`` and ``sub-*/ses-*/func``."""
    for func in _FUNC:
        for path in sorted(root.glob(f"{func}/*_bold.*")):
            found = parsed(path)
            if found is not None and _is_bold(path):
                yield found


def _is_bold(path: Path) -> bool:
    found = parsed(path)
    return found is not None and found.extension in IMAGES and "sub" in found.entities


def has_bold(root: Path) -> bool:
    """Whether there is any BOLD image, in a moment."""
    return any(_is_bold(path) for func in _FUNC for path in root.glob(f"{func}/*_bold.*"))


def image_folders(root: Path) -> list[Path]:
    """The folders of pipelines below ``derivatives`` that hold BOLD images."""
    inner = root / "derivatives"
    below = sorted(one for one in inner.iterdir() if one.is_dir()) if inner.is_dir() else []
    return [one for one in (inner, *below) if has_bold(one)]


def is_derivative(root: Path) -> bool:
    """Whether a pipeline made the images: by ``dataset_description.json``, or by their names."""
    if description(root).get("DatasetType") == "derivative":
        return True
    return any(not one.entities.keys().isdisjoint(_OF_DERIVATIVES) for one in bold_files(root))


def description(root: Path) -> dict[str, Any]:
    """What ``dataset_description.json`` says; empty where there is none."""
    path = root / "dataset_description.json"
    return read_sidecar(path, root) if path.is_file() else {}


def read_sidecar(path: Path, root: Path) -> dict[str, Any]:
    """A JSON file that holds an object.

    Raises
    ------
    UserError
        For anything else.
    """
    content = read_json(checked(path, root))
    if not isinstance(content, dict):
        raise UserError(f"{path} must hold an object in braces, not {type(content).__name__}")
    return content


def checked(path: Path, root: Path) -> Path:
    """A file that is one, inside its folder, and written as long as it says.

    The folder of derivatives inside a study is the study: git-annex keeps the files of both in one place.

    Raises
    ------
    UserError
        For links out of the folder or to nowhere, and for anything that is no file.
    """
    try:
        target = path.resolve(strict=True)
    except (OSError, RuntimeError) as error:
        raise UserError(
            f"{path} is a link to nowhere: fetch the file first (datalad get, git annex get)"
        ) from error
    root = root.resolve()
    if not target.is_relative_to(root.parents[1] if root.parent.name == "derivatives" else root):
        raise UserError(f"{path} is a link out of its folder ({target}): refused; put the file itself there")
    if not target.is_file():
        raise UserError(f"{path} is not a file")
    check_ends(target)
    if path.suffix in (".tsv", ".json") and target.stat().st_size > _SMALL_TABLE:
        raise UserError(f"{path} has {target.stat().st_size / 2**20:.0f} MiB: that is no table of a run")
    return path


def inherited(
    root: Path, folder: Path, suffix: str, extension: str, entities: Mapping[str, str]
) -> list[Path]:
    """The files that hold of an image, from the top of the data set down to its folder: the last one counts most.

    Parameters
    ----------
    root, folder : Path
        The data set, and the folder of the image inside it.
    suffix, extension : str
        Such as ``"events"`` and ``".tsv"``.
    entities : mapping of str to str
        Those of the image: a file holds of it whose own are all among them.
    """
    places = [folder, *folder.parents]
    places = places[: places.index(root) + 1] if root in places else [folder]
    found = []
    for place in reversed(places):
        with suppress(OSError):
            level = []
            for path in sorted(place.glob(f"*{suffix}{extension}")):
                if path.name == f"{suffix}{extension}":
                    level.append((0, path))
                    continue
                one = parsed(path)
                if one is not None and one.suffix == suffix and one.entities.items() <= entities.items():
                    level.append((len(one.entities), path))
            found += [path for _, path in sorted(level)]
    return found


def sidecar(files: BoldFiles, raw: Path) -> dict[str, Any]:
    """What the JSON files say of a run's image: its own, those above it, and beneath them those of the raw data.

    Of the raw data only ``RepetitionTime`` and ``VolumeTiming`` are taken: a pipeline changes the rest.
    """
    image = files.first
    said: dict[str, Any] = {}
    if raw != files.root:
        for path in inherited(raw, raw_folder(files, raw), "bold", ".json", raw_entities(image)):
            one = read_sidecar(path, raw)
            said |= {key: one[key] for key in ("RepetitionTime", "VolumeTiming") if key in one}
    for path in inherited(files.root, image.path.parent, "bold", ".json", image.entities):
        said |= read_sidecar(path, files.root)
    return said


def raw_entities(image: BidsFile) -> dict[str, str]:
    """What the name of the raw image says, of which a pipeline made this one."""
    return {key: value for key, value in image.entities.items() if key not in _OF_DERIVATIVES}


def raw_folder(files: BoldFiles, raw: Path) -> Path:
    """The folder of the raw image."""
    return raw / files.first.path.parent.relative_to(files.root)


def of_subjects(
    found: Iterable[BidsFile],
    *,
    subjects: Sequence[str] | None,
    sessions: Sequence[str] | None,
    runs: Sequence[str] | None,
) -> list[BidsFile]:
    """Those of the subjects, sessions and runs that were asked for.

    Raises
    ------
    UserError
        For one that is not there.
    """
    left = list(found)
    for key, kind, wanted in (
        ("sub", "subject", subjects),
        ("ses", "session", sessions),
        ("run", "run", runs),
    ):
        if wanted is None:
            continue
        there = {_label(one.entities[key], key) for one in left if key in one.entities}
        named = [_label(one, key) for one in wanted]
        for one in named:
            if one not in there:
                raise unknown(f"{kind} of the recording", one, there)
        left = [one for one in left if key in one.entities and _label(one.entities[key], key) in named]
    return left


def _label(text: str, key: str) -> str:
    """``sub-01`` is ``01``; of runs, ``01`` is ``1``."""
    text = text.removeprefix(f"{key}-")
    return str(int(text)) if key == "run" and text.isascii() and text.isdigit() else text


def of_task(found: Sequence[BidsFile], tasks: Sequence[str] | None) -> list[BidsFile]:
    """Those of the tasks; ``all`` takes every one.

    Raises
    ------
    UserError
        Where there are several and none was named, and for a task that is not there.
    """
    there = sorted({one.entities.get("task", "") for one in found})
    if tasks is None and len(there) > 1:
        raise UserError(
            f"the recording has tasks {', '.join(one or 'without a name' for one in there)}: say which by --task "
            "(several with commas between them, or 'all')"
        )
    if tasks is None or tasks == ["all"]:
        return list(found)
    named = [one.removeprefix("task-") for one in tasks]
    for one in named:
        if one not in there:
            raise unknown("task of the recording", one, there)
    return [one for one in found if one.entities.get("task", "") in named]


def of_space(found: Sequence[BidsFile], space: str | None) -> list[BidsFile]:
    """Those in one space.

    Raises
    ------
    UserError
        Where there are several and none was named, and for a space that is not there.
    """
    there = sorted({one.space for one in found})
    if space is None:
        fits = there
    else:
        space = space.removeprefix("space-")
        fits = [one for one in there if space in (one, one.partition(":")[0])]
        if not fits:
            raise unknown("space of the recording", space, there)
    if len(fits) > 1:
        raise UserError(f"the images are in spaces {', '.join(fits)}: say which by --space")
    left = [one for one in found if one.space in fits]
    kinds = sorted(
        {one.extension for one in left if one.extension not in (".nii", ".nii.gz")}
        | ({".nii.gz"} if any(one.extension in (".nii", ".nii.gz") for one in left) else set())
    )
    if len(kinds) > 1:
        raise UserError(
            f"the images in space {fits[0]} are of kinds {' and '.join(kinds)}: leave one kind in the folder"
        )
    return left


def runs_of(found: Sequence[BidsFile], root: Path) -> list[BoldFiles]:
    """The runs, in the order of subjects, sessions and numbers.

    Raises
    ------
    UserError
        For echoes that nobody has combined, and for two images of one run.
    """
    found = [one for one in found if one.entities.get("part", "mag") == "mag"]
    whole = [one for one in found if "echo" not in one.entities]
    if found and not whole:
        raise UserError(
            f"{found[0].path.name} is one echo of several: combine them first (fMRIPrep writes the combined image)"
        )
    many_tasks = len({one.entities.get("task") for one in whole}) > 1
    grouped: dict[tuple[str, str], list[BidsFile]] = {}
    for one in sorted(whole, key=run_order):
        grouped.setdefault((one.entities["sub"], _run_name(one, with_task=many_tasks)), []).append(one)
    for (subject, run), files in grouped.items():
        hemispheres = [one.entities.get("hemi", "") for one in files]
        if len(set(hemispheres)) < len(files):
            raise UserError(
                f"sub-{subject} has {len(files)} images of {run}, {files[0].path.name} and {files[1].path.name}: "
                "keep one"
            )
        if files[0].extension == ".func.gii" and not set(hemispheres) <= {"L", "R"}:
            raise UserError(f"{files[0].path.name} does not say its hemisphere (hemi-L, hemi-R)")
    return [BoldFiles(subject, run, tuple(files), root) for (subject, run), files in grouped.items()]


def _run_name(one: BidsFile, *, with_task: bool) -> str:
    keys = [key for key in _NAMES_A_RUN if key in one.entities and (with_task or key != "task")]
    return "_".join(f"{key}-{one.entities[key]}" for key in keys) or f"task-{one.entities.get('task', '')}"


def run_order(one: BidsFile) -> tuple[Any, ...]:
    """By subject, session, task, run and hemisphere, numbers by their size."""
    keys = ("sub", *_NAMES_A_RUN, "hemi")
    return tuple(
        [
            (int(part), "") if part.isdigit() else (-1, part)
            for part in re.split(r"(\d+)", one.entities.get(key, ""))
            if part
        ]
        for key in keys
    )
