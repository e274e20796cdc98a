"""Volumes of trials or samples: 4D NIfTI, or many 3D ones, with a mask and a table of trials."""

import fnmatch
import re
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from ...errors import UserError
from ...files import natural
from ..imported import Imported, ReadOptions
from ..reading.tables.table import needed_file
from ..reading.tables.trials import Trials, find_trials, read_trials, shown_in, subject_of
from ..reading.tables.words import stories_of
from ..reading.volumes.atlases import regions_of, stem_of
from ..reading.volumes.condition_order import GLMSINGLE_FILE
from ..reading.volumes.images import Image, check_grid, is_image, open_image
from ..reading.volumes.masked import Masked, WithMask, read_masked
from ..reading.volumes.repetition_time import check_options, tr_of
from ..reading.volumes.voxels import RESAMPLE, neuroids_of, space_of, voxels_of_mask
from .recording import RecordingFormat, add_recording_format

_MASK = re.compile(r"(.*[_-])?(brain_?)?mask", re.IGNORECASE)
_FILE_COLUMNS = ("filename", "file", "image", "beta", "nifti")
_NOT_HERE = ("dataset_description.json", "responses.npz", "responses.nc", "responses.csv", "responses.mat")
_OF_NSD = re.compile(r"betas_session\d+\.hdf5")
_MANY = 6


@add_recording_format
class Nifti(RecordingFormat):
    """NIfTI volumes: betas (4D, or a file a trial) with a mask and a table of trials, or samples in time."""

    name = "nifti"
    takes = (
        "events", "stimulus_column", "stimuli", "mask", "atlas", "labels", "region", "resample", "subject", "array",
        "space", "series", "tr", "units",
    )  # fmt: skip

    def recognizes(self, path: Path) -> bool:
        """A NIfTI image, or a folder with some and no other layout around them."""
        if path.is_file():
            return is_image(path)
        if not path.is_dir() or any((path / one).exists() for one in _NOT_HERE):
            return False
        names = [one.name for one in path.iterdir()]
        if any(GLMSINGLE_FILE.fullmatch(one) or _OF_NSD.fullmatch(one) for one in names):
            return False
        return any(is_image(path / one) for one in names)

    def read(self, path: Path, options: ReadOptions) -> Imported:
        """Volumes at the voxels of the mask, and the table beside them."""
        folder = path if path.is_dir() else path.parent
        chosen = _images(path, options)
        mask = _mask(chosen, folder, options)
        first = chosen.images[0]
        check_options(options, in_time=options.is_series())
        if options.is_series():
            return _series(chosen, mask, folder, options)
        found = find_trials(folder, options)
        n = sum(one.n_volumes for one in chosen.images)
        if found is None:
            raise UserError(
                f"{chosen.name} has {n} volume{'s' * (n != 1)} and no table of trials beside it: name one by --events "
                "(a row a volume, a column stimulus_id), or keep the samples in time by --series yes"
            )
        trials = read_trials(found, options)
        chosen = _in_order_of(chosen, trials)
        n = sum(one.n_volumes for one in chosen.images)
        if len(trials.table) != n:
            raise UserError(
                f"{trials.name} has {len(trials.table)} rows, and {chosen.name} {n} volumes: a row a volume is needed"
            )
        shown = shown_in(trials, options, folder)
        masked, columns, said, left_out = _voxels(chosen, mask, trials.taken.to_numpy(), options, folder)
        n_blank = int((~trials.taken).sum())
        if n_blank:
            left_out["trials without a stimulus in the table"] = n_blank
        subject = subject_of(trials, options, first.path)
        read = [f"{chosen.described}; trials: {trials.name}", *chosen.said, *said, *shown.said]
        return _imported(masked, columns, subject, first, options, read, left_out,
                         stimuli=shown.stimuli, presentations=shown.presentations, pictures=shown.pictures)  # fmt: skip


@dataclass(frozen=True)
class _Chosen:
    """The images that hold the responses."""

    images: list[Image]
    said: list[str] = field(default_factory=list)

    @property
    def name(self) -> str:
        first = self.images[0].path.name
        return first if len(self.images) == 1 else f"{first} and {len(self.images) - 1} more"

    @property
    def described(self) -> str:
        first = self.images[0]
        n = sum(one.n_volumes for one in self.images)
        shape = " x ".join(map(str, first.grid.shape))
        files = f" in {len(self.images)} files" if len(self.images) > 1 else ""
        return f"{self.name}: {n} volumes of {shape} voxels{files}"


def _images(path: Path, options: ReadOptions) -> _Chosen:
    """The images of responses: the 4D one, those that ``--array`` names, or all 3D ones that are no mask."""
    if path.is_file():
        if options.array is not None:
            raise UserError(f"--array chooses among the images of a folder, and {path.name} is one")
        return _checked([path], [])
    at_hand = sorted((one for one in path.iterdir() if is_image(one)), key=lambda one: natural(one.name))
    if options.array is not None:
        named = [
            one
            for one in at_hand
            if fnmatch.fnmatchcase(one.name, options.array) or stem_of(one) == options.array
        ]
        if not named:
            known = ", ".join(one.name for one in at_hand[:_MANY])
            raise UserError(f"{path} holds no image {options.array!r}: it has {known}")
        return _checked(named, [] if len(named) == 1 else ["images in the order of their names"])
    others = [one for one in at_hand if not _is_mask(one, options, path)]
    opened = [(one, open_image(one)) for one in others]
    deep = [one for one, image in opened if image.n_volumes > 1]
    if len(deep) > 1:
        raise UserError(
            f"{path} holds several 4D images ({', '.join(one.name for one in deep[:_MANY])}): say by --array which, "
            "or a pattern such as 'run-*' to join them"
        )
    if deep:
        return _checked(deep, [])
    if not others:
        raise UserError(f"{path} holds no image but masks: betas are 4D, or one image a trial")
    return _checked(others, ["images in the order of their names"] if len(others) > 1 else [])


def _checked(paths: Sequence[Path], said: list[str]) -> _Chosen:
    images = [open_image(one) for one in paths]
    people = sorted({one.name.split("_")[0] for one in paths if one.name.startswith("sub-")})
    if len(people) > 1:
        raise UserError(
            f"the images are of {', '.join(people[:_MANY])}: take those of one by --array '{people[0]}*'"
        )
    for one in images[1:]:
        check_grid(one, images[0].grid, images[0].path.name)
    return _Chosen(images, said)


def _is_mask(path: Path, options: ReadOptions, folder: Path) -> bool:
    """Whether an image is named as a mask, or was said to be one, or an atlas."""
    said = [options.mask or "", *(options.names("atlas") or [])]
    if any(path == one or path.resolve() == one.resolve() for text in said if text
           for one in (Path(text).expanduser(), folder / text)):  # fmt: skip
        return True
    return _MASK.fullmatch(stem_of(path)) is not None


def _mask(chosen: _Chosen, folder: Path, options: ReadOptions) -> Image | None:
    """The mask by ``--mask``, else the one in the folder; None where there is none."""
    grid, of = chosen.images[0].grid, chosen.images[0].path.name
    if options.mask not in (None, "brain"):
        assert options.mask is not None
        path: Path | None = needed_file("mask", options.mask, folder)
    else:
        taken = {one.path for one in chosen.images}
        found = sorted(
            one
            for one in folder.iterdir()
            if is_image(one) and one not in taken and _MASK.fullmatch(stem_of(one))
        )
        if len(found) > 1:
            raise UserError(
                f"{folder} holds the masks {', '.join(one.name for one in found)}: say which by --mask"
            )
        if not found and options.mask == "brain":
            raise UserError(f"{folder} holds no mask, such as mask.nii.gz: name one by --mask FILE")
        path = found[0] if found else None
    if path is None:
        return None
    mask = open_image(path)
    if options.resample is None:
        check_grid(mask, grid, of, remedy=RESAMPLE)
    return mask


def _in_order_of(chosen: _Chosen, trials: Trials) -> _Chosen:
    """Images of one volume each in the order in which a column of the table names them, where one does."""
    if len(chosen.images) == 1:
        return chosen
    by_name = {one.path.name: one for one in chosen.images} | {
        stem_of(one.path): one for one in chosen.images
    }
    for column in _FILE_COLUMNS:
        if column not in trials.table:
            continue
        names = [Path(str(one)).name for one in trials.table[column]]
        if not any(name in by_name for name in names):
            continue
        absent = [name for name in names if name not in by_name]
        if absent:
            raise UserError(
                f"{trials.name} names {len(absent)} images that are not there (first: {absent[0]!r})"
            )
        if any(one.n_volumes > 1 for one in chosen.images):
            raise UserError(
                f"{trials.name} names an image a row, and {chosen.name} have several volumes each"
            )
        return replace(
            chosen, images=[by_name[name] for name in names], said=[f"images by the column {column}"]
        )
    return chosen


def _voxels(
    chosen: _Chosen, mask: Image | None, taken: npt.NDArray[np.bool_], options: ReadOptions, folder: Path
) -> tuple[Masked, pd.DataFrame, list[str], dict[str, int]]:
    """Values at the voxels that are kept, what is known of these, what to say, and what was left out."""
    first = chosen.images[0]
    grid, of = first.grid, first.path.name
    voxels, said = voxels_of_mask(mask, first, options)
    regions = regions_of(options, voxels, grid, of, folder)
    voxels, columns = voxels[regions.inside], regions.columns[regions.inside].reset_index(drop=True)
    masked = read_masked(chosen.images, voxels, taken, varying=mask is None)
    kept = pd.MultiIndex.from_arrays([*voxels.T]).get_indexer(pd.MultiIndex.from_arrays([*masked.voxels.T]))
    said += [*regions.said, f"{len(masked.voxels)} of {len(voxels)} voxels kept"]
    return masked, columns.iloc[kept].reset_index(drop=True), said, dict(regions.left_out) | masked.left_out


def _imported(
    masked: Masked,
    columns: pd.DataFrame,
    subject: str,
    like: Image,
    options: ReadOptions,
    said: Sequence[str],
    left_out: dict[str, int],
    **parts: Any,
) -> Imported:
    space, line = space_of(like, options)
    values = WithMask(masked.values, masked.voxels, like)
    about = {"technique": "fMRI", "units": options.units or "", "space": space}
    return Imported(
        values=values,
        neuroids=neuroids_of(masked, columns, subject, like),
        images={"mask": values.mask},
        about={name: words for name, words in about.items() if words},
        said=[*said, line],
        left_out=left_out,
        **parts,
    )


def _series(chosen: _Chosen, mask: Image | None, folder: Path, options: ReadOptions) -> Imported:
    """Samples in time: each image is a run, of the story or film that its table names, else of one of its own name."""
    step, line = tr_of(chosen.images, options)
    counts = [one.n_volumes for one in chosen.images]
    if min(counts) < 2:
        raise UserError(
            f"{chosen.images[counts.index(min(counts))].path.name} has one volume, and a series needs more"
        )
    runs = [stem_of(one.path) for one in chosen.images]
    stimuli, stories, more = stories_of(runs, [n * step for n in counts], folder, options)
    taken = np.ones(sum(counts), bool)
    masked, columns, said, left_out = _voxels(chosen, mask, taken, options, folder)
    presentations = pd.DataFrame(
        {
            "stimulus_id": np.repeat(np.array(stories, object), counts),
            "run": np.repeat(np.array(runs, object), counts),
            "time": np.concatenate([np.arange(n) * step for n in counts]),
        }
    )
    read = [f"{chosen.described}; a series of {len(runs)} run{'s' * (len(runs) != 1)}", line,
            "time: the start of each volume, from the run's first", *said, *more]  # fmt: skip
    subject = subject_of(None, options, chosen.images[0].path)
    return _imported(masked, columns, subject, chosen.images[0], options, read, left_out,
                     stimuli=stimuli, presentations=presentations, kind="series", tr=step, blocks="run")  # fmt: skip
